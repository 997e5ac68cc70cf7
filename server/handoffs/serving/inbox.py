"""The inbox server: serves the page with every question of a store, and opens it in the person's browser."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import uvicorn
from filelock import FileLock

from handoffs.assembly import courier_of, notifying, open_desk, setup_of, store_at
from handoffs.clock import SystemClock
from handoffs.console import UsageError, print_out
from handoffs.core.desk import Desk
from handoffs.inbox_process.record import InboxRecord, Running
from handoffs.os_user import current_user
from handoffs.serving.binding import CannotServe, bound, bound_as_localhost, in_url, is_loopback
from handoffs.serving.connections import bounded, disable_core_dumps, raise_file_limit
from handoffs.serving.health import ASGI, Probes, Readiness
from handoffs.serving.inbox_oidc import provider_of
from handoffs.serving.log_tree import LogTree
from handoffs.serving.webhooks import posting_webhooks
from handoffs.settings import Settings, data_folder
from handoffs.settings_shown import unused_words
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn, sign_in_link

LOCALHOST = "localhost"
"""The name in local links: a browser makes passkeys for a name, and for no address."""

LOOPBACK = frozenset({"127.0.0.1", "::1"})
"""The addresses that it stands for."""

IDLE_SECONDS = 600.0
"""How long an inbox in the background runs without an open question or page."""

FIND_SECONDS = 10.0
"""How long a starting inbox waits for another that is just starting or ending."""

BROWSER_SECONDS = 5.0
"""How long the command waits for a browser to open, if it has nothing else to do."""

DRAIN_SECONDS = 1
"""How long open requests get to end when the inbox is stopped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """The options of an inbox."""

    host: str = "localhost"
    names: tuple[str, ...] = ()
    """Further host names: those that a proxy or another machine knows it by."""
    port: int | None = None
    """None: the last used port if it is free, else any."""
    browser: bool = True
    background: bool = False
    """Started by a server: it ends when idle, and prints nothing."""
    handoff: str | None = None
    """The handoff whose page the browser shows; None for the list."""
    idle_seconds: float = IDLE_SECONDS

    @property
    def path(self) -> str:
        """The page, as a path."""
        return f"/h/{self.handoff}" if self.handoff else "/"


async def open_inbox(settings: Settings, opening: Opening) -> None:
    """Open the inbox of this store in the browser; serve it here until Ctrl-C, unless one runs already.

    Raises:
        CannotServe: The address is taken, or can be reached from other machines.
        StoreError: The store can't be used.
        KeyboardInterrupt: Ctrl-C.
    """
    if not is_loopback(opening.host):
        _check_reachable(settings, opening.host)
    record = record_of(settings)
    lock = await _claim(record)
    if isinstance(lock, Running):
        if not opening.background:
            public = settings.inbox_url or lock.url
            print_out(f"The inbox runs already, at {public}")
            showing = _show(public, record, opening)
            if showing is not None:
                showing.join(BROWSER_SECONDS)
        return
    try:
        disable_core_dumps()
        record.withdraw()  # left by a killed process
        with ExitStack() as stack:
            listeners = [stack.enter_context(each) for each in _listeners(opening, record.last_port())]
            interrupted = await _serve(settings, record, opening, listeners)
    finally:
        record.withdraw()
        lock.release()
    if interrupted:
        raise KeyboardInterrupt


def _check_reachable(settings: Settings, host: str) -> None:
    """Check that people on other machines must sign in, and can. Raises CannotServe."""
    if not (settings.inbox_password or settings.inbox_proxy_header or settings.inbox_oidc_issuer):
        raise CannotServe(
            f"{host} can be reached from other machines: set HANDOFFS_INBOX_PASSWORD, HANDOFFS_INBOX_OIDC_ISSUER, or "
            "HANDOFFS_INBOX_PROXY_HEADER behind a proxy that authenticates. What is typed travels in the clear "
            "unless a proxy speaks TLS."
        )
    if settings.inbox_oidc_issuer and not settings.inbox_url:
        raise CannotServe(
            f"{settings.inbox_oidc_issuer} sends browsers back to the inbox: set HANDOFFS_INBOX_URL to the https "
            "address by which people on other machines reach it."
        )


