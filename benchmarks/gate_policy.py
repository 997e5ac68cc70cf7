"""What a long policy costs a call: a thousand rules, twenty with expressions, the last one matches, ÷ one rule.

All twenty expressions look at the call and are false, so none is skipped by the names of server and tool. The one rule
has an expression, too: both sides convert the arguments of the call once.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.plan import Plan
from benchmarks.table import Row, compared
from handoffs.gate.policy import Call, Policy, load_policy

BAR = 10.0
RULES, EXPRESSIONS = 1_000, 20
ONE = '[[rule]]\ntool = "write_*"\nwhen = \'args.path.startsWith("/srv/")\'\ndo = "allow"\n'


async def run(plan: Plan) -> list[Row]:
    """Return the one row: microseconds for each call."""
    rounds, calls = plan.pick(full=20, quick=5), plan.pick(full=2_000, quick=200)
    call = Call(
        server="files",
        tool="write_file",
        arguments={"path": "/srv/shop/basket.py", "content": "print(1)\n" * 50, "mode": 420},
        caller={"client": "claude-code", "project": "/srv/shop", "subject": "ada"},
    )
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        long, short = _loaded(Path(name), _thousand()), _loaded(Path(name), ONE)
    ours: list[list[float]] = []
    yardstick: list[list[float]] = []
    for _ in range(rounds):
        ours.append([_seconds(long, call, calls) * 1e6])
        yardstick.append([_seconds(short, call, calls) * 1e6])
    return [compared("1,000 rules, 20 with expressions, the last matches ÷ one", "µs", ours, yardstick, bar=BAR)]


def _thousand() -> str:
    every = RULES // EXPRESSIONS
    rules = [
        f'[[rule]]\ntool = "*"\nwhen = \'args.path.endsWith("/secret{number}")\'\ndo = "deny"\n'
        if number % every == 0
        else f'[[rule]]\ntool = "read_{number}_*"\ndo = "allow"\n'
        for number in range(RULES - 1)
    ]
    return "".join([*rules, ONE])


def _loaded(folder: Path, text: str) -> Policy:
    path = folder / "gate.toml"
    path.write_text(text)
    return load_policy(path)


def _seconds(policy: Policy, call: Call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        policy.decide(call)
    return (time.perf_counter() - start) / calls
