"""Masks secrets in the arguments of an action, where nobody decides on it: in JSON, logs, exports, the history.

An argument, or a part of one, is secret when

- the tool's schema says so: `format: password`, `writeOnly: true` or `x-handoffs-secret: true`,
- its name or its title sounds like a secret (`core.secret_words`), also where that is doubtful, or is a header that
  holds one, or
- a rule of the policy names it: `token`, `auth.*`, `*.key`; see `Action.masked`.

What runs, what the person sees who decides, and the digest are of the exact arguments.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import cast

from handoffs.core.action import Action
from handoffs.core.action_form import ARGUMENTS
from handoffs.core.action_shown import as_json, message_with
from handoffs.core.form import Value
from handoffs.core.schema_parts import SchemaParts, Schemas
from handoffs.core.secret_words import Secret, secret_in

MASK = "••••"
"""What stands in the place of a secret."""

HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
"""Headers of HTTP whose values let their owner in: tools that fetch take them as arguments of these names."""

MAX_DEPTH = 60
"""Levels of arguments that are looked at; what is deeper is masked."""


@dataclass(frozen=True, kw_only=True)
class Masked:
    """The arguments of an action without its secrets."""

    values: Mapping[str, object]
    hidden: Mapping[str, tuple[object, ...]] = field(default_factory=dict[str, tuple[object, ...]], repr=False)
    """What is masked, by path: `token`, `auth.key`. In a list, several have the path `accounts.password`."""

    names: frozenset[str] = frozenset()
    """The arguments that are a secret, or hold one: of a path it can't be told where the name ends, `auth.config`."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The paths of what is masked."""
        return tuple(self.hidden)


def masked(action: Action) -> Masked:
    """Return the arguments of an action without its secrets.

    Raises:
        ValueError: The arguments are no JSON object that every reader reads alike.
    """
    schema = SchemaParts(_mapping(action.described.get("inputSchema")))
    work = _Work(schema=schema, patterns=tuple(action.masked))
    values = work.pairs(action.values, schema.whole(), path="", depth=0)
    hidden = {path: tuple(found) for path, found in work.found.items()}
    return Masked(values=values, hidden=hidden, names=frozenset(work.names))


def without_secrets(action: Action) -> Action:
    """Return the action to be shown: its digest is another one where a secret is masked. Raises ValueError."""
    found = masked(action)
    return replace(action, arguments=as_json(found.values)) if found.secrets else action


def masked_message(action: Action, message: str) -> str:
    """Return the message of an action without its secrets; of a message that we did not write, its first line."""
    try:
        shown = without_secrets(action)
    except ValueError:  # nobody can have been asked about it
        return MASK
    return message if shown is action else message_with(shown, message, before=action)


def masked_answer(action: Action, values: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the answer about an action without the secrets in the arguments that the person edited."""
    text = str(values.get(ARGUMENTS) or "")
    return {**values, ARGUMENTS: masked_edit(action, text)} if text.strip() else values


def changed_secrets(action: Action, text: str) -> tuple[str, ...]:
    """Return the paths of the secrets that edited arguments, as JSON, change, add or leave out. Raises ValueError."""
    before, after = masked(action).hidden, masked(replace(action, arguments=text)).hidden
    # As they are written: to Python, 1, 1.0 and true are the same.
    return tuple(path for path in {**before, **after} if repr(before.get(path)) != repr(after.get(path)))


def masked_edit(action: Action, text: str) -> str:
    """Return edited arguments, as JSON, without their secrets; a text that is no JSON object may hold one anywhere."""
    try:
        return without_secrets(replace(action, arguments=text)).arguments
    except ValueError:
        return MASK


@dataclass
class _Work:
    schema: SchemaParts
    patterns: tuple[str, ...]
    found: dict[str, list[object]] = field(default_factory=dict[str, list[object]])
    names: set[str] = field(default_factory=set[str])
    name: str = ""
    """The argument that is looked at."""

    def pairs(self, values: Mapping[str, object], schemas: Schemas, *, path: str, depth: int) -> dict[str, object]:
        made: dict[str, object] = {}
        for name, value in values.items():
            if depth == 0:
                self.name = name
            at = f"{path}.{name}" if path else name
            inner = self.schema.of_name(schemas, name)
            if self._is_secret(name, at, value, inner) or depth >= MAX_DEPTH:
                self._hide(at, value)
                made[name] = MASK
            else:
                made[name] = self._value(value, inner, path=at, depth=depth + 1)
        return made

    def _value(self, value: object, schemas: Schemas, *, path: str, depth: int) -> object:
        match value:
            case Mapping():
                return self.pairs(cast("Mapping[str, object]", value), schemas, path=path, depth=depth)
            case list():
                inner = self.schema.of_items(schemas)
                listed = cast("list[object]", value)
                if listed and (depth >= MAX_DEPTH or any(map(_says, inner))):
                    self._hide(path, listed)
                    return [MASK] * len(listed)
                return [self._value(each, inner, path=path, depth=depth + 1) for each in listed]
            case _:
                return value

    def _hide(self, path: str, value: object) -> None:
        self.found.setdefault(path, []).append(value)
        self.names.add(self.name)

    def _is_secret(self, name: str, path: str, value: object, schemas: Schemas) -> bool:
        named = any(_pattern(each).fullmatch(path) for each in self.patterns)
        if named or any(map(_says, schemas)):
            return True
        if value is None or isinstance(value, bool):
            return False  # whether there is a secret is none
        if name.casefold().replace("_", "-") in HEADERS:
            return True
        titles = [title for schema in schemas if isinstance(title := schema.get("title"), str)]
        return secret_in((name, *titles), number=isinstance(value, int | float)) is not Secret.NO


def _says(schema: Mapping[str, object]) -> bool:
    """Say whether a schema itself says that its value is a secret."""
    return (
        schema.get("format") == "password"
        or schema.get("writeOnly") is True
        or schema.get("x-handoffs-secret") is True
    )  # fmt: skip


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    text = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL)


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
