"""@ai-sdk/mcp on stdio: it probes, hears nothing for a second from a server that is still starting, and falls back."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.conftest import HERE

SLOW = """
import sys, time
time.sleep({})
sys.argv = ["handoffs", "serve"]
from handoffs.__main__ import main
main()
"""


@pytest.mark.parametrize("seconds", [0, 2])
def test_a_slow_start_is_served_by_initialize_on_the_same_pipe(seconds: int, node: str, tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "0"})
    server = [HANDOFFS[0], "-c", SLOW.format(seconds)]
    ran = subprocess.run(
        [node, "ai_sdk.mjs", json.dumps(server)], cwd=HERE, env=home.env, capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["status"] == "PENDING"
