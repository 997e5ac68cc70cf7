"""What a call goes through: the policy, a person where it says *ask*, and the server, once at the most.

- What the policy allows passes untouched. Until the server has listed its tools, a call waits for that: rules may look
  at what a tool says of itself.
- What a person allowed is used up in the store before it is sent, and sent once. Where its answer is lost, the agent is
  told that the call may have run.
- When a person can't be asked (the store is away), the call is not run.
"""

import logging
import secrets
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import anyio
from anyio.abc import TaskGroup

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.ports import Permissions
from handoffs.gate import words
from handoffs.gate.asking import Allowed, Asking
from handoffs.gate.calls import HeldCall
from handoffs.gate.client import Client
from handoffs.gate.definitions import Definitions
from handoffs.gate.ends import Ends, OwnRequests
from handoffs.gate.looking import Look, Outdated
from handoffs.gate.policy import Policy
from handoffs.gate.policy_model import Call, Decision, Terms, Verdict
from handoffs.gate.relay.message import OURS, Message
from handoffs.gate.remembered import Remembered, comparing
from handoffs.gate.rounds import Rounds
from handoffs.gate.sending import NOTING_SECONDS, Sending
from handoffs.gate.server_name import unmarked
from handoffs.gate.tasks import METHODS, Tasks
from handoffs.gate.waiting import Inbox
from handoffs.gate.written import mapping, written

if TYPE_CHECKING:
    from handoffs.gate.seats import People

logger = logging.getLogger(__name__)


