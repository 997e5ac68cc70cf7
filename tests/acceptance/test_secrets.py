"""A secret from end to end: real servers, the real inbox, a host that shows links, a program that gets the value."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import anyio
import httpx
import pytest
from mcp.types import ElicitRequestURLParams, ElicitResult

from tests.acceptance.processes import Home, ask
from tests.acceptance.test_inbox import ended, record_of, with_browser, written
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and modes of files")

VALUE = "correct horse battery staple"
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {"user": {"type": "string"}, "password": {"type": "string", "format": "password"}},
    "required": ["password"],
}
PROGRAM = "import anyio, sys; from handoffs.secrets import reveal; print(anyio.run(reveal, sys.argv[1]))"


@pytest.fixture
def home(tmp_path: Path) -> Generator[Home]:
    """A home in which the inbox may start; the one that a test leaves behind is ended."""
    here = Home(tmp_path, {"HANDOFFS_INBOX": "auto"})
    yield here
    if (left := record_of(here).running()) is not None:
        os.kill(left.pid, signal.SIGTERM)
        anyio.run(ended, here)


class Person:
    """Opens the link that the host shows, in a browser that is signed in already, and types the secret there."""

    def __init__(self, signed_in: Path) -> None:
        self.signed_in = signed_in
        self.said: list[str] = []
        self.pages: list[str] = []
        self.typing: list[tuple[str, dict[str, str]]] = []
        self.http = httpx.AsyncClient(follow_redirects=True)

    async def __call__(self, context: object, params: object) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        self.said += [params.message, params.url]
        if not self.http.cookies:
            # The link itself lets nobody in; the inbox has shown its page when it started.
            locked = await self.http.get(params.url)
            assert locked.status_code == 401
            # The button of the sign-in link: what only looks at links must not use them up.
            address, _, query = (await written(self.signed_in)).split()[0].partition("?")
            await self.http.post(address, data=dict(parse_qsl(query)))
        page = await self.http.get(params.url)
        csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
        form = {"csrf": csrf, "field.user": "root", "field.password": VALUE}
        # After it is said that the link was opened, as people are slower than hosts.
        self.typing.append((params.url, form))
        self.pages.append(page.text)
        return ElicitResult(action="accept")

    async def type_it(self) -> None:
        await until(lambda: self.typing)
        url, form = self.typing.pop()
        reply = await self.http.post(f"{url}/answer", data=form)
        assert reply.status_code == 200, reply.text
        self.pages.append(reply.text)


async def asked_and_typed(home: Home, era: str, person: Person, message: str) -> dict[str, Any]:
    got: dict[str, Any] = {}
    async with home.stdio(era, person) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(person.type_it)
        got.update(await ask(client, message, form=FORM))
    return got


async def test_a_secret_reaches_the_program_that_needs_it_and_is_nowhere_else(home: Home) -> None:
    person = Person(with_browser(home))
    async with person.http:
        first = await asked_and_typed(home, "auto", person, "The database?")
        # With `off` no inbox is started; the one that runs is used.
        home.extra["HANDOFFS_INBOX"] = "off"
        second = await asked_and_typed(home, "legacy", person, "The database, again?")
    for got in (first, second):
        assert (got["status"], got["channel"]) == ("SUCCESS", "inbox")
        name = got["values"]["password"]
        assert name == f"secret:{got['handoffId']}/password"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, name],
            capture_output=True,
            text=True,
            env=home.env,
            timeout=120,
            check=False,
        )
        assert (done.stdout, done.stderr) == (f"{VALUE}\n", "")
    seen = [str(first), str(second), *person.said, *person.pages]
    seen += [home.run(*command).stdout for command in (["list", "--all", "--json"], ["log", "--json"])]
    kept = {file: file.read_bytes() for file in home.folder.rglob("*") if file.is_file()}
    assert {"handoffs.db", "stderr.txt", "keys", "log.txt"} <= {file.name for file in kept}
    for trace in (VALUE, "horse", "correct+horse"):
        assert not any(trace in text for text in seen)
        assert [file for file, data in kept.items() if trace.encode() in data] == []
