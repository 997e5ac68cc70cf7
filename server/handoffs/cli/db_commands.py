"""`handoffs db`, as it is typed. What it does, and all that needs, is in `db`, which no other command imports."""

from typing import Annotated

import anyio
import typer

from handoffs.console import Exit, ended, failed
from handoffs.settings import Settings, read_settings

db_app = typer.Typer(rich_markup_mode=None)


@db_app.command(name="migrate")
def db_migrate() -> None:
    """Bring the store up to date, before servers of this version start.

    It is the one that HANDOFFS_STORE names. Servers do so themselves, too. A store that a newer version has
    changed is refused.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import db

        await db.migrated(settings)

    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))


@db_app.command(name="copy")
def db_copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A path, sqlite:///… or postgresql://…")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The same; empty, or half a copy of FROM.")],
) -> None:
    """Copy a store into another, and compare every row.

    Each is a file, or on PostgreSQL.

    Stop what uses FROM before. Nobody can use TO until all of it is there; a copy that was stopped goes on when the
    same is typed again. FROM stays as it is.

    A password is better kept in PGPASSWORD or ~/.pgpass than typed: others on this machine can see what you type.
    """
    from handoffs.cli import db

    code = ended(lambda: anyio.run(db.copied, source, target))
    if code == Exit.INTERRUPTED:
        failed("The copy was stopped. The same command goes on where it was.", code)
    raise typer.Exit(code)


@db_app.command(name="prune")
def db_prune(
    older_than: Annotated[str, typer.Option("--older-than", metavar="TIME", help="Since they ended: 90d, 12h, 45m.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Remove what ended long ago, for good.

    Each handoff goes with its answer and its lines of the log.

    Open ones stay, however old; so do those that an agent could still ask for.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import db

        await db.pruned(settings, older_than, dry_run=dry_run, yes=yes)

    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))
