"""What a person may have remembered when they allow a call: the choices of the form, and what each means."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from handoffs.core.grant import Reach

HOUR, DAY = 3_600.0, 86_400.0


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
        "exact-hour": Choice(title="These exact arguments, for an hour", reach=Reach.EXACT, seconds=HOUR),
        "exact-day": Choice(title="These exact arguments, for a day", reach=Reach.EXACT, seconds=DAY),
        "exact": Choice(title="These exact arguments, until revoked", reach=Reach.EXACT),
        "session": Choice(title="This tool with any arguments, in this session", reach=Reach.TOOL, session=True),
        "tool-hour": Choice(title="This tool with any arguments, for an hour", reach=Reach.TOOL, seconds=HOUR),
        "tool-day": Choice(title="This tool with any arguments, for a day", reach=Reach.TOOL, seconds=DAY),
        "tool": Choice(title="This tool with any arguments, until revoked", reach=Reach.TOOL),
    }
)
"""By the value of the field `remember`."""


def offered(reaches: Collection[str], longest: float | None) -> dict[str, str]:
    """Return the choices that a rule allows, and their titles."""
    return {name: each.title for name, each in CHOICES.items() if each.within(reaches, longest)}
