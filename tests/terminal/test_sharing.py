"""How a prompt gets along with everything else on its terminal: other questions, threads, keys, programs, its end."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.terminal.person import READY, Starts, people


@pytest.fixture
def starts(tmp_path: Path) -> Generator[Starts]:
    """Give what puts somebody before a program."""
    yield from people(tmp_path)


def test_ctrl_c_leaves_a_clean_terminal_and_no_decision(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        print("before")
        try:
            await terminal.ask(Request(message="Proceed?", form=YES_NO))
        except Interrupted:
            print("interrupted")
            raise SystemExit(130)
anyio.run(main)
""")
    person.sees(READY)
    assert not person.terminal_is_usual
    person.types("y\x03")
    assert person.ends() == 130
    assert person.lines == ["before", "interrupted"]
    assert person.terminal_is_usual


VANISH = """
async def main():
    print("before", flush=True)
    async with open_terminal() as terminal, anyio.create_task_group() as tasks:
        async def ask():
            await terminal.ask(Request(message={message}, form=YES_NO))
        tasks.start_soon(ask)
        await told()
        tasks.cancel_scope.cancel()
    print("after", flush=True)
anyio.run(main)
"""


@pytest.mark.parametrize(
    ("message", "above"),
    [("'Proceed?'", 0), ("'Proceed?'", 23), ("'\\n'.join(map(str, range(500)))", 5), ("'wide 漢字 ' * 400", 23)],
)
def test_a_question_answered_elsewhere_vanishes_whole(starts: Starts, message: str, above: int):
    person = starts(f"for n in range({above}): print(n)\n" + VANISH.format(message=message))
    person.sees("listening")
    person.sees(READY)
    person.types("half an ans")
    person.sees("› half an ans")
    person.signals()
    assert person.ends() == 0
    printed = [*map(str, range(above)), "before", "listening", "after"]
    assert person.lines == printed[-len(person.lines) :]
    assert person.lines.count("after") == 1
    assert "\x1b[?25h" in person.raw.rsplit("half an ans", 1)[1]  # the cursor is shown again
    assert person.terminal_is_usual


def test_what_was_typed_before_does_not_answer(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        await told()
        show(await terminal.ask(Request(message="Proceed?", form=YES_NO)))
anyio.run(main)
""")
    person.sees("listening")
    person.types("y\ry")
    person.sees("y")
    person.signals()
    person.sees(READY)
    assert any(line == "[y/n] ›" for line in person.lines)
    person.types("n\r")
    person.sees("-> Filled(values={'ok': False}, note='', other='')")


def test_what_was_typed_before_does_not_answer_on_a_dumb_terminal_either(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        await told()
        show(await terminal.ask(Request(message="Proceed?", form=YES_NO)))
anyio.run(main)
""", TERM="dumb")  # fmt: skip
    person.sees("listening")
    person.types("y\n")
    person.sees("y")
    person.signals()
    person.sees("[y/n] ›")
    person.types("n\n")
    person.sees("-> Filled(values={'ok': False}, note='', other='')")


def test_who_is_typing_when_the_question_comes_does_not_answer_it(starts: Starts):
    person = starts("""
from handoffs.terminal.screen import Screen
async def main():
    terminal = Screen(sys.stdin, sys.stdout, settle=2)
    show(await terminal.ask(Request(message="Proceed?", form=YES_NO)))
anyio.run(main)
""")
    person.sees("Proceed?")
    person.types("y\r\x04\x1b[A")
    person.sees(READY)
    assert "[y/n] ›" in person.lines
    person.types("n\r")
    person.sees("-> Filled(values={'ok': False}, note='', other='')")


