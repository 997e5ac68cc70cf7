"""Plans of changes to a host's configuration, as the old and the new text. No file is touched here.

Each new text is parsed again by another parser than the one that made it, and must equal the old document except for
our entry. Otherwise there is no plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast
from urllib.parse import urlsplit

from handoffs.cli.installing.hosts import NAME, Format, Host, Limit
from handoffs.cli.installing.launching import Launch, is_ours
from handoffs.cli.installing.texts import Path, Text, Unreadable
from handoffs.console import UsageError
from handoffs.serving.binding import is_loopback

TIMEOUT = "HANDOFFS_HOST_TIMEOUT_SECONDS"
"""The variable that tells a started server its host's limit on a call."""

HEADER = "Authorization"

ADDRESSES = ("url", "httpUrl", "serverUrl", "uri")
"""Keys of an address that some host has: entries are copied from one host to another."""

Entry: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """A server that already runs on this machine, and the host's token for it."""

    url: str | None
    """Its address; None to keep the entry's."""
    token: str | None = None
    """The local user's token; None if the host reads it from the `variable`."""
    variable: str = ""


Way: TypeAlias = Launch | Remote
"""How a host reaches a server: it starts one, or calls one that runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """Our entry in a host's configuration."""

    entry: Entry
    ours: bool
    """Whether it starts handoffs, or calls a server on this machine; if not, another server has the name."""
    enabled: bool
    """Whether the host's own switch is on."""
    timeout_seconds: float | None
    """The host's time-out; None if the entry has none, or the host has none."""
    url: str | None = None
    """The address of the server that it calls; None if it starts one."""
    shows_token: bool = False
    """Whether it sends a token to that server, or names a variable that holds one."""
    told_seconds: float | None = None
    """The host's time-out as the entry tells it to the server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The old and the new text of a configuration."""

    before: str
    after: str
    entry: Installed | None
    """Our new entry; None if it is removed."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after


def text_of(format_: Format) -> Text:
    """Return the editor of this format."""
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


def wanted(host: Host, way: Way) -> dict[str, object]:
    """Return the entry that a host without one gets. Raises UsageError: it can't have such a one."""
    limit = host.limit
    raised = limit if limit is not None and limit.unset < limit.wanted else None
    if isinstance(way, Remote):
        entry = _remote(host, way)
    else:
        entry = {**host.fixed, host.command: way.command, "args": list(way.args)}
        if raised is not None:
            # The server would not know, and give up as early as before.
            entry[host.environment] = {TIMEOUT: str(raised.wanted)}
    if raised is not None:
        entry[raised.key] = raised.wanted * raised.per_second
    return entry


def _remote(host: Host, way: Remote) -> dict[str, object]:
    http = host.http
    if http is None:
        raise UsageError(f"{host.title} calls no server over HTTP by its file: install it without --http.")
    entry: dict[str, object] = {**http.fixed}
    if way.url is not None:
        entry[http.url] = way.url
    if way.token is not None:
        entry[http.headers] = {HEADER: f"Bearer {way.token}"}
    elif http.variable is not None:
        entry[http.variable] = way.variable
    elif http.reference is not None:
        entry[http.headers] = {HEADER: f"Bearer {http.reference.format(way.variable)}"}
    else:
        raise UsageError(
            f"{host.title} can't name a variable in its file, and this one belongs to a repository, where no token "
            "may stand: use your own file, or install it without --http."
        )
    return entry


def found(host: Host, text: str) -> Installed | None:
    """Return our entry in a text, or None. Raises Unreadable, also for an entry that is no table of keys."""
    return _entry(host, text_of(host.format).read(text))


def to_install(host: Host, text: str, way: Way, *, force: bool = False) -> Plan:
    """Return the plan that adds or updates our entry; a person's additions to it stay.

    Raises:
        Unreadable: The text can't be read, or not be changed safely.
        UsageError: The name belongs to another server, and `force` does not say to replace it; or the host can't have
            such an entry.
    """
    entry = wanted(host, way)
    edit = text_of(host.format)
    document = edit.read(text)
    now = _entry(host, document)
    path = (host.servers, NAME)
    if now is None:
        return _proven(host, text, document, edit.put(text, path, entry), entry)
    if not (now.ours or _same_command(host, now.entry, way)):
        _refuse(host, force=force)
        return _proven(host, text, document, edit.put(edit.cut(text, path), path, entry), entry)
    if (now.url is None) is isinstance(way, Remote):  # it starts one, and is to call one, or the other way round
        return _proven(host, text, document, edit.put(edit.cut(text, path), path, entry), entry)
    merged = _merged(host, now.entry, entry, starts=isinstance(way, Launch))
    return _proven(host, text, document, _put(edit, text, path, now.entry, merged), merged)


def _merged(host: Host, now: Entry, wanted: Entry, *, starts: bool) -> dict[str, object]:
    """Return an entry as it should be, with all that a person added to it or changed in it."""
    merged = dict(now)
    for key, value in wanted.items():
        if key == host.environment:
            continue
        had = now.get(key)
        if isinstance(value, dict) and isinstance(had, dict):  # headers
            merged[key] = {**cast("dict[str, object]", had), **cast("dict[str, object]", value)}
        elif _is_due(host, key, cast("object", value), merged):
            merged[key] = cast("object", value)
    limit = host.limit
    if limit is not None and limit.key in merged and _is_due(host, limit.key, None, merged):
        merged[limit.key] = limit.wanted * limit.per_second
    seconds = _seconds(limit, merged)
    variables = merged.get(host.environment, {})
    if starts and seconds is not None and isinstance(variables, dict):
        known = cast("dict[str, object]", variables)
        if "HANDOFFS_HOLD_SECONDS" not in known and known.get(TIMEOUT) != f"{seconds:g}":
            merged[host.environment] = {**known, TIMEOUT: f"{seconds:g}"}
    return merged


