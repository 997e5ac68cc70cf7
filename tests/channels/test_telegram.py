"""Answering in Telegram: pairing, buttons, replies, and who is told nothing."""

import logging
from pathlib import Path

import anyio
import pytest

from handoffs.channels import telegram
from handoffs.channels.chats.codes import new_code
from handoffs.channels.chats.line import PAIRED
from handoffs.channels.chats.service import ChatRefused
from handoffs.core.model import Handoff, State
from tests.channels.chatting import Home, decided_by, home, said
from tests.channels.telegram_server import TOKEN, Person, TelegramServer, telegram_server
from tests.waiting import until

KINDS = {"telegram": telegram.KIND}


async def paired(
    there: Home, server: TelegramServer, number: int = 42, who: str = "ada", *, language: str = "en"
) -> Person:
    written = {"token": TOKEN, "server": server.url}
    _, told = await there.setup.add(who, "telegram", written, language=language)
    person = Person(server, number)
    polls = server.polls
    await until(lambda: server.polls > polls + 1)  # what polled before does not know this code
    person.write(told.removeprefix("Now send this to your bot: "))
    await person.shown(said(PAIRED, language))
    await until(lambda: there.chat(who, "telegram"), lambda chat: "user" in chat.hint)
    return person


async def ended(there: Home, handoff: Handoff) -> Handoff:
    with anyio.fail_after(120):
        return await there.desk.wait(handoff.id, seconds=None)


