"""The channel at a real pseudo-terminal: how what a person does there ends a handoff."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.terminal.person import READY, Starts, people

DESK = """
import dataclasses
from pathlib import Path
from handoffs.channels.terminal import TerminalChannel
from handoffs.core.errors import AnswerRefused, StoreUnavailable
from handoffs.core.events import Answered, Declined, Reached
from handoffs.core.lifecycle import advance
from handoffs.core.model import Caller, Handoff, Question

def handoff(number, message="Proceed?", **question):
    caller = Caller(subject="ada", client="claude-code", project=str(Path.home() / "shop"))
    deadline = datetime.now(UTC) + timedelta(days=3)
    return Handoff(
        id=f"h_{number}", caller=caller, created_at=datetime.now(UTC), fingerprint="",
        question=Question(message=message, form=YES_NO, deadline=deadline, **question))

class Kept:
    '''A reply that keeps its one handoff, by the rules of its life.'''
    def __init__(self, handoff):
        self.handoff, self.ended = handoff, anyio.Event()
        self.refusals, self.put_off, self.before = [], "", None
    def record(self, event):
        self.handoff = advance(self.handoff, event)
        if self.handoff.end:
            self.ended.set()
    async def reached(self):
        self.record(Reached(at=datetime.now(UTC), channel="terminal"))
    async def dismissed(self):
        self.put_off = " dismissed"
    async def earlier(self):
        return self.before
    async def answer(self, values, *, by, note="", other=""):
        if self.refusals:
            raise self.refusals.pop()
        values = {} if other else self.handoff.question.form.check(values)
        self.record(
            Answered(at=datetime.now(UTC), by=by, channel="terminal", values=values, note=note, other=other))
    async def decline(self, *, by, note=""):
        self.record(Declined(at=datetime.now(UTC), by=by, channel="terminal", note=note))
    def told(self):
        end = self.handoff.end
        by = f" by {end.by}: {end.note}" if end else ""
        kept = f"{self.handoff.id} {self.handoff.state} {self.handoff.values}"
        return f"{kept}{by} reached={self.handoff.reached}{self.put_off}"
"""


@pytest.fixture
def starts(tmp_path: Path) -> Generator[Starts]:
    """Give what puts somebody before a program with a channel."""
    yield from people(tmp_path, DESK)


PRESENT = """
async def main():
    async with open_terminal() as terminal:
        channel, reply = TerminalChannel(terminal, by="ada"), Kept(handoff(1))
        await channel.present(reply.handoff, reply)
        print(reply.told())
anyio.run(main)
"""


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [
        ("y\r", "h_1 answered {'ok': True} by ada:  reached=('terminal',)"),
        ("/decline not on a Friday\r", "h_1 declined None by ada: not on a Friday reached=('terminal',)"),
        ("\x04", "h_1 open None reached=('terminal',) dismissed"),
    ],
)
def test_what_the_person_does_is_recorded_and_putting_off_decides_nothing(starts: Starts, keys: str, outcome: str):
    person = starts(PRESENT)
    person.sees(READY)
    assert person.lines[:2] == ["● claude-code · ~/shop asks  h_1 · 3 days left", "│ Proceed?"]
    person.types(keys)
    assert person.ends() == 0
    assert person.lines[-1] == outcome


def test_the_person_is_told_where_to_type_a_secret_until_it_is_answered(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        one = handoff(1, message="The database?")
        secret = form(it={"type": "string", "format": "password"})
        one = dataclasses.replace(one, question=dataclasses.replace(one.question, form=secret))
        channel, reply = TerminalChannel(terminal, by="ada"), Kept(one)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(channel.present, one, reply)
            await told()
            print(reply.told())
            tasks.cancel_scope.cancel()
anyio.run(main)
""")
    person.sees("listening")
    person.sees("The database?")
    seen = " ".join(line.removeprefix("│ ") for line in person.lines)
    assert "asks for a secret. It is typed into the inbox, not here: `handoffs inbox` opens it." in seen
    assert READY not in seen
    person.types("hunter2\r")
    person.signals()
    assert person.ends() == 0
    assert "h_1 open None reached=('terminal',)" in person.lines  # the terminal's own echo may come after it


