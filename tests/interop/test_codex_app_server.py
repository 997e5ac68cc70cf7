"""The real Codex as `codex app-server`, with a scripted model and `handoffs codex` before it."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteSendStream

from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.asked import Person
from tests.interop.openai_stub import Call, Stub, serve_openai
from tests.waiting import until

CONFIG = """\
model = "gpt-5"
model_provider = "script"
approval_policy = "on-request"
sandbox_mode = "read-only"

[features]
request_permissions_tool = true
default_mode_request_user_input = true

[model_providers.script]
name = "script"
base_url = {base}
wire_api = "responses"
"""


OUT: Mapping[str, Any] = {"cmd": "touch made && echo it is there"}
COLOUR: Mapping[str, Any] = {
    "id": "colour",
    "header": "Colour",
    "question": "Which colour?",
    "options": [
        {"label": "Blue (Recommended)", "description": "as the sea"},
        {"label": "Red", "description": "as it is"},
    ],
}


class Program:
    """A program that has started Codex."""

    def __init__(self, home: Home, project: Path, stub: Stub, stdin: ByteSendStream) -> None:
        self.person, self.project, self.stub = Person(home), project, stub
        self._stdin, self._id = stdin, 0
        self.seen: list[dict[str, Any]] = []

    async def send(self, **fields: Any) -> None:
        await self._stdin.send(json.dumps(fields).encode() + b"\n")

    async def ask(self, method: str, **params: Any) -> Any:
        """Send a request, and wait for its result."""
        self._id += 1
        number = f"p{self._id}"
        await self.send(id=number, method=method, params=params)

        def result() -> Any:
            return next((each for each in self.seen if each.get("id") == number and "method" not in each), None)

        return (await until(result, seconds=60))["result"]

    async def prompt(self, thread: str) -> None:
        await self.ask("turn/start", threadId=thread, input=[{"type": "text", "text": "go"}])

    def methods(self) -> list[str]:
        return [each["method"] for each in self.seen if "method" in each]

    async def until_over(self, turns: int = 1) -> None:
        await until(lambda: self.methods().count("turn/completed") == turns, seconds=60)


@asynccontextmanager
async def started(
    codex: str, folder: Path, *turns: str | Sequence[Call], options: tuple[str, ...] = ()
) -> AsyncGenerator[tuple[Program, str]]:
    """Start Codex, and a thread; yield the program, and the thread's id."""
    home, project, own = Home(folder), folder / "shop", folder / "codex"
    project.mkdir()
    own.mkdir()
    env = {name: each for name, each in home.env.items() if not name.startswith("CLAUDE")} | {"CODEX_HOME": str(own)}
    with serve_openai(*turns) as stub, anyio.fail_after(180):
        (own / "config.toml").write_text(CONFIG.format(base=json.dumps(stub.base)))
        command = [*HANDOFFS, "codex", *options, "--", codex, "app-server"]
        async with await anyio.open_process(command, env=env, cwd=project, stderr=None) as process:
            assert process.stdin is not None
            program = Program(home, project, stub, process.stdin)

            async def look() -> None:
                assert process.stdout is not None
                kept = b""
                async for part in process.stdout:
                    *lines, kept = (kept + part).split(b"\n")
                    program.seen.extend(json.loads(each) for each in lines)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(look)
                about = {"name": "test", "version": "1"}
                await program.ask("initialize", clientInfo=about, capabilities={"experimentalApi": True})
                await program.send(method="initialized")
                thread = (await program.ask("thread/start", cwd=str(project)))["thread"]["id"]
                await program.prompt(thread)
                yield program, thread
                await process.stdin.aclose()
                await process.wait()


