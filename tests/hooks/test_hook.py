"""`handoffs hook HOST` as a host starts it: what it asks, and the one JSON object that it prints."""

import json
import os
import signal
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process

from handoffs.assembly import open_desk
from handoffs.core.action_form import action_form
from handoffs.core.model import Caller, State
from handoffs.core.untrusted import inert
from handoffs.hooks.settings import NAMES
from handoffs.hosts.hooks import HOOK_HOSTS
from handoffs.settings import Settings
from tests.acceptance.processes import HANDOFFS, Home
from tests.waiting import until

BASH: dict[str, Any] = {"command": "rm -r build", "description": "removes the build"}
CLAUDE: dict[str, Any] = {
    "session_id": "one",
    "cwd": "/srv/shop",
    "hook_event_name": "PermissionRequest",
    "tool_name": "Bash",
    "tool_input": BASH,
}
COPILOT: dict[str, Any] = {"sessionId": "one", "timestamp": 1, "cwd": "/srv/shop", "toolName": "bash"}
EVENTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "claude-code PermissionRequest": ("claude-code", CLAUDE),
    "claude-code PreToolUse": ("claude-code", CLAUDE | {"hook_event_name": "PreToolUse", "tool_use_id": "t1"}),
    "codex PermissionRequest": ("codex", CLAUDE | {"turn_id": "1", "model": "m"}),
    "codex PreToolUse": ("codex", CLAUDE | {"hook_event_name": "PreToolUse", "turn_id": "1", "model": "m"}),
    "copilot permissionRequest": ("copilot", COPILOT | {"hookName": "permissionRequest", "toolInput": BASH}),
    "copilot preToolUse": ("copilot", COPILOT | {"toolArgs": BASH}),
    "gemini BeforeTool": ("gemini", CLAUDE | {"hook_event_name": "BeforeTool", "tool_name": "run_shell_command"}),
    "qwen PermissionRequest": ("qwen", CLAUDE | {"tool_name": "run_shell_command"}),
    "qwen PreToolUse": ("qwen", CLAUDE | {"hook_event_name": "PreToolUse", "tool_name": "run_shell_command"}),
}
ALLOW = ("--set", "decision=allow")
DENY = ("--set", "decision=deny", "--set", "reason=not today")


def specific(event: str, **fields: Any) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


ALLOWED: Mapping[str, Any] = {
    "claude-code PermissionRequest": specific("PermissionRequest", decision={"behavior": "allow"}),
    "claude-code PreToolUse": specific("PreToolUse", permissionDecision="allow"),
    "codex PermissionRequest": specific("PermissionRequest", decision={"behavior": "allow"}),
    "codex PreToolUse": {},
    "copilot permissionRequest": {"behavior": "allow"},
    "copilot preToolUse": {"permissionDecision": "allow"},
    "gemini BeforeTool": {"decision": "allow"},
    "qwen PermissionRequest": specific("PermissionRequest", decision={"behavior": "allow"}),
    "qwen PreToolUse": specific("PreToolUse", permissionDecision="allow"),
}
EDIT: dict[str, Any] = {"command": "rm -r build/cache", "description": "less"}
EDITED: Mapping[str, Any] = {
    "claude-code PermissionRequest": specific(
        "PermissionRequest", decision={"behavior": "allow", "updatedInput": EDIT}
    ),
    "claude-code PreToolUse": specific("PreToolUse", permissionDecision="allow", updatedInput=EDIT),
    "codex PreToolUse": specific("PreToolUse", permissionDecision="allow", updatedInput=EDIT),
    "copilot preToolUse": {"permissionDecision": "allow", "modifiedArgs": EDIT},
    "gemini BeforeTool": {"decision": "allow", **specific("BeforeTool", tool_input=EDIT)},
}


