"""A call as its card shows it, a gate's or a host's own: the tool, what is said of it, and each argument, whole.

Every text is plain and inert: characters that a screen would hide or act on are spelled out. The templates escape it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import is_action_form
from handoffs.core.action_shown import (
    Document,
    about_of,
    as_json,
    block,
    code_language,
    documents_of,
    notes_in,
    size_of,
    values_without,
    visible,
    visible_name,
)
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
    """A call that a person decides on, ready to be shown."""

    server: str
    tool: str
    about: str
    """What the server says of the tool."""
    notes: str
    """What we say of the call, as Markdown; see `notes_in`."""
    arguments: tuple[Argument, ...]
    documents: tuple[Document, ...]
    """The arguments that are read together, or as a text of their own: edits, a plan."""
    digest: str

    @property
    def short(self) -> str:
        """The start of the digest."""
        return self.digest[:SHORT_DIGEST]


def action_card(handoff: Handoff) -> ActionCard | None:
    """Return the card of a call; None where the question is another, asks for more, or its message says more."""
    action = handoff.question.action
    if action is None or not is_action_form(handoff.question.form):
        return None
    try:
        notes = notes_in(action, handoff.question.message)
        if notes is None:
            return None
        documents = _documents(action)
        return ActionCard(
            server=visible_name(action.server) if action.server else "",
            tool=visible_name(action.tool),
            about=about_of(action),
            notes=notes,
            arguments=arguments_of(action, documents),
            documents=tuple(documents),
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


def arguments_of(action: Action, documents: Sequence[Document] = ()) -> tuple[Argument, ...]:
    """Return the arguments in their order, without those that the documents show.

    Raises:
        ValueError: They are no JSON object that every reader reads alike.
    """
    found = masked(action)
    return tuple(
        replace(_argument(action, name, value), masked=_text(found.values[name]) if name in found.names else "")
        for name, value in values_without(action, documents).items()
        if value or not action.values[name]  # of an input whose texts are all shown, nothing is left
    )


def _documents(action: Action) -> Sequence[Document]:
    """Return the documents of a call; none where a secret is in one: the table has it behind a click."""
    documents = documents_of(action)
    secrets = masked(action).names
    hidden = any({*each.of, *(["input"] if each.inner else ())} & {*secrets} for each in documents)
    return [] if hidden else documents


def _argument(action: Action, name: str, value: object) -> Argument:
    kind, shown = _kind(value), visible_name(name)
    if not isinstance(value, str):
        text = as_json(value)
        return Argument(name=shown, kind=kind, text=text, code=block("json", text) if "\n" in text else "")
    language, text = code_language(action, name), visible(value)
    if language:
        return Argument(name=shown, kind=kind, text=text, size=size_of(value), code=block(language, text))
    long = "\n" in value or len(text) > INLINE
    if value and not (long or value.strip()):
        text = visible_name(value)  # else nothing would be seen
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
