"""Presents open questions in the channels of a process: once in each channel, until they end or are put off."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from handoffs.core.beside import beside
from handoffs.core.errors import HandoffError
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Channel, Clock
from handoffs.core.retry import retry_while_unavailable

MAX_PUT_OFF = 10_000
"""How many put-off questions are remembered. A forgotten one is shown again when the agent checks."""


class Decisions(Protocol):
    """The part of the desk that channels use."""

    @property
    def clock(self) -> Clock:
        """The clock by which deadlines are kept."""
        ...

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff as it is now."""
        ...

    async def wait(self, handoff_id: str, *, seconds: float | None) -> Handoff:
        """Return the handoff once it has ended."""
        ...

    async def answer(
        self,
        handoff: Handoff,
        values: Mapping[str, object],
        *,
        by: str,
        channel: str,
        note: str = "",
        other: str = "",
    ) -> Handoff:
        """Record the answer."""
        ...

    async def decline(self, handoff: Handoff, *, by: str, channel: str, note: str = "") -> Handoff:
        """Record that the person refused to answer."""
        ...

    async def reached(self, handoff: Handoff, *, channel: str) -> None:
        """Record that a person has the question before them."""
        ...

    async def not_shown(self, handoff: Handoff, *, channel: str, reason: str) -> None:
        """Record that the question could not be shown to a person."""
        ...

    async def dismissed(self, handoff: Handoff, *, channel: str) -> None:
        """Record that a person said *not now*."""
        ...


class Presenter:
    """Shows questions in the channels of one desk."""

    def __init__(self, desk: Decisions, channels: Sequence[Channel], *, max_put_off: int = MAX_PUT_OFF) -> None:
        """Take the desk that records decisions. Nothing is shown before `presenting`."""
        self._desk = desk
        self.channels = tuple(channels)
        self._tasks: TaskGroup | None = None
        self._shown: set[tuple[str, str]] = set()
        self._max_put_off = max_put_off
        self._put_off: dict[tuple[str, str], None] = {}  # the oldest first

    @asynccontextmanager
    async def presenting(self) -> AsyncGenerator[None]:
        """Show questions for the length of this block. Questions open at its end stay open."""
        async with beside() as self._tasks:
            try:
                yield
            finally:
                self._tasks = None

    def present(self, handoff: Handoff, *, again: bool) -> None:
        """Have the channels show an open question that they do not show yet; put-off ones only with `again`."""
        if self._tasks is None or handoff.state is not State.OPEN:
            return
        for channel in self.channels:
            place = (channel.name, handoff.id)
            if place not in self._shown and (again or place not in self._put_off):
                self._shown.add(place)
                self._tasks.start_soon(self._show, channel, handoff)

    async def _show(self, channel: Channel, handoff: Handoff) -> None:
        async def withdraw() -> None:
            # An unavailable store leaves the question on screen. A store that fails, or has lost the handoff, withdraws
            # this question, and only this one: other questions and calls go on.
            with suppress(HandoffError):
                await retry_while_unavailable(
                    self._desk.clock, partial(self._desk.wait, handoff.id, seconds=None), seconds=None
                )
            tasks.cancel_scope.cancel()

        place = (channel.name, handoff.id)
        self._put_off.pop(place, None)
        reply = _Reply(self._desk, handoff, channel.name, partial(self._put_off.setdefault, place))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(withdraw)
                try:
                    await channel.present(handoff, reply)
                except Exception as broken:  # noqa: BLE001 - channels may be third-party code; one must not stop the others
                    with suppress(HandoffError):  # without a store there is no log
                        await self._desk.not_shown(
                            handoff, channel=channel.name, reason=f"failed: {type(broken).__name__}"
                        )
                tasks.cancel_scope.cancel()
        finally:
            self._shown.discard(place)
            if len(self._put_off) > self._max_put_off:
                del self._put_off[next(iter(self._put_off))]


class _Reply:
    """What a channel may do with the question that it was given."""

    def __init__(self, desk: Decisions, handoff: Handoff, channel: str, put_off: Callable[[], None]) -> None:
        self._desk, self._handoff, self._channel = desk, handoff, channel
        self._put_off = put_off

    async def earlier(self) -> Handoff | None:
        if not self._handoff.earlier:
            return None
        with suppress(HandoffError):  # pruned, or the store is unavailable: ask without it
            return await self._desk.get(self._handoff.earlier)
        return None

    async def reached(self) -> None:
        await self._desk.reached(self._handoff, channel=self._channel)

    async def dismissed(self) -> None:
        self._put_off()
        await self._desk.dismissed(self._handoff, channel=self._channel)

    async def answer(self, values: Mapping[str, object], *, by: str, note: str = "", other: str = "") -> None:
        answer = partial(self._desk.answer, self._handoff, values, by=by, channel=self._channel, note=note, other=other)
        await retry_while_unavailable(self._desk.clock, answer)

    async def decline(self, *, by: str, note: str = "") -> None:
        decline = partial(self._desk.decline, self._handoff, by=by, channel=self._channel, note=note)
        await retry_while_unavailable(self._desk.clock, decline)
