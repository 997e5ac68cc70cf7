"""A Strands `MCPClient` that starts the handoffs server and asks in the terminal."""

import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Self, TypeAlias, TypedDict, Unpack

import httpx
from mcp import StdioServerParameters, stdio_client
from mcp.client.session import ElicitationFnT
from mcp.shared.dispatcher import ProgressFnT
from strands import Agent
from strands.tools.mcp import MCPAgentTool, MCPClient, TasksConfig
from strands.tools.mcp.mcp_client import ToolFilters
from strands.tools.mcp.mcp_types import MCPClientCredentials, MCPToolResult, ToolsChanged
from strands.types import PaginatedList
from strands.types.tools import ToolGenerator, ToolResultContent, ToolSpec, ToolUse

from handoffs.env_file import without_loaded
from handoffs.strands.asking import current_wait, terminal_elicitation
from handoffs.strands.files import words_for
from handoffs.strands.interrupts import Wait, listen_for_ctrl_c
from handoffs.strands.plugin import attach
from handoffs.strands.response import HandoffResponse

TOOL_USE_ID = "handoffs/toolUseId"
"""The key of `_meta` under which the server is told the tool use id."""

WAIT = timedelta(days=30)
"""How long a call waits for the person when its server has tasks: as long as a question can be open."""


Transport: TypeAlias = Callable[[], AbstractAsyncContextManager[object]]
"""Opens a connection to a server: `lambda: stdio_client(…)`."""


class ClientOptions(TypedDict, total=False):
    """What `MCPClient` takes by keyword, and gets unchanged."""

    url: str | None
    headers: dict[str, str] | None
    auth: MCPClientCredentials | None
    auth_provider: httpx.Auth | None
    startup_timeout: int
    tool_filters: ToolFilters | None
    prefix: str | None
    application_version: str | None
    continue_on_error: bool
    progress_callback: ProgressFnT | None
    tasks_config: TasksConfig | None
    on_tools_changed: ToolsChanged | None
    meta: dict[str, Any] | None


class HandoffClient(MCPClient):
    """Gives an agent `handoff_to_user` and `check_handoff`: `Agent(tools=[HandoffClient()])`.

    It starts `handoffs serve` by itself, tells it the tool use id of every call, and asks the person in this terminal.
    One Ctrl-C ends the wait: the agent is cancelled, KeyboardInterrupt reaches the program, the question stays open.
    """

    def __init__(
        self,
        transport_callable: Transport | None = None,
        *,
        env: Mapping[str, str] | None = None,
        elicitation_callback: ElicitationFnT | None = None,
        application_name: str = "strands",
        **options: Unpack[ClientOptions],
    ) -> None:
        """Prepare the client; nothing is started before an agent (or `start()`) needs it.

        Args:
            transport_callable: Another way to the server; without it and without `url` the client starts its own.
            env: Environment of that server, on top of this program's, of which no `HANDOFFS_…` counts that a `.env`
                has set. While this client asks in the terminal, the inbox
                in the browser is off unless `HANDOFFS_INBOX` says otherwise.
            elicitation_callback: Asks the person in place of the terminal.
            application_name: The client's name for the server. Names that start with `strands` are known to wait long.
            **options: As for `MCPClient`; but `tasks_config` is there unless it is None: then no request outlives its
                time-out, and the person may think for 30 days.
        """
        options.setdefault("tasks_config", TasksConfig(poll_timeout=WAIT))
        self.starts_own_server = transport_callable is None and not options.get("url")
        """Whether it started `handoffs serve` itself: its tools do nothing but ask a person."""
        if transport_callable is None and not options.get("url"):
            transport_callable = _own_server(env or {}, in_terminal=elicitation_callback is None)
        # Strands' own types name one of mcp 1.x that 2.x lacks, and a stream type narrower than what it takes.
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            transport_callable,  # pyright: ignore[reportArgumentType]
            elicitation_callback=elicitation_callback or terminal_elicitation,
            application_name=application_name,
            **options,
        )
        self._call_meta = options.get("meta") or {}
        listen_for_ctrl_c()

    def list_tools_sync(
        self,
        pagination_token: str | None = None,
        prefix: str | None = None,
        tool_filters: ToolFilters | None = None,
    ) -> PaginatedList[MCPAgentTool]:
        """Return the server's tools, as `MCPClient` does; their agent stops when Ctrl-C ends their wait."""
        tools = super().list_tools_sync(pagination_token, prefix, tool_filters)
        return PaginatedList(
            [_HandoffTool(tool, self) for tool in list[MCPAgentTool](tools)], token=tools.pagination_token
        )

    def call_tool_sync(
        self,
        tool_use_id: str,
        name: str,
        arguments: dict[str, Any] | None = None,
        read_timeout_seconds: timedelta | None = None,
        meta: dict[str, Any] | None = None,
        progress_callback: ProgressFnT | None = None,
        *,
        cancel_signal: threading.Event | None = None,
    ) -> MCPToolResult:
        """Call a tool as `MCPClient` does. A wait that was cancelled gives a PENDING response."""
        with Wait(cancel_signal) as wait:
            token = current_wait.set(wait)
            try:
                result = super().call_tool_sync(
                    tool_use_id,
                    name,
                    arguments,
                    read_timeout_seconds,
                    self._meta_for(tool_use_id, meta),
                    progress_callback,
                    cancel_signal=wait,
                )
            finally:
                current_wait.reset(token)
        return _still_open(result, wait, arguments)

    async def call_tool_async(
        self,
        tool_use_id: str,
        name: str,
        arguments: dict[str, Any] | None = None,
        read_timeout_seconds: timedelta | None = None,
        meta: dict[str, Any] | None = None,
        progress_callback: ProgressFnT | None = None,
        *,
        cancel_signal: threading.Event | None = None,
    ) -> MCPToolResult:
        """Call a tool as `MCPClient` does. A wait that was cancelled gives a PENDING response."""
        with Wait(cancel_signal) as wait:
            token = current_wait.set(wait)
            try:
                result = await super().call_tool_async(
                    tool_use_id,
                    name,
                    arguments,
                    read_timeout_seconds,
                    self._meta_for(tool_use_id, meta),
                    progress_callback,
                    cancel_signal=wait,
                )
            finally:
                current_wait.reset(token)
        return _still_open(result, wait, arguments)

    def map_mcp_content_to_tool_result_content(self, content: Any) -> ToolResultContent | None:
        """Return what the model gets of a part of a result; of a file that it can't be shown, where it is."""
        shown = super().map_mcp_content_to_tool_result_content(content)
        if shown is None and (words := words_for(content)) is not None:
            return {"text": words}
        return shown

    def __getitem__(self, at: int) -> Self:
        """Be a list of one, so that `tools=HandoffClient()` is what `tools=[HandoffClient()]` is."""
        return (self,)[at]

    async def _cancel_tool_call(self, cancellation_state: Any) -> None:
        # A wait that ends (Ctrl-C, a time-out, a cancelled agent) does not withdraw the question, which `tasks/cancel`
        # would do.
        if "task_id" not in cancellation_state:
            await super()._cancel_tool_call(cancellation_state)

    def _meta_for(self, tool_use_id: str, meta: dict[str, Any] | None) -> dict[str, Any]:
        return {**self._call_meta, **(meta or {}), TOOL_USE_ID: tool_use_id}


