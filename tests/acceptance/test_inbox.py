"""How the inbox is there without being started: real servers, real inboxes, one for each store."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import anyio
import httpx
import pytest
from mcp import Client

from handoffs.inbox_process.record import InboxRecord
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance import processes
from tests.acceptance.processes import ERAS, HANDOFFS, Home, ask, nobody, says
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and modes of files")
both_eras = pytest.mark.parametrize("era", ERAS)

LINK = re.compile(r"http://localhost:\d+/h/h_\w+")


PATIENT = """
import sys
from handoffs.inbox_process import start
start.START_SECONDS = 120.0
from handoffs.__main__ import main
sys.argv = ["handoffs", *sys.argv[1:]]
main()
"""
"""A server that waits as long as it takes for the inbox that it starts, also on a busy machine."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Home]:
    """A home where the inbox may start, without a desktop. The inbox that a test leaves behind is ended."""
    monkeypatch.setattr(processes, "HANDOFFS", [HANDOFFS[0], "-c", PATIENT])
    here = Home(tmp_path, {"HANDOFFS_INBOX": "auto", "DISPLAY": "", "WAYLAND_DISPLAY": ""})
    yield here
    if (left := record_of(here).running()) is not None:
        os.kill(left.pid, signal.SIGTERM)
        anyio.run(ended, here)


def record_of(home: Home) -> InboxRecord:
    """Where its inbox is to be found, for what a test only waits for: to ask the command would start it each time."""
    return InboxRecord(store=home.store, data=home.folder / "data" / "handoffs")


async def ended(home: Home) -> None:
    """Wait until the process of the inbox that was told to end has let go of the lock."""
    lock = await until(record_of(home).claim)
    lock.release()


def folder_of(home: Home) -> Path:
    """The folder of the inbox of this home's store."""
    [folder] = (home.folder / "data" / "handoffs" / "inbox").iterdir()
    return folder


def running(home: Home) -> dict[str, Any]:
    return json.loads((folder_of(home) / "running.json").read_text())


def is_running(home: Home) -> bool:
    return home.run("inbox", "--status").returncode == 0


async def until_running(home: Home) -> None:
    await until(lambda: record_of(home).running() is not None)


def with_browser(home: Home) -> Path:
    """Give this home a desktop with a browser that notes what it is to open, a line each; return where."""
    seen, program = home.folder / "opened.txt", home.folder / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" >> {seen}\n')
    program.chmod(0o700)
    home.extra |= {"DISPLAY": ":99", "BROWSER": f"{program} %s"}
    return seen


async def written(path: Path) -> str:
    """The text of a file, once it has some."""
    await until(lambda: path.exists() and path.read_text())
    return path.read_text()


def link_in(got: dict[str, Any]) -> str:
    found = LINK.search(got["guidance"])
    assert found is not None, got["guidance"]
    return found[0]


async def hand_over(client: Client, message: str = "Done; have a look.") -> dict[str, Any]:
    """A call that does not wait for an answer."""
    return await ask(client, message, breakout_of_loop=True)


class Background:
    """An inbox as servers start it, with a shorter patience."""

    def __init__(self, home: Home, idle_seconds: float) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [*HANDOFFS, "inbox", "--background", "--idle-seconds", str(idle_seconds)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=home.env,
            cwd=home.folder,
        )

    async def serves(self) -> str:
        await until_running(self.home)
        return str(running(self.home)["url"])

    async def ends(self) -> int:
        await until(lambda: self.process.poll() is not None)
        return self.process.wait()


@both_eras
async def test_without_a_dialog_the_link_is_in_the_result_and_in_the_progress(era: str, home: Home) -> None:
    home.extra["HANDOFFS_HOLD_SECONDS"] = "5"
    told: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with home.stdio(era) as client:
        result = await client.call_tool("handoff_to_user", {"message": "Deploy?"}, progress_callback=on_progress)
    got = result.structured_content
    assert got is not None
    assert got["status"] == "PENDING"
    link = link_in(got)
    assert link == f"{running(home)['url']}h/{got['handoffId']}"
    assert f"they answer at {link} or with `handoffs answer {got['handoffId']}`" in got["guidance"]
    assert any(link in message for message in told)


async def test_the_link_in_a_result_does_not_sign_in(home: Home) -> None:
    async with home.stdio() as client:
        got = await hand_over(client, "Correct horse.")
    async with httpx.AsyncClient(follow_redirects=True) as agent:
        page = await agent.get(link_in(got))
        assert "Correct horse." not in page.text
        assert page.status_code >= 400
        assert not agent.cookies
    said = json.dumps(got) + (home.folder / "stderr.txt").read_text() + (folder_of(home) / "log.txt").read_text()
    assert "code=" not in said


