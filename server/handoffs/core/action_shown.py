"""The message that shows an action to the person who decides on it, completely and readably.

A file's content is shown as code, as is every text with several lines; an edit is a difference, a plan is Markdown, the
rest is JSON. Nothing is cut, and text is not escaped. Characters that a screen would hide or act on are spelled out.
Shown text can't leave its block and pass for our own words, and after a plan no text of ours follows.
"""

import json
import re
import secrets
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import cast

from handoffs.core.action import Action, Asker
from handoffs.core.exact_json import OddNumber
from handoffs.core.line_changes import changed_lines
from handoffs.core.sentences import say, say_n
from handoffs.core.untrusted import MAX_BLANKS, inert, inert_line, spell_gaps

MAX_SHOWN = 200_000
"""The most characters of a question about a tool use: a long file that a page can still show."""

MAX_REASON = 300
"""Characters reserved for the reason why an edit was not used."""

MAX_ABOUT = 4_000
"""Characters of what a server says of its tool that are shown."""

_MARKS_PER_LETTER = 4

PLAIN_NAME = re.compile(r"[\w.:/-]{1,100}", re.ASCII)
"""A name that can be shown as code, and does not look like a text."""

_UNSEEN = re.compile(r"^\s+|\s+$|[^\S ]|(?<=\s)\s")
"""White space of which a page shows nothing, or less."""

_PRINTED = re.compile(r"[\n -~]*")
"""Text in which each character can be seen as it is."""

# The names of Claude Code's tools and of their arguments: the types of its package, `sdk-tools.d.ts`.
_EDITS = {"Edit", "MultiEdit"}
_PLANS = {"ExitPlanMode"}
_COMMANDS = {"Bash": "bash", "PowerShell": "powershell"}
_LANGUAGES = {
    "sql": {"sql", "query", "statement", "statements", "queries"},
    "bash": {"command", "cmd", "script", "shell"},
    "diff": {"diff", "patch"},
}
"""By the names that servers give such arguments."""
_FILES = ("file_path", "notebook_path")
_CONTENTS = {"content", "new_source"}


def message_of(
    action: Action, *, again: str = "", origin: str = "", before: str | None = None, changes: str = ""
) -> str:
    """Return the question whether an action may run; `again` says why it is asked again, `origin` which session asks.

    `changes` says what differs from a like call; see `action_changes`. `before` is the tool's definition as people know
    it, where that has changed; empty where they know of none.

    Raises:
        ValueError: The arguments are no JSON object that every reader reads alike.
    """
    named = PLAIN_NAME.fullmatch(action.tool) is not None
    parts = [first_line(action)]
    if origin:
        parts.append(origin)
    if again:
        parts.append(f"Your {inert_line(again, MAX_REASON)}")
    if changes:
        parts.append(changes)
    if before is not None:
        parts.append(_changed(before, action.definition))
    elif about := _about(action):
        parts.append(about)
    return "\n\n".join([*parts, *_arguments(action, named)])


def notes_in(action: Action, message: str) -> str | None:
    """Return what the message of an action says beside the tool, its description and its arguments.

    That is our own Markdown: why it is asked again, whether a like call may have run, how the definition has changed.
    None where the message is not one that `message_of` makes of this action.

    Raises:
        ValueError: The arguments are no JSON object that every reader reads alike.
    """
    named = PLAIN_NAME.fullmatch(action.tool) is not None
    head, tail = first_line(action), "\n\n".join(_arguments(action, named))
    if message == f"{head}\n\n{tail}":
        return ""
    start, end = len(head) + 2, len(message) - len(tail) - 2
    if not (message.startswith(f"{head}\n\n") and message.endswith(f"\n\n{tail}") and start < end):
        return None
    return message[start:end].removesuffix(_about(action)).strip()


def message_with(shown: Action, message: str, *, before: Action) -> str:
    """Return the message of the action `before` with the arguments of `shown` in it; else its first line alone.

    Raises:
        ValueError: The arguments are no JSON object that every reader reads alike.
    """
    named = PLAIN_NAME.fullmatch(before.tool) is not None
    tail = "\n\n".join(_arguments(before, named))
    if not message.endswith(tail):  # an earlier version wrote it
        return first_line(before)
    return message.removesuffix(tail) + "\n\n".join(_arguments(shown, named))


def _arguments(action: Action, named: bool) -> list[str]:
    """Return all arguments as blocks."""
    documents = _documents(action)
    texts, rest = [each.text for each in documents], values_without(action, documents)
    if rest or not documents or not named:
        whole = {"tool_name": action.tool, "input": rest}
        if action.asker is Asker.GATE:
            whole = {"server": action.server, "tool": action.tool, "arguments": rest}
        return [block("json", as_json(whole)), *texts]
    return texts


