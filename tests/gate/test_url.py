"""`handoffs gate --url`: held calls over HTTP with the SDK's own server, and the options on the command line."""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from starlette.responses import Response

from handoffs.console import UsageError
from handoffs.serving.gate import Options, read_options
from handoffs.serving.gate_url import remote_server, server_name
from tests.acceptance.processes import ERAS, Home
from tests.gate.behind import ALLOW, DENY, RULES, SHOP, Person, Shop, text_of
from tests.gate.relay.http_servers import Got, http_recorder, result_of, started, stream
from tests.waiting import until

eras = pytest.mark.parametrize("era", ERAS)
SECRET = "s3cr3t-of-the-user"


@dataclass
class RemoteShop(Shop):
    """A shop over HTTP, and the gate before it."""

    url: str = ""

    @asynccontextmanager
    async def client(
        self, era: str, dialog: Any = None, *, rules: tuple[str, ...] = RULES, name: str = "test-host"
    ) -> AsyncGenerator[Client]:
        args = ("gate", "--name", "shop", *rules, "--url", self.url)
        async with self.home.stdio(era, dialog, args=args, name=name) as client:
            yield client


@pytest.fixture
def shop(tmp_path: Path) -> Generator[RemoteShop]:
    home = Home(tmp_path)
    with started(str(SHOP), str(tmp_path / "journal")) as url:
        yield RemoteShop(home, url)


@eras
async def test_what_a_rule_allows_passes(shop: RemoteShop, era: str) -> None:
    async with shop.client(era) as client, shop.desk() as desk:
        assert text_of(await client.call_tool("read_order", {"number": 7})) == "order 7"
        assert await desk.log() == []
    assert shop.done == ["read 7"]


@eras
async def test_a_person_allows_exactly_this_call(shop: RemoteShop, era: str) -> None:
    async with shop.client(era, Person(ALLOW)) as client, shop.desk() as desk:
        result = await client.call_tool("delete_order", {"number": 7})
        [asked] = await desk.newest(open_only=False)
        names = [entry.name for entry in await desk.history(asked.id)]
    assert (text_of(result), result.is_error) == ("deleted 7", False)
    assert shop.done == ["delete 7"]
    assert names == ["opened", "answered", "used", "sent", "result"]


@eras
async def test_what_a_person_denies_never_runs(shop: RemoteShop, era: str) -> None:
    async with shop.client(era, Person(DENY)) as client:
        result = await client.call_tool("delete_order", {"number": 7})
    assert result.is_error
    assert 'They said: "not that one"' in text_of(result)
    assert shop.done == []


@eras
async def test_a_call_runs_as_a_person_changed_it(shop: RemoteShop, era: str) -> None:
    async with shop.client(era, Person({**ALLOW, "arguments": '{"number": 8}'})) as client:
        result = await client.call_tool("delete_order", {"number": 7, "force": True})
    assert "A person changed this call" in text_of(result)
    assert shop.done == ["delete 8"]


@eras
async def test_a_server_that_asks_by_itself_is_answered_in_the_same_approval(shop: RemoteShop, era: str) -> None:
    person = Person(ALLOW, {"why": "broken"})
    async with shop.client(era, person) as client:
        result = await client.call_tool("refund", {"number": 7})
    assert text_of(result) == "paid back 7"
    assert shop.done == ["refund 7: broken"]
    assert len(person.shown) == 2


def answers(got: Got) -> Response:
    """A server of the newer era whose tool `move` has an argument that a header says again."""
    region = {"type": "string", "x-mcp-header": "Region"}
    tool = {"name": "move", "inputSchema": {"type": "object", "properties": {"to": region}}}
    match got.message["method"]:
        case "server/discover":
            ends = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            return result_of(got, {**ends, "serverInfo": {"name": "s", "version": "1"}, "resultType": "complete"})
        case "tools/list":
            return result_of(got, {"tools": [tool], "ttlMs": 0, "cacheScope": "private", "resultType": "complete"})
        case _:
            return result_of(got, {"content": [{"type": "text", "text": "moved"}], "resultType": "complete"})


async def test_the_headers_of_a_changed_call_are_those_of_what_runs(tmp_path: Path) -> None:
    home = Home(tmp_path, {"API_KEY": SECRET})
    person = Person({**ALLOW, "arguments": '{"to": "north"}'})
    with http_recorder(answers) as server:
        args = ("gate", "--header-from-env", "X-Key=API_KEY", "--header", "X-Team=blue", "--url", server.url)
        async with home.stdio("auto", person, args=args) as client:
            assert "moved" in text_of(await client.call_tool("move", {"to": "south"}))
    [called] = server.of("tools/call")
    assert called.message["params"]["arguments"] == {"to": "north"}
    assert called.headers["mcp-param-region"] == "north"
    assert called.headers["mcp-name"] == "move"
    assert all((each.headers["x-key"], each.headers["x-team"]) == (SECRET, "blue") for each in server.got)
    assert SECRET not in (tmp_path / "stderr.txt").read_text()


