"""Logs and decisions as they are written down from a store, and what is found in them once they were changed."""

import base64
import json
import subprocess
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.events import Collected
from handoffs.core.model import Handoff
from handoffs.proof.decisions import Found, check_alone
from handoffs.proof.notes import SigningKey
from handoffs.proof.refused import ProofRefused
from handoffs.proof.verifying import Report, verify_folder
from handoffs.proof.writing import Exported, export, proof_of, signed_head
from handoffs.store.sqlite.store import SqliteStore
from tests.proof.authenticator import ORIGIN as INBOX
from tests.proof.test_proving import CALLER, Inbox
from tests.proof.test_proving import inbox as inbox_in

KEY = SigningKey("handoffs.example/log", bytes(range(32)))
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncGenerator[Inbox]:
    async with inbox_in(tmp_path) as made:
        yield made


async def decided(at: Inbox, votes: int = 2) -> Handoff:
    """Two people sign the same answer."""
    asked = await at.ask(votes=votes)
    for by in ("ada", "bob")[:votes]:
        asked = await at.answer(await at.desk.get(asked.id), by, await at.sign(asked, by))
    return asked


async def plain(at: Inbox, message: str) -> Handoff:
    asked = await at.desk.ask(message=message, caller=CALLER)
    return await at.desk.answer(asked, {"response": "yes"}, by="grace", channel="inbox", note="but slowly")


async def exported(store: SqliteStore, folder: Path, **how: Any) -> Exported:
    return await export(store, folder, KEY, server_id=INBOX, **how)


def checked(folder: Path, since: bytes | None = None, **how: Any) -> Report:
    return verify_folder(folder, [KEY.verifier], since, **how)


async def proof(at: Inbox, handoff: Handoff, **how: Any) -> dict[str, Any]:
    return await proof_of(at.store, handoff, KEY, server_id=INBOX, **how)


def alone(whole: dict[str, Any], **how: Any) -> Found:
    return check_alone(json.dumps(whole).encode(), [KEY.verifier], **how)


async def test_an_exported_log_is_right_with_its_decisions_and_signatures(inbox: Inbox, tmp_path: Path) -> None:
    await decided(inbox)
    await plain(inbox, "Deploy?")
    done = await exported(inbox.store, tmp_path / "out")
    assert (done.checkpoint.size, done.decisions) == (len(await inbox.desk.log()), 2)
    report = checked(tmp_path / "out")
    assert [str(each) for each in report.problems] == []
    assert (report.handoffs, report.decisions, report.signed, report.closed) == (2, 2, 1, 0)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


async def test_a_later_export_writes_what_is_new_and_continues_the_old_head(inbox: Inbox, tmp_path: Path) -> None:
    await plain(inbox, "First?")
    await exported(inbox.store, tmp_path / "out")
    since, before = (tmp_path / "out/checkpoint").read_bytes(), len(await inbox.desk.log())
    for number in range(100):
        await plain(inbox, f"Deploy {number}?")
    assert (await exported(inbox.store, tmp_path / "out")).decisions == 100
    assert (await exported(inbox.store, tmp_path / "out")).written == 0
    report = checked(tmp_path / "out", since)
    assert report.ok
    assert report.since is not None
    assert (report.since.size, report.decisions) == (before, 101)


