"""Answers what a remote agent's task waits for, over A2A: a person's answer is the next message of that task.

`await resume(client, card, task_id)` reads the task, asks what its message says, and sends the answer with the same
`taskId`, until the task waits for nobody any more. An answer is for one message: the task is read again before it is
sent, and one that waits for something else by then is asked about anew. If the task goes on or is cancelled while
people think, the question is withdrawn.

Tried with a2a-sdk 1.3.0, which is A2A 1.0. Numbers in `data` are doubles there, so 7 comes as 7.0, and keys come in
another order each time. So a message is known by its canonical JSON (RFC 8785), and people read 7, with keys in order.
"""

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeAlias, Unpack, cast

import anyio
import rfc8785

from handoffs.bridges.pauses import (
    Decided,
    GoneOn,
    Pauses,
    Question,
    Unanswered,
    Ways,
    in_words,
    pauses,
    run_sync,
)
from handoffs.client import Cancelled, NotAnswered
from handoffs.core.beside import beside
from handoffs.core.errors import HandoffError

FRAMEWORK = "a2a"

LOOK_SECONDS = 10.0
"""How often a task is read while people think."""

WAITS = ("TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED")

SIGNED_IN, NOT_SIGNED_IN = "I have signed in", "I will not sign in"

AUTH = (
    "It wants you to sign in, somewhere that you trust. Write no password and no key here: your answer is sent to that "
    "agent as it is."
)

EXACT = 2**53
"""From here on a double is not every whole number."""

ROUNDED = "Numbers as large as the largest of these come rounded."


class Client(Protocol):
    """A client of a2a-sdk: `ClientFactory(…).create(card)`."""

    # The types are those of a2a-sdk's own methods, which this module does not import.
    async def get_task(self, request: Any, *, context: Any = None) -> Any:
        """Return a task."""
        ...

    def send_message(self, request: Any, *, context: Any = None) -> Any:
        """Send a message, and iterate over what comes of it."""
        ...


Asks: TypeAlias = Callable[[Any], Question | None]
"""Makes the question of a waiting `Task`; None for the one that is made without it."""


async def resume(
    client: Client,
    card: Any,
    task_id: str,
    *,
    asks: Asks | None = None,
    unanswered: Unanswered | None = None,
    context: Any = None,
    look: float = LOOK_SECONDS,
    **ways: Unpack[Ways],
) -> Any:
    """Have people answer what a task waits for until it waits no more, and return the `Task` as it is then.

    It may still be working then: whoever sent it a message follows it.

    Args:
        client: The client of the remote agent.
        card: The agent's `AgentCard`: its name is shown to people, and its addresses keep tasks of other agents apart.
        task_id: The task.
        asks: Makes a question of the task, with options or a form of its own. The answer to a form is sent as `data`,
            with its types; any other answer is sent as text.
        unanswered: Returns the text, or the object, that is sent if nobody answered. Without it, the error is raised
            (`Declined`, `Expired`, `Cancelled`), and the task stays as it is.
        context: A `ClientCallContext` for each request.
        look: How often the task is read while people think, in seconds.
        ways: How it is asked; see `Ways`.

    Raises:
        StillPaused: After `wait` seconds, nobody has answered. The question is open.
    """
    remote = _Remote(client, card, task_id, context)
    task = await remote.task()
    if _state(task) not in WAITS:
        return task
    async with pauses(FRAMEWORK, ways) as taken:
        while _state(task) in WAITS:
            await _go_on(taken, remote, task, asks, unanswered, look)
            task = await remote.task()
    return task


def resume_sync(
    client: Callable[[], Awaitable[Client]],
    card: Any,
    task_id: str,
    *,
    asks: Asks | None = None,
    unanswered: Unanswered | None = None,
    context: Any = None,
    look: float = LOOK_SECONDS,
    **ways: Unpack[Ways],
) -> Any:
    """Do what `resume` does, for a program without an event loop. `client` makes one: it belongs to an event loop."""

    async def work() -> Any:
        given = partial(resume, await client(), card, task_id, asks=asks, unanswered=unanswered, context=context)
        return await given(look=look, **ways)

    return run_sync(work)


