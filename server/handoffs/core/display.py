"""What people are shown, in one place: who asks, what happened, when, lengths of time, and the time left."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from handoffs.core.client_name import readable_name
from handoffs.core.model import Caller, Handoff, State
from handoffs.core.sentences import Moment, say, say_n
from handoffs.core.untrusted import inert_line

_SHORT = ((3_600, "h"), (60, "min"))
_LONG = (86_400, 3_600, 60, 1)


# Who asks


def asker_of(caller: Caller) -> str:
    """Return who asks, on one line: the program and the folder that it works in, `claude-code · ~/shop`.

    If a token proved the principal, it comes first: `token:ci · claude-code`. The rest is the program's own claim.
    """
    proven = caller.subject if caller.authenticated else ""
    return " · ".join(part for part in (proven, program_of(caller), folder_of(caller)) if part)


def program_of(caller: Caller) -> str:
    """Return the program that asks, as `readable_name` gives it. Never empty."""
    return readable_name(caller.client)


def folder_of(caller: Caller) -> str:
    """Return the folder that the agent works in, relative to the home folder (`~`); empty if it is not known."""
    if not caller.project:
        return ""
    try:
        below = Path(caller.project).relative_to(Path.home())
    except (ValueError, RuntimeError):  # not below it, or no home folder is known
        return caller.project
    return say("the home folder") if below == Path() else str("~" / below)


# Where a question waits


def where(handoff: Handoff, link: str | None) -> str:
    """Return in a line where a person finds a question."""
    shell = "handoffs inbox" if handoff.question.form.secret else f"handoffs answer {handoff.id}"
    browser = f"In the browser: {link} " if link else ""
    if handoff.question.deciders is not None:
        from handoffs.core.standing import who_decides  # only for a question with a rule

        decide = who_decides(handoff.question.deciders)
        return f"Waiting for those who decide ({handoff.id}). It is {decide}. {browser}".rstrip()
    return f"Waiting for a person ({handoff.id}). {browser}In a terminal: {shell}"


# What happened

_HAPPENED = {
    "opened": say("Asked"),
    "joined": say("Waited for by the agent's calls"),
    "reached": say("Shown"),
    "notshown": say("Could not be shown"),
    "dismissed": say("Put off: not now"),
    "left": say("The host ended the agent's call; the question stayed open"),
    "reminded": say("Reminded"),
    "voted": say("Voted"),
    "answered": say("Answered"),
    "declined": say("Declined"),
    "cancelled": say("Withdrawn"),
    "expired": say("Expired: nobody answered in time"),
    "used": say("The approval was used for a call"),
    "edited": say("The call runs as it was changed"),
    "sent": say("The call was sent to its server"),
    "result": say("The server answered the call"),
    "unknown": say("The call may have run: its server did not answer"),
    "deniedagain": say("The same call came again, and was denied without a question"),
    "collected": say("The agent was given the outcome"),
    "revealed": say("A program got the secret"),
    "forgotten": say("The secret was erased"),
    "erased": say("What a person said in it was erased"),
    "personadded": say("Added"),
    "personchanged": say("Changed"),
    "personremoved": say("Removed"),
    "personerased": say("Erased"),
    "personaway": say("Away, with a deputy"),
    "personback": say("Back again"),
    "keyadded": say("A passkey was added"),
    "keyremoved": say("A passkey was removed"),
    "recoveryasked": say("A recovery of the passkeys was asked for"),
    "recoverystopped": say("The recovery was stopped"),
    "recovered": say("The recovery was used: a new passkey took the place of all others"),
}


def event_words(name: str, details: Mapping[str, str]) -> str:
    """Return a line of the log in words."""
    words = _HAPPENED.get(name) or inert_line(name)
    if details.get("field"):
        words = say("{what} {field}", what=words, field=inert_line(details["field"], 60))
    words = with_source(words, by=details.get("by", ""), channel=details.get("channel", ""))
    if details.get("reason"):
        words = say("{what}: {reason}", what=words, reason=inert_line(details["reason"], 200))
    return say("{what}, with an error", what=words) if details.get("outcome") == "error" else words


def with_source(words: str, *, by: str, channel: str) -> str:
    """Return words on what was done, with who did it and through which channel, as far as that is known."""
    if by:
        words = say("{what} by {name}", what=words, name=inert_line(by, 60))
    return say("{what} through {channel}", what=words, channel=inert_line(channel, 60)) if channel else words


_ENDED = {
    State.OPEN: say("open"),
    State.ANSWERED: say("answered"),
    State.DECLINED: say("declined"),
    State.CANCELLED: say("cancelled"),
    State.EXPIRED: say("expired"),
}


def state_words(state: State) -> str:
    """Return the state of a question in a word."""
    return _ENDED[state]


# When


def stamp(at: datetime) -> str:
    """Return a time as it is shown and sent everywhere: `2026-11-22T19:30:00Z`, in UTC, in whole seconds."""
    return str(Moment(at))


# How long


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit: `5 min`. A negative length is `0 s`."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds >= 86_400:
        return say("{number} d", number=seconds // 86_400)
    if seconds >= 3_600:
        return say("{number} h", number=seconds // 3_600)
    return say("{number} min", number=seconds // 60) if seconds >= 60 else say("{number} s", number=seconds)


def in_words(length: timedelta, *, least: int = 1) -> str:
    """Return a length of time in words, in the largest unit of which there are `least`: `5 minutes`, `1 day`."""
    seconds = max(int(length.total_seconds()), 0)
    size = next((each for each in _LONG if seconds >= least * each), 1)
    count = seconds // size
    match size:
        case 86_400:
            return say_n("{count} day", "{count} days", count)
        case 3_600:
            return say_n("{count} hour", "{count} hours", count)
        case 60:
            return say_n("{count} minute", "{count} minutes", count)
        case _:
            return say_n("{count} second", "{count} seconds", count)


def about(seconds: float) -> str:
    """Return a length of time in the largest unit of which there are two, rounded: `110 s`, `28 h`."""
    for size, unit in _SHORT:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


# Time left, rounded to the nearest minute: a day that started a moment ago shows as 24 hours.


def left(length: timedelta) -> str:
    """Return the time left, rounded to the minute: `24 h` for a day that started a moment ago."""
    seconds = _upwards(length)
    minutes = (seconds + 30) // 60
    if 24 * 60 <= minutes < 48 * 60:
        return say("{number} h", number=minutes // 60)
    return span(timedelta(minutes=minutes) if seconds >= 60 else timedelta(seconds=seconds))


def left_in_words(length: timedelta) -> str:
    """Return the time left in words, in the largest unit of which there are two: `24 hours`."""
    seconds = _upwards(length)
    return in_words(timedelta(seconds=(seconds + 30) // 60 * 60 if seconds >= 120 else seconds), least=2)


def left_exactly(length: timedelta) -> str:
    """Return the time left, exact to the minute: `23 h 59 min left`, `time is up`."""
    if length <= timedelta(0):
        return "time is up"
    rounded = (length + timedelta(seconds=30)) // timedelta(minutes=1) if length >= timedelta(minutes=1) else 0
    hours, minutes = divmod(rounded, 60)
    if hours >= 48:
        return f"{hours // 24} days left"
    if hours:
        return f"{hours} h {minutes} min left" if minutes else f"{hours} h left"
    return f"{minutes} min left" if minutes else "less than a minute left"


# How many


def counted(count: int, one: str, many: str) -> str:
    """Return a count with its noun: `1 entry`, `1,200 entries`."""
    return f"{count:,} {one if count == 1 else many}"


def _upwards(length: timedelta) -> int:
    return max(-(-length // timedelta(seconds=1)), 0)
