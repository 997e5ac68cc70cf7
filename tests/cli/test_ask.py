"""`handoffs ask` and `wait`: an exit code for every end, and one question however often it is run."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import platformdirs
import pytest

from handoffs.cli.ask import Given
from handoffs.cli.ask_arguments import plain_arguments
from handoffs.cli.plain_settings import plain_settings
from handoffs.core.desk import Desk
from handoffs.core.model import Caller, State
from handoffs.settings import Settings
from tests.acceptance.processes import HANDOFFS, Home
from tests.client.people import answer, asks, desk_of, opened, with_a_person

YES_NO = ("--options", "yes,no")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def run(home: Home, *args: str, then: Any = None) -> "subprocess.CompletedProcess[bytes]":
    async with desk_of(home.folder) as desk:
        return await with_a_person(partial(home.command, *args), desk, then)


async def declines(desk: Desk) -> None:
    await desk.decline(await opened(desk), by="ada", channel="inbox")


async def withdraws(desk: Desk) -> None:
    await desk.cancel(await opened(desk), by="ada", channel="inbox")


async def says_something_else(desk: Desk) -> None:
    await desk.answer(await opened(desk), {}, by="ada", channel="inbox", other="yes")


def says(picked: str) -> Any:
    return partial(answer, response=picked)


@pytest.mark.parametrize(
    ("args", "person", "code", "printed"),
    [
        (YES_NO, says("yes"), 0, "yes\n"),
        (YES_NO, says("no"), 5, "no\n"),
        (YES_NO, says_something_else, 5, "yes\n"),
        ((*YES_NO, "--any"), says("no"), 0, "no\n"),
        ((*YES_NO, "--expect", "no"), says("no"), 0, "no\n"),
        ((*YES_NO, "--expect=no"), says("yes"), 5, "yes\n"),
        (("--option", "yes, now", "--option", "no"), says("yes, now"), 0, "yes, now\n"),
        (("--any",), says("any words"), 0, "any words\n"),
        (YES_NO, declines, 6, ""),
        (YES_NO, withdraws, 7, ""),
    ],
)
async def test_every_end_has_its_code(home: Home, args: tuple[str, ...], person: Any, code: int, printed: str) -> None:
    done = await run(home, "ask", "Deploy 1.4?", *args, then=person)
    assert (done.returncode, done.stdout.decode()) == (code, printed)
    assert b"handoffs answer h_" in done.stderr


async def test_silence_has_its_code(home: Home) -> None:
    home.extra["HANDOFFS_MIN_TIMEOUT_SECONDS"] = "1"
    done = await run(home, "ask", "Deploy?", *YES_NO, "--timeout", "1s")
    assert (done.returncode, done.stdout) == (8, b"")
    assert b"not consent" in done.stderr


async def test_a_wait_that_ends_leaves_it_open_and_says_how_to_go_on(home: Home) -> None:
    done = await run(home, "ask", "Deploy?", *YES_NO, "--wait", "1s")
    async with desk_of(home.folder) as desk:
        (handoff,) = await desk.newest(open_only=True)
    assert (done.returncode, done.stdout) == (9, b"")
    assert f"handoffs wait {handoff.id}" in done.stderr.decode()
    went_on = await run(home, "wait", handoff.id, then=says("no"))
    assert (went_on.returncode, went_on.stdout) == (5, b"no\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_leaves_it_open_and_the_same_command_goes_on(home: Home, number: int, code: int) -> None:
    command = [*HANDOFFS, "ask", "Deploy?", *YES_NO]
    process = subprocess.Popen(
        command, env=home.env, cwd=home.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with desk_of(home.folder) as desk:
        handoff = await opened(desk)
        assert process.stderr is not None
        await anyio.to_thread.run_sync(process.stderr.readline)  # told where
        process.send_signal(number)
        out, err = await anyio.to_thread.run_sync(process.communicate)
        assert (process.returncode, out) == (code, b"")
        assert handoff.id.encode() in err
        assert (await desk.get(handoff.id)).state is State.OPEN
    done = await run(home, "ask", "Deploy?", *YES_NO, then=says("yes"))
    async with desk_of(home.folder) as desk:
        assert (done.returncode, len(await desk.newest(open_only=False))) == (0, 1)


async def test_an_answer_that_came_in_between_is_printed_once(home: Home) -> None:
    await run(home, "ask", "Deploy?", *YES_NO, "--wait", "1s")
    async with desk_of(home.folder) as desk:
        await answer(desk, response="yes")
    assert (await run(home, "ask", "Deploy?", *YES_NO)).stdout == b"yes\n"
    assert (await run(home, "ask", "Deploy?", *YES_NO, "--wait", "1s")).returncode == 9


async def test_an_answer_that_could_not_be_printed_is_not_used_up(home: Home) -> None:
    await run(home, "ask", "Deploy?", *YES_NO, "--wait", "1s")
    async with desk_of(home.folder) as desk:
        await answer(desk, response="yes")
    with open("/dev/full", "w") as full:
        lost = subprocess.run(
            [*HANDOFFS, "ask", "Deploy?", *YES_NO], env=home.env, cwd=home.folder, stdout=full, check=False
        )
    assert lost.returncode == 74
    assert (await run(home, "ask", "Deploy?", *YES_NO)).stdout == b"yes\n"


async def test_a_program_and_a_command_write_the_same(home: Home) -> None:
    """The quick way to store a question, without an event loop, is the same question as the other one's."""
    await run(home, "ask", "Deploy?", *YES_NO, "--wait", "1s")
    await run(home, "ask", "Deploy?", *YES_NO, "--wait", "1s", "--key", "1.4")
    home.extra["HANDOFFS_JOIN_SECONDS"] = "3600"  # set to what it is anyway: all settings are read
    await run(home, "ask", "Deploy?", *YES_NO, "--wait", "1s")
    await run(home, "ask", "Deploy?", *YES_NO, "--wait", "1s", "--key", "1.4")
    async with desk_of(home.folder) as desk:
        assert len(await desk.newest(open_only=False)) == 2
        for handoff in await desk.newest(open_only=False):
            assert [entry.name for entry in await desk.history(handoff.id)] == ["opened"]


