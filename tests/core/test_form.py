import re
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.errors import AnswerRefused
from handoffs.core.form import MAX_TEXT, Field, Form, Kind, Value
from handoffs.core.schema import options_form, parse, response_form
from tests.core.strategies import filled, forms, json_like


def asks(required: list[str] | None = None, **properties: dict[str, object]) -> Form:
    return parse({"type": "object", "properties": properties, "required": required or []})


def only(prop: dict[str, object], *, required: bool = True) -> Field:
    return asks(["it"] if required else [], it=prop).fields[0]


def problems(form: Form, values: dict[str, object]) -> dict[str, str]:
    with pytest.raises(AnswerRefused) as refused:
        form.check(values)
    return refused.value.problems


YES_OR_NO: dict[str, object] = {"type": "boolean"}
ONE_TO_FIVE: dict[str, object] = {"type": "integer", "minimum": 1, "maximum": 5}
WHOLE: dict[str, object] = {"type": "integer"}
NUMBER: dict[str, object] = {"type": "number"}
TEXT: dict[str, object] = {"type": "string", "maxLength": 20}
COLOURS: dict[str, object] = {
    "type": "string",
    "oneOf": [{"const": "r", "title": "Red, dark"}, {"const": "g", "title": "Green"}, {"const": "b", "title": "Blue"}],
}
TOPPINGS: dict[str, object] = {"type": "array", "items": {"type": "string", "enum": ["ham", "egg", "corn"]}}


# What people type


@pytest.mark.parametrize(
    ("prop", "typed", "value"),
    [
        (YES_OR_NO, "y", True),
        (YES_OR_NO, "Yes", True),
        (YES_OR_NO, " ok ", True),
        (YES_OR_NO, "TRUE", True),
        (YES_OR_NO, "1", True),
        (YES_OR_NO, "n", False),
        (YES_OR_NO, "No", False),
        (YES_OR_NO, "off", False),
        (YES_OR_NO, "0", False),
        (WHOLE, " 3 ", 3),
        (WHOLE, "3.0", 3),
        (NUMBER, "3", 3),
        (NUMBER, "-2.5e3", -2500.0),
        (TEXT, "  as it is ", "  as it is "),
        ({"type": "string", "format": "date"}, " 2026-11-22 ", "2026-11-22"),
        ({"type": "string", "format": "date-time"}, "2026-11-22T19:30:00Z", "2026-11-22T19:30:00Z"),
        ({"type": "string", "format": "date-time"}, "2026-11-22 19:30Z", "2026-11-22T19:30:00Z"),
        ({"type": "string", "format": "date-time"}, "2026-11-22 19:30:00.25 +0100", "2026-11-22T19:30:00.25+01:00"),
        (WHOLE, "\u22121", -1),
        (WHOLE, "1e3", 1000),
        (WHOLE, "1e23", 10**23),
        (WHOLE, "12345678901234567890.0", 12345678901234567890),
        (NUMBER, "\u0663", 3),
        ({"type": "string", "format": "date-time"}, "2026-11-22T19:30:00.5+01:00", "2026-11-22T19:30:00.5+01:00"),
        ({"type": "string", "format": "email"}, "ada.b+c@example.co.uk", "ada.b+c@example.co.uk"),
        ({"type": "string", "format": "uri"}, "https://example.org/a?b#c", "https://example.org/a?b#c"),
        ({"type": "string", "format": "uri"}, "mailto:ada@example.org", "mailto:ada@example.org"),
        (COLOURS, "r", "r"),
        (COLOURS, "Green", "g"),
        (COLOURS, "gREEN ", "g"),
        (COLOURS, "3", "b"),
        (COLOURS, "red,  dark", "r"),
        (TOPPINGS, "1, 3", ["ham", "corn"]),
        (TOPPINGS, "egg,ham,", ["egg", "ham"]),
        (TOPPINGS, "2,egg", ["egg"]),
        (TOPPINGS, "HAM", ["ham"]),
        ({"type": "array", "items": {"enum": ["a, b", "c"]}}, "a, b", ["a, b"]),
        ({"type": "array", "items": {"enum": ["a, b", "c"]}}, "1,c", ["a, b", "c"]),
    ],
)
def test_what_a_person_types_means_what_they_mean(prop: dict[str, object], typed: str, value: Value) -> None:
    coerced = only(prop).coerce(typed)
    assert coerced == value
    assert type(coerced) is type(value)


