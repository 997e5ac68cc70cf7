"""Configurations as people have them: odd formatting, comments where the host allows them, neighbours with secrets."""

from handoffs.cli.installing.launching import Launch

LAUNCH = Launch("/opt/tools/bin/handoffs")

CLAUDE = """{
  "numStartups": 34,
  "projects": {"/home/ada/shop": {"allowedTools": [], "mcpServers": {}}},
  "mcpServers": {
    "github": {
      "type": "stdio",
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github"],
      "env": {"GITHUB_TOKEN": "ghp_secret"}
    }
  },
  "oauth": {"emoji": "\\ud83d\\ude00", "empty": {}, "n": -1.5e3}
}
"""

VSCODE = """// my servers
{
\t"inputs": [
\t\t{ "type": "promptString", "id": "key", "password": true, },
\t],
\t"servers": {
\t\t"fetch": { "type": "stdio", "command": "uvx", "args": ["mcp-server-fetch"] }, // "handoffs": {}
\t\t/* "old": {
\t\t\t"command": "gone"
\t\t}, */
\t},
}"""

ZED = """// Zed settings
//
// {"context_servers": {}} is not here yet
{
  "theme": "One Dark", // "a // comment"
  "url": "https://example.org/*not a comment*/",
  "buffer_font_size": 15,

  /* keys */
  "vim_mode": true // no comma behind the last
}
"""

CODEX = '''model = "gpt-5" # mine
notes = """
[mcp_servers.handoffs]
command = "not a table, a text"
"""

[mcp_servers.docs]
command = "npx"
args = [
  "-y",  # quiet
  "docs-mcp",
]

[mcp_servers.docs.env]
KEY = "sk-secret"

# trust
[projects."/home/ada/shop"]
trust_level = "trusted"'''

GOOSE = """GOOSE_PROVIDER: openai   # which
GOOSE_MODEL: gpt-5
extensions:
  # mine
  developer:
    bundled: true
    enabled: true
    name: developer
    timeout: 300
    type: builtin
  fetch:
    type: stdio
    cmd: uvx
    args:
    - mcp-server-fetch
    envs: {}
    description: |
      Fetches.

      Slowly.
# the end
OTHER: 'yes'
"""

EVERY: dict[str, list[str]] = {
    "claude-desktop": ["{}", '{"mcpServers": {}}\n', CLAUDE, '{"shortcut":"","mcpServers":{"a":{"command":"b"}}}'],
    "claude-code": [CLAUDE, CLAUDE.replace("\n", "\r\n"), '{\n    "mcpServers": {\n    }\n}\n', "{ }"],
    "vscode": [VSCODE, VSCODE.replace("\n", "\r\n"), '{\n\t"servers": {\n\t\t// none yet\n\t}\n}\n'],
    "vscode-insiders": [VSCODE],
    "cursor": ['{\n  "mcpServers": {\n    "a": {"url": "https://x"}, "b": {"command": "c"}\n  }\n}\n', "\t{\n}\n"],
    "codex": [CODEX, CODEX + "\n", CODEX.replace("\n", "\r\n"), "# nothing yet\n", "", "x = 1\n\n\n"],
    "gemini": [ZED, '{"theme": "Dracula", "mcpServers": {"git": {"command": "uvx"},},}'],
    "goose": [
        GOOSE, GOOSE.replace("\n", "\r\n"), GOOSE.removesuffix("# the end\nOTHER: 'yes'\n"), "a: 1",
        "extensions: {}\nb: 2\n",
        "extensions: {developer: {enabled: true}} # inline\n", "extensions:\n    a:\n        enabled: true",
    ],
    "windsurf": ['{"mcpServers": {"a": {"command": "b", "disabled": true}}}', '{\n  "mcpServers": {}\n}'],
    "zed": [ZED, ZED.replace("\n", "\r\n"), '{\n  "context_servers": {"x": {"command": "y"}}, // one line\n}\n'],
}  # fmt: skip
