"""`handoffs people`: adds, lists, changes, invites and removes people, and keeps their absences and sessions."""

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from handoffs.access.tokens import digest_of
from handoffs.assembly import missing_store, store_at
from handoffs.clock import SystemClock
from handoffs.console import Exit, UsageError, failed, print_out
from handoffs.core.display import stamp
from handoffs.core.errors import PersonRefused
from handoffs.core.inbox_session import ID_PREFIX, Session
from handoffs.core.moments import OutOfRange, read_moment
from handoffs.core.people import People
from handoffs.core.person import Absence, Directory, Person, checked_email, checked_name, new_handle
from handoffs.core.principals import identity_of
from handoffs.core.untrusted import inert_line
from handoffs.inbox_process.record import InboxRecord, join_page
from handoffs.settings import Settings, data_folder

NOBODY = "There is nobody yet. `handoffs people add NAME` adds the first."


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What `handoffs people set` is to change."""

    email: str | None = None
    join: Sequence[str] = ()
    leave: Sequence[str] = ()
    identify: Sequence[str] = ()
    disown: Sequence[str] = ()


async def added(
    settings: Settings, name: str, *, email: str, groups: Sequence[str], identities: Sequence[str] = ()
) -> None:
    """Add a person. Raises PersonRefused: The name was given before."""
    clock = SystemClock()
    try:
        checked = checked_name(name), checked_email(email), frozenset(map(_group, groups))
        known = frozenset(map(identity_of, identities))
    except ValueError as wrong:
        raise UsageError(str(wrong)) from None
    async with _opened(settings, clock) as people:
        person = Person(
            name=checked[0],
            email=checked[1],
            groups=checked[2],
            identities=known,
            handle=new_handle(),
            added_at=clock.now(),
        )
        await people.add(person)
    print_out(f"{name} is added. `handoffs people invite {quoted(name)}` makes the link by which they join.")


async def listed(settings: Settings, *, every: bool, as_json: bool) -> None:
    """Print the people who were not removed, or all."""
    clock = SystemClock()
    directory = await _directory(settings, clock)
    now = clock.now()
    shown = [each for each in directory.people.values() if every or each.present]
    away = {each.person: each for each in directory.absences if each.until > now}
    if as_json:
        print_out(json.dumps([_document(each, away.get(each.name)) for each in shown], indent=2))
    elif shown:
        head = ("NAME", "EMAIL", "GROUPS", "ADDED", "STATE")
        print_out(_table([head, *(_row(each, away.get(each.name), now) for each in shown)]))
    else:
        print_out(NOBODY)


async def removed(settings: Settings, name: str) -> None:
    """Remove a person for good."""
    clock = SystemClock()
    async with opened_for(settings, name, clock) as people:
        directory = await people.directory()
        if not await people.remove(directory.named(name).name, at=clock.now()):
            raise PersonRefused(f"{name} was removed a moment ago.")
    print_out(f"{name} is removed and decides nothing from now on. The log keeps the name; it is not given again.")
    for each in directory.absences:
        if each.deputy == name and each.until > clock.now():
            print_out(
                f"{name} was the deputy of {each.person}, until {stamp(each.until)}: name another one with "
                f"`handoffs people away {quoted(each.person)} --until … --deputy NAME`."
            )


async def changed(settings: Settings, name: str, change: Change) -> None:
    """Change a person's email address, groups and identities."""
    try:
        email = None if change.email is None else checked_email(change.email)
        join, leave = frozenset(map(_group, change.join)), frozenset(map(_group, change.leave))
        identify = frozenset(map(identity_of, change.identify))
        disown = frozenset(map(identity_of, change.disown))
    except ValueError as wrong:
        raise UsageError(str(wrong)) from None
    if email is None and not (join or leave or identify or disown):
        raise UsageError("Say what to change: --email, --group, --no-group, --identity or --no-identity.")
    if identify & disown:
        raise UsageError("Give --identity or --no-identity for one identity, not both.")
    if both := sorted(join & leave):
        raise UsageError(f"Give --group {both[0]} or --no-group {both[0]}, not both.")
    clock = SystemClock()
    async with opened_for(settings, name, clock) as people:
        person = await people.change(
            name, at=clock.now(), email=email, join=join, leave=leave, identify=identify, disown=disown
        )
    groups = ", ".join(sorted(person.groups)) or "no group"
    ids = f"; {', '.join(map(inert_line, sorted(person.identities)))}" if person.identities else ""
    print_out(f"{name} is in {groups}; {person.email or 'no email address'}{ids}.")


