"""`handoffs doctor`: a host's configuration, its declaration, its behaviour, and what to expect of it."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from handoffs.assembly import open_desk
from handoffs.cli.diagnosis import Behaviour, declaration, happened, observed, verdict
from handoffs.cli.installing import gating
from handoffs.cli.installing.finding import installed
from handoffs.cli.installing.hosts import HOSTS as INSTALLABLE
from handoffs.cli.installing.hosts import Host as InstallTarget
from handoffs.cli.installing.hosts import find
from handoffs.cli.installing.planning import TIMEOUT, Installed
from handoffs.cli.installing.texts import Unreadable
from handoffs.cli.installing.writing import read
from handoffs.cli.looking import LOOK_SECONDS, is_there
from handoffs.cli.permission_install import told, told_of
from handoffs.console import UsageError, print_out
from handoffs.core.desk import Desk
from handoffs.core.display import about
from handoffs.core.doctor_question import is_trial
from handoffs.core.events import Entry
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line
from handoffs.hosts import host_named, known_hosts
from handoffs.hosts.host import Host
from handoffs.settings import Settings

Selection: TypeAlias = Callable[[Handoff], bool]
"""Says whether a handoff came through the examined host."""

LOOKED_AT = 1_000
"""How many of the newest handoffs are searched for a host's."""

WAIT_SECONDS = 600.0
"""How long the doctor waits for its question on a terminal by default."""

STORIES = 50
"""How many of a host's handoffs are examined with their log."""


TRY_IT = """
Try it: in the host, pick the prompt `doctor` of handoffs (in Claude Code /mcp__handoffs__doctor); where it has no
prompts, write: "Ask me the question of the handoffs doctor." What the host does appears here. Ctrl-C ends.
"""


async def examined(settings: Settings, name: str | None, *, wait_seconds: float | None) -> bool:
    """Print the state of one host, or of each; then, for `wait_seconds`, how it handles a real question.

    A `wait_seconds` of None does not wait. Returns whether all installed entries work; their servers are started.

    Raises:
        UsageError: There is no such host.
        KeyboardInterrupt: Ctrl-C.
    """
    new = not is_there(settings)
    async with open_desk(settings) as desk:
        newest = await desk.newest(open_only=False, limit=LOOKED_AT)
        print_out(f"The store answers: {inert_line(str(settings.store), 200)}{' (made just now)' if new else ''}\n")
        selects: Selection = _of_any
        if name is None:
            works = await _every_host(desk, newest)
        else:
            target, host, selects = _named(name, newest)
            works = await _one_host(desk, target, host, [h for h in newest if selects(h)])
        if wait_seconds is None:
            return works
        print_out(TRY_IT)
        with desk.clock.limit(wait_seconds):
            await _watch_a_trial(desk, selects)
            return works
        print_out("That was as long as the doctor waits. What is open stays open; run this again to see the rest.")
    return works


def _named(name: str, newest: Sequence[Handoff]) -> tuple[InstallTarget | None, Host, Selection]:
    """Return the install target, host and selection for a name of `handoffs install`, or a client's own name."""
    clients = {handoff.caller.client for handoff in newest}
    if name in clients:
        host = host_named(name)
        target = next((each for each in INSTALLABLE if each.name in host.install), None)
        return target, host, lambda handoff: handoff.caller.client.casefold() == name.casefold()
    target = find(name)
    host = next(each for each in known_hosts() if target.name in each.install)
    return target, host, lambda handoff: host_named(handoff.caller.client) is host


def _of_any(handoff: Handoff) -> bool:
    return True


