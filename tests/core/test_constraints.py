"""What an agent requires of an answer is checked, shown, or refused by its name; nothing is dropped."""

import json
from enum import StrEnum
from typing import Literal

import pytest
from pydantic import BaseModel
from pydantic import Field as Described

from handoffs.core.errors import QuestionRefused
from handoffs.core.form import Field, Kind
from handoffs.core.patterns import TooSlow, matches, readable
from handoffs.core.schema import parse


def only(prop: dict[str, object], *, required: bool = True) -> Field:
    return parse({"properties": {"it": prop}, "required": ["it"] if required else []}).fields[0]


@pytest.mark.parametrize(
    ("prop", "fits", "does_not", "told"),
    [
        ({"type": "string", "pattern": r"^v\d+$", "examples": ["v1"]}, "v12", "latest", r"must match ^v\d+$, like v1"),
        ({"type": "string", "pattern": r"^a$"}, "a", "a\n", "must match ^a$"),
        ({"type": "string", "pattern": r"^\d$"}, "3", "\u0663", r"must match ^\d$"),
        ({"type": "string", "pattern": "b"}, "abc", "ac", "must match b"),
        ({"type": "string", "pattern": r"^(?<x>a)[$]$"}, "a$", "a", "must match"),
        ({"type": "integer", "exclusiveMinimum": 0}, 1, 0, "must be more than 0"),
        ({"type": "number", "exclusiveMaximum": 1}, 0.9, 1, "must be less than 1"),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, 0.1, 0, "must be more than 0"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, 1, 0, "must be more than 0 and 1 or less"),
        ({"type": "integer", "multipleOf": 5}, 15, 12, "must be a multiple of 5"),
        ({"type": "number", "multipleOf": 0.1}, 0.3, 0.35, "must be a multiple of 0.1"),
        ({"type": "integer", "const": 7}, 7, 8, "must be 7"),
        ({"const": "main"}, "main", "master", "is not one of the choices: main"),
        (
            {"type": "string", "enum": ["a", "c"], "oneOf": [{"const": "a"}, {"const": "b"}]},
            "a",
            "b",
            "is not one of the choices: a",
        ),
        (
            {"type": "string", "const": "b", "anyOf": [{"const": "a"}, {"const": "b", "title": "Bee"}]},
            "b",
            "a",
            "is not one of the choices: Bee (b)",
        ),
        (
            {"type": "array", "items": {"anyOf": [{"const": "a"}, {"const": "b"}], "enum": ["b"]}},
            ["b"],
            ["a"],
            "has a value that is not one of the choices: b",
        ),
    ],
)
def test_what_is_required_is_checked_and_said(
    prop: dict[str, object], fits: object, does_not: object, told: str
) -> None:
    field = only(prop)
    assert field.check(fits) == fits
    with pytest.raises(ValueError) as refused:
        field.check(does_not)
    assert told in str(refused.value)
    assert parse(parse({"properties": {"it": prop}}).schema) == parse({"properties": {"it": prop}})


