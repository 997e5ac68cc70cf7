"""The questions of Codex's model (`item/tool/requestUserInput`) as one form, and the answers as Codex reads them.

By the schema of 0.171.0, and what its own terminal sends: an answer is a list, of the option's label, and of the
person's own words behind `user_note: `. No answers at all is the only refusal that the protocol has.

A secret would go to the model, and into Codex's record of the session, as it was typed: such questions are left to the
program. So are those that can't be told apart, and options that read like a person's own words.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from handoffs.agent_wire.asked import FormAsked
from handoffs.core.action_shown import block, visible
from handoffs.core.untrusted import inert_line
from handoffs.core.written_schema import HARMLESS_KEY

MAX_QUESTIONS: Final = 10
"""Codex tells its model to ask three at most."""

_NOTE: Final = "user_note:"
"""Begins an answer in the person's own words."""

Json: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    id: str
    text: str
    header: str
    options: Sequence[tuple[str, str]]
    """The labels, and what is said of each."""
    other: bool
    """Whether the person may answer in their own words instead."""


def asked_of(name: str, thread: str, params: Json, *, nothing: str) -> FormAsked:
    """Return what a request asks; `name` is the JSON of its id, and `nothing` the result without an answer."""
    questions: Sequence[_Question] = ()
    why = ""
    try:
        questions = _read(params.get("questions"))
    except ValueError as wrong:
        why = str(wrong)
    given = params.get("autoResolutionMs")
    return FormAsked(
        id=name,
        session=thread,
        refused=nothing,
        stopped=nothing,
        unfit=why,
        message=_message(questions) if questions else "",
        seconds=given / 1000 if isinstance(given, int | float) and not isinstance(given, bool) else None,
        schema=_schema(questions),
        accepted=lambda values: _answers(questions, values) or nothing,
        declined=nothing,
    )


def _read(given: object) -> Sequence[_Question]:
    """Return the questions. Raises ValueError: The desk can't ask them; says why."""
    listed = cast("list[object]", given) if isinstance(given, list) else []
    if not 1 <= len(listed) <= MAX_QUESTIONS:
        raise ValueError(f"it has {len(listed)} questions, and not 1 to {MAX_QUESTIONS}")
    asked = [_question(number, each) for number, each in enumerate(listed, 1)]
    if len({each.id for each in asked}) < len(asked):
        raise ValueError("two of its questions have one id, by which answers are told apart")
    return asked


def _question(number: int, given: object) -> _Question:
    entry = _object(given)
    id, text, header = (entry.get(each) for each in ("id", "question", "header"))  # noqa: A001 - its word
    if not isinstance(id, str) or not isinstance(text, str) or not text.strip():
        raise ValueError(f"its question {number} has no id or no text")
    if entry.get("isSecret", False) is not False:
        raise ValueError("it asks for a secret, which would go to the model and into a record as it is typed")
    listed = entry.get("options")
    options = [_option(number, each) for each in cast("list[object]", listed)] if isinstance(listed, list) else []
    return _Question(
        id=id,
        text=text,
        header=header if isinstance(header, str) else "",
        options=options,
        other=entry.get("isOther") is True and bool(options),
    )


def _option(number: int, given: object) -> tuple[str, str]:
    entry = _object(given)
    label, about = entry.get("label"), entry.get("description")
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"its question {number} has an option without a label")
    if inert_line(label).strip().casefold().startswith(_NOTE):
        raise ValueError(f"its question {number} has an option that reads like words of the person's own")
    return label, about if isinstance(about, str) else ""


def _message(questions: Sequence[_Question]) -> str:
    parts = ["A question." if len(questions) == 1 else f"{len(questions)} questions."]
    for number, each in enumerate(questions, 1):
        lines = [f"{number}. {each.text}"]
        lines += [f"- {label}: {about}" if about else f"- {label}" for label, about in each.options]
        parts.append(block("", visible("\n".join(lines))))
    return "\n\n".join(parts)


def _schema(questions: Sequence[_Question]) -> Json:
    properties: dict[str, object] = {}
    required: list[str] = []
    for number, each in enumerate(questions, 1):
        named = {"type": "string", "title": f"{number}. {inert_line(each.text)}", "description": each.header}
        if not each.options:
            # The agent says that it is no secret. What sounds like a password all the same is refused.
            properties[_picked(number)] = {**named, HARMLESS_KEY: False}
        else:
            choices = [{"const": label, "title": label, "description": about} for label, about in each.options]
            properties[_picked(number)] = {**named, "oneOf": choices}
        if each.other:
            properties[_words(number)] = {
                "type": "string",
                "title": f"{number}. In your own words",
                "description": "Instead of an option, or about it. The model reads it.",
            }
        else:
            required.append(_picked(number))
    return {"type": "object", "properties": properties, "required": required}


def _answers(questions: Sequence[_Question], values: Json) -> str:
    answers = {each.id: {"answers": _answer(number, each, values)} for number, each in enumerate(questions, 1)}
    return json.dumps({"answers": answers}) if any(each["answers"] for each in answers.values()) else ""


def _answer(number: int, question: _Question, values: Json) -> list[str]:
    picked, words = values.get(_picked(number)), values.get(_words(number))
    if not question.options:
        picked, words = None, picked
    said = words.strip() if isinstance(words, str) else ""
    return [*([picked] if isinstance(picked, str) and picked else []), *([f"{_NOTE} {said}"] if said else [])]


def _object(given: object) -> Json:
    return cast("Json", given) if isinstance(given, dict) else {}


def _picked(number: int) -> str:
    return f"answer_{number}"


def _words(number: int) -> str:
    return f"words_{number}"
