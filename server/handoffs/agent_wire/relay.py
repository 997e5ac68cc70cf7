"""Passes the lines between an editor and its agent, and has what the agent asks decided at the desk, too.

Every line passes byte for byte, in order, but these:

- A request that is a question waits for the desk to say whether the editor may be asked as well, while what follows it
  passes. The desk says so once the question is there, or after `PATIENCE_SECONDS` where only rules could forbid it.
- Where the desk answers first, the agent gets the reply, and the editor is told that the request is over. What it says
  to that request later is dropped.
- What the editor answers passes as it is, and the question at the desk is withdrawn.

A question at the desk ends with its turn, with its agent, and with its editor.
"""

import contextlib
import sys
from collections.abc import Coroutine, Iterator
from typing import Any, Final, Protocol

import anyio
from anyio.abc import TaskGroup

from handoffs.agent_wire.asked import Asked, Begun, Ended, Heard, Table, TakenBack
from handoffs.gate.relay.lifetime import end_output, may_receive_signals, stop_on_signal
from handoffs.gate.relay.lines import Lines, Piece
from handoffs.gate.relay.outlet import Outlet
from handoffs.gate.relay.outline import outline
from handoffs.gate.relay.process import Behind
from handoffs.wire import Wire

PATIENCE_SECONDS: Final = 2.0
"""How long the editor's dialog waits for the store: a permission that is remembered makes it unnecessary."""

IN_EDITOR: Final = "It was decided in the editor."
TURN_OVER: Final = "The agent's turn is over, or was cancelled."
TAKEN_BACK: Final = "The agent took it back."
EDITOR_GONE: Final = "The editor has ended."
AGENT_GONE: Final = "The agent has ended."
"""The notes with which a question is withdrawn."""


class Question:
    """One request of the agent that has no answer yet."""

    def __init__(self, asked: Asked, line: bytes, *, alone: bool) -> None:
        """Take the request as it came; `alone` has only the desk answer it."""
        self.asked, self.line = asked, line
        self.alone = alone
        """Whether the editor must not be asked. What answers at the desk may set it, before it lets the editor ask."""
        self.note = AGENT_GONE
        """Why it is withdrawn at the desk, once it is."""
        self.passed = False
        """Whether the editor has it."""
        self.scope = anyio.CancelScope()
        self._let = anyio.Event()

    def let_editor(self) -> None:
        """Let the editor ask as well, unless the desk is `alone`."""
        if not self.alone:
            self._let.set()

    async def until_let(self) -> None:
        """Return when the editor may ask."""
        await self._let.wait()

    def withdraw(self, note: str) -> None:
        """Stop asking at the desk."""
        self.note = note
        self.scope.cancel()


class Answers(Protocol):
    """What answers at the desk."""

    def expect(self) -> None:
        """Hear that a question may follow."""
        ...

    async def answer(self, question: Question) -> str | None:
        """Return the result of a request; None where the desk decides nothing. Before, it may let the editor ask, too.

        When it is cancelled, what was asked is withdrawn with the question's note.
        """
        ...


