"""Access requests of AuthZEN, on a real server: what becomes of one, and whom it is shown."""

import json
import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2
import jwt
import pytest

from handoffs.clock import SystemClock
from handoffs.core.deciders import Vote, content_digest, dump_votes
from handoffs.core.desk import Desk
from handoffs.core.errors import NotTheirDecision
from handoffs.core.model import Handoff, State
from handoffs.core.person import Person
from handoffs.proof.passkeys import PasskeyProofs, RelyingParty
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home, HttpServer
from tests.api.decision_point import ACTION, CONTEXT, RESOURCE, SUBJECT, DecisionPoint, decision_point, hash_of, moment
from tests.api.test_api import added_token, stored
from tests.client.people import desk_of, opened
from tests.proof.authenticator import ORIGIN, Authenticator

ALLOW, DENY = {"decision": "allow"}, {"decision": "deny", "reason": "Not on a Friday"}
PATH = "/v1/access-requests"
DOCS = Path(__file__).parents[2] / "docs/programs.md"
URN = "urn:openid:authzen:access-request:error:"


@dataclass
class Served:
    """A server with a decision point, and a client with the local user's token."""

    home: Home
    server: HttpServer
    http: httpx2.AsyncClient
    point: DecisionPoint

    @property
    def place(self) -> str:
        return self.server.url.removesuffix("/mcp") + PATH

    def denied(self, **how: Any) -> Any:
        return self.point.denied(self.place, **how)

    async def submit(self, body: Any = None, key: str = "one", **headers: str) -> httpx2.Response:
        return await self.http.post(PATH, json=body or self.denied(), headers={"idempotency-key": key} | headers)

    async def asked(self, body: Any = None, key: str = "one") -> tuple[str, Handoff]:
        """Ask, and return the status endpoint and the question."""
        got = await self.submit(body, key)
        assert got.status_code == 202, got.text
        [handoff] = [each for each in await stored(self.home) if each.id == got.json()["task"]["id"]]
        return got.json()["task"]["status_endpoint"], handoff

    async def status(self, place: str) -> str:
        got = (await self.http.get(place)).json()
        assert ("result" in got) == (got["task"]["status"] == "approved")
        return str(got["task"]["status"])


@asynccontextmanager
async def served(folder: Path, **settings: str) -> AsyncGenerator[Served]:
    with decision_point() as point:
        home = Home(folder, {"HANDOFFS_MIN_TIMEOUT_SECONDS": "1", "HANDOFFS_DECISION_POINT": point.url, **settings})
        async with home.http() as server:
            base = server.url.removesuffix("/mcp")
            async with httpx2.AsyncClient(base_url=base, headers=server.bearer, timeout=120) as http:
                yield Served(home, server, http, point)


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Served]:
    """A server that no request gets through."""
    async with served(tmp_path_factory.mktemp("access")) as at:
        yield at


# What becomes of one


async def test_a_person_approves_and_the_decision_point_can_verify_it(tmp_path: Path) -> None:
    async with served(tmp_path) as at, desk_of(tmp_path) as desk:
        first = await at.submit()
        task = first.json()["task"]
        assert (first.status_code, first.headers["retry-after"], "result" in first.json()) == (202, "5", False)
        assert task["status"] == "pending"
        assert task["status_endpoint"] == first.headers["location"] == f"{at.place}/{task['id']}"
        assert task["links"]["cancel"] == f"{at.place}/{task['id']}/cancel"
        assert await at.status(task["status_endpoint"]) == "pending"
        await desk.answer(await opened(desk), ALLOW, by="ada", channel="inbox")
        got = (await at.http.get(task["status_endpoint"])).json()
        assert (got["task"]["status"], got["result"]["mode"]) == ("approved", "reevaluate")
        approval = got["result"]["approval"]
        keys = jwt.PyJWKSet.from_dict((await at.http.get(f"{PATH}/keys")).json())
        signer = keys[jwt.get_unverified_header(approval["state"])["kid"]]
        state = jwt.decode(approval["state"], signer, algorithms=["EdDSA"], audience=at.point.url, issuer=at.place)
        assert (state["subject"], state["resource"], state["action"]) == (SUBJECT, RESOURCE, ACTION)
        assert (state["context"], state["binding_context_members"]) == ({"tenant": "acme"}, ["tenant"])
        assert (state["approval_id"], state["task_id"], state["evaluation_id"]) == (
            approval["id"],
            task["id"],
            "eval_1",
        )
        assert approval["id"].startswith("apr_")
        assert "ada" not in json.dumps(got | {"state": state})
        until = datetime.fromisoformat(approval["approved_until"]) - datetime.fromisoformat(approval["approved_at"])
        assert until == timedelta(hours=1)
        with pytest.raises(jwt.InvalidAudienceError):
            jwt.decode(approval["state"], signer, algorithms=["EdDSA"], audience="https://other.example")
        again = (await at.http.get(task["status_endpoint"])).json()
        assert again == got


