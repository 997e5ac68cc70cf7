"""`handoffs ask` and `wait` for the command line's help, and for arguments that are not plain."""

from typing import Annotated

import typer

from handoffs.cli.ask import Given, run
from handoffs.cli.ask_arguments import given


def ask_command(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What the person is asked, in Markdown.")],
    options: Annotated[
        list[str] | None, typer.Option("--options", metavar="A,B", help="What the person picks from.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="TEXT", help="One of them that holds a comma.")
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="TEXT", help="Ends with 0 for this option; the first without it."),
    ] = None,
    any_answer: Annotated[bool, typer.Option("--any", help="Ends with 0 for any answer, a no, too.")] = False,
    form: Annotated[
        str | None, typer.Option("--form", metavar="FILE", help="An elicitation schema; - reads it.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="How long it stays open: 90s, 20m, 2h, 1d.")
    ] = None,
    wait: Annotated[str | None, typer.Option("--wait", metavar="TIME", help="How long to wait for an answer.")] = None,
    key: Annotated[
        str, typer.Option("--key", metavar="TEXT", help="Names the question: only the same key joins it.")
    ] = "",
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Asks at a `serve --http`, with HANDOFFS_SERVER_TOKEN."),
    ] = None,
    save_files: Annotated[
        str | None, typer.Option("--save-files", metavar="DIR", help="Takes files with the answer: writes them there.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Ask a person, wait, and print the answer.

    It ends with 0 for the expected answer alone. Run again, it goes on with the same question.
    """
    raise typer.Exit(
        run(
            given(
                message,
                options=options or (),
                option=option or (),
                expect=expect or (),
                form=form,
                timeout=timeout,
                wait=wait,
                key=key,
                server=server,
                save_files=save_files,
                any_answer=any_answer,
                json=json,
            )
        )
    )


def wait_command(
    handoff: Annotated[str, typer.Argument(metavar="ID", help="The handoff's id, or a unique start of it.")],
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="TEXT", help="Ends with 0 for this option; the first without it."),
    ] = None,
    any_answer: Annotated[bool, typer.Option("--any", help="Ends with 0 for any answer, a no, too.")] = False,
    wait: Annotated[str | None, typer.Option("--wait", metavar="TIME", help="How long to wait for an answer.")] = None,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Asks at a `serve --http`, with HANDOFFS_SERVER_TOKEN."),
    ] = None,
    save_files: Annotated[
        str | None, typer.Option("--save-files", metavar="DIR", help="Writes the files of the answer there.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Wait for a question that was asked, and print the answer. It ends as `ask`."""
    raise typer.Exit(
        run(
            Given(
                id=handoff,
                expect=tuple(expect or ()),
                any_answer=any_answer,
                wait=wait,
                server=server,
                save_files=save_files,
                json=json,
            )
        )
    )
