"""The leaf of an event: what a verifiable log keeps of it, as the bytes that are hashed.

A leaf is one JSON object in the form of RFC 8785 (JCS), at most 65,535 bytes:

    {"at":"2026-11-22T19:35:00.000000Z","committed":{"by":"…","values":"…"},"event":"answered",
     "facts":{"channel":"inbox"},"handoff":"h_…","state":"answered","v":1,"version":3}

`facts` are plain: which channel, how many calls, when the question expires. They name no person, and hold nothing that
a person or an agent wrote; a new field of an event is no fact until `_EVENT_FACTS` names it. Everything else stands in
`committed`, as

    base64url(SHA-256(salt ‖ field name ‖ 0x00 ‖ value)), without padding

The salt is 16 random bytes for each event. It is kept apart from the leaf: with salt and words anybody can check a
leaf, and once the salt is erased, the leaf says nothing about the words. Fields that are empty are left out.

The value is written in the form of RFC 8785, with two exceptions. The form is a string: its JSON schema as stores keep
it, since the order of its fields is part of what was shown. An answer that RFC 8785 has no form for, with half of a
character or a whole number beyond 2^53, is written as JSON with sorted names in ASCII. `action` is `Action.digest`.
Of the files of an answer, `attachments` has name, type, size and SHA-256 of each. Sealed secrets are not committed to,
only their names, which stand in the values.

Texts are written by `json`, whose strings are those of RFC 8785 as long as no half of a character is in them
(`storable` spells those out), and whose order of names is the same for names in ASCII.
"""

import json
import os
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring
from typing import TypeAlias, cast

from handoffs.core import exact_json
from handoffs.core.action import Action
from handoffs.core.attachment import Attachment
from handoffs.core.events import EVENTS, Event, Opened
from handoffs.core.form import Value
from handoffs.core.model import Caller, Handoff
from handoffs.core.storable import storable

VERSION = 1
"""Stands in each leaf as `v`; rises if a reader has to know of a change."""

MAX_LEAF = 65_535
"""The most bytes of an entry (C2SP tlog-tiles)."""

SALT_BYTES = 16

BEGAN = "began"
"""The event of a log's first leaf where its store is older than the log."""

_EVENT_FACTS = frozenset({"call", "calls", "channel", "declares", "outcome", "person", "seconds", "stage", "transport"})
_NEITHER = frozenset({"at", "sealed"})
_MAX_FACT = 200
"""A fact has at most as many characters, all of them ASCII; else it is committed to."""

_EXACT = 2**53
_URL_SAFE = bytes.maketrans(b"+/", b"-_")

_Facts: TypeAlias = list[tuple[str, str]]
"""Name and JSON text."""
_Words: TypeAlias = list[tuple[str, bytes]]
"""Name and value, as it goes into the commitment."""

_FIELDS: Mapping[type[Event], tuple[tuple[str, bool], ...]] = {
    event: tuple((name, name in _EVENT_FACTS) for name in sorted({each.name for each in fields(event)} - _NEITHER))
    for event in EVENTS
}
_canonical_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_sorted_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_stored_json = json.JSONEncoder(separators=(",", ":")).encode


def fields_of(event: type[Event]) -> tuple[frozenset[str], frozenset[str]]:
    """Return all names of facts, and of what is committed to, that the usual leaf of an event has.

    A fact that is too long is committed to by its own name.
    """
    facts = frozenset(name for name, is_fact in _FIELDS[event] if is_fact)
    words = frozenset(name for name, is_fact in _FIELDS[event] if not is_fact)
    if event is Opened:
        return facts | {"asker", "breakout_of_loop", "deadline"}, words | _QUESTION_WORDS
    return facts, words


_QUESTION_WORDS = frozenset({"action", "arguments", "caller", "deciders", "form", "message", "tool", "tool_use"})


def new_salt() -> bytes:
    """Return the salt of one event."""
    return os.urandom(SALT_BYTES)


def leaf_of(handoff_after: Handoff, event: Event, *, salt: bytes) -> bytes:
    """Return the leaf of an event; `handoff_after` is the handoff as the event left it.

    It runs in each transaction of a store, so it writes the object by hand: that takes a third of the time.
    """
    facts, words = _parts(handoff_after, event)
    told = ",".join([f'"{name}":{text}' for name, text in facts])
    return (b'{"at":"%b","committed":{%b},"event":"%b","facts":{%b},"handoff":%b,"state":"%b","v":%d,"version":%d}') % (
        stamp(event.at).encode(),
        _committed(words, salt),
        event.name.encode(),
        told.encode(),
        _text(handoff_after.id),
        handoff_after.state.encode(),
        VERSION,
        handoff_after.version,
    )


def leaf_of_beginning(at: datetime, *, events: int) -> bytes:
    """Return the first leaf of a log whose store is older than the log: so many events were recorded without it."""
    return f'{{"at":"{stamp(at)}","event":"{BEGAN}","facts":{{"events":{events}}},"v":{VERSION}}}'.encode()


def words_of(handoff: Handoff, event: Event) -> dict[str, str]:
    """Return what an event's leaf commits to by field, each as the text that stands in the commitment.

    Of the handoff only the question is read, and only for `opened`.
    """
    return {name: value.decode() for name, value in _parts(handoff, event)[1]}


