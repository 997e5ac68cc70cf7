"""The files in which hosts keep their hooks, and our entries there: found, written, removed. No file is touched here.

Each new text is parsed again by another parser than the one that made it, and must equal the old document except for
our entries. Taking them out again gives back the bytes that were there; where it does not, nothing is changed.

Sources: `T` tried in November 2026, `D` the host's documents. Claude Code: code.claude.com/docs/en/hooks (D),
`timeout` in seconds, `onFailure`, and that the matcher of `Elicitation` is for the server's name (T). Codex:
config.toml, `timeout` in seconds (T). Copilot CLI:
`~/.copilot/hooks/*.json`, `timeoutSec` (T); a repository's did not run in a folder that is not trusted (T). Gemini CLI:
settings.json, `timeout` in milliseconds (D). Qwen Code: settings.json, `timeout` in seconds, from 1000 on read as
milliseconds (D).
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from handoffs.cli.installing.hosts import NAME, Format
from handoffs.cli.installing.launching import Launch, is_ours
from handoffs.cli.installing.planning import text_of
from handoffs.cli.installing.texts import Unreadable, newline
from handoffs.console import UsageError
from handoffs.hosts.hooks import HOOK_HOSTS, HookHost

SECONDS = 86_400
"""The time-out that we write: a question stays open for a day, too."""

SHORT = 60
"""That of the events after which nothing is asked."""

_KEY = "hooks"
_UNSAFE = "its hooks are written in a way that can't be changed safely: change them by hand"
_TABLE = re.compile(
    r"(?P<before>\r?\n)?\[\[hooks\.(?P<event>\w+)\]\]\r?\n\[\[hooks\.(?P=event)\.hooks\]\]\r?\n"
    r'type = "command"\r?\ncommand = (?P<command>"(?:[^"\\\n]|\\.)*")\r?\ntimeout = \d+(?P<after>\r?\n|\Z)'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HookFile:
    """Where a host keeps its hooks, and what is written there."""

    host: HookHost
    path: str
    """The person's own file, below the home folder."""
    moved: tuple[str, str] | None = None
    """A variable that names another folder, and the file in it."""
    project: str | None = None
    format: Format
    matcher: str | None = None
    """Which tools the event is for, where not all of them."""
    limit: str = "timeout"
    per_second: int = 1
    """Its unit: 1 for seconds, 1000 for milliseconds."""
    fails: str
    """What the host does where the hook is dead or late, for a person."""
    then: str
    """The next step, for a person."""

    def file(self, environ: Mapping[str, str], platform: str, *, project: Path | None = None) -> Path:
        """Return the file, which may not exist. Raises UsageError: There is none, or no home folder is known."""
        if project is not None:
            if self.project is None:
                raise UsageError(f"{self.host.title} runs no hooks of a project's file. Leave out --project.")
            return project / self.project
        if self.moved is not None and Path(folder := environ.get(self.moved[0], "")).is_absolute():
            return Path(folder) / self.moved[1]
        home = environ.get("USERPROFILE" if platform == "win32" else "HOME", "")
        if not Path(home).is_absolute():
            raise UsageError("Your home folder is not known: set HOME.")
        return Path(home) / self.path

    def entries(self, launch: Launch) -> dict[str, dict[str, object]]:
        """Return what is written, by event: one entry in the list of each."""
        name = self.host.name
        main = self._entry(launch, ["hook", name, "--timeout", str(SECONDS)], SECONDS)
        if name == "copilot":
            return {self.host.events[0].name: main}
        matched: dict[str, object] = {} if self.matcher is None else {"matcher": self.matcher}
        if name != "claude-code":
            return {self.host.events[0].name: {**matched, "hooks": [main]}}
        # Its dialog is shown beside the question, so what is decided there is heard of by these two.
        after = self._entry(launch, ["hook", name, "--timeout", str(SHORT)], SHORT)
        return {
            "PermissionRequest": {**matched, "hooks": [{**main, "onFailure": "block"}]},
            # Where this one is dead, its own dialog asks: a form permits nothing.
            "Elicitation": {"matcher": _OTHERS, "hooks": [main]},
            "PostToolUse": {**matched, "hooks": [after]},
            "SessionEnd": {"hooks": [after]},
        }

    def _entry(self, launch: Launch, words: Sequence[str], seconds: int) -> dict[str, object]:
        command = _command([launch.command, *launch.args, *words])
        named = {"bash": command, "powershell": command} if self.host.name == "copilot" else {"command": command}
        return {"type": "command", **named, self.limit: seconds * self.per_second}

    def is_ours(self, entry: object) -> bool:
        """Say whether an entry in the list of an event starts `handoffs hook` for this host."""
        if not isinstance(entry, Mapping):
            return False
        own = cast("Mapping[str, object]", entry)
        inner = own.get("hooks")
        each = cast("list[object]", inner) if isinstance(inner, list) else [own]
        return len(each) == 1 and isinstance(each[0], Mapping) and self._starts(cast("Mapping[str, object]", each[0]))

    def _starts(self, hook: Mapping[str, object]) -> bool:
        return any(isinstance(command := hook.get(key), str) and self._is_command(command) for key in _COMMANDS)

    def _is_command(self, command: str) -> bool:
        try:
            words = shlex.split(command, posix=sys.platform != "win32")
        except ValueError:
            return False
        at = next((at for at, word in enumerate(words) if word == "hook"), 0)
        return at > 0 and words[at + 1 : at + 2] == [self.host.name] and is_ours(words[0], words[1:at])


