"""Asks about the calls of a Strands agent while they wait, in place of Strands' own prompt."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Unpack

import anyio
from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent

from handoffs.bridges.pauses import Call, Ways, pauses
from handoffs.bridges.strands_calls import FRAMEWORK, Around, Decision, call_of, tools_of
from handoffs.client import Permission, Status
from handoffs.strands.interrupts import Wait, listen_for_ctrl_c

LOOK_SECONDS = 0.1
"""How soon a wait notices Ctrl-C."""

INTERRUPTED = "Not run: the program was stopped before a person had decided. The question is still open."


class Approvals(Around):
    """Asks while the call waits: `HumanInTheLoop(ask=approvals.ask, evaluate=approvals.evaluate)`.

    The agent takes it among its `hooks`, too. One of them serves any number of agents.
    """

    def __init__(self, **ways: Unpack[Ways]) -> None:
        """Take how it is asked; see `Ways`. After `wait` seconds a call is not run, and its question stays open."""
        self._ways = ways
        listen_for_ctrl_c()

    async def ask(self, prompt: str, **more: object) -> bool:
        """Return whether the call may run, once a person has decided."""
        held = _held.get(None)
        if held is None or held.by is not self:
            raise RuntimeError(
                "Give this object to the agent's `hooks`, too: Strands tells `ask` not which call it is."
            )
        event = held.event
        tools, use = tools_of(event.agent), event.tool_use
        call = call_of(use["toolUseId"], use["name"], use["input"], tools, editable=True)
        held.decided = await self._decide(call, event)
        held.decided.change(event)
        return held.decided.permission.allowed

    @staticmethod
    def evaluate(response: object, **more: object) -> bool:
        """Say whether a response is a yes: `True`, and no word."""
        return response is True

    async def _decide(self, call: Call, event: BeforeToolCallEvent[Any]) -> Decision:
        permission = Permission(allowed=False, status=Status.PENDING, told=INTERRUPTED)

        async def stop(wait: Wait, scope: anyio.CancelScope) -> None:
            while not wait.is_set():  # noqa: ASYNC110 - a signal handler sets it
                await anyio.sleep(LOOK_SECONDS)
            scope.cancel()

        with Wait(event.agent.cancel_signal) as wait:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stop, wait, tasks.cancel_scope)
                async with pauses(FRAMEWORK, self._ways) as taken:
                    permission = await taken.permit(call)
                tasks.cancel_scope.cancel()
            if wait.interrupted:
                event.agent.cancel()
        return Decision(call, permission)

    def begin(self, event: BeforeToolCallEvent[Any]) -> None:
        """Take up a call, for which Strands may ask in a moment."""
        _held.set(_Held(self, event))

    def decided(self, event: BeforeToolCallEvent[Any] | AfterToolCallEvent[Any]) -> Decision | None:
        """Return what people decided about this very call."""
        held = _held.get(None)
        return held.decided if held is not None and held.by is self and held.of(event) else None


@dataclass
class _Held:
    """The call for which Strands asks, in its own task."""

    by: Approvals
    event: BeforeToolCallEvent[Any]
    decided: Decision | None = None

    def of(self, event: BeforeToolCallEvent[Any] | AfterToolCallEvent[Any]) -> bool:
        """Say whether an event is of this call: Strands calls these hooks in the task of the call."""
        if isinstance(event, BeforeToolCallEvent):
            return event is self.event
        return event.agent is self.event.agent and event.tool_use["toolUseId"] == self.event.tool_use["toolUseId"]


_held: ContextVar[_Held] = ContextVar("handoffs: the call that Strands asks about")
