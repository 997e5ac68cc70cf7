"""The card in a real browser, in a frame as hosts give it one, behind the official host library."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from axe_playwright_python.async_playwright import Axe
from mcp.types import CallToolResult
from playwright.async_api import expect

from handoffs.clock import SystemClock
from handoffs.web.card import CardPage
from tests.waiting import until
from tests.web.card_host import FRAME, HOST, Chat, bundled, chatting
from tests.web.serving import Opened
from tests.web.test_reading import HOSTILE
from tests.web.visiting import FORM, MESSAGE


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of the host page."""
    made = bundled(tmp_path_factory.mktemp("host"))
    if made is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the host library is not installed: make clients")
    return made


@pytest.fixture
def chat(tmp_path: Path, script: Path, opened: Opened) -> Any:
    """A chat; at its end nothing was loaded but the host's page and the card."""

    @asynccontextmanager
    async def chat(**options: Any) -> AsyncGenerator[Chat]:
        with anyio.fail_after(60):
            async with opened(**options) as page, chatting(tmp_path, script, page) as here:
                yield here
                assert set(here.asked) <= {HOST, f"{HOST}host.js", FRAME}

    return chat


async def status(chat: Chat, asked: CallToolResult) -> tuple[str, Any]:
    """What the model gets when it comes for the outcome."""
    handoff_id = (asked.structured_content or {})["handoffId"]
    got = (await chat.client.call_tool("check_handoff", {"handoff_id": handoff_id})).structured_content or {}
    return got["status"], got.get("values")


async def axe(chat: Chat) -> list[str]:
    found = await Axe().run(await chat.frame())
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found.response["violations"]]


async def test_a_click_answers_and_the_conversation_is_told_to_go_on(chat: Any) -> None:
    async with chat() as here:
        asked = await here.ask("Drop the table?", options=["Drop it", "Keep it"])
        await here.render(asked)
        assert await axe(here) == []
        await here.card.get_by_role("button", name="Keep it").click()
        await expect(here.outcome).to_contain_text("Answered by ada through card")
        assert await axe(here) == []
        told = f'Call check_handoff with handoff_id "{asked.structured_content["handoffId"]}"'
        await here.page.wait_for_function("heard.messages.length === 1")
        [message] = await here.heard("messages")
        assert message["role"] == "user"
        assert told in message["content"][0]["text"]
        assert "Keep it" not in message["content"][0]["text"]
        assert await here.heard("contexts") == [message["content"]]
        # The host lets the card into no clipboard: the words are selected and copied the old way.
        box = here.card.get_by_role("textbox")
        assert told in await box.input_value()
        await here.card.get_by_role("button", name="Copy").click()
        await expect(here.card.get_by_role("button", name="Copied")).to_be_visible()
        assert await status(here, asked) == ("SUCCESS", {"response": "Keep it"})


async def test_an_agent_that_waits_has_the_answer_and_is_not_told_twice(chat: Any) -> None:
    async with chat() as here:
        asked = await here.ask("Drop the table?")
        await here.render(asked)
        got: list[Any] = []

        async def check() -> None:
            got.append(await status(here, asked))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(check)
            await here.card.get_by_label("Response").fill("yes")
            await here.card.get_by_role("button", name="Answer").click()
        assert got == [("SUCCESS", {"response": "yes"})]
        await expect(here.outcome).to_contain_text("The agent was given this")
        await expect(here.card.get_by_role("button", name="Copy")).to_have_count(0)
        assert await here.heard("messages") == []


async def test_keys_are_as_in_the_inbox_and_what_does_not_fit_is_asked_for_again(chat: Any) -> None:
    form = {"type": "object", "properties": {"age": {"type": "integer", "title": "Age", "minimum": 18}}}
    async with chat() as here:
        asked = await here.ask("How old?", form=form | {"required": ["age"]})
        await here.render(asked)
        await here.card.locator(".card").focus()
        await here.page.keyboard.press("a")
        await here.page.keyboard.type("7")
        await here.page.keyboard.press("Enter")
        await expect(here.card.locator(".problem").first).to_have_text("Age must be 18 or more.")
        await here.page.keyboard.press("ControlOrMeta+a")
        await here.page.keyboard.type("36")
        await here.page.keyboard.press("Control+Enter")
        await expect(here.outcome).to_contain_text("Answered by ada through card")
        assert await status(here, asked) == ("SUCCESS", {"age": 36})


