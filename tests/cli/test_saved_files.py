"""`handoffs ask --save-files`: the files of an answer in a folder, and what is said where one is lost."""

import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handoffs.cli import saved_files
from handoffs.cli.ask import Given
from handoffs.cli.ask_arguments import plain_arguments
from handoffs.cli.saved_files import file_name, save
from handoffs.client.remote import handoff_of
from handoffs.core.attachment import GivenFile
from handoffs.core.desk import Desk
from handoffs.core.document import document
from handoffs.core.events import Answered
from handoffs.core.lifecycle import advance
from handoffs.core.model import State
from handoffs.core.question import form_of
from tests.acceptance.processes import Home
from tests.api.test_api import served
from tests.client.people import answer, desk_of, opened, with_a_person
from tests.store.by_hand import change
from tests.store.samples import LATER, sample

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
FILES = [
    GivenFile(name="shot.png", declared="", content=PNG),
    GivenFile(name="a:b?.txt", declared="text/plain", content=b"words"),
]
NAMES = {"shot.png": PNG, "a_b_.txt": b"words"}
ASK = ("ask", "Which one?", "--options", "this,that", "--save-files", "out")
Done = subprocess.CompletedProcess[bytes]


async def gives(desk: Desk, files: list[GivenFile] = FILES, response: str = "this") -> None:
    await desk.answer(await opened(desk), {"response": response}, by="ada", channel="inbox", files=files)


async def run(home: Home, folder: Path, *args: str, then: Any = None) -> Done:
    """Run a command, while a person decides at the store of a folder."""
    async with desk_of(folder) as desk:
        return await with_a_person(partial(home.command, *args), desk, then)


