"""A question answered by lines: from a pipe, a file, nothing; and the parts of a terminal that need none."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from handoffs.core.form import Form
from handoffs.core.schema import parse
from handoffs.core.untrusted import inert
from handoffs.terminal import Filled, Later, Outcome, Piped, Refused, Request, render
from handoffs.terminal.line_reader import LONGEST, Threaded, Watched
from handoffs.terminal.queue import PromptQueue
from tests.terminal.person import PRELUDE

TEXT = {"type": "string"}
YES_NO = parse({"type": "object", "properties": {"ok": {"type": "boolean", "title": "Go on"}}, "required": ["ok"]})
ASK = """
async def main():
    async with open_terminal() as terminal:
        request = Request(message="Proceed?", form=FORM, asker="claude-code", handoff_id="h_7Q2abcdefghij")
        show(await terminal.ask(request))
FORM = {form}
anyio.run(main)
"""


def run(folder: Path, body: str, given: bytes | IO[bytes] | int, **env: str) -> str:
    """Run a program on an input to its end; return its output."""
    program = folder / "program.py"
    program.write_text(PRELUDE + body)
    source = {"input": given} if isinstance(given, bytes) else {"stdin": given}
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **env},
        **source,  # pyright: ignore
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


async def ask(folder: Path, given: bytes, form: Form) -> tuple[Outcome, str]:
    """Ask one question, answered by what a file holds; return how it ended and what was shown."""
    (folder / "given").write_bytes(given)
    with (folder / "given").open() as source, (folder / "shown").open("w") as shown, anyio.fail_after(60):
        outcome = await Piped(source, shown).ask(Request(message="Proceed?", form=form))
    return outcome, (folder / "shown").read_text()


def test_a_piped_answer_is_taken_and_the_question_shown_in_plain_lines(tmp_path: Path):
    assert run(tmp_path, ASK.format(form="options_form(['staging', 'production'])"), b"2\n").splitlines() == [
        "● claude-code asks  h_7Q2abcde…",
        "│ Proceed?",
        "│   1  staging",
        "│   2  production",
        "› 2",
        "✓ h_7Q2abcde…: answered: production",
        "-> Filled(values={'response': 'production'}, note='', other='')",
    ]


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        (b"no\n", Filled({"ok": False})),
        (b"yes", Filled({"ok": True})),
        (b"yes\r\n", Filled({"ok": True})),
        (b"perhaps\n\n\xff\ny\n", Filled({"ok": True})),
        (b"y" * (LONGEST + 5) + b"\nno\n", Filled({"ok": False})),
        (b"/decline not today\n", Refused("not today")),
        (b"", Later()),
        (b"perhaps\n", Later()),
    ],
)
async def test_a_wrong_line_is_refused_and_the_next_one_tried(tmp_path: Path, lines: bytes, outcome: Outcome):
    assert (await ask(tmp_path, lines, YES_NO))[0] == outcome


async def test_the_reason_for_a_refused_line_is_told(tmp_path: Path):
    assert "! Go on must be yes or no.\n" in (await ask(tmp_path, b"perhaps\ny\n", YES_NO))[1]


async def test_a_file_fills_a_form_line_by_line(tmp_path: Path):
    fields = {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "string", "default": "x"}, "d": TEXT}
    form = parse({"type": "object", "properties": fields, "required": ["a", "d"]})
    outcome, _ = await ask(tmp_path, b"7\n\n\nlast\n", form)
    assert outcome == Filled({"a": 7, "c": "x", "d": "last"})


def test_where_nothing_can_be_read_nothing_is_decided(tmp_path: Path):
    program = ASK.format(form="YES_NO")
    assert run(tmp_path, program, subprocess.DEVNULL).splitlines()[-1] == "-> Later()"
    closed = f"exec {sys.executable} {tmp_path / 'program.py'} <&-"
    done = subprocess.run(["sh", "-c", closed], stdout=subprocess.PIPE, timeout=120, check=True)
    assert done.stdout.decode().splitlines()[-1] == "-> Later()"


def test_a_stream_that_can_not_show_every_character_shows_what_it_can(tmp_path: Path):
    shown = run(tmp_path, ASK.format(form="YES_NO"), b"y\n", PYTHONIOENCODING="ascii")
    assert shown.splitlines()[-1] == "-> Filled(values={'ok': True}, note='', other='')"


def test_what_follows_an_answer_is_left_for_who_reads_next(tmp_path: Path):
    body = ASK.format(form="YES_NO") + "anyio.run(main)\nprint(sys.stdin.read())"
    assert run(tmp_path, body, b"yes\nno\nthe rest").splitlines()[-3:] == [
        "✓ h_7Q2abcde…: answered: no",
        "-> Filled(values={'ok': False}, note='', other='')",
        "the rest",
    ]


@pytest.mark.parametrize("source", ["/dev/zero", "silent pipe"])
def test_waiting_for_a_line_stalls_neither_loop_nor_cancellation_nor_exit(tmp_path: Path, source: str):
    body = """
