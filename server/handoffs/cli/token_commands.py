"""The commands of `handoffs token`. Their work is in `token`, which no other command imports."""

import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn

import anyio
import typer

from handoffs.console import Exit, ended, failed
from handoffs.settings import Settings, read_settings

token_app = typer.Typer(rich_markup_mode=None)


@token_app.command(name="add")
def token_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The caller that gets the token.")],
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="When it expires, from now: 30d, 12h, 45m.")
    ] = None,
) -> None:
    """Print a new token. It is shown once: only its hash is stored."""

    async def work(settings: Settings) -> None:
        from handoffs.cli import token

        await token.added(settings, name, expires=expires)
        print(token.about(name, settings), file=sys.stderr)  # noqa: T201 - beside the token, not in its pipe

    _finish(work)


@token_app.command(name="local")
def token_local(
    renew: Annotated[bool, typer.Option("--renew", help="Make a new one, and revoke the old one.")] = False,
) -> None:
    """Print your own token for servers on this machine."""
    from handoffs.cli import token

    def work() -> None:
        token.local(renew=renew)
        print(token.ABOUT_LOCAL, file=sys.stderr)  # noqa: T201 - beside the token, not in its pipe

    raise typer.Exit(ended(work))


@token_app.command(name="list")
def token_list(json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False) -> None:
    """List the tokens, without their values."""

    async def work(settings: Settings) -> None:
        from handoffs.cli import token

        await token.listed(settings, as_json=json)

    _finish(work)


@token_app.command(name="revoke")
def token_revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name in `handoffs token list`.")],
) -> None:
    """Revoke a token, from the next call on."""

    async def work(settings: Settings) -> None:
        from handoffs.cli import token

        if not await token.revoked(settings, name):
            said = "No token of this name lets anybody in. `handoffs token list` shows them all."
            raise typer.Exit(failed(said, Exit.NOT_FOUND))

    _finish(work)


def _finish(work: Callable[[Settings], Awaitable[None]]) -> NoReturn:
    """End the command with the exit code of `work`."""
    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))
