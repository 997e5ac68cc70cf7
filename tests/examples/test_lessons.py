"""Every lesson as it is run: a program, with the answers piped in, judged by what it did."""

import hashlib
import hmac
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pexpect
import pytest

from tests.interop.conftest import missing
from tests.strands.openai_stub import OpenAiStub
from tests.strands.programs import EXAMPLES, Home, screen
from tests.waiting import until_there

LESSONS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def play(home: Home, lesson: str, *answers: str) -> str:
    done = home.run(EXAMPLES / f"{lesson}.py", stdin="".join(f"{answer}\n" for answer in answers))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def made(home: Home, pattern: str) -> list[str]:
    """The files that a lesson left in the folder it made."""
    return [path.name for path in sorted(home.folder.glob(f"handoffs-*/{pattern}"))]


def outcomes(home: Home) -> list[tuple[str, Any]]:
    """What the store says of every question, oldest first."""
    return [(h.state.value, h.answer and dict(h.answer.values)) for h in reversed(home.kept())]


def noted(path: Path) -> str:
    """What a browser was to open, once it was."""
    until_there(lambda: path.exists() and path.read_text().endswith("\n"))
    return path.read_text().strip()


def test_every_lesson_has_a_test_here() -> None:
    tested = Path(__file__).read_text()
    assert [lesson for lesson in LESSONS if f'"{lesson}"' not in tested] == []


def test_main_asks_then_hands_over_and_prints_both_summaries(home: Home) -> None:
    lines = play(home, "main", "yes").splitlines()
    at = lines.index("--- Approval Handoff ---")
    assert lines[at + 1] == 'Agent Message: "I am about to format the drive /dev/sdb. Do you approve? (yes/no)"'
    assert lines[at + 2] == "Status       : SUCCESS"
    assert lines[at + 3].startswith("Reference ID : tooluse_handoff_to_user_")
    assert lines[at + 4] == 'User Response: "yes"'
    at = lines.index("--- Completion Handoff ---")
    assert "would be formatted now" in lines[at + 1]
    assert lines[at + 2] == "Status       : SUCCESS"
    assert outcomes(home) == [("answered", {"response": "yes"}), ("open", None)]


def test_a_handover_printed_in_the_terminal_starts_no_inbox(home: Home) -> None:
    home.unset = ("HANDOFFS_INBOX",)
    play(home, "breakout")
    assert list(home.folder.rglob("inbox")) == []


def test_main_without_anybody_there_does_not_look_like_an_approval(home: Home) -> None:
    said = play(home, "main")
    assert "Status       : PENDING" in said
    assert "was left alone" in said


def test_a_lesson_says_in_one_line_that_it_has_no_key(home: Home) -> None:
    said = [line for line in play(home, "conditional", "no").splitlines() if "NEBIUS_API_KEY" in line]
    assert len(said) == 1


