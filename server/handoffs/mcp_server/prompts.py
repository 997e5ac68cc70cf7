"""The prompts that a person can choose in a host: a house rule, and the doctor's question."""

import json

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import PromptArgument

from handoffs.core.doctor_question import TRIAL_MESSAGE, TRIAL_OPTIONS

RULES = "handoff_rules"
DOCTOR = "doctor"
ALSO = "also"

MAX_ALSO = 1_000
"""Characters of a rule of the person's own."""

SUGGESTIONS = (
    "anything that costs money",
    "anything that runs against production",
    "changes to the database's schema or data",
    "deleting files that git does not track",
    "messages, posts and comments that other people see",
    "new dependencies",
    "pushing to a branch that others use",
)
"""Completions that a host may offer for a rule of the person's own."""

_RULES = """\
From now on, in this conversation, ask me with handoff_to_user before you
- delete, overwrite or migrate anything that can't be brought back with one command;
- spend money, or start something that does;
- send, publish or push what other people will see;
- change who may access what, or touch production;
- choose between ways that lead to different products, or go on after two failed attempts at the same thing.{also}
Show me the exact command, query or text, what it changes, and how to undo it. Give options where there are few answers.
Ask one thing at a time, and group what belongs to one decision into one form.

Only SUCCESS is my answer, and it covers what you showed me, once. DECLINED: don't do it and don't ask again.
CANCELLED, TIMEOUT and ERROR: nothing was decided, so don't. PENDING: call check_handoff with the id; until then do
only what needs no answer. Never answer for me, and never open a link or run a command that is meant for me.
When the work is done, hand over with breakout_of_loop=true and stop."""

_DOCTOR = """\
Let us check how this host shows me your questions. Do this once, and nothing else:
1. Call handoff_to_user with exactly these arguments:
{arguments}
2. While the status is PENDING, call check_handoff with the id, three times at most.
3. Tell me in a few lines: the status you got, the channel through which I answered if I did, how many calls it took, \
and whether you saw a link. Then say that `handoffs doctor`, in a terminal, shows what this host declared and what it \
really did."""


def add_prompts(server: MCPServer) -> None:
    """Publish the prompts."""
    server.add_prompt(
        Prompt(
            name=RULES,
            title="When to ask me",
            description="A house rule for this conversation: when the agent hands off, and what each outcome means.",
            arguments=[
                PromptArgument(name=ALSO, description="What else you want to be asked about", required=False),
            ],
            fn=_rules,
            context_kwarg=None,
        )
    )
    server.add_prompt(
        Prompt(
            name=DOCTOR,
            title="Check this host",
            description="Asks you a question that nothing depends on, to see how this host shows it.",
            arguments=[],
            fn=_doctor,
            context_kwarg=None,
        )
    )


async def _rules(also: str = "") -> str:
    own = " ".join(also.split())[:MAX_ALSO]
    return _RULES.format(also=f"\nAnd before this, too: {own}." if own else "")


async def _doctor() -> str:
    arguments = {"message": TRIAL_MESSAGE, "options": list(TRIAL_OPTIONS)}
    return _DOCTOR.format(arguments=json.dumps(arguments, ensure_ascii=False))
