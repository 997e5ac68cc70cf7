"""A tool that runs once it may: what the agent runs in place of the tool itself.

This is as near to the tool as Strands lets anybody stand. Hooks and other middlewares have made of the call what they
would, so what a person is shown is what runs; and a call that one of them tries again comes here again, and needs an
approval of its own.
"""

import asyncio
import json
import logging
from typing import Any, cast

from strands.interrupt import InterruptException
from strands.middleware import ExecuteToolContext
from strands.tools.mcp import MCPAgentTool
from strands.types._events import ToolInterruptEvent, ToolStreamEvent
from strands.types.events import ToolResultEvent
from strands.types.tools import AgentTool, ToolGenerator, ToolResult, ToolSpec, ToolUse

from handoffs.gate import words
from handoffs.strands.interrupts import Wait
from handoffs.strands_gate.calls import Calls
from handoffs.strands_gate.wire import AgentCall, Refused, Run

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""How often a call that waits looks whether its agent was cancelled."""

NOT_JSON = (
    "Not run: its arguments are not what JSON can hold, so no person can be shown them exactly. Give texts, numbers, "
    "lists and objects."
)

LOST = "its client did not get the result"


class HeldTool(AgentTool):
    """A tool whose calls are held."""

    def __init__(self, tool: AgentTool, context: ExecuteToolContext, calls: Calls) -> None:
        """Take the tool, what the agent knows of this call, and what holds the calls of the tool."""
        super().__init__()
        self._tool, self._context, self._calls = tool, context, calls
        self._is_dynamic = tool.is_dynamic

    @property
    def tool_name(self) -> str:
        """The tool's own."""
        return self._tool.tool_name

    @property
    def tool_spec(self) -> ToolSpec:
        """The tool's own."""
        return self._tool.tool_spec

    @property
    def tool_type(self) -> str:
        """The tool's own."""
        return self._tool.tool_type

    async def stream(self, tool_use: ToolUse, invocation_state: dict[str, Any], **kwargs: Any) -> ToolGenerator:
        """Run the tool once that is allowed; else the result says why not."""
        use_id = tool_use["toolUseId"]
        shown = _as_json(tool_use["input"])
        if shown is None:
            yield _refusal(use_id, NOT_JSON)
            return
        call = self._calls.made(use_id, shown)
        decision = await self._decided(call, in_loop="event_loop_cycle_id" in invocation_state)
        if isinstance(decision, Refused):
            yield _refusal(use_id, decision.text)
            return
        # Read from what was shown: nobody else holds these values.
        arguments = json.loads(shown) if decision.arguments is None else decision.arguments
        use = cast("ToolUse", {**tool_use, "input": arguments})
        ended = False
        held_back: object = None  # a value that may be the result, of a tool that yields plain values
        try:
            async for event in self._tool.stream(use, invocation_state, **kwargs):
                if isinstance(event, ToolInterruptEvent):
                    ended = True
                    await self._calls.interrupted(call, use_id)
                    yield event
                    return
                if isinstance(event, ToolResultEvent):
                    ended = True
                    yield ToolResultEvent(await self._told(call, event.tool_result), exception=event.exception)
                    return
                if isinstance(event, ToolStreamEvent):
                    yield event
                    continue
                if held_back is not None:
                    yield held_back
                held_back = event
            ended = True
            if held_back is None:
                await self._calls.finished(call, is_error=True)
            else:
                yield await self._told(call, cast("ToolResult", held_back))
        except InterruptException:
            ended = True
            await self._calls.interrupted(call, use_id)
            raise
        except Exception:
            if not ended:
                ended = True
                await self._calls.finished(call, is_error=True)
            raise
        finally:
            if not ended:  # cancelled: a tool in a thread or a server goes on
                self._calls.given_up(call)

    async def _decided(self, call: AgentCall, *, in_loop: bool) -> Run | Refused:
        with Wait(self._context.cancel_signal) as wait:
            decision = asyncio.ensure_future(self._calls.decide(call))
            try:
                while not decision.done() and not wait.is_set():
                    await asyncio.wait({decision}, timeout=LOOK_SECONDS)
            except BaseException:
                self._given_up(call, decision)
                raise
            # Also where the prompt that got the Ctrl-C has put the question off before this was noticed.
            if wait.interrupted and in_loop and hasattr(agent := cast("Any", self._context.agent), "cancel"):
                agent.cancel()
            if not decision.done():
                self._given_up(call, decision)
                return Refused(words.WAITING)
        try:
            return decision.result()
        except asyncio.CancelledError:  # the gate was closed
            return Refused(words.WAITING)
        except Exception:
            logger.exception("the gate failed")
            return Refused(words.FAILED)

    def _given_up(self, call: AgentCall, decision: asyncio.Future[Run | Refused]) -> None:
        decision.cancel()
        self._calls.given_up(call)  # it may have been decided, and used up, just now

    async def _told(self, call: AgentCall, result: ToolResult) -> ToolResult:
        """Note the result, and return it with what the agent is told before it."""
        failed = result.get("status") == "error"
        # A result of an MCP server's says whether it is an error; what its client makes of a lost one does not.
        lost = isinstance(self._tool, MCPAgentTool) and failed and "isError" not in result
        try:
            if lost:
                notes = await self._calls.cut_off(call, LOST)
            else:
                notes = await self._calls.finished(call, is_error=failed)
        except Exception:
            # Without its note, the call counts as one that may have run. The agent gets the result in any case.
            logger.exception("the result of a call could not be noted")
            return result
        if not notes:
            return result
        content = [*({"text": note} for note in notes), *result["content"]]
        return cast("ToolResult", {**result, "content": content})


def _refusal(use_id: str, text: str) -> ToolResultEvent:
    return ToolResultEvent({"toolUseId": use_id, "status": "error", "content": [{"text": text}]})


def _as_json(arguments: object) -> str | None:
    """Return the arguments as JSON; None where that would be something else."""
    try:
        text = json.dumps({} if arguments is None else arguments)
        return text if arguments is None or json.loads(text) == arguments else None
    except (TypeError, ValueError, RecursionError):
        return None
