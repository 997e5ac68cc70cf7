"""`handoffs token`: adds, lists and revokes the tokens of callers over HTTP."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from handoffs.access.local import LocalToken, LocalTokenError
from handoffs.access.tokens import digest_of, new_token
from handoffs.assembly import open_tokens
from handoffs.cli.spans import span
from handoffs.clock import SystemClock
from handoffs.console import UsageError, print_out
from handoffs.core.display import stamp
from handoffs.core.principals import token_principal
from handoffs.core.token import Token
from handoffs.settings import Settings, data_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


async def added(settings: Settings, name: str, *, expires: str | None) -> None:
    """Print a new token for the caller `name`; it can't be shown again.

    Raises:
        UsageError: The name has a valid token, or the name or the time is invalid.
    """
    if not _NAME.fullmatch(name):
        raise UsageError("A name has up to 64 letters, digits, dots, dashes and underscores, such as ci-runner.")
    now = SystemClock().now()
    ends = None if expires is None else now + _span(expires)
    token = new_token()
    async with open_tokens(settings) as tokens:
        if not await tokens.add(Token(name=name, digest=digest_of(token), created_at=now, expires_at=ends)):
            raise UsageError(f"{name} has a token. `handoffs token revoke {name}` ends it; then add another.")
    print_out(token)


def about(name: str, settings: Settings) -> str:
    """Return what a person should know of the token that was just printed."""
    said = f"It is {token_principal(name)}'s and shown this once. Clients send it as: Authorization: Bearer ho_…"
    if settings.tokens == "off":
        return f"{said}\nNo server takes it while HANDOFFS_TOKENS is off."
    return said


def local(*, renew: bool) -> None:
    """Print the local user's token, which servers on this machine require.

    Raises:
        UsageError: The token can't be stored.
    """
    token = LocalToken(data_folder())
    try:
        print_out(token.renew() if renew else token.ensure()[0])
    except LocalTokenError as why:
        raise UsageError(str(why)) from None


ABOUT_LOCAL = (
    "It lets in whoever shows it as you, on this machine: servers that listen elsewhere don't take it. Hosts of a "
    "project have it by the variable HANDOFFS_LOCAL_TOKEN."
)
"""What a person should know of the token that was just printed."""


async def listed(settings: Settings, *, as_json: bool) -> None:
    """Print every token, also expired and revoked ones, without their values."""
    async with open_tokens(settings) as tokens:
        found = await tokens.all()
    now = SystemClock().now()
    if as_json:
        print_out(json.dumps([_document(token, now) for token in found], indent=2))
    elif found:
        print_out(_table(found, now))
    else:
        print_out("There is no token. `handoffs token add NAME` makes one.")


async def revoked(settings: Settings, name: str) -> bool:
    """Revoke the token of this name; return False when there is no valid one."""
    async with open_tokens(settings) as tokens:
        found = await tokens.revoke(name, at=SystemClock().now())
    if found:
        print_out(f"{name} is let in no more.")
    return found


def _span(written: str) -> timedelta:
    found = span(written)
    if found is None:
        raise UsageError("--expires takes a time from now, up to ten years: 30d, 12h or 45m.")
    return found


def _state(token: Token, now: datetime) -> str:
    return "good" if token.good(now) else "expired" if token.revoked_at is None else "revoked"


def _document(token: Token, now: datetime) -> dict[str, str | None]:
    times = {
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "revokedAt": token.revoked_at,
        "usedAt": token.used_at,
    }
    written = {key: None if at is None else stamp(at) for key, at in times.items()}
    return {"name": token.name, "principal": token_principal(token.name), "state": _state(token, now), **written}


def _table(tokens: Sequence[Token], now: datetime) -> str:
    rows = [
        ("NAME", "STATE", "ADDED", "EXPIRES", "LAST USED (ABOUT)"),
        *(
            (token.name, _state(token, now), _day(token.created_at), _day(token.expires_at), _day(token.used_at))
            for token in tokens
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _day(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M}Z"
