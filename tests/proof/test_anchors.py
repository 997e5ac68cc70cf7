"""Heads of a log that are kept outside: a folder, git, a time stamp by openssl, a witness.

The witness is a stand-in that follows C2SP's tlog-witness (the request, 200, 403, 409 and 422 of `add-checkpoint`).
"""

import base64
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from handoffs.proof.anchors import Witness, anchor
from handoffs.proof.checkpoint import Checkpoint, opened
from handoffs.proof.notes import WITNESS, Note, Signature, VerifierKey
from handoffs.proof.proof_checks import verify_consistency
from handoffs.proof.refused import ProofRefused
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.cli.questions import asked
from tests.store.test_leaves import KEY, some

Reply = tuple[int, bytes]


@contextmanager
def answering(answer: Callable[[str, bytes], Reply]) -> Generator[str]:
    """A server over HTTP that answers each POST so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = answer(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class WitnessStandIn:
    """Signs heads that continue the last one that it has signed."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.key = VerifierKey(name="witness.example", public=self._key.public_key().public_bytes_raw(), kind=WITNESS)
        self.size, self.root = 0, b""

    def answer(self, path: str, body: bytes) -> Reply:
        assert path == "/w/add-checkpoint"
        told, _, raw = body.partition(b"\n\n")
        old, *proof = told.decode().split("\n")
        note = Note.parse(raw)
        if KEY.verifier not in note.signers([KEY.verifier]):
            return 403, b""
        head = Checkpoint.parse(note.text)
        if old != f"old {self.size}":
            return 409, f"{self.size}\n".encode()
        try:
            if self.size:
                verify_consistency(
                    self.size, self.root, head.size, head.root, [base64.b64decode(each) for each in proof]
                )
        except ProofRefused:
            return 422, b""
        self.size, self.root = head.size, head.root
        at = 1_700_000_000
        signed = self._key.sign(b"cosignature/v1\ntime %d\n%b" % (at, note.text.encode()))
        return 200, f"{Signature(self.key.name, self.key.id, at.to_bytes(8) + signed)}\n".encode()


def time_stamper(folder: Path) -> Callable[[str, bytes], Reply]:
    """openssl, as who gives time stamps; `ca.pem` in the folder verifies them."""
    (folder / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa = one\n[one]\nserial = $ENV::AT/serial\nsigner_cert = $ENV::AT/ca.pem\n"
        "signer_key = $ENV::AT/key.pem\ndefault_policy = 1.2.3.4\ndigests = sha256, sha384, sha512\n"
        "signer_digest = sha256\nordering = no\ntsa_name = yes\ness_cert_id_chain = no\n"
        "[req]\ndistinguished_name = dn\n[dn]\n"
    )
    (folder / "serial").write_text("01\n")

    def openssl(*arguments: str) -> None:
        subprocess.run(
            ["openssl", *arguments],
            cwd=folder,
            check=True,
            capture_output=True,
            env={"AT": str(folder), "PATH": "/usr/bin:/bin"},
        )

    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "ca.pem", "-days", "36500",
        "-subj", "/CN=tsa", "-config", "tsa.cnf", "-addext", "extendedKeyUsage=critical,timeStamping",
    )  # fmt: skip

    def answer(_: str, body: bytes) -> Reply:
        (folder / "query").write_bytes(body)
        openssl("ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", "query", "-out", "reply")
        return 200, (folder / "reply").read_bytes()

    return answer


@pytest.fixture
async def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "x.db")


