"""The command and a question for a secret; and `handoffs.secrets`, as a program of the person's uses it."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.assembly import lasting_keys, store_at
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.os_user import current_user
from handoffs.sealing import AesGcmSealer
from handoffs.settings import Settings
from tests.acceptance.processes import Home
from tests.cli.questions import asked, events, kept

VALUE = "correct horse battery staple"
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {"user": {"type": "string"}, "password": {"type": "string", "format": "password"}},
    "required": ["password"],
}
PROGRAM = """
import anyio, sys
from handoffs.secrets import SecretRefused, reveal
try:
    print(anyio.run(lambda: reveal(sys.argv[1], keep=sys.argv[2] == "keep")))
except SecretRefused as refused:
    sys.exit(f"refused: {refused}")
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose key is that of this process, too."""
    here = Home(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", here.env["XDG_DATA_HOME"])
    return here


def given(home: Home, *, subject: str = "") -> str:
    """Ask for a secret, type it, and return its name."""
    settings, whose = Settings(store=home.folder / "handoffs.db"), subject or current_user()

    async def type_it() -> str:
        async with store_at(settings.store) as store:
            # As a server does that this user runs.
            desk = Desk(
                store=store, clock=SystemClock(), sealer=AesGcmSealer(partial(lasting_keys, settings)), local=whose
            )
            handoff = await desk.ask(message="Deploy?", form=FORM, caller=Caller(subject=whose))
            values = {"user": "root", "password": VALUE}
            await desk.answer(handoff, values, by="ada", channel="inbox", private=True)
            return f"secret:{handoff.id}/password"

    return anyio.run(type_it)


def program(home: Home, name: str, keep: str = "keep", **extra: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, name, keep],
        capture_output=True, text=True, timeout=120, env=home.env | extra, cwd=home.folder, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [[VALUE], ["--set", f"password={VALUE}"], []])
def test_answer_says_where_a_secret_is_typed_and_records_nothing(home: Home, arguments: list[str]) -> None:
    handoff_id = asked(home, form=FORM, caller=Caller(subject=current_user()))
    done = home.run("answer", handoff_id, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"handoffs: {handoff_id} asks for a secret, which is typed into the inbox: run `handoffs inbox`.\n"
    )
    assert events(home, handoff_id) == ["opened"]


def test_a_question_for_a_secret_can_be_refused_with_the_command(home: Home) -> None:
    handoff_id = asked(home, form=FORM, caller=Caller(subject=current_user()))
    assert home.run("decline", handoff_id).returncode == 0
    assert kept(home, handoff_id).state == "declined"


def test_what_the_commands_print_has_its_name_and_never_the_value(home: Home) -> None:
    name = given(home)
    handoff_id = name.removeprefix("secret:").partition("/")[0]
    commands = (["show", handoff_id], ["show", handoff_id, "--json"], ["list", "--all", "--json"], ["log", "--json"])
    printed = [home.run(*command).stdout for command in commands]
    assert f"(given: {name})" in printed[0]
    assert json.loads(printed[1])["answer"]["values"] == {"user": "root", "password": name}
    sealed = kept(home, handoff_id).sealed["password"]
    assert not any(trace in text for text in printed for trace in ("horse", sealed))


def test_a_persons_program_gets_a_secret_by_its_name_and_can_erase_it(home: Home) -> None:
    name = given(home)
    assert program(home, name).stdout == f"{VALUE}\n"
    assert program(home, name, "erase").stdout == f"{VALUE}\n"
    done = program(home, name)
    assert (done.returncode, done.stdout) == (1, "")
    assert "it was erased" in done.stderr
    log = events(home, name.removeprefix("secret:").partition("/")[0])
    assert log == ["opened", "answered", "revealed", "revealed", "forgotten"]


def test_a_program_of_another_user_or_with_other_keys_gets_nothing(home: Home) -> None:
    foreign = program(home, given(home, subject="eve"))
    assert (foreign.returncode, foreign.stdout) == (1, "")
    assert "There is no secret of this name in this store that you were asked for." in foreign.stderr
    keyless = program(home, given(home), XDG_DATA_HOME=str(home.folder / "elsewhere"))
    assert (keyless.returncode, keyless.stdout) == (1, "")
    assert "a key that this program does not have" in keyless.stderr
    assert "Traceback" not in foreign.stderr + keyless.stderr
