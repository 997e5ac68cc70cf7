"""`handoffs acp`, as `--help` shows it; `handoffs.__main__` runs the plain form without this package."""

from typing import Annotated

import typer

Command = Annotated[list[str], typer.Argument(metavar="-- AGENT …", help="The agent's command.", show_default=False)]
Name = Annotated[
    str, typer.Option("--name", metavar="NAME", help="The agent's name, for people, rules and permissions.")
]
DeskOnly = Annotated[bool, typer.Option("--desk-only", help="Ask nothing in the editor: only the desk answers.")]


def acp_command(command: Command, name: Name = "", desk_only: DeskOnly = False) -> None:
    """Stand between an ACP editor and an agent, and ask you at the desk, too.

    \b
    handoffs acp [OPTIONS] -- AGENT …

    What the agent asks permission for comes to the inbox, your phone and a shell, beside the editor's own dialog; the
    first answer counts. Everything else passes untouched.
    """
    from handoffs.agent_wire.command import Options, run

    raise typer.Exit(run(Options(wire="acp", command=command, name=name, desk_only=desk_only)))
