"""Choices: what people see of them, what finds one, how picks are told, and which a person could not tell apart."""

import pytest

from handoffs.core.choices import Choice
from handoffs.core.confusables import TABLE
from handoffs.core.errors import QuestionRefused
from handoffs.core.form import Field
from handoffs.core.look_alikes import skeleton
from handoffs.core.schema import options_form, parse


def one_of(*pairs: tuple[str, str], several: bool = False) -> Field:
    entries = [{"const": value, "title": title} for value, title in pairs]
    prop = {"type": "array", "items": {"anyOf": entries}} if several else {"type": "string", "oneOf": entries}
    return parse({"properties": {"it": prop}, "required": ["it"]}).fields[0]


@pytest.mark.parametrize(
    ("value", "title", "label"),
    [
        ("approve", "Decline", "Decline (approve)"),
        ("yes", "Yes", "Yes"),
        ("ＹＥＳ", " yes ", "yes"),
        ("fi", "ﬁ", "ﬁ"),
        ("s", "Small (s)", "Small (s)"),
        ("", "Keep", 'Keep ("")'),
        ("x\u202ey", "Plain", "Plain (x⟨U+202E⟩y)"),
    ],
)
def test_people_see_value_and_title_unless_they_say_the_same(value: str, title: str, label: str) -> None:
    assert Choice(value=value, title=title.strip()).label == label


def test_what_was_picked_is_told_by_what_was_seen_and_by_what_is_recorded() -> None:
    field = one_of(("approve", "Decline"), ("decline", "Turn it down"))
    assert field.text("approve") == "Decline (approve)"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("pg", "pg"),
        ("Postgres", "pg"),
        (" postgres ", "pg"),
        ("Postgres (pg)", "pg"),
        ("2", "2"),
        (2, "2"),
        ("1", "1"),  # by its place it would be one, but a program has no places
        ("Mysql", "Mysql"),
        (True, True),
        (None, None),
    ],
)
def test_a_program_may_say_a_choice_by_its_title(sent: object, meant: object) -> None:
    field = one_of(("pg", "Postgres"), ("2", "Two"))
    assert field.understand(sent) == meant


def test_a_title_that_fits_two_choices_is_neither() -> None:
    field = one_of(("a", "Mb"), ("b", "MB"), ("c", "kb"))
    assert [field.understand(sent) for sent in ("Mb", "MB", "mb", "KB")] == ["a", "b", "mb", "c"]


def test_a_choice_is_found_in_whatever_unicode_form_it_is_typed() -> None:
    field = one_of(("Caf\u00e9", "Caf\u00e9"), ("Re\u0301sume\u0301", "Re\u0301sume\u0301"))
    assert field.coerce("Cafe\u0301") == "Caf\u00e9"
    assert field.coerce("r\u00e9sum\u00e9") == "Re\u0301sume\u0301"
    assert field.understand("Cafe\u0301") == "Caf\u00e9"


@pytest.mark.parametrize(
    ("picked", "text"),
    [
        (["Yes, always", "No"], '"Yes, always", "No"'),
        (["Yes", "always", "No"], "Yes, always, No"),
        (["Yes, always"], '"Yes, always"'),
        (['"Yes, always"', "No"], r'"\"Yes, always\"", "No"'),
        (["Yes"], "Yes"),
        ([], "(none of them)"),
    ],
)
def test_a_list_can_be_told_from_one_label_with_a_comma(picked: list[str], text: str) -> None:
    labels = ["Yes, always", "Yes", "always", "No", '"Yes, always"']
    field = one_of(*((label, label) for label in labels), several=True)
    assert field.text(list(picked)) == text


def test_a_label_with_a_comma_is_typed_alone_or_in_quotes() -> None:
    field = one_of(*((label, label) for label in ("Yes, always", "Yes", "always", 'say "no"')), several=True)
    assert field.coerce("yes, always") == ["Yes, always"]
    assert field.coerce('"Yes, always", "say \\"no\\""') == ["Yes, always", 'say "no"']
    assert field.coerce("always, Yes") == ["always", "Yes"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Caf\u00e9", "Cafe\u0301"),
        ("\u0410dmin", "Admin"),
        ("paypal.com", "p\u0430yp\u0430l.com"),
        ("1", "l"),
        ("I", "l"),
        ("v1.O", "v1.0"),
        ("modern", "modem"),
        ("x\u2010y", "x\u2011y"),
        ("\uff29\uff34", "lT"),
        ("no\ufe0f", "no"),
    ],
)
def test_choices_that_look_alike_are_refused_like_duplicates(one: str, other: str) -> None:
    for schema in ({"type": "string", "enum": [one, other]}, {"type": "array", "items": {"enum": [one, other, "z"]}}):
        with pytest.raises(QuestionRefused, match=r"look alike|same choice twice"):
            parse({"properties": {"it": schema}})
    with pytest.raises(QuestionRefused, match=r"^`options` has (two choices that look alike|the same one twice)"):
        options_form([one, other])


@pytest.mark.parametrize(
    "options",
    [
        ["1", "2", "10", "11"],
        ["rm", "mv"],
        ["Option A", "Option B"],
        ["日", "曰本", "口"],
        ["да", "нет"],
        ["m2", "m\u00b2"],
        ["CO2", "COO"],
        ["\u05db\u05df", "\u05dc\u05d0"],
        ["yes", "no", "y/n"],
    ],
)
def test_choices_that_can_be_told_apart_are_asked(options: list[str]) -> None:
    assert [choice.value for choice in options_form(options).fields[0].choices] == options


def test_a_title_of_its_own_makes_a_look_alike_askable() -> None:
    assert len(one_of(("1", "the digit one"), ("l", "the letter l")).choices) == 2


def test_a_stored_form_with_look_alikes_stays_readable() -> None:
    once = {"type": "object", "properties": {"it": {"type": "string", "enum": ["1", "l"]}}, "required": []}
    assert parse(once, accepted=True).schema == once


def test_what_is_plain_ascii_is_compared_as_the_whole_table_would() -> None:
    lines = (line.partition("\t") for line in TABLE.rstrip("\n").split("\n"))
    table = {char: target for target, _, chars in lines for char in chars}
    for char in map(chr, range(0x20, 0x7F)):
        expected = table.get(char, char)
        assert skeleton(char) == (expected if expected.isascii() else char)


def test_the_table_is_not_imported_for_plain_ascii() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from handoffs.core.schema import options_form; options_form(['yes', 'no']);"
        "print(*[m for m in ('handoffs.core.confusables', 'regex') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == ""
