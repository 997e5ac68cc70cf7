"""The arguments of `handoffs ask`, read without typer, which takes as long to import as all the rest of the command.

What is not plain is left to typer, with its words for what is wrong, and its help.
"""

from collections.abc import Sequence

from handoffs.cli.ask import Given

_SINGLE = {
    "--form": "form", "--timeout": "timeout", "--wait": "wait", "--key": "key", "--server": "server",
    "--save-files": "save_files",
}  # fmt: skip
_SEVERAL = {"--options", "--option", "--expect"}
_FLAGS = {"--json": "json", "--any": "any_answer"}


def plain_arguments(arguments: Sequence[str]) -> Given | None:
    """Return the arguments; None where typer must read them."""
    single: dict[str, str] = {}
    several: dict[str, list[str]] = {name: [] for name in _SEVERAL}
    flags: set[str] = set()
    messages: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            messages += left
            break
        if not word.startswith("-"):
            messages.append(word)
            continue
        name, equals, value = word.partition("=")
        if word in _FLAGS:
            flags.add(_FLAGS[word])
            continue
        if name not in _SINGLE and name not in _SEVERAL:
            return None
        if not equals:
            if not left:
                return None
            value = left.pop(0)
        if name in _SINGLE:
            single[_SINGLE[name]] = value
        else:
            several[name].append(value)
    if len(messages) != 1:
        return None
    return given(
        messages[0],
        options=several["--options"],
        option=several["--option"],
        expect=several["--expect"],
        form=single.get("form"),
        timeout=single.get("timeout"),
        wait=single.get("wait"),
        key=single.get("key", ""),
        server=single.get("server"),
        save_files=single.get("save_files"),
        any_answer="any_answer" in flags,
        json="json" in flags,
    )


def given(
    message: str,
    *,
    options: Sequence[str],
    option: Sequence[str],
    expect: Sequence[str],
    form: str | None,
    timeout: str | None,
    wait: str | None,
    key: str,
    server: str | None,
    save_files: str | None,
    any_answer: bool,
    json: bool,
) -> Given:
    """Return the arguments: `options` are lists with commas, each `option` is one as it stands."""
    listed = [each.strip() for text in options for each in text.split(",")]
    return Given(
        message=message,
        options=(*listed, *option),
        expect=tuple(expect),
        form=form,
        timeout=timeout,
        wait=wait,
        key=key,
        server=server,
        save_files=save_files,
        any_answer=any_answer,
        json=json,
    )
