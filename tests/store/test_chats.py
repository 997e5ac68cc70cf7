"""The chats that every store keeps, engine by engine: each sentence of the port `Chats`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import anyio
import pytest

from handoffs.core.chat import Chat, Code, Shown, Told
from handoffs.store import OpenStore
from tests.core.strategies import ASKED
from tests.store.conftest import Place
from tests.store.samples import LATER, person
from tests.store.test_prune import NOW, ended, pruned

MINUTE = timedelta(minutes=1)


def chat(chat_id: str = "c_1", who: str = "ada", *, at: datetime = ASKED) -> Chat:
    return Chat(
        id=chat_id, person=who, channel="ntfy", account=chat_id, sealed="1.a.b", hint="ntfy.sh", added_at=at
    )  # fmt: skip


def told(handoff: str = "h_1", *, chat: str = "c_1", shown: Shown = Shown.OPEN, ref: str = "r") -> Told:
    return Told(chat=chat, handoff=handoff, key=f"m_{handoff}", ref=ref, shown=shown, at=ASKED)


def code(digest: str, handoff: str = "h_1", *, chat: str = "c_1") -> Code:
    answer = {"response": digest}
    return Code(digest=digest, chat=chat, handoff=handoff, content="x", answer=answer, expires_at=LATER)


async def test_chats_come_back_equal_and_are_changed(store: OpenStore, same_store: OpenStore) -> None:
    assert not await store.has_chats()
    first, second = chat(), replace(chat("c_2", "bo\udce9b\0", at=LATER), quiet="22:00-07:00", on=False, problem="away")
    await store.chats.keep(second)
    await store.chats.keep(first)
    kept = await same_store.chats.all()
    assert kept == [first, replace(second, person="bo\\udce9b\0")]
    assert await same_store.has_chats()
    await store.chats.keep(replace(first, hint="other"))
    await store.chats.note("c_2", "")
    assert [(each.hint, each.problem) for each in await same_store.chats.all()] == [("other", ""), ("ntfy.sh", "")]


async def test_a_forgotten_chat_does_not_come_back_by_a_change(store: OpenStore) -> None:
    await store.chats.keep(chat())
    await store.chats.change(replace(chat(), hint="other", on=False))
    assert await store.chats.all() == [replace(chat(), hint="other", on=False)]
    await store.chats.forget("c_1")
    await store.chats.change(chat())
    assert await store.chats.all() == []


async def test_a_chat_is_forgotten_with_all_it_has(store: OpenStore) -> None:
    await store.chats.keep(chat())
    await store.chats.tell([told()], [code("d")])
    assert await store.chats.forget("c_1")
    assert not await store.chats.forget("c_1")
    assert (await store.chats.all(), await store.chats.told(["c_1"]), await store.chats.code("d")) == ([], [], None)


async def test_who_is_removed_has_no_chats(store: OpenStore) -> None:
    await store.people.add(person("ada"))
    await store.chats.keep(chat())
    await store.chats.keep(chat("c_2", "bob"))
    await store.people.remove("ada", at=LATER)
    assert [each.person for each in await store.chats.all()] == ["bob"]


async def test_one_holder_at_a_time_serves_an_account(store: OpenStore, same_store: OpenStore) -> None:
    async def hold(who: OpenStore, name: str, at: datetime) -> str | None:
        return await who.chats.hold("a", name, at=at, until=at + MINUTE)

    assert await hold(store, "one", ASKED) == ""
    assert await hold(same_store, "two", ASKED) is None
    await store.chats.move("a", "42")
    assert await hold(store, "one", ASKED + MINUTE / 2) == "42"
    assert await hold(same_store, "two", ASKED + MINUTE) is None
    assert await hold(same_store, "two", ASKED + 2 * MINUTE) == "42"
    await store.chats.leave("a", "one")  # it is not the one's any more
    assert await hold(store, "one", ASKED + 2 * MINUTE) is None
    await same_store.chats.leave("a", "two")
    assert await hold(store, "one", ASKED + 2 * MINUTE) == "42"


async def test_messages_are_kept_until_they_have_ended(store: OpenStore) -> None:
    assert await store.chats.told([]) == []
    await store.chats.tell([told("h_1"), told("h_2"), told("h_3", chat="c_2")])
    assert await store.chats.told(["c_1"]) == [told("h_1"), told("h_2")]
    await store.chats.tell([told("h_1", shown=Shown.ENDED)])
    assert await store.chats.told(["c_1", "c_2"]) == [told("h_2"), told("h_3", chat="c_2")]
    assert await store.chats.found("c_1", "r") == [told("h_1", shown=Shown.ENDED), told("h_2")]
    assert await store.chats.found("c_2", "other") == []


async def test_a_new_message_voids_the_codes_of_the_old(store: OpenStore) -> None:
    await store.chats.keep(chat())
    await store.chats.tell([told()], [code("old"), code("reply")])
    await store.chats.tell([told()])
    assert await store.chats.code("old") == code("old")
    await store.chats.tell([told()], [code("new"), code("reply")])
    assert await store.chats.code("old") is None
    assert await store.chats.code("new") == code("new")


async def test_a_code_is_used_once_with_all_of_its_message(store: OpenStore, same_store: OpenStore) -> None:
    await store.chats.keep(chat())
    await store.chats.tell([told(), told("h_2")], [code("yes"), code("no"), code("other", "h_2")])
    used = await store.chats.redeem("yes", chat_id="c_1", event="e1", at=ASKED)
    assert used == code("yes")
    assert await same_store.chats.redeem("yes", chat_id="c_1", event="e2", at=ASKED) is None
    assert await same_store.chats.redeem("no", chat_id="c_1", event="e3", at=ASKED) is None
    again = await same_store.chats.redeem("yes", chat_id="c_1", event="e1", at=ASKED)
    assert again == replace(code("yes"), used_at=ASKED, used_by="e1")
    assert await same_store.chats.redeem("other", chat_id="c_1", event="e4", at=ASKED) == code("other", "h_2")


async def test_a_code_is_for_its_chat_and_its_time(store: OpenStore) -> None:
    await store.chats.keep(chat())
    await store.chats.tell([told()], [code("d")])

    async def redeemed(chat_id: str = "c_1", at: datetime = ASKED) -> Code | None:
        return await store.chats.redeem("d", chat_id=chat_id, event="e", at=at)

    assert await redeemed("c_2") is None
    assert await redeemed(at=LATER) is None
    await store.chats.keep(replace(chat(), on=False))
    assert await redeemed() is None
    await store.chats.keep(chat())
    assert await redeemed() is not None


@pytest.mark.parametrize("digests", [("yes", "yes"), ("yes", "no")], ids=["one button", "two buttons"])
async def test_of_two_at_once_one_uses_the_code(
    store: OpenStore, same_store: OpenStore, digests: Sequence[str]
) -> None:
    await store.chats.keep(chat())
    await store.chats.tell([told()], [code("yes"), code("no")])
    got: list[Code | None] = []

    async def redeem(who: OpenStore, digest: str, event: str) -> None:
        got.append(await who.chats.redeem(digest, chat_id="c_1", event=event, at=ASKED))

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(redeem, store, digests[0], f"one {number}")
            tasks.start_soon(redeem, same_store, digests[1], f"two {number}")
    assert len([each for each in got if each is not None]) == 1


async def test_pruning_removes_what_was_told_of_a_question(store: OpenStore, place: Place) -> None:
    old = await ended(store, "Old?", at=ASKED)
    await ended(store, "Another?", at=NOW)
    await store.chats.keep(chat())
    await store.chats.tell([told(old.id), told("h_2")], [code("d", old.id), code("e", "h_2")])
    assert await pruned(place, timedelta(days=90)) == 1
    assert [each.handoff for each in await store.chats.told(["c_1"])] == ["h_2"]
    assert await store.chats.code("d") is None
    assert await store.chats.code("e") is not None


async def test_what_ended_long_ago_is_forgotten(store: OpenStore) -> None:
    await store.chats.keep(chat())
    await store.chats.tell([told(shown=Shown.ENDED)], [code("d")])
    later = ASKED + timedelta(days=40)
    await store.chats.tell([replace(told("h_9"), at=later)], [replace(code("new", "h_9"), expires_at=later + MINUTE)])
    assert await store.chats.code("d") is None
    assert await store.chats.found("c_1", "r") == [replace(told("h_9"), at=later)]
