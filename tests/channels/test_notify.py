"""People told at their addresses: real web and mail servers take the messages; the clock is the test's own."""

import logging
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.channels.notify import BACK_OFF, Notice, NotSent, Recipient, notice_of, recipients
from handoffs.core.action import Action, Asker
from handoffs.core.action_shown import message_of
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.model import Caller, Handoff, State
from handoffs.core.reminders import Stage
from handoffs.core.schema import parse
from handoffs.extras import command_to_add
from handoffs.inbox_process.record import InboxRecord, Running
from tests.acceptance.processes import Home, ask
from tests.channels.notifying import CODEX, running
from tests.channels.sinks import PASSWORD, TOKEN, http_sink, mail_sink
from tests.core.strategies import ASKED, handoff
from tests.days import stamped
from tests.waiting import until

HOUR = 3600
NOBODY = "json://ada:pa55word@127.0.0.1:1/t0p5ecret"  # a port at which nobody listens


async def test_after_20_seconds_a_notification_says_who_what_how_long_and_where(
    tmp_path: Path,
) -> None:
    async with (
        http_sink() as sink,
        running(tmp_path / "x.db", [sink.url], link=lambda handoff_id: f"http://127.0.0.1:8000/{handoff_id}") as one,
    ):
        asked = await one.desk.ask(message="Deploy **now**?", caller=CODEX)
        await one.until_seen(asked)
        await one.until_claimed(asked)
        await until(lambda: sink.tries > 0)
        [told] = [each for each in await one.desk.log(handoff_id=asked.id) if each.name == "reminded"]
    assert timedelta(seconds=20) <= told.at - asked.created_at < timedelta(seconds=40)
    assert (told.details, sink.titles) == ({"channel": "notify", "stage": "opened"}, ["codex · /srv/shop asks you"])
    assert sink.got[0]["message"].splitlines() == [
        "“Deploy **now**?”",
        "",
        f"Open for another 24 hours, until {stamped(12, days=1)}.",
        f"Answer: http://127.0.0.1:8000/{asked.id}",
    ]


async def test_what_is_answered_within_20_seconds_is_not_told_of(tmp_path: Path) -> None:
    async with http_sink() as sink, running(tmp_path / "x.db", [sink.url]) as one:
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)
        one.clock.forward(19)
        await one.desk.answer(asked, {"response": "yes"}, by="ada", channel="elicitation")
        await one.pass_time(13 * HOUR)
        assert await one.log(asked) == [("opened", ""), ("answered", "")]
    assert sink.tries == 0


async def test_reminders_go_to_the_first_addresses_and_escalations_to_the_others(tmp_path: Path) -> None:
    async with (
        http_sink() as sink,
        http_sink() as boss,
        running(tmp_path / "x.db", [sink.url], [boss.url]) as one,
    ):
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)
        for count, hours in enumerate((1, 12, 7, 2.5), start=1):
            await one.pass_time(hours * HOUR)
            await sink.tried(count - (count > 2))
            await boss.tried(int(count > 2))
        await one.pass_time(2 * HOUR)
        assert (await one.desk.get(asked.id)).state is State.EXPIRED
        assert await one.log(asked) == [
            ("opened", ""),
            *(("reminded", stage) for stage in ("opened", "half", "escalated", "last")),
            ("expired", ""),
        ]
    assert sink.titles == [
        "codex · /srv/shop asks you",
        "Still open: codex · /srv/shop asks you",
        "Last reminder: codex · /srv/shop asks you",
    ]
    assert boss.titles == ["Nobody has answered yet: codex · /srv/shop asks you"]


async def test_a_restart_repeats_no_notification_and_sends_a_missed_one_once(tmp_path: Path) -> None:
    async with http_sink() as sink:
        async with running(tmp_path / "x.db", [sink.url]) as one:
            asked = await one.desk.ask(message="Deploy?", caller=CODEX)
            await one.pass_time(60)
            await sink.tried(1)
        for hours in (1, 23, 23.5):
            async with running(tmp_path / "x.db", [sink.url]) as one:
                await one.pass_time(hours * HOUR)
                await sink.tried(2 if hours > 1 else 1)
                claimed = (await one.desk.get(asked.id)).reminded
    assert (claimed, len(sink.got)) == (("opened", "last"), 2)