async def test_what_the_person_sees_is_all_that_is_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        actor = {"id": "agent-7", "iss": "https://agents.example"}
        subject = {**SUBJECT, "properties": {**SUBJECT["properties"], "act": actor}}
        client = {"name": "gateway", "example.com/ticket": "T-1"}
        requested = {"requested_until": moment(3_600), "emergency": True}
        body = at.denied(subject=subject, client=client, requested_access=requested)
        _, asked = await at.asked(body)
        action = asked.question.action
        assert action is not None
        assert (action.tool, action.server, asked.caller.client) == ("delete_rows", at.point.url, "gateway")
        assert action.values == {
            "subject": SUBJECT,
            "action": ACTION,
            "resource": RESOURCE,
            "context": {"tenant": "acme"},
            "requested_access": requested,
            "evaluation_id": "eval_1",
            "not_verified": {
                "context": {"business_justification": "Asked to be forgotten"},
                "client": client,
                "subject.properties.act": actor,
                "denial": {"reason": "approval_required"},
            },
        }
        assert f"`{at.point.url}` denied this to the subject" in asked.question.message
        assert "Asked to be forgotten" in asked.question.message
        assert [each.name for each in asked.question.form.fields] == ["decision", "reason"]
        assert asked.question.deadline <= datetime.now(UTC) + timedelta(seconds=3_600)


async def test_a_denial_is_told_with_the_persons_own_words(tmp_path: Path) -> None:
    async with served(tmp_path) as at, desk_of(tmp_path) as desk:
        for number, decline in enumerate((False, True)):
            place, asked = await at.asked(key=f"{number}")
            if decline:
                await desk.decline(asked, by="ada", channel="inbox", note="Not on a Friday")
            else:
                await desk.answer(asked, DENY, by="ada", channel="inbox")
            task = (await at.http.get(place)).json()["task"]
            assert (task["status"], task["display"]["description"]) == ("denied", "Not on a Friday")


async def test_nobody_deciding_in_time_is_no_consent(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        place, _ = await at.asked(at.denied(requested_access={"requested_until": moment(3)}))
        with anyio.fail_after(120):
            while (status := await at.status(place)) == "pending":
                await anyio.sleep(0.1)
        assert status == "expired"


async def test_a_caller_withdraws_once(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        place, _ = await at.asked()
        wrong = await at.http.post(f"{place}/cancel", json={"decision": "allow"})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "decision")
        done = await at.http.post(f"{place}/cancel", json={"reason": "not_needed", "comment": "Found another way"})
        assert (done.status_code, done.json()["task"]["status"]) == (200, "cancelled")
        [kept] = await stored(at.home)
        assert kept.end is not None
        assert kept.end.note == "not_needed: Found another way"
        again = await at.http.post(f"{place}/cancel")
        assert (again.status_code, again.json()["type"]) == (409, URN + "invalid_task_state")


@pytest.mark.parametrize("channel", ["", "dialog", "program", "script", "ntfy", "nonsense"])
async def test_what_no_person_said_in_our_own_channels_is_no_approval(tmp_path: Path, channel: str) -> None:
    async with served(tmp_path) as at, desk_of(tmp_path) as desk:
        place, asked = await at.asked()
        await desk.answer(asked, ALLOW, by="ada", channel=channel)
        assert await at.status(place) == "failed"


@pytest.mark.parametrize("name", ["alice@example.com", "ALICE@example.com", "alice"])
async def test_the_one_whom_it_is_for_approves_nothing_for_themselves(tmp_path: Path, name: str) -> None:
    async with served(tmp_path) as at, desk_of(tmp_path) as desk:
        person = await at.home.command("people", "add", "alice", "--email", "alice@example.com")
        assert person.returncode == 0, person.stderr
        place, asked = await at.asked()
        await desk.answer(asked, ALLOW, by=name, channel="inbox")
        assert await at.status(place) == "failed"


async def test_an_approval_counts_no_longer_than_was_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path) as at, desk_of(tmp_path) as desk:
        for number, (seconds, most) in enumerate([(120, 120), (7 * 86_400, 86_400)]):
            requested = {"requested_until": moment(seconds)}
            place, asked = await at.asked(at.denied(requested_access=requested), key=f"{number}")
            await desk.answer(asked, ALLOW, by="ada", channel="inbox")
            approval = (await at.http.get(place)).json()["result"]["approval"]
            given, until = (datetime.fromisoformat(approval[name]) for name in ("approved_at", "approved_until"))
            assert timedelta(0) < until - given <= timedelta(seconds=most)


