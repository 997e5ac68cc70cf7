"""Votes on one handoff: who may cast one, what it is for, and whether an outcome has enough of them.

All of it is computed from the handoff as it is in the transaction that records it, so votes of two processes at once
never count on a quorum that is no longer there.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from handoffs.core.action_form import ALLOW, REASON
from handoffs.core.deciders import Deciders, Vote, content_digest
from handoffs.core.errors import NotProved, NotTheirDecision
from handoffs.core.events import Answered, Declined, Voted
from handoffs.core.form import DECISION, Value
from handoffs.core.model import SCRIPT, Handoff
from handoffs.core.sentences import say
from handoffs.core.standing import who_decides
from handoffs.core.untrusted import inert_line


def vote_for(handoff: Handoff, outcome: Answered | Declined, *, gone: Collection[str] = ()) -> Voted:
    """Return the vote of the person who gives this outcome; `gone` are people who were removed since it was asked.

    Raises:
        NotTheirDecision: They can't cast it.
    """
    deciders = _deciders_of(handoff).without(gone)
    if outcome.channel == SCRIPT:
        raise NotTheirDecision(f"a script has no vote: {_whose(deciders)}")
    digest = _digest_of(handoff, outcome)
    seat = deciders.seat_of(outcome.by, outcome.at)
    if seat is None:
        raise NotTheirDecision(_whose(deciders))
    voted = Voted(at=outcome.at, by=outcome.by, for_=seat.for_, channel=outcome.channel, digest=digest)
    return replace(voted, gone=tuple(sorted(gone)))


def votes_after(handoff: Handoff, voted: Voted) -> tuple[Vote, ...]:
    """Return the votes of a handoff after one more.

    Raises:
        NotProved: It demands a proof, and the vote has none.
        NotTheirDecision: The person has no seat, or the person whose deputy they are has voted.
    """
    deciders = _deciders_of(handoff).without(voted.gone)
    seats = (*deciders.seats, *deciders.escalate_to)
    if deciders.seat_of(voted.by, voted.at) is None or (voted.by, voted.for_) not in {
        (seat.person, seat.for_) for seat in seats
    }:
        raise NotTheirDecision(_whose(deciders))
    if voted.for_ and any(vote.person == voted.for_ for vote in deciders.still_needed(handoff.votes).voted):
        raise NotTheirDecision(say("{person} has voted already", person=inert_line(voted.for_, 60)))
    if voted.digest and deciders.proof and not voted.proof:
        raise no_proof(deciders)
    vote = Vote(
        person=voted.by,
        for_=voted.for_,
        channel=voted.channel,
        at=voted.at,
        digest=voted.digest,
        proof=voted.proof,
    )
    return deciders.with_vote(handoff.votes, vote)


def has_enough(handoff: Handoff, outcome: Answered | Declined) -> bool:
    """Return whether the votes of a handoff are enough for this outcome."""
    deciders, digest = _deciders_of(handoff), _digest_of(handoff, outcome)
    return deciders.met_by(handoff.votes, digest) if digest else deciders.refused_by(handoff.votes)


def was_decided(handoff: Handoff, deciders: Deciders) -> bool:
    """Return whether an answer has the votes that these deciders demand, whatever the store says of its state."""
    if handoff.values is None:
        return False
    answered = Answered(
        at=handoff.created_at,
        by="",
        channel="",
        values=handoff.values,
        other=handoff.other,
        attachments=handoff.attachments,
    )
    return deciders.met_by(handoff.votes, _digest_of(handoff, answered))


def not_yours(deciders: Deciders) -> NotTheirDecision:
    """Return the error that says whose decision it is."""
    return NotTheirDecision(_whose(deciders))


def not_enough(handoff: Handoff) -> NotTheirDecision:
    """Return the error that says that votes are missing."""
    return NotTheirDecision(say("votes are missing: {whose}", whose=_whose(_deciders_of(handoff))))


def no_proof(deciders: Deciders) -> NotProved:
    """Return the error that says that a proof is demanded."""
    return NotProved(
        say(
            "{rule} demands a {proof} for an answer: sign in to the inbox and decide there, or decline",
            rule=deciders.rule,
            proof=deciders.proof,
        )
    )


def content_of(handoff: Handoff, values: Mapping[str, Value]) -> dict[str, Value] | None:
    """Return of the values of an answer what is voted for; None where they deny an action, which is a refusal."""
    content = dict(values)
    if handoff.question.action is not None:
        if content.get(DECISION) != ALLOW:
            return None
        content.pop(REASON, None)  # of a denial
    return content


def _digest_of(handoff: Handoff, outcome: Answered | Declined) -> str:
    """Return the digest of what is voted for; empty for a refusal, which *deny* is, too."""
    if isinstance(outcome, Declined):
        return ""
    content = content_of(handoff, outcome.values)
    return "" if content is None else content_digest(handoff.fingerprint, content, outcome.other, outcome.attachments)


def _deciders_of(handoff: Handoff) -> Deciders:
    if handoff.question.deciders is None:
        raise ValueError(f"{handoff.id} takes no votes")
    return handoff.question.deciders


def _whose(deciders: Deciders) -> str:
    return say("it is {whose}", whose=who_decides(deciders))