def test_an_answer_that_is_refused_is_asked_again_with_the_reason(starts: Starts):
    person = starts(
        PRESENT.replace(
            "await channel", "reply.refusals.append(AnswerRefused({'ok': 'is not for you'})); await channel"
        )
    )
    person.sees(READY)
    person.types("y\r")
    person.sees("! ok: is not for you")
    person.sees(READY)
    person.types("n\r")
    assert person.ends() == 0
    assert person.lines[-1].startswith("h_1 answered {'ok': False}")


def test_an_answer_that_can_not_be_stored_is_called_lost_and_asked_again(starts: Starts):
    away = "reply.refusals.append(StoreUnavailable('The store is away.'))"
    person = starts(PRESENT.replace("await channel", f"{away}; await channel"))
    person.sees(READY)
    person.types("y\r")
    person.sees("! That was not recorded. Nothing is decided: The store is away. Answer again.")
    person.sees(READY)
    person.types("n\r")
    assert person.ends() == 0
    assert person.lines[-1].startswith("h_1 answered {'ok': False}")


@pytest.mark.parametrize(
    ("decided", "words", "outcome"),
    [
        (
            "Answered(at=datetime.now(UTC), by='ada', channel='inbox', values={'ok': True})",
            "You answered this 0 s ago with “yes”; the agent may not have received it.",
            "h_1 answered {'ok': True} by ada:",
        ),
        (
            "Declined(at=datetime.now(UTC), by='bob', channel='inbox', note='too risky')",
            "bob declined this 0 s ago with “too risky”; the agent may not have received it.",
            "h_1 declined None by ada: too risky",
        ),
    ],
)
def test_the_same_question_decided_before_says_so_and_takes_the_same_again(
    starts: Starts, decided: str, words: str, outcome: str
):
    person = starts(PRESENT.replace("await channel", f"reply.before = advance(handoff(0), {decided}); await channel"))
    person.sees(READY)
    seen = " ".join(line.removeprefix("↻ ").strip() for line in person.lines)
    assert words.split(" 0 s ")[0] in seen
    assert words.split(" ago ")[1] in seen
    person.types("/again\r")
    assert person.ends() == 0
    assert person.lines[-1].startswith(outcome)


