"""Webhooks: a receiver learns of every end in order, signed, at least once, from one process; and no words."""

import json
import logging
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from handoffs.api.webhooks import Receiver, Timing, run
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.core.question import Limits
from tests.acceptance.processes import Home
from tests.api.receivers import OTHER_SECRET, PATH_TOKEN, SECRET, Received, receiver
from tests.client.people import desk_of
from tests.store.backends import BACKENDS
from tests.store.postgres_server import new_store
from tests.waiting import until

CALLER = Caller(subject="ada", client="deploy.py", project="/srv")
QUICK = Timing(send=2, hold=3, renew=0.5, look=0.2, first_pause=0.05, longest_pause=0.2)
ENGINES = pytest.mark.parametrize("engine", BACKENDS)
WORDS = "Deploy the unmentionable?"
ENDS = ("answered", "declined", "cancelled", "expired")


@asynccontextmanager
async def desk_at(engine: str, address: str) -> AsyncGenerator[Desk]:
    async with BACKENDS[engine].connect(address) as store:
        yield Desk(store=store, clock=SystemClock(), limits=Limits(min_seconds=0.1))


def receiver_of(received: Received, *secrets: str) -> Receiver:
    return Receiver(number=1, url=received.url, secrets=secrets or (SECRET,))


@asynccontextmanager
async def posting(desk: Desk, *receivers: Receiver, timing: Timing = QUICK) -> AsyncGenerator[None]:
    """A process's webhooks, for the length of the block."""
    started = desk.clock.now()
    async with anyio.create_task_group() as tasks:

        async def work() -> None:
            await run(desk, receivers, started=started, timing=timing)

        tasks.start_soon(work)
        yield
        tasks.cancel_scope.cancel()


async def ask(desk: Desk, message: str = WORDS, *, seconds: float = 3600) -> str:
    asked = await desk.ask(message=message, caller=CALLER, options=["yes", "no"], deadline_seconds=seconds)
    return asked.id


async def end(desk: Desk, handoff_id: str, how: str = "answered") -> None:
    handoff = await desk.get(handoff_id)
    if how == "answered":
        await desk.answer(handoff, {"response": "yes"}, by="eve", channel="inbox", note="unmentionable")
    elif how == "declined":
        await desk.decline(handoff, by="eve", channel="terminal", note="unmentionable")
    else:
        await desk.cancel(handoff, by="eve", channel="program", note="unmentionable")


@ENGINES
async def test_every_end_is_told_in_order_and_signed(engine: str, tmp_path: Path) -> None:
    async with desk_at(engine, BACKENDS[engine].address(tmp_path)) as desk, receiver() as received:
        async with posting(desk, receiver_of(received)):
            ids = [await ask(desk, f"{WORDS} {how}", seconds=1 if how == "expired" else 3600) for how in ENDS]
            for handoff_id, how in zip(ids, ENDS[:3], strict=False):
                await end(desk, handoff_id, how)
            await until(lambda: len(received.got), lambda count: count >= 8)
        assert sorted(received.types) == sorted(["opened"] * 4 + list(ENDS))
        assert received.types[:4] == ["opened"] * 4
        numbers = [int(name.rpartition("_")[2]) for name, _ in received.got]
        assert numbers == sorted(set(numbers))
        for name, event in received.got:
            data, how = event["data"], event["type"].removeprefix("handoff.")
            assert name.startswith(f"{data['id']}_")
            assert data["state"] == ("open" if how == "opened" else how)
            assert data["client"] == "deploy.py"
            channels = {"answered": "inbox", "declined": "terminal", "cancelled": "program"}
            assert data["channel"] == channels.get(how)
            assert data["createdAt"] <= event["timestamp"]
            if how == "expired":
                assert event["timestamp"] >= data["deadline"]


@ENGINES
async def test_a_receiver_reads_nothing_that_anybody_wrote(engine: str, tmp_path: Path) -> None:
    async with desk_at(engine, BACKENDS[engine].address(tmp_path)) as desk, receiver() as received:
        async with posting(desk, receiver_of(received)):
            for how in ENDS[:3]:
                await end(desk, await ask(desk, f"{WORDS} {how}"), how)
            await until(lambda: len(received.got), lambda count: count == 6)
    for body in received.bodies:
        for word in (b"unmentionable", b"yes", b"eve", b"ada", b"srv"):
            assert word not in body
        assert set(json.loads(body)) == {"type", "timestamp", "data"}


