"""A real PostgreSQL server for the tests of one process: Debian's, installed by `make test`.

Started when a test first needs it, ended with the process however that ends. Every store has a schema of its own.
"""

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.waiting import until_there

PASSWORD = "pa/s@w:rd#1"
"""Of the user `secretive`."""

_ENCODED = "pa%2Fs%40w%3Ard%231"
# Loopback only; `handoffs` needs no password, which would take each connection 10 ms.
_ACCESS = """
local all all trust
host all secretive 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "fsync": "off",  # a test may crash the server, but not the machine
    "full_page_writes": "off",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


class Cluster:
    """A server of one's own."""

    def __init__(self, *, durable: bool = False) -> None:
        """Make it and start it; where it is `durable`, with PostgreSQL's own settings."""
        self._settings = _SETTINGS if not durable else {"listen_addresses": "127.0.0.1"}
        self._bin = _binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="handoffs-postgres-"))
        atexit.register(self.remove)
        if os.getuid() == 0:
            shutil.chown(self.folder, _unprivileged())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._run("initdb", "-D", "data", "-U", "handoffs", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        (self.folder / "data/pg_hba.conf").write_text(_ACCESS)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self.wait()
        self.sql(f"CREATE ROLE secretive LOGIN SUPERUSER PASSWORD '{PASSWORD}'")

    def url(self, *, schema: str = "", port: int | None = None, secret: bool = False) -> str:
        """Return the address of a store, a new one where no schema is named."""
        user = f"secretive:{_ENCODED}" if secret else "handoffs"
        schema = schema or f"t{secrets.token_hex(6)}"
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/postgres?schema={schema}"

    def database(self) -> str:
        """Return the address of a new database, with nothing in it."""
        name = f"d{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://handoffs@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it. In the main thread: it ends with the thread that started it."""
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = ["postgres", "-D", "data", "-k", str(self.folder), "-p", str(self.port), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._as_user(command), cwd=self.folder, stdout=log, stderr=log, env=_ENV)

    def wait(self) -> None:
        """Return once it lets people in."""
        until_there(lambda: self._ended() or self._is_ready())
        if self._ended():
            raise RuntimeError((self.folder / "log").read_text())

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _is_ready(self) -> bool:
        where = ("-U", "handoffs", "-h", str(self.folder), "-p", str(self.port))
        return self._run("pg_isready", "-q", *where, check=False) == 0

    def crash(self) -> None:
        """End it as `pg_ctl stop -m immediate` does: no goodbye, recovery at the next start."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def sql(self, script: str) -> str:
        """Return what psql says to a script, its rows without ornament."""
        where = ["-h", str(self.folder), "-p", str(self.port), "-U", "handoffs", "postgres"]
        command = [str(self._bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", *where]
        return subprocess.run(command, input=script, text=True, check=True, capture_output=True).stdout.strip()

    def remove(self) -> None:
        """End it and leave nothing behind."""
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str, check: bool = True) -> int:
        run = subprocess.run(self._as_user(command), cwd=self.folder, capture_output=True, check=False, env=_ENV)
        if check and run.returncode:
            raise RuntimeError(run.stderr.decode())
        return run.returncode

    def _as_user(self, command: list[str] | tuple[str, ...]) -> list[str]:
        # PostgreSQL refuses to run as root. And it ends with this process, also where that is killed.
        user = [f"--reuid={_unprivileged()}", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
        wrapped = ["setpriv", "--pdeathsig", "QUIT", *user] if shutil.which("setpriv") else []
        return [*wrapped, str(self._bin / command[0]), *command[1:]]


_ENV = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@cache
def cluster() -> Cluster:
    """Return the server of this process; skips the test where there is none, which is a failure where CI is set."""
    try:
        _binaries()
    except FileNotFoundError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    return Cluster()


def new_store(_: Path) -> str:
    """Return the address of a store that nobody has used."""
    return cluster().url()


def _binaries() -> Path:
    on_path = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found and on_path is None:
        raise FileNotFoundError("no PostgreSQL here: apt-get install postgresql")
    return found[-1].parent if found else Path(os.path.realpath(on_path or "")).parent


def _unprivileged() -> str:
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"
