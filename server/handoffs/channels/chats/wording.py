"""What a message to a chat says, and which buttons it has.

- Whoever decides reads all of what they decide on: a message that would have to be cut has no buttons.
- The words of agents stand behind a bar, line by line. They can't pass for ours, and are no links.
- What takes a passkey, a secret or several fields is answered in the inbox.
- An action is decided here only where its rule names the channel. Else not even its arguments are shown.
- What we say is in the language of the chat. What is decided on, and what a button means, does not depend on it.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from handoffs.channels.chats.codes import digest_of, new_code, reply_digest
from handoffs.channels.chats.service import OPEN_INBOX, Button, Limits, Note
from handoffs.core.action_form import is_action_form
from handoffs.core.action_shown import first_line
from handoffs.core.chat import Code
from handoffs.core.display import asker_of, left_in_words, state_words, with_source
from handoffs.core.form import DECISION, Kind
from handoffs.core.model import Handoff, State
from handoffs.core.sentences import Moment, say, say_n
from handoffs.core.standing import votes_needed
from handoffs.core.untrusted import inert, inert_line
from handoffs.languages.catalogue import Catalogue
from handoffs.languages.own_words import worded
from handoffs.languages.spoken import spoken
from handoffs.languages.tags import ENGLISH

BAR = "│ "
"""What stands before each line of an agent."""

MAX_LISTED = 20

_ASKER = 80
_LINE = 120
# What stands around a full stop is a link in a chat, also without a scheme: a word joiner, which has no ink, undoes it.
_FULL_STOP = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=\w)")
_LINE_SEEN = 40
_CUT = say("⟨cut: the inbox has all of it⟩")
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
    language: Catalogue | None = None
    """The language of the chat; None for English."""

    def says(self, words: str) -> str:
        """Return words in the language of the chat."""
        return spoken(words, self.language)

    def marked(self, note: Note) -> Note:
        """Return a message of these words with what a service has to know of its language."""
        tag = ENGLISH if self.language is None else self.language.tag
        return replace(note, language=tag, open=self.says(OPEN_INBOX))


def content_of(handoff: Handoff) -> str:
    """Return the digest of what is decided on: the question, all its words, and the action."""
    question = handoff.question
    action = "" if question.action is None else question.action.digest
    whole = "\n".join((handoff.id, handoff.fingerprint, action, question.message))
    return hashlib.sha256(whole.encode(errors="backslashreplace")).hexdigest()


def answers_of(handoff: Handoff, channel: str) -> list[tuple[str, Mapping[str, object]]]:
    """Return what can be answered with a button, by label; nothing where it is answered elsewhere.

    Labels of ours are sentences; those of agents are text.
    """
    question = handoff.question
    if question.form.secret or question.takes_proof:
        return []
    if question.action is not None:
        if channel not in question.action.channels or question.action.masked or not is_action_form(question.form):
            return []
        return [(each.label, {DECISION: each.value}) for each in worded(question.form, ours=True)[0].choices]
    if len(question.form.fields) != 1:
        return []
    field = question.form.fields[0]
    if field.kind is Kind.BOOLEAN:
        return [(say("Yes"), {field.name: True}), (say("No"), {field.name: False})]
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
    answers = [(place.says(label), values) for label, values in answers]
    shown = _shown(handoff, place)
    labels = [inert_line(label) for label, _ in answers]
    numbered = len({*labels}) < len(labels) or any(len(label) > place.limits.label for label in labels)
    by_reply = place.limits.by_reply
    numbered = by_reply or numbered
    listed = _listed(handoff, answers, numbered=numbered) if by_reply or handoff.question.action is None else ""
    seen = not place.limits.lines or _lines(f"{shown}\n{listed}" if listed else shown) <= place.limits.lines
    replies = replies or (by_reply and bool(answers))
    fits = len(answers) <= place.limits.buttons and seen and not by_reply
    here = place.says(_by_reply(handoff, answers) if by_reply and replies else _here(fits and bool(answers), replies))
    foot = _foot(handoff, place, now=now, here=here)
    body = "\n\n".join(filter(None, (shown, listed, foot)))
    title = place.says(_title(handoff))
    if _size(body) > place.limits.text:
        foot = _foot(handoff, place, now=now, here="")
        end = f"\n{place.says(_CUT)}\n\n{foot}"
        body = f"{_cut(shown, place.limits.text - _size(end))}{end}"
        return Written(note=place.marked(Note(title=title, body=body, link=place.link)))
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
    note = place.marked(Note(title=title, body=body, buttons=buttons, link=place.link, reply=replies))
    return Written(note=note, codes=tuple(codes))


def list_of(handoffs: Sequence[Handoff], place: Place) -> Note:
    """Return one message about several questions, which says of each how it stands. It has no buttons."""
    still = [each for each in handoffs if each.state is State.OPEN]
    lines = [f"{BAR}{_first(each, place)}\n{place.says(_standing(each))} · {each.id}" for each in handoffs[:MAX_LISTED]]
    left_out = len(handoffs) - MAX_LISTED
    more = [place.says(say("and {count} more", count=left_out))] if left_out > 0 else []
    where = say("Answer: {where}", where=place.link) if place.link else say("Answer in the inbox: handoffs inbox")
    if place.limits.brief:
        where = say("Open it to answer.")
    waits = say_n("{count} question waits for you", "{count} questions wait for you", len(still))
    body = "\n\n".join([*lines, *more, *([place.says(where)] if still else [])])
    if _size(body) > place.limits.text:
        end = f"\n{place.says(_CUT)}"
        body = f"{_cut(body, place.limits.text - _size(end))}{end}"
    title = place.says(waits if still else say("Nothing waits any more"))
    link, silent = place.link if still else "", len(still) < len(handoffs)
    return place.marked(Note(title=title, body=body, link=link, silent=silent, over=not still))


def outcome_of(handoff: Handoff, place: Place) -> Note:
    """Return what the message says once its question has ended."""
    standing = begun(place.says(say("{line}.", line=_standing(handoff))))
    body = f"{BAR}{_first(handoff, place)}\n\n{standing} {place.says(say('Question {id}', id=handoff.id))}"
    title = place.says(say("Ended: {state}", state=state_words(handoff.state)))
    return place.marked(Note(title=title, body=body, link=place.link, silent=True, over=True))


def voted_of(handoff: Handoff, place: Place, words: str) -> Note:
    """Return what the message says once this person has voted, and others have not yet."""
    lines = [words, *_needed(handoff, place), place.says(say("Question {id}", id=handoff.id))]
    body = "\n".join([f"{BAR}{_first(handoff, place)}\n", *lines])
    title = place.says(say("Your vote is recorded"))
    return place.marked(Note(title=title, body=body, link=place.link, silent=True))


def begun(words: str) -> str:
    """Return words as a sentence begins."""
    return f"{words[:1].upper()}{words[1:]}"


def _title(handoff: Handoff) -> str:
    asker = _harmless(inert_line(asker_of(handoff.caller), _ASKER)) or say("An agent")
    if handoff.question.action is not None:
        return say("{name} waits for your permission", name=asker)
    if handoff.question.breakout_of_loop:
        return say("{name} stopped, and leaves this to you", name=asker)
    return say("{name} asks you", name=asker)


def _shown(handoff: Handoff, place: Place) -> str:
    if handoff.question.action is not None and not answers_of(handoff, place.channel):
        # Any argument may be a secret.
        return f"{BAR}{_first(handoff, place)}"
    return "\n".join(f"{BAR}{line}" for line in _harmless(inert(_message(handoff, place))).split("\n"))


def _first(handoff: Handoff, place: Place) -> str:
    message = _message(handoff, place)
    line = message if handoff.question.action is None else message.partition("\n")[0]
    return _harmless(inert_line(line, _LINE))


def _message(handoff: Handoff, place: Place) -> str:
    """Return what is asked. Where the line is ours that asks for permission, it is in the language of the chat."""
    message, action = handoff.question.message, handoff.question.action
    asks = "" if action is None or place.language is None else first_line(action)
    rest = message.removeprefix(asks)
    return place.says(asks) + rest if asks and rest != message and rest[:1] in ("", "\n") else message


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
        return say("Press a button, or reply to this message with other words.")
    if buttons:
        return say("Press a button.")
    return say("Reply to this message with your answer.") if replies else ""


def _by_reply(handoff: Handoff, answers: Sequence[object]) -> str:
    if not answers:
        return say("Reply to this message with your answer.")
    if takes_reply(handoff):
        return say("Reply with the number or the name of your choice, alone in the first line, or with other words.")
    return say("Reply with the number or the name of your choice, alone in the first line.")


def _foot(handoff: Handoff, place: Place, *, now: datetime, here: str) -> str:
    question = handoff.question
    lines = _needed(handoff, place)
    left = left_in_words(question.deadline - now)
    ends = say("Open for another {left}, until {time}.", left=left, time=Moment(question.deadline))
    lines.append(place.says(ends))
    named = say("Question {id}", id=handoff.id)
    if question.action is not None:
        named = say("Question {id}, action {digest}", id=handoff.id, digest=question.action.digest[:16])
    lines.append(place.says(named))
    if place.limits.brief:
        return "\n".join(lines if here else [place.says(say("Open it to answer.")), *lines])
    # A secret can only be typed into the inbox.
    command = "handoffs inbox" if question.form.secret or question.takes_proof else f"handoffs answer {handoff.id}"
    where = place.link or ("" if here else command)
    otherwise = say("Or: {where}", where=where) if here else say("Answer: {where}", where=where)
    lines.append(" ".join(filter(None, (here, place.says(otherwise) if where else ""))))
    return "\n".join(lines)


def _needed(handoff: Handoff, place: Place) -> list[str]:
    deciders = handoff.question.deciders
    if deciders is None:
        return []
    return [begun(place.says(say("{line}.", line=votes_needed(deciders, handoff.votes))))]


def _standing(handoff: Handoff) -> str:
    end, what = handoff.end, state_words(handoff.state)
    if end is None:
        return what
    what = with_source(what, by=end.by, channel=end.channel)
    # How many files: their names stay in the inbox, since a service reads what is sent.
    if count := len(handoff.attachments):
        return say_n(
            "{what} at {time}, with {count} file",
            "{what} at {time}, with {count} files",
            count,
            what=what,
            time=Moment(end.at),
        )
    return say("{what} at {time}", what=what, time=Moment(end.at))


def _harmless(text: str) -> str:
    """Return text in which nothing is a link or a mention, and everything can be read."""
    return _FULL_STOP.sub("\\g<0>\u2060", text.replace("://", "∶//").replace("@", "@\u2060"))


def _cut(text: str, size: int) -> str:
    return text.encode()[: max(size, 0)].decode(errors="ignore")


def _lines(text: str) -> int:
    return sum(max(1, -(-_width(line) // _LINE_SEEN)) for line in text.split("\n"))


def _width(line: str) -> int:
    return len(line) + sum(unicodedata.east_asian_width(each) in "WF" for each in line)


def _size(text: str) -> int:
    return len(text.encode())