def _put(edit: Text, text: str, path: Path, now: Entry, merged: Entry) -> str:
    """Return a text with the new and changed keys of an entry; of a mapping, only the changed members."""
    for key, value in merged.items():
        before = now.get(key)
        if key in now and before == value:
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            text = _put(edit, text, (*path, key), cast("Entry", before), cast("Entry", value))
        else:
            text = edit.put(text, (*path, key), cast("object", value))
    return text


def to_remove(host: Host, text: str, *, force: bool = False) -> Plan:
    """Return the plan that removes our entry.

    Raises:
        Unreadable: The text can't be read, or not be changed safely.
        UsageError: The name belongs to another server, and `force` does not say to take it out.
    """
    edit = text_of(host.format)
    document = edit.read(text)
    now = _entry(host, document)
    if now is None:
        return Plan(before=text, after=text, entry=None)
    if not now.ours:
        _refuse(host, force=force)
    return _proven(host, text, document, edit.cut(text, (host.servers, NAME)), None)


def snippet(host: Host, way: Way) -> str:
    """Return a whole configuration with nothing but our entry. Raises UsageError: it can't have such a one."""
    return text_of(host.format).snippet((host.servers, NAME), wanted(host, way))


def _entry(host: Host, document: Entry) -> Installed | None:
    entry = servers_in(host, document).get(NAME)
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise Unreadable(f"{host.servers}.{NAME} is not an object")
    return _described(host, cast("dict[str, object]", entry))


def _described(host: Host, keys: Entry) -> Installed:
    url = url_in(host, keys)
    variables = keys.get(host.environment)
    told = cast("Entry", variables).get(TIMEOUT) if isinstance(variables, dict) else None
    return Installed(
        entry=keys,
        ours=is_ours(keys.get(host.command), keys.get("args")) if url is None else is_on_this_machine(url),
        enabled=keys.get("enabled") is not False and keys.get("disabled") is not True,
        timeout_seconds=_seconds(host.limit, keys),
        url=url,
        shows_token=url is not None and _shows_token(host, keys),
        told_seconds=float(told) if isinstance(told, str) and told.replace(".", "", 1).isdecimal() else None,
    )


def is_on_this_machine(url: str) -> bool:
    """Say whether an address is on this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname or "") and parts.path.rstrip("/") == "/mcp"
    except ValueError:
        return False


def url_in(host: Host, keys: Entry) -> str | None:
    """Return the address in an entry, or None where it has none."""
    names = [host.http.url] if host.http is not None else []
    for name in (*names, *ADDRESSES):
        if isinstance(url := keys.get(name), str):
            return url
    return None


def _shows_token(host: Host, keys: Entry) -> bool:
    http = host.http
    if http is None:
        return False
    headers = keys.get(http.headers)
    names = {name.lower() for name in cast("Entry", headers)} if isinstance(headers, dict) else set[str]()
    return HEADER.lower() in names or (http.variable is not None and bool(keys.get(http.variable)))


def servers_in(host: Host, document: Entry) -> Entry:
    """Return the servers in a document. Raises Unreadable: what should hold them is no object."""
    if host.servers not in document:
        return {}
    servers = document[host.servers]
    if not isinstance(servers, dict):
        kind = "null" if servers is None else "a list" if isinstance(servers, list) else "a single value"
        raise Unreadable(f"{host.servers} is {kind}, where the servers should be")
    return cast("dict[str, object]", servers)


def _same_command(host: Host, entry: Entry, way: Way) -> bool:
    if isinstance(way, Remote):
        return False
    return entry.get(host.command) == way.command and entry.get("args", []) == list(way.args)


def _refuse(host: Host, *, force: bool) -> None:
    if not force:
        raise UsageError(
            f"{host.title} has a server called {NAME} that starts something else. --force says to replace or remove it."
        )


def _is_due(host: Host, key: str, value: object, entry: Entry) -> bool:
    """Say whether a key of an entry has to be written."""
    if host.limit is not None and key == host.limit.key:
        seconds = _seconds(host.limit, entry)
        return seconds is None or seconds < host.limit.wanted
    if key == "args":
        return entry.get("args", []) != value
    http = host.http
    ours = {host.command, *([http.url, http.headers, http.variable] if http is not None else [])}
    return key not in entry or (key in ours and entry[key] != value)


def _seconds(limit: Limit | None, entry: Entry) -> float | None:
    written = entry.get(limit.key) if limit is not None else None
    if limit is None or not isinstance(written, int | float) or isinstance(written, bool):
        return None
    return written / limit.per_second


def _proven(host: Host, text: str, before: Entry, after: str, entry: Entry | None) -> Plan:
    servers = dict(servers_in(host, before))
    if entry is None:
        del servers[NAME]
    else:
        servers[NAME] = dict(entry)
    expected = {**before, host.servers: servers}
    try:
        document = dict(text_of(host.format).read(after))
    except Unreadable as wrong:
        raise Unreadable(f"it is written in a way that can't be changed safely ({wrong})") from None
    if not servers:  # TOML has no table left then
        document.setdefault(host.servers, {})
    if document != expected:
        raise Unreadable("it is written in a way that can't be changed safely")
    return Plan(before=text, after=after, entry=None if entry is None else _described(host, entry))
