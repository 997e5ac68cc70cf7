"""What is refused of invitations and passkeys, over plain HTTP; and an inbox without people, which is as it was."""

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from handoffs.core.passkey import Passkey
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from tests.fakes import FakeClock
from tests.web.joined import Home, digest_of, home
from tests.web.serving import HOSTS, made, pressed


@asynccontextmanager
async def visitor(inbox: Home) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(inbox.app), base_url=inbox.url) as http:
        yield http


def key_of(inbox: Home, name: str, credential_id: str = "a2V5") -> Passkey:
    now = inbox.clock.now()
    return Passkey(credential_id=credential_id, person=name, public_key=b"\xa0", added_at=now, active_from=now)


async def begun(inbox: Home, http: httpx.AsyncClient, name: str) -> str:
    """Sign a person in; the CSRF token of the session."""
    token = f"session-of-{name}"
    await inbox.people.begin(digest_of(token), name, at=inbox.clock.now(), agent="")
    http.cookies.set(f"{inbox.sign_in.cookie}_person", token)
    return (await http.get("/")).text.split('name="csrf" value="')[1].split('"')[0]


async def test_an_invitation_that_can_not_be_used_says_why(tmp_path: Path) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock) as inbox, visitor(inbox) as http:
        await inbox.add("ada")
        await inbox.add("bob")
        await inbox.add("eve")
        used, expired, gone = [await inbox.invite(name) for name in ("ada", "bob", "eve")]
        assert await inbox.people.redeem(digest_of("invitation-of-ada"), at=clock.now()) == "ada"
        await inbox.remove("eve")
        clock.forward(3600)
        for address, why in (
            (used, "was used"),
            (expired, "has expired"),
            (gone, "is not known here"),
            (f"{inbox.url}/join/none", "is not known here"),
        ):
            page = await http.get(address)
            assert (page.status_code, why in page.text) == (404, True), page.text
            for path in (address, f"{address}/options"):
                reply = await http.post(path, json={"id": "x", "credential": {}})
                assert reply.status_code == 403
                assert why in reply.json()["problem"]


async def test_an_invitation_makes_the_first_passkey_alone(tmp_path: Path) -> None:
    async with home(tmp_path) as inbox, visitor(inbox) as http:
        await inbox.add("ada")
        await inbox.people.add_key(key_of(inbox, "ada"))
        reply = await http.post(f"{await inbox.invite('ada')}/options", json={})
        assert "ada has a passkey already" in reply.json()["problem"]
        invitation = await inbox.people.invitation(digest_of("invitation-of-ada"))
        assert invitation is not None
        assert invitation.used_at is None


@pytest.mark.parametrize(
    "credential",
    [
        None,
        [],
        "x",
        {},
        {"response": 7},
        {"response": {"clientDataJSON": "!"}},
        {"response": {"clientDataJSON": "W10"}},
    ],
)
async def test_what_is_no_passkey_is_refused_and_uses_nothing_up(tmp_path: Path, credential: object) -> None:
    async with home(tmp_path) as inbox, visitor(inbox) as http:
        await inbox.add("ada")
        address = await inbox.invite("ada")
        offer = (await http.post(f"{address}/options", json={})).json()
        assert offer["publicKey"]["rp"] == {"id": "localhost", "name": "Handoffs"}
        assert offer["publicKey"]["authenticatorSelection"]["userVerification"] == "required"
        reply = await http.post(address, json={"id": offer["id"], "credential": credential})
        assert (reply.status_code, reply.headers.get("set-cookie")) == (403, None)
        assert "could not be verified" in reply.json()["problem"]
        assert (await http.get(address)).status_code == 200
        assert (await http.post("/sign-in/passkey", json={"id": "x", "credential": credential})).status_code == 403


async def test_a_challenge_lasts_for_five_minutes(tmp_path: Path) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock) as inbox, visitor(inbox) as http:
        await inbox.add("ada")
        address = await inbox.invite("ada")
        offer = (await http.post(f"{address}/options", json={})).json()
        clock.forward(300)
        reply = await http.post(address, json={"id": offer["id"], "credential": {}})
        assert "five minutes" in reply.json()["problem"]


async def test_another_site_can_not_begin_or_end_anything(tmp_path: Path) -> None:
    async with home(tmp_path) as inbox, visitor(inbox) as http:
        await inbox.add("ada")
        address = await inbox.invite("ada")
        csrf = await begun(inbox, http, "ada")
        for headers in ({"origin": "http://localhost:1"}, {"sec-fetch-site": "same-site"}):
            for path in (f"{address}/options", "/sign-in/passkey", "/you/keys/vouch"):
                assert (await http.post(path, json={"csrf": csrf}, headers=headers)).status_code == 403
        # A form of another site can send text, and no JSON.
        text = {"content-type": "text/plain"}
        assert (await http.post(f"{address}/options", content="{}", headers=text)).status_code == 415
        for path in ("/you/keys/vouch", "/you/keys/options", "/you/keys"):
            assert (await http.post(path, json={})).status_code == 403
        assert (await http.post("/you/sessions/s_x/end", data={"csrf": "none"})).status_code == 403


