"""A second look at a call that a person has allowed, before it is sent: hours may have passed since it was shown."""

from collections.abc import Callable

from handoffs.core.action import Action
from handoffs.gate.calls import HeldCall
from handoffs.gate.definitions import Definitions
from handoffs.gate.policy_model import Decision, Verdict
from handoffs.gate.remembered import digest_of


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
    ) -> None:
        """Take the call, what the person was shown of it, and what knows its tool and its rules."""
        self._call, self._action, self._pinned = call, action, pinned
        self._definitions, self._verdict = definitions, verdict

    async def check(self) -> None:
        """Raises Outdated: the definition of the tool has changed, and its rule does not say that this is all one."""
        if not self._pinned:
            return
        await self._definitions.load(self._call.client, self._call.meta)
        if digest_of(self._definitions.of(self._call.tool)) != digest_of(self._action.definition):
            raise Outdated

    def denied(self, arguments: str | None) -> Verdict | None:
        """Return what the policy says where it denies the call with these arguments; None: with its own."""
        verdict = self._verdict(self._call if arguments is None else self._call.with_arguments(arguments))
        return verdict if verdict.decision is Decision.DENY else None