_COMMANDS = ("command", "bash", "powershell")

_OTHERS = f"^(?!{NAME}$)"
"""The names of all MCP servers but ours, whose questions are at the desk already."""

# Everything but what only looks: a tool that is not known here is asked about.
_GEMINI = (
    "^(?!(?:read_file|read_many_files|list_directory|glob|grep_search|search_file_content|google_web_search"
    "|get_internal_docs|write_todos)$)"
)

FILES: Mapping[str, HookFile] = {
    each.host.name: each
    for each in (
        HookFile(
            host=HOOK_HOSTS["claude-code"],
            path=".claude/settings.json",
            moved=("CLAUDE_CONFIG_DIR", "settings.json"),
            project=".claude/settings.json",
            format="json",
            matcher="*",
            fails="Where the hook is dead or late, Claude Code refuses the tool.",
            then="Start Claude Code again; `/hooks` shows them. Its own dialog stays, beside the question. Forms of MCP"
            " servers come to the desk instead of its dialog.",
        ),
        HookFile(
            host=HOOK_HOSTS["codex"],
            path=".codex/config.toml",
            moved=("CODEX_HOME", "config.toml"),
            project=".codex/config.toml",
            format="toml",
            fails="Where the hook is dead or late, Codex asks in its own dialog.",
            then="Codex runs no hook that you have not trusted: start it, type /hooks, and trust this one. Until then"
            " it asks in its own dialog, and says nothing of it.",
        ),
        HookFile(
            host=HOOK_HOSTS["copilot"],
            path=".copilot/hooks/handoffs.json",
            moved=("COPILOT_HOME", "hooks/handoffs.json"),
            format="json",
            limit="timeoutSec",
            fails="Where the hook is dead, Copilot CLI refuses the tool; where it is late, it asks in its own dialog.",
            then="Start Copilot CLI again.",
        ),
        HookFile(
            host=HOOK_HOSTS["gemini"],
            path=".gemini/settings.json",
            moved=("GEMINI_CLI_HOME", ".gemini/settings.json"),
            project=".gemini/settings.json",
            format="jsonc",
            matcher=_GEMINI,
            per_second=1_000,
            fails="Where the hook is dead or late, Gemini CLI goes on as if there were none.",
            then="Start Gemini CLI again, in a folder that it trusts. It has no hook for permissions: you are asked of"
            " each tool that does more than look, and Gemini CLI still asks where it would.",
        ),
        HookFile(
            host=HOOK_HOSTS["qwen"],
            path=".qwen/settings.json",
            project=".qwen/settings.json",
            format="jsonc",
            per_second=1_000,  # 86400 would be read as 86 seconds
            fails="Where the hook is dead or late, Qwen Code asks in its own dialog.",
            then="Start Qwen Code again.",
        ),
    )
}
"""By the host's name in `handoffs install HOST --permissions`."""

_ALIASES = {"claude": "claude-code", "claudecode": "claude-code", "copilot-cli": "copilot", "gemini-cli": "gemini"}


def hook_file(name: str) -> HookFile:
    """Return the row of a host, by its name in any case. Raises UsageError, which lists them."""
    asked = name.strip().lower()
    found = FILES.get(_ALIASES.get(asked, asked))
    if found is None:
        raise UsageError(
            f"No host {name!r} has permission prompts that come here. There are: {', '.join(FILES)}. "
            "For an agent in an editor, see `handoffs acp --help`."
        )
    return found


def is_written(file: HookFile, text: str) -> bool:
    """Say whether our hook for permissions is in a text. Raises Unreadable."""
    return file.host.events[0].name in _ours(file, text_of(file.format).read(text))


def with_hooks(file: HookFile, text: str, launch: Launch) -> str:
    """Return the text with our entries, the old ones taken out first. Raises Unreadable."""
    before = text_of(file.format).read(text)
    wanted = file.entries(launch)
    now = {event: [each for each in _list(before, event) if file.is_ours(each)] for event in wanted}
    if all(now[event] == [entry] for event, entry in wanted.items()):
        return text
    clean = without_hooks(file, text)
    after = _put_tables(file, clean, wanted) if file.format == "toml" else _put(file, clean, wanted)
    document = text_of(file.format).read(clean)
    expected: dict[str, object] = {**_hooks(document)}
    for event, entry in wanted.items():
        expected[event] = [*_list(document, event), entry]
    _prove(file, after, {**document, **_version(file, document), _KEY: expected})
    # An empty list, or no hooks at all in braces, is not given back: what held only ours is cut.
    empty = _KEY in document and (not _hooks(document) or any(_hooks(document).get(event) == [] for event in wanted))
    if not empty and text and without_hooks(file, after) != clean:
        raise Unreadable(_UNSAFE)
    return after


