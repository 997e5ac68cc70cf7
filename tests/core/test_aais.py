"""Records of decisions as AAIS 1.0: what real stores hold, before the validator and state machine of the package."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aais import ApprovalStore, ValidationError, validate
from aais.backends import MemoryBackend
from aais.core import ConflictError
from aais.store import ApprovalAuthority
from hypothesis import given, settings
from hypothesis import strategies as st

from handoffs.channels import could_permit
from handoffs.core.aais import EXTENSION, envelopes, written
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.decision_record import Record, read_record
from handoffs.core.desk import Desk
from handoffs.core.document import redacted
from handoffs.core.events import Entry
from handoffs.core.model import Caller, End, Handoff, Question, State
from handoffs.core.question import form_of
from handoffs.core.remembering import offered
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.proof.test_proving import inbox

CALLER = Caller(subject="token:ci", client="Claude Desktop (beta)", project="/srv/shop")
SECRET = "hush-hush"


class Asked:
    """A desk over a real store, and its records."""

    def __init__(self, desk: Desk, clock: FakeClock) -> None:
        self.desk, self.clock = desk, clock

    async def ask(self, message: str = "Deploy?", **more: Any) -> Handoff:
        return await self.desk.ask(message=message, caller=CALLER, timeout_seconds=600, **more)

    async def hold(self, *, asker: Asker = Asker.GATE, remember: bool = False, **arguments: object) -> Handoff:
        action = Action(asker=asker, server="shop", tool="delete order", arguments=json.dumps(arguments or {"id": 7}))
        choices = offered({"exact", "tool", "session"}, None) if remember else None
        form = action_form(editable=True, remember=choices)
        return await self.ask(message_of(action), form=form, action=action)

    async def allow(self, handoff: Handoff, *, channel: str = "inbox", **values: str) -> Handoff:
        self.clock.forward(5)
        return await self.desk.answer(handoff, {"decision": "allow", **values}, by="ada", channel=channel)

    async def told(self, handoff: Handoff, *, reader: str = "ada") -> list[dict[str, Any]]:
        return await told(self.desk, handoff, reader=reader)


async def told(desk: Desk, handoff: Handoff, *, reader: str = "ada") -> list[dict[str, Any]]:
    """The envelopes as they are read, each found valid by the package, with streams that count from 1."""
    record = await read_record(desk, await desk.get(handoff.id), could_permit)
    text = written(record, reader=reader)
    assert text.isascii()
    read = [validate(each) for each in json.loads(text)]
    assert read == envelopes(record, reader=reader)
    for stream in {each["stream"] for each in read}:
        counted = [each["sequence"] for each in read if each["stream"] == stream]
        assert counted == list(range(1, len(counted) + 1))
    assert len({each["id"] for each in read}) == len(read)
    return read


def outcomes(read: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (each["resolution"]["request_id"].partition(":")[2], each["resolution"]["outcome"])
        for each in read
        if each["type"] == "approval.resolved"
    ]


def of(read: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in read if each["type"] == f"approval.{kind}"]


def stages(read: list[dict[str, Any]]) -> list[str]:
    return [each["activity"]["stage"] for each in of(read, "activity")]


def replayed(read: list[dict[str, Any]]) -> list[str]:
    """What the package's own state machine makes of the requests and decisions."""
    store, made = ApprovalStore(), list[str]()
    for each in read:
        if each["type"] == "approval.requested":
            store.add(each)
        elif each["type"] == "approval.decided":
            at = datetime.fromisoformat(each["decision"]["decided_at"])
            made.append(store.decide(each, now=at)["resolution"]["outcome"])
    return made


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Asked]:
    clock = FakeClock()
    async with SqliteStore(folder / "handoffs.db") as store:
        yield Asked(Desk(store=store, clock=clock), clock)


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncGenerator[Asked]:
    async with opened(tmp_path) as made:
        yield made