def reason_in(reply: Mapping[str, Any]) -> str:
    """Return why a reply denies; fails where it is no denial in a shape of the table."""
    told = reply.get("hookSpecificOutput", reply)
    decision = told.get("decision")
    match told:
        case {"decision": {"behavior": "deny", "message": str(why)}}:
            return why
        case {"permissionDecision": "deny", "permissionDecisionReason": str(why)}:
            return why
        case {"behavior": "deny", "message": str(why)}:
            return why
        case {"decision": "deny" | "block", "reason": str(why)}:
            return why
        case _:
            raise AssertionError(f"no denial: {decision} in {reply}")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    # Nothing of a host that runs the tests.
    return Home(tmp_path, {"CLAUDE_PROJECT_DIR": "", "CLAUDE_CODE_SESSION_ATTENDED": ""})


class Hook:
    """One hook that a host has started."""

    def __init__(self, home: Home, process: Process) -> None:
        self.home, self.process = home, process

    async def asked(self, number: int = 1) -> dict[str, Any]:
        """Wait until so many questions are open, and return the newest."""

        async def there() -> list[dict[str, Any]]:
            found = json.loads((await self.home.command("list", "--json")).stdout or b"[]")
            return found if len(found) == number else []

        return (await until(there, seconds=60))[0]

    async def answer(self, *given: str) -> None:
        await answer(self.home, (await self.asked())["id"], *given)

    async def said(self) -> dict[str, Any]:
        """Wait for its end; return the object that it printed, and nothing else."""
        assert self.process.stdout is not None
        text = b""
        async for part in self.process.stdout:
            text += part
        assert await self.process.wait() == 0
        assert text.endswith(b"\n")
        assert text.count(b"\n") == 1
        return json.loads(text)


async def answer(home: Home, handoff: str, *given: str) -> None:
    done = await home.command("answer", handoff, *given)
    assert done.returncode == 0, done.stderr


@asynccontextmanager
async def hook(home: Home, host: str, event: Any, *more: str) -> AsyncGenerator[Hook]:
    """Start a hook, and give it an event."""
    with anyio.fail_after(120):
        process = await anyio.open_process([*HANDOFFS, "hook", host, *more], env=home.env, cwd=home.folder, stderr=None)
        async with process:
            assert process.stdin is not None
            await process.stdin.send(event if isinstance(event, bytes) else json.dumps(event).encode())
            await process.stdin.aclose()
            try:
                yield Hook(home, process)
            except BaseException:
                process.kill()  # else the test waits for its answer
                raise


async def replied(home: Home, host: str, event: Any, *more: str) -> dict[str, Any]:
    """Return what a hook says that asks nobody."""
    async with hook(home, host, event, *more) as started:
        return await started.said()


# Every event of every host


@pytest.mark.parametrize("name", EVENTS)
async def test_what_a_person_allows_runs(home: Home, name: str) -> None:
    host, event = EVENTS[name]
    async with hook(home, host, event) as started:
        asked = await started.asked()
        assert f"of `{host}` with exactly this input?" in asked["message"]
        assert "rm -r build" in asked["message"]
        assert (asked["caller"]["client"], asked["caller"]["project"]) == (host, "/srv/shop")
        await started.answer(*ALLOW)
        assert await started.said() == ALLOWED[name]


@pytest.mark.parametrize("name", EVENTS)
async def test_what_a_person_denies_does_not_run_and_the_model_hears_why(home: Home, name: str) -> None:
    host, event = EVENTS[name]
    async with hook(home, host, event) as started:
        await started.answer(*DENY)
        assert 'They said: "not today"' in reason_in(await started.said())


@pytest.mark.parametrize("name", EVENTS)
async def test_arguments_can_be_edited_only_where_the_host_takes_them(home: Home, name: str) -> None:
    host, event = EVENTS[name]
    async with hook(home, host, event) as started:
        asked = await started.asked()
        assert ("arguments" in asked["form"]["properties"]) == (name in EDITED)
        if name in EDITED:
            await started.answer(*ALLOW, "--set", f"arguments={json.dumps(EDIT)}")
            assert await started.said() == EDITED[name]
        else:
            await started.answer(*ALLOW)
            assert await started.said() == ALLOWED[name]


