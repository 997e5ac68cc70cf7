"""What has to change in a host's configuration, as a text before and a text after. No file is touched here.

Each new text is read again by another parser than the one that made it, and has to be the old document in everything
but our entry. Where it is not, there is no plan.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from handoffs.cli.ending import UsageError
from handoffs.cli.installing.hosts import NAME, Format, Host, Limit
from handoffs.cli.installing.launching import Launch, is_ours
from handoffs.cli.installing.texts import Text, Unreadable


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """Our entry as a host has it."""

    entry: Mapping[str, object]
    ours: bool
    """Whether it starts handoffs; if not, something else has the name."""
    enabled: bool
    """Whether the host's own switch is on."""
    timeout_seconds: float | None
    """What the host's time-out comes to; None where none is written there, or the host has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a text is and what it is to be."""

    before: str
    after: str
    entry: Mapping[str, object] | None
    """Our entry afterwards; None where it is taken out."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after


def text_of(format_: Format) -> Text:
    """Return what reads and changes this format."""
    match format_:
        case "toml":
            from handoffs.cli.installing.toml_text import TomlText

            return TomlText()
        case "yaml":
            from handoffs.cli.installing.yaml_text import YamlText  # PyYAML, which one host needs

            return YamlText()
        case _:
            from handoffs.cli.installing.json_text import JsonText

            return JsonText(comments=format_ == "jsonc")


def wanted(host: Host, launch: Launch) -> dict[str, object]:
    """Return the entry that a host without one gets."""
    entry: dict[str, object] = {**host.fixed, host.command: launch.command, "args": list(launch.args)}
    limit = host.limit
    if limit is not None and limit.unset < limit.wanted:
        entry[limit.key] = limit.wanted * limit.per_second
    return entry


def found(host: Host, text: str) -> Installed | None:
    """Return our entry in a text, or None. Raises Unreadable, also for an entry that is no table of keys."""
    entry = _servers(host, text_of(host.format).read(text)).get(NAME)
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise Unreadable(f"{host.servers}.{NAME} is not an object")
    keys = cast("dict[str, object]", entry)
    return Installed(
        entry=keys,
        ours=is_ours(keys.get(host.command), keys.get("args")),
        enabled=keys.get("enabled") is not False and keys.get("disabled") is not True,
        timeout_seconds=_seconds(host.limit, keys),
    )


def to_install(host: Host, text: str, launch: Launch, *, force: bool = False) -> Plan:
    """Return how our entry gets into a text, or becomes what it should be; what a person added to it stays.

    Raises:
        Unreadable: The text can't be read, or not be changed safely.
        UsageError: The name belongs to another server, and `force` does not say to replace it.
    """
    entry = wanted(host, launch)
    now = found(host, text)
    edit = text_of(host.format)
    path = (host.servers, NAME)
    known = now is not None and (now.ours or _same_command(host, now.entry, launch))
    if now is None:
        after = edit.put(text, path, entry)
    elif not known:
        _refuse(host, force=force)
        after = edit.put(edit.cut(text, path), path, entry)
    else:
        merged = dict(now.entry)
        for key, value in entry.items():
            if _is_due(host, key, value, merged):
                merged[key] = value
        limit = host.limit
        if limit is not None and limit.key in merged and _is_due(host, limit.key, None, merged):
            merged[limit.key] = limit.wanted * limit.per_second
        after = text
        for key, value in merged.items():
            if key not in now.entry or now.entry[key] != value:
                after = edit.put(after, (*path, key), value)
        entry = merged
    return _proven(host, text, after, entry)


def to_remove(host: Host, text: str, *, force: bool = False) -> Plan:
    """Return how our entry gets out of a text.

    Raises:
        Unreadable: The text can't be read, or not be changed safely.
        UsageError: The name belongs to another server, and `force` does not say to take it out.
    """
    now = found(host, text)
    if now is None:
        return Plan(before=text, after=text, entry=None)
    if not now.ours:
        _refuse(host, force=force)
    return _proven(host, text, text_of(host.format).cut(text, (host.servers, NAME)), None)


def snippet(host: Host, launch: Launch) -> str:
    """Return a whole configuration with nothing but our entry."""
    return text_of(host.format).snippet((host.servers, NAME), wanted(host, launch))


def _servers(host: Host, document: Mapping[str, object]) -> Mapping[str, object]:
    if host.servers not in document:
        return {}
    servers = document[host.servers]
    if not isinstance(servers, dict):
        kind = "null" if servers is None else "a list" if isinstance(servers, list) else "a single value"
        raise Unreadable(f"{host.servers} is {kind}, where the servers should be")
    return cast("dict[str, object]", servers)


def _same_command(host: Host, entry: Mapping[str, object], launch: Launch) -> bool:
    return entry.get(host.command) == launch.command and entry.get("args", []) == list(launch.args)


def _refuse(host: Host, *, force: bool) -> None:
    if not force:
        raise UsageError(
            f"{host.title} has a server called {NAME} that starts something else. --force says to replace or remove it."
        )


def _is_due(host: Host, key: str, value: object, entry: Mapping[str, object]) -> bool:
    """Say whether a key of an entry has to be written."""
    if host.limit is not None and key == host.limit.key:
        seconds = _seconds(host.limit, entry)
        return seconds is None or seconds < host.limit.wanted
    if key == "args":
        return entry.get("args", []) != value
    return key not in entry or (key == host.command and entry[key] != value)


def _seconds(limit: Limit | None, entry: Mapping[str, object]) -> float | None:
    written = entry.get(limit.key) if limit is not None else None
    if limit is None or not isinstance(written, int | float) or isinstance(written, bool):
        return None
    return written / limit.per_second


def _proven(host: Host, before: str, after: str, entry: Mapping[str, object] | None) -> Plan:
    edit = text_of(host.format)
    expected = copy.deepcopy(dict(edit.read(before)))
    servers = dict(_servers(host, expected))
    if entry is None:
        del servers[NAME]
    else:
        servers[NAME] = dict(entry)
    expected[host.servers] = servers
    try:
        document = dict(edit.read(after))
    except Unreadable as wrong:
        raise Unreadable(f"it is written in a way that can't be changed safely ({wrong})") from None
    if not servers:  # TOML has no table left then
        document.setdefault(host.servers, {})
    if document != expected:
        raise Unreadable("it is written in a way that can't be changed safely")
    return Plan(before=before, after=after, entry=entry)
