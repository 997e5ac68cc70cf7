"""Tokens of a real issuer, whose keys are fetched over HTTP: which are taken, and which are not."""

import base64
import hmac
import json
import logging
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from handoffs.access.addresses import is_private
from handoffs.access.issuer import Issuer, metadata_addresses
from handoffs.access.oauth import OAuthTokens
from handoffs.access.unavailable import Unavailable
from handoffs.core.principals import oauth_principal
from tests.access.issuing import KEYS, METADATA, OPENID, Key, LocalIssuer, local_issuer
from tests.fakes import FakeClock

AUDIENCE = "http://server/mcp"


@pytest.fixture(scope="module")
def running() -> Generator[LocalIssuer]:
    with local_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(running: LocalIssuer) -> LocalIssuer:
    """The issuer as if it had just started."""
    running.asked.clear()
    fresh = LocalIssuer()
    fresh.starts_at(running.url)
    asked = running.asked
    vars(running).update({name: value for name, value in vars(fresh).items() if name != "asked"})
    assert running.asked is asked
    return running


def tokens_of(issuer: LocalIssuer, clock: FakeClock | None = None) -> OAuthTokens:
    return OAuthTokens(Issuer(issuer.url, clock or FakeClock()), audience=AUDIENCE)


async def test_a_good_token_says_who_calls_and_what_for(issuer: LocalIssuer) -> None:
    expires = int(time.time()) + 600
    token = issuer.token(scope="ask see", client_id="my-agent", exp=expires)
    let_in = await tokens_of(issuer).verify_token(token)
    assert let_in is not None
    host = issuer.url.removeprefix("http://")
    assert (let_in.subject, let_in.client_id, let_in.scopes) == (f"oauth:ada@{host}", "my-agent", ["ask", "see"])
    assert let_in.claims == {"iss": issuer.url}
    assert expires <= (let_in.expires_at or 0) <= expires + 60
    assert token not in repr(let_in)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS384", "EdDSA"])
async def test_every_kind_of_key_with_a_public_half_is_taken(algorithm: str, issuer: LocalIssuer) -> None:
    key = Key("k", algorithm)
    issuer.keys = [key.public]
    assert await tokens_of(issuer).verify_token(issuer.token(key)) is not None


@dataclass(frozen=True)
class In:
    """So many seconds from when the test runs, which is minutes after it was collected."""

    seconds: int


def now_of(claims: dict[str, Any]) -> dict[str, Any]:
    return {
        name: int(time.time()) + value.seconds if isinstance(value, In) else value for name, value in claims.items()
    }


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["http://other/mcp", AUDIENCE]},
        {"scope": None, "scp": ["ask"]},
        {"exp": In(-5)},  # our clock may be a little ahead
        {"nbf": In(5)},
    ],
)
async def test_what_issuers_write_in_several_ways_is_read_in_all(claims: dict[str, Any], issuer: LocalIssuer) -> None:
    assert await tokens_of(issuer).verify_token(issuer.token(**now_of(claims))) is not None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": In(-60)},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": In(60)},
        {"aud": "http://other/mcp"},
        {"aud": ["http://other/mcp"]},
        {"aud": AUDIENCE + "/"},
        {"aud": None},
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "ada\u202e"},
        {"sub": "half \ud800"},
        {"sub": "a" * 256},
    ],
)
async def test_a_token_that_is_not_for_here_and_now_is_refused(claims: dict[str, Any], issuer: LocalIssuer) -> None:
    assert await tokens_of(issuer).verify_token(issuer.token(**now_of(claims))) is None


async def test_a_token_signed_by_anybody_else_is_refused(issuer: LocalIssuer) -> None:
    tokens = tokens_of(issuer)
    assert await tokens.verify_token(issuer.token()) is not None
    assert await tokens.verify_token(issuer.token(Key("first", "ES256"))) is None
    assert await tokens.verify_token(issuer.token(Key("other", "ES256"))) is None