class _Remote:
    """One task of a remote agent."""

    def __init__(self, client: Client, card: Any, task_id: str, context: Any) -> None:
        self._client, self._task_id, self._context = client, task_id, context
        self.agent = str(card.name or "")
        self.addresses = sorted(str(each.url) for each in card.supported_interfaces)

    async def task(self) -> Any:
        return await self._client.get_task(_types().GetTaskRequest(id=self._task_id), context=self._context)

    async def send(self, task: Any, message_id: str, answer: object) -> None:
        types = _types()
        part = types.Part(text=answer) if isinstance(answer, str) else _data_part(answer)
        message = types.Message(
            role=types.Role.ROLE_USER,
            message_id=message_id,
            task_id=task.id,
            context_id=task.context_id,
            parts=[part],
        )
        async for _ in self._client.send_message(types.SendMessageRequest(message=message), context=self._context):
            pass


async def _go_on(
    taken: Pauses, remote: _Remote, task: Any, asks: Asks | None, unanswered: Unanswered | None, look: float
) -> None:
    question = (asks(task) if asks is not None else None) or _question(remote.agent, task)
    name = json.dumps([*remote.addresses, task.id, _digest(task)])

    async def stands() -> bool:
        now = await remote.task()
        return _digest(now) == _digest(task)

    async def withdraw_with_the_task() -> None:
        while True:
            await anyio.sleep(look)
            with suppress(Exception):  # of whatever its agent can't be reached by now: it is read again
                if not await stands():
                    break
        await taken.withdraw()

    def prepare(decided: Decided) -> object:
        answer = decided.answers[question.id]
        if not isinstance(answer, NotAnswered):
            return dict(answer.values) if question.form is not None else answer.text
        if unanswered is None:
            raise answer
        return unanswered(answer)

    async def send(answer: object) -> None:
        # The same answer, sent again after a cut, has the same id.
        message_id = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([name, answer], default=repr))
        await remote.send(task, str(message_id), answer)

    async with beside(withdraw_with_the_task):
        try:
            with suppress(GoneOn):  # what the task waits for now, its agent says
                await taken.take_up(name, [question], prepare, send, stands=stands)
        except Cancelled:
            if await stands():
                raise


def _question(agent: str, task: Any) -> Question:
    who = f'The agent "{agent}"' if agent else "A remote agent"
    message = _message(task)
    shown = [f"{who} asks:", *map(_shown, message.get("parts") or [{"text": "(It does not say what.)"}])]
    if any(isinstance(each, float) and abs(each) >= EXACT for each in _numbers(message)):
        shown.append(ROUNDED)
    if _state(task) == "TASK_STATE_AUTH_REQUIRED":
        return Question(id="sign in", message="\n\n".join([*shown, AUTH]), options=[SIGNED_IN, NOT_SIGNED_IN])
    return Question(id="input", message="\n\n".join(shown))


def _shown(part: Mapping[str, Any]) -> str:
    if "text" in part:
        return str(part["text"])
    named = ", ".join(str(part[name]) for name in ("filename", "mediaType") if part.get(name)) or "no name"
    if "data" in part:
        return in_words("It sends along:", part["data"])
    if "url" in part:
        return f"It sends a file along ({named}), which is at {part['url']}"
    return f"It sends a file along ({named}), which is not shown here."


def _message(task: Any) -> Mapping[str, Any]:
    """Return the message with which a task waits, as it was sent, but for the kind of its numbers."""
    if not task.status.HasField("message"):
        return {}
    return cast("Mapping[str, Any]", _whole(_json_format().MessageToDict(task.status.message)))


def _digest(task: Any) -> str:
    """Return what tells this state of a task, with its message, from every other one."""
    said = [_state(task), cast("Any", _message(task))]
    return hashlib.sha256(rfc8785.dumps(said)).hexdigest()


def _whole(value: Any) -> Any:
    """Return a value with 7 in place of 7.0, and its keys in order: each process gets them in another one."""
    if isinstance(value, Mapping):
        return {name: _whole(each) for name, each in sorted(cast("Mapping[str, Any]", value).items())}
    if isinstance(value, list):
        return [_whole(each) for each in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < EXACT else value


def _numbers(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        value = [*cast("Mapping[str, Any]", value).values()]
    if isinstance(value, list):
        return [each for one in cast("list[Any]", value) for each in _numbers(one)]
    return [value]


def _state(task: Any) -> str:
    return str(_types().TaskState.Name(task.status.state))


def _data_part(values: object) -> Any:
    if not isinstance(values, Mapping):
        raise HandoffError("An answer to a remote agent is a text or an object.")
    return _json_format().ParseDict({"data": dict(cast("Mapping[str, Any]", values))}, _types().Part())


def _types() -> Any:
    from importlib import import_module  # the framework is an extra

    return import_module("a2a.types")


def _json_format() -> Any:
    from importlib import import_module

    return import_module("google.protobuf.json_format")
