"""When it can't be known who calls: nobody is let in, and nobody is told that their token was wrong."""

RETRY_SECONDS = 5
"""How soon it is tried again."""


class Unavailable(Exception):
    """What knows the callers can't be asked: the issuer's keys, or the store. The message is for the server's log."""