@pytest.mark.parametrize(
    ("prop", "hint"),
    [
        ({"type": "string", "pattern": "^v", "examples": ["v1", "v2"]}, "text, that matches ^v; for example v1, v2"),
        ({"type": "integer", "exclusiveMinimum": 0, "multipleOf": 5}, "a whole number, more than 0, a multiple of 5"),
        ({"type": "number", "examples": [0.5]}, "a number; for example 0.5"),
        ({"type": "integer", "minimum": -(2**53) + 1, "maximum": 2**53 - 1}, "a whole number"),
        ({"type": "integer", "minimum": 1, "maximum": 2**53 - 1}, "a whole number, 1 or more"),
        ({"type": "string", "title": "API token", "x-handoffs-secret": False}, "text; no secret, the agent says"),
    ],
)
def test_the_hint_says_what_is_required(prop: dict[str, object], hint: str) -> None:
    assert only(prop).hint == hint


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"properties": {"it": {"type": "boolean", "const": True}}}, "`const` of 'it' leaves one answer only"),
        ({"properties": {"it": {"type": "string", "pattern": "("}}}, "`pattern` of 'it' is no regular expression"),
        ({"properties": {"it": {"type": "string", "pattern": "a" * 1001}}}, "`pattern` of 'it'"),
        ({"properties": {"it": {"type": "string", "pattern": 3}}}, "`pattern` of 'it'"),
        ({"properties": {"it": {"type": "number", "multipleOf": 0}}}, "`multipleOf` of 'it' must be above 0"),
        ({"properties": {"it": {"type": "number", "exclusiveMinimum": "0"}}}, "`exclusiveMinimum` of 'it'"),
        ({"properties": {"it": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}}}, "allows nothing"),
        ({"properties": {"it": {"type": "number", "minimum": 1, "exclusiveMaximum": 1}}}, "allows nothing"),
        ({"properties": {"it": {"type": "string", "not": {"const": "a"}}}}, "'it' can't have `not`"),
        ({"properties": {"it": {"type": "string", "contentEncoding": "base64"}}}, "can't have `contentEncoding`"),
        ({"properties": {"it": {"type": "string"}}, "dependentRequired": {"it": []}}, "can't have `dependentRequired`"),
        ({"properties": {"it": {"type": "string"}}, "minProperties": 1}, "can't have `minProperties`"),
        ({"properties": {"it": {"enum": ["a", "bb"], "minLength": 2}}}, "the choice 'a' of 'it' is too short"),
        ({"properties": {"it": {"enum": ["a", "bb"], "pattern": "b"}}}, "the choice 'a' of 'it' must match b"),
        ({"properties": {"it": {"type": "string", "examples": "a"}}}, "`examples` of 'it' must be a list"),
        ({"properties": {"it": {"oneOf": [{"const": "a", "description": 3}]}}}, "choices of 'it' must be strings"),
        ({"properties": {"it": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}}, "'it'"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_by_its_name(schema: dict[str, object], told: str) -> None:
    with pytest.raises(QuestionRefused) as refused:
        parse(schema)
    assert told in str(refused.value)


def test_what_explains_a_choice_is_kept() -> None:
    prop: dict[str, object] = {
        "oneOf": [{"const": "pg", "title": "Postgres", "description": "no new\ninfra\u202e"}, {"const": "mq"}]
    }
    assert [choice.description for choice in only(prop).choices] == ["no new infra⟨U+202E⟩", ""]
    bare: dict[str, object] = {"enum": ["a", "b"], "enumDescriptions": ["first", ""]}
    assert [choice.description for choice in only(bare).choices] == ["first", ""]
    for each in (prop, bare):
        assert parse(parse({"properties": {"it": each}}).schema) == parse({"properties": {"it": each}})


def test_a_pattern_that_never_ends_costs_a_moment() -> None:
    endless = r"^(a|aa)+$"
    assert readable(endless)
    with pytest.raises(TooSlow):
        matches(endless, "a" * 60 + "!")
    with pytest.raises(ValueError, match="takes too long on it"):
        only({"type": "string", "pattern": endless}).check("a" * 60 + "!")


ZOD_TIME = (
    r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-(?:(?:0[13578]|1[02])-"
    r"(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):"
    r"[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z))$"
)
"""What `z.iso.datetime()` of zod 4 requires: UTC, by its Z."""


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("2026-11-22T19:30:00Z", "2026-11-22T19:30:00Z"),
        ("2026-11-22T19:30:00+00:00", "2026-11-22T19:30:00Z"),
        ("2027-01-01T00:30:00.25+05:45", "2026-12-31T18:45:00.25Z"),
    ],
)
def test_a_time_that_must_end_in_z_is_taken_with_the_persons_zone(given: str, taken: str) -> None:
    field = only({"type": "string", "format": "date-time", "pattern": ZOD_TIME})
    assert field.check(given) == taken
    assert only({"type": "string", "format": "date-time"}).check(given) == given


@pytest.mark.parametrize("given", ["2026-11-22T19:30:00+02:00", "0001-01-01T00:00:00+02:00"])
def test_a_time_that_does_not_fit_in_utc_neither_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="must match"):
        only({"type": "string", "format": "date-time", "pattern": "^2027.*Z$"}).check(given)


