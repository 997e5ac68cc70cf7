"""Answers at once where nobody has to be asked: a remembered permission allows the use, or no question waits.

It is what `gate.remembered` does, on one connection, without an event loop: the same queries, the same checks of
`Grant.allows`, and a use that is one durable commit. Where anything is unusual, it answers nothing, and the desk does.
"""

import os
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime

from handoffs.core.action import Action
from handoffs.core.grant import MOST_GRANTS, Grant
from handoffs.hooks.events import Heard
from handoffs.hooks.settings import store_file
from handoffs.os_user import current_user


def is_allowed(heard: Heard, action: Action, environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether a remembered permission allows this use, and use it. False says nothing about a denial.

    Raises:
        StoreError: The store can't be used.
        ValueError: The arguments are read in different ways by different programs.
    """
    path = store_file(environ)
    if path is None:
        return False
    from handoffs.store.sqlite.file import connect_known, explained, transaction

    connection = connect_known(path)
    if connection is None:
        return False
    from handoffs.clock import boot_id, read_clocks
    from handoffs.store.permission_rows import wanted
    from handoffs.store.sqlite.clock_offsets import known_offset
    from handoffs.store.sqlite.grants import found, used

    with closing(connection), explained(path):
        reading = read_clocks()
        # Without a clock that can't be set, or with one that was, the desk says what time it is.
        if reading is None or known_offset(connection, reading, boot_id()) is None:
            return False
        which, given = wanted(
            lambda _: "?",
            subject=current_user(),
            server=heard.host.name,
            tool=action.tool,
            active_at=reading.wall,
            limit=MOST_GRANTS,
        )
        for grant in found(connection, which, given):
            if grant.project == heard.project and _allows(grant, reading.wall, heard, action):
                with transaction(connection):
                    if used(connection, grant.id, reading.wall) is not None:
                        return True
    return False


def is_asked(session: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether a question of this session may be open. Raises StoreError."""
    path = store_file(environ)
    if path is None:
        return True
    from handoffs.store.sqlite.file import connect_known, explained

    connection = connect_known(path)
    if connection is None:
        return path.exists()
    from handoffs.store.sqlite.grants import is_asked

    with closing(connection), explained(path):
        return is_asked(connection, f"{session}:")


def _allows(grant: Grant, now: datetime, heard: Heard, action: Action) -> bool:
    return grant.allows(
        now, session=heard.session, definition=action.known_by, digest=action.digest, arguments=action.values
    )
