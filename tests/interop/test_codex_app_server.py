"""The real Codex as `codex app-server`, with a scripted model and `handoffs codex` before it."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.asked import Person
from tests.interop.openai_stub import serve_openai
from tests.waiting import until

CONFIG = """\
model = "gpt-5"
model_provider = "script"
approval_policy = "on-request"
sandbox_mode = "read-only"

[model_providers.script]
name = "script"
base_url = {base}
wire_api = "responses"
"""


@pytest.mark.parametrize("options", [(), ("--desk-only",)])
@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_codex_does_what_the_desk_says(
    codex: str, tmp_path: Path, options: tuple[str, ...], decision: str
) -> None:
    home, project, own = Home(tmp_path), tmp_path / "shop", tmp_path / "codex"
    project.mkdir()
    own.mkdir()
    made = project / "made"
    tool = {"cmd": f"touch {made}", "sandbox_permissions": "require_escalated", "justification": "a file"}
    env = {name: each for name, each in home.env.items() if not name.startswith("CLAUDE")} | {"CODEX_HOME": str(own)}
    seen: list[dict[str, Any]] = []
    with serve_openai([("exec_command", tool)], "Done.") as stub, anyio.fail_after(180):
        (own / "config.toml").write_text(CONFIG.format(base=json.dumps(stub.base)))
        command = [*HANDOFFS, "codex", *options, "--", codex, "app-server"]
        async with await anyio.open_process(command, env=env, cwd=project, stderr=None) as process:
            assert process.stdin is not None
            stdin = process.stdin

            async def send(**fields: Any) -> None:
                await stdin.send(json.dumps(fields).encode() + b"\n")

            async def look() -> None:
                assert process.stdout is not None
                kept = b""
                async for part in process.stdout:
                    *lines, kept = (kept + part).split(b"\n")
                    seen.extend(json.loads(each) for each in lines)

            def result(number: int) -> Any:
                return next((each["result"] for each in seen if each.get("id") == number and "result" in each), None)

            def methods() -> list[str]:
                return [each["method"] for each in seen if "method" in each]

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(look)
                await send(id=1, method="initialize", params={"clientInfo": {"name": "test", "version": "1"}})
                await until(lambda: result(1), seconds=60)
                await send(method="initialized")
                await send(id=2, method="thread/start", params={"cwd": str(project)})
                thread = (await until(lambda: result(2), seconds=60))["thread"]["id"]
                prompt = [{"type": "text", "text": "go"}]
                await send(id=3, method="turn/start", params={"threadId": thread, "input": prompt})
                person = Person(home)
                asked = await person.asked()
                assert f"touch {made}" in asked["message"]
                assert not made.exists()
                await person.answer("--set", f"decision={decision}")
                await until(lambda: "turn/completed" in methods(), seconds=60)
                assert ("item/commandExecution/requestApproval" in methods()) == (not options)
                assert "serverRequest/resolved" in methods()
                assert made.exists() == (decision == "allow")
                assert len(stub.requests) > 1  # also after a denial the turn goes on
                await stdin.aclose()
                await process.wait()
