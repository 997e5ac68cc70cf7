"""Handoffs: the moment an AI agent stops and asks a person, kept until the person has answered it.

`await handoffs.ask("Deploy 1.4?", options=["yes", "no"])` asks a person from a program; see `handoffs.client`.
"""

__version__ = "0.1.0"

_OF_THE_CLIENT = frozenset(
    ["ask", "ask_sync", "Outcome", "Status", "NotAnswered", "Declined", "Cancelled", "Expired", "Pending", "Unusable"]
)
"""The names of `handoffs.client` that are found here, too; `__init__.pyi` gives their types."""


def __getattr__(name: str) -> object:
    """Import what asks when a program asks: every start of a server imports this module."""
    if name not in _OF_THE_CLIENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("handoffs.client"), name)