# As pydantic and zod write forms


class Env(StrEnum):
    dev = "dev"
    prod = "prod"


class Everything(BaseModel):
    ticket: str
    port: int | None = None
    must: int | None
    env: Env
    maybe: Env | None = None
    envs: list[Env]
    tier: Literal["a", "b"] = "a"
    same: Literal["only"]
    kept: list[Literal["x", "y"]] | None = None
    above: float = Described(gt=0, lt=1)
    tag: str = Described(pattern=r"^v\d+$", examples=["v1"])


def test_a_form_of_pydantic_is_understood() -> None:
    form = parse(Everything.model_json_schema())
    kinds = {field.name: (field.kind, field.required) for field in form.fields}
    assert kinds == {
        "ticket": (Kind.STRING, True),
        "port": (Kind.INTEGER, False),
        "must": (Kind.INTEGER, False),
        "env": (Kind.CHOICE, True),
        "maybe": (Kind.CHOICE, False),
        "envs": (Kind.CHOICES, True),
        "tier": (Kind.CHOICE, False),
        "same": (Kind.CHOICE, True),
        "kept": (Kind.CHOICES, False),
        "above": (Kind.NUMBER, True),
        "tag": (Kind.STRING, True),
    }
    assert parse(json.loads(json.dumps(form.schema))) == form


ZOD_EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"


@pytest.mark.parametrize(
    ("prop", "kind", "required"),
    [
        ({"type": "string", "format": "email", "pattern": ZOD_EMAIL}, Kind.STRING, True),
        ({"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991}, Kind.INTEGER, True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, Kind.STRING, False),
        ({"anyOf": [{"type": "string", "const": "a"}, {"type": "string", "const": "b"}]}, Kind.CHOICE, True),
        ({"anyOf": [{"const": "a", "type": "string"}, {"const": "b"}, {"type": "null"}]}, Kind.CHOICE, False),
        ({"type": ["string", "null"]}, Kind.STRING, False),
        ({"type": "boolean", "nullable": True}, Kind.BOOLEAN, False),
        ({"enum": ["a", "b"]}, Kind.CHOICE, True),
        ({"enum": ["a", None]}, Kind.CHOICE, False),
        ({"items": {"enum": ["a", "b"]}}, Kind.CHOICES, True),
        ({"allOf": [{"$ref": "#/$defs/E"}], "default": "a"}, Kind.CHOICE, True),
        ({"anyOf": [{"$ref": "#/$defs/E"}, {"type": "null"}]}, Kind.CHOICE, False),
    ],
)
def test_a_field_as_zod_and_others_write_it_is_understood(prop: dict[str, object], kind: Kind, required: bool) -> None:
    form = parse(
        {"properties": {"it": prop}, "required": ["it"], "$defs": {"E": {"type": "string", "enum": ["a", "b"]}}}
    )
    assert (form.fields[0].kind, form.fields[0].required) == (kind, required)
    if prop.get("pattern"):
        assert form.fields[0].check("ada.b+c@example.org")


@pytest.mark.parametrize(
    ("sent", "prop", "meant"),
    [
        ("3", {"type": "integer"}, 3),
        (" 2.5 ", {"type": "number"}, 2.5),
        ("3,5", {"type": "number"}, "3,5"),
        ("three", {"type": "integer"}, "three"),
        ("true", {"type": "boolean"}, True),
        ("No", {"type": "boolean"}, False),
        ("1", {"type": "boolean"}, "1"),
        (3, {"type": "string"}, 3),
        ("true", {"type": "string"}, "true"),
        (["Europe", "u"], {"items": {"anyOf": [{"const": "e", "title": "Europe"}, {"const": "u"}]}}, ["e", "u"]),
    ],
)  # fmt: skip
def test_a_programs_value_is_taken_for_what_it_is_and_never_for_one_of_two(
    sent: object, prop: dict[str, object], meant: object
) -> None:
    assert only(prop).understand(sent) == meant
