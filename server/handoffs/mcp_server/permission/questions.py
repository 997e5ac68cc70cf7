"""Claude Code's own questions, `AskUserQuestion`: asked as a form, answered as Claude Code reads answers.

The person approves the answers, not the asking. The format is Claude Code's (the types of its package,
`sdk-tools.d.ts`, and the behaviour of 2.1.332): `updatedInput` is the input with `answers`, a text for the text of each
question. Several labels are joined by a comma and a blank; a label that contains that, or a quotation mark, is written
as JSON. Words that are no label are answers as well; beside a label they are its `annotations`.
A model can put `answers` into its own question: they are dropped.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from handoffs.core.action_form import ALLOW, REASON, decision, reason
from handoffs.core.action_shown import block, visible
from handoffs.core.form import DECISION, Schema, Value
from handoffs.core.untrusted import inert_line

QUESTIONS = "AskUserQuestion"

MAX_QUESTIONS = 10
"""Claude Code asks four at most; a call with more than this is refused."""

MAX_NAMED = 150
"""The most characters of a first question that the message's first line repeats."""

LEFT_OPEN = "No answer: the person left this question open."
"""The answer to a question that the person left open while answering others."""

_OURS = frozenset({"answers", "annotations", "response", "followUp", "afkTimeoutMs"})
"""The keys that only a person's answer may set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Option:
    label: str
    description: str = ""
    preview: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    text: str
    header: str = ""
    help: str = ""
    kind: str = "choice"
    """`choice`, `text` or `number`."""
    several: bool = False
    options: tuple[_Option, ...] = ()
    bounds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """The questions of one call, in order."""

    given: Mapping[str, object]
    """The input as it was sent."""
    asked: tuple[_Question, ...]

    def message(self, origin: str = "") -> str:
        """Return the message before the form: the questions, and the descriptions of their options."""
        count, first = len(self.asked), inert_line(self.asked[0].text)
        asks = "a question" if count == 1 else f"{count} questions"
        # As inline code, which can't contain markup; a question that does not fit is in the block below.
        named = f": `{first}`" if len(first) <= MAX_NAMED and "`" not in first else "."
        title = _text(self.given, "title")
        parts = [
            f"Claude Code asks you {asks}{named}",
            *([origin] if origin else []),
            *([block("", visible(title))] if title else []),
        ]
        for number, each in enumerate(self.asked, 1):
            parts += _described(number, each)
        return "\n\n".join(parts)

    @property
    def form(self) -> Schema:
        """The form: for each question a choice and a field for other words, then whether to send the answers."""
        properties: Schema = {}
        for number, each in enumerate(self.asked, 1):
            properties |= _fields(number, each)
        properties[DECISION] = decision(allow="Send these answers", deny="Do not answer")
        properties[REASON] = reason()
        return {"type": "object", "properties": properties, "required": [DECISION]}

    def answered(self, values: Mapping[str, Value]) -> dict[str, object] | None:
        """Return the input with the person's answers; None when there are none or they were not sent."""
        if values.get(DECISION) != ALLOW:
            return None
        answers: dict[str, str] = {}
        annotations: dict[str, dict[str, str]] = {}
        for number, each in enumerate(self.asked, 1):
            answer, notes = _answer(each, values.get(_answer_name(number)), values.get(_words_name(number)))
            if answer:
                answers[each.text] = answer
                preview = next((o.preview for o in each.options if o.label == answer and not each.several), "")
                noted = {"preview": preview, "notes": notes}
                if any(noted.values()):
                    annotations[each.text] = {name: text for name, text in noted.items() if text}
        if not answers:
            return None
        left = {each.text: LEFT_OPEN for each in self.asked if each.text not in answers}
        result = {name: value for name, value in self.given.items() if name not in _OURS}
        return result | {"answers": answers | left} | ({"annotations": annotations} if annotations else {})


