"""The courier of a process: finds the chats of a store, and runs a line for each account that no other process serves.

A hold of some seconds, renewed while the line runs, says which process that is. Where it ends, another one goes on.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from secrets import token_hex

import anyio
from anyio.abc import TaskGroup

from handoffs.channels.chats.line import BURST_SECONDS, FIRST_PAUSE, Line
from handoffs.channels.chats.pressed import ChatDesk
from handoffs.channels.chats.sealed import seal, unseal
from handoffs.channels.chats.service import Config, Kind, NotSent
from handoffs.core.chat import Chat, Chats
from handoffs.core.errors import HandoffError, StoreError
from handoffs.core.ports import Sealer

LOOK_SECONDS = 30.0
"""How soon it is found that another process has set a chat up, or has ended."""

HOLD_SECONDS = 45.0
RENEW_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Account:
    """The chats of one account; `same` differs where a line must begin anew."""

    name: str
    kind: Kind
    chats: tuple[tuple[Chat, Config], ...]

    @property
    def same(self) -> tuple[Chat, ...]:
        return tuple(replace(chat, problem="") for chat, _ in self.chats)


class Courier:
    """Serves the chats of a store, as far as no other process does."""

    def __init__(
        self,
        chats: Chats,
        desk: ChatDesk,
        sealer: Sealer,
        kinds: Mapping[str, Kind],
        link: Callable[[str], str] | None,
        *,
        burst: float = BURST_SECONDS,
        pause: float = FIRST_PAUSE,
    ) -> None:
        """Take where chats are kept, the desk, what opens their addresses, and the channels there are."""
        self._chats, self._desk, self._sealer, self._kinds, self._link = chats, desk, sealer, kinds, link
        self._burst, self._pause = burst, pause
        self._holder = token_hex(8)
        self._lines: dict[str, tuple[tuple[Chat, ...], anyio.CancelScope]] = {}
        self._held: set[str] = set()
        self._poked = anyio.Event()

    def poke(self) -> None:
        """Have the chats looked at now: one was changed here."""
        self._poked.set()

    async def run(self) -> None:
        """Serve until cancelled; then another process can go on at once."""
        try:
            async with anyio.create_task_group() as tasks:
                while True:
                    self._poked = anyio.Event()
                    with suppress(StoreError):
                        await self._look(tasks)
                    with self._desk.clock.limit(LOOK_SECONDS):
                        await self._poked.wait()
        finally:
            # Also what was taken while this was cancelled, before a line of it began.
            for account in [*self._held]:
                await self._leave(account)

    async def _look(self, tasks: TaskGroup) -> None:
        accounts = await self._accounts()
        for name, (same, scope) in [*self._lines.items()]:
            if name not in accounts or accounts[name].same != same:
                scope.cancel()
                del self._lines[name]
        for name, account in accounts.items():
            if name in self._lines:
                continue
            position = await self._hold(name)
            if position is not None:
                scope = anyio.CancelScope()
                self._lines[name] = account.same, scope
                tasks.start_soon(self._serve, account, position, scope)

    async def _accounts(self) -> dict[str, _Account]:
        grouped: dict[str, list[tuple[Chat, Config]]] = {}
        for chat in await self._chats.all():
            if chat.on and chat.channel in self._kinds:
                config = await unseal(self._sealer, chat)
                if config is not None:  # else another process has its key
                    grouped.setdefault(chat.account, []).append((chat, config))
        return {
            name: _Account(name=name, kind=self._kinds[chats[0][0].channel], chats=tuple(chats))
            for name, chats in grouped.items()
        }

    async def _leave(self, account: str) -> None:
        self._held.discard(account)
        with anyio.CancelScope(shield=True), suppress(HandoffError):
            await self._chats.leave(account, self._holder)

    async def _hold(self, account: str) -> str | None:
        self._held.add(account)
        now = self._desk.clock.now()
        until = now + timedelta(seconds=HOLD_SECONDS)
        position = await self._chats.hold(account, self._holder, at=now, until=until)
        if position is None:
            self._held.discard(account)
        return position

    async def _serve(self, account: _Account, position: str, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._run(account, position, scope)
        except Exception as broken:  # noqa: BLE001 - a service's code failed: it ends no server, and no other chat
            await self._broken(account, broken)
        finally:
            if self._lines.get(account.name, ((), None))[1] is scope:
                del self._lines[account.name]
                await self._leave(account.name)

    async def _run(self, account: _Account, position: str, scope: anyio.CancelScope) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew, account.name, scope)
            async with account.kind.open([config for _, config in account.chats]) as service:
                line = Line(
                    account.kind,
                    account.name,
                    account.chats,
                    service,
                    kept=self._chats,
                    desk=self._desk,
                    link=self._link,
                    paired=self._pair,
                    burst=self._burst,
                    pause=self._pause,
                )
                await line.run(position)

    async def _renew(self, account: str, scope: anyio.CancelScope) -> None:
        held = self._desk.clock.monotonic()
        while True:
            await self._desk.clock.sleep(RENEW_SECONDS)
            with suppress(StoreError):
                if await self._hold(account) is None:
                    scope.cancel()  # this process has slept, and another one goes on
                    return
                held = self._desk.clock.monotonic()
            if self._desk.clock.monotonic() - held > HOLD_SECONDS - RENEW_SECONDS:
                scope.cancel()
                return

    async def _broken(self, account: _Account, broken: Exception) -> None:
        words = str(broken) if isinstance(broken, NotSent) else f"it failed with {type(broken).__name__}"
        with suppress(HandoffError):
            for chat, _ in account.chats:
                await self._chats.note(chat.id, words)

    async def _pair(self, chat: Chat, config: Config) -> None:
        """Keep the address that a person has shown to be theirs, and go on with it."""
        kind = self._kinds[chat.channel]
        fresh = replace(chat, hint=kind.hint(config), problem="")
        await self._chats.change(await seal(self._sealer, fresh, config))
        self.poke()
