"""`handoffs install`, as people type it."""

from typing import Annotated

import typer

from handoffs.console import UsageError, ended


def install_command(
    host: Annotated[
        str | None, typer.Argument(metavar="HOST", help="A host's name. Without it, all hosts are listed.")
    ] = None,
    project: Annotated[
        bool, typer.Option("--project", help="Write to the file of the project in this folder.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it.")] = False,
    print_only: Annotated[bool, typer.Option("--print", help="Print the entry, and change no file.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    command: Annotated[
        str | None, typer.Option("--command", metavar="TEXT", help="The command to start, instead of this one.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace another server of the same name.")] = False,
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="HOST:PORT", help="The host calls a server that runs there, and starts none."),
    ] = None,
    permissions: Annotated[
        bool, typer.Option("--permissions", help="The host's own permission prompts come to you, by its hooks.")
    ] = False,
) -> None:
    """Add handoffs to a host's configuration.

    It shows the changes, and asks before it writes.
    """
    from handoffs.cli import install as installing  # imports the formats of all hosts, which no other command needs

    def work() -> None:
        if host is None and permissions:
            from handoffs.cli.installing.permission_hooks import FILES

            raise UsageError(f"Name the host, too: handoffs install HOST --permissions. There are: {', '.join(FILES)}.")
        if host is None:
            if any((project, remove, print_only, yes, force, command, http)):
                raise UsageError("Name the host, too. `handoffs install` lists them.")
            installing.tell()
        elif permissions:
            from handoffs.cli.permission_install import PermissionOptions
            from handoffs.cli.permission_install import run as run_hooks

            if force or http is not None:
                raise UsageError("--permissions goes without --force and --http.")
            run_hooks(PermissionOptions(
                host=host, project=project, remove=remove, print_only=print_only, yes=yes, command=command,
            ))  # fmt: skip
        else:
            installing.run(installing.InstallOptions(
                host=host, project=project, remove=remove, print_only=print_only, yes=yes, command=command, force=force,
                http=http,
            ))  # fmt: skip

    raise typer.Exit(ended(work))
