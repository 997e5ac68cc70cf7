"""`handoffs inbox` with an OpenID provider, as processes: from the settings to `handoffs people sessions`."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl

import anyio
import httpx
import pytest

from handoffs.inbox_process.record import InboxRecord
from tests.acceptance.processes import HANDOFFS, Home
from tests.access.provider import CLIENT, SECRET, LocalProvider, local_provider
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def with_provider(folder: Path, provider: LocalProvider) -> Home:
    settings = {"ISSUER": provider.url, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}
    return Home(folder, {f"HANDOFFS_INBOX_OIDC_{name}": value for name, value in settings.items()})


async def test_who_signs_in_at_the_provider_is_listed_and_signed_out(tmp_path: Path) -> None:
    with local_provider() as provider:
        home = with_provider(tmp_path, provider)
        assert home.run("people", "add", "ada", "--email", "ada@example.com").returncode == 0
        record = InboxRecord(store=home.store, data=home.folder / "data" / "handoffs")
        command = [*HANDOFFS, "inbox", "--no-browser"]
        async with await anyio.open_process(
            command, env=home.env, cwd=home.folder, stderr=subprocess.STDOUT
        ) as process:
            try:
                running = await until(lambda: record.running())
                async with httpx.AsyncClient(base_url=running.url) as http:
                    there = (await http.get("/sign-in/oidc")).headers["location"]
                    back = provider.back(dict(parse_qsl(there.partition("?")[2])))
                    assert back.startswith(f"{running.url}sign-in/oidc/callback?")
                    assert (await http.get(back)).status_code == 303
                    assert "signed in as <bdi>ada</bdi>" in (await http.get("/")).text
                    [session] = await anyio.to_thread.run_sync(listed, home)
                    assert session["person"] == "ada"
                    ended = await anyio.to_thread.run_sync(home.run, "people", "sessions", "--end", session["id"])
                    assert ended.returncode == 0, ended.stderr
                    assert (await http.get("/")).status_code == 401
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.stdout is not None
            said = "".join([part.decode() async for part in process.stdout])
        assert [each for each in (SECRET, back.partition("code=")[2], there.partition("?")[2]) if each in said] == []


def listed(home: Home) -> list[dict[str, str]]:
    done = home.run("people", "sessions", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_beyond_loopback_the_provider_needs_the_public_address(tmp_path: Path) -> None:
    with local_provider() as provider:
        home = with_provider(tmp_path, provider)
        done = home.run("inbox", "--no-browser", "--host", "0.0.0.0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "set HANDOFFS_INBOX_URL" in done.stderr


def test_without_its_extra_one_is_told_what_to_install(tmp_path: Path) -> None:
    with local_provider() as provider:
        home = with_provider(tmp_path, provider)
    hidden = (
        "import importlib.util as u, sys; find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'authlib' else find(name, *more)\n"
        "from handoffs.__main__ import main; sys.argv = ['handoffs', 'inbox', '--no-browser']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden], env=home.env, cwd=home.folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert "HANDOFFS_INBOX_OIDC_ISSUER needs the extra oidc. Unset it, or:" in done.stderr
    assert "oidc" in done.stderr.rpartition("[")[2]