def test_a_choice_whose_value_is_a_number_wins_over_the_place_in_the_list() -> None:
    replicas = only({"type": "string", "enum": ["3", "2", "1"]})
    assert [replicas.coerce(typed) for typed in ("1", "2", "3")] == ["1", "2", "3"]
    mixed = only({"type": "string", "oneOf": [{"const": "x", "title": "2"}, {"const": "y", "title": "other"}]})
    assert mixed.coerce("2") == "x"
    assert mixed.coerce("1") == "x"
    with pytest.raises(ValueError, match="not one of the choices"):
        mixed.coerce("3")


def test_choices_that_differ_in_case_only_are_never_mixed_up() -> None:
    unit = only({"type": "string", "enum": ["Mb", "MB", "kb"]})
    assert (unit.coerce("Mb"), unit.coerce("MB"), unit.coerce("KB"), unit.coerce("2")) == ("Mb", "MB", "kb", "MB")
    with pytest.raises(ValueError, match="not one of the choices: Mb, MB, kb"):
        unit.coerce("mb")


@pytest.mark.parametrize(
    ("prop", "typed", "told"),
    [
        (YES_OR_NO, "maybe", "must be yes or no"),
        (YES_OR_NO, "", "must be yes or no"),
        (WHOLE, "three", "must be a whole number"),
        (WHOLE, "2.5", "must be a whole number"),
        (ONE_TO_FIVE, "9", "must be from 1 to 5"),
        (NUMBER, "3,5", "must be a number without commas: 3.5 is three and a half"),
        (WHOLE, "1,000", "must be a whole number without commas"),
        (WHOLE, "3_5", "must be a whole number"),
        (NUMBER, "0x10", "must be a number"),
        ({"type": "string", "format": "date-time"}, "2026-11-22 19:30", "has no time zone: end it with Z for UTC, or"),
        (NUMBER, "nan", "must be a number"),
        (NUMBER, "inf", "must be a number"),
        (NUMBER, "1e999", "must be a number"),
        (NUMBER, "9" * 400, "must be a number"),
        (NUMBER, "9" * 5000, "must be a number"),
        ({"type": "number", "minimum": 0.5}, "0", "must be 0.5 or more"),
        ({"type": "number", "maximum": -1}, "0", "must be -1 or less"),
        (TEXT, "   ", "must not be empty"),
        (TEXT, "x" * 21, "is too long: 21 of at most 20 characters"),
        ({"type": "string", "minLength": 3}, "ab", "is too short: 2 of at least 3 characters"),
        ({"type": "string"}, "x" * (MAX_TEXT + 1), f"is too long: {MAX_TEXT + 1} of at most {MAX_TEXT} characters"),
        ({"type": "string"}, "half \udc80 a character", "has characters that are not allowed: remove them"),
        ({"type": "string"}, "cut\0off", "has characters that are not allowed: remove them"),
        ({"type": "string", "format": "date"}, "22.11.2026", "must be a date, like 2026-11-22"),
        ({"type": "string", "format": "date"}, "2026-02-30", "must be a date, like 2026-11-22"),
        ({"type": "string", "format": "date"}, "20261122", "must be a date, like 2026-11-22"),
        ({"type": "string", "format": "date-time"}, "2026-11-22", "must be a date and time, like 2026-11-22T19:30:00Z"),
        ({"type": "string", "format": "date-time"}, "2026-11-22x19:30", "must be a date and time, like 2026-11-22T"),
        ({"type": "string", "format": "date-time"}, "2026-11-22T25:00", "must be a date and time, like 2026-11-22T"),
        ({"type": "string", "format": "email"}, "ada", "must be an e-mail address"),
        ({"type": "string", "format": "email"}, "ada@localhost", "must be an e-mail address"),
        ({"type": "string", "format": "uri"}, "example.org", "must be an address with its scheme"),
        ({"type": "string", "format": "uri"}, "https://exa mple.org", "must be an address with its scheme"),
        ({"type": "string", "format": "uri"}, "https://[", "must be an address with its scheme"),
        (COLOURS, "violet", "is not one of the choices: Red, dark (r), Green (g), Blue (b)"),
        (COLOURS, "4", "is not one of the choices"),
        (COLOURS, "0", "is not one of the choices"),
        (COLOURS, "9" * 5000, "is not one of the choices"),
        (COLOURS, "²", "is not one of the choices"),
        (TOPPINGS, "", "needs one, or none"),
        (TOPPINGS | {"minItems": 1}, "", "needs at least 1"),
        (TOPPINGS | {"minItems": 1}, "none", "needs at least 1"),
        (TOPPINGS, "ham, tuna", "is not one of the choices: ham, egg, corn"),
        (TOPPINGS | {"maxItems": 1}, "1,2", "takes at most 1"),
        (TOPPINGS | {"minItems": 2}, "1", "needs at least 2"),
    ],
)
def test_what_does_not_fit_is_refused_in_words_for_the_person(prop: dict[str, object], typed: str, told: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(told)):
        only(prop).coerce(typed)


