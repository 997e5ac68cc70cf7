"""What a gate remembers of one server: definitions as people know them, and permissions that they gave for later.

- At first sight of a server its tools are pinned as they are. When a definition changes, also between two starts, its
  grants end and the next call asks, with the difference. What a person then allows is pinned.
- A grant is used only where the policy still asks, with one durable commit, before the call is sent.
- While everything is stopped, no grant counts and every call that would ask is denied.
- Where the store is away, nothing is known to have changed, and no grant counts.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from handoffs.core.action import Action, definition_digest
from handoffs.core.action_form import CONDITIONS, REMEMBER, USES
from handoffs.core.errors import HandoffError
from handoffs.core.grant import Grant, Pin, Reach, Stop, grant_id_of
from handoffs.core.model import Handoff
from handoffs.core.ports import Clock, Permissions
from handoffs.core.remembering import CHOICES, conditions_of, offered
from handoffs.gate.policy_model import Terms

logger = logging.getLogger(__name__)

MOST_GRANTS = 200
"""Grants of one tool that are looked through for a call; the newest first."""


class Remembered:
    """The pins and grants that count in one session."""

    def __init__(
        self, permissions: Permissions, clock: Clock, *, server: str, subject: str, project: str, session: str
    ) -> None:
        """Take where they are kept, and whose calls these are."""
        self._permissions, self._clock = permissions, clock
        self._server, self._subject, self._project, self._session = server, subject, project, session
        self._before: dict[str, str] = {}
        self._apart: dict[str, tuple[str, str]] = {}  # of each tool of which the gate and the client were told apart
        self._settled: dict[str, tuple[str, str]] = {}  # and those that a person has allowed since
        self._used: dict[str, Grant] = {}  # the one of each tool that was used last, as it was then

    async def compare(self, tools: Mapping[str, str], told: Mapping[str, str] | None = None) -> bool:
        """Compare the definitions that the server lists with those that are pinned, and pin them at first sight.

        `told` are those that the client was told otherwise: they have changed, whatever is pinned, until a person has
        allowed a call by them. Return whether it was first sight.
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
            return False
        # A change that nobody has seen yet stays one while the server does not list the tool, or nothing at all.
        unlisted = {tool: before for tool, before in self._before.items() if tool not in tools and tool not in apart}
        self._before, self._apart = {**unlisted, **changed}, apart
        return not pins and bool(tools)

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
        now, definition = self._clock.now(), action.known_by
        for grant in grants:
            # What a rule lets be remembered now, and of whom, counts for what was remembered before.
            if ("session" if grant.session else grant.reach.value) not in terms.remember.reaches:
                continue
            like = grant.allows(
                now, session=self._session, definition=definition, digest=action.digest, arguments=action.values
            )
            if not like:
                continue
            if (used := await self._permissions.use(grant.id, at=self._clock.now())) is not None:
                self._used[action.tool] = used
                return used
            if await self.stopped() is not None:
                break  # nor does any other one count
        return None

    async def keep(self, action: Action, handoff: Handoff, terms: Terms, *, edited: bool) -> None:
        """Keep the grant that a person gave with their answer, where the rule allows it."""
        end, values = handoff.end, handoff.values or {}
        choice, uses = str(values.get(REMEMBER) or ""), values.get(USES)
        if end is None or choice not in offered(terms.remember.reaches, terms.remember.longest_seconds):
            return
        meant = CHOICES[choice]
        if edited and meant.reach is Reach.EXACT:
            return  # what ran is not what the agent asks for
        picked, possible = values.get(CONDITIONS), conditions_of(action)
        wanted = picked if meant.reach is Reach.TOOL and isinstance(picked, list) else []
        if not possible.keys() >= set(wanted):
            return  # another version offered it: without the condition, it would allow more
        now = self._clock.now()
        grant = Grant(
            id=grant_id_of(handoff.id),
            subject=self._subject,
            project=self._project,
            server=self._server,
            tool=action.tool,
            definition=action.known_by,
            reach=meant.reach,
            arguments_digest=action.digest if meant.reach is Reach.EXACT else "",
            conditions=tuple(possible[each] for each in wanted),
            session=self._session if meant.session else "",
            created_at=now,
            by=end.by,
            channel=end.channel,
            handoff_id=handoff.id,
            expires_at=None if meant.seconds is None else now + timedelta(seconds=meant.seconds),
            uses_left=int(uses) if isinstance(uses, int | float) else None,
        )
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