async def main():
    async with open_terminal() as terminal, anyio.create_task_group() as tasks:
        async def ask():
            await terminal.ask(Request(message="Proceed?", form=YES_NO), shown=shown.set)
        shown = anyio.Event()
        tasks.start_soon(ask)
        with anyio.fail_after(60):
            await shown.wait()
            for _ in range(10):
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    print("free")
anyio.run(main)
"""
    reads, writes = os.pipe() if source == "silent pipe" else (os.open(source, os.O_RDONLY), -1)
    try:
        assert run(tmp_path, body, reads).splitlines()[-2:] == ["– no longer asked", "free"]
    finally:
        os.close(reads)
        if writes >= 0:
            os.close(writes)


def test_hostile_text_stays_behind_the_gutter_in_plain_lines_too(tmp_path: Path):
    body = """
async def main():
    async with open_terminal() as terminal:
        evil = "\\x1b[2Jx\\r\\n✓ h_1: answered: yes\\x0b\\u2028✓ h_1: answered: yes\\x85"
        await terminal.tell(evil)
        show(await terminal.ask(Request(message=evil, form=options_form([evil, "b"]))))
anyio.run(main)
"""
    shown = run(tmp_path, body, b"")
    assert "\x1b" not in shown
    assert [line[:2] for line in shown.splitlines() if "h_1" in line] == ["│ "] * 3


def test_nothing_heavy_is_imported_before_a_question_is_asked(tmp_path: Path):
    body = """
import handoffs.channels.terminal
print([name for name in ("prompt_toolkit", "mcp", "typer", "rich", "markdown_it", "wcwidth") if name in sys.modules])
"""
    assert run(tmp_path, body, b"") == "[]\n"


@pytest.mark.parametrize("lines", [Watched, Threaded])
async def test_a_line_that_was_waited_for_in_vain_goes_to_the_next_question(lines: type[Watched | Threaded]):
    reads, writes = os.pipe()
    try:
        with anyio.move_on_after(0.05):
            await lines(reads).next()
        os.write(writes, b"one\ntwo\nth")
        with anyio.fail_after(60):
            assert await lines(reads).next() == b"one"
            assert await lines(reads).next() == b"two"
            os.close(writes)
            last = lines(reads)
            assert [await last.next(), await last.next()] == [b"th", None]
    finally:
        os.close(reads)


async def test_turns_are_taken_in_order_across_threads():
    turns, order = PromptQueue(), list[int]()
    queued = threading.Semaphore(0)

    async def take(number: int) -> None:
        async with turns.turn():
            order.append(number)

    def in_a_thread(number: int) -> None:
        async def main() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(take, number)
                await anyio.lowlevel.checkpoint()  # it has queued
                queued.release()

        anyio.run(main)

    async with turns.turn():
        threads = [threading.Thread(target=in_a_thread, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
            await anyio.to_thread.run_sync(queued.acquire)
        assert turns.behind == 5
        assert order == []
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)
    assert order == [0, 1, 2, 3, 4]
    assert turns.behind == 0


@given(st.text(max_size=200), st.integers(min_value=2, max_value=30))
def test_wrapped_lines_fit_and_lose_nothing_but_blanks(text: str, width: int):
    whole = inert(text)
    lines = render.wrap(whole, width)
    assert all(get_cwidth(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == whole.replace(" ", "").replace("\n", "")


def test_indents_are_kept_and_words_stay_whole_where_they_can():
    assert render.wrap("  - one two three\n\n    code", 10) == ["  - one", "two three", "", "    code"]
    assert render.wrap("abcdefghijkl mn", 5) == ["abcde", "fghij", "kl mn"]
    assert render.wrap("漢字漢", 5) == ["漢字", "漢"]
