"""`handoffs people export` and `erase`: what a store keeps about a person."""

import json
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import anyio
import typer

from handoffs.assembly import store_at
from handoffs.cli.people import opened_for, quoted
from handoffs.clock import SystemClock
from handoffs.console import UsageError, print_out
from handoffs.core.chat import Chat
from handoffs.core.display import counted, stamp
from handoffs.core.document import redacted
from handoffs.core.events import Entry
from handoffs.core.model import Cursor, Handoff
from handoffs.core.passkey import Passkey
from handoffs.core.person import Person
from handoffs.core.ports import Store
from handoffs.proof.erasing import concerns, rewrite_at
from handoffs.proof.files import put
from handoffs.settings import Settings

_PAGE = 200
_MOST_LINES = 100_000
_MOST_GRANTS = 1_000_000


async def exported(settings: Settings, name: str, to: Path | None) -> None:
    """Print all that the store keeps about a person as JSON, or write it to a file that only its owner can read."""
    clock = SystemClock()
    async with opened_for(settings, name, clock):
        pass  # refuses a store that is not there
    async with store_at(settings.store, clock) as store:
        await store.ready()
        written = json.dumps(await _all_of(store, name, clock.now()), indent=2)
    if to is None:
        print_out(written)
        return
    try:
        await anyio.to_thread.run_sync(lambda: put(to, f"{written}\n".encode(), private=True))
    except OSError as wrong:
        raise UsageError(f"{to} can't be written: {wrong.strerror}.") from None
    print_out(f"Written to {to}.")


async def erased(settings: Settings, name: str, *, yes: bool) -> None:
    """Erase all that the store keeps about a person. Raises PersonNotFound, PersonRefused or UsageError."""
    clock = SystemClock()
    async with opened_for(settings, name, clock) as people:
        directory = await people.directory()
        person = directory.to_erase(name)
        if not yes:
            _ask(person)
        now = clock.now()
        done = await people.erase(name, at=now, rewrite=rewrite_at(now))
    print_out(
        f"Erased. In {counted(done.handoffs, 'handoff', 'handoffs')} and "
        f"{counted(done.grants, 'permission', 'permissions')} the name is now “erased: {done.person}”, and "
        f"{counted(done.lines, 'line', 'lines')} of the log lost words. `handoffs log verify` still verifies it."
    )
    print_out(
        "Not erased: copies that were made before (exports of the log, backups, `db copy`), and what agents and other "
        "people wrote about the person."
    )


def _ask(person: Person) -> None:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            f"There is no terminal to ask on: give --yes. `handoffs people export {quoted(person.name)}` shows what is "
            "erased."
        )
    question = f"Erase {person.name}, and all that {person.name} wrote and decided here, for good?"
    if not typer.confirm(question, err=True):
        raise UsageError("Nothing was erased.")


async def _all_of(store: Store, name: str, now: datetime) -> Mapping[str, object]:
    people = store.people
    directory = await people.directory()
    person = directory.to_erase(name)  # also one who was removed
    keys = [each for each in await people.every_key() if each.person == person.name]
    grants = await _permissions(store, person.name)
    return {
        "person": {
            "name": person.name,
            "id": person.id,
            "email": person.email,
            "groups": sorted(person.groups),
            "identities": sorted(person.identities),
            "addedAt": stamp(person.added_at),
            "removedAt": _stamp(person.removed_at),
        },
        "absences": [
            {"person": each.person, "deputy": each.deputy, "since": stamp(each.since), "until": stamp(each.until)}
            for each in directory.absences
            if person.name in (each.person, each.deputy)
        ],
        "passkeys": [_key(each) for each in sorted(keys, key=lambda each: each.added_at)],
        "sessions": [
            {
                "id": each.id,
                "browser": each.agent,
                "startedAt": stamp(each.started_at),
                "seenAt": stamp(each.seen_at),
                "pageKey": each.page_key,
            }
            for each in await people.sessions(person.name, at=now)
        ],
        "recoveries": [
            {
                "person": each.person,
                "askedBy": each.asked_by,
                "askedAt": stamp(each.asked_at),
                "beginsAt": stamp(each.begins_at),
                "endsAt": stamp(each.ends_at),
                "usedAt": _stamp(each.used_at),
                "stoppedAt": _stamp(each.stopped_at),
            }
            for each in await people.every_recovery()
            if person.name in (each.person, each.asked_by)
        ],
        "chats": [_chat(each) for each in await store.chats.all() if each.person == person.name],
        "log": [_line(each) for each in await store.log(handoff_id=person.id, limit=_MOST_LINES)],
        "handoffs": await _handoffs(store, person.name),
        "permissions": grants,
    }


