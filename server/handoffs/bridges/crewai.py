"""Goes on with a paused flow of CrewAI once a person has given the feedback that it waits for.

`@human_feedback(message, provider=Pausing())` pauses a flow, whose persistence keeps it. `await resume(Flow, flow_id,
persistence)` asks for the feedback, and resumes the flow with it, until it waits no more.

Tried with crewai 1.15.30. A flow with `emit` hands every answer, also exactly "rejected", to a model that picks the
outcome, and an empty answer is the default outcome. So `emit` is refused: the flow reads the text itself. What it is
given is never empty, and is one of the options only if the person picked that one.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, Protocol, Unpack, cast

import anyio.to_thread

from handoffs.bridges.pauses import (
    Decided,
    GoneOn,
    Question,
    Unanswered,
    Ways,
    in_words,
    pauses,
    run_sync,
)
from handoffs.client import NotAnswered
from handoffs.core.errors import HandoffError

FRAMEWORK = "crewai"

NONE_OF_THEM = "None of these: "
"""Stands before what a person wrote instead of picking an option: it is none of them, whatever it says."""


class FlowClass(Protocol):
    """A class of flows."""

    # The types are those of CrewAI's own methods, which this module does not import.
    def from_pending(self, flow_id: str, persistence: Any = None, **more: Any) -> Any:
        """Return a paused flow as its persistence keeps it."""
        ...


class Pausing:
    """Pauses the flow: `@human_feedback("Publish?", provider=Pausing())`.

    The decorator's `metadata` may have `options`, of which a person picks one, or a `form`, a JSON Schema whose answer
    reaches the flow as JSON.
    """

    def request_feedback(self, context: Any, flow: Any) -> NoReturn:
        """Pause the flow.

        Raises:
            HandoffError: The decorator has `emit`, so that a model would decide what the person's answer means.
        """
        from importlib import import_module  # the framework is an extra

        _check_no_emit(context)
        raise import_module("crewai.flow.async_feedback").HumanFeedbackPending(context=context)


async def resume(
    flow: FlowClass,
    flow_id: str,
    persistence: Any,
    *,
    unanswered: Unanswered | None = None,
    make: Mapping[str, object] | None = None,
    **ways: Unpack[Ways],
) -> Any:
    """Have a person give the feedback that a flow waits for, go on until it waits no more, and return its result.

    None if the flow is not paused: it is left as it is.

    Args:
        flow: The class of the flow.
        flow_id: The flow: `pending.context.flow_id`.
        persistence: What keeps it, such as `SQLiteFlowPersistence(path)`.
        unanswered: Returns the text with which the flow goes on if nobody answered. Without it, the error is raised
            (`Declined`, `Expired`, `Cancelled`), and the flow stays paused.
        make: More for the constructor of the flow.
        ways: How it is asked; see `Ways`.

    Raises:
        StillPaused: After `wait` seconds, nobody has answered. The question is open.
        HandoffError: The flow's `@human_feedback` has `emit`, or a text is empty. The flow stays paused.
    """
    load = partial(persistence.load_pending_feedback, flow_id)
    loaded, result = await anyio.to_thread.run_sync(load), None
    if loaded is None:
        return None
    async with pauses(FRAMEWORK, ways) as taken:
        while loaded is not None:
            context = loaded[1]
            _check_no_emit(context)
            question, name = _question(context), _name(context)

            def prepare(decided: Decided, question: Question = question) -> str:
                answer = decided.answers[question.id]
                if not isinstance(answer, NotAnswered):
                    return _text(question, answer.values, answer.other, answer.text)
                if unanswered is None:
                    raise answer
                return _not_empty(str(unanswered(answer)))

            async def stands(name: str = name) -> bool:
                now = await anyio.to_thread.run_sync(load)
                return now is not None and _name(now[1]) == name

            async def go_on(text: str) -> Any:
                made = partial(flow.from_pending, flow_id, persistence, **dict(make or {}))
                return await (await anyio.to_thread.run_sync(made)).resume_async(text)

            try:
                result = await taken.take_up(name, [question], prepare, go_on, stands=stands)
            except GoneOn:
                result = None  # another process has its result
            loaded = await anyio.to_thread.run_sync(load)
    return result


def resume_sync(
    flow: FlowClass,
    flow_id: str,
    persistence: Any,
    *,
    unanswered: Unanswered | None = None,
    make: Mapping[str, object] | None = None,
    **ways: Unpack[Ways],
) -> Any:
    """Do what `resume` does, for a program without an event loop."""
    return run_sync(partial(partial(resume, flow, flow_id, persistence, unanswered=unanswered, make=make), **ways))


def _question(context: Any) -> Question:
    given = cast("Mapping[str, Any]", context.metadata or {})
    output, asked = context.method_output, str(context.message)
    message = f"{asked}\n\n{output}" if isinstance(output, str) else in_words(asked, output)
    options, form = given.get("options"), given.get("form")
    return Question(
        id="feedback",
        message=message,
        options=[str(each) for each in cast("Sequence[object]", options)] if options else None,
        form=cast("Mapping[str, object]", form) if isinstance(form, Mapping) else None,
    )


def _name(context: Any) -> str:
    """Return what names the pause: a flow comes to the same method again, and then it is asked anew."""
    asked = [context.flow_class, context.flow_id, context.method_name, context.requested_at.isoformat()]
    return json.dumps([str(each) for each in asked])


def _text(question: Question, values: Mapping[str, object], other: str, text: str) -> str:
    if question.form is not None:
        return json.dumps(dict(values), ensure_ascii=False)
    return _not_empty(f"{NONE_OF_THEM}{other}" if question.options and other else text)


def _not_empty(text: str) -> str:
    if not text.strip():
        raise HandoffError("The flow stays paused: an empty text would stand for whatever its default is.")
    return text


def _check_no_emit(context: Any) -> None:
    if context.emit:
        raise HandoffError(
            f"@human_feedback of {context.method_name} has `emit`: a model would decide which of these the person's "
            "answer is. Leave `emit` out, give `metadata={'options': […]}`, and read the text in the flow."
        )
