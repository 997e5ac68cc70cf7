"""What the model sees is a committed file: `seen_by_the_model.json`. A change to it is a change to the product.

Write it anew with `HANDOFFS_REWRITE=1 pytest tests/mcp_server/test_what_the_model_sees.py`, and review the difference.
"""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from handoffs.core.attachment import Attachment
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.model import Caller, End, Handoff, Question, State, secret_name
from handoffs.core.schema import options_form, parse, response_form
from handoffs.mcp_server import words
from handoffs.mcp_server.permission import words as permission
from tests.days import at
from tests.mcp_server.host import ERAS, host, table

SEEN = Path(__file__).with_name("seen_by_the_model.json")
NOON = at(12)

OPEN = Handoff(
    id="h_7Q2wExample",
    caller=Caller(subject="ada"),
    question=Question(message="Deploy?", form=response_form(), deadline=NOON + timedelta(days=1)),
    created_at=NOON,
    fingerprint="0",
)
SECRET = replace(
    OPEN,
    question=replace(
        OPEN.question,
        form=parse({"properties": {"user": {"type": "string"}, "password": {"type": "string", "format": "password"}}}),
    ),
)
LINK = f"http://127.0.0.1:8765/h/{OPEN.id}"
END = End(at=NOON, by="ada", channel="inbox", note="see you on Monday")
ENDED = {
    "answered": replace(OPEN, state=State.ANSWERED, end=END, values={"response": "yes"}),
    "answered by something else": replace(
        OPEN,
        question=replace(OPEN.question, form=options_form(["yes", "no"])),
        state=State.ANSWERED,
        end=END,
        values={},
        other="Only after the backup.",
    ),
    "answered with files": replace(
        OPEN,
        state=State.ANSWERED,
        end=replace(END, note=""),
        values={"response": "yes"},
        attachments=tuple(
            Attachment(name=name, media_type=kind, size=size, digest="0" * 64)
            for name, kind, size in (("shot.png", "image/png", 51_200), ("notes.txt", "text/plain", 12))
        ),
    ),
    "declined": replace(OPEN, state=State.DECLINED, end=END),
    "cancelled": replace(OPEN, state=State.CANCELLED, end=END),
    "expired": replace(OPEN, state=State.EXPIRED, end=End(at=OPEN.question.deadline)),
}


async def _tools(folder: Path, era: str, *, name: str = "test-host") -> list[object]:
    async with table(folder) as here, host(here.server(), era, name=name) as client:
        listed = await client.list_tools()
        return [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed.tools]


async def _prompts(folder: Path) -> dict[str, object]:
    async with table(folder) as here, host(here.server(), "legacy") as client:
        listed = (await client.list_prompts()).prompts
        said = {each.name: (await client.get_prompt(each.name)).messages for each in listed}
    return {name: [each.content.text for each in messages] for name, messages in said.items()}  # type: ignore[union-attr]


def _denials() -> dict[str, str]:
    """What Claude Code's model reads where a permission prompt did not end in an approval."""
    denied = replace(ENDED["answered"], values={"decision": "deny", "reason": "not on a Friday"})
    ended = {name: handoff for name, handoff in ENDED.items() if not name.startswith("answered")}
    return {
        "denied": permission.refusal(denied),
        **{name: permission.refusal(handoff) for name, handoff in ended.items()},
        "still open": permission.WAITING,
        "answered by a script": permission.BY_SCRIPT,
        "questions without an answer": permission.UNANSWERED,
        "questions that can't be asked": permission.cant_be_asked("question 1 has no text."),
    }


