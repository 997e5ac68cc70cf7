"""Signing in to the inbox: one-time codes, and the sessions that they open.

A process that can read the key in the folder (`handoffs inbox` in a terminal) makes a code, and the inbox, another
process, redeems it: the code carries its expiry and is signed with that key. The used codes and open sessions, which
must survive a restart, are in one file. It has only their hashes, so that a reader of the file can't sign in with them.
A session may be bound to a page's key (`page_keys`): those are kept apart, so that an earlier version of the program,
which would ask for no signature, does not know them.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict, cast
from urllib.parse import urlencode

from filelock import FileLock

from handoffs.core.identity import Identity
from handoffs.core.sentences import say
from handoffs.signing import expiry_of, opened, seal

CODE_SECONDS = 600
"""How long a one-time code can be redeemed."""

NAMED_HOURS = 12
"""How long somebody stays signed in whom a provider named, and who is none of the store's people."""

SESSION_DAYS = 30
"""How long a browser stays signed in."""

WRONG_CODES = 5
"""How many wrong codes are accepted in a minute; then no invalid one is checked until the minute is over."""

_KEY_BYTES = 32
_MAX_CODE = 200
_MAX_TOKEN = 200


class CodeRefused(Exception):
    """The code does not sign in: it is wrong, too old, or was used before. Make a new one with `handoffs inbox`."""


class TooManyTries(CodeRefused):
    """Too many wrong codes or passwords within a minute."""


