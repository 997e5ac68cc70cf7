"""The calls of one tool, from the agent's loop to the gate's thread and back."""

import itertools
import secrets

from strands.types.agent import LocalAgent
from strands.types.tools import AgentTool

from handoffs.strands_gate.background import Background
from handoffs.strands_gate.definitions import listed, name_of, source_of
from handoffs.strands_gate.session import Parts, Session
from handoffs.strands_gate.wire import AgentCall, Refused, Run

_numbers, _program = itertools.count(1), secrets.token_hex(6)


class Calls:
    """Holds the calls of one tool."""

    def __init__(
        self, background: Background[Parts], session: Session, agent: LocalAgent, tool: AgentTool, *, own: str
    ) -> None:
        """Take the gate's thread, the agent's session, and the tool; `own` is what Python tools are tools of."""
        self._background, self._session, self._agent, self._tool = background, session, agent, tool
        self._source = source_of(tool, own)

    def made(self, use_id: str, arguments: str) -> AgentCall:
        """Return a call of this tool, which goes on where an earlier one of the same tool use wants input."""
        return AgentCall(
            id=f"{_program}-{next(_numbers)}",
            tool=name_of(self._tool),
            arguments=arguments,
            tools=listed(self._agent, self._tool, self._source),
            state=self._session.states.pop(use_id, ""),
        )

    async def decide(self, call: AgentCall) -> Run | Refused:
        """Return what becomes of a call, once that is decided. Who cancels this gives the call up."""

        async def decided(parts: Parts) -> Run | Refused:
            wire = await self._session.wire(parts, self._source)
            return await wire.decide(call)

        return await self._background.run(decided)

    def given_up(self, call: AgentCall) -> None:
        """Note that the agent waits for a call no more."""

        def note(_: Parts) -> None:
            if (wire := self._session.begun(self._source)) is not None:
                wire.given_up(call)

        self._background.soon(note)

    async def finished(self, call: AgentCall, *, is_error: bool) -> list[str]:
        """Note that a call has a result; return what its agent is told before it."""

        def note(_: Parts) -> list[str]:
            wire = self._session.begun(self._source)
            return [] if wire is None else wire.finished(call, is_error=is_error)

        return await self._background.call(note)

    async def cut_off(self, call: AgentCall, reason: str) -> list[str]:
        """Note that a call may have run, and that its result will never come; return what its agent is told."""

        def note(_: Parts) -> list[str]:
            wire = self._session.begun(self._source)
            return [] if wire is None else wire.cut_off(call, reason)

        return await self._background.call(note)

    async def interrupted(self, call: AgentCall, use_id: str) -> None:
        """Note that the tool wants input before it goes on: its next call, of the same tool use, is this one."""

        def note(_: Parts) -> None:
            wire = self._session.begun(self._source)
            if wire is not None and (state := wire.interrupted(call)):
                self._session.states[use_id] = state

        await self._background.call(note)
