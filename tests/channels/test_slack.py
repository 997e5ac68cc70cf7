"""Answering in Slack: blocks and buttons, replies in the thread, envelopes, and who is told nothing."""

import logging
from pathlib import Path

import anyio
import pytest

from handoffs.channels import slack
from handoffs.channels.chats.service import ChatRefused
from handoffs.channels.slack import MAX_SECTION, sections
from handoffs.core.model import Handoff, State
from tests.channels.chatting import Home, home
from tests.channels.slack_server import APP, BOT, Member, SlackServer, buttons, slack_server
from tests.waiting import until

KINDS = {"slack": slack.KIND}


async def member(
    there: Home, server: SlackServer, user: str = "UADA", who: str = "ada", *, language: str = "en"
) -> Member:
    written = {"bot": BOT, "app": APP, "user": user, "server": server.url}
    await there.setup.add(who, "slack", written, language=language)
    await until(lambda: bool(server.sockets))
    return Member(server, user)


async def ended(there: Home, handoff: Handoff) -> Handoff:
    with anyio.fail_after(120):
        return await there.desk.wait(handoff.id, seconds=None)


async def test_a_button_answers_and_the_message_says_so(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await member(there, server)
        asked = await there.ask("Deploy <production> & more?", options=["Yes", "No"])
        message = await ada.shown("Deploy <production> & more?")
        assert [each["text"]["text"] for each in buttons(message[2])] == ["Yes", "No"]
        await ada.press(message, "Yes")
        answered = await ended(there, asked)
        assert answered.end is not None
        assert (answered.values, answered.end.by, answered.end.channel) == ({"response": "Yes"}, "ada", "slack")
        ts, _, now = await ada.shown("Answered by ada through slack")
        assert (ts, buttons(now)) == (message[0], [])
        _, _, told = await ada.shown("Recorded: Yes.")
        assert told["thread_ts"] == ts
        await until(lambda: not server.pending)


async def test_a_reply_in_the_thread_answers_in_words(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await member(there, server)
        asked = await there.ask("Which name?")
        ts, _, _ = await ada.shown("Which name?")
        await ada.write("not in the thread", event_id="Ev0")
        await ada.shown("Reply to the message of one question")
        await ada.write("own", thread=ts, event_id="Ev1", bot_id="B1")
        await ada.write("edited", thread=ts, event_id="Ev2", subtype="message_changed")
        await ada.write("a &lt; b", thread=ts, event_id="Ev3")
        assert (await ended(there, asked)).values == {"response": "a < b"}


async def test_links_and_mentions_are_read_as_they_were_written(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await member(there, server)
        asked = await there.ask("Where is it?")
        ts, _, _ = await ada.shown("Where is it?")
        written = (
            "<https://example.com/a?b=1&amp;c=2>, <http://example.org|example.org>, <https://example.net|the page>, "
            "<mailto:a@b.example|a@b.example> of <@U123>, <#C1|general>, <!here>, a &lt;b&gt; &amp;lt;"
        )
        await ada.write(written, thread=ts, subtype="thread_broadcast")
        said = (
            "https://example.com/a?b=1&c=2, example.org, the page (https://example.net), a@b.example of @U123, "
            "#general, @here, a <b> &lt;"
        )
        assert (await ended(there, asked)).values == {"response": said}


async def test_a_reply_with_a_file_is_told_that_it_is_no_answer(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await member(there, server)
        asked = await there.ask("Which name?")
        ts, _, _ = await ada.shown("Which name?")
        await ada.write("like this", thread=ts, event_id="Ev7", subtype="file_share", files=[{"id": "F1"}])
        await ada.shown("Only text is an answer here")
        await ada.write("orders", thread=ts, event_id="Ev8")
        assert (await ended(there, asked)).values == {"response": "orders"}


async def test_other_members_are_told_nothing(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada, eve = await member(there, server), Member(server, "UEVE")
        asked = await there.ask(options=["Yes", "No"])
        message = await ada.shown("Deploy?")
        await eve.send(buttons(message[2])[0]["value"], message[0])
        await eve.write("Yes", thread=message[0])
        await server.deliver("slash_commands", {"command": "/x"})
        await server.deliver("interactive", {"type": "view_submission", "user": {"id": "UADA"}})
        await until(lambda: not server.pending)
        assert eve.shows == []
        assert (await there.desk.get(asked.id)).state is State.OPEN
        await ada.press(message, "No")
        assert (await ended(there, asked)).values == {"response": "No"}


async def test_an_envelope_twice_and_a_new_connection_answer_once(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await member(there, server)
        asked = await there.ask(options=["Yes", "No"])
        message = await ada.shown("Deploy?")
        await server.disconnect()
        await ada.press(message, "Yes")
        await ada.press(message, "Yes")  # the same press, in another envelope
        assert (await ended(there, asked)).values == {"response": "Yes"}
        await until(lambda: not server.pending)
        assert len(await there.log(asked, "answered")) == 1
        assert not [text for _, text, _ in ada.shows if "answered before" in text]


async def test_a_button_pressed_again_later_does_nothing(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await member(there, server)
        asked = await there.ask(options=["Yes", "No"])
        message = await ada.shown("Deploy?")
        await ada.press(message, "Yes")
        await ended(there, asked)
        await ada.press(message, "No", at="2.2")
        await ada.shown("was already answered by ada through slack")
        assert (await there.desk.get(asked.id)).values == {"response": "Yes"}


async def test_a_message_that_cant_be_changed_holds_back_nothing_else(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await member(there, server)
        first = await there.ask("First?", options=["Yes", "No"])
        await ada.shown("First?")
        second = await there.ask("Second?", options=["Yes", "No"])
        await ada.shown("Second?")
        server.unchangeable = "is_archived"
        await there.desk.cancel(first, by="ada", channel="inbox")
        await until(lambda: there.chat("ada", "slack"), lambda chat: "is_archived" in chat.problem)
        await there.ask("Third?", options=["Yes", "No"])
        await ada.shown("Third?")
        await there.desk.cancel(second, by="ada", channel="inbox")
        server.unchangeable = ""
        await until(
            lambda: [each for each in ada.shows if "Ended: cancelled" in each[1]], lambda found: len(found) == 2
        )
        await until(lambda: there.chat("ada", "slack"), lambda chat: not chat.problem)


async def test_a_token_that_was_withdrawn_is_said(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        await member(there, server)
        server.bot = "other"
        asked = await there.ask(options=["Yes", "No"])
        await until(lambda: there.log(asked, "notshown"))
        reason = (await there.log(asked, "notshown"))[0]["reason"]
        assert reason == "the service refuses the token of the app; it is tried again"


async def test_no_log_says_a_word_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with slack_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await member(there, server)
        asked = await there.ask(options=["Yes", "No"])
        message = await ada.shown("Deploy?")
        await ada.press(message, "Yes")
        await ended(there, asked)
    ours = [each for each in caplog.records if each.name != "websockets.server"]
    said = "\n".join(each.getMessage() for each in ours)
    assert "s3cret" not in said
    assert buttons(message[2])[0]["value"] not in said


@pytest.mark.parametrize("text", ["", "a" * 20_000, "&<>" * 3_000, "one\n\ntwo", "\n" * 5_000])
def test_sections_hold_all_of_a_text(text: str) -> None:
    found = sections(text)
    assert all(1 <= len(each) <= MAX_SECTION for each in found)
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert "".join(found).replace("\n", "") == escaped.replace("\n", "")


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"bot": "x"}, "xoxb-"), ({"app": "x"}, "xapp-"), ({"user": "ada"}, "member id"),
     ({"server": "http://example.com"}, "https")],
)  # fmt: skip
async def test_what_cant_be_used_is_refused(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    async with home(tmp_path, kinds=KINDS, serve=False) as there:
        with pytest.raises(ChatRefused, match=said):
            await there.setup.add("ada", "slack", {"bot": BOT, "app": APP, "user": "UADA"} | changed)
