"""The error of this package."""

from handoffs.core.errors import HandoffError


class ProofRefused(HandoffError):
    """A proof, a note, a key or a file of the log is malformed, or does not prove what it should; says which."""
