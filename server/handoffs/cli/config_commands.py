"""The commands of `handoffs config`."""

from pathlib import Path
from typing import Annotated

import typer

from handoffs.console import ended, print_out
from handoffs.settings import config_file, read_settings

config_app = typer.Typer(rich_markup_mode=None)


@config_app.callback(invoke_without_command=True)
def config(
    context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False
) -> None:
    """Show each setting, its value and its source. Of a secret only whether it is set."""
    if context.invoked_subcommand is None:
        from handoffs.cli.config import tell  # which no other command needs

        raise typer.Exit(ended(lambda: tell(read_settings(), as_json=json)))


@config_app.command(name="path")
def path() -> None:
    """Print the path of the file with your settings.

    The file may not exist yet.
    """
    raise typer.Exit(ended(lambda: print_out(str(config_file()))))


@config_app.command()
def adopt(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Move them without asking.")] = False,
) -> None:
    """Move the settings of this folder's .env to your own configuration.

    It shows them, and asks first: the author of the repository may have written the file.
    """
    from handoffs.cli.adopting import adopt  # imports the editors of files, which no other command needs

    raise typer.Exit(ended(lambda: adopt(Path.cwd(), yes=yes)))
