"""What another process does to a store: `python -m tests.store.other_process BACKEND ADDRESS COMMAND [ARGUMENT…]`.

It says `ready`, waits for a line to start by, and then says one line of JSON for each thing that it has been told is
done. Started through `tests.store.processes`.
"""

import itertools
import json
import os
import sys

import anyio

from handoffs.core.errors import AlreadyEnded, StoreError
from handoffs.core.ports import Store
from handoffs.core.voting import vote_for
from handoffs.proof.erasing import rewrite_at
from handoffs.store import OpenStore
from tests.store.backends import BACKENDS
from tests.store.samples import LATER, LONG_AGO, answered, decision, sample


def say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def heard() -> str:
    return await anyio.to_thread.run_sync(sys.stdin.readline)


async def ask_in_each(_: Store, backend: str, *addresses: str) -> None:
    """Ask the same question in one store after another, each when told to; say which handoff it became."""
    for address in addresses:
        async with BACKENDS[backend].connect(address) as store:
            say((await store.open(sample(), collect_after=LONG_AGO)).id)
        await heard()


async def decide(store: Store, by: str, *handoff_ids: str) -> None:
    """End the handoffs, each in a way that depends on who this is; say which were ended by this."""
    for number, handoff_id in enumerate(handoff_ids):
        try:
            await store.record(handoff_id, decision(number + sum(by.encode()), by=by))
        except AlreadyEnded:
            continue
        say(handoff_id)
    say("done")


async def answer(store: Store, *handoff_ids: str) -> None:
    """Answer the handoffs, one after another."""
    for handoff_id in handoff_ids:
        await store.record(handoff_id, answered(by="somebody else"))
    say("done")


async def vote(store: Store, by: str, *handoff_ids: str) -> None:
    """Vote on the handoffs as they were when this began, whatever became of them; say how each vote was taken."""
    known = await store.get_all(handoff_ids)
    for handoff in known:
        outcome = answered(by=by)
        try:
            after = await store.record(handoff.id, vote_for(handoff, outcome), outcome, known=handoff)
        except AlreadyEnded:
            say([handoff.id, "late"])
        else:
            say([handoff.id, after.state])
    say("done")


async def use_grants(store: OpenStore, times: str, *grant_ids: str) -> None:
    """Use grants, turn by turn; say which use of which grant each was."""
    for _ in range(int(times)):
        for grant_id in grant_ids:
            if (used := await store.permissions.use(grant_id, at=LATER)) is not None:
                say([used.id, used.uses])
    say("done")


async def redeem(store: OpenStore, *digests: str) -> None:
    """Redeem invitations, one after another; say which this process got, and for whom."""
    for digest in digests:
        if (name := await store.people.redeem(digest, at=LATER)) is not None:
            say([digest, name])
    say("done")


async def erase(store: OpenStore, name: str) -> None:
    """Erase a person."""
    await store.people.erase(name, at=LATER, rewrite=rewrite_at(LATER))
    say("done")


async def work_until_killed(store: Store, name: str) -> None:
    """Open and answer handoffs without end; say what has been kept."""
    for number in itertools.count():
        handoff = await store.open(sample(f"{name} {number}"), collect_after=LONG_AGO)
        say([handoff.id, "open"])
        await store.record(handoff.id, answered())
        say([handoff.id, "answered"])


async def wait(store: Store, handoff_id: str) -> None:
    """Wait for a handoff to change."""
    async with store.watch(handoff_id) as watch:
        say("waiting")
        await watch.changed()
        say((await store.get(handoff_id)).state)


async def run_out_of_room(store: Store, bytes_in_a_file: str) -> None:
    """Open handoffs until no file may grow any more; then let them grow, and say what was kept and what was said."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(bytes_in_a_file), most))
    kept: list[str] = []
    try:
        for number in itertools.count():
            handoff = await store.open(sample(f"Question {number}"), collect_after=LONG_AGO)
            kept.append(handoff.id)
    except StoreError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        after = await store.open(sample("There is room again"), collect_after=LONG_AGO)
        say({"kept": kept, "error": type(error).__name__, "words": str(error), "after": after.id})


async def become_nobody(store: Store) -> None:
    """Give up all rights, then use the store; say what it said."""
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        await store.open(sample(), collect_after=LATER)
    except StoreError as error:
        say({"error": type(error).__name__, "words": str(error)})
    else:
        say({"error": "", "words": ""})


COMMANDS = {
    command.__name__: command
    for command in (
        ask_in_each,
        decide,
        answer,
        vote,
        use_grants,
        redeem,
        erase,
        work_until_killed,
        wait,
        run_out_of_room,
        become_nobody,
    )
}


async def main(backend: str, address: str, command: str, *arguments: str) -> None:
    async with BACKENDS[backend].connect(address) as store:
        say("ready")
        if await heard():
            await COMMANDS[command](store, *arguments)


if __name__ == "__main__":
    _, backend, address, command, *arguments = sys.argv
    anyio.run(main, backend, address, command, *arguments)