async def test_what_somebody_writes_ends_with_0_only_where_any_answer_does(home: Home) -> None:
    async with desk_of(home.folder) as desk:
        asked = await desk.ask(message="Deploy?", caller=Caller(subject="ada"))
        await desk.answer(asked, {"response": "no"}, by="ada", channel="inbox")
    done = await run(home, "wait", asked.id)
    assert (done.returncode, done.stdout) == (5, b"no\n")
    assert (await run(home, "wait", asked.id, "--any")).returncode == 0


async def test_a_form_is_asked_and_printed(home: Home) -> None:
    schema = {"type": "object", "properties": {"region": {"enum": ["eu", "us"]}, "count": {"type": "integer"}}}
    (home.folder / "form.json").write_text(json.dumps(schema | {"required": ["region"]}))
    done = await run(home, "ask", "Where?", "--form", "form.json", "--any", then=partial(answer, region="eu", count=3))
    assert (done.returncode, done.stdout) == (0, b"region: eu\ncount: 3\n")
    as_json = await run(
        home, "ask", "Where?", "--form", "form.json", "--any", "--json", then=partial(answer, region="us", count=1)
    )
    printed = json.loads(as_json.stdout)
    assert (printed["state"], printed["answer"]["values"]) == ("answered", {"region": "us", "count": 1})


