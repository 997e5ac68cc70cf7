"""Asks about the calls of a Strands agent: while they wait (`Approvals`), or once the agent is paused (`resume`).

Strands' own `HumanInTheLoop` says which calls need a person. Its yes is `True`, and its no is any other value, without
a reason or a change. So hooks carry these: a denied call is cancelled in the person's words, and an allowed one runs as
the person changed it. What was changed in between is not what was allowed, and is cancelled, too.

Tried with strands-agents 1.62.0. Strands keeps a paused agent in its session (`session_manager`), by `session_id` and
`agent_id`. The ids of its interrupts repeat in other sessions, and an agent that was built before another worker went
on still looks paused: so the session is read again before the agent goes on, and `GoneOn` is raised if it has.
"""

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack, cast
from weakref import WeakKeyDictionary

import anyio.to_thread

# First, since it says which extra is missing where Strands is not installed.
import handoffs.strands  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent
from strands.vended_interventions.hitl import HumanInTheLoop

from handoffs.bridges.pauses import Call, Decided, Pauses, Question, Unanswered, Ways, in_words, pauses, run_sync
from handoffs.bridges.strands_approvals import Approvals
from handoffs.bridges.strands_calls import FRAMEWORK, Around, Decision, Object, call_of, tools_of
from handoffs.client import NotAnswered

if TYPE_CHECKING:
    from strands import Agent
    from strands.agent import AgentResult

__all__ = ["Approvals", "Keep", "resume", "resume_sync"]

APPROVAL = cast("str", HumanInTheLoop.name)

_BEFORE_TOOL_CALL = re.compile(r"v1:before_tool_call:(.+):[^:]+", re.DOTALL)
_PROMPT = re.compile(r'Approve "([^"]+)".*\?\n  Input: (.*)', re.DOTALL)

Keep = Callable[["AgentResult"], Awaitable[object] | None]
"""Keeps what an agent has come to, before its pause counts as gone on."""


async def resume(
    agent: "Agent",
    *,
    confirms: Collection[str] = (),
    session: str = "",
    keep: Keep | None = None,
    run: Object | None = None,
    unanswered: Unanswered | None = None,
    **ways: Unpack[Ways],
) -> "AgentResult | None":
    """Have people decide what a paused agent waits for, go on with it until it waits no more, and return its result.

    None if it is not paused: it is left as it is.

    Args:
        agent: The agent, as its session holds it.
        confirms: Names of further interventions that confirm calls as `HumanInTheLoop` does.
        session: Names the session of an agent without a session manager, whose snapshot your program keeps.
        keep: Is given each result, and keeps the snapshot of such an agent.
        run: More for `agent.invoke_async`, such as `invocation_state`.
        unanswered: Returns the response to an interrupt that is no call, if nobody answered. Without it, the error is
            raised (`Declined`, `Expired`, `Cancelled`), and the agent stays paused.
        ways: How it is asked; see `Ways`.

    Raises:
        StillPaused: After `wait` seconds, people have not decided everything. Their questions are open.
        GoneOn: Another process went on with it. Build the agent from its session again.
    """
    paused, result = _Paused.of(agent, session), None
    if paused is None:
        return None
    async with pauses(FRAMEWORK, ways) as taken:
        while paused is not None:
            result = await _go_on(taken, paused, {APPROVAL, *confirms}, keep, dict(run or {}), unanswered)
            paused = _Paused.of(agent, session)
    return result


def resume_sync(
    agent: "Agent",
    *,
    confirms: Collection[str] = (),
    session: str = "",
    keep: Keep | None = None,
    run: Object | None = None,
    unanswered: Unanswered | None = None,
    **ways: Unpack[Ways],
) -> "AgentResult | None":
    """Do what `resume` does, for a program without an event loop."""
    given = partial(resume, agent, confirms=confirms, session=session, keep=keep, run=run, unanswered=unanswered)
    return run_sync(partial(given, **ways))


class _Resumed(Around):
    """Stands around the calls of a paused agent that goes on."""

    def __init__(self) -> None:
        self.decisions: Mapping[str, Decision] = {}

    def begin(self, event: BeforeToolCallEvent[Any]) -> None:
        if (decision := self.decided(event)) is not None:
            decision.change(event)

    def decided(self, event: BeforeToolCallEvent[Any] | AfterToolCallEvent[Any]) -> Decision | None:
        return self.decisions.get(event.tool_use["toolUseId"])


