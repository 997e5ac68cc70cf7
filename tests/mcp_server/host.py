"""A host for tests: the SDK's own client in either era, and a person at its dialog who does as told."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, Implementation

from handoffs.core.desk import Desk
from handoffs.core.question import Limits
from handoffs.core.recording import MAX_NOTED
from handoffs.mcp_server.asking.waiting import Inbox
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.calls import WhoseQuestion
from handoffs.mcp_server.permission import Listed
from handoffs.mcp_server.server import build_server
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.waiting import until

KEY = "k" * 32
ERAS = ("legacy", "auto")

Reply = Callable[[ElicitRequestFormParams], Awaitable[ElicitResult]]


class Table:
    """A desk on a real file, with a clock that a test puts forward, and servers over it."""

    def __init__(self, desk: Desk, store: SqliteStore, clock: FakeClock) -> None:
        self.desk, self.store, self.clock = desk, store, clock

    def server(
        self,
        *,
        subject: str = "ada",
        hold_seconds: float | None = None,
        host_seconds: float | None = None,
        permission_tool: Listed = "auto",
        inbox: Inbox | None = None,
        whose: WhoseQuestion | None = None,
        bounds: Bounds = BOUNDS,
    ) -> MCPServer:
        return build_server(
            self.desk,
            subject=subject,
            project="/home/ada/shop",
            keys=[KEY],
            state_seconds=2_592_000,
            hold_seconds=hold_seconds,
            host_seconds=host_seconds,
            permission_tool=permission_tool,
            inbox=inbox,
            whose=whose,
            bounds=bounds,
        )

    async def stored(self) -> int:
        return len(await self.desk.newest(open_only=False))

    async def only(self) -> Any:
        handoffs = await self.desk.newest(open_only=False)
        assert len(handoffs) == 1
        return handoffs[0]

    async def names(self) -> list[str]:
        return [entry.name for entry in await self.desk.log()]


@asynccontextmanager
async def table(folder: Path, *, max_noted: int = MAX_NOTED, **limits: Any) -> AsyncGenerator[Table]:
    clock = FakeClock()
    async with SqliteStore(folder / "handoffs.db") as store:
        sealer = AesGcmSealer(lambda: [KEY])
        desk = Desk(
            store=store,
            clock=clock,
            limits=Limits(**limits),
            sealer=sealer,
            local="ada",
            max_noted=max_noted,
            directory=store.people.directory,
        )
        yield Table(desk, store, clock)


@asynccontextmanager
async def time_passes(here: Table, seconds: float, *, after: str) -> AsyncGenerator[None]:
    """Put the clock forward once the event named `after` is in the log."""

    async def pass_() -> None:
        await until(here.names, lambda found: after in found)
        here.clock.forward(seconds)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pass_)
        yield


class Dialog:
    """The host's dialog: what it was shown, and the person who answers after `seconds`."""

    def __init__(self, clock: FakeClock, *replies: ElicitResult | Reply, seconds: float = 5) -> None:
        self.clock, self.seconds = clock, seconds
        self.replies = list(replies)
        self.shown: list[ElicitRequestFormParams] = []
        self.withdrawn = 0
        self.open = anyio.Event()

    async def __call__(self, context: object, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        self.shown.append(params)
        self.open.set()
        if not self.replies:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                self.withdrawn += 1
                raise
        reply = self.replies.pop(0)
        self.clock.forward(self.seconds)
        return reply if isinstance(reply, ElicitResult) else await reply(params)


def accept(**content: Any) -> ElicitResult:
    return ElicitResult(action="accept", content=content)


def by_script(**content: Any) -> ElicitResult:
    """Return the reply of a dialog that says that no person gave it."""
    return ElicitResult(action="accept", content=content, _meta={"handoffs/script": True})


DECLINE = ElicitResult(action="decline")
CANCEL = ElicitResult(action="cancel")


@asynccontextmanager
async def host(
    server: MCPServer, era: str, dialog: Dialog | None = None, *, name: str = "test-host"
) -> AsyncGenerator[Client]:
    info = Implementation(name=name, version="1")
    with anyio.fail_after(300):
        async with Client(server, mode=era, elicitation_callback=dialog, client_info=info) as client:
            yield client


async def ask(client: Client, message: str = "Deploy?", /, **arguments: Any) -> Mapping[str, Any]:
    """Call `handoff_to_user` and return its structured content; the text must say the same."""
    result = await client.call_tool("handoff_to_user", {"message": message, **arguments})
    return spoken(result)


async def check(client: Client, handoff_id: str) -> Mapping[str, Any]:
    return spoken(await client.call_tool("check_handoff", {"handoff_id": handoff_id}))


def spoken(result: CallToolResult) -> Mapping[str, Any]:
    structured = result.structured_content
    assert structured is not None
    [text] = [block.text for block in result.content]  # type: ignore[union-attr]
    assert structured.get("guidance", text) == text
    assert result.is_error == (structured["status"] == "ERROR")
    return structured
