"""The file of pinned keys: read only where nobody but root could have written it."""

import os
from pathlib import Path

import pytest

from handoffs.proof.pinned_keys import PinnedKeysRefused, read_pinned_keys
from tests.proof.authenticator import Authenticator, encoded

pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can make such a file")

KEY = Authenticator().cose


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(f'ada = ["{encoded(KEY)}"]\n"bob b" = ["{encoded(b"1")}==", "{encoded(b"2")}"]\n')
    path.chmod(0o644)
    return path


def test_the_keys_are_read_by_person(file: Path) -> None:
    assert read_pinned_keys(file) == {"ada": (KEY,), "bob b": (b"1", b"2")}


def test_a_file_or_folder_that_others_can_write_is_refused(file: Path) -> None:
    for place, mode, usual in ((file, 0o664, 0o644), (file, 0o646, 0o644), (file.parent, 0o777, 0o700)):
        place.chmod(mode)
        with pytest.raises(PinnedKeysRefused, match="written by others"):
            read_pinned_keys(file)
        place.chmod(usual)
    for place in (file, file.parent):
        os.chown(place, 12345, -1)
        with pytest.raises(PinnedKeysRefused, match=f"chown root {place}`"):
            read_pinned_keys(file)
        os.chown(place, 0, -1)
    read_pinned_keys(file)


def test_a_link_in_somebody_elses_folder_is_refused(file: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "keys.toml").symlink_to(file)
    read_pinned_keys(theirs / "keys.toml")
    os.chown(theirs, 12345, -1)
    with pytest.raises(PinnedKeysRefused, match="written by others"):
        read_pinned_keys(theirs / "keys.toml")


@pytest.mark.parametrize("text", ["ada", "ada = []", "ada = 'x'", "ada = [1]", "ada = ['?']", "[ada]\nkey = 'eA'"])
def test_a_file_that_says_something_else_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(PinnedKeysRefused, match="can't be used"):
        read_pinned_keys(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PinnedKeysRefused, match="can't be read"):
        read_pinned_keys(tmp_path / "none.toml")
