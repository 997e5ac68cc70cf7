"""`HandoffGate`: holds an agent's tools until a person, or a rule, has allowed exactly that call.

It is a plugin, and an intervention, too. Either way the decision is made where the tool runs, and not in
`before_tool_call`: hooks of a higher order, later interventions and middlewares change a call after that, take back a
denial, or run the tool twice.
"""

import os
import weakref
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from strands.hooks import AgentInitializedEvent, BeforeInvocationEvent, BeforeToolCallEvent, HookOrder
from strands.interventions import InterventionHandler, OnError, Proceed
from strands.middleware import ExecuteToolContext, ExecuteToolStage
from strands.plugins import Plugin

from handoffs import env_file
from handoffs.serving.gate import Options, policy_of
from handoffs.settings import PREFIX, SettingsError, read_settings
from handoffs.strands.interrupts import listen_for_ctrl_c
from handoffs.strands_gate.background import Background
from handoffs.strands_gate.calls import Calls
from handoffs.strands_gate.definitions import needs_no_permission
from handoffs.strands_gate.held_tool import HeldTool
from handoffs.strands_gate.session import Parts, Session, opened

if TYPE_CHECKING:
    from strands import Agent
    from strands.middleware import MiddlewareNext, TypedEvent

OWN = "strands"
"""What an agent's own Python tools are tools of, for rules and people."""


class HandoffGate(Plugin, InterventionHandler):
    """Holds the tools of an agent: `Agent(plugins=[HandoffGate(allow=["read_*"])])`.

    `Agent(interventions=[HandoffGate(…), …])` does the same; put it first, since one that denies ends the list.

    It holds the agent's own Python tools and those of its MCP clients, also when the program calls them
    (`agent.tool.…`). It asks as `handoffs gate` does: with its settings, store, policy, permissions, pins and words.
    The person answers in this program's terminal, in the inbox, or in a shell. The call waits until then.

    A tool that only asks a person (`handoff_to_user` of a `HandoffClient` that starts its own server) is not held, and
    neither is the one by which Strands gets structured output.
    """

    def __init__(
        self,
        *,
        ask: Sequence[str] = (),
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
        trust_hints: bool = False,
        policy: Path | str | None = None,
        server: str = OWN,
    ) -> None:
        """Read rules and settings; nothing else is started before a tool is called.

        Args:
            ask: Globs over the names of tools that are asked about.
            allow: Globs over the names of tools that run at once.
            deny: Globs over the names of tools that never run. Of several globs that match, the strictest decides.
            trust_hints: Allow the tools that call themselves read-only, where no glob matches.
            policy: A policy file in place of these. Without both, `gate.toml` in the folder of the configuration counts
                where it is there; else every call is asked about.
            server: What the agent's own Python tools are tools of, for rules, people and permissions. Tools of an MCP
                client are those of the server, by the name that it says itself.

        Raises:
            ValueError: Both rules and a policy are given.
            SettingsError: The policy, or a setting, can't be used.
        """
        super().__init__()
        if policy is not None and (ask or allow or deny or trust_hints):
            raise ValueError("Give policy, or ask, allow, deny and trust_hints, not both: a policy says it, too.")
        options = Options(
            policy=None if policy is None else Path(policy), ask=ask, allow=allow, deny=deny, trust_hints=trust_hints
        )
        self._policy = policy_of(options)
        _refuse_loaded(os.environ)
        self._settings = read_settings()
        self._server, self._project = server, str(Path.cwd())
        self._background: Background[Parts] = Background(partial(opened, self._settings))
        self._standing: weakref.WeakSet[Agent] = weakref.WeakSet()
        listen_for_ctrl_c()

    @property
    def name(self) -> str:
        """The name, as a plugin and as an intervention."""
        return "handoffs-gate"

    @property
    def on_error(self) -> OnError:
        """As an intervention, an error of its own denies the call."""
        return "deny"

    def init_agent(self, agent: "Agent") -> None:
        """As a plugin: stand before the tools of an agent."""

        def stand(event: AgentInitializedEvent) -> None:
            self._stand(event.agent)

        # Last of those that Strands and its plugins add: they see the tool itself, and the gate what they make of it.
        agent.add_hook(stand, AgentInitializedEvent, order=HookOrder.SDK_LAST)

    def before_invocation(self, event: BeforeInvocationEvent, **kwargs: Any) -> Proceed:
        """As an intervention: stand before the tools of the agent. Nothing is decided here."""
        self._stand(event.agent)
        return Proceed()

    def before_tool_call(self, event: BeforeToolCallEvent, **kwargs: Any) -> Proceed:
        """As an intervention: stand before the tools, also for a call that the program makes itself."""
        self._stand(event.agent)
        return Proceed()

    def _stand(self, agent: "Agent") -> None:
        """Stand before the tools of an agent, once."""
        if agent in self._standing:
            return
        session = Session(self._settings, self._policy, project=self._project)
        agent.add_middleware(ExecuteToolStage, partial(self._stand_before, session))
        weakref.finalize(agent, self._background.soon, session.end).atexit = False
        self._standing.add(agent)

    def close(self) -> None:
        """End what it has started. What is held is not run, and its question stays open.

        The end of the program does so, too.
        """
        self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _stand_before(
        self, session: Session, context: ExecuteToolContext, then: "MiddlewareNext[ExecuteToolContext, TypedEvent]"
    ) -> "AsyncGenerator[TypedEvent]":
        tool = context.tool
        if tool is not None and not needs_no_permission(tool):
            calls = Calls(self._background, session, context.agent, tool, own=self._server)
            context = context.replace(tool=HeldTool(tool, context, calls))
        async for event in then(context):
            yield event


def _refuse_loaded(environ: Mapping[str, str]) -> None:
    """Raise SettingsError where a `.env` has set what decides where questions go, and who may answer them."""
    kept = env_file.without_loaded(environ)
    if names := sorted(name for name in environ if name.upper().startswith(PREFIX) and name not in kept):
        raise SettingsError(
            f"A .env file has set {', '.join(names)}, which it may not: its author need not be the person who is "
            "asked. Set it in the environment, or in the configuration."
        )