async def test_each_head_that_is_kept_continues_the_one_before(store: SqliteStore, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with store:
        await some(store, 1)
        first = await anchor(store, KEY, folder)
        assert [path.name for path in first.files] == ["4.checkpoint"]
        assert (await anchor(store, KEY, folder)).files == ()
        await some(store, 1, first=1)
        await anchor(store, KEY, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["4.checkpoint", "8.checkpoint"]
    assert opened((folder / "4.checkpoint").read_bytes(), [KEY.verifier]).checkpoint == first.checkpoint
    async with SqliteStore(tmp_path / "other.db") as other:
        await some(other, 3)
        with pytest.raises(ProofRefused, match="rewritten"):
            await anchor(other, KEY, folder)
    async with SqliteStore(tmp_path / "short.db") as short:
        await some(short, 1)
        with pytest.raises(ProofRefused, match="cut off"):
            await anchor(short, KEY, folder)
    (folder / "9.checkpoint").write_bytes((folder / "4.checkpoint").read_bytes())
    async with SqliteStore(tmp_path / "x.db") as again:
        with pytest.raises(ProofRefused, match="another's name"):
            await anchor(again, KEY, folder)


async def test_a_witness_signs_what_continues_and_its_line_is_kept(store: SqliteStore, tmp_path: Path) -> None:
    stand_in, folder = WitnessStandIn(), tmp_path / "kept"
    async with store:
        with answering(stand_in.answer) as url:
            witness = Witness(url=f"{url}/w/", key=stand_in.key)
            for number in range(3):
                await some(store, 1, first=number)
                kept = await anchor(store, KEY, folder, witness=witness)
                [path] = kept.files
                signers = opened(path.read_bytes(), [KEY.verifier, stand_in.key]).signers
                assert set(signers) == {KEY.verifier, stand_in.key}
            # It knows more than the folder: it says so, and is told from there on.
            await some(store, 1, first=9)
            assert (await anchor(store, KEY, tmp_path / "new", witness=witness)).files
            assert stand_in.size == 16
            # A head that is there without the witness gets its line.
            await some(store, 1, first=10)
            await anchor(store, KEY, folder)
            assert [path.name for path in (await anchor(store, KEY, folder, witness=witness)).files] == [
                "20.checkpoint"
            ]
        await some(store, 1, first=11)
        with pytest.raises(ProofRefused, match="can't be reached"):
            await anchor(store, KEY, folder, witness=witness)
    assert not (folder / "24.checkpoint").exists()


@pytest.mark.parametrize(
    "reply",
    [(403, b""), (409, b"99\n"), (409, b"x"), (200, b""), (200, b"no lines\n"), (200, b"\xff"), (422, b""), (500, b"")],
)
async def test_a_witness_that_does_not_sign_is_said_and_nothing_is_kept(
    reply: Reply, store: SqliteStore, tmp_path: Path
) -> None:
    async with store:
        await some(store, 1)
        with answering(lambda _path, _body: reply) as url:
            with pytest.raises(ProofRefused):
                await anchor(store, KEY, tmp_path / "kept", witness=Witness(url=url, key=WitnessStandIn().key))
    assert not list((tmp_path / "kept").glob("*"))


async def test_the_line_of_another_witness_is_not_taken(store: SqliteStore, tmp_path: Path) -> None:
    other, expected = WitnessStandIn(), WitnessStandIn()
    async with store:
        await some(store, 1)
        with answering(other.answer) as url:
            witness = Witness(url=f"{url}/w", key=expected.key)
            with pytest.raises(ProofRefused, match="did not sign"):
                await anchor(store, KEY, tmp_path / "kept", witness=witness)


async def test_openssl_verifies_the_time_stamp_of_a_head(store: SqliteStore, tmp_path: Path) -> None:
    folder, tsa = tmp_path / "kept", tmp_path / "tsa"
    tsa.mkdir()
    async with store:
        await some(store, 1)
        with answering(time_stamper(tsa)) as url:
            kept = await anchor(store, KEY, folder, timestamp_url=url)
            assert [path.name for path in kept.files] == ["4.checkpoint", "4.tsr"]
            (folder / "4.tsr").unlink()  # as if the reply had been lost
            assert [path.name for path in (await anchor(store, KEY, folder, timestamp_url=url)).files] == ["4.tsr"]
            assert (await anchor(store, KEY, folder, timestamp_url=url)).files == ()
    verify = ["openssl", "ts", "-verify", "-data", "4.checkpoint", "-in", "4.tsr", "-CAfile", str(tsa / "ca.pem")]
    done = subprocess.run(verify, cwd=folder, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


async def test_a_time_stamp_of_something_else_is_none(store: SqliteStore, tmp_path: Path) -> None:
    tsa = tmp_path / "tsa"
    tsa.mkdir()
    stamper = time_stamper(tsa)
    replies: list[bytes] = []

    def the_first_again(path: str, body: bytes) -> Reply:
        replies.append(stamper(path, body)[1])
        return 200, replies[0]

    async with store:
        await some(store, 1)
        with answering(the_first_again) as url:
            await anchor(store, KEY, tmp_path / "kept", timestamp_url=url)
            await some(store, 1, first=1)
            with pytest.raises(ProofRefused, match="something else"):
                await anchor(store, KEY, tmp_path / "kept", timestamp_url=url)
        for wrong in ((200, b"<html>"), (503, b""), (200, b"")):
            with answering(lambda _path, _body, wrong=wrong: wrong) as url:
                with pytest.raises(ProofRefused, match="no time stamp"):
                    await anchor(store, KEY, tmp_path / "kept", timestamp_url=url)


def test_a_head_is_committed_to_git(tmp_path: Path) -> None:
    home, kept = Home(tmp_path), tmp_path / "kept"
    kept.mkdir()
    asked(home, "Deploy?")
    nowhere = home.run("log", "anchor", str(tmp_path / "no-checkout"), "--git")
    assert (nowhere.returncode, "git does not commit it" in nowhere.stderr) == (4, True)
    for command in (["init", "-q"], ["config", "user.name", "ada"], ["config", "user.email", "ada@example.org"]):
        subprocess.run(["git", "-C", kept, *command], check=True)
    done = home.run("log", "anchor", str(kept), "--git")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Kept in" in done.stdout
    told = subprocess.run(
        ["git", "-C", kept, "log", "--format=%s", "--name-only"], capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith("Log of Handoffs: 1 entry, root ")
    assert "1.checkpoint" in told.stdout
    assert home.run("log", "anchor", str(kept), "--git").stdout.startswith("It is kept there already: 1 entry")
    verified = home.run("log", "verify", "--since", str(kept / "1.checkpoint"))
    assert "It continues the checkpoint of 1 entry." in verified.stdout
    assert home.run("log", "anchor", str(kept), "--witness", "http://x").returncode == 2
    assert "no address" in home.run("log", "anchor", str(kept), "--timestamp", "ftp://x").stderr
