"""How soon the waiting agent's call returns after a person's answer, signed with a passkey, was posted to the page."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks import inbox_process, servers
from benchmarks.clients import OLDER, client
from benchmarks.inbox_answer import answered
from benchmarks.plan import Plan
from benchmarks.table import Row, percentile
from handoffs.core.person import Person
from handoffs.store.sqlite.store import SqliteStore
from tests.proof.authenticator import Authenticator

BAR_MS = 25.0


async def run(plan: Plan) -> list[Row]:
    """Return the median. The inbox verifies the signature before it records, and the server before it believes."""
    count, warm_up = plan.pick(full=300, quick=30), 10
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        server = servers.handoffs(Path(name))
        server = replace(server, settings={**server.settings, "HANDOFFS_PROOF": "passkey"})
        async with inbox_process.inbox(server) as inbox:
            origin = inbox.url.rstrip("/")
            key = Authenticator(rp_id="localhost", origin=origin)
            await _enrol(Path(server.settings["HANDOFFS_STORE"]), key)
            async with httpx.AsyncClient(base_url=inbox.url, timeout=30, trust_env=False) as person:
                await _sign_in(person, key)

                async def sign(card: str, form: Mapping[str, str]) -> str:
                    reply = await person.post(f"/h/{card}/sign", data=dict(form), headers=_JSON)
                    return json.dumps(_signed(key, _checked(reply)["publicKey"]["challenge"]))

                async with client(server.stdio(), OLDER, person=None) as connected:
                    took = [await answered(connected, person, number, sign) for number in range(warm_up + count)]
    returned, replied = zip(*took[warm_up:], strict=True)
    details = {"samples": count, "median until the page has its reply, in ms": percentile(replied, 50)}
    what = "an answer signed with a passkey, posted until the call returns, median"
    return [Row(what=what, unit="ms", ours=percentile(returned, 50), bar=BAR_MS, details=details)]


_JSON = {"accept": "application/json"}


async def _enrol(store: Path, key: Authenticator) -> None:
    async with SqliteStore(store) as kept:
        now = datetime.now(UTC)
        await kept.people.add(Person(name="ada", handle="ada0" * 8, added_at=now))
        await kept.people.add_key(key.enrolled("ada", now))


async def _sign_in(person: httpx.AsyncClient, key: Authenticator) -> None:
    offer = _checked(await person.post("/sign-in/passkey/options", json={}))
    credential = _signed(key, offer["publicKey"]["challenge"])
    _checked(await person.post("/sign-in/passkey", json={"id": offer["id"], "credential": credential, "next": "/"}))


def _checked(reply: httpx.Response) -> Mapping[str, Mapping[str, str]]:
    if reply.status_code != 200:
        raise RuntimeError(f"{reply.request.url} answered {reply.status_code}: {reply.text[:300]}")
    return reply.json()


def _signed(key: Authenticator, challenge: str) -> dict[str, object]:
    """Return what a browser hands over of a passkey."""
    named = {"id": key.credential_id, "rawId": key.credential_id, "type": "public-key"}
    return {**named, "response": key.response(challenge)}
