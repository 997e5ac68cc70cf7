"""How a gate and the server behind it end: with words for what waits, and no process left."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gate.relay.gates import GATE, RECORDER, gate

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux tells a child of its parent's death")

LIVES = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in sys.argv else signal.SIG_DFL)
print('{"pid":%d}' % os.getpid(), flush=True)
while True:
    if not sys.stdin.readline() and "deaf" not in sys.argv:
        break
    if "deaf" in sys.argv:
        signal.pause()
sys.exit(7)
"""
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print('{"pid":%d}' % child.pid, flush=True)
sys.stdin.readline()
"""


def until(true: Callable[[], bool]) -> None:
    """Wait, a minute at most."""
    for _ in range(6_000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it took a minute")


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def request(number: object, method: str = "x/y", **params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


def call(number: int) -> bytes:
    return request(number, "tools/call", name="t", arguments={})


def test_a_command_that_is_not_found_is_said_to_the_first_request() -> None:
    with gate("no-such-command-anywhere") as running:
        running.send(request(1, "initialize"))
        found = json.loads(running.read())
        assert (found["id"], found["error"]["code"]) == (1, -32000)
        assert "no command no-such-command-anywhere" in found["error"]["message"]
        assert running.process.wait(30) == 127


def test_a_command_that_may_not_be_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with gate(str(tmp_path / "file")) as running:
        running.send(request(1))
        assert "could not be started: Permission denied" in json.loads(running.read())["error"]["message"]
        assert running.process.wait(30) == 126


def test_a_client_that_leaves_ends_a_gate_without_a_server() -> None:
    with gate("no-such-command-anywhere") as running:
        assert running.close() == b""
        assert running.process.wait(30) == 127


@pytest.mark.parametrize("code", [0, 3])
def test_a_server_that_ends_at_start_is_said_to_the_first_request(code: int) -> None:
    with gate(sys.executable, "-c", f"raise SystemExit({code})") as running:
        running.send(request("a"))
        found = json.loads(running.read())
        assert (found["id"], found["error"]["message"]) == (
            "a",
            f"Not answered: the server behind has ended with exit code {code}.",
        )
        assert running.process.wait(30) == code


def test_all_that_waits_is_answered_at_once_when_the_server_dies_in_a_call(tmp_path: Path) -> None:
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(request(1))
        assert "result" in json.loads(running.read())
        wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with gate(*wait) as running:
        running.send(request(1), call(2), request("3"), b'{"jsonrpc":"2.0","id":9,"result":{}}\n')
        (behind,) = _children(running.process.pid)
        until(lambda: _waits_for_input(behind))
        os.kill(behind, signal.SIGKILL)
        found = [json.loads(running.read()) for _ in range(3)]
        assert [each["id"] for each in found] == [1, 2, "3"]
        assert {each["error"]["message"] for each in found} == {"Not answered: the server behind was ended by SIGKILL."}
        assert running.read() == b""
        assert running.process.wait(30) == 128 + 9


def test_what_a_server_says_last_arrives_and_its_exit_code_is_the_gates(tmp_path: Path) -> None:
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(request(1, noise=["last words\n"], exit=5))
        assert running.read() == b"last words\n"
        assert json.loads(running.read())["error"]["message"].endswith("exit code 5.")
        assert running.process.wait(30) == 5


HALVES = [
    "half a line",
    '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"te',
    '{"jsonrpc":"2.0","id":1,"result":"' + "x" * 3_000,
    '{"result":{"a":{},"id":1}',
]


@pytest.mark.parametrize("half", HALVES)
def test_half_a_response_is_no_answer_and_is_not_passed_on(half: str, tmp_path: Path) -> None:
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(request(1, noise=["noise\n", half], exit=5))
        assert running.read() == b"noise\n"
        found = json.loads(running.read())
        assert (found["id"], found["error"]["code"]) == (1, -32000)
        assert running.read() == b""


def test_half_a_response_of_a_server_that_lives_on_is_no_answer() -> None:
    code = f"import os, time; os.write(1, {HALVES[1].encode()!r}); os.close(1); time.sleep(600)"
    with gate(sys.executable, "-c", code) as running:
        running.send(request(1))
        assert "ended by SIGTERM" in json.loads(running.read())["error"]["message"]
        assert running.read() == b""


@pytest.mark.parametrize("size", [1, 3_000])
def test_a_whole_response_that_no_newline_ends_is_an_answer(size: int, tmp_path: Path) -> None:
    whole = '{"jsonrpc":"2.0","id":1,"result":"' + "x" * size + '"}'
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(request(1, noise=[whole], exit=5))
        assert running.read() == whole.encode() + b"\n"
        assert running.read() == b""


def test_half_a_long_response_is_no_answer(tmp_path: Path) -> None:
    half = '{"jsonrpc":"2.0","id":1,"result":"' + "x" * 300_000
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(request(1, noise=[half], exit=5))
        assert running.read() == half.encode() + b"\n"
        assert json.loads(running.read())["error"]["message"].endswith("exit code 5.")


def test_a_server_that_closes_its_output_is_ended() -> None:
    code = "import os, time; os.close(1); time.sleep(600)"
    with gate(sys.executable, "-c", code) as running:
        running.send(request(1))
        assert "ended by SIGTERM" in json.loads(running.read())["error"]["message"]
        assert running.process.wait(30) == 128 + 15


def test_a_cancelled_request_waits_no_more(tmp_path: Path) -> None:
    with gate(sys.executable, "-c", "import sys; [sys.stdin.readline() for _ in range(3)]") as running:
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        running.send(request(1), json.dumps(cancel).encode() + b"\n", request(2))
        assert json.loads(running.read())["id"] == 2
        assert running.read() == b""


@linux
@pytest.mark.parametrize(("kind", "code"), [("", 7), ("deaf", 128 + 9)])
def test_the_server_ends_with_the_clients_input(kind: str, code: int) -> None:
    with gate(sys.executable, "-c", LIVES, kind) as running:
        behind = json.loads(running.read())["pid"]
        running.close()
        assert running.process.wait(30) == code
        assert not lives(behind)


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("kind", ["", "deaf"])
def test_a_signal_to_the_gate_ends_both(number: signal.Signals, kind: str) -> None:
    with gate(sys.executable, "-c", LIVES, kind) as running:
        behind = json.loads(running.read())["pid"]
        running.process.send_signal(number)
        assert running.process.wait(30) in {7, 128 + 15, 128 + 9}
        assert not lives(behind)


@linux
@pytest.mark.parametrize("kind", ["", "deaf"])
def test_a_gate_that_is_killed_leaves_no_child(kind: str) -> None:
    with gate(sys.executable, "-c", LIVES, kind) as running:
        behind = json.loads(running.read())["pid"]
        assert lives(behind)
        running.process.kill()
        until(lambda: not lives(behind))


@linux
def test_what_the_server_has_started_ends_with_it() -> None:
    with gate(sys.executable, "-c", PARENT) as running:
        grandchild = json.loads(running.read())["pid"]
        assert lives(grandchild)
        running.send(b"end\n")
        assert running.process.wait(30) == 0
        until(lambda: not lives(grandchild))


@linux
def test_a_process_that_keeps_the_output_open_holds_nothing_up() -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print('{\"pid\":%d}' % child.pid, flush=True); sys.stdin.readline(); print('last', flush=True)"
    )
    with gate(sys.executable, "-c", code) as running:
        daemon = json.loads(running.read())["pid"]
        try:
            running.send(b"end\n")
            assert running.read() == b"last\n"
            assert running.process.wait(30) == 0
        finally:
            os.kill(daemon, signal.SIGKILL)


@linux
def test_200_starts_leave_no_process() -> None:
    server = ["sh", "-c", "echo $$; read line"]
    behind: list[int] = []
    for number in range(20):
        started = [subprocess.Popen([*GATE, *server], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(10)]
        for process in started:
            assert process.stdin is not None
            assert process.stdout is not None
            behind.append(int(process.stdout.readline()))
            if number % 3 == 0:
                process.kill()
            process.stdin.close()
        for process in started:
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()
    assert len(behind) == 200
    until(lambda: not any(lives(pid) for pid in behind))


@linux
def test_on_a_terminal_the_gate_ends_with_the_server() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*GATE, sys.executable, "-c", "print('hello')"], stdin=theirs, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.read() == b"hello\n"
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
        if process.stdout is not None:
            process.stdout.close()


def test_files_are_relayed(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(request(1) + call(2))
    with (tmp_path / "in").open("rb") as sent, (tmp_path / "out").open("wb") as said:
        command = [*GATE, *RECORDER, str(tmp_path / "got")]
        assert subprocess.run(command, stdin=sent, stdout=said, timeout=60, check=False).returncode == 0
    assert (tmp_path / "got").read_bytes() == request(1) + call(2)
    assert [json.loads(each)["id"] for each in (tmp_path / "out").read_text().splitlines()] == [1, 2]


def _children(pid: int) -> list[int]:
    found: list[int] = []

    def there() -> bool:
        found[:] = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return bool(found)

    until(there)
    return found


def _waits_for_input(pid: int) -> bool:
    """Whether a process has taken all that was sent, and reads on."""
    return Path(f"/proc/{pid}/wchan").read_text() in {"pipe_read", "anon_pipe_read", "0"}