async def test_a_number_picks_and_d_declines_with_a_note(chat: Any) -> None:
    async with chat() as here:
        asked = await here.ask("Which?", options=["one", "two"])
        await here.render(asked)
        await here.card.locator(".card").focus()
        await here.page.keyboard.press("2")
        await expect(here.card.get_by_role("button", name="two")).to_be_focused()
        await here.card.get_by_text("Add a note").click()
        await here.card.get_by_label("Note").fill("neither")
        await here.page.keyboard.press("Escape")
        await here.page.keyboard.press("d")
        await here.page.keyboard.press("d")
        await expect(here.outcome).to_contain_text("Declined by ada through card")
        await expect(here.outcome).to_contain_text("neither")
        assert await status(here, asked) == ("DECLINED", None)


async def test_what_is_decided_elsewhere_is_shown_and_says_what_was_not_sent(chat: Any) -> None:
    async with chat() as here:
        asked = await here.ask()
        await here.render(asked)
        await here.card.get_by_label("Response").fill("no")
        [handoff] = await here.desk.newest(open_only=True)
        await here.desk.answer(handoff, {"response": "yes"}, by="eve", channel="terminal")
        # Whoever comes back to it sees it at once, not only at the next look.
        await here.page.get_by_role("main").click(position={"x": 1, "y": 1})
        await here.card.locator(".card-head").click()
        await expect(here.outcome).to_contain_text("Answered by eve through terminal", timeout=3_000)
        await expect(here.card.get_by_role("alert")).to_contain_text("What you entered was not sent")
        # A card that comes back with an old conversation shows what has become of its question.
        await here.page.reload()
        await here.render(asked)
        await expect(here.outcome).to_contain_text("Answered by eve through terminal")
        assert await here.heard("messages") == []


FORGE = """() => {
    const other = document.body.appendChild(document.createElement("iframe"));
    const card = { id: "x", state: "open", say: "", html: "<article class=card>forged</article>" };
    const params = { content: [{ type: "text", text: "forged" }], _meta: { "handoffs/card": card } };
    const message = { jsonrpc: "2.0", method: "ui/notifications/tool-result", params };
    const script = other.contentDocument.createElement("script");
    script.textContent = `parent.frames[0].postMessage(${JSON.stringify(message)}, "*")`;
    other.contentDocument.body.append(script);
}"""


