"""A session that has a page's key takes no post that this key has not signed. Over plain HTTP, as other programs do."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.routing import Route

from handoffs.core.model import Handoff, State
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn
from tests.fakes import FakeClock
from tests.web.joined import digest_of, home
from tests.web.serving import HOSTS, Inbox, Page, app_of, made, signed_in, stays_open
from tests.web.signing import FORM, PageKey, SigningClient

YES = {"field.response": "yes"}
OTHERS_CURVE = PageKey(ec.generate_private_key(ec.SECP384R1()))


@dataclass
class Keyed:
    """A browser whose session has a key, and one question."""

    page: Page
    clock: FakeClock
    key: PageKey
    csrf: str
    handoff: Handoff

    @property
    def path(self) -> str:
        return f"/h/{self.handoff.id}/answer"

    def body(self, value: str = "yes") -> bytes:
        return urlencode({"csrf": self.csrf, "field.response": value}).encode()

    async def post(self, signed: str, body: bytes | None = None, path: str = "") -> httpx.Response:
        headers = httpx.Headers(FORM)
        if signed:
            headers = httpx.Headers([*headers.raw, (b"handoffs-signed", signed.encode())])
        return await self.page.http.post(path or self.path, content=body or self.body(), headers=headers)

    async def refuses(self, reply: httpx.Response, why: str) -> None:
        assert (reply.status_code, why in reply.json()["problem"]) == (403, True), reply.text
        assert await stays_open(self.page, self.handoff.id)


@asynccontextmanager
async def keyed(folder: Path) -> AsyncGenerator[Keyed]:
    clock, key = FakeClock(), PageKey()
    async with made(folder, clock=clock) as (inbox, app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            page = Page(http, inbox)
            await page.sign_in(key.written)
            handoff = await inbox.ask()
            yield Keyed(page, clock, key, await page.csrf(), handoff)


async def test_what_the_key_signed_is_recorded(tmp_path: Path) -> None:
    async with keyed(tmp_path) as here:
        signed = here.key.signed(here.path, here.csrf, here.body(), here.clock.now())
        assert (await here.post(signed)).status_code == 200
        ended = await here.page.inbox.desk.get(here.handoff.id)
        assert (ended.state, ended.values) == (State.ANSWERED, {"response": "yes"})


async def test_a_form_that_the_browser_sends_has_its_signature_at_the_end(tmp_path: Path) -> None:
    async with keyed(tmp_path) as here:
        body = here.body("a&signed=b\r\nc")
        signed = here.key.signed(here.path, here.csrf, body, here.clock.now())
        reply = await here.page.http.post(
            here.path, content=body + b"&signed=" + signed.encode(), headers={"content-type": FORM["content-type"]}
        )
        assert (reply.status_code, reply.headers["location"]) == (303, f"/h/{here.handoff.id}")
        assert (await here.page.inbox.desk.get(here.handoff.id)).values == {"response": "a&signed=b\nc"}


async def test_no_unsigned_post_of_any_page_is_taken(tmp_path: Path) -> None:
    async with keyed(tmp_path) as here:
        app = app_of(tmp_path, here.page.inbox.desk, here.page.inbox.sign_in)
        posts = {each.path for each in app.routes if isinstance(each, Route) and "POST" in (each.methods or ())}
        open_to_all = {each for each in posts if each.startswith(("/sign-in", "/join/"))}
        needed = posts - open_to_all - {"/key", "/sign-out"}
        assert {"/h/{id}/answer", "/h/{id}/decline", "/together/decide", "/grants/stop"} <= needed
        for path in needed:
            reply = await here.page.http.post(
                path.replace("{id}", here.handoff.id),
                content=here.body(),
                headers={"content-type": FORM["content-type"]},
            )
            assert (reply.status_code, "without the signature" in reply.text) == (403, True), path
            await here.refuses(await here.post("", path=path.replace("{id}", here.handoff.id)), "without the signature")
        assert await here.page.inbox.desk.permissions.stopped() is None


async def test_a_signature_is_for_one_address_body_session_and_key(tmp_path: Path) -> None:
    async with keyed(tmp_path) as here:
        now, body = here.clock.now(), here.body()
        other = here.page.inbox.sign_in
        session = other.session(other.redeem(other.make_code(), here.key.written))
        assert session is not None
        good = here.key.signed(here.path, here.csrf, body, now)
        at, number, signature = good.split(".")
        for wrong in (
            here.key.signed(f"/h/{here.handoff.id}/decline", here.csrf, body, now),
            here.key.signed(f"{here.path}?x=1", here.csrf, body, now),
            here.key.signed(here.path, here.csrf, here.body("no"), now),
            here.key.signed(here.path, session.csrf, body, now),
            here.key.signed(here.path, here.csrf, body, now, method="PUT"),
            PageKey().signed(here.path, here.csrf, body, now),
            f"{int(at) + 1}.{number}.{signature}",
            f"{at}.{number[::-1]}.{signature}",
            f"{at}.{number}.{signature[:-4]}",
            f"{at}.{number}.",
            f"{at}..{signature}",
            f"{at}.{number}.ü",
            f"-1.{number}.{signature}",
            "x",
        ):
            await here.refuses(await here.post(wrong), "not signed with the key")
        await here.refuses(await here.post("x" * 301), "without the signature")
        assert (await here.post(good)).status_code == 200


async def test_what_was_signed_counts_once(tmp_path: Path) -> None:
    async with keyed(tmp_path) as here:
        path = f"/h/{here.handoff.id}/sign"
        signed = here.key.signed(path, here.csrf, here.body(), here.clock.now())
        assert (await here.post(signed, path=path)).json() == {"publicKey": None}
        await here.refuses(await here.post(signed, path=path), "sent before")
        # The number is what counts: of one signature, ECDSA has a second form.
        again = here.key.signed(path, here.csrf, here.body(), here.clock.now(), number=signed.split(".")[1])
        await here.refuses(await here.post(again, path=path), "sent before")


@pytest.mark.parametrize("seconds", [-600, -121, 121, 600])
async def test_a_signature_of_another_time_is_refused_with_the_right_one(tmp_path: Path, seconds: int) -> None:
    async with keyed(tmp_path) as here:
        here.clock.forward(3600)
        now = here.clock.now()
        signed = here.key.signed(here.path, here.csrf, here.body(), now + timedelta(seconds=seconds))
        reply = await here.post(signed)
        await here.refuses(reply, "is not the inbox's")
        assert reply.headers["handoffs-now"] == str(int(now.timestamp() * 1000))


async def test_what_was_signed_before_a_restart_is_refused_after_it(tmp_path: Path) -> None:
    async with keyed(tmp_path) as here:
        signed = here.key.signed(here.path, here.csrf, here.body(), here.clock.now())
        here.clock.forward(1)
        again = build_inbox(here.page.inbox.desk, sign_in=here.page.inbox.sign_in, by="ada", hosts=HOSTS)
        transport, cookies = httpx.ASGITransport(again), here.page.http.cookies
        async with httpx.AsyncClient(transport=transport, base_url=here.page.inbox.url, cookies=cookies) as http:
            reply = await http.post(here.path, content=here.body(), headers=FORM | {"handoffs-signed": signed})
            await here.refuses(reply, "is not the inbox's")
            client = SigningClient(http, here.key, here.csrf)
            assert (await client.post(here.path, here.clock.now(), **YES)).status_code == 200


async def test_a_session_takes_the_first_key_and_no_other(tmp_path: Path) -> None:
    async with signed_in(tmp_path, clock=FakeClock()) as page:
        first, other = PageKey(), PageKey()
        assert (await page.http.get("/key")).json()["key"] == ""
        handoff, later = await page.inbox.ask(), await page.inbox.ask("Later?")
        assert (await page.post(f"/h/{handoff.id}/answer", data=YES)).status_code == 303
        for _ in range(2):
            assert (await page.post("/key", key=first.written)).json() == {"key": first.written}
        refused = await page.post("/key", script=True, key=other.written)
        assert (refused.status_code, refused.json()["problem"]) == (
            409,
            "This sign-in is bound to the key of another browser.",
        )
        assert (await page.http.get("/key")).json()["key"] == first.written
        assert (await page.post(f"/h/{later.id}/answer", data=YES)).status_code == 403
        assert await stays_open(page, later.id)
        assert (await page.http.post("/key", data={"csrf": "x", "key": other.written})).status_code == 403


@pytest.mark.parametrize("key", ["x", "AAAA", "ü", OTHERS_CURVE.written, "A" * 400])
async def test_what_is_no_key_signs_nobody_in_and_uses_no_link_up(tmp_path: Path, key: str) -> None:
    async with made(tmp_path) as (inbox, app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            address, form = inbox.pressed()
            reply = await http.post(address, data=form | {"key": key}, headers={"accept": "application/json"})
            assert (reply.status_code, "can't be read" in reply.json()["problem"]) == (400, True)
            assert (await http.post(address, data=form)).status_code == 303
            page = Page(http, inbox)
            assert (await page.post("/key", key=key)).status_code == 400
            assert (await page.post("/key")).status_code == 400


async def test_who_has_lost_the_key_can_sign_out_and_in_by_a_link(tmp_path: Path) -> None:
    async with keyed(tmp_path) as here:
        link = here.page.inbox.link()
        shown = await here.page.http.get(link)
        # The page's script goes on where it has the key; else the link signs in once more.
        assert (shown.status_code, f'data-key="{here.key.written}"' in shown.text) == (200, True)
        assert (await here.page.http.get("/sign-in")).status_code == 303
        new = PageKey()
        await here.page.sign_in(new.written)
        assert (await here.page.http.get("/key")).json()["key"] == new.written
        assert (await here.page.post("/sign-out")).status_code == 200
        assert (await here.page.http.get("/")).status_code == 401


async def test_people_s_sessions_have_keys_too(tmp_path: Path) -> None:
    clock, key = FakeClock(), PageKey()
    async with home(tmp_path, clock=clock) as inbox:
        await inbox.add("ada")
        await inbox.people.begin(digest_of("token"), "ada", at=clock.now(), agent="", page_key=key.written)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(inbox.app), base_url=inbox.url) as http:
            http.cookies.set(f"{inbox.sign_in.cookie}_person", "token")
            handoff = await inbox.ask()
            page = Page(http, Inbox(tmp_path, inbox.desk, inbox.sign_in))
            for path in (f"/h/{handoff.id}/answer", "/you/keys/vouch", "/you/sessions/s_1/end"):
                refused = await page.post(path, script=True, data=YES)
                assert (refused.status_code, "without the signature" in refused.text) == (403, True)
            client = SigningClient(http, key, await page.csrf())
            assert (await page.post("/key", key=PageKey().written)).status_code == 409
            assert (await client.post(f"/h/{handoff.id}/answer", clock.now(), **YES)).status_code == 200
            ended = await inbox.desk.get(handoff.id)
            assert ended.end is not None
            assert ended.end.by == "ada"


async def test_users_of_a_proxy_have_no_session_that_a_key_could_be_bound_to(tmp_path: Path) -> None:
    async with made(tmp_path) as (inbox, _):
        app = build_inbox(inbox.desk, sign_in=inbox.sign_in, by="ada", hosts=HOSTS, proxy_header="X-User")
        headers = {"x-user": "bob"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=inbox.url, headers=headers) as http:
            handoff, page = await inbox.ask(), Page(http, inbox)
            assert "data-key" not in (await http.get("/")).text
            assert (await page.post("/key", key=PageKey().written)).status_code == 400
            assert (await page.post(f"/h/{handoff.id}/answer", data=YES)).status_code == 303


def test_a_session_s_key_is_kept_over_a_restart_and_ends_with_it(tmp_path: Path) -> None:
    clock = FakeClock()
    sign_in = SignIn(tmp_path, clock.now)
    token, plain = sign_in.redeem(sign_in.make_code(), "key"), sign_in.redeem(sign_in.make_code())
    for each in (sign_in, SignIn(tmp_path, clock.now)):
        session = each.session(token)
        assert session is not None
        assert session.page_key == "key"
    assert sign_in.bind(plain, "other")
    assert not sign_in.bind(plain, "key")
    assert not sign_in.bind("unknown", "key")
    assert not sign_in.bind(token, "other")
    sign_in.end(token)
    assert SignIn(tmp_path, clock.now).session(token) is None
    clock.forward(timedelta(days=30).total_seconds())
    assert sign_in.session(plain) is None


@pytest.mark.parametrize("kept", ["key", [1], [9e12, "key"], [9_999_999_999, ""], [9_999_999_999, 3], None])
def test_a_session_whose_key_can_not_be_read_is_none(tmp_path: Path, kept: object) -> None:
    sign_in = SignIn(tmp_path)
    token = sign_in.redeem(sign_in.make_code(), "key")
    file = tmp_path / "sessions.json"
    content = json.loads(file.read_text())
    [name] = content["keyed"]
    file.write_text(json.dumps(content | {"keyed": {name: kept}}))
    assert SignIn(tmp_path).session(token) is None


def test_an_earlier_version_does_not_know_a_session_with_a_key(tmp_path: Path) -> None:
    sign_in = SignIn(tmp_path)
    sign_in.redeem(sign_in.make_code(), "key")
    assert json.loads((tmp_path / "sessions.json").read_text())["sessions"] == {}
