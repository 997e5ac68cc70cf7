"""`handoffs config` and what belongs to it, as they are typed."""

from typing import Annotated

import typer

from handoffs.cli.ending import ended, put
from handoffs.settings import config_file, read_settings

config_app = typer.Typer(rich_markup_mode=None)


@config_app.callback(invoke_without_command=True)
def config(
    context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False
) -> None:
    """Show each setting, its value, and where that comes from. Of a secret only whether it is set."""
    if context.invoked_subcommand is None:
        from handoffs.cli.config import tell  # what no other command needs

        raise typer.Exit(ended(lambda: tell(read_settings(), as_json=json)))


@config_app.command(name="path")
def path() -> None:
    """Print the path of the file with your settings; it may not be there yet."""
    raise typer.Exit(ended(lambda: put(str(config_file()))))
