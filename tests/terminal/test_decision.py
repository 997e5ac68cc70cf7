"""A held call at a prompt: the decision first, then only what belongs to it."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.channels.terminal import TerminalChannel
from handoffs.clock import SystemClock
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form, is_action_form, with_titles
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.desk import Desk
from handoffs.core.model import State
from handoffs.core.remembering import offered
from handoffs.core.schema import parse
from handoffs.store.sqlite.store import SqliteStore
from handoffs.terminal import Filled, Outcome, Piped, Refused, Request
from handoffs.terminal.form_state import FormState, InputRefused
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.questions import CLAUDE, asked, kept
from tests.terminal.person import READY, Starts, people
from tests.terminals import KIND, Terminal

CHOICES = offered({"exact", "tool"}, 3600.0)
CONDITIONS = ["id is 7", "path begins with /srv/"]
ARGUMENTS = '{"id": 7}'


def held(*, editable: bool = True, remember: Mapping[str, str] = CHOICES, arguments: str = ARGUMENTS) -> Request:
    schema = action_form(editable=editable, remember=remember, conditions=CONDITIONS)
    return Request(message="Run it?", form=with_titles(parse(schema)), decides=True, arguments=arguments)


def typed(request: Request, *lines: str) -> Outcome | None:
    """What comes of these lines: each is taken, and the last one ends it or not."""
    state = FormState(request)
    outcome: Outcome | None = None
    for line in lines:
        assert outcome is None, line
        outcome = state.enter(line)
    return outcome


DECISIONS: list[tuple[Sequence[str], dict[str, Any]]] = [
    (["1", ""], {"decision": "allow"}),
    (["allow", ""], {"decision": "allow"}),
    (["2", ""], {"decision": "deny"}),
    (["deny", "not on Fridays"], {"decision": "deny", "reason": "not on Fridays"}),
    (["1", "1", '{"id": 8}'], {"decision": "allow", "arguments": '{"id": 8}'}),
    (["1", "1", ""], {"decision": "allow"}),
    (["1", "1", ARGUMENTS], {"decision": "allow"}),
    (["1", "2", ""], {"decision": "allow"}),
    (["1", "2", "1", ""], {"decision": "allow", "remember": "exact-hour"}),
    (["1", "2", "1", "3"], {"decision": "allow", "remember": "exact-hour", "uses": 3}),
    (["1", "2", "tool-hour", "1", ""], {"decision": "allow", "remember": "tool-hour", "conditions": ["id is 7"]}),
    (["1", "1, 2", '{"id": 8}', "1", "2"],
     {"decision": "allow", "arguments": '{"id": 8}', "remember": "exact-hour", "uses": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "values"), DECISIONS, ids=lambda each: str(each))
def test_only_what_belongs_to_the_decision_is_asked_for(lines: Sequence[str], values: dict[str, Any]) -> None:
    assert typed(held(), *lines) == Filled(values)


def test_what_lasts_is_granted_for_longer_where_the_person_says_so() -> None:
    form = with_titles(parse(action_form(editable=False, remember=offered({"exact"}, None), scoped=True)))
    request = Request(message="Grant it?", form=form, decides=True, arguments="{}")
    assert is_action_form(form)
    assert typed(request, "1", "") == Filled({"decision": "allow"})
    assert typed(request, "1", "1", "2") == Filled({"decision": "allow", "scope": "session"})
    assert typed(request, "1", "1", "This turn") == Filled({"decision": "allow", "scope": "turn"})
    assert typed(request, "1", "1, 2", "session", "1", "") == Filled(
        {"decision": "allow", "scope": "session", "remember": "exact-hour"}
    )
    assert typed(request, "2", "") == Filled({"decision": "deny"})


def test_an_empty_line_never_consents() -> None:
    state = FormState(held())
    for line in ("", "  ", "\n"):
        with pytest.raises(InputRefused, match="Decision is needed"):
            state.enter(line)
    assert state.values == {}
    assert isinstance(state.enter("/decline no"), Refused)


def test_an_allow_with_nothing_else_is_one_step_a_deny_has_its_reason() -> None:
    bare = held(editable=False, remember={})
    assert FormState(bare).is_last
    assert typed(bare, "1") == Filled({"decision": "allow"})
    assert typed(bare, "2", "why") == Filled({"decision": "deny", "reason": "why"})
    edited = held(remember={})
    assert typed(edited, "1", "") == Filled({"decision": "allow"})
    assert typed(edited, "1", "1", "{}") == Filled({"decision": "allow", "arguments": "{}"})


def test_what_belonged_to_another_decision_is_left_out_after_going_back() -> None:
    state = FormState(held())
    for line in ("1", "1, 2", '{"id": 8}'):
        assert state.enter(line) is None
    assert state.enter("1") is None
    while state.back():
        pass
    assert state.enter("2") is None
    assert state.enter("no") == Filled({"decision": "deny", "reason": "no"})


def test_arguments_are_edited_from_what_they_are_unless_that_deceives() -> None:
    for arguments, draft in ((ARGUMENTS, ARGUMENTS), ('{"id": "\u202e7"}', "")):
        state = FormState(held(arguments=arguments))
        state.enter("1")
        state.enter("1")
        assert state.draft == draft


def test_a_form_of_an_agent_is_asked_field_by_field() -> None:
    form = parse(action_form(editable=True, remember=CHOICES))
    state = FormState(Request(message="?", form=form))
    assert state.place == "1 of 5"
    state.enter("1")
    assert state.field.name == "arguments"


def test_a_form_that_asks_for_more_than_a_decision_is_none() -> None:
    assert is_action_form(held().form)
    decision, text = {"enum": ["allow", "deny"]}, {"type": "string"}
    others: list[Any] = [
        {"properties": {"decision": decision, "reason": text, "why": text}, "required": ["decision"]},
        {"properties": {"decision": decision}, "required": ["decision"]},
        {"properties": {"decision": decision, "reason": text}},
        {"properties": {"decision": decision, "reason": text}, "required": ["decision", "reason"]},
        {"properties": {"decision": {"enum": ["allow", "deny", "later"]}, "reason": text}, "required": ["decision"]},
    ]
    for other in others:
        assert not is_action_form(parse({"type": "object", **other}))


PROMPT = """
from handoffs.core.action_form import action_form, with_titles
from handoffs.core.remembering import offered
FORM = with_titles(parse(action_form(editable=True, remember=offered({"exact"}, 3600.0))))
async def main():
    async with open_terminal() as terminal:
        show(await terminal.ask(Request(message="Run it?", form=FORM, decides=True, arguments='{"id": 7}')))
