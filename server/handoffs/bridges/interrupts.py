"""Interrupts of LangGraph: what is asked about each, and the value that it is resumed with.

Four shapes are known: LangChain's `HumanInTheLoopMiddleware`, batched and per call; the schema of agent-inbox; and any
other value, which is a question. Sources: `langchain.agents.middleware.human_in_the_loop` of 1.5.2, the README of
agent-inbox.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard, cast

from handoffs.bridges.pauses import (
    Call,
    Decided,
    NoWayToRefuse,
    Question,
    Unanswered,
    edited_arguments,
    in_words,
    unanswered,
)
from handoffs.client import NotAnswered, Outcome

Object: TypeAlias = Mapping[str, object]

RESPONSE = "response"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What is known of a tool of the agent."""

    description: str
    schema: Object


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One interrupt: what is asked, and the value to resume it with, made of what was decided."""

    items: Sequence[Call | Question]
    value: Callable[[Decided], object]


def asked_by(
    interrupt_id: str, value: object, response: object, tools: Mapping[str, Tool], unanswered: Unanswered | None
) -> Asked:
    """Return what an interrupt asks. `response` is its `response_schema`."""
    if _is_object(value) and _are_objects(requests := value.get("action_requests")):
        return _batched(interrupt_id, requests, value.get("review_configs"), tools)
    if _is_object(value) and value.get("type") == "tool_approval":
        allowed, schema = _allowed_by(response)
        known = tools.get(str(value.get("name")))
        item = _item(
            interrupt_id, value, "name", allowed, known or Tool(description="", schema=schema) if schema else known
        )
        return Asked(items=[item], value=lambda decided: _decision(item, decided, allowed))
    listed = [value] if _is_object(value) else value
    if _are_objects(listed) and all("action_request" in each for each in listed):
        return _agent_inbox(interrupt_id, listed, tools)
    return _plain(interrupt_id, value, response, unanswered)


# LangChain


def _batched(interrupt_id: str, requests: Sequence[Object], configs: object, tools: Mapping[str, Tool]) -> Asked:
    found: Sequence[Object] = configs if _are_objects(configs) else []
    reviews = {str(each.get("action_name")): _words(each.get("allowed_decisions")) for each in found}
    each = [
        (_item(f"{interrupt_id} {number}", request, "name", allowed, tools.get(str(request.get("name")))), allowed)
        for number, request in enumerate(requests)
        for allowed in [reviews.get(str(request.get("name")), frozenset())]
    ]
    return Asked(
        items=[item for item, _ in each],
        value=lambda decided: {"decisions": [_decision(item, decided, allowed) for item, allowed in each]},
    )


def _item(key: str, request: Object, name: str, allowed: frozenset[str], tool: Tool | None) -> Call | Question:
    called, arguments = str(request.get(name)), _object(request.get("args"))
    if not allowed & {"approve", "edit"} and "respond" in allowed:
        return Question(id=key, message=in_words(f"The agent uses `{called}`, and you answer in its place.", arguments))
    return Call(
        id=key,
        tool=called,
        arguments=arguments,
        schema=None if tool is None else tool.schema,
        description="" if tool is None else tool.description,
        editable="edit" in allowed,
    )


def _decision(item: Call | Question, decided: Decided, allowed: frozenset[str]) -> Object:
    """Return the decision on a call, of those that LangChain was told to allow."""
    if isinstance(item, Question):
        answer = decided.answers[item.id]
        if isinstance(answer, NotAnswered):
            return _refusal(unanswered(answer), allowed, item.id)
        return {"type": "respond", "message": answer.text}
    permission = decided.calls[item.id]
    if not permission.allowed:
        return _refusal(permission.told, allowed, item.tool)
    edited = edited_arguments(permission)
    if edited is None and "approve" in allowed:
        return {"type": "approve"}
    args = item.arguments if edited is None else edited
    return {"type": "edit", "edited_action": {"name": item.tool, "args": args}}


def _refusal(told: str, allowed: frozenset[str], what: str) -> Object:
    if "reject" in allowed:
        return {"type": "reject", "message": told}
    if "respond" in allowed:
        return {"type": "respond", "message": told}
    raise NoWayToRefuse(f"{what} stays paused, as `allowed_decisions` has neither reject nor respond. {told}")


def _allowed_by(response: object) -> tuple[frozenset[str], Object | None]:
    """Return the decisions that a `response_schema` allows, and the schema of a tool's arguments where it has one."""
    whole = _object(response)
    definitions = _object(whole.get("$defs"))

    def resolved(schema: object) -> Object:
        found = _object(schema)
        place = found.get("$ref")
        return _object(definitions.get(place.removeprefix("#/$defs/"))) if isinstance(place, str) else found

    branches = whole.get("oneOf") if _are_objects(whole.get("oneOf")) else [whole]
    allowed, schema = set[str](), None
    for branch in map(resolved, cast("Sequence[object]", branches)):
        properties = _object(branch.get("properties"))
        kind = _object(properties.get("type")).get("const")
        allowed.add(str(kind))
        if kind == "edit":
            action = _object(resolved(properties.get("edited_action")).get("properties"))
            arguments = _object(resolved(action.get("args")))
            if arguments.get("properties") is not None:
                schema = {**arguments, "$defs": definitions}
    return frozenset(allowed), schema


