"""The servers that a host has, which of them are behind the gate, and how one gets there and back.

A server goes behind the gate by its own entry: the host starts `handoffs gate --name NAME -- COMMAND …` in place of the
command, and `handoffs gate --name NAME --url URL` in place of a call over HTTP. Each new text is read again by another
parser than the one that made it, and taking the gate away again has to give back the bytes that were there. Where it
does not, nothing is changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from handoffs.cli.installing import http_entries
from handoffs.cli.installing.hosts import NAME, Host
from handoffs.cli.installing.launching import Launch, is_ours
from handoffs.cli.installing.planning import Entry, servers_in, text_of, url_in
from handoffs.cli.installing.texts import Unreadable
from handoffs.cli.installing.wrapping import Slots, unwrap, wrap
from handoffs.core.untrusted import inert_line
from handoffs.gate.server_name import name_of

_APPROVES = ("autoApprove", "alwaysAllow")
"""Keys of that kind that some host has: entries are copied from one host to another."""
_UNSAFE = "it is written in a way that can't be changed safely"


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A server as a host has it."""

    name: str
    entry: Entry
    slots: Slots
    url: str | None = None
    """Where it is; None where the host starts it."""
    command: str | None = None
    """What the host starts; None where its entry has no command that is understood."""
    args: tuple[object, ...] | None = None
    """None where the entry has none."""
    ours: bool = False
    """Whether it is handoffs itself."""
    gate: int | None = None
    """How many of `args` are the gate's, before the command or the URL behind it; None without a gate."""
    at_url: bool = False
    """Whether what is behind the gate is a URL."""
    signs_in: bool = False
    """Whether the host may sign in to it by itself: its entry sends no header."""
    refused: str | None = None
    """Why no gate can be put before a server over HTTP."""


def servers_of(host: Host, text: str) -> list[Server]:
    """Return the servers in a host's configuration, in its order. Raises Unreadable."""
    servers = servers_in(host, text_of(host.format).read(text))
    return [_described(host, name, each) for name, each in servers.items()]


def refusal(server: Server) -> str | None:
    """Return why no gate can be put before a server, or None."""
    if server.ours:
        return "it is handoffs itself"
    if server.gate is not None:
        return "it is behind the gate already"
    if server.url is not None:
        if server.refused is not None:
            return server.refused
    elif server.command is None:
        return "its entry has no command that a gate could start"
    if "\0" in server.name or server.name == "--" or server.name.encode(errors="ignore").decode() != server.name:
        return "its name can't be a word of a command"
    return None


def put_behind(host: Host, text: str, server: Server, launch: Launch, options: Sequence[str]) -> str:
    """Return the text with the gate before a server that nothing refuses. Raises Unreadable."""
    if server.url is not None:
        named = [f"--name={server.name}"] if server.name.startswith("-") else ["--name", server.name]
        path = (host.servers, server.name)
        return http_entries.put_behind(host, text, path, launch, ["gate", *named, *options])
    edit = text_of(host.format)
    # One word says that there was no list of arguments, two that there was.
    named = [f"--name={server.name}"] if server.args is None or server.name.startswith("-") else ["--name", server.name]
    words = ["gate", *named, *options, "--"]
    after = wrap(edit, text, server.slots, launch, words)
    args = [*launch.args, *words, server.command, *(server.args or ())]
    _prove(host, text, after, server, launch.command, args)
    behind = next(each for each in servers_of(host, after) if each.name == server.name)
    if take_out(host, after, behind) != text:
        raise Unreadable(_UNSAFE)
    return after


def take_out(host: Host, text: str, server: Server) -> str:
    """Return the text without the gate before a server that is behind it. Raises Unreadable."""
    assert server.gate is not None
    assert server.args is not None
    if server.at_url:
        return http_entries.take_out(host, text, (host.servers, server.name))
    gate, left = server.args[: server.gate], list(server.args[server.gate + 1 :])
    absent = not left and any(isinstance(word, str) and word.startswith("--name=") for word in gate)
    after = unwrap(text_of(host.format), text, server.slots, server.gate, absent=absent)
    _prove(host, text, after, server, server.args[server.gate], None if absent else left)
    return after