anyio.run(main)
"""


@pytest.fixture
def starts(tmp_path: Path) -> Generator[Starts]:
    """Give what puts somebody before a program."""
    yield from people(tmp_path)


def test_on_a_screen_the_decision_is_first_and_enter_then_allows_once(starts: Starts) -> None:
    person = starts(PROMPT)
    person.may_type()
    assert person.lines[1:] == [
        "│ Run it?",
        "│",
        "│ Decision",
        "│   1  Allow",
        "│   2  Deny",
        "›",
        "Enter goes on · /decline refuses · Ctrl-D not now",
    ]
    person.types("\r")
    person.sees("! Decision is needed")
    person.may_type()
    person.types("1\r")
    person.sees("│ Anything else?  (optional)")
    person.may_type()
    assert person.lines[1:] == [
        "│ Run it?",
        "✓ Decision: Allow",
        "│ Anything else?  (optional)",
        "│ Enter: just this once · numbers with commas between",
        "│   1  Change the arguments",
        "│   2  Remember it for later calls",
        "›",
        "Enter answers · Shift+Tab back · /decline refuses · Ctrl-D not now",
    ]
    person.types("\r")
    person.sees("-> Filled(values={'decision': 'allow'}")


def test_on_a_screen_the_arguments_are_taken_up_with_tab(starts: Starts) -> None:
    person = starts(PROMPT)
    for keys in ("1\r", "1\r"):
        person.may_type()
        person.types(keys)
    person.sees("│ Edited arguments")
    person.may_type()
    person.types("\t")
    person.sees('› {"id": 7}')
    person.types("\x7f\x7f8}\r")
    person.sees("""-> Filled(values={'decision': 'allow', 'arguments': '{"id": 8}'}""")


def test_a_held_call_is_denied_on_the_command_line_with_two_lines(tmp_path: Path) -> None:
    home = Home(tmp_path)
    action = Action(asker=Asker.GATE, server="shop", tool="delete", arguments=ARGUMENTS)
    form = action_form(editable=True, remember=CHOICES, conditions=CONDITIONS)
    handoff_id = asked(home, "Run delete?", form=form, action=action)
    terminal = Terminal([*HANDOFFS, "answer", handoff_id], home.env | KIND, cwd=home.folder)
    terminal.sees(READY)
    assert not terminal.shows("1 of")
    terminal.types("2\r")
    terminal.sees("What the agent is told when you deny.")
    terminal.sees(READY)
    terminal.types("not today\r")
    assert terminal.ends() == 0
    assert kept(home, handoff_id).values == {"decision": "deny", "reason": "not today"}


async def test_the_channel_asks_for_a_held_call_in_the_same_steps(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(b"\n1\n\n")
    action = Action(asker=Asker.GATE, server="shop", tool="delete", arguments=ARGUMENTS)
    with (tmp_path / "given").open() as given, (tmp_path / "shown").open("w") as shown, anyio.fail_after(120):
        async with SqliteStore(tmp_path / "h.db") as store:
            channel = TerminalChannel(Piped(given, shown), by="ada")
            desk = Desk(store=store, clock=SystemClock(), channels=[channel])
            async with desk.presenting():
                form = action_form(editable=True, remember=CHOICES)
                handoff = await desk.ask(message="Run it?", caller=CLAUDE, form=form, action=action)
                ended = await desk.wait(handoff.id, seconds=20)
    assert ended.values == {"decision": "allow"}
    assert "Decision is needed" in (tmp_path / "shown").read_text()


async def test_the_channel_shows_who_has_voted_above_the_question(tmp_path: Path) -> None:
    seats = (Seat(person="ada"), Seat(person="b\x1b[2Job"), Seat(person="cyd"))
    rule = Deciders(rule="gate.toml:3", asked_at=SystemClock().now(), seats=seats, votes=2)
    (tmp_path / "given").write_bytes(b"yes\n")
    with (tmp_path / "given").open() as given, (tmp_path / "shown").open("w") as shown, anyio.fail_after(120):
        async with SqliteStore(tmp_path / "h.db") as store:
            plain = Desk(store=store, clock=SystemClock())
            handoff = await plain.ask(message="Deploy?", caller=CLAUDE, deciders=rule)
            handoff = await plain.answer(handoff, {"response": "yes"}, by="b\x1b[2Job", channel="inbox")
            channel = TerminalChannel(Piped(given, shown), by="ada")
            desk = Desk(store=store, clock=SystemClock(), channels=[channel])
            async with desk.presenting():
                desk.present(handoff, again=True)
                ended = await desk.wait(handoff.id, seconds=20)
    text = (tmp_path / "shown").read_text()
    assert ended.state is State.ANSWERED
    assert "1 more vote is needed." in text
    assert "ob agreed." in text
    assert "\x1b" not in text