def kept(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def test_the_files_are_in_the_folder_for_its_owner_alone(home: Home) -> None:
    out = home.folder / "out"
    done = await run(home, home.folder, *ASK, then=gives)
    assert (done.returncode, done.stdout) == (0, b"this\n"), done.stderr
    assert f"Written: {Path('out/shot.png')}\n" in done.stderr.decode()
    assert kept(out) == NAMES
    if sys.platform != "win32":
        assert (mode(out), {mode(each) for each in out.iterdir()}) == (0o700, {0o600})


async def test_the_json_has_the_path_of_each_file(home: Home) -> None:
    out = home.folder / "given"
    out.mkdir(mode=0o755)
    args = (*ASK[:-1], str(out), "--json")
    done = await run(home, home.folder, *args, then=partial(gives, response="that"))
    assert (done.returncode, b"Written" in done.stderr) == (5, False)
    told = json.loads(done.stdout)["answer"]["attachments"]
    assert [each["path"] for each in told] == [str(out / "shot.png"), str(out / "a_b_.txt")]
    assert told[0]["sha256"] == hashlib.sha256(Path(told[0]["path"]).read_bytes()).hexdigest()
    if sys.platform != "win32":
        assert mode(out) == 0o755


async def test_over_a_server_the_files_come_by_http(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, server, _):
        there = Home(tmp_path / "there", {"HANDOFFS_SERVER_TOKEN": str(server.token)})
        there.folder.mkdir()
        args = (*ASK, "--server", server.url, "--json", "--key", "1.4")
        done = await run(there, tmp_path, *args, then=gives)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert [each["path"] for each in told["answer"]["attachments"]] == [
            str(Path("out") / each) for each in ("shot.png", "a_b_.txt")
        ]
        assert kept(there.folder / "out") == NAMES
        (there.folder / "out" / "shot.png").unlink()
        again = await there.command(*args)
        assert (again.returncode, json.loads(again.stdout)) == (0, told)
        waited = await there.command("wait", told["id"], "--save-files", "other", "--server", server.url)
        assert (waited.returncode, kept(there.folder / "other")) == (0, NAMES)
        await change(str(tmp_path / "handoffs.db"), "DELETE FROM SCHEMA.attachments WHERE number = 2")
        lost = await there.command("wait", told["id"], "--save-files", "new", "--server", server.url)
        assert (lost.returncode, lost.stdout) == (10, b"")
        assert b"is not in the store as the person gave it" in lost.stderr
        assert kept(there.folder / "new") == {}


async def test_a_file_that_is_there_stays_and_the_new_one_gets_a_number(home: Home) -> None:
    out = home.folder / "out"
    out.mkdir()
    (out / "shot.png").write_bytes(b"older")
    (out / "shot-2.png").symlink_to(home.folder / "elsewhere")
    (out / "a_b_.txt").mkdir()
    done = await run(home, home.folder, *ASK, then=gives)
    assert done.returncode == 0, done.stderr
    assert (out / "shot.png").read_bytes() == b"older"
    assert not (home.folder / "elsewhere").exists()
    assert ((out / "shot-3.png").read_bytes(), (out / "a_b_-2.txt").read_bytes()) == (PNG, b"words")


async def test_run_again_it_writes_only_what_is_not_there(home: Home) -> None:
    out, args = home.folder / "out", (*ASK, "--key", "1.4")
    await run(home, home.folder, *args, then=gives)
    (out / "a_b_.txt").unlink()
    before = (out / "shot.png").stat().st_mtime_ns
    done = await home.command(*args)
    assert (done.returncode, done.stdout) == (0, b"this\n"), done.stderr
    said = done.stderr.decode()
    assert f"There already: {Path('out/shot.png')}\nWritten: {Path('out/a_b_.txt')}\n" in said
    assert "handoffs answer" not in said
    assert (kept(out), (out / "shot.png").stat().st_mtime_ns) == (NAMES, before)


async def test_an_answer_that_came_in_between_is_saved_with_its_files(home: Home) -> None:
    assert (await run(home, home.folder, *ASK, "--wait", "1s")).returncode == 9
    async with desk_of(home.folder) as desk:
        await gives(desk)
    done = await home.command(*ASK)
    assert (done.returncode, done.stdout, kept(home.folder / "out")) == (0, b"this\n", NAMES)
    assert (await home.command(*ASK, "--wait", "1s")).returncode == 9  # it was used up


async def test_a_lost_file_has_its_code_and_the_answer_is_not_used_up(home: Home) -> None:
    await run(home, home.folder, *ASK, "--wait", "1s")
    async with desk_of(home.folder) as desk:
        await gives(desk)
    await change(str(home.store), "UPDATE SCHEMA.attachments SET data = x'00' WHERE number = 2")
    done = await home.command(*ASK)
    assert (done.returncode, done.stdout, kept(home.folder / "out")) == (10, b"", {})
    said = " ".join(done.stderr.decode().split())
    assert "File 2 of h_" in said
    assert "was answered, and its answer is not used up: run the same command again, or without --save-files" in said
    alone = await home.command(*ASK[:-2])
    assert (alone.returncode, alone.stdout) == (0, b"this\n")
    assert b"Files came with it: handoffs wait h_" in alone.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
async def test_a_file_that_does_not_fit_has_its_code_and_leaves_no_half(home: Home) -> None:
    await run(home, home.folder, *ASK, "--wait", "1s")
    async with desk_of(home.folder) as desk:
        await gives(desk, [GivenFile(name="large.bin", declared="", content=os.urandom(3_000_000))])
    full = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)); {IGNORED}; main()"
    command = [sys.executable, "-c", full, *ASK]
    done = subprocess.run(
        command, env=home.env, cwd=home.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (10, ""), done.stderr
    assert "large.bin can't be written: File too large." in done.stderr
    assert kept(home.folder / "out") == {}
    again = await home.command(*ASK)
    assert (again.returncode, again.stdout, [*kept(home.folder / "out")]) == (0, b"this\n", ["large.bin"])


IGNORED = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from handoffs.__main__ import main"


@pytest.mark.parametrize("wrong", ["file", "file/below", "not there/out", ""])
async def test_a_folder_that_cant_be_used_asks_nobody(home: Home, wrong: str) -> None:
    (home.folder / "file").touch()
    for command in (ASK[:-1], ("wait", "h_x", "--save-files")):
        done = await home.command(*command, str(home.folder / wrong) if wrong else "")
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"--save-files: " in done.stderr
    async with desk_of(home.folder) as desk:
        assert await desk.newest(open_only=False) == []


async def test_without_the_option_nobody_can_give_files(home: Home) -> None:
    async def looks(desk: Desk) -> None:
        assert not (await opened(desk)).question.takes_files
        await answer(desk, response="this")

    done = await run(home, home.folder, *ASK[:-2], then=looks)
    assert (done.returncode, done.stdout, (home.folder / "out").exists()) == (0, b"this\n", False)


async def test_what_is_asked_without_an_event_loop_takes_files_too(home: Home) -> None:
    async def looks(desk: Desk) -> None:
        assert (await opened(desk)).question.takes_files
        await desk.decline(await opened(desk), by="ada", channel="inbox")

    done = await run(home, home.folder, *ASK, "--json", then=looks)
    assert (done.returncode, kept(home.folder / "out")) == (6, {})
    assert plain_arguments(["q", "--save-files=out"]) == Given(message="q", save_files="out")


@given(st.text(min_size=1, max_size=300))
@example("CON.txt")
@example("-rf")
@example("nul")
@example("x" * 300 + ".png")
@example("é" * 199 + ".png")
@example("../../etc/passwd")
@example("a/b\\c\x00")
@example(". .")
def test_every_name_is_a_file_of_the_folder(name: str) -> None:
    safe = file_name(name)
    assert Path(safe).name == safe
    assert len(safe.encode()) <= 220
    assert not {*'<>:"|?*/\\\x00'} & {*safe}
    assert safe.strip(". ")
    assert safe[-1] not in ". "
    assert safe[0] != "-"
    assert file_name(safe) == safe


def test_two_files_that_get_one_name_are_two_files_each_time(tmp_path: Path) -> None:
    files = [("a:b", b"same"), ("a?b", b"same"), ("a_b", b"other")]
    first = save(str(tmp_path), files)
    assert [(each.path.name, each.new) for each in first] == [("a_b", True), ("a_b-2", True), ("a_b-3", True)]
    second = save(str(tmp_path), files)
    assert [(each.path, each.new) for each in second] == [(each.path, False) for each in first]


def test_a_file_system_without_hard_links_takes_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlinked(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", unlinked)
    (tmp_path / "a").write_bytes(b"older")
    assert [each.path.name for each in save(str(tmp_path), [("a", b"new")])] == ["a-2"]
    assert kept(tmp_path) == {"a": b"older", "a-2": b"new"}
    with pytest.raises(FileExistsError):
        saved_files.put(tmp_path / "a", b"new")


def test_a_name_that_a_server_made_up_leads_nowhere() -> None:
    asked = sample(form=form_of("x", ["Yes", "No"], None))
    ended = advance(asked, Answered(at=LATER, by="ada", channel="inbox", values={"response": "Yes"}))
    said = json.loads(json.dumps(document(ended)))
    file = {"name": "../../.ssh/authorized\u202e_keys", "type": "text/plain", "size": 1, "sha256": "0" * 64}
    said["answer"]["attachments"] = [file]
    read = handoff_of(said)
    assert (read.state, read.attachments[0].name) == (State.ANSWERED, "authorized_keys")
    said["answer"]["attachments"] = [file | {"name": "x" * 500}]
    with pytest.raises(ValueError, match="shorter names"):
        handoff_of(said)
