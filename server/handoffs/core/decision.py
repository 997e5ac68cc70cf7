"""What a person signs with a passkey when they decide, and the assertion that their authenticator makes of it.

The authenticator signs a challenge: SHA-256 over one JSON object in the form of RFC 8785. Its members are

    v          1
    handoff    the id of the question
    asked      who asked: subject, client and project
    asked_at   when, and `deadline`: until when; whole microseconds in UTC since 1970
    message    what was shown, as it is stored
    form       the JSON schema of the form, as text: the order of its fields is part of what was shown
    action     `Action.digest` of what runs: server, tool, canonical arguments and definition; null for a question
    values     what is decided: the values of the form, with edited arguments and what is to be remembered
    other      what the person said instead of picking an option
    attachments  name, type, size and SHA-256 of each file of the answer; left out where there are none
    note       what they said beside it
    person     who decides, and `for`: whose deputy they are
    server     the server id: which inbox, by its address
    expires_at until when the challenge may be signed and used; whole microseconds
    nonce      random, of one challenge

Of a secret, `values` has the name, not the text. Values that RFC 8785 has no form for are JSON with sorted names, as
text. Texts are as `storable` keeps them.
"""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast

from handoffs.core import exact_json
from handoffs.core.attachment import Attachment, listed
from handoffs.core.form import Value
from handoffs.core.model import Handoff
from handoffs.core.storable import storable

VERSION = 1
"""Stands in what is signed as `v`; rises if its members change."""

LONGEST = timedelta(minutes=5)
"""No challenge may be signed and used for longer."""

USUAL = timedelta(minutes=2)
"""How long a person has to use their passkey."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """What makes a challenge the only one of its kind: it expires, and is used once."""

    expires_at: datetime
    nonce: str
    note: str = ""
    """What the person said beside their decision: of a vote, it is kept nowhere else."""

    @classmethod
    def issue(cls, at: datetime, *, note: str = "") -> "Ticket":
        """Return a new one, good for `USUAL`."""
        return cls(expires_at=at + USUAL, nonce=secrets.token_urlsafe(24), note=note)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """All that one person decides with one signature."""

    handoff: Handoff
    values: Mapping[str, Value]
    other: str = ""
    attachments: tuple[Attachment, ...] = ()
    person: str
    for_: str = ""
    """Whose deputy they are; empty for a person in their own right."""
    server_id: str
    ticket: Ticket

    @property
    def signed(self) -> bytes:
        """The JSON object that the challenge is the digest of."""
        asked, question, ticket = self.handoff.caller, self.handoff.question, self.ticket
        whole: dict[str, object] = {
            "v": VERSION,
            "handoff": self.handoff.id,
            "asked": [storable(each) for each in (asked.subject, asked.client, asked.project)],
            "asked_at": str(_micros(self.handoff.created_at)),
            "deadline": str(_micros(question.deadline)),
            "message": storable(question.message),
            "form": storable(json.dumps(question.form.schema, separators=(",", ":"))),
            "action": None if question.action is None else question.action.digest,
            "values": _writable(self.values),
            "other": storable(self.other),
            **({"attachments": listed(self.attachments)} if self.attachments else {}),
            "note": storable(ticket.note),
            "person": self.person,
            "for": self.for_,
            "server": self.server_id,
            "expires_at": str(_micros(ticket.expires_at)),
            "nonce": ticket.nonce,
        }
        return exact_json.canonical(whole)

    @property
    def challenge(self) -> bytes:
        """What the authenticator is given to sign."""
        return sha256(self.signed).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Assertion:
    """What an authenticator made of a challenge, with what of the challenge is kept nowhere else."""

    credential_id: str
    """In base64url without padding."""
    authenticator_data: bytes
    client_data: bytes
    """The JSON that the browser made."""
    signature: bytes
    ticket: Ticket

    def dumps(self) -> str:
        """Return it as JSON for a store."""
        kept: dict[str, object] = {
            "id": self.credential_id,
            "authenticatorData": _encoded(self.authenticator_data),
            "clientDataJSON": _encoded(self.client_data),
            "signature": _encoded(self.signature),
            "expires_at": _micros(self.ticket.expires_at),
            "nonce": self.ticket.nonce,
            **({"note": self.ticket.note} if self.ticket.note else {}),
        }
        return json.dumps(kept, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> "Assertion":
        """Return what `dumps` wrote. Raises ValueError."""
        read = exact_json.loads(text)
        if not isinstance(read, dict):
            raise ValueError("it is no JSON object")
        kept = cast("dict[str, object]", read)
        try:
            expires = kept["expires_at"]
            if not isinstance(expires, int):
                raise ValueError("its expiry is no number")
            return cls(
                credential_id=_text(kept["id"]),
                authenticator_data=_decoded(kept["authenticatorData"]),
                client_data=_decoded(kept["clientDataJSON"]),
                signature=_decoded(kept["signature"]),
                ticket=Ticket(
                    expires_at=_EPOCH + timedelta(microseconds=expires),
                    nonce=_text(kept["nonce"]),
                    note=_text(kept.get("note", "")),
                ),
            )
        except (KeyError, OverflowError) as wrong:
            raise ValueError(f"it has no usable {wrong}") from wrong


def _writable(values: Mapping[str, Value]) -> object:
    try:
        exact_json.canonical(dict(values))
    except ValueError:  # half of a character, or a whole number beyond 2**53
        return json.dumps(values, sort_keys=True, separators=(",", ":"))
    return dict(values)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it has a member that is no text")
    return value


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(value: object) -> bytes:
    text = _text(value)
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