async def test_the_last_passkey_is_not_removed_nor_that_of_another(tmp_path: Path) -> None:
    async with home(tmp_path) as inbox, visitor(inbox) as http:
        for name, key in (("ada", "YWRh"), ("bob", "Ym9i")):
            await inbox.add(name)
            await inbox.people.add_key(key_of(inbox, name, key))
        csrf = await begun(inbox, http, "ada")
        last = await http.post("/you/keys/YWRh/remove", data={"csrf": csrf})
        assert (last.status_code, "your last passkey" in last.text) == (409, True)
        assert (await http.post("/you/keys/Ym9i/remove", data={"csrf": csrf})).status_code == 303
        assert len(await inbox.people.keys("ada")) == len(await inbox.people.keys("bob")) == 1
        await inbox.people.begin("of-bob", "bob", at=inbox.clock.now(), agent="")
        [other] = await inbox.people.sessions("bob", at=inbox.clock.now())
        assert (await http.post(f"/you/sessions/{other.id}/end", data={"csrf": csrf})).status_code == 303
        assert len(await inbox.people.sessions("bob", at=inbox.clock.now())) == 1


async def test_a_link_signs_in_the_user_of_the_machine_also_beside_people(tmp_path: Path) -> None:
    async with home(tmp_path) as inbox, visitor(inbox) as http:
        await inbox.add("ada")
        await inbox.people.add_key(key_of(inbox, "ada"))
        assert "Sign in with a passkey" in (await http.get("/")).text
        address, form = pressed(inbox.link())
        assert (await http.post(address, data=form)).status_code == 303
        handoff = await inbox.ask()
        csrf = (await http.get("/")).text.split('name="csrf" value="')[1].split('"')[0]
        await http.post(f"/h/{handoff.id}/answer", data={"csrf": csrf, "field.response": "yes"})
        end = (await inbox.desk.get(handoff.id)).end
        assert end is not None
        assert end.by == "owner"
        assert "not as a person of this store" in (await http.get("/you")).text
        assert (await http.post("/you/keys/vouch", json={"csrf": csrf})).status_code == 403


async def test_a_session_ends_after_thirty_days_and_tells_when_it_was_used(tmp_path: Path) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock) as inbox, visitor(inbox) as http:
        await inbox.add("ada")
        await begun(inbox, http, "ada")
        clock.forward(3600)
        assert (await http.get("/you")).status_code == 200
        [session] = await inbox.people.sessions("ada", at=clock.now())
        assert session.seen_at - session.started_at == timedelta(hours=1)
        clock.forward(30 * 86_400)
        assert (await http.get("/you")).status_code == 401


async def test_where_no_passkey_can_be_made_the_invitation_says_so(tmp_path: Path) -> None:
    async with made(tmp_path) as (inbox, _), SqliteStore(tmp_path / "handoffs.db") as store:
        app = build_inbox(inbox.desk, sign_in=inbox.sign_in, by="ada", hosts=HOSTS, people=store.people)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            assert "HANDOFFS_INBOX_URL" in (await http.get("/join/x")).text
            assert "HANDOFFS_INBOX_URL" in (await http.post("/join/x", json={})).json()["problem"]


async def test_with_a_public_address_passkeys_are_for_that(tmp_path: Path) -> None:
    async with home(tmp_path, url="https://Inbox.Example:8443/") as inbox, visitor(inbox) as http:
        await inbox.add("ada")
        address = await inbox.invite("ada")
        assert 'data-origin="https://inbox.example:8443"' in (await http.get(address)).text
        offer: dict[str, Any] = (await http.post(f"{address}/options", json={})).json()
        assert offer["publicKey"]["rp"]["id"] == "inbox.example"


def test_what_verifies_passkeys_is_imported_when_a_page_needs_it() -> None:
    code = "import sys, handoffs.web.inbox, handoffs.serving.mcp; print('fido2' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


async def test_without_people_every_page_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    async with made(tmp_path) as (plain, app), home(tmp_path / "with") as inbox, visitor(inbox) as http:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=plain.url) as before:
            locked = [(await each.get("/")).text for each in (http, before)]
            assert locked[0] == locked[1]
            for each, link in ((http, inbox.link()), (before, plain.link())):
                address, form = pressed(link)
                assert (await each.post(address, data=form)).status_code == 303
            for path in ("/", "/history", "/grants", "/none"):
                pages = [_same((await each.get(path)).text) for each in (http, before)]
                assert pages[0] == pages[1]
                assert "/you" not in pages[0]


def _same(page: str) -> str:
    """A page without what differs each time."""
    for name in ('name="csrf" value="', 'data-now="'):
        head, *rest = page.split(name)
        page = head + "".join(name + each.partition('"')[2] for each in rest)
    return page