def test_an_optional_field_that_is_typed_empty_is_left_out() -> None:
    form = asks(["name"], name={"type": "string"}, age={"type": "integer"}, news=YES_OR_NO)
    assert form.coerce({"name": "Ada", "age": " ", "news": ""}) == {"name": "Ada"}


def test_everything_that_was_typed_wrong_is_told_at_once() -> None:
    form = asks(["name", "age"], name={"type": "string"}, age={"type": "integer"})
    with pytest.raises(AnswerRefused) as refused:
        form.coerce({"name": "", "age": "old"})
    assert refused.value.problems == {"name": "must not be empty", "age": "must be a whole number"}
    assert str(refused.value) == "name: must not be empty; age: must be a whole number"


def test_a_name_that_is_no_field_is_refused_with_the_fields_there_are() -> None:
    form = asks(["name"], name={"type": "string"}, age={"type": "integer"})
    with pytest.raises(AnswerRefused) as refused:
        form.coerce({"name": "Ada", "agee": "36"})
    assert refused.value.problems == {"agee": "is no field of this form; it has name, age"}


# What programs send


@pytest.mark.parametrize(
    ("prop", "value", "told"),
    [
        (YES_OR_NO, "yes", "must be yes or no"),
        (YES_OR_NO, 1, "must be yes or no"),
        (WHOLE, True, "must be a whole number"),
        (WHOLE, "3", "must be a whole number"),
        (WHOLE, 2.5, "must be a whole number"),
        (WHOLE, float("nan"), "must be a whole number"),
        (NUMBER, float("inf"), "must be a number"),
        (NUMBER, 10**400, "must be a number"),
        (TEXT, 3, "must be text"),
        (TEXT, ["a"], "must be text"),
        (COLOURS, "Green", "is not one of the choices: Red, dark (r), Green (g), Blue (b)"),
        (COLOURS, 1, "is not one of the choices: Red, dark (r), Green (g), Blue (b)"),
        (TOPPINGS, "ham", "must be a list of choices"),
        (TOPPINGS, ["ham", "tuna"], "has a value that is not one of the choices: ham, egg, corn"),
        (TOPPINGS, ["ham", 2], "has a value that is not one of the choices: ham, egg, corn"),
        (TOPPINGS, ["ham", "ham"], "has the same choice twice"),
        (TOPPINGS | {"minItems": 1}, [], "needs at least 1"),
        (TEXT, None, "is missing"),
        (TEXT, "", "must not be empty"),
    ],
)
def test_a_value_of_another_type_is_refused_not_bent(prop: dict[str, object], value: object, told: str) -> None:
    assert problems(asks(["it"], it=prop), {"it": value}) == {"it": told}


