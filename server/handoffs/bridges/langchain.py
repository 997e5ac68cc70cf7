"""Goes on with a paused thread of LangGraph, so of a LangChain agent, too, once people have decided.

`await resume(agent, config)` takes the interrupts of the thread from its checkpointer, asks about all of them at once,
and resumes the thread with what was decided, in the shape that each interrupt wants; see `interrupts`. It goes on until
the thread is not paused any more. A program without an event loop calls `resume_sync`.

Tried with langchain 1.5.2 and langgraph 1.2.24. A batched answer that LangChain refuses would stay with the thread for
good, so every decision is checked here before: its type against what the interrupt allows, what a person has edited
against the tool's schema.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, Unpack, cast

import anyio.to_thread

from handoffs.bridges.interrupts import Asked, Tool, asked_by
from handoffs.bridges.pauses import Decided, GoneOn, Pauses, Unanswered, Ways, pauses, run_sync


class Graph(Protocol):
    """A compiled graph with a checkpointer: `create_agent(…)`, `StateGraph(…).compile(checkpointer=…)`."""

    # The types are those of LangGraph's own methods, which this module does not import.
    def get_state(self, config: Any) -> Any:
        """Return the state of a thread."""
        ...

    async def aget_state(self, config: Any) -> Any:
        """Return the state of a thread."""
        ...

    def invoke(self, input: Any, config: Any = None) -> Any:  # noqa: A002 - its name there
        """Run a thread."""
        ...

    async def ainvoke(self, input: Any, config: Any = None) -> Any:  # noqa: A002 - its name there
        """Run a thread."""
        ...


class Interrupt(Protocol):
    """What a thread waits for."""

    @property
    def id(self) -> str:
        """Names it."""
        ...

    @property
    def value(self) -> object:
        """What the graph wants to know."""
        ...


async def resume(
    agent: Graph,
    config: Mapping[str, object],
    *,
    tools: Iterable[object] = (),
    context: object = None,
    unanswered: Unanswered | None = None,
    **ways: Unpack[Ways],
) -> Mapping[str, object]:
    """Have people decide what a thread waits for, go on with it until it waits no more, and return its values.

    A thread that is not paused, or that another process runs already, is left as it is. If another process goes on with
    the pause after this one has found it, this one waits for it.

    Args:
        agent: The graph, with its checkpointer.
        config: The thread: `{"configurable": {"thread_id": …}}`.
        tools: Tools whose arguments people may edit; those of a `ToolNode` of the graph, as agents have one, are known.
        context: The graph's context for this run.
        unanswered: Returns the value with which a plain `interrupt` is resumed when nobody answered. Without it, the
            error is raised (`Declined`, `Expired`, `Cancelled`), and the thread stays paused.
        ways: How it is asked; see `Ways`.

    Raises:
        StillPaused: After `wait` seconds, people have not decided everything. Their questions are open.
        NoWayToRefuse: A call was not allowed, and its interrupt takes no refusal. The thread stays paused.
    """
    threads = _Threads(partial(agent.aget_state, config), partial(_run_async, agent, config, context))
    return await _resumed(agent, config, tools, threads, unanswered, ways)


def resume_sync(
    agent: Graph,
    config: Mapping[str, object],
    *,
    tools: Iterable[object] = (),
    context: object = None,
    unanswered: Unanswered | None = None,
    **ways: Unpack[Ways],
) -> Mapping[str, object]:
    """Do what `resume` does, for a program and a checkpointer without an event loop."""
    state, run = partial(agent.get_state, config), partial(_run, agent, config, context)
    threads = _Threads(
        partial(anyio.to_thread.run_sync, state), lambda values: anyio.to_thread.run_sync(partial(run, values))
    )
    return run_sync(partial(_resumed, agent, config, tools, threads, unanswered, ways))


class _Threads:
    """The thread that is resumed: its state, and a run with values by interrupt."""

    def __init__(
        self, state: Callable[[], Awaitable[Any]], run: Callable[[Mapping[str, object]], Awaitable[object]]
    ) -> None:
        self._state, self.run = state, run

    async def paused(self) -> tuple[Sequence[Interrupt], Mapping[str, object]]:
        """Return what the thread waits for, and its values."""
        state = await self._state()
        return list(state.interrupts), dict(state.values)


async def _resumed(
    agent: Graph,
    config: Mapping[str, object],
    tools: Iterable[object],
    thread: _Threads,
    unanswered: Unanswered | None,
    ways: Ways,
) -> Mapping[str, object]:
    known = {**_tools_in(agent), **_by_name(tools)}
    interrupts, values = await thread.paused()
    if not interrupts:
        return values
    async with pauses("langgraph", ways) as taken:
        while interrupts:
            with suppress(GoneOn):  # what the thread waits for now, its state says
                await _go_on(taken, thread, _name_of(config), interrupts, known, unanswered)
            interrupts, values = await thread.paused()
    return values


async def _go_on(
    taken: Pauses,
    thread: _Threads,
    name: str,
    interrupts: Sequence[Interrupt],
    tools: Mapping[str, Tool],
    unanswered: Unanswered | None,
) -> None:
    asked: dict[str, Asked] = {
        each.id: asked_by(each.id, each.value, getattr(each, "response_schema", None), tools, unanswered)
        for each in interrupts
    }

    def prepare(decided: Decided) -> Mapping[str, object]:
        return {interrupt_id: each.value(decided) for interrupt_id, each in asked.items()}

    async def stands() -> bool:
        now, _ = await thread.paused()
        return [each.id for each in now] == [*asked]

    items = [item for each in asked.values() for item in each.items]
    await taken.take_up(" ".join([name, *asked]), items, prepare, thread.run, stands=stands)


async def _run_async(agent: Graph, config: object, context: object, values: Mapping[str, object]) -> object:
    return await agent.ainvoke(_command(values), config, **_given(context))


def _run(agent: Graph, config: object, context: object, values: Mapping[str, object]) -> object:
    return agent.invoke(_command(values), config, **_given(context))


def _given(context: object) -> dict[str, Any]:
    return {} if context is None else {"context": context}


def _command(values: Mapping[str, object]) -> object:
    from importlib import import_module  # the framework is an extra

    return import_module("langgraph.types").Command(resume=dict(values))


def _name_of(config: Mapping[str, object]) -> str:
    configured = config.get("configurable")
    found: Mapping[str, object] = cast("Mapping[str, object]", configured) if isinstance(configured, Mapping) else {}
    return f"{found.get('thread_id', '')!s} {found.get('checkpoint_ns', '')!s}"


def _tools_in(agent: object) -> Mapping[str, Tool]:
    """Return the tools of the graph's tool nodes."""
    nodes = cast("Mapping[str, object]", getattr(agent, "nodes", None) or {})
    found = [getattr(getattr(node, "bound", None), "tools_by_name", None) for node in nodes.values()]
    return _by_name(
        tool for each in found if isinstance(each, Mapping) for tool in cast("Mapping[str, object]", each).values()
    )


def _by_name(tools: Iterable[object]) -> Mapping[str, Tool]:
    return {
        str(getattr(tool, "name", "")): Tool(description=str(getattr(tool, "description", "")), schema=schema)
        for tool in tools
        if (schema := _schema_of(tool)) is not None
    }


def _schema_of(tool: object) -> Mapping[str, object] | None:
    """Return the schema of the arguments that the model fills in."""
    model: Any = getattr(tool, "tool_call_schema", None)
    if isinstance(model, Mapping):
        return cast("Mapping[str, object]", model)
    if not hasattr(model, "model_json_schema"):
        return None
    schema = cast("dict[str, object]", model.model_json_schema())
    # The tool would drop what it does not know, and a person who edits would not be told.
    return schema if "additionalProperties" in schema else {**schema, "additionalProperties": False}
