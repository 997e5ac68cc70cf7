"""What a gate remembers of one server: definitions as people know them, and permissions that they gave for later.

- At first sight of a server its tools are pinned as they are. When a definition changes, also between two starts, its
  grants end and the next call asks, with the difference. What a person then allows is pinned.
- A grant is used only where the policy still asks, with one durable commit, before the call is sent.
- Where a rule says who decides, or a proof is demanded, a grant is compared with the answer that gave it.
- While everything is stopped, no grant counts and every call that would ask is denied.
- Where the store is away, nothing is known to have changed, and no grant counts. It is compared once the store is back.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from handoffs.core.action import Action, definition_digest
from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.grant import MOST_GRANTS, Grant, Pin, Stop
from handoffs.core.model import Handoff
from handoffs.core.ports import Clock, Permissions
from handoffs.core.remembering import offered
from handoffs.core.retry import AGAIN_SECONDS
from handoffs.gate.granted import choice_of, granted
from handoffs.gate.policy_model import Terms

if TYPE_CHECKING:  # only a rule that says who decides, or a demanded proof, needs them
    from handoffs.gate.grant_proofs import GrantProofs
    from handoffs.gate.seats import People

logger = logging.getLogger(__name__)

_NOT_GIVEN = "the permission %s allows nothing: no decision that counts here has given it so"


def comparing(
    desk: Desk, directory: "People | None", *, subject: str, project: str, session: str
) -> "Callable[[Terms], GrantProofs | None]":
    """Return what compares permissions with the answers that gave them, where the terms or the settings want it.

    `directory` knows the people.
    """
    made: list[GrantProofs] = []

    def proofs(terms: Terms) -> "GrantProofs | None":
        if terms.deciders is None and not desk.proof_demanded:
            return None
        if not made:
            from handoffs.gate.grant_proofs import GrantProofs

            made.append(GrantProofs(desk, directory, subject=subject, project=project, session=session))
        return made[0]

    return proofs


class Remembered:
    """The pins and grants that count in one session."""

    def __init__(
        self,
        permissions: Permissions,
        clock: Clock,
        *,
        server: str,
        subject: str,
        project: str,
        session: str,
        proofs: "Callable[[Terms], GrantProofs | None]" = lambda _: None,
    ) -> None:
        """Take where they are kept, and whose calls these are.

        `proofs` returns what permissions are compared with under these terms; None where each one in the store counts.
        """
        self._permissions, self._clock, self._proofs = permissions, clock, proofs
        self._server, self._subject, self._project, self._session = server, subject, project, session
        self._before: dict[str, str] = {}
        self._apart: dict[str, tuple[str, str]] = {}  # of each tool of which the gate and the client were told apart
        self._settled: dict[str, tuple[str, str]] = {}  # and those that a person has allowed since
        self._used: dict[str, Grant] = {}  # the one of each tool that was used last, as it was then

    async def compare(self, tools: Mapping[str, str], told: Mapping[str, str] | None = None) -> bool | None:
        """Compare the definitions that the server lists with those that are pinned, and pin them at first sight.

        `told` are those that the client was told otherwise: they have changed, whatever is pinned, until a person has
        allowed a call by them. Return whether it was first sight; None where the store can't be used.
        """
        told = told or {}
        apart = {tool: (definition_digest(tools.get(tool, "")), definition_digest(each)) for tool, each in told.items()}
        try:
            pins = await self._permissions.pins(self._server)
            if not pins:
                await self._permissions.pin([self._pin(tool, definition) for tool, definition in tools.items()])
            changed = {
                tool: pins[tool].definition if tool in pins else ""
                for tool, definition in tools.items()
                if pins and (tool not in pins or pins[tool].digest != definition_digest(definition))
            }
            for tool, each in apart.items():
                if self._settled.get(tool) == each:
                    changed.pop(tool, None)
                    continue
                own = tools.get(tool, "")
                pinned = pins[tool].definition if tool in pins else "" if pins else own
                changed[tool] = own if definition_digest(pinned) == each[1] else pinned
            for tool in changed.keys() - self._before.keys():
                await self._permissions.end_grants(server=self._server, tool=tool, at=self._clock.now())
        except HandoffError as error:
            logger.warning("whether a tool of %s has changed is not known: %s", self._server, error)
            return None
        # A change that nobody has seen yet stays one while the server does not list the tool, or nothing at all.
        unlisted = {tool: before for tool, before in self._before.items() if tool not in tools and tool not in apart}
        self._before, self._apart = {**unlisted, **changed}, apart
        return not pins and bool(tools)

    async def knows_again(self) -> None:
        """Return once the store can be used again."""
        while True:
            await self._clock.sleep(AGAIN_SECONDS)
            with suppress(HandoffError):
                await self._permissions.pins(self._server)
                return

    def before(self, tool: str) -> str | None:
        """Return the definition that people know of a tool that has changed; None where it has not.

        It is empty where the tool is new to a server that is known.
        """
        return self._before.get(tool)

    async def accept(self, tool: str, definition: str) -> None:
        """Pin a definition that a person has seen, and allowed a call by."""
        if tool in self._before:
            await self._permissions.pin([self._pin(tool, definition)])
            del self._before[tool]
            if tool in self._apart:
                self._settled[tool] = self._apart[tool]

    async def stopped(self) -> Stop | None:
        """Return the stop that stands; None where none does."""
        return await self._permissions.stopped()

    async def allows(self, action: Action, terms: Terms) -> Grant | None:
        """Use a grant that allows this call, and return it; None where there is none.

        The one that was used last is tried first, unread: what it allows never changes, and it is used only where it
        still counts. So a call takes one commit, and nothing else.
        """
        if not terms.remember.reaches or action.tool in self._before:
            return None
        last = self._used.pop(action.tool, None)
        if last is not None and (used := await self._use([last], action, terms)) is not None:
            return used
        return await self._use(await self._of(action.tool), action, terms)

    async def _use(self, grants: Sequence[Grant], action: Action, terms: Terms) -> Grant | None:
        now, definition, proofs = self._clock.now(), action.known_by, self._proofs(terms)
        for grant in grants:
            # What a rule lets be remembered now, and of whom, counts for what was remembered before.
            if ("session" if grant.session else grant.reach.value) not in terms.remember.reaches:
                continue
            like = grant.allows(
                now, session=self._session, definition=definition, digest=action.digest, arguments=action.values
            )
            if not like:
                continue
            if proofs is not None and not await proofs.counts(grant, terms):
                logger.warning(_NOT_GIVEN, grant.id)
                continue
            if (used := await self._permissions.use(grant.id, at=self._clock.now())) is not None:
                if proofs is not None and not proofs.is_next_use(grant, used):
                    logger.warning(_NOT_GIVEN, grant.id)
                    continue
                self._used[action.tool] = used
                return used
            if await self.stopped() is not None:
                break  # nor does any other one count
        return None

    async def keep(self, action: Action, handoff: Handoff, terms: Terms, *, edited: bool) -> None:
        """Keep the grant that a person gave with their answer, where the rule allows it."""
        if choice_of(handoff) not in offered(terms.remember.reaches, terms.remember.longest_seconds):
            return
        grant = granted(
            handoff,
            action,
            subject=self._subject,
            project=self._project,
            session=self._session,
            now=self._clock.now(),
            edited=edited,
        )
        if grant is None:
            return
        if (proofs := self._proofs(terms)) is not None:
            grant = proofs.keeping(grant, handoff, terms)
        self._used.pop(action.tool, None)  # the newest is used first
        try:
            await self._permissions.grant(grant)
        except ValueError:
            return  # an equal call, which waits for the same answer, has kept it: it is one permission

    async def suspend(self, action: Action) -> None:
        """Suspend the grants of a tool: a person has denied a call of it."""
        for grant in await self._of(action.tool):
            await self._permissions.suspend(grant.id, at=self._clock.now())

    async def _of(self, tool: str) -> list[Grant]:
        found = await self._permissions.grants(
            subject=self._subject, server=self._server, tool=tool, active_at=self._clock.now(), limit=MOST_GRANTS
        )
        return [grant for grant in found if grant.project == self._project]

    def _pin(self, tool: str, definition: str) -> Pin:
        now, digest = self._clock.now(), definition_digest(definition)
        return Pin(server=self._server, tool=tool, digest=digest, definition=definition, pinned_at=now)
