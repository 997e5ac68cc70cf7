"""Sign-in at an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).

Authlib builds the requests and checks what an ID token claims; its signature is checked by the keys that `Issuer`
caches. The provider's tokens are used for this one sign-in and are not kept.
"""

import json
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self, cast

import anyio
import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from handoffs.access.addresses import is_private
from handoffs.access.issuer import ANSWER_SECONDS, Issuer
from handoffs.access.signed import LEEWAY_SECONDS, Refused, verified
from handoffs.access.unavailable import Unavailable
from handoffs.core.identity import Identity, IdentityRefused, ProviderUnavailable, SignInRequest, SignInResponse
from handoffs.core.ports import Clock
from handoffs.core.untrusted import inert_line

logger = logging.getLogger(__name__)

EMAIL = "email"
"""The claim that names people by their verified email address."""

SCOPE = "openid email profile"

MAX_NAME = 255
"""The most characters of a name that the provider gives."""

_NOBODY = "Nobody was signed in."

Claims = Mapping[str, object]


class _Client(Protocol):
    """What is used of Authlib's client, which has no types."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def create_authorization_url(self, url: str, *, state: str, nonce: str, code_verifier: str) -> tuple[str, str]: ...

    async def fetch_token(self, url: str, *, grant_type: str, code: str, code_verifier: str) -> Claims: ...

    async def get(self, url: str) -> httpx2.Response: ...


class OpenIdProvider:
    """Signs people in by an OpenID provider."""

    def __init__(
        self, issuer: Issuer, clock: Clock, *, client_id: str, client_secret: str | None = None, claim: str = EMAIL
    ) -> None:
        """Take the issuer, what it knows this inbox by, and the claim that names people. Nothing is fetched yet."""
        self._issuer, self._clock = issuer, clock
        self._client_id, self._client_secret, self._claim = client_id, client_secret, claim
        self._needed = {claim, "email_verified"} if claim == EMAIL else {claim}

    @property
    def name(self) -> str:
        """The host of the provider, by which people know it."""
        return self._issuer.url.partition("://")[2].partition("/")[0]

    async def address(self, request: SignInRequest) -> str:
        """Return where the browser is sent to sign in. Raises ProviderUnavailable."""
        metadata = await self._metadata()
        url, _ = self._client(OAuth2Client, metadata, request, session=None).create_authorization_url(
            self._endpoint(metadata, "authorization_endpoint"),
            state=request.state,
            nonce=request.nonce,
            code_verifier=request.verifier,
        )
        return url

    async def identity(self, request: SignInRequest, response: SignInResponse) -> Identity:
        """Return whom the provider names.

        Raises:
            IdentityRefused: It names nobody, or what it says can't be believed.
            ProviderUnavailable: It can't be reached now.
        """
        metadata = await self._metadata()
        # RFC 9207: an answer of another provider, to a browser that was sent to this one.
        says_so = metadata.get("authorization_response_iss_parameter_supported") is True
        if response.issuer != self._issuer.url and (says_so or response.issuer is not None):
            raise IdentityRefused(f"Another provider than {self._issuer.url} has answered. {_NOBODY}")
        token_url = self._endpoint(metadata, "token_endpoint")
        try:
            with anyio.fail_after(2 * ANSWER_SECONDS):
                async with self._online(metadata, request) as client:
                    tokens = await client.fetch_token(
                        token_url,
                        grant_type="authorization_code",
                        code=response.code,
                        code_verifier=request.verifier,
                    )
                    claims = await self._claims(tokens, request.nonce)
                    if not self._needed <= claims.keys() and "userinfo_endpoint" in metadata:
                        claims = await self._with_userinfo(client, claims, metadata)
        except OAuthError as refused:
            raise self._not_exchanged(str(cast("object", refused.error))) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, TimeoutError) as wrong:
            raise self._away(f"{token_url} can't be used ({type(wrong).__name__})") from None
        return self._named(claims)

    async def _metadata(self) -> Claims:
        try:
            return await self._issuer.metadata()
        except Unavailable as why:
            raise self._away(str(why)) from None

    def _endpoint(self, metadata: Claims, name: str) -> str:
        url = metadata.get(name)
        if not isinstance(url, str) or not is_private(url):
            raise self._away(f"its metadata names no https address as {name}")
        return url

    def _client(self, kind: object, metadata: Claims, request: SignInRequest, **options: object) -> _Client:
        return cast("Callable[..., _Client]", kind)(
            client_id=self._client_id,
            client_secret=self._client_secret,
            token_endpoint_auth_method=self._auth_method(metadata),
            scope=SCOPE,
            redirect_uri=request.callback,
            code_challenge_method="S256",
            **options,
        )

    def _online(self, metadata: Claims, request: SignInRequest) -> _Client:
        # Its access token is used at once, and may last for less than the usual leeway of a minute.
        return self._client(AsyncOAuth2Client, metadata, request, timeout=ANSWER_SECONDS, leeway=0)

    def _auth_method(self, metadata: Claims) -> str:
        if self._client_secret is None:
            return "none"
        named = metadata.get("token_endpoint_auth_methods_supported")
        methods = cast("list[object]", named) if isinstance(named, list) else ["client_secret_basic"]
        only_posted = "client_secret_post" in methods and "client_secret_basic" not in methods
        return "client_secret_post" if only_posted else "client_secret_basic"

    async def _claims(self, tokens: Claims, nonce: str) -> Claims:
        """Return the claims of the ID token, checked as OpenID Connect Core 1.0, section 3.1.3.7, demands."""
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise IdentityRefused(f"The provider did not say who you are: it sent no ID token. {_NOBODY}")
        try:
            required = ["exp", "iat", "iss", "aud", "sub", "nonce"]
            signed = await verified(
                id_token, self._issuer, audience=self._client_id, require=required, check_times=False
            )
            access_token = tokens.get("access_token")
            params = {"nonce": nonce, "client_id": self._client_id}
            if isinstance(access_token, str):
                params["access_token"] = access_token  # the ID token may have its hash
            checked = CodeIDToken(dict(signed.claims), dict(signed.header), params=params)
            checked.validate(now=int(self._clock.now().timestamp()), leeway=LEEWAY_SECONDS)  # pyright: ignore[reportUnknownMemberType]
        except Unavailable as why:
            raise self._away(str(why)) from None
        except (Refused, JoseError, ValueError, TypeError, OverflowError) as wrong:
            why = str(wrong) if isinstance(wrong, Refused) else type(wrong).__name__
            logger.warning("An ID token of %s is refused: %s.", self._issuer.url, why)
            raise IdentityRefused(
                f"What the provider says of you can't be believed ({inert_line(why, 100)}). It may be of another "
                f"sign-in, or its clock and this machine's differ. {_NOBODY} Begin again."
            ) from None
        return signed.claims

    async def _with_userinfo(self, client: _Client, claims: Claims, metadata: Claims) -> Claims:
        """Return the claims with those of the UserInfo endpoint, where many providers keep the email address."""
        response = await client.get(self._endpoint(metadata, "userinfo_endpoint"))
        if 400 <= response.status_code < 500:
            return claims  # it has nothing to say to us
        response.raise_for_status()
        try:
            read: object = json.loads(response.content)
        except RecursionError:
            read = None
        info: Claims = cast("Claims", read) if isinstance(read, dict) else {}
        # Section 5.3.2: otherwise it may be of somebody else.
        if info.get("sub") != claims.get("sub"):
            raise IdentityRefused(f"The provider says two different things of who you are. {_NOBODY}")
        return {**info, **claims}

    def _named(self, claims: Claims) -> Identity:
        name = claims.get(self._claim)
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or inert_line(name, MAX_NAME) != name:
            raise IdentityRefused(
                f"The provider gives no name of yours as {self._claim!r} that can be used here. {_NOBODY} Whoever runs "
                "this inbox looks at HANDOFFS_INBOX_OIDC_CLAIM, and at what the provider tells it."
            )
        if self._claim != EMAIL:
            return Identity(shown=name, login=name)
        # Some providers write it as a text (AWS Cognito).
        if claims.get("email_verified") is not True and claims.get("email_verified") != "true":
            raise IdentityRefused(
                f"The provider has not verified that the email address {name} is yours: have it verified there. "
                f"{_NOBODY}"
            )
        return Identity(shown=name, login=name, email=name)

    def _not_exchanged(self, error: str) -> IdentityRefused:
        said = inert_line(error, 60)
        logger.warning("A sign-in at %s is refused: its answer to the code is %s.", self._issuer.url, said)
        return IdentityRefused(
            f"The provider does not accept this sign-in ({said}): it took too long, or was used before. {_NOBODY} "
            "Begin again. If it goes on, whoever runs this inbox looks at its client id and secret."
        )

    def _away(self, why: str) -> ProviderUnavailable:
        logger.warning("Nobody can sign in at %s: %s.", self._issuer.url, why)
        return ProviderUnavailable(f"{self._issuer.url} can't be reached now. {_NOBODY} Try again in a moment.")
