"""`handoffs gate propose`: a policy made of what `handoffs gate --watch-only` has noted."""

import json
from collections.abc import Mapping, Sequence

from handoffs.console import UsageError, print_out
from handoffs.core.untrusted import inert_line
from handoffs.gate.policy_model import Decision
from handoffs.gate.watching import FILE, Watched, watched
from handoffs.policy_text.globs import problem_of
from handoffs.settings import data_folder

OFTEN = 3
"""A tool that calls itself read-only and was called so often is proposed to be allowed."""


def propose() -> None:
    """Print the policy, or say how to watch first. Raises UsageError."""
    file = data_folder() / FILE
    found = watched(file)
    if not found:
        raise UsageError(f"{file} has no calls: `handoffs gate --watch-only -- COMMAND …` notes them.")
    print_out(policy_text(found), end="")


def policy_text(found: Mapping[tuple[str, str], Watched]) -> str:
    """Return a policy in TOML, with the counts as comments. Tools with names that no glob can say are left out."""
    calls = sum(each.calls for each in found.values())
    parts = [
        f"# Made of {calls:,} calls that `handoffs gate --watch-only` let through. Read it before you use it.\n"
        "# Allowed: what calls itself read-only, which is its server's own word. No rule: it is asked about.\n"
    ]
    for server in sorted({server for server, _ in found}):
        if not _is_name(server):
            continue
        tools = {tool: each for (of, tool), each in sorted(found.items()) if of == server and _is_name(tool)}
        for decision in (Decision.DENY, Decision.ALLOW, Decision.ASK):
            chosen = {tool: each for tool, each in tools.items() if _decision(each) is decision}
            if chosen:
                parts.append(_rule(server, chosen, decision))
    return "\n".join(parts)


def _decision(tool: Watched) -> Decision:
    if tool.decisions == {Decision.DENY.value}:
        return Decision.DENY  # the rules that were watched deny it
    return Decision.ALLOW if tool.read_only and tool.calls >= OFTEN else Decision.ASK


def _rule(server: str, tools: Mapping[str, Watched], decision: Decision) -> str:
    counts = [_counted(tool, each) for tool, each in tools.items()]
    return "\n".join(
        (*counts, "[[rule]]", f"server = {_text(server)}", f"tool = {_list([*tools])}", f'do = "{decision.value}"', "")
    )


def _counted(tool: str, each: Watched) -> str:
    names = inert_line(", ".join(sorted(each.arguments)), 80)
    given = f", with {names}" if names else ""
    return f"# {inert_line(tool, 100)}: {each.calls:,} {'call' if each.calls == 1 else 'calls'}{given}"


def _is_name(name: str) -> bool:
    """Say whether a glob can mean this name alone."""
    return bool(name) and not problem_of(name) and not any(char in name for char in "*?[]\\") and name.isprintable()


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # of printable text, this is TOML, too
