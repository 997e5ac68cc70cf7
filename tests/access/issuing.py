"""An OAuth issuer on this machine: it publishes its metadata and keys over HTTP, and signs what a test wants signed."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.waiting import until_there

METADATA = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
KEYS = "/keys"

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
"""Made once: it takes a tenth of a second."""


class Key:
    """A key pair: what signs, and what is published of it."""

    def __init__(self, kid: str, algorithm: str) -> None:
        self.kid, self.algorithm = kid, algorithm
        match algorithm[:2]:
            case "ES":
                self.private: Any = ec.generate_private_key(ec.SECP256R1())
                jwk = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
            case "Ed":
                self.private = ed25519.Ed25519PrivateKey.generate()
                jwk = OKPAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
            case _:
                self.private = RSA
                jwk = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        self.public: dict[str, Any] = {**jwk, "kid": kid, "use": "sig"}

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        said = {name: value for name, value in {"kid": self.kid, **headers}.items() if value is not None}
        return jwt.encode(claims, self.private, algorithm=self.algorithm, headers=said)


class LocalIssuer:
    """The issuer. What it publishes may be changed while it runs."""

    def __init__(self) -> None:
        self.key = Key("first", "ES256")
        self.keys: list[dict[str, Any]] = [self.key.public]
        self.metadata: dict[str, Any] = {}
        self.redirects: dict[str, str] = {}
        self.openid_only = False
        self.down = False
        self.asked: list[str] = []
        self.url = ""

    def starts_at(self, url: str) -> None:
        self.url = url
        self.metadata = {"issuer": url, "jwks_uri": url + KEYS}

    def token(self, key: Key | None = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a good token, but for what is given; None leaves a claim out."""
        now = int(time.time())
        usual = {"iss": self.url, "sub": "ada", "aud": "http://server/mcp", "iat": now, "exp": now + 600}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return (key or self.key).sign(said, **(headers or {}))

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(path)
        if self.down:
            return Response(status_code=503)
        if path in self.redirects:
            return RedirectResponse(self.redirects[path])
        if path == KEYS:
            return JSONResponse({"keys": self.keys})
        if path == (OPENID if self.openid_only else METADATA):
            return JSONResponse(self.metadata)
        return Response(status_code=404)


@contextmanager
def local_issuer(issuer: LocalIssuer | None = None) -> Generator[LocalIssuer]:
    """An issuer that answers, on a free port, while the block lasts."""
    issuer = issuer or LocalIssuer()
    app = Starlette(routes=[Route("/{path:path}", issuer.answer, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until_there(lambda: server.started)
    issuer.starts_at(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    try:
        yield issuer
    finally:
        server.should_exit = True
        thread.join(10)
