"""`handoffs acp` and `codex`, as `--help` shows them; `handoffs.__main__` runs the plain forms without this package."""

from typing import Annotated

import typer

Command = Annotated[list[str], typer.Argument(metavar="-- AGENT …", help="The agent's command.", show_default=False)]
Name = Annotated[
    str, typer.Option("--name", metavar="NAME", help="The agent's name, for people, rules and permissions.")
]
DeskOnly = Annotated[bool, typer.Option("--desk-only", help="Ask nothing in the editor: only the desk answers.")]


def acp_command(command: Command, name: Name = "", desk_only: DeskOnly = False) -> None:
    """Ask you at the desk, too, what an agent asks its editor (ACP).

    \b
    handoffs acp [OPTIONS] -- AGENT …

    What the agent asks permission for comes to the inbox, your phone and a shell, beside the editor's own dialog; the
    first answer counts. Everything else passes untouched.
    """
    from handoffs.agent_wire.command import Options, run

    raise typer.Exit(run(Options(wire="acp", command=command, name=name, desk_only=desk_only)))


def codex_command(command: Command, name: Name = "", desk_only: DeskOnly = False) -> None:
    """Ask you at the desk, too, what Codex asks its program.

    \b
    handoffs codex [OPTIONS] -- codex app-server …

    Codex's approvals, permissions for its sandbox, questions of its model, and forms of MCP servers come to the inbox,
    your phone and a shell, beside the program's own dialog; the first answer counts.
    """
    from handoffs.agent_wire.command import Options, run

    raise typer.Exit(run(Options(wire="codex", command=command, name=name, desk_only=desk_only)))