async def test_a_secret_is_printed_by_its_name(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", home.env["XDG_DATA_HOME"])
    schema = {"type": "object", "properties": {"token": {"type": "string", "format": "password"}}}
    (home.folder / "form.json").write_text(json.dumps(schema | {"required": ["token"]}))
    async with asks(home.folder) as asking:

        async def types_it(desk: Desk) -> None:
            handoff = await opened(desk)
            await desk.answer(handoff, {"token": "hunter22"}, by="ada", channel="inbox", private=True)

        command = ("ask", "Token?", "--form", "form.json", "--any")
        done = await with_a_person(partial(home.command, *command), asking.desk, types_it)
    assert done.returncode == 0
    assert done.stdout.startswith(b"secret:h_")


@pytest.mark.parametrize(
    "args",
    [
        ("ask",),
        ("ask", "one", "two"),
        ("ask", ""),
        ("ask", "Deploy?", "--options", "yes"),
        ("ask", "Deploy?", "--options", "yes,"),
        ("ask", "Deploy?", *YES_NO, "--expect", "maybe"),
        ("ask", "Deploy?", "--expect", "yes"),
        ("ask", "Deploy?", *YES_NO, "--expect", "yes", "--any"),
        ("ask", "Deploy?", "--timeout", "soon"),
        ("ask", "Deploy?", "--timeout", "1s"),
        ("ask", "Deploy?", "--wait", "-1"),
        ("ask", "Deploy?", "--form", "nowhere.json"),
        ("ask", "Deploy?", "--form", "/dev/null"),
        ("ask", "Deploy?", "--nonsense"),
        ("ask", "Deploy?"),
        ("wait",),
    ],
)
async def test_wrong_usage_asks_nobody(home: Home, args: tuple[str, ...]) -> None:
    done = await run(home, *args)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"handoffs: ")
    async with desk_of(home.folder) as desk:
        assert await desk.newest(open_only=False) == []


async def test_what_is_not_there_and_a_store_that_is_none_have_their_codes(home: Home) -> None:
    assert (await home.command("wait", "h_nothing")).returncode == 3
    home.extra["HANDOFFS_STORE"] = str(home.folder)
    assert (await home.command("ask", "Deploy?", *YES_NO)).returncode == 4


def test_arguments_that_are_not_plain_are_left_to_typer() -> None:
    for args in (["--help"], ["a", "b"], ["a", "--key"], ["a", "--jso"], []):
        assert plain_arguments(args) is None
    assert plain_arguments(["--", "--help"]) == Given(message="--help")
    assert plain_arguments(["--options", "a, b", "q", "--option=c,d", "--json"]) == Given(
        message="q", options=("a", "b", "c,d"), json=True
    )


def test_the_quick_way_has_the_settings_that_all_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HANDOFFS_STORE", "HANDOFFS_INBOX"):
        monkeypatch.delenv(name, raising=False)
    for variables in ({}, {"XDG_DATA_HOME": str(tmp_path / "d"), "XDG_CONFIG_HOME": str(tmp_path / "c")}):
        monkeypatch.setenv("HOME", str(tmp_path))
        for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        plain, settings = plain_settings(), Settings()
        assert plain is not None
        assert plain.store == settings.store
        limits, quota = plain.limits, plain.limits.quota
        assert quota is not None
        assert (limits.default_seconds, limits.min_seconds, limits.max_seconds, limits.join_seconds) == (
            settings.default_timeout_seconds, settings.min_timeout_seconds, settings.max_timeout_seconds,
            settings.join_seconds,
        )  # fmt: skip
        assert (quota.open, quota.per_minute, quota.bytes) == (
            settings.quota_open, settings.quota_per_minute, settings.quota_bytes,
        )  # fmt: skip
        config = platformdirs.user_config_path("handoffs", appauthor=False)
        for name in ("config.toml", "gate.toml"):
            config.mkdir(parents=True, exist_ok=True)
            (config / name).touch()
            assert plain_settings() is None
            (config / name).unlink()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HANDOFFS_PROOF", "passkey"),
        ("HANDOFFS_STORE", "postgresql://x"),
        ("HANDOFFS_INBOX", "no"),
        ("HANDOFFS_X", "1"),
    ],
)
def test_the_quick_way_is_left_where_more_is_set(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert plain_settings() is None


def test_the_quick_way_imports_neither_pydantic_nor_an_event_loop(home: Home) -> None:
    code = (
        "import sys; sys.argv = ['handoffs', 'ask', 'Deploy?', '--options', 'yes,no']\n"
        "import handoffs.cli.ask as ask; ask._by_waiting = lambda *_: 0\n"
        "from handoffs.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print([each for each in ('pydantic', 'asyncio', 'typer') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=home.env, cwd=home.folder, capture_output=True, text=True)
    assert done.stdout == "[]\n"
    assert home.store.exists()