# Bad input


@pytest.mark.parametrize("host", HOOK_HOSTS)
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"  \n",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"{}",
        b'{"a":1,"a":2}',
        b'{"hook_event_name":"Unheard"}',
    ],
)
async def test_what_is_no_event_is_denied_in_words(home: Home, host: str, text: bytes) -> None:
    assert reason_in(await replied(home, host, text)).startswith("Not run: ")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tool_input": "text"},
        {"tool_input": None},
        {"tool_name": 1},
        {"tool_name": ""},
        {"tool_input": {"a": "\ud800"}},
    ],
)
async def test_a_tool_use_that_can_not_be_shown_is_denied(home: Home, wrong: dict[str, Any]) -> None:
    told = reason_in(await replied(home, "claude-code", CLAUDE | wrong))
    assert told.startswith("Not run: what Claude Code wrote can't be shown to a person")


async def test_ten_megabytes_are_denied_and_read_to_the_end(home: Home) -> None:
    event = CLAUDE | {"tool_input": {"command": "x" * 10_000_000}}
    assert "too long to be shown" in reason_in(await replied(home, "claude-code", event))
    event = CLAUDE | {"tool_input": {"command": "x" * 20_000_000}}
    assert "more than a person could be shown" in reason_in(await replied(home, "claude-code", event))


async def test_deep_nesting_is_denied(home: Home) -> None:
    deep = b'{"hook_event_name":"PreToolUse","tool_name":"x","tool_input":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"
    assert "nested too deeply" in reason_in(await replied(home, "claude-code", deep))


async def test_unknown_fields_are_kept_out_of_the_way(home: Home) -> None:
    event = CLAUDE | {"future": {"a": [1e300, None]}, "permission_suggestions": [{"type": "new"}]}
    async with hook(home, "claude-code", event) as started:
        assert "future" not in (await started.asked())["message"]
        await started.answer(*ALLOW)
        assert await started.said() == ALLOWED["claude-code PermissionRequest"]


async def test_an_event_that_asks_nothing_is_not_refused_for_ever(home: Home) -> None:
    told = await replied(home, "claude-code", {"hook_event_name": "Stop", "session_id": "one"})
    assert set(told) == {"systemMessage"}


@pytest.mark.parametrize("words", [["--timeout", "soon"], ["--timeout=0"], ["--speed", "3"], ["--timeout"]])
async def test_a_wrong_command_line_is_a_denial(home: Home, words: list[str]) -> None:
    assert "--timeout" in reason_in(await replied(home, "claude-code", CLAUDE, *words))