class _NamedSession(TypedDict):
    """A session of somebody whom a provider named."""

    ends: int
    shown: str
    login: str
    email: str
    key: str
    """The page's key; empty where it has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenSession:
    """A browser that is signed in."""

    csrf: str
    page_key: str
    """The public key that signs each of its posts; empty where it has none."""


@dataclass(kw_only=True, slots=True)
class _SessionFile:
    """The content of the file: expiry times in seconds since 1970, by hash. Sessions with a page's key are apart."""

    sessions: dict[str, int] = field(default_factory=dict)
    keyed: dict[str, tuple[int, str]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    named: dict[str, _NamedSession] = field(default_factory=dict)
    """Apart from `sessions`: an earlier version, which drops what it does not know, must take none for the user's."""

    def drop_ended(self, now: float) -> None:
        self.sessions = {key: ends for key, ends in self.sessions.items() if ends > now}
        self.keyed = {key: kept for key, kept in self.keyed.items() if kept[0] > now}
        self.used = {key: ends for key, ends in self.used.items() if ends > now}
        self.named = {key: each for key, each in self.named.items() if each["ends"] > now}

    def written(self) -> bytes:
        kept = {"sessions": self.sessions, "keyed": self.keyed, "used": self.used, "named": self.named}
        return json.dumps(kept).encode()


def sign_in_link(base_url: str, code: str, next: str = "/") -> str:  # noqa: A002 - the word of the address
    """Return the address that signs a browser in once and goes on to `next`, a path of the inbox."""
    return f"{base_url.rstrip('/')}/sign-in?{urlencode({'code': code, 'next': local_path(next)})}"


def local_path(path: str) -> str:
    """Return `path` if it is one of the inbox's own, else `/`: signing in never redirects to another site."""
    printable = path.isascii() and path.isprintable() and " " not in path
    inside = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if printable and inside and not path.startswith("/sign-in") else "/"


class SignIn:
    """Codes and sessions, stored in a folder that only its owner can read."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Take the folder of the key and the sessions; created on first use, 0600 files in a 0700 folder."""
        self._folder = folder
        self._clock = clock
        self._wrong: deque[datetime] = deque()
        self._seen: tuple[int, int, int] | None = None
        self._content = _SessionFile()

    @property
    def cookie(self) -> str:
        """The name of the session's cookie. It differs for each key, since browsers share cookies between ports."""
        return f"handoffs_{self._mac('cookie', '')[:12]}"

    def make_code(self) -> str:
        """Return a code that signs one browser in, once, within ten minutes; any process with the key can make one."""
        ends = int((self._clock() + timedelta(seconds=CODE_SECONDS)).timestamp())
        body = f"{secrets.token_urlsafe(16)}.{ends}"
        return f"{body}.{self._mac('code', body)}"

    def redeem(self, code: str, page_key: str = "") -> str:
        """Return the token of a new session for a code, which can't be used again; bound to a page's key, if one came.

        Raises:
            TooManyTries: Five wrong codes came within a minute.
            CodeRefused: The code is wrong, too old or used.
        """
        now = self._clock()
        ends = self._checked(code)
        if ends is None:
            # Only invalid codes are limited, so that strangers can't keep out a person with a valid one.
            self._limit_tries(now)
            self._wrong.append(now)
            raise CodeRefused(say("This link is wrong, too old, or was used before."))
        with self._locked() as content:
            if ends <= now.timestamp() or _hash(code) in content.used:
                raise CodeRefused(say("This link is wrong, too old, or was used before."))
            content.used[_hash(code)] = ends
            return _new_session(content, now, page_key)

    def admit(self, given: str, password: str, page_key: str = "") -> str:
        """Return the token of a new session for a person who gave the password, as `redeem` does.

        Raises:
            TooManyTries: Five wrong passwords came within a minute.
            CodeRefused: The password is wrong.
        """
        now = self._clock()
        self._limit_tries(now)
        if not hmac.compare_digest(given.encode(errors="replace"), password.encode(errors="replace")):
            self._wrong.append(now)
            raise CodeRefused(say("That is not the password."))
        with self._locked() as content:
            return _new_session(content, now, page_key)

    def admit_named(self, identity: Identity) -> str:
        """Return the token of a new session for somebody whom a provider named."""
        token = secrets.token_urlsafe(32)
        ends = int((self._clock() + timedelta(hours=NAMED_HOURS)).timestamp())
        with self._locked() as content:
            content.named[_hash(token)] = {
                "ends": ends,
                "shown": identity.shown,
                "login": identity.login,
                "email": identity.email,
                "key": "",
            }
        return token

    def named(self, token: str) -> tuple[Identity, OpenSession] | None:
        """Return whom a provider named in an open session, and the session; None where there is none."""
        if not token or len(token) > _MAX_TOKEN:
            return None
        self._refresh()
        kept = self._content.named.get(_hash(token))
        if kept is None or kept["ends"] <= self._clock().timestamp():
            return None
        identity = Identity(shown=kept["shown"], login=kept["login"], email=kept["email"])
        return identity, OpenSession(csrf=self._mac("csrf", token), page_key=kept["key"])

    def sealed(self, purpose: str, text: str) -> str:
        """Return 43 letters that only holders of the key can compute for a text: a secret, or a proof of ours."""
        return self._mac(f"sealed {purpose}", text)

    def vouched(self, user: str) -> str:
        """Return the CSRF token of a user whom a proxy authenticates at every request."""
        return self._mac("proxy", user)

    def session(self, token: str) -> OpenSession | None:
        """Return an open session, or None."""
        if not token or len(token) > _MAX_TOKEN:
            return None
        self._refresh()
        key = _hash(token)
        ends, page_key = self._content.keyed.get(key) or (self._content.sessions.get(key, 0), "")
        if ends <= self._clock().timestamp():
            return None
        return OpenSession(csrf=self._mac("csrf", token), page_key=page_key)

    def bind(self, token: str, page_key: str) -> bool:
        """Give a session without a page's key this one; False where it has another, or there is no such session."""
        with self._locked() as content:
            key = _hash(token)
            if (named := content.named.get(key)) is not None:
                named["key"] = named["key"] or page_key
                return named["key"] == page_key
            ends = content.sessions.pop(key, None)
            if ends is not None:
                content.keyed[key] = ends, page_key
            return content.keyed.get(key, (0, ""))[1] == page_key

    def end(self, token: str) -> None:
        """Close a session; an unknown one is no error."""
        with self._locked() as content:
            content.sessions.pop(_hash(token), None)
            content.keyed.pop(_hash(token), None)
            content.named.pop(_hash(token), None)

    def _limit_tries(self, now: datetime) -> None:
        while self._wrong and now - self._wrong[0] >= timedelta(minutes=1):
            self._wrong.popleft()
        if len(self._wrong) >= WRONG_CODES:
            raise TooManyTries(say("Too many wrong tries: wait a minute."))

    def _checked(self, code: str) -> int | None:
        """Return when a valid code expires; None when its signature is not valid."""
        code = code if len(code) <= _MAX_CODE and code.isascii() else ""
        body = opened(code, [self._key()], "code", written=_written)
        return None if body is None else expiry_of(body)

    def _mac(self, what: str, text: str) -> str:
        return _written(seal(self._key(), what, text))

    def _key(self) -> bytes:
        path = self._made() / "sign-in.key"
        try:
            key = _private(path).read_bytes()
        except FileNotFoundError:
            new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
            _write(new, secrets.token_bytes(_KEY_BYTES))
            try:
                os.link(new, path)  # atomic, and never overwrites the key of another process
            except FileExistsError:
                pass
            finally:
                new.unlink(missing_ok=True)
            key = path.read_bytes()
        if len(key) < _KEY_BYTES:
            raise OSError(f"The key {path} is damaged: delete it, and sign in again.")
        return key

    def _made(self) -> Path:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _private(self._folder)

    @contextmanager
    def _locked(self) -> Generator[_SessionFile]:
        """Yield the file's content to change, under a lock between processes; it is written unless the block raises."""
        with FileLock(self._made() / "sign-in.lock", timeout=10, mode=0o600):
            self._seen = None
            self._refresh()
            content = self._content
            yield content
            content.drop_ended(self._clock().timestamp())
            new = self._file.with_name(f"{self._file.name}.{secrets.token_hex(4)}")
            _write(new, content.written())
            new.replace(self._file)

    def _refresh(self) -> None:
        """Read the file again if it has changed."""
        try:
            stat = _private(self._file).stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._content = _parsed(self._file.read_bytes())
                self._seen = seen
        except FileNotFoundError:
            self._content, self._seen = _SessionFile(), None

    @property
    def _file(self) -> Path:
        return self._folder / "sessions.json"


def _new_session(content: _SessionFile, now: datetime, page_key: str) -> str:
    token = secrets.token_urlsafe(32)
    ends = int((now + timedelta(days=SESSION_DAYS)).timestamp())
    if page_key:
        content.keyed[_hash(token)] = ends, page_key
    else:
        content.sessions[_hash(token)] = ends
    return token


def _parsed(data: bytes) -> _SessionFile:
    """Return the content of the file. An invalid file has no sessions, and is written anew."""
    try:
        read = json.loads(data)
    except ValueError:
        read = None
    given = cast("dict[str, object]", read) if isinstance(read, dict) else {}
    return _SessionFile(
        sessions=_numbers(given.get("sessions")),
        keyed=_with_keys(given.get("keyed")),
        used=_numbers(given.get("used")),
        named=_named(given.get("named")),
    )


def _numbers(given: object) -> dict[str, int]:
    if not isinstance(given, dict):
        return {}
    return {k: v for k, v in cast("dict[str, object]", given).items() if isinstance(v, int)}


def _with_keys(given: object) -> dict[str, tuple[int, str]]:
    """Return the sessions that have a key. One whose key can't be read is none: it would take posts without it."""
    found: dict[str, tuple[int, str]] = {}
    for key, kept in cast("dict[str, object]", given).items() if isinstance(given, dict) else ():
        match kept:
            case [int(ends), str(page_key)] if page_key:
                found[key] = ends, page_key
            case _:
                pass
    return found


def _written(seal: bytes) -> str:
    return base64.urlsafe_b64encode(seal).rstrip(b"=").decode()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _private(path: Path) -> Path:
    """Return a path after making it readable for its owner only."""
    if os.name != "nt" and (mode := path.stat().st_mode) & 0o077:
        path.chmod(mode & 0o700)
    return path


def _named(given: object) -> dict[str, _NamedSession]:
    if not isinstance(given, dict):
        return {}
    found: dict[str, _NamedSession] = {}
    for key, each in cast("dict[str, object]", given).items():
        match each:
            case {
                "ends": int(ends),
                "shown": str(shown),
                "login": str(login),
                "email": str(email),
                "key": str(page_key),
            }:
                found[key] = {"ends": ends, "shown": shown, "login": login, "email": email, "key": page_key}
            case _:
                pass
    return found
