"""`handoffs list`, `show` and `log`, as they are typed: real processes on a store in a folder of their own."""

import json
import os
import signal
import subprocess
from pathlib import Path

import anyio
import pexpect
import pyte
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.desk import Desk
from handoffs.core.model import GATEWAY, Caller, Declared
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.questions import CLAUDE, asked, desk_of, with_desk

HOSTILE = "Nice\x1b[2J\x1b]0;owned\x07 \u202eevil\u200b\r\nline two\nhandoffs: h_x is answered."


def unable_to_act(text: str) -> bool:
    return not {c for c in text if ord(c) < 0x20 and c != "\n"} and not set(text) & set("\x7f\x9b\u202e\u200b")


def test_list_says_so_when_nothing_is_open(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.run("list").stdout == "Nothing is open.\n"
    assert home.run("list", "--all").stdout == "There is no handoff yet.\n"
    assert json.loads(home.run("list", "--json").stdout) == []


def test_list_is_a_table_of_what_is_open_newest_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = asked(home, "**Deploy** to production?\nIt is Friday.")
    second = asked(home, "Größe 中文?", caller=Caller(subject="ada"), timeout_seconds=240)
    done = asked(home, "Over")
    assert home.run("cancel", done).returncode == 0

    head, *rows = home.run("list").stdout.splitlines()
    assert head.split() == ["ID", "AGE", "LEFT", "FROM", "MESSAGE"]
    assert [row.split()[0] for row in rows] == [second[:10], first[:10]]
    assert [row.rpartition("  ")[2] for row in rows] == ["Größe 中文?", "**Deploy** to production?"]
    assert "4 min" in rows[0] or "3 min" in rows[0]
    assert rows[1].split()[3:9] == ["24", "h", "claude-code", "·", "/srv/shop", "**Deploy**"]
    assert any(done[:10] in row and "cancelled" in row for row in home.run("list", "--all").stdout.splitlines())


def test_list_as_json_is_one_array_of_the_documented_shape(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, "Größe?", options=["a", "b"])
    done = home.run("list", "--json")
    assert done.stderr == ""
    [listed] = json.loads(done.stdout)
    assert listed == {
        "id": handoff_id,
        "state": "open",
        "message": "Größe?",
        "form": {
            "type": "object",
            "properties": {"response": {"type": "string", "title": "Response", "enum": ["a", "b"]}},
            "required": ["response"],
        },
        "createdAt": listed["createdAt"],
        "deadline": listed["deadline"],
        "caller": {"subject": "ada", "client": "claude-code", "project": "/srv/shop"},
        "answer": None,
        "deciders": None,
        "earlier": None,
        "end": None,
        "action": None,
    }
    assert listed["createdAt"].endswith("Z")
    assert json.loads(home.run("show", handoff_id, "--json").stdout) == listed


def test_list_all_shows_every_one_however_many_there_are(tmp_path: Path) -> None:
    home = Home(tmp_path)

    async def ask_many(desk: object) -> None:
        for number in range(1005):
            await desk.ask(message=f"Question {number}", caller=CLAUDE)  # type: ignore[attr-defined]

    with_desk(home, ask_many)
    assert len(json.loads(home.run("list", "--all", "--json").stdout)) == 1005
    assert len(home.run("list").stdout.splitlines()) == 1006


def test_show_says_all_there_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    form = {
        "properties": {
            "go": {"type": "boolean", "title": "Go on?", "default": True},
            "where": {"type": "string", "enum": ["e", "u"], "enumNames": ["Europe", "u"], "description": "Pick one"},
        },
        "required": ["where"],
    }
    handoff_id = asked(home, "Deploy?\n\nIt is Friday.", form=form)
    page = home.run("show", handoff_id[2:12]).stdout
    assert page.startswith(f"{handoff_id}  open, 24 h left\nasked by claude-code · /srv/shop, for ada, ")
    assert "│ Deploy?\n│\n│ It is Friday.\n" in page
    assert "go (Go on?): yes or no, may be left out, default yes\n" in page
    assert "where: one of 2\n│ Pick one\n  - e (Europe)\n  - u\n" in page
    assert f"{handoff_id}  opened" in page

    home.run("answer", handoff_id, "--set", "where=europe", "--set", "go=n", "--note", "not on\nFriday")
    page = home.run("show", handoff_id).stdout
    assert page.startswith(f"{handoff_id}  answered\n")
    assert " through command line, " in page
    assert "Go on?:\n│ no\nwhere:\n│ Europe (e)\nnote:\n│ not on\n│ Friday\n" in page


def on_screen(home: Home, *arguments: str, columns: int = 60, **env: str) -> pyte.Screen:
    """What a terminal shows of a command that ran in it."""
    screen = pyte.Screen(columns, 200)
    # Else what runs the tests would say how wide this terminal is.
    plain = {name: value for name, value in home.env.items() if name not in ("COLUMNS", "LINES")}
    process: pexpect.spawn[str] = pexpect.spawn(
        HANDOFFS[0], [*HANDOFFS[1:], *arguments],
        env=plain | {"TERM": "xterm-256color"} | env, cwd=str(home.folder), encoding="utf-8", timeout=120,
        dimensions=(200, columns),
    )  # fmt: skip
    process.expect(pexpect.EOF)
    pyte.Stream(screen).feed(process.before or "")
    process.close()
    assert process.exitstatus == 0
    return screen


def shown_lines(screen: pyte.Screen) -> list[str]:
    return [line.rstrip() for line in screen.display if line.strip()]


FORGED = "2026-11-22T19:30:00Z  h_1  answered  by: ada"


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
def test_a_long_line_of_an_agent_can_not_begin_a_line_of_ours(tmp_path: Path) -> None:
    home = Home(tmp_path)
    # Just so long that, broken by the terminal, each copy would begin a row of its own.
    forged = "x" * 58 + "".join(FORGED.ljust(60, ".") for _ in range(3))
    caller = Caller(subject="ada", client=forged, project="/srv")
    fields = {"a": {"type": "string", "title": forged, "description": forged, "enum": [forged, "b"]}}
    handoff_id = asked(home, forged, caller=caller, form={"properties": fields, "required": ["a"]})
    home.run("decline", handoff_id, "--note", forged)
    # Of the log, too: a host says anything of itself.
    told = Declared(version=forged, protocol="2026-07-28", transport="stdio")
    asked(home, "And this?", declared=told)
    for command in (["show", handoff_id], ["log"], ["list", "--all"]):
        lines = shown_lines(on_screen(home, *command))
        assert not [line for line in lines if line.startswith("2026-11-22T19:30:00Z  h_1")], command
        assert all(len(line) <= 60 for line in lines)
    # Nor where there is no terminal to ask for its width.
    assert not [line for line in home.run("show", handoff_id).stdout.splitlines() if len(line) > 80]


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
def test_markdown_is_drawn_in_a_terminal_and_stays_as_written_elsewhere(tmp_path: Path) -> None:
    home = Home(tmp_path)
    message = "# Deploy\n\n**Now** or `later`.\n\n| what | where |\n|---|---|\n| shop | prod |"
    handoff_id = asked(home, message)
    screen = on_screen(home, "show", handoff_id, columns=80)
    lines = shown_lines(screen)
    assert [line for line in lines if line.startswith("│")] == [
        "│ Deploy",
        "│",
        "│ Now or later.",
        "│",
        "│ ┌──────┬───────┐",
        "│ │ what │ where │",
        "│ ├──────┼───────┤",
        "│ │ shop │ prod  │",
        "│ └──────┴───────┘",
    ]
    row = next(at for at, line in enumerate(screen.display) if "Now or later." in line)
    assert [screen.buffer[row][at].bold for at in (2, 3, 4, 5, 6)] == [True, True, True, False, False]
    plain = home.run("show", handoff_id).stdout
    assert "│ **Now** or `later`.\n" in plain
    assert "\x1b" not in plain


def test_show_says_how_many_calls_wait_and_that_their_agent_is_unknown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, session=f"{GATEWAY}1")

    async def join(desk: Desk) -> None:
        await desk.joined(await desk.get(handoff_id), calls=2)

    with_desk(home, join)
    shown = home.run("show", handoff_id).stdout
    assert "\n2 calls wait for this answer.\n" in shown
    assert "\nThis question may come through a gateway: it is not known whose agent asks.\n" in shown


