"""Where each key of a TOML file stands. `tomllib` gives values without positions, and tomlkit keeps its own to itself.

The text is known to be valid TOML, so a scan over its tokens is enough: strings and comments are skipped whole, and a
statement starts on each line outside of brackets. Its key is read by `tomllib` again.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

Path: TypeAlias = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
    (?P<skipped> \#[^\n]* | \"\"\"(?:\\.|[^\\])*?\"{3,5} | '''.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<open> [\[{] ) | (?P<close> [\]}] ) | (?P<equals> = ) | (?P<end> \n )
    """,
    re.VERBOSE | re.DOTALL,
)
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$| \(at end of document\)$")


def lines_of(text: str) -> dict[Path, int]:
    """Return the line of each table and key: of `("rule", 0)`, the first rule's header, and of `("rule", 0, "do")`."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for line, statement, is_header in _statements(text):
        if not is_header:
            found.setdefault(table + _key(statement), line)
            continue
        name = statement.strip()
        if name.startswith("[["):
            array = _under(_key(name[2:-2]), counts)
            counts[array] = counts.get(array, -1) + 1
            table = (*array, counts[array])
        else:
            table = _under(_key(name[1:-1]), counts)
        found.setdefault(table, line)
    return found


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Return the line of a key, or of the nearest table around it that has a line of its own."""
    while path not in lines and path:
        path = path[:-1]
    return lines.get(path)


def broken_at(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    """Return the line of a mistake in TOML, and what it is."""
    message = str(error)
    place = _AT_LINE.search(message)
    last = text.rstrip().count("\n") + 1
    return int(place[1]) if place and place[1] else last, _AT_LINE.sub("", message)


def _under(key: Path, counts: Mapping[Path, int]) -> Path:
    """The path of a table's header: a name of an array of tables means its last table."""
    path: Path = ()
    for part in key[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path])
    return (*path, key[-1])


def _key(written: str) -> Path:
    """The parts of a key, which may be dotted and quoted."""
    value: object = tomllib.loads(f"{written} = 0")
    parts: list[str] = []
    while isinstance(value, dict):
        [(name, value)] = cast("dict[str, object]", value).items()
        parts.append(name)
    return tuple(parts)


def _statements(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield each statement's line, its key or header as written, and whether it is a header."""
    line, start, depth = 1, 0, 0
    named = False  # the key of this statement is behind us
    for token in _TOKEN.finditer(text):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth -= 1
            if depth == 0 and not named:
                yield line, text[start : token.end()], True
                named = True
        elif token["equals"] and depth == 0 and not named:
            yield line, text[start : token.start()].strip(), False
            named = True
        line_feeds = token[0].count("\n")
        line += line_feeds
        if token["end"] and depth == 0:
            start, named = token.end(), False
