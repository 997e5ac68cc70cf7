"""`handoffs config`: the person's own configuration."""

from pathlib import Path
from typing import Annotated

import typer

from handoffs.cli.ending import ended

config_app = typer.Typer(rich_markup_mode=None)


@config_app.callback()
def config() -> None:
    """Your own configuration."""


@config_app.command()
def adopt(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Move them without asking.")] = False,
) -> None:
    """Move the settings of this folder's .env to your own configuration.

    It shows what they are, and asks first: whoever wrote the repository wrote the file.
    """
    from handoffs.cli.adopting import adopt  # what changes files, which no other command needs

    raise typer.Exit(ended(lambda: adopt(Path.cwd(), yes=yes)))