def without_hooks(file: HookFile, text: str) -> str:
    """Return the text without our entries; empty where a file of our own holds nothing else. Raises Unreadable."""
    edit = text_of(file.format)
    document = edit.read(text)
    ours = _ours(file, document)
    if not ours:
        return text
    if file.format == "toml":
        after = _cut_tables(file, text)
    else:
        after = text
        if file.host.name == "copilot" and _is_whole(file, document):
            return ""
        for event in ours:
            after = _cut(file, after, event)
    left = {event: entries for event, entries in _hooks(document).items() if event not in ours}
    for event in ours:
        if kept := [each for each in _list(document, event) if not file.is_ours(each)]:
            left[event] = kept
    rest = {key: value for key, value in document.items() if key != _KEY}
    _prove(file, after, {**rest, _KEY: left} if left or _KEY in edit.read(after) else rest)
    return after


def _ours(file: HookFile, document: Mapping[str, object]) -> list[str]:
    """Return the events whose list has an entry of ours."""
    return [event for event in _hooks(document) if any(map(file.is_ours, _list(document, event)))]


def _hooks(document: Mapping[str, object]) -> Mapping[str, object]:
    found = document.get(_KEY, {})
    if not isinstance(found, Mapping):
        raise Unreadable(f"{_KEY} is no object")
    return cast("Mapping[str, object]", found)


def _list(document: Mapping[str, object], event: str) -> list[object]:
    found = _hooks(document).get(event, [])
    if not isinstance(found, list):
        return []
    return cast("list[object]", found)


def _put(file: HookFile, text: str, wanted: Mapping[str, object]) -> str:
    edit = text_of(file.format)
    document = edit.read(text)
    if version := _version(file, document):
        return edit.put(edit.put(text, ("version",), version["version"]), (_KEY,), {k: [v] for k, v in wanted.items()})
    if not _hooks(document) and _KEY not in document:
        return edit.put(text, (_KEY,), {event: [entry] for event, entry in wanted.items()})
    for event, entry in wanted.items():
        there = edit.find(text, (_KEY, event))
        if there is None:
            text = edit.put(text, (_KEY, event), [entry])
            continue
        if there.items is None:
            raise Unreadable(_UNSAFE)
        written = json.dumps(entry, ensure_ascii=False)
        at = there.items[-1][1] if there.items else there.start + 1
        text = f"{text[:at]}{', ' if there.items else ''}{written}{text[at:]}"
    return text


def _cut(file: HookFile, text: str, event: str) -> str:
    edit = text_of(file.format)
    document = edit.read(text)
    entries = _list(document, event)
    if all(map(file.is_ours, entries)):
        alone = len(_hooks(document)) == 1
        return edit.cut(text, (_KEY,) if alone else (_KEY, event))
    while (at := next((at for at, each in enumerate(entries) if file.is_ours(each)), None)) is not None:
        there = edit.find(text, (_KEY, event))
        if there is None or there.items is None:
            raise Unreadable(_UNSAFE)
        items = there.items
        start, end = (items[at - 1][1], items[at][1]) if at else (items[0][0], items[1][0])
        text = text[:start] + text[end:]
        entries = _list(edit.read(text), event)
    return text


def _version(file: HookFile, document: Mapping[str, object]) -> dict[str, object]:
    """Return what a new file of hooks alone has besides."""
    return {"version": 1} if file.host.name == "copilot" and not document else {}


def _is_whole(file: HookFile, document: Mapping[str, object]) -> bool:
    return document.keys() <= {"version", _KEY} and all(
        file.is_ours(each) for event in _hooks(document) for each in _list(document, event)
    )


def _put_tables(file: HookFile, text: str, wanted: Mapping[str, Mapping[str, object]]) -> str:
    """Return TOML with tables of a list at its end, in the form that `_cut_tables` knows again."""
    end = newline(text)
    for event, entry in wanted.items():
        (hook,) = cast("list[Mapping[str, object]]", entry["hooks"])
        lines = [
            f"[[hooks.{event}]]",
            f"[[hooks.{event}.hooks]]",
            'type = "command"',
            f"command = {json.dumps(hook['command'])}",
            f"timeout = {hook[file.limit]}",
        ]
        block = end.join(lines) + end
        if not text:
            text = block
        elif text.endswith("\n"):
            text += end + block
        else:
            text += end + end + block.removesuffix(end)
    return text


def _cut_tables(file: HookFile, text: str) -> str:
    for found in reversed([*_TABLE.finditer(text)]):
        if not file.is_ours({"command": json.loads(found["command"])}):
            continue
        before, after = text[: found.start()], text[found.end() :]
        if not found["after"] and before.endswith(("\n", "\r")):  # the text had no line end at its end
            before = before.removesuffix("\n").removesuffix("\r")
        text = before + after
    return text


def _prove(file: HookFile, after: str, expected: Mapping[str, object]) -> None:
    try:
        if text_of(file.format).read(after) == expected:
            return
    except Unreadable:
        pass
    raise Unreadable(_UNSAFE)


def _command(words: Sequence[str]) -> str:
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