def test_main_shows_the_tutorials_model_and_the_readme_lists_each_lesson() -> None:
    assert (
        'LiteLLMModel(\n        client_args={"api_key": os.getenv("NEBIUS_API_KEY")}'
        in (EXAMPLES / "main.py").read_text()
    )
    listed = re.findall(r"^\d+\. \[(\w+)\.py\]\((\w+)\.py\)", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [(lesson, lesson) for lesson in LESSONS]
    assert listed[0] == ("main", "main")


def test_breakout_ends_the_loop_with_the_handover_and_deploys_nothing(home: Home) -> None:
    lines = play(home, "breakout").splitlines()
    assert "Tests run." in lines
    assert "Deployed." not in lines
    at = lines.index("The loop ended: cancelled.")
    assert lines[at + 1] == "--- Release Handoff ---"
    assert lines[at + 3] == "Status       : SUCCESS"
    assert "Nobody hears this." not in "\n".join(lines)
    assert outcomes(home) == [("open", None)]


@pytest.mark.parametrize(
    ("answers", "left"),
    [(["yes"], []), (["no"], ["server.log"]), (["/decline"], ["server.log"]), ([], ["server.log"])],
)
def test_conditional_deletes_only_on_a_yes(home: Home, answers: list[str], left: list[str]) -> None:
    play(home, "conditional", *answers)
    assert made(home, "*.log") == left


@pytest.mark.parametrize("choice", ["json", "csv"])
def test_multi_step_writes_the_chosen_format_and_runs_an_approved_plan(home: Home, choice: str) -> None:
    said = play(home, "multi_step", choice, "yes", "yes", "yes", "yes", "yes")
    assert made(home, "report.*") == [f"report.{choice}"]
    assert "The whole plan is done." in said


def test_multi_step_writes_nothing_unconfirmed_and_stops_at_the_first_no(home: Home) -> None:
    said = play(home, "multi_step", "csv", "no", "yes", "no", "yes")
    assert made(home, "report.*") == []
    assert [line for line in said.splitlines() if line.startswith("Done")] == ["Done: Back up the database"]
    assert [values for _, values in outcomes(home)] == [{"response": r} for r in ("csv", "no", "yes", "no")]


def test_missing_information_uses_typed_answers_and_asks_again_on_a_misfit(home: Home) -> None:
    said = play(home, "missing_information", "tomorrow", "2026-12-24", "21", "4", "2", "no", "")
    assert "Booked room Grace on 2026-12-24 for 4, without coffee." in said


def test_missing_information_books_nothing_without_an_answer(home: Home) -> None:
    assert "Nothing was booked" in play(home, "missing_information", "/decline")


@pytest.mark.parametrize(
    ("answers", "says", "left"),
    [
        (["try again", "try again"], "Uploaded at attempt 3.", []),
        (["keep it on this machine"], "Not uploaded.", ["backup.tar"]),
        (["give up"], "Not uploaded.", []),
        ([], "PENDING", []),
    ],
)
def test_error_recovery_goes_on_as_the_person_says(home: Home, answers: list[str], says: str, left: list[str]) -> None:
    assert says in play(home, "error_recovery", *answers)
    assert made(home, "*.tar") == left


def test_passwords_signs_with_a_key_typed_in_the_inbox_and_shown_nowhere(home: Home) -> None:
    opened = home.folder / "opened.txt"
    browser = home.folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o700)
    home.extra |= {"DISPLAY": ":99", "BROWSER": f"{browser} %s"}
    try:
        with home.on_terminal((EXAMPLES / "passwords").with_suffix(".py")) as process:
            process.expect("Enter answers")
            with httpx.Client(follow_redirects=True) as visitor:
                # The link shows a button: what only looks at links must not use it up.
                link = noted(opened)
                assert visitor.get(link).status_code == 200
                address, _, query = link.partition("?")
                page = visitor.post(address, data=dict(parse_qsl(query)))
                csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
                typed = visitor.post(f"{page.url}/answer", data={"csrf": csrf, "field.key": "correct horse"})
            assert typed.status_code == 200
            process.expect("This was decided elsewhere")
            process.expect(pexpect.EOF)
    finally:
        home.handoffs("inbox", "--stop")
    [(state, values)] = outcomes(home)
    assert state == "answered"
    said = screen(process)
    assert f"The agent has a name for it: {values['key']}" in said
    [signature] = home.folder.glob("handoffs-passwords-*/release.sig")
    assert signature.read_text() == hmac.digest(b"correct horse", b"release 4.2", hashlib.sha256).hex()
    assert "horse" not in said
    assert not [file for file in home.folder.rglob("*") if file.is_file() and b"horse" in file.read_bytes()]


def test_timeout_goes_on_with_an_answer_in_time(home: Home) -> None:
    assert "Deploying." in play(home, "timeout", "yes").splitlines()
    assert outcomes(home) == [("answered", {"response": "yes"})]


def test_timeout_takes_the_safe_way_when_nobody_answers(home: Home) -> None:
    hurried = home.folder / "hurried.py"
    lesson = (EXAMPLES / "timeout.py").read_text()
    assert "\nSECONDS = 10\n" in lesson
    hurried.write_text(lesson.replace("\nSECONDS = 10\n", "\nSECONDS = 4\n"))
    with home.on_terminal(hurried) as process:
        process.expect("Enter answers")
        process.expect("The time is up")
        process.expect("Status       : TIMEOUT")
        process.expect("not deploying today")
        process.expect(pexpect.EOF)
    assert outcomes(home) == [("expired", None)]


