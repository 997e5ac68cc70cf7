"""A snapshot holds until something changes that it was made from; what somebody else could have written does not."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from handoffs.first_stage.snapshot import FOLDER, MAX_ANSWERS, MAX_FILES, SnapshotFile, file_of, load, remove, save

ENV = {"HANDOFFS_STORE": "x.db", "HOME": "/home/ada", "COLUMNS": "80"}


def file_in(data: Path, **environ: str) -> SnapshotFile:
    file = file_of(str(data), ENV | environ)
    assert file is not None
    return file


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "part" / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("1")
    (folder / "part" / "b.py").write_text("2")
    return folder


def test_what_was_kept_is_there_for_the_next_start(tmp_path: Path, package: Path) -> None:
    file = file_in(tmp_path)
    assert load(file) is None
    save(file, {"a": "{}"}, [str(package)])
    save(file, {"b": '{"tools":[]}'}, [str(package)])
    assert load(file_in(tmp_path, COLUMNS="100")) == {"a": "{}", "b": '{"tools":[]}'}
    remove(file)
    remove(file)
    assert load(file) is None


@pytest.mark.parametrize(
    "environ",
    [{"HANDOFFS_STORE": "y.db"}, {"HANDOFFS_PERMISSION_TOOL": "off"}, {"XDG_CONFIG_HOME": "/x"}, {"HOME": "/"}],
)
def test_other_settings_have_another_place(tmp_path: Path, environ: dict[str, str]) -> None:
    assert file_in(tmp_path, **environ).path != file_in(tmp_path).path


def test_a_setting_can_not_be_guessed_from_the_name_of_the_file(tmp_path: Path) -> None:
    """The name is made with a key, so who sees it can't try passwords."""
    assert Path(file_in(tmp_path / "one").path).name != Path(file_in(tmp_path / "two").path).name


def test_another_python_or_installation_has_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir()
    monkeypatch.syspath_prepend(str(installed))
    before = file_in(tmp_path)
    os.utime(installed, (1, 1))
    assert file_in(tmp_path).path != before.path
    (installed / "extra.dist-info").mkdir()
    added = file_in(tmp_path)
    assert added.path != before.path
    monkeypatch.setattr("sys.version", "3.99")
    assert file_in(tmp_path).path != added.path


def test_a_file_that_comes_in_the_working_folder_is_no_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m handoffs` has it in its path."""
    monkeypatch.chdir(tmp_path)
    for path in ("", str(tmp_path)):
        monkeypatch.syspath_prepend(path)
        before = file_in(tmp_path / "data")
        os.utime(tmp_path, (1, 1))
        assert file_in(tmp_path / "data").path == before.path


def _edit(package: Path) -> None:
    (package / "a.py").write_text("10")


def _same_size(package: Path) -> None:
    (package / "part" / "b.py").write_text("3")
    os.utime(package / "part" / "b.py")


def _add(package: Path) -> None:
    (package / "part" / "c.py").touch()


def _remove(package: Path) -> None:
    (package / "a.py").unlink()


@pytest.mark.parametrize("change", [_edit, _same_size, _add, _remove])
def test_a_changed_file_of_a_package_ends_it(tmp_path: Path, package: Path, change: Callable[[Path], None]) -> None:
    file = file_in(tmp_path)
    save(file, {"a": "{}"}, [str(package)])
    change(package)
    assert load(file) is None
    save(file, {"b": "{}"}, [str(package)])
    if change is not _remove:  # of which there is no trace
        assert load(file) is None, "it changed while the process ran, which may have read it before or after"
    later = file_in(tmp_path)
    save(later, {"b": "{}"}, [str(package)])
    assert load(later) == {"b": "{}"}


def test_bytecode_does_not(tmp_path: Path, package: Path) -> None:
    file = file_in(tmp_path)
    save(file, {"a": "{}"}, [str(package)])
    (package / "part" / "__pycache__" / "b.pyc").write_text("x")
    assert load(file) == {"a": "{}"}


def test_a_changed_configuration_ends_it_by_its_bytes(tmp_path: Path) -> None:
    file, config = file_in(tmp_path), tmp_path / "config.toml"
    save(file, {"a": "{}"}, [str(config)])
    assert load(file) == {"a": "{}"}
    config.write_text("inbox = 'off'")
    assert load(file) is None
    file = file_in(tmp_path)
    save(file, {"a": "{}"}, [str(config)])
    written = config.stat()
    config.write_text("inbox = 'on' ")
    os.utime(config, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert load(file) is None


def _words(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes().replace(b"The tools", b"The fools"))


def _cut(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:-1])


def _empty(kept: Path) -> None:
    kept.write_bytes(b"")


def _open_to_all(kept: Path) -> None:
    kept.chmod(0o644)


def _link(kept: Path) -> None:
    kept.rename(kept.with_name("elsewhere"))
    kept.symlink_to("elsewhere")


def _other_key(kept: Path) -> None:
    body = kept.read_bytes().partition(b"\n")[2]
    kept.write_bytes(b"0" * 64 + b"\n" + body)


@pytest.mark.parametrize("change", [_words, _cut, _empty, _open_to_all, _link, _other_key])
def test_what_somebody_changed_is_not_used(tmp_path: Path, change: Callable[[Path], None]) -> None:
    file = file_in(tmp_path)
    save(file, {"a": '"The tools"'}, [])
    kept = Path(file.path)
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    change(kept)
    assert load(file) is None


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_nothing_is_kept_in_a_folder_that_others_may_write_to(tmp_path: Path, mode: int) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER).chmod(mode)
    assert file_of(str(tmp_path), ENV) is None


def test_nothing_is_kept_where_the_key_is_no_key(tmp_path: Path) -> None:
    file_in(tmp_path)
    (tmp_path / FOLDER / "key").write_bytes(b"short")
    assert file_of(str(tmp_path), ENV) is None


def test_nothing_is_kept_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    assert file_of(str(tmp_path / "data"), ENV) is None


def test_one_file_holds_a_dozen_clients_and_then_begins_anew(tmp_path: Path) -> None:
    file = file_in(tmp_path)
    save(file, {str(number): "{}" for number in range(MAX_ANSWERS)}, [])
    assert len(load(file) or {}) == MAX_ANSWERS
    save(file, {"one more": "{}"}, [])
    assert load(file) == {"one more": "{}"}


def test_the_newest_files_stay(tmp_path: Path) -> None:
    files = [file_in(tmp_path, HANDOFFS_STORE=f"{number}.db") for number in range(MAX_FILES + 3)]
    for number, file in enumerate(files):
        save(file, {"a": "{}"}, [])
        os.utime(file.path, ns=(0, time.time_ns() - (len(files) - number) * 10**9))
    save(files[-1], {"b": "{}"}, [])
    assert [load(file) is not None for file in files] == [False] * 3 + [True] * MAX_FILES


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    place = file_in(tmp_path)
    save(place, {"a": json.dumps("x" * 5_000)}, [])
    assert load(place) is not None
    assert load(place, max_bytes=1_000) is None
