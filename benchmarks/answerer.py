"""A process that answers every open handoff of a store: the person at another window.

    python -m benchmarks.answerer STORE [--at-once]

Prints a line for each answer: the nanoseconds of the system-wide monotonic clock before and after its transaction.
"""

import random
import sys
import time
from datetime import UTC, datetime

import anyio

from benchmarks.clients import ANSWER
from handoffs.assembly import store_at
from handoffs.core.events import Answered
from handoffs.setting_values import store_address


async def _answer_all(address: str, at_once: bool) -> None:
    async with store_at(store_address(address)) as store, store.watch() as watch:
        while True:
            for handoff in await store.newest(open_only=True):
                if not at_once:
                    # Long enough that the call really waits, and never in step with anybody's polling.
                    await anyio.sleep(random.uniform(0.02, 0.06))
                values = dict.fromkeys((field.name for field in handoff.question.form.fields), ANSWER)
                event = Answered(at=datetime.now(UTC), by="ada", channel="benchmark", values=values)
                begun = time.monotonic_ns()
                await store.record(handoff.id, event)
                print(begun, time.monotonic_ns(), flush=True)
            await watch.changed()


if __name__ == "__main__":
    anyio.run(_answer_all, sys.argv[1], "--at-once" in sys.argv[2:])
