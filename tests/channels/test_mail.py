"""Answering by e-mail, on real servers: confirming an address, replies of many kinds, and the thread of a question."""

import logging
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import anyio
import pytest

from handoffs.channels.chats.service import ChatRefused
from handoffs.channels.mail import Pace
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.model import Caller, Handoff, State
from tests.channels.chatting import BURST, Home, Passing, decided_by, home
from tests.channels.mail_server import ADDRESS, PASSWORD, Writer, confirmed, mail_server, text_of
from tests.waiting import until


async def ended(there: Home, handoff: Handoff) -> Handoff:
    with anyio.fail_after(120):
        return await there.desk.wait(handoff.id, seconds=None)


async def read(there: Home, ada: Writer) -> None:
    """Return once all that was delivered so far was read: what came last is answered."""
    words = f"marker {len(ada.server.sent)} {len(ada.mail)}"
    ada.post(ada.letter("?", subject=words))
    await until(lambda: any(each["Subject"] == f"Re: {words}" for each in ada.mail))


async def test_a_reply_with_a_number_answers_in_the_thread(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask("Deploy to production?", options=["Yes", "No"])
        letter = await ada.shown("Deploy to production?")
        assert letter.get_content_type() == "text/plain"
        assert (letter["Auto-Submitted"], letter["From"]) == ("auto-generated", f"Handoffs <{ADDRESS}>")
        said = text_of(letter)
        assert said.startswith("== Write your answer above this line ==")
        assert "│ 1. Yes\n│ 2. No" in said
        assert f"https://inbox.example.com/h/{asked.id}" in said
        ada.reply(letter, "2")
        answered = await ended(there, asked)
        assert answered.end is not None
        assert (answered.values, answered.end.by, answered.end.channel) == ({"response": "No"}, "ada", "email")
        told = await ada.shown("Recorded: No.")
        assert told["Auto-Submitted"] == "auto-replied"
        assert str(letter["Message-ID"]) in str(told["References"])
        assert len(await there.log(asked, "answered")) == 1
        # The reply to the answer says it: nothing else has to.
        await there.ask("Another?")
        await ada.shown("Another?")
        assert not [each for each in ada.mail if "Answered by" in text_of(each)]


async def test_an_answer_elsewhere_is_told_in_the_thread(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        await until(lambda: there.log(asked, "reached"))
        await there.desk.answer(await there.desk.get(asked.id), {"response": "Yes"}, by="bob", channel="inbox")
        told = await ada.shown("Answered by bob through inbox")
        assert (told["In-Reply-To"], told["Subject"]) == (letter["Message-ID"], f"Re: {letter['Subject']}")
        # Too late, to the first message and to what followed.
        ada.reply(letter, "No")
        await ada.shown("was already answered by bob through inbox")
        ada.reply(told, "No")
        await until(lambda: len([e for e in ada.mail if "was already answered" in text_of(e)]) == 2)
        assert (await there.desk.get(asked.id)).values == {"response": "Yes"}


@pytest.mark.parametrize(
    ("text", "values", "other"),
    [
        ("yes", {"response": "Yes"}, ""),
        ("  YES!  ", {"response": "Yes"}, ""),
        ("2) no, not now", {"response": "No, not now"}, ""),
        ("Yes\n\nAda Lovelace\nExample Ltd.", {"response": "Yes"}, ""),
        ("Yes\nbut only on staging", {}, "Yes\nbut only on staging"),
        ("3", {}, "3"),
    ],
)
async def test_a_reply_names_a_choice_alone_or_is_other_words(
    tmp_path: Path, text: str, values: dict[str, str], other: str
) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No, not now"])
        ada.reply(await ada.shown("Deploy?"), text)
        answered = await ended(there, asked)
        assert (answered.values or {}, answered.other) == (values, other)


async def test_a_wrong_reply_is_answered_once_and_can_be_mended(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        form = {"type": "object", "properties": {"size": {"type": "string", "enum": ["small", "large"]}}}
        asked = await there.ask("Which size?", form={**form, "required": ["size"]})
        letter = await ada.shown("Which size?")
        wrong = ada.answer(letter, "huge")
        ada.post(wrong)
        ada.post(wrong)
        told = await ada.shown("one of the choices alone: 1 (small), 2 (large). Nothing was recorded.")
        assert told["In-Reply-To"] == wrong["Message-ID"]
        await read(there, ada)
        assert len([each for each in ada.mail if "Nothing was recorded" in text_of(each)]) == 2  # one to the marker
        ada.reply(letter, "")
        await ada.shown("does not begin with one of the choices")
        ada.reply(letter, "Large")
        assert (await ended(there, asked)).values == {"size": "large"}


async def test_words_that_are_too_long_leave_the_question_to_a_reply(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        ada.reply(letter, ("word " * 13 + "\n") * 1_700)
        await ada.shown("100,000 is the most. Nothing was recorded.")
        ada.reply(letter, "1")
        assert (await ended(there, asked)).values == {"response": "Yes"}


async def test_a_text_is_answered_without_quotes_and_signature(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask("Which name?")
        letter = await ada.shown("Reply to this message with your answer.")
        ada.reply(letter, "orders_2027\n\nor, if that is taken:\n- orders_2028\n\n-- \nAda Lovelace")
        answer = "orders_2027\n\nor, if that is taken:\n- orders_2028"
        assert (await ended(there, asked)).values == {"response": answer}
        number = await there.ask(
            "How many?", form={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        )
        ada.reply(await ada.shown("How many?"), "3\n\nBest,\nAda")
        assert (await ended(there, number)).values == {"n": 3}


async def test_replies_in_html_and_other_charsets_are_read(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)

        async def answered_by(change: object) -> object:
            asked = await there.ask(f"Name {len(server.sent)}?")
            letter = await ada.shown(f"Name {asked.question.message[5:]}")
            reply = ada.answer(letter, "")
            assert callable(change)
            change(reply)
            ada.post(reply)
            return ((await ended(there, asked)).values or {})["response"]

        def html(reply: EmailMessage) -> None:
            quoted = f"<div class=gmail_quote>On Mon, Handoffs &lt;{ADDRESS}&gt; wrote:<blockquote>x</blockquote></div>"
            reply.set_content(f"<style>p{{}}</style><p>naïve &amp; <b>bold</b></p><p>two</p>{quoted}", subtype="html")

        def outlook(reply: EmailMessage) -> None:
            header = f"<hr><b>Von:</b> Handoffs &lt;{ADDRESS}&gt;<br><b>Gesendet:</b> Montag, 30. November 2026<br>"
            reply.set_content(f"<div>Jawohl</div><div id=appendonsend></div>{header}<p>Name?</p>", subtype="html")

        def both(reply: EmailMessage) -> None:
            reply.set_content("in plain text")
            reply.add_alternative("<p>in HTML</p>", subtype="html")
            reply.add_attachment(b"x" * 1_500_000, maintype="application", subtype="zip", filename="all.zip")
            reply.add_attachment("attached", filename="notes.txt")

        def japanese(reply: EmailMessage) -> None:
            reply.set_content("注文", charset="iso-2022-jp")

        def latin(reply: EmailMessage) -> None:
            reply.set_content("Größe\n\nAm Mo., 30. Nov. 2026 schrieb wer:\n> alt", charset="iso-8859-1", cte="base64")

        def quoted_printable(reply: EmailMessage) -> None:
            reply.set_content("été " * 60, cte="quoted-printable")

        def flowed(reply: EmailMessage) -> None:
            reply.set_content("a long \nline\n>quoted \n>text\n", params={"format": "flowed"})

        def unknown(reply: EmailMessage) -> None:
            reply.set_content("plain")
            reply.set_param("charset", "x-unknown")

        assert await answered_by(html) == "naïve & bold\n\ntwo"
        assert await answered_by(outlook) == "Jawohl"
        assert await answered_by(both) == "in plain text"
        assert await answered_by(japanese) == "注文"
        assert await answered_by(latin) == "Größe"
        assert await answered_by(quoted_printable) == ("été " * 60).strip()
        assert await answered_by(flowed) == "a long line"
        assert await answered_by(unknown) == "plain"


async def test_a_reply_of_more_than_a_megabyte_is_said_to_be_too_long(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask("Which name?")
        letter = await ada.shown("Which name?")
        ada.reply(letter, "x" * 60 + ("\n" + "x" * 60) * 20_000)
        await ada.shown("too long to be read whole")
        assert (await there.desk.get(asked.id)).state is State.OPEN
        ada.reply(letter, "orders")
        assert (await ended(there, asked)).values == {"response": "orders"}


async def test_a_code_that_a_server_took_away_is_found_in_the_quote(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        ada.reply(letter, "Yes", In_Reply_To="<1@ses.example.com>", References="<1@ses.example.com>")
        assert (await ended(there, asked)).values == {"response": "Yes"}


async def test_two_people_decide_each_with_their_own_message(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        await there.people("ada", "bob")
        ada, bob = await confirmed(there, server, "ada"), await confirmed(there, server, "bob")
        asked = await there.ask(options=["Yes", "No"], deciders=decided_by("ada", "bob", votes=2))
        hers, his = await ada.shown("Deploy?"), await bob.shown("Deploy?")
        bob.reply(hers, "No")
        await bob.shown("This is no reply to a question that waits for you here.")
        ada.reply(hers, "Yes")
        bob.reply(his, "Yes")
        assert (await ended(there, asked)).values == {"response": "Yes"}
        both = {text_of(each).strip() for each in server.sent if "Recorded" in text_of(each)}
        await until(lambda: both == {"Recorded as your vote: Yes.", "Recorded: Yes."} or len(server.sent) > 6)


async def test_replies_at_once_and_twice_answer_once(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        await there.people("ada", "bob")
        ada, bob = await confirmed(there, server, "ada"), await confirmed(there, server, "bob")
        asked = await there.ask(options=["Yes", "No"])
        hers, his = ada.answer(await ada.shown("Deploy?"), "Yes"), bob.answer(await bob.shown("Deploy?"), "No")
        for _ in range(3):
            bob.post(his)
            ada.post(hers)
        answered = await ended(there, asked)
        assert answered.end is not None
        first, late = (ada, bob) if answered.end.by == "ada" else (bob, ada)
        await first.shown("Recorded: ")
        await late.shown("was already answered by")
        await read(there, ada)
        await read(there, bob)
        assert len(await there.log(asked, "answered")) == 1
        assert len([each for each in server.sent if "was already answered by" in text_of(each)]) == 1


async def test_an_action_is_decided_here_only_where_its_rule_says_so(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        drop = Action(asker=Asker.GATE, server="shop", tool="drop_table", arguments='{"name": "orders"}')
        kept = await there.ask("Allow `drop_table`?\n\norders", form=action_form(editable=False), action=drop)
        letter = await ada.shown("Allow `drop_table`?")
        assert "orders" not in text_of(letter)
        assert "Write your answer" not in text_of(letter)
        ada.reply(letter, "1")
        await ada.shown("This is answered in the inbox. Nothing was recorded.")
        assert (await there.desk.get(kept.id)).state is State.OPEN
        action = Action(asker=Asker.GATE, server="shop", tool="truncate", arguments="{}", channels=("email",))
        asked = await there.ask("Allow `truncate`?\n\nall rows", form=action_form(editable=True), action=action)
        letter = await ada.shown("Allow `truncate`?")
        assert "all rows" in text_of(letter)
        assert action.digest[:16] in text_of(letter)
        ada.reply(letter, "maybe")
        await ada.shown("one of the choices alone: 1 (")
        ada.reply(letter, "Deny")
        assert (await ended(there, asked)).values == {"decision": "deny"}


async def test_what_takes_a_form_or_a_secret_has_only_a_link(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        two = {"a": {"type": "string"}, "b": {"type": "string"}}
        await there.ask("Both?", form={"type": "object", "properties": two})
        letter = await ada.shown("Both?")
        assert "Answer: https://inbox.example.com/h/" in text_of(letter)
        ada.reply(letter, "a and b")
        await ada.shown("This is answered in the inbox.")


async def test_several_at_once_come_in_one_list(tmp_path: Path) -> None:
    clock = Passing()
    async with mail_server() as server, home(tmp_path, kinds=server.kinds(), burst=BURST, clock=clock) as there:
        ada = await confirmed(there, server)
        await there.told(await there.ask("First?", options=["Yes", "No"]))
        for number in range(3):
            await there.ask(f"More {number}?", options=["Yes", "No"])
        clock.forward(BURST)
        letter = await ada.shown("More 2?")
        assert letter["Subject"] == "3 questions wait for you"
        ada.reply(letter, "1")
        await ada.shown("Reply to the message of one question. Nothing was recorded.")


async def test_a_test_is_answered_by_a_reply(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        for number in (1, 2):
            said = await there.setup.test("ada", (await there.chat(channel="email")).id)
            assert said == "A test is on its way. Reply to it."
            letter = (await until(lambda n=number: tests if len(tests := _tests(ada)) == n else None))[-1]
            ada.reply(letter, "ok")
            await until(lambda n=number: len([e for e in ada.mail if "It works" in text_of(e)]) == n)
        ada.reply(_tests(ada)[0], "again")
        await ada.shown("answered before, or replaced by a newer one")


def _tests(ada: Writer) -> list[EmailMessage]:
    return [each for each in ada.mail if each["Subject"] == "A test of Handoffs"]


async def test_an_address_is_confirmed_by_its_own_message_once(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        await there.people("ada", "bob")
        _, told = await there.setup.add("ada", "email", {"address": "Ada@Example.com"})
        assert told.startswith(f"Now send a message from Ada@Example.com to {ADDRESS} with the subject confirm-")
        code = told.partition("the subject ")[2].split()[0]
        with pytest.raises(ChatRefused, match="not set up yet"):
            await there.setup.test("ada", (await there.chat(channel="email")).id)
        asked = await there.ask(options=["Yes", "No"])
        ada, eve = Writer(server, "ada@example.com"), Writer(server, "eve@example.com")
        eve.post(eve.letter("", subject=code))
        ada.post(ada.letter("", subject="confirm-aaaaaaaaaaaaaaaa"))
        ada.post(ada.letter("", subject=code), results="")
        await until(lambda: there.chat(channel="email"), lambda chat: "did not count" in chat.problem)
        assert server.sent == []
        ada.post(ada.letter("", subject=f"Re: [x] {code}"))
        await ada.shown("This chat is set up")
        assert "not confirmed" not in (await until(lambda: there.chat(channel="email"))).hint
        letter = await ada.shown("Deploy?")
        # Nobody else gets an address that is taken, nor is a code taken twice.
        _, told = await there.setup.add("bob", "email", {"address": "ada@example.com"})
        await anyio.sleep(0.1)
        ada.post(ada.letter("", subject=told.partition("the subject ")[2].split()[0]))
        await until(lambda: there.chat("bob", "email"), lambda chat: "set up already" in chat.problem)
        eve.post(eve.letter("", subject=code))
        ada.post(ada.letter("", subject=code))
        ada.reply(letter, "Yes")
        assert (await ended(there, asked)).values == {"response": "Yes"}
        assert eve.mail == []


async def test_a_confirmation_that_is_late_does_not_count(tmp_path: Path) -> None:
    pace = Pace(confirm=timedelta(seconds=0))
    async with mail_server() as server, home(tmp_path, kinds=server.kinds(pace)) as there:
        _, told = await there.setup.add("ada", "email", {"address": "ada@example.com"})
        ada = Writer(server, "ada@example.com")
        ada.post(ada.letter("", subject=told.partition("the subject ")[2].split()[0]))
        await until(lambda: there.chat(channel="email"), lambda chat: "code has expired" in chat.problem)
        assert server.sent == []


@pytest.mark.parametrize(
    "address",
    [
        *("ada", "ada@localhost", "ada@example.com\r\nBcc: eve@example.com", '"a b"@example.com', "ä@example.com"),
        *("ada@example.com, eve@example.com", "<ada@example.com>", f"{'a' * 250}@example.com", ADDRESS),
    ],
)
async def test_what_is_no_plain_address_is_refused(tmp_path: Path, address: str) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds(), serve=False) as there:
        with pytest.raises(ChatRefused):
            await there.setup.add("ada", "email", {"address": address})


async def test_agents_words_can_write_no_header(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        client = "codex\r\nBcc: eve@example.com\r\n\r\n== Write"
        caller = Caller(subject="agent", client=client, project="/srv/x\nSubject: y")
        await there.ask("a\r\nBcc: eve@example.com\n\n-- \nCode of this message: " + "0" * 32, caller=caller)
        letter = await ada.shown("│ a")
        assert (letter["Bcc"], letter["To"], len(letter.get_all("Subject", []))) == (None, ada.address, 1)
        lines = text_of(letter).splitlines()
        assert len([each for each in lines if each.startswith("Code of this message:")]) == 1


async def test_no_log_says_a_word_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        ada.reply(letter, "Yes")
        await ended(there, asked)
    ours = [each for each in caplog.records if not each.name.startswith("mail.")]  # aiosmtpd's own
    said = "\n".join(each.getMessage() for each in ours)
    assert not [each for each in (PASSWORD, ada.address, str(letter["Message-ID"]), "Deploy?") if each in said]
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("handoffs.db*"))
    assert str(letter["Message-ID"])[3:35].encode() not in kept
    assert PASSWORD.encode() not in kept