# agent-inbox


def _agent_inbox(interrupt_id: str, requests: Sequence[Object], tools: Mapping[str, Tool]) -> Asked:
    each: list[tuple[Call | Question, frozenset[str]]] = []
    for number, request in enumerate(requests):
        action, config = _object(request.get("action_request")), _object(request.get("config"))
        named = {"accept": "approve", "edit": "edit", "respond": "respond", "ignore": "ignore"}
        allowed = frozenset(ours for theirs, ours in named.items() if config.get(f"allow_{theirs}") is True)
        item = _item(f"{interrupt_id} {number}", action, "action", allowed, tools.get(str(action.get("action"))))
        if isinstance(item, Question) and isinstance(told := request.get("description"), str) and told:
            item = Question(id=item.id, message=f"{item.message}\n\n{told}")
        each.append((item, allowed))
    return Asked(
        items=[item for item, _ in each],
        value=lambda decided: [_human_response(item, decided, allowed) for item, allowed in each],
    )


def _human_response(item: Call | Question, decided: Decided, allowed: frozenset[str]) -> Object:
    if isinstance(item, Question):
        answer = decided.answers[item.id]
        if isinstance(answer, NotAnswered):
            return _ignored(unanswered(answer), "", allowed, item.id)
        return {"type": "response", "args": answer.text}
    permission = decided.calls[item.id]
    if not permission.allowed:
        return _ignored(permission.told, permission.reason, allowed, item.tool)
    edited = edited_arguments(permission)
    kind = "accept" if edited is None and "approve" in allowed else "edit"
    return {"type": kind, "args": {"action": item.tool, "args": item.arguments if edited is None else edited}}


def _ignored(told: str, reason: str, allowed: frozenset[str], what: str) -> Object:
    """A refusal: with words where the agent takes any, for a person's reason is worth more than silence."""
    if "ignore" in allowed and not (reason and "respond" in allowed):
        return {"type": "ignore", "args": None}
    if "respond" in allowed:
        return {"type": "response", "args": told}
    raise NoWayToRefuse(f"{what} stays paused, as its `config` allows neither ignore nor respond. {told}")


# Any other value


def _plain(interrupt_id: str, value: object, response: object, unanswered: Unanswered | None) -> Asked:
    question, read = _question(interrupt_id, value, response)

    def resumed(decided: Decided) -> object:
        answer = decided.answers[question.id]
        if isinstance(answer, NotAnswered):
            if unanswered is None:
                raise answer
            return unanswered(answer)
        return read(answer)

    return Asked(items=[question], value=resumed)


def _question(key: str, value: object, response: object) -> tuple[Question, Callable[[Outcome[object]], object]]:
    message = value if isinstance(value, str) and value.strip() else in_words("The agent's graph asks:", value)
    schema = _object(response)
    if not schema:
        return Question(id=key, message=message), lambda answer: answer.text
    if schema.get("type") == "object":
        return Question(id=key, message=message, form=schema), lambda answer: dict(answer.values)
    form = {"type": "object", "properties": {RESPONSE: schema}, "required": [RESPONSE]}
    return Question(id=key, message=message, form=form), lambda answer: answer.values[RESPONSE]


def _object(value: object) -> Object:
    return value if _is_object(value) else {}


def _is_object(value: object) -> TypeGuard[Object]:
    return isinstance(value, Mapping)


def _are_objects(value: object) -> TypeGuard[Sequence[Object]]:
    """Whether it is a list of objects, and at least one."""
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return bool(listed) and all(isinstance(each, Mapping) for each in listed)


def _words(value: object) -> frozenset[str]:
    return frozenset(map(str, cast("list[object]", value))) if isinstance(value, list) else frozenset()
