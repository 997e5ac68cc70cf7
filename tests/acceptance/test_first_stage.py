"""A second start answers from what the first one kept, before anything is imported; and hands the pipe over whole."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from handoffs.first_stage import snapshot
from handoffs.first_stage.snapshot import FOLDER, SnapshotFile
from tests.acceptance.processes import HANDOFFS, Home

MARK = "An instruction that the server itself does not give."
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "codex", "version": "1"},
}


def request(number: int, method: str, params: Any = None) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, **({} if params is None else {"params": params})}
    return json.dumps(message).encode() + b"\n"


FIRST = [
    request(0, "initialize", INITIALIZE),
    b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n',
    request(1, "tools/list"),
    request(2, "prompts/list"),
]
CALL = request(3, "tools/call", {"name": "check_handoff", "arguments": {"handoff_id": "h_aaaaaaaaaaaaaaaaaaaaaa"}})


def start(home: Home, *lines: bytes) -> tuple[dict[int, dict[str, Any]], str, int]:
    """Send all of it, and close the pipe once all is answered: what was answered, what was said, and how it ended."""
    written, said, code = exchanged(home, lines)
    messages = [json.loads(line) for line in written.splitlines()]
    assert len({message["id"] for message in messages}) == len(messages)
    return {message["id"]: message for message in messages}, said, code


def exchanged(home: Home, lines: Sequence[bytes]) -> tuple[bytes, str, int]:
    requests = sum(b'"id"' in line for line in lines)
    with subprocess.Popen(
        [*HANDOFFS, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home.env,
        cwd=home.folder,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"".join(lines))
        process.stdin.flush()
        written = b""
        while written.count(b'{"jsonrpc"') < requests and (chunk := os.read(process.stdout.fileno(), 65_536)):
            written += chunk
        process.stdin.close()
        written += process.stdout.read()
        return written, process.stderr.read().decode(), process.wait(timeout=60)


def snapshots(home: Home) -> list[Path]:
    return sorted((home.folder / "data" / "handoffs" / FOLDER).glob("*.json"))


def marked(home: Home) -> Path:
    """Change what is kept, and seal it again: so an answer tells whether it came from there."""
    [path] = snapshots(home)
    file = SnapshotFile(str(path), path.with_name("key").read_bytes(), time.time_ns())
    body = json.loads(path.read_bytes().partition(b"\n")[2])
    for key, answer in body["answers"].items():
        result = json.loads(answer)
        if "instructions" in result:
            body["answers"][key] = json.dumps(result | {"instructions": MARK})
    snapshot.save(file, body["answers"], list(body["stamps"]))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home in which a server was started once."""
    made = Home(tmp_path)
    answers, _, code = start(made, *FIRST)
    assert (sorted(answers), code) == ([0, 1, 2], 0)
    assert len(snapshots(made)) == 1
    return made


def test_it_answers_from_there_once_and_says_so_where_the_server_differs(home: Home) -> None:
    path = marked(home)
    answers, said, code = start(home, *FIRST, CALL)
    assert (sorted(answers), code) == ([0, 1, 2, 3], 0)
    assert answers[0]["result"]["instructions"] == MARK
    assert "are not what this server answers now" in said
    assert not path.exists()
    again, said, code = start(home, *FIRST, CALL)
    assert again[0]["result"]["instructions"] != MARK
    assert ({**again, 0: None}, said, code) == ({**answers, 0: None}, "", 0)


def test_a_start_without_a_difference_says_nothing_and_changes_nothing(home: Home) -> None:
    [path] = snapshots(home)
    before = path.read_bytes()
    assert start(home, *FIRST, CALL)[1:] == ("", 0)
    assert path.read_bytes() == before


def test_every_message_gets_one_answer_however_it_is_framed(home: Home) -> None:
    marked(home)
    framed = [b"Content-Length: %d\r\n\r\n%b" % (len(line), line) for line in (*FIRST, CALL)]
    written, _, _ = exchanged(home, framed)
    bodies = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in written.split(b"Content-Length: ")[1:]]
    assert [body["id"] for body in bodies] == [0, 1, 2, 3]
    assert bodies[0]["result"]["instructions"] == MARK


