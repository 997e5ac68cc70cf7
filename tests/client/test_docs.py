"""The pipelines in the docs are YAML, and what asks in them works."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import yaml

from tests.acceptance.processes import Home
from tests.client.people import answer, desk_of, with_a_person

TEXT = (Path(__file__).parents[2] / "docs/programs.md").read_text()
DOCUMENTS: list[Any] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


def github() -> str:
    (document,) = [each for each in DOCUMENTS if "jobs" in each]
    steps = {step["name"]: step for step in document["jobs"]["deploy"]["steps"]}
    assert [*steps] == ["Install", "Ask", "Deploy"]
    assert steps["Install"]["run"] == "pipx install handoffs"
    return f"set -e\n{steps['Ask']['run']}\n{steps['Deploy']['run']}"


def gitlab() -> str:
    (document,) = [each for each in DOCUMENTS if "jobs" not in each]
    return "set -e\n" + "\n".join(document["deploy"]["script"])


@pytest.mark.parametrize("script", [github, gitlab])
@pytest.mark.parametrize(("picked", "deployed"), [("yes", True), ("no", False)])
async def test_a_pipeline_deploys_after_a_yes_alone(tmp_path: Path, script: Any, picked: str, deployed: bool) -> None:
    home = Home(tmp_path, {"GITHUB_REF_NAME": "1.4", "CI_COMMIT_REF_NAME": "1.4", "KEY": "shop 7"})
    (tmp_path / "deploy").write_text("#!/bin/sh\ntouch deployed\n")
    (tmp_path / "deploy").chmod(0o700)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = partial(
        subprocess.run, ["bash", "-c", script()], env={**home.env, "PATH": path}, cwd=tmp_path, check=False, timeout=60
    )
    async with desk_of(tmp_path) as desk:
        await with_a_person(partial(anyio.to_thread.run_sync, run), desk, partial(answer, response=picked))
        (handoff,) = await desk.newest(open_only=False)
    assert "1.4" in handoff.question.message
    assert (tmp_path / "deployed").exists() == deployed
