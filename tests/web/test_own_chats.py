"""A person's own channels on the page *You*: set up, tried, hushed, turned off and removed; and whose they are."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from handoffs.channels import ntfy
from handoffs.channels.chats.service import Kind
from handoffs.channels.chats.setup import Setup
from handoffs.channels.mail import kind_of
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn
from tests.channels.mail_server import SETTINGS
from tests.channels.ntfy_server import Phone, ntfy_server
from tests.store.samples import person
from tests.web.serving import HOSTS, Inbox, Page

KINDS = {"ntfy": ntfy.KIND}
TOPICS = {"topic": "s3cret-questions", "answers": "s3cret-answers"}


class Own:
    """The pages, and the chats behind them."""

    def __init__(self, page: Page, store: SqliteStore, changes: list[None]) -> None:
        self.page, self.store, self.changes = page, store, changes

    async def add(self, url: str, **written: str) -> httpx.Response:
        form = {"channel": "ntfy", "server": url, **TOPICS} | written
        return await self.page.post("/you/chats", data=form)

    async def press(self, what: str, **form: str) -> httpx.Response:
        (chat,) = await self.store.chats.all()
        return await self.page.post(f"/you/chats/{chat.id}/{what}", data=form)


@asynccontextmanager
async def own(
    folder: Path, *people: str, keys: Sequence[str] = ("k" * 32,), kinds: Mapping[str, Kind] = KINDS
) -> AsyncGenerator[Own]:
    clock, changes = SystemClock(), list[None]()
    async with SqliteStore(folder / "handoffs.db") as store:
        for name in people:
            await store.people.add(person(name))
        sealer = AesGcmSealer(lambda: keys)
        desk = Desk(store=store, clock=clock, sealer=sealer, directory=store.people.directory)
        setup = Setup(store.chats, sealer, clock, kinds, lambda: changes.append(None))
        sign_in = SignIn(folder / "inbox", clock.now)
        app = build_inbox(
            desk, sign_in=sign_in, by="ada", hosts=HOSTS, people=store.people, chats=setup, proxy_header="X-User"
        )
        inbox = Inbox(folder, desk, sign_in)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=inbox.url) as http:
            page = Page(http, inbox)
            await page.sign_in()
            yield Own(page, store, changes)


async def test_the_only_user_sets_a_channel_up_and_tries_it(tmp_path: Path) -> None:
    async with ntfy_server() as server, own(tmp_path) as there:
        assert "Add ntfy" in (await there.page.http.get("/you")).text
        assert 'href="/you"' in (await there.page.http.get("/")).text
        added = await there.add(server.url, quiet="22:00-07:00 Europe/Berlin")
        assert "Subscribe to the topic s3cret-questions" in added.text
        assert there.changes == [None]
        (chat,) = await there.store.chats.all()
        assert (chat.person, chat.quiet, chat.on) == ("ada", "22:00-07:00 Europe/Berlin", True)
        page = (await there.page.http.get("/you")).text
        assert "s3cret" not in page
        assert server.url in page
        assert "A test is on its way" in (await there.press("test")).text
        assert (await Phone(server, TOPICS["topic"]).shown("A test of Handoffs"))["actions"]


async def test_a_test_that_fails_says_why(tmp_path: Path) -> None:
    async with ntfy_server() as server, own(tmp_path) as there:
        await there.add(server.url)
        server.status = 403
        failed = await there.press("test")
        assert failed.status_code == 422
        assert "It was not sent: the service does not allow it (403)." in failed.text
        assert "the service does not allow it (403)" in (await there.page.http.get("/you")).text


async def test_it_is_turned_off_and_on_hushed_and_removed(tmp_path: Path) -> None:
    async with own(tmp_path) as there:
        await there.add("https://ntfy.example.com")
        assert "It is off" in (await there.press("off")).text
        assert not (await there.store.chats.all())[0].on
        assert "It is on" in (await there.press("on")).text
        assert "Write quiet hours like this" in (await there.press("quiet", quiet="at night")).text
        assert "The quiet hours are set" in (await there.press("quiet", quiet="23:00-06:30")).text
        assert (await there.store.chats.all())[0].quiet == "23:00-06:30"
        assert "It is removed" in (await there.press("remove")).text
        assert await there.store.chats.all() == []
        assert len(there.changes) == 5


async def test_a_channel_speaks_the_language_of_the_page_that_set_it_up(tmp_path: Path) -> None:
    async with ntfy_server() as server, own(tmp_path) as there:
        phone, headers = Phone(server, TOPICS["topic"]), there.page.http.headers
        await there.add(server.url)
        assert "Messages in" not in (await there.page.http.get("/you")).text
        headers["Accept-Language"] = "de"
        page = (await there.page.http.get("/you")).text
        assert "Nachrichten auf</dt><dd>English" in page
        assert "Nachrichten auf Deutsch" in page
        await there.press("test")
        await phone.shown("A test of Handoffs")
        assert "sind ab jetzt in dieser Sprache: Deutsch." in (await there.press("language")).text
        assert "Nachrichten auf" not in (await there.page.http.get("/you")).text
        await there.press("test")
        await phone.shown("Ein Test von Handoffs")
        (chat,) = await there.store.chats.all()
        assert (chat.quiet, chat.on, chat.hint) == ("", True, f"{server.url}, topic …ons")
        for language, what, title in (("ja", "quiet", "Handoffs のテスト"), ("fr", "on", "Un test de Handoffs")):
            headers["Accept-Language"] = language
            await there.press(what, quiet="")
            await there.press("test")
            await phone.shown(title)
        await there.press("remove")
        headers["Accept-Language"] = "es"
        added = await there.add(server.url)
        assert "Suscríbase al tema s3cret-questions de" in added.text
        await there.press("test")
        await phone.shown("Una prueba de Handoffs")


async def test_a_channel_of_another_key_keeps_its_language(tmp_path: Path) -> None:
    async with own(tmp_path) as there:
        await there.add("https://ntfy.example.com")
    async with own(tmp_path, keys=("o" * 32,)) as there:
        there.page.http.headers["Accept-Language"] = "de"
        (before,) = await there.store.chats.all()
        assert "Ausgeschaltet" in (await there.press("off")).text
        (after,) = await there.store.chats.all()
        assert (after.sealed, after.on) == (before.sealed, False)


@pytest.mark.parametrize(
    ("written", "said"),
    [({"channel": "pigeon"}, "no such channel"), ({"server": "http://ntfy.example.com"}, "https"),
     ({"topic": "<script>"}, "A topic has letters"), ({"quiet": "25:00-26:00"}, "Write quiet hours")],
)  # fmt: skip
async def test_what_cant_be_used_is_refused_in_words(tmp_path: Path, written: dict[str, str], said: str) -> None:
    async with own(tmp_path) as there:
        refused = await there.add("https://ntfy.example.com", **written)
        assert refused.status_code == 422
        assert said in refused.text
        assert "<script>" not in refused.text
        assert await there.store.chats.all() == []


async def test_without_a_key_that_lasts_no_address_is_kept(tmp_path: Path) -> None:
    async with own(tmp_path, keys=()) as there:
        assert "no key can be kept" in (await there.add("https://ntfy.example.com")).text
        assert await there.store.chats.all() == []


async def test_each_person_has_their_own_and_nobody_elses(tmp_path: Path) -> None:
    async with own(tmp_path, "ada", "bob") as there:
        csrf = 'name="csrf" value="([^"]+)"'
        http = there.page.http

        async def as_(name: str, path: str, **form: str) -> httpx.Response:
            headers = {"X-User": name}
            token = re.search(csrf, (await http.get("/", headers=headers)).text)
            assert token is not None
            return await http.post(path, data={"csrf": token[1]} | form, headers=headers)

        added = await as_("bob", "/you/chats", channel="ntfy", server="https://ntfy.example.com")
        assert "ntfy is set up" in added.text
        (chat,) = await there.store.chats.all()
        assert chat.person == "bob"
        assert chat.id not in (await http.get("/you", headers={"X-User": "ada"})).text
        refused = await as_("ada", f"/you/chats/{chat.id}/remove")
        assert "no such channel of yours" in refused.text
        stranger = await as_("mallory", "/you/chats", channel="ntfy", server="https://ntfy.example.com")
        assert stranger.status_code == 403
        assert (await there.add("https://ntfy.example.com")).status_code == 403  # of a link, where there are people
        assert await there.store.chats.all() == [chat]


async def test_a_post_without_the_pages_token_changes_nothing(tmp_path: Path) -> None:
    async with own(tmp_path) as there:
        form = {"channel": "ntfy", "server": "https://ntfy.example.com"}
        assert (await there.page.http.post("/you/chats", data=form)).status_code == 403
        assert await there.store.chats.all() == []


async def test_an_address_for_mail_is_told_its_code_once(tmp_path: Path) -> None:
    kind = kind_of(SETTINGS)
    assert kind is not None
    async with own(tmp_path, kinds={"email": kind}) as there:
        assert "Questions come from handoffs@example.org" in (await there.page.http.get("/you")).text
        added = await there.page.post("/you/chats", data={"channel": "email", "address": "ada@example.com"})
        assert "Now send a message from ada@example.com to handoffs@example.org" in added.text
        assert re.search(r"with the subject confirm-[a-z2-7]{16} It works once, until", added.text)
        page = (await there.page.http.get("/you")).text
        assert "ada@example.com, not confirmed yet" in page
        assert "confirm-" not in page
        assert "It is not set up yet." in (await there.press("test")).text
        refused = await there.page.post("/you/chats", data={"channel": "email", "address": "ada@localhost"})
        assert (refused.status_code, "Write your e-mail address like this" in refused.text) == (422, True)
