"""Policies and calls for the tests of the gate's policy."""

from pathlib import Path

import pytest

from handoffs.gate.policy import Call, Policy, PolicyError, load_policy


def written(folder: Path, text: str) -> Policy:
    """Return the policy that a file with this text says."""
    path = folder / "gate.toml"
    path.write_text(text, "utf-8")
    return load_policy(path)


def refused(folder: Path, text: str) -> PolicyError:
    """Return why a file with this text is no policy."""
    with pytest.raises(PolicyError) as caught:
        written(folder, text)
    assert caught.value.file == str(folder / "gate.toml")
    return caught.value


def call(tool: str = "read_file", /, server: str = "files", **changes: object) -> Call:
    """Return a call of a tool."""
    given: dict[str, object] = {"server": server, "tool": tool, "arguments": {}}
    return Call(**(given | changes))  # type: ignore[arg-type]
