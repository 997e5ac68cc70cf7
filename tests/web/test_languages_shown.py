"""The pages in each language, in a real browser: whole, within a narrow screen, answered in, and changed on *You*."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from handoffs.core.model import State
from handoffs.languages.catalogue import read_catalogue
from tests.web.held import DEFINITION, call, given, hold
from tests.web.joined import Home, home
from tests.web.serving import Opened
from tests.web.test_reading import axe
from tests.web.visiting import visit

LOCALES = {"de": "de-AT", "es": "es-419", "fr": "fr-CH", "ja": "ja-JP", "zh-Hans": "zh-CN"}

ENGLISH = re.compile("the|is|of|you|your|this|and|with|by|here|was|were|answer|open|not|it|to", re.IGNORECASE)
"""Words of which at least one is in most English sentences."""

ALSO = {"de": {"was"}, "fr": set[str](), "es": set[str]()}
"""Those that are words of another language, too."""

OURS = """
() => {
  const skipped = "script, style, code, kbd, bdi, pre, datalist, .brand, [lang='en'], [lang=''], #language-pick";
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    if (text && !walker.currentNode.parentElement.closest(skipped)) found.push(text);
  }
  for (const each of document.querySelectorAll("[aria-label], [title]:not(time):not(.folder), [placeholder]")) {
    for (const name of ["aria-label", "placeholder"]) if (each.getAttribute(name)) found.push(each.getAttribute(name));
  }
  return [document.title, ...found];
}
"""
"""Every text of a page that is ours: not an agent's, no name, no command."""

NAMES = {"Handoffs", "UTC", "JSON", "CSV", "SHA", "AAIS", "PIN", "ID", "HANDOFFS_INBOX_URL", "English", "Deutsch"}
DATA = {"claude", "code", "ada", "inbox", "terminal", "owner", "shop", "srv", "home", "gate", "toml", "Staging", "Risk"}
"""What agents, people and programs wrote in this test: also names of tools, channels and zones."""


def left_in_english(tag: str, texts: list[str]) -> list[str]:
    """The texts that look English, on a page that is in another language."""
    found: list[str] = []
    for text in texts:
        plain = re.sub(r"\b[hgs]_[A-Za-z0-9]+|Allow `.*|[\w/]+/\w+|“[^”]*”|«[^»]*»|„[^“]*“|「[^」]*」", " ", text)
        words = set(re.findall("[A-Za-z]{2,}", plain)) - NAMES - DATA
        if tag in ("ja", "zh-Hans"):
            odd = {each for each in words if len(each) > 2 and each not in KEYS}
        else:
            odd = {each for each in words if ENGLISH.fullmatch(each) and each.lower() not in ALSO[tag]}
        if odd:
            found.append(f"{text}: {odd}")
    return found


KEYS = {
    *("Enter", "Shift", "Ctrl", "Esc", "Deploy", "Firefox", "Mozilla", "Laptop", "Chrome", "Berlin", "Europe"),
    *("pay", "delete", "order"),
}