def _changed(before: str, now: str) -> str:
    """Return how the definition of a tool differs from the one that people know."""
    written = [json.dumps(json.loads(each or "{}"), indent=2, ensure_ascii=False) for each in (before, now)]
    if not before:
        return f"This tool is new. Its server says of it:\n\n{block('json', visible(written[1]))}"
    # Without what is as it was: of a long schema one line may have changed.
    import difflib  # deferred: most questions show no difference

    old, new = (visible(each).split("\n") for each in written)
    lines = difflib.unified_diff(old, new, lineterm="", n=1)
    difference = block("diff", "\n".join([*lines][2:]))
    return f"The definition of this tool has changed since you last saw it:\n\n{difference}"


def first_line(action: Action) -> str:
    """Return what is asked of an action, in a line: the tool and its server, as far as these look like names."""
    # As code only what looks like a name: the rest of it is in the block.
    tool = f"`{action.tool}`" if PLAIN_NAME.fullmatch(action.tool) else say("a tool")
    server = f"`{action.server}`" if PLAIN_NAME.fullmatch(action.server) else ""
    if action.asker is Asker.HOST:
        # A host that names itself can be asked to remember: then it may be more than once.
        if server:
            return say("Allow {tool} of {server} with exactly this input?", tool=tool, server=server)
        return say("Allow {tool}, once, with exactly this input?", tool=tool)
    if server:
        return say("Allow {tool} of {server} with exactly these arguments?", tool=tool, server=server)
    return say("Allow {tool} with exactly these arguments?", tool=tool)


def _about(action: Action) -> str:
    """Return what the server says of the tool, as a block: it is the server's word, and nobody else's."""
    text = about_of(action)
    return f"What its server says of it:\n\n{block('text', text)}" if text else ""


def about_of(action: Action) -> str:
    """Return the titles and the description that the server gives the tool, as visible text."""
    described = action.described
    annotations = described.get("annotations")
    titles = [described.get("title"), cast("Mapping[str, object]", annotations).get("title")] if isinstance(
        annotations, Mapping
    ) else [described.get("title")]  # fmt: skip
    told = [each for each in (*titles[:1], *titles[1:], described.get("description")) if isinstance(each, str)]
    text = "\n".join(dict.fromkeys(each.strip() for each in told if each.strip()))
    return visible(text[:MAX_ABOUT])


@dataclass(frozen=True, slots=True)
class Document:
    """A readable part of the input, and the names of the arguments that it shows."""

    title: str
    """What it is, as Markdown of ours, without an end."""
    body: str
    """What was sent, as blocks of Markdown; a plan is the Markdown that was sent."""
    of: tuple[str, ...]
    inner: tuple[str, ...] = ()
    """The names within the argument `input`, where it shows some of that alone."""
    rule: str = ""
    """What stands before the body in a text, where that could pass for ours."""

    @property
    def text(self) -> str:
        """All of it as Markdown."""
        return f"{self.title}:\n\n{self.rule}{self.body}"


def documents_of(action: Action) -> list[Document]:
    """Return what shows arguments together, or as another thing than a value: edits, an editor's content, a plan."""
    return [*_edited(action), *_told(action)]


def values_without(action: Action, documents: Sequence[Document]) -> dict[str, object]:
    """Return the arguments that these documents do not show."""
    rest = dict(action.values)
    for document in documents:
        for name in document.of:
            rest.pop(name, None)
        if document.inner:
            left = cast("Mapping[str, object]", rest["input"])
            rest["input"] = {name: each for name, each in left.items() if name not in document.inner}
    return rest


def _documents(action: Action) -> list[Document]:
    edited, told = [*_edited(action)], [*_told(action)]
    shown = {name for document in (*edited, *told) for name in document.of}
    texts: list[Document] = []
    for name, value in action.values.items():
        if name in shown or not isinstance(value, str) or not PLAIN_NAME.fullmatch(name):
            continue
        if name in _CONTENTS or "\n" in value or spell_gaps(value) != value:
            shown_as = block(code_language(action, name), visible(value))
            texts.append(Document(f"`{name}`, {size_of(value)}", shown_as, (name,)))
    return [*edited, *texts, *told]


def _edited(action: Action) -> Iterator[Document]:
    if action.tool in _EDITS:
        yield from _differences(action.values)


def _told(action: Action) -> Iterator[Document]:
    plan = action.values.get("plan") if action.tool in _PLANS else None
    if action.asker is Asker.HOST:
        yield from _nested(action.values)
    if isinstance(plan, str):
        # Last: its Markdown could change the look of text after it.
        yield Document(f"`plan`, {size_of(plan)}", plan, ("plan",), rule="---\n\n")


def _nested(given: Mapping[str, object]) -> Iterator[Document]:
    """Yield what an agent behind an editor shows of its tool call: long texts of its input, and its content."""
    within = given.get("input")
    for name, value in cast("Mapping[str, object]", within if isinstance(within, Mapping) else {}).items():
        if isinstance(value, str) and PLAIN_NAME.fullmatch(name) and ("\n" in value or spell_gaps(value) != value):
            shown = block("", visible(value))
            yield Document(f"`{name}` of `input`, {size_of(value)}", shown, (), (name,))
    parts = _content(given.get("content"))
    for number, (kind, shown) in enumerate(parts, 1):
        yield Document(f"Content {number} of {len(parts)}, {kind}", shown, ("content",))


