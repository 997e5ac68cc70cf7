"""The description of the interface, in OpenAPI 3.1. It is served, and kept in `docs/reference/openapi.json`."""

from handoffs import __version__
from handoffs.api.access_requests import openapi as access_requests
from handoffs.api.bodies import MAX_KEY, MAX_NAME, MAX_NOTE
from handoffs.core.form import Schema
from handoffs.core.model import State
from handoffs.core.question import MAX_MESSAGE, Limits

_WORDS: Schema = {"type": "string"}
_NULL: Schema = {"type": "null"}
_TIME: Schema = {"type": "string", "format": "date-time"}


def document(limits: Limits | None = None) -> Schema:
    """Return the description of a server with these limits; of one with the usual ones without them."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Handoffs",
            "version": __version__,
            "description": "Questions of programs to people. Only the state `answered` carries an answer; no other "
            "state is consent, nor is one that you do not know. Nothing here answers a question.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": {
            "/v1/handoffs": {"post": _ask()},
            "/v1/handoffs/{id}": {"get": _get()},
            "/v1/handoffs/{id}/attachments/{number}": {"get": _attachment()},
            "/v1/handoffs/{id}/cancel": {"post": _cancel()},
            "/v1/handoffs/events": {"get": _events()},
            **access_requests.paths(_key(), _problems),
            "/v1/openapi.json": {
                "get": {
                    "operationId": "describe",
                    "summary": "This description",
                    "responses": {"200": _json("The description", {"type": "object"}), **_problems(401, 403)},
                }
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Question": _question(limits or Limits()),
                "Handoff": _handoff(),
                **access_requests.schemas(),
                "Problem": _problem(),
            },
        },
    }


def _ask() -> Schema:
    key = _key()
    key["description"] = (
        "Names the question for good: the same key with the same body is the same question, with another body it is "
        "refused. Without it, the same question of the same `client` and `project` is joined while it is open."
    )
    return {
        "operationId": "ask",
        "summary": "Ask a person",
        "parameters": [key, _wait()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _reference("Question")}}},
        "responses": {
            "201": _created("It is asked, or joined"),
            "200": _created("It was asked before, with this key"),
            **_problems(400, 401, 403, 409, 413, 415, 422, 429, 503),
        },
    }


def _key() -> Schema:
    return _parameter("Idempotency-Key", "header", _field(f"[!-~]([ -~]{{0,{MAX_KEY - 2}}}[!-~])?"))


def _get() -> Schema:
    return {
        "operationId": "get",
        "summary": "How a question stands",
        "parameters": [_id(), _wait()],
        "responses": {"200": _json("The question", _reference("Handoff")), **_problems(401, 403, 404, 409, 422, 503)},
    }


def _wait() -> Schema:
    wait = _parameter("wait", "query", {"type": "number", "minimum": 0, "maximum": 300})
    wait["description"] = "For how many seconds the request waits for the end of the question."
    return wait


def _attachment() -> Schema:
    number = {**_parameter("number", "path", {"type": "integer", "minimum": 1}), "required": True}
    kept: Schema = {"description": "Its bytes, to be kept and not shown", "content": {"*/*": {}}}
    return {
        "operationId": "attachment",
        "summary": "A file that came with the answer",
        "parameters": [_id(), number],
        "responses": {"200": kept, **_problems(401, 403, 404, 409, 503)},
    }


def _cancel() -> Schema:
    note: Schema = {
        "type": "object",
        "properties": {"note": {"type": ["string", "null"], "maxLength": MAX_NOTE}},
        "additionalProperties": False,
    }
    return {
        "operationId": "cancel",
        "summary": "Withdraw a question for good",
        "parameters": [_id()],
        "requestBody": {"required": False, "content": {"application/json": {"schema": note}}},
        "responses": {
            "200": _json("It is withdrawn", _reference("Handoff")),
            **_problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
        },
    }


def _events() -> Schema:
    last = _parameter("Last-Event-ID", "header", _field("[0-9]{1,15}"))
    last["description"] = "The id of the last event that was received; without it, the events from now on."
    return {
        "operationId": "follow",
        "summary": "What becomes of your questions, as server-sent events without an end",
        "parameters": [last],
        "responses": {
            "200": {
                "description": "Events named opened, answered, declined, cancelled and expired; `data` has handoffId, "
                "event and at.",
                "content": {"text/event-stream": {"schema": _WORDS}},
            },
            **_problems(401, 403, 422, 429, 503),
        },
    }


def _question(limits: Limits) -> Schema:
    return {
        "type": "object",
        "required": ["message"],
        "additionalProperties": False,
        "not": {
            "required": ["options", "form"],
            "properties": {"options": {"type": "array"}, "form": {"type": "object"}},
        },
        "properties": {
            "message": {
                **_WORDS,
                "minLength": 1,
                "maxLength": MAX_MESSAGE,
                "description": "What the person is told and asked, in Markdown.",
            },
            "options": {
                "type": ["array", "null"],
                "items": {**_WORDS, "minLength": 1, "pattern": r"\S"},
                "minItems": 2,
                "maxItems": 20,
                "uniqueItems": True,
                "description": "Of which the person picks one. Not together with `form`.",
            },
            "form": {"type": ["object", "null"], "description": "An elicitation schema of MCP."},
            "timeoutSeconds": {
                "type": ["number", "null"],
                "minimum": limits.min_seconds,
                "maximum": limits.max_seconds,
                "description": f"How long it stays open; without it, {limits.default_seconds:.15g} seconds.",
            },
            "files": {
                "type": ["boolean", "null"],
                "description": "Whether the program receives files that a person gives with an answer.",
            },
            "client": {"type": ["string", "null"], "maxLength": MAX_NAME, "description": "The program's name."},
            "project": {"type": ["string", "null"], "maxLength": MAX_NAME, "description": "What it works on."},
            "key": {
                "type": ["string", "null"],
                "maxLength": MAX_NAME,
                "description": "Joins the same question with the same key: while it is open, and for a time after its "
                "answer. Not together with `Idempotency-Key`, which names a question for good.",
            },
        },
    }


def _handoff() -> Schema:
    end = dict.fromkeys(("by", "channel", "note"), _WORDS) | {"at": _TIME}
    file = {**dict.fromkeys(("name", "type", "sha256"), _WORDS), "size": {"type": "integer"}}
    files = {"type": "array", "items": {"type": "object", "properties": file, "required": [*file]}}
    answer = {**end, "other": _WORDS, "values": {"type": "object"}, "attachments": files}
    names = ("subject", "client", "project")
    return {
        "type": "object",
        "required": ["id", "state", "message", "form", "createdAt", "deadline", "answer"],
        "properties": {
            "id": _WORDS,
            "state": {**_WORDS, "enum": [each.value for each in State]},
            "message": _WORDS,
            "form": {"type": "object"},
            "createdAt": _TIME,
            "deadline": _TIME,
            "caller": {"type": "object", "properties": dict.fromkeys(names, _WORDS)},
            "answer": {"oneOf": [{"type": "object", "properties": answer, "required": [*answer]}, _NULL]},
            "end": {"oneOf": [{"type": "object", "properties": end, "required": [*end]}, _NULL]},
            "action": {"type": ["object", "null"]},
            "deciders": {"type": ["object", "null"]},
            "earlier": {"type": ["string", "null"]},
            "page": {"type": ["string", "null"], "description": "Where a person answers; it signs nobody in."},
        },
    }


def _problem() -> Schema:
    field: Schema = {"type": "object", "properties": {"field": _WORDS, "detail": _WORDS}, "required": ["field"]}
    return {
        "type": "object",
        "required": ["title", "status", "detail"],
        "properties": {
            "type": _WORDS,
            "title": _WORDS,
            "status": {"type": "integer"},
            "detail": _WORDS,
            "errors": {"type": "array", "items": field},
        },
    }


_MEANINGS = {
    400: "The body can't be read",
    401: "No good token",
    403: "The token is not good for this",
    404: "Not found, or asked by another caller",
    409: "Its state does not allow it, or the key was used for another question",
    410: "It has expired",
    413: "The body is too large",
    415: "The body is no JSON",
    422: "It does not fit; `errors` names the field",
    429: "Too many questions or streams",
    503: "The store can't be used now",
}


def _problems(*codes: int) -> Schema:
    kinds: Schema = {"application/problem+json": {"schema": _reference("Problem")}}
    # What refuses tokens, and too many streams, answers as for MCP.
    plain: dict[int, Schema] = {
        401: {**kinds, "application/json": {"schema": {"type": "object"}}},
        403: {"application/json": {"schema": {"type": "object"}}},
        429: {**kinds, "text/plain": {"schema": _WORDS}},
        503: {**kinds, "application/json": {"schema": {"type": "object"}}},
    }
    return {str(code): {"description": _MEANINGS[code], "content": plain.get(code, kinds)} for code in codes}


def _created(description: str) -> Schema:
    return {
        **_json(description, _reference("Handoff")),
        "headers": {"Location": {"schema": _WORDS}},
        "links": {
            name: {"operationId": name, "parameters": {"id": "$response.body#/id"}} for name in ("get", "cancel")
        },
    }


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _id() -> Schema:
    return {**_parameter("id", "path", {**_WORDS, "pattern": "^h_[0-9A-Za-z]+$"}), "required": True}


def _field(pattern: str) -> Schema:
    # Blanks around the value of a header are no part of it (RFC 9110, 5.5).
    return {**_WORDS, "pattern": f"^[ \\t]*{pattern}[ \\t]*$"}


def _parameter(name: str, place: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "schema": schema}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
