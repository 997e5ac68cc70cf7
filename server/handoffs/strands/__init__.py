"""Handoffs for Strands agents: the client, the plugin, and responses. Extra `handoffs[strands]`."""

try:
    from handoffs.strands.client import HandoffClient
    from handoffs.strands.drop_in import handoff_to_user
    from handoffs.strands.plugin import HandoffPlugin
    from handoffs.strands.scripted import Said, ScriptedModel, last_result
    from handoffs.strands.tutorial import load_env, run, tutorial_model
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "strands":
        raise
    from handoffs.extras import command_to_add

    raise ModuleNotFoundError(
        f"Strands is not installed. It comes with an extra: {command_to_add('strands')}", name=missing.name
    ) from missing

from handoffs.strands.response import HandoffResponse, approved, format_handoff_summary, handoff_response

__all__ = [
    "HandoffClient",
    "HandoffPlugin",
    "HandoffResponse",
    "Said",
    "ScriptedModel",
    "approved",
    "format_handoff_summary",
    "handoff_response",
    "handoff_to_user",
    "last_result",
    "load_env",
    "run",
    "tutorial_model",
]