async def test_an_answered_question_is_a_request_with_its_answer(asked: Asked) -> None:
    handoff = await asked.ask(options=["yes", "no"])
    await asked.desk.reached(handoff, channel="inbox")
    done = await asked.desk.answer(handoff, {"response": "no"}, by="ada", channel="inbox", note="Friday")
    await asked.desk.collect(done)
    read = await asked.told(handoff)
    request, shown, decided, resolved, collected = read
    body = request["request"]
    assert body["action"]["kind"] == "question"
    assert body["action"]["summary"] == "Give the agent an answer to: Deploy?"
    assert json.loads(body["action"]["arguments"]["form"]) == handoff.question.form.schema
    assert body["origin"]["session_id"] == handoff.id
    assert body["origin"]["harness"].startswith("Claude-Desktop-beta-")
    assert body["extensions"][EXTENSION + "question"]["caller"]["client"] == CALLER.client
    assert body["expires_at"] > body["created_at"]
    assert [shown["activity"]["stage"], collected["activity"]["stage"]] == ["reached", "collected"]
    assert decided["decision"]["actor"] == {"id": "ada", "type": "human", "display_name": "ada"}
    answer = decided["decision"]["extensions"][EXTENSION + "answer"]
    assert answer == {"values": {"response": "no"}, "other": None, "note": "Friday", "channel": "inbox"}
    assert resolved["resolution"]["outcome"] == "approved"
    assert "the answer is in the extension" in resolved["resolution"]["message"]
    assert replayed(read) == ["approved"]


async def test_each_other_end_has_its_outcome(asked: Asked) -> None:
    declined, cancelled, expired = [await asked.ask(f"{number}?") for number in range(3)]
    await asked.desk.decline(declined, by="ada", channel="terminal", note="not today")
    await asked.desk.cancel(cancelled, by="token:ci", channel="tasks")
    asked.clock.forward(700)
    read = {each.id: await asked.told(each) for each in (declined, cancelled, expired)}
    assert outcomes(read[declined.id]) == [("", "denied")]
    assert replayed(read[declined.id]) == ["denied"]
    assert outcomes(read[cancelled.id]) == [("", "cancelled")]
    assert outcomes(read[expired.id]) == [("", "expired")]
    withdrawn = of(read[cancelled.id], "resolved")[0]["resolution"]["extensions"]
    assert withdrawn == {EXTENSION + "end": {"by": "token:ci", "channel": "tasks", "note": None}}
    # Nobody decided these: no decision is made up.
    assert not of(read[cancelled.id], "decided")
    assert not of(read[expired.id], "decided")


async def test_an_open_question_is_requested_and_nothing_else(asked: Asked) -> None:
    read = await asked.told(await asked.hold(remember=True))
    assert [each["type"] for each in read] == ["approval.requested"]
    choices = [(each["decision"], each["scope"]) for each in read[0]["request"]["choices"]]
    assert choices == [
        ("approve", "once"),
        ("approve", "session"),
        ("approve", "persistent"),
        ("deny", "once"),
        ("cancel", "once"),
    ]


async def test_an_allowed_call_says_what_became_of_it(asked: Asked) -> None:
    handoff = await asked.hold()
    sent = await asked.desk.send(await asked.allow(handoff), call="c_1")
    await asked.desk.note_result(sent, call="c_1", outcome="error")
    read = await asked.told(handoff)
    action = read[0]["request"]["action"]
    assert (action["kind"], action["resource"]) == ("tool.call", "shop/delete order")
    assert action["name"].startswith("delete-order-")
    assert action["arguments"] == {"id": 7}
    assert action["presentation"] == {"details": handoff.question.message}
    assert outcomes(read) == [("", "approved")]
    assert replayed(read) == ["approved"]
    assert stages(read) == ["used", "sent", "result"]
    assert of(read, "activity")[-1]["activity"]["message"] == "The server answered the call, with an error"


async def test_a_call_that_may_have_run_is_said_to_be_unknown(asked: Asked) -> None:
    handoff = await asked.hold()
    sent = await asked.desk.send(await asked.allow(handoff), call="c_1")
    await asked.desk.note_unknown(sent, call="c_1", reason="it was cut off")
    last = (await asked.told(handoff))[-1]["activity"]
    assert (last["stage"], last["request_id"]) == ("unknown", handoff.id)
    assert "may have run" in last["message"]


