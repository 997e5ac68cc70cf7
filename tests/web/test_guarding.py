"""Who may see and write, and what nobody can make a page do."""

import logging
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers

from handoffs.core.model import Caller
from handoffs.web.guard import _from_here, origin_of  # pyright: ignore[reportPrivateUsage]
from handoffs.web.inbox import build_inbox
from tests.web.serving import made, pressed, signed_in, stays_open

ELSEWHERE = [
    {"origin": "https://evil.test"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]
"""What a browser says of a page that is none of ours."""


@pytest.mark.parametrize("token", [None, "", "wrong", "ü"])
async def test_a_write_without_the_token_of_its_session_is_refused(tmp_path: Path, token: str | None) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        data = {"field.response": "yes"} | ({} if token is None else {"csrf": token})
        for path in (f"/h/{handoff.id}/answer", f"/h/{handoff.id}/decline", "/sign-out"):
            assert (await page.http.post(path, data=data)).status_code == 403
        assert await stays_open(page, handoff.id)
        assert (await page.http.get("/")).status_code == 200


@pytest.mark.parametrize("headers", ELSEWHERE)
async def test_a_write_from_another_page_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        data = {"csrf": await page.csrf(), "field.response": "yes"}
        assert (await page.http.post(f"/h/{handoff.id}/answer", data=data, headers=headers)).status_code == 403
        assert await stays_open(page, handoff.id)
        own = {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}
        assert (await page.http.post(f"/h/{handoff.id}/answer", data=data, headers=own)).status_code == 303


async def test_a_form_without_script_is_sent_without_an_origin_and_taken(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        data = {"csrf": await page.csrf(), "field.response": "yes"}
        browser = {"origin": "null", "sec-fetch-site": "same-origin"}
        assert (await page.http.post(f"/h/{handoff.id}/answer", data=data, headers=browser)).status_code == 303


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "127.0.0.1.evil.test", "", "127.0.0.1:80:80", "[::1]"])
async def test_a_name_that_is_none_of_ours_is_refused_for_every_address(tmp_path: Path, host: str) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        for path in ("/", f"/h/{handoff.id}", "/events", "/sign-in", "/static/x/main.js"):
            reply = await page.http.get(path, headers={"host": host})
            assert (reply.status_code, reply.text) == (403, "The inbox is not at this address.\n")
        assert (await page.http.get("/", headers={"host": "LOCALHOST:8765"})).status_code == 200


async def test_without_a_session_every_address_says_the_same_even_missing_ones(tmp_path: Path) -> None:
    async with made(tmp_path) as (inbox, app):
        handoff = await inbox.ask("A secret plan?")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            gets = ["/", f"/h/{handoff.id}", "/h/h_none", "/history", "/figures", "/figures.json", "/nothing"]
            replies = [await http.get(path) for path in [*gets, f"/h/{handoff.id}/card"]]
            replies += [await http.post(f"/h/{id_}/answer", data={"x": "y"}) for id_ in (handoff.id, "h_none")]
            assert {(reply.status_code, reply.text) for reply in replies} == {(401, replies[0].text)}
            assert "handoffs inbox" in replies[0].text
            assert (await http.get("/events")).status_code == 401
            http.cookies.set("handoffs", "forged")
            assert (await http.get("/")).status_code == 401
            missing = await http.get("/static/x/none.js")
            assert (missing.status_code, missing.text) == (404, "There is nothing here.\n")
        assert inbox.seen == []


async def test_a_sign_in_link_works_once_and_goes_where_it_says(tmp_path: Path) -> None:
    async with made(tmp_path) as (inbox, app):
        link = inbox.link("/history?q=x")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=inbox.url) as http:
            address, form = pressed(link)
            reply = await http.post(address, data=form)
            assert (reply.status_code, reply.headers["location"]) == (303, "/history?q=x")
            cookie = reply.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert "Path=/" in cookie
            assert (await http.get("/")).status_code == 200
            assert (await http.get(link)).headers["location"] == "/history?q=x"  # nothing is gained by that
            assert (await http.post(address, data=form)).headers["location"] == "/history?q=x"  # pressed twice
        async with httpx.AsyncClient(transport=transport, base_url=inbox.url) as stranger:
            assert (await stranger.post(address, data=form)).status_code == 403
            assert (await stranger.get("/")).status_code == 401


