"""The official SDK's `MCPServer` with two tools that ask nobody, over stdio, in both eras."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("plain", log_level="ERROR")


@server.tool()
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@server.tool(structured_output=False)
async def text(size: int) -> str:
    """Return so many characters."""
    return "x" * size


if __name__ == "__main__":
    server.run()
