"""All chats at once: what is answered in one is withdrawn in all others."""

from hashlib import sha256
from pathlib import Path

import anyio
import pytest

from handoffs.assembly import kinds
from handoffs.channels.mailbox.outgoing import written
from handoffs.core.attachment import GivenFile
from handoffs.core.display import stamp
from handoffs.settings import Settings
from tests.channels.chatting import home
from tests.channels.mail_server import confirmed, mail_server, text_of
from tests.channels.ntfy_server import ntfy_server
from tests.channels.push_server import code_of, press, push_server
from tests.channels.slack_server import Member, buttons, slack_server
from tests.channels.telegram_server import telegram_server
from tests.channels.test_slack import member
from tests.channels.test_telegram import paired
from tests.waiting import until


@pytest.mark.parametrize("where", ["ntfy", "telegram", "slack", "webpush", "email", "inbox"])
async def test_an_answer_in_one_is_withdrawn_in_all(tmp_path: Path, where: str) -> None:
    async with (
        ntfy_server() as by_ntfy,
        telegram_server() as by_telegram,
        slack_server() as by_slack,
        push_server() as by_push,
        mail_server() as by_mail,
        home(tmp_path, kinds=kinds(Settings.model_validate(by_mail.settings()))) as there,
        there.inbox() as inbox,
    ):
        phone = await there.ntfy(by_ntfy)
        person = await paired(there, by_telegram)
        ada: Member = await member(there, by_slack)
        browser = await there.browser(by_push)
        writer = await confirmed(there, by_mail)
        asked = await there.ask("Deploy to production?", options=["Yes", "No"])
        pushed = await phone.shown("Deploy to production?")
        number, written = await person.shown("Deploy to production?")
        posted = await ada.shown("Deploy to production?")
        notified = await browser.shown("Deploy to production?")
        await until(lambda: there.log(asked, "reached"), lambda found: len(found) == 5)
        letter = await writer.shown("Deploy to production?")
        if where == "ntfy":
            await phone.press(pushed, "Yes")
        elif where == "telegram":
            await person.press(written, "Yes")
        elif where == "slack":
            await ada.press(posted, "Yes")
        elif where == "email":
            writer.reply(letter, "Yes")
        elif where == "webpush":
            await press(inbox, code_of(notified, "Yes"))
        else:
            await there.desk.answer(await there.desk.get(asked.id), {"response": "Yes"}, by="ada", channel="inbox")
        with anyio.fail_after(120):
            assert (await there.desk.wait(asked.id, seconds=None)).values == {"response": "Yes"}
        said = f"Answered by ada through {where}"
        assert not (await phone.shown(said))["actions"]
        after, message = await person.shown(said)
        assert after == number
        assert all("url" in each for row in message["reply_markup"]["inline_keyboard"] for each in row)
        ts, _, message = await ada.shown(said)
        assert (ts, buttons(message)) == (posted[0], [])
        withdrawn = await browser.shown(said)
        assert (withdrawn["tag"], withdrawn["buttons"], withdrawn["over"]) == (notified["tag"], [], True)
        told = await writer.shown("Recorded: Yes." if where == "email" else said)
        assert str(letter["Message-ID"]) in str(told["References"])
        assert len(await there.log(asked, "answered")) == 1
        # Buttons that somebody still has on their screen.
        if where != "ntfy":
            await phone.press(pushed, "No")
            await phone.shown(f"was already answered by ada through {where}")
        if where != "telegram":
            assert f"through {where}" in await person.press(written, "No")
        if where != "slack":
            await ada.press(posted, "No")
            await ada.shown(f"was already answered by ada through {where}")
        if where != "webpush":
            late = await press(inbox, code_of(notified, "No"))
            assert f"was already answered by ada through {where}" in late.json()["said"]
        if where != "email":
            writer.reply(letter, "No")
            await writer.shown(f"was already answered by ada through {where}")
        assert (await there.desk.get(asked.id)).values == {"response": "Yes"}


async def test_each_outcome_counts_the_files_and_says_no_more_of_them(tmp_path: Path) -> None:
    files = [
        GivenFile(name="payroll.log", declared="text/x-payroll", content=b"Ada earns 12 million"),
        GivenFile(name="plan.gif", declared="", content=b"GIF89a of the vault"),
    ]
    async with (
        ntfy_server() as by_ntfy,
        telegram_server() as by_telegram,
        slack_server() as by_slack,
        push_server() as by_push,
        mail_server() as by_mail,
        home(tmp_path, kinds=kinds(Settings.model_validate(by_mail.settings()))) as there,
    ):
        phone = await there.ntfy(by_ntfy)
        person = await paired(there, by_telegram)
        ada: Member = await member(there, by_slack)
        browser = await there.browser(by_push)
        writer = await confirmed(there, by_mail)
        asked = await there.ask("Which logs?", files=True)
        await until(lambda: there.log(asked, "reached"), lambda found: len(found) == 5)
        answered = await there.desk.answer(asked, {"response": "These."}, by="ada", channel="inbox", files=files)
        assert answered.end is not None
        said = f"Answered by ada through inbox at {stamp(answered.end.at)}, with 2 files. Question {asked.id}"
        letter = await writer.shown(said)
        _, message = await person.shown(said)
        shown = [await phone.shown(said), message, await ada.shown(said), await browser.shown(said)]
        told = [*map(repr, shown), text_of(letter), written(letter).decode()]
        for each in files:
            for word in (each.name, "payroll", "plan", "gif", sha256(each.content).hexdigest()[:12], "million"):
                assert not [one for one in told if word in one.lower()]
        one = await there.ask("Which log?", files=True)
        await until(lambda: there.log(one, "reached"), lambda found: len(found) == 5)
        await there.desk.answer(one, {"response": "This."}, by="ada", channel="inbox", files=files[:1])
        await phone.shown(f", with 1 file. Question {one.id}")
