"""The pages: templates, and the texts about handoffs in them.

Every text of an agent or a person goes through `inert`, and through the templates' escaping; a message goes through
`markdown.render`, whose output is the only HTML that is not escaped.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from handoffs.core.attachment import BOUNDS, size_in_words
from handoffs.core.call_notes import notes_of_calls
from handoffs.core.display import event_words, left, span, stamp, with_source
from handoffs.core.document import redacted
from handoffs.core.earlier_answer import repeatable
from handoffs.core.events import Entry
from handoffs.core.model import End, Handoff, State
from handoffs.core.sentences import say
from handoffs.core.standing import may_vote, notes_of_votes, vote_words
from handoffs.core.untrusted import inert, inert_line, with_line_feeds
from handoffs.languages.own_words import worded
from handoffs.web import inline
from handoffs.web.action_card import action_card, agent_of, mark
from handoffs.web.asker import asker, folder
from handoffs.web.controls import chosen_alike, controls, decides_action
from handoffs.web.edited_call import edit_controls
from handoffs.web.languages.words import (
    counted,
    finished,
    foreign,
    known,
    language,
    number,
    script_words,
    sentence,
    spoken,
)
from handoffs.web.markdown.render import highlight_css, render

_ENDED = {
    State.ANSWERED: say("Answered"),
    State.DECLINED: say("Declined"),
    State.CANCELLED: say("Withdrawn"),
}

STATE_WORDS: Mapping[str, str] = {
    "open": say("open"),
    "answered": say("answered"),
    "declined": say("declined"),
    "cancelled": say("cancelled"),
    "expired": say("expired"),
    "active": say("active"),
    "suspended": say("suspended"),
    "used up": say("used up"),
    "revoked": say("revoked"),
}
"""The words for the states of questions and of permissions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signing:
    """Whether the reader of a page can sign decisions there with a passkey."""

    origin: str = ""
    """Where the page must have been opened."""
    obstacle: str = ""
    """Why they can't, and what to do; empty where they can."""


_CARDS = 256
"""How many open questions are cached as HTML: those of a few pages."""


