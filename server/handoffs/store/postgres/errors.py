"""What errors of PostgreSQL and the driver mean: whether to try again, and what the caller is told."""

from handoffs.core.errors import StoreCorrupt, StoreError, StoreFull, StoreUnwritable
from handoffs.store.postgres.address import Address

# https://www.postgresql.org/docs/current/errcodes-appendix.html. Temporary ones: a broken connection, a server that
# stops, starts or has no free connections, a standby that is not the primary yet, a deadlock.
_PASSING = ("08", "40", "57P01", "57P02", "57P03", "57P05", "53300", "25006")
# The tables or the schema are missing: they are made again.
_GONE = ("42P01", "3F000")
_NO_ENTRY = ("28", "3D000")
# A prepared statement is missing, or exists already: it was prepared on another connection.
_SHARED = ("26000", "42P05")

POOLER = (
    "a pooler before the database gives its connections away after each transaction. Set it to sessions "
    "(PgBouncer: pool_mode = session), or let HANDOFFS_STORE lead to the database itself"
)
"""The cause and the remedy if a pooler shares connections between clients."""


def passing(error: BaseException) -> bool:
    """Return whether the same work may succeed a moment later, on another connection."""
    if isinstance(error, OSError):  # and TimeoutError, which is one
        # Except for a wrong certificate, or a key file without permission: trying again does not help.
        return type(error).__name__ not in {"SSLCertVerificationError", "PermissionError"}
    state = _state(error)
    if state:
        return state.startswith(_PASSING)
    # Errors of the driver itself: the connection was closed meanwhile, or the only server that answers refuses writes.
    # Its other errors are mistakes in our use of it.
    kind = type(error).__name__
    return kind in {"ProtocolError", "TargetServerAttributeNotMatched"} or (
        kind in {"InterfaceError", "InternalClientError"} and "clos" in str(error)
    )


def gone(error: BaseException) -> bool:
    """Return whether the tables are missing."""
    return _state(error).startswith(_GONE)


def meaning(error: BaseException, address: Address) -> StoreError | None:
    """Return what an error means to the caller; None for a mistake of ours."""
    state, why, shown = _state(error), address.hide(words(error)), address.shown
    if state == "53100":
        return StoreFull(
            f"The store {shown} can't grow: its server's disk is full. Earlier changes are safe; this one was not "
            "stored. Make room there and try again."
        )
    if state == "42501":
        return StoreUnwritable(
            f"The store {shown} can't be used by this user ({why}). Grant it the schema {address.schema} and its "
            "tables; to make them, it needs CREATE on the database once."
        )
    if state.startswith(_NO_ENTRY):
        return StoreError(
            f"The store {shown} does not let this user in ({why}). Check user, password (PGPASSWORD, too) and "
            "database in HANDOFFS_STORE."
        )
    if state in _SHARED:
        return StoreError(f"The store {shown} can't be used: {POOLER}.")
    if state.startswith("XX"):
        return StoreCorrupt(f"The store {shown} is damaged ({why}). See its server's log; restore a backup if need be.")
    if state == "57014":
        return StoreError(f"The store {shown} took too long ({why}). Try again; see what keeps its server busy.")
    if state or isinstance(error, OSError) or type(error).__module__.startswith("asyncpg"):
        return StoreError(f"The store {shown} can't be used ({why}).")
    return None


def words(error: BaseException) -> str:
    """Return an error's message on one line, without its details: PostgreSQL quotes rows there."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no reply in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error.args[0]) if error.args else type(error).__name__


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")