def read_questions(given: Mapping[str, object]) -> Questions:
    """Return the questions in an input.

    Raises:
        ValueError: It has no questions, or some that can't be asked; says why.
    """
    listed = given.get("questions")
    if not isinstance(listed, list) or not 1 <= len(cast("list[object]", listed)) <= MAX_QUESTIONS:
        raise ValueError(f"`questions` must be a list of 1 to {MAX_QUESTIONS} questions.")
    asked = tuple(_question(number, each) for number, each in enumerate(cast("list[object]", listed), 1))
    if len({each.text for each in asked}) < len(asked):
        raise ValueError("two questions have the same text, by which answers are told apart.")
    return Questions(given=given, asked=asked)


def _question(number: int, given: object) -> _Question:
    entry = _mapping(given)
    text = _text(entry, "question")
    if not text.strip():
        raise ValueError(f"question {number} has no text.")
    options = tuple(
        _Option(label=_text(each, "label"), description=_text(each, "description"), preview=_text(each, "preview"))
        for each in map(_mapping, _list(entry.get("options")))
    )
    kind = _text(entry, "kind") or "choice"
    if kind == "choice" and (len(options) < 2 or not all(option.label.strip() for option in options)):
        raise ValueError(f"question {number} needs two options with a label each.")
    bounds = {"minimum": entry.get("min"), "maximum": entry.get("max")}
    return _Question(
        text=text,
        header=_text(entry, "header"),
        help=" ".join(filter(None, (_text(entry, "description"), _text(entry, "unit")))),
        kind=kind if kind in ("choice", "text", "number") else "text",
        several=entry.get("multiSelect") is True,
        options=options if kind == "choice" else (),
        bounds={name: bound for name, bound in bounds.items() if isinstance(bound, int | float) and kind == "number"},
    )


def _described(number: int, question: _Question) -> list[str]:
    """Return a question with its description, options and previews, as written."""
    lines = [f"{number}. {question.text}", *([question.help] if question.help else [])]
    lines += [f"- {o.label}: {o.description}" if o.description else f"- {o.label}" for o in question.options]
    parts = [block("", visible("\n".join(lines)))]
    for option in question.options:
        if option.preview:
            parts += [f"Preview of option {question.options.index(option) + 1}:", block("", visible(option.preview))]
    return parts


def _fields(number: int, question: _Question) -> Schema:
    title = f"{number}. {inert_line(question.text)}"
    about = {"description": inert_line(question.header)} if question.header.strip() else {}
    named: Schema = {"title": title, **about}
    if question.kind == "number":
        return {_answer_name(number): {"type": "number", **named, **question.bounds}}
    if question.kind == "text":
        return {_answer_name(number): {"type": "string", **named}}
    choices = [{"const": o.label, "title": o.label, "description": o.description} for o in question.options]
    picked: Schema = (
        {"type": "array", "items": {"anyOf": choices}} if question.several else {"type": "string", "oneOf": choices}
    )
    beside = "Beside what you picked, or instead of it." if question.several else "Instead of an option, or about it."
    return {
        _answer_name(number): named | picked,
        _words_name(number): {"type": "string", "title": f"{number}. In your own words", "description": beside},
    }


def _answer_name(number: int) -> str:
    return f"answer_{number}"


def _words_name(number: int) -> str:
    return f"words_{number}"


def _answer(question: _Question, picked: Value | None, words: Value | None) -> tuple[str, str]:
    """Return the answer to one question, and the person's note to it."""
    said = words.strip() if isinstance(words, str) else ""
    if isinstance(picked, list):
        return ", ".join(map(_listed, [*picked, *([said] if said else [])])), ""
    if isinstance(picked, bool) or picked is None or picked == "":
        return said, ""
    return picked if isinstance(picked, str) else _number(picked), said


def _listed(label: str) -> str:
    return json.dumps(label, ensure_ascii=False) if ", " in label or '"' in label else label


def _number(value: float) -> str:
    # Without an exponent: Claude Code takes only digits for a number.
    return format(Decimal(repr(value)), "f")


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list) else []


def _text(entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""
