"""A policy file that may change while the gate runs: a change counts from the next call on."""

from pathlib import Path

from handoffs.gate.policy import Policy, policy_of_text
from handoffs.policy_text.changing_file import ChangingFile


class PolicyFile(ChangingFile[Policy]):
    """The policy in force. A change that can't be used leaves the earlier policy in force."""

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            PolicyError: It can't be used.
        """
        super().__init__(path, policy_of_text)
