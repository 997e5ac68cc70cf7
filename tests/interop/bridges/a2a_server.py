"""A remote agent of a2a-sdk over HTTP, in an environment of its own: it pays once it was told to.

Its argument is a JSON object: `port`, and `asks`: what it asks one after the other, `{"text", "data", "auth"}`. It
notes each message that it gets in `got.txt` of the working folder, and then asks the next, or is done.
"""

import json
import sys
from pathlib import Path

import uvicorn
from a2a.helpers import new_data_part, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Task, TaskState, TaskStatus
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette

JOB = json.loads(sys.argv[1])
URL = f"http://127.0.0.1:{JOB['port']}/"


class Payer(AgentExecutor):
    def __init__(self) -> None:
        self.heard: dict[str, int] = {}

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        task_id = context.task_id
        heard = self.heard[task_id] = self.heard.get(task_id, -1) + 1
        if context.current_task is None:
            await event_queue.enqueue_event(
                Task(
                    id=task_id,
                    context_id=context.context_id,
                    status=TaskStatus(state=TaskState.TASK_STATE_SUBMITTED),
                    history=[context.message],
                )
            )
        else:
            with Path("got.txt").open("a") as got:
                got.write(json.dumps(MessageToDict(context.message)) + "\n")
        updater = TaskUpdater(event_queue, task_id, context.context_id)
        if heard < len(JOB["asks"]):
            ask = JOB["asks"][heard]
            parts = [new_text_part(ask["text"])] + ([new_data_part(ask["data"])] if "data" in ask else [])
            message = updater.new_agent_message(parts)
            await (updater.requires_auth if ask.get("auth") else updater.requires_input)(message)
        else:
            await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


CARD = AgentCard(
    name="Payer",
    description="Pays.",
    version="1",
    capabilities=AgentCapabilities(streaming=JOB.get("streaming", True)),
    supported_interfaces=[AgentInterface(url=URL, protocol_binding="JSONRPC", protocol_version="1.0")],
    skills=[AgentSkill(id="pay", name="Pay", description="Pays.", tags=["money"])],
    default_input_modes=["text"],
    default_output_modes=["text"],
)
handler = DefaultRequestHandler(agent_executor=Payer(), task_store=InMemoryTaskStore(), agent_card=CARD)
app = Starlette(routes=[*create_agent_card_routes(CARD), *create_jsonrpc_routes(handler, rpc_url="/")])
uvicorn.run(app, host="127.0.0.1", port=JOB["port"], log_level="warning")
