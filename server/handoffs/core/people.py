"""The interface to the people of a store, and to what signs them in: invitations, sessions and passkeys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from handoffs.core.inbox_session import Session
from handoffs.core.invitation import Invitation
from handoffs.core.passkey import Passkey
from handoffs.core.person import Absence, Directory, Person
from handoffs.core.recovery import Recovery
from handoffs.core.rewriting import Erasure, Rewrite


class People(Protocol):
    """Where people are kept. Safe for any number of processes at once.

    Every method raises StoreError where the store can't be used. What a method has returned has been made durable, and
    the next read of every process finds it. What changes people, keys, recoveries or absences has a line in the log
    (`core.person_log`), in the same transaction.

    Invitations and sessions are found by the digest of a secret; the secret itself is not stored.
    """

    async def directory(self) -> Directory:
        """Return all people and absences, as they are at one moment; also those who were removed."""
        ...

    async def add(self, person: Person) -> None:
        """Add a person. Raises PersonRefused: The name was given before, in upper or lower case."""
        ...

    async def change(
        self,
        name: str,
        *,
        at: datetime,
        email: str | None = None,
        join: frozenset[str] = frozenset(),
        leave: frozenset[str] = frozenset(),
        identify: frozenset[str] = frozenset(),
        disown: frozenset[str] = frozenset(),
    ) -> Person:
        """Change the email address (None: keep it), groups and identities of a person; return them as they are then.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed.
        """
        ...

    async def remove(self, name: str, *, at: datetime) -> bool:
        """Remove a person for good, with their sessions, invitation and absence; False where they are not there.

        The name and the passkeys are kept: what they decided and signed can still be checked.
        """
        ...

    async def away(self, absence: Absence, *, at: datetime) -> None:
        """Keep an absence, in place of the person's earlier one. Raises as `Directory.check_absence`."""
        ...

    async def come_back(self, person: str, *, at: datetime) -> bool:
        """End a person's absence, also one to come; False where there is none."""
        ...

    async def invite(self, digest: str, person: str, *, expires_at: datetime) -> bool:
        """Keep an invitation, in place of the person's earlier one; False where the person is not there."""
        ...

    async def invitation(self, digest: str) -> Invitation | None:
        """Return an invitation, also a used or expired one; None where there is none, or its person was removed."""
        ...

    async def redeem(self, digest: str, *, at: datetime) -> str | None:
        """Use up an invitation, and return its person.

        None, and nothing is written, where there is none, it has expired, was used before, or its person was removed.
        Of several who redeem it at once, one gets the person.
        """
        ...

    async def begin(self, digest: str, person: str, *, at: datetime, agent: str, page_key: str = "") -> Session | None:
        """Begin a session; None where the person is not there, or the digest was used before."""
        ...

    async def bind(self, digest: str, page_key: str) -> bool:
        """Give a session without a page's key this one; False where it has another, or there is no such session."""
        ...

    async def session(self, digest: str, *, at: datetime) -> Session | None:
        """Return a session; None where it has ended, or its person was removed."""
        ...

    async def seen(self, digest: str, *, at: datetime) -> None:
        """Record when a session was last used."""
        ...

    async def sessions(self, person: str | None = None, *, at: datetime) -> Sequence[Session]:
        """Return the sessions of a person, or of all, that have not ended; the last used first."""
        ...

    async def end(self, session_id: str) -> bool:
        """End a session; False where there is none."""
        ...

    async def end_all(self, person: str) -> int:
        """End all sessions of a person; return how many those were."""
        ...

    async def keys(self, person: str) -> Sequence[Passkey]:
        """Return the passkeys of a person that were not removed, the oldest first; also those not yet active."""
        ...

    async def add_key(self, key: Passkey) -> None:
        """Add a passkey.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed, or the credential id was enrolled before.
        """
        ...

    async def key(self, credential_id: str) -> Passkey | None:
        """Return the passkey with this credential id, also a removed one, and one of a removed person."""
        ...

    async def use_key(self, credential_id: str, *, sign_count: int, at: datetime) -> bool:
        """Record that a passkey has signed.

        False, and nothing is written, where there is none, it is not `Passkey.active`, the count does not follow
        (`Passkey.counts_on`), or its person was removed.
        """
        ...

    async def remove_key(self, credential_id: str, *, at: datetime) -> bool:
        """Let a passkey sign nothing from now on; False where there is none, or it was removed before."""
        ...

    async def every_key(self) -> Sequence[Passkey]:
        """Return the passkeys of all people, also removed ones."""
        ...

    async def ask_recovery(self, digest: str, recovery: Recovery) -> None:
        """Keep a recovery, in place of the person's earlier one.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were removed, a recovery of theirs is under way, or it would begin too soon.
        """
        ...

    async def recovery(self, digest: str) -> Recovery | None:
        """Return a recovery, also a used, stopped or past one; None where there is none, or its person was removed."""
        ...

    async def recoveries(self, *, at: datetime) -> Sequence[Recovery]:
        """Return the recoveries that are under way."""
        ...

    async def every_recovery(self) -> Sequence[Recovery]:
        """Return the last recovery of each person who is there, as it is."""
        ...

    async def stop_recovery(self, person: str, *, by: str, at: datetime) -> bool:
        """Stop the recovery of a person that is under way; False where there is none."""
        ...

    async def recover(self, digest: str, key: Passkey, *, at: datetime) -> bool:
        """Use a recovery up: this passkey takes the place of all of the person's, whose sessions end.

        False, and nothing is written, where it can't be used now, or it is of another person.

        Raises:
            PersonRefused: The credential id was enrolled before.
        """
        ...

    async def erase(self, name: str, *, at: datetime, rewrite: Rewrite) -> Erasure:
        """Erase all that is kept about a person, in one transaction; `rewrite` says what changes in a handoff.

        Raises:
            PersonNotFound: There is no such person.
            PersonRefused: They were erased before, or something open still names them.
        """
        ...
