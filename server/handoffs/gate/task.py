"""One task of the gate's (SEP-2663): what a client gets in place of a result while a person decides on its call. Pure.

- It is `working` while a person decides elsewhere, and `input_required` while its client's own dialog can show the
  question.
- Once the call was sent, it tells what the server answers: a result, a request for input, or a task of its own.
- It ends `completed` with the call's result, also where that says that the call was not run, `failed` with the
  server's error, or `cancelled` by its client.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum

from handoffs.asking.task_fields import task_fields
from handoffs.core.model import Handoff
from handoffs.gate import words
from handoffs.gate.relay.message import OURS, Message, Number, Value
from handoffs.gate.written import mapping

MAX_DIALOGS = 8
"""How often one question's dialog is shown because the answer does not fit."""


class Stage(Enum):
    """How far a task is."""

    DECIDING = "a person decides"
    RUNNING = "the server has the call"
    ASKED = "the server wants input before it goes on"
    FOLLOWED = "the server has answered with a task of its own"
    ENDED = "the call has a result"
    CANCELLED = "its client has cancelled it"


class Task:
    """The task of one call, from when it may become one; it has begun once it has an id."""

    def __init__(self, name: str, make_id: Callable[[str], str]) -> None:
        """Take the call's name in the log, and what makes the task's id of its question's."""
        self.name, self._make_id = name, make_id
        self.possible = False
        """Whether the server behind has tasks itself."""
        self.id = ""
        self.stage = Stage.DECIDING
        self.handoff: Handoff | None = None
        """The question that a person decides."""
        self.link: str | None = None
        """Where the inbox shows it."""
        self.invited: datetime | None = None
        """When it was opened there last."""
        self.form: Mapping[str, Value] | None = None
        """The dialog that its client is to show; None where it shows none."""
        self.shown: datetime | None = None
        """When that went out first."""
        self.behind = ""
        """The id of the server's own task."""
        self.size = 0
        """Bytes of its result."""
        self.state: Value = None
        """The server's own `requestState`, where it wants input."""
        self._created = self._updated = datetime.min.replace(tzinfo=UTC)
        self._dialogs = self._tries = 0
        self._sent = 0
        self._wanted: Mapping[str, Value] = {}
        self._given: dict[str, Value] = {}
        self._end: Mapping[str, Value] = {}
        self._why = ""

    @property
    def request(self) -> str:
        """The id under which its call goes to the server: the client's own one is free again."""
        return f"{OURS}{self.name}/{self._sent}"

    @property
    def over(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.stage in {Stage.ENDED, Stage.CANCELLED}

    @property
    def key(self) -> str:
        """The name of the dialog that its client is to show; no two dialogs of a task have the same."""
        return f"{OURS}decision/{self._dialogs}"

    def begin(self, handoff: Handoff, now: datetime) -> None:
        """Have an id from now on."""
        self.id, self.handoff = self._make_id(handoff.id), handoff
        self._created = self._updated = now

    def ask(self, handoff: Handoff, form: Mapping[str, Value] | None, now: datetime) -> None:
        """Wait for a person, who is shown a question in this dialog of the client, or elsewhere."""
        self.handoff, self.form, self.shown, self.link = handoff, form, None, None
        self._tries, self._updated = 1, now
        self._dialogs += form is not None

    def ask_again(self, form: Mapping[str, Value], now: datetime) -> bool:
        """Show the dialog once more, for the answer did not fit; False where that was often enough."""
        self._tries, self._updated = self._tries + 1, now
        if self._tries > MAX_DIALOGS:
            return False
        self.form = form  # since when it is shown stays: the person has read it
        self._dialogs += 1
        return True

    def send(self, now: datetime) -> None:
        """Be run by the server from now on."""
        self._sent += 1
        if self.over:
            self._why = words.TASK_CUT
        else:
            self.stage, self.form, self._updated = Stage.RUNNING, None, now

    def want(self, result: Mapping[str, Value], now: datetime) -> None:
        """Have the client asked for what the server wants; names that came before are others here."""
        self._wanted = {f"{self._sent}/{name}": each for name, each in mapping(result.get("inputRequests")).items()}
        self.state, self._given = result.get("requestState"), {}
        self.stage, self._updated = Stage.ASKED, now

    def take(self, responses: Mapping[str, Value]) -> Mapping[str, Value] | None:
        """Take what the client answers the server; return all of it, by the server's names, once nothing is missing."""
        self._given |= {name: each for name, each in responses.items() if name in self._wanted}
        if self._given.keys() < self._wanted.keys():
            return None
        return {name.partition("/")[2]: each for name, each in self._given.items()}

    def follow(self, behind: str, now: datetime) -> None:
        """Tell from now on what becomes of a task of the server's own."""
        self.stage, self.behind, self._updated = Stage.FOLLOWED, behind, now

    def end(self, response: Message, now: datetime) -> None:
        """End with a response to the call. What comes after the end is dropped."""
        if not self.over:
            self._end = {name: each for name, each in response.body.items() if name in {"result", "error"}}
            self.size = len(response.raw)
            self._close(Stage.ENDED, now)

    def cancel(self, why: str, now: datetime) -> None:
        """End because its client wants no result."""
        if not self.over:
            self._why = why
            self._close(Stage.CANCELLED, now)

    def described(self, now: datetime) -> dict[str, Value]:
        """Return what its client is told of it."""
        more: dict[str, Value] = {}
        match self.stage:
            case Stage.DECIDING if self.form is not None:
                status, said = "input_required", words.task_waits(self._question, None)
                asked: Value = {"method": "elicitation/create", "params": self.form}
                more = {"inputRequests": {self.key: asked}}
            case Stage.DECIDING:
                status, said = "working", words.task_waits(self._question, self.link)
            case Stage.ASKED:
                left = {name: each for name, each in self._wanted.items() if name not in self._given}
                status, said = "input_required", words.TASK_ASKED
                more = {"inputRequests": left}
            case Stage.RUNNING | Stage.FOLLOWED:
                status, said = "working", words.TASK_RUNS
            case Stage.CANCELLED:
                status, said = "cancelled", self._why
            case Stage.ENDED:
                status, said, more = "failed" if "error" in self._end else "completed", "", {**self._end}
        return {**self._fields(status, now), **({"statusMessage": said} if said else {}), **more}

    def created(self, now: datetime) -> dict[str, Value]:
        """Return the result with which its call ends."""
        told = {**self._fields("working", now), "statusMessage": words.task_waits(self._question, self.link)}
        return {"resultType": "task", **told}

    @property
    def _question(self) -> Handoff:
        assert self.handoff is not None
        return self.handoff

    def _close(self, stage: Stage, now: datetime) -> None:
        self.stage, self.form, self._updated = stage, None, now
        self._wanted, self._given, self.state = {}, {}, None

    def _fields(self, status: str, now: datetime) -> dict[str, Value]:
        deadline = self._question.question.deadline
        return told_fields(self.id, status, created=self._created, updated=self._updated, deadline=deadline, now=now)


def told_fields(
    task_id: str, status: str, *, created: datetime, updated: datetime, deadline: datetime, now: datetime
) -> dict[str, Value]:
    """Return the fields that every message about a task has, as they are written."""
    fields = task_fields(task_id, status, created=created, updated=updated, deadline=deadline, now=now)
    return {name: Number(str(each)) if isinstance(each, int) else each for name, each in fields.items()}
