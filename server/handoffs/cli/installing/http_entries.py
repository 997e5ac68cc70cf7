"""Entries of servers over HTTP go behind the gate, and come out again, byte for byte.

The host then starts `handoffs gate --name NAME --header-from-env HEADER=VARIABLE --url URL`. The value of a header goes
into the entry's variables as it is written there, so a reference to a variable stays one, which the host resolves as
before: a started server seldom gets all variables of its host. The text of the entry as it was is kept in one more
variable, with holes for the values. So no secret is there twice, and one that a person changes meanwhile stays changed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from handoffs.cli.installing.hosts import Host, Http
from handoffs.cli.installing.launching import Launch
from handoffs.cli.installing.planning import ADDRESSES, HEADER, Entry, servers_in, text_of
from handoffs.cli.installing.texts import Path, Text, Unreadable
from handoffs.console import UsageError
from handoffs.serving.gate_url import OWN, remote_server, server_name

VARIABLE = "GATE_HEADER_{}"
"""The variable of a header's value. A name that begins with HANDOFFS_ would be taken for a setting."""
WAS = "GATE_ENTRY"
"""The variable with the entry as it was: JSON, texts and the names of what stands between them by turns."""
_URL = "url"

_STREAMABLE = frozenset({"http", "streamable-http", "streamable_http", "streamablehttp"})
_SIGN_IN = ("oauth", "oauth_resource", "scopes", "auth", "authProviderType", "targetAudience", "targetServiceAccount")
"""Keys of an entry by which some host signs in."""
_UNKNOWN = ("headersHelper", "socket")
"""Keys that say how a server is reached, and that a gate can't act on."""
_REFERENCE = re.compile(r"\$|\{\w+:")
_NESTED = re.compile(r"\$\{[^}]*\$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSAFE = "it is written in a way that can't be changed safely"


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpEntry:
    """What an entry says of a server over HTTP."""

    key: str
    """The key of its address."""
    url: str
    moved: Mapping[str, Path]
    """Variables of ours, and where in the entry the headers stand whose values they get."""
    named: Sequence[str]
    """What `--header-from-env` is given."""
    passed: Sequence[str]
    """Variables that the host has to pass on."""
    carried: Entry
    """What stays in the entry."""

    @property
    def signs_in(self) -> bool:
        """Whether the host may have to sign in by itself: the entry sends nothing by which the server knows it."""
        return not self.named


def read(host: Host, entry: Entry, *, comes_out: bool = False) -> HttpEntry:
    """Return what an entry says. Raises Unreadable: the gate can't take its place; says why.

    One that `comes_out` from behind the gate may refer to variables as it likes: the host resolves them in its headers.
    """
    http = host.http
    if http is None:
        raise Unreadable(f"it has an address, and {host.title} calls no server over HTTP by its file")
    key, url = _address(host, http, entry)
    for each in _UNKNOWN:
        if entry.get(each) is not None:
            raise Unreadable(f"the gate can't do what its `{each}` says")
    moved: dict[str, Path] = {}
    named: list[str] = []
    passed: list[str] = []
    for path, header, value in _headers(http, entry):
        if OWN.fullmatch(header):
            continue  # the gate sends its own
        if path is None:
            prefix = "Bearer " if header == HEADER else ""
            if not _NAME.fullmatch(value):
                raise Unreadable(f"the variable for its header {header} has no name that can be given to the gate")
            passed.append(value)
            variable = value
        else:
            prefix, variable = "", VARIABLE.format(len(moved) + 1)
            if not comes_out:
                _check_reference(host, header, value)
            moved[variable] = path
        _check_header(url, header, value)
        named.append(f"{header}={prefix}{variable}")
    if len({each.partition("=")[0].lower() for each in named}) < len(named):
        raise Unreadable("it has a header twice")
    dropped = {"type", key, http.headers, http.variable, http.variables, *_SIGN_IN}
    carried = {name: each for name, each in entry.items() if name not in dropped}
    variables = carried.get(host.environment) or cast("Entry", {})
    if not isinstance(variables, Mapping) or {WAS, *moved} & set(cast("Entry", variables)):
        raise Unreadable(f"its `{host.environment}` can't hold variables for the gate")
    return HttpEntry(key=key, url=url, moved=moved, named=named, passed=passed, carried=carried)


def put_behind(host: Host, text: str, path: Path, launch: Launch, words: Sequence[str]) -> str:
    """Return the text with the gate before the server over HTTP at `path`. Raises Unreadable.

    Args:
        host: Whose configuration it is.
        text: The configuration.
        path: Where the entry stands.
        launch: How handoffs is started.
        words: What it is given first: `gate`, and the options.
    """
    edit = text_of(host.format)
    entry = _entry(host, edit, text, path)
    found = read(host, entry)
    start, end = edit.whole(text, path)
    holes = {_URL: (*path, found.key), **{name: (*path, *each) for name, each in found.moved.items()}}
    values: dict[str, str] = {}
    was: list[str] = []
    at = start
    for begin, stop, name in sorted((*_span(edit, text, each), name) for name, each in holes.items()):
        values[name] = text[begin:stop]
        if begin < at or stop > end or "\n" in values[name]:
            raise Unreadable(_UNSAFE)
        was += text[at:begin], name
        at = stop
    was.append(text[at:end])
    kept = json.dumps(was)
    if host.http is not None and host.http.resolves is not False and "$" in kept:
        raise Unreadable("a `$` stands in it outside of its headers, which the host might take for a variable")
    new = _behind(host, entry, found, launch, words, kept)
    after = text[:start] + edit.written(text, path, new) + text[end:]
    for name, value in values.items():
        begin, stop = _now(host, edit, after, path, name)
        after = after[:begin] + value + after[stop:]
    _prove(host, text, after, path, new)
    if take_out(host, after, path) != text:
        raise Unreadable(_UNSAFE)
    return after


def take_out(host: Host, text: str, path: Path) -> str:
    """Return the text with the entry as it was before the gate. Raises Unreadable.

    What a person has changed in it meanwhile stays, but for what starts the gate.
    """
    edit = text_of(host.format)
    now = _entry(host, edit, text, path)
    start, end = edit.whole(text, path)
    was = _was(now.get(host.environment))
    pieces = [was[0]]
    for name, piece in zip(was[1::2], was[2::2], strict=True):
        begin, stop = _now(host, edit, text, path, name)
        pieces += text[begin:stop], piece
    after = text[:start] + edit.fitted(text, path, "".join(pieces)) + text[end:]
    entry = _entry(host, edit, after, path)
    _prove(host, text, after, path, entry)
    found = read(host, entry, comes_out=True)
    for key, value in _changes(host, found, now):
        after = edit.put(after, (*path, key), value) if value is not None else edit.cut(after, (*path, key))
        entry = {**entry, key: value} if value is not None else {name: entry[name] for name in entry if name != key}
        _prove(host, text, after, path, entry)
    return after


def _address(host: Host, http: Http, entry: Entry) -> tuple[str, str]:
    """Return the key and the value of the address."""
    keys = [key for key in dict.fromkeys((http.url, *ADDRESSES)) if isinstance(entry.get(key), str)]
    if len(keys) != 1 or host.command in entry or "args" in entry:
        raise Unreadable("it has more than one address, or a command, too")
    (key,) = keys
    url, kind = str(entry[key]), entry.get("type")
    if key not in (http.url, *http.also, *http.sse):
        raise Unreadable(f"its address is called `{key}`, which {host.title} does not read")
    if _REFERENCE.search(url):
        raise Unreadable("its address has a variable in it, which would be shown in the list of processes")
    try:
        server_name(url)
    except UsageError:
        raise Unreadable("its address is none of an MCP server over HTTP") from None
    parts = urlsplit(url)
    plain = kind.lower() if isinstance(kind, str) else kind
    if plain == "sse" or (plain is None and (key in http.sse or parts.path.rstrip("/").endswith("/sse"))):
        raise Unreadable("it is called over SSE, which the gate does not speak")
    if plain is not None and not (isinstance(plain, str) and plain in _STREAMABLE):
        raise Unreadable("its `type` is none that the gate speaks")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise Unreadable("its address may hold a secret (`?` or `@`), which would be shown in the list of processes")
    return key, url


def _headers(http: Http, entry: Entry) -> Iterator[tuple[Path | None, str, str]]:
    """Yield where each header stands, its name and its value; no place, and the name of its variable."""
    for key in (http.headers, http.variables):
        held = entry.get(key) if key is not None else None
        if key is None or held is None:
            continue
        if not isinstance(held, Mapping):
            raise Unreadable(f"its `{key}` are no headers")
        for header, value in cast("Mapping[object, object]", held).items():
            if not isinstance(value, str) or not isinstance(header, str):
                raise Unreadable(f"the value of its header {header} is no text")
            yield ((key, header) if key == http.headers else None), header, value
    if http.variable is not None and (variable := entry.get(http.variable)) is not None:
        yield None, HEADER, str(variable)


def _check_reference(host: Host, header: str, value: str) -> None:
    resolves = host.http is not None and host.http.resolves
    if not _REFERENCE.search(value) or (resolves and not _NESTED.search(value)):
        return
    if resolves is None:
        unknown = f"and whether {host.title} resolves that for a server that it starts is not known"
        raise Unreadable(f"its header {header} refers to a variable, {unknown}")
    raise Unreadable(f"its header {header} refers to a variable in a way that can't be said to the gate")


def _check_header(url: str, header: str, value: str) -> None:
    """Refuse what would stop the gate from starting."""
    try:
        remote_server(url, (), [f"{header}=V"], {"V": value})
    except UsageError:
        raise Unreadable(f"the gate can't send its header {header}") from None


def _behind(
    host: Host, entry: Entry, found: HttpEntry, launch: Launch, words: Sequence[str], kept: str
) -> dict[str, object]:
    """Return the entry that starts the gate."""
    headers = [word for each in found.named for word in ("--header-from-env", each)]
    variables: dict[str, object] = dict(cast("Entry", found.carried.get(host.environment) or {}))
    for name, (key, header) in found.moved.items():
        variables[name] = cast("Entry", entry[key])[header]
    new: dict[str, object] = {"type": "stdio"} if "type" in host.fixed else {}
    new[host.command] = launch.command
    new["args"] = [*launch.args, *words, *headers, "--url", found.url]
    new.update(found.carried)
    new[host.environment] = {**variables, WAS: kept}
    if found.passed:
        assert host.http is not None
        assert host.http.passed is not None
        new[host.http.passed] = list(dict.fromkeys(found.passed))
    return new


def _changes(host: Host, was: HttpEntry, now: Entry) -> Iterator[tuple[str, object]]:
    """Yield what a person has changed in an entry behind the gate, as keys and values; None for what they took out."""
    ours = {"type", host.command, "args", host.environment, host.http.passed if host.http is not None else None}
    for key in {**was.carried, **now}:
        if key not in ours and was.carried.get(key) != now.get(key):
            yield key, now.get(key)
    before = was.carried.get(host.environment)
    variables = cast("Entry", now[host.environment])
    kept = {name: each for name, each in variables.items() if name != WAS and name not in was.moved}
    if kept != (before or {}):
        yield host.environment, kept


def _was(variables: object) -> list[str]:
    try:
        found = json.loads(cast("str", cast("Entry", variables)[WAS]))
    except (TypeError, KeyError, ValueError):
        found = None
    pieces = cast("list[object]", found) if isinstance(found, list) else []
    if len(pieces) % 2 == 0 or not all(isinstance(each, str) for each in pieces):
        raise Unreadable(f"its {WAS} does not say what it was before; take the gate out by hand")
    return cast("list[str]", pieces)


def _now(host: Host, edit: Text, text: str, path: Path, name: str) -> tuple[int, int]:
    """Return where a value stands in an entry behind the gate."""
    if name != _URL:
        return _span(edit, text, (*path, host.environment, name))
    args = edit.find(text, (*path, "args"))
    if args is None or not args.items:
        raise Unreadable(_UNSAFE)
    return args.items[-1]


def _span(edit: Text, text: str, path: Path) -> tuple[int, int]:
    value = edit.find(text, path)
    if value is None:
        raise Unreadable(_UNSAFE)
    return value.start, value.end


def _entry(host: Host, edit: Text, text: str, path: Path) -> Entry:
    try:
        entry = servers_in(host, edit.read(text)).get(path[-1])
    except Unreadable:
        entry = None
    if not isinstance(entry, Mapping):
        raise Unreadable(_UNSAFE)
    return cast("Entry", entry)


def _prove(host: Host, before: str, after: str, path: Path, entry: Entry) -> None:
    """Raise Unreadable where a text is not the one before with another entry, and no more."""
    edit = text_of(host.format)
    document = edit.read(before)
    servers = {**servers_in(host, document), path[-1]: entry}
    try:
        after.encode()
        if edit.read(after) == {**document, host.servers: servers}:
            return
    except (Unreadable, UnicodeEncodeError):
        pass
    raise Unreadable(_UNSAFE)