async def test_who_knows_the_public_key_cant_sign_with_it(issuer: LocalIssuer) -> None:
    key = Key("k", "RS256")
    issuer.keys = [key.public]
    tokens = tokens_of(issuer)
    good = issuer.token(key)
    assert await tokens.verify_token(good) is not None
    body = good.split(".")[1]
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = [f"{part({'alg': 'none', 'kid': 'k'})}.{body}.", f"{good}x"]
    for secret in (pem, json.dumps(key.public).encode()):
        signed = f"{part({'alg': 'HS256', 'kid': 'k'})}.{body}"
        mac = hmac.digest(secret, signed.encode(), "sha256")
        forged.append(f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")
    for token in forged:
        assert await tokens.verify_token(token) is None


async def test_a_shared_key_that_the_issuer_publishes_checks_nothing(issuer: LocalIssuer) -> None:
    secret = base64.urlsafe_b64encode(b"s" * 64).decode().rstrip("=")
    issuer.keys = [issuer.key.public, {"kty": "oct", "kid": "shared", "k": secret, "alg": "HS256"}]
    forged = jwt.encode(
        {"iss": issuer.url, "sub": "ada", "aud": AUDIENCE, "exp": int(time.time()) + 60},
        b"s" * 64,
        algorithm="HS256",
        headers={"kid": "shared"},
    )
    assert await tokens_of(issuer).verify_token(forged) is None


@pytest.mark.parametrize("change", [{"alg": "RS512"}, {"use": "enc"}, {"key_ops": ["encrypt"]}])
async def test_a_key_is_used_for_nothing_but_what_it_is_for(change: dict[str, Any], issuer: LocalIssuer) -> None:
    key = Key("k", "RS256")
    issuer.keys = [issuer.key.public, key.public | change]
    assert await tokens_of(issuer).verify_token(issuer.token(key)) is None


async def test_a_token_that_brings_its_own_key_is_refused(issuer: LocalIssuer) -> None:
    mine = Key("first", "ES256")
    headers = {"jwk": mine.public, "jku": "http://127.0.0.1:1/keys"}
    assert await tokens_of(issuer).verify_token(issuer.token(mine, headers)) is None


async def test_a_token_that_names_no_key_is_checked_by_the_only_one(issuer: LocalIssuer) -> None:
    token = issuer.token(headers={"kid": None})
    assert jwt.get_unverified_header(token).keys() == {"alg", "typ"}
    assert await tokens_of(issuer).verify_token(token) is not None
    issuer.keys = [issuer.key.public, Key("second", "ES256").public]
    assert await tokens_of(issuer).verify_token(token) is None


async def test_a_new_key_is_found_and_one_that_is_gone_is_forgotten(issuer: LocalIssuer) -> None:
    clock = FakeClock()
    tokens = tokens_of(issuer, clock)
    old, new = issuer.token(), Key("second", "ES256")
    assert await tokens.verify_token(old) is not None
    issuer.keys = [new.public]
    clock.forward(31)
    assert await tokens.verify_token(issuer.token(new)) is not None
    assert await tokens.verify_token(old) is None


async def test_made_up_keys_dont_make_the_server_ask_again_and_again(issuer: LocalIssuer) -> None:
    clock = FakeClock()
    tokens = tokens_of(issuer, clock)
    assert await tokens.verify_token(issuer.token()) is not None
    for number in range(20):
        assert await tokens.verify_token(issuer.token(headers={"kid": f"made up {number}"})) is None
        assert await tokens.verify_token(issuer.token()) is not None
    assert issuer.asked.count(KEYS) == 1
    clock.forward(31)
    for number in range(20):
        assert await tokens.verify_token(issuer.token(headers={"kid": f"made up {number}"})) is None
    assert issuer.asked.count(KEYS) == 2


async def test_while_the_issuer_is_away_nobody_is_let_in_by_old_keys(
    issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    tokens = tokens_of(issuer, clock)
    token = issuer.token()
    assert await tokens.verify_token(token) is not None
    issuer.down = True
    clock.forward(3_599)
    assert await tokens.verify_token(token) is not None  # within the hour that keys are kept
    clock.forward(2)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await tokens.verify_token(token)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1
    assert token not in caplog.text
    issuer.down = False
    clock.forward(6)
    assert await tokens.verify_token(token) is not None


async def test_an_issuer_that_cant_be_reached_lets_nobody_in(issuer: LocalIssuer) -> None:
    away = OAuthTokens(Issuer("http://127.0.0.1:1", FakeClock()), audience=AUDIENCE)
    with pytest.raises(Unavailable):
        await away.verify_token(issuer.token(iss="http://127.0.0.1:1"))


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://else.example"}, {"jwks_uri": "http://keys.example/keys"}, {"jwks_uri": None}, {"jwks_uri": 1}],
)
async def test_metadata_that_somebody_else_may_have_written_is_not_believed(
    metadata: dict[str, Any], issuer: LocalIssuer
) -> None:
    issuer.metadata |= metadata
    with pytest.raises(Unavailable):
        await tokens_of(issuer).verify_token(issuer.token())


async def test_a_redirection_is_not_followed(issuer: LocalIssuer) -> None:
    issuer.redirects[KEYS] = issuer.url + "/elsewhere"
    with pytest.raises(Unavailable):
        await tokens_of(issuer).verify_token(issuer.token())
    assert "/elsewhere" not in issuer.asked


async def test_an_issuer_that_speaks_only_openid_is_found(issuer: LocalIssuer) -> None:
    issuer.openid_only = True
    assert await tokens_of(issuer).verify_token(issuer.token()) is not None
    assert issuer.asked == [METADATA, OPENID, KEYS]


def test_the_metadata_of_an_issuer_with_a_path_is_looked_for_in_all_places() -> None:
    assert metadata_addresses("https://id.example/realms/x/") == [
        "https://id.example/.well-known/oauth-authorization-server/realms/x",
        "https://id.example/.well-known/openid-configuration/realms/x",
        "https://id.example/realms/x/.well-known/openid-configuration",
    ]


async def test_what_is_refused_is_in_the_log_without_the_token(
    issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    token = issuer.token(sub="very-private", exp=1)
    assert await tokens_of(issuer).verify_token(token) is None
    assert "ExpiredSignatureError" in caplog.text
    assert not any(part in caplog.text for part in (*token.split("."), "very-private"))


def test_no_two_users_are_called_the_same() -> None:
    names = {
        oauth_principal("ada", "https://id.example"),
        oauth_principal("ada@id.example", "https://id.example"),
        oauth_principal("ada", "https://id.example/ada"),
        oauth_principal("ada", "https://id.example/"),
    }
    assert len(names) == 4
    assert all(name and name.startswith("oauth:") for name in names)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://id.example/keys", True),
        ("http://127.0.0.1:80/keys", True),
        ("http://localhost/keys", True),
        ("http://[::1]/keys", True),
        ("http://id.example/keys", False),
        ("http://127.0.0.1.evil.example/", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("http://[", False),
    ],
)
def test_keys_are_fetched_where_nobody_can_change_them_on_the_way(url: str, private: bool) -> None:
    assert is_private(url) is private


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
shaped = st.builds(
    lambda header, claims: f"{part(header)}.{part(claims)}.AAAA",
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64"]), anything | st.sampled_from(["ES256", "first"])
    ),
    st.dictionaries(st.sampled_from(["sub", "aud", "iss", "exp"]), anything),
)


@given(st.text(max_size=60) | shaped)
async def test_nothing_that_is_sent_as_a_token_breaks_the_check(running: LocalIssuer, token: str) -> None:
    running.down = False
    assert await tokens_of(running).verify_token(token) is None