class Holding:
    """The calls of one session. It is the holder of its relay (`relay.stdio.Holder`)."""

    def __init__(
        self,
        desk: Desk,
        *,
        server: str,
        policy: Callable[[], Policy],
        permissions: Permissions,
        subject: str,
        project: str,
        keys: Sequence[bytes | str],
        inbox: Inbox | None = None,
        hold_seconds: float | None = None,
        transport: str = "stdio",
        new_server: Callable[[int], None] | None = None,
        directory: "People | None" = None,
    ) -> None:
        """Take the parts; `policy` returns the one in force, `transport` (`stdio`, `http`) leads to the client.

        At first sight of the server, `new_server` is told how many tools were pinned. `directory` knows the people whom
        rules name; without it they can't be asked.
        """
        self._new_server = new_server
        self._own = OwnRequests()
        self._server, self._policy, self._project, self._transport = server, policy, project, transport
        self._rounds, self._subject = Rounds(keys), subject
        self._desk = desk
        self.session = secrets.token_hex(16)
        """Whose permissions for this session alone count."""
        self._remembered = Remembered(
            permissions,
            desk.clock,
            server=server,
            subject=subject,
            project=project,
            session=self.session,
            proofs=comparing(desk, directory, subject=subject, project=project, session=self.session),
        )
        self._asking = Asking(
            desk,
            self._own,
            server=server,
            subject=subject,
            project=project,
            rounds=self._rounds,
            inbox=inbox,
            remembered=self._remembered,
            hold_seconds=hold_seconds,
            transport=transport,
            directory=directory,
        )
        self._definitions = Definitions(self._own.ask_server, self._listed)
        self._sending = Sending(
            self._asking, self._own, self._rounds, subject=subject, clock=desk.clock, start=self._start
        )
        self._tasks = Tasks(
            desk, self._asking, self._sending, self._own, keys=keys, subject=subject, leave=self._leave, inbox=inbox
        )
        self._client = Client()
        self._group: TaskGroup | None = None
        self._held: dict[str, _Held] = {}  # by the call's name
        self._compares_later = False
        self._handling = 0  # how many held calls are not answered or sent

    @property
    def watching(self) -> Set[str]:
        """The ids whose responses from the server it must see."""
        return self._own.watching

    @asynccontextmanager
    async def serving(self, ends: Ends) -> AsyncGenerator[None]:
        """Hold calls while the block lasts; what is held at its end is not run."""
        self._own.ends = ends
        async with anyio.create_task_group() as self._group:
            try:
                yield
            finally:
                await self._sending.settled()
                self._group.cancel_scope.cancel()

    # The relay's side

    def from_client(self, message: Message) -> bool:
        """Take a message of the client; False passes it on."""
        match message.method:
            case "initialize":
                self._client = Client.of_session(message.params)
                return False
            case "tools/call":
                return self._took(message)
            case "notifications/cancelled":
                return self._cancelled(message)
            case None if message.id is not None:
                self._own.answered_by_client(message)
                return True  # also what comes too late: it answers nothing of the server's
            case name if name in METHODS and message.id is not None and self._tasks.has(message):
                self._start(partial(self._tasks.serve, message))
                return True
            case _:
                return False

    def from_server(self, message: Message) -> bytes | None:
        """Return what the client gets of a response that is watched; None for nothing."""
        assert message.id is not None
        self._own.watching.discard(message.id.text)
        of_call, answer = self._sending.answered(message)
        if not of_call:  # all others that are watched are ours
            self._own.answered_by_server(message)
        return answer

    def tools_changed(self) -> None:
        """Have the tools listed again: the server says that they have changed."""
        self._definitions.forget()

    def listed(self, asked: Message, answer: Message) -> None:
        """Look at what the client is told of the tools."""
        self._definitions.told(asked, answer)

    async def lost(self, id: str, reason: str) -> None:  # noqa: A002 - JSON-RPC's word
        """Answer a request that the server will never answer, though it goes on."""
        self._own.watching.discard(id)
        self._own.lost(id)
        await self._sending.lost(id, reason)

    async def behind_ended(self, reason: str) -> None:
        """Answer what the server has not answered, and what is held for it."""
        interrupted = await self._sending.interrupted()
        self._sending.ended = reason
        for held in self._held.values():
            held.scope.cancel()
        # Each answers for itself: only it knows whether its approval is being used up just now.
        with anyio.move_on_after(NOTING_SECONDS, shield=True):
            while self._handling:  # noqa: ASYNC110 - most often there is none
                await anyio.sleep(0.005)
        for call in [held.call for held in self._held.values() if not held.left]:
            await self._sending.reply(call, call.refused(words.INTERRUPTED))
        self._own.end()
        await self._sending.note_unknown(interrupted, reason)

    async def _listed(self, tools: Mapping[str, str], told: Mapping[str, str]) -> None:
        first = await self._remembered.compare(tools, told)
        if first is None and not self._compares_later:
            self._compares_later = True
            self._start(self._compare_later)
        if first and self._new_server is not None:
            self._new_server(len(tools))

    async def _compare_later(self) -> None:
        # Else a tool that has changed would run unasked for as long as the session lasts.
        await self._remembered.knows_again()
        self._compares_later = False
        self._definitions.forget()

    # One call

    def _took(self, message: Message) -> bool:
        client = self._client.of_call(mapping(message.params.get("_meta")))
        call = HeldCall(message=message, client=client)
        ready = self._definitions.known and not call.state.startswith(OURS)
        verdict = self._verdict(call) if ready else None
        if verdict is not None and self._passes(call, verdict):
            return False
        call, scope = self._tasks.offered(call), anyio.CancelScope()
        self._held[call.name] = _Held(scope, call)
        self._handling += 1
        self._start(partial(self._handle, call, scope, verdict))
        return True

    def _cancelled(self, message: Message) -> bool:
        given = written(message.params.get("requestId"))
        name = next((name for name, held in self._held.items() if held.is_request(given)), None)
        if name is None:
            self._sending.given_up(given)
            return False  # of what the server has: it passes
        self._leave(name)
        return True

    def _leave(self, name: str) -> None:
        """End a held call that its client wants no more; it gets no response."""
        if (held := self._held.get(name)) is not None:
            held.left = True
            held.scope.cancel()

    def _start(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        assert self._group is not None
        self._group.start_soon(work)

    async def _handle(self, call: HeldCall, scope: anyio.CancelScope, verdict: Verdict | None) -> None:
        try:
            await self._answered(call, scope, verdict)
        finally:
            self._handling -= 1

    async def _answered(self, call: HeldCall, scope: anyio.CancelScope, verdict: Verdict | None) -> None:
        with scope:
            try:
                reply = await self._decided(call, verdict)
            except HandoffError as error:
                logger.warning("a call of %s was not run: %s", call.tool, error)
                reply = call.refused(words.AWAY)
            except Exception as broken:  # noqa: BLE001 - whatever broke, the call must not run, and its client must hear
                frames = "".join(traceback.format_tb(broken.__traceback__))
                logger.error("the gate failed: %s\n%s", type(broken).__name__, frames)
                reply = call.refused(words.FAILED)
            if reply is not None:
                await self._sending.reply(call, reply)
        held = self._held.pop(call.name, None)
        if held is not None and scope.cancelled_caught and not held.left:
            await self._sending.reply(call, call.refused(await self._unsent(call)))
        self._tasks.settled(call)

    async def _unsent(self, call: HeldCall) -> str:
        """Return the words for a call whose server ended before it was sent; its like may have been."""
        action = self._asking.action_of(call, self._definitions.of(call.tool), self._verdict(call).terms)
        try:
            return words.LIKE_SENT if await self._asking.may_have_run(action) else words.SERVER_ENDED
        except HandoffError:
            return words.LIKE_SENT  # who can't look can't say that nothing ran

    async def _decided(self, call: HeldCall, verdict: Verdict | None = None) -> bytes | None:
        """Have the call run, or return what its client is told. The verdict of this very moment need not be given."""
        if verdict is None or not self._definitions.known:
            await self._definitions.load(call.client, call.meta)
            verdict = self._verdict(call)
        ours = call.state.startswith(OURS)
        terms = self._terms(call, verdict)
        action = self._asking.action_of(call, self._definitions.of(call.tool), terms)
        if verdict.decision is Decision.DENY:
            return call.refused(words.denied_by_rule(verdict.rule, verdict.reason))
        if ours:
            round_ = self._rounds.open(call.state, self._subject)
            allowed = None if round_ is None else self._sending.between(round_)
            if round_ is not None and allowed is not None and round_.digest == action.digest:
                self._held.pop(call.name, None)  # from here on, a cancellation is the server's to hear
                await self._sending.go_on(call, round_, allowed)
                return None
        clean = call.without_round() if ours else call
        if self._passes(call, verdict) and not call.as_task:
            return await self._pass(clean)
        asks = verdict.decision is Decision.ASK and not call.as_task
        # First, since it is most of what comes here: no grant is used while everything is stopped.
        if asks and await self._remembered.allows(action, terms) is not None:
            return await self._pass(clean)
        if await self._remembered.stopped() is not None:
            return call.refused(words.STOPPED)
        await self._tasks.ready(call)
        look = Look(
            call,
            action,
            pinned=verdict.pin,
            definitions=self._definitions,
            verdict=self._verdict,
            terms=self._terms,
        )
        try:
            reply = await self._asking.decide(call, action, terms, partial(self._sent, clean), look, pinned=verdict.pin)
        except Outdated:
            return await self._decided(clean)  # no deeper than a person allows it time and again
        return None if reply is None else reply.line

    def _terms(self, call: HeldCall, verdict: Verdict) -> Terms:
        return verdict.terms.limited_to(call.client.reaches(self._transport))

    def _passes(self, call: HeldCall, verdict: Verdict) -> bool:
        """Say whether a rule allows a call of a tool as people know it."""
        changed = verdict.pin and self._remembered.before(call.tool) is not None
        return verdict.decision is Decision.ALLOW and not changed

    async def _pass(self, call: HeldCall) -> None:
        self._held.pop(call.name, None)  # from here on, a cancellation is the server's to hear
        await self._own.to_server(call.for_server())

    async def _sent(self, call: HeldCall, allowed: Allowed) -> None:
        held = self._held.pop(call.name, None)  # from here on, a cancellation is the server's to hear
        await self._sending.send(call, allowed)
        if held is not None and held.left:  # while its approval was used up
            await self._sending.cancel(call)

    def _verdict(self, call: HeldCall) -> Verdict:
        definition = self._definitions.described(call.tool)
        hints = definition.get("annotations")
        title = definition.get("title")
        return self._policy().decide(
            Call(
                server=unmarked(self._server),
                tool=call.tool,
                arguments=call.values,
                title=title if isinstance(title, str) else "",
                annotations=cast("Mapping[str, object]", hints) if isinstance(hints, dict) else {},
                listed=bool(definition),
                caller={"client": call.client.name, "project": self._project, "subject": self._subject},
            )
        )


@dataclass(slots=True)
class _Held:
    """A call that is held."""

    scope: anyio.CancelScope
    call: HeldCall
    left: bool = False
    """Whether its client wants it no more, and gets no response."""

    def is_request(self, id: str) -> bool:  # noqa: A002 - JSON-RPC's word
        """Say whether the client waits for it under this id."""
        return self.call.id == id and not self.call.as_task and not self.left
