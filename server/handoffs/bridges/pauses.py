"""A paused run of an agent: all that it waits for is asked at once, and one process goes on with it.

- The framework keeps the paused run, and the store the questions. A process that dies in between loses neither: the
  next one that takes up the same pause joins the same questions.
- A run goes on when everything is decided, and not before. What is not allowed is refused in words.
- One process goes on with a pause: it holds a lease meanwhile, and has marked in the store that it begins. If it dies
  then, nobody knows what has run. The next process asks a person again, who reads that.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypedDict, TypeVar

import anyio

from handoffs.client import Asking, NotAnswered, Outcome, Pending, Permission, Permitting, Status, open_asking
from handoffs.client.leases import Leases
from handoffs.client.permission import ONCE, Terms
from handoffs.client.questions import Tell, tell_on_stderr
from handoffs.core.errors import AlreadyEnded, HandoffError, QuestionRefused, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

P = TypeVar("P")
T = TypeVar("T")

Unanswered: TypeAlias = Callable[[NotAnswered], object]
"""Returns what a plain question of the agent's program is answered with if nobody did; or raises."""

ANSWERED_BEFORE = "You answered this before, and whether the agent went on with it is not known."


class StillPaused(HandoffError):
    """People have not decided everything yet. The questions are still open: resume again to go on waiting."""

    def __init__(self, handoff_ids: Sequence[str]) -> None:
        """Keep the ids of the questions that are open."""
        self.handoff_ids = tuple(handoff_ids)
        super().__init__(f"The agent is still paused: nobody has decided {', '.join(handoff_ids)} yet.")


class GoneOn(HandoffError):
    """Another process went on with this pause: what was kept of it is not what is now."""


class NoWayToRefuse(HandoffError):
    """A person did not allow a call, and the pause takes no refusal. The run stays paused, and nothing ran."""