class Pages:
    """Renders the templates, with a clock for ages and deadlines."""

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        earlier: Callable[[Handoff], Handoff | None] = lambda _: None,
        you: str = "",
        unused: Callable[[str], str] = lambda _: "",
        log_head: Callable[[], str] = lambda: "",
    ) -> None:
        """Take the clock, the earlier decision of the same question, and the person (`you`), if known.

        `unused` returns the notice about unused settings in an agent's folder, `log_head` the head of the log.
        """
        self._now = now
        self._cards: OrderedDict[tuple[str, str, str], tuple[tuple[int, int], str]] = OrderedDict()
        # A placeholder for the session's CSRF token in cached HTML; it is random, so no agent can write it.
        self._token = secrets.token_hex(16)
        self._environment = Environment(
            loader=PackageLoader("handoffs.web"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=finished,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[..., object]] = {
            "aged": self._aged,
            "left": self._left,
            "stamp": stamp,
            "moment": moment,
            "at": _at,
            "number": number,
            "line": _line,
            "lines": _lines,
            "markdown": message_html,
            "with_line_feeds": with_line_feeds,
            "first_line": first_line,
        }
        words: dict[str, object] = {
            "version": VERSION,
            "_": sentence,
            "n_": counted,
            "known": known,
            "foreign": foreign,
            "language": language,
            "script_words": script_words,
            "state_word": STATE_WORDS.__getitem__,
            "decides_action": decides_action,
            "name": inline.name,
            "command": inline.command,
            "key": inline.key,
            "emphasis": inline.emphasis,
            "link": inline.link,
            "of_agent": inline.of_agent,
            "of_server": inline.of_server,
            "action_card": action_card,
            "redacted": redacted,
            "agent_of": agent_of,
            "chosen_alike": chosen_alike,
            "mark": mark,
            "controls": controls,
            "edit_controls": edit_controls,
            "ended_line": ended_line,
            "happened": happened,
            "asker": asker,
            "unused": unused,
            "log_head": log_head,
            "folder": folder,
            "answered_values": answered_values,
            "earlier": earlier,
            "you": you,
            "repeatable": repeatable,
            "notes_of_calls": notes_of_calls,
            "votes_of": self._votes_of,
            "votes_here": self._votes_here,
            "vote_words": vote_words,
            "size_in_words": size_in_words,
            "file_bounds": BOUNDS,
        }
        self._environment.filters.update(filters)
        cast("dict[str, object]", self._environment.globals).update(words)

    def _aged(self, at: datetime) -> Markup:
        return inline.time(at, say("{time} ago", time=span(self._now() - at)), "age")

    def _left(self, at: datetime) -> str:
        return say("{time} left", time=left(at - self._now()))

    def text(self, template: str, /, **context: object) -> str:
        """Return a template as HTML."""
        return self._environment.get_template(template).render(context)

    def page(self, template: str, status: int = 200, /, **context: object) -> HTMLResponse:
        """Return a template as a response."""
        everywhere: dict[str, object] = {"now": milliseconds(self._now())}
        return HTMLResponse(self.text(template, **(everywhere | context)), status)

    def _votes_of(self, handoff: Handoff, person: str) -> tuple[str, ...]:
        of, ended = handoff.question.deciders, handoff.end is not None
        return notes_of_votes(of, handoff.votes, self._now(), reader=person, ended=ended)

    def _votes_here(self, handoff: Handoff, person: str) -> bool:
        return may_vote(handoff.question.deciders, person, self._now())

    def cards(self, handoffs: Iterable[Handoff], csrf: str, person: str, *, signing: Signing | None = None) -> Markup:
        """Return open questions as HTML for a person, each with its form; `signing` is for those that take a passkey.

        A question that everybody may decide is rendered at most once a second for all sessions.
        """
        text = "".join(self._card(handoff, person, signing) for handoff in handoffs)
        return Markup(text.replace(self._token, str(escape(csrf))))  # noqa: S704 - our own templates

    def _card(self, handoff: Handoff, person: str, signing: Signing | None) -> str:
        if handoff.question.deciders is not None:
            parts: dict[str, object] = {"posted": None, "problems": {}, "person": person, "you": person}
            parts["signing"] = signing
            return self.text("_card.html", handoff=handoff, csrf=self._token, **parts)
        # Ages and times left are shown in seconds.
        key = (handoff.version, int(self._now().timestamp()))
        which = (handoff.id, person, language())
        kept = self._cards.get(which)
        if kept is None or kept[0] != key:
            text = self.text("_card.html", handoff=handoff, csrf=self._token, posted=None, problems={}, you=person)
            kept = self._cards[which] = (key, text)
        self._cards.move_to_end(which)
        if len(self._cards) > _CARDS:
            self._cards.popitem(last=False)
        return kept[1]


def first_line(handoff: Handoff, width: int = 160) -> str:
    """Return the first line of a message, for a list."""
    return inert_line(inert(handoff.question.message).strip().partition("\n")[0].lstrip("# "), width) or spoken(
        say("(no words)")
    )


def ended_line(handoff: Handoff) -> str:
    """Return how a handoff ended, by whom, and through which channel."""
    if handoff.end is None:
        return ""
    return ended_words(handoff.state, handoff.end)


def ended_words(state: State, end: End) -> str:
    """Return an end in words: `Answered by ada through terminal`."""
    if state is State.EXPIRED:
        return say("Expired: nobody answered in time")
    return with_source(_ENDED[state], by=end.by, channel=end.channel)


def happened(entry: Entry) -> str:
    """Return a line of the log in words."""
    return event_words(entry.name, entry.details)


def answered_values(handoff: Handoff) -> list[tuple[str, str]]:
    """Return the answer: each filled field's title, and its value as text."""
    if handoff.other:
        return [(say("In their own words, none of the options"), inert(handoff.other))]
    values = redacted(handoff).values or {}
    fields = worded(handoff.question.form, ours=decides_action(handoff))
    return [(field.title, inert(spoken(field.text(values[field.name])))) for field in fields if field.name in values]


def milliseconds(at: datetime) -> str:
    """Return a time in milliseconds for scripts: a page uses the server's time, since its own clock may be wrong."""
    return str(round(at.timestamp() * 1000))


def moment(at: datetime) -> str:
    """Return a time in UTC, for pages without script; a script shows it in the reader's zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _at(at: datetime) -> Markup:
    return inline.time(at, moment(at))


def _lines(text: str) -> str:
    return inert(spoken(text))


def _line(text: str, width: int | None = None) -> str:
    return inert_line(spoken(text), width)


@lru_cache(maxsize=1024)
def message_html(text: str) -> Markup:
    """Return a message as safe HTML; cached, since the same message is on many pages."""
    return Markup(render(text))  # noqa: S704 - cleaned by nh3


def _assets() -> dict[str, tuple[bytes, str]]:
    """Return every file that a page loads, by name, with its media type."""
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png"}
    found = {
        file.name: (file.read_bytes(), kinds[Path(file.name).suffix])
        for file in resources.files("handoffs.web").joinpath("static").iterdir()
        if Path(file.name).suffix in kinds
    }
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n{highlight_css(True)}\n}}\n"
    return found | {"highlight.css": ((highlight_css(False) + "\n" + dark).encode(), "text/css")}


ASSETS = _assets()
VERSION = hashlib.sha256(b"".join(name.encode() + data for name, (data, _) in sorted(ASSETS.items()))).hexdigest()[:12]
"""Part of every asset's address, so that a browser may cache it for ever."""
