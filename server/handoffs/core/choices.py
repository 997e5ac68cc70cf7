"""The choices of a field: their labels, and how what a person typed or a program sent is matched to them."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from handoffs.core.sentences import say
from handoffs.core.untrusted import comparable, inert_line

NONE = "none"
"""What a person types to pick none of the choices."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One choice: the value that is recorded, the title, and what the agent says for or against it."""

    value: str
    title: str
    description: str = ""
    titled: bool = False
    """Whether the title says all there is to say: the value is a word of ours."""

    @property
    def label(self) -> str:
        """The text that people see and the agent is told: the title, followed by the value if that adds something."""
        if self.titled:
            return self.title
        value = inert_line(self.value) or '""'
        if _same(self.title, value) or _same(self.title[-len(value) - 2 :], f"({value})"):
            return self.title
        return f"{self.title} ({value})"


def find(choices: Sequence[Choice], said: str, *, numbered: bool) -> str | None:
    """Return the value of the one choice that `say` names: by value, title or label; if `numbered`, also by number.

    Choices that differ only in case are matched by exact case alone.
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
    """Return the parts of a typed list of choices. Commas separate them; a part with a comma stands in quotes."""
    parts: list[str] = []
    for match in re.finditer(r'\s*(?:"((?:[^"\\]|\\.)*)"\s*(?=,|$)|([^,]+))', typed):
        part = match[2].strip() if match[1] is None else re.sub(r"\\(.)", r"\1", match[1])
        if part:
            parts.append(part)
    return parts


def joined(labels: Sequence[str]) -> str:
    """Return several labels as one text that `typed_parts` can take apart again."""
    if not labels:
        return say("(none of them)")
    if not any(re.search(r'[,"\\]', label) for label in labels):
        return ", ".join(labels)
    return ", ".join('"' + re.sub(r'(["\\])', r"\\\1", label) + '"' for label in labels)


def listed(choices: Sequence[Choice]) -> str:
    """Return the labels of the first ten choices, for an error message."""
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