async def test_a_button_answers_and_the_message_says_so(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await paired(there, server)
        asked = await there.ask("Deploy to production?", options=["Yes", "No"])
        number, message = await ada.shown("Deploy to production?")
        assert message["link_preview_options"] == {"is_disabled": True}
        assert message["reply_markup"]["inline_keyboard"][-1][0]["url"].endswith(asked.id)
        assert await ada.press(message, "Yes") == "Recorded: Yes."
        answered = await ended(there, asked)
        assert answered.end is not None
        assert (answered.values, answered.end.by, answered.end.channel) == ({"response": "Yes"}, "ada", "telegram")
        after, now = await ada.shown("Answered by ada through telegram")
        assert after == number
        assert [each[0].get("callback_data") for each in now["reply_markup"]["inline_keyboard"]] == [None]


async def test_a_reply_answers_in_words(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await paired(there, server)
        asked = await there.ask("Which name?")
        number, _ = await ada.shown("Reply to this message with your answer.")
        ada.write("orders_2027", reply_to=number)
        assert (await ended(there, asked)).values == {"response": "orders_2027"}
        await ada.shown("Recorded: orders_2027.")
        chosen = await there.ask("Which of these?", options=["One", "Two"])
        number, _ = await ada.shown("or reply to this message with other words")
        ada.write("neither", reply_to=number)
        assert (await ended(there, chosen)).other == "neither"


async def test_a_reply_that_does_not_fit_isasked_to_for_again(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await paired(there, server)
        form = {"type": "object", "properties": {"count": {"type": "integer", "maximum": 5}}, "required": ["count"]}
        asked = await there.ask("How many?", form=form)
        number, _ = await ada.shown("How many?")
        ada.write("seven", reply_to=number)
        await ada.shown("Nothing was recorded")
        ada.write("just so")
        await ada.shown("Reply to the message of one question")
        ada.write("3", reply_to=number)
        assert (await ended(there, asked)).values == {"count": 3}


@pytest.mark.parametrize("sent", [{"photo": [{}], "caption": "this"}, {"voice": {}}, {"sticker": {}}])
async def test_a_reply_without_text_is_told_that_it_is_no_answer(tmp_path: Path, sent: dict[str, object]) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await paired(there, server)
        asked = await there.ask("Which name?")
        number, _ = await ada.shown("Which name?")
        before = server.sent
        mine: dict[str, object] = {"from": {"id": 42}, "chat": {"id": 42, "type": "private"}}
        server.update(message=mine | {"pinned_message": {}})  # the service itself
        server.update(message=mine | sent | {"from": {"id": 666}, "chat": {"id": 666, "type": "private"}})
        server.update(message=mine | sent | {"reply_to_message": {"message_id": number}})
        await ada.shown("Only text is an answer here")
        assert server.sent == before + 1
        ada.write("orders", reply_to=number)
        assert (await ended(there, asked)).values == {"response": "orders"}


async def test_strangers_and_groups_are_told_nothing(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada, eve = await paired(there, server), Person(server, 666)
        asked = await there.ask(options=["Yes", "No"])
        number, message = await ada.shown("Deploy?")
        code = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        sent = server.sent
        eve.write("/start")
        eve.write("/start 1234")
        eve.write("Yes", reply_to=number)
        ada.write("Yes", reply_to=number, kind="group")
        await ada.send_data(code, kind="supergroup", chat=-100)
        server.update(callback_query={"id": "x", "from": {"id": 666}, "data": code})
        server.update(message={"text": 7}, edited_message={}, poll=[])
        assert (
            await ada.send_data(new_code())
            == "This is none of the buttons that wait for you here. Nothing was recorded."
        )
        assert (server.sent, eve.shows) == (sent, [])
        assert (await there.desk.get(asked.id)).state is State.OPEN
        eve_presses = {
            "id": "y",
            "from": {"id": 666},
            "message": {"chat": {"id": 666, "type": "private"}},
            "data": code,
        }
        server.update(callback_query=eve_presses)
        assert await ada.send_data(code) == "Recorded: Yes."
        assert "y" not in server.answered


async def test_a_pairing_code_works_once(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        _, told = await there.setup.add("ada", "telegram", {"token": TOKEN, "server": server.url})
        words = told.removeprefix("Now send this to your bot: ")
        with pytest.raises(ChatRefused, match="not set up yet"):
            await there.setup.test("ada", (await there.chat(channel="telegram")).id)
        asked = await there.ask(options=["Yes", "No"])
        ada, eve = Person(server, 42), Person(server, 666)
        ada.write(words)
        await ada.shown("Deploy?")
        eve.write(words)
        assert await ada.press((await ada.shown("Deploy?"))[1], "No") == "Recorded: No."
        assert eve.shows == []
        assert (await there.desk.get(asked.id)).values == {"response": "No"}


async def test_two_people_share_one_bot(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        await there.people("ada", "bob")
        ada, bob = await paired(there, server, 42, "ada"), await paired(there, server, 43, "bob")
        asked = await there.ask(options=["Yes", "No"], deciders=decided_by("ada", "bob", votes=2))
        _, hers = await ada.shown("Deploy?")
        _, his = await bob.shown("Deploy?")
        await until(lambda: there.log(asked, "reached"), lambda found: len(found) == 2)
        hers_as_bob = hers["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        assert "none of the buttons" in await bob.send_data(hers_as_bob)
        assert await ada.press(hers, "Yes") == "Recorded as your vote: Yes."
        assert "1 more vote is needed" in (await ada.shown("Your vote is recorded"))[1]["text"]
        assert await bob.press(his, "Yes") == "Recorded: Yes."
        assert (await ended(there, asked)).values == {"response": "Yes"}
        await ada.shown("Answered by bob")


async def test_another_program_on_the_same_bot_is_said(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await paired(there, server)
        server.conflicts = True
        await until(lambda: there.chat(channel="telegram"), lambda chat: "another program" in chat.problem)
        server.conflicts = False
        await until(lambda: there.chat(channel="telegram"), lambda chat: chat.problem == "")
        asked = await there.ask(options=["Yes", "No"])
        assert await ada.press((await ada.shown("Deploy?"))[1], "Yes") == "Recorded: Yes."
        assert (await ended(there, asked)).state is State.ANSWERED


async def test_a_token_that_was_withdrawn_is_said(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        await paired(there, server)
        server.token = "999999:other"
        asked = await there.ask(options=["Yes", "No"])
        await until(lambda: there.log(asked, "notshown"))
        assert "refuses the bot's token" in (await there.log(asked, "notshown"))[0]["reason"]


async def test_a_message_that_the_person_deleted_is_no_failure(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await paired(there, server)
        asked = await there.ask(options=["Yes", "No"])
        number, _ = await ada.shown("Deploy?")
        await until(lambda: there.log(asked, "reached"))
        del server.messages[42][number]
        await there.desk.cancel(await there.desk.get(asked.id), by="agent", channel="")
        await there.ask("Another?", options=["Yes", "No"])
        await ada.shown("Another?")
        assert (await there.chat(channel="telegram")).problem == ""


async def test_updates_twice_and_out_of_order_answer_once(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await paired(there, server)
        asked = await there.ask(options=["Yes", "No"])
        _, message = await ada.shown("Deploy?")
        code = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        user, about = {"id": 42}, {"chat": {"id": 42, "type": "private"}}
        query = {"id": "q", "from": user, "message": about, "data": code}
        high = 2_000 + server.asked_to
        server.updates += [
            {"update_id": high + 1, "message": {"from": user, **about, "text": "hello"}},
            {"update_id": high, "callback_query": query},
            {"update_id": high, "callback_query": query},
        ]
        server.update(message={})
        assert (await ended(there, asked)).values == {"response": "Yes"}
        await ada.shown("Answered by ada")
        assert len(await there.log(asked, "answered")) == 1


async def test_no_log_says_a_word_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with telegram_server() as server, home(tmp_path, kinds=KINDS) as there:
        ada = await paired(there, server)
        await there.ask(options=["Yes", "No"])
        await ada.press((await ada.shown("Deploy?"))[1], "Yes")
    ours = [each for each in caplog.records if not each.name.startswith("uvicorn")]
    assert "s3cret" not in "\n".join(each.getMessage() for each in ours)


@pytest.mark.parametrize(
    ("written", "said"),
    [({"token": "hello"}, "@BotFather"), ({"token": TOKEN, "server": "http://example.com"}, "https"), ({}, "needed")],
)
async def test_what_cant_be_used_is_refused(tmp_path: Path, written: dict[str, str], said: str) -> None:
    async with home(tmp_path, kinds=KINDS, serve=False) as there:
        with pytest.raises(ChatRefused, match=said):
            await there.setup.add("ada", "telegram", written)
