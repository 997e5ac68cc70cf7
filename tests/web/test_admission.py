"""Who else gets in, where the inbox can be reached from other machines: by a password, or vouched for by a proxy."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from handoffs.core.desk import Desk
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn
from tests.fakes import FakeClock
from tests.web.serving import CLAUDE

PASSWORD = "correct horse battery staple"
HOSTS = ("inbox.example",)


@asynccontextmanager
async def visitor(folder: Path, clock: FakeClock, **admission: Any) -> AsyncGenerator[tuple[httpx.AsyncClient, Desk]]:
    """A browser without script that knows nothing, before an inbox that lets others in."""
    async with SqliteStore(folder / "handoffs.db") as store:
        desk = Desk(store=store, clock=clock)
        app = build_inbox(desk, sign_in=SignIn(folder / "inbox", clock.now), by="owner", hosts=HOSTS, **admission)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inbox.example") as http:
            yield http, desk


async def test_the_password_signs_a_person_in_and_leads_to_the_page_asked_for(tmp_path: Path) -> None:
    async with visitor(tmp_path, FakeClock(), password=PASSWORD) as (http, desk):
        handoff = await desk.ask(message="Deploy?", caller=CLAUDE)
        locked = await http.get(f"/h/{handoff.id}")
        assert locked.status_code == 401
        assert f'name="next" value="/h/{handoff.id}"' in locked.text
        assert "Deploy?" not in locked.text
        entered = await http.post("/sign-in", data={"password": PASSWORD, "next": f"/h/{handoff.id}"})
        assert (entered.status_code, entered.headers["location"]) == (303, f"/h/{handoff.id}")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert PASSWORD not in cookie
        assert "Deploy?" in (await http.get(f"/h/{handoff.id}")).text


async def test_the_cookie_is_for_tls_alone_where_the_proxy_speaks_it(tmp_path: Path) -> None:
    async with visitor(tmp_path, FakeClock(), password=PASSWORD) as (http, _):
        entered = await http.post("/sign-in", data={"password": PASSWORD}, headers={"x-forwarded-proto": "https"})
    assert "; secure" in entered.headers["set-cookie"].lower()


async def test_at_its_public_address_it_takes_sign_ins_and_a_cookie_for_tls_only(
    tmp_path: Path,
) -> None:
    # A proxy at another port than TLS's own, of which it does not tell; it says nothing of TLS either.
    public = "https://Team.Example:8443"
    async with visitor(tmp_path, FakeClock(), password=PASSWORD, url=public) as (http, desk):
        handoff = await desk.ask(message="Deploy?", caller=CLAUDE)
        browser = {"host": "team.example", "origin": "https://team.example:8443", "sec-fetch-site": "same-origin"}
        entered = await http.post("/sign-in", data={"password": PASSWORD}, headers=browser)
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"]
        assert "; secure" in cookie.lower()
        browser["cookie"] = cookie.partition(";")[0]
        page = (await http.get("/", headers=browser)).text
        form = {"csrf": page.split('name="csrf" value="')[1].split('"')[0], "field.response": "yes"}
        for wrong in (
            {"origin": "https://team.example"},
            {"origin": "http://team.example:8443"},
            {"origin": "https://evil.example", "host": "evil.example"},
            {"host": "evil.example"},
        ):
            refused = await http.post(f"/h/{handoff.id}/answer", data=form, headers=browser | wrong)
            assert refused.status_code == 403, wrong
        assert (await http.post(f"/h/{handoff.id}/answer", data=form, headers=browser)).status_code == 303
        # Its own name is as good as before, with and without what a proxy makes of it; there nothing speaks TLS.
        assert (
            await http.post("/sign-in", data={"password": PASSWORD}, headers={"origin": "http://inbox.example"})
        ).status_code == 303
        beside = await http.post("/sign-in", data={"password": PASSWORD})
        assert "; secure" not in beside.headers["set-cookie"].lower()


@pytest.mark.parametrize("given", ["", "wrong", PASSWORD + " ", PASSWORD.upper()])
async def test_a_wrong_password_opens_nothing(given: str, tmp_path: Path) -> None:
    async with visitor(tmp_path, FakeClock(), password=PASSWORD) as (http, _):
        refused = await http.post("/sign-in", data={"password": given})
        assert refused.status_code == 403
        assert "set-cookie" not in refused.headers
        assert (await http.get("/")).status_code == 401


async def test_after_five_wrong_ones_even_the_right_one_waits_a_minute(tmp_path: Path) -> None:
    clock = FakeClock()
    async with visitor(tmp_path, clock, password=PASSWORD) as (http, _):
        for _ in range(5):
            assert (await http.post("/sign-in", data={"password": "guess"})).status_code == 403
        assert (await http.post("/sign-in", data={"password": PASSWORD})).status_code == 429
        clock.forward(60)
        assert (await http.post("/sign-in", data={"password": PASSWORD})).status_code == 303


async def test_a_page_of_another_site_cant_sign_anybody_in(tmp_path: Path) -> None:
    async with visitor(tmp_path, FakeClock(), password=PASSWORD) as (http, _):
        for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
            refused = await http.post("/sign-in", data={"password": PASSWORD}, headers=headers)
            assert refused.status_code == 403
            assert "set-cookie" not in refused.headers


async def test_where_there_is_no_password_none_is_asked_for_or_taken(tmp_path: Path) -> None:
    async with visitor(tmp_path, FakeClock()) as (http, _):
        assert "password" not in (await http.get("/")).text
        for given in ("", "None"):
            assert (await http.post("/sign-in", data={"password": given})).status_code == 405


async def test_whom_the_proxy_names_is_in_and_is_who_answers(tmp_path: Path) -> None:
    async with visitor(tmp_path, FakeClock(), proxy_header="X-Forwarded-User") as (http, desk):
        handoff = await desk.ask(message="Deploy?", caller=CLAUDE)
        assert (await http.get("/")).status_code == 401
        http.headers["x-forwarded-user"] = "grace"
        page = (await http.get("/")).text
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        form = {"csrf": csrf, "field.response": "yes"}
        assert (await http.post(f"/h/{handoff.id}/answer", data=form | {"csrf": "another"})).status_code == 403
        assert (await http.post(f"/h/{handoff.id}/answer", data=form)).status_code == 303
        answer = (await desk.get(handoff.id)).answer
    assert answer is not None
    assert (answer.by, answer.values) == ("grace", {"response": "yes"})


@pytest.mark.parametrize(
    "sent", [[("x-forwarded-user", "")], [("x-forwarded-user", "ada"), ("x-forwarded-user", "eve")]]
)
async def test_a_name_that_is_empty_or_sent_twice_lets_nobody_in(sent: list[tuple[str, str]], tmp_path: Path) -> None:
    async with visitor(tmp_path, FakeClock(), proxy_header="X-Forwarded-User") as (http, _):
        assert (await http.get("/", headers=sent)).status_code == 401


async def test_without_the_setting_the_header_means_nothing(tmp_path: Path) -> None:
    async with visitor(tmp_path, FakeClock()) as (http, _):
        assert (await http.get("/", headers={"x-forwarded-user": "ada"})).status_code == 401
