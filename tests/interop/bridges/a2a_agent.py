"""A program that hands a task to a remote agent, over A2A; in an environment of its own.

Its argument is a JSON object: `do` is `start`, `resume` or `cancel`, `url` where the remote agent is, and more for
some. The task's id is in `task.txt`. It prints what became of it.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import new_text_message
from a2a.types import CancelTaskRequest, Role, SendMessageRequest, TaskState

from handoffs.bridges.a2a import resume
from handoffs.bridges.pauses import Question, StillPaused
from handoffs.client import NotAnswered

JOB = json.loads(sys.argv[1])
KEPT = Path("task.txt")


class Dying:
    """A client that dies before its message, or right after it."""

    def __init__(self, client: Any) -> None:
        self.get_task, self._client = client.get_task, client

    async def send_message(self, request: Any, *, context: Any = None) -> Any:
        if JOB["die"] == "after":
            async for _ in self._client.send_message(request, context=context):
                pass
        os._exit(9)
        yield


def asks(task: Any) -> Question:
    return Question(id="own", message="How much?", form=JOB["form"])


async def main() -> Any:
    async with httpx.AsyncClient(timeout=60) as http:
        card = await A2ACardResolver(http, JOB["url"]).get_agent_card()
        client: Any = ClientFactory(ClientConfig(httpx_client=http, streaming=JOB.get("streaming", True))).create(card)
        if JOB["do"] == "start":
            request = SendMessageRequest(message=new_text_message("Pay bob!", role=Role.ROLE_USER))
            async for event in client.send_message(request):
                if event.HasField("task"):
                    KEPT.write_text(event.task.id)
            return "started"
        if JOB["do"] == "cancel":
            return TaskState.Name((await client.cancel_task(CancelTaskRequest(id=KEPT.read_text()))).status.state)
        more: dict[str, Any] = {name: JOB[name] for name in ("wait", "timeout", "look") if name in JOB}
        if "form" in JOB:
            more["asks"] = asks
        if "unanswered" in JOB:
            more["unanswered"] = lambda ended: JOB["unanswered"]
        task = await resume(Dying(client) if "die" in JOB else client, card, KEPT.read_text(), **more)
        return TaskState.Name(task.status.state)


try:
    result = asyncio.run(main())
except StillPaused as paused:
    result = {"paused": paused.handoff_ids}
except NotAnswered as ended:
    result = {"ended": type(ended).__name__}
print(json.dumps(result))  # noqa: T201
