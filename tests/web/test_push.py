"""Notifications in a real Chromium: set up on the page, shown, pressed, withdrawn, tried and ended.

Chromium's own push service can't be had here. So `pushManager.subscribe` returns a subscription of the stand-in of
`tests/channels/push_server.py`, which opens what we send; the test gives that to Chromium's service worker by the
DevTools protocol (`ServiceWorker.deliverPushMessage`). The protocol has no click on a notification: the test dispatches
the event in the worker.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import CDPSession, Page, Worker, expect

from handoffs.channels import webpush
from handoffs.channels.chats.courier import Courier
from handoffs.channels.chats.setup import Setup
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn
from tests.channels.push_server import Browser, PushServer, own_keys, push_server
from tests.waiting import until
from tests.web.serving import HOSTS, Inbox, Opened, on_port
from tests.web.test_reading import axe
from tests.web.visiting import enter, visit

KINDS = {"webpush": webpush.KIND}
SUBSCRIBE = """
((written) => {
  const plain = atob(written.server_key.replace(/-/g, "+").replace(/_/g, "/"));
  const made = {
    endpoint: written.endpoint,
    options: { applicationServerKey: Uint8Array.from(plain, (each) => each.charCodeAt(0)).buffer },
    toJSON: () => ({ endpoint: written.endpoint, keys: { p256dh: written.p256dh, auth: written.auth } }),
    unsubscribe: async () => { localStorage.removeItem("subscribed"); return true; },
  };
  PushManager.prototype.getSubscription = async () => localStorage.getItem("subscribed") ? made : null;
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (!userVisibleOnly || applicationServerKey !== written.server_key) throw new Error("the options");
    localStorage.setItem("subscribed", "1");
    return made;
  };
})(%s);
"""
SHOWN = """navigator.serviceWorker.ready.then((worker) => worker.getNotifications()).then((shown) => shown.map(
  ({ title, body, tag, lang, silent, requireInteraction, actions, data }) =>
    ({ title, body, tag, lang, silent, requireInteraction, actions: actions.map((each) => each.title), data })))"""
LEFT = """self.registration.getNotifications().then((shown) => shown.map(
  ({ tag, silent, actions }) => ({ tag, silent, actions })))"""
KEPT = """caches.keys().then(async ([name]) =>
  (await (await caches.open(name)).keys()).map((each) => new URL(each.url).pathname))"""
CLICK = """async ([tag, action]) => {
  const [notification] = await self.registration.getNotifications({ tag });
  const event = new NotificationEvent("notificationclick", { notification, action });
  const waits = [];
  event.waitUntil = (work) => waits.push(work);
  self.went = [];
  self.clients.openWindow = async (address) => { self.went.push(address); return null; };
  self.dispatchEvent(event);
  await Promise.all(waits);
  return self.went;
}"""


class There:
    """A page in Chromium, the inbox that it shows, and the push service."""

    def __init__(self, page: Page, inbox: Inbox, server: PushServer, store: SqliteStore, browser: Browser) -> None:
        self.page, self.inbox, self.server, self.store, self.browser = page, inbox, server, store, browser
        self._cdp: CDPSession | None = None
        self._ids: list[str] = []
        self.delivered = 0

    async def set_up(self, said: str = "This browser is set up", /, **written: str) -> None:
        await enter(self.page, self.inbox, "/you")
        for name, value in written.items():
            await self.page.fill(f"#browser-{name}", value)
        await self.page.click("#this-browser form button")
        await expect(self.page.locator("[role=status]", has_text=said)).to_be_visible()

    async def deliver(self) -> None:
        """Give the service worker what has come to the push service since."""
        if self._cdp is None:
            self._cdp = await self.page.context.new_cdp_session(self.page)

            def updated(found: dict[str, Any]) -> None:
                self._ids.extend(each["registrationId"] for each in found["registrations"])

            self._cdp.on("ServiceWorker.workerRegistrationUpdated", updated)
            await self._cdp.send("ServiceWorker.enable")
            await until(lambda: self._ids)
        for push in self.browser.pushes[self.delivered :]:
            await self.deliver_text(json.dumps(push))
            self.delivered += 1

    async def deliver_text(self, text: str) -> None:
        assert self._cdp is not None
        told = {"origin": self.inbox.url, "registrationId": self._ids[0], "data": text}
        await self._cdp.send("ServiceWorker.deliverPushMessage", told)

    async def shows(self) -> list[dict[str, Any]]:
        return await self.page.evaluate(SHOWN)

    async def shown(self, text: str) -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            await self.deliver()
            return next((each for each in await self.shows() if text in f"{each['title']}\n{each['body']}"), None)

        return await until(found)

    def worker(self) -> Worker:
        return self.page.context.service_workers[0]

    async def click(self, tag: str, action: str = "") -> list[str]:
        return await self.worker().evaluate(CLICK, [tag, action])


@asynccontextmanager
async def there(
    folder: Path, opened: Opened, *, until_away: AsyncExitStack | None = None, granted: bool = True, locale: str = "en"
) -> AsyncGenerator[There]:
    clock, sealer = SystemClock(), AesGcmSealer(lambda: ["k" * 32])
    options: dict[str, Any] = {"permissions": ["notifications"]} if granted else {}
    async with (
        SqliteStore(folder / "handoffs.db") as store,
        push_server() as server,
        opened(locale=locale, **options) as page,
        anyio.create_task_group() as tasks,
    ):
        desk = Desk(store=store, clock=clock, sealer=sealer, local="ada", directory=store.people.directory)
        courier = Courier(store.chats, desk, sealer, KINDS, None, burst=0, pause=0.05)
        setup = Setup(store.chats, sealer, clock, KINDS, courier.poke, own_keys)
        sign_in = SignIn(folder / "inbox", clock.now)
        app = build_inbox(desk, sign_in=sign_in, by="ada", hosts=HOSTS, people=store.people, chats=setup)
        tasks.start_soon(courier.run)
        async with until_away or AsyncExitStack() as serving:
            port = await serving.enter_async_context(on_port(app))
            inbox = Inbox(folder, desk, sign_in, url=f"http://127.0.0.1:{port}")
            browser = server.subscribe()
            await page.add_init_script(SUBSCRIBE % json.dumps(browser.written))
            yield There(page, inbox, server, store, browser)
        tasks.cancel_scope.cancel()


async def test_a_browser_is_set_up_notified_and_answers(tmp_path: Path, opened: Opened) -> None:
    async with there(tmp_path, opened) as at:
        await at.set_up(label="My laptop")
        (chat,) = await at.store.chats.all()
        assert (chat.person, chat.channel, chat.hint) == ("ada", "webpush", "My laptop, by 127.0.0.1")
        await expect(at.page.locator("h3", has_text="this browser").first).to_be_visible()
        asked = await at.inbox.ask("Deploy to production?", options=["Yes", "No"])
        told = await at.shown("Deploy to production?")
        assert told["actions"] == ["Yes", "No"]
        assert (told["silent"], told["requireInteraction"]) == (False, True)
        assert await at.click(told["tag"]) == [f"{at.inbox.url}/h/{asked.id}"]
        await at.deliver_text(json.dumps(at.browser.pushes[0]))
        await until(at.shows)
        await at.click(told["tag"], "0")
        answered = await at.inbox.desk.get(asked.id)
        assert answered.values == {"response": "Yes"}
        assert answered.end is not None
        assert (answered.end.by, answered.end.channel) == ("ada", "webpush")
        assert at.server.refused == []


async def test_what_is_answered_elsewhere_is_withdrawn(tmp_path: Path, opened: Opened) -> None:
    async with there(tmp_path, opened) as at:
        await at.set_up()
        first = await at.inbox.ask("The first?", options=["Yes", "No"])
        await at.shown("The first?")
        second = await at.inbox.ask("The second?", options=["Yes", "No"])
        waits = await at.shown("The second?")
        await at.inbox.desk.answer(await at.inbox.desk.get(first.id), {"response": "No"}, by="eve", channel="inbox")
        await at.browser.shown("Answered by eve through inbox")
        await at.deliver()
        # Another one is in sight: nothing is left of the first.
        await until(at.shows, lambda shown: [each["tag"] for each in shown] == [waits["tag"]])
        await visit(at.page, "about:blank")  # and no page of the inbox
        await at.inbox.desk.answer(await at.inbox.desk.get(second.id), {"response": "No"}, by="eve", channel="inbox")
        await until(lambda: len(at.browser.pushes) == 4)
        await at.deliver()
        gone = [{"tag": waits["tag"], "silent": True, "actions": []}]
        # The push has to show something: what has ended, without a sound and without buttons.
        await until(lambda: at.worker().evaluate(LEFT), lambda found: found == gone)
        await visit(at.page, at.inbox.url)
        await until(at.shows, lambda shown: shown == [])


async def test_a_late_press_says_so_in_the_notification(tmp_path: Path, opened: Opened) -> None:
    async with there(tmp_path, opened) as at:
        await at.set_up()
        asked = await at.inbox.ask("Deploy?", options=["Yes", "No"])
        told = await at.shown("Deploy?")
        await at.inbox.desk.answer(await at.inbox.desk.get(asked.id), {"response": "No"}, by="eve", channel="inbox")
        await at.click(told["tag"], "0")
        (after,) = await at.shows()
        assert "was already answered by eve through inbox" in after["body"]
        assert after["actions"] == []
        assert (await at.inbox.desk.get(asked.id)).values == {"response": "No"}


async def test_the_inbox_that_is_away_is_said_and_the_buttons_stay(tmp_path: Path, opened: Opened) -> None:
    serving = AsyncExitStack()
    async with there(tmp_path, opened, until_away=serving) as at:
        await at.set_up()
        asked = await at.inbox.ask("Deploy?", options=["Yes", "No"])
        told = await at.shown("Deploy?")
        await visit(at.page, f"{at.inbox.url}/offline")
        await serving.aclose()
        await at.click(told["tag"], "0")
        (after,) = await at.shows()
        assert "The inbox can't be reached" in after["body"]
        assert after["actions"] == ["Yes", "No"]
        assert (await at.inbox.desk.get(asked.id)).values is None
        await visit(at.page, f"{at.inbox.url}/h/{asked.id}")
        await expect(at.page.locator("h1")).to_have_text("The inbox can't be reached")
        assert "Deploy?" not in await at.page.content()
        kept = await at.page.evaluate(KEPT)
        assert [each.rpartition("/")[2] for each in kept] == ["offline", "style.css"]


async def test_a_notification_speaks_the_language_of_the_page(tmp_path: Path, opened: Opened) -> None:
    form = {"type": "object", "properties": {"go": {"type": "boolean"}}, "required": ["go"]}
    serving = AsyncExitStack()
    async with there(tmp_path, opened, until_away=serving, locale="de-AT") as at:
        await at.set_up("Dieser Browser ist eingerichtet")
        asked = await at.inbox.ask("Deploy?", form=form)
        told = await at.shown("Deploy?")
        assert (told["title"].endswith(" fragt Sie"), told["lang"], told["actions"]) == (True, "de", ["Ja", "Nein"])
        await at.click(told["tag"], "0")
        (after,) = await at.shows()
        assert (after["body"], after["lang"]) == ("Gespeichert: ja.", "de")
        assert (await at.inbox.desk.get(asked.id)).values == {"go": True}
        await at.inbox.ask("Again?", form=form)
        again = await at.shown("Again?")
        await serving.aclose()
        await at.click(again["tag"], "1")
        away = await at.shown("Der Posteingang ist nicht erreichbar.")
        assert (away["actions"], away["lang"]) == (["Ja", "Nein"], "de")


async def test_a_push_that_is_none_of_ours_is_shown_as_a_question(tmp_path: Path, opened: Opened) -> None:
    async with there(tmp_path, opened) as at:
        await at.set_up()
        await at.deliver()
        for text in ("", "{", json.dumps({"title": 1}), "null"):
            await at.deliver_text(text)
        await until(at.shows, lambda shown: [each["title"] for each in shown] == ["A question waits"])
        odd = {"title": "Odd", "tag": "t", "url": "https://evil.example/", "buttons": []}
        await at.deliver_text(json.dumps(odd))
        await until(at.shows, lambda shown: len(shown) == 2)
        assert await at.click("t") == []


async def test_it_is_tried_and_ended_in_this_browser(tmp_path: Path, opened: Opened) -> None:
    async with there(tmp_path, opened) as at:
        await at.set_up()
        await at.page.click("button:has-text('Send a test')")
        await expect(at.page.locator("[role=status]", has_text="A test is on its way")).to_be_visible()
        told = await at.shown("A test of Handoffs")
        await at.click(told["tag"], "0")
        assert "It works" in (await at.shows())[0]["body"]
        await at.page.click("#browser-stop")
        await expect(at.page.locator("[role=status]", has_text="It is removed")).to_be_visible()
        assert await at.store.chats.all() == []
        assert await at.shows() == []
        await expect(at.page.locator("#this-browser form")).to_be_visible()
        await expect(at.page.locator("#browser-stop")).to_be_hidden()


async def test_a_browser_that_may_not_notify_says_why(tmp_path: Path, opened: Opened) -> None:
    async with there(tmp_path, opened, granted=False) as at:
        await at.page.add_init_script("Notification.requestPermission = async () => 'denied';")
        await enter(at.page, at.inbox, "/you")
        said = at.page.locator("#this-browser p:not(.hint):not(.actions)")
        if await at.page.evaluate("Notification.permission") == "denied":
            await expect(said.first).to_contain_text("it blocks notifications of this page")
        else:
            await at.page.click("#this-browser form button")
            await expect(said.last).to_contain_text("was not allowed to notify you")
        assert await at.store.chats.all() == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("Object.defineProperty(window, 'isSecureContext', { value: false });", "notifications need https"),
        ("delete window.PushManager;", "it has no Web Push"),
        ("Object.defineProperty(Notification, 'permission', { value: 'denied' });", "it blocks notifications"),
    ],
)
async def test_where_it_cant_be_the_page_says_why(tmp_path: Path, opened: Opened, script: str, said: str) -> None:
    async with there(tmp_path, opened) as at:
        await at.page.add_init_script(script)
        await enter(at.page, at.inbox, "/you")
        await expect(at.page.locator("#this-browser [role=status]")).to_contain_text(said)
        await expect(at.page.locator("#this-browser form")).to_be_hidden()


async def test_the_pages_have_nothing_that_axe_finds(tmp_path: Path, opened: Opened) -> None:
    async with there(tmp_path, opened) as at:
        await at.set_up()
        for path in ("/you", "/offline"):
            await visit(at.page, f"{at.inbox.url}{path}")
            assert await axe(at.page) == [], path


async def test_the_inbox_is_an_app_that_can_be_installed(tmp_path: Path, opened: Opened) -> None:
    async with there(tmp_path, opened) as at:
        await enter(at.page, at.inbox)
        cdp = await at.page.context.new_cdp_session(at.page)
        manifest = await cdp.send("Page.getAppManifest")
        assert manifest["errors"] == []
        assert json.loads(manifest["data"])["display"] == "standalone"
        wrong = await cdp.send("Page.getInstallabilityErrors")
        # A window of a test is a private one, in which nothing is installed.
        assert {each["errorId"] for each in wrong["installabilityErrors"]} <= {"in-incognito"}
        worker = await at.page.request.get(f"{at.inbox.url}/service-worker.js")
        assert worker.headers["content-type"].startswith("text/javascript")
        assert worker.headers["cache-control"] == "no-cache"
        assert "@VERSION@" not in await worker.text()
