"""What a person may have remembered when they allow a call: the choices of the form, and what each means.

Conditions are made of the call's own arguments. A person picks them by the words that they read, and the same words
lead back to the condition.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from handoffs.core.action import Action
from handoffs.core.action_shown import language_of
from handoffs.core.exact_json import OddNumber
from handoffs.core.folders import folder_of
from handoffs.core.grant import Condition, Reach
from handoffs.core.look_alikes import skeleton
from handoffs.core.masking import masked
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line

HOUR, DAY = 3_600.0, 86_400.0

MAX_NAME, MAX_VALUE = 40, 60
"""The most characters of an argument's name, and of a text that it is, in a condition."""

MAX_CONDITIONS, MAX_WORDS = 10, 400
"""The most conditions that are offered for a call, and their characters: a host that draws no list still shows them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One way to remember."""

    title: str
    """What a person reads."""
    reach: Reach
    seconds: float | None = None
    """For how long; None: until it is revoked."""
    session: bool = False
    """Whether it counts in this session alone."""

    def within(self, reaches: Collection[str], longest: float | None) -> bool:
        """Say whether a rule allows it that lets these reaches be remembered, for this long at the longest."""
        if self.session:
            return "session" in reaches
        short = longest is None or (self.seconds is not None and self.seconds <= longest)
        return self.reach.value in reaches and short


CHOICES: Mapping[str, Choice] = MappingProxyType(
    {
        "exact-hour": Choice(title=say("These exact arguments, for an hour"), reach=Reach.EXACT, seconds=HOUR),
        "exact-day": Choice(title=say("These exact arguments, for a day"), reach=Reach.EXACT, seconds=DAY),
        "exact": Choice(title=say("These exact arguments, until revoked"), reach=Reach.EXACT),
        "session": Choice(title=say("This tool with any arguments, in this session"), reach=Reach.TOOL, session=True),
        "tool-hour": Choice(title=say("This tool with any arguments, for an hour"), reach=Reach.TOOL, seconds=HOUR),
        "tool-day": Choice(title=say("This tool with any arguments, for a day"), reach=Reach.TOOL, seconds=DAY),
        "tool": Choice(title=say("This tool with any arguments, until revoked"), reach=Reach.TOOL),
    }
)
"""By the value of the field `remember`."""


def offered(reaches: Collection[str], longest: float | None) -> dict[str, str]:
    """Return the choices that a rule allows, and their titles."""
    return {name: each.title for name, each in CHOICES.items() if each.within(reaches, longest)}


def takes_conditions(choices: Collection[str]) -> bool:
    """Say whether one of these choices can be limited by conditions."""
    return any(CHOICES[each].reach is Reach.TOOL for each in choices)


def conditions_of(action: Action) -> dict[str, Condition]:
    """Return the conditions that a person may pick for a call, by the words that they read.

    Arguments that are or hold secrets have none. Two that a person could not tell apart are both left out.

    Raises:
        ValueError: The arguments are no JSON object that every reader reads alike.
    """
    alike: dict[str, list[Condition]] = {}
    for each in _possible(action):
        alike.setdefault(skeleton(inert_line(each.words)), []).append(each)
    found: dict[str, Condition] = {}
    left = MAX_WORDS
    for words, condition in [(each.words, each) for (each, *others) in alike.values() if not others]:
        if len(words) + 2 <= left and len(found) < MAX_CONDITIONS:
            found[words] = condition
            left -= len(words) + 2
    return found


def _possible(action: Action) -> Iterator[Condition]:
    secret = masked(action).names
    for name, value in action.values.items():
        plain = 0 < len(name) <= MAX_NAME and name == inert_line(name)
        if not plain or name in secret:
            continue
        match value:
            case str():
                if 0 < len(value) <= MAX_VALUE and value == inert_line(value):
                    yield Condition(name=name, kind="equals", value=value)
                folder = None if language_of(action, name) else folder_of(value)
                if folder is not None and folder == inert_line(folder):
                    yield Condition(name=name, kind="prefix", value=folder)
            case OddNumber():
                continue
            case bool() | int() | float():
                yield Condition(name=name, kind="equals", value=value)
            case _:
                continue