async def test_a_question_reaches_people_whatever_is_wrong_with_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> str:
        raise TypeError("a row that no program of ours wrote")

    async with http_sink() as sink, running(tmp_path / "x.db", [sink.url]) as one:
        monkeypatch.setattr(one.desk, "log_head", broken)
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)
        await one.until_claimed(asked)
        await until(lambda: len(sink.got) == 1)
    assert "Log:" not in sink.got[0]["message"]


async def test_without_escalation_addresses_the_stage_is_left_to_another_process(tmp_path: Path) -> None:
    async with http_sink() as sink, http_sink() as boss:
        async with running(tmp_path / "x.db", [sink.url]) as one:
            asked = await one.desk.ask(message="Deploy?", caller=CODEX)
            await one.pass_time(19 * HOUR)
            assert (await one.desk.get(asked.id)).reminded == ("half",)
            await sink.tried(1)
        async with running(tmp_path / "x.db", [], [boss.url]) as one:
            await one.pass_time(19 * HOUR)
            await boss.tried(1)
            assert (await one.desk.get(asked.id)).reminded == ("half", "escalated")


# What goes wrong


async def test_what_was_not_sent_is_in_the_log_and_tried_again_until_it_is(tmp_path: Path) -> None:
    async with http_sink() as sink, running(tmp_path / "x.db", [NOBODY.replace("json", "xml"), sink.url]) as one:
        sink.refuses = True
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)
        await one.until(lambda: sink.tries == 2)
        sink.refuses = False
        await one.until(lambda: len(sink.got) == 1)
        await one.until(lambda: one.clock.now() > asked.created_at + timedelta(seconds=2000))
        log = await one.log(asked)
        assert (await one.desk.get(asked.id)).state is State.OPEN
    assert log[:2] == [("opened", ""), ("reminded", "opened")]
    why = "HANDOFFS_NOTIFY 2 (json), opened: the service can't be reached, or refused it"
    assert [each for each in log if "2 (json)" in each[1]] == [
        ("notshown", f"{why}; again in 10 s"),
        ("notshown", f"{why}; again in 40 s"),
    ]
    assert sink.tries == 3


async def test_an_address_that_never_accepts_is_given_up_and_the_question_stays(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "x.db", [NOBODY]) as one:
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)

        async def failures() -> list[timedelta]:
            entries = await one.desk.log(handoff_id=asked.id)
            return [entry.at - asked.created_at for entry in entries if entry.name == "notshown"]

        tries = await until(failures, lambda found: len(found) > len(BACK_OFF), meanwhile=one.pass_time_until_due)
        await one.pass_time(HOUR)
        after = await one.log(asked)
        assert (await one.desk.get(asked.id)).state is State.OPEN
    assert [name for name, _ in after] == ["opened", "reminded", *["notshown"] * 5]
    assert after[-1][1].endswith("the service can't be reached, or refused it")
    between = [(later - earlier).total_seconds() for earlier, later in pairwise(tries)]
    assert all(gap >= pause for gap, pause in zip(between, BACK_OFF, strict=True))


async def test_what_is_answered_meanwhile_is_not_sent_any_more(tmp_path: Path) -> None:
    async with http_sink() as sink, running(tmp_path / "x.db", [sink.url]) as one:
        sink.refuses = True
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)
        await one.until(lambda: sink.tries == 1)
        await one.desk.answer(asked, {"response": "yes"}, by="ada", channel="inbox")
        sink.refuses = False
        await one.pass_time(HOUR)
        assert (sink.tries, sink.got) == (1, [])


async def test_a_service_that_hangs_holds_up_nobody_and_counts_as_not_sent(tmp_path: Path) -> None:
    async with (
        http_sink() as stuck,
        http_sink() as sink,
        running(tmp_path / "x.db", [stuck.url, sink.url], seconds=0.3) as one,
    ):
        stuck.hangs = True
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)
        await one.until(lambda: len(sink.got) == 1)
        ended = await one.desk.answer(asked, {"response": "yes"}, by="ada", channel="inbox")
        assert ended.state is State.ANSWERED
        other = await one.desk.ask(message="And now?", caller=CODEX)
        await one.until(lambda: len(sink.got) == 2)
        log = await until(lambda: one.log(other), lambda log: len(log) >= 3)
    assert log[2] == ("notshown", "HANDOFFS_NOTIFY 1 (json), opened: no answer within 0.3 s; again in 10 s")