class AgentRelay:
    """One editor, one agent."""

    def __init__(self, front: Wire, behind: Behind, table: Table, answers: Answers, *, desk_only: bool = False) -> None:
        """Take the editor's wire, the agent, and what answers. With `desk_only` the editor is asked nothing."""
        self._front, self._behind, self._table, self._answers = front, behind, table, answers
        self._desk_only = desk_only
        self._to_editor, self._to_agent = Outlet(front), Outlet(behind)
        self._up, self._down = Lines(frames=False), Lines(frames=False)
        self._open: dict[str, Question] = {}
        self._late: set[str] = set()  # requests that the editor has, and the desk has answered
        self._tasks: TaskGroup | None = None

    async def run(self) -> int:
        """Relay until the agent has ended; return its exit code."""
        try:
            async with anyio.create_task_group() as self._tasks:
                if may_receive_signals():
                    self._tasks.start_soon(stop_on_signal, self._behind, self._withdraw_all)
                output = anyio.CancelScope()
                self._tasks.start_soon(end_output, self._behind, output)
                self._tasks.start_soon(self._from_editor)
                with output, contextlib.suppress(anyio.ClosedResourceError):
                    await self._behind.feed(self._take_down)
                await self._finish()
                self._tasks.cancel_scope.cancel()
        finally:
            self._behind.close()
        return self._behind.exit_code or 0

    # From the editor

    async def _from_editor(self) -> None:
        with contextlib.suppress(anyio.ClosedResourceError):
            await self._front.feed(lambda chunk: self._pass(self._up.take(chunk), self._seen_up, self._to_agent))
            if (rest := self._pass(self._up.end(), self._seen_up, self._to_agent)) is not None:
                await rest
        self._withdraw_all(EDITOR_GONE)
        await self._behind.stop()

    def _seen_up(self, piece: Piece) -> bytes | None:
        """Return what is passed on of a line of the editor's; None for an answer that comes too late."""
        if (self._open or self._late) and (found := outline(piece.body)) is not None and found.is_response:
            if found.id in self._late:
                self._late.discard(found.id)
                return None
            if (question := self._open.get(found.id)) is not None:
                if not question.passed:  # it was not asked
                    return None
                del self._open[found.id]
                question.withdraw(IN_EDITOR)
                return piece.raw
        match self._table.from_editor(piece.body):
            case Ended(session):
                self._end(session)
            case Begun():
                self._answers.expect()
            case _:
                pass
        return piece.raw

    # From the agent

    def _take_down(self, chunk: bytes) -> Coroutine[Any, Any, None] | None:
        return self._pass(self._down.take(chunk), self._seen_down, self._to_editor)

    def _seen_down(self, piece: Piece) -> bytes | None:
        """Return what is passed on at once of a line of the agent's."""
        heard: Heard | None = self._table.from_agent(piece.body)
        match heard:
            case Asked():
                return self._ask(heard, piece.raw)
            case Ended(session):
                self._end(session)
            case TakenBack(name, answered):
                return self._take_back(name, piece.raw, answered=answered)
            case _:
                pass
        return piece.raw

    def _ask(self, asked: Asked, line: bytes) -> bytes | None:
        # While the editor may still answer an earlier request of this id, its answer would be taken for one to this.
        alone = self._desk_only or asked.id in self._late
        if asked.unfit or asked.id in self._open:
            why = asked.unfit or "another request with its id is open"
            say(f"A request of the agent is {'refused' if alone else 'left to the editor'}: {why}.")
            if alone:
                self._send(self._table.reply(asked.id, asked.refused))
            return None if alone else line
        question = self._open[asked.id] = Question(asked, line, alone=alone)
        assert self._tasks is not None
        self._tasks.start_soon(self._decide, question)
        return None

    def _take_back(self, name: str, line: bytes, *, answered: bool) -> bytes | None:
        question = self._open.get(name)
        if question is None:
            return line
        question.withdraw(IN_EDITOR if answered else TAKEN_BACK)
        if question.passed and not answered:
            return line  # the editor answers
        del self._open[name]
        if not answered:
            self._send(self._table.reply(name, question.asked.stopped))
        return line if question.passed else None

    def _end(self, session: str) -> None:
        """Withdraw what is asked in a session. What the editor has, it answers by itself."""
        for question in [each for each in self._open.values() if each.asked.session == session]:
            question.withdraw(TURN_OVER)
            if not question.passed:
                del self._open[question.asked.id]
                self._send(self._table.reply(question.asked.id, question.asked.stopped))

    # Deciding

    async def _decide(self, question: Question) -> None:
        result: str | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pass_when_let, question)
            with question.scope:
                try:
                    result = await self._answers.answer(question)
                except Exception as broken:  # noqa: BLE001 - whatever fails at the desk, the relay goes on for the rest
                    say(f"The desk could not be asked ({type(broken).__name__}).")
            tasks.cancel_scope.cancel()
        if self._open.get(question.asked.id) is not question or question.scope.cancel_called:
            return
        if result is not None:
            self._settle(question, result)
        elif question.alone:
            self._settle(question, question.asked.refused)
        elif not question.passed:
            self._pass_on(question)

    def _settle(self, question: Question, result: str) -> None:
        name = question.asked.id
        del self._open[name]
        self._send(self._table.reply(name, result))
        if question.passed:
            self._late.add(name)
            if (line := self._table.withdrawal(name)) is not None:
                self._send(line, to_editor=True)

    async def _pass_when_let(self, question: Question) -> None:
        await question.until_let()
        if self._open.get(question.asked.id) is question and not question.passed:
            self._pass_on(question)

    def _pass_on(self, question: Question) -> None:
        question.passed = True
        self._send(question.line, to_editor=True)

    def _withdraw_all(self, note: str = EDITOR_GONE) -> None:
        for question in self._open.values():
            question.withdraw(note)
        self._open.clear()

    # Writing

    def _pass(self, pieces: Iterator[Piece], seen: Any, outlet: Outlet) -> Coroutine[Any, Any, None] | None:
        """Pass on what can be without waiting; return the rest."""
        passing = [line for piece in pieces if (line := seen(piece)) is not None]
        return outlet.now(b"".join(passing)) if passing else None

    def _send(self, line: bytes, *, to_editor: bool = False) -> None:
        assert self._tasks is not None
        self._tasks.start_soon(_written, self._to_editor if to_editor else self._to_agent, line)

    async def _finish(self) -> None:
        self._withdraw_all(AGENT_GONE)
        with contextlib.suppress(anyio.ClosedResourceError):
            if (rest := self._take_down(self._behind.rest())) is not None:
                await rest
            if (rest := self._pass(self._down.end(), self._seen_down, self._to_editor)) is not None:
                await rest
        if self._behind.exit_code is None:
            await self._behind.stop()


async def _written(outlet: Outlet, line: bytes) -> None:
    with contextlib.suppress(anyio.ClosedResourceError, OSError):  # nobody reads any more
        await outlet.write(line, on_new_line=True)


def say(line: str) -> None:
    """Say something in the editor's log of the agent."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"handoffs: {line}", file=sys.stderr, flush=True)  # noqa: T201