async def filled(inbox: Home) -> dict[str, str]:
    """Questions of each kind, open and ended; their ids."""
    choice = await inbox.ask("配置 **Staging**?", options=["Now", "Later on"])
    form = {
        "type": "object",
        "properties": {
            "risk": {"type": "integer", "title": "Risk", "minimum": 1, "maximum": 5},
            "sure": {"type": "boolean", "title": "Sure"},
            "words": {"type": "string", "title": "Staging", "minLength": 3, "maxLength": 9},
            "at": {"type": "string", "format": "date-time", "title": "Deploy"},
            "parts": {
                "type": "array",
                "title": "Parts",
                "items": {"type": "string", "enum": ["a", "b"]},
                "minItems": 1,
            },
        },
        "required": ["risk", "words"],
    }
    whole = await inbox.ask("Deploy", form=form)
    # The definition has changed: what we say of that is in the question, which the store has in English.
    held = await hold(inbox.desk, call(arguments={"id": 7, "note": "a\nb"}), before=str(DEFINITION).replace("'", '"'))
    await hold(inbox.desk, call("pay"))
    answered = await inbox.ask("Deploy?", options=["yes", "no"])
    await inbox.desk.answer(answered, {"response": "yes"}, by="ada", channel="terminal", note="Deploy")
    declined = await inbox.ask("Deploy…")
    await inbox.desk.decline(declined, by="ada", channel="inbox")
    await inbox.desk.cancel(await inbox.ask("Deploy!"), by="ada", channel="terminal")
    voted = await inbox.ask_of("ada", "bob")
    await given(inbox.desk, tool="pay")
    await given(inbox.desk, handoff=held)
    return {"choice": choice.id, "whole": whole.id, "held": held.id, "answered": answered.id, "voted": voted.id}


async def joined(page: Page, inbox: Home, name: str = "ada") -> None:
    """Join as a person, whatever the page's language."""
    from tests.web.joined import with_authenticator

    await with_authenticator(page)
    await visit(page, await inbox.invite(name))
    await page.locator("#label").fill("Laptop")
    await page.locator("form[data-ceremony=join] button").click()
    await expect(page.locator(".foot")).to_be_visible()


async def wrong_on(page: Page, tag: str, path: str) -> list[str]:
    """What is wrong on a page: English words, another `lang`, what is wider than a narrow screen, rules of axe."""
    await expect(page.locator("html")).to_have_attribute("lang", tag)
    found = left_in_english(tag, await page.evaluate(OURS))
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found += [f"{wide} pixels too wide"] if wide > 0 else []
    return [f"{path}: {each}" for each in (*found, *(await axe(page)))]


@pytest.mark.parametrize("tag", LOCALES)
async def test_every_page_is_whole_in_its_language(tag: str, tmp_path: Path, opened: Opened) -> None:
    narrow: dict[str, Any] = {"viewport": {"width": 320, "height": 700}, "locale": LOCALES[tag]}
    wrong: list[str] = []
    async with home(tmp_path) as inbox, opened(**narrow) as page:
        await visit(page, f"{inbox.url}/")
        wrong += await wrong_on(page, tag, "sign in")
        await visit(page, f"{inbox.url}/join/nothing")
        wrong += await wrong_on(page, tag, "an invitation that is none")
        await inbox.add("ada", "dba")
        await inbox.add("bob")
        ids = await filled(inbox)
        await joined(page, inbox)
        paths = [
            *("/", "/?group=agent&q=nothing", "/history?state=any", "/figures", "/grants", "/grants/stop", "/you"),
            *(f"/h/{each}" for each in ids.values()),
            *(f"/h/{ids['answered']}/record", "/nowhere", "/h/h_nothing", "/offline"),
            f"/alike?question={ids['choice']}&question={ids['whole']}",
        ]
        for path in paths:
            await visit(page, f"{inbox.url}{path}")
            wrong += await wrong_on(page, tag, path)
        # What is refused is said, too.
        await visit(page, f"{inbox.url}/h/{ids['whole']}")
        await page.locator('[name="field.words"]').fill("ab")
        await page.locator('[name="field.risk"]').fill("7")
        await page.locator(".card button.primary:visible").last.click()
        await expect(page.locator(".problem:not(:empty)").first).to_be_visible()
        wrong += await wrong_on(page, tag, "a form that is refused")
        assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("tag", LOCALES)
async def test_the_bar_of_a_phone_is_low_in_each_language(tag: str, tmp_path: Path, opened: Opened) -> None:
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 664}, "locale": LOCALES[tag]}
    async with home(tmp_path) as inbox, opened(**phone) as page:
        await inbox.add("ada", "dba")
        await joined(page, inbox)
        await visit(page, f"{inbox.url}/")
        # It stays in sight over what is read: the brand and the pages, and in French one line more.
        assert await page.evaluate("document.querySelector('.bar').offsetHeight") <= (140 if tag == "fr" else 110)


