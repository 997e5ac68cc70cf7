"""What a handoff should be by its lines: they are carried out again, as the store did, and the results compared.

So a column is found that was changed by hand, although no leaf has it: who ended it, its votes, who received the
outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from handoffs.core.errors import HandoffError
from handoffs.core.events import Answered, Erased, Opened, Voted
from handoffs.core.leaf import committed_in
from handoffs.core.leaves import Leaf
from handoffs.core.lifecycle import advance
from handoffs.core.model import End, Handoff, State, secret_name
from handoffs.core.storable import storable
from handoffs.proof.recorded import Recorded

_ENDED_SINCE = "not kept"
"""Stands for the proof of a vote that has ended since."""


def replayed(handoff: Handoff, events: Sequence[Recorded], leaves: Mapping[int, Leaf]) -> list[str]:
    """Return in words what a handoff says that its events do not lead to; `leaves` are theirs by number.

    A handoff that was opened before the log began is compared by its end alone, if it ended after.
    """
    ended = next((each for each in events if each.after.state is not State.OPEN), None)
    if not isinstance(events[0].event, Opened) or events[0].number not in leaves:
        if ended is None or ended.number not in leaves:
            return []
        after = advance(
            replace(handoff, state=State.OPEN, question=replace(handoff.question, deciders=None)), ended.event
        )
        return _said([("its end", _end(handoff.end), _end(after.end))])
    # Who was removed when somebody voted is not kept, so whose vote it ended is not known.
    free = any(
        isinstance(each.event, Voted) and each.number in leaves and "gone" in _committed(leaves[each.number])
        for each in events
    )
    after = replace(
        handoff, state=State.OPEN, version=1, values=None, end=None, collected_at=None, other="", sealed={}, calls=1,
        handed_to="", reached=(), reminded=(), votes=handoff.votes if free else (), attachments=(),
    )  # fmt: skip
    erased = handoff.values is None and any(isinstance(each.event, Erased) for each in events)
    for each in events[1:]:
        event = each.event
        if isinstance(event, Voted):
            if free:
                after = replace(after, version=after.version + 1)
                continue
            if "proof" in each.unkept and each.number in leaves and "proof" in _committed(leaves[each.number]):
                event = replace(event, proof=_ENDED_SINCE)
        if isinstance(event, Answered):  # its leaf has the values, and a secret's name stands there
            names = [name for name, value in event.values.items() if value == secret_name(handoff.id, name)]
            event = replace(event, sealed=dict.fromkeys(names, ""))
        try:
            after = _without_words(after, event) if erased and isinstance(event, Answered) else advance(after, event)
        except (HandoffError, ValueError) as wrong:
            return [f"line {each.number} ({event.name}) can't have happened: {wrong}"]
    if erased:
        after = replace(after, values=None, attachments=())
    said = _said(
        [
            ("its end", _end(handoff.end), _end(after.end)),
            ("when it was handed to its agent", handoff.collected_at, after.collected_at),
            ("the use that has it", storable(handoff.handed_to), storable(after.handed_to)),
            ("the number of its calls", handoff.calls, after.calls),
            ("the channels that have shown it", handoff.reached, after.reached),
            ("its reminders", handoff.reminded, after.reminded),
            ("its secrets", set(handoff.sealed), set(after.sealed)),
            ("its files", handoff.attachments, after.attachments),
            ("when it was asked", handoff.created_at, events[0].event.at),
            ("its votes", _votes(handoff), _votes(after)),
        ]
    )
    cast = {(each.event.by, each.event.for_, each.event.at) for each in events if isinstance(each.event, Voted)}
    if any((vote.person, vote.for_, vote.at) not in cast for vote in handoff.votes):
        said += ["it has a vote that is not among its lines."]
    return said


def _without_words(handoff: Handoff, event: Answered) -> Handoff:
    """Return the handoff after an answer that was erased: its votes must be enough for whatever it was."""
    of, question = handoff.question.deciders, handoff.question
    if of is not None and not of.met_by(handoff.votes) and not of.refused_by(handoff.votes):
        raise ValueError("votes are missing")
    return replace(advance(replace(handoff, question=replace(question, deciders=None)), event), question=question)


def _said(pairs: Sequence[tuple[str, object, object]]) -> list[str]:
    return [f"{name} is not what its lines lead to." for name, kept, told in pairs if kept != told]


def _end(end: End | None) -> object:
    return None if end is None else (end.at, storable(end.by), storable(end.channel), storable(end.note))


def _votes(handoff: Handoff) -> object:
    return [(vote.person, vote.for_, vote.channel, vote.at, vote.digest, bool(vote.proof)) for vote in handoff.votes]


def _committed(leaf: Leaf) -> frozenset[str]:
    try:
        return committed_in(leaf.text.encode())
    except ValueError:
        return frozenset()
