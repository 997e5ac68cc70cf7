"""How one text differs from another, line by line, with what a screen shows alike told apart. Pure."""

import re
from collections.abc import Sequence

_COMPARED = 4_000_000
"""The most lines of one text times lines of the other for a comparison line by line."""

_TAB = " " * 4
"""What stands for a tab on a page."""

_ALIKE = re.compile(r"\t| +$")
"""White space that may look like other white space, or like none."""


def changed_lines(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return all lines, marked as those of a difference: ` kept`, `-removed`, `+added`."""
    import difflib  # deferred: most questions show no difference

    if len(before) * len(after) > _COMPARED:
        return _changed(before, after)
    lines: list[str] = []
    for what, at, end, start, stop in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            lines += [f" {line}" for line in before[at:end]]
        else:
            lines += _changed(before[at:end], after[start:stop])
    return lines


def _changed(removed: Sequence[str], added: Sequence[str]) -> list[str]:
    looks = {_look(line) for line in removed} & {_look(line) for line in added}
    return [f"-{_told_apart(line, looks)}" for line in removed] + [f"+{_told_apart(line, looks)}" for line in added]


def _look(line: str) -> str:
    return line.replace("\t", _TAB).rstrip(" ")


def _told_apart(line: str, looks: set[str]) -> str:
    if _look(line) not in looks:
        return line
    return _ALIKE.sub(lambda gap: "".join(f"⟨U+{ord(char):04X}⟩" for char in gap[0]), line)
