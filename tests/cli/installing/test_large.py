"""Configurations of many megabytes: what is not ours is skipped, not taken apart."""

import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from handoffs.cli.install import difference
from handoffs.cli.installing.hosts import find
from handoffs.cli.installing.planning import to_install, to_remove
from tests.cli.installing.samples import LAUNCH


def claude(size: int) -> str:
    """Claude Code's file after a year: the history of many projects."""
    history = [{"display": 'say "hello" \\ ' + "x" * 40, "pasted": {}} for _ in range(20)]
    one = {"history": history, "allowedTools": [], "mcpServers": {}}
    projects = {f"/home/ada/{number}": one for number in range(size // 2_500)}
    return json.dumps({"numStartups": 5, "projects": projects, "mcpServers": {"docs": {"command": "npx"}}}, indent=2)


def one_line(size: int) -> str:
    return json.dumps(json.loads(claude(size)))


def commented(size: int) -> str:
    return "// mine\n" + claude(size).replace('"pasted": {}', '"pasted": {}, // "a" {')


def codex(size: int) -> str:
    """A list over many lines, which a statement of TOML may be, and many tables."""
    lines = "".join(f'  "https://example.org/{number}", # {number}\n' for number in range(size // 80))
    tables = "".join(f'[t{number}]\ntext = """\n[mcp_servers.handoffs]\n"""\n' for number in range(size // 160))
    return f"urls = [\n{lines}]\n{tables}"


def spent(text: str, host: str) -> float:
    row = find(host)
    begun = time.process_time()
    plan = to_install(row, text, LAUNCH)
    shown = list(difference("file", plan.before, plan.after))
    taken = time.process_time() - begun
    assert len(shown) < 30
    assert to_remove(row, plan.after).after == text
    return taken


@pytest.mark.parametrize(
    ("made", "host", "size"),
    [
        (claude, "claude-code", 1_000_000),
        (one_line, "claude-code", 1_000_000),
        (commented, "cursor", 500_000),
        (codex, "codex", 100_000),
    ],
)
def test_four_times_as_much_takes_about_four_times_as_long(made: Callable[[int], str], host: str, size: int) -> None:
    small, large = made(size), made(4 * size)
    ratios = [spent(large, host) / spent(small, host) for _ in range(3)]
    assert min(ratios) < 8, ratios  # 16 where it grows with the square


def test_eight_megabytes_take_little_more_memory_than_to_read_them() -> None:
    text = claude(8_000_000)
    assert len(text) > 7_000_000
    tracemalloc.start()
    try:
        json.loads(text)
        read = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        plan = to_install(find("claude-code"), text, LAUNCH)
        planned = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert plan.changes
    assert planned < 4 * read + 20_000_000
