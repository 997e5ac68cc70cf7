"""What a message to a chat says, and which buttons it has.

- Whoever decides reads all of what they decide on: a message that would have to be cut has no buttons.
- The words of agents stand behind a bar, line by line. They can't pass for ours, and are no links.
- What takes a passkey, a secret or several fields is answered in the inbox.
- An action is decided here only where its rule names the channel. Else not even its arguments are shown.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from handoffs.channels.chats.codes import digest_of, new_code, reply_digest
from handoffs.channels.chats.service import Button, Limits, Note
from handoffs.core.action_form import is_action_form
from handoffs.core.chat import Code
from handoffs.core.display import asker_of, left_in_words, stamp
from handoffs.core.form import DECISION, Kind
from handoffs.core.model import Handoff, State
from handoffs.core.standing import votes_needed
from handoffs.core.untrusted import inert, inert_line

BAR = "│ "
"""What stands before each line of an agent."""

MAX_LISTED = 20

_ASKER = 80
_LINE = 120
# What stands around a full stop is a link in a chat, also without a scheme: a word joiner, which has no ink, undoes it.
_FULL_STOP = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=\w)")
_LINE_SEEN = 40
_CUT = "⟨cut: the inbox has all of it⟩"
_TEXTS = frozenset({Kind.STRING, Kind.INTEGER, Kind.NUMBER})


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A message, and what is kept of its codes."""

    note: Note
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a message goes."""

    chat: str
    channel: str
    limits: Limits
    link: str = ""
    """The page of the question; empty where people can't reach the inbox from elsewhere."""


def content_of(handoff: Handoff) -> str:
    """Return the digest of what is decided on: the question, all its words, and the action."""
    question = handoff.question
    action = "" if question.action is None else question.action.digest
    whole = "\n".join((handoff.id, handoff.fingerprint, action, question.message))
    return hashlib.sha256(whole.encode(errors="backslashreplace")).hexdigest()


def answers_of(handoff: Handoff, channel: str) -> list[tuple[str, Mapping[str, object]]]:
    """Return what can be answered with a button, by label; nothing where it is answered elsewhere."""
    question = handoff.question
    if question.form.secret or question.takes_proof:
        return []
    if question.action is not None:
        if channel not in question.action.channels or question.action.masked or not is_action_form(question.form):
            return []
        return [(each.label, {DECISION: each.value}) for each in question.form.fields[0].choices]
    if len(question.form.fields) != 1:
        return []
    field = question.form.fields[0]
    if field.kind is Kind.BOOLEAN:
        return [("Yes", {field.name: True}), ("No", {field.name: False})]
    return [(each.label, {field.name: each.value}) for each in field.choices] if field.kind is Kind.CHOICE else []


def takes_reply(handoff: Handoff) -> bool:
    """Return whether a text alone answers it."""
    question = handoff.question
    if question.form.secret or question.takes_proof or question.action is not None:
        return False
    fields = question.form.fields
    return question.takes_other or (len(fields) == 1 and fields[0].kind in _TEXTS)


def written(handoff: Handoff, place: Place, *, now: datetime) -> Written:
    """Return the message about a question, with new codes."""
    answers = answers_of(handoff, place.channel)
    replies = place.limits.replies and takes_reply(handoff)
    shown = _shown(handoff, place.channel)
    labels = [inert_line(label) for label, _ in answers]
    numbered = len({*labels}) < len(labels) or any(len(label) > place.limits.label for label in labels)
    by_reply = place.limits.by_reply
    numbered = by_reply or numbered
    listed = _listed(handoff, answers, numbered=numbered) if by_reply or handoff.question.action is None else ""
    seen = not place.limits.lines or _lines(f"{shown}\n{listed}" if listed else shown) <= place.limits.lines
    replies = replies or (by_reply and bool(answers))
    fits = len(answers) <= place.limits.buttons and seen and not by_reply
    here = _by_reply(handoff, answers) if by_reply and replies else _here(fits and bool(answers), replies)
    foot = _foot(handoff, place, now=now, here=here)
    body = "\n\n".join(filter(None, (shown, listed, foot)))
    title = _title(handoff)
    if _size(body) > place.limits.text:
        foot = _foot(handoff, place, now=now, here="")
        left = place.limits.text - _size(f"\n{_CUT}\n\n{foot}")
        return Written(note=Note(title=title, body=f"{_cut(shown, left)}\n{_CUT}\n\n{foot}", link=place.link))
    codes: list[Code] = []

    def code(values: Mapping[str, object], digest: str = "") -> str:
        made = new_code()
        codes.append(
            Code(
                digest=digest or digest_of(made),
                chat=place.chat,
                handoff=handoff.id,
                content=content_of(handoff),
                answer=values,
                expires_at=handoff.question.deadline,
            )
        )
        return made

    buttons = tuple(
        Button(label=str(number) if numbered else inert_line(label), code=code(values))
        for number, (label, values) in enumerate(answers if fits else (), 1)
    )
    if replies:
        code({}, reply_digest(place.chat, handoff.id))
    note = Note(title=title, body=body, buttons=buttons, link=place.link, reply=replies)
    return Written(note=note, codes=tuple(codes))