@pytest.mark.parametrize(
    ("answers", "left"),
    [(["yes"], "orders"), (["no"], "old_customers, orders"), ([], "old_customers, orders")],
)
def test_with_other_tools_drops_the_table_only_on_a_yes(home: Home, answers: list[str], left: str) -> None:
    lines = play(home, "with_other_tools", *answers).splitlines()
    assert "Tables before: old_customers, orders" in lines
    assert lines[-1] == f"Tables after: {left}"


RENAME = '{"query": "ALTER TABLE old_customers RENAME TO archived_customers"}'


@pytest.mark.parametrize(
    ("answers", "left", "told"),
    [
        (
            ["allow", "1", RENAME],
            "archived_customers",
            f"changed this call .* ran with {re.escape(RENAME)}",
        ),
        (["deny", "needed in January"], "old_customers", 'denied it. They said: "needed in January"'),
        (["allow", ""], "", "What came back: .*affected_rows"),
        ([], "old_customers", "a person has been asked whether this call may run, and has not decided yet"),
    ],
)
def test_gated_runs_what_a_person_made_of_the_call(home: Home, answers: list[str], left: str, told: str) -> None:
    lines = play(home, "gated", *answers).splitlines()
    assert "Tables before: old_customers" in lines
    assert "It read, unasked: [{'customers': 2}]" in lines
    assert lines[-1] == f"Tables after: {left}"
    assert re.search(told, lines[-2])
    [held] = home.kept()
    assert held.question.action is not None
    assert held.question.action.tool == "write_query"


FAIR = '{"order": "A-17", "amount": 25}'


@pytest.mark.parametrize(
    ("answers", "paid", "told"),
    [
        (["allow", "1", FAIR], "25 for A-17", f"changed this call .* ran with {re.escape(FAIR)}"),
        (["deny", "they had a voucher"], "nothing", 'denied it. They said: "they had a voucher"'),
        (["allow", ""], "250 for A-17", "What came back: 250 paid back for A-17"),
        ([], "nothing", "a person has been asked whether this call may run, and has not decided yet"),
    ],
)
def test_gated_tools_pays_back_what_a_person_made_of_the_call(
    home: Home, answers: list[str], paid: str, told: str
) -> None:
    lines = play(home, "gated_tools", *answers).splitlines()
    assert [line for line in lines if line.startswith("It looked the order up, unasked: A-17: a lamp for 250")]
    assert lines[-1] == f"Paid back: {paid}"
    assert re.search(told, lines[-2])
    [held] = home.kept()
    assert held.question.action is not None
    assert (held.question.action.server, held.question.action.tool) == ("shop", "refund")


def test_with_other_tools_works_with_a_model_behind_an_api(home: Home) -> None:
    question = {"message": "May I run DROP TABLE old_customers?", "options": ["yes", "no"]}
    turns = [("handoff_to_user", question)], [("write_query", {"query": "DROP TABLE old_customers"})], "Dropped."
    with OpenAiStub(*turns) as stub:
        home.extra |= {"NEBIUS_API_KEY": "a-key-for-tests", "NEBIUS_API_BASE": stub.url}
        lines = play(home, "with_other_tools", "yes").splitlines()
    assert lines[-2:] == ["Agent: Dropped.", "Tables after: orders"]
    offered = {tool["function"]["name"] for tool in stub.requests[0]["tools"]}
    assert {"handoff_to_user", "check_handoff", "write_query"} <= offered


@pytest.mark.parametrize("load", ["load_env()", "dotenv.load_dotenv()"])
def test_a_lesson_reads_its_model_but_not_its_store_from_its_env_file(load: str, home: Home) -> None:
    lesson = home.folder / "lessons" / "conditional.py"
    lesson.parent.mkdir()
    text = (EXAMPLES / "conditional.py").read_text()
    assert "    load_env()\n" in text
    lesson.write_text("import dotenv\n" + text.replace("load_env()\n", f"{load}\n"))
    other = home.folder / "other.db"
    (lesson.parent / ".env").write_text(f"HANDOFFS_STORE={other}\nHANDOFFS_MODEL=anthropic/claude\n")
    home.unset = ("HANDOFFS_STORE", "HANDOFFS_MODEL")
    done = home.run(lesson, stdin="no\n")
    assert done.returncode == 0, done.stderr
    assert "No ANTHROPIC_API_KEY" in done.stdout
    assert not other.exists()
    own = home.folder / "data" / "handoffs" / "handoffs.db"
    with closing(sqlite3.connect(own)) as store:
        assert store.execute("SELECT count(*) FROM handoffs").fetchone() == (1,)