def test_a_host_that_is_not_known_is_no_success(home: Home) -> None:
    done = home.run("hook", "emacs", stdin="{}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "claude-code, codex, copilot, gemini, qwen" in done.stderr


async def test_settings_that_can_not_be_used_deny(home: Home) -> None:
    home.extra["HANDOFFS_STROE"] = "x"
    assert "HANDOFFS_STROE" in reason_in(await replied(home, "claude-code", CLAUDE))


async def test_a_store_that_can_not_be_used_denies(home: Home) -> None:
    home.store.write_text("this is no store, whatever its name says; and it is longer than a header")
    assert "is not a store" in reason_in(await replied(home, "claude-code", CLAUDE))


# Time and death


async def test_it_denies_by_itself_before_the_time_out_and_the_decision_waits(home: Home) -> None:
    async with hook(home, "claude-code", CLAUDE, "--timeout", "12") as started:
        asked = await started.asked()
        assert "has not decided in the time" in reason_in(await started.said())
    await answer(home, asked["id"], *ALLOW)
    assert await replied(home, "claude-code", CLAUDE) == ALLOWED["claude-code PermissionRequest"]
    async with hook(home, "claude-code", CLAUDE) as started:  # once
        assert (await started.asked())["id"] != asked["id"]
        started.process.kill()


async def test_input_that_never_ends_is_denied_in_time(home: Home) -> None:
    with anyio.fail_after(60):
        process = await anyio.open_process(
            [*HANDOFFS, "hook", "gemini", "--timeout", "4"], env=home.env, cwd=home.folder, stderr=None
        )
        async with process:
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.send(b'{"hook_event_name":"BeforeTool"')
            said = b""
            async for part in process.stdout:
                said += part
            assert await process.wait() == 0
    assert reason_in(json.loads(said))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_a_hook_that_is_killed_leaves_a_question_that_its_next_joins(home: Home, number: signal.Signals) -> None:
    async with hook(home, "claude-code", CLAUDE) as started:
        asked = await started.asked()
        started.process.send_signal(number)
        if number is not signal.SIGKILL:
            assert "has not decided" in reason_in(await started.said())
        await started.process.wait()
    async with hook(home, "claude-code", CLAUDE) as started:
        assert (await started.asked())["id"] == asked["id"]
        await started.answer(*ALLOW)
        assert await started.said() == ALLOWED["claude-code PermissionRequest"]


async def test_another_session_joins_nothing_of_this_one(home: Home) -> None:
    async with (
        hook(home, "claude-code", CLAUDE) as one,
        hook(home, "claude-code", CLAUDE | {"session_id": "two"}) as two,
    ):
        newest = await one.asked(2)
        await answer(home, newest["id"], *ALLOW)
        left = (await one.asked())["id"]  # the other one still waits for its own
        assert left != newest["id"]
        await answer(home, left, *DENY)
        said = [await one.said(), await two.said()]
    assert ALLOWED["claude-code PermissionRequest"] in said
    assert sum("deny" in json.dumps(each) for each in said) == 1


async def test_ten_at_once_each_get_their_own_answer(home: Home) -> None:
    done: dict[int, dict[str, Any]] = {}

    async def one(number: int) -> None:
        event = CLAUDE | {"tool_input": {"command": f"step {number}"}}
        async with hook(home, "claude-code", event) as started:
            done[number] = await started.said()

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(one, number)
        answered = 0
        while answered < 10:
            for handoff in json.loads((await home.command("list", "--json")).stdout or b"[]"):
                number = next(n for n in range(10) if f"step {n}" in handoff["message"])
                await answer(home, handoff["id"], *(ALLOW if number % 2 else DENY))
                answered += 1
    assert sorted(done) == [*range(10)]
    for number, reply in done.items():
        if number % 2:
            assert reply == ALLOWED["claude-code PermissionRequest"]
        else:
            assert "not today" in reason_in(reply)


async def test_of_two_equal_uses_at_once_one_approval_permits_one(home: Home) -> None:
    async with hook(home, "claude-code", CLAUDE) as one, hook(home, "claude-code", CLAUDE) as two:
        asked = await one.asked()
        await anyio.sleep(3)  # both wait for it
        await answer(home, asked["id"], *ALLOW)
        other = await one.asked()  # the one that is left asks anew
        assert other["id"] != asked["id"]
        await answer(home, other["id"], *DENY)
        said = [await one.said(), await two.said()]
    assert ALLOWED["claude-code PermissionRequest"] in said
    assert sum("deny" in json.dumps(each) for each in said) == 1


# What may be decided in the host


def ran(event: dict[str, Any], name: str = "PostToolUse") -> dict[str, Any]:
    return event | {"hook_event_name": name, "tool_use_id": "t9", "tool_response": {"stdout": ""}}


async def test_a_question_says_that_it_may_be_decided_in_the_host_until_it_is(home: Home) -> None:
    other = CLAUDE | {"tool_input": {"command": "ls"}}
    async with hook(home, "claude-code", CLAUDE) as started:
        asked = await started.asked()
        assert "It may be decided in the host" in asked["message"]
        assert await replied(home, "claude-code", ran(other)) == {}
        assert await replied(home, "claude-code", ran(CLAUDE | {"session_id": "two"})) == {}
        assert (await started.asked())["id"] == asked["id"]
        assert await replied(home, "claude-code", ran(CLAUDE)) == {}
        assert "was withdrawn" in reason_in(await started.said())
    ended = json.loads(home.run("show", asked["id"], "--json").stdout)
    assert ended["state"] == "cancelled"


async def test_the_end_of_an_equal_use_withdraws_no_question_of_another(home: Home) -> None:
    event = CLAUDE | {"hook_event_name": "PreToolUse", "tool_use_id": "t1"}
    async with hook(home, "claude-code", event) as started:
        await started.asked()
        assert await replied(home, "claude-code", ran(CLAUDE) | {"tool_use_id": "t2"}) == {}
        await started.asked()
        assert await replied(home, "claude-code", ran(CLAUDE) | {"tool_use_id": "t1"}) == {}
        assert "was withdrawn" in reason_in(await started.said())


async def test_the_end_of_a_session_withdraws_its_questions_and_no_other(home: Home) -> None:
    two = CLAUDE | {"session_id": "two"}
    async with hook(home, "claude-code", CLAUDE) as started, hook(home, "claude-code", two) as left:
        await started.asked(2)
        over = {"session_id": "one", "hook_event_name": "SessionEnd", "reason": "exit"}
        assert await replied(home, "claude-code", over) == {}
        assert "was withdrawn" in reason_in(await started.said())
        await left.answer(*ALLOW)
        assert await left.said() == ALLOWED["claude-code PermissionRequest"]


async def test_without_somebody_at_the_host_nothing_is_said_of_its_dialog(home: Home) -> None:
    home.extra["CLAUDE_CODE_SESSION_ATTENDED"] = "0"
    async with hook(home, "claude-code", CLAUDE) as started:
        assert "decided in the host" not in (await started.asked())["message"]
        started.process.kill()


# Remembered permissions


async def remembered(home: Home, choice: str, *more: str, event: dict[str, Any] = CLAUDE) -> None:
    """Have a person allow a use, and remember it."""
    async with hook(home, "claude-code", event) as started:
        await started.answer(*ALLOW, "--set", f"remember={choice}", *more)
        assert await started.said() == ALLOWED["claude-code PermissionRequest"]


async def is_asked(home: Home, event: dict[str, Any], host: str = "claude-code") -> bool:
    """Say whether a person is asked about a use, which is then denied."""
    asked = False
    async with hook(home, host, event) as started, anyio.create_task_group() as tasks:

        async def deny() -> None:
            nonlocal asked
            handoff = await started.asked()
            asked = True
            await answer(home, handoff["id"], "--set", "decision=deny")

        tasks.start_soon(deny)
        await started.said()
        tasks.cancel_scope.cancel()
    return asked


async def test_what_is_remembered_for_a_session_counts_there_alone(home: Home) -> None:
    await remembered(home, "session")
    other = CLAUDE | {"tool_input": {"command": "make"}}
    assert not await is_asked(home, other)
    assert await is_asked(home, other | {"session_id": "two"})


async def test_a_permission_is_for_one_project_one_tool_and_one_host(home: Home) -> None:
    await remembered(home, "tool")
    assert not await is_asked(home, CLAUDE | {"session_id": "two"})
    assert await is_asked(home, CLAUDE | {"cwd": "/srv/other"})
    assert await is_asked(home, CLAUDE | {"tool_name": "Write"})
    assert await is_asked(home, CLAUDE, "qwen")


@pytest.mark.parametrize("place", ["a variable", "config.toml"])
async def test_where_a_proof_is_demanded_no_unsigned_permission_counts(home: Home, place: str) -> None:
    await remembered(home, "tool")
    assert not await is_asked(home, CLAUDE)
    if place == "a variable":
        home.extra["HANDOFFS_PROOF"] = "passkey"
    else:
        file = home.folder / "config" / "handoffs" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('proof = "passkey"\n')
    said = await replied(home, "claude-code", CLAUDE, "--timeout", "20")
    assert said["hookSpecificOutput"]["decision"]["behavior"] == "deny"


async def test_the_project_is_the_host_s_own_and_not_where_the_agent_went(home: Home) -> None:
    home.extra["CLAUDE_PROJECT_DIR"] = "/srv/shop"
    await remembered(home, "tool")
    assert not await is_asked(home, CLAUDE | {"cwd": "/srv/other"})
    home.extra["CLAUDE_PROJECT_DIR"] = "/srv/other"
    assert await is_asked(home, CLAUDE | {"cwd": "/srv/shop"})


async def test_exact_arguments_and_uses_are_kept_to(home: Home) -> None:
    await remembered(home, "exact", "--set", "uses=1")
    assert await is_asked(home, CLAUDE | {"tool_input": BASH | {"command": "rm -r ."}})
    await answer_lifts_suspension(home)
    assert not await is_asked(home, CLAUDE)
    assert await is_asked(home, CLAUDE)


async def answer_lifts_suspension(home: Home) -> None:
    """A denial suspends what is remembered of the tool; resume it."""
    with sqlite3.connect(home.store) as store:
        assert store.execute("UPDATE grants SET suspended_at = NULL").rowcount == 1


async def test_conditions_are_checked(home: Home) -> None:
    await remembered(home, "tool", "--set", "conditions=description is removes the build")
    assert not await is_asked(home, CLAUDE | {"tool_input": BASH | {"command": "rm -r other"}})
    assert await is_asked(home, CLAUDE | {"tool_input": BASH | {"description": "other"}})


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE grants SET revoked_at = created_at",
        "UPDATE grants SET suspended_at = created_at",
        "UPDATE grants SET expires_at = created_at",
        "UPDATE grants SET uses_left = 0",
        "UPDATE grants SET definition = 'other'",
    ],
)
async def test_a_permission_that_has_ended_permits_nothing(home: Home, end: str) -> None:
    await remembered(home, "tool")
    with sqlite3.connect(home.store) as store:
        assert store.execute(end).rowcount == 1
    assert await is_asked(home, CLAUDE)


