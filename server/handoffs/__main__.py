"""The `handoffs` command: serves at once where a host starts it, and is a command line for people otherwise."""

import os
import sys


def main() -> None:
    """Run the command that this process was started with, and end the process with its exit code."""
    # A host's configuration is one word: what reads from a pipe is a host. A shell that completes a command is none.
    piped = sys.stdin is not None and not sys.stdin.isatty() and "_HANDOFFS_COMPLETE" not in os.environ
    match sys.argv[1:]:
        case ["serve"]:
            sys.exit(_serve(None))
        case [] if piped:
            sys.exit(_serve(None))
        case ["serve", "--http", address]:
            sys.exit(_serve(address))
        case arguments:
            from handoffs.cli.app import run  # typer and the commands, which no host waits for

            sys.exit(run(arguments))


def _serve(address: str | None) -> int:
    # Every start of every host pays for these imports. They make garbage of nothing, so to look for it again and again
    # while they last, and at what they leave in every later collection, is time lost: a sixth of the start.
    import gc

    if address is None:
        from handoffs.first_stage.pipe import begin, find_place

        place = find_place()
        stage = None if place is None else begin(place)
        gc.disable()
        from handoffs.serving.mcp import serve_stdio

        def serve() -> None:
            serve_stdio(read_settings(), place, stage)
    else:
        gc.disable()
        from handoffs.serving.http import serve_http

        def serve() -> None:
            serve_http(read_settings(), address)

    from handoffs.console import ended
    from handoffs.settings import read_settings

    gc.freeze()
    gc.enable()
    return ended(serve)


if __name__ == "__main__":
    main()
