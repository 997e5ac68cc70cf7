import pytest

from handoffs.proof.checkpoint import Checkpoint, opened
from handoffs.proof.merkle import leaf_hash
from handoffs.proof.notes import Note, SigningKey
from handoffs.proof.refused import ProofRefused
from tests.proof.sample_log import KEY, ORIGIN

ROOT = leaf_hash(b"entry")
ROOT_TEXT = "p6GeyI1mTh8cvX4FGKtVQrI3s2ZpLgLqbXkcmg2iRlQ="
HEAD = Checkpoint(origin=ORIGIN, size=300, root=ROOT)
OTHER = SigningKey("witness.example", bytes(32))


def test_a_checkpoint_is_written_and_read() -> None:
    assert HEAD.text.splitlines()[:2] == [ORIGIN, "300"]
    assert Checkpoint.parse(HEAD.text) == HEAD
    signed = opened(HEAD.signed(KEY), [KEY.verifier])
    assert (signed.checkpoint, signed.signers) == (HEAD, (KEY.verifier,))
    extended = Checkpoint(origin=ORIGIN, size=0, root=ROOT, extensions=("one", "two"))
    assert Checkpoint.parse(extended.text) == extended


def test_the_log_itself_must_have_signed_it() -> None:
    by_other = Note(HEAD.text).signed(OTHER.sign(HEAD.text)).dumps()
    with pytest.raises(ProofRefused, match=r"The log handoffs\.example/log itself did not sign it"):
        opened(by_other, [KEY.verifier, OTHER.verifier])
    with pytest.raises(ProofRefused, match="None of the given keys signed it"):
        opened(by_other, [KEY.verifier])
    with pytest.raises(ProofRefused, match=r"witness\.example signs no checkpoint of handoffs\.example/log"):
        HEAD.signed(OTHER)
    both = Note.parse(HEAD.signed(KEY)).signed(OTHER.sign(HEAD.text)).dumps()
    assert opened(both, [OTHER.verifier, KEY.verifier]).signers == (KEY.verifier, OTHER.verifier)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no checkpoint"),
        ("a\n1\n", "is no checkpoint"),
        (f"a\n1\n{ROOT_TEXT}", "is no checkpoint"),
        (f"\n1\n{ROOT_TEXT}\n", "none of them is empty"),
        (f"a\n1\n{ROOT_TEXT}\n\nmore\n", "none of them is empty"),
        (f"a\n01\n{ROOT_TEXT}\n", "no whole number"),
        (f"a\n-1\n{ROOT_TEXT}\n", "no whole number"),
        (f"a\n+1\n{ROOT_TEXT}\n", "no whole number"),
        (f"a\n1 \n{ROOT_TEXT}\n", "no whole number"),
        (f"a\n1.0\n{ROOT_TEXT}\n", "no whole number"),
        (f"a\n\u0661\n{ROOT_TEXT}\n", "no whole number"),
        (f"a\n9223372036854775808\n{ROOT_TEXT}\n", "no whole number"),
        (f"a\n{'9' * 5_000}\n{ROOT_TEXT}\n", "no whole number"),
        (f"a\n1\n{ROOT_TEXT[:-1]}\n", "root of the checkpoint is no Base64"),
        (f"a\u009b2J\n1\n{ROOT_TEXT}\n", "can't be printed"),
        ("a\n1\nAAAA\n", "root of the checkpoint has 3 bytes instead of 32"),
    ],
)
def test_a_malformed_checkpoint_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ProofRefused, match=said):
        Checkpoint.parse(text)