async def test_a_denial_suspends_what_was_remembered(home: Home) -> None:
    await remembered(home, "exact")
    assert await is_asked(home, CLAUDE | {"tool_input": {"command": "make"}})  # and denied
    assert await is_asked(home, CLAUDE)


async def test_while_everything_is_stopped_nothing_runs(home: Home) -> None:
    await remembered(home, "tool")
    with sqlite3.connect(home.store) as store:
        store.execute("INSERT INTO stops (one, stopped_by, stopped_at) VALUES (1, 'ada', 1)")
    assert "has stopped everything" in reason_in(await replied(home, "claude-code", CLAUDE))


async def test_a_stop_denies_what_waits(home: Home) -> None:
    async with hook(home, "claude-code", CLAUDE) as started:
        await started.asked()
        assert (await home.command("gate", "stop")).returncode == 0
        reason_in(await started.said())


async def test_a_gate_of_the_same_name_shares_no_permission(home: Home) -> None:
    await remembered(home, "tool")
    with sqlite3.connect(home.store) as store:
        ((digest,),) = store.execute("SELECT definition FROM grants").fetchall()
    from handoffs.core.action import Action, Asker

    gate = Action(asker=Asker.GATE, server="claude-code", tool="Bash", arguments="{}")
    host = Action(asker=Asker.HOST, server="claude-code", tool="Bash", arguments="{}")
    assert host.known_by == digest
    assert gate.known_by != digest