def list_of(handoffs: Sequence[Handoff], place: Place) -> Note:
    """Return one message about several questions, which says of each how it stands. It has no buttons."""
    still = [each for each in handoffs if each.state is State.OPEN]
    lines = [f"{BAR}{_first(each)}\n{_standing(each)} · {each.id}" for each in handoffs[:MAX_LISTED]]
    more = [f"and {len(handoffs) - MAX_LISTED} more"] if len(handoffs) > MAX_LISTED else []
    where = f"Answer: {place.link}" if place.link else "Answer in the inbox: handoffs inbox"
    if place.limits.brief:
        where = "Open it to answer."
    title = f"{len(still)} questions wait for you" if len(still) > 1 else "1 question waits for you"
    body = "\n\n".join([*lines, *more, *([where] if still else [])])
    if _size(body) > place.limits.text:
        body = f"{_cut(body, place.limits.text - _size(_CUT) - 1)}\n{_CUT}"
    return Note(
        title=title if still else "Nothing waits any more",
        body=body,
        link=place.link if still else "",
        silent=len(still) < len(handoffs),
        over=not still,
    )


def outcome_of(handoff: Handoff, place: Place) -> Note:
    """Return what the message says once its question has ended."""
    standing = _standing(handoff)
    body = f"{BAR}{_first(handoff)}\n\n{standing[0].upper()}{standing[1:]}. Question {handoff.id}"
    return Note(title=f"Ended: {handoff.state}", body=body, link=place.link, silent=True, over=True)


def voted_of(handoff: Handoff, place: Place, words: str) -> Note:
    """Return what the message says once this person has voted, and others have not yet."""
    deciders = handoff.question.deciders
    needed = "" if deciders is None else f" {votes_needed(deciders, handoff.votes)}.".capitalize()
    body = f"{BAR}{_first(handoff)}\n\n{words}{needed and ' ' + needed.strip()}\nQuestion {handoff.id}"
    return Note(title="Your vote is recorded", body=body, link=place.link, silent=True)


def _title(handoff: Handoff) -> str:
    asker = _harmless(inert_line(asker_of(handoff.caller), _ASKER)) or "An agent"
    if handoff.question.action is not None:
        return f"{asker} waits for your permission"
    return f"{asker} {'stopped, and leaves this to you' if handoff.question.breakout_of_loop else 'asks you'}"


def _shown(handoff: Handoff, channel: str) -> str:
    if handoff.question.action is not None and not answers_of(handoff, channel):
        # Any argument may be a secret.
        return f"{BAR}{_first(handoff)}"
    return "\n".join(f"{BAR}{line}" for line in _harmless(inert(handoff.question.message)).split("\n"))


def _first(handoff: Handoff) -> str:
    message = handoff.question.message
    line = message if handoff.question.action is None else message.partition("\n")[0]
    return _harmless(inert_line(line, _LINE))


def _listed(handoff: Handoff, answers: Sequence[tuple[str, Mapping[str, object]]], *, numbered: bool) -> str:
    """Return the choices with what the agent says of each."""
    fields = handoff.question.form.fields
    about = [each.description for each in fields[0].choices] if fields else []
    if not answers or not (numbered or any(about)):
        return ""
    lines: list[str] = []
    for number, (label, _) in enumerate(answers, 1):
        says = about[number - 1] if number <= len(about) else ""
        mark = f"{number}. " if numbered else ""
        lines.append(f"{BAR}{mark}{_harmless(inert_line(label))}{f': {_harmless(inert_line(says))}' if says else ''}")
    return "\n".join(lines)


def _here(buttons: bool, replies: bool) -> str:
    if buttons and replies:
        return "Press a button, or reply to this message with other words."
    return "Press a button." if buttons else "Reply to this message with your answer." if replies else ""


def _by_reply(handoff: Handoff, answers: Sequence[object]) -> str:
    if not answers:
        return "Reply to this message with your answer."
    else_ = ", or with other words" if takes_reply(handoff) else ""
    return f"Reply with the number or the name of your choice, alone in the first line{else_}."


def _foot(handoff: Handoff, place: Place, *, now: datetime, here: str) -> str:
    question, lines = handoff.question, list[str]()
    if question.deciders is not None:
        lines.append(f"{votes_needed(question.deciders, handoff.votes).capitalize()}.")
    left = left_in_words(question.deadline - now)
    lines.append(f"Open for another {left}, until {stamp(question.deadline)}.")
    digest = "" if question.action is None else f", action {question.action.digest[:16]}"
    lines.append(f"Question {handoff.id}{digest}")
    if place.limits.brief:
        return "\n".join(lines if here else ["Open it to answer.", *lines])
    otherwise = f"Or: {place.link}" if here else f"Answer: {place.link}"
    # A secret can only be typed into the inbox.
    command = "handoffs inbox" if question.form.secret or question.takes_proof else f"handoffs answer {handoff.id}"
    lines.append(" ".join(filter(None, (here, otherwise if place.link else "" if here else f"Answer: {command}"))))
    return "\n".join(lines)


def _standing(handoff: Handoff) -> str:
    end = handoff.end
    if end is None:
        return "open"
    by = f" by {inert_line(end.by, 60)}" if end.by else ""
    through = f" through {inert_line(end.channel, 60)}" if end.channel else ""
    return f"{handoff.state}{by}{through} at {stamp(end.at)}{_with_files(len(handoff.attachments))}"


def _with_files(count: int) -> str:
    """Return how many files the answer has. Their names stay in the inbox: a service reads what is sent."""
    return f", with {count} file{'' if count == 1 else 's'}" if count else ""


def _harmless(text: str) -> str:
    """Return text in which nothing is a link or a mention, and everything can be read."""
    return _FULL_STOP.sub("\\g<0>\u2060", text.replace("://", "∶//").replace("@", "@\u2060"))


def _cut(text: str, size: int) -> str:
    return text.encode()[: max(size, 0)].decode(errors="ignore")


def _lines(text: str) -> int:
    return sum(max(1, -(-len(line) // _LINE_SEEN)) for line in text.split("\n"))


def _size(text: str) -> int:
    return len(text.encode())
