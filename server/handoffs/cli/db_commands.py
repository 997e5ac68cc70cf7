"""The commands of `handoffs db`. Their work is in `db`, which no other command imports."""

from typing import Annotated

import anyio
import typer

from handoffs.console import Exit, ended, failed
from handoffs.settings import Settings, read_settings

db_app = typer.Typer(rich_markup_mode=None)


@db_app.command(name="migrate")
def db_migrate() -> None:
    """Bring the store up to date, before servers of this version start.

    The store is the one in HANDOFFS_STORE. Servers also do this themselves. A store with the layout of a newer version
    is refused.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import db

        await db.migrated(settings)

    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))


@db_app.command(name="copy")
def db_copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A path, sqlite:///… or postgresql://…")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The same; empty, or a partial copy of FROM.")],
) -> None:
    """Copy a store into another, and compare every row.

    Each is a file, or on PostgreSQL.

    Stop all servers that use FROM before. TO can't be used until it is complete; to continue a stopped copy, run the
    same command again. FROM is not changed.

    Put a password into PGPASSWORD or ~/.pgpass: others on this machine can see the command line.
    """
    from handoffs.cli import db

    code = ended(lambda: anyio.run(db.copied, source, target))
    if code == Exit.INTERRUPTED:
        failed("The copy was stopped. Run the same command again to continue.", code)
    raise typer.Exit(code)


@db_app.command(name="prune")
def db_prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="Time since they ended: 90d, 12h, 45m.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Remove handoffs that ended long ago, permanently.

    Their answers and log lines are removed, too.

    Open handoffs stay, also old ones; so do those that an agent can still ask for.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import db

        await db.pruned(settings, older_than, dry_run=dry_run, yes=yes)

    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))
