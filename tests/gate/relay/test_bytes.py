"""A gate that holds nothing, as a real process: every byte passes, in both directions."""

import json
import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.gate.relay.gates import RECORDER, gate


def request(number: int | str, **params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "x/y", "params": params}, ensure_ascii=False).encode()


def call(number: int, arguments: str = "{}") -> bytes:
    params = f'{{"name":"t","arguments":{arguments}}}'
    return f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{params}}}\n'.encode()


def test_every_byte_arrives_however_it_is_cut(tmp_path: Path) -> None:
    sent = [
        b"noise\r\n",
        b"\n",
        request(1, text="ä😀") + b"\r\n",
        b'  { "id" : 2 ,"jsonrpc":"2.0", "method":"later/method", "_meta":{"x":1.10,"y":1e400},"unknown":[] }\n',
        call(3, '{"n":1.0,"big":12345678901234567890,"text":"\\u00e4\\/","b":"ä"}'),
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}\n',
        b'{"jsonrpc":"2.0","id":"handoffs-gate:1","result":{}}\n',
        b'{"jsonrpc":"2.0","id":5,"method":"tools/list","params":{"cursor":"\\u0041"}}\n',
        b"[1,2]\n",
        request(6),
    ]
    data = b"".join(sent)
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        cut = random.Random(1)
        while data:
            size = cut.randrange(1, 40)
            running.write(data[:size])
            data = data[size:]
        answered = running.close().splitlines()
    assert (tmp_path / "got").read_bytes() == b"".join(sent)
    assert [json.loads(each)["id"] for each in answered] == [1, 2, 3, 5, 6]


def test_what_is_refused_is_answered_and_never_arrives(tmp_path: Path) -> None:
    twice = call(2).replace(b'"name":"t"', b'"name":"t","name":"u"')
    half = call(3, '{"a":"ä"}').replace(b"\xc3\xa4", b"\xc3")
    deep = call(4, '{"a":' + "[" * 10_000 + "]" * 10_000 + "}")
    batch = b"[" + call(5).strip() + b"]\n"
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(call(1), twice, half, deep, batch, call(6))
        found = [json.loads(running.read()) for _ in range(6)]
        running.close()
    assert (tmp_path / "got").read_bytes() == call(1) + call(6)
    refused = [each for each in found if isinstance(each, list) or "error" in each]
    assert [each[0]["id"] if isinstance(each, list) else each["id"] for each in refused] == [2, 3, 4, 5]
    assert [each["id"] for each in found if isinstance(each, dict) and "result" in each] == [1, 6]


def test_noise_on_the_servers_output_passes_and_replies_arrive_behind_it(tmp_path: Path) -> None:
    noise = ["Starting\n", "\xff\xfe half \xc3\n", "\r\n", "{not json}\n", "Content-Length: 900\n", "no end "]
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(request(1, noise=noise) + b"\n")
        assert b"".join(running.read() for _ in noise[:-1]) == "".join(noise[:-1]).encode("latin-1")
        assert running.read().startswith(b'no end {"result"')
        running.send(call(2))
        assert json.loads(running.read())["id"] == 2


@pytest.mark.parametrize("kind", ["call", "request"])
def test_a_line_of_64_mib_passes(kind: str, tmp_path: Path) -> None:
    text = "x" * (64 * 1024 * 1024)
    line = call(1, f'{{"text":"{text}"}}') if kind == "call" else request(1, text=text) + b"\n"
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(line)
        assert json.loads(running.read())["result"]["size"] == len(line)
    assert (tmp_path / "got").read_bytes() == line


def test_a_result_of_64_mib_passes() -> None:
    size = 64 * 1024 * 1024
    code = f"import sys; sys.stdin.readline(); sys.stdout.write('x' * {size} + '\\n')"
    with gate(sys.executable, "-c", code) as running:
        running.send(request(1) + b"\n")
        assert len(running.read()) == size + 1


def test_a_call_in_a_frame_is_read_and_refused_in_a_frame(tmp_path: Path) -> None:
    body = call(1, '{"a":1,"a":2}').strip()
    with gate(*RECORDER, str(tmp_path / "got")) as running:
        running.send(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        header = running.read()
        assert header.startswith(b"Content-Length: ")
        assert running.read() == b"\r\n"
        said = running.stdout.read(int(header.split(b":")[1]))
        assert json.loads(said)["error"]["message"].startswith("Not run")
        good = call(2).strip()
        running.send(b"Content-Length: %d\r\n\r\n%b\n" % (len(good), good))
        assert json.loads(running.read())["id"] == 2
    assert (tmp_path / "got").read_bytes() == b"Content-Length: %d\r\n\r\n%b\n" % (len(good), good)


FLOOD = """
import os, sys
sys.stdin.readline()
for number in range(4096):
    os.write(1, b"y" * 65535 + b"\\n")
    os.write(2, b"%d\\n" % number)
"""


def test_a_client_that_does_not_read_makes_the_server_wait(tmp_path: Path) -> None:
    with gate(sys.executable, "-c", FLOOD) as running:
        running.send(b"go\n")
        stderr = running.process.stderr
        assert stderr is not None
        written = os.read(stderr.fileno(), 65_536)
        before = _resident(running.process.pid)
        os.set_blocking(stderr.fileno(), False)
        written += _settled(stderr.fileno())
        assert int(written.split()[-1]) < 64  # of 4,096: what the pipes hold
        assert _resident(running.process.pid) - before < 16 * 1024
        os.set_blocking(stderr.fileno(), True)
        threading.Thread(target=stderr.read, daemon=True).start()
        with open(os.dup(running.stdout.fileno()), "rb") as buffered:
            assert [len(line) for line in buffered] == [65_536] * 4096


def _settled(fd: int) -> bytes:
    """What is written until nothing comes for a while."""
    written, quiet = b"", 0
    while quiet < 20:
        try:
            chunk = os.read(fd, 65_536)
        except BlockingIOError:
            chunk = b""
        written, quiet = written + chunk, 0 if chunk else quiet + 1
        time.sleep(0.05)
    return written


def _resident(pid: int) -> int:
    """KiB of memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_a_long_response_passes_while_it_comes() -> None:
    begins, text = b'{"jsonrpc":"2.0","id":1,"result":"', b"x" * 200_000
    code = f"""
import sys
sys.stdin.readline()
sys.stdout.write({begins.decode()!r} + "x" * {len(text)})
sys.stdout.flush()
sys.stdin.readline()
sys.stdout.write('"}}\\n{{}}\\n')
"""
    with gate(sys.executable, "-c", code) as running:
        running.send(b'{"jsonrpc":"2.0","id":1,"method":"resources/read"}\n')
        assert running.stdout.read(len(begins) + 100_000) == begins + text[:100_000]
        running.send(b"\n")
        assert running.read() == text[100_000:] + b'"}\n'
        assert running.read() == b"{}\n"
