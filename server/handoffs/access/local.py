"""The token of the local user: a program that can read it may call `serve --http` on this machine, as that user.

The first start makes it. It is in a file of mode 0600 in the data folder, and never in the store, which other machines
may share. It proves the same as the file system: that the caller runs as this user. So the caller has the user's own
questions, answers and secrets, as on stdio.
"""

import hmac
from collections.abc import Sequence
from pathlib import Path

from mcp.server.auth.provider import AccessToken

from handoffs import secret_files
from handoffs.access.tokens import PREFIX, digest_of, new_token

LOCAL = PREFIX + "local_"
"""The prefix that tells it from tokens of `handoffs token add`."""

FILE = "local-token"
"""Its file, in the data folder."""

SHORTEST = len(LOCAL) + 40


class LocalTokenError(Exception):
    """The local user has no token, and none can be made. The message says why, and what to do."""


class LocalToken:
    """The token of the local user, in its file."""

    def __init__(self, data: Path) -> None:
        """Take the data folder. Nothing is read yet."""
        self.path = data / FILE
        self._read: tuple[object, str | None] = (None, None)  # the file's state, and its content then

    def current(self) -> str | None:
        """Return the token; None if there is none, or it can't be read."""
        try:
            found = self.path.stat()
            file = found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode, found.st_uid
            if file != self._read[0]:  # every request comes here
                self._read = file, secret_files.read(self.path)
        except OSError:
            return None
        token = self._read[1]
        return token if token is not None and _is_one(token) else None

    def ensure(self) -> tuple[str, bool]:
        """Return the token, and whether it was made just now.

        Raises:
            LocalTokenError: The file can't be read or written.
        """
        try:
            before = secret_files.read(self.path)
            token = before if before is not None else secret_files.make(self.path, _new)
        except OSError as wrong:
            raise LocalTokenError(f"{self.path} can't be used ({wrong.strerror or wrong}). {OTHERWISE}") from None
        if token is None or not _is_one(token):
            raise LocalTokenError(f"{self.path} holds no token. Remove it, and a new one is made.")
        return token, before is None

    def renew(self) -> str:
        """Return a new token, which replaces the old one. Raises LocalTokenError."""
        token = _new()
        try:
            secret_files.replace(self.path, token)
        except OSError as wrong:
            raise LocalTokenError(f"{self.path} can't be written ({wrong.strerror or wrong}).") from None
        return token


OTHERWISE = (
    "Callers on this machine authenticate with the token in it. Make the folder writable, or name another one with "
    "XDG_DATA_HOME; or give each caller a token with `handoffs token add`, and set HANDOFFS_TOKENS=on."
)


class _Local(AccessToken):
    """The access token of the local user."""


class LocalUser:
    """Verifies the local user's token, as it is in the file when a request comes."""

    kind = _Local

    def __init__(self, token: LocalToken, *, subject: str, scopes: Sequence[str] = ()) -> None:
        """Take the token, and the operating system's user name: the same subject as on stdio."""
        self._token, self._subject, self._scopes = token, subject, list(scopes)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the local user if this is their token; else None."""
        current = self._token.current() if token.startswith(LOCAL) else None
        if current is None or not hmac.compare_digest(token.encode(errors="replace"), current.encode()):
            return None
        return _Local(
            token=digest_of(token),  # the token itself is not needed any more
            client_id=self._subject,
            subject=self._subject,
            scopes=self._scopes,
        )

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return the tokens that were replaced by another one."""
        if not tokens:
            return ()
        current = self._token.current()
        return [token for token in tokens if current is None or token.token != digest_of(current)]


def _new() -> str:
    return LOCAL + new_token().removeprefix(PREFIX)


def _is_one(token: str) -> bool:
    return token.startswith(LOCAL) and len(token) >= SHORTEST and token.isascii() and token.isprintable()
