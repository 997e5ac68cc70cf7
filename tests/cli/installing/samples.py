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

CLAUDE_HTTP = """{
  "mcpServers": {
    "docs": {
      "type": "http",
      "url": "https://docs.example.com/mcp",
      "headers": {
        "Authorization": "Bearer ${DOCS_TOKEN:-none}",
        "X-Te\\u0061m": "sk-s\\u0065cret", "Accept": "application/json, text/event-stream"
      },
      "timeout": 60000
    },
    "old": {"type": "sse", "url": "https://old.example.com/sse"},
    "own": {"type":"streamable-http","url":"http://127.0.0.1:8000/mcp", "headers":{"X-Key":"sk-secret"}}
  }
}
"""

VSCODE_HTTP = """{
\t"inputs": [{ "type": "promptString", "id": "key", "password": true }],
\t"servers": {
\t\t"docs": { // mine
\t\t\t"headers": { "X-Key": "${input:key}", /* "X-Old": "sk-secret", */ "X-B": "Bearer ${env:B}", },
\t\t\t"type": "http", "url": "https://docs.example.com/mcp", // where
\t\t},
\t\t"plain": {"url": "https://plain.example.com"},
\t}
}"""

CODEX_HTTP = """[mcp_servers.docs] # mine
url = "https://docs.example.com/mcp"
bearer_token_env_var = 'DOCS_TOKEN'
# how long
tool_timeout_sec = 60

[mcp_servers.docs.http_headers]
X-Key = 'sk-secret' # of ada

[mcp_servers.docs.env_http_headers]
"X-Team" = "TEAM"

[mcp_servers.docs.tools.search]
approval_mode = "approve"

# not mine
[mcp_servers.plain]
url = "https://plain.example.com"
scopes = ["read"]"""

CODEX_HTTP_INLINE = """[mcp_servers]
docs = { url = "https://docs.example.com/mcp", http_headers = { "X-Key" = 'sk-secret' } } # mine
  b.url = "https://b.example.com/"
  b."http_headers".X-Key = "sk-secret"
'c d'.url = "https://c.example.com/"
"""

GOOSE_HTTP = """extensions:
  docs:
    enabled: true # mine
    type: streamable_http
    name: docs
    uri: https://docs.example.com/mcp # where
    envs: {}
    env_keys: []
    headers:
      Authorization: Bearer sk-secret
      'X-Key': "sk-secret" # ada's
    description: |
      Searches.

      Slowly.
    timeout: 300
    bundled: null
  old:
    type: sse
    uri: https://old.example.com/sse

  plain:
      uri: "https://plain.example.com"
      type: streamable_http
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

HTTP: dict[str, list[str]] = {
    "claude-code": [CLAUDE_HTTP, CLAUDE_HTTP.replace("\n", "\r\n")],
    "vscode": [VSCODE_HTTP, VSCODE_HTTP.replace("\n", "\r\n")],
    "vscode-insiders": [VSCODE_HTTP],
    "cursor": [
        '{"mcpServers": {"a": {"url": "https://x/mcp", "headers": {"X-Key": "sk-secret"}}, "b": {"command": "c"}}}',
        '{\n  "mcpServers": {"a": {"url": "https://x/mcp", "headers":\n  {"X-Key": "a sk-secret",} // mine\n}}}\n',
    ],
    "codex": [
        CODEX_HTTP, CODEX_HTTP + "\n", CODEX_HTTP.replace("\n", "\r\n"), CODEX_HTTP_INLINE,
        CODEX_HTTP_INLINE.replace("\n", "\r\n"),
    ],
    "gemini": ['{"mcpServers": {"a": {"httpUrl": "https://x/mcp", "headers": {"X-Key": "$KEY"}, "trust": true},},}'],
    "goose": [
        GOOSE_HTTP, GOOSE_HTTP.replace("\n", "\r\n"), GOOSE_HTTP.removesuffix("# the end\nOTHER: 'yes'\n"),
        "extensions: {a: {type: streamable_http, uri: https://x/mcp, headers: {X-Key: sk-secret}, envs: {B: c}}} # x",
    ],
    "windsurf": ['{"mcpServers": {"a": {"serverUrl": "https://x/", "headers": {"X": "sk-secret"}, "disabled": true}}}'],
    "zed": ['// Zed\n{\n  "context_servers": {\n    "a": {\n      "url": "https://x/mcp", // mine\n'
            '      "headers": {"Authorization": "Bearer sk-secret"}\n    }\n  }\n}\n'],
}  # fmt: skip
"""Configurations with servers over HTTP, of the hosts that have any."""
