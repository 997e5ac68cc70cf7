"""Goes on with a paused run of the OpenAI Agents SDK once people have decided.

`await resume(agent, state)` asks about all calls that a run waits for at once, and runs it with one plain decision for
each, until it waits no more. The SDK takes no edits: a person who wants another call denies this one, and writes so.

Tried with openai-agents 0.24.0. The paused run is a text that your program keeps (`keep`); the SDK would run its tools
again each time it is given it. So the store keeps that a run has gone on, and `GoneOn` is raised from then on.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, Unpack, cast

from handoffs.bridges.pauses import Call, Decided, Pauses, Ways, pauses, run_sync

FRAMEWORK = "openai-agents"


class Run(Protocol):
    """A run as `Runner.run` returns it."""

    @property
    def interruptions(self) -> Sequence[Any]:
        """The calls that it waits for."""
        ...

    @property
    def final_output(self) -> Any:
        """What the agent said at the end."""
        ...

    def to_state(self) -> Any:
        """Return the state to go on with."""
        ...


Keep = Callable[[Run], Awaitable[object] | None]
"""Keeps what a run has come to, before it counts as gone on: paused again, or done."""


async def resume(
    agent: object,
    state: str,
    *,
    keep: Keep | None = None,
    read: Mapping[str, object] | None = None,
    run: Mapping[str, object] | None = None,
    **ways: Unpack[Ways],
) -> Run:
    """Have people decide what a paused run waits for, go on with it until it waits no more, and return it.

    Args:
        agent: The agent that the run began with.
        state: The paused run: `result.to_state().to_string()`.
        keep: Is given what the run has come to, each time, and keeps it in place of `state`: the next state, if it is
            paused again, or the result. A process that dies before has its calls asked about again.
        read: More for `RunState.from_string`, such as `context_override`.
        run: More for `Runner.run`, such as `hooks` and `max_turns`.
        ways: How it is asked; see `Ways`.

    Raises:
        StillPaused: After `wait` seconds, people have not decided everything. Their questions are open.
        GoneOn: A process went on with this very pause: `state` is old.
    """
    async with pauses(FRAMEWORK, ways) as taken:
        while True:
            result = await _go_on(taken, agent, state, keep, dict(read or {}), dict(run or {}))
            if not result.interruptions:
                return result
            state = result.to_state().to_string()


def resume_sync(
    agent: object,
    state: str,
    *,
    keep: Keep | None = None,
    read: Mapping[str, object] | None = None,
    run: Mapping[str, object] | None = None,
    **ways: Unpack[Ways],
) -> Run:
    """Do what `resume` does, for a program without an event loop."""
    return run_sync(partial(resume, agent, state, keep=keep, read=read, run=run, **ways))


async def _go_on(
    taken: Pauses,
    agent: object,
    text: str,
    keep: Keep | None,
    read: Mapping[str, object],
    run: Mapping[str, object],
) -> Run:
    from importlib import import_module  # the framework is an extra

    agents = import_module("agents")
    state = await agents.RunState.from_string(agent, text, **read)
    waiting = state.get_interruptions()
    calls = [_call(number, item) for number, item in enumerate(waiting)]

    async def go_on(decided: Decided) -> Run:
        # As it was kept: another process may have begun with the other one.
        fresh = await agents.RunState.from_string(agent, text, **read)
        for call, item in zip(calls, fresh.get_interruptions(), strict=True):
            permission = decided.calls[call.id]
            if permission.allowed:
                fresh.approve(item)  # never `always_approve`: it would reach the other calls of this tool
            else:
                fresh.reject(item, rejection_message=permission.told)
        result = cast("Run", await agents.Runner.run(agent, fresh, **run))
        if keep is not None and (kept := keep(result)) is not None:
            await kept
        return result

    return await taken.take_up(_name_of(text, calls), calls, lambda decided: decided, go_on)


def _call(number: int, item: Any) -> Call:
    raw = cast("object", item.raw_item)
    values = cast("Mapping[str, object]", raw) if isinstance(raw, Mapping) else None
    arguments = getattr(item.raw_item, "arguments", None) if values is None else values.get("arguments")
    name = str(item.name or "a tool")
    origin = getattr(item, "tool_namespace", None)
    return Call(
        id=f"{number} {getattr(item, 'call_id', '')!s}",
        tool=f"{origin}.{name}" if origin and origin != name else name,
        arguments=arguments if isinstance(arguments, str) and arguments else _shown(item.raw_item),
        editable=False,
    )


def _shown(raw: object) -> str:
    """Return a call that has no arguments by that name, of a hosted tool or a shell, as a JSON object."""
    dump = getattr(raw, "model_dump", None)
    return json.dumps(dump(mode="json", exclude_none=True) if dump is not None else raw, default=repr)


def _name_of(text: str, calls: Sequence[Call]) -> str:
    """Return what names the pause: the whole run, as call ids repeat in other runs."""
    return " ".join([hashlib.sha256(text.encode()).hexdigest(), *(call.id for call in calls)])
