import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from handoffs.proof.notes import WITNESS, Note, Signature, SigningKey, VerifierKey
from handoffs.proof.refused import ProofRefused

KEY = SigningKey("log.example/a", bytes(range(32)))
OTHER = SigningKey("log.example/b", bytes(32))
TEXT = "log.example/a\n3\nsome text\n"
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
BY_PETER = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
"""The example of golang.org/x/mod/sumdb/note."""


def note(*keys: SigningKey) -> bytes:
    made = Note(TEXT)
    for key in keys:
        made = made.signed(key.sign(made.text))
    return made.dumps()


def test_the_example_of_the_go_library_is_read_and_written_alike() -> None:
    key = SigningKey.parse(SKEY)
    assert (str(key.verifier), key.text()) == (VKEY, SKEY)
    read = Note.parse(BY_PETER.encode())
    assert read.signers([VerifierKey.parse(VKEY)]) == (key.verifier,)
    assert Note(read.text).signed(key.sign(read.text)).dumps() == BY_PETER.encode()


def test_keys_are_written_and_read() -> None:
    assert VerifierKey.parse(f"{KEY.verifier}\n") == KEY.verifier
    assert SigningKey.parse(KEY.text()).verifier == KEY.verifier
    assert KEY.text() not in repr(KEY)


def test_several_signatures_are_verified_and_unknown_ones_passed_over() -> None:
    both = Note.parse(note(OTHER, KEY))
    assert both.signers([KEY.verifier]) == (KEY.verifier,)
    assert both.signers([KEY.verifier, OTHER.verifier]) == (OTHER.verifier, KEY.verifier)
    garbled = Signature("log.example/b", OTHER.verifier.id, b"garbled")
    assert Note(TEXT).signed(garbled).signed(KEY.sign(TEXT)).signers([KEY.verifier]) == (KEY.verifier,)


def test_a_wrong_key_a_changed_text_and_a_changed_signature_are_refused() -> None:
    read = Note.parse(note(KEY))
    with pytest.raises(ProofRefused, match=r"None of the given keys.*signed by log\.example/a \(key [0-9a-f]{8}\)"):
        read.signers([OTHER.verifier])
    same_name = SigningKey("log.example/a", bytes(32)).verifier
    with pytest.raises(ProofRefused, match="None of the given keys signed it"):
        read.signers([same_name])
    with pytest.raises(ProofRefused, match=r"The signature of log\.example/a is not valid"):
        Note.parse(note(KEY).replace(b"\n3\n", b"\n4\n")).signers([KEY.verifier])
    with pytest.raises(ProofRefused, match="is not valid"):
        Note(TEXT).signed(OTHER.sign(TEXT)).signed(Signature("log.example/a", KEY.verifier.id, bytes(64))).signers(
            [KEY.verifier, OTHER.verifier]
        )
    with pytest.raises(ProofRefused, match="is not valid"):
        Note(TEXT).signed(Signature("log.example/a", KEY.verifier.id, b"short")).signers([KEY.verifier])
    with pytest.raises(ProofRefused, match="signed twice"):
        Note.parse(note(KEY, KEY)).signers([KEY.verifier])