async def _every_host(desk: Desk, newest: Sequence[Handoff]) -> bool:
    print_out("Hosts:")
    works = True
    for target in INSTALLABLE:
        print_out(f"  {target.title}: {_set_up(target)}")
        works = await _works(target) and works
    if prompts := told():
        print_out("\nPermission prompts:")
        for line in prompts:
            print_out(line)
    clients = list(dict.fromkeys(handoff.caller.client for handoff in newest))
    print_out("\nAsked through:" if clients else "\nNo question has come through any host yet.")
    for client in clients:
        found = observed(await _stories(desk, [h for h in newest if h.caller.client == client]))
        print_out(
            f"  {inert_line(client, 60) or '(no name)'}: {declaration(found.declared)} {' '.join(verdict(found))}"
        )
    print_out("\n`handoffs doctor HOST` tells more of one, and watches it ask a real question.")
    return works


async def _works(target: InstallTarget) -> bool:
    """Start the server in a host's entry, and print whether it works; prints nothing without an entry."""
    works = True
    try:
        entry = installed(target, os.environ, sys.platform)
    except UsageError:
        works, entry = False, None  # the error was printed
    if entry is not None and entry.ours and entry.enabled:
        from handoffs.cli.probing import probed  # imports an MCP client, which nothing else here needs

        found = await probed(target, entry, os.environ)
        print_out(f"    {'' if found.works else 'FAILS: '}{found.said}")
        works = found.works
        if entry.url is None and _is_untold(entry):
            print_out(
                f"    The server is not told how long it may wait: `handoffs install {target.name}` sets {TIMEOUT}."
            )
    return _tell_of_project(target) and works


def _is_untold(entry: Installed) -> bool:
    """Say whether the entry has a time-out that its server is not told, so that calls return too early."""
    return entry.timeout_seconds is not None and entry.told_seconds != entry.timeout_seconds


def _tell_of_project(target: InstallTarget) -> bool:
    """Print a problem of a host's entry in this folder's project file; its server is not started."""
    if target.project is None:
        return True
    try:
        entry = installed(target, os.environ, sys.platform, project=Path.cwd())
    except (UsageError, OSError):
        return True  # a file that the host can't read either
    if entry is None or not entry.ours or entry.url is None or entry.shows_token:
        return True
    where = inert_line(entry.url, 100)
    print_out(f"    FAILS: in {target.project} here it shows no token to {where}, which refuses every call;")
    print_out(f"    `handoffs install {target.name} --project` has it name a variable.")
    return False


async def _one_host(desk: Desk, target: InstallTarget | None, host: Host, handoffs: Sequence[Handoff]) -> bool:
    found = observed(await _stories(desk, handoffs))
    works = True
    if target is not None:
        print_out(f"{target.title}: {_set_up(target)}")
        works = await _works(target)
        _tell_of_gate(target)
        if said := told_of(target.name):
            print_out(f"  {said}")
        print_out(f"  {target.patience}")
        print_out(f"  {_to_set(target)}")
    print_out(_patience(host, dialog=_has_dialog(target, found)))
    print_out("  then the agent is told PENDING, and asks again. HANDOFFS_HOLD_SECONDS overrides it.")
    print_out(f"  Known from: {host.source}.")
    if re.search(r"\b[TCD]\)|\([TCD]\b", host.source):
        print_out("  (T: tried, C: read in its code, D: read in its documents.)")
    if found.asked:
        print_out(f"Of the last {found.asked} questions through it:")
        print_out(f"  {declaration(found.declared)}")
    for line in verdict(found):
        print_out(f"  {line}")
    return works


