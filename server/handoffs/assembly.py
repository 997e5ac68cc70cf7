"""Builds a running desk from the settings: the only module that knows all parts."""

import contextlib
import importlib
import importlib.util
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handoffs import secret_files
from handoffs.channels import CHANNELS, Row
from handoffs.clock import SystemClock
from handoffs.core.beside import Work, beside
from handoffs.core.desk import Desk
from handoffs.core.errors import StoreError
from handoffs.core.ports import Channel, Tokens
from handoffs.core.question import Limits
from handoffs.core.quota import Quota
from handoffs.os_user import current_user
from handoffs.sealing import AesGcmSealer
from handoffs.settings import PREFIX, Settings, SettingsError, data_folder
from handoffs.store import Engine, OpenStore, StoreAddress, engine_of

if TYPE_CHECKING:  # most servers need none of it
    from handoffs.channels.chats.courier import Courier
    from handoffs.channels.chats.service import Kind
    from handoffs.channels.chats.setup import Setup
    from handoffs.core.person import Directory
    from handoffs.core.proving import Proofs

__all__ = [
    "check_installed",
    "current_user",
    "engine_at",
    "lasting_keys",
    "limits_of",
    "missing_store",
    "notifying",
    "open_desk",
    "open_tokens",
    "seal_keys",
    "store_at",
]

MIN_KEY = 32
"""The least characters of a key for sealing."""


@asynccontextmanager
async def open_desk(
    settings: Settings,
    *,
    channels: Sequence[Channel] = (),
    store: OpenStore | None = None,
    clock: SystemClock | None = None,
    page: str | None = None,
) -> AsyncGenerator[Desk]:
    """Yield a desk over the store of the settings. Questions are shown in `channels` for the length of the block.

    The store is opened at first use, and closed at the end. A `store` that is passed in belongs to the caller, with the
    `clock` that it sets. `page` is the address of the inbox that this process serves on this machine.

    Raises:
        SettingsError: The file of pinned keys can't be used, or telemetry needs an extra that is not installed.
    """
    pinned = None
    if settings.pinned_keys is not None:
        from handoffs.proof.pinned_keys import PinnedKeysRefused, read_pinned_keys

        try:
            pinned = read_pinned_keys(settings.pinned_keys)
        except PinnedKeysRefused as refused:
            raise SettingsError(f"{PREFIX}PINNED_KEYS: {refused}") from None
    clock = clock or SystemClock()
    async with (
        _telemetry(settings) as measured,
        store_at(settings.store, clock) if store is None else contextlib.nullcontext(store) as given,
    ):
        opened = measured(given)
        sealer = AesGcmSealer(partial(lasting_keys, settings))

        async def directory() -> "Directory":
            return await opened.people.directory()  # what keeps people is imported where a rule names some

        def proofs() -> "Proofs":
            from handoffs.proof.passkeys import PasskeyProofs, RelyingParty  # where a rule demands a proof

            async def claim(key: str, now: datetime, until: datetime) -> bool:
                return await opened.claim(key, now=now, until=until)

            party = RelyingParty.of(settings.inbox_url, page=page)
            return PasskeyProofs(lambda: opened.people, party, claim=claim, pinned=pinned)

        async def log_head() -> str:
            from handoffs.proof.growing import head_now  # for who is told of it

            return await head_now(opened)

        desk = Desk(
            store=opened,
            clock=clock,
            limits=limits_of(settings),
            channels=channels,
            sealer=sealer,
            local=current_user(),
            directory=directory,
            proofs=proofs,
            proof_demanded=settings.proof == "passkey",
            log_head=log_head,
        )
        if not channels:
            yield desk
            return
        async with desk.presenting():
            yield desk


def limits_of(settings: Settings) -> Limits:
    """Return the limits of questions and callers."""
    return Limits(
        default_seconds=settings.default_timeout_seconds,
        min_seconds=settings.min_timeout_seconds,
        max_seconds=settings.max_timeout_seconds,
        join_seconds=settings.join_seconds,
        quota=Quota(open=settings.quota_open, per_minute=settings.quota_per_minute, bytes=settings.quota_bytes),
    )


