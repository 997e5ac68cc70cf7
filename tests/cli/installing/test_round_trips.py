"""Install, then remove, on the texts of every host: our entry is what the host needs, the rest stays byte for byte."""

import difflib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handoffs.cli.installing.hosts import HOSTS, find
from handoffs.cli.installing.launching import Launch
from handoffs.cli.installing.planning import found, snippet, text_of, to_install, to_remove, wanted
from tests.cli.installing.samples import EVERY, GOOSE, LAUNCH

CASES = [pytest.param(host, text, id=f"{host}-{n}") for host, texts in EVERY.items() for n, text in enumerate(texts)]


def added_only(before: str, after: str) -> bool:
    """Whether every character of `before` is in `after`, in its order."""
    left = iter(after)
    return all(char in left for char in before)


def test_every_host_has_samples() -> None:
    assert list(EVERY) == [host.name for host in HOSTS]


@pytest.mark.parametrize(("name", "text"), CASES)
def test_what_install_puts_in_remove_takes_out_to_the_byte(name: str, text: str) -> None:
    host = find(name)
    there = to_install(host, text, LAUNCH)
    entry = found(host, there.after)
    assert entry is not None
    assert entry.entry == wanted(host, LAUNCH)
    assert added_only(text, there.after) or "extensions: {}" in text  # which becomes a block
    away = to_remove(host, there.after).after
    parent = host.servers in text_of(host.format).read(text)
    if parent or host.format == "toml":
        assert away == text
    else:  # the object that was made for it stays, empty, and nothing else
        assert text_of(host.format).read(away) == {**text_of(host.format).read(text), host.servers: {}}
        assert to_remove(host, to_install(host, away, LAUNCH).after).after == away
        assert added_only(text.replace(" ", "").strip(), away)


@pytest.mark.parametrize(("name", "text"), CASES)
def test_to_install_twice_changes_nothing_the_second_time(name: str, text: str) -> None:
    once = to_install(find(name), text, LAUNCH)
    assert once.changes
    assert not to_install(find(name), once.after, LAUNCH).changes
    assert not to_remove(find(name), text).changes


@pytest.mark.parametrize(("name", "text"), CASES)
def test_another_command_changes_only_the_line_it_stands_on(name: str, text: str) -> None:
    host = find(name)
    once = to_install(host, text, LAUNCH).after
    moved = to_install(host, once, Launch("/srv/bin/handoffs"))
    assert moved.after == once.replace("/opt/tools/bin/handoffs", "/srv/bin/handoffs")


