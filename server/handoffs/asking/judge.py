"""What the reply of a host's dialog means. A client's word does not prove that a person answered.

- A reply to a form that the host does not draw, or one too fast for reading, means that no person saw the form. This
  detects broken hosts; it is no protection. A client that answers without a person on purpose must say so: its replies
  count, but permit nothing.
- An accept with no entries means the same, unless it proves that the form was drawn.
- A decline is a refusal, with its note; closing the dialog means *not now*.
- The person's own words, if a host offers them with each choice, are *something else* if the question allows that, and
  a refusal with a note if not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from handoffs.asking.host_dialog import HostDialog
from handoffs.core.form import Form

READING_SECONDS = 1.0
"""A faster refusal came from no person: hosts without one decline or cancel within milliseconds."""

MAX_NOTE = 2_000
"""The most characters of a note."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a client reports that a person did in its dialog."""

    action: str
    """`accept`, `decline` or `cancel`."""
    content: Mapping[str, object] = field(default_factory=dict[str, object])
    note: str = ""
    script: bool = False
    """The client says that no person gave it."""

    def is_hasty(self, seconds: float) -> bool:
        """Return whether it came before a person can have read the question."""
        return seconds < READING_SECONDS and not self.script


@dataclass(frozen=True, slots=True)
class NotShown:
    """No person saw the question."""

    reason: str
    """The reason, for the log."""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The person closed the dialog: not now."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The person refused to answer."""

    note: str


@dataclass(frozen=True, slots=True)
class Filled:
    """The values that the person entered, not yet checked against the form."""

    values: Mapping[str, object]
    other: str = ""


Meaning: TypeAlias = NotShown | Dismissed | Refused | Filled


def judge(form: Form, reply: Reply, dialog: HostDialog, *, seconds: float, takes_other: bool = False) -> Meaning:
    """Return what a reply to a form means.

    Args:
        form: The form that was sent.
        reply: The client's reply.
        dialog: The host's dialog.
        seconds: The time since the person was first shown it; for a corrected answer, too.
        takes_other: Whether the question may be answered with something else than its options.
    """
    if not dialog.draws(form):
        # It was never sent as a form, or no person can have seen all of it.
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
    # The person did not pick a choice: that answers no form. The agent gets their words.
    return Refused("; ".join(f"{name}: {_written(value)}" for name, value in content.items())[:MAX_NOTE])


def judge_refusal(reply: Reply, *, seconds: float) -> NotShown | Dismissed | Refused:
    """Return what a decline or cancel means; also for a link, without a form."""
    if reply.action == "decline" and not reply.is_hasty(seconds):
        return Refused(reply.note[:MAX_NOTE])
    if reply.action == "cancel" and not reply.is_hasty(seconds):
        return Dismissed()
    return NotShown(f"{reply.action} after {seconds:.3f} s")


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
