"""What has changed in the arguments of an action since a person last allowed a call of the same tool."""

from handoffs.core.action import Action
from handoffs.core.action_shown import PLAIN_NAME, as_json, block
from handoffs.core.exact_json import canonical
from handoffs.core.masking import masked

MAX_LINES, MAX_CHARACTERS = 12, 1_000
"""A longer difference is told by the names of the arguments: the call itself must stay in sight."""

MAX_COMPARED = 20_000
"""The most characters of arguments that are compared line by line."""

_SINCE = "Since you last allowed this tool"


def changes_since(allowed: Action, now: Action) -> str:
    """Return what differs from the call that was allowed, as our own Markdown without secrets; empty for nothing.

    Raises:
        ValueError: The arguments of `now` are no JSON object that every reader reads alike.
    """
    before, after = masked(allowed), masked(now)
    if canonical(allowed.values) == canonical(now.values):
        return ""
    old, new = (as_json(dict(sorted(each.values.items()))) for each in (before, after))
    if old == new:
        return f"{_SINCE}, a secret in its arguments has changed."
    if len(old) + len(new) <= MAX_COMPARED:
        import difflib  # deferred: most questions show no difference

        lines = [*difflib.unified_diff(old.split("\n"), new.split("\n"), lineterm="", n=0)][2:]
        shown = "\n".join(line for line in lines if not line.startswith("@@"))
        if shown.count("\n") < MAX_LINES and len(shown) <= MAX_CHARACTERS:
            return f"{_SINCE}, its arguments have changed:\n\n{block('diff', shown)}"
    names = sorted(
        name
        for name in {*before.values, *after.values}
        if name not in before.values
        or name not in after.values
        or canonical({"": before.values[name]}) != canonical({"": after.values[name]})
    )
    if len(names) <= MAX_LINES and all(map(PLAIN_NAME.fullmatch, names)):
        return f"{_SINCE}, these arguments have changed: {', '.join(f'`{name}`' for name in names)}."
    return f"{_SINCE}, {len(names):,} of its arguments have changed."
