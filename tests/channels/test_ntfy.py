"""Answering by ntfy: what the phone shows, what its buttons do, and what they don't."""

import json
import logging
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.channels.chats.codes import digest_of, new_code
from handoffs.channels.chats.service import ChatRefused
from handoffs.clock import SystemClock
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.model import Handoff, State
from tests.channels.chatting import BURST, Home, Passing, decided_by, home
from tests.channels.ntfy_server import NtfyServer, Phone, ntfy_server
from tests.waiting import until

DROP = Action(asker=Asker.GATE, server="shop", tool="drop_table", arguments='{"name": "orders"}')


async def ended(home: Home, handoff: Handoff) -> Handoff:
    with anyio.fail_after(120):
        return await home.desk.wait(handoff.id, seconds=None)


async def test_a_button_answers_and_the_message_says_so(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        asked = await there.ask("Deploy to production?", options=["Yes", "No"])
        message = await phone.shown("Deploy to production?")
        assert message["title"] == "codex · /srv/shop asks you"
        assert asked.id in message["message"]
        assert "│ Deploy to production?" in message["message"]
        assert message["click"] == f"https://inbox.example.com/h/{asked.id}"
        assert [each["label"] for each in message["actions"]] == ["Yes", "No"]
        assert all(each["action"] == "http" and len(each["body"]) <= 64 for each in message["actions"])
        await phone.press(message, "Yes")
        answered = await ended(there, asked)
        assert answered.values == {"response": "Yes"}
        assert answered.end is not None
        assert (answered.end.by, answered.end.channel) == ("ada", "ntfy")
        after = await phone.shown("Answered by ada through ntfy")
        assert not after["actions"]
        assert after["sequence_id"] == message["sequence_id"]
        assert (await phone.shown("Recorded: Yes."))["title"] == "Handoffs"


async def test_an_answer_elsewhere_takes_the_buttons_away(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        asked = await there.ask(options=["Yes", "No"])
        message = await phone.shown("Deploy?")
        await until(lambda: there.log(asked, "reached"))
        await there.desk.answer(await there.desk.get(asked.id), {"response": "No"}, by="eve", channel="inbox")
        assert not (await phone.shown("Answered by eve through inbox"))["actions"]
        await phone.press(message, "Yes")
        await phone.shown("was already answered by eve through inbox")
        assert (await there.desk.get(asked.id)).values == {"response": "No"}


@pytest.mark.parametrize("how", ["cancelled", "declined"])
async def test_what_was_withdrawn_is_withdrawn_on_the_phone(tmp_path: Path, how: str) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        asked = await there.ask(options=["Yes", "No"])
        await phone.shown("Press a button.")
        end = there.desk.cancel if how == "cancelled" else there.desk.decline
        await end(await there.desk.get(asked.id), by="agent", channel="inbox")
        assert not (await phone.shown(f"Ended: {how}"))["actions"]


async def test_what_has_expired_is_withdrawn_on_the_phone(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        await there.ask(options=["Yes", "No"], deadline_seconds=2)
        message = await phone.shown("Press a button.")
        assert not (await phone.shown("Ended: expired"))["actions"]
        await phone.press(message, "Yes")  # of yesterday
        await phone.shown("was already expired at")


async def test_a_button_works_once(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        await there.people("ada", "bob")
        phone = await there.ntfy(server)
        asked = await there.ask(options=["Yes", "No"], deciders=decided_by("ada", "bob", votes=2))
        message = await phone.shown("Deploy?")
        await until(lambda: there.log(asked, "reached"))
        await phone.press(message, "Yes")
        voted = await phone.shown("Your vote is recorded")
        assert not voted["actions"]
        assert "1 more vote is needed" in voted["message"]
        await phone.press(message, "No")  # of the message as it was
        await phone.shown("was answered before")
        handoff = await there.desk.get(asked.id)
        assert handoff.state is State.OPEN
        assert [(vote.person, vote.refuses) for vote in handoff.votes] == [("ada", False)]


async def test_each_who_decides_is_told_and_nobody_else(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        await there.people("ada", "bob", "eve")
        ada, bob, eve = [await there.ntfy(server, name) for name in ("ada", "bob", "eve")]
        theirs = decided_by("ada", "bob", visible="theirs")
        asked = await there.ask("Only for two", options=["Yes", "No"], deciders=theirs)
        message = await ada.shown("Only for two")
        await bob.shown("Only for two")
        await ada.press(message, "Yes")
        assert (await ended(there, asked)).end is not None
        await bob.shown("Answered by ada through ntfy")
        assert eve.shows == []


async def test_a_button_of_somebody_else_does_nothing(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        await there.people("ada", "bob")
        ada, bob = await there.ntfy(server, "ada"), await there.ntfy(server, "bob")
        asked = await there.ask(options=["Yes", "No"], deciders=decided_by("ada"))
        message = await ada.shown("Deploy?")
        server.add("bob-answers", message=message["actions"][0]["body"])
        await bob.shown("none of the buttons that wait for you")
        assert (await there.desk.get(asked.id)).state is State.OPEN
        assert await there.log(asked, "voted") == []
        await ada.press(message, "Yes")  # the code was not used up by that
        assert (await ended(there, asked)).values == {"response": "Yes"}


async def test_two_people_at_once_and_the_first_one_counts(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        await there.people("ada", "bob")
        phones = [await there.ntfy(server, name) for name in ("ada", "bob")]
        asked = await there.ask(options=["Yes", "No"])
        messages = [await phone.shown("Deploy?") for phone in phones]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(phones[0].press, messages[0], "Yes")
            tasks.start_soon(phones[1].press, messages[1], "No")
        answered = await ended(there, asked)
        assert answered.end is not None
        won, lost = phones if answered.end.by == "ada" else reversed(phones)
        await won.shown("Recorded: ")
        await lost.shown(f"was already answered by {answered.end.by} through ntfy")
        assert len(await there.log(asked, "answered")) == 1


async def test_a_message_that_imitates_ours_has_no_code(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        asked = await there.ask(options=["Yes", "No"])
        await phone.shown("Deploy?")
        for said in ("Yes", asked.id, "h.x", json.dumps({"answer": "Yes"}), "x" * 5_000):
            server.add("ada-answers", message=said)
        server.add("ada-answers", message=new_code())
        await phone.shown("none of the buttons that wait for you")
        assert len(phone.shows) == 2
        assert (await there.desk.get(asked.id)).state is State.OPEN


async def test_an_action_has_no_buttons_unless_its_rule_says_so(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        await there.ask("Allow `drop_table`?\n\norders", form=action_form(editable=False), action=DROP)
        message = await phone.shown("waits for your permission")
        assert not message["actions"]
        assert "orders" not in message["message"]


async def test_an_action_is_shown_whole_where_its_rule_says_so(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        action = Action(asker=DROP.asker, server="shop", tool="drop_table", arguments="{}", channels=("ntfy",))
        asked = await there.ask("Allow `drop_table`?\n\norders", form=action_form(editable=True), action=action)
        message = await phone.shown("waits for your permission")
        assert "│ orders" in message["message"]
        assert action.digest[:16] in message["message"]
        await phone.press(message, "Deny")
        assert (await ended(there, asked)).values == {"decision": "deny"}


async def test_masked_arguments_are_shown_in_no_chat(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        action = Action(
            asker=DROP.asker, server="shop", tool="login", arguments='{"token": "t0p"}', masked=("token",),
            channels=("ntfy",),
        )  # fmt: skip
        await there.ask("Allow `login`?\n\nt0p", form=action_form(editable=False), action=action)
        message = await phone.shown("waits for your permission")
        assert not message["actions"]
        assert "t0p" not in message["message"]


async def test_what_is_cut_has_no_buttons(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        await there.ask("Deploy? " + "ä" * 3_000, options=["Yes", "No"])
        message = await phone.shown("the inbox has all of it")
        assert not message["actions"]
        assert len(message["message"].encode()) <= 3_800
        assert "Answer: https://inbox.example.com/h/" in message["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"form": {"type": "object", "properties": {"password": {"type": "string", "format": "password"}}}},
        {"form": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}}}},
        {"options": ["1", "2", "3", "4"]},
        {},
    ],
    ids=["a secret", "several fields", "too many choices", "a text"],
)
async def test_what_no_button_can_answer_has_a_link(tmp_path: Path, arguments: dict[str, Any]) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        asked = await there.ask(**arguments)
        message = await phone.shown("Deploy?")
        assert not message["actions"]
        assert f"Answer: https://inbox.example.com/h/{asked.id}" in message["message"]


async def test_a_decision_that_takes_a_passkey_has_a_link(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        await there.people("ada")
        phone = await there.ntfy(server)
        await there.ask(options=["Yes", "No"], deciders=decided_by("ada", proof="passkey"))
        assert not (await phone.shown("Deploy?"))["actions"]


async def test_agents_words_are_no_links_and_no_words_of_ours(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        await there.ask("Deploy?\nAnswer: https://evil.example\n\u202egnikat", options=["Yes", "No"])
        said = (await phone.shown("Deploy?"))["message"]
        assert "│ Answer: https∶//evil.\u2060example" in said
        assert "\u202e" not in said


async def test_several_questions_at_once_are_one_message(tmp_path: Path) -> None:
    clock = Passing()
    async with ntfy_server() as server, home(tmp_path, burst=BURST, clock=clock) as there:
        phone = await there.ntfy(server)
        first = await there.ask("The first?", options=["Yes", "No"])
        await there.told(first)
        more = [await there.ask(f"Number {number}?", options=["Yes", "No"]) for number in range(3)]
        clock.forward(BURST)
        message = await phone.shown("3 questions wait for you")
        assert not message["actions"]
        assert all(each.id in message["message"] for each in more)
        assert len(phone.shows) == 2
        await there.desk.answer(await there.desk.get(more[1].id), {"response": "No"}, by="eve", channel="inbox")
        assert "answered by eve" in (await phone.shown("2 questions wait for you"))["message"]
        assert (await there.desk.get(first.id)).state is State.OPEN


async def test_a_service_that_is_away_is_told_later_and_once(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        server.status = 503
        asked = await there.ask(options=["Yes", "No"])
        await until(lambda: server.tries >= 3)
        reasons = [each["reason"] for each in await there.log(asked, "notshown")]
        assert reasons == ["the service answers 503; it is tried again"]
        assert "503" in (await there.chat()).problem
        server.status = 200
        await phone.press(await phone.shown("Deploy?"), "Yes")
        assert (await ended(there, asked)).values == {"response": "Yes"}
        sent = [each for each in server.topics[phone.topic] if each.get("actions")]
        assert len(sent) == 1
        await until(there.chat, lambda chat: chat.problem == "")


async def test_a_token_that_was_withdrawn_is_said_without_the_token(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        await there.ntfy(server, token="tk_s3cret")
        server.status = 401
        asked = await there.ask(options=["Yes", "No"])
        await until(lambda: there.log(asked, "notshown"))
        chat = await there.chat()
        assert chat.problem == "the service refuses the token (401)"
        assert "s3cret" not in str(chat) + str(await there.log(asked, "notshown"))
        assert server.tokens[-1] == "Bearer tk_s3cret"


async def test_what_was_pressed_while_we_were_away_counts_after(tmp_path: Path) -> None:
    async with ntfy_server() as server:
        async with home(tmp_path) as there:
            phone = await there.ntfy(server)
            asked = await there.ask(options=["Yes", "No"])
            message = await phone.shown("Deploy?")
            await until(lambda: there.log(asked, "reached"))
        await phone.press(message, "Yes")
        async with home(tmp_path) as again:
            assert (await ended(again, asked)).values == {"response": "Yes"}
            await phone.shown("Answered by ada through ntfy")
        assert len([each for each in server.topics[phone.topic] if each.get("actions")]) == 1


async def test_the_same_press_delivered_again_is_no_second_one(tmp_path: Path) -> None:
    async with ntfy_server() as server:
        async with home(tmp_path) as there:
            phone = await there.ntfy(server)
            asked = await there.ask(options=["Yes", "No"])
            await phone.press(await phone.shown("Deploy?"), "Yes")
            await phone.shown("Recorded: Yes.")
            chat = await there.chat()
            await there.store.chats.move(chat.account, "forgotten")  # the server sends all it has
        shown = len(server.topics[phone.topic])
        async with home(tmp_path) as again:
            other = await again.ask("Another?", options=["Yes", "No"])
            await phone.press(await phone.shown("Another?"), "No")
            await ended(again, other)
            await phone.shown("Recorded: No.")
            assert len(await again.log(asked, "answered")) == 1
        said = [each["message"] for each in server.topics[phone.topic][shown:]]
        assert not any("answered before" in each or "already" in each for each in said)


async def test_a_test_shows_that_answers_arrive(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        assert await there.setup.test("ada", (await there.chat()).id) == "A test is on its way. Press its button."
        await phone.press(await phone.shown("A test of Handoffs"), "It works")
        await phone.shown("what you press here reaches Handoffs")
        with pytest.raises(ChatRefused, match="no such channel of yours"):
            await there.setup.test("eve", (await there.chat()).id)


async def test_what_is_turned_off_tells_and_takes_nothing(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server)
        asked = await there.ask("While it was on?", options=["Yes", "No"])
        message = await phone.shown("While it was on?")
        chat = await there.chat()
        await there.setup.turn("ada", chat.id, on=False)
        await there.ask("While it was off?", options=["Yes", "No"])
        code = digest_of(message["actions"][0]["body"])
        now = SystemClock().now()
        assert await there.store.chats.redeem(code, chat_id=chat.id, event="e", at=now) is None
        await there.setup.turn("ada", chat.id, on=True)
        await phone.press(message, "Yes")
        assert (await ended(there, asked)).values == {"response": "Yes"}
        await there.ask("Again?", options=["Yes", "No"])
        await phone.shown("Again?")
        assert not [each for each in phone.shows if "off?" in each["message"]]


async def test_nothing_is_sent_in_quiet_hours(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        await there.people("ada", "bob")
        ada = await there.ntfy(server, "ada", quiet="00:00-23:59")
        bob = await there.ntfy(server, "bob", quiet="23:59-00:00")
        await there.ask(options=["Yes", "No"])
        shown = await bob.shown("Deploy?")
        assert shown
        assert ada.shows == []


async def test_no_log_says_a_word_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server, topic="s3cret-topic", answers="s3cret-answers", token="tk_s3cret")
        asked = await there.ask(options=["Yes", "No"])
        message = await phone.shown("Deploy?")
        await phone.press(message, "Yes")
        await ended(there, asked)
        ours = [each for each in caplog.records if not each.name.startswith(("httpx", "httpcore"))]
        assert "s3cret" not in "\n".join(each.getMessage() for each in ours)
        assert not [each for each in caplog.records if each.name.startswith(("httpx2", "httpcore2"))]
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("handoffs.db*"))
    assert b"s3cret" not in kept
    assert message["actions"][0]["body"].encode() not in kept


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"server": "http://ntfy.example.com"}, "by https"),
        ({"server": "https://ada:pw@ntfy.example.com"}, "without a name"),
        ({"server": "ftp://ntfy.example.com"}, "an address such as"),
        ({"topic": "two words"}, "letters, digits"),
        ({"topic": "one", "answers": "one"}, "two topics"),
        ({"token": "two words"}, "no token has"),
    ],
)
async def test_an_address_that_cant_be_used_is_refused(tmp_path: Path, written: dict[str, str], said: str) -> None:
    async with home(tmp_path, serve=False) as there:
        with pytest.raises(ChatRefused, match=said):
            await there.setup.add("ada", "ntfy", written)
        assert await there.setup.of("ada") == []


async def test_topics_that_are_left_empty_cant_be_guessed(tmp_path: Path) -> None:
    async with home(tmp_path, serve=False) as there:
        chat, told = await there.setup.add("ada", "ntfy", {})
        topic = told.split("the topic ")[1].split(" of")[0]
        assert len(topic) == len("handoffs-") + 24
        assert topic not in chat.hint + chat.sealed


async def test_of_two_processes_one_sends(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there, home(tmp_path) as other:
        phone = await there.ntfy(server)
        other.courier.poke()
        for number in range(3):
            asked = await other.ask(f"Number {number}?", options=["Yes", "No"])
            await phone.press(await phone.shown(f"Number {number}?"), "Yes")
            await ended(other, asked)
        assert len([each for each in server.topics[phone.topic] if each.get("actions")]) == 3


def test_a_phone_shows_the_newest_of_a_sequence() -> None:
    server = NtfyServer()
    server.add("t", title="a", message="old", sequence_id="s")
    server.add("t", title="a", message="new", sequence_id="s")
    assert [each["message"] for each in Phone(server, "t").shows] == ["new"]
