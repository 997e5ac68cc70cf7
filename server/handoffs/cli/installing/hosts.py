"""The table of hosts: the file of its MCP servers, the format of an entry, and its time-out for a call.

Sources: `D` the host's documents, `C` its code, `T` tried in November 2026. Hosts change; a wrong fact is corrected in
its row only. The forms over HTTP (D): code.claude.com/docs/en/mcp, cursor.com/docs/context/mcp,
code.visualstudio.com/docs/copilot/reference/mcp-configuration, developers.openai.com/codex/mcp, gemini-cli
docs/tools/mcp-server.md, goose documentation guides/config-files, docs.windsurf.com, zed.dev/docs/ai/mcp. In those that
resolve references to variables, headers and `env` have the same (D); Codex gives a started server those of its own
variables that `env_vars` names (D); Gemini CLI calls `url` over SSE (D). The keys that approve calls: codex#17843 (C),
gemini-cli docs/tools/mcp-server.md (D); no other host documents one for an entry (D).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from handoffs.console import UsageError

Format = Literal["json", "jsonc", "toml", "yaml"]
"""`json` is plain JSON; `jsonc` may have comments and commas after the last item."""

NAME = "handoffs"
"""The name of our entry, in every host."""

_DAY = 86_400
_HOUR = 3_600


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """The key of an entry that says how long the host lets a call take."""

    key: str
    per_second: int
    """Its unit: 1 for seconds, 1000 for milliseconds."""
    unset: float
    """The host's limit in seconds without the key."""
    wanted: int
    """The limit in seconds that we set. A higher one is not changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Http:
    """The format of an entry for a server over HTTP."""

    url: str = "url"
    """The key of the address."""
    headers: str = "headers"
    """The key of the headers to send."""
    fixed: Mapping[str, object] = field(default_factory=dict[str, object])
    """What else an entry has."""
    reference: str | None = None
    """The reference to a variable in a header, with `{}` for its name; None if the host has none."""
    variable: str | None = None
    """The key of the entry that names the variable of a bearer token; None if the host has none."""
    variables: str | None = None
    """The key of headers whose values are names of variables; None if the host has none."""
    passed: str | None = None
    """The key of the variables that a started server gets from the host's own; None if the host has none."""
    resolves: bool | None = False
    """Whether references to variables mean the same in headers and in a started server's variables; None if nobody has
    looked."""
    also: tuple[str, ...] = ()
    """Other keys of the address that it reads."""
    sse: tuple[str, ...] = ()
    """Keys of an address that it calls over SSE where no `type` says `http`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """One host."""

    name: str
    """The name on the command line."""
    title: str
    """The name for people."""
    aliases: tuple[str, ...] = ()
    linux: str
    """The person's own file: below `~`, below `$CONFIG` (XDG's) or `$APPDATA` (Windows)."""
    macos: str
    windows: str
    moved: tuple[str, str] | None = None
    """A variable that names another folder, and the file in it."""
    project: str | None = None
    """The file of one project, from its folder."""
    format: Format
    servers: str
    """The key that holds the servers."""
    command: str = "command"
    """The key of the program."""
    fixed: Mapping[str, object] = field(default_factory=dict[str, object])
    """What else an entry has; where a person changed it, theirs stays."""
    limit: Limit | None = None
    environment: str = "env"
    """The key of the variables that a started server has."""
    http: Http | None = None
    """None if its file has no servers over HTTP."""
    programs: tuple[str, ...] = ()
    """The names of its program on a PATH."""
    approves: tuple[str, ...] = ()
    """Keys of an entry by which the host lets calls of that server run without a question of its own."""
    dialog: bool = True
    """Whether it has a dialog for questions."""
    patience: str
    """How long it waits, as text for a person."""
    then: str
    """The next step, as text for a person."""
    source: str

    def file(self, environ: Mapping[str, str], platform: str, *, project: Path | None = None) -> Path:
        """Return the file that this host reads, which may not exist.

        Args:
            environ: The environment, such as `os.environ`.
            platform: As `sys.platform` has it.
            project: A project's folder; None for the person's own file.

        Raises:
            UsageError: It has no file for projects, or the home folder is not known.
        """
        if project is not None:
            if self.project is None:
                raise UsageError(f"{self.title} has no file for a project. Leave out --project.")
            return project / self.project
        if self.moved is not None and _is_folder(folder := environ.get(self.moved[0], "")):
            return Path(folder) / self.moved[1]
        windows = platform == "win32"
        home = environ.get("USERPROFILE" if windows else "HOME", "")
        if not _is_folder(home):
            raise UsageError("Your home folder is not known: set HOME.")
        where = self.windows if windows else self.macos if platform == "darwin" else self.linux
        base, _, rest = where.partition("/")
        match base:
            case "$CONFIG":
                xdg = environ.get("XDG_CONFIG_HOME", "")
                return (Path(xdg) if _is_folder(xdg) else Path(home) / ".config") / rest
            case "$APPDATA":
                roaming = environ.get("APPDATA", "")
                return (Path(roaming) if _is_folder(roaming) else Path(home) / "AppData" / "Roaming") / rest
            case _:
                return Path(home) / rest


def _is_folder(written: str) -> bool:
    # XDG: a relative path is to be ignored. It would mean another folder in every shell.
    return bool(written) and Path(written).is_absolute()


_EDITOR_THEN = "Start the server in {}'s MCP view, or start {} again."

HOSTS: tuple[Host, ...] = (
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        aliases=("claudedesktop",),
        linux="$CONFIG/Claude/claude_desktop_config.json",
        macos="~/Library/Application Support/Claude/claude_desktop_config.json",
        windows="$APPDATA/Claude/claude_desktop_config.json",
        format="json",
        servers="mcpServers",
        programs=("claude-desktop",),
        dialog=False,
        patience="It gives a call about 4 minutes, which can't be set.",
        then="Quit Claude Desktop wholly and start it again.",
        source="modelcontextprotocol.io, connect to local servers (D); there is no official build for Linux, those that"
        " there are use this path; 300 s documented, about 240 s seen (claude-code#65643, #44032)",
    ),
    Host(
        name="claude-code",
        title="Claude Code",
        aliases=("claude", "claudecode"),
        linux="~/.claude.json",
        macos="~/.claude.json",
        windows="~/.claude.json",
        moved=("CLAUDE_CONFIG_DIR", ".claude.json"),
        project=".mcp.json",
        format="json",
        servers="mcpServers",
        fixed={"type": "stdio"},
        # Without the key it is MCP_TOOL_TIMEOUT, or 28 hours: to write one would take time away.
        limit=Limit(key="timeout", per_second=1_000, unset=100_000, wanted=_DAY),
        http=Http(fixed={"type": "http"}, reference="${{{}}}", resolves=True),
        programs=("claude",),
        patience="It gives a call about 28 hours, or MCP_TOOL_TIMEOUT (milliseconds) where that is set.",
        then="Start Claude Code again; `/mcp` shows the server.",
        source="code.claude.com/docs/en/mcp and /env-vars (D); .mcp.json is a project's, which asks for consent once",
    ),
    Host(
        name="vscode",
        title="VS Code",
        aliases=("code", "vs-code", "copilot"),
        linux="$CONFIG/Code/User/mcp.json",
        macos="~/Library/Application Support/Code/User/mcp.json",
        windows="$APPDATA/Code/User/mcp.json",
        project=".vscode/mcp.json",
        format="jsonc",
        servers="servers",
        fixed={"type": "stdio"},
        http=Http(fixed={"type": "http"}, reference="${{env:{}}}", resolves=True),
        programs=("code",),
        patience="It has no limit on a call.",
        then=_EDITOR_THEN.format("VS Code", "VS Code"),
        source="code.visualstudio.com, MCP configuration: mcp.json of the default profile (D); no limit: vscode#311595;"
        " variables in all texts of an entry, 1.100: mcpRegistry (C)",
    ),
    Host(
        name="vscode-insiders",
        title="VS Code Insiders",
        aliases=("code-insiders",),
        linux="$CONFIG/Code - Insiders/User/mcp.json",
        macos="~/Library/Application Support/Code - Insiders/User/mcp.json",
        windows="$APPDATA/Code - Insiders/User/mcp.json",
        project=".vscode/mcp.json",
        format="jsonc",
        servers="servers",
        fixed={"type": "stdio"},
        http=Http(fixed={"type": "http"}, reference="${{env:{}}}", resolves=True),
        programs=("code-insiders",),
        patience="It has no limit on a call.",
        then=_EDITOR_THEN.format("VS Code", "VS Code"),
        source="as VS Code",
    ),
    Host(
        name="cursor",
        title="Cursor",
        linux="~/.cursor/mcp.json",
        macos="~/.cursor/mcp.json",
        windows="~/.cursor/mcp.json",
        project=".cursor/mcp.json",
        format="jsonc",
        servers="mcpServers",
        fixed={"type": "stdio"},
        http=Http(reference="${{env:{}}}", resolves=None),
        programs=("cursor", "cursor-agent"),
        patience="It gives a call between 1 and 5 minutes, which can't be set.",
        then="Switch the server on in Cursor's settings, under MCP.",
        source="cursor.com/docs/context/mcp (D); limits as reported in cursor#3510",
    ),
    Host(
        name="codex",
        title="Codex",
        aliases=("codex-cli",),
        linux="~/.codex/config.toml",
        macos="~/.codex/config.toml",
        windows="~/.codex/config.toml",
        moved=("CODEX_HOME", "config.toml"),
        project=".codex/config.toml",
        format="toml",
        servers="mcp_servers",
        limit=Limit(key="tool_timeout_sec", per_second=1, unset=60, wanted=_HOUR),
        http=Http(
            headers="http_headers", variable="bearer_token_env_var", variables="env_http_headers", passed="env_vars"
        ),
        approves=("default_tools_approval_mode", "tools"),
        programs=("codex",),
        patience="It gives a call 1 to 5 minutes where nothing is set; its clock stops while a dialog is open.",
        then="Start Codex again; `/mcp` shows the server. A project's file counts once the project is trusted.",
        source="developers.openai.com/codex/mcp and /config-reference (D); 60 s, 300 s in newer builds (C, T),"
        " PR #17566",
    ),
    Host(
        name="gemini",
        title="Gemini CLI",
        aliases=("gemini-cli",),
        linux="~/.gemini/settings.json",
        macos="~/.gemini/settings.json",
        windows="~/.gemini/settings.json",
        moved=("GEMINI_CLI_HOME", ".gemini/settings.json"),
        project=".gemini/settings.json",
        format="jsonc",
        servers="mcpServers",
        limit=Limit(key="timeout", per_second=1_000, unset=600, wanted=_HOUR),
        http=Http(url="httpUrl", reference="${{{}}}", resolves=True, sse=("url",)),
        approves=("trust",),
        programs=("gemini",),
        dialog=False,
        patience="It gives a call 10 minutes where nothing is set.",
        then="Start Gemini CLI again, in a folder that it trusts; `/mcp` shows the server.",
        source="gemini-cli docs/tools/mcp-server.md (D); packages/core/src/tools/mcp-client.ts, utils/paths.ts (C); it"
        " strips comments before it parses (C); variables in headers and in `env`, 0.61: mcp-client.ts (C)",
    ),
    Host(
        name="goose",
        title="Goose",
        linux="$CONFIG/goose/config.yaml",
        macos="$CONFIG/goose/config.yaml",
        windows="$APPDATA/Block/goose/config/config.yaml",
        moved=("GOOSE_PATH_ROOT", "config/config.yaml"),
        format="yaml",
        servers="extensions",
        command="cmd",
        fixed={
            "enabled": True,
            "type": "stdio",
            "name": NAME,
            "description": "Asks a person, and keeps the question until it is answered.",
        },
        limit=Limit(key="timeout", per_second=1, unset=300, wanted=_HOUR),
        environment="envs",
        http=Http(
            url="uri",
            fixed={
                "enabled": True,
                "type": "streamable_http",
                "name": NAME,
                "description": "Asks a person, and keeps the question until it is answered.",
            },
        ),
        programs=("goose",),
        patience="It gives a call 5 minutes where nothing is set; its own dialog ends after 5 minutes all the same.",
        then="Start a new Goose session.",
        source="goose documentation, guides/config-files and mcp-elicitation (D); GOOSE_DEFAULT_EXTENSION_TIMEOUT (D)",
    ),
    Host(
        name="windsurf",
        title="Windsurf",
        linux="~/.codeium/windsurf/mcp_config.json",
        macos="~/.codeium/windsurf/mcp_config.json",
        windows="~/.codeium/windsurf/mcp_config.json",
        format="jsonc",
        servers="mcpServers",
        http=Http(url="serverUrl", resolves=None, also=("url",)),
        programs=("windsurf",),
        dialog=False,
        patience="How long it gives a call is not documented, and can't be set.",
        then="Press Refresh in Windsurf's MCP panel.",
        source="docs.windsurf.com, Cascade MCP (D)",
    ),
    Host(
        name="zed",
        title="Zed",
        linux="$CONFIG/zed/settings.json",
        macos="~/.config/zed/settings.json",
        windows="$APPDATA/Zed/settings.json",
        project=".zed/settings.json",
        format="jsonc",
        servers="context_servers",
        limit=Limit(key="timeout", per_second=1, unset=60, wanted=600),
        http=Http(),
        programs=("zed", "zeditor"),
        dialog=False,
        patience="It gives a call 1 minute where nothing is set, and never more than 10.",
        then="Zed sees it at once; its agent panel shows the server. A project's file counts once it is trusted.",
        source="zed.dev/docs/ai/mcp (D); time-outs in seconds, 600 at the most: zed PR #45378; this form of an entry"
        " since 0.214 (C); a Flatpak keeps its settings elsewhere (C)",
    ),
)


def find(name: str) -> Host:
    """Return the host of this name or alias, in any case. Raises UsageError, which lists them."""
    typed = name.strip().lower().replace("_", "-").replace(" ", "-")
    for host in HOSTS:
        if typed == host.name or typed in host.aliases:
            return host
    known = ", ".join(host.name for host in HOSTS)
    raise UsageError(f"{name!r} is no host that handoffs knows. There are {known}.")
