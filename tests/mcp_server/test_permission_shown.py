"""What a person sees of a use of a tool: what it is, all of it, and nothing that could be taken for our own words."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.action import Action, Asker
from handoffs.core.action_shown import message_of
from handoffs.web.markdown.render import render


def message(tool: str, **wanted: Any) -> str:
    return message_of(Action(asker=Asker.HOST, server="", tool=tool, arguments=json.dumps(wanted)))


def test_a_file_is_shown_as_code_in_its_language() -> None:
    assert message("Write", file_path="/srv/shop/app.py", content='print("a")\nprint("b")\n') == (
        "Allow `Write`, once, with exactly this input?\n\n"
        '```json\n{\n  "tool_name": "Write",\n  "input": {\n    "file_path": "/srv/shop/app.py"\n  }\n}\n```\n\n'
        '`content`, 2 lines, 22 characters:\n\n```py\nprint("a")\nprint("b")\n\n```'
    )


def test_an_edit_is_shown_as_a_difference() -> None:
    shown = message("Edit", file_path="a.py", old_string="a\nb\nc", new_string="a\nB\nc", replace_all=True)
    assert "```diff\n a\n-b\n+B\n c\n```" in shown
    assert '"replace_all": true' in shown
    assert 'old_string":' not in shown


def test_several_edits_are_shown_as_differences_and_anything_else_as_json() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "", "replace_all": True}]
    shown = message("MultiEdit", file_path="a.py", edits=edits)
    assert "Edit 1 of 2:\n\n```diff\n-a\n+b\n```" in shown
    assert "Edit 2 of 2, every occurrence:\n\n```diff\n-c\n+\n```" in shown
    odd = message("MultiEdit", file_path="a.py", edits=[*edits, {"old_string": "d", "new_string": "e", "mode": "x"}])
    assert '"mode": "x"' in odd
    assert "diff" not in odd


def test_a_cell_of_a_notebook_is_shown_as_code() -> None:
    assert "```python\nx = 1\n```" in message("NotebookEdit", notebook_path="/a.ipynb", new_source="x = 1")
    markdown = message("NotebookEdit", notebook_path="/a.ipynb", new_source="# x", cell_type="markdown")
    assert "```markdown\n# x\n```" in markdown


def test_a_plan_is_markdown_and_nothing_of_ours_comes_after_it() -> None:
    plan = "# Plan\n\n1. Drop the old table\n2. Migrate\n\n```\nunclosed"
    shown = message("ExitPlanMode", plan=plan, planFilePath="/home/ada/plan.md")
    assert shown.endswith(f"\n\n---\n\n{plan}")
    assert '"planFilePath": "/home/ada/plan.md"' in shown
    page = render(shown)
    assert "<li>Drop the old table</li>" in page
    assert message("ExitPlanMode", plan=plan) == (
        f"Allow `ExitPlanMode`, once, with exactly this input?\n\n`plan`, 7 lines, 54 characters:\n\n---\n\n{plan}"
    )


@pytest.mark.parametrize("plan", [{"steps": 1}, None, ["# Plan"]])
def test_a_plan_that_is_no_text_is_shown_as_json(plan: Any) -> None:
    assert '"plan": ' in message("ExitPlanMode", plan=plan)


def test_a_command_of_several_lines_is_shown_with_its_lines() -> None:
    shown = message("Bash", command="cd build\nrm -rf *", timeout=1000)
    assert "`command`, 2 lines, 17 characters:\n\n```bash\ncd build\nrm -rf *\n```" in shown
    assert '"timeout": 1000' in shown


def test_what_would_be_pushed_out_of_sight_is_counted_out() -> None:
    command = "ls -la" + " " * 165 + "; rm -rf /"
    assert "```bash\nls -la⟨165 blanks⟩; rm -rf /\n```" in message("Bash", command=command)
    deep = message("mcp__shop__run", arguments={"command": command, "x" + " " * 100: 1})
    assert "ls -la" + r"\u0020" * 165 + "; rm -rf /" in deep
    assert " " * 50 not in deep


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb", "a␍\nb"),
        ("a\u202eb\n", "a⟨U+202E⟩b\n"),
        ("x\ufe0fy\U000e0101z\n", "x⟨U+FE0F⟩y⟨U+E0101⟩z\n"),
        ("a\u00a0b\u2003c\n", "a⟨U+00A0⟩b⟨U+2003⟩c\n"),
        ("a" + "\u0301" * 6 + "\n", "a" + "\u0301" * 4 + "⟨U+0301⟩⟨U+0301⟩\n"),
        ("\tmake\n", "\tmake\n"),
    ],
)
def test_what_has_no_ink_is_spelled_out(text: str, shown: str) -> None:
    assert f"\n{shown}\n```" in message("Write", content=text)


def test_what_json_cant_hold_is_not_shown() -> None:
    with pytest.raises(ValueError, match="JSON"):
        message("Bash", timeout=float("inf"))


lines = st.lists(st.sampled_from(["", "a", "b", " a", "-", "+a", "```", "``` json", "~~~"]), max_size=12)


@given(lines, lines)
def test_a_difference_holds_both_texts_whole_and_cant_be_left(old: list[str], new: list[str]) -> None:
    shown = message("Edit", old_string="\n".join(old), new_string="\n".join(new))
    found = re.search(r"^(`{3,})diff\n(.*)\n\1$", shown, re.MULTILINE | re.DOTALL)
    assert found is not None
    inside = found[2].split("\n")
    assert shown.endswith(found[0])
    assert not any(line.startswith(found[1]) for line in inside)
    assert [line[1:] for line in inside if line[0] in " -"] == (old or [""])
    assert [line[1:] for line in inside if line[0] in " +"] == (new or [""])


def test_texts_too_long_to_compare_are_shown_one_after_the_other() -> None:
    old, new = "\n".join(map(str, range(3_000))), "\n".join(map(str, range(1, 3_001)))
    shown = message("Edit", old_string=old, new_string=new)
    assert "\n-2999\n+1\n" in shown