def test_who_is_too_late_is_told_who_was_first(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        channel, reply = TerminalChannel(terminal, by='ada'), Kept(handoff(1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(channel.present, reply.handoff, reply)
            await told()
            reply.record(Declined(at=datetime.fromtimestamp(0, UTC), by="bob", channel="web"))
            print("declined")
anyio.run(main)
""")
    person.sees(READY)
    person.signals()
    person.sees("declined")
    person.types("y\r")
    assert person.ends() == 0
    assert person.lines[-2:] == [
        "│ Too late. h_1 was already declined by bob through web at 1970-01-01T00:00:00Z.",
        "│ That stands.",
    ]


def test_an_answer_is_handed_in_even_when_the_question_ends_at_that_moment(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        with anyio.CancelScope() as scope:
            class Cancelled(Kept):
                async def answer(self, values, *, by, note="", other=""):
                    self.record(Declined(at=datetime.fromtimestamp(0, UTC), by="bob", channel="web"))
                    scope.cancel()
                    await anyio.sleep(0)
                    await super().answer(values, by=by, note=note)
            channel, reply = TerminalChannel(terminal, by='ada'), Cancelled(handoff(1))
            await channel.present(reply.handoff, reply)
anyio.run(main)
""")
    person.sees(READY)
    person.types("y\r")
    assert person.ends() == 0
    assert "│ Too late. h_1 was already declined by bob" in person.lines[1]


def test_a_question_that_ends_elsewhere_makes_room_for_the_next(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        channel = TerminalChannel(terminal, by="ada")
        one, two = Kept(handoff(1, "First?")), Kept(handoff(2, "Second?"))
        async def present(reply, tasks):
            await channel.present(reply.handoff, reply)
        async with anyio.create_task_group() as others:
            async with anyio.create_task_group() as first:
                first.start_soon(channel.present, one.handoff, one)
                others.start_soon(channel.present, two.handoff, two)
                await told()
                first.cancel_scope.cancel()
        print(one.told())
        print(two.told())
anyio.run(main)
""")
    person.sees("│ First?")
    person.sees("1 more waiting")
    person.sees(READY)
    person.signals()
    person.sees("│ Second?")
    person.sees(READY)
    assert "│ First?" not in person.lines
    person.types("y\r")
    assert person.ends() == 0
    assert person.lines == [
        "listening",
        "✓ h_2: answered: yes",
        "h_1 open None reached=('terminal',)",
        "h_2 answered {'ok': True} by ada:  reached=('terminal',)",
    ]


def test_a_queued_question_has_reached_nobody(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        channel = TerminalChannel(terminal, by='ada')
        replies = [Kept(handoff(1)), Kept(handoff(2))]
        async with anyio.create_task_group() as tasks:
            for reply in replies:
                tasks.start_soon(channel.present, reply.handoff, reply)
            await told()
            tasks.cancel_scope.cancel()
        for reply in replies:
            print(reply.told())
anyio.run(main)
""")
    person.sees("1 more waiting")
    person.sees(READY)
    person.signals()
    assert person.ends() == 0
    assert person.lines[-2:] == ["h_1 open None reached=('terminal',)", "h_2 open None reached=()"]


def test_a_terminal_that_has_gone_reaches_nobody(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        channel, reply = TerminalChannel(terminal, by='ada'), Kept(handoff(1))
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        with anyio.fail_after(120):
            await channel.present(reply.handoff, reply)
        print(reply.told())
anyio.run(main)
""")
    assert person.ends() == 0
    assert person.lines == ["h_1 open None reached=()"]


def test_a_breakout_is_told_and_not_asked(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        channel = TerminalChannel(terminal, by='ada')
        reply = Kept(handoff(1, "All is deployed.\\nOver to you.", breakout_of_loop=True))
        await channel.present(reply.handoff, reply)
        print(reply.told())
anyio.run(main)
""")
    assert person.ends() == 0
    assert person.lines == [
        "│ claude-code · ~/shop stopped, and leaves this to you:",
        "│",
        "│ All is deployed.",
        "│ Over to you.",
        "h_1 open None reached=('terminal',)",
    ]


def test_ctrl_c_interrupts_the_process_as_usual_and_nothing_more_is_asked(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        channel = TerminalChannel(terminal, by='ada')
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                reply = Kept(handoff(number, f"Question {number}"))
                tasks.start_soon(channel.present, reply.handoff, reply)
            await anyio.sleep_forever()
try:
    anyio.run(main)
except KeyboardInterrupt:
    print("interrupted")
""")
    person.sees(READY)
    person.types("\x03")
    assert person.ends() == 0
    assert person.lines == ["interrupted"]
    assert "Question 1" not in person.raw
    assert person.terminal_is_usual


def test_ctrl_c_may_mean_something_else(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        channel, reply = TerminalChannel(terminal, by='ada', on_interrupt=lambda: print("stopping")), Kept(handoff(1))
        await channel.present(reply.handoff, reply)
        await channel.present(handoff(2), reply)
        print(reply.told())
anyio.run(main)
""")
    person.sees(READY)
    person.types("\x03")
    assert person.ends() == 0
    assert person.lines == ["stopping", "h_1 open None reached=('terminal',)"]
