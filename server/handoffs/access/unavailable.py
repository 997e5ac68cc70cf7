"""The error for tokens that can't be checked now: the caller is not admitted, nor told that its token is wrong."""

RETRY_SECONDS = 5
"""When the caller should try again."""


class Unavailable(Exception):
    """The issuer's keys or the store can't be reached. The message is for the server's log."""
