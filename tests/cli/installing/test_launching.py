"""The command that a host is given."""

import sys
import sysconfig
from pathlib import Path

import pytest

from handoffs.cli.installing.launching import Launch, given, is_ours, running
from handoffs.console import UsageError


def script(folder: Path, name: str = "handoffs") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_started_script_is_named_in_full_and_not_what_it_links_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = script(tmp_path / "tools" / "handoffs" / "bin")
    link = tmp_path / "bin" / "handoffs"
    link.parent.mkdir()
    link.symlink_to(real)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["bin/handoffs", "install"])
    assert running({}) == Launch(str(link))


def test_a_module_run_names_the_installations_script_or_else_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/handoffs/__main__.py"])
    path = script(tmp_path / "bin")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "bin"))
    assert running({}) == Launch(str(path))
    path.unlink()
    assert running({}) == Launch(sys.executable, ("-m", "handoffs"))


def test_from_a_cache_it_is_uvx_and_never_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from handoffs.cli.installing import launching

    class Released:
        @staticmethod
        def read_text(name: str) -> str | None:
            return None

    class FromAFolder:
        @staticmethod
        def read_text(name: str) -> str | None:
            return "{}"

    cache = tmp_path / "cache"
    (cache / "archive-v0" / "abc").mkdir(parents=True)
    (cache / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    monkeypatch.setattr(sys, "prefix", str(cache / "archive-v0" / "abc"))
    monkeypatch.setattr(launching, "distribution", lambda name: Released())
    uv, uvx = script(tmp_path / "bin", "uv"), script(tmp_path / "bin", "uvx")
    assert running({"UV": str(uv)}) == Launch(str(uvx), ("handoffs",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="runs from a cache"):
        running({})
    # What was fetched from somewhere else than an index would be another program under the same name.
    monkeypatch.setattr(launching, "distribution", lambda name: FromAFolder())
    with pytest.raises(UsageError, match="runs from a cache"):
        running({"UV": str(uv)})


def test_a_command_of_ones_own_is_taken_as_it_is() -> None:
    assert given("uvx --from 'handoffs[notify]' handoffs") == Launch("uvx", ("--from", "handoffs[notify]", "handoffs"))
    assert given(r'"C:\Program Files\h\handoffs.exe" serve', "win32") == Launch(
        r"C:\Program Files\h\handoffs.exe", ("serve",)
    )
    for wrong in ("", "  ", "'open", "''"):
        with pytest.raises(UsageError, match="--command"):
            given(wrong)


@pytest.mark.parametrize(
    ("command", "args", "ours"),
    [
        ("handoffs", None, True),
        ("/opt/bin/handoffs", [], True),
        (r"C:\Users\Ada\handoffs.exe", [], True),
        ("uvx", ["handoffs"], True),
        ("uvx", ["--from", "handoffs[notify]==1.2", "handoffs"], True),
        ("/usr/bin/python3", ["-m", "handoffs"], True),
        ({"path": "handoffs", "args": []}, None, True),
        ("npx", ["handoffs-for-all"], False),
        ("handoffs-proxy", [], False),
        (None, "handoffs", False),
        (7, [7], False),
    ],
)
def test_a_command_of_ours_is_recognised(command: object, args: object, ours: bool) -> None:
    assert is_ours(command, args) is ours
