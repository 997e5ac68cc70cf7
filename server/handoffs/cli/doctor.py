"""`handoffs doctor`: what a host is set to, what it declared, what it really did, and what to expect of it."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import TypeAlias

from handoffs.assembly import open_desk
from handoffs.cli.diagnosis import conduct, declaration, happened, verdict
from handoffs.cli.ending import UsageError, put
from handoffs.cli.installing.finding import installed
from handoffs.cli.installing.hosts import HOSTS as INSTALLABLE
from handoffs.cli.installing.hosts import Host as Place
from handoffs.cli.installing.hosts import find
from handoffs.cli.looking import LOOK_SECONDS
from handoffs.core.desk import Desk
from handoffs.core.events import Entry
from handoffs.core.model import Handoff
from handoffs.core.trial import is_trial
from handoffs.core.untrusted import inert_line
from handoffs.hosts import host_named, known_hosts
from handoffs.hosts.host import Host
from handoffs.settings import Settings

Picked: TypeAlias = Callable[[Handoff], bool]
"""Whether a handoff is of the host that is looked at."""

LOOKED_AT = 1_000
"""How many of the newest handoffs are searched for a host's."""

WAIT_SECONDS = 600.0
"""How long the doctor waits for its question on a terminal, where nothing else is said."""

STORIES = 50
"""How many of a host's handoffs are looked at in full."""


TRY_IT = """
Try it: in the host, pick the prompt `doctor` of handoffs (in Claude Code /mcp__handoffs__doctor); where it has no
prompts, write: "Ask me the question of the handoffs doctor." What the host does appears here. Ctrl-C ends.
"""


async def examined(settings: Settings, name: str | None, *, wait_seconds: float | None) -> None:
    """Print what is known of one host, or of each; then, for `wait_seconds`, what it does with a real question.

    `wait_seconds` of None does not wait.

    Raises:
        UsageError: There is no such host.
        KeyboardInterrupt: Ctrl-C.
    """
    async with open_desk(settings) as desk:
        newest = await desk.newest(open_only=False, limit=LOOKED_AT)
        picked: Picked = _of_any
        if name is None:
            await _every_host(desk, newest)
        else:
            place, host, picked = _named(name, newest)
            await _one_host(desk, place, host, [h for h in newest if picked(h)])
        if wait_seconds is None:
            return
        put(TRY_IT)
        with desk.clock.limit(wait_seconds):
            await _watch_a_trial(desk, picked)
            return
        put("That was as long as the doctor waits. What is open stays open; run this again to see the rest.")


def _named(name: str, newest: Sequence[Handoff]) -> tuple[Place | None, Host, Picked]:
    """Return what is known under a name: that of `handoffs install`, or one that a client gave itself."""
    clients = {handoff.caller.client for handoff in newest}
    if name in clients:
        host = host_named(name)
        place = next((each for each in INSTALLABLE if each.name in host.install), None)
        return place, host, lambda handoff: handoff.caller.client.casefold() == name.casefold()
    place = find(name)
    host = next(each for each in known_hosts() if place.name in each.install)
    return place, host, lambda handoff: host_named(handoff.caller.client) is host


def _of_any(handoff: Handoff) -> bool:
    return True


async def _every_host(desk: Desk, newest: Sequence[Handoff]) -> None:
    put("Hosts:")
    for place in INSTALLABLE:
        put(f"  {place.title}: {_set_up(place)}")
    clients = list(dict.fromkeys(handoff.caller.client for handoff in newest))
    put("\nAsked through:" if clients else "\nNo question has come through any host yet.")
    for client in clients:
        found = conduct(await _stories(desk, [h for h in newest if h.caller.client == client]))
        put(f"  {inert_line(client, 60) or '(no name)'}: {declaration(found.declared)} {' '.join(verdict(found))}")
    put("\n`handoffs doctor HOST` tells more of one, and watches it ask a real question.")


async def _one_host(desk: Desk, place: Place | None, host: Host, handoffs: Sequence[Handoff]) -> None:
    found = conduct(await _stories(desk, handoffs))
    if place is not None:
        put(f"{place.title}: {_set_up(place)}")
        put(f"  {place.patience}")
        put(f"  {_to_set(place)}")
    held = host.stdio
    put(f"A call is held for {_span(held.dialog)} while its dialog is open, {_span(held.quiet)} where there is none;")
    put("  then the agent is told PENDING, and asks again. HANDOFFS_HOLD_SECONDS overrides it.")
    put(f"  Known from: {host.source}.")
    if re.search(r"\b[TCD]\)|\([TCD]\b", host.source):
        put("  (T: tried, C: read in its code, D: read in its documents.)")
    if found.asked:
        put(f"Of the last {found.asked} questions through it:")
        put(f"  {declaration(found.declared)}")
    for line in verdict(found):
        put(f"  {line}")


async def _stories(desk: Desk, handoffs: Sequence[Handoff]) -> list[tuple[Handoff, Sequence[Entry]]]:
    return [(handoff, await desk.log(handoff_id=handoff.id)) for handoff in handoffs[:STORIES]]


def _set_up(place: Place) -> str:
    try:
        entry = installed(place, os.environ, sys.platform)
    except UsageError as wrong:
        return f"its configuration can't be read: {inert_line(str(wrong))}"
    if entry is None:
        return f"not set up; `handoffs install {place.name}` does it"
    if not entry.ours:
        return "another server has the name `handoffs` there"
    switched = "" if entry.enabled else ", but switched off"
    return f"set up{switched}, in {place.file(os.environ, sys.platform)}"


def _to_set(place: Place) -> str:
    limit = place.limit
    if limit is None:
        return "There is nothing to set for how long it waits."
    try:
        entry = installed(place, os.environ, sys.platform)
    except UsageError:
        entry = None
    seconds = entry.timeout_seconds if entry is not None else None
    now = limit.unset if seconds is None else seconds
    if now >= limit.wanted:
        return f"`{limit.key}` gives a call {_span(now)}, which is enough."
    said = f"is not set, so expect {_span(now)}" if seconds is None else f"gives a call {_span(now)}"
    wanted = limit.wanted * limit.per_second
    return f"`{limit.key}` {said}; set it to {wanted}. `handoffs install {place.name}` does it."


async def _watch_a_trial(desk: Desk, picked: Picked) -> None:
    """Tell of the doctor's question as it goes, once it comes, until the agent has its outcome."""
    trial: Handoff | None = None
    told = 0
    async with desk.watch() as watch:
        while True:
            trial = trial or await _trial(desk, picked)
            if trial is not None:
                for entry in await desk.log(handoff_id=trial.id, after=told):
                    put(happened(entry, trial.created_at))
                    told = entry.number
                trial = await desk.get(trial.id)
                if trial.collected_at is not None:
                    put("")
                    for line in verdict(conduct(await _stories(desk, [trial]))):
                        put(line)
                    return
            with desk.clock.limit(LOOK_SECONDS):
                await watch.changed()


async def _trial(desk: Desk, picked: Picked) -> Handoff | None:
    for handoff in await desk.newest(open_only=True, limit=LOOKED_AT):
        if is_trial(handoff) and picked(handoff):
            return handoff
    return None


def _span(seconds: float) -> str:
    for size, unit in ((3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
