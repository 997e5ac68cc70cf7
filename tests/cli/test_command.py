"""The command as a whole: what it does bare, what it says of wrong usage and of a store that can't be used."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from handoffs import __version__
from handoffs.core.model import State
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.questions import asked, kept

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_on_a_pipe_it_serves_so_that_a_hosts_configuration_is_one_word(tmp_path: Path, arguments: list[str]) -> None:
    done = Home(tmp_path).run(*arguments, stdin=json.dumps(INITIALIZE) + "\n")
    assert json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "handoffs"
    assert (done.returncode, done.stderr) == (0, "")


def test_to_serve_a_host_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    code = (
        "import sys; from handoffs.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as ended: print(ended.code, *sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=Home(tmp_path).env, cwd=tmp_path, timeout=120, check=True,
    )  # fmt: skip
    ended, *modules = done.stderr.split()
    assert ended == "0"
    assert "handoffs.mcp_server.server" in modules
    unneeded = {"typer", "prompt_toolkit", "strands", "jinja2", "filelock"}
    assert unneeded & set(modules) == set()
    assert not [name for name in modules if name.startswith(("handoffs.channels.", "handoffs.web"))]
    assert not [name for name in modules if name.endswith((".people", ".people_rows", ".passkey", ".inbox_session"))]


def test_the_command_line_does_not_import_the_server(tmp_path: Path) -> None:
    code = (
        "import sys; from handoffs.cli.app import run\n"
        "code = run(['list']); print(code, *sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=Home(tmp_path).env, cwd=tmp_path, check=True
    )
    ended, *modules = done.stderr.splitlines()[-1].split()
    assert ended == "0"
    assert {"mcp", "prompt_toolkit", "uvicorn", "rich", "markdown_it", "wcwidth"} & set(modules) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
def test_a_person_who_starts_the_server_is_told_what_it_does_and_stops_it(tmp_path: Path) -> None:
    process = pexpect.spawn(
        HANDOFFS[0], [*HANDOFFS[1:], "serve"], env=Home(tmp_path).env, cwd=str(tmp_path), encoding="utf-8", timeout=20
    )
    process.expect("Handoffs speaks MCP here, for the host that starts it. Ctrl-C stops it.")
    process.sendintr()
    process.expect(pexpect.EOF)
    process.close()
    assert process.signalstatus == signal.SIGINT
    assert "Traceback" not in (process.before or "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is full")
def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    for command in (["list"], ["log", "--follow"], ["--version"], ["answer", handoff_id, "yes"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*HANDOFFS, *command],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=home.env,
                timeout=120,
                check=False,
            )
        assert done.returncode == 74
        assert done.stderr == "handoffs: Standard output can't be written: No space left on device.\n"
    assert kept(home, handoff_id).state is State.ANSWERED


@pytest.mark.skipif(sys.platform == "win32", reason="a shell")
def test_who_closes_the_output_wants_to_hear_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    for command in ("list", f"answer {handoff_id} yes"):
        line = f"{' '.join(HANDOFFS)} {command} >&-"
        done = subprocess.run(["sh", "-c", line], capture_output=True, env=home.env, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    assert kept(home, handoff_id).state is State.ANSWERED


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
def test_on_a_terminal_it_says_what_it_is_and_what_is_open(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, "Deploy " + "to every region of the world " * 10)
    process = pexpect.spawn(
        HANDOFFS[0], HANDOFFS[1:], env=home.env, cwd=str(tmp_path), encoding="utf-8", timeout=20, dimensions=(24, 80)
    )
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 0
    lines = (process.before or "").splitlines()
    assert lines[0] == "Handoffs: questions that agents ask people, kept until a person has answered them."
    [row] = [line for line in lines if line.startswith(handoff_id[:10])]
    assert len(row) <= 80
    assert row.endswith("…")
    assert "handoffs answer ID" in lines[-1]


def test_the_version_and_the_help_are_short_and_plain(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.run("--version").stdout == f"{__version__}\n"
    for asked_for in ("--help", "-h"):
        page = home.run(asked_for).stdout
        commands = page.split("Commands:\n")[1].splitlines()
        assert [line.split()[0] for line in commands] == [
            "serve", "inbox", "list", "show", "answer", "ask", "wait", "decline", "cancel", "grants", "acp",
            "codex", "hook", "install", "doctor", "demo", "config", "notify", "token", "people", "gate", "log", "db",
        ]  # fmt: skip
        assert not set(page) & set("╭│╰─\x1b")
        assert "..." not in page.split("Commands:\n")[1]


@pytest.mark.parametrize("group", ["config", "notify", "token", "people", "db"])
def test_what_a_group_of_commands_does_is_told_whole(group: str, tmp_path: Path) -> None:
    page = Home(tmp_path, {"COLUMNS": "80"}).run(group, "--help").stdout
    assert "..." not in page.split("Commands:\n")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["lsit"], "handoffs: No such command 'lsit'"),
        (["list", "--al"], "handoffs: No such option: --al"),
        (["answer"], "handoffs: Missing argument 'ID'. `handoffs answer --help` shows how."),
        (["inbox", "--port"], "handoffs: Option '--port' requires an argument. `handoffs inbox --help` shows how."),
        (
            ["token", "add", "a", "--expires"],
            "handoffs: Option '--expires' requires an argument. `handoffs token add --help` shows how.",
        ),
        (
            ["inbox", "--port", "x"],
            "handoffs: Invalid value for '--port': 'x' is no port. Give a whole number from 0 (any free one) to 65535. "
            "`handoffs inbox --help` shows how.",
        ),
        (
            ["doctor", "--wait", "soon"],
            "handoffs: Invalid value for '--wait': 'soon' is no length of time. Give a number of seconds, 0 or more. "
            "`handoffs doctor --help` shows how.",
        ),
        (["lst"], "handoffs: No such command 'lst'. Did you mean 'list'? `handoffs --help` shows how."),
        (["show", "a", "b"], "handoffs: Got unexpected extra argument(s) (b). `handoffs show --help` shows how."),
        (["serve", "--http", "nowhere"], "handoffs: 'nowhere' is no address"),
        (["serve", "--http", "0.0.0.0:80"], "handoffs: 0.0.0.0 can be reached from other machines"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = Home(tmp_path).run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(told)


@pytest.mark.parametrize("arguments", [["list"], ["serve"], [], ["answer", "x"]])
def test_a_wrong_setting_stops_it_with_one_line_and_code_2(tmp_path: Path, arguments: list[str]) -> None:
    done = Home(tmp_path, {"HANDOFFS_TERMINAL": "maybe"}).run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "handoffs: HANDOFFS_TERMINAL is 'maybe'; allowed: auto, on or off.\n"


def test_a_terminal_that_is_asked_for_and_not_there_stops_the_server(tmp_path: Path) -> None:
    done = subprocess.run(
        [*HANDOFFS, "serve"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        env=Home(tmp_path, {"HANDOFFS_TERMINAL": "on"}).env, cwd=tmp_path, start_new_session=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "no terminal" in done.stderr


WRITING = ["token", "add", "ci"]
READING = (["list"], ["show", "x"], ["answer", "x", "y"], ["log", "--follow"])


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        *((what, arguments) for what in ("folder", "junk") for arguments in READING),
        ("unwritable", WRITING),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line_and_code_4(tmp_path: Path, what: str, arguments: list[str]) -> None:
    store = tmp_path / "store"
    match what:
        case "folder":
            store.mkdir()
        case "junk":
            store.write_bytes(b"not a database " * 1000)
        case _:
            store = Path("/proc/handoffs/handoffs.db")
    done = Home(tmp_path, {"HANDOFFS_STORE": str(store)}).run(*arguments)
    assert (done.returncode, done.stdout) == (4, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("handoffs: ")
    assert str(store) in line
