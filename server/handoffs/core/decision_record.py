"""The record of one decision: who asked, what was shown, who decided, how it is proved, and what became of it.

It says what the store has, with the secrets of an action masked, and what the check of each signature finds now. What
is not known, such as how a person without a passkey was told from others, it does not say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handoffs.core.desk import Desk
from handoffs.core.document import redacted
from handoffs.core.errors import NotProved
from handoffs.core.events import Entry, Erased
from handoffs.core.model import Handoff, State
from handoffs.core.sentences import say

if TYPE_CHECKING:  # only a question with a rule has them
    from handoffs.core.deciders import Vote

Permits = Callable[[Handoff], bool]
"""Whether an answer through the channel of this handoff can have permitted a tool."""

BEFORE = frozenset({"opened", "joined", "reached", "notshown", "dismissed", "left", "reminded", "voted"})
"""Events that come before the end; they say nothing of what became of it."""
ENDS = frozenset({"answered", "declined", "cancelled", "expired"})


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedVote:
    """One vote, and what the check of its signature found."""

    vote: "Vote"
    key: str = ""
    """The credential id of the passkey that signed it, in base64url; empty where nothing is signed."""
    note: str = ""
    """What the person signed as their note."""
    problem: str = ""
    """Why the signature proves nothing; empty where it proves the vote, and where there is none."""

    @property
    def proved(self) -> bool:
        """Whether a passkey of the person has signed this decision."""
        return bool(self.vote.proof) and not self.problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One handoff with its log, its votes and their signatures."""

    handoff: Handoff
    """As it is stored: with the secrets of its action."""
    shown: Handoff
    """The same, with the secrets of its action masked in message and answer; the action itself is exact."""
    entries: Sequence[Entry]
    votes: tuple[CheckedVote, ...]
    refused: str = ""
    """Why what was answered is not believed, by the votes and signatures that are kept; empty where it is."""
    permits: bool = True
    """Whether an answer through its channel can have permitted the use of a tool."""

    @property
    def proved(self) -> bool:
        """Whether the one whose answer it is said to be has signed it with a passkey."""
        end = self.handoff.end
        return (
            self.handoff.state is State.ANSWERED
            and not self.refused
            and end is not None
            and any(each.proved and each.vote.person == end.by for each in self.votes)
        )

    @property
    def opened(self) -> Mapping[str, str]:
        """What the host declared of itself when it asked: version, protocol, transport."""
        return next((entry.details for entry in self.entries if entry.name == "opened"), dict[str, str]())

    @property
    def afterwards(self) -> tuple[Entry, ...]:
        """The lines of the log that say what became of the decision."""
        return tuple(entry for entry in self.entries if entry.name not in BEFORE | ENDS)


async def read_record(desk: Desk, handoff: Handoff, permits: Permits) -> Record:
    """Return the record of a handoff. Its signatures are checked with the keys that are known now."""
    entries = await desk.history(handoff.id)
    refused = await _refused(desk, handoff)
    unknown = bool(refused) or (handoff.state is State.ANSWERED and handoff.values is None)
    if unknown and any(entry.name == Erased.name for entry in entries):
        refused = say("what a person said or signed was erased since, so it can't be checked any more")
    return Record(
        handoff=handoff,
        shown=redacted(handoff),
        entries=entries,
        votes=await _checked(desk, handoff) if handoff.votes else (),
        refused=refused,
        permits=permits(handoff),
    )


async def _checked(desk: Desk, handoff: Handoff) -> tuple[CheckedVote, ...]:
    from handoffs.core.decision import Assertion  # only for a question with a rule

    problems: Mapping[str, str] = {}
    if any(vote.proof for vote in handoff.votes):
        problems = await desk.proving.problems(handoff)
    checked: list[CheckedVote] = []
    for vote in handoff.votes:
        try:
            signed = Assertion.loads(vote.proof) if vote.proof else None
        except ValueError:
            signed = None
        checked.append(
            CheckedVote(
                vote=vote,
                key="" if signed is None else signed.credential_id,
                note="" if signed is None else signed.ticket.note,
                problem=problems.get(vote.person, ""),
            )
        )
    return tuple(checked)


async def _refused(desk: Desk, handoff: Handoff) -> str:
    """Return why an answer is not believed; empty where it is, and where there is none."""
    deciders = handoff.question.deciders
    if handoff.state is not State.ANSWERED or handoff.values is None or (deciders is None and not desk.proof_demanded):
        return ""
    from handoffs.core.voting import content_of, not_enough, was_decided  # only for a question with a rule

    if content_of(handoff, handoff.values) is None:
        return ""  # a denial permits nothing, and needs no proof
    if deciders is not None and not was_decided(handoff, deciders):
        return str(not_enough(handoff))
    try:
        await desk.check_proof(handoff)
    except NotProved as refused:
        return str(refused)
    return ""
