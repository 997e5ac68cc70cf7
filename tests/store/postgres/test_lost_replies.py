"""Every reply of the database is lost once: what was asked for has happened once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from handoffs.core.errors import (
    AlreadyEnded,
    PersonNotFound,
    PersonRefused,
)
from handoffs.core.events import Cancelled, Collected, Reached
from handoffs.core.grant import Pin, Stop, new_grant_id
from handoffs.core.ids import new_id
from handoffs.core.model import State
from handoffs.core.person import Absence
from handoffs.core.quota import Quota
from handoffs.core.recovery import Recovery
from handoffs.proof.erasing import rewrite_at
from handoffs.store.postgres.store import PostgresStore
from tests.core.strategies import ASKED
from tests.store.relay import Relay
from tests.store.samples import DAY, LATER, LONG_AGO, answered, passkey, permission, person, sample


async def losses(everything: Callable[[PostgresStore], Awaitable[None]], address: str, network: Relay) -> int:
    """Do everything again and again, each time without another reply of the database; return how many were lost."""
    with anyio.fail_after(600):
        async with PostgresStore(address) as store:
            await everything(store)
            network.replies = 0
            await everything(store)
            replies, lost = network.replies, 0
            for number in range(1, replies + 1):
                network.replies, network.cut_at = 0, number
                await everything(store)
                lost += network.replies > number
    return lost


async def test_whichever_reply_is_lost_everything_is_kept_once(url: str, through: str, network: Relay) -> None:
    # From the first of all, to the last: connecting, making the tables, asking, answering, claiming.
    async def everything(address: str, number: int) -> list[str]:
        async with PostgresStore(address) as store:
            asked = sample(f"Question {number}", stays_open=DAY / 2)
            first = await store.open(asked, collect_after=LONG_AGO, quota=Quota(open=1000, per_minute=1000))
            assert first == asked
            assert (await store.open(sample(f"Question {number}", at=LATER), collect_after=LONG_AGO)) == first
            reached = await store.record(first.id, Reached(at=LATER, channel="inbox"), known=first)
            assert reached.reached == ("inbox",)
            assert (await store.record(first.id, answered(), known=first)).state is State.ANSWERED
            with pytest.raises(AlreadyEnded):
                await store.record(first.id, Cancelled(at=LATER, by="", channel="mcp"), known=first)
            late = await store.open(sample(f"Late {number}", stays_open=DAY / 2), collect_after=LONG_AGO)
            with pytest.raises(AlreadyEnded):
                await store.record(late.id, answered(at=ASKED + DAY))
            assert await store.claim(f"key {number}", now=ASKED, until=LATER)
            assert not await store.claim(f"key {number}", now=ASKED, until=LATER)
            return [line.name for handoff in (first, late) for line in await store.log(handoff_id=handoff.id)]

    names = ["opened", "reached", "answered", "opened", "expired"]
    with anyio.fail_after(600):
        await everything(through.replace("schema=", "schema=x"), 0)
        replies, lost = network.replies, 0
        for number in range(1, replies + 1):
            network.replies, network.cut_at = 0, number
            # Those that make the tables begin without any.
            address = through if number > 12 else through.replace("schema=", f"schema=x{number}_")
            assert await everything(address, number) == names
            lost += network.replies > number
    assert lost > 20


async def test_whichever_reply_is_lost_a_grant_is_used_once(url: str, through: str, network: Relay) -> None:
    async def everything(store: PostgresStore) -> None:
        kept, made = store.permissions, permission(uses_left=2, tool=new_grant_id())
        pin = Pin(server="shop", tool=made.tool, digest="d1", definition="{}", pinned_at=ASKED)
        await kept.pin([pin])
        assert (await kept.pins("shop"))[pin.tool] == pin
        await kept.unpin("shop", [pin.tool])
        await kept.grant(made)
        assert await kept.use(made.id, at=LATER) == replace(made, uses_left=1, uses=1, last_used_at=LATER)
        assert await kept.suspend(made.id, at=LATER)
        assert await kept.resume(made.id)
        used = replace(made, uses_left=0, uses=2, last_used_at=LATER)
        assert await kept.use(made.id, at=LATER) == used
        assert await kept.use(made.id, at=LATER) is None
        assert await kept.stop(Stop(by="ada", at=LATER))
        assert not await kept.stop(Stop(by="bob", at=LATER))
        assert await kept.lift()
        assert not await kept.lift()
        await kept.grant(other := permission(tool=made.tool))
        assert await kept.revoke(other.id, at=LATER)
        assert not await kept.revoke(other.id, at=LATER)
        assert await kept.end_grants(server="shop", tool=made.tool, at=LATER) == 1
        assert {each.id: each for each in await kept.grants(tool=made.tool)} == {
            made.id: replace(used, revoked_at=LATER), other.id: replace(other, revoked_at=LATER),
        }  # fmt: skip

    assert await losses(everything, through, network) > 15


async def test_whichever_reply_is_lost_people_and_keys_are_kept_once(through: str, network: Relay) -> None:
    async def everything(store: PostgresStore) -> None:
        people, mark = store.people, new_id("")
        ada, bob, digest = f"ada {mark}", f"bob {mark}", f"d {mark}"
        for name in (ada, bob):
            await people.add(person(name))
        with pytest.raises(PersonRefused, match="already"):
            await people.add(person(ada.upper()))
        assert (await people.change(ada, at=LATER, join=frozenset({mark}))).groups == {mark}
        away = Absence(person=ada, deputy=bob, since=ASKED, until=LATER)
        await people.away(away, at=ASKED)
        assert away in (await people.directory()).absences
        assert await people.come_back(ada, at=LATER)
        assert not await people.come_back(ada, at=LATER)
        assert await people.invite(digest, ada, expires_at=LATER)
        assert await people.redeem(digest, at=ASKED) == ada
        assert await people.redeem(digest, at=ASKED) is None
        begun = await people.begin(digest, ada, at=ASKED, agent="")
        assert begun is not None
        await people.seen(digest, at=LATER)
        assert await people.session(digest, at=LATER) == replace(begun, seen_at=LATER)
        assert await people.end(begun.id)
        assert not await people.end(begun.id)
        assert await people.begin(f"{digest} 2", ada, at=ASKED, agent="") is not None
        assert await people.end_all(ada) == 1
        await people.add_key(key := passkey(mark, person=ada))
        with pytest.raises(PersonRefused, match="enrolled before"):
            await people.add_key(key)
        assert await people.use_key(mark, sign_count=1, at=LATER)
        assert not await people.use_key(mark, sign_count=1, at=LATER)
        assert await people.remove_key(mark, at=LATER)
        assert not await people.remove_key(mark, at=LATER)
        assert await people.key(mark) == replace(key, sign_count=1, last_used_at=LATER, removed_at=LATER)
        assert await people.remove(ada, at=LATER)
        assert not await people.remove(ada, at=LATER)
        number = (await people.directory()).people[ada].id
        assert [each.name for each in await store.log(handoff_id=number)] == [
            "personadded", "personchanged", "personaway", "personback", "keyadded", "keyremoved", "personremoved",
        ]  # fmt: skip

    assert await losses(everything, through, network) > 30


async def test_whichever_reply_is_lost_a_recovery_and_an_erasure_happen_once(through: str, network: Relay) -> None:
    async def everything(store: PostgresStore) -> None:
        people, mark = store.people, new_id("")
        bob = f"bob {mark}"
        await people.add(person(bob))
        begins = ASKED + timedelta(days=2)
        asked = Recovery(person=bob, asked_by="eve", asked_at=ASKED, begins_at=begins, ends_at=begins + DAY)
        await people.ask_recovery(f"{mark} 1", asked)
        assert await people.stop_recovery(bob, by="eve", at=LATER)
        assert not await people.stop_recovery(bob, by="eve", at=LATER)
        await people.ask_recovery(f"{mark} 2", asked)
        assert await people.recover(f"{mark} 2", passkey(f"{mark} b", person=bob), at=begins)
        assert not await people.recover(f"{mark} 2", passkey(f"{mark} c", person=bob), at=begins)
        asked_one = await store.open(sample(mark), collect_after=LONG_AGO)
        await store.record(asked_one.id, answered(by=bob), Collected(at=LATER))
        erased = await people.erase(bob, at=LATER, rewrite=rewrite_at(LATER))
        names = [each.name for each in await store.log(handoff_id=erased.person)]
        assert names == [
            "personadded", "recoveryasked", "recoverystopped", "recoveryasked", "recovered", "personerased",
        ]  # fmt: skip
        lines = [each.name for each in await store.log(handoff_id=asked_one.id)]
        assert lines == ["opened", "answered", "collected", "erased"]
        with pytest.raises(PersonNotFound):
            await people.erase(bob, at=LATER, rewrite=rewrite_at(LATER))

    assert await losses(everything, through, network) > 30


async def test_whichever_reply_is_lost_while_a_watch_begins_it_begins(through: str, network: Relay) -> None:
    """A connection that is cut just then is no pooler that keeps notifications back."""
    lost = 0
    with anyio.fail_after(600):
        for number in range(1, 16):
            async with PostgresStore(through) as store:
                await store.ready()
                network.replies, network.cut_at = 0, number
                async with store.watch():
                    lost += network.replies > number
                network.cut_at = None
    assert lost > 4
