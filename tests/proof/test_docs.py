"""docs/proof.md says what the code has, and its commands work."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from handoffs.core.events import EVENTS
from handoffs.core.leaf import fields_of
from handoffs.proof.checkpoint import opened
from handoffs.proof.notes import SigningKey
from tests.proof.sample_log import KEY, ORIGIN, signed, some

PAGE = (Path(__file__).parents[2] / "docs/proof.md").read_text("utf-8")
ENTRIES = some(600)


@pytest.mark.parametrize("part", ["facts", "committed"])
def test_every_field_of_every_event_is_explained(part: str) -> None:
    table = PAGE.partition(f"| in `{part}` |")[2].partition("\n\n")[0]
    cells = [row.split("|") for row in table.split("\n")[2:]]
    rows = {name.strip(" `"): set(re.findall(r"`(\w+)`", events)) for _, name, events, *_ in cells}
    expected: dict[str, set[str]] = {}
    for event in EVENTS:
        for name in fields_of(event)[part == "committed"]:
            expected.setdefault(name, set()).add(event.name)
    assert rows == expected


def test_the_checkpoint_that_is_shown_is_a_real_one() -> None:
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    assert opened(shown[1].encode(), [KEY.verifier]).checkpoint.size == 600


@pytest.mark.parametrize("tamper", [None, "size", "key"])
def test_openssl_verifies_the_signature_of_a_checkpoint(tmp_path: Path, tamper: str | None) -> None:
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no openssl here: apt-get install openssl")
    commands = re.search(r"```sh\n(sed .*?)```", PAGE, re.DOTALL)
    assert commands is not None
    for seed in range(4):
        key = SigningKey(ORIGIN, bytes([seed]) * 32)
        note = signed(ENTRIES, key)
        (tmp_path / "checkpoint").write_bytes(note.replace(b"600", b"601") if tamper == "size" else note)
        (tmp_path / "log.vkey").write_text(f"{KEY.verifier if tamper == 'key' else key.verifier}\n")
        done = subprocess.run(
            ["sh", "-c", commands[1]], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        said = "Signature Verified Successfully" if tamper is None else "Signature Verification Failure"
        assert (done.stdout.strip(), done.returncode) == (said, int(tamper is not None)), done.stderr
