"""The outcome of a question that a program asked, and the errors for every end that is no answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from handoffs.core.display import stamp
from handoffs.core.errors import HandoffError
from handoffs.core.form import RESPONSE, Value
from handoffs.core.model import Handoff, State

T_co = TypeVar("T_co", covariant=True)


class Status(StrEnum):
    """How a question stands. Only ANSWERED carries an answer; no other status is consent."""

    ANSWERED = "answered"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PENDING = "pending"
    """It is still open: nobody has decided yet."""


STATUS_OF = {
    State.ANSWERED: Status.ANSWERED,
    State.DECLINED: Status.DECLINED,
    State.CANCELLED: Status.CANCELLED,
    State.EXPIRED: Status.EXPIRED,
    State.OPEN: Status.PENDING,
}


Read = Callable[[int], Awaitable[bytes]]
"""Returns the bytes of a file of an answer by its number, from 1 on."""


@dataclass(frozen=True, kw_only=True)
class AnswerFile:
    """A file that a person gave with an answer. Its bytes are fetched when they are read."""

    name: str
    """Without folders, and without characters that can't be seen."""
    media_type: str
    size: int
    sha256: str
    number: int = field(repr=False)
    fetch: Read = field(repr=False, compare=False)

    async def read(self) -> bytes:
        """Return its bytes.

        Raises:
            FileChanged: It is not in the store as the person gave it.
            NotFound: The question was removed since.
        """
        return await self.fetch(self.number)


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[T_co]):
    """How a question stands, and the answer where a person gave one. What people wrote is left out of its `repr`."""

    handoff_id: str
    status: Status
    deadline: datetime
    values: Mapping[str, Value] = field(default_factory=dict[str, Value], repr=False)
    """The answer by field. A question without options and form has one field, `response`."""
    picked: str | None = field(default=None, repr=False)
    """The option that the person picked; None where they picked none, or the question has no options."""
    other: str = field(default="", repr=False)
    """What the person said instead of picking an option: that approves none of them."""
    text: str = field(default="", repr=False)
    """The answer as text, one line for each field; empty where nobody answered."""
    by: str = ""
    """Who decided."""
    at: datetime | None = None
    """When it ended."""
    channel: str = ""
    """Through which channel it was decided."""
    note: str = field(default="", repr=False)
    """What the person added to the decision."""
    attachments: Sequence[AnswerFile] = ()
    """The files that came with the answer."""
    instance: T_co | None = field(default=None, repr=False)
    """The answer as an instance of the model that was given as `form`."""

    def __bool__(self) -> bool:
        """Raise TypeError: also a *no* is an answer, so no outcome may pass for a yes."""
        raise TypeError("An outcome is neither true nor false: compare `outcome.picked`, or read `outcome.values`.")


def outcome_of(handoff: Handoff, read: Read | None = None) -> Outcome[object]:
    """Return how a handoff stands; `read` fetches the files of its answer, which are left out without it."""
    end, answer, form = handoff.end, handoff.answer, handoff.question.form
    status = STATUS_OF[handoff.state]
    if answer is None or status is not Status.ANSWERED:
        return Outcome(
            handoff_id=handoff.id,
            status=status,
            deadline=handoff.question.deadline,
            by=end.by if end is not None else "",
            at=end.at if end is not None else None,
            channel=end.channel if end is not None else "",
            note=end.note if end is not None else "",
        )
    picked = answer.values.get(RESPONSE) if form.is_options else None
    return Outcome(
        handoff_id=handoff.id,
        status=status,
        deadline=handoff.question.deadline,
        values=dict(answer.values),
        picked=picked if isinstance(picked, str) else None,
        other=answer.other,
        text=answer.other or "\n".join(form.texts(answer.values)),
        by=answer.by,
        at=answer.at,
        channel=answer.channel,
        note=answer.note,
        attachments=[]
        if read is None
        else [
            AnswerFile(
                name=each.name,
                media_type=each.media_type,
                size=each.size,
                sha256=each.digest,
                number=number,
                fetch=read,
            )
            for number, each in enumerate(answer.attachments, 1)
        ],
    )


class NotAnswered(HandoffError):
    """The question has no answer. That is never consent: do not do what was asked about."""

    def __init__(self, words: str, outcome: Outcome[object]) -> None:
        """Keep the outcome, with its status and the note of the person."""
        self.outcome = outcome
        super().__init__(words)


class Declined(NotAnswered):
    """A person refused to answer, which is not approval."""


class Cancelled(NotAnswered):
    """The question was withdrawn, and nothing was decided."""


class Expired(NotAnswered):
    """Nobody answered before the deadline, and silence is not consent."""


class Pending(NotAnswered):
    """Nobody has decided yet. The question is still open: ask the same again to go on waiting."""


class Unusable(NotAnswered):
    """What people answered never fitted the model that it was asked for."""


def check_answered(outcome: Outcome[object]) -> None:
    """Return if there is an answer. Raises the error of its status otherwise."""
    it = outcome.handoff_id
    match outcome.status:
        case Status.ANSWERED:
            return
        case Status.DECLINED:
            raise Declined(f"A person declined to answer {it}. That is not approval.", outcome)
        case Status.CANCELLED:
            raise Cancelled(f"{it} was withdrawn. Nothing was decided: that is not approval.", outcome)
        case Status.EXPIRED:
            until = stamp(outcome.deadline)
            raise Expired(f"Nobody answered {it} before the deadline, {until}. Silence is not consent.", outcome)
        case Status.PENDING:
            until = stamp(outcome.deadline)
            raise Pending(f"{it} is open until {until}, and nobody has decided. Ask the same again to wait.", outcome)
