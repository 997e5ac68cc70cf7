"""Hints: the first steps, and the right command for a word that is none."""

from collections.abc import Iterable

FIRST = """\
Nothing has been asked yet. To begin:

  handoffs demo           plays an agent that has to ask you first
  handoffs install        lists the programs in which an agent can ask you
  handoffs install HOST   sets one of them up
  handoffs doctor HOST    tells what it does, and watches it ask you a real question

What is asked then appears in the program itself, here, and in the browser: `handoffs inbox`. More: handoffs --help"""

_REMOVING = "`handoffs install HOST --remove` takes handoffs out of a host"
_ELSEWHERE = {
    "open": "`handoffs inbox` opens every question in the browser; `handoffs show ID` shows one here.",
    "uninstall": f"{_REMOVING}; `handoffs install` lists the hosts.",
    "remove": f"{_REMOVING}; `handoffs cancel ID` withdraws a question.",
    "export": "`handoffs list --all --json` prints every handoff with its answer, `handoffs log --json` what happened; "
    "`handoffs db copy` copies the whole store.",
    "completion": "`handoffs --install-completion` has your shell complete commands; `--show-completion` prints what "
    "that would install.",
    "settings": "`handoffs config` shows each setting and where it comes from.",
    "status": "`handoffs list` shows what is open, `handoffs inbox --status` whether the inbox runs.",
}


def hint(word: str, commands: Iterable[str]) -> str:
    """Return a hint for a mistyped command; empty for a command, or a word without a near match.

    Near commands may do the opposite, such as `uninstall` and `install`, so this is asked before typer suggests one.
    """
    known = set(commands)
    if word in known or word.startswith("-"):
        return ""
    import difflib  # imported only for a mistyped command

    near = difflib.get_close_matches(word, [*_ELSEWHERE, *known], n=1, cutoff=0.6)
    return _ELSEWHERE.get(near[0], "") if near else ""