async def test_after_five_wrong_links_a_right_one_still_signs_in(tmp_path: Path) -> None:
    async with made(tmp_path) as (inbox, app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            statuses = [(await http.post("/sign-in", data={"code": "wrong"})).status_code for _ in range(6)]
            assert statuses == [403] * 5 + [429]
            address, form = inbox.pressed()
            assert (await http.post(address, data=form)).status_code == 303


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "LinkChecker/10"},
        {"sec-purpose": "prefetch", "purpose": "prefetch"},
        {"sec-fetch-dest": "image", "sec-fetch-site": "cross-site"},
    ],
)
async def test_what_only_looks_at_a_link_uses_up_neither_it_nor_any_tries(
    method: str, headers: dict[str, str], tmp_path: Path
) -> None:
    async with made(tmp_path) as (inbox, app):
        link = inbox.link("/history")
        address, form = pressed(link)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            for looked_at in (link, *["/sign-in?code=wrong"] * 9):
                looked = await http.request(method, looked_at, headers=headers)
                assert looked.status_code == 200
                assert "set-cookie" not in looked.headers
            assert (await http.post(address, data=form)).headers["location"] == "/history"


@pytest.mark.parametrize("headers", ELSEWHERE)
async def test_a_page_of_another_site_cant_press_the_button(headers: dict[str, str], tmp_path: Path) -> None:
    async with made(tmp_path) as (inbox, app):
        address, form = inbox.pressed()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            refused = await http.post(address, data=form, headers=headers)
            assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
            assert (await http.post(address, data=form)).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "inbox.example"},
        {"x-forwarded-for": "192.0.2.1"},
        {"forwarded": "for=192.0.2.1"},
        {"sec-purpose": "prefetch;prerender"},
    ],
)
async def test_a_script_presses_the_button_on_this_machine_alone(headers: dict[str, str], tmp_path: Path) -> None:
    async with made(tmp_path) as (inbox, _):
        app = build_inbox(inbox.desk, sign_in=inbox.sign_in, by="ada", hosts=["127.0.0.1", "inbox.example"])
        public = build_inbox(
            inbox.desk, sign_in=inbox.sign_in, by="ada", hosts=["127.0.0.1"], url="https://inbox.example"
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            assert "data-home" in (await http.get(inbox.link())).text
            assert "data-home" not in (await http.get(inbox.link(), headers=headers)).text
        async with httpx.AsyncClient(transport=httpx.ASGITransport(public), base_url=inbox.url) as http:
            assert "data-home" not in (await http.get(inbox.link())).text


async def test_an_address_that_a_link_names_is_put_nowhere_but_into_the_form(tmp_path: Path) -> None:
    async with made(tmp_path) as (inbox, app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            page = (await http.get('/sign-in?code="><b>&next=//evil.test/')).text
            assert "<b>" not in page
            assert "evil.test" not in page


async def test_signing_out_ends_the_session(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        cookies = dict(page.http.cookies)
        assert (await page.post("/sign-out")).status_code == 200
        page.http.cookies.update(cookies)
        assert (await page.http.get("/")).status_code == 401


async def test_what_was_refused_is_logged_without_codes_and_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with signed_in(tmp_path) as page:
        caplog.clear()
        link = page.inbox.link()
        await page.http.get(link, headers={"host": "evil.test"})
        await page.http.post("/h/h_1/answer", data={"csrf": "c"}, headers={"origin": "null"})
        logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("handoffs"))
        assert "the Host is none of ours" in logged
        assert "another site" in logged
        assert link.split("code=")[1][:20] not in logged
        assert "h_1" not in logged


async def test_every_reply_forbids_what_a_page_does_not_need(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        for path in ("/", "/history", "/h/none", "/sign-in?code=x", "/favicon.ico", "/offline"):
            headers = (await page.http.get(path)).headers
            assert headers["content-security-policy"] == (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            )
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"


async def test_assets_are_kept_for_ever_under_their_version_and_no_other(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        text = (await page.http.get("/")).text
        path = text.split('src="')[1].split('"')[0]
        assert "immutable" in (await page.http.get(path)).headers["cache-control"]
        old = await page.http.get("/static/0123456789ab/main.js")
        assert (old.status_code, old.headers["cache-control"]) == (200, "no-store")
        assert (await page.http.get("/static/x/..%2Finbox.py")).status_code == 404
        assert "<script>" not in text
        assert "style=" not in text
        assert "onclick" not in text


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * 1_048_577, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"--x", "multipart/form-data; boundary=x", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"a=\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(1_001)), "application/x-www-form-urlencoded", 400),
    ],
)
async def test_a_body_that_is_no_form_is_refused(tmp_path: Path, body: bytes, kind: str, status: int) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        reply = await page.http.post(f"/h/{handoff.id}/answer", content=body, headers={"content-type": kind})
        assert reply.status_code == status
        assert await stays_open(page, handoff.id)


HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "[click](javascript:alert(1))",
    '<iframe src="https://evil.test"></iframe>',
    "<style>body{display:none}</style>",
    '"><svg onload=alert(1)>',
    "</textarea></form><form action=https://evil.test>",
    "{{ 1234567 * 3 }}{% raw %}",
]


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_what_agents_and_people_write_stays_text_wherever_it_is_shown(tmp_path: Path, hostile: str) -> None:
    async with signed_in(tmp_path) as page:
        caller = Caller(subject="ada", client=hostile, project=hostile)
        field = {"type": "string", "title": hostile, "description": hostile, "default": hostile}
        choice = {"type": "string", "enum": [hostile, "b"]}
        form = {"type": "object", "properties": {"a": field, hostile: choice}}
        handoff = await page.inbox.ask(hostile, caller=caller, form=form)
        texts = [(await page.http.get("/")).text, (await page.http.get(f"/h/{handoff.id}")).text]
        data = {"field.a": hostile, "note": hostile, hostile: hostile}
        texts.append((await page.post(f"/h/{handoff.id}/answer", data=data)).text)
        await page.inbox.desk.answer(handoff, {"a": hostile}, by=hostile, channel="terminal", note=hostile)
        texts += [(await page.http.get("/history")).text, (await page.http.get(f"/h/{handoff.id}")).text]
        for text in texts:
            acting = Acting()
            acting.feed(text)
            assert acting.found == []
            assert "3703701" not in "".join(acting.words)
            assert acting.forms == sum(
                text.count(form)
                for form in (
                    '<form class="answer"',
                    'action="/sign-out"',
                    'method="dialog"',
                    '<form class="search"',
                    '<form id="alike"',
                    'action="/together"',
                )
            )


class Acting(HTMLParser):
    """What in a page could act that our templates do not have."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.words: list[str] = []
        self.forms = 0
        self._main = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._main = self._main or tag == "main"
        self.forms += tag == "form"
        names = dict(attrs)
        ours = (names.get("src") or "").rpartition("/")[2] in {"early.js", "main.js"}
        if tag in {"script", "iframe", "style", "svg", "object", "embed", "base"} and not ours:
            self.found.append(tag)
        for name, value in attrs:
            target = (value or "").strip().lower()
            local = target.startswith(("/", "#", "http://127.0.0.1", "https://example"))
            if (
                name.startswith("on")
                or name == "style"
                or (name in {"href", "src", "action", "formaction"} and not local)
            ):
                self.found.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        if self._main and "h_" not in data:
            self.words.append(data)


async def test_whoever_is_signed_in_keeps_the_inbox_alive_and_nobody_else(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        page.inbox.seen.clear()
        await page.http.get("/static/x/main.js")
        await page.http.get("/", headers={"host": "evil.test"})
        assert page.inbox.seen == []
        await page.http.get("/")
        assert page.inbox.seen == [None]


@pytest.mark.parametrize(
    ("host_", "origin", "ours"),
    [
        ("inbox.example:8443", "https://inbox.example:8443", True),
        ("inbox.example", "https://inbox.example:8443", True),
        ("inbox.example:8443", "http://inbox.example:8443", False),
        ("inbox.example", "https://inbox.example", False),
        ("localhost:8770", "http://localhost:8770", True),
    ],
)
def test_of_its_public_name_only_its_own_origin_writes(host_: str, origin: str, ours: bool) -> None:
    said: Any = {"host": host_, "origin": origin}
    assert _from_here(Headers(said), origin_of("https://inbox.example:8443")) == ours
    six = "https://[2001:db8::1]:8443"
    assert not _from_here(Headers({"host": "[2001:db8::1]", "origin": "https://[2001:db8::1]"}), origin_of(six))