def record_of(settings: Settings) -> InboxRecord:
    """Return the record of this store's inbox. Raises UsageError when its folder can't be written."""
    record = InboxRecord(store=settings.store, data=data_folder())
    try:
        record.make()
    except OSError as error:
        raise UsageError(
            f"{record.folder} can't be used: {error.strerror or error}. Who is signed in is kept there: let this user "
            "write it."
        ) from None
    return record


async def _claim(record: InboxRecord) -> FileLock | Running:
    """Return the lock, held; or the inbox that holds it, once it serves."""
    with anyio.move_on_after(FIND_SECONDS):
        while True:
            found = record.claim() or record.running()
            if found is not None:
                return found
            await anyio.sleep(0.02)
    raise UsageError("Another inbox of this store is starting or ending, and takes too long. Try again.")


def _listeners(opening: Opening, last_port: int) -> list[socket.socket]:
    if opening.port is not None or not last_port:
        return _bound(opening.host, opening.port or 0)
    try:
        return _bound(opening.host, last_port)
    except CannotServe:
        return _bound(opening.host, 0)


def _bound(host: str, port: int) -> list[socket.socket]:
    host = "127.0.0.1" if host == "localhost" else host
    return bound_as_localhost(host, port) if _local_name(host) == LOCALHOST else [bound(host, port)]


def _local_name(host: str) -> str:
    """Return the name by which a browser on this machine reaches a server at `host`."""
    everywhere = {"0.0.0.0", "::"}  # noqa: S104 - asked for, and guarded
    return LOCALHOST if host in everywhere or host in LOOPBACK else host


@dataclass(kw_only=True)
class _LastVisit:
    """When a person last looked at a page, by the event loop's clock."""

    at: float = field(default_factory=anyio.current_time)

    def now(self) -> None:
        self.at = anyio.current_time()


