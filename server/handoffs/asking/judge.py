"""What a reply of a host's dialog means. A client's word is not proof of a person.

- A reply to a form that the host does not draw, or one that comes before anybody can have read the question, means that
  nobody saw it. It finds broken hosts and is no wall. A client that answers on purpose without a person says so: its
  replies count, and can permit nothing.
- An accept in which nothing was entered means the same, unless it shows that the form was drawn.
- A decline is a refusal, with its note; closing the dialog means *not now*.
- Words of the person's own, where a host offers that for each choice, are *something else* where the question takes
  that, and a refusal with a note where it does not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from handoffs.asking.host_dialog import HostDialog
from handoffs.core.form import Form

READING_SECONDS = 1.0
"""A refusal faster than this came from no person: hosts without one decline or cancel within milliseconds."""

MAX_NOTE = 2_000
"""Characters of a note that are kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a client says that a person did in its dialog."""

    action: str
    """`accept`, `decline` or `cancel`."""
    content: Mapping[str, object] = field(default_factory=dict[str, object])
    note: str = ""
    script: bool = False
    """It says that no person gave it."""

    def is_hasty(self, seconds: float) -> bool:
        """Say whether it came before anybody can have read the question."""
        return seconds < READING_SECONDS and not self.script


@dataclass(frozen=True, slots=True)
class NotShown:
    """Nobody saw it."""

    reason: str
    """For the log."""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The person closed it: not now."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The person refuses to answer."""

    note: str


@dataclass(frozen=True, slots=True)
class Filled:
    """The person entered this, which has still to be checked against the form."""

    values: Mapping[str, object]
    other: str = ""


Meaning: TypeAlias = NotShown | Dismissed | Refused | Filled


def judge(form: Form, reply: Reply, dialog: HostDialog, *, seconds: float, takes_other: bool = False) -> Meaning:
    """Return what a reply to a form means.

    Args:
        form: What was asked.
        reply: What the client says.
        dialog: What the host shows.
        seconds: How long ago the person was first shown it; a corrected answer counts from there, too.
        takes_other: Whether the question may be answered with something else than its options.
    """
    if not dialog.draws(form):
        # It was never sent as a form, or nobody can have seen the whole of it.
        return NotShown(f"{reply.action} of a form that the host does not draw")
    if reply.action != "accept":
        return judge_refusal(reply, seconds=seconds)
    if reply.is_hasty(seconds):
        return NotShown(f"accept after {seconds:.3f} s")
    content = dialog.entered(form, reply.content)
    if form.is_untouched(content) and not dialog.was_drawn(form, reply.content):
        return NotShown("accepted without filling the form")
    values = form.understand(content)
    words = dialog.other_words(form, values)
    if not words:
        return Filled(values)
    if takes_other:
        return Filled({}, next(iter(words.values())))
    # They were to pick, and have not: that answers no form, and the agent gets what they said.
    return Refused("; ".join(f"{name}: {_written(value)}" for name, value in content.items())[:MAX_NOTE])


def judge_refusal(reply: Reply, *, seconds: float) -> NotShown | Dismissed | Refused:
    """Return what a reply that is no accept means; also where a link was shown, and no form."""
    if reply.action == "decline" and not reply.is_hasty(seconds):
        return Refused(reply.note[:MAX_NOTE])
    if reply.action == "cancel" and not reply.is_hasty(seconds):
        return Dismissed()
    return NotShown(f"{reply.action} after {seconds:.3f} s")


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
