"""The choices of a field: what a person sees of each, how what they type or say finds one, and how picks are told."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from handoffs.core.untrusted import comparable, inert_line

NONE = "none"
"""What is typed for *none of them*."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One thing to pick: the value that is recorded, the title, and what the agent says for or against it."""

    value: str
    title: str
    description: str = ""

    @property
    def label(self) -> str:
        """What people see and the agent is told: the title, and the value where that says anything else."""
        value = inert_line(self.value) or '""'
        if _same(self.title, value) or _same(self.title[-len(value) - 2 :], f"({value})"):
            return self.title
        return f"{self.title} ({value})"


def find(choices: Sequence[Choice], said: str, *, numbered: bool) -> str | None:
    """Return the value of the one choice that is said: by its value, title or label; with `numbered` also its place.

    Where two differ in nothing but their case, each is found as it is written, and neither otherwise.
    """
    for names in (_exactly, _loosely):
        for name in (said, said.strip()):
            found = {choice.value for choice in choices if names(name) & set().union(*map(names, _names(choice)))}
            if found:
                return found.pop() if len(found) == 1 else None
    if numbered and len(said) < 4 and said.isascii() and said.isdigit() and 1 <= int(said) <= len(choices):
        return choices[int(said) - 1].value
    return None


def typed_parts(typed: str) -> list[str]:
    """Return what is typed for several choices: parts between commas; one with a comma of its own stands in quotes."""
    parts: list[str] = []
    for match in re.finditer(r'\s*(?:"((?:[^"\\]|\\.)*)"\s*(?=,|$)|([^,]+))', typed):
        part = match[2].strip() if match[1] is None else re.sub(r"\\(.)", r"\1", match[1])
        if part:
            parts.append(part)
    return parts


def joined(labels: Sequence[str]) -> str:
    """Return several labels as one text, from which they can be told apart."""
    if not labels:
        return "(none of them)"
    if not any(re.search(r'[,"\\]', label) for label in labels):
        return ", ".join(labels)
    return ", ".join('"' + re.sub(r'(["\\])', r"\\\1", label) + '"' for label in labels)


def listed(choices: Sequence[Choice]) -> str:
    """Return the labels of the first ten, for a refusal."""
    shown = ", ".join(inert_line(choice.label, 40) for choice in choices[:10])
    return shown + (", …" if len(choices) > 10 else "")


def _names(choice: Choice) -> tuple[str, ...]:
    return choice.value, choice.title, choice.label


def _exactly(name: str) -> set[str]:
    return {unicodedata.normalize("NFC", name)}


def _loosely(name: str) -> set[str]:
    return {comparable(name)} - {""}


def _same(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()
