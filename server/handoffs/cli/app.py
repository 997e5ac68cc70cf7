"""The command line, for people and scripts. Each command is a few lines over the desk."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import anyio
import typer

from handoffs import __version__
from handoffs.cli import deciding, documents, hints, looking, numbers
from handoffs.cli.agent_commands import acp_command, codex_command
from handoffs.cli.ask_commands import ask_command, wait_command
from handoffs.cli.config_commands import config_app
from handoffs.cli.db_commands import db_app
from handoffs.cli.gate_commands import gate_app, grants_command
from handoffs.cli.hook_commands import hook_command
from handoffs.cli.install_commands import install_command
from handoffs.cli.log_commands import log_app
from handoffs.cli.people_commands import people_app
from handoffs.cli.token_commands import token_app
from handoffs.console import Exit, UsageError, ended, failed, print_out
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line
from handoffs.os_user import current_user
from handoffs.printing import spell_what_cant_be_printed
from handoffs.settings import Settings, read_settings

app = typer.Typer(
    name="handoffs",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The handoff's id, or a unique start of it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="A note to the agent, sent with the decision.")]


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    spell_what_cant_be_printed()
    command = typer.main.get_command(app)
    commands: Mapping[str, object] = getattr(command, "commands", {})
    if arguments and (meant := hints.hint(arguments[0], commands)):
        return failed(meant, Exit.USAGE)
    try:
        code: object = command.main(list(arguments), prog_name="handoffs", standalone_mode=False)
    except typer.TyperException as wrong:
        return failed(_mistyped(wrong, _path(command, arguments)), wrong.exit_code)
    return code if isinstance(code, int) else 0


app.add_typer(config_app, name="config", help="Your settings: each with its value and its source.")
notify_app = typer.Typer(rich_markup_mode=None)
app.add_typer(notify_app, name="notify", help="The addresses where people are told of open questions.")
app.add_typer(token_app, name="token", help="Who may call `handoffs serve --http`.")
app.add_typer(people_app, name="people", help="The people who may decide, with their groups and deputies.")
app.add_typer(gate_app, name="gate")
app.add_typer(log_app, name="log")
app.add_typer(db_app, name="db", help="The store: update, copy or prune it.")


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Questions that agents ask people, stored until a person has answered them.

    Without a command it serves MCP on stdio if its input is a pipe, and lists the open questions on a terminal.
    """
    if version:
        raise typer.Exit(ended(lambda: print_out(__version__)))
    if context.invoked_subcommand is None:
        _finish(_welcome)


@app.command()
def serve(
    http: Annotated[
        str | None, typer.Option("--http", metavar="HOST:PORT", help="Serve over HTTP, such as on 127.0.0.1:8765.")
    ] = None,
) -> None:
    """Serve MCP on standard input and output, or over HTTP."""

    def work() -> None:
        # Imports that take half a second, which no other command needs.
        if http is None:
            from handoffs.serving.mcp import serve_stdio

            serve_stdio(read_settings())
        else:
            from handoffs.serving.http import serve_http

            serve_http(read_settings(), http)

    raise typer.Exit(ended(work))


@app.command()
def inbox(
    status: Annotated[
        bool, typer.Option("--status", help="Print where it runs, and how many questions are open.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End it. Open questions stay open.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the link instead of opening it.")] = False,
    host: Annotated[str, typer.Option("--host", help="An address of this machine.")] = "localhost",
    names: Annotated[
        list[str] | None, typer.Option("--name", metavar="NAME", help="A host name that others reach it by.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", parser=numbers.port, metavar="PORT", help="Any free one by default.")
    ] = None,
    handoff: Annotated[str | None, typer.Option("--handoff", hidden=True)] = None,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
    idle_seconds: Annotated[float | None, typer.Option("--idle-seconds", parser=numbers.seconds, hidden=True)] = None,
) -> None:
    """Open the inbox, with every question, in the browser."""

    def work() -> Exit | None:
        from handoffs.cli.inbox import stop as stop_inbox
        from handoffs.cli.inbox import tell_status
        from handoffs.serving import inbox  # imports the web stack, which no other command needs

        settings = read_settings()
        if status and stop:
            raise UsageError("Give --status or --stop, not both.")
        if status:
            return anyio.run(tell_status, settings)
        if stop:
            return anyio.run(stop_inbox, settings)
        opening = inbox.Opening(
            host=host, names=tuple(names or ()), port=port,
            browser=not no_browser, background=background, handoff=handoff,
            idle_seconds=inbox.IDLE_SECONDS if idle_seconds is None else idle_seconds,
        )  # fmt: skip
        return anyio.run(inbox.open_inbox, settings, opening)

    codes: list[Exit | None] = []
    code = ended(lambda: codes.append(work()))
    raise typer.Exit(code or next(filter(None, codes), 0))


