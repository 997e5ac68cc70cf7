"""From settings to a running desk: the only place that knows all the parts."""

import contextlib
import getpass
import importlib
import importlib.util
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from handoffs import kept
from handoffs.channels import CHANNELS, Row
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.ports import Channel, Tokens
from handoffs.core.question import Limits
from handoffs.core.quota import Quota
from handoffs.sealing import AesGcmSealer
from handoffs.settings import PREFIX, Settings, SettingsError, data_folder
from handoffs.store import Engine, OpenStore, StoreAddress, engine_of

MIN_KEY = 32
"""Characters of a key that seals."""


@asynccontextmanager
async def open_desk(
    settings: Settings,
    *,
    channels: Sequence[Channel] = (),
    store: OpenStore | None = None,
    clock: SystemClock | None = None,
) -> AsyncGenerator[Desk]:
    """Give the desk over the store that the settings name, showing questions through `channels` while it lasts.

    The store is opened by the first thing that needs it, and closed; one that is given is left to its owner, with the
    clock that it settles.
    """
    limits = Limits(
        default_seconds=settings.default_timeout_seconds,
        min_seconds=settings.min_timeout_seconds,
        max_seconds=settings.max_timeout_seconds,
        join_seconds=settings.join_seconds,
        quota=Quota(open=settings.quota_open, per_minute=settings.quota_per_minute, bytes=settings.quota_bytes),
    )
    clock = clock or SystemClock()
    async with store_at(settings.store, clock) if store is None else contextlib.nullcontext(store) as opened:
        sealer = AesGcmSealer(partial(lasting_keys, settings))
        desk = Desk(store=opened, clock=clock, limits=limits, channels=channels, sealer=sealer, local=current_user())
        if not channels:
            yield desk
            return
        async with desk.presenting():
            yield desk


def missing_store(settings: Settings) -> Path | None:
    """Return where the store would be, where there is none yet; None where there is one, or none can be looked for.

    To look into a store makes one. What only reads asks here first: a mistyped path must stay one.
    """
    if not isinstance(settings.store, Path):
        return None
    try:
        settings.store.stat()
    except (FileNotFoundError, NotADirectoryError):
        return settings.store
    except OSError:
        return None  # to open it says what is wrong
    return None


@asynccontextmanager
async def open_tokens(settings: Settings) -> AsyncGenerator[Tokens]:
    """Give the tokens of callers in the store that the settings name, which the first use opens."""
    async with store_at(settings.store) as store:
        yield store.tokens


def store_at(address: StoreAddress, clock: SystemClock | None = None) -> OpenStore:
    """Return the store at an address, which nothing has touched yet. It settles by which offset the `clock` goes.

    Raises:
        SettingsError: What its engine needs is not installed.
    """
    return engine_at(address).open(address, clock)


def engine_at(address: StoreAddress) -> Engine:
    """Return the engine of the store at an address. Raises SettingsError: what it needs is not installed."""
    engine = engine_of(address)
    if engine.needs and importlib.util.find_spec(engine.needs) is None:  # which does not import it
        from handoffs.extras import command_to_add

        raise SettingsError(f"A store on {engine.title} needs the extra {engine.extra}: {command_to_add(engine.extra)}")
    return engine


@asynccontextmanager
async def notifying(settings: Settings, desk: Desk) -> AsyncGenerator[None]:
    """Run the channels that the settings ask for, while the block lasts: they tell people of what is open.

    They are given the question's page where the settings say how people reach the inbox. An inbox on this machine's
    loopback is no place for them: from a phone its address leads nowhere, or to what listens there.

    Raises:
        SettingsError: A channel is asked for, and what it needs is not installed.
    """
    rows = [row for row in CHANNELS.values() if row.run and any(getattr(settings, name) for name in row.settings)]
    if not rows:
        yield
        return
    from handoffs.inbox_process.record import page_at  # only where somebody is to be told

    link = None if settings.inbox_url is None else partial(page_at, settings.inbox_url)
    for row in rows:
        check_installed(row)
    async with anyio.create_task_group() as tasks:
        for row in rows:
            module, _, name = row.run.partition(":")
            run = getattr(importlib.import_module(module), name)
            tasks.start_soon(run, desk, {name: getattr(settings, name) for name in row.settings}, link)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


def check_installed(row: Row) -> None:
    """Raise SettingsError where a channel's extra is not installed; it is not imported for that."""
    if row.needs and importlib.util.find_spec(row.needs) is None:
        from handoffs.extras import command_to_add

        names = " and ".join(PREFIX + name.upper() for name in row.settings)
        raise SettingsError(f"{names} need the extra {row.extra}. Unset them, or: {command_to_add(row.extra)}")


def current_user() -> str:
    """Return the name of the user of the operating system. Its environment is not asked: anybody can set that."""
    if sys.platform == "win32":
        return getpass.getuser()
    import pwd  # not on Windows

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def seal_keys(settings: Settings) -> list[str]:
    """Return the keys that seal what goes through clients: those of the settings, else one made once and kept.

    Where none can be kept, it lasts as long as the process: then a question that is open in a dialog while the server
    restarts is asked again. The store, which is kept in the same place by default, says what is wrong with it.
    """
    return list(settings.keys) or lasting_keys(settings) or [secrets.token_hex(32)]


def lasting_keys(settings: Settings) -> list[str]:
    """Return the keys that will be there after a restart, too: those of the settings, and the kept one.

    The kept one is made where there is no other. It still opens what it sealed before there were any in the settings.
    """
    path, key = data_folder() / "keys", None
    with contextlib.suppress(OSError):
        key = kept.read(path)
        if key is None and not settings.keys:
            key = kept.make(path, partial(secrets.token_hex, 32))
    return [*settings.keys, *([key] if key is not None and len(key) >= MIN_KEY else [])]
