"""The usage of a caller, as a store counts it before it opens another question."""

from collections.abc import Sequence
from typing import cast

from handoffs.core.quota import Usage
from handoffs.store.values import moment


def usage_of(row: Sequence[object]) -> Usage:
    """Return the usage that a row holds: open handoffs, their bytes, the first deadline, the start of a full minute."""
    count, held, first, full = cast("tuple[int, int, int | None, int | None]", row)
    return Usage(
        open=count,
        bytes=held,
        first_deadline=None if first is None else moment(first),
        full_since=None if full is None else moment(full),
    )