async def test_while_everything_is_stopped_nothing_is_asked_or_approved(tmp_path: Path) -> None:
    async with served(tmp_path) as at, desk_of(tmp_path) as desk:
        place, asked = await at.asked()
        waiting, _ = await at.asked(key="two")
        await desk.answer(asked, ALLOW, by="ada", channel="inbox")
        assert await at.status(place) == "approved"
        assert (await at.home.command("gate", "stop")).returncode == 0
        assert (await at.http.get(place)).status_code == 503
        assert await at.status(waiting) == "denied"
        new = await at.submit(key="three")
        assert (new.status_code, len(await stored(at.home))) == (503, 2)


async def test_the_request_that_the_docs_show_runs(tmp_path: Path) -> None:
    shown = DOCS.read_text().partition("## Access requests of AuthZEN")[2]
    command = shown.partition("```sh\n")[2].partition("```")[0]
    async with served(tmp_path) as at:
        alice, delete = {"type": "user", "id": "alice@example.com"}, {"name": "delete_rows"}
        token = at.point.token(at.place, subject=alice, action=delete, binding_context_members=[], context=None)
        env = {
            "TOKEN": at.server.token or "",
            "EXPIRES_AT": moment(600),
            "BINDING_TOKEN": token,
            "PATH": os.environ["PATH"],
        }
        run = command.replace("https://handoffs.example.com", at.place.removesuffix(PATH))
        done = await anyio.run_process(["sh", "-c", run], env=env)
        assert json.loads(done.stdout)["task"]["status"] == "pending"


# Whom it is shown


