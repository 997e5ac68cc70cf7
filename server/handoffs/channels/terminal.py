"""Questions to the person at this process's terminal: one at a time, in order."""

import signal
from collections.abc import Callable

import anyio

from handoffs.core.errors import AlreadyEnded, AnswerRefused, NotTheirDecision, StoreError
from handoffs.core.model import Handoff
from handoffs.core.ports import Reply
from handoffs.terminal import Earlier, Filled, Interrupted, Later, Outcome, Refused, Request, Terminal
from handoffs.terminal.request import utc_now


class TerminalChannel:
    """Asks on a terminal. A question that the person puts off stays open elsewhere."""

    name = "terminal"

    def __init__(
        self,
        terminal: Terminal,
        *,
        by: str,
        on_interrupt: Callable[[], None] = lambda: signal.raise_signal(signal.SIGINT),
    ) -> None:
        """Ask on `terminal`.

        Args:
            terminal: A terminal that stays open while the channel is used.
            by: The name of the person who answers.
            on_interrupt: What Ctrl-C at a prompt does: the terminal sends no signal then. By default the process
                gets the signal. In both cases, no further question is shown.
        """
        self._terminal = terminal
        self._by = by
        self._on_interrupt = on_interrupt
        self._interrupted = False
        self._asking: set[anyio.CancelScope] = set()

    async def present(self, handoff: Handoff, reply: Reply) -> None:
        """Show the question until the person has answered it or put it off. See `ports.Channel`."""
        deciders = handoff.question.deciders
        if deciders is not None and self._by not in deciders.people:
            await anyio.sleep_forever()  # who has no vote is not asked; those who have find it in the inbox
        if handoff.question.breakout_of_loop:
            request = Request.of(handoff)
            await self._terminal.tell(
                f"{request.asker or 'An agent'} stopped, and leaves this to you:\n\n{request.message}"
            )
            await reply.reached()
            return
        if handoff.question.form.secret:
            await self._tell_where(handoff, reply)
            return
        before = await reply.earlier()
        earlier = None if before is None else Earlier.of(before, asked=self._by)
        problem: str | None = ""
        while problem is not None and not self._interrupted:
            request = Request.of(handoff, problem=problem, earlier=earlier, reader=self._by, now=utc_now())
            outcome = await self._ask(request, reply)
            if outcome is None:
                return
            if isinstance(outcome, Later):
                await reply.dismissed()
                return
            # Shielded: a given answer is handed in, and its result shown, even if the question ends elsewhere now.
            with anyio.CancelScope(shield=True):
                problem = await self._hand_in(outcome, reply)

    async def _tell_where(self, handoff: Handoff, reply: Reply) -> None:
        """Show once where a secret is typed: text typed on a terminal stays on the screen, and may be recorded."""
        request = Request.of(handoff)
        await self._terminal.tell(
            f"{request.asker or 'An agent'} asks for a secret. It is typed into the inbox, not here: `handoffs inbox` "
            f"opens it.\n\n{request.message}"
        )
        await reply.reached()
        await anyio.sleep_forever()  # until it ends: an agent that repeats the question must not fill the screen

    async def _hand_in(self, outcome: Filled | Refused, reply: Reply) -> str | None:
        """Record the person's decision. Returns what is wrong with it, or None if it is recorded."""
        try:
            if isinstance(outcome, Refused):
                await reply.decline(by=self._by, note=outcome.note)
            else:
                await reply.answer(outcome.values, by=self._by, note=outcome.note, other=outcome.other)
        except NotTheirDecision as refused:
            await self._terminal.tell(f"Nothing was recorded: {refused}.")
        except AnswerRefused as refused:
            return str(refused)
        except StoreError as away:
            # The screen shows the answer as given: it must not stay the last line.
            return f"That was not recorded. Nothing is decided: {away} Answer again."
        except AlreadyEnded as first:
            await self._terminal.tell(f"Too late. {first}")
        return None

    async def _ask(self, request: Request, reply: Reply) -> Outcome | None:
        """Ask, and return what the person did; None if the question ended first."""
        shown = anyio.Event()

        async def say_when_shown() -> None:
            await shown.wait()
            await reply.reached()

        outcome: Outcome | None = None
        async with anyio.create_task_group() as tasks:
            self._asking.add(tasks.cancel_scope)
            try:
                tasks.start_soon(say_when_shown)
                outcome = await self._terminal.ask(request, shown=shown.set)
            except Interrupted:
                self._interrupt()
            finally:
                self._asking.discard(tasks.cancel_scope)
            if not shown.is_set():
                tasks.cancel_scope.cancel()  # it ended before it was shown
        return outcome if shown.is_set() else None

    def _interrupt(self) -> None:
        self._interrupted = True
        for queued in self._asking:
            queued.cancel()  # so that none is shown while the process ends
        self._on_interrupt()
