"""Goes on with a paused run of Pydantic AI once people have decided.

`await resume(agent, messages, requests)` asks about all deferred approvals of a run at once, hands in the decisions for
all of them together, and goes on until the agent waits no more. A person's edit is `override_args`, checked against the
tool's schema before: Pydantic AI would tell the model what is wrong with it, and not the person.

Tried with pydantic-ai 2.68.0. The paused run is what your program keeps: `result.all_messages_json()`, and what it
waits for. Pydantic AI would run its tools again each time it is given them. So the store keeps that a run has gone on,
and `GoneOn` is raised from then on.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, Unpack, cast

from handoffs.bridges.pauses import Call, Decided, NoWayToRefuse, Pauses, Ways, edited_arguments, pauses, run_sync

FRAMEWORK = "pydantic-ai"


class Agent(Protocol):
    """An agent of Pydantic AI with `DeferredToolRequests` among its output types."""

    # The types are those of Pydantic AI's own, which this module does not import.
    @property
    def toolsets(self) -> Sequence[Any]:
        """The toolsets of the agent."""
        ...

    async def run(self, user_prompt: Any = None, **more: Any) -> Any:
        """Run the agent."""
        ...


Keep = Callable[[Any], Awaitable[object] | None]
"""Keeps what a run has come to, its result, before it counts as gone on: paused again, or done."""

External = Callable[[Any], Awaitable[object]]
"""Runs a call of an external tool, a `ToolCallPart`, and returns its result."""


async def resume(
    agent: Agent,
    messages: bytes,
    requests: bytes,
    *,
    keep: Keep | None = None,
    external: External | None = None,
    run: Mapping[str, object] | None = None,
    **ways: Unpack[Ways],
) -> Any:
    """Have people decide what a paused run waits for, go on with it until it waits no more, and return its result.

    Args:
        agent: The agent that the run began with.
        messages: Its messages: `result.all_messages_json()`.
        requests: What it waits for: `TypeAdapter(DeferredToolRequests).dump_json(result.output)`.
        keep: Is given what the run has come to, each time, and keeps it in place of both: a result whose output is what
            it waits for, if it is paused again. A process that dies before has its calls asked about again.
        external: Runs the calls of external tools, which need no permission.
        run: More for `agent.run`, such as `deps` and `usage_limits`.
        ways: How it is asked; see `Ways`.

    Raises:
        StillPaused: After `wait` seconds, people have not decided everything. Their questions are open.
        GoneOn: A process went on with this very pause: what was given is old.
        NoWayToRefuse: The run waits for an external tool, and there is no `external`.
    """
    from importlib import import_module  # the framework is an extra

    from pydantic import TypeAdapter

    kinds = import_module("pydantic_ai")
    adapter: TypeAdapter[Any] = TypeAdapter(kinds.DeferredToolRequests)
    async with pauses(FRAMEWORK, ways) as taken:
        while True:
            result = await _go_on(taken, agent, messages, requests, keep, external, dict(run or {}))
            if not isinstance(result.output, kinds.DeferredToolRequests):
                return result
            messages, requests = result.all_messages_json(), adapter.dump_json(result.output)


def resume_sync(
    agent: Agent,
    messages: bytes,
    requests: bytes,
    *,
    keep: Keep | None = None,
    external: External | None = None,
    run: Mapping[str, object] | None = None,
    **ways: Unpack[Ways],
) -> Any:
    """Do what `resume` does, for a program without an event loop."""
    return run_sync(partial(resume, agent, messages, requests, keep=keep, external=external, run=run, **ways))


async def _go_on(
    taken: Pauses,
    agent: Agent,
    messages: bytes,
    requests: bytes,
    keep: Keep | None,
    external: External | None,
    run: Mapping[str, object],
) -> Any:
    from importlib import import_module

    from pydantic import TypeAdapter

    kinds = import_module("pydantic_ai")
    messages_adapter = import_module("pydantic_ai.messages").ModelMessagesTypeAdapter
    adapter: TypeAdapter[Any] = TypeAdapter(kinds.DeferredToolRequests)
    waiting = adapter.validate_json(requests)
    if waiting.calls and external is None:
        named = ", ".join(str(each.tool_name) for each in waiting.calls)
        raise NoWayToRefuse(f"The run waits for the external tools {named}: give `external`, which runs them.")
    known = _tools_of(agent)
    calls = [_call(part, known) for part in waiting.approvals]

    def prepare(decided: Decided) -> Any:
        approvals = {call.id: _approval(kinds, call, decided) for call in calls}
        return kinds.DeferredToolResults(approvals=approvals)

    async def go_on(results: Any) -> Any:
        if external is not None:
            for part in waiting.calls:
                results.calls[part.tool_call_id] = await external(part)
        history = messages_adapter.validate_json(messages)
        result = await agent.run(message_history=history, deferred_tool_results=results, **run)
        if keep is not None and (kept := keep(result)) is not None:
            await kept
        return result

    name = " ".join([hashlib.sha256(messages).hexdigest(), hashlib.sha256(requests).hexdigest()])
    return await taken.take_up(name, calls, prepare, go_on)


def _approval(kinds: Any, call: Call, decided: Decided) -> object:
    permission = decided.calls[call.id]
    if not permission.allowed:
        return kinds.ToolDenied(message=permission.told)
    edited = edited_arguments(permission)
    return kinds.ToolApproved() if edited is None else kinds.ToolApproved(override_args=dict(edited))


def _call(part: Any, known: Mapping[str, Any]) -> Call:
    schema = known.get(part.tool_name)
    definition = None if schema is None else cast("Mapping[str, object]", schema.parameters_json_schema)
    arguments = part.args if isinstance(part.args, str) else json.dumps(part.args or {}, ensure_ascii=False)
    return Call(
        id=str(part.tool_call_id),
        tool=str(part.tool_name),
        arguments=arguments or "{}",
        schema=definition,
        description="" if schema is None else str(schema.description or ""),
    )


def _tools_of(agent: Agent) -> Mapping[str, Any]:
    """Return the definitions of the agent's own Python tools, by name."""
    toolsets = [each for each in agent.toolsets if isinstance(getattr(each, "tools", None), Mapping)]
    return {
        name: tool.tool_def
        for toolset in toolsets
        for name, tool in cast("Mapping[str, Any]", toolset.tools).items()
        if hasattr(tool, "tool_def")
    }
