"""The token of the local user: who can read it may call `serve --http` on this machine, as that user.

The first start makes it. It is in a file of 0600 in the data folder, and never in the store, which other machines may
share. It proves what the file system proves: that the caller runs as this user. So questions, answers and secrets are
the user's own, as they are on stdio.
"""

import hmac
from collections.abc import Sequence
from pathlib import Path

from mcp.server.auth.provider import AccessToken

from handoffs import kept
from handoffs.access.tokens import PREFIX, digest_of, new_token

LOCAL = PREFIX + "local_"
"""By which people know it from the tokens of `handoffs token add`."""

FILE = "local-token"
"""Its file, in the data folder."""

SHORTEST = len(LOCAL) + 40


class NotKept(Exception):
    """There is no token of the local user, and none can be made; the message says why, and what to do."""


class LocalToken:
    """The token of the local user, and the file that it is in."""

    def __init__(self, data: Path) -> None:
        """Take the data folder, which nothing has touched yet."""
        self.path = data / FILE
        self._read: tuple[object, str | None] = (None, None)  # the file as it was, and what was in it

    def current(self) -> str | None:
        """Return the token; None where there is none, or it can't be read."""
        try:
            found = self.path.stat()
            file = found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode, found.st_uid
            if file != self._read[0]:  # each request asks
                self._read = file, kept.read(self.path)
        except OSError:
            return None
        token = self._read[1]
        return token if token is not None and _is_one(token) else None

    def ensure(self) -> tuple[str, bool]:
        """Return the token, and whether it was made just now.

        Raises:
            NotKept: It can't be read, or not be written.
        """
        try:
            before = kept.read(self.path)
            token = before if before is not None else kept.make(self.path, _new)
        except OSError as wrong:
            raise NotKept(f"{self.path} can't be used ({wrong.strerror or wrong}). {OTHERWISE}") from None
        if token is None or not _is_one(token):
            raise NotKept(f"{self.path} holds no token. Remove it, and a new one is made.")
        return token, before is None

    def renew(self) -> str:
        """Return a new token, from now on the only one. Raises NotKept."""
        token = _new()
        try:
            kept.replace(self.path, token)
        except OSError as wrong:
            raise NotKept(f"{self.path} can't be written ({wrong.strerror or wrong}).") from None
        return token


OTHERWISE = (
    "Callers on this machine show the token that is kept there. Make the folder writable, or name another one with "
    "XDG_DATA_HOME; or give each caller a token with `handoffs token add`, and set HANDOFFS_TOKENS=on."
)


class _Local(AccessToken):
    """What the local user was let in by."""


class LocalUser:
    """Knows the local user by the token in the file, as it is when a request comes."""

    kind = _Local

    def __init__(self, token: LocalToken, *, subject: str, scopes: Sequence[str] = ()) -> None:
        """Take the token, and the name of the operating system's user, who is nobody else than on stdio."""
        self._token, self._subject, self._scopes = token, subject, list(scopes)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the local user where it is their token; None where it is another."""
        current = self._token.current() if token.startswith(LOCAL) else None
        if current is None or not hmac.compare_digest(token.encode(errors="replace"), current.encode()):
            return None
        return _Local(
            token=digest_of(token),  # nobody needs the token itself any more
            client_id=self._subject,
            subject=self._subject,
            scopes=self._scopes,
        )

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return those that another one has taken the place of."""
        if not tokens:
            return ()
        current = self._token.current()
        return [token for token in tokens if current is None or token.token != digest_of(current)]


def _new() -> str:
    return LOCAL + new_token().removeprefix(PREFIX)


def _is_one(token: str) -> bool:
    return token.startswith(LOCAL) and len(token) >= SHORTEST and token.isascii() and token.isprintable()