@pytest.mark.parametrize("tag", LOCALES)
async def test_a_question_is_answered_in_each_language(tag: str, tmp_path: Path, opened: Opened) -> None:
    words = read_catalogue(tag)
    async with home(tmp_path) as inbox, opened(locale=LOCALES[tag]) as page:
        await visit(page, inbox.link())
        await expect(page.locator(".foot")).to_be_visible()
        asked, held = await inbox.ask("Which?", options=["Now", "Later on"]), await hold(inbox.desk)
        refused, last = await inbox.ask("Why?"), await inbox.ask("When?")
        await answer(page, f"{inbox.url}/h/{asked.id}", "Later on")
        await answer(page, f"{inbox.url}/h/{held.id}", words.sentence("Deny"))
        await answer(page, f"{inbox.url}/h/{refused.id}", words.sentence("Decline"))
        await expect(page.locator("h1")).to_contain_text(words.sentence("Declined"))
        await visit(page, f"{inbox.url}/h/{last.id}")
        await expect(page.locator("textarea").first).to_be_visible()
        await page.locator('[name="field.response"]').fill("Heute · 今日")
        await pressed(page, words.sentence("Answer"))
        ended = [await inbox.desk.get(each.id) for each in (asked, held, refused, last)]
        assert [each.state for each in ended] == [State.ANSWERED, State.ANSWERED, State.DECLINED, State.ANSWERED]
        # What is kept does not depend on the page's language.
        assert [each.values for each in ended if each.values] == [
            {"response": "Later on"},
            {"decision": "deny"},
            {"response": "Heute · 今日"},
        ]


async def answer(page: Page, address: str, button: str) -> None:
    await visit(page, address)
    await pressed(page, button)


async def pressed(page: Page, button: str) -> None:
    await expect(page.locator(".settling")).to_have_count(0)
    await page.locator(".card button:visible", has_text=button).first.click()
    await expect(page.locator("#one[data-state=open]")).to_have_count(0)


def test_an_english_sentence_is_seen_where_one_is_left() -> None:
    assert len(left_in_english("de", ["Nothing is open.", "Nichts ist offen."])) == 1
    assert len(left_in_english("ja", ["Nothing", "何もありません"])) == 1


async def test_the_language_is_picked_on_the_page_you(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        await joined(page, inbox)
        await visit(page, f"{inbox.url}/you")
        await expect(page.get_by_role("heading", name="Language")).to_be_visible()
        for tag, words in (("fr", "Vous"), ("ja", "あなた"), ("en", "You"), ("", "You")):
            await page.locator("#language-pick").select_option(tag)
            await page.locator("#language button").click()
            await expect(page.locator("html")).to_have_attribute("lang", tag or "en")
            await expect(page.locator("nav [aria-current=page]")).to_have_text(words)
        cookies = {each["name"] for each in await page.context.cookies()}
        assert "handoffs_language" not in cookies  # as the browser wants it


async def test_times_and_counts_are_in_the_pages_language(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened(locale="de-DE") as page:
        await visit(page, inbox.link())
        await expect(page.locator(".foot")).to_be_visible()
        await inbox.ask("Erste?")
        await expect(page.locator(".card time.age")).to_have_text(re.compile(r"^vor \d+ Sek\.$"))
        await expect(page.locator(".card time.left")).to_have_text(re.compile(r"^noch \d+ "))
        await inbox.ask("Zweite?")
        await expect(page.locator("#arrived")).to_have_text("1 neue Frage")
        await expect(page.locator("#said")).to_contain_text("Neue Frage von claude-code")
        await visit(page, f"{inbox.url}/history?state=any")
        await expect(page.locator("time.age").first).to_have_text(re.compile(r"^vor \d+ "))
