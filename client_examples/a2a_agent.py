"""A task of a remote agent that waits for a person, over A2A. The person's answer is the next message of the task.

Run it with A2A's SDK installed: `uv run --extra a2a python client_examples/a2a_agent.py`. The remote agent runs in this
program, too, and is reached over HTTP.
"""

import asyncio
import socket
from contextlib import asynccontextmanager

import httpx
import uvicorn
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import new_data_part, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    Role,
    SendMessageRequest,
    Task,
    TaskState,
    TaskStatus,
)  # fmt: skip
from starlette.applications import Starlette

from handoffs.bridges.a2a import resume


class Shop(AgentExecutor):
    """Asks before it pays, and does what it is told."""

    async def execute(self, context, event_queue):
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        if context.current_task is None:
            status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
            await event_queue.enqueue_event(Task(id=context.task_id, context_id=context.context_id, status=status))
            refund = new_data_part({"customer": "Ada", "euros": 1200})
            await updater.requires_input(updater.new_agent_message([new_text_part("How much shall I pay?"), refund]))
            return
        told = context.get_user_input()
        print(f"The remote agent reads: {told}")
        await updater.complete(updater.new_agent_message([new_text_part(f"I was told: {told}")]))

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


@asynccontextmanager
async def served():
    """Serve the remote agent, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    card = AgentCard(
        name="Shop", description="Pays money back.", version="1", capabilities=AgentCapabilities(),
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
        skills=[AgentSkill(id="refund", name="Refund", description="Pays money back.", tags=["money"])],
        default_input_modes=["text"], default_output_modes=["text"],
    )  # fmt: skip
    handler = DefaultRequestHandler(agent_executor=Shop(), task_store=InMemoryTaskStore(), agent_card=card)
    app = Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, rpc_url="/")])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    yield url
    server.should_exit = True
    await serving


async def main() -> None:
    async with served() as url, httpx.AsyncClient(timeout=60) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        request = SendMessageRequest(message=new_text_message("Pay Ada back.", role=Role.ROLE_USER))
        async for event in client.send_message(request):
            task_id = event.task.id
        task = await resume(client, card, task_id)
        print(f"The task is {TaskState.Name(task.status.state)}. {task.status.message.parts[0].text}")


if __name__ == "__main__":
    asyncio.run(main())
