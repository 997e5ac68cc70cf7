"""The gate inside a Strands agent: its own tools, and those of its MCP clients. Extra `handoffs[strands]`.

It is a package of its own, above `strands`: that is a client, and knows neither desk nor store, while the gate is what
asks, and works on the store itself.
"""

# First, since it says which extra is missing where Strands is not installed.
import handoffs.strands  # noqa: F401  # pyright: ignore[reportUnusedImport]
from handoffs.strands_gate.plugin import HandoffGate

__all__ = ["HandoffGate"]