async def grouped(settings: Settings, *, as_json: bool) -> None:
    """Print every group with its members."""
    groups = (await _directory(settings, SystemClock())).groups()
    if as_json:
        print_out(json.dumps(groups, indent=2))
    elif groups:
        print_out("\n".join(f"{inert_line(name)}: {inert_line(', '.join(names))}" for name, names in groups.items()))
    else:
        print_out("Nobody is in a group. `handoffs people set NAME --group GROUP` puts a person into one.")


async def invited(settings: Settings, name: str, *, hours: float) -> str:
    """Print a link by which a person joins, once; return what to say beside it.

    Raises:
        UsageError: The inbox has no address, or the link would last for no time or too long.
    """
    if not 0 < hours <= 24 * 30:
        raise UsageError("--hours takes a number from 0 to 720 (thirty days), such as 24.")
    clock, token = SystemClock(), secrets.token_urlsafe(32)
    async with opened_for(settings, name, clock) as people:
        (await people.directory()).named(name)
        inbox = inbox_address(settings)
        expires = clock.now() + timedelta(hours=hours)
        if not await people.invite(digest_of(token), name, expires_at=expires):
            raise PersonRefused(f"{name} was removed a moment ago.")
    print_out(join_page(inbox, token))
    where = "" if settings.inbox_url else " It works on this machine only: HANDOFFS_INBOX_URL is not set."
    return (
        f"The link lets {name} set up a passkey and sign in to the inbox: once, until {stamp(expires)}. Send it to "
        f"{name} alone: any person who has it can join as {name}. Earlier links of {name} work no more.{where}"
    )


def inbox_address(settings: Settings) -> str:
    """Return the address that links lead to: that of the team's inbox, or of the one that runs here.

    Raises:
        UsageError: There is none.
    """
    inbox = settings.inbox_url
    if inbox is None:
        with suppress(OSError):
            running = InboxRecord(store=settings.store, data=data_folder()).running()
            inbox = None if running is None else running.url
    if inbox is None:
        raise UsageError(
            "The link leads to the inbox, and none runs here: start it with `handoffs inbox`, or set "
            "HANDOFFS_INBOX_URL to the address by which people reach it."
        )
    return inbox


async def gone(settings: Settings, name: str, *, since: str | None, until: str, deputy: str) -> None:
    """Keep an absence, in place of the person's earlier one."""
    clock = SystemClock()
    now = clock.now()
    begins = now if since is None else _moment("--since", since)
    ends = _moment("--until", until)
    if ends <= max(begins, now):
        raise UsageError(f"--until must be later than {'now' if begins <= now else '--since'}; it is {stamp(ends)}.")
    if name == deputy:
        raise UsageError(f"{inert_line(name)} can't be their own deputy: name somebody else with --deputy.")
    async with opened_for(settings, name, clock) as people:
        await people.away(Absence(person=name, deputy=deputy, since=begins, until=ends), at=now)
    print_out(f"{name} is away from {stamp(begins)} until {stamp(ends)}; {deputy} decides in their place.")


async def returned(settings: Settings, name: str) -> None:
    """End a person's absence."""
    clock = SystemClock()
    async with opened_for(settings, name, clock) as people:
        (await people.directory()).named(name)
        if not await people.come_back(name, at=clock.now()):
            raise PersonRefused(f"{name} is not away.")
    print_out(f"{name} is back, and decides again.")


async def signed_in(settings: Settings, name: str | None, *, as_json: bool) -> None:
    """Print the sessions of the inbox, of one person or of all."""
    clock = SystemClock()
    found: Sequence[Session] = ()
    if name is not None or missing_store(settings) is None:
        async with opened_for(settings, name, clock) as people:
            if name is not None:
                (await people.directory()).named(name)
            found = await people.sessions(name, at=clock.now())
    if as_json:
        print_out(json.dumps([_session_document(each) for each in found], indent=2))
    elif found:
        rows = [(each.id, each.person, stamp(each.started_at), stamp(each.seen_at), each.agent) for each in found]
        print_out(_table([("ID", "PERSON", "SIGNED IN", "LAST USED (ABOUT)", "BROWSER"), *rows]))
    else:
        print_out("Nobody is signed in." if name is None else f"{name} is signed in nowhere.")