class _HandoffTool(MCPAgentTool):
    """A tool of this client. Its agent does not go on after Ctrl-C has ended the wait."""

    def __init__(self, tool: MCPAgentTool, client: HandoffClient) -> None:
        super().__init__(tool.mcp_tool, client, name_override=tool.tool_name, timeout=tool.timeout)

    @property
    def tool_spec(self) -> ToolSpec:
        """What the model is told of it, and the moment in which its agent is known before it calls any tool."""
        _attach_to_who_asks()
        return super().tool_spec

    async def stream(self, tool_use: ToolUse, invocation_state: dict[str, Any], **kwargs: Any) -> ToolGenerator:
        attach(invocation_state["agent"])
        async for event in super().stream(tool_use, invocation_state, **kwargs):
            # A direct call has no loop to end, and its agent would take the signal for one to end its next call.
            if "event_loop_cycle_id" in invocation_state and event.tool_result.get("cancelled"):
                invocation_state["agent"].cancel()
            yield event


def _attach_to_who_asks() -> None:
    """Attach to the agent in whose course a tool's description is read.

    A tool is not told whose it is before it runs, and then tools of the same turn may have run before it. Strands reads
    the descriptions before each call of the model and of a tool, in a function of which the agent is a variable.
    """
    frame = inspect.currentframe()
    for _ in range(_FRAMES):
        frame = frame.f_back if frame is not None else None
        if frame is None:
            return
        for value in frame.f_locals.values():
            # One that is still being made has no hooks yet.
            if isinstance(value, Agent) and hasattr(value, "hooks"):
                attach(value)
                return


_FRAMES = 8
"""How many frames up the agent is searched."""


def _own_server(env: Mapping[str, str], *, in_terminal: bool) -> Transport:
    # What a program has read from a `.env` is not what the person set: see `handoffs.env_file`.
    environment = {**without_loaded(os.environ), **env}
    # This client asks on the terminal; a server that did so too would take its keys.
    environment["HANDOFFS_TERMINAL"] = "off"
    if in_terminal:
        # A handover that the program prints must not open a browser for the person at this terminal.
        environment.setdefault("HANDOFFS_INBOX", "off")
    parameters = StdioServerParameters(command=sys.executable, args=["-m", "handoffs", "serve"], env=environment)
    return lambda: stdio_client(parameters)


def _still_open(result: MCPToolResult, wait: Wait, arguments: Mapping[str, object] | None) -> MCPToolResult:
    """Return the result; for a cancelled wait, one that says that nothing was decided."""
    if not result.get("cancelled"):
        return result
    guidance = "No decision: the wait was ended here, and the question stays open. Do not act on it."
    if wait.handoff_id is not None:
        guidance += f' Call check_handoff with handoff_id "{wait.handoff_id}" to go on waiting.'
    response: HandoffResponse = {
        "content": [{"text": str((arguments or {}).get("message", ""))}],
        "userInput": [{"text": ""}],
        "status": "PENDING",
        "toolUseId": result["toolUseId"],
        "guidance": guidance,
    }
    if wait.handoff_id is not None:
        response["handoffId"] = wait.handoff_id
    return {**result, "content": [{"text": guidance}], "structuredContent": dict(response)}


class _Cancellations(logging.Filter):
    """Keeps the traceback of a call that was cancelled off the person's screen: Strands logs it as a failure."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        return kind is None or kind.__name__ != "_MCPCallCancelledError"


logging.getLogger("strands.tools.mcp.mcp_client").addFilter(_Cancellations())