async def test_a_denied_call_has_its_reason(asked: Asked) -> None:
    handoff = await asked.hold()
    await asked.desk.answer(handoff, {"decision": "deny", "reason": "not that one"}, by="ada", channel="inbox")
    read = await asked.told(handoff)
    assert outcomes(read) == [("", "denied")]
    assert replayed(read) == ["denied"]
    answer = of(read, "decided")[0]["decision"]["extensions"][EXTENSION + "answer"]
    assert answer["values"]["reason"] == "not that one"


async def test_a_changed_call_is_a_stale_request_and_an_approved_one(asked: Asked) -> None:
    handoff = await asked.hold(id=7, token=SECRET)
    done = await asked.allow(handoff, arguments=json.dumps({"id": 8, "token": SECRET}))
    sent = await asked.desk.send(done, call="c_1", edited=True)
    await asked.desk.note_result(sent, call="c_1", outcome="done")
    read = await asked.told(handoff)
    assert outcomes(read) == [("", "stale"), ("edited", "approved")]
    first, second = [each["request"] for each in of(read, "requested")]
    assert (first["action"]["arguments"]["id"], second["action"]["arguments"]["id"]) == (7, 8)
    assert second["extensions"][EXTENSION + "question"]["changes"] == handoff.id
    assert {each["activity"]["request_id"] for each in of(read, "activity")} == {f"{handoff.id}:edited"}
    assert replayed(read) == ["approved"]


async def test_a_changed_secret_is_a_change_and_stays_masked(asked: Asked) -> None:
    handoff = await asked.hold(id=7, token=SECRET)
    await asked.allow(handoff, arguments=json.dumps({"id": 7, "token": "another-" + SECRET}))
    read = await asked.told(handoff)
    assert outcomes(read) == [("", "stale"), ("edited", "approved")]
    assert SECRET not in json.dumps(read)
    actions = [each["request"]["action"] for each in of(read, "requested")]
    assert [each["arguments"] for each in actions] == [{"id": 7, "token": "••••"}] * 2
    assert [each["presentation"]["redacted"] for each in actions] == [True, True]
    hints = [each["presentation"]["binding_hint"] for each in actions]
    assert handoff.question.action is not None
    assert handoff.question.action.digest in hints[0]
    assert hints[0] != hints[1]
    assert actions[0] != actions[1]


async def test_what_was_not_really_changed_or_is_no_json(asked: Asked) -> None:
    same, broken = await asked.hold(id=1), await asked.hold(id=2)
    await asked.allow(same, arguments='{ "id": 1 }')
    await asked.allow(broken, arguments="{no")
    assert outcomes(await asked.told(same)) == [("", "approved")]
    assert outcomes(await asked.told(broken)) == [("", "invalid")]


@pytest.mark.parametrize(("remember", "scope"), [("session", "session"), ("tool-day", "persistent")])
async def test_what_is_remembered_is_the_scope(asked: Asked, remember: str, scope: str) -> None:
    handoff = await asked.hold(remember=True)
    await asked.allow(handoff, remember=remember)
    read = await asked.told(handoff)
    assert of(read, "decided")[0]["decision"]["scope"] == scope
    assert replayed(read) == ["approved"]
    # Whether a permission stands is told elsewhere.
    assert "effective_scope" not in of(read, "resolved")[0]["resolution"]


@pytest.mark.parametrize(
    ("asker", "channel", "outcome"),
    [
        (Asker.GATE, "script", "invalid"),
        (Asker.GATE, "card", "invalid"),
        (Asker.GATE, "elicitation", "approved"),
        (Asker.HOST, "elicitation", "invalid"),
        (Asker.HOST, "command line", "approved"),
    ],
)
async def test_an_allowance_counts_by_its_channel(asked: Asked, asker: Asker, channel: str, outcome: str) -> None:
    handoff = await asked.hold(asker=asker)
    await asked.allow(handoff, channel=channel)
    assert outcomes(await asked.told(handoff)) == [("", outcome)]


