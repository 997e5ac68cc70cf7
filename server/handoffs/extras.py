"""The command that adds an extra to this installation of handoffs: it depends on the installer and the source.

Sources: PEP 610 (`direct_url.json`); uv's `uv-receipt.toml`, pipx's `pipx_metadata.json`, and the `CACHEDIR.TAG` with
which `uvx` and `pipx run` mark their caches.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from json import loads
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "handoffs"

_NEEDED = {
    "postgres": "asyncpg",
    "notify": "apprise",
    "strands": "strands",
    "gate": "cel_expr_python",
    "timestamp": "rfc3161_client",
    "oidc": "authlib",
    "slack": "websockets",
    "email": "aiosmtplib",
    "webpush": "pywebpush",
    "langchain": "langchain",
    "openai-agents": "agents",
    "pydantic-ai": "pydantic_ai",
    "webhooks": "standardwebhooks",
    "otel": "opentelemetry.proto",
}
"""The package that each extra installs, which shows that the extra is there."""


def command_to_add(extra: str) -> str:
    """Return the shell command that adds an extra to this installation, and keeps its other extras: `pip install …`."""
    has = [name for name, module in _NEEDED.items() if name == extra or find_spec(module) is not None]
    return _command(_source(), has or [extra], prefix=Path(sys.prefix), python=sys.executable)


def in_cache(prefix: Path) -> bool:
    """Return whether an installation is in a cache, of `uvx` or `pipx run`, which will be emptied some day.

    uv's virtual environments contain a mark themselves; a cache has its mark above them.
    """
    return any((folder / "CACHEDIR.TAG").exists() for folder in prefix.parents)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """The source of the installation: the package index if both are None."""

    folder: str | None = None
    url: str | None = None
    editable: bool = False

    def with_extras(self, extras: Sequence[str]) -> str:
        listed = f"[{','.join(extras)}]"
        if self.folder is not None:
            return f"{self.folder}{listed}"
        return f"{NAME}{listed} @ {self.url}" if self.url is not None else f"{NAME}{listed}"


def _command(source: _Source, extras: Sequence[str], *, prefix: Path, python: str) -> str:
    what = _quoted(source.with_extras(extras))
    editable = "--editable " if source.editable else ""
    if in_cache(prefix):
        return f"uvx --from {what} {NAME} …"
    if (prefix / "uv-receipt.toml").exists():
        return f"uv tool install {editable}{what}"
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx install --force {editable}{what}"
    if find_spec("pip") is None:  # as in uv's environments
        return f"uv pip install --python {_quoted(python)} {editable}{what}"
    return f"{_quoted(python)} -m pip install {editable}{what}"


def _quoted(text: str) -> str:
    """Return a text quoted for a shell; some shells expand brackets."""
    if sys.platform == "win32":
        return f'"{text}"'
    return shlex.quote(text)


def _source() -> _Source:
    try:
        return _source_of(distribution(NAME))
    except PackageNotFoundError:  # run from its folder, not installed
        return _Source()


def _source_of(installed: Distribution) -> _Source:
    try:
        written = cast("object", loads(installed.read_text("direct_url.json") or "null"))
    except ValueError:
        return _Source()
    match written:
        case {"url": str(url), "dir_info": {"editable": True}} if url.startswith("file:"):
            return _Source(folder=_folder(url), editable=True)
        case {"url": str(url), "dir_info": dict()} if url.startswith("file:"):
            return _Source(folder=_folder(url))
        case {"url": str(url), "vcs_info": {"vcs": str(vcs)}} if "@" not in urlsplit(url).netloc:
            return _Source(url=f"{vcs}+{url}")
        case {"url": str(url), "archive_info": dict()} if "@" not in urlsplit(url).netloc:
            return _Source(url=url)
        case _:  # from an index; or from an address that holds a password
            return _Source()


def _folder(url: str) -> str:
    return url2pathname(urlsplit(url).path)
