import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.action import Action, Asker
from handoffs.core.events import EVENTS, Answered, Collected, Event, NotShown, Opened, Reached
from handoffs.core.form import Value
from handoffs.core.leaf import (
    MAX_LEAF,
    commitment,
    fields_of,
    leaf_of,
    leaf_of_beginning,
    new_salt,
    opened_by,
    words_of,
)
from handoffs.core.model import Caller, Handoff, State
from handoffs.store.rows import decode, encode
from tests.core.strategies import ASKED, any_event, handoff

SALT = bytes(range(16))
ACTION = Action(asker=Asker.GATE, server="shop", tool="pay", arguments='{"amount":1.50,"to":"Zoë"}', definition="{}")
HELD = replace(handoff(), question=replace(handoff().question, action=ACTION), tool_use="toolu_01")
anything: st.SearchStrategy[Value] = st.one_of(
    st.text(st.characters(), max_size=20), st.integers(), st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.text(max_size=5), max_size=3),
)  # fmt: skip


def opened(of: Handoff, event: Event) -> dict[str, str]:
    """The commitments by field, as who has the words and the salt makes them."""
    return {name: commitment(name, word, SALT) for name, word in words_of(of, event).items()}


def read(leaf: bytes) -> dict[str, Any]:
    return json.loads(leaf)


def committed(name: str, value: object, salt: bytes = SALT) -> str:
    """The commitment as the module's text defines it, by RFC 8785's own library."""
    whole = salt + name.encode() + b"\0" + rfc8785.dumps(value)  # type: ignore[arg-type]
    return urlsafe_b64encode(hashlib.sha256(whole).digest()).rstrip(b"=").decode()


@given(any_event, st.booleans())
def test_every_leaf_is_rfc_8785_and_opens_with_its_words(event: Event, held: bool) -> None:
    after = replace(HELD if held else handoff(), version=7)
    leaf = leaf_of(after, event, salt=SALT)
    assert rfc8785.dumps(read(leaf)) == leaf
    assert len(leaf) <= MAX_LEAF
    assert opened_by(leaf, after, event, SALT) == []
    facts, words = fields_of(type(event))
    assert read(leaf)["facts"].keys() <= facts
    assert read(leaf)["committed"].keys() <= words
    assert opened(after, event) == read(leaf)["committed"]


def test_what_people_wrote_is_committed_to_and_stands_nowhere() -> None:
    event = Answered(at=ASKED, by="ada", channel="inbox", values={"response": "my diary"}, note="between us", other="")
    leaf = leaf_of(replace(handoff(), state=State.ANSWERED, version=3), event, salt=SALT)
    assert read(leaf) == {
        "v": 1,
        "at": ASKED.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        "event": "answered",
        "handoff": handoff().id,
        "state": "answered",
        "version": 3,
        "facts": {"channel": "inbox"},
        "committed": {
            "by": committed("by", "ada"),
            "note": committed("note", "between us"),
            "values": committed("values", {"response": "my diary"}),
        },
    }


def test_the_first_leaf_commits_to_all_that_was_asked() -> None:
    event = Opened(at=ASKED, version="2.1", protocol="2026-07-28", transport="stdio", declares="form url")
    found = read(leaf_of(HELD, event, salt=SALT))
    caller = HELD.caller
    schema = json.dumps(HELD.question.form.schema, separators=(",", ":"))
    assert found["facts"].keys() == {"asker", "deadline", "declares", "transport"}
    assert found["committed"] == {
        "action": committed("action", ACTION.digest),
        "arguments": committed("arguments", ACTION.arguments),
        "caller": committed("caller", {"client": caller.client, "project": caller.project, "subject": caller.subject}),
        "form": committed("form", schema),
        "message": committed("message", HELD.question.message),
        "protocol": committed("protocol", "2026-07-28"),
        "tool": committed("tool", {"server": "shop", "tool": "pay"}),
        "tool_use": committed("tool_use", "toolu_01"),
        "version": committed("version", "2.1"),
    }


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), anything, max_size=4))
def test_an_answer_is_committed_to_in_the_form_of_rfc_8785(values: dict[str, Value]) -> None:
    event = Answered(at=ASKED, by="", channel="inbox", values=values)
    found = opened(handoff(), event)
    try:
        expected = {"values": committed("values", values)} if values else {}
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):  # it has no form for these
        assert found.keys() == {"values"}
    else:
        assert found == expected