async def test_nobody_finds_the_task_of_another_caller(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        place, _ = await at.asked()
        theirs = {"authorization": f"Bearer {await added_token(at.home, 'ci')}"}
        plain = (await at.http.post("/v1/handoffs", json={"message": "Go?", "options": ["a", "b"]})).json()["id"]
        nowhere = await at.http.get(f"{PATH}/h_nothing", headers=theirs)
        assert nowhere.json()["type"] == URN + "unknown_task"
        for got in (
            await at.http.get(place, headers=theirs),
            await at.http.post(f"{place}/cancel", headers=theirs),
            await at.http.get(f"{PATH}/{plain}"),  # their own, but a question of another kind
            await at.http.post(f"{PATH}/{plain}/cancel"),
        ):
            assert (got.status_code, got.json()) == (404, nowhere.json())
        assert {each.state for each in await stored(at.home)} == {State.OPEN}
        # The same key of another caller is another one, but a token is used once.
        body = at.denied()
        one, other = await at.submit(body, "x"), await at.submit(body, "x", **theirs)
        assert (one.status_code, other.json()["type"]) == (202, URN + "invalid_denial_binding")


async def test_nothing_is_done_without_a_good_token_of_the_caller(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        place, _ = await at.asked()
        for token in ("", "Bearer x", "Bearer ho_nonsense"):
            for got in (
                await at.submit(key="two", authorization=token),
                await at.http.get(place, headers={"authorization": token}),
                await at.http.post(f"{place}/cancel", headers={"authorization": token}),
                await at.http.get(f"{PATH}/keys", headers={"authorization": token}),
            ):
                assert got.status_code == 401
        assert (await at.submit(key="two", origin="https://evil.example")).status_code == 403
        assert [each.state for each in await stored(at.home)] == [State.OPEN]


async def test_no_route_of_an_access_request_answers_it(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        place, _ = await at.asked()
        for method, path in [("POST", f"{place}/{verb}") for verb in ("approve", "answer", "deny")] + [
            (method, place) for method in ("POST", "PUT", "PATCH", "DELETE")
        ]:
            got = await at.http.request(method, path, json={"status": "approved", **ALLOW})
            assert got.status_code in {404, 405}
        assert [each.state for each in await stored(at.home)] == [State.OPEN]


# Sent again


async def test_the_same_key_and_body_is_the_same_task(tmp_path: Path) -> None:
    async with served(tmp_path) as at, desk_of(tmp_path) as desk:
        body, found = at.denied(), list[httpx2.Response]()

        async def ask() -> None:
            # Members in another order say the same.
            found.append(await at.submit(dict(reversed(body.items())) if found else body))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
        assert {each.status_code for each in found} == {202}
        assert len({each.json()["task"]["id"] for each in found}) == 1
        other = await at.submit(body | {"client": {"id": "another"}})
        assert (other.status_code, other.json()["type"]) == (409, URN + "duplicate_request")
        assert other.json()["errors"][0]["field"] == "Idempotency-Key"
        at.point.down = True  # what was asked before is found, whatever the decision point does
        await desk.answer(await opened(desk), ALLOW, by="ada", channel="inbox")
        again = await at.submit(body)
        assert (again.status_code, again.json()["task"]["status"]) == (201, "approved")
        assert again.json()["result"]["mode"] == "reevaluate"
        assert len(await stored(at.home)) == 1


async def test_a_binding_token_asks_one_question(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        body = at.denied()
        one, two = [await at.http.post(PATH, json=body) for _ in range(2)]
        assert one.json()["task"]["id"] == two.json()["task"]["id"]
        changed = await at.http.post(PATH, json=body | {"client": {"id": "another"}})
        keyed = await at.submit(body, "a key")
        for got in (changed, keyed):
            assert (got.status_code, got.json()["type"]) == (400, URN + "invalid_denial_binding")
        assert len(await stored(at.home)) == 1


async def test_a_request_that_was_not_asked_leaves_its_token_good(tmp_path: Path) -> None:
    async with served(tmp_path, HANDOFFS_QUOTA_OPEN="1") as at:
        place, _ = await at.asked()
        body = at.denied()
        assert (await at.submit(body, "two")).status_code == 429
        await at.http.post(f"{place}/cancel")
        assert (await at.submit(body, "three")).status_code == 202


# What is denied must be what is asked for


async def test_all_forms_of_a_binding_are_taken(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        actor = {"id": "agent-7"}
        acting = {**SUBJECT, "properties": {**SUBJECT["properties"], "act": actor}}
        bare = {"type": "user", "id": "alice@example.com"}
        inline = {"subject": None, "resource": None, "action": None, "context": None}
        hashed = inline | {"binding_hash": hash_of(context={"tenant": "acme"})}
        for number, body in enumerate([
            at.denied(claims=hashed),
            at.denied(claims={"binding_hash": hash_of(), "binding_context_members": None, "context": None}),
            at.denied(claims={"subject": acting}),
            at.denied(claims={"subject": {**bare, "properties": {"act": actor}}}, subject=bare),
            at.denied(claims=inline | {"binding_hash": hash_of(bare | {"properties": {}}, context={"tenant": "acme"})},
                      subject=bare),
            at.denied(claims={"binding_context_members": ["tenant", "absent", "reason"]}),
            at.denied(claims={"aud": ["https://other.example", at.place]}),
            at.denied(claims={"evaluation_id": None}),
        ]):  # fmt: skip
            got = await at.submit(body, key=f"{number}")
            assert got.status_code == 202, (number, got.text)
        until = moment(600)
        denial = {"expires_at": until, "binding_token": at.point.token(at.place, exp=None, denial_expires_at=until)}
        assert (await at.submit(at.denied(denial=denial), key="until")).status_code == 202


ELSEWHERE = {"type": "table", "id": "payments"}
HOUR = 3_600


@pytest.mark.parametrize(
    ("claims", "members", "field"),
    [
        ({}, {"subject": {**SUBJECT, "id": "mallory"}}, "subject"),
        ({}, {"subject": {**SUBJECT, "properties": {"department": "Legal"}}}, "subject"),
        ({}, {"resource": ELSEWHERE}, "resource"),
        ({}, {"resource": {**RESOURCE, "properties": {}}}, "resource"),
        ({}, {"action": {"name": "delete_rows"}}, "action"),
        ({}, {"context": {**CONTEXT, "tenant": "other"}}, "context"),
        ({}, {"context": {"business_justification": "x"}}, "context"),
        ({}, {"context": None}, "context"),
        ({"resource": None}, {}, "denial.binding_token"),
        ({"resource": None, "binding_hash": hash_of()}, {}, "denial.binding_token"),
        ({"binding_hash": "x"}, {}, "denial.binding_token"),
        ({"binding_hash": hash_of(), "resource": ELSEWHERE, "binding_context_members": []}, {}, "resource"),
        ({"binding_context_members": "tenant"}, {}, "denial.binding_token"),
        ({"evaluation_id": "eval_2"}, {}, "denial.evaluation_id"),
        ({"iss": "https://other.example"}, {}, "denial.binding_token"),
        ({"aud": "https://other.example"}, {}, "denial.binding_token"),
        ({"aud": None}, {}, "denial.binding_token"),
        ({"nbf": 99_999_999_999}, {}, "denial.binding_token"),
        ({"exp": None}, {}, "denial.binding_token"),
        ({"exp": 99_999_999_999}, {}, "denial.binding_token"),
        ({"exp": "soon"}, {}, "denial.binding_token"),
        ({"exp": 1e300}, {}, "denial.binding_token"),
        ({"denial_expires_at": "2020-01-01T00:00:00Z"}, {}, "denial.expires_at"),
    ],
)
async def test_what_the_decision_point_did_not_deny_is_refused(
    api: Served, claims: dict[str, Any], members: dict[str, Any], field: str
) -> None:
    body = api.denied(claims=claims, **members)
    if "context" in members and members["context"] is None:
        body.pop("context", None)
    got = await api.submit(body, key=f"{claims}{members}"[:200])
    assert (got.status_code, got.json()["type"]) == (400, URN + "invalid_denial_binding"), got.text
    assert got.json()["errors"][0]["field"] == field
    assert await stored(api.home) == []


async def test_a_token_that_nobody_signed_binds_nothing(api: Served) -> None:
    good = api.point.token(api.place)
    head, claims, signature = good.split(".")
    tokens = [
        api.point.token(api.place, key=api.point.stranger),
        jwt.encode({"iss": api.point.url, "aud": api.place}, "secret" * 8, algorithm="HS256"),
        jwt.encode({"iss": api.point.url, "aud": api.place}, "", algorithm="none"),
        f"{head}.{claims}.", f"{head}.{claims}.{signature[::-1]}", "x", "..", good[:-9],
    ]  # fmt: skip
    for token in tokens:
        got = await api.submit(api.denied(denial={"expires_at": moment(600), "binding_token": token}))
        assert (got.status_code, got.json()["type"]) == (400, URN + "invalid_denial_binding"), token
    assert await stored(api.home) == []


async def test_a_denial_that_is_over_is_refused(api: Served) -> None:
    over = moment(-60)
    token = api.point.token(api.place, denial_expires_at=over)
    late = await api.submit(api.denied(denial={"expires_at": over, "binding_token": token}))
    exp = await api.submit(api.denied(claims={"exp": 1_000}))
    for got in (late, exp):
        assert (got.status_code, got.json()["type"]) == (410, URN + "expired_denial")
    assert await stored(api.home) == []


async def test_without_its_keys_nothing_is_asked(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        at.point.metadata["policy_decision_point"] = "https://other.example"
        got = await at.submit()
        assert (got.status_code, "retry-after" in got.headers) == (503, True)
        assert await stored(at.home) == []


async def test_without_a_decision_point_nothing_is_requestable(tmp_path: Path) -> None:
    async with served(tmp_path, HANDOFFS_DECISION_POINT="") as at:
        got = await at.submit()
        assert (got.status_code, got.json()["type"]) == (400, URN + "not_requestable")
        assert await stored(at.home) == []


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"subject": None}, "subject"),
        ({"resource": None}, "resource"),
        ({"action": None}, "action"),
        ({"subject": "alice"}, "subject"),
        ({"subject": {"type": "user"}}, "subject.id"),
        ({"subject": {"type": "", "id": "alice"}}, "subject.type"),
        ({"subject": {"type": "user", "id": "x" * 1_001}}, "subject.id"),
        ({"subject": {**SUBJECT, "name": "Alice"}}, "subject.name"),
        ({"resource": {**RESOURCE, "properties": []}}, "resource.properties"),
        ({"action": {"name": 1}}, "action.name"),
        ({"action": {"name": "x", "id": "x"}}, "action.id"),
        ({"context": []}, "context"),
        ({"context": deep(17)}, "context"),
        ({"context": {"count": 2**60}}, "context"),
        ({"context": {"half": "\ud800"}}, "context"),
        ({"denial": "eval_1"}, "denial"),
        ({"denial": {"binding_token": "x"}}, "denial.expires_at"),
        ({"denial": {"binding_token": "x", "expires_at": "tomorrow"}}, "denial.expires_at"),
        ({"denial": {"binding_token": "x", "expires_at": "0000-01-01T00:00:00Z"}}, "denial.expires_at"),
        ({"denial": {"binding_token": "x", "expires_at": "9999-12-31T23:59:59-12:00"}}, "denial.expires_at"),
        ({"denial": {"binding_token": 1, "expires_at": moment(60)}}, "denial.binding_token"),
        ({"denial": {"binding_token": "x" * 20_000, "expires_at": moment(60)}}, "denial.binding_token"),
        ({"denial": {"binding_token": "x", "expires_at": moment(60), "decision": False}}, "denial.decision"),
        ({"requested_access": "all"}, "requested_access"),
        ({"requested_access": {"requested_until": 5}}, "requested_access.requested_until"),
        ({"requested_access": {"requested_until": "2020-01-01T00:00:00Z"}}, "requested_access.requested_until"),
        ({"requested_access": {"emergency": "yes"}}, "requested_access.emergency"),
        ({"client": {"name": 5}}, "client.name"),
        ({"client": {"actor": {}}}, "client.actor.id"),
        ({"client": {"actor": {"id": "somebody else"}}}, "client.actor"),
        ({"client": {"source": {"external_url": "http://x.example"}}}, "client.source.external_url"),
        ({"items": [{"resource": RESOURCE, "action": ACTION}]}, "items"),
        ({"callback": {"endpoint": "https://pep.example/callback"}}, "callback"),
        ({"status": "approved"}, "status"),
    ],
)
async def test_a_request_that_does_not_fit_is_refused_with_its_member(
    api: Served, members: dict[str, Any], field: str
) -> None:
    content = json.dumps(api.denied(**members)).encode()
    headers = {"content-type": "application/json"}
    got = await api.http.post(PATH, content=content, headers=headers)
    assert (got.status_code, got.headers["content-type"]) == (422, "application/problem+json"), got.text
    assert got.json()["errors"][0]["field"] == field
    assert await stored(api.home) == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"[" * 50_000, 400),
        (b'{"subject": {}, "subject": {}}', 400),  # one reader takes the first, another the last
        (b'{"context": {"x": NaN}}', 400),
        (b"[]", 422),
        (b'{"context": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
async def test_a_request_that_cant_be_read_is_refused(api: Served, content: bytes, status: int) -> None:
    got = await api.http.post(PATH, content=content, headers={"content-type": "application/json"})
    assert (got.status_code, got.json()["status"]) == (status, status)
    assert await stored(api.home) == []


async def test_a_request_without_a_binding_can_be_about_anything_and_is_refused(api: Served) -> None:
    for denial in (None, {"evaluation_id": "eval_1", "expires_at": moment(60)}):
        got = await api.submit(api.denied(denial=denial))
        assert (got.status_code, got.json()["type"]) == (400, URN + "invalid_denial_binding")
    assert await stored(api.home) == []


# Where a rule or a proof is demanded

RULE = '[[question]]\nclient = "*"\nto = ["alice", "bob"]\n'


async def test_a_rule_says_whose_decision_it_is_but_never_the_subjects(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        for words in (["alice", "--email", "alice@example.com"], ["bob"]):
            assert (await at.home.command("people", "add", *words)).returncode == 0
        policy = tmp_path / "config/handoffs/gate.toml"
        policy.parent.mkdir(parents=True, exist_ok=True)
        policy.write_text(RULE)
        async with SqliteStore(at.home.store) as store:
            desk = Desk(store=store, clock=SystemClock(), directory=store.people.directory)
            place, asked = await at.asked()
            assert asked.question.deciders is not None
            for name in ("alice", "eve"):
                with pytest.raises(NotTheirDecision):
                    await desk.answer(asked, ALLOW, by=name, channel="inbox")
            assert await at.status(place) == "pending"
            await desk.answer(asked, ALLOW, by="bob", channel="inbox")
            assert await at.status(place) == "approved"


@asynccontextmanager
async def proving(folder: Path, **keys: Authenticator) -> AsyncGenerator[Desk]:
    """A desk over the same store, at which these people have passkeys."""
    async with SqliteStore(folder / "handoffs.db") as store:

        async def claim(key: str, now: datetime, until: datetime) -> bool:
            return await store.claim(key, now=now, until=until)

        now = SystemClock().now()
        for name, key in keys.items():
            await store.people.add(Person(name=name, added_at=now))
            await store.people.add_key(key.enrolled(name, now))
        proofs = PasskeyProofs(lambda: store.people, RelyingParty.of(ORIGIN), claim=claim)
        yield Desk(store=store, clock=SystemClock(), directory=store.people.directory, proofs=lambda: proofs)


PASSKEY = {"HANDOFFS_PROOF": "passkey", "HANDOFFS_INBOX_URL": ORIGIN}


async def test_with_a_passkey_a_signed_approval_counts(tmp_path: Path) -> None:
    key = Authenticator(credential_id="YWRh")
    async with served(tmp_path, **PASSKEY) as at, proving(tmp_path, ada=key) as desk:
        place, asked = await at.asked()
        decision = await desk.to_sign(asked, ALLOW, by="ada", channel="inbox")
        assert decision is not None
        assert await at.status(place) == "pending"
        await desk.answer(asked, ALLOW, by="ada", channel="inbox", proof=key.sign(decision))
        assert await at.status(place) == "approved"


@pytest.mark.parametrize("proof", ["", "{}", "somebody's"])
async def test_an_approval_that_nobody_signed_is_none(tmp_path: Path, proof: str) -> None:
    ada, eve = Authenticator(credential_id="YWRh"), Authenticator(credential_id="ZXZl")
    async with served(tmp_path, **PASSKEY) as at, proving(tmp_path, ada=ada, eve=eve) as desk:
        place, asked = await at.asked()
        decision = await desk.to_sign(asked, ALLOW, by="ada", channel="inbox")
        assert decision is not None
        forged = eve.sign(decision).dumps() if proof == "somebody's" else proof
        digest = content_digest(asked.fingerprint, ALLOW)
        vote = Vote(person="ada", channel="inbox", at=SystemClock().now(), digest=digest, proof=forged)
        with closing(sqlite3.connect(at.home.store)) as by_hand, by_hand:
            by_hand.execute(
                "UPDATE handoffs SET state = 'answered', answer = ?, ended_at = deadline - 1, ended_by = 'ada', "
                "ended_through = 'inbox', note = '', votes = ?, version = version + 1",
                (json.dumps(ALLOW), dump_votes([vote])),
            )
        got = (await at.http.get(place)).json()
        assert (got["task"]["status"], "result" in got) == ("failed", False)


async def test_where_nobody_else_could_prove_it_nobody_is_asked(tmp_path: Path) -> None:
    key = Authenticator(credential_id="YWRh")
    async with served(tmp_path, **PASSKEY) as at, proving(tmp_path, alice=key):
        body = at.denied(claims={"subject": {"type": "user", "id": "alice"}}, subject={"type": "user", "id": "alice"})
        got = await at.submit(body)
        assert (got.status_code, "Nobody can decide this" in got.json()["detail"]) == (422, True)
        assert await stored(at.home) == []


async def test_a_task_is_found_for_a_day_after_its_end(tmp_path: Path) -> None:
    async with served(tmp_path) as at:
        body = at.denied()
        place, asked = await at.asked(body)
        for days, status in ((1.9, 200), (2.1, 410)):
            # As if it had been asked so long ago; it stays open for a day.
            ago = (datetime.now(UTC) - timedelta(days=days)).timestamp()
            with closing(sqlite3.connect(at.home.store)) as by_hand, by_hand:
                by_hand.execute(
                    "UPDATE handoffs SET created_at = created_at - (deadline - ?), deadline = ?, version = version + 1",
                    (_stored(ago + 86_400), _stored(ago + 86_400)),
                )
            got = await at.http.get(place)
            assert got.status_code == status
        assert got.json()["type"] == URN + "task_expired"
        assert (await at.submit(body)).json()["type"] == URN + "task_expired"
        assert asked.state is State.OPEN


def _stored(seconds: float) -> int:
    return int(seconds * 1_000_000)
