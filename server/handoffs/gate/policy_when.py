"""What the expressions of a rule see of a call: its arguments, its tool, and who calls."""

from handoffs.gate.policy_model import Call
from handoffs.policy_text.expressions import Facts, Language

CALLS = Language(
    maps=("args", "tool"),
    words=("caller",),
    allowed=(
        "an expression in CEL that gives true or false, over args, tool (name, title, annotations, listed) and caller"
        " (client, project, subject)"
    ),
)


def facts_of(call: Call) -> Facts:
    """Return what expressions see of a call.

    Raises:
        NotEvaluated: The arguments can't be shown to an expression.
    """
    tool: dict[str, object] = {
        "name": call.tool,
        "title": call.title,
        "annotations": dict(call.annotations),
        "listed": call.listed,
    }
    caller = {"client": "", "project": "", "subject": "", **call.caller}
    return CALLS.facts({"args": dict(call.arguments), "tool": tool, "caller": caller})
