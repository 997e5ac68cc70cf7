"""`python -m benchmarks [NAME …]`: measures Handoffs against its yardsticks and prints a row for every bar.

Both sides of every ratio are measured in the same run and take turns. Trust the ratios; the figures are this machine's.
"""

import argparse
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from benchmarks import (
    api,
    ask,
    chats,
    gate_calls,
    gate_http,
    gate_policy,
    gate_relay,
    gate_strands,
    handoff,
    hook,
    idle,
    inbox_answer,
    inbox_arrival,
    inbox_crowd,
    inbox_first,
    inbox_list,
    log_verify,
    mail,
    many,
    memory,
    passkey_answer,
    pending,
    postgres,
    sessions,
    startup,
    throughput,
    waiting,
    wakeup,
)
from benchmarks.plan import Plan
from benchmarks.table import Row, table

BENCHMARKS: dict[str, Callable[[Plan], Awaitable[list[Row]]]] = {
    "startup": startup.run,
    "ask": ask.run,
    "handoff": handoff.run,
    "api": api.run,
    "wakeup": wakeup.run,
    "idle": idle.run,
    "waiting": waiting.run,
    "pending": pending.run,
    "memory": memory.run,
    "sessions": sessions.run,
    "inbox-answer": inbox_answer.run,
    "passkey-answer": passkey_answer.run,
    "inbox-arrival": inbox_arrival.run,
    "inbox-list": inbox_list.run,
    "inbox-first": inbox_first.run,
    "inbox-crowd": inbox_crowd.run,
    "postgres": postgres.run,
    "throughput": throughput.run,
    "many": many.run,
    "gate-policy": gate_policy.run,
    "gate-relay": gate_relay.run,
    "gate-calls": gate_calls.run,
    "gate-strands": gate_strands.run,
    "gate-http": gate_http.run,
    "hook": hook.run,
    "log-verify": log_verify.run,
    "chats": chats.run,
    "mail": mail.run,
}


def main() -> int:
    """Run what was asked for; return 1 if something could not be measured, or with --strict if a bar was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[2])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all without a name")
    parser.add_argument("--quick", action="store_true", help="few samples: see that it works, not how fast it is")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON, too")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar was missed")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    plan = Plan(quick=chosen.quick)
    rows, failures = anyio.run(_run, plan, chosen.names or list(BENCHMARKS))
    print(table(rows))
    for name, reason in failures.items():
        print(f"{name} could not be measured: {reason}")
    if chosen.json is not None:
        found = {"quick": plan.quick, "rows": [row.as_json() for row in rows], "failures": failures}
        chosen.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    missed = any(not row.ok for row in rows)
    return 1 if failures or (chosen.strict and missed) else 0


async def _run(plan: Plan, names: list[str]) -> tuple[list[Row], dict[str, str]]:
    rows: list[Row] = []
    failures: dict[str, str] = {}
    for name in names:
        plan.say(f"{name} …")
        start = time.monotonic()
        try:
            rows += await BENCHMARKS[name](plan)
        except Exception as error:  # noqa: BLE001 - one that can't be measured must not cost the figures of the others
            failures[name] = _reason(error)
        plan.say(f"{name}: {time.monotonic() - start:.0f} s")
    return rows, failures


def _reason(error: BaseException) -> str:
    """Say what went wrong; a task group's errors are wrapped in one that says nothing."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error or 'it took too long'}"


if __name__ == "__main__":
    sys.exit(main())