def test_two_questions_queue_and_the_first_says_that_one_waits(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal, anyio.create_task_group() as tasks:
        async def ask(name):
            print(name, await terminal.ask(Request(message=name + "?", form=YES_NO)))
        tasks.start_soon(ask, "first")
        tasks.start_soon(ask, "second")
anyio.run(main)
""")
    person.sees("1 more waiting")
    person.sees(READY)
    assert "│ first?" in person.lines
    assert "│ second?" not in person.lines
    person.types("y\r")
    person.sees("│ second?")
    person.sees(READY)
    person.types("n\r")
    assert person.ends() == 0
    assert person.lines == [
        "✓ answered: yes",
        "first Filled(values={'ok': True}, note='', other='')",
        "✓ answered: no",
        "second Filled(values={'ok': False}, note='', other='')",
    ]


def test_threads_with_loops_of_their_own_share_the_terminal(starts: Starts):
    person = starts("""
outcomes = []  # shown at the end: what a program prints meanwhile goes across the next one's prompt
async def ask(name):
    async with open_terminal() as terminal:
        outcomes.append((name, await terminal.ask(Request(message=name + "?", form=YES_NO))))
threads = [threading.Thread(target=anyio.run, args=(ask, name)) for name in ("one", "two", "three")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for outcome in outcomes:
    show(outcome)
print("all done")
""")
    for _ in range(3):
        person.sees(READY)
        assert sum(line.startswith("●") for line in person.lines) == 1
        person.types("y\r")
        person.no_longer_sees(READY)
    assert person.ends() == 0
    assert sum("Filled(values={'ok': True}" in line for line in person.lines) == 3
    assert person.lines[-1] == "all done"
    assert person.terminal_is_usual


def test_a_queued_question_that_ends_elsewhere_lets_the_next_one_through(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal, anyio.create_task_group() as tasks:
        scopes = {}
        async def ask(name):
            with anyio.CancelScope() as scopes[name]:
                await terminal.ask(Request(message=name + "?", form=YES_NO))
        for name in ("first", "second", "third"):
            tasks.start_soon(ask, name)
        await told()
        scopes["second"].cancel()
        scopes["first"].cancel()
anyio.run(main)
""")
    person.sees("│ first?")
    person.sees(READY)
    person.signals()
    person.sees("│ third?")
    person.sees(READY)
    person.types("y\r")
    assert person.ends() == 0


def test_a_daemon_thread_at_a_prompt_leaves_the_terminal_usable_at_exit(starts: Starts):
    person = starts("""
async def ask():
    async with open_terminal() as terminal:
        await terminal.ask(Request(message="Proceed?", form=YES_NO))
threading.Thread(target=anyio.run, args=(ask,), daemon=True).start()
anyio.run(told)
""")
    person.sees(READY)
    person.signals()
    assert person.ends() == 0
    assert person.terminal_is_usual


def test_a_notice_appears_above_the_prompt_and_what_was_typed_stays(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal, anyio.create_task_group() as tasks:
        async def ask():
            show(await terminal.ask(Request(message="Proceed?", form=YES_NO)))
        tasks.start_soon(ask)
        await told()
        await terminal.tell("Backups are done.\\nNothing to do.")
anyio.run(main)
""")
    person.sees(READY)
    person.types("ye")
    person.sees("› ye")
    person.signals()
    person.sees("│ Backups are done.")
    person.sees("› ye")
    at = person.lines.index("│ Backups are done.")
    assert person.lines[at : at + 4] == [
        "│ Backups are done.",
        "│ Nothing to do.",
        "● A question for you",
        "│ Proceed?",
    ]
    person.types("s\r")
    person.sees("-> Filled(values={'ok': True}, note='', other='')")


def test_what_the_program_logs_meanwhile_goes_above_the_prompt(starts: Starts):
    person = starts("""
import logging
async def main():
    async with open_terminal() as terminal, anyio.create_task_group() as tasks:
        async def ask():
            show(await terminal.ask(Request(message="Proceed?", form=YES_NO)))
        tasks.start_soon(ask)
        await told()
        logging.warning("a request came in")
with prints_above():
    logging.basicConfig(format="%(message)s")
    anyio.run(main)
""")
    person.sees(READY)
    person.types("ye")
    person.sees("› ye")
    person.signals()
    person.sees("a request came in")
    person.sees("› ye")
    at = person.lines.index("a request came in")
    assert person.lines[at + 1 : at + 3] == ["● A question for you", "│ Proceed?"]
    person.types("s\r")
    person.sees("-> Filled(values={'ok': True}, note='', other='')")


def test_a_process_in_the_background_asks_when_it_comes_to_the_front(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal, anyio.create_task_group() as tasks:
        async def ask():
            show(await terminal.ask(Request(message="Proceed?", form=YES_NO)))
        tasks.start_soon(ask)
        await anyio.sleep(0.2)
        print("to the front", flush=True)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpgrp())
if child := os.fork():
    os.waitpid(child, 0)
else:
    os.setpgid(0, 0)
    anyio.run(main)
""")
    person.sees(READY)
    assert person.raw.index("to the front") < person.raw.index("Proceed?")
    person.types("y\r")
    person.sees("-> Filled(values={'ok': True}, note='', other='')")
    assert person.ends() == 0


def test_the_device_is_used_while_the_standard_streams_are_taken(starts: Starts):
    person = starts("""
console = os.dup(1)
reads, writes = os.pipe()
os.dup2(reads, 0)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
async def main():
    async with open_terminal(device=True) as terminal:
        outcome = await terminal.ask(Request(message="Proceed?", form=YES_NO))
    os.write(console, f"-> {outcome}\\n".encode())
anyio.run(main)
""")
    person.sees(READY)
    person.types("y\r")
    person.sees("-> Filled(values={'ok': True}, note='', other='')")


def test_a_terminal_that_goes_away_decides_nothing(starts: Starts, tmp_path: Path):
    result = tmp_path / "result"
    person = starts(f"""
signal.signal(signal.SIGHUP, signal.SIG_IGN)
async def main():
    outcome = None
    with anyio.move_on_after(10):
        async with open_terminal() as terminal:
            first = await terminal.ask(Request(message="Proceed?", form=YES_NO))
            outcome = first, await terminal.ask(Request(message="Then this?", form=YES_NO))
    open({str(result)!r}, "w").write(repr(outcome))
anyio.run(main)
""")
    person.sees(READY)
    person.hangs_up()
    person.child.wait()
    assert result.read_text() == "(Later(), Later())"