async def test_a_desktop_opens_the_page_once_per_start_with_a_link_used_once(home: Home) -> None:
    opened = with_browser(home)
    async with home.stdio() as client:
        first = await hand_over(client, "First.")
        await hand_over(client, "Second.")
        [link] = (await written(opened)).splitlines()
        assert link.startswith(f"{running(home)['url']}sign-in?code=")
        assert link.endswith(f"&next=%2Fh%2F{first['handoffId']}")
        await hand_over(client, "Third.")
    async with httpx.AsyncClient(follow_redirects=True) as browser, httpx.AsyncClient() as another:
        assert "First." not in (await browser.get(link)).text  # a button: what looks at links must not use them up
        address, _, query = link.strip().partition("?")
        form = dict(parse_qsl(query))
        page = await browser.post(address, data=form)
        assert page.status_code == 200
        assert "First." in page.text
        assert (await another.post(address, data=form)).status_code == 403
        assert "Second." in (await browser.get(str(running(home)["url"]))).text
    assert len(opened.read_text().splitlines()) == 1


async def test_without_a_desktop_no_browser_is_started(home: Home) -> None:
    opened = with_browser(home)
    home.extra |= {"DISPLAY": ""}
    async with home.stdio() as client:
        link_in(await hand_over(client))
    assert home.run("inbox", "--stop").returncode == 0
    assert not opened.exists()


@pytest.mark.parametrize("action", ["decline", "cancel"])
@both_eras
async def test_a_dialog_that_nobody_was_shown_leads_to_the_inbox_too(era: str, action: str, home: Home) -> None:
    told: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")
        call.cancel()

    async with home.stdio(era, says(action)) as client:
        with anyio.CancelScope() as call:
            await client.call_tool("handoff_to_user", {"message": "Deploy?"}, progress_callback=on_progress)
    assert LINK.search(told[0])


@both_eras
async def test_who_has_a_dialog_or_closed_it_is_not_bothered_with_another_page(era: str, home: Home) -> None:
    home.extra["HANDOFFS_HOLD_SECONDS"] = "2"
    async with home.stdio("legacy", nobody) as client:
        assert (await ask(client, "Look?"))["status"] == "PENDING"
    async with home.stdio(era, says("cancel", after=1.2)) as client:
        got = await ask(client)
        assert "not now" in got["guidance"]
        again = await client.call_tool("check_handoff", {"handoff_id": got["handoffId"]})
        assert again.structured_content is not None
        assert again.structured_content["status"] == "PENDING"
    assert not (home.folder / "data" / "handoffs" / "inbox").exists()


async def test_switched_off_nothing_is_started(home: Home) -> None:
    home.extra |= {"HANDOFFS_INBOX": "off", "HANDOFFS_HOLD_SECONDS": "1"}
    async with home.stdio() as client:
        for got in (await ask(client), await hand_over(client)):
            assert LINK.search(got["guidance"]) is None
    assert not (home.folder / "data" / "handoffs" / "inbox").exists()


async def test_ten_servers_that_need_it_at_once_get_one(home: Home) -> None:
    opened = with_browser(home)
    got: list[dict[str, Any]] = []

    async def call(client: Client, number: int) -> None:
        got.append(await hand_over(client, f"Number {number}."))

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(home.stdio()) for _ in range(10)]
        async with anyio.create_task_group() as tasks:
            for number, client in enumerate(clients):
                tasks.start_soon(call, client, number)
    links = [link_in(each) for each in got]
    assert len(set(links)) == 10
    assert {link.partition("h/")[0] for link in links} == {running(home)["url"]}
    assert len((await written(opened)).splitlines()) == 1
    assert "The inbox can't be started" not in (home.folder / "stderr.txt").read_text()


async def test_ten_calls_of_one_server_at_once_get_one(home: Home) -> None:
    opened = with_browser(home)
    links: list[str] = []

    async def call(client: Client, number: int) -> None:
        links.append(link_in(await hand_over(client, f"Number {number}.")))

    async with home.stdio() as client, anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(call, client, number)
    assert len(set(links)) == 10
    assert {link.partition("h/")[0] for link in links} == {running(home)["url"]}
    assert len((await written(opened)).splitlines()) == 1


async def test_ten_inboxes_started_at_once_are_one(home: Home) -> None:
    started = [Background(home, idle_seconds=60) for _ in range(10)]
    await until(lambda: sum(each.process.poll() is None for each in started) <= 1)
    [left] = [each for each in started if each.process.poll() is None]
    await left.serves()
    assert running(home)["pid"] == left.process.pid
    assert {each.process.returncode for each in started} == {0, None}
    left.process.terminate()
    assert await left.ends() == 0


