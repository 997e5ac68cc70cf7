"""An action: one use of a tool, exactly as it would run, on which a person decides.

It is stored with its question and is the same for every channel. Its digest says what was decided: two uses with one
digest are the same tool of the same server, by the same definition, with the same arguments.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import cast

from handoffs.core import exact_json

MAX_KEPT = 20_000
"""The most characters of a definition whose canonical form is kept: each call of a tool needs it, and changes none."""


class Asker(StrEnum):
    """Who wants to know. The two are never one question, and share no permission."""

    GATE = "gate"
    """A gate, which holds a call on its way to a server."""
    HOST = "host"
    """A host, about a tool of its own: nothing that this host says is an answer."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """One use of a tool."""

    asker: Asker
    server: str
    """The name of the server, or of the host whose own tool it is; empty where that is not known."""
    tool: str
    arguments: str
    """The JSON object as it was sent, character by character."""
    definition: str = ""
    """The tool's definition as its server lists it, as JSON; empty where it lists none."""
    masked: tuple[str, ...] = ()
    """What a rule says is secret, by path with `*` and `?`: shown nowhere but to the person who decides."""
    channels: tuple[str, ...] = ()
    """The channels of people's own in which a rule lets them decide, beside the inbox; not part of the digest."""

    @cached_property
    def values(self) -> Mapping[str, object]:
        """The arguments as values. Raises ValueError: they are no JSON object that every reader reads alike."""
        values = exact_json.loads(self.arguments)
        if not isinstance(values, dict):
            raise ValueError("the arguments are no JSON object")
        return cast("Mapping[str, object]", values)

    @cached_property
    def described(self) -> Mapping[str, object]:
        """The tool's definition as values; empty where there is none."""
        return _described(self.definition)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON (RFC 8785) of all of it, as 64 hexadecimal digits. Raises ValueError."""
        called = exact_json.canonical([self.asker.value, self.server, self.tool, self.values])
        definition = _canonical if len(self.definition) > MAX_KEPT else _kept_canonical
        whole = exact_json.canonical_with(called, definition(self.definition))
        return hashlib.sha256(whole).hexdigest()

    @cached_property
    def known_by(self) -> str:
        """The digest of the definition for which a permission is given: of another one it allows nothing.

        A tool of a host's own has none, and what stands for it is no JSON: no server can list its equal.
        """
        if self.asker is Asker.GATE:
            return definition_digest(self.definition)
        return hashlib.sha256(f"a tool of {self.server} itself".encode()).hexdigest()

    def dumps(self) -> str:
        """Return it as text for a store."""
        kept: list[object] = [
            self.asker.value, self.server, self.tool, self.arguments, self.definition, list(self.masked),
        ]  # fmt: skip
        if self.channels:
            kept.append(list(self.channels))
        return json.dumps(kept, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> "Action":
        """Return what `dumps` wrote. Raises ValueError."""
        asker, server, tool, arguments, definition, masked, *channels = cast(
            "tuple[str, str, str, str, str, list[str]] | tuple[str, str, str, str, str, list[str], list[str]]",
            tuple(json.loads(text)),
        )
        return cls(
            asker=Asker(asker),
            server=server,
            tool=tool,
            arguments=arguments,
            definition=definition,
            masked=tuple(masked),
            channels=tuple(channels[0]) if channels else (),
        )


def definition_digest(definition: str) -> str:
    """Return what is equal for the same definition, however it is written."""
    return _definition_digest(definition) if len(definition) > MAX_KEPT else _kept_definition_digest(definition)


def _definition_digest(definition: str) -> str:
    try:
        written = exact_json.canonical(exact_json.loads(definition)) if definition else b""
    except ValueError:
        written = definition.encode(errors="backslashreplace")
    return hashlib.sha256(written).hexdigest()


_kept_definition_digest = lru_cache(maxsize=128)(_definition_digest)


def _described(definition: str) -> Mapping[str, object]:
    # Servers write 2**63 - 1 as a bound of integers, and more: such numbers have no canonical form of their own.
    read = exact_json.read_number
    found = cast("object", json.loads(definition or "{}", parse_int=read, parse_float=read))
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}


def _canonical(definition: str) -> bytes:
    described = _described(definition)
    try:
        return exact_json.canonical(described)
    except ValueError:
        return exact_json.canonical(definition)  # half a character, or deeper than anybody reads: as it was listed


_kept_canonical = lru_cache(maxsize=128)(_canonical)
