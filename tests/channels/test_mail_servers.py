"""Mail servers that are away, slow, encrypted or without IDLE: nothing is lost, and nothing goes in the clear."""

import os
import shutil
import sys
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteReceiveStream

from handoffs.channels.chats.service import NotSent
from handoffs.channels.chats.setup import Setup
from handoffs.channels.mail import Pace
from handoffs.channels.mailbox.imap import reading
from handoffs.channels.mailbox.servers import server_at
from handoffs.clock import SystemClock
from handoffs.os_user import current_user
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from tests.channels.chatting import home
from tests.channels.mail_server import ELSEWHERE, PASSWORD, Writer, confirmed, mail_server, silent_server
from tests.channels.test_mail import ended
from tests.waiting import until


async def test_replies_while_the_server_was_away_are_read(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        first = await there.ask("First?")
        one = await ada.shown("First?")
        second = await there.ask("Second?")
        letters = one, await ada.shown("Second?")
        server.stop()
        await until(lambda: there.chat(channel="email"), lambda chat: "Answers can't be read" in chat.problem)
        ada.reply(letters[1], "two")  # in another order
        ada.reply(letters[0], "one")
        server.start()
        assert (await ended(there, first)).values == {"response": "one"}
        assert (await ended(there, second)).values == {"response": "two"}
        await until(lambda: there.chat(channel="email"), lambda chat: chat.problem == "")


async def test_replies_while_no_program_ran_are_read(tmp_path: Path) -> None:
    async with mail_server() as server:
        async with home(tmp_path, kinds=server.kinds()) as there:
            ada = await confirmed(there, server)
            asked = await there.ask("First?")
            letter = await ada.shown("First?")
            await until(lambda: there.log(asked, "reached"))
        ada.reply(letter, "one")
        async with home(tmp_path, kinds=server.kinds()) as there:
            assert (await ended(there, asked)).values == {"response": "one"}
            await ada.shown("Recorded: one.")
            assert len([each for each in ada.mail if "First?" in str(each.get_content())]) == 1


async def test_a_mailbox_that_was_made_anew_is_read_without_its_past(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        ada.post(ada.letter("hello", subject="once"))
        await until(lambda: [each for each in ada.mail if each["Subject"] == "Re: once"])
        asked = await there.ask("First?")
        letter = await ada.shown("First?")
        server.stop()
        for each in (server.run / "mail").glob("dovecot*"):
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        ada.reply(letter, "one")
        server.start()
        assert (await ended(there, asked)).values == {"response": "one"}
        await ada.shown("Recorded: one.")
        assert len([each for each in ada.mail if each["Subject"] == "Re: once"]) == 1


async def test_a_message_that_is_refused_is_sent_again(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        server.refuses = "554 no s3cret"
        asked = await there.ask(options=["Yes", "No"])
        await until(lambda: there.log(asked, "notshown"))
        said = (await there.log(asked, "notshown"))[0]["reason"]
        assert said == "the mail server refuses the message (554); it is tried again"
        assert "refuses the message (554)" in (await there.chat(channel="email")).problem
        server.refuses = ""
        letter = await ada.shown("Deploy?")
        ada.reply(letter, "Yes")
        assert (await ended(there, asked)).values == {"response": "Yes"}


async def test_servers_that_say_nothing_are_given_up(tmp_path: Path) -> None:
    async with silent_server() as port, mail_server() as server:
        async with home(tmp_path, kinds=server.kinds()) as there:
            await confirmed(there, server)
        silent = {"email_smtp": f"smtp://127.0.0.1:{port}"}
        async with home(tmp_path, kinds=server.kinds(Pace(step=0.3), **silent)) as there:
            asked = await there.ask()
            await until(lambda: there.log(asked, "notshown"))
            assert "the mail server can't be reached (" in (await there.log(asked, "notshown"))[0]["reason"]
        with pytest.raises(NotSent, match="does not answer"):
            async with reading(server_at(f"imap://127.0.0.1:{port}", kind="imap"), seconds=0.3):
                pass


async def test_a_slow_server_sends_once(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server)
        server.slow = 2.0
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        ada.reply(letter, "Yes")
        await ended(there, asked)
        await ada.shown("Recorded: Yes.")
        assert len({str(each["Message-ID"]) for each in ada.mail}) == len(ada.mail)


async def test_a_server_without_idle_is_asked_again_and_again(tmp_path: Path) -> None:
    async with mail_server(idle=False) as server, home(tmp_path, kinds=server.kinds(Pace(poll=0.2))) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        ada.reply(await ada.shown("Deploy?"), "Yes")
        assert (await ended(there, asked)).values == {"response": "Yes"}


async def test_a_connection_that_is_silent_is_asked_whether_it_is_there(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds(Pace(idle=0.2))) as there:
        ada = await confirmed(there, server)
        asked = await there.ask(options=["Yes", "No"])
        letter = await ada.shown("Deploy?")
        await anyio.sleep(1)
        ada.reply(letter, "Yes")
        assert (await ended(there, asked)).values == {"response": "Yes"}


async def test_another_folder_is_read_where_the_settings_name_one(tmp_path: Path) -> None:
    async with mail_server() as server:
        folder = {"email_imap": f"imap://handoffs@127.0.0.1:{server.imap}/Answers"}
        async with home(tmp_path, kinds=server.kinds(**folder)) as there:
            _, told = await there.setup.add("ada", "email", {"address": "ada@example.com"})
            ada = Writer(server, "ada@example.com")
            letter = ada.letter("", subject=told.partition("the subject ")[2].split()[0])
            head = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.com\r\n"
            server.deliver(head.encode() + letter.as_bytes(), ".Answers")
            await ada.shown("This chat is set up")


@pytest.mark.parametrize("by_command", [False, True])
async def test_both_ways_of_encryption_are_used(
    tmp_path: Path, by_command: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mail_server() as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.run / "cert.pem"))
        settings = {
            "email_smtp": f"smtps://handoffs@localhost:{server.smtps}",
            "email_imap": f"imaps://handoffs@localhost:{server.imaps}",
        }
        if by_command:
            settings = {
                "email_smtp": f"smtp://handoffs@{ELSEWHERE}:{server.starttls}",
                "email_imap": f"imap://handoffs@{ELSEWHERE}:{server.imap}",
            }
        async with home(tmp_path, kinds=server.kinds(**settings)) as there:
            ada = await confirmed(there, server)
            asked = await there.ask(options=["Yes", "No"])
            ada.reply(await ada.shown("Deploy?"), "Yes")
            assert (await ended(there, asked)).values == {"response": "Yes"}
        assert set(server.logins) == {("handoffs", PASSWORD)}


async def test_nothing_is_said_to_a_server_that_is_not_encrypted_or_not_known(tmp_path: Path) -> None:
    async with mail_server() as server:
        for address in (f"imaps://u:p@localhost:{server.imaps}", f"imap://u:p@{ELSEWHERE}:{server.imap}"):
            with pytest.raises(NotSent, match="can't be reached"):  # its certificate is not trusted
                async with reading(server_at(address, kind="imap"), seconds=5):
                    pass
        async with home(tmp_path, kinds=server.kinds()) as there:
            ada = await confirmed(there, server)
        sent = len(server.sent)
        for address in (f"smtp://u:p@{ELSEWHERE}:{server.starttls}", f"smtps://u:p@localhost:{server.smtps}"):
            async with home(tmp_path, kinds=server.kinds(email_smtp=address)) as there:
                asked = await there.ask(f"At {address[:5]}?")
                await until(lambda each=asked: there.log(each, "notshown"))
        assert server.logins == []
        assert (len(server.sent), len(ada.mail)) == (sent, sent)


async def test_certificates_are_read_once_and_anew_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mail_server() as server:
        async with home(tmp_path, kinds=server.kinds()) as there:
            ada = await confirmed(there, server)
        monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
        encrypted = {"email_smtp": f"smtps://handoffs@localhost:{server.smtps}"}
        async with home(tmp_path, kinds=server.kinds(**encrypted)) as there:
            asked = await there.ask("First?")
            await until(lambda: there.log(asked, "notshown"))
            monkeypatch.setenv("SSL_CERT_FILE", str(server.run / "cert.pem"))
            await ada.shown("First?")
            monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
            await there.ask("Second?")
            await ada.shown("Second?")


async def test_a_wrong_password_is_said_without_it(tmp_path: Path) -> None:
    async with mail_server() as server:
        async with home(tmp_path, kinds=server.kinds(email_password="wr0ng")) as there:
            await there.setup.add("ada", "email", {"address": "ada@example.com"})
            chat = await until(lambda: there.chat(channel="email"), lambda chat: chat.problem)
            assert (
                chat.problem == "Answers can't be read: the mail server refuses the name or the password of the mailbox"
            )


@pytest.mark.parametrize(
    "written",
    [
        "http://x",
        "imap://",
        "imaps://x?y",
        "smtp://x",
        "imaps://u:p w@x",
        "imaps://x:0",
        "imaps://%0au@x",
        "x",
        "imaps://x#y",
    ],
)
def test_what_is_no_address_of_a_mailbox_is_refused_without_its_password(written: str) -> None:
    with pytest.raises(ValueError) as refused:
        server_at(written.replace("p w", "s3cret w"), kind="imap")
    assert "s3cret" not in str(refused.value)


async def test_a_running_inbox_asks_and_a_program_gets_the_reply(tmp_path: Path) -> None:
    key, own = "k" * 32, {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    async with mail_server() as server:
        mailbox = {f"HANDOFFS_{name.upper()}": value for name, value in server.settings().items()}
        environ = {**os.environ, **own, **mailbox, "HANDOFFS_STORE": str(tmp_path / "h.db"), "HANDOFFS_KEYS": key}
        command = [sys.executable, "-m", "handoffs"]
        async with SqliteStore(tmp_path / "h.db") as store:
            sealer = AesGcmSealer(lambda: [key])
            setup = Setup(store.chats, sealer, SystemClock(), server.kinds(), lambda: None)
            _, told = await setup.add(current_user(), "email", {"address": "ada@example.com"})
            ada = Writer(server, "ada@example.com")
            ada.post(ada.letter("", subject=told.partition("the subject ")[2].split()[0]))
            inbox = await anyio.open_process([*command, "inbox", "--no-browser"], env=environ, stdout=None, stderr=None)
            try:
                await ada.shown("This chat is set up")
                ask = [*command, "ask", "Deploy to production?", "--options", "yes,no"]
                async with anyio.create_task_group() as tasks, await anyio.open_process(ask, env=environ) as asking:
                    assert asking.stdout is not None
                    assert asking.stderr is not None
                    tasks.start_soon(_drained, asking.stderr)
                    ada.reply(await ada.shown("Deploy to production?"), "yes")
                    with anyio.fail_after(60):
                        assert await asking.stdout.receive() == b"yes\n"
                        assert await asking.wait() == 0
                await ada.shown("Recorded: yes.")
            finally:
                inbox.terminate()
                await inbox.wait()


async def _drained(stream: ByteReceiveStream) -> None:
    async for _ in stream:
        pass
