import os
import subprocess
import sys
from pathlib import Path

import pytest

from handoffs.proof.keys import FILE, refuse_inside, signing_key
from handoffs.proof.refused import ProofRefused
from tests.proof.sample_log import ORIGIN, some
from tests.proof.sample_log import export as export_sample

MAKE = """
import sys
from pathlib import Path
from handoffs.proof.keys import signing_key
print("ready", flush=True)
sys.stdin.readline()
print(signing_key(Path(sys.argv[1]), sys.argv[2]).verifier)
"""


def test_a_key_is_made_once_in_a_file_that_its_user_alone_reads(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = signing_key(data, ORIGIN)
    assert made.verifier.name == ORIGIN
    assert [path.name for path in data.iterdir()] == [FILE]
    assert (data / FILE).read_text() == made.text()
    if os.name != "nt":
        assert (data / FILE).stat().st_mode & 0o777 == 0o600
        assert data.stat().st_mode & 0o777 == 0o700
        (data / FILE).chmod(0o644)
    # The name that it was made with stays.
    assert signing_key(data, "another.example/log").verifier == made.verifier
    if os.name != "nt":
        assert (data / FILE).stat().st_mode & 0o777 == 0o600
    assert signing_key(tmp_path / "other", ORIGIN).verifier != made.verifier


def test_processes_that_begin_at_once_get_the_same_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, str(data), ORIGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in started:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    said = {each.communicate(timeout=120)[0] for each in started}
    assert said == {f"{signing_key(data, ORIGIN).verifier}\n"}
    assert [path.name for path in data.iterdir()] == [FILE]


@pytest.mark.parametrize("kept", ["", "secret-without-form", "PRIVATE+KEY+a+00000000+AAAA"])
def test_a_file_that_holds_no_key_is_kept_and_named(tmp_path: Path, kept: str) -> None:
    (tmp_path / FILE).write_text(kept)
    with pytest.raises(ProofRefused, match=r"log\.key can't be used.*Put back the file from a backup") as refused:
        signing_key(tmp_path, ORIGIN)
    assert "secret" not in str(refused.value)
    assert (tmp_path / FILE).read_text() == kept


def test_the_key_is_in_no_exported_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    text = signing_key(data, ORIGIN).text()
    (tmp_path / "link").symlink_to(data)
    for folder in (data, tmp_path, tmp_path / "link", data / ".." / "data"):
        with pytest.raises(ProofRefused, match="holds the log's private key"):
            refuse_inside(folder, data)
    folder = tmp_path / "data" / "export"
    refuse_inside(folder, data)
    export_sample(folder, some(5))
    assert all(text.encode() not in path.read_bytes() for path in folder.rglob("*") if path.is_file())
