"""Checks one decision with nothing but what is written down of it and public keys.

It is written as one JSON object, see `writing`:

    v           1
    handoff     the id of the question
    events      a list; of each: `index` in the log, `leaf`, `salt` (hexadecimal), `words`: the text of each commitment
    signatures  a list; of each: `person`, `assertion`, `signed`: the text that the challenge is the digest of,
                `public_key` (COSE, base64url)

With `log`, an object of `vkey` and `checkpoint`, and a `path` (base64) in each event, it is checked by itself.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import cast

from handoffs.core import exact_json
from handoffs.core.action_form import REASON
from handoffs.core.decision import Assertion
from handoffs.core.errors import NotProved
from handoffs.core.events import Answered, Opened
from handoffs.core.leaf import SALT_BYTES, commitment
from handoffs.proof.checkpoint import opened
from handoffs.proof.merkle import leaf_hash
from handoffs.proof.notes import VerifierKey, strict_base64
from handoffs.proof.passkeys import LOCAL, PinnedKeys, RelyingParty, Signed, decoded, verify_signed
from handoffs.proof.proof_checks import verify_inclusion
from handoffs.proof.refused import ProofRefused

VERSION = 1

DECISIONS = "decisions"
"""The folder of the decisions in the folder of a log."""

_SALT = re.compile(rf"[0-9a-f]{{{2 * SALT_BYTES}}}")
_Object = Mapping[str, object]


@dataclass(kw_only=True, slots=True)
class Found:
    """What was found of one decision."""

    handoff: str = ""
    problems: list[str] = field(default_factory=list[str])
    events: int = 0
    closed: int = 0
    """How many of its events say nothing of the words: those were erased, or kept back."""
    signed_by: list[str] = field(default_factory=list[str])
    """Whose passkeys have signed it."""


def check(
    written: bytes,
    entry: Callable[[int, str, _Object], bytes],
    *,
    pinned: PinnedKeys | None = None,
    versions: Callable[[str], tuple[int, int] | None] | None = None,
) -> Found:
    """Return what is wrong with a decision as it is written down.

    `entry` takes an index, the leaf, and what is written of the event, and returns the entry of the log, or raises
    ProofRefused. `pinned` are the keys that count, by person; without them, those that are written there. `versions`
    returns the first and last version that the log has of a handoff; without it, only their order is compared.
    """
    found = Found()
    try:
        read = exact_json.loads(written)
        whole = _object(read, "it")
        if whole.get("v") != VERSION:
            raise ValueError(f"it has the form {whole.get('v')!r}; this program reads form {VERSION}")
        found.handoff = _text(whole, "handoff")
        events = [_object(each, "an event") for each in _list(whole, "events")]
        told = [_Told.of(each, entry, found) for each in events]
        _follow(told, found, None if versions is None else versions(found.handoff))
        signatures = [_object(each, "a signature") for each in _list(whole, "signatures")]
        _signatures(signatures, told, found, pinned)
    except (ValueError, ProofRefused) as wrong:
        found.problems.append(str(wrong))
    return found


def check_alone(written: bytes, keys: Sequence[VerifierKey], *, pinned: PinnedKeys | None = None) -> Found:
    """Return what is wrong with a decision that has the proofs with it; `keys` are those of its log."""
    try:
        log = _object(_object(exact_json.loads(written), "it").get("log"), "its log")
        head = opened(_text(log, "checkpoint").encode(), keys).checkpoint
    except (ValueError, ProofRefused) as wrong:
        return Found(problems=[str(wrong)])

    def entry(index: int, leaf: str, event: _Object) -> bytes:
        path = [strict_base64(str(each), "proof of an event") for each in _list(event, "path")]
        verify_inclusion(leaf_hash(leaf.encode()), index, head.size, path, head.root)
        return leaf.encode()

    return check(written, entry, pinned=pinned)


@dataclass(kw_only=True, slots=True)
class _Told:
    """One event: its leaf, and the words that its commitments were opened with."""

    leaf: _Object
    words: Mapping[str, str]

    @classmethod
    def of(cls, event: _Object, entry: Callable[[int, str, _Object], bytes], found: Found) -> "_Told":
        index, leaf, salt = event.get("index"), _text(event, "leaf"), _text(event, "salt")
        if type(index) is not int:
            raise ValueError("an event has no index")
        if entry(index, leaf, event) != leaf.encode():
            found.problems.append(f"entry {index} of the log is another leaf")
        read = _object(exact_json.loads(leaf), f"leaf {index}")
        committed = _object(read.get("committed"), f"what leaf {index} commits to")
        words = {name: str(word) for name, word in _object(event.get("words"), f"the words of event {index}").items()}
        found.events += 1
        if not committed.keys() <= words.keys():
            found.closed += 1
        if words and _SALT.fullmatch(salt) is None:
            raise ValueError(f"the salt of event {index} is none")
        for name, word in words.items():
            if committed.get(name) != commitment(name, word, bytes.fromhex(salt)):
                found.problems.append(f"event {index}: `{name}` is not what the leaf commits to")
        return cls(leaf=read, words=words)

    def word(self, name: str) -> object:
        """Return a word as JSON; None if it is not there."""
        text = self.words.get(name)
        return None if text is None else exact_json.loads(text)


def _follow(told: Sequence[_Told], found: Found, versions: tuple[int, int] | None) -> None:
    """Check that the events are those of one question, and all of them from the first to the last."""
    if not told:
        raise ValueError("it has no events")
    first, last = told[0].leaf.get("version"), told[-1].leaf.get("version")
    if versions is not None and (first, last) != versions:
        found.problems.append(
            f"it has versions {first} to {last}, and the log has {versions[0]} to {versions[1]}: events were left out"
        )
    before: object = None
    for each in told:
        version = each.leaf.get("version")
        if each.leaf.get("handoff") != found.handoff:
            found.problems.append(f"an event is of {each.leaf.get('handoff')}, not of {found.handoff}")
        if type(before) is int and version != before + 1:
            found.problems.append(f"version {version} follows version {before}: events are missing or not in order")
        before = version


def _signatures(signatures: Sequence[_Object], told: Sequence[_Told], found: Found, pinned: PinnedKeys | None) -> None:
    for each in signatures:
        person = _text(each, "person")
        try:
            _check_signature(each, person, told, pinned)
        except (NotProved, ValueError) as wrong:
            found.problems.append(f"the signature of {person}: {wrong}")
        else:
            found.signed_by.append(person)
    answered = any(each.leaf.get("event") == Answered.name for each in told)
    demanded = any("proof" in _object(each.leaf.get("committed"), "a leaf") for each in told)
    if answered and demanded and not found.signed_by and not found.closed and not found.problems:
        found.problems.append("it was decided with passkeys, and no signature is there")


def _check_signature(each: _Object, person: str, told: Sequence[_Told], pinned: PinnedKeys | None) -> None:
    text = _text(each, "signed")
    kept = _text(each, "assertion")
    assertion = Assertion.loads(kept)
    signed = _object(exact_json.loads(text), "what was signed")
    vote = next((vote for vote in told if vote.words.get("proof") == json.dumps(kept)), None)
    if vote is None or vote.word("by") != person or signed.get("person") != person:
        raise ValueError("no vote of theirs came with it")
    _same(signed, told)
    keys = (decoded(_text(each, "public_key")),) if pinned is None else pinned.get(person, ())
    server = _text(signed, "server")
    party = RelyingParty.of(None if server == LOCAL else server)
    about = Signed(challenge=sha256(text.encode()).digest(), expires_at=assertion.ticket.expires_at, person=person)
    verify_signed(assertion, about, keys, party, at=datetime.fromisoformat(str(vote.leaf.get("at"))))


def _same(signed: _Object, told: Sequence[_Told]) -> None:
    """Check that what was signed is what the log has. Raises ValueError."""
    first = told[0]
    wrong: list[str] = []
    if first.leaf.get("event") == Opened.name:  # what was asked before the log began is not in it
        wrong += [name for name in ("message", "form", "action") if signed.get(name) != first.word(name)]
    if signed.get("handoff") != first.leaf.get("handoff"):
        wrong.append("handoff")
    answered = next((each for each in told if each.leaf.get("event") == Answered.name), None)
    if answered is not None:
        values: object = answered.word("values") or {}
        kept = {name: value for name, value in _object(values, "the answer").items() if name != REASON}
        if signed.get("values") != kept and "values" in answered.words:
            wrong.append("values")
        if signed.get("other") != (answered.word("other") or ""):
            wrong.append("other")
        if "values" in answered.words and signed.get("attachments", []) != (answered.word("attachments") or []):
            wrong.append("attachments")
    if wrong:
        raise ValueError(f"it is for another {' and '.join(wrong)} than the log has")


def _object(value: object, what: str) -> _Object:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no JSON object")
    return cast("_Object", value)


def _list(of: _Object, name: str) -> list[object]:
    found = of.get(name)
    if not isinstance(found, list):
        raise ValueError(f"it has no list of {name}")
    return cast("list[object]", found)


def _text(of: _Object, name: str) -> str:
    found = of.get(name)
    if not isinstance(found, str):
        raise ValueError(f"it has no {name}")
    return found