def test_the_quick_way_knows_every_setting() -> None:
    assert {*Settings.model_fields} == NAMES


# Claude Code's own questions

QUESTION: dict[str, Any] = {
    "question": "Which database?",
    "header": "DB",
    "multiSelect": False,
    "options": [{"label": "Postgres", "description": "runs"}, {"label": "MySQL", "description": "known"}],
}
ASKS = CLAUDE | {"tool_name": "AskUserQuestion", "tool_input": {"questions": [QUESTION]}}


async def test_its_own_questions_are_answered_and_not_allowed(home: Home) -> None:
    async with hook(home, "claude-code", ASKS) as started:
        asked = await started.asked()
        assert "Which database?" in asked["message"]
        await started.answer(*ALLOW, "--set", "answer_1=MySQL")
        decision = (await started.said())["hookSpecificOutput"]["decision"]
        assert decision["behavior"] == "allow"
        assert decision["updatedInput"] == {"questions": [QUESTION], "answers": {"Which database?": "MySQL"}}
    async with hook(home, "claude-code", ASKS) as started:  # an answer is for one asking
        await started.answer(*ALLOW)
        assert "no answer to any of the questions" in reason_in(await started.said())


async def test_its_own_question_is_withdrawn_once_it_was_answered_there(home: Home) -> None:
    async with hook(home, "claude-code", ASKS) as started:
        await started.asked()
        answered = ASKS | {"tool_input": {"questions": [QUESTION], "answers": {"Which database?": "MySQL"}}}
        assert await replied(home, "claude-code", ran(answered)) == {}
        assert "was withdrawn" in reason_in(await started.said())