@pytest.mark.parametrize("options", [(), ("--desk-only",)])
@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_codex_does_what_the_desk_says(
    codex: str, tmp_path: Path, options: tuple[str, ...], decision: str
) -> None:
    made = tmp_path / "shop" / "made"
    tool = {"cmd": f"touch {made}", "sandbox_permissions": "require_escalated", "justification": "a file"}
    async with started(codex, tmp_path, [("exec_command", tool)], "Done.", options=options) as (program, _):
        asked = await program.person.asked()
        assert f"touch {made}" in asked["message"]
        assert not made.exists()
        await program.person.answer("--set", f"decision={decision}")
        await program.until_over()
        assert ("item/commandExecution/requestApproval" in program.methods()) == (not options)
        assert "serverRequest/resolved" in program.methods()
        assert made.exists() == (decision == "allow")
        assert len(program.stub.requests) > 1  # also after a denial the turn goes on


@pytest.mark.parametrize("options", [(), ("--desk-only",)])
@pytest.mark.parametrize(
    ("given", "turns"), [(("decision=deny",), 0), (("decision=allow",), 1), (("decision=allow", "scope=session"), 2)]
)
async def test_codex_has_the_permissions_that_the_desk_grants(
    codex: str, tmp_path: Path, options: tuple[str, ...], given: tuple[str, ...], turns: int
) -> None:
    made = tmp_path / "shop" / "made"
    wanted = {"permissions": {"file_system": {"write": [str(made.parent)]}}, "reason": "for the build"}
    run = [("exec_command", OUT)]
    script = ([("request_permissions", wanted)], run, "Done.", run, "Done.")
    async with started(codex, tmp_path, *script, options=options) as (program, thread):
        asked = await program.person.asked()
        assert "Allow `permissions` of `codex" in asked["message"]
        assert str(made.parent) in asked["message"]
        assert "for the build" in asked["message"]
        await program.person.answer(*(each for value in given for each in ("--set", value)))
        await program.until_over()
        assert ("item/permissions/requestApproval" in program.methods()) == (not options)
        assert "serverRequest/resolved" in program.methods()
        assert made.exists() == (turns > 0)
        made.unlink(missing_ok=True)
        await program.prompt(thread)
        await program.until_over(2)
        assert made.exists() == (turns > 1)


@pytest.mark.parametrize("options", [(), ("--desk-only",)])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("answer_1=Red",), {"colour": {"answers": ["Red"]}}),
        (("words_1=a dark one",), {"colour": {"answers": ["user_note: a dark one"]}}),
        ((), {}),
    ],
)
async def test_codex_is_told_the_answers_of_the_desk(
    codex: str, tmp_path: Path, options: tuple[str, ...], given: tuple[str, ...], told: Any
) -> None:
    script = ([("request_user_input", {"questions": [COLOUR]})], "Done.")
    async with started(codex, tmp_path, *script, options=options) as (program, _):
        asked = await program.person.asked()
        assert "1. Which colour?" in asked["message"]
        if given:
            await program.person.answer(*(each for value in given for each in ("--set", value)))
        else:
            done = await program.person.home.command("decline", asked["id"])
            assert done.returncode == 0, done.stderr
        await program.until_over()
        assert ("item/tool/requestUserInput" in program.methods()) == (not options)
        assert "serverRequest/resolved" in program.methods()
        assert [json.loads(each) for each in program.stub.tool_results()] == [{"answers": told}]


async def test_an_answer_in_the_program_is_what_codex_gets(codex: str, tmp_path: Path) -> None:
    script = ([("request_user_input", {"questions": [COLOUR]})], "Done.")
    async with started(codex, tmp_path, *script) as (program, _):
        await program.person.asked()
        (asked,) = [each for each in program.seen if each.get("method") == "item/tool/requestUserInput"]
        blue = {"answers": {"colour": {"answers": ["Blue (Recommended)"]}}}
        await program.send(id=asked["id"], result=blue)
        await program.until_over()
        assert [json.loads(each) for each in program.stub.tool_results()] == [blue]
        listed = await program.person.home.command("list", "--all", "--json")
        assert [each["state"] for each in json.loads(listed.stdout)] == ["cancelled"]
