"""Claude Desktop."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="Claude Desktop",
    install=("claude-desktop",),
    stdio=Patience(quiet=200, dialog=45),
    source="300 s documented (D), about 240 s seen (claude-code#65643, #44032); no forms (claude-ai-mcp#153);"
    " a build that declared forms and never showed them gave up after 60 s (claude-code#88901)",
)
