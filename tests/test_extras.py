"""What a person is told to type when an extra is missing: right for how this copy was installed."""

import json
import shlex
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from handoffs.extras import _command, _source_of, command_to_add  # pyright: ignore[reportPrivateUsage]

INDEX = None
FOLDER = {"url": "file:///srv/my%20code/handoffs", "dir_info": {}}
EDITABLE = {"url": "file:///srv/handoffs", "dir_info": {"editable": True}}
GIT = {"url": "https://git.example/handoffs", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}
GIT_SECRET = {"url": "https://ada:hush@git.example/handoffs", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}
WHEEL = {"url": "file:///srv/handoffs-1-py3-none-any.whl", "archive_info": {"hash": "sha256=0"}}


def told(folder: Path, origin: object, marker: str, extras: tuple[str, ...] = ("notify",)) -> str:
    """The command for a copy that was installed from there, by what leaves this mark."""
    metadata, prefix = folder / "handoffs-1.dist-info", folder / "prefix"
    metadata.mkdir()
    prefix.mkdir()
    if origin is not None:
        (metadata / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))
    if marker:
        (prefix / marker).touch()
    return _command(_source_of(Distribution.at(metadata)), extras, prefix=prefix, python="/opt/a b/python")


@pytest.mark.parametrize(
    ("origin", "marker", "command"),
    [
        (INDEX, "uv-receipt.toml", "uv tool install 'handoffs[notify]'"),
        (FOLDER, "uv-receipt.toml", "uv tool install '/srv/my code/handoffs[notify]'"),
        (EDITABLE, "uv-receipt.toml", "uv tool install --editable '/srv/handoffs[notify]'"),
        (INDEX, "pipx_metadata.json", "pipx install --force 'handoffs[notify]'"),
        (GIT, "pipx_metadata.json", "pipx install --force 'handoffs[notify] @ git+https://git.example/handoffs'"),
        (WHEEL, "uv-receipt.toml", "uv tool install 'handoffs[notify] @ file:///srv/handoffs-1-py3-none-any.whl'"),
        (GIT_SECRET, "uv-receipt.toml", "uv tool install 'handoffs[notify]'"),
        ("{", "uv-receipt.toml", "uv tool install 'handoffs[notify]'"),
        (INDEX, "../CACHEDIR.TAG", "uvx --from 'handoffs[notify]' handoffs …"),
    ],
)
def test_the_command_is_for_what_installed_it_and_from_where(
    origin: object, marker: str, command: str, tmp_path: Path
) -> None:
    assert told(tmp_path, origin, marker) == command


@pytest.mark.parametrize("has_pip", [True, False])
def test_in_any_other_environment_it_is_pips_or_where_there_is_none_uvs(
    has_pip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handoffs.extras.find_spec", lambda name: name if has_pip else None)
    assert told(tmp_path, INDEX, "", ("notify", "postgres")) == (
        "'/opt/a b/python' -m pip install 'handoffs[notify,postgres]'"
        if has_pip
        else "uv pip install --python '/opt/a b/python' 'handoffs[notify,postgres]'"
    )


def test_here_the_installer_takes_the_command_and_it_keeps_the_extras() -> None:
    typed = command_to_add("notify")
    assert "[" in typed
    assert {"notify", "postgres"} <= set(typed.rpartition("[")[2].rstrip("]'").split(","))
    words = shlex.split(typed)
    if words[0] == "uv":
        tried = subprocess.run([*words, "--dry-run", "--offline", "--no-deps"], capture_output=True, text=True)
    else:
        tried = subprocess.run([*words, "--dry-run", "--no-deps"], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    assert sys.executable in words
