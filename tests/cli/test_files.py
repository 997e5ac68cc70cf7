"""Files of an answer, as they are typed: `answer --attach`, `show`, and `show --save`."""

import hashlib
import json
import os
from pathlib import Path

import anyio
import pytest

from tests.acceptance.processes import Home
from tests.cli import questions
from tests.store.by_hand import change

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def asked(home: Home, *, files: bool = True) -> str:
    return questions.asked(home, options=["a", "b"], files=files)


def test_a_file_goes_with_an_answer_and_is_written_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff = asked(home)
    (tmp_path / "shot.png").write_bytes(PNG)
    (tmp_path / "a:b?.txt").write_bytes(b"words")
    given = ("--attach", str(tmp_path / "shot.png"), "--attach", str(tmp_path / "a:b?.txt"))
    ran = home.run("answer", handoff, "a", *given)
    assert ran.returncode == 0, ran.stderr
    shown = home.run("show", handoff).stdout
    assert "file 1: shot.png (image/png, 264 bytes)" in shown
    assert "file 2: a:b?.txt (text/plain, 5 bytes)" in shown
    told = json.loads(home.run("show", handoff, "--json").stdout)["answer"]["attachments"]
    assert told[0] == {
        "name": "shot.png",
        "type": "image/png",
        "size": 264,
        "sha256": hashlib.sha256(PNG).hexdigest(),
    }
    folder = tmp_path / "out"
    ran = home.run("show", handoff, "--save", str(folder))
    assert (ran.returncode, ran.stdout.count("Written: ")) == (0, 2), ran.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"shot.png": PNG, "a_b_.txt": b"words"}
    assert home.run("log", "verify").returncode == 0


def test_nothing_is_written_over_nor_outside_of_the_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff = asked(home)
    (tmp_path / "..x.txt").write_bytes(b"words")
    assert home.run("answer", handoff, "a", "--attach", str(tmp_path / "..x.txt")).returncode == 0
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "..x.txt").symlink_to(tmp_path / "elsewhere")
    ran = home.run("show", handoff, "--save", str(folder))
    assert (ran.returncode, "nothing is written over" in ran.stderr) == (2, True)
    assert not (tmp_path / "elsewhere").exists()
    ran = home.run("show", handoff, "--save", str(tmp_path / "not there" / "out"))
    assert (ran.returncode, "can't be written" in ran.stderr) == (2, True)
    anyio.run(change, str(home.store), "UPDATE SCHEMA.attachments SET data = x'00'")
    ran = home.run("show", handoff, "--save", str(tmp_path / "new"))
    assert (ran.returncode != 0, "as the person gave it" in ran.stderr) == (True, True)
    assert not (tmp_path / "new").exists()
    ran = home.run("log", "verify")
    assert (ran.returncode != 0, "attachments is not what the log has" in ran.stdout + ran.stderr) == (True, True)


def test_what_does_not_fit_is_refused_in_words(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff, none = asked(home), "--attach"
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(b"x" * 4_194_305)
    (tmp_path / "small").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        ("empty", "files may not be empty"),
        ("large", "an answer takes up to 5 files, 4 MB in all, and these files are larger"),
        ("pipe", "can't be read: it is no file"),
        ("nothing", "can't be read: it is not there"),
        (".", "can't be read: it is no file"),
    ):
        ran = home.run("answer", handoff, "a", none, str(tmp_path / name))
        assert (ran.returncode, why in ran.stderr) == (2, True), ran.stderr
    six = [each for _ in range(6) for each in (none, str(tmp_path / "small"))]
    assert "names 6" in home.run("answer", handoff, "a", *six).stderr
    assert "Give the answer, too" in home.run("answer", handoff, none, str(tmp_path / "small")).stderr
    assert json.loads(home.run("show", handoff, "--json").stdout)["state"] == "open"
    assert "No files came" in home.run("show", handoff, "--save", str(tmp_path / "out")).stderr


@pytest.mark.parametrize("option", ["--json", "--proof", "--aais"])
def test_to_save_goes_with_no_other_option(tmp_path: Path, option: str) -> None:
    assert "--save takes no other option" in Home(tmp_path).run("show", "h_x", "--save", "out", option).stderr


def test_a_question_whose_agent_gets_no_files_takes_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff = asked(home, files=False)
    (tmp_path / "small").write_bytes(b"x")
    ran = home.run("answer", handoff, "a", "--attach", str(tmp_path / "small"))
    assert (ran.returncode, "files can't be given with this answer" in ran.stderr) == (2, True), ran.stderr