def _guidance() -> dict[str, str]:
    said: dict[str, str] = {}
    for name, handoff in ENDED.items():
        said[name] = words.describe(handoff, now=NOON, earlier=False, late=False)
        if handoff.state is State.EXPIRED:
            continue  # silence has no age of its own: its words carry the deadline
        said[f"{name}, earlier"] = words.describe(handoff, now=NOON + timedelta(days=2), earlier=True, late=False)
    said["declined, late"] = words.describe(ENDED["declined"], now=NOON, earlier=False, late=True)
    for why in words.Pending:
        said[f"pending, {why}"] = words.describe_pending(OPEN, why)
        if why in {words.Pending.CLOCK, words.Pending.UNSEEN, words.Pending.SENT}:
            said[f"pending, {why}, with the inbox"] = words.describe_pending(OPEN, why, LINK)
    said["pending, clock, behind a gateway"] = words.describe_pending(OPEN, words.Pending.CLOCK, prefixed=True)
    named = {"user": "root", "password": secret_name(OPEN.id, "password")}
    given = replace(ENDED["answered"], question=SECRET.question, values=named)
    said["answered with a secret"] = words.describe(given, now=NOON, earlier=False, late=False)
    said["pending, a secret, unseen"] = words.describe_pending(SECRET, words.Pending.UNSEEN)
    said["pending, a secret, sent to the inbox"] = words.describe_pending(SECRET, words.Pending.SENT, LINK)
    two = Deciders(rule="gate.toml:3", asked_at=NOON, seats=(Seat(person="bob"), Seat(person="cyd")), votes=2)
    for about, whose in (("", two), (", which only theirs see", replace(two, visible="theirs"))):
        asked = replace(OPEN, question=replace(OPEN.question, deciders=whose))
        said[f"pending, votes are missing{about}"] = words.describe_pending(asked, words.Pending.UNSEEN)
    said["pending, votes are missing, crowded"] = words.describe_pending(asked, words.Pending.CROWDED)
    said["breakout"] = words.describe_breakout(shown=True)
    said["breakout, where nothing shows it"] = words.describe_breakout(shown=False)
    said["breakout, where the inbox shows it"] = words.describe_breakout(shown=False, link=LINK)
    return said


async def test_what_the_model_sees_is_the_committed_file(tmp_path: Path) -> None:
    seen = {
        "instructions": words.INSTRUCTIONS,
        "tools": await _tools(tmp_path, "legacy"),
        "tool for claude-code": (await _tools(tmp_path, "legacy", name="claude-code"))[2:],
        "guidance": _guidance(),
        "denials": _denials(),
        "prompts": await _prompts(tmp_path),
    }
    text = json.dumps(seen, indent=2, ensure_ascii=False) + "\n"
    for days, written in ((0, "2026-11-22"), (1, "2026-11-23")):  # as the committed file has them
        text = text.replace(str(at(12, days=days).date()), written)
    if os.environ.get("HANDOFFS_REWRITE"):
        SEEN.write_text(text)
    assert json.loads(text) == json.loads(SEEN.read_text())


@pytest.mark.parametrize("era", ERAS)
async def test_the_two_tools_cost_the_model_less_than_three_kilobytes(era: str, tmp_path: Path) -> None:
    tools = await _tools(tmp_path, era)
    assert [tool["name"] for tool in tools] == ["handoff_to_user", "check_handoff"]  # type: ignore[index]
    assert len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode()) < 3000


def test_no_two_outcomes_read_alike_and_only_an_answer_reads_like_one() -> None:
    said = _guidance()
    assert len(set(said.values())) == len(said)
    for name, text in said.items():
        assert text.startswith("The person answered") == name.startswith("answered")


def test_every_outcome_but_an_answer_says_that_it_is_no_approval() -> None:
    for name, text in _guidance().items():
        if not name.startswith(("answered", "breakout")):
            assert any(no in text for no in ("not approval", "not approved", "Do not act on it")), name


@pytest.mark.parametrize("era", ERAS)
async def test_the_tool_of_claude_code_costs_its_model_less_than_a_kilobyte(era: str, tmp_path: Path) -> None:
    *_, approval = await _tools(tmp_path, era, name="claude-code")
    assert len(json.dumps(approval, separators=(",", ":")).encode()) < 1000


def test_every_denial_says_that_nothing_was_approved_and_no_two_alike() -> None:
    said = _denials()
    assert len(set(said.values())) == len(said)
    assert all("approved" in text or "denied" in text for text in said.values())
