"""A policy decision point of AuthZEN on this machine: it publishes its keys, and signs what it denied.

It follows the Authorization API 1.0 (metadata) and the Access Request and Approval Profile 1.0, draft 1 (the claims of
a binding token). No decision point that has the profile can be had here.
"""

import base64
import hashlib
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import rfc8785
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.access.issuing import Key
from tests.waiting import until_there

METADATA, KEYS = "/.well-known/authzen-configuration", "/jwks"

SUBJECT: dict[str, Any] = {"type": "user", "id": "alice@example.com", "properties": {"department": "Sales"}}
RESOURCE: dict[str, Any] = {"type": "table", "id": "users"}
ACTION: dict[str, Any] = {"name": "delete_rows", "properties": {"where": "id = 7"}}
CONTEXT: dict[str, Any] = {"tenant": "acme", "business_justification": "Asked to be forgotten"}


def moment(seconds: float) -> str:
    """The time so many seconds from now, as RFC 3339 has it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds").replace("+00:00", "Z")


def hash_of(subject: Any = SUBJECT, resource: Any = RESOURCE, action: Any = ACTION, context: Any = None) -> str:
    """The `binding_hash` of a denied evaluation."""
    whole: dict[str, Any] = {"subject": subject, "resource": resource, "action": action, "context": context or {}}
    return base64.urlsafe_b64encode(hashlib.sha256(rfc8785.dumps(whole)).digest()).rstrip(b"=").decode()


class DecisionPoint:
    """The decision point. What it publishes may be changed while it runs."""

    def __init__(self) -> None:
        self.key, self.stranger = Key("pdp-1", "ES256"), Key("pdp-1", "ES256")
        self.url, self.metadata, self.down = "", dict[str, Any](), False

    def token(self, audience: str, *, key: Key | None = None, **claims: Any) -> str:
        """A good binding token, but for what is given; None leaves a claim out."""
        now = int(time.time())
        usual = {
            "iss": self.url, "aud": audience, "iat": now, "exp": now + 300, "jti": uuid4().hex,
            "subject": SUBJECT, "resource": RESOURCE, "action": ACTION, "context": CONTEXT,
            "binding_context_members": ["tenant"], "evaluation_id": "eval_1",
        }  # fmt: skip
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return (key or self.key).sign(said)

    def denied(
        self, audience: str, *, key: Key | None = None, claims: dict[str, Any] | None = None, **members: Any
    ) -> Any:
        """The body of an access request; `members` stand in place of the usual ones, None leaves one out."""
        denial = {
            "evaluation_id": "eval_1", "expires_at": moment(600), "reason": "approval_required",
            "binding_token": self.token(audience, key=key, **(claims or {})),
        }  # fmt: skip
        usual = {"subject": SUBJECT, "resource": RESOURCE, "action": ACTION, "context": CONTEXT, "denial": denial}
        return {name: value for name, value in {**usual, **members}.items() if value is not None}

    async def answer(self, request: Request) -> Response:
        said = {METADATA: self.metadata, KEYS: {"keys": [self.key.public]}}.get(request.url.path)
        return Response(status_code=503) if self.down or said is None else JSONResponse(said)


@contextmanager
def decision_point() -> Generator[DecisionPoint]:
    """A decision point that answers, on a free port, while the block lasts."""
    point = DecisionPoint()
    app = Starlette(routes=[Route("/{path:path}", point.answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until_there(lambda: server.started)
    point.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    point.metadata = {"policy_decision_point": point.url, "jwks_uri": point.url + KEYS}
    try:
        yield point
    finally:
        server.should_exit = True
        thread.join(10)
