"""From settings to a running desk: the only place that knows all the parts."""

import contextlib
import getpass
import importlib.util
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import anyio

from handoffs import kept
from handoffs.access.tokens import Tokens
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.ports import Channel
from handoffs.core.question import Limits
from handoffs.core.quota import Quota
from handoffs.sealing import AesGcmSealer
from handoffs.settings import Settings, SettingsError, StoreAddress, data_folder
from handoffs.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from handoffs.store.postgres.store import PostgresStore

MIN_KEY = 32
"""Characters of a key that seals."""

AnyStore: TypeAlias = "SqliteStore | PostgresStore"


@asynccontextmanager
async def open_desk(
    settings: Settings,
    *,
    channels: Sequence[Channel] = (),
    store: "AnyStore | None" = None,
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
        desk = Desk(store=opened, clock=clock, limits=limits, channels=channels, sealer=sealer)
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


def store_at(address: StoreAddress, clock: SystemClock | None = None) -> AnyStore:
    """Return the store at an address, which nothing has touched yet. It settles by which offset the `clock` goes.

    Raises:
        SettingsError: It is on PostgreSQL, and what connects to that is not installed.
    """
    if isinstance(address, Path):
        return SqliteStore(address, clock=clock)
    check_postgres()
    from handoffs.store.postgres.store import PostgresStore  # for most there is a file

    return PostgresStore(address.url, clock=clock)


def check_postgres() -> None:
    """Raise SettingsError where what connects to PostgreSQL is not installed; it is not imported for that."""
    if importlib.util.find_spec("asyncpg") is None:
        from handoffs.extras import command_to_add

        raise SettingsError(f"A store on PostgreSQL needs the extra postgres: {command_to_add('postgres')}")


@asynccontextmanager
async def notifying(settings: Settings, desk: Desk) -> AsyncGenerator[None]:
    """Tell the people at the addresses of the settings of what is open, while the block lasts.

    They are given the question's page where the settings say how people reach the inbox. An inbox on this machine's
    loopback is no place for them: from a phone its address leads nowhere, or to what listens there.

    Raises:
        SettingsError: There are addresses, and what sends is not installed.
    """
    if not settings.notify and not settings.escalate:
        yield
        return
    check_notify(settings)
    from handoffs.channels.notify import Notifier  # only where somebody is to be told
    from handoffs.inbox_process.record import page_at

    link = None if settings.inbox_url is None else partial(page_at, settings.inbox_url)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Notifier(desk, settings.notify, settings.escalate, link).run)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


def check_notify(settings: Settings) -> None:
    """Raise SettingsError where people are to be told and what sends is not installed; it is not imported for that."""
    if (settings.notify or settings.escalate) and importlib.util.find_spec("apprise") is None:
        from handoffs.extras import command_to_add

        raise SettingsError(
            f"HANDOFFS_NOTIFY and HANDOFFS_ESCALATE need the extra notify. Unset them, or: {command_to_add('notify')}"
        )


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