async def signed_out(settings: Settings, name: str | None, start: str) -> Exit:
    """End one session, by its id or a unique start of it; return the exit code."""
    clock = SystemClock()
    whole = start if start.startswith(ID_PREFIX) else f"{ID_PREFIX}{start}"
    if name is not None or missing_store(settings) is None:
        async with opened_for(settings, name, clock) as people:
            if name is not None:
                (await people.directory()).named(name)
            found = [each for each in await people.sessions(name, at=clock.now()) if each.id.startswith(whole)]
            if len(found) > 1:
                raise UsageError(f"Several sessions begin with {inert_line(start, 40)}: give more of the id.")
            if found and await people.end(found[0].id):
                print_out(f"{found[0].id} has ended: {found[0].person} is signed out there.")
                return Exit.DONE
    said = f"There is no session {inert_line(start, 40)}. `handoffs people sessions` lists them."
    return Exit(failed(said, Exit.NOT_FOUND))


async def printed_keys(settings: Settings, name: str | None) -> None:
    """Print the public keys of people who are there, as TOML; of one person, or of all."""
    clock = SystemClock()
    if name is None and missing_store(settings) is not None:
        return
    async with opened_for(settings, name, clock) as people:
        directory = await people.directory()
        names = sorted(each.name for each in directory.people.values() if each.present)
        for each in names if name is None else [directory.named(name).name]:
            keys = [key for key in await people.keys(each) if key.active(clock.now())]
            if keys:
                written = ", ".join(f'"{urlsafe_b64encode(key.public_key).rstrip(b"=").decode()}"' for key in keys)
                print_out(f"{json.dumps(each, ensure_ascii=False)} = [{written}]")


@asynccontextmanager
async def _opened(settings: Settings, clock: SystemClock) -> AsyncGenerator[People]:
    async with store_at(settings.store, clock) as store:
        await store.ready()
        yield store.people


@asynccontextmanager
async def opened_for(settings: Settings, name: str | None, clock: SystemClock) -> AsyncGenerator[People]:
    """Open the store for what is done about a person of it: a store that is not there has none, and is not made."""
    if name is not None and missing_store(settings) is not None:
        Directory().named(name)
    async with _opened(settings, clock) as people:
        yield people


async def _directory(settings: Settings, clock: SystemClock) -> Directory:
    if missing_store(settings) is not None:
        return Directory()
    async with _opened(settings, clock) as people:
        return await people.directory()


def _group(written: str) -> str:
    return checked_name(written, "group's name")


def _moment(option: str, written: str) -> datetime:
    """Return the moment that a person wrote: a date alone is its first moment, in this machine's time zone."""
    day = len(written.strip()) == len("2026-12-24")
    try:
        moment = read_moment(f"{written.strip()}T00:00" if day else written, datetime.astimezone)
        return datetime.fromisoformat(moment.upper()).astimezone(UTC)
    except (OutOfRange, OverflowError):
        raise UsageError(f"{option} {OutOfRange()}.") from None
    except ValueError as wrong:
        raise UsageError(f"{option} {wrong}; or a date, like 2026-12-24.") from None


def quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name


def _row(person: Person, absence: Absence | None, now: datetime) -> tuple[str, ...]:
    state = "here"
    if person.erased and person.removed_at is not None:
        state = "erased"
    elif person.removed_at is not None:
        state = f"removed {stamp(person.removed_at)}"
    elif absence is not None:
        begins = "" if absence.covers(now) else f"from {stamp(absence.since)} "
        state = f"away {begins}until {stamp(absence.until)}, deputy {absence.deputy}"
    return person.name, person.email or "-", ", ".join(sorted(person.groups)) or "-", stamp(person.added_at), state


def _document(person: Person, absence: Absence | None) -> dict[str, object]:
    away = absence and {
        "deputy": absence.deputy,
        "since": stamp(absence.since),
        "until": stamp(absence.until),
    }
    return {
        "id": person.id,
        "name": person.name,
        "erased": bool(person.erased),
        "email": person.email,
        "groups": sorted(person.groups),
        "identities": sorted(person.identities),
        "addedAt": stamp(person.added_at),
        "removedAt": None if person.removed_at is None else stamp(person.removed_at),
        "away": away,
    }


def _session_document(session: Session) -> dict[str, str]:
    return {
        "id": session.id,
        "person": session.person,
        "browser": session.agent,
        "startedAt": stamp(session.started_at),
        "seenAt": stamp(session.seen_at),
    }


def _table(rows: Sequence[Sequence[str]]) -> str:
    inert = [[inert_line(cell, 120) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*inert, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in inert)