class _Server(uvicorn.Server):
    """Reports when it serves, and leaves signals to us: uvicorn's handler would skip our cleanup."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serves = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        if sys.platform == "win32":  # event loops get no signals there
            with super().capture_signals():
                yield
        else:
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.serves.set()

    @property
    def connections(self) -> int:
        """The number of open connections: a page that is shown keeps one, for live updates."""
        return len(self.server_state.connections)

    def end(self) -> None:
        self.handle_exit(signal.SIGTERM, None)  # sse-starlette listens for this, and ends its endless streams


async def _serve(settings: Settings, record: InboxRecord, opening: Opening, listeners: list[socket.socket]) -> bool:
    """Serve until a signal, or until idle; say whether it was Ctrl-C."""
    host, port = listeners[0].getsockname()[:2]
    local = _local_name(host)
    # Where people come through a proxy or by other names, it may pass on an address as the Host.
    alone = not (settings.inbox_url or settings.inbox_password or settings.inbox_proxy_header or opening.names)
    addresses = [in_url(each) for each in LOOPBACK] if local == LOCALHOST else []
    url = f"http://{in_url(local)}:{port}/"
    last_visit = _LastVisit()
    interrupts: list[signal.Signals] = []
    clock = SystemClock()
    # Not for an inbox that a server started: its port is another one each time.
    provider = None if opening.background else provider_of(settings, clock)
    async with (
        store_at(settings.store, clock) as store,
        open_desk(settings, store=store, clock=clock, page=url) as desk,
        notifying(settings, desk),
        posting_webhooks(settings, desk, at_once=True),
        anyio.create_task_group() as beside,
    ):
        tree = LogTree(store, clock, data_folder(), settings.inbox_url)
        beside.start_soon(tree.run)
        courier = courier_of(settings, desk)
        beside.start_soon(courier.run)
        await desk.newest(open_only=True, limit=1)  # raise now, not on the page, if the store can't be used
        app = build_inbox(
            desk,
            sign_in=SignIn(record.folder),
            by=current_user(),
            hosts=[in_url(local), LOCALHOST, *opening.names, *([] if alone else addresses)],
            led_here=addresses if alone else [],
            on_seen=last_visit.now,
            # Not for an inbox that a server started: an agent on this machine could send the header itself.
            password=None if opening.background else settings.inbox_password,
            proxy_header=None if opening.background else settings.inbox_proxy_header,
            url=settings.inbox_url,
            people=store.people,
            # No browser makes a passkey for an address, nor for a name without TLS.
            own_url=url if local == LOCALHOST else None,
            provider=provider,
            unused=lambda folder: unused_words(Path(folder)) if folder else "",
            log=tree,
            chats=setup_of(settings, desk, courier),
            pinned=settings.pinned_keys is not None,
        )
        # No access log: a sign-in link has its code in the address.
        probed = Probes(app, Readiness(desk).problem)
        config = uvicorn.Config(
            probed,
            log_config=None,
            access_log=False,
            interface=ASGI,
            ws="none",
            timeout_graceful_shutdown=DRAIN_SECONDS,
            **bounded(raise_file_limit()),
        )
        server = _Server(config)

        async def end_on_signal() -> None:
            if sys.platform == "win32":
                return
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for number in signals:
                    interrupts.append(number)
                    record.withdraw()
                    server.end()

        async def begin() -> None:
            await server.serves.wait()
            running = Running(url=url, pid=os.getpid())
            record.announce(running)
            if not opening.background:
                print_out(f"The inbox is at {where_it_is(settings.inbox_url, url)} (Ctrl-C stops it).")
            _show(settings.inbox_url or url, record, opening)
            if opening.background:
                await _until_idle(desk, record, running, server, last_visit, opening.idle_seconds)
                server.end()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end_on_signal)
            tasks.start_soon(begin)
            await server.serve(sockets=listeners)
            tasks.cancel_scope.cancel()
        beside.cancel_scope.cancel()
    return signal.SIGINT in interrupts


async def _until_idle(
    desk: Desk, record: InboxRecord, running: Running, server: _Server, last_visit: _LastVisit, idle_seconds: float
) -> None:
    """Return after `idle_seconds` without an open question or page; the record is withdrawn then."""

    async def is_needed() -> bool:
        return bool(server.connections or await desk.newest(open_only=True, limit=1))

    while True:
        if await is_needed():
            last_visit.now()
        left = last_visit.at + idle_seconds - anyio.current_time()
        if left > 0:
            await anyio.sleep(min(left, idle_seconds / 10))
            continue
        record.withdraw()
        # A server may have read the record a moment ago and sent a person here; its question is in the store already.
        if not await is_needed():
            return
        record.announce(running)


def where_it_is(public: str | None, own: str) -> str:
    """Return the inbox's public address, with its own on this machine for the person who sets up the proxy."""
    return own if public is None else f"{public}, served here at {own}"


def _show(url: str, record: InboxRecord, opening: Opening) -> threading.Thread | None:
    """Open the page with a link that signs the person in once; print the link if there is no browser.

    Returns the thread that opens it, which may last as long as the browser: some browsers run in the foreground.
    """
    desktop = opening.browser and _has_desktop()
    if opening.background and not desktop:
        return None
    link = sign_in_link(url, SignIn(record.folder).make_code(), opening.path)
    if not desktop:
        _print_link(link)
        return None
    thread = threading.Thread(target=_browse, args=(link, not opening.background), daemon=True)
    thread.start()
    return thread


def _browse(link: str, says: bool) -> None:
    os.environ.pop("TERM", None)  # otherwise webbrowser may choose a browser that draws in the terminal
    import webbrowser  # reads the environment

    if not webbrowser.open(link) and says:
        _print_link(link)


def _print_link(link: str) -> None:
    print_out(f"To sign in, open this within ten minutes, once:\n{link}")


def _has_desktop() -> bool:
    if sys.platform in {"win32", "darwin"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
