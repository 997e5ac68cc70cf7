"""The tasks of one session (SEP-2663): calls that wait for a person while their client looks for the result.

- A call becomes a task where the host's row says that its agent waits for one, its client has declared them, and the
  server behind has tasks itself. `asking.plan` says when, as for `handoff_to_user`.
- A task and its result live in this process. What becomes of a call after that, the store says: nothing runs by
  itself when the gate is started again, and a call that may have run is never sent twice.
- Requests about the server's own tasks pass untouched. A call that the server answers with such a task is followed: the
  client looks at ours, and the server is asked about its own.
"""

import itertools
import logging
import secrets
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import anyio

from handoffs.asking.task_fields import TASK_CHANNEL, TASKS, UNKNOWN, is_forgotten, is_withdrawn
from handoffs.core.action_form import ALLOW
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, HandoffError, NotFound
from handoffs.core.form import DECISION
from handoffs.core.model import Handoff, State
from handoffs.gate import earlier_calls, words
from handoffs.gate.asking import Asking
from handoffs.gate.calls import HeldCall, failure, protocol_meta, request, response
from handoffs.gate.client import Client
from handoffs.gate.ends import OwnRequests
from handoffs.gate.relay.message import INVALID_PARAMS, NOT_ANSWERED, OURS, Message, Value
from handoffs.gate.sending import Sending
from handoffs.gate.task import Stage, Task, told_fields
from handoffs.gate.task_ids import TaskIds, TaskName
from handoffs.gate.waiting import Inbox
from handoffs.gate.written import line, mapping

logger = logging.getLogger(__name__)

METHODS: Final = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})

MISSING_CAPABILITY, INTERNAL_ERROR = -32021, -32603

SERVER_SECONDS: Final = 30.0
"""How long the server may take to say what it can do, or what its own task is at."""

MOST_KEPT, MOST_BYTES = 500, 67_108_864
"""Results of tasks that are kept; the oldest go first."""

INBOX_SECONDS: Final = 60.0
"""How often the inbox is opened again for a client that looks: it may have ended."""


