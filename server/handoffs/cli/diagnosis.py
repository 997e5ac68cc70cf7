"""A host's behaviour, from the log: what it declared, what it did, how long it waited. Pure; `doctor` prints it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from handoffs.core.events import Entry
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line

DIALOG = "elicitation"
"""The channel of a host's own dialog."""

ABILITIES: Mapping[str, str] = {
    "form": "forms in a dialog of its own",
    "url": "links to open",
    "tasks": "MCP tasks",
    "ui": "cards in the chat",
}
"""The capabilities that a host can declare, in words."""


@dataclass(kw_only=True)
class Behaviour:
    """How a host handled the questions that came through it."""

    asked: int = 0
    declared: Mapping[str, str] = field(default_factory=dict[str, str])
    """The declaration with the newest question: `version`, `protocol`, `transport` and `declares`."""
    shown: int = 0
    """For how many questions its dialog was on a screen, or was answered."""
    unseen: Counter[str] = field(default_factory=Counter[str])
    """How often its dialog came back without a person, by reason."""
    answered: Counter[str] = field(default_factory=Counter[str])
    """How often a person decided, by channel."""
    longest: float = 0.0
    """The longest wait for its own dialog that ended with an answer, in seconds."""
    left: float | None = None
    """The shortest time after which it ended a call, in seconds; None if it never did."""


def observed(stories: Iterable[tuple[Handoff, Sequence[Entry]]]) -> Behaviour:
    """Return a host's behaviour, from its handoffs and their log lines, newest first."""
    found = Behaviour()
    for handoff, entries in stories:
        found.asked += 1
        shown = False
        for entry in entries:
            details = entry.details
            dialog = details.get("channel") == DIALOG
            match entry.name:
                case "opened" if not found.declared:
                    found.declared = details
                case "notshown" if dialog:
                    found.unseen[details.get("reason", "")] += 1
                case "left":
                    seconds = float(details.get("seconds", "0"))
                    found.left = seconds if found.left is None else min(found.left, seconds)
                case "reached" | "dismissed" if dialog:
                    shown = True
                case "answered" | "declined":
                    shown = shown or dialog
                    found.answered[details.get("channel", "")] += 1
                    if dialog:
                        found.longest = max(found.longest, (entry.at - handoff.created_at).total_seconds())
                case _:
                    pass
        found.shown += shown
    return found


def happened(entry: Entry, since: datetime) -> str:
    """Return a log line as the doctor prints it while it watches: `+12.4 s  answered by ada through inbox`."""
    return f"{(entry.at - since).total_seconds():+8.1f} s  {_words(entry)}"


def _words(entry: Entry) -> str:
    details = {name: inert_line(text, 120) for name, text in entry.details.items()}
    through, by = details.get("channel", ""), details.get("by", "")
    dialog = through == DIALOG
    match entry.name:
        case "opened":
            return f"asked. {declaration(details)}"
        case "reached":
            return "the host's dialog is on a screen" if dialog else f"shown through {through}"
        case "notshown":
            what = "the host's dialog came back without a person" if dialog else f"{through} could not show it"
            return f"{what}: {details.get('reason', '')}"
        case "dismissed":
            return "put off by a person: not now"
        case "left":
            return f"the host ended the call, after {details.get('seconds', '')} s"
        case "collected":
            return "the agent was given the outcome"
        case "reminded":
            return "somebody was notified"
        case "answered" | "declined" | "cancelled":
            return f"{entry.name}{f' by {by}' if by else ''}{f' through {through}' if through else ''}"
        case _:
            return inert_line(entry.name, 40)


def declaration(details: Mapping[str, str]) -> str:
    """Return the host's declaration, from the log line that opened a question."""
    if not details.get("protocol"):
        return "Nothing is known of what it declared."
    abilities = [ABILITIES.get(each, inert_line(each, 20)) for each in details.get("declares", "").split()]
    able = f"It declares {', '.join(abilities)}." if abilities else "It declares no way to ask a person."
    version = f"version {inert_line(details['version'], 60)}, " if details.get("version") else ""
    return f"{able} ({version}MCP {inert_line(details['protocol'], 20)}, {details.get('transport', '')})"


def verdict(found: Behaviour) -> list[str]:
    """Return what a person can expect of this host, by its behaviour, in sentences."""
    if not found.asked:
        return ["No question has come through it yet."]
    said: list[str] = []
    declares = found.declared.get("declares", "").split()
    if found.unseen:
        reasons = ", ".join(f"{inert_line(reason, 80)} ({number} x)" for reason, number in found.unseen.most_common(3))
        said.append(f"Its dialog came back without a person: {reasons}. Those questions stayed open elsewhere.")
    if found.shown:
        waited = f"; it waited up to {found.longest:.0f} s" if found.longest else ""
        said.append(f"Its dialog was shown for {found.shown} of {found.asked} questions{waited}.")
    elif "form" in declares and not found.unseen:
        said.append("It declares a dialog, and none was seen on a screen: look for the question in the inbox.")
    elif "form" not in declares:
        card = "in a card in the chat, and " if "ui" in declares else ""
        said.append(f"It has no dialog for questions: they are {card}in the inbox (`handoffs inbox`).")
    if found.left is not None:
        said.append(
            f"It once ended a call after {found.left:.0f} s. What is answered later is kept; the agent gets it with "
            "check_handoff."
        )
    elsewhere = [f"{inert_line(name, 30) or 'somewhere'} ({count} x)" for name, count in found.answered.most_common()]
    if elsewhere:
        said.append(f"People decided through {', '.join(elsewhere)}.")
    return said