@ENGINES
async def test_one_of_many_processes_posts_and_another_goes_on(engine: str, tmp_path: Path) -> None:
    address = BACKENDS[engine].address(tmp_path)
    async with receiver() as received, AsyncExitStack() as stack:
        desks = [await stack.enter_async_context(desk_at(engine, address)) for _ in range(4)]
        async with AsyncExitStack() as later:
            for desk in desks[1:]:
                await later.enter_async_context(posting(desk, receiver_of(received)))
            async with posting(desks[0], receiver_of(received)):
                for number in range(5):
                    await end(desks[number % 4], await ask(desks[0], f"{number}?"))
                await until(lambda: len(received.got), lambda count: count >= 10)
            for number in range(5, 10):
                await end(desks[0], await ask(desks[0], f"{number}?"))
            await until(lambda: len(received.got), lambda count: count >= 20)
            await anyio.sleep(1)
    assert len(received.tried) == len(set(received.tried)) == 20


@ENGINES
async def test_what_was_not_taken_is_sent_again_and_nothing_before_it(engine: str, tmp_path: Path) -> None:
    async with desk_at(engine, BACKENDS[engine].address(tmp_path)) as desk, receiver() as received:
        received.answers = [500, 404, 302, 429]
        received.extra = "Location: http://127.0.0.1:1/elsewhere\r\n"
        async with posting(desk, receiver_of(received)):
            await end(desk, await ask(desk))
            await until(lambda: received.types, lambda types: types == ["opened", "answered"])
        assert len(received.tried) == 6
        assert len(set(received.tried[:5])) == 1  # a receiver drops repeats by the id
        assert {*received.paths} == {f"/{PATH_TOKEN}?a=b"}  # and no redirect was followed


@ENGINES
async def test_a_receiver_that_was_away_gets_all_of_it(engine: str, tmp_path: Path) -> None:
    async with desk_at(engine, BACKENDS[engine].address(tmp_path)) as desk:
        async with receiver() as received:
            pass
        async with posting(desk, receiver_of(received)):
            await end(desk, await ask(desk))
            await anyio.sleep(0.5)
            async with receiver(received):
                await until(lambda: received.types, lambda types: types == ["opened", "answered"])


async def test_a_receiver_that_is_slow_is_sent_the_same_again(tmp_path: Path) -> None:
    async with desk_at("sqlite", BACKENDS["sqlite"].address(tmp_path)) as desk, receiver() as received:
        received.slow = 5
        async with posting(desk, receiver_of(received), timing=replace(QUICK, send=0.3)):
            await ask(desk)
            await until(lambda: len(received.tried), lambda count: count >= 2)
            received.slow = 0
            await until(lambda: received.types)
        assert len(set(received.tried)) == 1


async def test_after_a_while_it_is_given_up_and_the_next_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk_at("sqlite", BACKENDS["sqlite"].address(tmp_path)) as desk, receiver() as received:
        received.always = 500
        async with posting(desk, receiver_of(received), timing=replace(QUICK, give_up=0.5)):
            handoff_id = await ask(desk)
            await until(lambda: "too long ago" in caplog.text)
            received.always = 200
            await end(desk, handoff_id)
            await until(lambda: received.types, lambda types: types == ["answered"])
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert f"It is not told that {handoff_id} was opened" in "".join(said)
    assert "HANDOFFS_WEBHOOK 1 (http://127.0.0.1): it answers 500." in "".join(said)
    for secret in (PATH_TOKEN, SECRET, "whsec", WORDS):
        assert secret not in caplog.text


async def test_a_receiver_that_is_gone_is_told_nothing_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with desk_at("sqlite", BACKENDS["sqlite"].address(tmp_path)) as desk, receiver() as received:
        async with receiver() as other:
            received.answers = [410]
            both = receiver_of(received), replace(receiver_of(other), number=2)
            async with posting(desk, *both):
                await end(desk, await ask(desk))
                await until(lambda: other.types, lambda types: types == ["opened", "answered"])
                await anyio.sleep(0.5)
                assert len(received.tried) == 1
                assert "HANDOFFS_WEBHOOK 1 (http://127.0.0.1) wants no more of them (410)" in caplog.text
            # Started again, it goes on where it was.
            async with posting(desk, *both):
                await until(lambda: received.types, lambda types: types == ["opened", "answered"])


async def test_only_what_happens_from_the_first_start_on_is_told(tmp_path: Path) -> None:
    async with desk_at("sqlite", BACKENDS["sqlite"].address(tmp_path)) as desk, receiver() as received:
        await end(desk, await ask(desk, "Long ago?"))
        async with posting(desk, receiver_of(received)):
            now = await ask(desk, "Now?")
            await until(lambda: received.got)
        # What happened while no process ran is told at the next start.
        await end(desk, now)
        async with posting(desk, receiver_of(received)):
            await until(lambda: received.types, lambda types: types == ["opened", "answered"])
        assert {event["data"]["id"] for _, event in received.got} == {now}


