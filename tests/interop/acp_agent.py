"""An agent made with the Agent Client Protocol's Python SDK: it asks permission, then for a form, and says both."""

import asyncio
from typing import Any

from acp import (
    PROTOCOL_VERSION,
    Agent,
    InitializeResponse,
    NewSessionResponse,
    PromptResponse,
    run_agent,
    start_tool_call,
    text_block,
    update_agent_message,
)
from acp.schema import (
    ElicitationFormSessionMode,
    ElicitationIntegerPropertySchema,
    ElicitationSchema,
    PermissionOption,
    ToolCallUpdate,
)

SCHEMA = ElicitationSchema(
    type="object",
    properties={"count": ElicitationIntegerPropertySchema(type="integer", minimum=1)},
    required=["count"],
)


class Asking(Agent):
    def on_connect(self, conn: Any) -> None:
        self.editor = conn

    async def initialize(self, protocol_version: int, **_: Any) -> Any:
        return InitializeResponse(protocol_version=PROTOCOL_VERSION)

    async def new_session(self, cwd: str, **_: Any) -> Any:
        return NewSessionResponse(session_id="session-1")

    async def prompt(self, prompt: Any, session_id: str, **_: Any) -> Any:
        call = start_tool_call("call-1", "Remove the build", kind="execute", raw_input={"command": "rm -rf build"})
        await self.editor.session_update(session_id, call)
        options = [
            PermissionOption(option_id="a", name="Always", kind="allow_always"),
            PermissionOption(option_id="b", name="Once", kind="allow_once"),
            PermissionOption(option_id="c", name="No", kind="reject_once"),
        ]
        asked = ToolCallUpdate(tool_call_id="call-1")
        reply = await self.editor.request_permission(session_id=session_id, tool_call=asked, options=options)
        outcome = reply.outcome
        reason = (reply.field_meta or {}).get("handoffs/reason")
        said = f"chosen {getattr(outcome, 'option_id', outcome.outcome)}{f' because {reason}' if reason else ''}"
        await self.editor.session_update(session_id, update_agent_message(text_block(said)))
        form = ElicitationFormSessionMode(mode="form", session_id=session_id, requested_schema=SCHEMA)
        filled = await self.editor.create_elicitation(message="How many?", mode=form)
        said = f"{filled.action} {getattr(filled, 'content', None)}"
        await self.editor.session_update(session_id, update_agent_message(text_block(said)))
        return PromptResponse(stop_reason="end_turn")


asyncio.run(run_agent(Asking(), use_unstable_protocol=True))
