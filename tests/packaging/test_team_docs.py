"""What a team is told to run, run as far as it can be here: its commands, its proxies, its units, its backups."""

import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import anyio
import asyncpg
import httpx2
import pytest
import typer
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from typer.main import get_command

from handoffs.cli.app import app
from handoffs.settings import Settings
from handoffs.store.postgres.address import parse
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import ERAS, HANDOFFS, Home, HttpServer, ask
from tests.channels.sinks import http_sink
from tests.store import postgres_server as postgres
from tests.store.samples import LONG_AGO, sample
from tests.store.test_copy import dump, fill
from tests.waiting import until

TEAM = Path(__file__).parents[2] / "docs/team"
PAGE = (TEAM / "README.md").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((TEAM / "compose.yaml").read_text("utf-8"))
UNITS = sorted((TEAM / "systemd").glob("handoffs*.[st]*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
KEYS = "k" * 32
PASSWORD = "correct horse battery staple"


def needed(program: str) -> str:
    """Return where a program is; skips the test where it is not, which is a failure where CI is set."""
    found = shutil.which(program) or shutil.which(f"/usr/sbin/{program}")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {program} here: apt-get install {program}")
    return found


def understood(words: list[str]) -> None:
    """Let the command line read a command, without running it. Raises what it says of wrong usage."""
    command: Any = get_command(app)
    context = command.make_context("handoffs", list(words))
    while hasattr(command, "get_command"):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, list(words), parent=context)


def variables(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


# What is written there


def test_a_command_that_is_none_would_be_found_out() -> None:
    for wrong in (["db", "prune"], ["serve", "--https", "x"], ["db", "vacuum"]):
        with pytest.raises(typer.TyperException):
            understood(wrong)


def test_the_page_is_short_its_links_work_and_its_commands_are_ours() -> None:
    assert len(PAGE.splitlines()) <= 150
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (TEAM / link).exists(), link
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    typed = [
        *re.findall(r"\bhandoffs (?!serve :|inbox :)((?:db|token|serve|inbox) .+)", blocks),
        *re.findall(r"`handoffs ([^`]+)`", PAGE),
    ]
    assert len(typed) >= 5
    for each in typed:
        understood(shlex.split(each.partition("#")[0]))
    for name in re.findall(r"\bHANDOFFS_[A-Z_]+", PAGE):
        assert name.removeprefix("HANDOFFS_").lower() in Settings.model_fields, name


def test_what_the_containers_run_is_understood_and_so_is_every_setting() -> None:
    used: set[str] = set()
    for name, service in COMPOSE["services"].items():
        if service["image"] != "handoffs":
            continue
        understood([re.sub(r"\$\{.*\}", "x.example", word) for word in service["command"]])
        given = {key for key in service["environment"] if key.startswith("HANDOFFS_")}
        assert {key.removeprefix("HANDOFFS_").lower() for key in given} <= set(Settings.model_fields), name
        assert {"HANDOFFS_STORE", "HANDOFFS_KEYS", "HANDOFFS_TOKENS"} <= given, name
        assert "ports" not in service  # the proxy alone can be reached
    used |= set(re.findall(r"\$\{(\w+)", (TEAM / "compose.yaml").read_text("utf-8")))
    assert used == set(variables(TEAM / "compose.env"))
    assert {"server-1", "server-2", "inbox", "postgres", "caddy"} <= set(COMPOSE["services"])
    in_file = set(re.findall(r"\{\$(\w+)", (TEAM / "Caddyfile").read_text("utf-8")))
    assert in_file == set(COMPOSE["services"]["caddy"]["environment"])


def test_the_settings_of_the_units_are_settings_once_they_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    given = variables(TEAM / "systemd/handoffs.env")
    assert all(name == "PGPASSWORD" or name.startswith("HANDOFFS_") for name in given)
    for name, value in given.items():
        monkeypatch.setenv(name, value or {"HANDOFFS_NOTIFY": "", "HANDOFFS_ESCALATE": ""}.get(name, KEYS))
    settings = Settings()
    assert (str(settings.store), settings.keys, settings.tokens) == (
        "postgresql://db.example.com/handoffs", (KEYS,), "on",
    )  # fmt: skip


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_what_a_unit_starts_is_understood(unit: Path) -> None:
    [started] = re.findall(r"^ExecStart=/opt/handoffs/bin/handoffs (.+)$", unit.read_text("utf-8"), re.MULTILINE)
    understood(shlex.split(started.replace("%i", "8765")))


def test_systemd_has_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    analyze = needed("systemd-analyze")
    for unit in UNITS:
        text = unit.read_text("utf-8").replace("/opt/handoffs/bin/handoffs", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    names = [f"./{unit.name.replace('@', '@8765')}" for unit in UNITS]
    checked = subprocess.run(
        [analyze, "verify", "--man=no", *names], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


# The proxies


@pytest.fixture
async def team(tmp_path: Path) -> AsyncGenerator[tuple[Home, list[HttpServer], int]]:
    """Two servers on one PostgreSQL, as they are on machines; where people answer; and a port for a proxy."""
    port = free_port()
    settings = {
        "HANDOFFS_STORE": postgres.cluster().url(),
        "HANDOFFS_KEYS": KEYS,
        "HANDOFFS_TOKENS": "on",
        "HANDOFFS_URL": f"http://127.0.0.1:{port}",
        "HANDOFFS_HOLD_SECONDS": "20",
    }
    homes = [Home(tmp_path / name, settings) for name in ("one", "two")]
    async with AsyncExitStack() as stack:
        servers: list[HttpServer] = []
        for home in homes:
            home.folder.mkdir()
            servers.append(await stack.enter_async_context(home.http()))
        yield homes[0], servers, port


@asynccontextmanager
async def client_of(port: int, token: str, era: str) -> AsyncGenerator[Client]:
    with anyio.fail_after(120):
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=25) as http:
            transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
            async with Client(transport, mode=era) as client:
                yield client


@asynccontextmanager
async def caddy(folder: Path, port: int, servers: list[HttpServer]) -> AsyncGenerator[None]:
    environment = {
        "MCP_HOST": f"http://127.0.0.1:{port}",  # without TLS: nobody gives us a certificate
        "MCP_SERVERS": " ".join(address(server) for server in servers),
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
    }
    text = "{\n\tadmin off\n\tauto_https off\n}\n" + (TEAM / "Caddyfile").read_text("utf-8").replace(
        "{$INBOX_HOST:inbox.example.com}", f"http://127.0.0.2:{port}"
    )
    (folder / "Caddyfile").write_text(text)
    command = [needed("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    async with _running(command, folder, port, environment):
        yield


@asynccontextmanager
async def nginx(
    folder: Path, port: int, servers: list[HttpServer], *, inbox: tuple[int, int] | None = None
) -> AsyncGenerator[None]:
    """Run nginx with the file of the docs; `inbox` is at which port people find it over TLS, and where it listens."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
         "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost", "-days", "1"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    text = (TEAM / "nginx.conf").read_text("utf-8")
    for number, server in enumerate(servers):
        text = text.replace(f"127.0.0.1:{8765 + number}", address(server))
    text = re.sub(r"/etc/letsencrypt/\S+/fullchain.pem", str(folder / "cert.pem"), text)
    text = re.sub(r"/etc/letsencrypt/\S+/privkey.pem", str(folder / "key.pem"), text)
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};", 1)  # as above
    text = text.replace("server_name handoffs.example.com;", "server_name 127.0.0.1;", 1)
    public, own = inbox or (free_port(), 8770)
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{public} ssl;").replace(
        "listen 80;", f"listen {free_port()};"
    )
    text = text.replace("server_name inbox.example.com;", "server_name localhost;").replace(
        "127.0.0.1:8770", f"127.0.0.1:{own}"
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    whole = (
        f"daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{text}\n}}\n"
    )
    (folder / "nginx.conf").write_text(
        whole.replace("daemon off;", "daemon off;\nuser root;" if os.getuid() == 0 else "daemon off;")
    )
    command = [needed("nginx"), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    async with _running(command, folder, port, {}):
        yield


@pytest.mark.parametrize("proxy", [caddy, nginx])
async def test_behind_a_proxy_both_eras_are_asked_and_a_server_may_leave(
    proxy: Any, team: tuple[Home, list[HttpServer], int], tmp_path: Path
) -> None:
    people, servers, port = team
    token = (await people.command("token", "add", "ci")).stdout.decode().strip()

    async def asked(era: str, number: int) -> None:
        async with client_of(port, token, era) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(_answer_next, people)
            assert (await ask(client, f"Deploy, {era}, {number}?"))["userInput"] == [{"text": "yes"}]

    async def refused(number: int) -> None:
        async with httpx2.AsyncClient() as stranger:
            said = await stranger.post(
                f"http://127.0.0.1:{port}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}
            )
            assert said.status_code == 401

    async with proxy(tmp_path, port, servers):
        for era in ERAS:
            await _whole(partial(asked, era))
        # One of them goes. Whoever calls now is served by the other.
        servers[0].process.send_signal(signal.SIGTERM)
        with anyio.fail_after(120):
            await servers[0].process.wait()
        await _whole(partial(asked, "auto"))
        await _whole(refused)


async def _whole(work: Callable[[int], Awaitable[None]]) -> None:
    """Try again where an answer was cut off: on a busy machine Caddy (2.6.2) at times forwards its head only."""
    for number in range(3):
        whole = True
        try:
            await work(number)
        except* (MCPError, httpx2.RemoteProtocolError):
            whole = False
            if number == 2:
                raise
        if whole:
            return


async def test_the_links_lead_people_through_the_proxy_to_the_inbox_to_answer(
    tmp_path: Path,
) -> None:
    public, own = free_port(), free_port()
    url = f"https://localhost:{public}"
    shared = {"HANDOFFS_STORE": postgres.cluster().url(), "HANDOFFS_KEYS": KEYS, "HANDOFFS_INBOX_URL": url}
    # On machines of their own: neither has the other's files.
    agents = Home(tmp_path / "agents", shared | {"HANDOFFS_INBOX": "auto", "HANDOFFS_HOLD_SECONDS": "0"})
    people = Home(tmp_path / "people", shared | {"HANDOFFS_INBOX_PASSWORD": PASSWORD})
    for home in (agents, people):
        home.folder.mkdir()
    async with http_sink() as sink, AsyncExitStack() as stack:
        agents.extra["HANDOFFS_NOTIFY"] = sink.url
        stack.callback(_stop_what_should_not_run, agents)
        server = await stack.enter_async_context(agents.http())
        printed = await stack.enter_async_context(_inbox(people, own))
        await stack.enter_async_context(nginx(tmp_path, free_port(), [server], inbox=(public, own)))
        async with server.client() as client:
            # Left to a person, who is told at once; a question that waits is told of later.
            left = await ask(client, "The deployment failed.", breakout_of_loop=True)
            waits = await ask(client, "Deploy?")
            with anyio.fail_after(120):
                await sink.tried(1)
            link = f"{url}/h/{left['handoffId']}"
            assert f"Answer: {link}" in sink.got[0]["message"]
            assert link in left["guidance"]
            assert f"{url}/h/{waits['handoffId']}" in waits["guidance"]
            assert not (agents.folder / "data/handoffs/inbox").exists()  # nothing was started there
            async with _browser(tmp_path / "cert.pem", url) as browser:
                page = await browser.get(f"{url}/h/{waits['handoffId']}")
                assert (page.status_code, "Deploy?" in page.text) == (401, False)
                entered = await browser.post(
                    f"{url}/sign-in", data={"password": PASSWORD, "next": f"/h/{waits['handoffId']}"}
                )
                assert (entered.status_code, "; secure" in entered.headers["set-cookie"].lower()) == (303, True)
                page = await browser.get(f"{url}{entered.headers['location']}")
                csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
                answered = await browser.post(
                    f"{url}/h/{waits['handoffId']}/answer", data={"csrf": csrf, "field.response": "yes"}
                )
                assert answered.status_code == 303
            got = await client.call_tool("check_handoff", {"handoff_id": waits["handoffId"]})
            assert got.structured_content is not None
            assert (got.structured_content["status"], got.structured_content["channel"]) == ("SUCCESS", "inbox")
        # And who starts it gets a way in that others can open.
        assert f"The inbox is at {url}, served here at http://localhost:{own}/" in printed
        [sign_in] = re.findall(r"https://\S+/sign-in\S+", printed)
        async with _browser(tmp_path / "cert.pem", url) as browser:
            assert (await browser.get(sign_in)).status_code == 200
            address, _, query = sign_in.partition("?")
            assert (await browser.post(address, data=dict(parse_qsl(query)))).status_code == 303
            assert "Open questions" in (await browser.get(url)).text


def _stop_what_should_not_run(agents: Home) -> None:
    if (agents.folder / "data/handoffs/inbox").exists():
        agents.run("inbox", "--stop")


@asynccontextmanager
async def _inbox(people: Home, port: int) -> AsyncGenerator[str]:
    """The inbox as the unit starts it, and what it printed when it was ready."""
    [started] = re.findall(
        r"^ExecStart=\S+/handoffs (.+)$", (TEAM / "systemd/handoffs-inbox.service").read_text("utf-8"), re.MULTILINE
    )
    words = shlex.split(started.replace("8770", str(port)))
    with (people.folder / "inbox.log").open("w") as log:
        process = await anyio.open_process([*HANDOFFS, *words], env=people.env, cwd=people.folder, stderr=log)
    assert process.stdout is not None
    printed = ""
    try:
        with anyio.fail_after(120):
            while "/sign-in?" not in printed or not printed.endswith("\n"):
                printed += (await process.stdout.receive()).decode()
        yield printed
    finally:
        process.terminate()
        await process.wait()
        await process.aclose()


@asynccontextmanager
async def _browser(certificate: Path, url: str) -> AsyncGenerator[httpx2.AsyncClient]:
    """What trusts that certificate, says from which page it sends, and keeps the cookies of TLS to TLS."""
    trust = ssl.create_default_context(cafile=str(certificate))
    async with httpx2.AsyncClient(verify=trust, headers={"origin": url, "sec-fetch-site": "same-origin"}) as browser:
        yield browser


async def _answer_next(people: Home) -> None:
    """Answer the next question there is, as the inbox would: at the desk over the same store."""
    from handoffs.assembly import open_desk
    from handoffs.setting_values import store_address

    async with open_desk(Settings(store=store_address(people.extra["HANDOFFS_STORE"]))) as desk, desk.watch() as watch:
        while not (waiting := await desk.newest(open_only=True)):
            await watch.changed()
        await desk.answer(waiting[0], {"response": "yes"}, by="ada", channel="inbox")


@asynccontextmanager
async def _running(command: list[str], folder: Path, port: int, environment: dict[str, str]) -> AsyncGenerator[None]:
    with (folder / "proxy.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment or None, stdout=log, stderr=log)
    try:
        await until(lambda: _listens(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


def address(server: HttpServer) -> str:
    return server.url.removeprefix("http://").removesuffix("/mcp")


# Backups


async def test_a_backup_of_postgresql_is_the_whole_store(tmp_path: Path) -> None:
    server = postgres.cluster()
    url = server.url()
    await fill(url, many=1)
    kept, schema, dsn = await dump(url), parse(url).schema, parse(url).dsn
    commands = re.findall(r"^(pg_\w+ .+)$", PAGE, re.MULTILINE)
    assert len(commands) == 2
    where = {"URL": dsn, "PATH": f"{Path(needed('pg_dump')).resolve().parent}:{os.environ['PATH']}"}
    for number, command in enumerate(commands):
        if number:
            connection = await asyncpg.connect(dsn)
            await connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
            await connection.close()
        typed = command.replace("--schema=handoffs", f"--schema={schema}")
        subprocess.run(["sh", "-c", typed], cwd=tmp_path, env=where, check=True, capture_output=True)
    assert await dump(url) == kept


async def test_a_backup_of_sqlite_is_the_whole_store_and_is_made_while_in_use(tmp_path: Path) -> None:
    [command] = re.findall(r"^(sqlite3 .+)$", PAGE, re.MULTILINE)
    needed("sqlite3")
    path = tmp_path / "handoffs.db"
    await fill(str(path), many=1)
    async with SqliteStore(path) as store:
        await store.open(sample("In the log of writes only"), collect_after=LONG_AGO)
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)
        kept = await dump(str(path))
    async with SqliteStore(tmp_path / "backup.db") as store:
        assert len(await store.newest(open_only=False)) == len(kept[0])
    assert await dump(str(tmp_path / "backup.db")) == kept