class Ways(TypedDict, total=False):
    """How a bridge asks; all of it can be left out."""

    asking: Asking
    """What asks, of `open_asking`; the bridge opens its own without it."""
    server: str
    """What the agent's tools are tools of, as people and their permissions read it; the framework's name without it."""
    terms: Terms
    """What a person may do with a call: edit it, have it remembered; and whose decision it is."""
    timeout: float | timedelta | None
    """How long the questions stay open; a day without it."""
    wait: float | None
    """How many seconds to wait for people, before `StillPaused` is raised; without it, until all is decided."""
    tell: Tell | None
    """Is given a line for each question that says where to answer; it is printed on standard error without it."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a tool that waits for permission."""

    id: str
    """Names it within its pause."""
    tool: str
    arguments: Mapping[str, object] | str
    """The JSON object, or what it would be."""
    schema: Mapping[str, object] | None = None
    """The JSON Schema of the arguments, where it is known."""
    description: str = ""
    """What the tool is for, as the model reads it."""
    editable: bool = True
    """Whether the framework runs a call with other arguments. No edit is offered that the schema can't check."""
    timeout: float | timedelta | None = None
    """How long its question stays open, where the pause itself says so."""

    @property
    def definition(self) -> Mapping[str, object]:
        """The tool as MCP would list it; empty where nothing is known of it."""
        if self.schema is None:
            return {}
        told = {"description": self.description} if self.description else {}
        return {"name": self.tool, **told, "inputSchema": self.schema}


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question that the agent's own program asks."""

    id: str
    message: str
    options: Sequence[str] | None = None
    form: Mapping[str, object] | None = None
    timeout: float | timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What people decided, by the ids of what was asked. Every one is there."""

    calls: Mapping[str, Permission] = field(default_factory=dict[str, Permission])
    answers: Mapping[str, Outcome[object] | NotAnswered] = field(
        default_factory=dict[str, "Outcome[object] | NotAnswered"]
    )


@asynccontextmanager
async def pauses(framework: str, ways: Ways) -> "AsyncGenerator[Pauses]":
    """Yield what takes up pauses of this framework."""
    if (asking := ways.get("asking")) is not None:
        yield Pauses(asking, framework, ways)
        return
    async with open_asking(client=framework) as opened:
        yield Pauses(opened, framework, ways)


class Pauses:
    """Takes up paused runs of one framework."""

    def __init__(self, asking: Asking, framework: str, ways: Ways) -> None:
        """Take what asks, and how."""
        self._asking, self._leases = asking, Leases(asking.desk)
        self._framework, self._server = framework, ways.get("server") or framework
        self._terms = ways.get("terms") or ONCE
        self._timeout, self._wait, self._tell = ways.get("timeout"), ways.get("wait"), ways.get("tell", tell_on_stderr)
        self._permitting = Permitting(asking, server=self._server, terms=self._terms)
        self._asked: set[str] = set()

    async def take_up(
        self,
        pause: str,
        items: Sequence[Call | Question],
        prepare: Callable[[Decided], P],
        go_on: Callable[[P], Awaitable[T]],
        *,
        stands: Callable[[], Awaitable[bool]] | None = None,
    ) -> T:
        """Ask about all items, and return what `go_on` makes of what `prepare` made of the decisions.

        `pause` is the same in every process that has this pause, and no other pause has it. `stands` says by the
        framework's own state whether the run is still paused there. Without it the store keeps whether it has gone on.

        Raises:
            StillPaused: Not everything is decided, after the seconds that were given to wait.
            GoneOn: Another process has gone on with it.
        """
        name = json.dumps([self._framework, self._asking.caller.subject, self._server, pause])

        async def look() -> None:
            if await self._leases.marked(f"{name} done") if stands is None else not await stands():
                raise GoneOn("Another process went on with this pause.")

        number = 0
        while True:
            while await self._leases.marked(f"{name} {number}"):
                await self._leases.alone(name, look)
                number += 1  # it began, and died or failed: what has run is not known
            prepared = prepare(await self._decide(name, items, number))

            async def work(prepared: P = prepared, number: int = number) -> tuple[T] | None:
                await look()
                if not await self._leases.mark(f"{name} {number}"):
                    return None
                result = await go_on(prepared)
                if stands is None:
                    with suppress(StoreError):  # then the next process asks again: the number above is marked
                        await self._leases.mark(f"{name} done")
                return (result,)

            if (found := await self._leases.alone(name, work)) is not None:
                return found[0]

    def now(self) -> datetime:
        """Return the time, as the desk reads it."""
        return self._asking.desk.clock.now()

    def seconds_until(self, moment: datetime) -> float:
        """Return how long a question stays open that nobody needs to answer after `moment`.

        That is as long as any other question if the moment is later, and as short as any may be if it is sooner.
        """
        given, limits = self._timeout, self._asking.limits
        ordinary = given.total_seconds() if isinstance(given, timedelta) else given
        left = (moment - self.now()).total_seconds()
        return max(limits.min_seconds, min(left, limits.default_seconds if ordinary is None else ordinary))

    async def withdraw(self) -> None:
        """Withdraw the questions that are still open: their agent waits for them no more."""
        for handoff_id in self._asked:
            with suppress(AlreadyEnded):
                await self._asking.cancel(handoff_id, note="The agent waits for this no more.")

    async def _decide(self, name: str, items: Sequence[Call | Question], number: int) -> Decided:
        calls, answers = dict[str, Permission](), dict[str, Outcome[object] | NotAnswered]()
        wrong: list[HandoffError] = []

        async def decide(item: Call | Question) -> None:
            key = json.dumps([name, item.id, number])
            try:
                if isinstance(item, Call):
                    calls[item.id] = await self.permit(item, key, may_have_run=number > 0)
                else:
                    answers[item.id] = await self._ask(item, key, again=number > 0)
            except HandoffError as error:  # raised below: a group of one error says nothing to a program
                wrong.append(error)

        async with anyio.create_task_group() as tasks:
            for item in items:
                tasks.start_soon(decide, item)
        for error in wrong:
            raise error
        ended = {key: each.outcome if isinstance(each, NotAnswered) else each for key, each in answers.items()}
        found = [{**calls, **ended}[item.id] for item in items]
        if open_ids := [each.handoff_id for each in found if each.status is Status.PENDING]:
            raise StillPaused(open_ids)
        return Decided(calls=calls, answers=answers)

    async def permit(self, call: Call, key: str = "", *, may_have_run: bool = False) -> Permission:
        """Return whether a call may run. Without a key, the same call, asked about again, joins the open question."""
        permit = partial(
            self._permitting.permit, call.tool, call.arguments, definition=call.definition,
            terms=replace(self._terms, edit=self._terms.edit and call.editable and call.schema is not None),
            timeout=call.timeout or self._timeout, wait=self._wait, key=key, tell=self._tell,
            may_have_run=may_have_run,
        )  # fmt: skip
        try:
            return await permit()
        except QuestionRefused as refused:
            return Permission(allowed=False, status=Status.CANCELLED, told=f"Not run: {refused}")

    async def _ask(self, question: Question, key: str, *, again: bool) -> Outcome[object] | NotAnswered:
        message = f"{ANSWERED_BEFORE}\n\n{question.message}" if again else question.message
        timeout = question.timeout or self._timeout
        handoff = await self._asking.open(
            message, options=question.options, form=question.form, timeout=timeout, key=key
        )
        self._asked.add(handoff.id)
        try:
            return await self._asking.ask(
                message, options=question.options, form=question.form, timeout=timeout, wait=self._wait, key=key,
                tell=self._tell,
            )  # fmt: skip
        except Pending as pending:
            return pending
        except NotAnswered as ended:
            return ended


def unanswered(ended: NotAnswered) -> str:
    """Return what the agent is told of a question that nobody answered, with what the person added."""
    note = ended.outcome.note
    return f'{ended} They said: "{note}"' if note else str(ended)


def in_words(first: str, value: object) -> str:
    """Return a question of a program's own value: the first words, and the value as JSON."""
    written = json.dumps(value, ensure_ascii=False, indent=2, default=repr)
    fence = "```"
    while fence in written:
        fence += "`"
    return f"{first}\n\n{fence}json\n{written}\n{fence}"


def edited_arguments(permission: Permission) -> Mapping[str, object] | None:
    """Return what the call runs with instead; None where it runs as it was."""
    return json.loads(permission.arguments) if permission.edited else None


def run_sync(work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` returns, for a program without an event loop.

    Raises:
        RuntimeError: An event loop runs in this thread, which this would stop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(work)
    raise RuntimeError("An event loop runs in this thread: await the function without `_sync`, or use a thread.")
