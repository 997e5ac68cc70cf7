"""What a grant allows, and what it never does."""

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.exact_json import OddNumber, loads
from handoffs.core.grant import Condition, Grant, Reach, meets, new_grant_id
from tests.core.strategies import ASKED

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
GRANT = Grant(
    id="g_1",
    subject="ada",
    project="/srv/shop",
    server="shop",
    tool="write_query",
    definition="d1",
    reach=Reach.TOOL,
    created_at=ASKED,
    by="ada",
    channel="inbox",
    handoff_id="h_1",
)

# Few of each, so that two of them are often equal.
digests = st.sampled_from(["", "d1", "d2"])
moments = st.sampled_from([ASKED - TICK, ASKED, ASKED + TICK, ASKED + HOUR])
perhaps = st.none() | moments
scalars = st.sampled_from([None, True, False, 0, 1, 1.0, -0.0, 1.5, "", "1", "/srv", "/srv/shop", "true"])
conditions = st.builds(Condition, name=st.sampled_from(["a", "b"]), kind=st.just("equals"), value=scalars) | st.builds(
    Condition, name=st.sampled_from(["a", "b"]), kind=st.just("prefix"), value=st.sampled_from(["", "/srv", "/srv/"])
)
arguments = st.dictionaries(st.sampled_from(["a", "b", "c"]), scalars | st.lists(scalars, max_size=1))
grants = st.builds(
    replace,
    st.just(GRANT),
    definition=digests,
    reach=st.sampled_from(Reach),
    arguments_digest=digests,
    conditions=st.lists(conditions, max_size=2).map(tuple),
    session=st.sampled_from(["", "one", "two"]),
    expires_at=perhaps,
    uses_left=st.sampled_from([None, 0, 1, 2]),
    revoked_at=perhaps,
    suspended_at=perhaps,
)


@given(grants, moments, st.sampled_from(["one", "two"]), digests, digests, arguments)
def test_a_grant_allows_what_all_of_it_allows_and_nothing_else(
    grant: Grant, now: datetime, session: str, definition: str, digest: str, given: dict[str, object]
) -> None:
    reasons = [
        grant.revoked_at is not None,
        grant.suspended_at is not None,
        grant.expires_at is not None and grant.expires_at <= now,
        grant.uses_left == 0,
        grant.session not in {"", session},
        grant.definition != definition,
        grant.reach is Reach.EXACT and (digest == "" or grant.arguments_digest != digest),
        not meets(grant.conditions, given),
    ]
    allowed = grant.allows(now, session=session, definition=definition, digest=digest, arguments=given)
    assert allowed is not any(reasons)
    assert grant.active(now) is not any(reasons[:4])


def test_it_expires_in_the_moment_that_it_says() -> None:
    grant = replace(GRANT, expires_at=ASKED + HOUR)
    for now, active in ((ASKED + HOUR - TICK, True), (ASKED + HOUR, False), (ASKED + HOUR + TICK, False)):
        assert grant.active(now) is active
        assert grant.allows(now, session="s", definition="d1", digest="", arguments={}) is active


@given(st.lists(conditions, max_size=3), arguments)
def test_arguments_meet_conditions_as_json_would_compare_them(
    wanted: list[Condition], given: dict[str, object]
) -> None:
    def plain(value: object) -> object:
        # JSON keeps true apart from 1, and knows one kind of number.
        return ("number", float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else (
            type(value).__name__, value,
        )  # fmt: skip

    expected = all(
        each.name in given
        and (
            plain(given[each.name]) == plain(each.value)
            if each.kind == "equals"
            else isinstance(given[each.name], str)
            and each.value != ""
            and str(given[each.name]).startswith(f"{str(each.value).removesuffix('/')}/")
        )
        for each in wanted
    )
    assert meets(wanted, given) is expected


@pytest.mark.parametrize(
    ("value", "found", "met"),
    [
        (1, 1.0, True), (1.0, 1, True), (0, -0.0, True), (2**53 + 1, float(2**53), False),
        (True, 1, False), (1, True, False), (0, False, False), (True, True, True), (False, True, False),
        (None, None, True), (None, 0, False), (0, None, False), ("", None, False), ("1", 1, False),
        ("a", "a", True), ("a", "A", False), ("a", ["a"], False), ("a", {"a": "a"}, False),
    ],
)  # fmt: skip
def test_equal_is_equal_in_json(value: object, found: object, met: bool) -> None:
    assert meets([Condition(name="x", kind="equals", value=value)], {"x": found}) is met


@pytest.mark.parametrize(
    ("found", "met"),
    [("/srv/shop", True), ("/srv/", True), ("/srv", False), ("/SRV/", False),
     ("/srv/../etc", False), ("", False), (1, False), (None, False),
     (["/srv/"], False)],
)  # fmt: skip
def test_a_prefix_is_the_folder_of_a_text(found: object, met: bool) -> None:
    assert meets([Condition(name="x", kind="prefix", value="/srv/")], {"x": found}) is met


def test_an_argument_that_is_missing_meets_nothing() -> None:
    assert not meets([Condition(name="x", kind="equals", value=None)], {})
    assert not meets([Condition(name="x", kind="prefix", value="")], {"y": ""})
    assert meets([], {"y": "whatever"})


@pytest.mark.parametrize("other", ["Path", "PATH", "pat\u0068\u200b"])
def test_an_argument_in_two_spellings_meets_nothing(other: str) -> None:
    condition = Condition(name="path", kind="prefix", value="/srv/")
    assert meets([condition], {"path": "/srv/a", "n": 1})
    assert meets([condition], {"path": "/srv/a", other: "/etc"}) is (other.casefold() != "path")


def test_a_number_that_readers_do_not_agree_on_meets_nothing() -> None:
    odd = loads(json.dumps(2**53 + 1))
    assert isinstance(odd, OddNumber)
    for value in (float(2**53), 2**53, 2**53 + 1):
        assert not meets([Condition(name="x", kind="equals", value=value)], {"x": odd})


@pytest.mark.parametrize("value", [OddNumber.of("9007199254740993"), float("nan"), float("inf"), [], {}, ()])
def test_a_condition_on_what_would_be_another_value_later_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="size needs a value"):
        Condition(name="size", kind="equals", value=value)


@pytest.mark.parametrize("value", [1, True, None])
def test_a_prefix_that_is_no_string_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="prefix of path"):
        Condition(name="path", kind="prefix", value=value)


def test_ids_are_grants_and_nobody_guesses_them() -> None:
    made = {new_grant_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"g_[2-9A-Za-z]{20}", each) for each in made)