def test_a_whole_number_written_as_a_float_is_whole() -> None:
    checked = asks(it=WHOLE).check({"it": 3.0})
    assert checked == {"it": 3}
    assert type(checked["it"]) is int


@pytest.mark.parametrize("values", [{}, {"news": None}, {"name": ""}, {"name": "", "news": None, "age": None}])
def test_a_form_of_optional_fields_can_be_answered_by_nothing(values: dict[str, object]) -> None:
    form = asks(name={"type": "string"}, age={"type": "integer"}, news={"type": "boolean", "default": True})
    assert form.check(values) == {}
    assert form.is_untouched(values)


def test_none_of_them_is_an_answer_where_a_list_may_be_empty() -> None:
    for prop in (TOPPINGS, TOPPINGS | {"minItems": 0}, TOPPINGS | {"default": ["ham"]}):
        form = asks(["it"], it=prop)
        assert form.check({"it": []}) == {"it": []}
        assert form.coerce({"it": "none"}) == {"it": []}
        assert form.texts({"it": []}) == ["(none of them)"]
        assert problems(form, {}) == {"it": "is missing"}
    assert asks(it=TOPPINGS).check({"it": []}) == {"it": []}
    # What may be left out and is not touched is left out, though a host sends it empty.
    assert asks(it=TOPPINGS | {"minItems": 2}, why=TEXT).check({"it": [], "why": "x"}) == {"why": "x"}


@pytest.mark.parametrize(
    ("required", "values", "untouched"),
    [
        (["n"], {}, True),
        (["n"], {"n": None}, True),
        (["n"], {"n": 0}, False),
        ([], {"go": False}, False),
        ([], {"drop": [], "why": " "}, True),
        (["drop"], {"drop": []}, False),
        (["drop"], {"drop": [], "go": True}, False),
        (["why"], {"why": ""}, True),
        (["why", "n"], {"why": "x"}, True),
    ],
)
def test_zero_and_no_are_filled_in_and_what_nobody_touched_is_not(
    required: list[str], values: dict[str, object], untouched: bool
) -> None:
    form = asks(required, n=WHOLE, go=YES_OR_NO, drop=TOPPINGS, why=TEXT)
    assert form.is_untouched(values) is untouched


def test_nothing_but_blanks_typed_is_no_answer() -> None:
    form = asks(name={"type": "string"}, drop=TOPPINGS)
    with pytest.raises(AnswerRefused, match="nothing was filled in"):
        form.coerce({"name": " ", "drop": ""})
    assert form.coerce({"drop": "none"}) == {"drop": []}


def test_a_default_is_never_an_answer() -> None:
    form = asks(["go"], go={"type": "boolean", "default": True}, why={"type": "string", "default": "because"})
    assert problems(form, {"why": "x"}) == {"go": "is missing"}
    assert form.check({"go": False}) == {"go": False}


def test_the_answer_comes_in_the_forms_order_without_what_was_left_out() -> None:
    form = asks(["a"], a={"type": "string"}, b={"type": "string"}, c={"type": "integer"})
    assert list(form.check({"c": 1, "b": None, "a": "x"}).items()) == [("a", "x"), ("c", 1)]


def test_what_a_stranger_names_a_field_cannot_forge_the_refusal() -> None:
    assert problems(asks(it=TEXT), {"it": "x", "\x1b[2Jit": "y"}) == {"␛[2Jit": "is no field of this form; it has it"}


@given(forms(), st.dictionaries(st.text(max_size=8) | st.sampled_from(["size", "colour", "when"]), json_like))
def test_whatever_is_sent_gives_an_answer_that_fits_or_a_refusal(form: Form, values: dict[str, object]) -> None:
    try:
        checked = form.check(values)
    except AnswerRefused:
        return
    assert set(checked) <= {field.name for field in form.fields}
    assert {field.name for field in form.fields if field.required} <= set(checked)
    assert form.check(cast("dict[str, object]", checked)) == checked