@asynccontextmanager
async def _telemetry(settings: Settings) -> AsyncGenerator[Callable[[OpenStore], OpenStore]]:
    """Export telemetry for the length of the block, if the settings say so; yield what makes a store count."""
    if settings.telemetry == "off":
        yield lambda store: store
        return
    try:
        from handoffs.telemetry import exporting, measured  # only where a setting says so
    except ModuleNotFoundError:
        from handoffs.extras import command_to_add

        raise SettingsError(f"{PREFIX}TELEMETRY=otlp needs the extra otel: {command_to_add('otel')}") from None
    async with exporting():
        yield measured


def missing_store(settings: Settings) -> Path | None:
    """Return the path of the store if it does not exist yet; None if it exists, or its existence can't be checked.

    Opening a store creates it. Commands that only read ask here first: a mistyped path must not create a store.
    """
    if not isinstance(settings.store, Path):
        return None
    try:
        settings.store.stat()
    except (FileNotFoundError, NotADirectoryError):
        return settings.store
    except OSError:
        return None  # opening it reports what is wrong
    return None


@asynccontextmanager
async def open_tokens(settings: Settings) -> AsyncGenerator[Tokens]:
    """Yield the callers' tokens in the store of the settings, which is opened at first use."""
    async with store_at(settings.store) as store:
        yield store.tokens


def store_at(address: StoreAddress, clock: SystemClock | None = None) -> OpenStore:
    """Return the store at an address, not yet opened. When opened, it sets the offset of `clock`.

    Raises:
        SettingsError: A package that its engine needs is not installed.
    """
    return engine_at(address).open(address, clock)


def engine_at(address: StoreAddress) -> Engine:
    """Return the engine of the store at an address. Raises SettingsError if a package it needs is not installed."""
    engine = engine_of(address)
    if engine.needs and importlib.util.find_spec(engine.needs) is None:  # this does not import it
        from handoffs.extras import command_to_add

        raise SettingsError(f"A store on {engine.title} needs the extra {engine.extra}: {command_to_add(engine.extra)}")
    return engine


@asynccontextmanager
async def notifying(settings: Settings, desk: Desk) -> AsyncGenerator[None]:
    """Run the channels that notify people of open questions, as the settings ask, for the length of the block.

    They get links to questions if the settings say how people reach the inbox. An inbox on this machine's loopback
    address gets no links: on a phone, the address leads nowhere, or to another program.

    Raises:
        SettingsError: A package that a channel needs is not installed.
    """
    rows = [row for row in CHANNELS.values() if row.run and any(getattr(settings, name) for name in row.settings)]
    if not rows:
        yield
        return
    from handoffs.inbox_process.record import page_at  # only if there are people to notify

    link = None if settings.inbox_url is None else partial(page_at, settings.inbox_url)
    for row in rows:
        check_installed(row)
    work: list[Work] = []
    for row in rows:
        module, _, name = row.run.partition(":")
        run = getattr(importlib.import_module(module), name)
        work.append(partial(run, desk, {name: getattr(settings, name) for name in row.settings}, link))
    async with beside(*work):
        yield


CHATS_START_SECONDS = 1.0
"""The start of a server comes first."""

CHATS_LOOK_SECONDS = 30.0
"""How soon a server finds that somebody has set the first chat up, in another process."""


@asynccontextmanager
async def chatting(settings: Settings, desk: Desk, *, at_once: bool) -> AsyncGenerator[None]:
    """Tell people of open questions in their own chats, for the length of the block, once somebody has set one up.

    Unless `at_once`, nothing is done before the first question of this process: its store may not be open yet.

    Raises:
        SettingsError: The settings ask for a channel whose package is not installed.
    """
    _check_chats(settings)
    async with beside(partial(_chat, settings, desk, at_once)):
        yield


async def _chat(settings: Settings, desk: Desk, at_once: bool) -> None:
    # Apart from every call, and nothing is loaded before somebody has a chat.
    await (desk.clock.sleep(CHATS_START_SECONDS) if at_once else desk.used.wait())
    while True:
        with contextlib.suppress(StoreError):
            if await desk.has_chats():
                break
        await desk.clock.sleep(CHATS_LOOK_SECONDS)
    await courier_of(settings, desk).run()