async def test_a_receiver_may_have_either_of_two_secrets(tmp_path: Path) -> None:
    async with desk_at("sqlite", BACKENDS["sqlite"].address(tmp_path)) as desk, receiver() as received:
        received.secret = OTHER_SECRET
        async with posting(desk, receiver_of(received, SECRET, OTHER_SECRET)):
            await ask(desk)
            await until(lambda: received.types)


@ENGINES
async def test_a_server_that_was_killed_goes_on_where_it_was(engine: str, tmp_path: Path) -> None:
    async with receiver() as received:
        settings = {"HANDOFFS_WEBHOOK": received.url, "HANDOFFS_WEBHOOK_SECRET": SECRET}
        if engine == "postgres":
            settings["HANDOFFS_STORE"] = new_store(tmp_path)
        home = Home(tmp_path, settings)
        address = settings.get("HANDOFFS_STORE", str(home.store))
        async with home.http() as server:
            async with server.client() as client:
                await client.call_tool("handoff_to_user", {"message": "Before?", "breakout_of_loop": True})
            await until(lambda: received.types)
            os.kill(server.process.pid, signal.SIGKILL)
        async with desk_at(engine, address) as desk:
            (asked,) = await desk.newest(open_only=True)
            await desk.answer(asked, {"response": "yes"}, by="eve", channel="inbox")
            async with home.http():
                # The hold of the killed server must end first.
                await until(lambda: received.once, lambda types: types == ["opened", "answered"], seconds=90)
        assert len({name for name, _ in received.got}) == 2


async def test_neither_address_nor_secret_is_shown_by_a_server(tmp_path: Path) -> None:
    async with receiver() as received:
        received.always = 500
        home = Home(tmp_path, {"HANDOFFS_WEBHOOK": received.url, "HANDOFFS_WEBHOOK_SECRET": SECRET})
        async with home.http() as server, desk_of(tmp_path) as desk:
            await desk.ask(message=WORDS, caller=CALLER)
            assert server.process.stderr is not None
            said = server.heard
            with anyio.fail_after(120):
                while "it answers 500" not in said:
                    said += (await server.process.stderr.receive()).decode()
        said += (await home.command("config")).stdout.decode()
        assert PATH_TOKEN not in said
        assert SECRET.removeprefix("whsec_") not in said
        assert "HANDOFFS_WEBHOOK_SECRET" in said


async def test_settings_that_can_not_be_kept_are_refused_in_words(tmp_path: Path) -> None:
    for given, words in (
        ({"HANDOFFS_WEBHOOK": "https://x.example/a"}, "needs HANDOFFS_WEBHOOK_SECRET"),
        ({"HANDOFFS_WEBHOOK": "http://x.example/a", "HANDOFFS_WEBHOOK_SECRET": SECRET}, "HANDOFFS_WEBHOOK_HTTP=any"),
        ({"HANDOFFS_WEBHOOK": "ftp://x.example/a", "HANDOFFS_WEBHOOK_SECRET": SECRET}, "http:// or https://"),
        ({"HANDOFFS_WEBHOOK_SECRET": "whsec_c2hvcnQ="}, "24 to 64 bytes"),
        ({"HANDOFFS_WEBHOOK_SECRET": SECRET.removeprefix("whsec_")}, "after whsec_"),
    ):
        done = await Home(tmp_path, given).command("config")
        said = (done.stdout + done.stderr).decode()
        assert done.returncode != 0
        assert words in said
        assert "x.example/a" not in said
        assert SECRET.removeprefix("whsec_") not in said
    told = {"HANDOFFS_WEBHOOK": "http://x.example/a", "HANDOFFS_WEBHOOK_SECRET": SECRET, "HANDOFFS_WEBHOOK_HTTP": "any"}
    assert (await Home(tmp_path, told).command("config")).returncode == 0


async def test_without_the_extra_a_server_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['standardwebhooks'] = None\n")
    settings = {"HANDOFFS_WEBHOOK": "https://x.example/a", "HANDOFFS_WEBHOOK_SECRET": SECRET}
    home = Home(tmp_path, settings | {"PYTHONPATH": str(tmp_path)})
    for command in (("serve", "--http", "127.0.0.1:0"), ("inbox", "--no-browser")):
        with anyio.fail_after(60):
            done = await home.command(*command)
        assert done.returncode == 2
        assert b"HANDOFFS_WEBHOOK needs the extra webhooks" in done.stderr