class Tasks:
    """Makes the tasks of one session, and answers the requests about them."""

    def __init__(
        self,
        desk: Desk,
        asking: Asking,
        sending: Sending,
        own: OwnRequests,
        *,
        keys: Sequence[bytes | str],
        subject: str,
        leave: Callable[[str], None],
        inbox: Inbox | None,
    ) -> None:
        """Take the parts; `leave` ends the wait of a call with this name."""
        self._desk, self._asking, self._sending, self._own = desk, asking, sending, own
        self._ids, self._subject, self._leave, self._inbox = TaskIds(keys), subject, leave, inbox
        self._calls: dict[str, HeldCall] = {}  # by name
        self._gives: bool | None = None  # whether the server has tasks
        self._asks = anyio.Lock()
        self._token, self._numbers = secrets.token_hex(16), itertools.count(1)

    # Calls

    def offered(self, call: HeldCall) -> HeldCall:
        """Return the call with the task that it may become, where its client gets one."""
        if not (call.client.declares_tasks and call.client.host.task):
            return call

        def make_id(handoff_id: str) -> str:
            return self._ids.make(TaskName(handoff_id, call.name), self._subject)

        with_task = replace(call, task=Task(call.name, make_id))
        self._make_room()
        self._calls[call.name] = with_task
        return with_task

    async def ready(self, call: HeldCall) -> None:
        """Note whether the server behind has tasks, before a person is asked about a call."""
        if call.task is not None:
            call.task.possible = await self._server_gives(call)

    def settled(self, call: HeldCall) -> None:
        """Forget a call that has not become a task."""
        if call.as_task is None:
            self._calls.pop(call.name, None)

    async def _server_gives(self, call: HeldCall) -> bool:
        async with self._asks:
            if self._gives is None:
                answer = await self._ask("server/discover", {"_meta": protocol_meta(call.meta)})
                if answer is None:
                    return False  # it may say so another time
                able = mapping(mapping(answer.body.get("result")).get("capabilities"))
                self._gives = TASKS in mapping(able.get("extensions"))
            return self._gives

    # Requests

    def has(self, message: Message) -> bool:
        """Say whether a request names a task of the gate's, or one that looks like it: no server gets to see that."""
        return _named(message).startswith(OURS)

    async def serve(self, message: Message) -> None:
        """Answer a request about a task of ours."""
        assert message.id is not None
        name = message.id.text
        try:
            answer = await self._answer(message, name)
        except NotFound:
            answer = failure(name, INVALID_PARAMS, UNKNOWN)
        except HandoffError as error:
            logger.warning("%s was not answered: %s", message.method, error)
            answer = failure(name, INTERNAL_ERROR, str(error))
        except Exception as broken:  # noqa: BLE001 - whatever broke, the session's other calls go on
            frames = "".join(traceback.format_tb(broken.__traceback__))
            logger.error("the gate failed: %s\n%s", type(broken).__name__, frames)
            answer = failure(name, INTERNAL_ERROR, "Not answered: the gate failed inside.")
        await self._own.to_client(answer)

    async def _answer(self, message: Message, name: str) -> bytes:
        if not Client().of_call(mapping(message.params.get("_meta"))).declares_tasks:
            data: Value = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
            return failure(name, MISSING_CAPABILITY, f"The client did not declare the extension {TASKS}.", data)
        found = self._ids.open(_named(message), self._subject)
        if found is None:
            raise NotFound(_named(message))
        call = self._calls.get(found.call)
        if call is None or call.task is None or call.task.id != _named(message):
            return response(name, {"resultType": "complete", **await self._earlier(message, found)})
        if call.task.stage is Stage.FOLLOWED:
            return await self._passed_on(message, name, call.task)
        told: Mapping[str, Value] = {}
        match message.method:
            case "tasks/get":
                told = await self._looked_at(call.task)
            case "tasks/update":
                await self._updated(call, mapping(message.params.get("inputResponses")))
            case _:
                await self._cancelled(call, call.task)
        return response(name, {"resultType": "complete", **told})

    async def _looked_at(self, task: Task) -> Mapping[str, Value]:
        handoff, now = task.handoff, self._desk.clock.now()
        assert handoff is not None
        if is_forgotten(handoff, now):
            raise NotFound(task.id)
        if task.stage is Stage.DECIDING and task.form is not None and task.shown is None:
            task.shown = now
        elif task.stage is Stage.DECIDING and task.form is None:
            await self._opened_again(handoff, task, now)
        return task.described(now)

    async def _opened_again(self, handoff: Handoff, task: Task, now: datetime) -> None:
        if self._inbox is None or task.invited is None or (now - task.invited).total_seconds() < INBOX_SECONDS:
            return
        task.invited = now
        task.link = await self._inbox.invite(handoff)

    async def _updated(self, call: HeldCall, responses: Mapping[str, Value]) -> None:
        task = call.task
        assert task is not None
        if task.stage is Stage.ASKED:
            if (given := task.take(responses)) is not None:
                await self._sending.answer_server(call.name, given)
            return
        asked = task.stage is Stage.DECIDING and task.form is not None and task.key in responses
        if not asked or task.shown is None or task.handoff is None:
            return  # no such question is open, or nobody can have seen it
        await self._asking.judge(call, task.handoff, mapping(responses[task.key]), since=task.shown)

    async def _cancelled(self, call: HeldCall, task: Task) -> None:
        if task.stage is not Stage.DECIDING or task.handoff is None:
            if not task.over:
                task.cancel(words.TASK_CUT, self._desk.clock.now())
                await self._sending.cancel_task(call.name)
            return
        task.cancel(words.TASK_WITHDRAWN, self._desk.clock.now())
        # A host that gives up by itself leaves the question open: the same call collects what is decided. So does
        # one of two calls that wait for the same decision.
        shared = any(each is not call and _waits_for(each, task.handoff) for each in self._calls.values())
        try:
            if not (call.client.host.gives_up or shared):
                await self._withdraw(task.handoff)
        finally:
            self._leave(call.name)

    async def _withdraw(self, handoff: Handoff) -> None:
        with suppress(AlreadyEnded):
            ended = await self._desk.cancel(handoff, by=self._subject, channel=TASK_CHANNEL)
            await self._desk.collect(ended)

    # The server's own tasks

    async def _passed_on(self, message: Message, name: str, task: Task) -> bytes:
        """Ask the server about the task with which it has answered a call."""
        assert message.method is not None
        answer = await self._ask(message.method, {**message.params, "taskId": task.behind})
        if task.over:  # the server has ended meanwhile
            return response(name, {"resultType": "complete", **task.described(self._desk.clock.now())})
        if answer is None:
            return failure(name, NOT_ANSWERED, "Not answered: the server behind did not say what its task is at.")
        if "error" in answer.body:
            return line({**answer.body, "id": None if message.id is None else message.id.value})
        told = dict(mapping(answer.body.get("result")))
        if message.method == "tasks/get":
            told = {**self._sending.followed(task.name, told), "taskId": task.id}
        return response(name, told)

    async def _ask(self, method: str, params: Mapping[str, Value]) -> Message | None:
        name = f"{OURS}{self._token} task {next(self._numbers)}"
        with anyio.move_on_after(SERVER_SECONDS):
            return await self._own.ask_server(name, request(name, method, params))
        return None

    # Tasks of before

    async def _earlier(self, message: Message, name: TaskName) -> Mapping[str, Value]:
        """Return what is told of a task whose call nobody holds any more. Nothing runs by it."""
        handoff, now = await self._desk.get(name.handoff_id), self._desk.clock.now()
        action = handoff.question.action
        if handoff.caller.subject != self._subject or action is None or is_forgotten(handoff, now):
            raise NotFound(name.handoff_id)
        if message.method != "tasks/get":
            if message.method == "tasks/cancel" and handoff.state is State.OPEN:
                await self._withdraw(handoff)
            return {}
        updated = handoff.end.at if handoff.end is not None else handoff.created_at
        fields = partial(
            told_fields,
            _named(message),
            created=handoff.created_at,
            updated=updated,
            deadline=handoff.question.deadline,
            now=now,
        )
        if is_withdrawn(handoff):
            return {**fields("cancelled"), "statusMessage": words.TASK_WITHDRAWN}
        result: Value = {
            "resultType": "complete",
            "isError": True,
            "content": [{"type": "text", "text": await self._became(name, handoff, action.digest)}],
        }
        return {**fields("completed"), "result": result}

    async def _became(self, name: TaskName, handoff: Handoff, digest: str) -> str:
        """Return the words for a call of before: it may have waited for other questions after the first."""
        later = await earlier_calls.earlier(self._desk, self._subject, digest)
        used = next((each for each in (handoff, *later) if each.handed_to == name.call), None)
        if used is not None:
            names = [entry.name for entry in await self._desk.history(used.id)]
            return words.TASK_RAN if "result" in names else words.INTERRUPTED
        allowed = handoff.state is State.ANSWERED and (handoff.values or {}).get(DECISION) == ALLOW
        return words.TASK_LOST if handoff.state is State.OPEN or allowed else words.refusal(handoff)

    def _make_room(self) -> None:
        """Forget the oldest results, where there are many or large ones."""
        ended = {name: call.task for name, call in self._calls.items() if call.task is not None and call.task.over}
        left, size = len(ended), sum(task.size for task in ended.values())
        for name, task in ended.items():
            if left <= MOST_KEPT and size <= MOST_BYTES:
                break
            left, size = left - 1, size - task.size
            del self._calls[name]


def _named(message: Message) -> str:
    named = message.params.get("taskId")
    return named if isinstance(named, str) else ""


def _waits_for(call: HeldCall, handoff: Handoff) -> bool:
    task = call.as_task
    return (
        task is not None and task.stage is Stage.DECIDING and task.handoff is not None and task.handoff.id == handoff.id
    )