async def test_the_host_gives_theme_and_size_and_no_message_leaves_the_card(chat: Any) -> None:
    async with chat(color_scheme="light") as here:
        field = {"type": "string", "title": HOSTILE, "description": HOSTILE, "default": HOSTILE}
        hostile = (
            HOSTILE
            + "![dot](data:image/gif;base64,R0lGODlhAQABAAAAACw=)\n\n[out](https://example.org/x)\n\nline\n\n" * 30
        )
        asked = await here.ask(hostile, form={"type": "object", "properties": {"a": field}})
        await here.render(asked, context={"theme": "dark"})
        frame = await here.frame()
        await expect(here.card.get_by_role("button", name="Show all of it")).to_be_visible()
        await expect(here.card.locator("body")).to_have_css("background-color", "rgb(27, 33, 41)")
        assert await axe(here) == []
        await here.page.evaluate("bridge.setHostContext({ theme: 'light' })")
        await expect(here.card.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
        # The frame is as high as the card: nothing in it has to be scrolled.
        await here.card.get_by_role("button", name="Show all of it").click()
        await until(
            lambda: frame.evaluate("document.documentElement.scrollHeight > innerHeight"), lambda found: not found
        )
        await here.card.get_by_role("link", name="out").first.click()
        await here.page.wait_for_function("heard.links.length === 1")
        assert await here.heard("links") == ["https://example.org/x"]
        # Another frame of the host's is not the host.
        await here.page.evaluate(FORGE)
        await here.card.get_by_role("button", name="Decline").click()
        await expect(here.outcome).to_contain_text("Declined by ada through card")
        await expect(here.card.get_by_text("forged")).to_have_count(0)
        assert await frame.evaluate("window.pwned") is None
        assert await here.page.evaluate("window.pwned") is None


async def test_every_kind_of_field_is_filled_in_while_the_host_grants_nothing(chat: Any) -> None:
    async with chat(color_scheme="dark") as here:
        asked = await here.ask(MESSAGE, form=FORM)
        await here.render(None, capabilities={})
        await here.give(asked)
        assert await axe(here) == []
        await here.card.get_by_label("Name").fill("Ada")
        await here.card.get_by_role("group", name="Really delete?").get_by_label("Yes").check()
        await here.card.get_by_label("dev").check()
        await here.card.get_by_label("mo").check()
        await here.card.get_by_role("button", name="Answer").click()
        await expect(here.outcome).to_contain_text("Answered by ada through card")
        assert await axe(here) == []
        filled = {
            "name": "Ada",
            "sure": True,
            "days": ["mo"],
            "at": "2026-07-01T10:00:00Z",
            "env": "dev",
            "count": 3,
        }
        assert await status(here, asked) == ("SUCCESS", filled)


async def test_a_secret_is_not_asked_for_in_the_chat_but_in_the_inbox(chat: Any) -> None:
    form = {"type": "object", "properties": {"pin": {"type": "string", "format": "password"}}, "required": ["pin"]}
    async with chat() as here:
        asked = await here.ask("Which PIN?", form=form)
        await here.render(asked)
        await expect(here.card.get_by_role("textbox")).to_have_count(0)
        assert await axe(here) == []
        await here.card.get_by_role("button", name="Answer in the inbox").click()
        await here.page.wait_for_function("heard.links.length === 1")
        link = f"http://127.0.0.1:8765/h/{asked.structured_content['handoffId']}"
        assert await here.heard("links") == [link]
        # A host that opens no pages leaves the address to be copied.
        await here.page.reload()
        await here.render(asked, capabilities={})
        await here.card.get_by_role("button", name="Answer in the inbox").click()
        await expect(here.card.get_by_role("textbox")).to_have_value(link)


def test_the_card_is_one_document_that_names_nothing_else() -> None:
    document = CardPage(SystemClock().now).document()
    assert "src=" not in document
    assert "@import" not in document
    assert "<link" not in document
    assert len(document) < 80_000
    # Whatever got into it some other way would not run.
    assert "default-src 'none'; script-src 'sha256-" in document
    assert "unsafe" not in document


async def test_a_new_card_takes_no_press_and_a_repeated_result_keeps_the_typing(chat: Any) -> None:
    async with chat() as here:
        asked = await here.ask("Drop the table?", options=["Drop it", "Keep it"])
        await here.render(None)
        frame = await here.frame()
        await frame.evaluate("""() => new MutationObserver(() => {
            const option = document.querySelector(".option");
            if (option && !window.pressed) { window.pressed = true; option.click(); }
        }).observe(document.getElementById("list"), { childList: true })""")
        await here.give(asked)
        assert await frame.evaluate("window.pressed") is True
        await expect(here.card.locator("#said")).to_contain_text("That has just come or moved")
        assert await status(here, asked) == ("PENDING", None)
        await here.card.get_by_text("Add a note").click()
        await here.card.get_by_label("Note").fill("half a note")
        await here.give(asked)
        await expect(here.card.get_by_label("Note")).to_have_value("half a note")
        await here.card.get_by_role("button", name="Keep it").click()
        await expect(here.outcome).to_contain_text("half a note")
        assert await status(here, asked) == ("SUCCESS", {"response": "Keep it"})


@pytest.mark.parametrize("hours", [-30, 30])
async def test_the_servers_clock_counts_also_in_the_card(chat: Any, hours: int) -> None:
    async with chat() as here:
        await here.page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=hours))
        asked = await here.ask("Drop the table?")
        await here.render(asked)
        await expect(here.card.locator(".left")).to_have_text("24 h left")
