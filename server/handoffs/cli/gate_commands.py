"""`handoffs gate`, as it is typed. What it does is in `serving.gate` and `gate`, which no other command imports."""

from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from typer.core import TyperGroup

from handoffs.console import Exit, ended
from handoffs.settings import read_settings

Ask = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Ask about these tools: 'delete_*'; may be given again.")
]
Allow = Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Let these pass: 'read_*'; may be given again.")]
Deny = Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Deny these: 'drop_*'; may be given again.")]
PolicyPath = Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="The rules; else gate.toml.")]
Hints = Annotated[bool, typer.Option("--trust-hints", help="Allow what calls itself read-only, where no rule matches.")]
Http = Annotated[str, typer.Option("--http", metavar="HOST:PORT", help="Serve HTTP there, in place of stdio.")]
Url = Annotated[str, typer.Option("--url", metavar="URL", help="The server behind, over HTTP, in place of a command.")]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="NAME=VALUE", help="A header for the server at --url; may be given again."),
]
SecretHeaders = Annotated[
    list[str] | None,
    typer.Option(
        "--header-from-env",
        metavar="NAME=VARIABLE",
        help="The same, its value, or what follows 'Bearer ', taken from a variable.",
    ),
]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="The server's name, for rules and people.")]


class _Group(TyperGroup):
    """Commands, or the command of a server behind `--`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what is behind `--` apart: no word of it is ours."""
        if "--" in args:
            at = args.index("--")
            ctx.meta["handoffs.command"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


gate_app = typer.Typer(rich_markup_mode=None, cls=_Group)


@gate_app.callback(invoke_without_command=True)
def gate(
    context: typer.Context,
    http: Http = "",
    url: Url = "",
    header: Headers = None,
    header_from_env: SecretHeaders = None,
    name: Name = "",
    policy: PolicyPath = None,
    ask: Ask = None,
    allow: Allow = None,
    deny: Deny = None,
    trust_hints: Hints = False,
    watch_only: Annotated[
        bool, typer.Option("--watch-only", help="Let pass what would be asked about, and note it.")
    ] = False,
) -> None:
    """Stand before an MCP server: no tool runs before it is allowed.

    \b
    handoffs gate [OPTIONS] -- COMMAND …
    handoffs gate [OPTIONS] --url URL
    handoffs gate --http HOST:PORT …

    A person, or a rule, allows exactly that call. Without rules every call is asked about. Everything but tool calls
    passes untouched.
    """
    if context.invoked_subcommand is not None:
        return
    from handoffs.serving.gate import Options, serve

    options = Options(
        command=_command(context), http=http, url=url, header=header or (), header_from_env=header_from_env or (),
        name=name, policy=policy, ask=ask or (), allow=allow or (), deny=deny or (), trust_hints=trust_hints,
        watch_only=watch_only,
    )  # fmt: skip
    code = 0

    def work() -> None:
        nonlocal code
        code = serve(options, read_settings)

    raise typer.Exit(ended(work) or code)


@gate_app.command()
def check(
    context: typer.Context,
    url: Url = "",
    header: Headers = None,
    header_from_env: SecretHeaders = None,
    name: Name = "",
    policy: PolicyPath = None,
    ask: Ask = None,
    allow: Allow = None,
    deny: Deny = None,
    trust_hints: Hints = False,
    call: Annotated[
        tuple[str, str] | None, typer.Option("--call", metavar="TOOL JSON", help="Say what this call would get.")
    ] = None,
    cases: Annotated[
        Path | None, typer.Option("--cases", metavar="FILE", help="Test the policy on the calls in a TOML file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Say what the policy does with each tool, or with one call.

    handoffs gate check [OPTIONS] [-- COMMAND … | --url URL]

    It names the rule, too.
    """
    from handoffs.cli import gate_check
    from handoffs.serving.gate import Options

    options = Options(
        command=_command(context), url=url, header=header or (), header_from_env=header_from_env or (), name=name,
        policy=policy, ask=ask or (), allow=allow or (), deny=deny or (), trust_hints=trust_hints,
    )  # fmt: skip
    found = Exit.DONE

    def work() -> None:
        nonlocal found
        found = anyio.run(gate_check.check, options, call, cases, as_json)

    raise typer.Exit(ended(work) or found)


@gate_app.command()
def install(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="As `handoffs install` lists it.")],
    servers: Annotated[
        list[str] | None, typer.Argument(metavar="SERVER", help="By the name that the host has for it; else all.")
    ] = None,
    policy: PolicyPath = None,
    ask: Ask = None,
    allow: Allow = None,
    deny: Deny = None,
    trust_hints: Hints = False,
    project: Annotated[bool, typer.Option("--project", help="In the file of the project in this folder.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the gate away again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    command: Annotated[
        str | None, typer.Option("--command", metavar="TEXT", help="How the host is to start handoffs.")
    ] = None,
) -> None:
    """Put the gate before a host's servers, in its configuration.

    handoffs gate install HOST [SERVER …]

    Servers that the host starts, or calls over HTTP. It shows what would change, and asks before it writes.
    """
    from handoffs.cli import gate_install

    options = gate_install.GateOptions(
        host=host, servers=[*(servers or ()), *_command(context)], policy=policy, ask=ask or (), allow=allow or (),
        deny=deny or (), trust_hints=trust_hints, project=project, remove=remove, yes=yes, command=command,
    )  # fmt: skip
    raise typer.Exit(ended(lambda: gate_install.run(options)))


def _command(context: typer.Context) -> list[str]:
    return list(context.meta.get("handoffs.command", ()))


@gate_app.command()
def stop(
    lift: Annotated[bool, typer.Option("--lift", help="End it: calls are asked about again.")] = False,
) -> None:
    """Stop everything: deny each call that waits, or would ask.

    No remembered permission counts, on every machine with this store. It lasts until `handoffs gate stop --lift`.
    What a rule allows goes on.
    """
    from handoffs.cli import grants

    raise typer.Exit(ended(lambda: anyio.run(grants.stop, read_settings(), lift)))


@gate_app.command()
def propose() -> None:
    """Print a policy made of what `--watch-only` has noted."""
    from handoffs.cli.gate_propose import propose as print_policy

    raise typer.Exit(ended(print_policy))


def grants_command(
    revoke: Annotated[str | None, typer.Option("--revoke", metavar="ID", help="End this one for good.")] = None,
    resume: Annotated[str | None, typer.Option("--resume", metavar="ID", help="Let a suspended one count.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List the permissions that were given for later calls."""
    from handoffs.cli import grants

    raise typer.Exit(ended(lambda: anyio.run(grants.grants, read_settings(), revoke, resume, as_json)))
