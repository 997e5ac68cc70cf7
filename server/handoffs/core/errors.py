"""What can go wrong with a handoff, in words that say what to do instead.

HandoffError
├── QuestionRefused        the question can't be asked as it is
├── QuotaUsedUp            the caller has reached its quota for now; nothing was stored
├── AnswerRefused          the answer does not fit the form; nothing was recorded
│   ├── NotTheirDecision   others decide this; nothing was recorded
│   └── NotProved          the signature of the person who decides is missing, or does not fit; nothing was recorded
├── AlreadyEnded           the handoff has an outcome already; `core.lifecycle` raises it
├── AlreadyReminded        another process sends this reminder; `core.lifecycle` raises it
├── AlreadyUsed            another use of the tool has the approval; `core.lifecycle` raises it
├── Stopped                everything is stopped; nothing was recorded
├── SecretRefused          the caller can't have this secret
├── NotFound               no handoff has this id
├── FileChanged            a file of an answer is not in the store as the person gave it
├── PersonNotFound         no person has this name
├── PersonRefused          what is asked of a person can't be done as things are; nothing was recorded
├── Ambiguous              several ids start with this
└── StoreError             the store can't be used
    ├── StoreUnavailable   the store can't be reached now, and may be back a moment later
    ├── StoreTooNew        a newer version of handoffs wrote it
    ├── StoreUnwritable    the folder or the file can't be written
    ├── StoreFull          the disk is full
    └── StoreCorrupt       the file is damaged, or is not a store at all
"""

from collections.abc import Mapping
from datetime import datetime


class HandoffError(Exception):
    """An error that the caller can act on."""


class QuestionRefused(HandoffError):
    """The question can't be asked as it is."""


class QuotaUsedUp(HandoffError):
    """The caller has reached its quota for now; nothing was stored."""

    def __init__(self, message: str, *, again_at: datetime | None) -> None:
        """Keep the time at which there is room again at the latest, in UTC; None if it is not known."""
        self.again_at = again_at
        super().__init__(message)


class AnswerRefused(HandoffError):
    """The answer does not fit the form."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        """Keep the problems by field name; the empty name stands for the form as a whole."""
        self.problems: dict[str, str] = dict(problems)
        super().__init__("; ".join(f"{name}: {what}" if name else what for name, what in self.problems.items()))


class NotTheirDecision(AnswerRefused):
    """Others decide this, or their votes are missing."""

    def __init__(self, words: str) -> None:
        super().__init__({"": words})


class NotProved(AnswerRefused):
    """The signature that a decision needs is missing, or does not fit."""

    def __init__(self, words: str) -> None:
        super().__init__({"": words})


class AlreadyEnded(HandoffError):
    """The handoff has ended; the first outcome stands."""


class AlreadyReminded(HandoffError):
    """Another process has claimed the reminder of this stage."""


class AlreadyUsed(HandoffError):
    """Another use of the tool has the approval, which holds for one."""


class Stopped(HandoffError):
    """Everything is stopped. Nothing was recorded."""

    def __init__(self) -> None:
        super().__init__("Everything is stopped; `handoffs gate stop --lift` ends that.")


class SecretRefused(HandoffError):
    """There is no such secret, or this user can't have it."""


class NotFound(HandoffError):
    """There is no handoff with this id."""

    def __init__(self, handoff_id: str) -> None:
        self.handoff_id = handoff_id
        super().__init__(f"There is no handoff {handoff_id!r} here. `handoffs list --all` shows all of this store.")


class FileChanged(HandoffError):
    """A file of an answer is not in the store as the person gave it."""

    def __init__(self, handoff_id: str, number: int) -> None:
        super().__init__(
            f"File {number} of {handoff_id} is not in the store as the person gave it: it was changed or removed "
            "there. Do not use it; tell the person. `handoffs log verify` checks the whole store."
        )


class Ambiguous(HandoffError):
    """Several ids start with this prefix."""

    def __init__(self, prefix: str, ids: tuple[str, ...]) -> None:
        self.prefix, self.ids = prefix, ids
        super().__init__(
            f"{prefix!r} could be {', '.join(ids)}: write a few more characters. `handoffs list --all` shows every id."
        )


class PersonNotFound(HandoffError):
    """There is no person with this name."""


class PersonRefused(HandoffError):
    """What is asked of a person can't be done as things are; nothing was recorded."""


class StoreError(HandoffError):
    """The store can't be used. Nothing was lost or half-written."""


class StoreUnavailable(StoreError):
    """The store can't be reached now; it may be back a moment later, with all its handoffs."""


class StoreTooNew(StoreError):
    """A newer version of handoffs wrote this store."""


class StoreUnwritable(StoreError):
    """The store's folder or file can't be written."""


class StoreFull(StoreError):
    """The disk is full."""


class StoreCorrupt(StoreError):
    """The store's file is damaged, or is not a store."""