# Forms of MCP servers

FORM: dict[str, Any] = {
    "session_id": "one",
    "cwd": "/srv/shop",
    "hook_event_name": "Elicitation",
    "mcp_server_name": "orders",
    "message": "How many?",
    "mode": "form",
    "requested_schema": {
        "type": "object",
        "properties": {"copies": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["copies"],
    },
}


async def test_a_form_of_a_server_is_answered_at_the_desk_and_checked(home: Home) -> None:
    async with hook(home, "claude-code", FORM) as started:
        asked = await started.asked()
        assert "The MCP server orders asks you" in asked["message"]
        refused = await home.command("answer", asked["id"], "--set", "copies=9")
        assert refused.returncode == 2
        await started.answer("--set", "copies=3")
        assert await started.said() == specific("Elicitation", action="accept", content={"copies": 3})


@pytest.mark.parametrize("event", [FORM, ASKS], ids=["a form", "a question"])
async def test_where_a_rule_names_who_decides_others_do_not(home: Home, event: dict[str, Any]) -> None:
    config = home.folder / "config" / "handoffs"
    config.mkdir(parents=True)
    (config / "gate.toml").write_text('[[question]]\nclient = "claude-code"\nto = ["ada", "bob"]\nvotes = 2\n')
    for name in ("ada", "bob"):
        assert (await home.command("people", "add", name)).returncode == 0
    async with hook(home, "claude-code", event) as started:
        asked = await started.asked()
        assert asked["deciders"]["people"] == ["ada", "bob"]
        refused = await home.command("decline", asked["id"])
        assert refused.returncode != 0
        async with open_desk(Settings(store=home.store)) as desk:
            handoff = await desk.get(asked["id"])
            assert handoff.state is State.OPEN
            await desk.cancel(handoff, by="root", channel="")
        await started.said()


@pytest.mark.parametrize(("channel", "action"), [("telegram", "accept"), ("email", "accept"), ("script", "decline")])
async def test_a_form_is_filled_in_by_a_person_also_in_a_chat(home: Home, channel: str, action: str) -> None:
    async with hook(home, "claude-code", FORM) as started:
        asked = (await started.asked())["id"]
        async with open_desk(Settings(store=home.store)) as desk:
            await desk.answer(await desk.get(asked), {"copies": 3}, by="ada", channel=channel)
        assert (await started.said())["hookSpecificOutput"]["action"] == action


async def test_a_form_that_nobody_fills_in_in_time_says_so(home: Home) -> None:
    told = await replied(home, "claude-code", FORM, "--timeout", "3")
    assert told["systemMessage"].startswith("Nobody filled the form in")
    async with hook(home, "claude-code", FORM) as started:  # the same question
        await started.answer("--set", "copies=3")
        assert (await started.said())["hookSpecificOutput"]["content"] == {"copies": 3}
    assert len(json.loads((await home.command("list", "--all", "--json")).stdout)) == 1


async def test_a_declined_form_is_declined(home: Home) -> None:
    async with hook(home, "claude-code", FORM) as started:
        await home.command("decline", (await started.asked())["id"])
        assert await started.said() == specific("Elicitation", action="decline")


async def test_an_answer_to_an_earlier_form_is_no_answer_to_the_next(home: Home) -> None:
    for copies in (3, 4):
        async with hook(home, "claude-code", FORM) as started:
            await started.answer("--set", f"copies={copies}")
            content = (await started.said())["hookSpecificOutput"]["content"]
            assert content == {"copies": copies}


@pytest.mark.parametrize("other", [{"mcp_server_name": "handoffs"}, {"mode": "url", "url": "https://x.test"}])
async def test_a_form_that_is_not_ours_to_ask_is_left_to_the_host(home: Home, other: dict[str, Any]) -> None:
    assert await replied(home, "claude-code", FORM | other) == {}


@pytest.mark.parametrize("again", ["", "That answer does not fit: copies is needed\n\n"])
async def test_a_question_that_is_at_the_desk_is_left_to_the_host(home: Home, again: str) -> None:
    message = "How many of **these**?\n\nAll of them?\u202e"
    async with open_desk(Settings(store=home.store)) as desk:
        await desk.ask(message=message, caller=Caller(subject="another", client="claude-code", project="/"))
        shown = {"mcp_server_name": "people", "message": f"{again}{inert(message)}"}
        assert await replied(home, "claude-code", FORM | shown) == {}
        (one,) = await desk.newest(open_only=True)
        assert one.calls == 1
    async with hook(home, "claude-code", FORM | {"message": f"{message} Or not?"}) as started:  # other words
        await home.command("decline", (await started.asked(2))["id"])
        assert await started.said() == specific("Elicitation", action="decline")


async def test_the_decision_on_a_held_call_is_left_to_the_host(home: Home) -> None:
    form = FORM | {"mcp_server_name": "shop", "requested_schema": action_form(editable=True, remember={"exact": "It"})}
    assert await replied(home, "claude-code", form) == {}
    assert json.loads((await home.command("list", "--json")).stdout or b"[]") == []


async def test_a_form_that_asks_for_a_secret_is_not_passed_through_the_host(home: Home) -> None:
    schema = {"type": "object", "properties": {"password": {"type": "string"}}, "required": ["password"]}
    told = await replied(home, "claude-code", FORM | {"requested_schema": schema})
    assert told["hookSpecificOutput"] == {"hookEventName": "Elicitation", "action": "cancel"}


def test_nothing_heavy_is_imported_where_a_permission_answers(home: Home) -> None:
    import subprocess
    import sys

    async def give() -> None:
        await remembered(home, "tool")

    anyio.run(give)
    code = (
        "import os, sys\nfrom handoffs.hooks.command import run\nassert run(['claude-code']) == 0\n"
        "heavy = {'asyncio', 'anyio', 'typer', 'pydantic', 'mcp', 'logging', 'handoffs.core.model'}\n"
        "assert not heavy & {*sys.modules}, heavy & {*sys.modules}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(CLAUDE).encode(),
        env=home.env | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=home.folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ALLOWED["claude-code PermissionRequest"]