async def _handoffs(store: Store, name: str) -> list[object]:
    found: list[object] = []
    before: Cursor | None = None
    while True:
        page = await store.newest(open_only=False, before=before, limit=_PAGE)
        entries: dict[str, list[Entry]] = {each.id: [] for each in page}
        for line in await store.leaves.lines(list(entries)):
            entries[line.entry.handoff_id].append(line.entry)
        concerned = [each for each in page if concerns(name, each, entries[each.id])]
        found += [_handoff(each, entries[each.id], name, await _files(store, each, name)) for each in concerned]
        if len(page) < _PAGE:
            return found
        before = Cursor(created_at=page[-1].created_at, id=page[-1].id)


async def _files(store: Store, handoff: Handoff, name: str) -> list[object]:
    """Return the files of an answer of this person, with their bytes."""
    if handoff.end is None or handoff.end.by != name:
        return []
    contents = [await store.content(handoff.id, number + 1) for number in range(len(handoff.attachments))]
    return [
        each.document() | {"base64": b64encode(content or b"").decode()}
        for each, content in zip(handoff.attachments, contents, strict=True)
    ]


def _handoff(whole: Handoff, entries: Sequence[Entry], name: str, files: Sequence[object]) -> Mapping[str, object]:
    handoff = redacted(whole)
    of, end = handoff.question.deciders, handoff.end
    told: dict[str, object] = {
        "id": handoff.id,
        "askedAt": stamp(handoff.created_at),
        "message": handoff.question.message,
        "state": handoff.state.value,
        "decides": of is not None and name in of.everyone_named,
        "votes": [
            {
                "by": each.person,
                "for": each.for_,
                "channel": each.channel,
                "at": stamp(each.at),
                "refuses": each.refuses,
                "digest": each.digest,
                "proof": each.proof,
            }
            for each in handoff.votes
            if name in (each.person, each.for_)
        ],
        "lines": [_line(each) for each in entries if name in (each.details.get("by"), each.details.get("for_"))],
    }
    if end is not None and end.by == name:
        told["ended"] = {
            "at": stamp(end.at),
            "channel": end.channel,
            "note": end.note,
            "values": None if handoff.values is None else dict(handoff.values),
            "other": handoff.other,
            "attachments": files,
            "secrets": sorted(handoff.sealed),
        }
    return told


async def _permissions(store: Store, name: str) -> list[object]:
    permissions = store.permissions
    found: list[object] = [
        {
            "id": each.id,
            "server": each.server,
            "tool": each.tool,
            "givenAt": stamp(each.created_at),
            "channel": each.channel,
            "handoff": each.handoff_id,
            "uses": each.uses,
            "revokedAt": _stamp(each.revoked_at),
        }
        for each in await permissions.grants(limit=_MOST_GRANTS)
        if each.by == name
    ]
    stop = await permissions.stopped()
    if stop is not None and stop.by == name:
        found.append({"stop": stamp(stop.at)})
    return found


def _key(key: Passkey) -> Mapping[str, object]:
    return {
        "credentialId": key.credential_id,
        "publicKey": key.public_key.hex(),
        "signCount": key.sign_count,
        "label": key.label,
        "addedAt": stamp(key.added_at),
        "addedWith": key.added_with,
        "activeFrom": stamp(key.active_from),
        "lastUsedAt": _stamp(key.last_used_at),
        "removedAt": _stamp(key.removed_at),
    }


def _chat(chat: Chat) -> Mapping[str, object]:
    return {
        "id": chat.id,
        "channel": chat.channel,
        "hint": chat.hint,
        "addedAt": stamp(chat.added_at),
        "quiet": chat.quiet,
        "on": chat.on,
        "problem": chat.problem,
    }


def _line(entry: Entry) -> Mapping[str, object]:
    return {
        "number": entry.number,
        "at": stamp(entry.at),
        "event": entry.name,
        "details": dict(entry.details),
    }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)
