"""What a passkey signed: each thing that may not fit is refused, and two other verifiers agree on what fits."""

import subprocess
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from webauthn import verify_authentication_response
from webauthn.helpers.exceptions import InvalidAuthenticationResponse

from handoffs.core.action import Action, Asker
from handoffs.core.decision import Assertion, Decision, Ticket
from handoffs.core.errors import NotProved
from handoffs.core.model import Handoff
from handoffs.proof.passkeys import RelyingParty, verify
from tests.core.strategies import ASKED, handoff
from tests.proof.authenticator import ORIGIN, PRESENT, VERIFIED, Authenticator, encoded

AT = ASKED + timedelta(minutes=5)
PARTY = RelyingParty.of(ORIGIN)


def decision(of: Handoff | None = None, *, at: datetime = AT, **changes: Any) -> Decision:
    made = Decision(
        handoff=of or handoff(), values={"response": "yes"}, person="ada", server_id=ORIGIN, ticket=Ticket.issue(at)
    )
    return replace(made, **changes)


def authenticators() -> list[Authenticator]:
    return [Authenticator(), Authenticator(key=ed25519.Ed25519PrivateKey.generate())]


@pytest.mark.parametrize("which", [0, 1], ids=["ES256", "EdDSA"])
def test_a_signature_by_a_key_of_the_person_fits(which: int) -> None:
    authenticator, made = authenticators()[which], decision()
    kept = Assertion.loads(authenticator.sign(made, counter=7).dumps())
    keys = (Authenticator().cose, authenticator.cose)
    found = verify(kept, replace(made, ticket=kept.ticket), keys, PARTY, at=AT)
    assert (found.key, found.sign_count) == (authenticator.cose, 7)


ACTION = Action(asker=Asker.GATE, server="shop", tool="wipe", arguments='{"all":true}', definition='{"name":"wipe"}')
SHOWN = replace(handoff(), question=replace(handoff().question, action=ACTION))


def with_question(**changes: Any) -> Decision:
    return decision(replace(SHOWN, question=replace(SHOWN.question, **changes)))


OTHER_DECISIONS = {
    "question": decision(replace(SHOWN, id="h_another")),
    "caller": decision(replace(SHOWN, caller=replace(SHOWN.caller, subject="eve"))),
    "asked at": decision(replace(SHOWN, created_at=SHOWN.created_at + timedelta(microseconds=1))),
    "deadline": with_question(deadline=SHOWN.question.deadline + timedelta(seconds=1)),
    "message": with_question(message="Something harmless?"),
    "arguments": with_question(action=replace(ACTION, arguments='{"all":false}')),
    "definition": with_question(action=replace(ACTION, definition='{"name":"wipe","title":"Look"}')),
    "no action": with_question(action=None),
    "values": decision(SHOWN, values={"response": "no"}),
    "edited arguments": decision(SHOWN, values={"response": "yes", "arguments": "{}"}),
    "scope of a grant": decision(SHOWN, values={"response": "yes", "remember": "always"}),
    "other words": decision(SHOWN, values={}, other="yes"),
    "person": decision(SHOWN, person="bob"),
    "deputy": decision(SHOWN, for_="bob"),
    "server": decision(SHOWN, server_id="https://other.example.com"),
}


@pytest.mark.parametrize("what", OTHER_DECISIONS)
def test_a_signature_fits_one_decision(what: str) -> None:
    authenticator, ticket = Authenticator(), Ticket.issue(AT)
    signed = authenticator.sign(replace(decision(SHOWN), ticket=ticket))
    verify(signed, replace(decision(SHOWN), ticket=ticket), [authenticator.cose], PARTY, at=AT)
    other = replace(OTHER_DECISIONS[what], ticket=ticket)
    with pytest.raises(NotProved, match="another question, answer or person"):
        verify(signed, other, [authenticator.cose], PARTY, at=AT)