def commitment(name: str, word: str, salt: bytes) -> str:
    """Return the commitment to a field, whose text is as `words_of` returns it."""
    return (
        b2a_base64(sha256(b"%b%b\0%b" % (salt, name.encode(), word.encode())).digest(), newline=False)[:43]
        .translate(_URL_SAFE)
        .decode()
    )


def opened_by(leaf: bytes, handoff: Handoff, event: Event, salt: bytes) -> list[str]:
    """Return the names of the fields in which a leaf differs from these words, sorted; empty if it is their leaf.

    State and version are not compared, so any later state of the handoff will do.

    Raises:
        ValueError: The bytes are no leaf.
    """
    read = exact_json.loads(leaf)
    if not isinstance(read, dict):
        raise ValueError("it is no JSON object")
    found = cast("dict[str, object]", read)
    expected = cast("dict[str, object]", json.loads(leaf_of(handoff, event, salt=salt)))
    differ = {name for name in ("at", "event", "handoff", "v") if found.get(name) != expected[name]}
    for part in ("facts", "committed"):
        kept, told = _object(found, part), _object(expected, part)
        differ |= {name for name in kept.keys() | told.keys() if kept.get(name) != told.get(name)}
    return sorted(differ)


def committed_in(leaf: bytes) -> frozenset[str]:
    """Return the names of what a leaf commits to. Raises ValueError: the bytes are no leaf."""
    read = exact_json.loads(leaf)
    if not isinstance(read, dict):
        raise ValueError("it is no JSON object")
    return frozenset(_object(cast("dict[str, object]", read), "committed"))


def stamp(at: datetime) -> str:
    """Return a time as leaves have it, in UTC and whole microseconds: `2026-11-22T19:35:00.000000Z`."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")[:26] + "Z"


def _object(found: Mapping[str, object], name: str) -> dict[str, object]:
    inner = found.get(name)
    if not isinstance(inner, dict):
        raise ValueError(f"it has no {name}")
    return cast("dict[str, object]", inner)


def _parts(handoff: Handoff, event: Event) -> tuple[_Facts, _Words]:
    """Return the facts, and the words to commit to, both sorted by name."""
    facts: _Facts = []
    words: _Words = []
    for name, is_fact in _FIELDS[type(event)]:
        value = cast("object", getattr(event, name))
        if not value:
            continue
        if not is_fact:
            words.append((name, _canonical(value)))
        elif isinstance(value, int):
            facts.append((name, str(value)))
        elif (text := str(value)).isascii() and len(text) <= _MAX_FACT:
            facts.append((name, encode_basestring(text)))
        else:
            words.append((name, _text(text)))
    if event.name == Opened.name:
        _add_question(handoff, facts, words)
    return facts, words


def _add_question(handoff: Handoff, facts: _Facts, words: _Words) -> None:
    caller, question = handoff.caller, handoff.question
    facts.append(("deadline", f'"{stamp(question.deadline)}"'))
    if question.breakout_of_loop:
        facts.append(("breakout_of_loop", "true"))
    words += [
        ("caller", _caller(caller)),
        ("form", _text(_stored_json(question.form.schema))),
        ("message", _text(question.message)),
    ]
    if handoff.tool_use:
        words.append(("tool_use", _text(handoff.tool_use)))
    if question.deciders is not None:
        words.append(("deciders", _text(question.deciders.dumps())))
    if (action := question.action) is not None:
        facts.append(("asker", f'"{action.asker.value}"'))
        words += [("action", _text(action.digest)), ("arguments", _text(action.arguments)), ("tool", _tool(action))]
    facts.sort()
    words.sort()


def _caller(caller: Caller) -> bytes:
    return b'{"client":%b,"project":%b,"subject":%b}' % (
        _text(caller.client),
        _text(caller.project),
        _text(caller.subject),
    )


def _tool(action: Action) -> bytes:
    return b'{"server":%b,"tool":%b}' % (_text(action.server), _text(action.tool))


def _committed(words: _Words, salt: bytes) -> bytes:
    """Return the commitments as the inside of a JSON object."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    pairs: list[bytes] = []
    for name, value in words:
        key = name.encode()
        digest = sha256(b"%b%b\0%b" % (salt, key, value)).digest()
        pairs.append(b'"%b":"%b"' % (key, b2a_base64(digest, newline=False)[:43]))
    return b",".join(pairs).translate(_URL_SAFE)


def _text(text: str) -> bytes:
    return encode_basestring(text if text.isascii() else storable(text)).encode()


def _canonical(value: object) -> bytes:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return _canonical_json([_item(each) for each in cast("tuple[object, ...]", value)]).encode()
    values = dict(cast("Mapping[str, Value]", value))
    try:
        if all(name.isascii() and _is_plain(each) for name, each in values.items()):
            return _canonical_json(values).encode()
        return exact_json.canonical(values)
    except ValueError:
        return _sorted_json(values).encode()


def _item(value: object) -> object:
    return value.document() if isinstance(value, Attachment) else storable(str(value))


def _is_plain(value: Value) -> bool:
    """Say whether `json` writes a value as RFC 8785 does."""
    return not isinstance(value, float) and not (isinstance(value, int) and abs(value) >= _EXACT)
