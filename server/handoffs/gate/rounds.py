"""What goes to a client of 2026-07-28 and comes back with its next call: `requestState`, sealed by us.

It says which question it is of, and for exactly which call. One that was changed, is of another call, or was used
before opens nothing: the call is then asked about like any other.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from handoffs.gate.relay.message import OURS
from handoffs.signing import opened, seal

_PURPOSE = b"handoffs gate 1"


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of a call."""

    handoff_id: str
    digest: str
    """Of the action: what was shown is what runs."""
    asked: datetime
    """When the first dialog of the call went out."""
    number: int = 1
    call: str = ""
    """The call that was sent already, where it is the server that asks; empty where it is us."""
    theirs: str = ""
    """The server's own state."""
    nonce: str = ""


class Rounds:
    """Makes and opens the states of one gate."""

    def __init__(self, keys: Sequence[bytes | str]) -> None:
        """Take the keys: the first seals, all open."""
        given = [key.encode() if isinstance(key, str) else key for key in keys]
        self._keys = [hmac.digest(key, _PURPOSE, hashlib.sha256) for key in given]
        self._open: set[str] = set()  # of the server's rounds: each may come back once, to this process

    def make(self, round_: Round, caller: str) -> str:
        """Return the state of a round, good for this caller."""
        nonce = secrets.token_urlsafe(12)
        asked = round_.asked.timestamp()
        told = [round_.handoff_id, round_.digest, asked, round_.number, round_.call, round_.theirs, nonce]
        if round_.call:
            self._open.add(nonce)
        text = json.dumps(told, separators=(",", ":"))
        return f"{OURS}{text}.{seal(self._keys[0], caller, text).hex()}"

    def open(self, state: str, caller: str) -> Round | None:
        """Return the round that a state is of; None where it is none of ours, of another caller, or used up."""
        if not state.startswith(OURS):
            return None
        text = opened(state.removeprefix(OURS), self._keys, caller, written=bytes.hex)
        if text is None:
            return None
        handoff_id, digest, asked, number, call, theirs, nonce = cast(
            "tuple[str, str, float, int, str, str, str]", tuple(json.loads(text))
        )
        if call and nonce not in self._open:
            return None
        return Round(
            handoff_id=handoff_id,
            digest=digest,
            asked=datetime.fromtimestamp(asked, UTC),
            number=number,
            call=call,
            theirs=theirs,
            nonce=nonce,
        )

    def use(self, round_: Round) -> None:
        """Use up a round of the server's."""
        self._open.discard(round_.nonce)
