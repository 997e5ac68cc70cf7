"""Web Push: what a browser is told, what its buttons do, and where we do not post."""

import logging
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.assembly import setup_of
from handoffs.channels import ntfy, webpush
from handoffs.channels.chats.codes import new_code
from handoffs.channels.chats.service import Button, ChatRefused, Note
from handoffs.channels.vapid import derived_key, public_key
from handoffs.channels.webpush import AWAY, MOST_BYTES, payload_of
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.model import State
from handoffs.languages.tags import LANGUAGES
from handoffs.settings import Settings
from tests.channels.chatting import decided_by, said
from tests.channels.chatting import home as any_home
from tests.channels.ntfy_server import ntfy_server
from tests.channels.push_server import VAPID, Browser, code_of, press, push_server
from tests.waiting import until

KINDS = {"webpush": webpush.KIND, "ntfy": ntfy.KIND}


def home(folder: Path, **options: Any) -> Any:
    return any_home(folder, kinds=KINDS, **options)


def call(*channels: str, arguments: str = "{}", masked: tuple[str, ...] = ()) -> Action:
    return Action(
        asker=Asker.GATE, server="shop", tool="drop_table", arguments=arguments, channels=channels, masked=masked
    )


async def test_a_button_answers_and_the_notification_goes(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there, there.inbox() as inbox:
        browser = await there.browser(server)
        asked = await there.ask("Deploy to production?", options=["Yes", "No"])
        told = await browser.shown("Deploy to production?")
        assert told["title"] == "codex · /srv/shop asks you"
        assert told["body"].startswith("│ Deploy to production?\n\nOpen for another")
        assert told["url"] == f"/h/{asked.id}"
        assert [each["label"] for each in told["buttons"]] == ["Yes", "No"]
        pressed = await press(inbox, code_of(told, "Yes"))
        assert (pressed.status_code, pressed.json()) == (200, {"said": "Recorded: Yes."})
        answered = await there.desk.get(asked.id)
        assert answered.values == {"response": "Yes"}
        assert answered.end is not None
        assert (answered.end.by, answered.end.channel) == ("ada", "webpush")
        after = await browser.shown("Answered by ada through webpush")
        assert (after["tag"], after["buttons"], after["silent"], after["over"]) == (told["tag"], [], True, True)
        first, last = browser.headers
        assert first["topic"] == last["topic"]
        assert (first["urgency"], last["urgency"]) == ("high", "normal")
        assert server.refused == []


async def test_a_button_works_once_and_the_same_press_is_one(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there, there.inbox() as inbox:
        await there.people("ada", "bob")
        browser = await there.browser(server)
        asked = await there.ask(options=["Yes", "No"], deciders=decided_by("ada", "bob", votes=2))
        told = await browser.shown("Deploy?")
        event = secrets.token_hex(16)
        assert "your vote: Yes" in (await press(inbox, code_of(told, "Yes"), event)).json()["said"]
        await press(inbox, code_of(told, "Yes"), event)
        for label in ("Yes", "No"):
            assert "was answered before" in (await press(inbox, code_of(told, label))).json()["said"]
        handoff = await there.desk.get(asked.id)
        assert [(vote.person, vote.refuses) for vote in handoff.votes] == [("ada", False)]


async def test_a_button_of_yesterday_does_nothing(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there, there.inbox() as inbox:
        browser = await there.browser(server)
        await there.ask(options=["Yes", "No"], deadline_seconds=2)
        told = await browser.shown("Deploy?")
        await browser.shown("Ended: expired")
        assert "was already expired at" in (await press(inbox, code_of(told, "Yes"))).json()["said"]


async def test_a_button_after_an_answer_elsewhere_does_nothing(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there, there.inbox() as inbox:
        browser = await there.browser(server)
        asked = await there.ask(options=["Yes", "No"])
        told = await browser.shown("Deploy?")
        await there.desk.answer(await there.desk.get(asked.id), {"response": "No"}, by="eve", channel="inbox")
        assert "answered by eve through inbox" in (await press(inbox, code_of(told, "Yes"))).json()["said"]
        assert (await there.desk.get(asked.id)).values == {"response": "No"}


@pytest.mark.parametrize("off", [True, False])
async def test_a_browser_that_is_off_or_removed_presses_nothing(tmp_path: Path, off: bool) -> None:
    async with push_server() as server, home(tmp_path) as there, there.inbox() as inbox:
        browser = await there.browser(server)
        asked = await there.ask(options=["Yes", "No"])
        told = await browser.shown("Deploy?")
        chat = await there.chat(channel="webpush")
        await (there.setup.turn("ada", chat.id, on=False) if off else there.setup.remove("ada", chat.id))
        await press(inbox, code_of(told, "Yes"))
        assert (await there.desk.get(asked.id)).state is State.OPEN


async def test_what_is_no_press_of_this_inbox_is_refused(tmp_path: Path) -> None:
    async with push_server() as server, ntfy_server() as phones, home(tmp_path) as there, there.inbox() as inbox:
        browser, phone = await there.browser(server), await there.ntfy(phones)
        asked = await there.ask(options=["Yes", "No"])
        told = await browser.shown("Deploy?")
        code = code_of(told, "Yes")
        of_ntfy = (await phone.shown("Deploy?"))["actions"][0]["body"]
        assert (await press(inbox, of_ntfy)).status_code == 404
        assert (await press(inbox, new_code())).status_code == 404
        assert (await press(inbox, "h.x")).status_code == 400
        assert (await press(inbox, code, "<event>")).status_code == 400
        cross = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
        assert (await press(inbox, code, **cross)).status_code == 403
        assert (await press(inbox, code, host="evil.example")).status_code == 403
        assert (await inbox.post("/push/press", data={"code": code, "event": "e" * 20})).status_code == 415
        assert (await inbox.post("/push/press", json=["x"])).status_code == 400
        assert (await inbox.get("/push/press")).status_code == 405
        assert (await there.desk.get(asked.id)).state is State.OPEN
        assert "Recorded" in (await press(inbox, code)).json()["said"]


async def test_a_call_has_buttons_only_where_its_rule_says_so(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there, there.inbox() as inbox:
        browser = await there.browser(server)
        form = action_form(editable=False)
        await there.ask("Allow `one`?\n\norders", form=form, action=call())
        assert "orders" not in (await browser.shown("Allow `one`?"))["body"]
        await there.ask("Allow `two`?\n\nt0p", form=form, action=call("webpush", masked=("token",)))
        masked = await browser.shown("Allow `two`?")
        assert "t0p" not in masked["body"]
        assert masked["body"].split("\n\n")[1].startswith("Open it to answer.")
        long = await there.ask("Allow `three`?\n\n" + "orders " * 40, form=form, action=call("webpush"))
        await browser.shown("Allow `three`?")
        assert all(not each["buttons"] for each in browser.shows)
        held = await there.ask("Allow `four`?\n\norders", form=form, action=call("webpush"))
        told = await browser.shown("Allow `four`?")
        assert [each["label"] for each in told["buttons"]] == ["Allow once", "Deny"]
        assert "│ orders" in told["body"]
        await press(inbox, code_of(told, "Deny"))
        assert (await there.desk.get(held.id)).values == {"decision": "deny"}
        assert (await there.desk.get(long.id)).state is State.OPEN


async def test_three_choices_and_long_words_have_no_buttons(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there:
        browser = await there.browser(server)
        await there.ask("Three?", options=["1", "2", "3"])
        await there.ask("Long? " + "word " * 60, options=["Yes", "No"])
        await there.ask("Lines?\n\n\n\nand this", options=["Yes", "No"])
        for text in ("Three?", "Long?", "Lines?"):
            told = await browser.shown(text)
            assert told["buttons"] == []
            assert "Open it to answer." in told["body"]


def test_the_largest_message_fits() -> None:
    worst = Note(
        title='"' * 110,
        body='"\n' * 700,
        buttons=[Button(label="é" * 30, code=new_code())] * 2,
        link="/h/" + "x" * 30,
    )
    aways = [said(AWAY, tag) for tag in LANGUAGES]
    assert max(len(payload_of(worst, "m_" + "x" * 30, away)) for away in aways) + 16 + 86 + 1 <= MOST_BYTES


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_no_more_is_removed(tmp_path: Path, status: int) -> None:
    async with push_server() as server, home(tmp_path) as there:
        await there.browser(server)
        server.status = status
        asked = await there.ask(options=["Yes", "No"])
        await until(lambda: there.setup.of("ada"), lambda found: found == [])
        (noted,) = await there.log(asked, "notshown")
        assert noted["reason"] == f"the browser takes no notifications any more ({status}): the channel was removed"
        assert server.tries == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_a_service_that_is_away_is_tried_again(tmp_path: Path, status: int) -> None:
    async with push_server() as server, home(tmp_path) as there:
        browser = await there.browser(server)
        server.status = status
        asked = await there.ask(options=["Yes", "No"])
        await until(lambda: server.tries >= 2)
        server.status = 201
        await browser.shown("Deploy?")
        assert len(browser.pushes) == 1
        assert len(await there.log(asked, "notshown")) == 1
        await until(lambda: there.chat(channel="webpush"), lambda chat: chat.problem == "")


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with push_server() as server, push_server() as other, home(tmp_path) as there:
        elsewhere = other.subscribe()
        await there.browser(server)
        server.status, server.headers = 307, {"location": elsewhere.url}
        await there.ask(options=["Yes", "No"])
        await until(lambda: server.tries >= 2)
        assert other.tries == 0
        assert "307" in (await there.chat(channel="webpush")).problem


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"endpoint": "http://push.example.com/x"}, "by https"),
        ({"endpoint": "ftp://push.example.com/x"}, "by https"),
        ({"endpoint": "https://10.0.0.5/x"}, "public name"),
        ({"endpoint": "https://[fd00::1]/x"}, "public name"),
        ({"endpoint": "https://169.254.169.254/latest"}, "public name"),
        ({"endpoint": "https://localhost/x"}, "public name"),
        ({"endpoint": "https://127.1/x"}, "public name"),
        ({"endpoint": "https://0x7f.1/x"}, "public name"),
        ({"endpoint": "https://2130706433/x"}, "public name"),
        ({"endpoint": "https://vault/x"}, "public name"),
        ({"endpoint": "https://vault.internal/x"}, "public name"),
        ({"endpoint": "https://push.example.com:8200/x"}, "public name"),
        ({"endpoint": "http://localhost.example.com/x"}, "by https"),
        ({"endpoint": "https://ada:pw@push.example.com/x"}, "no name"),
        ({"endpoint": "https://push.example.com/x#y"}, "no fragment"),
        ({"endpoint": "https://push.example.com/ x"}, "can't be read"),
        ({"endpoint": "https://[push/x"}, "can't be read"),
        ({"endpoint": "https://push.example.com:x/x"}, "can't be read"),
        ({"endpoint": "https://push.example.com/" + "x" * 1_000}, "can't be read"),
        ({"endpoint": ""}, "this is needed"),
        ({"p256dh": "BAAA"}, "keys of this browser"),
        ({"p256dh": "B" * 87}, "keys of this browser"),
        ({"p256dh": "<>"}, "keys of this browser"),
        ({"auth": "AAAA"}, "keys of this browser"),
        ({"server_key": "BAAA"}, "another key"),
    ],
)
async def test_an_address_that_is_no_browsers_is_refused(tmp_path: Path, written: dict[str, str], said: str) -> None:
    async with home(tmp_path, serve=False) as there:
        valid = Browser("https://push.example.com/abc").written
        with pytest.raises(ChatRefused, match=said):
            await there.setup.add("ada", "webpush", valid | written)
        assert await there.setup.of("ada") == []
        await there.setup.add("ada", "webpush", valid)


def test_an_inbox_for_others_posts_to_no_service_of_its_machine() -> None:
    browser = Browser("http://127.0.0.1:8200/v1/secret")
    for where in ({"site": "https://inbox.example.com"}, {"site": "", "shared": "yes"}):
        with pytest.raises(ChatRefused, match="only this machine reaches"):
            webpush.KIND.read(browser.written | {"vapid": VAPID} | where)
    with pytest.raises(ChatRefused, match="No key can be kept"):
        webpush.KIND.read(browser.written)


@pytest.mark.parametrize("elsewhere", [{}, {"inbox_password": "p" * 20}, {"inbox_url": "https://inbox.example.com"}])
async def test_the_settings_say_who_reaches_the_inbox(tmp_path: Path, elsewhere: dict[str, Any]) -> None:
    async with home(tmp_path, serve=False) as there:
        settings = Settings(keys=("s" * 32,), **elsewhere)
        setup = setup_of(settings, there.desk, there.courier)
        added = await setup.browser()
        assert added["vapid"] == derived_key("s" * 32)
        assert bool(added["shared"]) == bool(elsewhere)
        local = Browser("http://127.0.0.1:9/x").written | {"server_key": public_key(added["vapid"])}
        if elsewhere:
            with pytest.raises(ChatRefused, match="only this machine reaches"):
                await setup.add("ada", "webpush", local)
        else:
            await setup.add("ada", "webpush", local)


async def test_the_same_browser_again_is_one_channel(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there:
        browser = await there.browser(server)
        first = await there.chat(channel="webpush")
        await there.setup.turn("ada", first.id, on=False)
        await there.setup.add("ada", "webpush", browser.written | {"label": "My laptop"})
        (again,) = await there.setup.of("ada")
        assert (again.id, again.on, again.hint) == (first.id, True, "My laptop, by 127.0.0.1")
        await there.ask(options=["Yes", "No"])
        await browser.shown("Deploy?")
        assert len(browser.pushes) == 1


async def test_one_browser_tells_the_last_person_who_set_it_up(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there:
        await there.people("ada", "bob")
        browser = await there.browser(server, "ada")
        await there.setup.add("bob", "webpush", browser.written)
        assert await there.setup.of("ada") == []
        await there.ask("For ada", options=["Yes", "No"], deciders=decided_by("ada"))
        await there.ask("For bob", options=["Yes", "No"], deciders=decided_by("bob"))
        await browser.shown("For bob")
        assert all("For ada" not in each["body"] for each in browser.pushes)


async def test_a_test_is_sent_and_its_button_counts(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there, there.inbox() as inbox:
        browser = await there.browser(server)
        chat = await there.chat(channel="webpush")
        await there.setup.test("ada", chat.id)
        told = await browser.shown("A test of Handoffs")
        assert "It works" in (await press(inbox, code_of(told, "It works"))).json()["said"]
        server.status = 410
        with pytest.raises(ChatRefused, match="the channel is removed"):
            await there.setup.test("ada", chat.id)
        assert await there.setup.of("ada") == []


async def test_nothing_of_a_browser_is_in_logs_or_in_the_clear(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with push_server() as server, home(tmp_path) as there:
        browser = await there.browser(server)
        await there.ask(options=["Yes", "No"])
        told = await browser.shown("Deploy?")
        await until(lambda: there.chat(channel="webpush"))
        secret = [browser.url.rpartition("/")[2], browser.written["p256dh"], browser.written["auth"], VAPID]
        codes = [each["code"] for each in told["buttons"]]
        ours = "\n".join(each.getMessage() for each in caplog.records)
        kept = b"".join(each.read_bytes() for each in tmp_path.glob("handoffs.db*"))
        for each in (*secret, *codes):
            assert each not in ours
            assert each.encode() not in kept


async def test_quiet_hours_hold_for_a_browser(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path) as there:
        now = datetime.now(UTC)
        quiet = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M} UTC"
        browser = await there.browser(server, quiet=quiet)
        other = await there.browser(server, "bob")
        await there.ask(options=["Yes", "No"])
        await other.shown("Deploy?")
        await anyio.sleep(0.2)
        assert browser.pushes == []


def test_the_key_of_an_inbox_is_that_of_its_secret() -> None:
    assert derived_key("a" * 32) == derived_key("a" * 32) != derived_key("b" * 32)
    assert len(public_key(derived_key("a" * 32))) == 87
