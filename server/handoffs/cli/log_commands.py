"""`handoffs log`, as it is typed. What it does is in `looking` and `verifiable`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from typer.core import TyperGroup

from handoffs.cli import looking
from handoffs.console import Exit, ended, failed
from handoffs.settings import Settings, read_settings

Vkey = Annotated[
    Path | None,
    typer.Option("--vkey", metavar="FILE", help="The log's public key; else that of this data folder."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

_LINES = "lines"


class _Group(TyperGroup):
    """Commands, or the lines of the log where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what is no command for what the lines are printed of."""
        if not args or (args[0] not in self.commands and args[0] not in {"-h", "--help"}):
            args = [_LINES, *args]
        return super().parse_args(ctx, args)


log_app = typer.Typer(rich_markup_mode=None, cls=_Group)


@log_app.callback()
def log() -> None:
    """Print the log of one handoff, or of all.

    \b
    handoffs log [ID] [--follow] [--json] [--agentack]

    It does not contain what people wrote. `handoffs log lines --help` says more of these options. The commands below
    are about the same log in a form that others can verify.
    """


@log_app.command(name=_LINES)
def lines(
    handoff: Annotated[str | None, typer.Argument(metavar="ID", help="Only this handoff's lines.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines as they come, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, an object on each line.")] = False,
    agentack: Annotated[
        bool, typer.Option("--agentack", help="Print the calls that a gate held as a trace for `agentack check`.")
    ] = False,
) -> None:
    """Print the lines of the log; the same as `handoffs log`."""
    if agentack:
        if follow or json:
            raise typer.Exit(failed("--agentack takes neither --follow nor --json: a trace has an end.", Exit.USAGE))
        work = partial(looking.traced, prefix=handoff)
    else:
        work = partial(looking.logged, prefix=handoff, follow=follow, as_json=json)
    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))


@log_app.command()
def head(
    vkey: Annotated[bool, typer.Option("--vkey", help="Print the public key that verifies it instead.")] = False,
    json: Json = False,
) -> None:
    """Print the signed checkpoint: how long the log is, and its root.

    Keep it elsewhere: with it, `handoffs log verify --since` shows whether the log was rewritten.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import verifiable

        await verifiable.head(settings, vkey=vkey, as_json=json)

    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))


@log_app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or an earlier export.")],
    no_words: Annotated[bool, typer.Option("--no-words", help="Without what was asked and answered.")] = False,
    secrets: Annotated[bool, typer.Option("--secrets", help="With secrets in the arguments of held calls.")] = False,
) -> None:
    """Write the log as files that anybody can verify.

    Each decision stands in a file of its own, with the words that belong to it.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import verifiable

        await verifiable.exported(settings, folder, words=not no_words, secret=secrets)

    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))


@log_app.command()
def verify(
    place: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="An exported log, or a file of `handoffs show ID --proof`; else the store."),
    ] = None,
    since: Annotated[
        Path | None, typer.Option("--since", metavar="FILE", help="An older checkpoint that was kept elsewhere.")
    ] = None,
    vkey: Vkey = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="The passkeys that count, as `handoffs people keys` prints them."),
    ] = None,
    json: Json = False,
) -> None:
    """Verify the log: that nothing of it was changed or left out.

    An exported log is checked offline, with nothing but public keys.
    """
    right: list[bool] = []

    async def work(settings: Settings) -> None:
        from handoffs.cli import verifiable

        asked = verifiable.Asked(place=place, since=since, vkey=vkey, keys=keys, as_json=json)
        right.append(await verifiable.verified(settings, asked))

    code = ended(lambda: anyio.run(work, read_settings()))
    raise typer.Exit(code or (Exit.DONE if right == [True] else Exit.ENDED))
