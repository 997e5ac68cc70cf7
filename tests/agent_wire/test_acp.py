"""`handoffs acp` between an editor and an agent: what passes, who is asked, and which answer counts."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.acceptance.processes import Home
from tests.agent_wire.wires import (
    ALLOW,
    ALLOWED,
    CANCELLED,
    DENIED,
    DENY,
    OPTIONS,
    SESSION,
    answered,
    between,
    line,
    permission,
    taken_back,
)
from tests.waiting import until


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


# What passes


async def test_lines_pass_byte_for_byte_and_in_order(home: Home) -> None:
    odd = [
        b'{"jsonrpc":"2.0","id":"a\\/b","method":"fs\\/read_text_file","params":{}}\n',
        b'{ "id" : 1, "jsonrpc":"2.0", "method":"_own/thing" }\r\n',
        b"no JSON at all\n",
        b"\xff\xfe{\n",
        b"\n",
        b'[{"jsonrpc":"2.0","method":"x"}]\n',
        b'{"jsonrpc":"2.0","method":"session/update","params":{"update":{"sessionUpdate":"tool_call"}}}\n',
        b'{"jsonrpc":"2.0","id":7,"method":"session/request_permission","id":8}\n',
    ]
    async with between(home) as wire:
        await wire.agent.send(b"".join(odd))
        assert [await wire.editor.raw() for _ in odd] == odd
        await wire.editor.send(b"".join(odd))
        assert [await wire.agent.raw() for _ in odd] == odd


async def test_a_line_of_a_mebibyte_passes_both_ways(home: Home) -> None:
    long = line(id=1, method="fs/write_text_file", params={"content": "x" * 1_048_576})
    async with between(home) as wire:
        for sender, reader in ((wire.agent, wire.editor), (wire.editor, wire.agent)):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(sender.send, long)
                assert await reader.raw() == long


async def test_the_exit_code_of_the_agent_is_passed_on(home: Home) -> None:
    async with between(home) as wire:
        assert await wire.agent_ends() == 7


async def test_an_agent_that_does_not_exist_is_told_in_words(home: Home) -> None:
    done = await home.command("acp", "--", "no-such-agent")
    assert done.returncode == 127
    assert b"could not be started" in done.stderr


# Both are asked


async def test_the_question_shows_all_that_the_agent_says_of_its_call(home: Home) -> None:
    diff = {"type": "diff", "path": "/srv/shop/a.py", "oldText": "one\ntwo\n", "newText": "one\n2\n", "_meta": {"x": 1}}
    async with between(home, "--name", "helper") as wire:
        await wire.editor.send(line(id=5, method="session/new", params={"cwd": "/srv/shop", "mcpServers": []}))
        await wire.agent.raw()
        await wire.agent.send(line(id=5, result={"sessionId": SESSION}))
        update: dict[str, Any] = {
            "sessionUpdate": "tool_call",
            "toolCallId": "t-1",
            "title": "Old title",
            "kind": "edit",
        }
        update["locations"] = [{"path": "/srv/shop/a.py", "line": 2}]
        await wire.agent.send(line(method="session/update", params={"sessionId": SESSION, "update": update}))
        await wire.agent.send(permission(title="Edit a.py", kind=None, rawInput=None, content=[diff]))
        (asked,) = await wire.asked()
        shown = asked["message"]
        assert "Allow `edit` of `helper` with exactly this input?" in shown
        assert '"title": "Edit a.py"' in shown
        assert '"line": 2' in shown
        assert "-two\n+2" in shown
        assert "It may be decided in the editor" in shown
        assert (asked["caller"]["client"], asked["caller"]["project"]) == ("helper", "/srv/shop")
        assert "arguments" not in asked["form"]["properties"]  # no agent takes others


@pytest.mark.parametrize("name", [1, "one", 0, "4\u00e4"])
async def test_where_the_desk_is_first_the_agent_has_it_and_the_dialog_is_over(home: Home, name: Any) -> None:
    async with between(home) as wire:
        asks = permission(name)
        await wire.agent.send(asks)
        assert await wire.editor.raw() == asks
        await wire.answer(*ALLOW)
        assert await wire.agent.reads() == answered(name, ALLOWED)
        assert await wire.editor.reads() == taken_back(name)
        await wire.editor.send(line(id=name, error={"code": -32800, "message": "Request cancelled"}))
        await wire.editor.send(line(method="_after"))
        assert await wire.agent.reads() == {"jsonrpc": "2.0", "method": "_after"}


async def test_a_denial_at_the_desk_is_the_option_that_rejects_once(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        await wire.answer(*DENY)
        assert await wire.agent.reads() == answered(1, DENIED)


@pytest.mark.parametrize(
    ("options", "result"),
    [(OPTIONS, DENIED), ([each for each in OPTIONS if each["kind"] != "reject_once"], CANCELLED)],
)
async def test_the_reason_for_a_denial_is_beside_its_outcome(home: Home, options: Any, result: Any) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission(options=options))
        await wire.answer(*DENY, "--set", 'reason=not on "Fridays", é')
        assert await wire.agent.reads() == answered(1, {**result, "_meta": {"handoffs/reason": 'not on "Fridays", é'}})
        await wire.agent.send(permission(2, options=options, rawInput={"command": "ls"}))
        await wire.answer(*ALLOW, "--set", "reason=not sent")
        assert await wire.agent.reads() == answered(2, ALLOWED)


async def test_a_denial_never_makes_a_rule(home: Home) -> None:
    options = [each for each in OPTIONS if each["kind"] != "reject_once"]
    async with between(home) as wire:
        await wire.agent.send(permission(options=options))
        await wire.answer(*DENY)
        assert await wire.agent.reads() == answered(1, CANCELLED)


async def test_where_the_editor_is_first_the_question_is_withdrawn(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        await wire.asked()
        await wire.editor.raw()
        reply = b'{"result" : {"outcome":{"outcome":"selected","optionId":"always"}},"id":1,"jsonrpc":"2.0"}\n'
        await wire.editor.send(reply)
        assert await wire.agent.raw() == reply
        await wire.asked(0)
        (ended,) = await wire.history()
        assert (ended["state"], ended["end"]["note"]) == ("cancelled", "It was decided in the editor.")
        await wire.agent.reads_nothing()


async def test_what_the_editor_answers_passes_as_it_is(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        await wire.editor.raw()
        unknown = answered(1, {"outcome": {"outcome": "selected", "optionId": "not offered"}})
        await wire.editor.send(json.dumps(unknown).encode() + b"\n")
        assert await wire.agent.reads() == unknown
        await wire.asked(0)


async def test_several_requests_are_several_questions(home: Home) -> None:
    async with between(home) as wire:
        for number in range(3):
            await wire.agent.send(permission(number, toolCallId="t", rawInput={"command": "same"}))
        assert {(await wire.editor.reads())["id"] for _ in range(3)} == {0, 1, 2}
        asked = await wire.asked(3)
        await wire.answer(*ALLOW, handoff=asked[0]["id"])
        first = await wire.agent.reads()
        assert first["result"] == ALLOWED
        others = {0, 1, 2} - {first["id"]}
        for each in others:
            await wire.editor.send(line(id=each, result=CANCELLED))
            assert await wire.agent.reads() == answered(each, CANCELLED)
        await wire.asked(0)


async def test_what_is_remembered_asks_nobody(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        await wire.editor.raw()
        await wire.answer(*ALLOW, "--set", "remember=exact-hour")
        await wire.agent.raw()
        await wire.editor.raw()
        await wire.agent.send(permission(2))
        assert await wire.agent.reads() == answered(2, ALLOWED)
        await wire.agent.send(permission(3, rawInput={"command": "another"}))
        assert (await wire.editor.reads())["id"] == 3


async def test_without_a_name_of_the_tool_only_this_very_call_is_remembered(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        (nameless,) = await wire.asked()
        await wire.answer(*DENY)
        await wire.agent.send(permission(2, name="shell"))
        (named,) = await wire.asked()
    choices = [str(each["form"]["properties"]["remember"]) for each in (nameless, named)]
    assert ["tool-hour" in each for each in choices] == [False, True]


# What the desk leaves to the editor


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([{"optionId": "a", "name": "A", "kind": "allow_always"}], "no way to allow it once"),
        ([{"optionId": each, "name": each, "kind": "allow_once"} for each in "ab"], "several ways"),
        ([{"optionId": "a", "name": each, "kind": "allow_once"} for each in "ab"], "can't be told apart"),
        ([], "can't be told apart"),
    ],
)
async def test_where_no_option_means_once_the_editor_alone_is_asked(home: Home, options: Any, why: str) -> None:
    async with between(home) as wire:
        asks = permission(options=options)
        await wire.agent.send(asks)
        assert await wire.editor.raw() == asks
        assert why in await until(wire.said, bool)
        assert await wire.listed() == []


async def test_while_the_store_is_away_the_editor_answers(home: Home) -> None:
    home.store.write_text("no database")
    async with between(home) as wire:
        asks = permission()
        await wire.agent.send(asks)
        assert await wire.editor.raw() == asks
        await wire.editor.send(line(id=1, result=ALLOWED))
        assert await wire.agent.reads() == answered(1, ALLOWED)
        assert "left to the editor" in await until(wire.said, bool)


async def test_while_the_store_is_locked_the_editor_answers(home: Home) -> None:
    home.run("list")
    home.run("answer", "h_none")
    with sqlite3.connect(home.store) as other:
        other.execute("CREATE TABLE IF NOT EXISTS other (x)")
        other.commit()
        other.execute("BEGIN EXCLUSIVE")
        async with between(home) as wire:
            asks = permission()
            await wire.agent.send(asks)
            assert await wire.editor.raw() == asks
            await wire.editor.send(line(id=1, result=DENIED))
            assert await wire.agent.reads() == answered(1, DENIED)


async def test_a_call_too_long_to_be_shown_is_left_to_the_editor(home: Home) -> None:
    async with between(home) as wire:
        asks = permission(rawInput={"command": "x" * 1_048_576})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wire.agent.send, asks)
            assert await wire.editor.raw() == asks
        assert await wire.listed() == []


# What the editor is not asked


async def test_the_desk_alone_answers_where_the_person_wants_it(home: Home) -> None:
    async with between(home, "--desk-only") as wire:
        await wire.agent.send(permission() + line(method="_after"))
        assert await wire.editor.reads() == {"jsonrpc": "2.0", "method": "_after"}
        (asked,) = await wire.asked()
        assert "the editor" not in asked["message"]
        await wire.editor.send(line(id=1, result=ALLOWED) + line(method="_up"))
        assert (await wire.agent.reads())["method"] == "_up"  # what the editor was not asked, it does not answer
        await wire.answer(*ALLOW)
        assert await wire.agent.reads() == answered(1, ALLOWED)
        await wire.editor.reads_nothing()


async def test_the_desk_alone_refuses_what_it_can_not_ask(home: Home) -> None:
    home.store.write_text("no database")
    async with between(home, "--desk-only") as wire:
        await wire.agent.send(permission())
        assert await wire.agent.reads() == answered(1, DENIED)
        await wire.agent.send(permission(2, options=OPTIONS[:1]))
        assert await wire.agent.reads() == answered(2, CANCELLED)
        await wire.editor.reads_nothing()


async def test_where_a_passkey_is_demanded_the_editor_is_not_asked(tmp_path: Path) -> None:
    async with between(Home(tmp_path, {"HANDOFFS_PROOF": "passkey"})) as wire:
        await wire.agent.send(permission())
        assert await wire.agent.reads() == answered(1, DENIED)  # nobody has a passkey, so nobody can allow it
        await wire.editor.reads_nothing()


async def test_settings_that_can_not_be_read_refuse(tmp_path: Path) -> None:
    async with between(Home(tmp_path, {"HANDOFFS_PROOF": "pasky"})) as wire:
        await wire.agent.send(permission())
        assert await wire.agent.reads() == answered(1, DENIED)
        assert "HANDOFFS_PROOF" in await wire.said()


@pytest.mark.parametrize(("options", "reply"), [((), None), (("--desk-only",), DENIED)])
async def test_silence_is_no_consent(tmp_path: Path, options: tuple[str, ...], reply: Any) -> None:
    limits = {"HANDOFFS_DEFAULT_TIMEOUT_SECONDS": "2", "HANDOFFS_MIN_TIMEOUT_SECONDS": "1"}
    async with between(Home(tmp_path, limits), *options) as wire:
        await wire.agent.send(permission())
        if reply is not None:
            assert await wire.agent.reads() == answered(1, reply)
            return
        await wire.editor.raw()
        await until(wire.history, lambda found: [each["state"] for each in found] == ["expired"])
        await wire.agent.reads_nothing()  # its dialog is still there
        await wire.editor.send(line(id=1, result=ALLOWED))
        assert await wire.agent.reads() == answered(1, ALLOWED)


# Ends


async def test_a_cancelled_turn_withdraws_the_question(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        await wire.asked()
        await wire.editor.raw()
        cancels = line(method="session/cancel", params={"sessionId": SESSION})
        await wire.editor.send(cancels)
        assert await wire.agent.raw() == cancels
        await wire.asked(0)
        await wire.agent.reads_nothing()  # by the protocol the editor answers what it was asked
        await wire.editor.send(line(id=1, result=CANCELLED))
        assert await wire.agent.reads() == answered(1, CANCELLED)


async def test_a_cancelled_turn_is_answered_where_the_editor_was_not_asked(home: Home) -> None:
    async with between(home, "--desk-only") as wire:
        await wire.agent.send(permission() + permission(2, session="another"))
        await wire.asked(2)
        await wire.editor.send(line(method="session/cancel", params={"sessionId": SESSION}))
        assert (await wire.agent.reads())["method"] == "session/cancel"
        assert await wire.agent.reads() == answered(1, CANCELLED)
        await wire.asked(1)


async def test_the_end_of_a_turn_withdraws_what_it_asked(home: Home) -> None:
    async with between(home) as wire:
        await wire.editor.send(line(id=3, method="session/prompt", params={"sessionId": SESSION, "prompt": []}))
        await wire.agent.raw()
        await wire.agent.send(permission())
        await wire.asked()
        await wire.agent.send(line(id=3, result={"stopReason": "end_turn"}))
        await wire.asked(0)


async def test_what_the_agent_takes_back_is_withdrawn(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        await wire.asked()
        await wire.editor.raw()
        await wire.agent.send(json.dumps(taken_back()).encode() + b"\n")
        assert await wire.editor.reads() == taken_back()
        await wire.asked(0)


@pytest.mark.parametrize("who", ["agent", "editor", "killed"])
async def test_who_ends_leaves_no_question_behind(home: Home, who: str) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        await wire.asked()
        match who:
            case "agent":
                assert await wire.agent_ends() == 7
            case "editor":
                await wire.editor_ends()
                assert await wire.agent.raw() == b""  # it was told that nothing more comes
            case _:
                wire.process.terminate()
                await wire.process.wait()
        assert await wire.listed() == []
        assert [each["state"] for each in await wire.history()] == ["cancelled"]


async def test_an_id_used_again_does_not_get_the_answer_to_an_earlier_dialog(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(permission())
        await wire.editor.raw()
        await wire.answer(*DENY)
        assert await wire.agent.reads() == answered(1, DENIED)
        assert await wire.editor.reads() == taken_back()
        await wire.agent.send(permission(rawInput={"command": "another"}))
        await wire.asked()
        await wire.editor.send(line(id=1, result=ALLOWED))  # about the first
        await wire.agent.reads_nothing()
        await wire.answer(*DENY)
        assert await wire.agent.reads() == answered(1, DENIED)
        await wire.editor.reads_nothing()


# Forms

SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 1}, "where": {"type": "string", "enum": ["a", "b"]}},
    "required": ["count"],
}


def form(**params: Any) -> bytes:
    whole = {"sessionId": SESSION, "mode": "form", "message": "How many?", "requestedSchema": SCHEMA, **params}
    return line(id=1, method="elicitation/create", params=whole)


async def test_a_form_is_answered_at_the_desk_and_checked(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(form())
        assert await wire.editor.raw() == form()
        (asked,) = await wire.asked()
        wrong = await home.command("answer", asked["id"], "--set", "count=0")
        assert wrong.returncode == 2
        await wire.answer("--set", "count=3", "--set", "where=b")
        expected = {"action": "accept", "content": {"count": 3, "where": "b"}}
        assert await wire.agent.reads() == answered(1, expected)
        assert await wire.editor.reads() == taken_back()


async def test_a_form_that_is_declined_is_declined(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(form())
        (asked,) = await wire.asked()
        assert (await home.command("decline", asked["id"])).returncode == 0
        assert await wire.agent.reads() == answered(1, {"action": "decline"})


async def test_a_form_answered_in_the_editor_is_withdrawn(home: Home) -> None:
    async with between(home) as wire:
        await wire.agent.send(form())
        await wire.editor.raw()
        await wire.asked()
        await wire.editor.send(line(id=1, result={"action": "accept", "content": {"count": 1}}))
        assert (await wire.agent.reads())["result"]["content"] == {"count": 1}
        await wire.asked(0)


@pytest.mark.parametrize(
    "params",
    [
        {"mode": "url", "url": "https://example.com", "elicitationId": "e"},
        {"requestedSchema": {"type": "object", "properties": {"key": {"type": "string", "format": "password"}}}},
        {"requestedSchema": {"type": "object", "properties": {"x": {"type": "_other"}}}},
        {"requestedSchema": None},
    ],
)
async def test_what_is_no_form_of_ours_is_left_to_the_editor(home: Home, params: Any) -> None:
    async with between(home) as wire:
        await wire.agent.send(form(**params))
        assert await wire.editor.raw() == form(**params)
        assert await wire.listed() == []


async def test_where_a_rule_names_who_decides_a_form_the_editor_is_not_asked(home: Home) -> None:
    config = home.folder / "config" / "handoffs"
    config.mkdir(parents=True)
    (config / "gate.toml").write_text('[[question]]\nclient = "helper"\nto = "ada"\n')
    assert home.run("people", "add", "ada").returncode == 0
    async with between(home, "--name", "helper") as wire:
        await wire.agent.send(form())
        await wire.asked()
        await wire.editor.reads_nothing(2.5)


async def test_a_stop_of_everything_denies_without_a_dialog(home: Home) -> None:
    assert home.run("gate", "stop").returncode == 0
    async with between(home) as wire:
        await wire.agent.send(permission())
        assert await wire.agent.reads() == answered(1, DENIED)
        await wire.editor.reads_nothing()


async def test_options_that_are_not_plain_are_told_in_words(home: Home) -> None:
    for typed in (["--nonsense", "--", "true"], []):
        done = await home.command("acp", *typed)
        assert done.returncode == 2, typed
        assert b"Traceback" not in done.stderr


def test_a_start_imports_neither_settings_nor_a_store(home: Home) -> None:
    code = (
        "import atexit, sys\n"
        "heavy = ['pydantic', 'typer', 'mcp', 'sqlite3', 'handoffs.settings', 'handoffs.core.desk']\n"
        "atexit.register(lambda: print([each for each in heavy if each in sys.modules], file=sys.stderr))\n"
        "sys.argv = ['handoffs', 'acp', '--desk-only', '--name', 'helper', '--', 'cat']\n"
        "from handoffs.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"{}\n", capture_output=True, timeout=60, env=home.env, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (0, b"{}\n", b"[]")