async def test_a_script_that_answers_is_no_human(asked: Asked) -> None:
    handoff = await asked.ask()
    await asked.desk.answer(handoff, {"response": "yes"}, by="Ada L", channel="script")
    actor = of(await asked.told(handoff), "decided")[0]["decision"]["actor"]
    assert actor["type"] == "policy"
    assert actor["display_name"] == "Ada L"
    assert actor["id"].startswith("Ada-L-")
    refused = await asked.ask("Again?")
    await asked.desk.decline(refused, by="ada", channel="script")
    assert "no person refused" in of(await asked.told(refused), "resolved")[0]["resolution"]["message"]


async def test_numbers_that_readers_differ_on_are_texts(asked: Asked) -> None:
    action = Action(asker=Asker.GATE, server="", tool="t", arguments='{"big": 9007199254740993, "half": 0.5}')
    handoff = await asked.ask(message_of(action), form=action_form(editable=False), action=action)
    [request] = await asked.told(handoff)
    assert request["request"]["action"]["arguments"] == {"big": "9007199254740993", "half": 0.5}
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**63 - 1}}}
    await asked.told(await asked.ask("How many?", form=schema))


async def test_hostile_texts_are_valid_and_act_on_nothing(asked: Asked) -> None:
    evil = "x\x1b[2J\u202e\x00" + "long " * 3000
    caller = Caller(subject="ada", client=evil, project="/srv/\udce9")
    handoff = await asked.desk.ask(message=evil, caller=caller, timeout_seconds=600)
    await asked.desk.decline(handoff, by=evil, channel="terminal", note=evil)
    assert outcomes(await asked.told(handoff)) == [("", "denied")]


TEXT = st.text(max_size=300)


@settings(max_examples=40, deadline=None)
@given(by=TEXT, client=TEXT, project=TEXT, message=TEXT.filter(str.strip), server=TEXT, tool=TEXT, note=TEXT)
def test_any_texts_make_valid_envelopes(
    by: str, client: str, project: str, message: str, server: str, tool: str, note: str
) -> None:
    now = FakeClock().now()
    for action in (None, Action(asker=Asker.GATE, server=server, tool=tool, arguments=json.dumps({message: note}))):
        form = form_of(message, None, None if action is None else action_form(editable=True))
        question = Question(message=message, form=form, deadline=now, action=action)
        caller = Caller(subject=by, client=client, project=project)
        end = End(at=now, by=by, channel=server, note=note)
        handoff = Handoff(
            id="h_1", caller=caller, question=question, created_at=now, fingerprint="", state=State.ANSWERED,
            values={"decision": "allow", "arguments": note}, end=end,
        )  # fmt: skip
        entries = [
            Entry(number=number, handoff_id="h_1", name=name, at=now, details={"by": by, "reason": note})
            for number, name in enumerate(("opened", tool or "reached", "answered", "used"))
        ]
        record = Record(handoff=handoff, shown=redacted(handoff), entries=entries, votes=())
        for each in envelopes(record, reader=by):
            validate(json.loads(json.dumps(each)))


async def test_votes_are_in_the_resolution_of_whom_they_may_be_told(asked: Asked) -> None:
    seats = (Seat(person="ada"), Seat(person="bob", for_="cyd"))
    given: dict[str, Any] = {"rule": "gate.toml:3", "asked_at": asked.clock.now(), "seats": seats, "votes": 2}
    handoff = await asked.ask(deciders=Deciders(**given, visible="theirs"))
    once = await asked.desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox")
    await asked.desk.answer(once, {"response": "yes"}, by="bob", channel="inbox")
    read = await asked.told(handoff, reader="bob")
    votes = of(read, "resolved")[0]["resolution"]["extensions"][EXTENSION + "votes"]
    assert [(each["person"], each["for"], each["agrees"], each["passkey"]) for each in votes] == [
        ("ada", None, True, None),
        ("bob", "cyd", True, None),
    ]
    assert stages(read) == ["voted", "voted"]
    assert of(read, "decided")[0]["decision"]["actor"]["id"] == "bob"
    others = await asked.told(handoff, reader="eve")
    assert not {"ada", "bob", "cyd"} & set(json.dumps(others).split('"'))
    assert of(others, "decided")[0]["decision"]["actor"] == {"id": "unnamed", "type": "human"}