_resumed: WeakKeyDictionary["Agent", _Resumed] = WeakKeyDictionary()
_unnamed: WeakKeyDictionary["Agent", str] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class _Paused:
    """A paused agent, and what it waits for."""

    agent: "Agent"
    name: str
    waiting: Sequence[Object]
    uses: Mapping[str, Object]
    """The tool uses of the pause, by id."""
    stands: Callable[[], Awaitable[bool]] | None

    @classmethod
    def of(cls, agent: "Agent", session: str) -> "_Paused | None":
        state = cast("Object", agent.take_snapshot(include=["interrupt_state"]).data["interrupt_state"])
        waiting = _waiting(state)
        if not waiting:
            return None
        message = _message(state)
        blocks = cast("list[Object]", message.get("content") or [])
        # Strands keeps its session manager to itself.
        manager = cast("object", getattr(agent, "_session_manager", None))
        session = session or str(
            getattr(manager, "session_id", "") or _unnamed.setdefault(agent, secrets.token_hex(16))
        )
        last = cast("Object", agent.messages[-1] if agent.messages else {})
        turn = str(message.get("tracking_id") or last.get("tracking_id") or len(agent.messages))
        return cls(
            agent=agent,
            name=json.dumps([session, agent.agent_id, turn, *(each["id"] for each in waiting)]),
            waiting=waiting,
            uses={block["toolUse"]["toolUseId"]: block["toolUse"] for block in blocks if "toolUse" in block},
            stands=_stands(manager, agent.agent_id, state),
        )


def _stands(manager: object, agent_id: str, state: Object) -> Callable[[], Awaitable[bool]] | None:
    """Return what reads in a session whether its agent still waits for the same; None where that can't be read."""
    repository = getattr(manager, "session_repository", None)
    if repository is None:
        return None
    read = partial(repository.read_agent, getattr(manager, "session_id", ""), agent_id)

    async def stands() -> bool:
        kept = await anyio.to_thread.run_sync(read)
        now: Object = {} if kept is None else kept.to_dict()["_internal_state"].get("interrupt_state", {})
        same = [each["id"] for each in _waiting(now)] == [each["id"] for each in _waiting(state)]
        return same and _message(now).get("tracking_id") == _message(state).get("tracking_id")

    return stands


def _waiting(state: Object) -> Sequence[Object]:
    """Return the interrupts that nobody has answered yet."""
    interrupts = cast("Mapping[str, Object]", state.get("interrupts") or {})
    return [each for each in interrupts.values() if each["response"] is None] if state.get("activated") else []


def _message(state: Object) -> Object:
    pending = cast("Object", state.get("pending_tool_execution") or {})
    return cast("Object", pending.get("assistant_message") or {})


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """What an agent is resumed with, and what its hooks carry."""

    decisions: Mapping[str, Decision]
    responses: Sequence[object]


async def _go_on(
    taken: Pauses,
    paused: _Paused,
    confirms: Collection[str],
    keep: Keep | None,
    run: Object,
    unanswered: Unanswered | None,
) -> "AgentResult":
    agent, tools = paused.agent, tools_of(paused.agent)
    items = [_item(each, paused.uses, each["name"] in confirms, tools) for each in paused.waiting]

    def prepare(decided: Decided) -> _Prepared:
        return _Prepared(
            decisions={
                use: Decision(item, decided.calls[item.id])
                for item in items
                if isinstance(item, Call) and (use := _use_of(item.id)) in paused.uses
            },
            responses=[
                {"interruptResponse": {"interruptId": item.id, "response": _response(item, decided, unanswered)}}
                for item in items
            ],
        )

    async def go_on(prepared: _Prepared) -> "AgentResult":
        _resumed[agent].decisions = prepared.decisions
        try:
            result = await agent.invoke_async(cast("Any", prepared.responses), **run)
        finally:
            _resumed[agent].decisions = {}
        if keep is not None and (kept := keep(result)) is not None:
            await kept
        return result

    if agent not in _resumed:
        _resumed[agent] = _Resumed()
        agent.hooks.add_hook(_resumed[agent])
    return await taken.take_up(paused.name, items, prepare, go_on, stands=paused.stands)


def _item(
    interrupt: Object, uses: Mapping[str, Object], confirms: bool, tools: Mapping[str, Object]
) -> Call | Question:
    interrupt_id, reason = str(interrupt["id"]), cast("object", interrupt["reason"])
    if not confirms:
        message = reason if isinstance(reason, str) and reason.strip() else in_words("The agent asks:", reason)
        return Question(id=interrupt_id, message=message)
    use = uses.get(_use_of(interrupt_id))
    if (said := _PROMPT.fullmatch(reason) if isinstance(reason, str) else None) is not None:
        with suppress(ValueError):  # another release words it in another way
            # As the intervention saw the call: those before it may have changed it.
            return call_of(interrupt_id, said[1], json.loads(said[2]), tools, editable=use is not None)
    if use is None:
        return call_of(interrupt_id, str(interrupt["name"]), {"reason": reason}, {}, editable=False)
    return call_of(interrupt_id, use["name"], use["input"], tools, editable=True)


def _response(item: Call | Question, decided: Decided, unanswered: Unanswered | None) -> object:
    if isinstance(item, Call):
        return decided.calls[item.id].allowed  # never a word: to Strands `approve` is a no, and `yes` a yes
    answer = decided.answers[item.id]
    if not isinstance(answer, NotAnswered):
        return answer.text
    if unanswered is None:
        raise answer
    return unanswered(answer)


def _use_of(interrupt_id: str) -> str:
    """Return the tool use before which an interrupt came."""
    found = _BEFORE_TOOL_CALL.fullmatch(interrupt_id)
    return "" if found is None else found[1]