def test_a_process_ends_at_once_while_a_message_hangs() -> None:
    code = (
        "import anyio, socket\n"
        "from handoffs.channels.notify import Notice, Recipient\n"
        "async def main():\n"
        "    with socket.socket() as deaf:\n"
        "        deaf.bind(('127.0.0.1', 0)); deaf.listen()\n"
        "        url = f'json://127.0.0.1:{deaf.getsockname()[1]}?rto=60&cto=60'\n"
        "        with anyio.move_on_after(2) as cut:\n"
        "            await Recipient(url, setting='X', number=1).send(Notice(title='a', body='b'))\n"
        "        print(cut.cancelled_caught)\n"
        "anyio.run(main)\n"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)
    assert time.monotonic() - start < 20


async def test_a_link_that_can_not_be_made_takes_nobody_down(tmp_path: Path) -> None:
    def broken(_: str) -> str:
        raise OSError("http://127.0.0.1/t0p5ecret")

    async with http_sink() as sink, running(tmp_path / "x.db", [sink.url], link=broken) as one:
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)
        await one.pass_time(60)
        log = await until(lambda: one.log(asked), lambda log: len(log) >= 3)
    assert log[2] == ("notshown", "HANDOFFS_NOTIFY 1 (json), opened: failed with OSError; again in 10 s")


async def test_a_store_that_can_not_be_used_is_waited_for(tmp_path: Path) -> None:
    store = tmp_path / "x.db"
    store.write_text("no store")
    async with http_sink() as sink, running(store, [sink.url]) as one:
        one.clock.forward(1)
        await anyio.wait_all_tasks_blocked()
        await one.until(lambda: one.clock.waiting > 0)
        store.unlink()
        await one.desk.ask(message="Deploy?", caller=CODEX)
        await one.until(lambda: len(sink.got) == 1)


def failed(log: list[tuple[str, str]]) -> set[str]:
    """The addresses to which a message failed, one try or several."""
    return {reason.partition(",")[0] for name, reason in log if name == "notshown"}


async def test_no_address_is_in_the_handoffs_log_the_programs_log_or_the_screen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger().setLevel(logging.DEBUG)
    async with http_sink() as sink, http_sink() as refusing:
        refusing.refuses = True
        bad = [
            NOBODY,
            refusing.url,
            sink.url,
            f"nosuch://ada:{PASSWORD}@host/{TOKEN}",
            f"json://{TOKEN}:{PASSWORD}@",
            f"slack://{TOKEN}/{PASSWORD}",
            f"mailto://{TOKEN}:{PASSWORD}@127.0.0.1:1?smtp=127.0.0.1&from=a@example.org&to=b@example.org",
        ]
        async with running(tmp_path / "x.db", bad) as one:
            asked = await one.desk.ask(message="Deploy?", caller=CODEX)
            await one.until(lambda: bool(sink.got))
            log = await until(lambda: one.log(asked), lambda log: len(failed(log)) >= len(bad) - 1)
            what = [(entry.name, dict(entry.details)) for entry in await one.desk.log(handoff_id=asked.id)]
    logged = "".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    seen = capfd.readouterr()
    for words in (str(what), str(log), logged, seen.out, seen.err):
        assert TOKEN not in words
        assert PASSWORD not in words
    assert failed(log) == {
        f"HANDOFFS_NOTIFY {number} ({scheme})"
        for number, scheme in ((1, "json"), (2, "json"), (4, "nosuch"), (5, "json"), (6, "slack"), (7, "mailto"))
    }


def test_an_address_is_shown_nowhere_as_what_it_is() -> None:
    [one] = recipients("HANDOFFS_NOTIFY", [f"json://ada:{PASSWORD}@host/{TOKEN}"])
    assert one.name == "HANDOFFS_NOTIFY 1 (json)"
    assert TOKEN not in repr(one)


async def test_without_apprise_the_log_says_how_to_get_it_and_sending_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    async with running(tmp_path / "x.db", [NOBODY]) as one:
        asked = await one.desk.ask(message="Deploy?", caller=CODEX)
        await one.pass_time(HOUR)
        log = await until(lambda: one.log(asked), lambda log: len(log) >= 3)
    assert log[2:] == [
        ("notshown", f"HANDOFFS_NOTIFY 1 (json), opened: the extra notify is not installed: {command_to_add('notify')}")
    ]


