"""Where the store is, read without the package that reads all settings: that takes longer than a grant's whole answer.

It knows the names of all settings, and leaves anything unusual to `handoffs.settings`: a name that it does not know, a
store that is no file, a file that it can't read.
"""

import os
from collections.abc import Mapping
from pathlib import Path

PREFIX = "HANDOFFS_"

NAMES = frozenset(
    {
        "decision_point",
        "default_timeout_seconds",
        "email_address",
        "email_authserv",
        "email_imap",
        "email_password",
        "email_smtp",
        "escalate",
        "hold_seconds",
        "host_timeout_seconds",
        "inbox",
        "inbox_oidc_claim",
        "inbox_oidc_client_id",
        "inbox_oidc_client_secret",
        "inbox_oidc_issuer",
        "inbox_password",
        "inbox_proxy_header",
        "inbox_url",
        "join",
        "join_seconds",
        "keys",
        "max_timeout_seconds",
        "min_timeout_seconds",
        "model",
        "notify",
        "oauth_audience",
        "oauth_issuer",
        "oauth_scopes",
        "permission_tool",
        "pinned_keys",
        "proof",
        "quota_bytes",
        "quota_open",
        "quota_per_minute",
        "server",
        "server_token",
        "store",
        "telemetry",
        "terminal",
        "tokens",
        "url",
        "webhook",
        "webhook_http",
        "webhook_secret",
    }
)
"""The settings, as `handoffs.settings.Settings` has them."""

_OTHERS = frozenset({"LOCAL_TOKEN"})
"""Variables with the prefix that are no settings."""


def store_file(environ: Mapping[str, str]) -> Path | None:
    """Return the file of the store; None where only all of the settings can tell.

    So it is where a proof is demanded: then a permission counts only by the answer that gave it, which the desk checks.
    """
    written, folder = "", Path()
    for name, value in environ.items():
        if not name.upper().startswith(PREFIX) or not value:
            continue
        rest = name[len(PREFIX) :]
        known = rest in _OTHERS or (rest.isupper() and rest.lower() in NAMES)
        if not known or not name.startswith(PREFIX) or rest == "PROOF":
            return None
        if rest == "STORE":
            written = value
    in_file = _in_config()  # also where a variable names the store: a mistake in it must not go unnoticed
    if in_file is None:
        return None
    if not written:
        written, folder = in_file
    if not written:
        import platformdirs

        return platformdirs.user_data_path("handoffs", appauthor=False) / "handoffs.db"
    return _file_of(written, folder)


def _in_config() -> tuple[str, Path] | None:
    """Return what the configuration file says of the store, and its folder; None where it can't be understood."""
    import platformdirs

    file = platformdirs.user_config_path("handoffs", appauthor=False) / "config.toml"
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return "", Path()
    except OSError:
        return None
    import tomllib

    try:
        found = tomllib.loads(text.decode())
    except ValueError:
        return None
    store = found.get("store", "")
    known = found.keys() <= NAMES and "proof" not in found
    return (store, file.parent) if isinstance(store, str) and known else None


def _file_of(written: str, folder: Path) -> Path | None:
    from handoffs.store.sqlite.engine import ENGINE

    scheme, mark, _ = written.strip().partition("://")
    if mark and scheme.lower() != "sqlite":
        return None
    try:
        path = ENGINE.address(written)
        return path if path.is_absolute() else Path(os.path.abspath(folder / path))
    except (ValueError, OSError):
        return None
