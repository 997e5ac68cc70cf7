"""`handoffs hook`, as `--help` shows it; `handoffs.__main__` runs it without this package."""

from typing import Annotated

import typer

from handoffs.hosts.hooks import HOOK_HOSTS


def hook_command(
    host: Annotated[str, typer.Argument(metavar="HOST", help=f"One of {', '.join(HOOK_HOSTS)}.")],
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", help="The time-out in the host's file. Default: the host's own."),
    ] = None,
) -> None:
    """Have a person decide what a host asks permission for.

    It reads the host's JSON, and prints the host's JSON. `handoffs install HOST --permissions` sets it up.
    """
    from handoffs.hooks.command import run

    raise typer.Exit(run([host] if timeout is None else [host, "--timeout", str(timeout)]))
