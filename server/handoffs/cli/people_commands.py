"""The commands of `handoffs people`. Their work is in `people`, which no other command imports."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn

import anyio
import typer

from handoffs.console import ended
from handoffs.settings import Settings, read_settings

people_app = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name in `handoffs people list`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@people_app.command(name="add")
def people_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As it shall stand in the log; it is given once.")],
    email: Annotated[
        str, typer.Option("--email", metavar="EMAIL", help="Their email address; a provider may sign them in by it.")
    ] = "",
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="GROUP", help="A group they are in. Repeat it for each.")
    ] = None,
    identities: Annotated[
        list[str] | None,
        typer.Option("--identity", metavar="ISSUER#SUB", help="Whom OAuth names when their agents ask over HTTP."),
    ] = None,
) -> None:
    """Add a person who may decide."""

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        await people.added(settings, name, email=email, groups=groups or (), identities=identities or ())

    _finish(work)


@people_app.command(name="list")
def people_list(
    every: Annotated[bool, typer.Option("--all", help="List those who were removed, too.")] = False, json: Json = False
) -> None:
    """List the people, their groups, and who is away."""

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        await people.listed(settings, every=every, as_json=json)

    _finish(work)


@people_app.command(name="remove")
def people_remove(name: Name) -> None:
    """Remove a person for good.

    They decide nothing from that moment on, and their sessions end. Their name stays in the log, and can't be given
    again.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        await people.removed(settings, name)

    _finish(work)


@people_app.command(name="invite")
def people_invite(
    name: Name,
    hours: Annotated[float, typer.Option("--hours", metavar="HOURS", help="How long the link works.")] = 24,
) -> None:
    """Print a link by which a person joins, once.

    It leads to the inbox, and lets the person set up a passkey there. It is shown once: only its hash is stored. An
    earlier link of the same person works no more.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        said = await people.invited(settings, name, hours=hours)
        print(said, file=sys.stderr)  # noqa: T201 - beside the link, not in its pipe

    _finish(work)


@people_app.command(name="away")
def people_away(
    name: Name,
    until: Annotated[
        str, typer.Option("--until", metavar="WHEN", help="When they are back: 2026-12-24, or with a time.")
    ],
    deputy: Annotated[str, typer.Option("--deputy", metavar="NAME", help="Who decides in their place.")],
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="From when they are away; from now on by default.")
    ] = None,
) -> None:
    """Let a deputy decide in the place of a person who is away.

    WHEN is a date, which stands for its first moment, or a date and time: 2026-12-24T09:30. It is in this machine's
    time zone, unless it ends with another: Z, or +02:00. It takes the place of the person's earlier absence.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        await people.gone(settings, name, since=since, until=until, deputy=deputy)

    _finish(work)


@people_app.command(name="back")
def people_back(name: Name) -> None:
    """End a person's absence, also one that has not begun."""

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        await people.returned(settings, name)

    _finish(work)


@people_app.command(name="groups")
def people_groups(json: Json = False) -> None:
    """List the groups with their members."""

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        await people.grouped(settings, as_json=json)

    _finish(work)


@people_app.command(name="set")
def people_set(
    name: Name,
    email: Annotated[
        str | None, typer.Option("--email", metavar="EMAIL", help="Their email address; empty for none.")
    ] = None,
    join: Annotated[
        list[str] | None, typer.Option("--group", metavar="GROUP", help="A group that they join. Repeat it for each.")
    ] = None,
    leave: Annotated[
        list[str] | None, typer.Option("--no-group", metavar="GROUP", help="A group that they leave.")
    ] = None,
    identify: Annotated[
        list[str] | None,
        typer.Option("--identity", metavar="ISSUER#SUB", help="Whom OAuth names when their agents ask over HTTP."),
    ] = None,
    disown: Annotated[
        list[str] | None, typer.Option("--no-identity", metavar="ISSUER#SUB", help="An identity that is not theirs.")
    ] = None,
) -> None:
    """Change a person's email address, groups and identities."""

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        change = people.Change(
            email=email,
            join=join or (),
            leave=leave or (),
            identify=identify or (),
            disown=disown or (),
        )
        await people.changed(settings, name, change)

    _finish(work)


@people_app.command(name="sessions")
def people_sessions(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this person's.")] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="ID", help="End this one: the browser is signed out.")
    ] = None,
    json: Json = False,
) -> None:
    """List where people are signed in, or end a session.

    A session is a browser in which a person is signed in to the inbox. It lasts for 30 days at most.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        if end is None:
            await people.signed_in(settings, name, as_json=json)
        elif code := await people.signed_out(settings, name, end):
            raise typer.Exit(code)

    _finish(work)


@people_app.command(name="keys")
def people_keys(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this person's.")] = None,
) -> None:
    """Print the public keys of passkeys, to pin them.

    TOML, as HANDOFFS_PINNED_KEYS reads it: a line for each person. Look whether each key is whose it says, before you
    pin it in a file that only root can write.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import people

        await people.printed_keys(settings, name)

    _finish(work)


@people_app.command(name="recover")
def people_recover(
    name: Name,
    after: Annotated[
        str, typer.Option("--after", metavar="TIME", help="From when on the link works: 24h or more.")
    ] = "48h",
    stop: Annotated[bool, typer.Option("--stop", help="Stop the recovery that is under way.")] = False,
) -> None:
    """Print a link that replaces lost passkeys after a delay.

    It works once, for three days after the delay. Until then every page of the inbox tells of it, and the person can
    stop it with a passkey. When it is used, all earlier passkeys are removed. Each step is a line of the log.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import recovering

        if stop:
            await recovering.stopped(settings, name)
            return
        said = await recovering.asked(settings, name, after=after)
        print(said, file=sys.stderr)  # noqa: T201 - beside the link, not in its pipe

    _finish(work)


@people_app.command(name="export")
def people_export(
    name: Name,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write it to this file instead.")] = None,
) -> None:
    """Print all that the store keeps about a person, as JSON.

    Also of a person who was removed. Secrets are not in it: of a secret that they typed, only its name.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import people_data

        await people_data.exported(settings, name, to)

    _finish(work)


@people_app.command(name="erase")
def people_erase(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Erase without asking.")] = False,
) -> None:
    """Erase a person, and what they wrote and decided, for good.

    The name gives way to a number everywhere. The log can still be verified, and says which lines lost words. What is
    open and names the person has to end first.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli import people_data

        await people_data.erased(settings, name, yes=yes)

    _finish(work)


def _finish(work: Callable[[Settings], Awaitable[None]]) -> NoReturn:
    """End the command with the exit code of `work`."""
    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))
