"""An OpenID provider on this machine: a stand-in that follows OpenID Connect Core 1.0 (code flow, UserInfo), RFC 7636.

It is strict where the specifications are: it takes a code once, for the redirect address and the PKCE challenge that
the code was asked for with, from the client that asked. What it says can be bent, as a faulty or foreign provider says
it.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tests.access.issuing import OPENID, LocalIssuer, local_issuer

CLIENT = "handoffs-inbox"
SECRET = "a secret of the inbox"


@dataclass
class Asked:
    """What one authorization was asked for with."""

    redirect_uri: str
    challenge: str
    nonce: str


class LocalProvider(LocalIssuer):
    """The provider. Its user and what it says may be changed while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.user: dict[str, Any] = {"sub": "00u1", "email": "ada@example.com", "email_verified": True}
        self.claims: dict[str, Any] = {}
        """What its next ID tokens say otherwise; None leaves a claim out."""
        self.token_of: Callable[[dict[str, Any]], str] | None = None
        """What signs instead of its own key."""
        self.in_userinfo: dict[str, Any] | None = None
        self.error = ""
        self.secret: str | None = SECRET
        self.asks = False
        """Whether it shows a page with a button."""
        self.gone = False
        self.codes: dict[str, Asked] = {}
        self.authorized: list[dict[str, str]] = []
        self.exchanged: list[dict[str, str]] = []

    def starts_at(self, url: str) -> None:
        super().starts_at(url)
        self.openid_only = True
        self.metadata |= {
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "userinfo_endpoint": f"{url}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    async def answer(self, request: Request) -> Response:
        match request.url.path:
            case _ if self.gone:
                return Response("<h1>Bad gateway</h1>", 502)
            case "/authorize":
                return self.authorize(request)
            case "/token":
                return await self.exchange(request)
            case "/userinfo" if (
                self.in_userinfo is not None and request.headers.get("authorization") == "Bearer opaque"
            ):
                return JSONResponse(self.in_userinfo)
            case "/userinfo":
                return Response(status_code=401)
            case _:
                return await super().answer(request)

    def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if self.asks and "agreed" not in asked:
            fields = "".join(f'<input type="hidden" name="{k}" value="{escape(v)}">' for k, v in asked.items())
            return HTMLResponse(f"<form>{fields}<button name=agreed value=yes>Continue as Ada</button></form>")
        self.authorized.append(asked)
        return RedirectResponse(self.back(asked), 303)

    def back(self, asked: dict[str, str]) -> str:
        """Return where the browser is sent back to, with a code or an error."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        if self.error:
            said = {"error": self.error, "error_description": "<b>no</b>", "state": asked["state"]}
        else:
            code = f"code-{len(self.authorized)}-{len(self.codes)}"
            self.codes[code] = Asked(asked["redirect_uri"], asked["code_challenge"], asked["nonce"])
            said = {"code": code, "state": asked["state"]}
        return f"{asked['redirect_uri']}?{urlencode(said)}"

    async def exchange(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.exchanged.append(form)
        if not self._is_the_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form.get("code", ""), None)
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
        if asked is None or (asked.redirect_uri, asked.challenge) != (form.get("redirect_uri"), challenge):
            return JSONResponse({"error": "invalid_grant", "error_description": "of a stranger"}, 400)
        now = int(time.time())
        usual = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked.nonce, **self.user}
        said = {name: value for name, value in {**usual, **self.claims}.items() if value is not None}
        token = self.token_of(said) if self.token_of else self.key.sign(said)
        return JSONResponse({"access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": token})

    def _is_the_client(self, request: Request, form: dict[str, str]) -> bool:
        if self.secret is None:
            return form.get("client_id") == CLIENT and "authorization" not in request.headers
        if self.metadata.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT, self.secret)
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic "))
        return given.decode() == f"{CLIENT}:{self.secret}"


def code_in(address: str) -> str:
    """Return the code of an address to which the provider sends a browser back."""
    return unquote(parse_qs(address.partition("?")[2])["code"][0])


@contextmanager
def local_provider() -> Generator[LocalProvider]:
    """A provider that answers, on a free port, while the block lasts."""
    with local_issuer(LocalProvider()) as provider:
        assert isinstance(provider, LocalProvider)
        yield provider


__all__ = ["CLIENT", "OPENID", "SECRET", "LocalProvider", "code_in", "local_provider"]