def test_a_wrong_setting_ends_a_lesson_without_a_traceback(home: Home) -> None:
    home.extra["HANDOFFS_JOIN_SECONDS"] = "soon"
    done = home.run(EXAMPLES / "conditional.py", stdin="yes\n")
    assert done.returncode == 1
    assert "HANDOFFS_JOIN_SECONDS" in done.stderr
    assert "Traceback" not in done.stderr
    assert made(home, "*.log") == []


def test_ctrl_c_ends_a_lesson_with_one_line_and_keeps_the_question(home: Home) -> None:
    with home.on_terminal(EXAMPLES / "conditional.py") as process:
        process.expect("Enter answers")
        process.sendintr()
        process.expect(pexpect.EOF)
    assert "Stopped. What was asked stays open" in screen(process)
    assert "Traceback" not in screen(process)
    assert process.exitstatus == 130
    assert outcomes(home) == [("open", None)]


def play_with(home: Home, framework: str, lesson: str, *answer: str) -> str:
    """Run the lesson of a framework, in its environment, and answer what it asks in a shell."""
    python = EXAMPLES.parent / "tests" / "interop" / f".{framework}" / "bin" / "python"
    if framework == "strands":
        python = Path(sys.executable)  # it is installed here
    elif not python.exists():
        missing(framework)
    with subprocess.Popen(
        [python, EXAMPLES / f"{lesson}.py"], env=home.env, cwd=home.folder, stdout=subprocess.PIPE, text=True
    ) as process:
        (asked,) = until_there(lambda: home.kept(open_only=True), seconds=120)
        home.handoffs("answer", asked.id, *answer)
        said, _ = process.communicate(timeout=180)
    assert process.returncode == 0
    return said


def test_langchain_agent_pays_what_a_person_made_of_it(home: Home) -> None:
    edit = 'arguments={"customer": "Ada", "euros": 120}'
    said = play_with(home, "langchain", "langchain_agent", "--set", "decision=allow", "--set", edit)
    assert "Paid 120 euros to Ada." in said
    assert "Paid 1200" not in said


def test_openai_agent_is_told_why_a_person_denied_its_refund(home: Home) -> None:
    said = play_with(home, "openai-agents", "openai_agent", "--set", "decision=deny", "--set", "reason=120, not 1200")
    assert "Paid" not in said
    assert "120, not 1200" in said
    assert not (home.folder / "paused-run.json").exists()


def test_pydantic_agent_pays_what_a_person_made_of_it(home: Home) -> None:
    edit = 'arguments={"customer": "Ada", "euros": 120}'
    said = play_with(home, "pydantic-ai", "pydantic_agent", "--set", "decision=allow", "--set", edit)
    assert "Paid 120 euros to Ada." in said
    assert "I was told: Ada got 120 euros." in said


def test_strands_agent_pays_what_a_person_made_of_it(home: Home) -> None:
    edit = 'arguments={"customer": "Ada", "euros": 120}'
    said = play_with(home, "strands", "strands_agent", "--set", "decision=allow", "--set", edit)
    assert "Paid 120 euros to Ada." in said
    assert "I was told: A person changed this call" in said


def test_a2a_agent_sends_a_remote_agent_what_a_person_answered(home: Home) -> None:
    said = play_with(home, "a2a", "a2a_agent", "--set", "response=120 euros")
    assert "The remote agent reads: 120 euros" in said
    assert "TASK_STATE_COMPLETED" in said


def test_ag_ui_agent_pays_what_a_person_made_of_it(home: Home) -> None:
    edit = 'arguments={"customer": "Ada", "euros": 120}'
    said = play_with(home, "ag-ui", "ag_ui_agent", "--set", "decision=allow", "--set", edit)
    assert "Paid 120 euros to Ada." in said
    assert "The run ended: success." in said


def test_crewai_agent_pays_nothing_that_a_person_did_not_pick(home: Home) -> None:
    home.extra |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false", "OTEL_SDK_DISABLED": "true"}
    said = play_with(home, "crewai", "crewai_agent", "--other", "120, not 1200")
    assert "Nothing was paid. I was told: None of these: 120, not 1200" in said
