"""The `handoffs` command: serves at once if a host starts it, and is a command line for people otherwise."""

import os
import sys
from typing import Literal


def main() -> None:
    """Run the command that this process was started with, and end the process with its exit code."""
    # A host's configuration is one word: a process with a pipe as input is started by a host. Shell completion is not.
    piped = sys.stdin is not None and not sys.stdin.isatty() and "_HANDOFFS_COMPLETE" not in os.environ
    match sys.argv[1:]:
        case ["serve"]:
            sys.exit(_serve(None))
        case [] if piped:
            sys.exit(_serve(None))
        case ["serve", "--http", address]:
            sys.exit(_serve(address))
        case ["gate", *arguments] if _serves(arguments):
            sys.exit(_gate(arguments))
        case ["hook", *arguments] if arguments and not {"-h", "--help"} & {*arguments}:
            sys.exit(_hook(arguments))
        case ["acp" | "codex" as wire, *arguments] if (code := _relay(wire, arguments)) is not None:
            sys.exit(code)
        case ["ask", *arguments] if (code := _ask(arguments)) is not None:
            sys.exit(code)
        case arguments:
            from handoffs.cli.app import run  # typer and the commands, which no host waits for

            sys.exit(run(arguments))


def _ask(arguments: list[str]) -> int | None:
    """Ask, and return the exit code; None where the arguments are not plain."""
    if "_HANDOFFS_COMPLETE" in os.environ:
        return None
    import gc

    gc.disable()  # as for a server: while modules are imported, it finds nothing
    from handoffs.cli.ask import run
    from handoffs.cli.ask_arguments import plain_arguments

    gc.enable()
    given = plain_arguments(arguments)
    return None if given is None else run(given)


def _serves(arguments: list[str]) -> bool:
    """Say whether arguments of `handoffs gate` name a server, with no command and no `--help` or `-h` before it."""
    named = any(each in {"--", "--url"} or each.startswith("--url=") for each in arguments)
    return named and arguments[0].startswith("-") and arguments[0] not in {"-h", "--help"}


def _serve(address: str | None) -> int:
    # Every start of every host pays for these imports. Running the collector meanwhile, and over their objects in every
    # later collection, would cost a sixth of the start.
    import gc

    if address is None:
        from handoffs.first_stage.pipe import begin, find_file

        file = find_file()
        stage = None if file is None else begin(file)
        gc.disable()
        from handoffs.serving.mcp import serve_stdio

        def serve() -> None:
            serve_stdio(read_settings(), file, stage)
    else:
        gc.disable()
        from handoffs.serving.http import serve_http

        gc.collect()  # no host waits for this start, and the server stays for long

        def serve() -> None:
            serve_http(read_settings(), address)

    from handoffs.console import ended
    from handoffs.settings import read_settings

    gc.freeze()
    gc.enable()
    return ended(serve)


def _hook(arguments: list[str]) -> int:
    # The host's tool waits for this process, and a permission that is remembered answers in a tenth of a second.
    import gc

    gc.disable()
    from handoffs.hooks.command import run

    return run(arguments)


def _relay(wire: Literal["acp", "codex"], arguments: list[str]) -> int | None:
    """Relay, and return the agent's exit code; None where the arguments are not plain."""
    # An editor waits for the agent, and everything else is imported while that starts.
    from handoffs.agent_wire.command import read_options, run

    options = read_options(wire, arguments)
    return None if options is None else run(options)


def _gate(arguments: list[str]) -> int:
    from handoffs.console import ended
    from handoffs.serving.gate import read_options, serve
    from handoffs.settings import read_settings

    code = 0

    def work() -> None:
        nonlocal code
        code = serve(read_options(arguments), read_settings)

    return ended(work) or code


if __name__ == "__main__":
    main()
