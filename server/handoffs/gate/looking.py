"""A second look at a call that a person has allowed, before it is sent: hours may have passed since it was shown."""

from collections.abc import Callable

import anyio

from handoffs.core.action import Action
from handoffs.gate.calls import HeldCall
from handoffs.gate.definitions import Definitions
from handoffs.gate.granted import digest_of
from handoffs.gate.policy_model import Decision, Terms, Verdict

STALE_SECONDS = 10.0
"""After this time, a server of 2026-07-28 is asked for its tools again: it tells only those who listen of changes."""


class Outdated(Exception):
    """A call was allowed, and nothing was sent: its tool is no longer what the person was shown."""


class Look:
    """Looks at one call as it is now."""

    def __init__(
        self,
        call: HeldCall,
        action: Action,
        *,
        pinned: bool,
        definitions: Definitions,
        verdict: Callable[[HeldCall], Verdict],
        terms: Callable[[HeldCall, Verdict], Terms],
    ) -> None:
        """Take the call, what the person is shown of it, and what knows its tool and its rules."""
        self._call, self._action, self._pinned = call, action, pinned
        self._definitions, self._verdict, self._terms = definitions, verdict, terms
        self._shown_at = anyio.current_time()

    async def check(self) -> Terms:
        """Return the terms as they are now.

        Raises:
            Outdated: The definition of the tool has changed, and its rule does not say that this is all one.
        """
        call = self._call
        if call.as_task is not None or self._is_stale():
            self._definitions.forget()
        await self._definitions.load(call.client, call.meta)
        if self._is_outdated():
            raise Outdated
        return self._terms(call, self._verdict(call))

    def at_once(self) -> Terms | None:
        """Return the terms as they are now, as `check` would; None where it would ask the server, or raise."""
        call = self._call
        if call.as_task is not None or not self._definitions.known or self._is_stale() or self._is_outdated():
            return None
        return self._terms(call, self._verdict(call))

    def terms_of(self, arguments: str) -> Terms:
        """Return the terms of the call with these arguments."""
        call = self._call.with_arguments(arguments)
        return self._terms(call, self._verdict(call))

    def denied(self, arguments: str | None) -> Verdict | None:
        """Return what the policy says where it denies the call with these arguments; None: with its own."""
        verdict = self._verdict(self._call if arguments is None else self._call.with_arguments(arguments))
        return verdict if verdict.decision is Decision.DENY else None

    def _is_stale(self) -> bool:
        return self._call.client.modern and anyio.current_time() - self._shown_at > STALE_SECONDS

    def _is_outdated(self) -> bool:
        now = self._definitions.of(self._call.tool)
        return self._pinned and digest_of(now) != digest_of(self._action.definition)