async def test_without_words_only_the_log_is_written(inbox: Inbox, tmp_path: Path) -> None:
    await plain(inbox, "Deploy?")
    assert (await exported(inbox.store, tmp_path / "out", words=False)).decisions == 0
    assert not (tmp_path / "out/decisions").exists()
    assert "Deploy?" not in "".join(
        path.read_text("latin-1") for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    assert checked(tmp_path / "out").ok


async def test_an_export_with_words_after_one_without_writes_all_decisions(inbox: Inbox, tmp_path: Path) -> None:
    await plain(inbox, "First?")
    await exported(inbox.store, tmp_path / "out", words=False)
    await plain(inbox, "Second?")
    assert (await exported(inbox.store, tmp_path / "out")).decisions == 2
    assert checked(tmp_path / "out").decisions == 2


async def test_a_decision_that_went_on_leaves_no_old_file_without_words(inbox: Inbox, tmp_path: Path) -> None:
    handoff = await plain(inbox, "Deploy?")
    await exported(inbox.store, tmp_path / "out")
    await inbox.store.record(handoff.id, Collected(at=handoff.created_at))
    await exported(inbox.store, tmp_path / "out", words=False)
    report = checked(tmp_path / "out")
    assert (list(map(str, report.problems)), report.decisions) == ([], 0)


@pytest.mark.parametrize(("kept", "said"), [(0, "it has no events"), (1, "versions 1 to 1, and the log has 1 to 2")])
async def test_a_decision_whose_events_were_left_out_is_found(
    kept: int, said: str, inbox: Inbox, tmp_path: Path
) -> None:
    handoff = await plain(inbox, "Deploy?")
    await exported(inbox.store, tmp_path / "out")
    path = tmp_path / f"out/decisions/{handoff.id}.json"
    whole = json.loads(path.read_bytes())
    path.write_text(json.dumps(whole | {"events": whole["events"][:kept]}))
    [problem] = checked(tmp_path / "out").problems
    assert said in str(problem)


async def test_a_folder_that_has_more_than_the_log_is_refused(inbox: Inbox, tmp_path: Path) -> None:
    await plain(inbox, "Deploy?")
    await exported(inbox.store, tmp_path / "out")
    async with SqliteStore(tmp_path / "empty.db") as empty:
        with pytest.raises(ProofRefused, match="cut off"):
            await exported(empty, tmp_path / "out")


async def test_one_decision_is_proved_without_the_log(inbox: Inbox) -> None:
    handoff = await decided(inbox)
    found = alone(await proof(inbox, handoff))
    assert (found.problems, sorted(found.signed_by), found.handoff) == ([], ["ada", "bob"], handoff.id)
    pinned = {"ada": (inbox.ada.cose,), "bob": (inbox.bob.cose,)}
    assert alone(await proof(inbox, handoff), pinned=pinned).problems == []
    swapped = {"ada": (inbox.bob.cose,), "bob": (inbox.ada.cose,)}
    assert len(alone(await proof(inbox, handoff), pinned=swapped).problems) == 2
    assert len(alone(await proof(inbox, handoff), pinned={}).problems) == 2


def _word(whole: dict[str, Any], event: str, name: str, value: str) -> None:
    for each in whole["events"]:
        if json.loads(each["leaf"])["event"] == event:
            each["words"][name] = value


CHANGES: dict[str, Change] = {
    "another answer": lambda of: _word(of, "answered", "values", '{"response":"no"}'),
    "another question": lambda of: _word(of, "opened", "message", '"Stop?"'),
    "another person": lambda of: _word(of, "answered", "by", '"eve"'),
    "another leaf": lambda of: of["events"][1].update(leaf=of["events"][1]["leaf"].replace("inbox", "admin")),
    "another place": lambda of: of["events"][1].update(index=0),
    "another salt": lambda of: of["events"][0].update(salt="00" * 16),
    "no salt": lambda of: of["events"][0].update(salt=""),
    "a lost event": lambda of: of["events"].pop(1),
    "two events swapped": lambda of: of["events"].reverse(),
    "another path": lambda of: of["events"][0].update(path=of["events"][1]["path"]),
    "another handoff": lambda of: of.update(handoff="h_other"),
    "no signature": lambda of: of["signatures"].clear(),
    "a signature of another": lambda of: of["signatures"][0].update(person="bob"),
    "another text signed": lambda of: of["signatures"][0].update(
        signed=of["signatures"][0]["signed"].replace("yes", "no")
    ),
    "another key": lambda of: of["signatures"][0].update(public_key=of["signatures"][1]["public_key"]),
    "no key": lambda of: of["signatures"][0].update(public_key=""),
    "another checkpoint": lambda of: of["log"].update(checkpoint=of["log"]["checkpoint"].replace("\n", "\n1", 1)),
    "no list": lambda of: of.update(events={}),
    "a later form": lambda of: of.update(v=2),
    "an index that is none": lambda of: of["events"][0].update(index="0"),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
async def test_what_was_changed_in_a_decision_is_found(change: str, inbox: Inbox) -> None:
    handoff = await decided(inbox)
    whole = await proof(inbox, handoff)
    assert alone(whole).problems == []
    CHANGES[change](whole)
    assert alone(whole).problems, change


@pytest.mark.parametrize("written", [b"", b"{", b"[]", b"null", b'{"log":{}}', b"\xff", b'{"v":1,"log":[]}'])
async def test_what_is_no_decision_is_said_to_be_none(written: bytes) -> None:
    assert check_alone(written, [KEY.verifier]).problems


async def test_a_changed_decision_beside_an_exported_log_is_found(inbox: Inbox, tmp_path: Path) -> None:
    handoff = await decided(inbox)
    await exported(inbox.store, tmp_path / "out")
    path = tmp_path / "out/decisions" / f"{handoff.id}.json"
    right = path.read_text()
    path.write_text(right.replace('\\"yes\\"', '\\"no\\"'))
    problems = [str(each) for each in checked(tmp_path / "out").problems]
    assert problems
    assert all(each.startswith(f"decisions/{handoff.id}.json") for each in problems)
    path.unlink()
    path.with_name("h_other.json").write_text(right)
    assert [str(each) for each in checked(tmp_path / "out").problems] == [
        f"decisions/h_other.json: it is of {handoff.id}."
    ]


async def test_the_secrets_of_a_held_call_are_kept_back_unless_wanted(inbox: Inbox, tmp_path: Path) -> None:
    action = Action(asker=Asker.GATE, server="db", tool="connect", arguments='{"host": "x", "password": "hunter2"}')
    form = action_form(editable=True)
    asked = await inbox.desk.ask(message=message_of(action), caller=CALLER, form=form, action=action)
    handoff = await inbox.desk.decline(asked, by="grace", channel="inbox")
    kept_back = await proof(inbox, handoff)
    assert "hunter2" not in json.dumps(kept_back)
    found = alone(kept_back)
    assert (found.problems, found.closed) == ([], 1)
    whole = await proof(inbox, handoff, secret=True)
    assert "hunter2" in json.dumps(whole)
    assert (alone(whole).problems, alone(whole).closed) == ([], 0)
    await exported(inbox.store, tmp_path / "out")
    assert b"hunter2" not in b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())


async def test_openssl_verifies_a_signed_head_and_a_passkeys_signature(inbox: Inbox, tmp_path: Path) -> None:
    from fido2 import cbor
    from fido2.cose import CoseKey

    handoff = await decided(inbox, votes=1)
    whole = await proof(inbox, handoff)
    assertion = json.loads(whole["signatures"][0]["assertion"])

    def raw(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    from hashlib import sha256

    signed = whole["signatures"][0]["signed"].encode()
    client = raw(assertion["clientDataJSON"])
    assert raw(json.loads(client)["challenge"]) == sha256(signed).digest()
    (tmp_path / "message").write_bytes(raw(assertion["authenticatorData"]) + sha256(client).digest())
    (tmp_path / "signature").write_bytes(raw(assertion["signature"]))
    key = CoseKey.parse(cbor.decode(raw(whole["signatures"][0]["public_key"])))  # type: ignore[arg-type]
    point = b"\x04" + key[-2] + key[-3]
    frame = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    (tmp_path / "key.der").write_bytes(frame + point)
    done = subprocess.run(
        [
            "openssl", "dgst", "-sha256", "-keyform", "DER", "-verify", tmp_path / "key.der",
            "-signature", tmp_path / "signature", tmp_path / "message",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Verified OK" in done.stdout
    checkpoint, raw_head = await signed_head(inbox.store, KEY)
    assert raw_head.decode() == whole["log"]["checkpoint"]
    assert checkpoint.size == len(await inbox.desk.log())
