"""A chat with cards: a real server, the SDK's client, and a page that renders cards with the official host library."""

import os
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client import advertise
from mcp.types import CallToolResult, Implementation, TextResourceContents
from playwright.async_api import Frame, FrameLocator, Locator, Page, Route, expect

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.mcp_server.server import build_server
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.card import CardPage

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
HOST, FRAME = "http://host.test/", "http://card.test/"
KEY = "k" * 32
HOLD_SECONDS = 5

# What the specification has hosts enforce where a resource declares no domains.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'"
)
EVERYTHING = {"openLinks": {}, "serverTools": {}, "message": {}, "updateModelContext": {}}


def bundled(folder: Path) -> Path | None:
    """Write the script of the host page, with the official library in it; None where that is not installed."""
    # Not the script in `.bin`, which runs on a Node that need not be there.
    esbuild = next(PACKAGES.glob("@esbuild/*/bin/esbuild"), None)
    if esbuild is None or not (PACKAGES / "@modelcontextprotocol" / "ext-apps").exists():
        return None
    out = folder / "host.js"
    command = [
        str(esbuild),
        str(HERE / "host.js"),
        "--bundle",
        "--format=esm",
        "--log-level=warning",
        f"--outfile={out}",
    ]
    subprocess.run(command, env={**os.environ, "NODE_PATH": str(PACKAGES)}, check=True, timeout=60)
    return out


class Inbox:
    """An inbox that runs, at another address."""

    async def invite(self, handoff: Handoff) -> str:
        return f"http://127.0.0.1:8765/h/{handoff.id}"


@dataclass
class Chat:
    """What the model does, and what the person sees of it."""

    client: Client
    desk: Desk
    script: Path
    page: Page
    asked: list[str] = field(default_factory=list)
    """Every address that the browser asked for."""

    @property
    def card(self) -> FrameLocator:
        return self.page.frame_locator("iframe[title=card]")

    @property
    def outcome(self) -> Locator:
        return self.card.locator(".outcome")

    async def open(self) -> None:
        """Load the host's page."""
        self.page.on("request", lambda request: self.asked.append(request.url))
        await self.page.context.route("**/*", self._serve)
        await self.page.expose_function("callTool", self._call)
        await self.page.goto(HOST)

    async def ask(self, message: str = "Deploy?", **arguments: Any) -> CallToolResult:
        """Have the model ask."""
        return await self.client.call_tool("handoff_to_user", {"message": message, **arguments})

    async def render(
        self,
        result: CallToolResult | None,
        *,
        capabilities: Mapping[str, Any] = EVERYTHING,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Have the host show the card of a call that gave `result`, or of one that has given none yet."""
        shown = {
            "src": FRAME,
            "input": {"message": "Deploy?"},
            "result": _on_wire(result) if result is not None else None,
            "capabilities": capabilities,
            "context": context or {},
        }
        await self.page.evaluate("options => window.render(options)", shown)
        await expect(self.card.locator(".waiting" if result is None else ".card")).to_be_visible()
        await self.settle()

    async def give(self, result: CallToolResult) -> None:
        """Have the host pass the result of the call on, now that there is one."""
        await self.page.evaluate("result => window.bridge.sendToolResult(result)", _on_wire(result))
        await expect(self.card.locator(".card")).to_be_visible()
        await self.settle()

    async def settle(self) -> None:
        """Wait until what has just come takes a press."""
        await expect(self.card.locator(".settling")).to_have_count(0)

    async def frame(self) -> Frame:
        """Return the frame that the card is in."""
        frame = await (await self.page.locator("iframe[title=card]").element_handle()).content_frame()
        assert frame is not None
        return frame

    async def heard(self, what: str) -> Any:
        """Return what the host was told by the card so far."""
        return await self.page.evaluate("what => window.heard[what]", what)

    async def _serve(self, route: Route) -> None:
        match route.request.url:
            case url if url == HOST:
                await route.fulfill(body=(HERE / "host.html").read_text(), content_type="text/html")
            case url if url == f"{HOST}host.js":
                await route.fulfill(body=self.script.read_text(), content_type="text/javascript")
            case url if url == FRAME:
                [document] = (await self.client.read_resource("ui://handoffs/card")).contents
                assert isinstance(document, TextResourceContents)
                headers = {"Content-Security-Policy": POLICY}
                await route.fulfill(body=document.text, content_type="text/html; charset=utf-8", headers=headers)
            case _:
                await route.abort()

    async def _call(self, params: Mapping[str, Any]) -> Any:
        return _on_wire(await self.client.call_tool(params["name"], params["arguments"]))


@asynccontextmanager
async def chatting(folder: Path, script: Path, page: Page) -> AsyncGenerator[Chat]:
    """A chat with a server over a store of its own, in a page that is loaded."""
    async with SqliteStore(folder / "handoffs.db") as store:
        clock = SystemClock()
        desk = Desk(store=store, clock=clock, sealer=AesGcmSealer(lambda: [KEY]), local="ada")
        server = build_server(
            desk,
            subject="ada",
            project="/home/ada/shop",
            keys=[KEY],
            state_seconds=86_400,
            hold_seconds=HOLD_SECONDS,
            inbox=Inbox(),
            card=lambda: CardPage(clock.now),
        )
        declared = [advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})]
        async with Client(
            server, extensions=declared, client_info=Implementation(name="Claude", version="1")
        ) as client:
            chat = Chat(client, desk, script, page)
            await chat.open()
            yield chat


def _on_wire(result: CallToolResult) -> Any:
    return result.model_dump(by_alias=True, exclude_none=True, mode="json")