def test_agent_text_never_acts_on_the_terminal_or_passes_for_our_own_words(tmp_path: Path) -> None:
    home = Home(tmp_path)
    form = {
        "properties": {
            "a": {"type": "string", "title": HOSTILE, "description": HOSTILE},
            "b": {"type": "string", "oneOf": [{"const": HOSTILE, "title": f"{HOSTILE}!"}, {"const": "x"}]},
        }
    }
    caller = Caller(subject=f"ada{HOSTILE}", client=f"claude{HOSTILE}", project=f"/srv/{HOSTILE}")
    handoff_id = asked(home, HOSTILE, form=form, caller=caller)
    home.run("answer", handoff_id, "--set", f"a={HOSTILE}", "--note", HOSTILE)
    asked(home, HOSTILE + "2", caller=caller)
    for command in (["list"], ["list", "--all"], ["show", handoff_id], ["log"], ["log", "--json"], ["list", "--json"]):
        done = home.run(*command)
        assert done.returncode == 0
        assert unable_to_act(done.stdout), command
        assert not [line for line in done.stdout.splitlines() if line.startswith("handoffs:")]
    [listed] = json.loads(home.run("list", "--json").stdout)
    assert listed["message"] == HOSTILE + "2"
    refused = home.run("answer", listed["id"], "--set", f"{HOSTILE}=1")
    assert unable_to_act(refused.stderr)
    assert len(refused.stderr.splitlines()) == 1


