"""The settings of a quick command, without pydantic: where nothing is set but what it understands.

Reading all settings takes as long as all the rest of `handoffs ask`. Whoever has a `config.toml`, a policy, or other
variables pays that.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from handoffs.core.question import Limits
from handoffs.core.quota import Quota

_PREFIX = "HANDOFFS_"
_UNDERSTOOD = {"HANDOFFS_STORE", "HANDOFFS_INBOX", "HANDOFFS_LOCAL_TOKEN"}
"""The rest of the command reads HANDOFFS_INBOX with all others; storing a question does not depend on it."""

QUOTA = Quota(open=1_000, per_minute=600, bytes=50_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plain:
    """What storing a question depends on."""

    store: Path
    project: str
    limits: Limits


def plain_settings() -> Plain | None:
    """Return the settings; None where all of them must be read."""
    if sys.platform in {"win32", "darwin"}:
        return None  # the folders are elsewhere
    named = {name.upper() for name, value in os.environ.items() if name.upper().startswith(_PREFIX) and value.strip()}
    inbox = os.environ.get("HANDOFFS_INBOX", "").strip().lower()
    if named - _UNDERSTOOD or inbox not in {"", "auto", "off"}:
        return None
    config = _folder("XDG_CONFIG_HOME", ".config")
    if any(os.path.lexists(config / name) for name in ("config.toml", "gate.toml")):
        return None
    written = os.environ.get("HANDOFFS_STORE", "").strip()
    if "://" in written or written.startswith("~"):
        return None
    try:
        project = Path.cwd()
    except OSError:  # the working folder was removed
        return None
    store = project / written if written else _folder("XDG_DATA_HOME", ".local/share") / "handoffs.db"
    return Plain(store=store, project=str(project), limits=Limits(quota=QUOTA))


def _folder(variable: str, otherwise: str) -> Path:
    """Return the folder of handoffs, as platformdirs does on Linux."""
    base = os.environ.get(variable, "").strip()
    return Path(base or os.path.expanduser(f"~/{otherwise}")) / "handoffs"
