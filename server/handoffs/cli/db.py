"""`handoffs db`: updates, copies and prunes a store."""

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta

import typer

from handoffs.assembly import engine_at
from handoffs.cli.spans import span
from handoffs.clock import SystemClock
from handoffs.console import UsageError, print_out
from handoffs.setting_values import store_address
from handoffs.settings import Settings
from handoffs.store import StoreAddress
from handoffs.store.copying import Phase, copy
from handoffs.store.pruning import Age
from handoffs.store.values import micros


async def migrated(settings: Settings) -> None:
    """Bring the store of the settings up to date, and print its old and new layout."""
    before, after = await engine_at(settings.store).migrate(settings.store)
    if before == after:
        print_out(f"The store {settings.store} is up to date: layout {after}.")
    elif before:
        print_out(f"The store {settings.store} had layout {before}, and has layout {after} now.")
    else:
        print_out(f"The store {settings.store} was made, with layout {after}.")


async def copied(written_source: str, written_target: str) -> None:
    """Copy one store into another, which is empty or a partial copy, and print what was copied and compared.

    Raises:
        UsageError: An address is no store.
        StoreError: The copy failed, or differs from its source.
    """
    source_at, target_at = _address(written_source), _address(written_target)
    now = micros(SystemClock().now())
    bars = _Bars()
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(engine_at(source_at).endpoint(source_at, now=now, target=False))
        target = await stack.enter_async_context(engine_at(target_at).endpoint(target_at, now=now, target=True))
        stack.callback(bars.close)
        done = await copy(source, target, told=bars.told)
    rows = done.rows
    print_out(
        f"{target_at} has all that {source_at} has: {rows['handoffs']} handoffs, {rows['events']} lines of the log, "
        f"{rows['claims']} used-up keys, {rows['tokens']} tokens. Every row of both was compared "
        f"(sha256 {done.digest[:16]}).\n"
        f"{source_at} is as it was. Set HANDOFFS_STORE to the new address, and keep HANDOFFS_KEYS."
    )


async def pruned(settings: Settings, older_than: str, *, dry_run: bool, yes: bool) -> None:
    """Remove the handoffs that ended longer ago than `older_than`, after asking; print how many.

    Raises:
        UsageError: It is no span of time, or there is no terminal to ask on.
    """
    length = span(older_than)
    if length is None:
        raise UsageError("--older-than takes a span of time, up to ten years: 90d, 12h or 45m.")
    now = SystemClock().now()
    joins = timedelta(seconds=settings.join_seconds)
    age = Age(ended_before=now - length, collected_or_before=now - joins)
    pruning = engine_at(settings.store).pruning(settings.store, age)
    count = await pruning.count()
    old = f"{count} {'handoff' if count == 1 else 'handoffs'} of {settings.store} that ended more than {older_than} ago"
    if dry_run or not count:
        print_out(f"{old}.")
        return
    if not yes:
        _ask(f"Remove {old}, with their answers and their lines of the log, for good?")
    removed = 0
    while some := await pruning.remove():
        removed += some
    print_out(f"{removed} removed.")


def _address(written: str) -> StoreAddress:
    try:
        return store_address(written)
    except ValueError as wrong:
        # Without the address: it may contain a password.
        raise UsageError(
            f"That is no store ({wrong}). It is a path, sqlite:/// and a path, or postgresql://."
        ) from None


def _ask(question: str) -> None:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("There is no terminal to ask on: give --yes, or --dry-run to see how many.")
    if not typer.confirm(question, err=True):
        raise UsageError("Nothing was removed.")


class _Bars:
    """Progress bars of a copy, on standard error; on a pipe, only the phases."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._phase: Phase | None = None
        self._update: Callable[[int], None] = lambda _: None
        self._done = 0

    def told(self, phase: Phase, done: int, of: int) -> None:
        """Show the progress."""
        if phase != self._phase:
            self.close()
            label = "Copying  " if phase == "copying" else "Comparing"
            bar = typer.progressbar(length=of, label=label, file=sys.stderr, hidden=sys.stderr is None)
            self._update, self._phase, self._done = self._stack.enter_context(bar).update, phase, 0
        self._update(done - self._done)
        self._done = done

    def close(self) -> None:
        """End the line."""
        self._stack.close()
