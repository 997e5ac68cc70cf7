"""What strangers on this machine can do to a server by connecting to it: nothing. Real processes, with few files."""

import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.processes import HANDOFFS, Home
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc says what a process has")

FILES = 700
"""Open files that a server is allowed here: half of them for connections."""


@asynccontextmanager
async def started(home: Home, *arguments: str) -> AsyncGenerator[tuple[subprocess.Popen[bytes], str]]:
    """A server that may have few files, and its address."""

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, FILES))

    log = home.folder / "said.txt"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*HANDOFFS, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=home.env,
            cwd=home.folder,
            preexec_fn=few,
        )
    try:
        await until(lambda: "http://" in log.read_text() or process.poll() is not None)
        found = re.search(r"http://(?:127\.0\.0\.1|localhost):\d+", log.read_text())
        assert found is not None, log.read_text()
        yield process, found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, {"DISPLAY": "", "WAYLAND_DISPLAY": ""})


@pytest.mark.parametrize(
    "arguments", [("inbox", "--no-browser"), ("serve", "--http", "127.0.0.1:0")], ids=lambda a: a[0]
)
async def test_a_server_answers_whatever_number_of_connections_say_nothing(
    arguments: tuple[str, ...], home: Home
) -> None:
    async with started(home, *arguments) as (process, url), httpx.AsyncClient(timeout=20) as browser:
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(rf"Max open files +{FILES} ", limits)  # asked for, as far as it may
        assert (await browser.get(f"{url}/readyz")).status_code == 200
        with ExitStack() as clients:
            kept = clients.enter_context(connected(url))
            kept.sendall(b"GET /")
            idle = [clients.enter_context(connected(url)) for _ in range(FILES + FILES // 4)]
            for number in range(3):
                async with httpx.AsyncClient(timeout=20) as another:
                    assert (await another.get(f"{url}/readyz")).status_code == 200, number
            await until(lambda: sum(map(is_closed, idle)) >= len(idle) - FILES // 2)
            assert is_closed(kept)
            assert not is_closed(idle[-1])
        assert process.poll() is None
    assert "Traceback" not in (home.folder / "said.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "path", "kind"),
    [
        (("inbox", "--no-browser"), "/sign-in", "application/x-www-form-urlencoded"),
        (("serve", "--http", "127.0.0.1:0"), "/mcp", "application/json"),
    ],
    ids=["inbox", "serve"],
)
async def test_a_request_that_breaks_off_is_no_error(
    arguments: tuple[str, ...], path: str, kind: str, home: Home
) -> None:
    async with started(home, *arguments) as (_, url), httpx.AsyncClient(timeout=20) as browser:
        token = f"Authorization: Bearer {home.local_token.read_text().strip()}\r\n" if path == "/mcp" else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: {kind}\r\n"
            f"{token}Accept: application/json, text/event-stream\r\n"
            "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
        )
        for _ in range(3):
            with connected(url) as client:
                client.sendall(head.encode())
                assert client.recv(100).startswith(b"HTTP/1.1 100")  # somebody reads it
                client.sendall(b'{"half')
        assert (await browser.get(f"{url}/readyz")).status_code == 200
    assert "Traceback" not in (home.folder / "said.txt").read_text()


async def test_the_inbox_leaves_no_image_of_its_memory(home: Home) -> None:
    async with started(home, "inbox", "--no-browser") as (process, _):
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)
