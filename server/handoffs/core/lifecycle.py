"""The life of a handoff: one table of states and events, and `advance`. The first outcome stands."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from handoffs.core.display import state_words, with_source
from handoffs.core.errors import AlreadyEnded, AlreadyReminded, AlreadyUsed
from handoffs.core.events import (
    Answered,
    Cancelled,
    Collected,
    Declined,
    DeniedAgain,
    Dismissed,
    Edited,
    Erased,
    Event,
    Expired,
    Forgotten,
    Joined,
    Left,
    NotShown,
    Reached,
    Reminded,
    Result,
    Revealed,
    Sent,
    Unknown,
    Used,
    Voted,
    name_of,
)  # fmt: skip
from handoffs.core.model import End, Handoff, State
from handoffs.core.sentences import Moment, say

TABLE: Mapping[State, Mapping[type[Event], State]] = MappingProxyType(
    {
        State.OPEN: {
            Joined: State.OPEN,
            Reached: State.OPEN,
            NotShown: State.OPEN,
            Dismissed: State.OPEN,
            Left: State.OPEN,
            Reminded: State.OPEN,
            Voted: State.OPEN,
            Answered: State.ANSWERED,
            Declined: State.DECLINED,
            Cancelled: State.CANCELLED,
            Expired: State.EXPIRED,
        },
        State.ANSWERED: {
            Collected: State.ANSWERED,
            Used: State.ANSWERED,
            Edited: State.ANSWERED,
            Sent: State.ANSWERED,
            Result: State.ANSWERED,
            Unknown: State.ANSWERED,
            DeniedAgain: State.ANSWERED,
            Revealed: State.ANSWERED,
            Forgotten: State.ANSWERED,
            Erased: State.ANSWERED,
        },
        State.DECLINED: {Collected: State.DECLINED, DeniedAgain: State.DECLINED, Erased: State.DECLINED},
        State.CANCELLED: {Collected: State.CANCELLED, Erased: State.CANCELLED},
        State.EXPIRED: {Collected: State.EXPIRED, Erased: State.EXPIRED},
    }
)
"""The next state by state and event. An event that is missing in a row can't happen there. `Opened` creates it."""


def advance(handoff: Handoff, event: Event) -> Handoff:
    """Return the handoff after `event`.

    Raises:
        AlreadyEnded: The handoff has an outcome already, which stands.
        AlreadyReminded: Another process has claimed this stage.
        AlreadyUsed: Another use of the tool has the approval.
        NotTheirDecision: Others decide it, or their votes are missing.
        ValueError: The event can't happen in this state.
    """
    state = TABLE[handoff.state].get(type(event))
    if state is None:
        if handoff.end is not None:
            raise already_ended(handoff)
        raise ValueError(f"{name_of(event)} can't happen to a handoff that is {handoff.state}")
    if lacks_votes(handoff, event):
        from handoffs.core.voting import not_enough

        raise not_enough(handoff)
    after = replace(handoff, state=state, version=handoff.version + 1)
    match event:
        case Answered():
            end = End(at=event.at, by=event.by, channel=event.channel, note=event.note)
            return replace(
                after,
                end=end,
                values=dict(event.values),
                sealed=dict(event.sealed),
                other=event.other,
                attachments=event.attachments,
            )
        case Declined() | Cancelled():
            return replace(after, end=End(at=event.at, by=event.by, channel=event.channel, note=event.note))
        case Expired():
            return replace(after, end=End(at=event.at))
        case Forgotten(field=name):
            return replace(after, sealed={each: text for each, text in handoff.sealed.items() if each != name})
        case Collected():
            return replace(
                after, collected_at=handoff.collected_at or event.at, handed_to=event.tool_use or handoff.handed_to
            )
        case Voted():
            from handoffs.core.voting import votes_after

            return replace(after, votes=votes_after(handoff, event))
        case Joined(calls=calls):
            return replace(after, calls=calls)
        case Used(tool_use=use):
            if handoff.collected_at is not None and handoff.handed_to != use:
                raise AlreadyUsed(f"The approval {handoff.id} is for one use of the tool, and another use has it.")
            return replace(after, collected_at=handoff.collected_at or event.at, handed_to=use)
        case Reached(channel=channel) if channel not in handoff.reached:
            return replace(after, reached=(*handoff.reached, channel))
        case Reminded(stage=stage):
            if stage in handoff.reminded:
                raise AlreadyReminded(f"Another process sends the reminder {stage!r} of {handoff.id}.")
            return replace(after, reminded=(*handoff.reminded, stage))
        case _:
            return after


def steps(handoff: Handoff, event: Event) -> tuple[Event, ...]:
    """Return the events to record when `event` comes: an open handoff past its deadline expires first.

    An outcome that lacks votes is left out: the vote that came with it counts, and the handoff stays open.
    """
    if isinstance(event, Expired) or not handoff.overdue(event.at):
        return () if handoff.state is State.OPEN and lacks_votes(handoff, event) else (event,)
    return (expiry(handoff), event)


def lacks_votes(handoff: Handoff, event: Event) -> bool:
    """Return whether an event would decide a handoff whose votes are not enough for it."""
    if handoff.question.deciders is None or not isinstance(event, Answered | Declined):
        return False
    from handoffs.core.voting import has_enough  # only a question with a rule needs it

    return not has_enough(handoff, event)


def expiry(handoff: Handoff) -> Expired:
    """Return the expiry of a handoff: at its deadline, also if it is recorded later."""
    return Expired(at=handoff.question.deadline)


def already_ended(handoff: Handoff) -> AlreadyEnded:
    """Return the error that says how it ended, and who decided."""
    end = handoff.end
    if end is None:
        raise ValueError(f"{handoff.id} is open")
    what = with_source(state_words(handoff.state), by=end.by, channel=end.channel)
    return AlreadyEnded(
        say("{id} was already {what} at {time}. That stands.", id=handoff.id, what=what, time=Moment(end.at))
    )


def diagram() -> str:
    """Return the table as a Mermaid state diagram. The README shows it, and a test compares the two."""
    lines = ["stateDiagram-v2", "    [*] --> open: opened"]
    for state, row in TABLE.items():
        loops = [event.name for event, to in row.items() if to is state]
        if loops:
            lines.append(f"    {state} --> {state}: {', '.join(loops)}")
        lines.extend(f"    {state} --> {to}: {event.name}" for event, to in row.items() if to is not state)
    return "\n".join(lines)