def test_a_neighbours_comment_stays_on_its_line() -> None:
    text = '{\n  "mcpServers": {\n    "a": {"url": "x"} // about a\n    // about nothing\n  }\n}\n'
    after = to_install(find("cursor"), text, LAUNCH).after
    lines = [line for line in difflib.ndiff(text.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert lines[:2] == ['-     "a": {"url": "x"} // about a', '+     "a": {"url": "x"}, // about a']
    assert [line.strip("+ ") for line in lines[2:]] == [
        '"handoffs": {', '"type": "stdio",', '"command": "/opt/tools/bin/handoffs",', '"args": []', "}",
    ]  # fmt: skip


def test_the_entry_is_written_in_the_files_own_indentation() -> None:
    after = to_install(find("vscode"), '{\n\t"servers": {\n\t\t"a": {}\n\t}\n}\n', LAUNCH).after
    assert '\n\t\t"handoffs": {\n\t\t\t"type": "stdio",\n' in after
    after = to_install(find("goose"), GOOSE, LAUNCH).after
    assert "      Slowly.\n  handoffs:\n    enabled: true\n    type: stdio\n" in after
    assert "    timeout: 3600\n# the end\n" in after


def test_an_entry_of_ours_is_updated_and_keeps_what_a_person_added() -> None:
    text = """[mcp_servers.handoffs]
command = "uvx"
args = ["handoffs"] # from the web
enabled = false
tool_timeout_sec = 7200 # two hours

[mcp_servers.handoffs.env]
HANDOFFS_INBOX = "off"

# the next one
[mcp_servers.other]
command = "x"
"""
    plan = to_install(find("codex"), text, LAUNCH)
    told = 'HANDOFFS_INBOX = "off"\nHANDOFFS_HOST_TIMEOUT_SECONDS = "7200"'
    changed = text.replace('"uvx"', '"/opt/tools/bin/handoffs"').replace('["handoffs"]', "[]")
    assert plan.after == changed.replace('HANDOFFS_INBOX = "off"', told)
    entry = found(find("codex"), plan.after)
    assert entry is not None
    assert (entry.enabled, entry.timeout_seconds) == (False, 7200)
    rest = to_remove(find("codex"), plan.after).after
    assert rest == '\n# the next one\n[mcp_servers.other]\ncommand = "x"\n'


@pytest.mark.parametrize(
    ("host", "entry", "after"),
    [
        ("claude-code", {"command": "handoffs", "timeout": 60_000}, 86_400_000),
        ("claude-code", {"command": "handoffs", "timeout": 90_000_000}, 90_000_000),
        ("claude-code", {"command": "handoffs"}, None),
        ("gemini", {"command": "handoffs", "env": {"A": "b"}}, 3_600_000),
        ("gemini", {"command": "handoffs", "timeout": 5_000_000}, 5_000_000),
        ("zed", {"command": {"path": "handoffs", "args": []}, "timeout": 30}, 600),
    ],
)
def test_a_time_out_is_raised_and_never_lowered(host: str, entry: dict[str, Any], after: int | None) -> None:
    row = find(host)
    text = json.dumps({row.servers: {"handoffs": entry}}, indent=2)
    now = found(row, to_install(row, text, LAUNCH).after)
    assert now is not None
    assert now.entry.get("timeout") == after
    kept = {key: value for key, value in entry.items() if key not in {"command", "timeout", "env"}}
    assert all(now.entry[key] == value for key, value in kept.items())
    assert entry.get("env", {}).items() <= dict(now.entry.get("env", {})).items()  # type: ignore[call-overload]
    assert now.told_seconds == now.timeout_seconds  # or the server would hold no call for as long


def test_a_time_out_is_added_behind_the_last_value_of_the_table() -> None:
    text = '[mcp_servers.handoffs]\ncommand = "handoffs"\n\n# next\n[b]\n'
    after = to_install(find("codex"), text, Launch("handoffs")).after
    told = 'env = { HANDOFFS_HOST_TIMEOUT_SECONDS = "3600" }\n'
    assert after == f'[mcp_servers.handoffs]\ncommand = "handoffs"\ntool_timeout_sec = 3600\n{told}\n# next\n[b]\n'


def test_goose_keeps_lists_over_several_lines_and_gets_a_new_one_in_place() -> None:
    text = "extensions:\n  handoffs:\n    cmd: uvx\n    args:\n    - handoffs\n    envs:\n      A: b\n"
    plan = to_install(find("goose"), text, LAUNCH)
    assert "    envs:\n      A: b\n" in plan.after
    assert plan.entry is not None
    assert (plan.entry.entry["args"], plan.entry.entry["timeout"]) == ([], 3600)


def test_an_inline_table_of_codex_can_be_taken_out() -> None:
    text = '[mcp_servers]\na = { command = "x" }\nhandoffs = { command = "handoffs" } # inline\nb = { command = "y" }\n'
    assert to_remove(find("codex"), text).after == text.replace('handoffs = { command = "handoffs" } # inline\n', "")


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_what_print_shows_is_a_configuration_of_its_own(host: Any) -> None:
    text = snippet(host, LAUNCH)
    entry = found(host, text)
    assert entry is not None
    assert entry.entry == wanted(host, LAUNCH)
    assert not to_install(host, text, LAUNCH).changes


# Properties


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BLANKS = st.sampled_from(["", " ", "\n", "\r\n", "\t", "  \n  ", "\n\t\t"])
REMARKS = st.sampled_from(["", " ", '// remark "a"\n', "/* {,] */", "\n/* * / */\n", " // x\r\n\t"])


def spread(draw: Any, value: Any, gaps: Any, *, trailing: bool) -> str:
    """Write a value as JSON with something between all of its parts."""

    def gap() -> str:
        return draw(gaps)

    match value:
        case dict() | list():
            items = (
                [f"{json.dumps(k)}{gap()}:{gap()}{spread(draw, v, gaps, trailing=trailing)}" for k, v in value.items()]
                if isinstance(value, dict)
                else [spread(draw, v, gaps, trailing=trailing) for v in value]
            )
            inner = ",".join(f"{gap()}{item}{gap()}" for item in items)
            end = f",{gap()}" if trailing and items and draw(st.booleans()) else ""
            open_, close = "{}" if isinstance(value, dict) else "[]"
            return f"{open_}{gap()}{inner}{end}{close}"
        case _:
            return json.dumps(value, ensure_ascii=draw(st.booleans()))


@settings(deadline=None)
@given(st.data())
def test_any_json_gets_the_entry_and_loses_it_again(data: st.DataObject) -> None:
    comments = data.draw(st.booleans())
    host = find("cursor" if comments else "claude-desktop")
    others = data.draw(st.dictionaries(st.text().filter(lambda key: key != "handoffs"), VALUES, max_size=3))
    document = data.draw(st.dictionaries(st.text(), VALUES, max_size=2)) | {"mcpServers": others}
    text = spread(data.draw, document, REMARKS | BLANKS if comments else BLANKS, trailing=comments)
    assert text_of(host.format).read(text) == document
    after = to_install(host, text, LAUNCH).after
    assert added_only(text, after)
    assert text_of(host.format).read(after)["mcpServers"] == others | {"handoffs": wanted(host, LAUNCH)}
    away = to_remove(host, after).after
    assert away == text


@settings(deadline=None)
@given(st.text(alphabet='{}[]:,"/*\\ntrue0-1.eE \n', max_size=30))
def test_what_the_scanner_takes_for_json_the_standard_library_does_too(text: str) -> None:
    from handoffs.cli.installing.texts import Unreadable

    try:
        mine: object = text_of("json").read(text)
    except Unreadable:
        mine = None
    try:
        document: object = json.loads(text)
    except ValueError:
        document = {} if not text.strip() else None
    # Twice the same key is the one thing that is refused beyond the grammar.
    assert mine == document or mine is None or not isinstance(document, dict)
    if isinstance(document, dict) and json.dumps(document).count('":') == text.count('":'):
        assert mine == document


SIMPLE = st.text(alphabet="abcXYZ01 #:-'\"\n", max_size=12)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,6}", fullmatch=True), SIMPLE | st.integers() | st.lists(SIMPLE, max_size=2)
    ),
    st.dictionaries(
        st.from_regex(r"[a-g]{1,6}", fullmatch=True), st.dictionaries(st.sampled_from("abc"), SIMPLE | st.booleans())
    ),
    st.sampled_from(["", "\n", "# end\n"]),
    st.booleans(),
)
def test_any_yaml_gets_the_entry_and_loses_it_again(
    top: dict[str, Any], extensions: dict[str, Any], tail: str, crlf: bool
) -> None:
    import yaml

    host = find("goose")
    text = yaml.safe_dump(top | {"extensions": extensions}, sort_keys=False, allow_unicode=True) + tail
    if crlf:
        text = text.replace("\n", "\r\n")
    after = to_install(host, text, LAUNCH).after
    assert to_remove(host, after).after == text


