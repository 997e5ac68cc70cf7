"""The board of many open questions: searched, filtered, by agent, and live."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.board import Board
from handoffs.web.board_filter import BoardFilter
from handoffs.web.open_questions import OpenQuestions
from handoffs.web.seen_by import SeenBy
from tests.fakes import FakeClock
from tests.web.held import call, hold
from tests.web.serving import Inbox, Opened, serving, signed_in
from tests.web.test_reading import SHAPES, axe
from tests.web.test_whose import asked
from tests.web.visiting import enter, until_true, visit

SHOP = Caller(subject="ada", client="claude-code", project="/srv/shop")
SITE = Caller(subject="ada", client="codex", project="/srv/site")
DAY = 86_400


def messages(text: str) -> list[str]:
    """The messages of the cards on a page, in order."""
    return re.findall(r'<div class="message" dir="auto"><p>(.*?)</p>', text)


async def some(inbox: Inbox) -> None:
    for message, caller in (("Deploy the shop?", SHOP), ("Deploy the site?", SITE), ("Café: which?", SITE)):
        await inbox.ask(message, caller=caller)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=deploy", ["Deploy the site?", "Deploy the shop?"]),
        ("q=DEPLOY+shop", ["Deploy the shop?"]),
        ("q=cafe%CC%81", ["Café: which?"]),
        ("q=codex", ["Café: which?", "Deploy the site?"]),
        ("client=Codex&q=the", ["Deploy the site?"]),
        ("project=shop", ["Deploy the shop?"]),
        ("age=hour&client=claude", ["Deploy the shop?"]),
        ("age=over-hour", []),
        ("age=odd&q=&client=&project=", ["Café: which?", "Deploy the site?", "Deploy the shop?"]),
        ("group=agent", ["Café: which?", "Deploy the site?", "Deploy the shop?"]),
        ("q=%00%E2%80%AE", []),
    ],
)
async def test_open_questions_are_found_by_words_agent_folder_and_age(
    tmp_path: Path, query: str, found: list[str]
) -> None:
    async with signed_in(tmp_path) as page:
        await some(page.inbox)
        text = (await page.http.get(f"/?{query}")).text
        assert messages(text) == found
        assert 'id="count">3<' in text
        assert ('class="empty" hidden' in text) is bool(found)


async def test_a_held_call_is_found_by_its_tool_and_its_server(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        await some(page.inbox)
        held = await hold(page.inbox.desk, call(arguments={"id": 1}))
        action = held.question.action
        assert action is not None
        for word in (action.tool, action.server):
            assert held.id in (await page.http.get("/", params={"q": word})).text


async def test_how_long_ago_a_question_was_asked_is_a_filter(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        clock = FakeClock()
        desk = Desk(store=store, clock=clock)
        seen = SeenBy(desk, Board(desk))
        for message in ("Old?", "New?"):
            await desk.ask(message=message, caller=SHOP, timeout_seconds=20 * DAY)
            clock.forward(2 * DAY)
        for age, found in (("over-day", ["New?", "Old?"]), ("over-week", []), ("day", []), ("hour", [])):
            page = await seen.page("ada", BoardFilter(age=age), 1, 50)
            assert [each.question.message for each in page.handoffs] == found, age
        clock.forward(4 * DAY)
        page = await seen.page("ada", BoardFilter(age="over-week"), 1, 50)
        assert [each.question.message for each in page.handoffs] == ["Old?"]


async def test_pages_and_links_keep_what_was_searched(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        for number in range(120):
            await page.inbox.ask(f"Build {number}?", caller=SITE if number % 2 else SHOP)
        text = (await page.http.get("/?q=build&client=codex&group=agent")).text
        assert "60 of 120, 1–50" in text
        address = re.search(r'id="older" href="([^"]+)"', text)
        assert address is not None
        assert address[1] == "/?q=build&amp;client=codex&amp;group=agent&amp;page=2"
        last = (await page.http.get(address[1].replace("&amp;", "&"))).text
        assert last.count('<article class="card"') == 10
        assert 'value="codex"' in last
        assert 'class="count">60</span></h2>' in last


async def test_of_very_many_questions_the_history_searches(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=FakeClock())
        seen = SeenBy(desk, Board(desk), most=2)
        for number in range(3):
            await desk.ask(message=f"Question {number}?", caller=SHOP)
        page = await seen.page("ada", BoardFilter(text="1"), 1, 50)
        assert page.too_many
        assert page.listed == 3
        assert not (await seen.page("ada", BoardFilter(), 1, 50)).too_many


async def test_a_search_sees_only_what_the_person_may_see(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        await asked(page.inbox, "bob", message="Deploy for bob?", visible="theirs")
        await asked(page.inbox, "bob", message="Deploy for all?")
        await asked(page.inbox, "ada", message="Deploy for me?")
        assert messages((await page.http.get("/?q=deploy")).text) == ["Deploy for me?", "Deploy for all?"]
        assert messages((await page.http.get("/?q=deploy&mine=1")).text) == ["Deploy for me?"]
        assert "Deploy for bob?" not in (await page.http.get("/?q=bob")).text


async def test_the_cache_of_open_questions_follows_the_log(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=FakeClock())
        board = Board(desk)
        questions = OpenQuestions(desk, board)
        assert await questions.all() == []
        asked_for = [await desk.ask(message=f"Question {number}?", caller=SHOP) for number in range(5)]
        wanted = [each.id for each in reversed(asked_for)]
        assert sorted(each.handoff.id for each in await questions.all()) == sorted(wanted)
        await desk.cancel(asked_for[2], by="ada", channel="terminal")
        left = {each.handoff.id for each in await questions.all()}
        assert left == set(wanted) - {asked_for[2].id}
        assert await questions.get(asked_for[2].id) is None
        for number in range(1_100):  # more than the board keeps lines of
            await desk.ask(message=f"Later {number}?", caller=SHOP)
        assert len(await questions.all()) == 1_104
        found = await questions.get(asked_for[0].id)
        assert found is not None
        assert found.words.startswith("question 0?")


async def test_a_new_question_appears_only_where_it_matches(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask("Deploy the shop?", caller=SHOP)
        await enter(page, inbox, "/?q=deploy&client=claude")
        await expect(page.locator(".card")).to_have_count(1)
        await inbox.ask("Deploy the site?", caller=SITE)
        await inbox.ask("Anything else?", caller=SHOP)
        await expect(page.locator("#count")).to_have_text("3")
        for number in range(7):  # so many that the page looks at everything anew
            await inbox.ask(f"Something else {number}?", caller=SITE)
        await inbox.ask("Deploy the shop again?", caller=SHOP)
        await expect(page.locator(".card .message")).to_have_text(["Deploy the shop?", "Deploy the shop again?"])
        await expect(page.locator("#count")).to_have_text("11")
        await page.get_by_role("button", name="1 new question").click()
        await expect(page.locator(".card .message")).to_have_text(["Deploy the shop again?", "Deploy the shop?"])
        assert page.url.endswith("/?q=deploy&client=claude")


async def test_questions_stand_by_agent_and_new_ones_join_when_it_is_said(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await some(inbox)
        await enter(page, inbox)
        await page.get_by_text("Search and filter").click()
        await page.get_by_label("Order").select_option("agent")
        await page.get_by_role("button", name="Search").click()
        await until_true(page, "location.search === '?group=agent'")
        headings = page.locator(".of-agent")
        await expect(headings).to_have_text(["codex 2", "claude-code 1"])
        await inbox.ask("One more?", caller=SHOP)
        await expect(headings).to_have_text(["codex 2", "claude-code 2", "Just asked"])
        await inbox.ask("A third one?", caller=Caller(subject="ada", client="goose", project="/srv/shop"))
        await page.get_by_role("button", name="2 new questions").click()
        await expect(headings).to_have_text(["goose 1", "codex 2", "claude-code 2"])
        order = await page.locator("#list > *").evaluate_all("all => all.map(each => each.tagName).join(' ')")
        assert order == "H2 ARTICLE H2 ARTICLE ARTICLE H2 ARTICLE ARTICLE"
        assert await axe(page) == []
        await page.get_by_role("link", name="codex").click()
        await expect(page.locator(".card")).to_have_count(2)
        await until_true(page, "location.search === '?client=codex'")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_search_can_be_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        await some(inbox)
        await enter(page, inbox)
        for path in ("/?q=deploy&group=agent", "/?q=none", "/?age=hour&client=codex"):
            await visit(page, inbox.url + path)
            assert await axe(page) == [], path
            wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= window, path


async def test_a_search_needs_no_script(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(java_script_enabled=False) as page:
        await some(inbox)
        await enter(page, inbox)
        await page.get_by_text("Search and filter").click()
        await page.get_by_label("Words in the question").fill("café")
        await page.keyboard.press("Enter")
        await expect(page.locator(".card")).to_have_count(1)
        await page.get_by_role("link", name="Show everything that is open").click()
        await expect(page.locator(".card")).to_have_count(3)


async def test_the_slash_key_leads_to_the_search_of_the_page(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await some(inbox)
        await enter(page, inbox)
        await page.keyboard.press("/")
        await page.keyboard.type("shop")
        await page.keyboard.press("Enter")
        await expect(page.locator(".card")).to_have_count(1)
        assert page.url.endswith("/?q=shop")