def test_a_witness_signs_the_text_with_a_time() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = VerifierKey(name="witness.example", public=private.public_key().public_bytes_raw(), kind=WITNESS)
    assert VerifierKey.parse(str(key)) == key
    seconds = 1_679_315_147
    raw = private.sign(f"cosignature/v1\ntime {seconds}\n{TEXT}".encode())
    signed = Note.parse(note(KEY)).signed(Signature(key.name, key.id, seconds.to_bytes(8, "big") + raw))
    assert Note.parse(signed.dumps()).signers([KEY.verifier, key]) == (KEY.verifier, key)
    later = Note(TEXT).signed(Signature(key.name, key.id, (seconds + 1).to_bytes(8, "big") + raw))
    with pytest.raises(ProofRefused, match=r"The signature of witness\.example is not valid"):
        later.signers([key])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no signatures"),
        (b"text", "no signatures"),
        (b"text\n", "no signatures"),
        (b"text\n\n", "no signatures"),
        (b"\n\n\xe2\x80\x94 a AAAAAAAA\n", "no signatures"),
        (b"text\n\xe2\x80\x94 a AAAAAAAA\n", "no signatures"),
        (b"text\n\n\xe2\x80\x94 a AAAAAAAA", "no signatures"),
        (b"text\n\n- a AAAAAAAA\n", "is no signature"),
        (b"text\n\n\xe2\x80\x94 a\n", "is no signature"),
        (b"text\n\n\xe2\x80\x94 AAAAAAAA\n", "is no signature"),
        (b"text\n\n\xe2\x80\x94  AAAAAAAA\n", "name of a key is empty"),
        (b"text\n\n\xe2\x80\x94 a b AAAAAAAA\n", "has a blank"),
        (b"text\n\n\xe2\x80\x94 a+b AAAAAAAA\n", "has a blank, a plus"),
        (b"text\n\n\xe2\x80\x94 a AAAAAAAA \n", "has a blank"),
        (b"text\n\n\xe2\x80\x94 a AAAAAAAA\nmore\n", "is no signature"),
        (b"text\n\n\xe2\x80\x94 a AAAAAA\n", "no Base64"),
        (b"text\n\n\xe2\x80\x94 a AAAAAAB=\n", "not written in its one standard form"),
        (b"text\n\n\xe2\x80\x94 a AAAA_AAA\n", "no Base64"),
        (b"text\n\n\xe2\x80\x94 a AAAAAA==\n", "signature of a is too short"),
        ("text\n\n— a\u202e AAAAAAAA\n".encode(), "can't be printed"),
        ("text\n\n— a\u2003b AAAAAAAA\n".encode(), "can't be printed"),
        ("text\n\n— ä AAAAAAAAÄ\n".encode(), "no Base64"),
        (b"te\xffxt\n\n\xe2\x80\x94 a AAAAAAAA\n", "no UTF-8"),
        (b"te\x00xt\n\n\xe2\x80\x94 a AAAAAAAA\n", "control character"),
        (b"text\r\n\n\xe2\x80\x94 a AAAAAAAA\n", "control character"),
        (b"text\n\n" + b"\xe2\x80\x94 a AAAAAAAA\n" * 101, "101 signatures"),
        (b"x" * 1_000_001, "1000001 bytes"),
    ],
)
def test_a_malformed_note_is_refused_in_words(raw: bytes, said: str) -> None:
    with pytest.raises(ProofRefused, match=said):
        Note.parse(raw)


def vkey(name: str = "a", kind: int = 1, size: int = 32) -> str:
    key = base64.b64encode(bytes([kind]) + bytes(size)).decode()
    return f"{name}+{VerifierKey(name=name, public=bytes(size), kind=kind).id.hex()}+{key}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no public key"),
        ("a+00000000", "is no public key"),
        (vkey(""), "name of a key is empty"),
        (vkey("a b"), "has a blank"),
        (vkey("a\nb"), "can't be printed"),
        (vkey().replace("+AQ", "+00+AQ"), "is no Base64"),
        ("a+0000000+AAAA", "not eight hexadecimal digits"),
        ("a+0000000G+AAAA", "not eight hexadecimal digits"),
        ("a+00000000+" + vkey().split("+")[2], "another id than it says"),
        (vkey(size=31), "32 bytes instead of 33"),
        (vkey(size=33), "34 bytes instead of 33"),
        (vkey(kind=2), r"kind 2; 1 \(log\) and 4 \(witness\)"),
        (vkey()[:-1], "no Base64"),
        (KEY.text(), "not eight hexadecimal digits"),
        ("a\udc80+00000000+AAAA", "can't be printed"),
    ],
)
def test_a_malformed_public_key_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ProofRefused, match=said):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (vkey(), r"begins with PRIVATE\+KEY\+"),
        (f"PRIVATE+KEY+{vkey(size=31)}", "32 bytes instead of 33"),
        (f"PRIVATE+KEY+{vkey(kind=WITNESS)}", "kind 4; 1 is that of a log"),
        (KEY.text().replace("log.example/a", "log.example/c"), "another id than it says"),
        (KEY.text()[:-5], "no Base64"),
    ],
)
def test_a_malformed_private_key_is_refused_without_being_shown(text: str, said: str) -> None:
    with pytest.raises(ProofRefused, match=said) as refused:
        SigningKey.parse(text)
    assert text[-20:] not in str(refused.value)