def approvals(host: Host, server: Server) -> list[str]:
    """Return what in a server's entry has the host let its calls run without asking, as `key = value`."""
    found: list[str] = []
    for key in (*host.approves, *_APPROVES):
        value = server.entry.get(key)
        if key == "tools":
            for tool, each in _object(value).items():
                mode = _object(each).get("approval_mode")
                if mode is not None and mode != "prompt":
                    found.append(f"tools.{tool}.approval_mode = {mode}")
        elif isinstance(value, list) and value:
            found.append(f"{key} = {', '.join(map(str, cast('list[object]', value)))}")
        elif value is True or (isinstance(value, str) and value not in {"", "prompt"}):
            found.append(f"{key} = {str(value).lower() if value is True else value}")
    return found


def _object(value: object) -> Entry:
    return cast("Entry", value) if isinstance(value, Mapping) else {}


def _described(host: Host, name: str, entry: object) -> Server:
    path = (host.servers, name)
    slots = Slots((*path, host.command), (*path, "args"))
    if not isinstance(entry, Mapping):
        return Server(name=name, entry={}, slots=slots)
    keys = cast("Entry", entry)
    url = url_in(host, keys)
    started = keys
    if isinstance(nested := keys.get(host.command), Mapping):  # Zed's older form
        started = {host.command: cast("Entry", nested).get("path"), "args": cast("Entry", nested).get("args")}
        started = {key: value for key, value in started.items() if value is not None}
        slots = Slots((*path, host.command, "path"), (*path, host.command, "args"))
    command, args = started.get(host.command), started.get("args")
    understood = isinstance(command, str) and bool(command) and (isinstance(args, list) or "args" not in started)
    if url is not None or not isinstance(command, str) or not understood:
        return _called(host, Server(name=name, entry=keys, slots=slots, url=url, ours=name == NAME and url is not None))
    words = tuple(cast("list[object]", args)) if isinstance(args, list) else None
    gate, at_url = _gate([command, *(words or ())])
    texts = [word for word in (command, *(words or ())) if isinstance(word, str)]
    ours = gate is None and is_ours(command if name == NAME else name_of(texts), words if name == NAME else None)
    return Server(
        name=name, entry=keys, slots=slots, command=command, args=words, ours=ours, gate=gate, at_url=at_url
    )  # fmt: skip


def _called(host: Host, server: Server) -> Server:
    """Return a server over HTTP with what is to be known of it before it goes behind the gate."""
    if server.url is None:
        return server
    try:
        return replace(server, signs_in=http_entries.read(host, server.entry).signs_in)
    except Unreadable as wrong:
        return replace(server, refused=inert_line(str(wrong)))


def _gate(words: Sequence[object]) -> tuple[int | None, bool]:
    """Return where in the arguments the command behind the gate stands, or the URL, and whether it is one."""
    for index in range(len(words) - 1):
        if is_ours(words[index], None) and words[index + 1] == "gate":
            if "--" in words[index + 2 : -1]:  # before the first, all words are the gate's
                return words.index("--", index + 2), False
            if "--url" in words[index + 2 : -1]:
                return words.index("--url", index + 2), True
    return None, False


def _prove(host: Host, before: str, after: str, server: Server, command: object, args: list[object] | None) -> None:
    """Raise Unreadable where a text is not the one before with another command and other arguments, and no more."""
    edit = text_of(host.format)
    expected = _with(edit.read(before), server.slots.command, command)
    expected = _with(expected, server.slots.args, args)
    try:
        if edit.read(after) == expected:
            return
    except Unreadable:
        pass
    raise Unreadable(_UNSAFE)


def _with(document: Entry, path: Sequence[str], value: object) -> Entry:
    """Return a document with another value at a path; None takes it out."""
    key, *deeper = path
    if deeper:
        return {**document, key: _with(cast("Entry", document[key]), deeper, value)}
    if value is None:
        return {name: each for name, each in document.items() if name != key}
    return {**document, key: value}
