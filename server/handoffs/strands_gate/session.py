"""One agent's session with the gate: its wires, one for the tools of each server. All of it is in the gate's thread."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from handoffs.assembly import seal_keys, store_at
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.ports import Permissions
from handoffs.gate.holding import Holding
from handoffs.gate.policy import Policy
from handoffs.os_user import current_user
from handoffs.serving.desk import serving_desk
from handoffs.serving.invited import InboxWhenNeeded
from handoffs.settings import Settings
from handoffs.strands_gate.definitions import Source
from handoffs.strands_gate.wire import Wire


@dataclass(frozen=True)
class Parts:
    """What all sessions of a gate work on."""

    desk: Desk
    permissions: Permissions
    keys: Sequence[str]
    tasks: TaskGroup


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Parts]:
    """Yield the parts, over the store of the settings."""
    clock = SystemClock()
    async with (
        store_at(settings.store, clock) as store,
        serving_desk(settings, terminal=settings.terminal == "on", device=True, store=store, clock=clock) as desk,
        anyio.create_task_group() as tasks,
    ):
        yield Parts(desk, store.permissions, seal_keys(settings), tasks)
        tasks.cancel_scope.cancel()


class Session:
    """One agent's. A permission for a session is for as long as this."""

    def __init__(self, settings: Settings, policy: Callable[[], Policy], *, project: str) -> None:
        """Take what says how it asks; `policy` returns the one in force."""
        self._settings, self._policy, self._project = settings, policy, project
        self.states: dict[str, str] = {}
        """Of the calls whose tools want input before they go on, by the ids of their tool uses."""
        self._parts: Parts | None = None
        self._wires: dict[Source, Wire] = {}
        self._ending = anyio.Event()

    async def wire(self, parts: Parts, source: Source) -> Wire:
        """Return the wire to the tools of one server. There is one of them, also for calls that begin at once."""
        if parts is not self._parts:  # the gate was closed in between, and with it the wires
            self._parts, self._wires, self._ending = parts, {}, anyio.Event()
        if source not in self._wires:
            self._wires[source] = wire = Wire(self._holding(parts, source), dialog=self._settings.terminal == "auto")
            parts.tasks.start_soon(self._serve, wire, self._ending)
        wire = self._wires[source]
        await wire.ready.wait()
        return wire

    def begun(self, source: Source) -> Wire | None:
        """Return the wire to the tools of one server, where there is one."""
        return self._wires.get(source)

    def end(self, parts: Parts) -> None:
        """End the wires: their agent is gone."""
        if parts is self._parts:
            self._ending.set()

    async def _serve(self, wire: Wire, ending: anyio.Event) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wire.serve)
            await ending.wait()
            tasks.cancel_scope.cancel()

    def _holding(self, parts: Parts, source: Source) -> Holding:
        settings = self._settings
        # No host stands between the agent and the gate, so nobody gives up while the question is open.
        hold = settings.max_timeout_seconds if settings.hold_seconds is None else settings.hold_seconds
        return Holding(
            parts.desk,
            server=source.server,
            policy=self._policy,
            permissions=parts.permissions,
            subject=current_user(),
            project=self._project,
            keys=parts.keys,
            inbox=InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url),
            hold_seconds=hold,
            directory=parts.desk.directory,
        )
