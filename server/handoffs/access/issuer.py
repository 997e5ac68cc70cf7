"""The metadata and signing keys of an OAuth issuer: cached for an hour, fetched by one caller at a time.

A policy decision point of AuthZEN publishes its keys likewise, at an address of its own.

Sources: RFC 8414 (metadata), OpenID Connect Discovery 1.0, RFC 7517 (keys), MCP 2025-11-25 authorization (the order of
the metadata addresses), AuthZEN Authorization API 1.0 (metadata of a decision point).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, cast
from urllib.parse import urlsplit

import anyio
import httpx2

from handoffs.access.addresses import is_private
from handoffs.access.unavailable import RETRY_SECONDS, Unavailable
from handoffs.core.ports import Clock
from handoffs.core.untrusted import inert_line

logger = logging.getLogger(__name__)

Key: TypeAlias = Mapping[str, object]
"""A public key as the issuer wrote it (RFC 7517)."""

KEEP = timedelta(hours=1)
"""How long keys are cached. A key that the issuer withdraws stays valid for as long."""

UNKNOWN = timedelta(seconds=30)
"""How soon an unknown key is looked up again: any client can send a token that names any key."""

ANSWER_SECONDS = 5
"""How long the issuer may take to reply."""

MAX_BYTES = 1_048_576

_KINDS = {"RSA", "EC", "OKP"}  # those with a public half


class Issuer:
    """The keys of one issuer."""

    def __init__(self, url: str, clock: Clock, *, decision_point: bool = False) -> None:
        """Take its address, exactly as its tokens have it. Nothing is fetched yet.

        With `decision_point`, it is a policy decision point of AuthZEN.
        """
        self.url = url
        self._name = "policy_decision_point" if decision_point else "issuer"
        self._addresses = [decision_point_address(url)] if decision_point else metadata_addresses(url)
        self._clock = clock
        self._keys: Sequence[Key] = ()
        self._metadata: Mapping[str, object] = {}
        self._read_at: datetime | None = None
        self._failed_at: datetime | None = None
        self._asking = anyio.Lock()

    async def key(self, kid: str | None) -> Key | None:
        """Return the key of this name, or None if the issuer has none. Without a name: its only key.

        Raises:
            Unavailable: The key is not cached, and the issuer can't be reached.
        """
        found = self._known(kid)
        if found is not None:
            return found
        async with self._asking:
            # The first caller has fetched the keys for all that waited.
            found = self._known(kid)
            if found is None and self._worth_asking():
                await self._read()
                found = self._known(kid)
            return found

    async def metadata(self) -> Mapping[str, object]:
        """Return what the issuer publishes of itself, as it was when its keys were read.

        Raises:
            Unavailable: It is not cached, and the issuer can't be reached.
        """
        async with self._asking:
            if self._age(self._read_at) >= KEEP and self._worth_asking():
                await self._read()
            return self._metadata

    def _known(self, kid: str | None) -> Key | None:
        if self._age(self._read_at) >= KEEP:
            return None
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.get("kid") == kid), None)

    def _worth_asking(self) -> bool:
        if self._age(self._failed_at) < timedelta(seconds=RETRY_SECONDS):
            raise Unavailable("the issuer could not be asked a moment ago")
        return self._age(self._read_at) >= UNKNOWN

    def _age(self, since: datetime | None) -> timedelta:
        return timedelta.max if since is None else self._clock.now() - since

    async def _read(self) -> None:
        try:
            self._metadata, self._keys = await self._fetched()
        except Unavailable as why:
            self._failed_at = self._clock.now()
            logger.warning("The issuer %s can't be asked for its keys: %s. What it signs is refused.", self.url, why)
            raise
        self._read_at, self._failed_at = self._clock.now(), None

    async def _fetched(self) -> tuple[Mapping[str, object], Sequence[Key]]:
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS) as client:
            metadata, uri = await self._found(client)
            written = (await _document(client, uri)).get("keys")
        keys = cast("list[object]", written) if isinstance(written, list) else []
        usable = [cast("Key", key) for key in keys if isinstance(key, dict) and _signs(cast("Key", key))]
        if not usable:
            raise Unavailable("it publishes no key that tokens can be checked with")
        return metadata, usable

    async def _found(self, client: httpx2.AsyncClient) -> tuple[Mapping[str, object], str]:
        problem = Unavailable("it has no metadata")
        for address in self._addresses:
            try:
                metadata = await _document(client, address)
            except Unavailable as why:
                problem = why
                continue
            # Otherwise a user with one page on its host could speak for it (RFC 8414, section 3.3).
            if metadata.get(self._name) != self.url:
                raise Unavailable(
                    f"its metadata is of another issuer, {inert_line(repr(metadata.get(self._name)), 200)}"
                )
            uri = metadata.get("jwks_uri")
            if not isinstance(uri, str) or not is_private(uri):
                raise Unavailable("its metadata names no https address of its keys")
            return metadata, uri
        raise problem


def metadata_addresses(issuer: str) -> list[str]:
    """Return the addresses of an issuer's metadata, in the order in which they are tried."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}/.well-known"
    places = [f"{base}/oauth-authorization-server{path}", f"{base}/openid-configuration{path}"]
    return [*places, f"{issuer.rstrip('/')}/.well-known/openid-configuration"] if path else places


def decision_point_address(url: str) -> str:
    """Return the address of a decision point's metadata."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/.well-known/authzen-configuration{parts.path.rstrip('/')}"


async def _document(client: httpx2.AsyncClient, url: str) -> Mapping[str, object]:
    """Return the JSON object at `url`. Redirects are not followed: they could lead anywhere."""
    body = bytearray()
    try:
        with anyio.fail_after(2 * ANSWER_SECONDS):
            async with client.stream("GET", url, headers={"accept": "application/json"}) as response:
                if response.status_code != 200:
                    raise Unavailable(f"{url} answers {response.status_code}")
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > MAX_BYTES:
                        raise Unavailable(f"{url} is too long")
        document: object = json.loads(body)
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as wrong:
        raise Unavailable(f"{url} can't be read ({type(wrong).__name__})") from None
    except (ValueError, RecursionError):
        raise Unavailable(f"{url} is no JSON") from None
    if not isinstance(document, dict):
        raise Unavailable(f"{url} is no JSON object")
    return cast("Mapping[str, object]", document)


def _signs(key: Key) -> bool:
    operations = key.get("key_ops")
    verifies = not isinstance(operations, list) or "verify" in cast("list[object]", operations)
    return key.get("kty") in _KINDS and key.get("use", "sig") == "sig" and verifies
