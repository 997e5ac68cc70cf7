"""The description of access requests, in OpenAPI 3.1: its paths, and its schemas."""

from collections.abc import Callable

from handoffs.api.access_requests.question import Status
from handoffs.api.access_requests.submission import MAX_TEXT, MAX_TOKEN
from handoffs.api.bodies import MAX_NOTE
from handoffs.core.form import Schema

Problems = Callable[..., Schema]

_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
_WORDS: Schema = {"type": "string"}
_OBJECT: Schema = {"type": "object"}
_TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$",
    "maxLength": 64,
}


def paths(key: Schema, problems: Problems) -> Schema:
    """Return the paths; `key` is the parameter of an Idempotency-Key, and `problems` describes those of some codes."""
    task: Schema = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^h_[0-9A-Za-z]+$"},
    }
    return {
        "/v1/access-requests": {"post": _submit(key, problems)},
        "/v1/access-requests/{id}": {
            "get": {
                "operationId": "getAccessRequest",
                "summary": "How an access request stands",
                "parameters": [task],
                "responses": {"200": _task("The task"), **problems(401, 403, 404, 410, 503)},
            }
        },
        "/v1/access-requests/{id}/cancel": {"post": _cancel(task, problems)},
        "/v1/access-requests/keys": {
            "get": {
                "operationId": "approvalKeys",
                "summary": "The public keys by which a decision point verifies an approval",
                "responses": {
                    "200": {
                        "description": "A JWK Set",
                        "content": {"application/jwk-set+json": {"schema": _OBJECT}},
                    },
                    **problems(401, 403),
                },
            }
        },
    }


def schemas() -> Schema:
    """Return the schemas, by name."""
    approval: Schema = {
        "type": "object",
        "required": ["id", "approved_at", "approved_until", "state"],
        "properties": {"id": _WORDS, "approved_at": _TIME, "approved_until": _TIME, "state": _WORDS},
    }
    return {
        "AccessRequest": _submission(),
        "AccessRequestTask": {
            "type": "object",
            "required": ["task"],
            "properties": {
                "task": {
                    "type": "object",
                    "required": ["id", "status", "status_endpoint", "expires_at", "links"],
                    "properties": {
                        "id": _WORDS,
                        "status": {**_WORDS, "enum": [each.value for each in Status]},
                        "status_endpoint": _WORDS,
                        "expires_at": _TIME,
                        "links": {"type": "object", "properties": {"cancel": _WORDS}},
                        "display": {"type": "object", "properties": {"title": _WORDS, "description": _WORDS}},
                    },
                },
                "result": {
                    "type": "object",
                    "description": "Of an approved task alone.",
                    "required": ["mode", "approval"],
                    "properties": {"mode": {"const": "reevaluate"}, "approval": approval},
                },
            },
        },
    }


def _submit(key: Schema, problems: Problems) -> Schema:
    headers: Schema = {"headers": {"Location": {"schema": _WORDS}}}
    links: Schema = {
        "links": {
            name: {"operationId": name, "parameters": {"id": "$response.body#/task/id"}}
            for name in ("getAccessRequest", "cancelAccessRequest")
        }
    }
    described = (
        "Names the request for good: the same key with the same body is the same task, with another body it is "
        "refused. Without it, the binding token names it."
    )
    return {
        "operationId": "requestAccess",
        "summary": "Have a person decide on what a decision point denied",
        "description": "The AuthZEN Access Request and Approval Profile 1.0, draft 1: single requests, re-evaluation.",
        "parameters": [{**key, "description": described}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AccessRequest"}}},
        },
        "responses": {
            "202": {**_task("A person is asked"), **headers, **links},
            "201": {**_task("It was asked before, with this key, and has ended"), **headers, **links},
            **problems(400, 401, 403, 409, 410, 413, 415, 422, 429, 503),
        },
    }


def _cancel(task: Schema, problems: Problems) -> Schema:
    text: Schema = {"type": "string", "maxLength": MAX_NOTE // 2}
    body: Schema = {
        "type": "object",
        "properties": {"reason": text, "comment": text},
        "additionalProperties": False,
    }
    return {
        "operationId": "cancelAccessRequest",
        "summary": "Withdraw an access request for good",
        "parameters": [task],
        "requestBody": {"required": False, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": _task("It is withdrawn"),
            **problems(400, 401, 403, 404, 409, 410, 413, 415, 422, 503),
        },
    }


def _submission() -> Schema:
    entity: Schema = {
        "type": "object",
        "required": ["type", "id"],
        "additionalProperties": False,
        "properties": {"type": _TEXT, "id": _TEXT, "properties": _OBJECT},
    }
    actor: Schema = {
        "type": "object",
        "required": ["id"],
        "additionalProperties": False,
        "properties": {"id": _TEXT, "type": _TEXT},
    }
    source: Schema = {
        "type": "object",
        "properties": {
            "session_id": _TEXT,
            "external_url": {**_TEXT, "pattern": "^https://"},
            "integration_id": _TEXT,
        },
    }
    return {
        "type": "object",
        "required": ["subject", "resource", "action", "denial"],
        "additionalProperties": False,
        "properties": {
            "subject": entity,
            "resource": entity,
            "action": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {"name": _TEXT, "properties": _OBJECT},
            },
            "context": _OBJECT,
            "denial": {
                "type": "object",
                "required": ["expires_at", "binding_token"],
                "additionalProperties": False,
                "properties": {
                    "evaluation_id": _TEXT,
                    "evaluated_at": _TIME,
                    "expires_at": _TIME,
                    "reason": _TEXT,
                    "binding_token": {**_TEXT, "maxLength": MAX_TOKEN},
                    "template": _TEXT,
                },
            },
            "requested_access": {
                "type": "object",
                "properties": {"requested_until": _TIME, "emergency": {"type": "boolean"}},
            },
            "client": {"type": "object", "properties": {"id": _TEXT, "name": _TEXT, "actor": actor, "source": source}},
        },
    }


def _task(description: str) -> Schema:
    schema: Schema = {"$ref": "#/components/schemas/AccessRequestTask"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