# What is said


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("text", "“Is 1 & 2 ‹script›alert(1)‹/script› **fine**?”"),
        ("html", "“Is 1 &amp; 2 ‹script›alert(1)‹/script› **fine**?”"),
    ],
)
async def test_a_mail_of_either_kind_says_what_the_agent_wrote_as_text(tmp_path: Path, kind: str, shown: str) -> None:
    async with mail_sink() as mail, running(tmp_path / "x.db", [f"{mail.url}&format={kind}"]) as one:
        await one.desk.ask(message="Is 1 & 2 <script>alert(1)</script> **fine**?", caller=CODEX)
        await one.pass_time(60)
        await mail.came.wait()
    [(sender, to, letter)] = mail.got
    assert (sender, to) == ("handoffs@example.org", ["ada@example.org"])
    assert letter["subject"] == "codex · /srv/shop asks you"
    body = letter.get_body(("html" if kind == "html" else "plain",))
    assert body is not None
    assert shown in body.get_content().replace("&nbsp;", " ").replace("&emsp;", "    ")


def told(**changes: object) -> Notice:
    return notice_of(handoff(**changes), Stage.OPENED, now=ASKED, link=None)  # type: ignore[arg-type]


def test_without_an_inbox_it_says_which_command_answers() -> None:
    last = f"Answer on {socket.gethostname()}: handoffs answer h_7Q2xYzabcdefghijkmnp"
    assert told().body.splitlines()[-1] == last


def test_for_a_secret_that_command_opens_the_inbox() -> None:
    form = parse({"properties": {"it": {"type": "string", "format": "password"}}})
    asked = handoff(form=form)
    told = notice_of(asked, Stage.OPENED, now=ASKED, link=None)
    assert told.body.endswith(f"Answer on {socket.gethostname()}: handoffs inbox")


def test_a_notice_of_an_action_names_the_tool_and_no_argument() -> None:
    action = Action(asker=Asker.GATE, server="shop", tool="sign_in", arguments='{"password": "hunter2"}')
    asked = handoff()
    asked = replace(asked, question=replace(asked.question, message=message_of(action), action=action))
    told = notice_of(asked, Stage.OPENED, now=ASKED, link=None)
    assert "sign_in" in told.body
    assert "hunter2" not in told.body + told.title


def test_what_is_only_told_says_that_the_agent_has_stopped() -> None:
    stopped = notice_of(_breakout(), Stage.OPENED, now=ASKED, link=None)
    assert stopped.title == "claude-code · /home/ada/site stopped, and leaves this to you"


def test_a_caller_without_a_name_is_an_agent() -> None:
    assert told(caller=Caller(subject="ada")).title == "An agent asks you"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("@everyone look: <@U123> <!channel>", "＠everyone look: ‹＠U123› ‹!channel›"),
        ("[the inbox](https://evil.example/)", "［the inbox］(https∶//evil.\u2060example/)"),
        ("fine”\n\nAnswer: http://evil.example", "fine' Answer: http∶//evil.\u2060example"),
        ("a\x1b[2Jb\u202ec", "a␛［2Jb⟨U+202E⟩c"),
        ("Sign in at bank.example.com/login.", "Sign in at bank.\u2060example.\u2060com/login."),
        ("Edit app.py, see t.me/eve。example", "Edit app.\u2060py, see t.\u2060me/eve。\u2060example"),
        ("Done. Next? 1. Push", "Done. Next? 1. Push"),
        ("x" * 20_000, "x" * 299 + "…"),
    ],
)
def test_what_the_agent_wrote_is_one_line_that_does_nothing(message: str, shown: str) -> None:
    first, empty, _left, _where = told(message=message).body.split("\n")
    assert (first, empty) == (f"“{shown}”", "")


