"""Other people's agent frameworks with a scripted model: what it is given before they lose patience."""

import json
import re
from pathlib import Path

from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.conftest import HERE, output
from tests.interop.openai_stub import Call, serve_openai

ASK: Call = ("handoff_to_user", {"message": "Where to?", "options": ["staging", "production"]})

PROMPT_QUEUE = 16
"""More than are needed: on a loaded machine a call can be too late for five seconds, and is made again."""


async def test_openai_agents_give_their_model_a_pending_result_in_five_seconds(mcp1: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    asked: list[str] = []

    def model(results: list[str]) -> str | list[Call]:
        """Ask until it was told twice to wait; have the person answer in a shell, and look."""
        pending = [found[0] for each in results if (found := re.search(r"h_\w+", each))]
        if len(pending) < 2:
            return [ASK]
        if not asked:
            asked.extend(pending)
            done = home.run("answer", pending[0], "--set", "response=production")
            assert done.returncode == 0, done.stderr
        elif "production" in results[-1]:
            return "Deployed."
        return [("check_handoff", {"handoff_id": pending[0]})]

    with serve_openai(*[model] * PROMPT_QUEUE) as stub:
        server = {"command": HANDOFFS[0], "args": [*HANDOFFS[1:], "serve"], "cwd": str(tmp_path)}
        job = json.dumps({"model": stub.base, "server": server})
        env = home.env | {"OPENAI_AGENTS_DISABLE_TRACING": "1"}
        code, said, complaint = await output(mcp1, HERE / "openai_agents.py", job, cwd=tmp_path, env=env, seconds=180)
        assert code == 0, complaint
        results = stub.tool_results()
    assert json.loads(said) == {"patience": 5, "said": "Deployed."}, results
    first, again = asked
    assert first == again  # the same question joins the one that is open
    told = next(each for each in results if first in each)
    assert told.startswith("No decision yet")
    assert f'call check_handoff (the tool whose name ends so) with handoff_id "{first}"' in told
    assert results[-1].startswith("The person answered")
    log = [json.loads(line) for line in home.run("log", "--json").stdout.splitlines()]
    assert [line["event"] for line in log] == ["opened", "answered", "collected"]
