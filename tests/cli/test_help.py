"""What `--help` lists."""

from pathlib import Path

import pytest

from tests.acceptance.processes import Home


@pytest.mark.parametrize("group", ["", "db", "gate", "log", "notify", "people", "token"])
def test_each_command_is_summed_up_whole(tmp_path: Path, group: str) -> None:
    words = Home(tmp_path).run(*group.split(), "--help").stdout
    commands = words.split("Commands:\n")[1].splitlines()
    assert commands
    assert [line for line in commands if line.endswith("...") or len(line) > 79] == []
