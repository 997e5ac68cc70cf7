"""The message that shows a tool's use to the person who decides on it, completely and readably.

A file's content is shown as code, as is every text with several lines; an edit is a difference, a plan is Markdown, the
rest is JSON. Nothing is cut, and text is not escaped. Characters that a screen would hide or act on are spelled out.
Shown text can't leave its block and pass for our own words, and after a plan no text of ours follows.
"""

import difflib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import cast

from handoffs.core.untrusted import MAX_BLANKS, inert, inert_line, spell_gaps
from handoffs.mcp_server.permission.claude_code import ToolUse

MAX_SHOWN = 200_000
"""The most characters of a question about a tool use: a long file that a page can still show."""

MAX_REASON = 300
"""Characters reserved for the reason why an edit was not used."""

_COMPARED = 4_000_000
"""The most lines of one text times lines of the other for a comparison line by line."""

_MARKS_PER_LETTER = 4

_PLAIN_NAME = re.compile(r"[\w.:/-]{1,100}", re.ASCII)

# The names of Claude Code's tools and of their arguments: the types of its package, `sdk-tools.d.ts`.
_EDITS = {"Edit", "MultiEdit"}
_PLANS = {"ExitPlanMode"}
_COMMANDS = {"Bash": "bash", "PowerShell": "powershell"}
_FILES = ("file_path", "notebook_path")
_CONTENTS = {"content", "new_source"}


def message_of(use: ToolUse, *, again: str = "", origin: str = "") -> str:
    """Return the question whether a tool may be used; `again` says why it is asked again, `origin` which session asks.

    Raises:
        ValueError: The input has a value that JSON has not, such as NaN.
    """
    named = _PLAIN_NAME.fullmatch(use.tool) is not None
    # Only a plain tool name is shown as inline code; any other is in the block.
    parts = [f"Allow {f'`{use.tool}`' if named else 'a tool'}, once, with exactly this input?"]
    if origin:
        parts.append(origin)
    if again:
        parts.append(f"Your {inert_line(again, MAX_REASON)}")
    rest, documents = dict(use.input), list[str]()
    for document in _documents(use):
        documents.append(document.text)
        for name in document.of:
            rest.pop(name, None)
    if rest or not documents or not named:
        parts.append(block("json", as_json({"tool_name": use.tool, "input": rest})))
    return "\n\n".join(parts + documents)


@dataclass(frozen=True, slots=True)
class _Document:
    """A readable part of the input, and the names of the arguments that it shows."""

    text: str
    of: tuple[str, ...]


def _documents(use: ToolUse) -> Iterator[_Document]:
    given = use.input
    plan = given.get("plan") if use.tool in _PLANS else None
    edited = list(_differences(given)) if use.tool in _EDITS else []
    yield from edited
    shown = {name for document in edited for name in document.of}
    if isinstance(plan, str):
        shown.add("plan")
    for name, value in given.items():
        if name in shown or not isinstance(value, str) or not _PLAIN_NAME.fullmatch(name):
            continue
        if name in _CONTENTS or "\n" in value or spell_gaps(value) != value:
            language = _COMMANDS.get(use.tool, "") if name == "command" else ""
            shown_as = block(_language(given) if name in _CONTENTS else language, visible(value))
            yield _Document(f"`{name}`, {_size(value)}:\n\n{shown_as}", (name,))
    if isinstance(plan, str):
        # Last: its Markdown could change the look of text after it.
        yield _Document(f"`plan`, {_size(plan)}:\n\n---\n\n{plan}", ("plan",))


def _differences(given: Mapping[str, object]) -> Iterator[_Document]:
    old, new = given.get("old_string"), given.get("new_string")
    if isinstance(old, str) and isinstance(new, str):
        yield _Document(f"`old_string` → `new_string`:\n\n{_difference(old, new)}", ("old_string", "new_string"))
    edits = _edits(given.get("edits"))
    for number, (before, after, everywhere) in enumerate(edits, 1):
        where = ", every occurrence" if everywhere else ""
        yield _Document(f"Edit {number} of {len(edits)}{where}:\n\n{_difference(before, after)}", ("edits",))


def _edits(given: object) -> list[tuple[str, str, bool]]:
    """Return a list's edits; none if an entry is no edit, or has keys that would not be shown."""
    if not isinstance(given, list):
        return []
    edits: list[tuple[str, str, bool]] = []
    for each in cast("list[object]", given):
        edit = cast("Mapping[str, object]", each if isinstance(each, Mapping) else {})
        old, new, everywhere = edit.get("old_string"), edit.get("new_string"), edit.get("replace_all", False)
        known = set(edit) <= {"old_string", "new_string", "replace_all"}
        if not (known and isinstance(old, str) and isinstance(new, str) and isinstance(everywhere, bool)):
            return []
        edits.append((old, new, everywhere))
    return edits


def _difference(old: str, new: str) -> str:
    before, after = visible(old).split("\n"), visible(new).split("\n")
    lines: list[str] = []
    if len(before) * len(after) > _COMPARED:
        lines = [*(f"-{line}" for line in before), *(f"+{line}" for line in after)]
    else:
        for what, at, end, start, stop in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if what == "equal":
                lines += [f" {line}" for line in before[at:end]]
            else:
                lines += [f"-{line}" for line in before[at:end]] + [f"+{line}" for line in after[start:stop]]
    return block("diff", "\n".join(lines))


def _language(given: Mapping[str, object]) -> str:
    """Return the language of a file for its code block: the ending of its name, also when no page knows it."""
    path = next((given[name] for name in _FILES if isinstance(given.get(name), str)), "")
    name = PurePosixPath(str(path).replace("\\", "/")).name
    ending = name.rpartition(".")[2].lower()
    if ending == "ipynb":
        return "markdown" if given.get("cell_type") == "markdown" else "python"
    return ending if re.fullmatch(r"[a-z0-9+#-]{1,12}", ending) else ""


def _size(text: str) -> str:
    lines = text.count("\n") + (not text.endswith("\n"))
    return f"{lines:,} {'line' if lines == 1 else 'lines'}, {len(text):,} characters"


def block(language: str, text: str) -> str:
    """Return text as a block of code that it can't leave."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def as_json(value: object) -> str:
    """Return JSON in which every character can be seen; one that a screen would hide or act on is escaped.

    Raises:
        ValueError: It has a value that JSON has not, such as NaN.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    text = "".join(char if char == "\n" or inert(char) == char else _escaped(char) for char in text)
    # Also in a name or a nested value, which have no block of their own.
    return re.sub(rf"(?<=\S) {{{MAX_BLANKS + 1},}}", lambda gap: "\\u0020" * len(gap[0]), text)


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) > 0x7E else f"\\u{ord(char):04x}"


def visible(text: str) -> str:
    """Return text in which every character can be seen: invisible ones are spelled out, long gaps are counted."""
    out: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        seen = char if char in "\n\t" else inert(char)
        unseen = not seen or (seen == " " and char != " ") or marks > _MARKS_PER_LETTER
        out.append(f"⟨U+{ord(char):04X}⟩" if unseen else seen)
    return spell_gaps("".join(out))
