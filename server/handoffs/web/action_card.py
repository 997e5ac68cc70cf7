"""A held call as its card shows it: the tool, what its server says of it, and each argument, whole.

Every text is plain and inert: characters that a screen would hide or act on are spelled out. The templates escape it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from handoffs.core.action import Action, Asker
from handoffs.core.action_shown import about_of, as_json, block, language_of, notes_in, size_of, visible
from handoffs.core.masking import masked
from handoffs.core.model import Handoff

INLINE = 100
"""The most characters of a text that is shown in its line."""

SHORT_DIGEST = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """One argument of a call."""

    name: str
    kind: str
    """The word that JSON has for its type."""
    text: str
    size: str = ""
    """The lines and characters of a long text; empty for all others."""
    code: str = ""
    """The same text as a block of code in Markdown, where its language is known."""
    masked: str = ""
    """What is shown until the person wants to see it; empty where it neither is nor holds a secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionCard:
    """A held call, ready to be shown."""

    server: str
    tool: str
    about: str
    """What the server says of the tool."""
    notes: str
    """What we say of the call, as Markdown; see `notes_in`."""
    arguments: tuple[Argument, ...]
    digest: str

    @property
    def short(self) -> str:
        """The start of the digest."""
        return self.digest[:SHORT_DIGEST]


def action_card(handoff: Handoff) -> ActionCard | None:
    """Return the card of a call that a gate holds; None where the question is another, or its message says more."""
    action = handoff.question.action
    if action is None or action.asker is not Asker.GATE:
        return None
    try:
        notes = notes_in(action, handoff.question.message)
        if notes is None:
            return None
        return ActionCard(
            server=visible(action.server),
            tool=visible(action.tool),
            about=about_of(action),
            notes=notes,
            arguments=arguments_of(action),
            digest=action.digest,
        )
    except ValueError:
        return None


def agent_of(handoff: Handoff) -> str:
    """Return what is equal for the held calls of one agent and session; empty for every other question."""
    action, caller = handoff.question.action, handoff.caller
    if action is None or action.asker is not Asker.GATE:
        return ""
    whole = json.dumps([caller.subject, caller.client, caller.project, handoff.session])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def mark(handoff: Handoff) -> str:
    """Return a held call as a page posts it: its id, its digest and its version; empty for every other question."""
    action = handoff.question.action
    return "" if action is None else f"{handoff.id} {action.digest} {handoff.version}"


def arguments_of(action: Action) -> tuple[Argument, ...]:
    """Return the arguments in their order. Raises ValueError: they are no JSON object that every reader reads alike."""
    found = masked(action)
    return tuple(
        replace(_argument(action, name, value), masked=_text(found.values[name]) if name in found.names else "")
        for name, value in action.values.items()
    )


def _argument(action: Action, name: str, value: object) -> Argument:
    kind, shown = _kind(value), visible(name)
    if not isinstance(value, str):
        text = as_json(value)
        return Argument(name=shown, kind=kind, text=text, code=block("json", text) if "\n" in text else "")
    language, text = language_of(action, name), visible(value)
    if language:
        return Argument(name=shown, kind=kind, text=text, size=size_of(value), code=block(language, text))
    long = "\n" in value or len(text) > INLINE
    return Argument(name=shown, kind=kind, text=text, size=size_of(value) if long else "")


def _text(value: object) -> str:
    return visible(value) if isinstance(value, str) else as_json(value)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case Mapping():
            return "object"
        case list():
            return "array"
        case _:
            return "number"
