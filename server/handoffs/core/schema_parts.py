"""The parts of a tool's own JSON schema that speak of an argument, or of a part of one.

It is for what must not be overlooked, not for checking: where a schema can be read in two ways, both parts are
returned. Nothing is fetched. What a server writes costs no more than a bounded look.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, cast
from urllib.parse import unquote

from handoffs.core import patterns

Schemas: TypeAlias = Sequence[Mapping[str, object]]

MAX_PARTS = 200
"""Parts that are looked at for one argument: a schema may refer to itself."""

MAX_NAMED = 5_000
"""Values of a schema that are looked through for the names by which parts are referred to."""

_TOGETHER = ("allOf", "anyOf", "oneOf")
_ALONE = ("if", "then", "else")
_NAMES = ("$anchor", "$dynamicAnchor")


@dataclass(frozen=True)
class SchemaParts:
    """The parts of one schema."""

    root: Mapping[str, object]

    def whole(self) -> Schemas:
        """Return what speaks of all arguments together."""
        return self._all_of([self.root])

    def of_name(self, schemas: Schemas, name: str) -> Schemas:
        """Return what speaks of the value with this name, of what speaks of an object."""
        found: list[Mapping[str, object]] = []
        for schema in schemas:
            named = _mapping(schema.get("properties"))
            like = _mapping(schema.get("patternProperties"))
            these = [*([named[name]] if name in named else []), *(like[each] for each in like if _fits(each, name))]
            others = [schema.get("additionalProperties"), schema.get("unevaluatedProperties")]
            found += map(_mapping, these or others)
        return self._all_of(found)

    def of_items(self, schemas: Schemas) -> Schemas:
        """Return what speaks of a value in a list, whichever it is."""
        found: list[Mapping[str, object]] = []
        for schema in schemas:
            items = schema.get("items")
            alone = [items, *(schema.get(key) for key in ("additionalItems", "unevaluatedItems", "contains"))]
            found += map(_mapping, [*alone, *_list(items), *_list(schema.get("prefixItems"))])
        return self._all_of(found)

    def _all_of(self, schemas: Schemas) -> Schemas:
        """Return schemas with all that they refer to or are made of."""
        left, found = list(schemas), list[Mapping[str, object]]()
        while left and len(found) < MAX_PARTS:
            schema = left.pop()
            if not schema or any(schema is each for each in found):
                continue
            found.append(schema)
            left += (self._referred(ref) for key in ("$ref", "$dynamicRef") if isinstance(ref := schema.get(key), str))
            left += (_mapping(each) for key in _TOGETHER for each in _list(schema.get(key)))
            left += (_mapping(schema.get(key)) for key in _ALONE)
            left += map(_mapping, _mapping(schema.get("dependentSchemas")).values())
        return found

    def _referred(self, ref: str) -> Mapping[str, object]:
        base, _, within = ref.partition("#")
        place: object = self.root if not base else self._named.get(base.rpartition("/")[2], {})
        if within and not within.startswith("/"):
            return _mapping(self._named.get(f"#{within}"))
        for escaped in within.split("/")[1:]:
            name = unquote(escaped).replace("~1", "/").replace("~0", "~")
            if isinstance(place, list):
                listed = cast("list[object]", place)
                place = listed[int(name)] if name.isascii() and name.isdecimal() and int(name) < len(listed) else None
            else:
                place = _mapping(place).get(name)
        return _mapping(place)

    @cached_property
    def _named(self) -> Mapping[str, object]:
        """The parts that have a name of their own: `#` and an anchor, or the last part of an address."""
        named: dict[str, object] = {}
        for each in _walked(self.root):
            if isinstance(address := each.get("$id"), str):
                named.setdefault(address.partition("#")[0].rpartition("/")[2], each)
            for key in _NAMES:
                if isinstance(anchor := each.get(key), str):
                    named.setdefault(f"#{anchor}", each)
        return named


def _walked(root: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    left: list[object] = [root]
    for _ in range(MAX_NAMED):
        if not left:
            return
        value = left.pop()
        found = _mapping(value)
        yield found
        left += found.values()
        left += _list(value)


def _fits(pattern: str, name: str) -> bool:
    try:
        return patterns.matches(pattern, name)
    except ValueError:  # it can't be read, or takes too long
        return True


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