async def test_killed_it_is_started_again_at_the_same_address_by_the_same_server(home: Home) -> None:
    async with home.stdio() as client:
        first = link_in(await hand_over(client, "First."))
        os.kill(running(home)["pid"], signal.SIGKILL)
        await until(lambda: record_of(home).running() is None)
        killed = running(home)["pid"]
        second = link_in(await hand_over(client, "Second."))
    assert running(home)["pid"] != killed
    assert first.partition("/h/")[0] == second.partition("/h/")[0]


async def test_it_outlives_the_server_that_started_it(home: Home) -> None:
    async with home.stdio() as client:
        link = link_in(await hand_over(client))
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(link)).status_code < 500


async def test_it_ends_once_nothing_is_open_and_nobody_looks(home: Home) -> None:
    home.extra["HANDOFFS_HOLD_SECONDS"] = "0"
    home.extra["HANDOFFS_INBOX"] = "off"
    async with home.stdio() as client:
        handoff_id = (await ask(client))["handoffId"]
    inbox = Background(home, idle_seconds=0.5)
    url = await inbox.serves()
    with pytest.raises(subprocess.TimeoutExpired):
        inbox.process.wait(timeout=2)  # something is open
    parts = httpx.URL(url)
    page = await anyio.connect_tcp(str(parts.host), parts.port or 0)
    assert (await home.command("answer", handoff_id, "yes")).returncode == 0
    with pytest.raises(subprocess.TimeoutExpired):
        inbox.process.wait(timeout=2)  # a page is connected
    await page.aclose()
    assert await inbox.ends() == 0
    assert not is_running(home)


async def test_a_connected_page_does_not_keep_the_inbox_from_ending_when_told(home: Home) -> None:
    inbox = Background(home, idle_seconds=60)
    url = httpx.URL(await inbox.serves())
    async with await anyio.connect_tcp(str(url.host), url.port or 0):
        stopped = await home.command("inbox", "--stop")
        assert stopped.returncode == 0, stopped.stderr
        assert await inbox.ends() == 0
    assert inbox.process.stderr is not None
    assert b"Traceback" not in inbox.process.stderr.read()


async def test_status_and_stop_say_what_there_is(home: Home) -> None:
    nothing = home.run("inbox", "--status")
    assert (nothing.returncode, nothing.stdout) == (3, f"No inbox runs for {home.store}; 0 open.\n")
    assert home.run("inbox", "--stop").stdout == f"No inbox runs for {home.store}.\n"
    async with home.stdio() as client:
        await hand_over(client)
    at = running(home)
    status = home.run("inbox", "--status")
    told = f"The inbox of {home.store} runs at {at['url']} (process {at['pid']}); 1 open.\n"
    assert (status.returncode, status.stdout) == (0, told)
    assert home.run("inbox", "--stop").stdout == f"The inbox at {at['url']} has ended.\n"
    assert not is_running(home)
    async with SqliteStore(home.store) as store:
        assert len(await store.newest(open_only=True)) == 1


async def test_stop_spares_a_process_that_only_has_the_number_of_a_killed_inbox(home: Home) -> None:
    inbox = Background(home, idle_seconds=60)
    await inbox.serves()
    inbox.process.kill()
    await inbox.ends()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    record = folder_of(home) / "running.json"
    record.write_text(json.dumps(running(home) | {"pid": bystander.pid}))
    assert home.run("inbox", "--stop").stdout.startswith("No inbox runs")
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


async def test_typed_it_serves_and_typed_again_it_opens_the_one_that_runs(home: Home) -> None:
    first = await anyio.open_process(
        [*HANDOFFS, "inbox", "--no-browser"], stdin=subprocess.DEVNULL, env=home.env, cwd=home.folder
    )
    assert first.stdout is not None
    said = ""
    with anyio.fail_after(120):
        while "sign-in?code=" not in said or not said.endswith("\n"):
            said += (await first.stdout.receive()).decode()
    url = running(home)["url"]
    assert f"The inbox is at {url} (Ctrl-C stops it).\n" in said
    opened = with_browser(home)
    again = await home.command("inbox")
    assert (again.returncode, again.stdout.decode()) == (0, f"The inbox runs already, at {url}\n")
    link = await written(opened)
    assert link.startswith(f"{url}sign-in?code=")
    assert link.strip() not in said  # each is good for one browser
    first.send_signal(signal.SIGINT)
    with anyio.fail_after(120):
        assert await first.wait() == 130
    assert not is_running(home)
    await first.aclose()