def _tell_of_gate(target: InstallTarget) -> None:
    """Say which of a host's servers are behind the gate, and which are not."""
    for project in (None, *([Path.cwd()] if target.project is not None else [])):
        try:
            path = target.file(os.environ, sys.platform, project=project)
            servers = gating.servers_of(target, read(path, within=project).text)
        except (UsageError, Unreadable):
            continue  # of the person's own file that was said; a project's may be somebody else's
        others = [each for each in servers if not each.ours]
        free = [each for each in others if each.gate is None and (each.command is not None or each.url is not None)]
        free = [each for each in free if each.refused is None]
        where = "" if project is None else f" in {target.project} here"
        option = "" if project is None else " --project"
        kinds = (
            ("Behind the gate", "", [each for each in others if each.gate is not None]),
            (
                "Not behind the gate",
                f" `handoffs gate install {target.name}{option}` puts them there.",
                [each for each in free if not each.signs_in],
            ),
            (
                "Not behind the gate, over HTTP without a header",
                f" `handoffs gate install {target.name}{option} NAME` puts one there: the gate signs in nowhere.",
                [each for each in free if each.signs_in],
            ),
            ("Without a gate, with no command", "", [each for each in others if each.url is None and not each.command]),
        )
        for title, what_to_do, found in kinds:
            if found:
                names = ", ".join(inert_line(each.name, 60) for each in found)
                print_out(f"  {title}{where}: {names}.{what_to_do}")
        for each in others:
            if each.refused is not None:
                print_out(f"  Without a gate{where}: {inert_line(each.name, 60)}; {each.refused}.")


def _has_dialog(target: InstallTarget | None, found: Behaviour) -> bool:
    """Say whether a host has a dialog for questions, by its declaration, or else by the table."""
    if found.declared.get("protocol"):
        return "form" in found.declared.get("declares", "").split()
    return target is None or target.dialog


def _patience(host: Host, *, dialog: bool) -> str:
    patience = host.stdio
    if not dialog:
        return f"A call is held for {about(patience.quiet)};"
    with_dialog, without = about(patience.dialog), about(patience.quiet)
    return f"A call is held for {with_dialog} while its dialog is open, {without} where there is none;"


async def _stories(desk: Desk, handoffs: Sequence[Handoff]) -> list[tuple[Handoff, Sequence[Entry]]]:
    return [(handoff, await desk.log(handoff_id=handoff.id)) for handoff in handoffs[:STORIES]]


def _set_up(target: InstallTarget) -> str:
    try:
        entry = installed(target, os.environ, sys.platform)
    except UsageError as wrong:
        return f"its configuration can't be read: {inert_line(str(wrong))}"
    if entry is None:
        return f"not set up; `handoffs install {target.name}` does it"
    if not entry.ours:
        return "another server has the name `handoffs` there"
    switched = "" if entry.enabled else ", but switched off"
    return f"set up{switched}, in {target.file(os.environ, sys.platform)}"


def _to_set(target: InstallTarget) -> str:
    limit = target.limit
    if limit is None:
        return "There is nothing to set for how long it waits."
    try:
        entry = installed(target, os.environ, sys.platform)
    except UsageError:
        entry = None
    seconds = entry.timeout_seconds if entry is not None else None
    now = limit.unset if seconds is None else seconds
    if now >= limit.wanted:
        return f"`{limit.key}` gives a call {about(now)}, which is enough."
    said = f"is not set, so expect {about(now)}" if seconds is None else f"gives a call {about(now)}"
    wanted = limit.wanted * limit.per_second
    return f"`{limit.key}` {said}; set it to {wanted}. `handoffs install {target.name}` does it."


async def _watch_a_trial(desk: Desk, selects: Selection) -> None:
    """Print the log of the doctor's question until the agent has its outcome."""
    trial: Handoff | None = None
    told = 0
    async with desk.watch() as watch:
        while True:
            trial = trial or await _trial(desk, selects)
            if trial is not None:
                for entry in await desk.log(handoff_id=trial.id, after=told):
                    print_out(happened(entry, trial.created_at))
                    told = entry.number
                trial = await desk.get(trial.id)
                if trial.collected_at is not None:
                    print_out("")
                    for line in verdict(observed(await _stories(desk, [trial]))):
                        print_out(line)
                    return
            with desk.clock.limit(LOOK_SECONDS):
                await watch.changed()


async def _trial(desk: Desk, selects: Selection) -> Handoff | None:
    for handoff in await desk.newest(open_only=True, limit=LOOKED_AT):
        if is_trial(handoff) and selects(handoff):
            return handoff
    return None