async def test_an_answer_without_the_votes_is_not_believed(tmp_path: Path) -> None:
    async with opened(tmp_path) as asked:
        seats = (Seat(person="ada"), Seat(person="bob"))
        rule = Deciders(rule="gate.toml:3", asked_at=asked.clock.now(), seats=seats)
        handoff = await asked.ask(deciders=rule)
        done = await asked.desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox")
        record = await read_record(asked.desk, replace(done, votes=()), could_permit)
        read = [validate(each) for each in envelopes(record, reader="ada")]
        assert outcomes(read) == [("", "invalid")]
        assert not of(read, "decided")


def signed(read: list[dict[str, Any]]) -> Mapping[str, Any]:
    [vote] = of(read, "resolved")[-1]["resolution"]["extensions"][EXTENSION + "votes"]
    return vote["passkey"]


async def test_a_signed_answer_is_authenticated_by_the_passkey(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        handoff = await at.ask()
        await at.answer(handoff, "ada", await at.sign(handoff, "ada", note="go on"), note="go on")
        read = await told(at.desk, handoff)
        assert of(read, "decided")[0]["decision"]["actor"]["authenticated_by"] == "passkey"
        proof = signed(read)
        assert (proof["credential"], proof["verified"], proof["problem"]) == ("YWRh", True, None)
        assert json.loads(proof["assertion"])["id"] == "YWRh"
        assert outcomes(read) == [("", "approved")]


async def test_a_signature_that_does_not_fit_makes_it_invalid(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        handoff = await at.ask()
        done = await at.answer(handoff, "ada", await at.sign(handoff, "ada"))
        forged = replace(done, values={"response": "no"})
        record = await read_record(at.desk, forged, could_permit)
        assert record.refused
        assert not record.proved
        read = [validate(each) for each in envelopes(record, reader="ada")]
        assert outcomes(read) == [("", "invalid")]
        assert not of(read, "decided")
        # Where the votes and the signature fit, the name beside the answer must be of one of them.
        assert done.end is not None
        renamed = await read_record(at.desk, replace(done, end=replace(done.end, by="bob")), could_permit)
        assert "not proved" in renamed.refused


async def test_a_refusal_has_no_signature_and_needs_none(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        handoff = await at.ask(votes=2)
        once = await at.answer(handoff, "ada", await at.sign(handoff, "ada"))
        await at.desk.decline(once, by="bob", channel="inbox")
        read = await told(at.desk, handoff)
        assert outcomes(read) == [("", "denied")]
        actor = of(read, "decided")[0]["decision"]["actor"]
        assert "authenticated_by" not in actor
        first, second = of(read, "resolved")[0]["resolution"]["extensions"][EXTENSION + "votes"]
        assert first["passkey"]["verified"] is False
        assert "no answer that it could be compared with" in first["passkey"]["problem"]
        assert second["passkey"] is None


async def test_an_authority_of_the_package_takes_a_record_over(asked: Asked) -> None:
    done, still = await asked.hold(id=1), await asked.hold(id=2)
    await asked.allow(done)
    ended, pending = await asked.told(done), await asked.told(still)
    authority = ApprovalAuthority(MemoryBackend(), stream="taken.over", clock=asked.clock.now)
    authority.import_legacy_state(
        {
            "sequence": 9,
            "pending": {still.id: pending[0]},
            "decisions": {done.id: of(ended, "decided")[0]},
            "resolutions": {done.id: of(ended, "resolved")[0]},
            "events": [each for each in ended if each["type"] != "approval.decided"],
        }
    )
    human = {"id": "ada", "type": "human"}
    assert authority.decide(done.id, decision="approve", scope="once", actor=human) == of(ended, "resolved")[0]
    with pytest.raises(ConflictError):
        authority.decide(done.id, decision="deny", scope="once", actor=human)
    assert [each["request"]["id"] for each in authority.pending_requests()] == [still.id]


async def test_the_package_refuses_what_was_altered(asked: Asked) -> None:
    [request] = await asked.told(await asked.hold(id=1))
    request["request"]["action"]["arguments"] = {"id": 2}
    with pytest.raises(ValidationError, match="does not match the canonical action"):
        validate(request)