@app.command(name="list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="List ended handoffs, too.")] = False, json: Json = False
) -> None:
    """List the open handoffs, newest first."""
    _finish(partial(looking.listed, every=every, as_json=json))


@app.command()
def show(
    handoff: Id,
    json: Json = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Show the arguments of a held call that are masked as secrets.")
    ] = False,
    proof: Annotated[
        bool, typer.Option("--proof", help="Print all that is needed to check it, for `handoffs log verify`.")
    ] = False,
    aais: Annotated[
        bool, typer.Option("--aais", help="Print the record of its decision as JSON that follows AAIS 1.0.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="DIR", help="Write the files of its answer into a folder.")
    ] = None,
) -> None:
    """Show one handoff: its question, its answer and its log."""
    if save is not None:
        if json or secrets or proof or aais:
            raise typer.Exit(failed("--save takes no other option.", Exit.USAGE))
        from handoffs.cli import files  # no other command of these needs it

        _finish(partial(files.saved, prefix=handoff, folder=save))
    if aais:
        if json or secrets or proof:
            raise typer.Exit(failed("--aais takes no other option: secrets are masked.", Exit.USAGE))
        _finish(partial(looking.recorded, prefix=handoff))
    if proof:
        if json:
            raise typer.Exit(failed("--proof prints JSON by itself: leave --json out.", Exit.USAGE))

        async def proved(settings: Settings) -> None:
            from handoffs.cli import verifiable  # what it imports, no other command needs

            await verifiable.proved(settings, handoff, secret=secrets)

        _finish(proved)
    _finish(partial(looking.shown, prefix=handoff, as_json=json, secrets=secrets))


@app.command()
def answer(
    handoff: Annotated[
        str | None, typer.Argument(metavar="ID", help="The handoff's id, or a unique start of it.")
    ] = None,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", help="The answer to a form with one field.")] = None,
    named: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Fill in one field. Repeat it for each field or list item."),
    ] = None,
    other: Annotated[
        str | None, typer.Option("--other", metavar="TEXT", help="Answer in other words than the options.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat the earlier answer to the same question.")] = False,
    attach: Annotated[
        list[Path] | None,
        typer.Option("--attach", metavar="FILE", help="Give a file with it. Repeat it for more; 4 MB in all."),
    ] = None,
    note: Note = "",
    json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and ask you each open question as it comes.")] = False,
) -> None:
    """Answer an open question.

    Without a VALUE, --set, --other or --again it asks you, field by field.

    Put two dashes before a VALUE that begins with a dash: handoffs answer ID -- -5
    """

    if watch:
        if handoff is not None or named or other is not None or again or attach or note or json:
            raise typer.Exit(failed("--watch takes no other argument: it asks every open question.", Exit.USAGE))
        from handoffs.cli.watching import watched  # imports the terminal, which no other command needs

        _finish(watched)
    if handoff is None:
        raise typer.Exit(failed("Missing argument 'ID'. `handoffs answer --help` shows how.", Exit.USAGE))

    async def work(settings: Settings) -> None:
        given = deciding.Given(value=value, named=named or (), other=other, again=again, note=note, attach=attach or ())
        after, told = await deciding.answer(settings, handoff, given)
        _confirm(after, json=json, told=told)

    _finish(work)


app.command(name="ask")(ask_command)
app.command(name="wait")(wait_command)


@app.command()
def decline(handoff: Id, note: Note = "", json: Json = False) -> None:
    """Refuse: the agent must not do it."""

    async def work(settings: Settings) -> None:
        _confirm(await deciding.decline(settings, handoff, note=note), json=json)

    _finish(work)


