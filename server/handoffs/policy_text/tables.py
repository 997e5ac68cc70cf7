"""Tables of a TOML file, read key by key; what does not fit is refused with its line and with what is allowed."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from handoffs.policy_text import globs
from handoffs.policy_text.lines import Path as KeyPath
from handoffs.policy_text.lines import broken_at, line_of, lines_of

T = TypeVar("T")

LENGTHS = 'seconds, or a text like "30s", "10m", "8h", "7d"; more than nothing, and ten years at most'
NAMES = "a text, or a list of texts"

_LONGEST_SECONDS = 3_650 * 86_400
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?) ?([smhd])", re.ASCII)


class PolicyError(Exception):
    """A policy can't be used as it is written."""

    def __init__(self, file: str, line: int | None, wrong: str, allowed: str) -> None:
        self.file, self.line, self.wrong, self.allowed = file, line, wrong, allowed
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {wrong}. Allowed: {allowed}.")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A TOML file, and where its keys stand."""

    file: str
    lines: Mapping[KeyPath, int] = field(default_factory=dict[KeyPath, int])

    def line(self, path: KeyPath) -> int | None:
        """Return the line of a key."""
        return line_of(path, self.lines)


@dataclass(frozen=True)
class Table:
    """One table of a TOML file, read key by key."""

    source: Source
    path: KeyPath
    values: Mapping[str, object]

    @property
    def line(self) -> int | None:
        """Its line in the file."""
        return self.source.line(self.path)

    def refusal(self, wrong: str, allowed: str, key: str | None = None) -> PolicyError:
        """Return the error that names this table, or a key of it."""
        path = self.path if key is None else (*self.path, key)
        return PolicyError(self.source.file, self.source.line(path), wrong, allowed)

    def get(self, key: str, read: "Callable[[object], T | None]", allowed: str) -> T | None:
        """Return a value as `read` reads it, None where the key is missing; refuse it where `read` returns None."""
        if key not in self.values:
            return None
        found = read(self.values[key])
        if found is None:
            raise self.refusal(f"`{key}` can't be {_shown(self.values[key])}", allowed, key)
        return found

    def globs(self, key: str) -> tuple[str, ...]:
        """Return the globs of a key; one that matches every name where it is missing."""
        written = self.get(key, read_names, f"{globs.ALLOWED}; not an empty one")
        for glob in written or ():
            if problem := globs.problem_of(glob):
                raise self.refusal(f"in `{key}`, {problem}", globs.ALLOWED, key)
        return written or ("*",)

    def tables(self, key: str) -> list["Table"]:
        """Return the tables of an array of tables; none where it is missing."""
        listed = self.get(key, _tables, f"tables, each under its own line [[{key}]]") or []
        return [Table(self.source, (*self.path, key, number), values) for number, values in enumerate(listed)]

    def refuse_others(self, known: Sequence[str], *, everywhere: Sequence[str] = (), kind: str = "") -> None:
        """Refuse keys that are not known; those known `everywhere` have no meaning here, in a table of this `kind`."""
        for key in self.values:
            if key in known:
                continue
            wrong = f"`{key}` has no meaning in {kind}" if key in everywhere else f"there is no key `{key}`"
            raise self.refusal(wrong, ", ".join(known), key)


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        PolicyError: It can't be read.
    """
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise PolicyError(str(path), None, f"it can't be read: {error.strerror}", "a TOML file that exists") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PolicyError(str(path), line, "this is not UTF-8", "TOML in UTF-8") from None


def read_toml(text: str, file: str) -> tuple[Source, dict[str, object]]:
    """Return the values of a TOML file, and where they stand.

    Raises:
        PolicyError: It does not parse.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, wrong = broken_at(error, text)
        raise PolicyError(file, line, f"this does not parse: {wrong}", "TOML 1.0, https://toml.io") from None
    except RecursionError:
        raise PolicyError(file, None, "it is nested too deep", "TOML 1.0, https://toml.io") from None
    return Source(file=file, lines=lines_of(text)), document


# Values: each reader returns None for what it can't read


def read_words(value: object) -> str | None:
    """Return a text that is not blank, None for anything else."""
    return value if isinstance(value, str) and value.strip() else None


def read_truth(value: object) -> bool | None:
    """Return true or false, None for anything else."""
    return value if isinstance(value, bool) else None


def read_names(value: object) -> tuple[str, ...] | None:
    """Return one or more texts, None for anything else."""
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    names = [each for each in listed if isinstance(each, str)]
    return tuple(names) if names and len(names) == len(listed) else None


def read_length(value: object) -> float | None:
    """Return a length of time in seconds, None for anything else."""
    if isinstance(value, str):
        written = _LENGTH.fullmatch(value.strip())
        value = None if written is None else float(written[1]) * _SECONDS[written[2]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= _LONGEST_SECONDS else None


def _tables(value: object) -> list[dict[str, object]] | None:
    listed = cast("list[object]", value) if isinstance(value, list) else []
    tables = [cast("dict[str, object]", each) for each in listed if isinstance(each, dict)]
    return tables if isinstance(value, list) and len(tables) == len(listed) else None


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