def _check_chats(settings: Settings) -> None:
    for row in CHANNELS.values():
        if row.chat and any(getattr(settings, name) for name in row.settings):
            check_installed(row)


def courier_of(settings: Settings, desk: Desk) -> "Courier":
    """Return what serves people's own chats, as far as no other process does.

    Raises:
        SettingsError: The settings ask for a channel whose package is not installed.
    """
    _check_chats(settings)
    from handoffs.channels.chats.courier import Courier
    from handoffs.inbox_process.record import page_at

    def link(handoff_id: str) -> str:
        return page_at(str(settings.inbox_url), handoff_id) if handoff_id else str(settings.inbox_url)

    sealer = AesGcmSealer(partial(lasting_keys, settings))
    return Courier(desk.chats, desk, sealer, kinds(settings), None if settings.inbox_url is None else link)


def setup_of(settings: Settings, desk: Desk, courier: "Courier") -> "Setup":
    """Return what a person does with their own chats; the courier learns of it at once."""
    from handoffs.channels.chats.setup import Setup

    sealer = AesGcmSealer(partial(lasting_keys, settings))
    return Setup(desk.chats, sealer, desk.clock, kinds(settings), courier.poke, partial(_browser_keys, settings))


def _browser_keys(settings: Settings) -> dict[str, str]:
    """Return what pushes to browsers are signed with, for which site, and whether people elsewhere can reach the inbox.

    Empty where no key can be kept.
    """
    from handoffs.channels.vapid import derived_key

    keys = lasting_keys(settings)
    if not keys:
        return {}
    elsewhere = (
        settings.inbox_url,
        settings.inbox_password,
        settings.inbox_proxy_header,
        settings.inbox_oidc_issuer,
    )
    shared = "yes" if any(elsewhere) else ""
    return {"vapid": derived_key(keys[0]), "site": str(settings.inbox_url or ""), "shared": shared}


def kinds(settings: Settings) -> "dict[str, Kind]":
    """Return the channels that people set up on their own page, by name: those that are installed, and have what they
    need of the settings.
    """
    found: dict[str, Kind] = {}
    for row in CHANNELS.values():
        wanted = row.chat and (not row.settings or any(getattr(settings, name) for name in row.settings))
        if wanted and (not row.needs or importlib.util.find_spec(row.needs) is not None):
            module, _, name = row.chat.partition(":")
            made = getattr(importlib.import_module(module), name)
            kind = made({name: getattr(settings, name) for name in row.settings}) if row.settings else made
            if kind is not None:
                found[row.name] = kind
    return found


def check_installed(row: Row) -> None:
    """Raise SettingsError if a channel's extra is not installed. The extra is not imported."""
    if row.needs and importlib.util.find_spec(row.needs) is None:
        from handoffs.extras import command_to_add

        names = " and ".join(PREFIX + name.upper() for name in row.settings)
        raise SettingsError(f"{names} need the extra {row.extra}. Unset them, or: {command_to_add(row.extra)}")


def seal_keys(settings: Settings) -> list[str]:
    """Return the keys that seal data which passes through clients: from the settings, else one made once and kept.

    If none can be kept, it lasts as long as the process: then a question that is open in a dialog while the server
    restarts is asked again. The store, by default in the same folder, reports what is wrong with the folder.
    """
    return list(settings.keys) or lasting_keys(settings) or [secrets.token_hex(32)]


def lasting_keys(settings: Settings) -> list[str]:
    """Return the keys that still exist after a restart: those of the settings, and the kept one.

    The kept one is made if the settings have none. It still opens what it sealed before the settings had keys.
    """
    path, key = data_folder() / "keys", None
    with contextlib.suppress(OSError):
        key = secret_files.read(path)
        if key is None and not settings.keys:
            key = secret_files.make(path, partial(secrets.token_hex, 32))
    return [*settings.keys, *([key] if key is not None and len(key) >= MIN_KEY else [])]
