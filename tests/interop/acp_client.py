"""An editor made with the Agent Client Protocol's Python SDK, which drives an agent through one prompt.

Its dialog does what the first argument says: `wait` for ever, or choose the option of that kind. It prints one JSON
object a line: each request that it was asked, each update, and how the prompt ended.
"""

import asyncio
import json
import os
import sys
from typing import Any

from acp import PROTOCOL_VERSION, Client, spawn_agent_process, text_block
from acp.schema import (
    AllowedOutcome,
    ClientCapabilities,
    DeniedOutcome,
    ElicitationCapabilities,
    ElicitationFormCapabilities,
    RequestPermissionResponse,
)


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)  # noqa: T201


class Editor(Client):
    def __init__(self, dialog: str) -> None:
        self.dialog = dialog

    async def request_permission(self, session_id: str, tool_call: Any, options: Any, **_: Any) -> Any:
        say(asked=tool_call.title)
        if self.dialog == "wait":
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                say(withdrawn=tool_call.title)
                raise
        chosen = next((each for each in options if each.kind == self.dialog), None)
        if chosen is None:
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=chosen.option_id))

    async def create_elicitation(self, message: str, mode: Any = None, **_: Any) -> Any:
        say(form=message)
        await asyncio.sleep(600)

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        text = getattr(getattr(update, "content", None), "text", None)
        say(update=update.session_update, text=text, status=getattr(update, "status", None))


async def main() -> None:
    dialog, command, *arguments = sys.argv[1:]
    async with spawn_agent_process(
        Editor(dialog), command, *arguments, env=dict(os.environ), use_unstable_protocol=True
    ) as (agent, _):
        capabilities = ClientCapabilities(elicitation=ElicitationCapabilities(form=ElicitationFormCapabilities()))
        await agent.initialize(protocol_version=PROTOCOL_VERSION, client_capabilities=capabilities)
        session = await agent.new_session(cwd=os.getcwd(), mcp_servers=[])
        ended = await agent.prompt(session_id=session.session_id, prompt=[text_block("go")])
        say(ended=ended.stop_reason)


asyncio.run(main())
