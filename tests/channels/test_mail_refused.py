"""What is no answer by e-mail: forged senders, machines, imitations; and who is told nothing."""

from pathlib import Path

import pytest

from handoffs.channels.mail import Pace
from handoffs.core.model import State
from tests.channels.chatting import home
from tests.channels.mail_server import ADDRESS, AUTHSERV, Writer, confirmed, mail_server, text_of
from tests.channels.test_mail import ended, read
from tests.waiting import until

PASSED = f"{AUTHSERV}; dmarc=pass header.from=example.com"
FORGED = f"Authentication-Results: {PASSED}"


async def test_who_is_not_vouched_for_is_told_nothing(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        sent = len(server.sent)
        for results in (
            "",
            "other.example.net; dmarc=pass header.from=example.com",
            f"{AUTHSERV}; dmarc=fail header.from=example.com; dkim=pass header.d=example.com",
            f"{AUTHSERV}; dmarc=pass header.from=example.net",
            f"{AUTHSERV}; dkim=pass header.d=example.net; spf=pass smtp.mailfrom=eve@example.net",
            f"{AUTHSERV}; none",
            f"{AUTHSERV}; dmarc=fail header.from=example.com\r\n{FORGED}",
            f"other.example.net; dmarc=fail\r\nAuthentication-Results: {AUTHSERV}; dmarc=fail\r\n{FORGED}",
            f"{AUTHSERV}; dmarc=pass header.from=example.com (never ends",
        ):
            ada.post(ada.answer(letter, "Yes", Message_ID=f"<{len(results)}@example.com>"), results)
        forged = ada.answer(letter, "Yes")
        forged["Authentication-Results"] = PASSED
        ada.post(forged, f"{AUTHSERV}; spf=fail smtp.mailfrom=example.com")
        await until(lambda: there.chat(channel="email"), lambda chat: "did not count" in chat.problem)
        await read(there, ada)
        assert len(server.sent) == sent + 1  # the marker's
        assert (await there.desk.get(asked.id)).state is State.OPEN
        ada.reply(letter, "No")
        assert (await ended(there, asked)).values == {"response": "No"}
        await until(lambda: there.chat(channel="email"), lambda chat: chat.problem == "")


@pytest.mark.parametrize(
    "results",
    [
        f"{AUTHSERV}; spf=pass smtp.mailfrom=ada@example.com; dkim=none",
        f"{AUTHSERV.upper()} 1; dkim=pass (2048-bit; x) header.i=@example.com header.b=Ab/c+=; dmarc=none",
        f"other.example.net; dmarc=fail\r\nAuthentication-Results: {PASSED}",
    ],
)
async def test_who_is_vouched_for_in_another_way_counts(tmp_path: Path, results: str) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        ada.post(ada.answer(await ada.shown("Deploy?"), "Yes"), results)
        assert (await ended(there, asked)).values == {"response": "Yes"}


async def test_a_sender_that_can_be_read_in_two_ways_is_nobody(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        sent = len(server.sent)
        whole = ada.answer(letter, "Yes").as_bytes().partition(b"\r\n")[2]  # without its From
        for sender in (
            "eve@example.com",
            "ada@example.com, eve@example.com",
            '"ada@example.com" <eve@example.com>',
            "ada@example.com <eve@example.com>",
            "ada@example.com (x)",
            "team: ada@example.com;",
            "=?utf-8?q?ada=40example=2Ecom?=",
            "ada@example.com\r\nFrom: eve@example.com",
            "ada@ example.com",
            "<ada@example.com> <eve@example.com>",
            "",
        ):
            ada.post(f"From: {sender}\r\n".encode() + whole)
        ada.post(b"X-Note: a\rFrom: ada@example.com\r\n" + whole)
        ada.post(whole)
        ada.post(b"\xff\x00" * 1_000)
        ada.post(b"")
        await read(there, ada)
        assert len(server.sent) == sent + 1
        assert (await there.desk.get(asked.id)).state is State.OPEN
        ada.post(b'From: "Lovelace, A. (x)" <ADA@Example.com>\r\n' + whole)
        assert (await ended(there, asked)).values == {"response": "Yes"}


async def test_what_a_machine_writes_is_no_answer_and_gets_none(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        sent = len(server.sent)
        ada.post(ada.answer(letter, "Yes", Auto_Submitted="auto-replied (vacation)"))
        ada.post(ada.answer(letter, "Yes", Precedence="bulk"))
        ada.post(ada.answer(letter, "Yes", List_Id="<team.example.com>"))
        bounce = ada.answer(letter, "Yes")
        ada.post(bounce.as_bytes().replace(b"text/plain", b"multipart/report"))
        ada.post(b"Return-Path: <>\r\n" + ada.answer(letter, "Yes").as_bytes())
        await read(there, ada)
        assert len(server.sent) == sent + 1
        ada.reply(letter, "No", Auto_Submitted="no")
        assert (await ended(there, asked)).values == {"response": "No"}


async def test_messages_that_imitate_ours_do_nothing(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        sent = len(server.sent)
        own = Writer(server, ADDRESS)
        own.post(letter.as_bytes())  # our own comes back
        own.post(own.answer(letter, "Yes"))
        eve = Writer(server, "eve@example.com")
        eve.post(eve.answer(letter, "Yes"))  # somebody to whom it was forwarded
        await read(there, ada)
        assert len(server.sent) == sent + 1
        imitated = ada.answer(letter, "Yes", In_Reply_To=f"<q.{'0' * 32}@example.org>", References="<x@y>")
        ada.post(imitated)  # to a message with a name like ours, which somebody else has sent
        await ada.shown("This is no reply to a question that waits for you here.")
        assert (await there.desk.get(asked.id)).state is State.OPEN


async def test_a_reply_to_a_question_of_before_is_said_to_be_late(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        first = await there.ask("First?", options=["Yes", "No"])
        letter = await ada.shown("First?")
        await until(lambda: there.log(first, "reached"))
        await there.desk.cancel(await there.desk.get(first.id), by="agent", channel="")
        told = await ada.shown("Ended: cancelled")
        assert told["In-Reply-To"] == letter["Message-ID"]
        second = await there.ask("Second?", options=["Yes", "No"])
        await ada.shown("Second?")
        ada.reply(letter, "Yes")
        await ada.shown("Nothing more was recorded.")
        assert (await there.desk.get(second.id)).state is State.OPEN


async def test_no_two_programs_write_to_each_other_for_long(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds(Pace(words=4))) as there:
        ada = await confirmed(there, server)
        for number in range(12):
            ada.post(ada.letter("hello", subject=f"{number}"))
        asked = await there.ask(options=["Yes", "No"])
        ada.reply(await ada.shown("Deploy?"), "Yes")
        assert (await ended(there, asked)).values == {"response": "Yes"}
        # What can't be replied to any more is told as what comes about elsewhere is.
        await ada.shown("Answered by ada through email")
        assert len([each for each in ada.mail if "Reply to the message of one question" in text_of(each)]) <= 4


async def test_a_channel_that_is_off_or_removed_takes_nothing(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        await there.people("ada", "bob")
        ada, bob = await confirmed(there, server, "ada"), await confirmed(there, server, "bob")
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        await bob.shown("Deploy?")
        await there.setup.turn("ada", (await there.chat("ada", "email")).id, on=False)
        ada.reply(letter, "Yes")
        await read(there, bob)
        assert (await there.desk.get(asked.id)).state is State.OPEN
        await there.setup.remove("ada", (await there.chat("ada", "email")).id)
        ada.reply(letter, "Yes")
        await read(there, bob)
        assert (await there.desk.get(asked.id)).state is State.OPEN
