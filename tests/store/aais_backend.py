"""Keeps the state of an AAIS authority in a store of ours, by nothing but the store's port.

Each change is a new handoff, whose message is the whole state. Whose turn it is to write the next one, `Store.claim`
decides: the first of all threads and processes gets it, the others wait until the turn was used.
"""

import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import anyio
from aais.backends import CorruptState, LockTimeout, RecoveryRequired, StoreError

from handoffs.core.form import Form
from handoffs.core.ids import new_id
from handoffs.core.model import Caller, Handoff, Question
from handoffs.core.question import form_of
from handoffs.store import OpenStore
from tests.store.backends import BACKENDS

STATE, ASIDE = "aais:state", "aais:aside"
CRASHED = timedelta(seconds=60)
"""After this time, the turn of a process that died in it is given away."""

T = TypeVar("T")
_held = threading.local()


@dataclass(frozen=True)
class Kept:
    """One state, as it is kept."""

    turn: int = 0
    version: int = 0
    document: str | None = None
    marker: dict[str, Any] | None = None


class Turn:
    """One transaction: reads what was there at its begin, and keeps what is to be there at its end."""

    def __init__(self, backend: "StoreBackend", found: Kept) -> None:
        self._backend, self.found, self.made = backend, found, found
        self.aside: list[str] = []

    def recovery_marker(self) -> RecoveryRequired | None:
        return self._backend.condition(self.made)

    def load(self) -> Any:
        text = self.made.document
        if text is None:
            return None
        try:
            return json.loads(text)
        except ValueError as wrong:
            raise CorruptState(f"invalid JSON: {wrong}", text.encode("latin-1")) from wrong

    def save(self, state: dict[str, Any]) -> None:
        self.made = replace(self.made, document=json.dumps(state))

    def quarantine(self, *, reason: str, detected_at: datetime, sequence_hint: int) -> RecoveryRequired:
        at = detected_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        marker = {"reason": reason, "detected_at": at, "sequence_hint": sequence_hint, "quarantined_to": ASIDE}
        if self.made.document is not None:
            self.aside.append(self.made.document)
        self.made = replace(self.made, document=None, marker=marker)
        condition = self.recovery_marker()
        assert condition is not None
        return condition

    def clear_recovery(self) -> None:
        self.made = replace(self.made, marker=None)


class StoreBackend:
    """The state in one store, which any number of threads and processes may use."""

    def __init__(self, kind: str, address: str, *, lock_timeout: float = 30) -> None:
        self.kind, self.address, self._timeout = kind, address, lock_timeout
        self.description = f"{kind} {address}"

    @contextmanager
    def transaction(self) -> Iterator[Turn]:
        held: set[str] = _held.__dict__.setdefault("addresses", set())
        if self.address in held:
            raise StoreError(f"nested transaction on {self.description}")
        turn = Turn(self, self._run(self._begin))
        held.add(self.address)
        try:
            yield turn
        except BaseException:
            turn.made, turn.aside = turn.found, []
            raise
        finally:
            held.discard(self.address)
            self._run(partial(self._end, turn))

    def version(self) -> int:
        return self._run(self._newest).version

    def invalidate(self) -> None:
        """Nothing is cached."""

    def exists(self) -> bool:
        return self._run(self._newest).document is not None

    def recovery_status(self) -> RecoveryRequired | None:
        return self.condition(self._run(self._newest))

    def condition(self, kept: Kept) -> RecoveryRequired | None:
        return None if kept.marker is None else RecoveryRequired(self.description, **kept.marker)

    def put_raw(self, raw: bytes) -> None:
        """Store what is no JSON."""
        with self.transaction() as turn:
            turn.made = replace(turn.made, document=raw.decode("latin-1"))

    async def _begin(self, store: OpenStore) -> Kept:
        deadline = time.monotonic() + self._timeout
        while True:
            found, now = await self._newest(store), datetime.now(UTC)
            if await store.claim(f"aais turn {found.turn}", now=now, until=now + CRASHED):
                return found
            if time.monotonic() > deadline:
                raise LockTimeout(f"timed out waiting for {self.description}")
            await anyio.sleep(0.005)

    async def _end(self, turn: Turn, store: OpenStore) -> None:
        for text in turn.aside:
            await _put(store, ASIDE, text)
        changed = turn.made != turn.found
        made = replace(turn.made, turn=turn.found.turn + 1, version=turn.found.version + changed)
        await _put(store, STATE, json.dumps(vars(made)))

    async def _newest(self, store: OpenStore) -> Kept:
        found = await store.newest_of(STATE, open_only=False, limit=1)
        return Kept(**json.loads(found[0].question.message)) if found else Kept()

    def _run(self, work: Callable[[OpenStore], Coroutine[Any, Any, T]]) -> T:
        async def opened() -> T:
            async with BACKENDS[self.kind].connect(self.address) as store:
                return await work(store)

        return anyio.run(opened)


async def _put(store: OpenStore, subject: str, text: str) -> None:
    now, name = datetime.now(UTC), new_id()
    form: Form = form_of("state", None, None)
    question = Question(message=text, form=form, deadline=now + timedelta(days=30))
    handoff = Handoff(id=name, caller=Caller(subject=subject), question=question, created_at=now, fingerprint=name)
    await store.open(handoff, collect_after=now)