def _content(given: object) -> list[tuple[str, str]]:
    """Return the parts of a tool call's content; none if one would not be shown whole."""
    if not isinstance(given, list):
        return []
    parts = [
        _part(cast("Mapping[str, object]", each)) for each in cast("list[object]", given) if isinstance(each, dict)
    ]
    return [] if len(parts) < len(cast("list[object]", given)) or not all(parts) else [*filter(None, parts)]


def _part(part: Mapping[str, object]) -> tuple[str, str] | None:
    """Return what a part is, and the change of a file, or the text; None where there is anything else in it."""
    path, old, new = part.get("path"), part.get("oldText"), part.get("newText")
    if part.get("type") == "diff" and part.keys() <= {"type", "path", "oldText", "newText"}:
        if not (isinstance(path, str) and isinstance(new, str) and isinstance(old, str | None)):
            return None
        kind = "a new file" if old is None else "a change of a file"
        return kind, f"{block('text', visible(path))}\n\n{_difference(old or '', new)}"
    inner = cast("Mapping[str, object]", found if isinstance(found := part.get("content"), dict) else {})
    text = inner.get("text")
    plain = {*part} == {"type", "content"} and {*inner} == {"type", "text"} and inner.get("type") == "text"
    if not plain or part.get("type") != "content" or not isinstance(text, str):
        return None
    return size_of(text), block("", visible(text))


def code_language(action: Action, name: str) -> str:
    """Return the language of an argument (of a file's content, by the file's name); empty where none is known."""
    return _language(action.values) if name in _CONTENTS else language_of(action, name)


def language_of(action: Action, name: str) -> str:
    """Return the language of an argument, as far as its name says it."""
    if action.asker is Asker.HOST:
        return _COMMANDS.get(action.tool, "") if name == "command" else ""
    return next((language for language, names in _LANGUAGES.items() if name.lower() in names), "")


def _differences(given: Mapping[str, object]) -> Iterator[Document]:
    old, new = given.get("old_string"), given.get("new_string")
    if isinstance(old, str) and isinstance(new, str):
        yield Document("`old_string` → `new_string`", _difference(old, new), ("old_string", "new_string"))
    edits = _edits(given.get("edits"))
    for number, (before, after, everywhere) in enumerate(edits, 1):
        where = ", every occurrence" if everywhere else ""
        yield Document(f"Edit {number} of {len(edits)}{where}", _difference(before, after), ("edits",))


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
    return block("diff", "\n".join(changed_lines(visible(old).split("\n"), visible(new).split("\n"))))


def _language(given: Mapping[str, object]) -> str:
    """Return the language of a file for its code block: the ending of its name, also when no page knows it."""
    path = next((given[name] for name in _FILES if isinstance(given.get(name), str)), "")
    name = PurePosixPath(str(path).replace("\\", "/")).name
    ending = name.rpartition(".")[2].lower()
    if ending == "ipynb":
        return "markdown" if given.get("cell_type") == "markdown" else "python"
    return ending if re.fullmatch(r"[a-z0-9+#-]{1,12}", ending) else ""


def size_of(text: str) -> str:
    """Return how many lines and characters a text has."""
    lines = text.count("\n") + (not text.endswith("\n"))
    counted = say_n("{count:,} line", "{count:,} lines", lines)
    return say("{lines}, {characters:,} characters", lines=counted, characters=len(text))


def block(language: str, text: str) -> str:
    """Return text as a block of code that it can't leave."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def as_json(value: object) -> str:
    """Return JSON in which every character can be seen; one that a screen would hide or act on is escaped.

    Raises:
        ValueError: It has a value that JSON has not, such as NaN.
    """
    odd: list[str] = []
    mark = secrets.token_hex(8)  # in no text that somebody else wrote
    text = json.dumps(_marked(value, mark, odd), indent=2, ensure_ascii=False, allow_nan=False)
    if odd:
        text = re.sub(rf'"{mark} ([0-9]+)"', lambda found: odd[int(found[1])], text)
    if not _PRINTED.fullmatch(text):
        text = "".join(char if char == "\n" or inert(char) == char else _escaped(char) for char in text)
    # Also in a name or a nested value, which have no block of their own.
    return re.sub(rf"(?<=\S) {{{MAX_BLANKS + 1},}}", lambda gap: "\\u0020" * len(gap[0]), text)


def _marked(value: object, mark: str, odd: list[str]) -> object:
    """Return JSON with a mark in the place of each number that must be shown as it was sent."""
    match value:
        case OddNumber():
            odd.append(value.text)
            return f"{mark} {len(odd) - 1}"
        case dict():
            return {name: _marked(each, mark, odd) for name, each in cast("dict[str, object]", value).items()}
        case list():
            return [_marked(each, mark, odd) for each in cast("list[object]", value)]
        case _:
            return value


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


def visible_name(text: str) -> str:
    """Return a name, or another short text, on a line, with the blanks spelled out of which a page shows none."""
    return _UNSEEN.sub(lambda gap: "".join(f"⟨U+{ord(char):04X}⟩" for char in gap[0]), visible(text)) or '""'