@app.command()
def cancel(handoff: Id, note: Note = "", json: Json = False) -> None:
    """Withdraw a question. Nothing is decided."""

    async def work(settings: Settings) -> None:
        _confirm(await deciding.cancel(settings, handoff, note=note), json=json)

    _finish(work)


@app.command(hidden=True)
def version() -> None:
    """Print the version."""
    raise typer.Exit(ended(lambda: print_out(__version__)))


@notify_app.callback()
def notify() -> None:
    """The addresses where people are told of open questions: HANDOFFS_NOTIFY and HANDOFFS_ESCALATE."""


@notify_app.command(name="test")
def notify_test() -> None:
    """Send a test message to each address.

    It prints which ones it was sent to.
    """
    from handoffs.cli.notify import test  # imports the notifier, which no other command needs

    all_sent: list[bool] = []

    async def work(settings: Settings) -> None:
        all_sent.append(await test(settings))

    code = ended(lambda: anyio.run(work, read_settings()))
    raise typer.Exit(code or int(all_sent != [True]))


app.command(name="grants")(grants_command)
app.command(name="acp")(acp_command)
app.command(name="codex")(codex_command)
app.command(name="hook")(hook_command)


app.command(name="install")(install_command)


@app.command()
def doctor(
    host: Annotated[
        str | None, typer.Argument(metavar="HOST", help="A name in `handoffs install`, or the host's own client name.")
    ] = None,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait", parser=numbers.seconds, metavar="SECONDS", help="Watch a real question for so long; 0 does not."
        ),
    ] = None,
) -> None:
    """Check a host: what it declared, what it did, and its settings.

    On a terminal it then watches a real question in the host.
    """

    async def work(settings: Settings) -> None:
        from handoffs.cli.doctor import WAIT_SECONDS, examined  # the formats of all hosts

        usual = WAIT_SECONDS if sys.stdin is not None and sys.stdin.isatty() else 0
        if not await examined(settings, host, wait_seconds=(usual if wait is None else wait) or None):
            raise typer.Exit(failed("A host that is set up does not work: see the lines with FAILS.", Exit.ENDED))

    _finish(work)


@app.command()
def demo() -> None:
    """Run a demonstration: an agent that must ask you first."""
    from handoffs.cli.demo import run as play  # imports the agent's framework, which only this command needs

    raise typer.Exit(play())


def _mistyped(wrong: typer.TyperException, typed: str) -> str:
    """Return the error in a command line, and the command whose help shows the usage."""
    message = inert_line(wrong.format_message())
    # Typer's exceptions have their command in an untyped attribute; those about options may lack it.
    command: object = getattr(getattr(wrong, "ctx", None), "command_path", typed)
    return f"{message}{'' if message.endswith(('.', '?', '!')) else '.'} `{command} --help` shows how."


def _path(command: object, arguments: Sequence[str]) -> str:
    """Return the typed command with its groups: `handoffs db copy`."""
    words = ["handoffs"]
    for word in arguments:
        commands: Mapping[str, object] = getattr(command, "commands", {})
        if word not in commands:
            break
        words.append(word)
        command = commands[word]
    return " ".join(words)


async def _welcome(settings: Settings) -> None:
    print_out("Handoffs: questions that agents ask people, kept until a person has answered them.\n")
    if not await looking.was_asked(settings):
        print_out(hints.FIRST)
        return
    await looking.listed(settings, every=False, as_json=False)
    print_out("\nhandoffs answer ID · handoffs decline ID · handoffs show ID · handoffs --help")


def _confirm(handoff: Handoff, *, json: bool, told: bool = False) -> None:
    if json:
        print_out(documents.document(handoff, reader=current_user()))
    elif not told:
        voted = " Your vote counts; others must vote, too." if handoff.votes and handoff.end is None else ""
        print_out(f"{handoff.id} is {handoff.state}.{voted}")


def _finish(work: Callable[[Settings], Awaitable[None]]) -> NoReturn:
    """End the command with the exit code of `work`."""
    raise typer.Exit(ended(lambda: anyio.run(work, read_settings())))
