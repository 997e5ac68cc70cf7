"""Signed tokens: good for what they were made for, with the keys that are there, as they were always written."""

import base64

from handoffs.signing import expiry_of, opened, seal

OLD, NEW = b"o" * 32, b"n" * 32


def token(key: bytes, purpose: str, text: str) -> str:
    return f"{text}.{seal(key, purpose, text).hex()}"


def test_a_token_opens_for_its_purpose_and_with_its_key_alone() -> None:
    made = token(OLD, "code", "abc.1700000000")
    assert opened(made, [NEW, OLD], "code", written=bytes.hex) == "abc.1700000000"
    assert expiry_of("abc.1700000000") == 1_700_000_000
    assert opened(made, [OLD], "csrf", written=bytes.hex) is None
    assert opened(made, [NEW], "code", written=bytes.hex) is None
    assert opened(made.replace("17", "18", 1), [OLD], "code", written=bytes.hex) is None
    assert opened(made, [OLD], "code", written=lambda each: base64.b64encode(each).decode()) is None


def test_what_is_no_token_opens_for_nothing() -> None:
    for text in ("", ".", "abc", "abc.", "\ud800.x", "é.é"):
        assert opened(text, [OLD], "code", written=bytes.hex) is None


def test_a_token_of_an_earlier_version_is_still_good() -> None:
    # HMAC-SHA256 of "code", a zero and the text, as 0.1.0 made it.
    made = "abc.1.902042e23605e8d7b4b7e9c7b43ed5473b60193b64a4ff702e72d107b797bd68"
    assert opened(made, [OLD], "code", written=bytes.hex) == "abc.1"
