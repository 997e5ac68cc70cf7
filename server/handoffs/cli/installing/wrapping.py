"""Words go in front of the command that an entry starts, and come out again, byte for byte.

The command as it is written becomes an item of the list of arguments, and is read back from there: its quotes, and the
comments and line ends of the list, need no other memory. The one thing that the list can't say is that there was none;
`absent` says it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import regex as re  # Python's own, in early versions of 3.11, matches a possessive `*+` wrongly

from handoffs.cli.installing.launching import Launch
from handoffs.cli.installing.texts import Path, Text, Unreadable, Value, line_start, newline

_BETWEEN = re.compile(r"""\s*+,\s*+["']?args["']?\s*+[:=]\s*+""")
_COMMA = re.compile(r"\s*+,")


@dataclass(frozen=True, slots=True)
class Slots:
    """Where an entry has its command and its arguments."""

    command: Path
    args: Path


def wrap(edit: Text, text: str, slots: Slots, launch: Launch, words: Sequence[str]) -> str:
    """Return the text with `launch` as the command, and `words` before the command that was there.

    Raises Unreadable.
    """
    command, args = _at(edit, text, slots.command), edit.find(text, slots.args)
    own = text[command.start : command.end]
    if "\n" in own and not own.startswith(('"""', "'''")):
        raise Unreadable("its command is written over several lines; change it by hand")
    added = [*map(edit.word, (*launch.args, *words)), own]
    if args is None:
        text = edit.beside(text, slots.command, slots.args[-1], added)
    elif args.items is None:
        raise Unreadable("its args are no list")
    elif args.block:
        first = _dash(text, args.items[0])
        lead = newline(text) + text[line_start(text, first) : first]
        text = text[:first] + "".join(f"- {word}{lead}" for word in added) + text[first:]
    elif args.items:
        first = args.items[0][0]
        text = f"{text[:first]}{', '.join(added)}, {text[first:]}"
    else:
        text = f"{text[: args.start + 1]}{', '.join(added)}{text[args.start + 1 :]}"
    return _with_command(edit, text, slots, edit.word(launch.command))


def unwrap(edit: Text, text: str, slots: Slots, count: int, *, absent: bool) -> str:
    """Return the text with the command that stands behind `count` words of ours in the arguments.

    Where no argument is left and there was no list (`absent`), none stays. Raises Unreadable.
    """
    args = _at(edit, text, slots.args)
    assert args.items is not None
    items = args.items
    own = text[items[count][0] : items[count][1]]
    if count + 1 < len(items):
        first, rest = items[0], items[count + 1]
        start, end = (_dash(text, first), _dash(text, rest)) if args.block else (first[0], rest[0])
        text = text[:start] + text[end:]
    elif absent:
        text = _without_list(edit, text, slots, args)
    elif args.block:
        text = edit.put(text, slots.args, [])
    else:
        end = items[count][1]
        comma = _COMMA.match(text, end)
        text = text[: items[0][0]] + text[end if comma is None else comma.end() :]
    return _with_command(edit, text, slots, own)


def _without_list(edit: Text, text: str, slots: Slots, args: Value) -> str:
    end = _at(edit, text, slots.command).end
    if end < args.start and _BETWEEN.fullmatch(text, end, args.start):
        return text[:end] + text[args.end :]
    return edit.cut(text, slots.args)


def _with_command(edit: Text, text: str, slots: Slots, written: str) -> str:
    command = _at(edit, text, slots.command)
    return text[: command.start] + written + text[command.end :]


def _at(edit: Text, text: str, path: Path) -> Value:
    found = edit.find(text, path)
    if found is None:
        raise Unreadable(f"{'.'.join(path)} is written in a way that can't be changed safely")
    return found


def _dash(text: str, item: tuple[int, int]) -> int:
    return text.rindex("-", 0, item[0])