def test_an_encoding_that_lacks_a_letter_spells_it_out(tmp_path: Path) -> None:
    home = Home(tmp_path, {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    asked(home, "Größe 中文?")
    done = home.run("list")
    assert done.returncode == 0
    assert "Gr\\xf6\\xdfe \\u4e2d\\u6587?" in done.stdout


# The log


def test_the_log_has_what_happened_and_not_what_people_wrote(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first, second = asked(home, "First secret?"), asked(home, "Second")
    home.run("answer", first, "my diary", "--note", "private")
    everything = home.run("log")
    assert [line.split()[1:3] for line in everything.stdout.splitlines()] == [
        [first, "opened"],
        [second, "opened"],
        [first, "answered"],
    ]
    assert "channel: command line" in everything.stdout
    assert not [word for word in ("secret", "diary", "private") if word in everything.stdout]
    assert len(home.run("log", first).stdout.splitlines()) == 2

    lines = [json.loads(line) for line in home.run("log", first, "--json").stdout.splitlines()]
    assert [(line["event"], line["handoffId"]) for line in lines] == [("opened", first), ("answered", first)]
    assert lines[0]["number"] < lines[1]["number"]
    assert set(lines[1]) == {"number", "at", "handoffId", "event", "details"}
    assert set(lines[1]["details"]) == {"by", "channel"}


def test_an_empty_log_is_nothing(tmp_path: Path) -> None:
    done = Home(tmp_path, {"HANDOFFS_STORE": ""}).run("log", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_a_followed_log_says_what_other_processes_do_until_ctrl_c(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with desk_of(home) as desk:
        first = (await desk.ask(message="First?", caller=CLAUDE)).id
        process = await anyio.open_process([*HANDOFFS, "log", "--follow", "--json"], env=home.env, cwd=tmp_path)
        assert process.stdout is not None
        assert process.stderr is not None
        lines = BufferedByteReceiveStream(process.stdout)

        async def next_line() -> tuple[str, str]:
            line = json.loads(await lines.receive_until(b"\n", 10_000))
            return line["handoffId"], line["event"]

        with anyio.fail_after(120):
            assert await next_line() == (first, "opened")
            second = (await desk.ask(message="Second?", caller=CLAUDE)).id
            assert await next_line() == (second, "opened")
            assert (await home.command("answer", first, "yes")).returncode == 0
            assert await next_line() == (first, "answered")
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
            with pytest.raises(anyio.EndOfStream):
                await process.stderr.receive()
        await process.aclose()


async def test_a_followed_log_ends_when_its_reader_goes_though_nothing_happens(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with desk_of(home) as desk:
        await desk.ask(message="First?", caller=CLAUDE)
        with anyio.fail_after(120):
            piped = await anyio.run_process(
                f"{' '.join(HANDOFFS)} log --follow | head -n 1; echo ${{PIPESTATUS[0]}}".join(["bash -c '", "'"]),
                env=home.env,
                cwd=tmp_path,
            )
    first, code = piped.stdout.decode().splitlines()
    assert first.endswith("opened")
    assert code == "0"
    assert piped.stderr == b""


@pytest.mark.skipif(os.name == "nt", reason="a shell's pipe")
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    home = Home(tmp_path)

    async def ask_many(desk: object) -> None:
        for number in range(300):
            await desk.ask(message=f"Question {number} " + "x" * 1000, caller=CLAUDE)  # type: ignore[attr-defined]

    with_desk(home, ask_many)
    for command in ("list --json", "list", "log"):
        done = subprocess.run(
            ["bash", "-c", f"{' '.join(HANDOFFS)} {command} | head -n 1; echo ${{PIPESTATUS[0]}}"],
            env=home.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stdout.splitlines()[-1] == "0"
        assert done.stderr == ""


def test_secrets_of_a_held_call_are_masked_unless_they_are_wanted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    action = Action(asker=Asker.GATE, server="shop", tool="pay", arguments='{"token": "hush", "id": 4711}')
    handoff_id = asked(home, message_of(action), action=action, form=action_form(editable=True))
    edited = 'arguments={"token": "hush", "id": 8}'
    answered = home.run("answer", handoff_id, "--set", "decision=allow", "--set", edited, "--json")
    assert answered.returncode == 0, answered.stderr
    told = [
        answered.stdout,
        home.run("list", "--all", "--json").stdout,
        home.run("show", handoff_id, "--json").stdout,
        home.run("show", handoff_id).stdout,
        home.run("list", "--all").stdout,
        home.run("log", handoff_id).stdout,
        home.run("log", "--json").stdout,
    ]
    assert [each for each in told if "hush" in each] == []
    assert [action.digest in each for each in told[:3]] == [True] * 3
    assert "4711" in told[3]
    assert f"handoffs show {handoff_id} --secrets" in told[3]
    whole = home.run("show", handoff_id, "--secrets")
    assert whole.stdout.count("hush") == 2
    assert json.loads(home.run("show", handoff_id, "--json", "--secrets").stdout)["action"]["arguments"] == {
        "token": "hush",
        "id": 4711,
    }
