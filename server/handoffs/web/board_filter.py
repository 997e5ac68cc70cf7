"""What a person wants to see of the open questions: words, an agent, a folder, an age. The page's address has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from handoffs.core.model import Handoff
from handoffs.core.sentences import say
from handoffs.core.untrusted import folded, inert_line
from handoffs.web.asker import asker
from handoffs.web.open_questions import OpenQuestion

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

AGES: Mapping[str, tuple[str, timedelta | None, timedelta | None]] = {
    "": (say("Any time"), None, None),
    "hour": (say("In the last hour"), None, _HOUR),
    "day": (say("In the last 24 hours"), None, _DAY),
    "over-hour": (say("More than an hour ago"), _HOUR, None),
    "over-day": (say("More than a day ago"), _DAY, None),
    "over-week": (say("More than a week ago"), 7 * _DAY, None),
}
"""By its name in an address: what a person reads, the least age and the most."""

_LONG = 1000
"""The most characters of a part that is kept in an address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardFilter:
    """The open questions that a person wants to see; empty texts match everything."""

    text: str = ""
    client: str = ""
    project: str = ""
    age: str = ""
    mine: bool = False
    by_agent: bool = False
    """Whether the questions of each agent stand together, under its name."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "BoardFilter":
        """Return the filter in an address's query; invalid parts are ignored."""
        age = query.get("age", "")
        return cls(
            text=query.get("q", "").strip()[:_LONG],
            client=query.get("client", "").strip()[:_LONG],
            project=query.get("project", "").strip()[:_LONG],
            age=age if age in AGES else "",
            mine="mine" in query,
            by_agent=query.get("group", "") == "agent",
        )

    @property
    def narrow(self) -> bool:
        """Whether it leaves questions out that the person may see, other than those of other deciders."""
        return bool(self.text or self.client or self.project or self.age)

    def finds(self, question: OpenQuestion, now: datetime) -> bool:
        """Say whether a question matches. Whose decision it is, is not looked at here."""
        handoff = question.handoff
        _, least, most = AGES[self.age]
        age = now - handoff.created_at
        return (
            (not self.client or folded(self.client) in folded(asker(handoff.caller)))
            and (not self.project or folded(self.project) in folded(project_of(handoff)))
            and (least is None or age >= least)
            and (most is None or age <= most)
            and all(word in question.words for word in folded(self.text).split())
        )

    def address(self, page: int = 1, **changed: object) -> str:
        """Return the address of a page of these questions, with other values for some of the parts."""
        other = replace(self, **changed)  # type: ignore[arg-type]
        parts = {"q": other.text, "client": other.client, "project": other.project, "age": other.age}
        parts |= {"group": "agent" if other.by_agent else "", "mine": "1" if other.mine else ""}
        parts["page"] = str(page) if page > 1 else ""
        query = urlencode({name: value for name, value in parts.items() if value})
        return f"/?{query}" if query else "/"


def project_of(handoff: Handoff) -> str:
    """Return the agent's folder, whole."""
    return inert_line(handoff.caller.project)


def by_agent(handoffs: Sequence[Handoff]) -> list[Handoff]:
    """Return questions in their order, with those of each agent behind the first of them."""
    agents = {name: number for number, name in enumerate(dict.fromkeys(asker(each.caller) for each in handoffs))}
    return sorted(handoffs, key=lambda each: agents[asker(each.caller)])