async def test_its_files_are_for_their_owner_alone(home: Home) -> None:
    async with home.stdio() as client:
        await hand_over(client)
    folder = folder_of(home)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (folder, folder.parent)] == [0o700, 0o700]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert "running.json" in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "handoffs: 0.0.0.0 can be reached from other machines"),
        (["--host", "example.org"], "handoffs: example.org can be reached from other machines"),
        (["--status", "--stop"], "handoffs: Give --status or --stop, not both."),
        (["--port", "70000"], "handoffs: Invalid value for '--port'"),
    ],
)
def test_what_can_not_be_is_one_line_and_code_2(home: Home, arguments: list[str], told: str) -> None:
    done = home.run("inbox", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(told)


async def test_beyond_loopback_it_serves_with_a_password_under_its_given_names(home: Home) -> None:
    password = "correct horse battery staple"
    home.extra["HANDOFFS_INBOX_PASSWORD"] = password
    arguments = ["inbox", "--no-browser", "--host", "0.0.0.0", "--name", "inbox.example"]
    async with await anyio.open_process([*HANDOFFS, *arguments], env=home.env, cwd=home.folder) as process:
        try:
            await until_running(home)
            url = running(home)["url"]
            assert url.startswith("http://localhost:")
            async with httpx.AsyncClient(base_url=url) as http:
                named = {"host": "inbox.example"}
                assert (await http.get("/", headers={"host": "evil.example"})).status_code == 403
                assert (await http.get("/", headers=named)).status_code == 401
                entered = await http.post("/sign-in", data={"password": password}, headers=named)
                assert entered.status_code == 303
                assert (await http.get("/", headers=named)).status_code == 200
        finally:
            process.terminate()


async def test_an_inbox_that_cannot_start_is_said_once_and_the_question_is_asked(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path, {"HANDOFFS_INBOX": "auto", "HANDOFFS_HOLD_SECONDS": "3"})
    (tmp_path / "data").write_text("not a folder")
    async with home.stdio() as client:
        for message in ("First?", "Second?"):
            got = await ask(client, message)
            assert got["status"] == "PENDING"
            assert LINK.search(got["guidance"]) is None
    said = (tmp_path / "stderr.txt").read_text()
    assert said.count("The inbox can't be started") == 1
    assert "Traceback" not in said


def asked_for(url: str, host: str) -> httpx.Response:
    """What a GET is answered with at an address of this machine, under the name that the inbox has there."""
    parts = httpx.URL(url)
    return httpx.get(parts.copy_with(host=host), headers={"host": f"{host}:{parts.port}"}, follow_redirects=False)


async def test_an_address_leads_to_the_name_and_uses_no_link_up(home: Home) -> None:
    command = [*HANDOFFS, "inbox", "--no-browser"]
    async with await anyio.open_process(command, env=home.env, cwd=home.folder) as process:
        try:
            assert process.stdout is not None
            said = ""
            with anyio.fail_after(60):
                while not (link := re.search(r"http://localhost:\d+/sign-in\?\S+", said)):
                    said += (await process.stdout.receive()).decode()
            address, _, query = link[0].partition("?")
            for host in ("127.0.0.1", "[::1]"):
                led = asked_for(link[0], host)
                assert (led.status_code, led.headers["location"]) == (307, link[0])
                by_address = httpx.URL(link[0]).copy_with(host=host)
                refused = httpx.post(
                    by_address.copy_with(path="/sign-in"), data=dict(parse_qsl(by_address.query.decode()))
                )
                assert refused.status_code == 403
            async with httpx.AsyncClient() as http:
                address, _, query = link[0].partition("?")
                assert (await http.post(address, data=dict(parse_qsl(query)))).status_code == 303
        finally:
            process.terminate()


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
async def test_a_port_that_another_has_at_one_of_both_is_not_used(taken: str, home: Home) -> None:
    with socket.socket(socket.AF_INET6 if ":" in taken else socket.AF_INET) as other:
        other.bind((taken, 0))
        other.listen()
        port = other.getsockname()[1]
        done = home.run("inbox", "--no-browser", "--port", str(port))
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{taken}:{port} can't be used" in done.stderr.replace("[", "").replace("]", "")
        record_of(home).make()
        (folder_of(home) / "port").write_text(f"{port}\n")  # that of its last run
        async with await anyio.open_process([*HANDOFFS, "inbox", "--no-browser"], env=home.env, cwd=home.folder) as it:
            try:
                await until_running(home)
                assert httpx.URL(running(home)["url"]).port != port
            finally:
                it.terminate()


async def test_a_program_that_waits_in_one_request_has_the_inbox_there(home: Home) -> None:
    async with home.http() as server, httpx.AsyncClient(headers=server.bearer, timeout=60) as http:
        address = f"{server.url.removesuffix('/mcp')}/v1/handoffs?wait=50"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(http.post, address, json={"message": "Deploy?"}))
            await until_running(home)
            tasks.cancel_scope.cancel()