def test_the_pipe_changes_hands_without_a_second_answer_or_a_lost_one(home: Home) -> None:
    """Requests come all the while that the server takes over."""
    with subprocess.Popen(
        [*HANDOFFS, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=home.env, cwd=home.folder, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(FIRST))
        numbers, written, asked = iter(range(10, 100_000)), b"", 3
        while b'"id":3,' not in written:  # the call, which the server itself answers
            process.stdin.write(request(next(numbers), "ping"))
            asked += 1
            if asked == 40:
                process.stdin.write(CALL)
                asked += 1
            while select.select([process.stdout], [], [], 0.001)[0]:
                written += os.read(process.stdout.fileno(), 65_536)
        while written.count(b"\n") < asked and (chunk := os.read(process.stdout.fileno(), 65_536)):
            written += chunk
        process.stdin.close()
        written += process.stdout.read()
    answered = [json.loads(line)["id"] for line in written.splitlines()]
    assert len(answered) == asked
    assert len(set(answered)) == asked


def test_a_last_line_without_an_end_is_answered(home: Home) -> None:
    """Its answer may come too late for who has closed both ends, but it reaches the server."""
    written = subprocess.run(
        [*HANDOFFS, "serve"], input=b"".join(FIRST).rstrip(b"\n"), capture_output=True, env=home.env, cwd=home.folder,
        timeout=60, check=True,
    ).stdout  # fmt: skip
    assert [json.loads(line)["id"] for line in written.splitlines()][:2] == [0, 1]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_client_that_does_not_read_is_served_and_misses_nothing(home: Home, blocking: bool) -> None:
    marked(home)
    lists = [request(10 + number, "tools/list") for number in range(40)]
    ask = request(3, "tools/call", {"name": "handoff_to_user", "arguments": {"message": "Do you read?"}})
    ours, its = os.pipe()
    os.set_blocking(its, blocking)
    with subprocess.Popen(
        [*HANDOFFS, "serve"], stdin=subprocess.PIPE, stdout=its, env=home.env, cwd=home.folder
    ) as process:
        os.close(its)
        assert process.stdin is not None
        process.stdin.write(b"".join([*FIRST, *lists, ask]))
        process.stdin.flush()
        waited = time.monotonic() + 30
        while "Do you read?" not in home.run("list", "--json").stdout:
            assert time.monotonic() < waited, "it is not asked"
        written = b""
        while written.count(b"\n") < len(lists) + 3:
            assert select.select([ours], [], [], 30)[0], f"no more after {written[-200:]!r}"
            written += os.read(ours, 65_536)
        process.kill()
    os.close(ours)
    assert {json.loads(line)["id"] for line in written.splitlines()} >= {0, 1, 2, *range(10, 50)}
    assert MARK.encode() in written


def test_a_client_that_goes_at_once_leaves_a_process_that_ends(home: Home) -> None:
    assert start(home, FIRST[0])[2] == 0
    assert start(home)[2] == 0


def _setting(home: Home) -> None:
    home.extra["HANDOFFS_PERMISSION_TOOL"] = "on"


def _configuration(home: Home) -> None:
    folder = home.folder / "config" / "handoffs"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('permission_tool = "on"\n')


def _seal(home: Home) -> None:
    [path] = snapshots(home)
    path.write_bytes(path.read_bytes().replace(b"An instruction", b"No instruction"))


def _key(home: Home) -> None:
    (home.folder / "data" / "handoffs" / FOLDER / "key").unlink()


def _open_to_all(home: Home) -> None:
    snapshots(home)[0].chmod(0o666)


@pytest.mark.parametrize("change", [_setting, _configuration, _seal, _key, _open_to_all])
def test_where_anything_is_another_the_server_itself_answers(home: Home, change: Callable[[Home], None]) -> None:
    marked(home)
    change(home)
    answers, said, code = start(home, *FIRST)
    assert (len(answers), said, code) == (3, "", 0)
    assert answers[0]["result"]["instructions"] != MARK


@pytest.mark.parametrize("client", [{"name": "codex", "version": "2"}, {"name": "other", "version": "1"}])
def test_another_client_or_version_is_answered_by_the_server_itself(home: Home, client: dict[str, str]) -> None:
    marked(home)
    other = request(0, "initialize", INITIALIZE | {"clientInfo": client})
    answers, said, code = start(home, other, *FIRST[1:])
    assert (len(answers), said, code) == (3, "", 0)
    assert answers[0]["result"]["instructions"] != MARK
    assert start(home, *FIRST)[0][0]["result"]["instructions"] == MARK


@pytest.mark.parametrize("bad", [{"HANDOFFS_STOR": "x"}, {"HANDOFFS_INBOX": "perhaps"}])
def test_a_bad_setting_still_stops_the_start(home: Home, bad: dict[str, str]) -> None:
    home.extra.update(bad)
    answers, said, code = start(home, *FIRST)
    assert (answers, code) == ({}, 2)
    assert next(iter(bad)) in said


def test_a_folder_that_can_not_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "data").write_text("no folder")
    answers, _, code = start(home, *FIRST)
    assert (sorted(answers), code) == ([0, 1, 2], 0)


def test_a_client_that_probes_and_falls_back_is_answered_in_both_eras(home: Home) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "codex", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    probe = request(8, "server/discover", {"_meta": meta})
    first, _, _ = start(home, probe, *FIRST)
    marked(home)
    second, said, code = start(home, probe, *FIRST, CALL)
    assert sorted(first) == [0, 1, 2, 8]
    assert sorted(second) == [0, 1, 2, 3, 8]
    for number, real in first.items():
        kept = second[number]["result"]
        if "instructions" in kept:
            assert kept["instructions"] == MARK
        assert kept | {"instructions": ""} == real["result"] | {"instructions": ""}
    assert "are not what this server answers now" in said
    assert code == 0