@given(st.text(max_size=400), st.text(max_size=120))
def test_no_text_of_an_agent_adds_a_line_a_link_or_a_mention(message: str, client: str) -> None:
    notice = told(message=message, caller=Caller(subject="ada", client=client))
    lines = notice.body.split("\n")
    assert len(lines) == 4
    assert (lines[0][0], lines[0][-1], lines[1]) == ("“", "”", "")
    assert not set("<>@[]“”\n\r\x1b") & set(lines[0][1:-1])
    assert not set("<>@[]\n\r\x1b") & set(notice.title)
    assert "://" not in notice.body + notice.title
    for shown in (lines[0], notice.title):
        assert re.search(r"\w[.\u3002\uff0e\uff61]\w", shown) is None
    assert len(lines[0].replace("\u2060", "")) <= 302
    assert len(notice.title.replace("\u2060", "")) <= 110


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(45, "45 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7_200, "2 hours"), (3 * 86_400, "3 days")],
)
def test_how_long_is_said_in_the_largest_unit_of_which_there_are_two(seconds: int, said: str) -> None:
    asked = handoff()
    notice = notice_of(asked, Stage.OPENED, now=asked.question.deadline - timedelta(seconds=seconds), link=None)
    assert f"Open for another {said}, until {stamped(19, 30, days=1)}." in notice.body


def _breakout() -> Handoff:
    asked = handoff()
    return replace(asked, question=replace(asked.question, breakout_of_loop=True))


async def test_messages_to_one_address_go_one_after_the_other() -> None:
    async with http_sink() as sink, anyio.create_task_group() as tasks:
        one = Recipient(sink.url, setting="HANDOFFS_NOTIFY", number=1)
        with anyio.fail_after(120):
            for number in range(5):
                tasks.start_soon(one.send, Notice(title=f"{number}", body="b"))
            await sink.tried(5)
    assert sink.titles == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("inbox_url", ["", "https://inbox.example.com"])
async def test_a_link_that_leads_nowhere_from_a_phone_is_sent_to_nobody(inbox_url: str, tmp_path: Path) -> None:
    """An inbox that runs on this machine's loopback is none for people who are away from it."""
    home = Home(tmp_path)
    place = InboxRecord(store=home.store, data=tmp_path / "data" / "handoffs")
    place.make()
    lock = place.claim()
    assert lock is not None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place.announce(Running(url=f"http://127.0.0.1:{listener.getsockname()[1]}/", pid=os.getpid()))
        async with http_sink() as sink:
            home.extra |= {"HANDOFFS_NOTIFY": sink.url, "HANDOFFS_INBOX_URL": inbox_url}
            async with home.stdio() as client:
                asked = await ask(client, breakout_of_loop=True)
                with anyio.fail_after(50):
                    await sink.tried(1)
    lock.release()
    *_, last, log = sink.got[0]["message"].splitlines()
    assert log.startswith("Log: ")  # the head of the verifiable log, as it is then
    assert "entr" in log
    if inbox_url:
        assert last == f"Answer: {inbox_url}/h/{asked['handoffId']}"
    else:
        assert last == f"Answer on {socket.gethostname()}: handoffs answer {asked['handoffId']}"


@pytest.mark.parametrize("taken", [True, False])
async def test_what_a_service_returns_is_asked_for_its_truth_alone(
    taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to apprise 2.2 it is a boolean, from 2.3 on an object that says more."""

    class Result:
        def __bool__(self) -> bool:
            return taken

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]

    import apprise

    monkeypatch.setattr(apprise.Apprise, "notify", lambda *_, **__: Result())
    recipient = Recipient("json://127.0.0.1:1", setting="HANDOFFS_NOTIFY", number=1)
    if taken:
        await recipient.send(Notice(title="A", body="B"))
    else:
        with pytest.raises(NotSent):
            await recipient.send(Notice(title="A", body="B"))


def test_a_message_says_who_decides_and_shows_nothing_that_only_theirs_see() -> None:
    asked = handoff()
    rule = Deciders(rule="gate.toml:3", asked_at=ASKED, seats=(Seat(person="bob"),))
    shown = replace(asked, question=replace(asked.question, message="Pay?", deciders=rule))
    told = notice_of(shown, Stage.OPENED, now=ASKED, link=None)
    assert "“Pay?”" in told.body
    assert "It is the decision of bob (rule gate.\u2060toml:3); 1 vote is needed." in told.body
    hidden = replace(shown, question=replace(shown.question, deciders=replace(rule, visible="theirs")))
    told = notice_of(hidden, Stage.OPENED, now=ASKED, link=None)
    assert told.title == "An agent asks you"
    assert "Pay" not in told.body
    assert "bob" not in told.body
