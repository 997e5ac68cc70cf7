"""Chats in the language of their people: each channel in one, its answers, and what no language changes."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.channels import ntfy, slack, telegram, webpush
from handoffs.channels.chats.picked import picked
from handoffs.channels.chats.sealed import unseal
from handoffs.channels.chats.service import LANGUAGE, Kind, Limits
from handoffs.channels.chats.wording import BAR, Place, answers_of, list_of, outcome_of, voted_of, written
from handoffs.channels.mailbox.marks import CODES, MARKS
from handoffs.channels.webpush import AWAY, MOST_BYTES, payload_of
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form, with_titles
from handoffs.core.action_shown import message_of
from handoffs.core.errors import AlreadyEnded
from handoffs.core.lifecycle import advance, already_ended
from handoffs.core.model import Handoff
from handoffs.core.schema import parse
from handoffs.languages.catalogue import MARKS as KNOWN
from handoffs.languages.catalogue import read_catalogue
from handoffs.languages.spoken import spoken
from handoffs.languages.tags import LANGUAGES
from handoffs.sealing import AesGcmSealer
from tests.channels.chatting import BURST, Home, Passing, decided_by, home
from tests.channels.mail_server import confirmed, mail_server, text_of
from tests.channels.ntfy_server import ntfy_server
from tests.channels.push_server import code_of, press, push_server
from tests.channels.slack_server import buttons, slack_server
from tests.channels.telegram_server import telegram_server
from tests.channels.test_slack import member
from tests.channels.test_telegram import paired
from tests.core.strategies import ADA
from tests.store.samples import LATER, answered, sample
from tests.waiting import until

TAGS = sorted(KNOWN)
CUT = "⟨cut: the inbox has all of it⟩"
BOOLEAN = {"type": "object", "properties": {"go": {"type": "boolean", "title": "Go"}}, "required": ["go"]}
GO = parse(BOOLEAN)
DECIDE = with_titles(parse(action_form(editable=False)))
WORDS = {
    "de": ("Ja", "Nein", "Einmal erlauben", "Verweigern"),
    "es": ("Sí", "No", "Permitir una vez", "Denegar"),
    "fr": ("Oui", "Non", "Autoriser une fois", "Refuser"),
    "ja": ("はい", "いいえ", "今回だけ許可する", "拒否する"),
    "zh-Hans": ("是", "否", "允许一次", "拒绝"),
}


def kinds_of(*modules: Kind) -> Mapping[str, Kind]:
    return {each.name: each for each in modules}


async def ended(there: Home, handoff: Handoff) -> Handoff:
    with anyio.fail_after(120):
        return await there.desk.wait(handoff.id, seconds=None)


def held(*channels: str) -> Action:
    return Action(asker=Asker.GATE, server="shop", tool="drop_table", arguments='{"name": "orders"}', channels=channels)


# Each channel in one language


async def test_a_mail_in_german_is_answered_in_german_and_english(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server, language="de")
        asked = await there.ask("Deploy to production?", form=BOOLEAN)
        letter = await ada.shown("Deploy to production?")
        said = text_of(letter)
        assert str(letter["Subject"]) == "codex · /srv/shop fragt Sie"
        assert said.startswith("== Schreiben Sie Ihre Antwort über diese Zeile ==\n\n│ Deploy to production?\n")
        assert "│ 1. Ja\n│ 2. Nein\n" in said
        assert "Noch 24 Stunden offen, bis " in said
        assert f"{asked.question.deadline:%d.%m.%Y, %H:%M} UTC." in said
        assert "mit der Nummer oder dem Namen Ihrer Wahl, allein in der ersten Zeile. Oder: https://inbox." in said
        assert "\nCode dieser Nachricht: " in said
        ada.reply(letter, "vielleicht")
        told = await ada.shown(
            "In der ersten Zeile Ihrer Antwort steht keine der Möglichkeiten allein: 1 (Ja), 2 (Nein)."
        )
        assert "Nichts wurde gespeichert." in text_of(told)
        ada.reply(letter, "Ja!\n\nViele Grüße\nAda")
        answer = await ended(there, asked)
        assert answer.values == {"go": True}
        assert answer.end is not None
        assert (answer.end.by, answer.end.channel) == ("ada", "email")
        assert text_of(await ada.shown("Gespeichert: ")).strip() == "Gespeichert: ja."
        ada.reply(letter, "Nein")
        late = text_of(await ada.shown("ist schon zu Ende"))
        assert "beantwortet von ada über email am " in late
        assert late.strip().endswith("Dabei bleibt es. Mehr wurde nicht gespeichert.")
        # The English name counts, too, and the number; and the code, where a server has changed the message's name.
        for word, names in (("no", {}), ("2", {"In_Reply_To": "<1@x.example>", "References": "<1@x.example>"})):
            another = await there.ask(f"Another, {word}?", form=BOOLEAN)
            ada.reply(await ada.shown(f"Another, {word}?"), word, **names)
            assert (await ended(there, another)).values == {"go": False}


async def test_a_mail_in_german_says_how_a_question_ended_elsewhere(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server, language="de")
        asked = await there.ask("Which name?")
        letter = await ada.shown("Antworten Sie auf diese Nachricht mit Ihrer Antwort.")
        await until(lambda: there.log(asked, "reached"))
        await there.desk.answer(await there.desk.get(asked.id), {"response": "orders"}, by="bob", channel="inbox")
        told = await ada.shown("Beendet: beantwortet")
        assert "│ Which name?\n\nBeantwortet von bob über inbox am " in text_of(told)
        assert f". Frage {asked.id}" in text_of(told)
        assert str(told["Subject"]) == f"Re: {letter['Subject']}"


async def test_a_reply_counts_whatever_the_chat_speaks_by_then(tmp_path: Path) -> None:
    async with mail_server() as server, home(tmp_path, kinds=server.kinds()) as there:
        ada = await confirmed(there, server, language="ja")
        asked = await there.ask("Which name?")
        letter = await ada.shown("このメッセージに回答を返信してください。")
        await until(lambda: there.log(asked, "reached"))
        chat = await there.chat(channel="email")
        await there.setup.speak("ada", chat.id, "fr")
        # As a mail program quotes that marks no line.
        quoted = "\n".join(text_of(letter).splitlines())
        ada.post(ada.letter(f"注文\n\n{quoted}\n\niPhoneから送信", In_Reply_To="<1@x.example>"))
        assert (await ended(there, asked)).values == {"response": "注文"}
        await ada.shown("Enregistré : 注文.")


async def test_telegram_in_spanish(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=kinds_of(telegram.KIND)) as there:
        ada = await paired(there, server, language="es")
        asked = await there.ask("Deploy?", form=BOOLEAN)
        _, message = await ada.shown("Deploy?")
        assert message["text"].startswith(
            "codex · /srv/shop le pregunta\n\n│ Deploy?\n\nAbierta 24 horas más, hasta el "
        )
        rows = [[each["text"] for each in row] for row in message["reply_markup"]["inline_keyboard"]]
        assert rows == [["Sí"], ["No"], ["Abrir la bandeja"]]
        assert await ada.press(message, "Sí") == "Guardado: sí."
        assert (await ended(there, asked)).values == {"go": True}
        _, after = await ada.shown("Terminada: respondida")
        assert "Respondida por ada mediante telegram el " in after["text"]
        assert "ya ha terminado: respondida por ada" in await ada.press(message, "No")
        number = await there.ask(
            "How many?", form={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        )
        at, _ = await ada.shown("How many?")
        ada.write("muchos", reply_to=at)
        await ada.shown("N debe ser un número entero. No se guardó nada.")
        ada.write("3", reply_to=at)
        assert (await ended(there, number)).values == {"n": 3}


async def test_slack_in_french_allows_a_held_call(tmp_path: Path) -> None:
    async with slack_server() as server, home(tmp_path, kinds=kinds_of(slack.KIND)) as there:
        await there.people("ada", "bob")
        ada = await member(there, server, language="fr")
        action = held("slack")
        asked = await there.ask(
            message_of(action),
            form=action_form(editable=False),
            action=action,
            deciders=decided_by("ada", "bob", votes=2),
        )
        message = await ada.shown("Autoriser `drop_table` de `shop` avec exactement ces arguments ?")
        assert "orders" in json.dumps(message[2])
        assert "Il faut 2 votes." in json.dumps(message[2], ensure_ascii=False)
        assert [each["text"]["text"] for each in buttons(message[2])] == ["Autoriser une fois", "Refuser"]
        assert "Ouvrir la boîte" in json.dumps(message[2], ensure_ascii=False)
        await until(lambda: there.log(asked, "reached"))
        await ada.press(message, "Autoriser une fois")
        await ada.shown("Enregistré comme votre vote : Autoriser une fois.")
        await ada.shown("Il faut encore 1 vote.")
        (vote,) = (await there.desk.get(asked.id)).votes
        assert (vote.person, vote.refuses) == ("ada", False)
        await there.desk.answer(await there.desk.get(asked.id), {"decision": "allow"}, by="bob", channel="inbox")
        assert (await ended(there, asked)).values == {"decision": "allow"}
        await ada.shown("Terminée : répondue")


async def test_a_browser_is_pushed_to_in_chinese_and_answered_so(tmp_path: Path) -> None:
    async with push_server() as server, home(tmp_path, kinds=kinds_of(webpush.KIND)) as there, there.inbox() as inbox:
        browser = await there.browser(server, language="zh-Hans")
        asked = await there.ask("Deploy?", form=BOOLEAN)
        told = await browser.shown("Deploy?")
        assert (told["title"], told["lang"]) == ("codex · /srv/shop 向您提问", "zh-Hans")
        assert told["body"].startswith("│ Deploy?\n\n还可回答 24 小时，截止 ")
        assert [each["label"] for each in told["buttons"]] == ["是", "否"]
        # By the language of the channel, whatever the browser says that it wants.
        pressed = await press(inbox, code_of(told, "否"), **{"Accept-Language": "fr"})
        assert pressed.json() == {"said": "已记录：否。"}
        assert (await ended(there, asked)).values == {"go": False}
        assert "已回答（ada），通过 webpush，" in (await browser.shown("已结束：已回答"))["body"]


async def test_ntfy_in_japanese_is_cut_by_its_bytes(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        phone = await there.ntfy(server, language="ja")
        asked = await there.ask("本番に配置しますか？" + "あ" * 1_000, form=BOOLEAN)
        whole = await phone.shown("本番に配置しますか？")
        assert whole["title"] == "codex · /srv/shop からの質問"
        assert "あ" * 1_000 in whole["message"]
        assert len(whole["message"].encode()) <= ntfy.KIND.limits.text
        assert [each["label"] for each in whole["actions"]] == ["はい", "いいえ"]
        await phone.press(whole, "はい")
        await phone.shown("記録しました：はい。")
        assert (await ended(there, asked)).values == {"go": True}
        await phone.shown("終了：回答済み")
        await there.ask("長い質問" + "い" * 1_300, form=BOOLEAN)
        cut = await phone.shown("長い質問")
        assert "い\n⟨省略：全文は受信箱にあります⟩\n\n残り " in cut["message"]
        assert cut["message"].rstrip().splitlines()[-1].startswith("回答はこちら：https://inbox.example.com/h/")
        assert 3_790 < len(cut["message"].encode()) <= ntfy.KIND.limits.text
        assert cut["actions"] == []


# What no language changes


async def test_several_at_once_and_a_test_are_in_the_language(tmp_path: Path) -> None:
    clock = Passing()
    async with ntfy_server() as server, home(tmp_path, burst=BURST, clock=clock) as there:
        phone = await there.ntfy(server, language="de")
        await there.setup.test("ada", (await there.chat()).id)
        tried = await phone.shown("Ein Test von Handoffs")
        await phone.press(tried, "Es funktioniert")
        await phone.shown("Es funktioniert: Was Sie hier drücken, erreicht Handoffs.")
        await there.told(await there.ask("Zero?"))
        for name in ("One?", "Two?", "Three?"):
            await there.ask(name)
        clock.forward(BURST)
        listed = await phone.shown("3 Fragen warten auf Sie")
        assert "│ Two?\noffen · " in listed["message"]
        assert "Antworten: https://inbox.example.com" in listed["message"]


async def test_a_chat_without_a_known_language_is_told_in_english(tmp_path: Path) -> None:
    async with ntfy_server() as server, home(tmp_path) as there:
        await there.ntfy(server, "bob", language="tlh")
        phone = await there.ntfy(server)
        chat = await there.chat()
        sealer = AesGcmSealer(lambda: ["k" * 32])
        before = await unseal(sealer, chat)
        assert before is not None
        # As an earlier version has kept it.
        plain = {name: value for name, value in before.items() if name != LANGUAGE}
        sealed = await sealer.seal(json.dumps(plain), context=chat.context)
        await there.store.chats.keep(replace(chat, sealed=sealed))
        there.courier.poke()
        await there.ask(form=BOOLEAN)
        told = await phone.shown("Deploy?")
        assert [each["label"] for each in told["actions"]] == ["Yes", "No"]
        assert await there.setup.tag_of(chat) == "en"
        assert await there.setup.tag_of(await there.chat("bob")) == "en"
        await there.setup.speak("ada", chat.id, "de")
        await there.setup.turn("ada", chat.id, on=True)
        assert await there.setup.tag_of(await there.chat()) == "de"
        await there.setup.hush("ada", chat.id, "", language="fr")
        assert await there.setup.tag_of(await there.chat()) == "fr"


async def test_each_person_of_one_bot_is_told_in_their_own(tmp_path: Path) -> None:
    async with telegram_server() as server, home(tmp_path, kinds=kinds_of(telegram.KIND)) as there:
        await there.people("ada", "bob")
        ada = await paired(there, server, 42, "ada", language="de")
        bob = await paired(there, server, 43, "bob", language="ja")
        asked = await there.ask("Deploy?", form=BOOLEAN, deciders=decided_by("ada", "bob"))
        _, hers = await ada.shown("Deploy?")
        _, his = await bob.shown("Deploy?")
        assert (hers["text"].splitlines()[0], his["text"].splitlines()[0]) == (
            "codex · /srv/shop fragt Sie",
            "codex · /srv/shop からの質問",
        )
        assert await bob.press(his, "いいえ") == "記録しました：いいえ。"
        assert "Nein" not in (await ada.shown("Beendet: beantwortet"))[1]["text"]
        assert (await ended(there, asked)).values == {"go": False}
        (recorded,) = await there.log(asked, "answered")
        assert recorded["by"] == "bob"


LIMITS = Limits(text=3_800, buttons=3, label=40, replies=True)


def place(tag: str, limits: Limits = LIMITS, channel: str = "ntfy") -> Place:
    return Place(chat="c_1", channel=channel, limits=limits, link="https://i.example/h/x", language=read_catalogue(tag))


@pytest.mark.parametrize("tag", TAGS)
def test_every_language_names_each_answer_unmistakably(tag: str) -> None:
    catalogue = read_catalogue(tag)
    action = held("email")
    asked = sample("Go?", form=GO)
    decided = sample(message_of(action), form=DECIDE, action=action)
    found = [*answers_of(asked, "email"), *answers_of(decided, "email")]
    assert tuple(spoken(label, catalogue) for label, _ in found) == WORDS[tag]
    for of in (asked, decided):
        choices = answers_of(of, "email")
        for number, (label, values) in enumerate(choices, 1):
            for said in (label, spoken(label, catalogue), f"{number}", f"{number}. {spoken(label, catalogue)}"):
                assert picked(said, choices, catalogue) == values
    assert catalogue.sentence("yes") != catalogue.sentence("no")


@pytest.mark.parametrize("tag", TAGS)
@given(
    message=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=2_000),
    client=st.text(st.characters(exclude_categories=["Cs"]), max_size=120),
)
def test_agents_words_stay_behind_the_bar_in_every_language(tag: str, message: str, client: str) -> None:
    asked = sample(message, form=GO, caller=replace(ADA, client=client))
    for limits in (LIMITS, Limits(text=1_400, buttons=2, label=30, lines=4, brief=True)):
        made = written(asked, place(tag, limits), now=LATER).note
        assert len(made.body.encode()) <= limits.text
        head, _, foot = made.body.rpartition("\n\n")
        shown, cut, rest = head.partition(f"\n{read_catalogue(tag).sentence(CUT)}")
        assert all(line.startswith(BAR) or BAR.startswith(line) for line in shown.split("\n"))
        assert rest == ""
        assert BAR not in foot
        assert "\n" not in made.title
        assert not (cut and made.buttons)
        if limits.brief:
            assert len(payload_of(made, "m_" + "x" * 30, read_catalogue(tag).sentence(AWAY))) + 103 <= MOST_BYTES


@pytest.mark.parametrize("tag", TAGS)
def test_every_outcome_fits_and_says_who_and_when_in_the_language(tag: str) -> None:
    at = place(tag)
    over = advance(sample("x" * 2_000), answered(by="ada", channel="inbox"))
    note = outcome_of(over, at)
    assert over.end is not None
    when = read_catalogue(tag).moment(over.end.at)
    assert when in note.body
    assert "ada" in note.body
    assert over.id in note.body
    assert note.title != "Ended: answered"
    assert when in spoken(str(already_ended(over)), read_catalogue(tag))
    for many in (2, 60):
        listed = list_of([sample(f"Number {number}? {'ж' * 200}") for number in range(many)], at)
        assert len(listed.body.encode()) <= LIMITS.text
        assert str(many) in listed.title
    several = sample("Go?", deciders=decided_by("ada", "bob", votes=2))
    assert voted_of(several, at, "…").title != "Your vote is recorded"


def test_late_errors_are_in_english_for_agents_and_logs() -> None:
    over = advance(sample("x"), answered(by="ada", channel="inbox"))
    assert isinstance(already_ended(over), AlreadyEnded)
    assert over.end is not None
    stamp = f"{over.end.at:%Y-%m-%dT%H:%M:%SZ}"
    assert str(already_ended(over)) == f"{over.id} was already answered by ada through inbox at {stamp}. That stands."


@pytest.mark.parametrize("tag", TAGS)
def test_wide_characters_count_double_where_lines_are_seen(tag: str) -> None:
    limits = Limits(text=1_400, buttons=2, label=30, lines=4, brief=True)
    seen = sample("あ" * 75, form=GO)
    more = sample("あ" * 85, form=GO)
    assert len(written(seen, place(tag, limits), now=LATER).note.buttons) == 2
    assert not written(more, place(tag, limits), now=LATER).note.buttons


def test_every_language_has_the_lines_of_a_mail() -> None:
    assert set(MARKS) == set(CODES) == set(LANGUAGES)
    assert len({*MARKS.values()}) == len({*CODES.values()}) == len(LANGUAGES)
    # What was sent once is quoted for ever: add, and change nothing.
    assert all(mark.startswith("== ") and mark.endswith(" ==") and len(mark) < 60 for mark in MARKS.values())


def test_a_server_that_tells_no_chat_imports_no_language() -> None:
    code = (
        "import sys, handoffs.serving.mcp, handoffs.assembly, handoffs.core.desk\n"
        "found = [each for each in sys.modules if each.startswith(('handoffs.languages', 'handoffs.channels.chats'))]\n"
        "assert not found and 'polib' not in sys.modules, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
