"""`handoffs people recover`: a way back in for a person who has lost all passkeys, after a delay, or the end of it."""

import secrets
from datetime import timedelta

from handoffs.access.tokens import digest_of
from handoffs.assembly import current_user
from handoffs.cli.people import inbox_address, opened_for, quoted
from handoffs.cli.spans import span
from handoffs.clock import SystemClock
from handoffs.console import UsageError, print_out
from handoffs.core.display import in_words, stamp
from handoffs.core.errors import PersonRefused
from handoffs.core.recovery import GOOD_FOR, LEAST_DELAY, LONGEST_DELAY, Recovery
from handoffs.inbox_process.record import join_page
from handoffs.settings import Settings

PINNED = (
    "HANDOFFS_PINNED_KEYS is set: the keys in that file count, and no recovery changes them. Put the person's new key "
    "there, as root, in place of the old one."
)


async def asked(settings: Settings, name: str, *, after: str) -> str:
    """Print the link of a recovery; return what to say beside it.

    Raises:
        UsageError: The delay is none, or the inbox has no address.
        PersonRefused: The person has no passkey, keys are pinned, or a recovery is under way.
    """
    delay = _delay(after)
    if settings.pinned_keys is not None:
        raise PersonRefused(PINNED)
    clock, token = SystemClock(), secrets.token_urlsafe(32)
    async with opened_for(settings, name, clock) as people:
        person = (await people.directory()).named(name)
        if not await people.keys(person.name):
            raise PersonRefused(
                f"{name} has no passkey to recover: `handoffs people invite {quoted(name)}` makes the link for the "
                "first one."
            )
        inbox, now = inbox_address(settings), clock.now()
        recovery = Recovery(
            person=person.name,
            asked_by=current_user(),
            asked_at=now,
            begins_at=now + delay,
            ends_at=now + delay + GOOD_FOR,
        )
        await people.ask_recovery(digest_of(token), recovery)
    print_out(join_page(inbox, token))
    return (
        f"The link works once, from {stamp(recovery.begins_at)} until {stamp(recovery.ends_at)}: it sets up a passkey "
        f"in place of all that {name} has. Until then every page of the inbox says so, and {name} can stop it with a "
        f"passkey; so does `handoffs people recover {quoted(name)} --stop`. Send it to {name} alone."
    )


async def stopped(settings: Settings, name: str) -> None:
    """Stop the recovery of a person. Raises PersonRefused: none is under way."""
    clock = SystemClock()
    async with opened_for(settings, name, clock) as people:
        person = (await people.directory()).named(name)
        if not await people.stop_recovery(person.name, by=current_user(), at=clock.now()):
            raise PersonRefused(f"No recovery of {name} is under way.")
    print_out(f"The recovery of {name} is stopped: its link works no more.")


def _delay(written: str) -> timedelta:
    found = span(written)
    if found is None or not LEAST_DELAY <= found <= LONGEST_DELAY:
        raise UsageError(
            f"--after takes a span of time from {in_words(LEAST_DELAY, least=2)} to {in_words(LONGEST_DELAY)}: 48h, 3d."
        )
    return found