@given(st.text(st.characters(), max_size=30), st.dictionaries(st.text(max_size=6), anything, min_size=1, max_size=3))
def test_what_a_store_kept_opens_the_leaf_of_what_was_written(text: str, values: dict[str, Value]) -> None:
    asked = replace(HELD, caller=Caller(subject="ada", client=text, project=text), values=values)
    kept = decode(encode(asked))
    assert leaf_of(kept, Opened(at=ASKED), salt=SALT) == leaf_of(asked, Opened(at=ASKED), salt=SALT)
    event = Answered(at=ASKED, by="ada", channel="inbox", values=values)
    again = replace(event, values=kept.values or {})
    assert opened_by(leaf_of(asked, event, salt=SALT), kept, again, SALT) == []


def test_the_fields_that_differ_are_named() -> None:
    event = Answered(at=ASKED, by="ada", channel="inbox", values={"response": "yes"})
    leaf = leaf_of(handoff(), event, salt=SALT)
    assert opened_by(leaf, handoff(), replace(event, values={"response": "no"}), SALT) == ["values"]
    assert opened_by(leaf, handoff(), replace(event, channel="terminal", by="eve", note="x"), SALT) == [
        "by", "channel", "note",
    ]  # fmt: skip
    assert opened_by(leaf, handoff(), event, new_salt()) == ["by", "values"]
    assert opened_by(leaf, replace(handoff(), id="h_other"), event, SALT) == ["handoff"]
    asked = leaf_of(handoff(), Opened(at=ASKED), salt=SALT)
    assert opened_by(asked, handoff(message="Delete it?"), Opened(at=ASKED), SALT) == ["message"]


@pytest.mark.parametrize("bytes_", [b"", b"[]", b"{}", b'{"facts":{},"facts":{}}', b"\xff"])
def test_what_is_no_leaf_is_refused(bytes_: bytes) -> None:
    with pytest.raises(ValueError):
        opened_by(bytes_, handoff(), Collected(at=ASKED), SALT)


def test_a_fact_that_is_no_short_word_is_committed_to() -> None:
    for channel in ("x" * 201, "büro"):
        found = read(leaf_of(handoff(), Reached(at=ASKED, channel=channel), salt=SALT))
        assert found["facts"] == {}
        assert found["committed"] == {"channel": committed("channel", channel)}


def test_a_leaf_is_small_whatever_was_written() -> None:
    event = NotShown(at=ASKED, channel="c" * 100_000, reason="r" * 100_000)
    assert len(leaf_of(handoff(message="m" * 100_000), event, salt=SALT)) < 1_000


def test_a_salt_has_sixteen_bytes() -> None:
    assert len(new_salt()) == 16
    with pytest.raises(ValueError, match="16 bytes"):
        leaf_of(handoff(), Collected(at=ASKED), salt=b"short")


def test_the_leaf_before_all_others_names_nothing() -> None:
    leaf = leaf_of_beginning(ASKED, events=12)
    assert rfc8785.dumps(read(leaf)) == leaf
    assert read(leaf)["facts"] == {"events": 12}


def test_a_field_of_an_event_is_committed_to_until_it_is_named_a_fact() -> None:
    """Look at each name here: a fact can't be erased."""
    assert {name for event in EVENTS for name in fields_of(event)[0]} == {
        "asker", "breakout_of_loop", "call", "calls", "channel", "deadline", "declares", "outcome", "person", "seconds",
        "stage", "transport",
    }  # fmt: skip


def test_any_later_state_of_the_handoff_opens_its_leaves() -> None:
    event = Opened(at=ASKED)
    later: Handoff = replace(handoff(), state=State.ANSWERED, version=9, calls=4)
    assert opened_by(leaf_of(handoff(), event, salt=SALT), later, event, SALT) == []