async def test_an_allowed_call_that_is_cut_off_is_unknown_and_asked_about_anew(tmp_path: Path) -> None:
    def cuts_off(got: Got) -> Response:
        if got.message["method"] == "tools/call":
            return stream(b": on its way\n\n", cut=True)
        return answers(got)

    with http_recorder(cuts_off) as server:
        shop = RemoteShop(Home(tmp_path), server.url)
        async with shop.client("auto", Person(ALLOW, ALLOW), rules=()) as client, shop.desk() as desk:
            for _ in range(2):
                result = await client.call_tool("move", {"to": "south"})
                assert result.is_error
                assert "It may have run" in text_of(result)
            asked = await desk.newest(open_only=False)

            async def logged() -> list[list[str]]:
                return [[entry.name for entry in await desk.history(each.id)] for each in asked]

            # The agent is told first.
            await until(logged, lambda found: found == [["opened", "answered", "used", "sent", "unknown"]] * 2)
    assert len(server.of("tools/call")) == 2
    assert ["may have run" in each.question.message for each in asked] == [True, False]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--url", "http://x/mcp", "--", "uvx", "y"], "not both"),
        (["--url", "ftp://x/mcp"], "--url must be the address of an MCP server"),
        (["--url", "http://x:port/mcp"], "--url must be the address of an MCP server"),
        (["--header", f"X-Key={SECRET}", "--", "uvx", "y"], "are for a server at --url URL"),
        (["--url", "http://x", "--header", SECRET], "--header number 1 must be NAME=VALUE"),
        (["--url", "http://x", "--header", f"X Key={SECRET}"], "--header number 1 must be NAME=VALUE"),
        (["--url", "http://x", "--header", f"X-Key=a\n{SECRET}"], "printable ASCII on one line"),
        (["--url", "http://x", "--header", f"x-key={SECRET}", "--header", f"X-Key={SECRET}"], "is given twice"),
        (["--url", "http://x", "--header", f"Mcp-Name={SECRET}"], "The gate makes the header Mcp-Name itself"),
        (["--url", "http://x", "--header-from-env", "X-Key=NOT_SET"], "The variable NOT_SET that --header-from-env"),
        (["--url", "http://x", "--header-from-env", f"X-Key={SECRET}"], "The variable that --header-from-env"),
        (["--url", "http://x", "--header", "Authorization=Bearer", SECRET], "in quotes"),
    ],
)
def test_wrong_options_are_said_without_a_headers_value(typed: list[str], words: str) -> None:
    with pytest.raises(UsageError) as wrong:
        _ = read_options(typed).remote
    assert words in str(wrong.value)
    assert SECRET not in str(wrong.value)


def test_a_header_is_in_no_repr() -> None:
    options = read_options(["--url", "http://x", "--header", f"X-Key={SECRET}\n"])
    assert SECRET not in repr(options) + repr(options.remote)


def test_headers_come_from_variables_and_a_server_is_named_by_host() -> None:
    found = remote_server("https://mcp.example.com/mcp", ["X-A= b "], ["X-B=C"], {"C": "d\n"})
    assert found.headers == {"X-A": "b", "X-B": "d"}
    found = remote_server("https://mcp.example.com/mcp", [], ["Authorization=Bearer C"], {"C": "d\n"})
    assert found.headers == {"Authorization": "Bearer d"}
    with pytest.raises(UsageError, match="not empty"):
        remote_server("https://mcp.example.com/mcp", [], ["Authorization=Bearer C"], {"C": " "})
    assert server_name("https://ada:pw@MCP.example.com/x?key=1") == "mcp.example.com"
    assert Options(url="http://127.0.0.1:8000/mcp").server == "127.0.0.1:8000"


def test_check_lists_the_tools_of_a_server_at_a_url(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with started(str(SHOP), str(tmp_path / "journal")) as url:
        done = home.run("gate", "check", *RULES, "--url", url, "--json")
        assert {each["tool"]: each["decision"] for each in json.loads(done.stdout)}["read_order"] == "allow"
    away = home.run("gate", "check", "--url", url, "--header", f"X-Key={SECRET}")
    assert away.returncode == 2
    assert "could not be asked for its tools" in away.stderr
    assert SECRET not in away.stderr


def test_a_gate_without_a_server_says_what_to_write(tmp_path: Path) -> None:
    home = Home(tmp_path)
    missing = home.run("gate", "--url", "http://127.0.0.1:9/mcp", "--header-from-env", "X-Key=NOT_SET")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "NOT_SET" in missing.stderr
    assert "--url URL" in home.run("gate", "--name", "x").stderr


@pytest.mark.parametrize("server", [("--url", "http://127.0.0.1:9/mcp"), ("--", "true")])
@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_is_shown_also_before_a_server(tmp_path: Path, asked: str, server: tuple[str, ...]) -> None:
    shown = Home(tmp_path).run("gate", asked, *server)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "--header-from-env" in shown.stdout
