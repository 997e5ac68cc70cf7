"""A program with the Python SDK of MCP."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="a program with the Python SDK of MCP",
    kind=Kind.LIBRARY,
    # The shortest time of all that carry the name and have no dialog. Those with a dialog set no limit by themselves.
    stdio=Patience(quiet=4, dialog=45),
    task=True,
    gives_up=True,
    source="autogen-ext 0.7.5 and openai-agents 0.24 5 s, llama-index-tools-mcp 0.6, mcp-haystack 2.1.1 and crewai"
    " 1.15.30 30 s, LiteLLM 1.108.7 and ContextForge 1.0.7 60 s (T); langchain-mcp-adapters 0.3.2,"
    " semantic-kernel, smolagents none (T); tasks: Strands without an `application_name` (C)",
)