@given(forms(), st.dictionaries(st.text(max_size=8) | st.sampled_from(["size", "colour", "when"]), st.text()))
def test_whatever_is_typed_gives_an_answer_that_fits_or_a_refusal(form: Form, typed: dict[str, str]) -> None:
    try:
        values = form.coerce(typed)
    except AnswerRefused:
        return
    assert form.check(cast("dict[str, object]", values)) == values


@given(st.data(), forms())
def test_every_value_that_fits_can_be_typed_as_it_is_said(data: st.DataObject, form: Form) -> None:
    for field in form.fields:
        value = data.draw(filled(field))
        assert field.check(value) == value
        if field.kind is Kind.CHOICES:
            numbers = {choice.value: str(n) for n, choice in enumerate(field.choices, 1)}
            if set(numbers.values()).isdisjoint(numbers):  # a choice that is called 2 is not the second one
                assert field.coerce(", ".join(numbers[v] for v in cast("list[str]", value))) == value
        else:
            assert field.coerce(field.text(value)) == value


@given(st.data(), forms())
def test_a_filled_form_is_an_answer_and_reads_as_text_in_order(data: st.DataObject, form: Form) -> None:
    values = {field.name: data.draw(filled(field)) for field in form.fields}
    checked = form.check(values)
    assert checked == values
    assert form.texts(checked) == [field.text(values[field.name]) for field in form.fields]


# How it is said


@pytest.mark.parametrize(
    ("prop", "hint"),
    [
        (YES_OR_NO, "yes or no"),
        (ONE_TO_FIVE, "a whole number, from 1 to 5"),
        (NUMBER, "a number"),
        ({"type": "number", "minimum": 0.5}, "a number, 0.5 or more"),
        ({"type": "integer", "maximum": 10**20}, "a whole number, 100000000000000000000 or less"),
        ({"type": "number", "maximum": 1e300}, "a number, 1e+300 or less"),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 1}, "text"),
        ({"type": "string", "minLength": 2}, "text, at least 2 characters"),
        ({"type": "string", "maxLength": 1}, "text, at most 1 character"),
        ({"type": "string", "minLength": 2, "maxLength": 9}, "text, 2 to 9 characters"),
        ({"type": "string", "minLength": 4, "maxLength": 4}, "text, 4 characters"),
        ({"type": "string", "format": "date"}, "a date, like 2026-11-22"),
        (COLOURS, "one of 3"),
        (TOPPINGS, "any of them, or none"),
        (TOPPINGS | {"minItems": 1}, "any of them"),
        (TOPPINGS | {"minItems": 2}, "any of them, at least 2 choices"),
        (TOPPINGS | {"maxItems": 1}, "any of them, or none, at most 1 choice"),
    ],
)
def test_the_hint_says_what_may_be_entered(prop: dict[str, object], hint: str) -> None:
    assert only(prop).hint == hint


def test_a_value_reads_as_a_person_says_it() -> None:
    form = asks(go=YES_OR_NO, n=NUMBER, whole=WHOLE, colour=COLOURS, on=TOPPINGS, why=TEXT)
    answer: dict[str, Value] = {"why": "so", "on": ["ham", "egg"], "colour": "r", "whole": 3, "n": 2.5, "go": False}
    assert form.texts(answer) == ["no", "2.5", "3", "Red, dark (r)", "ham, egg", "so"]


def test_a_refusal_lists_ten_choices_and_shows_none_that_could_forge_it() -> None:
    many = only({"type": "string", "enum": [f"option {n}" for n in range(30)]})
    with pytest.raises(ValueError, match=r"option 9, …$"):
        many.coerce("nothing")
    forged = options_form(["keep", "del\x1b[8mete"]).fields[0]
    with pytest.raises(ValueError, match=r"^is not one of the choices: keep, del␛\[8mete$"):
        forged.coerce("nothing")


def test_the_plain_form_wants_one_text_that_says_something() -> None:
    assert response_form().check({"response": "yes"}) == {"response": "yes"}
    assert problems(response_form(), {"response": " \n"}) == {"response": "must not be empty"}
    assert problems(response_form(), {}) == {"response": "is missing"}