@pytest.mark.parametrize("part", ["expires_at", "nonce", "note"])
def test_what_is_kept_beside_a_signature_is_signed_too(part: str) -> None:
    authenticator, made = Authenticator(), decision()
    later = made.ticket.expires_at + timedelta(seconds=1)
    forged = replace(made.ticket, **{part: later if part == "expires_at" else "forged"})
    with pytest.raises(NotProved, match="another question, answer or person"):
        verify(authenticator.sign(made), replace(made, ticket=forged), [authenticator.cose], PARTY, at=AT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"origin": "https://inbox.example.com:8443"}, "another address"),
        ({"origin": "http://inbox.example.com"}, "another address"),
        ({"origin": "https://inbox.example.com.evil.example"}, "another address"),
        ({"origin": "https://evil.example"}, "another address"),
        ({"rp_id": "evil.example"}, "another site"),
        ({"type": "webauthn.create"}, "something else"),
        ({"crossed": True}, "a frame"),
        ({"flags": VERIFIED}, "that a person was there"),
        ({"flags": PRESENT}, "did not check who was there"),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "no active passkey of ada"),
        ({"key": ed25519.Ed25519PrivateKey.generate()}, "no active passkey of ada"),
    ],
)
def test_another_page_site_key_or_flag_is_refused(change: dict[str, object], words: str) -> None:
    authenticator, made = Authenticator(), decision()
    with pytest.raises(NotProved, match=words):
        verify(authenticator.sign(made, **change), made, [authenticator.cose], PARTY, at=AT)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(2, "time is over"), (10, "time is over"), (-10, "are the clocks right"), (-3.1, "are the clocks right")],
)
def test_what_expired_or_was_made_by_another_clock_is_refused(minutes: float, words: str) -> None:
    authenticator, made = Authenticator(), decision()
    with pytest.raises(NotProved, match=words):
        verify(authenticator.sign(made), made, [authenticator.cose], PARTY, at=AT + timedelta(minutes=minutes))


@pytest.mark.parametrize("part", ["authenticator_data", "client_data", "signature"])
@pytest.mark.parametrize(
    "bad",
    [b"", b"x", b"{}", b"[" * 5000, b"\xff" * 100, b"null", b'{"type":1,"challenge":2}'],
    ids=["empty", "letter", "object", "deep", "ones", "null", "types"],
)
def test_bytes_that_no_authenticator_sends_are_refused(part: str, bad: bytes) -> None:
    authenticator, made = Authenticator(), decision()
    broken = replace(authenticator.sign(made), **{part: bad})
    with pytest.raises(NotProved):
        verify(broken, made, [authenticator.cose, b"", b"\xa0", b"no key"], PARTY, at=AT)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id":1}', '{"id":"x","id":"y"}', "{" * 9000])
def test_a_kept_assertion_that_was_damaged_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Assertion.loads(text)


def test_an_inbox_on_this_machine_is_one_port() -> None:
    here = RelyingParty.of(None, page="http://localhost:8765/")
    assert here.has("http://localhost:8765")
    assert not any(map(here.has, ("http://localhost:8766", "http://127.0.0.1:8765", "https://localhost:8765")))
    somewhere = RelyingParty.of(None)
    assert somewhere.has("http://localhost:8766")
    others = ("http://localhost", "http://evil.example:80", "http://localhost:8766/x", "http://localhost:a@evil:80")
    assert not any(map(somewhere.has, others))


@pytest.mark.parametrize("which", [0, 1], ids=["ES256", "EdDSA"])
def test_another_library_verifies_what_is_kept(which: int) -> None:
    authenticator, made = authenticators()[which], decision()
    kept = Assertion.loads(authenticator.sign(made, counter=3).dumps())

    def verified(challenge: bytes) -> int:
        response = {
            "clientDataJSON": encoded(kept.client_data),
            "authenticatorData": encoded(kept.authenticator_data),
            "signature": encoded(kept.signature),
        }
        found = verify_authentication_response(
            credential={
                "id": kept.credential_id,
                "rawId": kept.credential_id,
                "type": "public-key",
                "response": response,
            },
            expected_challenge=challenge,
            expected_rp_id="inbox.example.com",
            expected_origin=ORIGIN,
            credential_public_key=authenticator.cose,
            credential_current_sign_count=2,
            require_user_verification=True,
        )
        return found.new_sign_count

    assert verified(replace(made, ticket=kept.ticket).challenge) == 3
    with pytest.raises(InvalidAuthenticationResponse):
        verified(decision().challenge)


def test_openssl_verifies_the_signature_that_is_kept(tmp_path: Path) -> None:
    authenticator, made = Authenticator(), decision()
    kept = authenticator.sign(made)
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    public = authenticator.key.public_key().public_bytes(serialization.Encoding.PEM, spki)
    (tmp_path / "key.pem").write_bytes(public)
    (tmp_path / "signature").write_bytes(kept.signature)

    def openssl(message: bytes) -> int:
        (tmp_path / "message").write_bytes(message)
        command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "message"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    assert openssl(kept.authenticator_data + sha256(kept.client_data).digest()) == 0
    assert openssl(kept.authenticator_data + sha256(kept.client_data + b" ").digest()) == 1
