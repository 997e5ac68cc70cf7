"""The choices of a field, read from its schema. Choices that a person could not tell apart are refused."""

from collections.abc import Mapping, Sequence

from handoffs.core.choices import Choice
from handoffs.core.errors import QuestionRefused
from handoffs.core.field import Field, Kind
from handoffs.core.look_alikes import skeleton
from handoffs.core.plain_schema import mapping, sequence
from handoffs.core.schema_words import count_of, pattern_of
from handoffs.core.untrusted import inert_line

MAX_CHOICES = 200


def choices_of(name: str, prop: Mapping[object, object], *, titled: str, accepted: bool) -> tuple[Choice, ...]:
    """Return the choices of a schema, from the list `titled` or an `enum`; empty if it has none.

    Raises:
        QuestionRefused: The list is malformed, or a person could not tell the choices apart.
    """
    if titled in prop:
        entries = [mapping(entry) for entry in sequence(prop[titled]) or ()]
        if not entries or None in entries:
            raise QuestionRefused(f"`form`: `{titled}` of {name!r} must be a list of {{const, title}}.")
        told = [_named(entry) for entry in entries if entry is not None]
    elif "enum" in prop:
        values = sequence(prop["enum"])
        if values is None:
            raise QuestionRefused(f"`form`: `enum` of {name!r} must be a list of strings.")
        titles = _as_many(prop.get("enumNames"), values) or values
        whys = _as_many(prop.get("enumDescriptions"), values) or [""] * len(values)
        told = list(zip(values, titles, whys, strict=True))
    else:
        return ()
    told = [each for each in told if _is_allowed(each[0], prop)]
    if not 1 <= len(told) <= MAX_CHOICES:
        raise QuestionRefused(f"`form`: {name!r} has {len(told)} choices; give 1 to {MAX_CHOICES}.")
    choices: list[Choice] = []
    for value, title, why in told:
        if not isinstance(value, str) or not isinstance(title, str) or not isinstance(why, str):
            raise QuestionRefused(f"`form`: the choices of {name!r} must be strings.")
        choices.append(Choice(value=value, title=inert_line(title), description=inert_line(why)))
    _refuse_ruled_out(name, prop, choices)
    _refuse_alike(name, choices)
    if not accepted:
        refuse_look_alikes(name, [choice.label for choice in choices])
    return tuple(choices)


def _named(entry: Mapping[object, object]) -> tuple[object, object, object]:
    value = entry.get("const")
    alone = sequence(entry.get("enum"))
    if value is None and alone is not None and len(alone) == 1:
        value = alone[0]
    return value, entry.get("title", value), entry.get("description", "")


def _is_allowed(value: object, prop: Mapping[object, object]) -> bool:
    """Return whether a choice is in every list that a schema has, as JSON schema requires."""
    lists: list[Sequence[object]] = [[prop["const"]]] if "const" in prop else []
    if (values := sequence(prop.get("enum"))) is not None:
        lists.append(values)
    lists.extend(
        [_named(entry)[0] for each in entries if (entry := mapping(each)) is not None]
        for key in ("oneOf", "anyOf")
        if (entries := sequence(prop.get(key))) is not None
    )
    return all(value in each for each in lists)


def _as_many(given: object, values: Sequence[object]) -> Sequence[object] | None:
    listed = sequence(given)
    return listed if listed is not None and len(listed) == len(values) else None


def _refuse_ruled_out(name: str, prop: Mapping[object, object], choices: Sequence[Choice]) -> None:
    least, most, pattern = count_of(name, prop, "minLength"), count_of(name, prop, "maxLength"), pattern_of(name, prop)
    rule = Field(name=name, kind=Kind.STRING, title=name, min_length=least, max_length=most, pattern=pattern)
    for choice in choices:
        try:
            rule.check(choice.value)
        except ValueError as wrong:
            shown = inert_line(choice.value, 60)
            raise QuestionRefused(
                f"`form`: the choice {shown!r} of {name!r} {wrong}: leave out one or the other."
            ) from None


def refuse_look_alikes(name: str, labels: Sequence[str]) -> None:
    """Refuse labels that a person could not tell apart. `name` is the field, empty for an agent's `options`."""
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(skeleton(label), label)
        if other != label:
            what = f"`form`: {name!r} has" if name else "`options` has"
            raise QuestionRefused(
                f"{what} two choices that look alike, {other!a} and {label!a}: a person could not "
                "tell them apart. Word them differently, or give each a title of its own in a form: oneOf of "
                "{const, title}."
            )


def _refuse_alike(name: str, choices: Sequence[Choice]) -> None:
    """Refuse choices that a person can't tell apart, or whose typed title could mean another choice."""
    if any(not choice.title for choice in choices):
        raise QuestionRefused(f"`form`: {name!r} has an empty choice: give each a text that a person can choose by.")
    by_value = {choice.value: choice for choice in choices}
    by_title = {choice.title: choice for choice in choices}
    if len(by_value) < len(choices) or len(by_title) < len(choices):
        raise QuestionRefused(f"`form`: {name!r} has the same choice twice.")
    if any(by_title.get(inert_line(value), choice) is not choice for value, choice in by_value.items()):
        raise QuestionRefused(f"`form`: {name!r} has a choice whose title is the value of another.")