STATEMENTS = (
    "# a remark",
    "",
    "  # [mcp_servers.handoffs]",
    '[{}]\nkey = "value" # why',
    '[mcp_servers.{}]\ncommand = "x"\nargs = [\n  "a", # ]\n\n]',
    '[mcp_servers.{}.env]\nTEXT = """\n[mcp_servers.handoffs]\n"""',
    "[[{}]]\nlist = [{{a = 1}}]\n[[{}]]",
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(STATEMENTS), max_size=6), st.booleans(), st.booleans())
def test_any_toml_gets_the_entry_and_loses_it_again(chunks: list[str], ended: bool, crlf: bool) -> None:
    host = find("codex")
    text = "\n".join(chunk.format(f"t{n}", f"t{n}") for n, chunk in enumerate(chunks)) + ("\n" if ended else "")
    if crlf:
        text = text.replace("\n", "\r\n")
    after = to_install(host, text, LAUNCH).after
    assert after.startswith(text)
    assert to_remove(host, after).after == text
    # In front of the others, too, where a comment that follows belongs to the next table.
    first = snippet(host, LAUNCH) + text
    assert to_remove(host, first).after == text
    moved = to_install(host, first, Launch("/srv/handoffs")).after
    assert moved == first.replace(LAUNCH.command, "/srv/handoffs")
