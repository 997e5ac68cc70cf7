"""The inbox as a person has it: in a real Chromium."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from playwright.async_api import expect

from handoffs.core.model import State
from tests.web.serving import Inbox, Opened, serving
from tests.web.visiting import FORM, MESSAGE, enter, visit


async def ended(inbox: Inbox, handoff_id: str) -> Any:
    """The handoff, once it has ended."""
    with anyio.fail_after(60):
        return await inbox.desk.wait(handoff_id, seconds=None)


async def test_a_link_signs_in_once_and_the_browser_stays_signed_in(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox:
        link = inbox.link()
        async with opened() as page:
            await page.goto(inbox.url)
            await expect(page.locator("h1")).to_have_text("Sign in from a terminal")
            await page.goto(link)
            await expect(page.locator("h1")).to_have_text("Open questions")
            assert "code" not in page.url
            await page.goto(inbox.url + "/history")
            await expect(page.locator("h1")).to_have_text("History")
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.locator("h1")).to_have_text("Sign in from a terminal")
        async with opened() as stranger:
            await stranger.goto(link)
            await expect(stranger.locator(".banner")).to_contain_text("used before")
            await expect(stranger.locator("h1")).to_have_text("Sign in from a terminal")


async def test_without_script_and_from_other_machines_people_press_the_button(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox:
        async with opened(java_script_enabled=False) as page:
            await page.goto(inbox.link("/history"))
            await expect(page.get_by_role("button", name="Sign in")).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.locator("h1")).to_have_text("History")
        async with opened(extra_http_headers={"x-forwarded-for": "192.0.2.1"}) as page:
            await page.goto(inbox.link())
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.locator("h1")).to_have_text("Open questions")


async def test_a_page_that_is_prepared_and_not_seen_signs_nobody_in(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        link = inbox.link()
        await page.add_init_script(
            "Object.defineProperty(document, 'visibilityState', { get: () => window.seen ?? 'hidden' })"
        )
        await page.goto(link)
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        await page.wait_for_load_state("networkidle")
        assert (tmp_path / "inbox" / "sessions.json").exists() is False
        await page.evaluate("window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator("h1")).to_have_text("Open questions")


async def test_a_link_on_another_site_finds_the_browser_signed_in(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask()
        await enter(page, inbox)
        await page.route("http://chat.test/", lambda route: route.fulfill(
            content_type="text/html", body=f'<a href="{inbox.url}/h/{handoff.id}">your question</a>'
        ))  # fmt: skip
        await page.goto("http://chat.test/")
        await page.get_by_text("your question").click()
        await expect(page.locator(".card")).to_contain_text("Deploy?")


async def test_a_question_appears_by_itself_and_is_marked_with_how_it_ended(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await enter(page, inbox)
        await expect(page.locator("#empty")).to_be_visible()
        first = await inbox.ask("First?")
        await expect(page.locator(".card")).to_have_count(1)
        await expect(page).to_have_title("(1) Open questions · Handoffs")
        icon = await page.locator("link[rel=icon]").get_attribute("href")
        assert icon is not None
        assert icon.startswith("data:image/svg+xml,")
        second = await inbox.ask("Second?")
        await expect(page.locator(".card .message")).to_have_text(["First?", "Second?"])
        await expect(page.locator("#said")).to_contain_text("New question from claude-code")
        await inbox.desk.answer(first, {"response": "yes"}, by="eve", channel="terminal")
        await expect(page.locator(f"#{first.id} .gone")).to_contain_text("Answered by eve through terminal.")
        await expect(page.locator("#said")).to_contain_text("Answered by eve through terminal")
        await page.get_by_role("button", name="1 new question").click()
        await expect(page.locator(".card .message")).to_have_text(["Second?"])
        await inbox.desk.cancel(second, by="agent", channel="mcp")
        await expect(page.locator("#empty")).to_be_visible()
        await expect(page).to_have_title("Open questions · Handoffs")


async def test_a_question_ends_when_its_deadline_passes(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        # The desk's own bound is half a minute.
        inbox.desk._limits = type(inbox.desk._limits)(min_seconds=0)  # type: ignore[attr-defined]
        await enter(page, inbox)
        await inbox.ask(timeout_seconds=6)
        await expect(page.locator(".left")).to_have_text(re.compile(r"0:0\d left"))
        await expect(page.locator(".gone")).to_contain_text("Expired: nobody answered in time.")


async def test_every_kind_of_field_can_be_filled(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask(MESSAGE, form=FORM)
        await enter(page, inbox)
        card = page.locator(".card")
        await expect(card.get_by_label("At", exact=False)).to_have_value("2026-07-01T12:00")
        await card.get_by_role("button", name="Answer").click()
        await expect(card.locator('[data-name="field.name"] .problem')).to_have_text("Name is missing.")
        await expect(card.locator('[data-name="field.sure"] .problem')).to_have_text("Really delete? is missing.")
        await expect(card.get_by_label("Name")).to_be_focused()
        assert (await inbox.desk.get(handoff.id)).state is State.OPEN
        await card.get_by_label("Name").fill("Ada")
        await card.get_by_label("Why").fill("one\ntwo")
        await card.get_by_label("Count").fill("4")
        await card.get_by_role("group", name="Really delete?").get_by_label("Yes").check()
        await card.get_by_label("Day").fill("2026-11-22")
        await card.get_by_label("Mail").fill("ada@example.org")
        await card.get_by_label("Page").fill("https://example.org/")
        await card.get_by_label("prod").check()
        await card.get_by_label("Region").select_option("r7")
        await card.get_by_label("mo").check()
        await card.get_by_label("we").check()
        await card.get_by_text("Add a note").click()
        await card.get_by_label("Note").fill("carefully")
        await card.get_by_role("button", name="Answer").click()
        answer = (await ended(inbox, handoff.id)).answer
        assert answer.values == {
            "name": "Ada",
            "why": "one\ntwo",
            "count": 4,
            "sure": True,
            "day": "2026-11-22",
            "at": "2026-07-01T10:00:00Z",
            "mail": "ada@example.org",
            "page": "https://example.org/",
            "env": "prod",
            "region": "r7",
            "days": ["mo", "we"],
        }
        assert (answer.by, answer.channel, answer.note) == ("ada", "inbox", "carefully")
        await expect(card.locator(".gone")).to_contain_text("Answered by ada through inbox.")


async def test_an_option_is_one_click(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask(options=["eu-west-1", "us-east-1"])
        await enter(page, inbox)
        await page.get_by_role("button", name="us-east-1").click()
        assert (await ended(inbox, handoff.id)).values == {"response": "us-east-1"}
        await expect(page.locator(".gone")).to_contain_text("Answered by ada through inbox.")


async def test_everything_works_without_script(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(java_script_enabled=False) as page:
        options, form = await inbox.ask(options=["a", "b"]), await inbox.ask("Form?", form=FORM)
        await enter(page, inbox, f"/h/{options.id}")
        await page.get_by_role("button", name="b").click()
        await expect(page.locator("h1")).to_have_text("Answered by ada through inbox")
        await visit(page, f"{inbox.url}/h/{form.id}")
        await page.get_by_label("Name").fill("Ada")
        await page.get_by_role("button", name="Answer").click()
        await expect(page.locator('[data-name="field.sure"] .problem')).to_have_text("Really delete? is missing.")
        await expect(page.get_by_label("Name")).to_have_value("Ada")
        await page.get_by_role("button", name="Decline").click()
        await expect(page.locator("h1")).to_have_text("Declined by ada through inbox")
        assert (await ended(inbox, options.id)).values == {"response": "b"}


async def test_the_keyboard_does_everything_and_nothing_while_typing(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        text, choice = await inbox.ask("Why?"), await inbox.ask("Which?", options=["a", "b", "c"])
        no = await inbox.ask("Delete all?")
        await enter(page, inbox)
        await page.keyboard.press("?")
        await expect(page.locator("#help")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#help")).to_be_hidden()
        await page.keyboard.press("j")
        await expect(page.locator(f"#{no.id}")).to_be_focused()
        await page.keyboard.press("d")
        assert (await inbox.desk.get(no.id)).state is State.OPEN
        await page.keyboard.press("d")
        assert (await ended(inbox, no.id)).state is State.DECLINED
        # It stays, and keys that come too late for it are for nothing else.
        await expect(page.locator(f"#{no.id}")).to_be_focused()
        for key in ("1", "a", "d", "d", "Enter"):
            await page.keyboard.press(key)
        await page.keyboard.press("j")
        await expect(page.locator(f"#{choice.id}")).to_be_focused()
        await page.keyboard.press("2")
        await expect(page.get_by_role("button", name="b", exact=True)).to_be_focused()
        assert (await inbox.desk.get(choice.id)).state is State.OPEN
        await page.keyboard.press("a")
        assert (await ended(inbox, choice.id)).values == {"response": "b"}
        await expect(page.locator(f"#{choice.id}")).to_be_focused()
        await page.keyboard.press("j")
        await expect(page.locator(f"#{text.id}")).to_be_focused()
        await page.keyboard.press("a")
        await page.keyboard.type("jkad?/12")
        await expect(page.locator("#help")).to_be_hidden()
        await page.keyboard.press("Control+Enter")
        assert (await ended(inbox, text.id)).values == {"response": "jkad?/12"}
        await expect(page.locator("#empty")).to_be_visible()
        await page.keyboard.press("/")
        await expect(page.locator("#q")).to_be_focused()


async def test_a_permission_has_one_way_to_say_no(tmp_path: Path, opened: Opened) -> None:
    ways = [{"const": "allow", "title": "Allow once"}, {"const": "deny", "title": "Deny"}]
    decision = {"type": "string", "title": "Decision", "oneOf": ways}
    form = {"type": "object", "properties": {"decision": decision, "reason": {"type": "string"}}}
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("Allow `Bash`?", form=form | {"required": ["decision"]})
        await enter(page, inbox)
        await expect(page.get_by_role("button", name="Decline")).to_have_count(0)
        await page.keyboard.press("d")
        await expect(page.get_by_label("Deny")).to_be_checked()
        await page.get_by_role("button", name="Answer").click()
        assert (await ended(inbox, handoff.id)).values == {"decision": "deny"}


async def test_of_two_tabs_one_wins_and_the_other_is_told_who(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask()
        await enter(page, inbox)
        other = await page.context.new_page()
        # So that it has not heard of the first answer when it sends its own.
        await other.route("**/events*", lambda route: route.abort())
        await other.goto(inbox.url)
        await other.get_by_label("Response").fill("no")
        await page.get_by_label("Response").fill("yes")
        await page.get_by_role("button", name="Answer").click()
        assert (await ended(inbox, handoff.id)).values == {"response": "yes"}
        await expect(page.locator(".gone")).to_contain_text("Answered by ada through inbox.")
        await other.get_by_role("button", name="Answer").click()
        await expect(other.locator(".gone")).to_contain_text(
            "Too late: your answer was not recorded. Answered by ada through inbox. What you entered was not sent."
        )
        assert (await ended(inbox, handoff.id)).values == {"response": "yes"}


async def test_what_is_being_typed_is_not_torn_away(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask()
        await enter(page, inbox)
        await page.get_by_label("Response").press_sequentially("half an ans")
        for number in range(3):
            await inbox.ask(f"Another {number}?")
        await expect(page.locator(".card")).to_have_count(4)
        await expect(page.locator(f"#{handoff.id} textarea").first).to_be_focused()
        await inbox.desk.answer(handoff, {"response": "no"}, by="eve", channel="terminal")
        card = page.locator(f"#{handoff.id}")
        await expect(card.locator(".gone")).to_contain_text(
            "Answered by eve through terminal. What you entered was not sent."
        )
        # What is typed on goes nowhere, not to the keys of the page either: j and two d would decline the next one.
        await expect(card.locator("textarea").first).to_be_focused()
        await page.keyboard.type("wer: just added")
        await expect(card.locator("textarea").first).to_have_value("half an ans")
        assert len(await inbox.desk.newest(open_only=True)) == 3
        await expect(page.locator(".settling")).to_have_count(0)
        await card.get_by_role("button", name="Put away").click()
        await expect(card).to_have_count(0)


@asynccontextmanager
async def process(folder: Path, port: int = 0) -> AsyncGenerator[tuple[Process, str]]:
    """The inbox in a process of its own, and its address."""
    command = [sys.executable, "-m", "tests.web.serving", str(folder), str(port)]
    started = await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=None)
    assert started.stdout is not None
    said = b""
    with anyio.fail_after(120):
        while b"\n" not in said:
            said += await started.stdout.receive()
    try:
        yield started, json.loads(said)["url"]
    finally:
        if started.returncode is None:
            started.kill()
        await started.aclose()


async def test_a_page_whose_server_was_killed_says_so_and_catches_up(tmp_path: Path, opened: Opened) -> None:
    # Nobody serves here: this side is the agent's, and the terminal's.
    async with serving(tmp_path) as inbox, opened() as page:
        kept, goes = await inbox.ask("Kept?"), await inbox.ask("Goes?")
        async with process(tmp_path) as (first, url):
            inbox.url = url
            await enter(page, inbox)
            await page.locator(f"#{kept.id}").get_by_label("Response").fill("half")
            first.kill()
            await expect(page.locator("#connection")).to_contain_text("Reconnecting…")
        await inbox.desk.answer(goes, {"response": "yes"}, by="eve", channel="terminal")
        await inbox.ask("New?")
        async with process(tmp_path, int(url.rpartition(":")[2])):
            await expect(page.locator("#connection")).to_be_empty()
            await expect(page.locator(".card:not(.ended) .message")).to_have_text(["Kept?", "New?"])
            await expect(page.locator(f"#{goes.id} .gone")).to_contain_text("Answered by eve through terminal.")
            await expect(page.locator(f"#{kept.id}").get_by_label("Response")).to_have_value("half")
            await inbox.ask("Newer?")
            await expect(page.locator(".card:not(.ended) .message")).to_have_text(["Kept?", "New?", "Newer?"])
            await page.locator(f"#{kept.id}").get_by_role("button", name="Answer").click()
            assert (await ended(inbox, kept.id)).values == {"response": "half"}


# Chromium without a screen thinks that every tab is looked at.
UNSEEN = """
let unseen = false;
Object.defineProperty(document, "hidden", { get: () => unseen });
window.see = (seen) => { unseen = !seen; document.dispatchEvent(new Event("visibilitychange")); };
"""


async def test_any_number_of_tabs_can_be_open_and_each_is_true_when_it_is_seen(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        # A browser has six connections to one server, and each tab that listens takes one.
        await page.context.add_init_script(UNSEEN)
        await enter(page, inbox)
        tabs = [page]
        for _ in range(8):
            await tabs[-1].evaluate("see(false)")
            tabs.append(await page.context.new_page())
            await tabs[-1].goto(inbox.url)
        await tabs[-1].evaluate("see(false)")
        handoff = await inbox.ask()
        await expect(tabs[0]).to_have_title("(1) Open questions · Handoffs")
        await expect(tabs[4]).to_have_title("Open questions · Handoffs")
        await tabs[4].evaluate("see(true)")
        await expect(tabs[4].locator(f"#{handoff.id}")).to_be_visible()
        await tabs[0].close()
        # Another takes its place, and has missed nothing.
        await expect(tabs[1]).to_have_title("(1) Open questions · Handoffs")


async def test_a_person_who_wants_it_is_notified(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        # Chromium without a screen grants nothing and shows nothing: what is asked of the browser is what counts.
        await page.context.add_init_script("""
            window.told = [];
            window.Notification = class extends EventTarget {
              static permission = "default";
              static async requestPermission() { return (this.permission = "granted"); }
              constructor(title, options) { super(); window.told.push([title, options.body]); }
            };
            document.hasFocus = () => false;
        """)
        await enter(page, inbox)
        await inbox.ask("Before?")
        await expect(page.locator(".card")).to_have_count(1)
        await page.get_by_role("button", name="Notify me").click()
        await expect(page.get_by_role("button", name="Notify me")).to_be_hidden()
        await inbox.ask("**After**?")
        await expect(page.locator(".card")).to_have_count(2)
        assert await page.evaluate("told") == [["claude-code in /srv/shop asks you", "After?"]]
