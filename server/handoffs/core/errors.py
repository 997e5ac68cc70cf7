"""What can go wrong with a handoff, in words that say what to do instead.

HandoffError
├── QuestionRefused        the question itself is not one that can be asked
├── QuotaUsedUp            the caller has asked as much as it may for now; nothing was stored
├── AnswerRefused          the answer does not fit the form; nothing was recorded
├── AlreadyEnded           somebody was first; `core.lifecycle` raises it
├── AlreadyReminded        another process tells the person; `core.lifecycle` raises it
├── AlreadyUsed            the approval let another tool use run; `core.lifecycle` raises it
├── SecretRefused          a secret is not there for who asks for it
├── NotFound               no handoff has this id
├── Ambiguous              several handoffs' ids start with this
└── StoreError             the store can't be used
    ├── StoreUnavailable          it can't be reached just now, and may be back a moment later
    ├── StoreTooNew        a newer version of handoffs wrote it
    ├── StoreUnwritable    the folder or the file can't be written
    ├── StoreFull          the disk is full
    └── StoreCorrupt       the file is damaged, or is not a store at all
"""

from collections.abc import Mapping
from datetime import datetime


class HandoffError(Exception):
    """Something about a handoff that its caller can act on."""


class QuestionRefused(HandoffError):
    """The question can't be asked as it is."""


class QuotaUsedUp(HandoffError):
    """The caller has asked as much as it may for now; nothing was stored."""

    def __init__(self, message: str, *, again_at: datetime | None) -> None:
        """Keep when there is room again at the latest, in UTC; None where nobody knows."""
        self.again_at = again_at
        super().__init__(message)


class AnswerRefused(HandoffError):
    """The answer does not fit the form."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        """Keep what is wrong, by field name; the empty name stands for the form as a whole."""
        self.problems: dict[str, str] = dict(problems)
        super().__init__("; ".join(f"{name}: {what}" if name else what for name, what in self.problems.items()))


class AlreadyEnded(HandoffError):
    """The handoff has ended; the first outcome stands."""


class AlreadyReminded(HandoffError):
    """Somebody has taken it on to tell the person at this stage."""


class AlreadyUsed(HandoffError):
    """The approval was for one use of a tool, and another one had it."""


class SecretRefused(HandoffError):
    """The secret can't be had by this name, or not by this user."""


class NotFound(HandoffError):
    """There is no such handoff."""

    def __init__(self, handoff_id: str) -> None:
        self.handoff_id = handoff_id
        super().__init__(
            f"There is no handoff {handoff_id!r} here. `handoffs list --all` shows every one of this store."
        )


class Ambiguous(HandoffError):
    """More than one handoff's id starts like this."""

    def __init__(self, prefix: str, ids: tuple[str, ...]) -> None:
        self.prefix, self.ids = prefix, ids
        super().__init__(
            f"{prefix!r} could be {', '.join(ids)}: write a few more characters. `handoffs list --all` shows every id."
        )


class StoreError(HandoffError):
    """The store can't be used; nothing was lost or half-written."""


class StoreUnavailable(StoreError):
    """The store can't be reached just now; it may be back a moment later, with all that was kept."""


class StoreTooNew(StoreError):
    """A newer version of handoffs wrote this store."""


class StoreUnwritable(StoreError):
    """The store's folder or file can't be written."""


class StoreFull(StoreError):
    """The disk is full."""


class StoreCorrupt(StoreError):
    """The store's file is damaged, or is no store."""
