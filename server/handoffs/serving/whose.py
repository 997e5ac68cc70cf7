"""Whose decision an agent's question is, by the policy file: nothing of it is imported before there is such a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.core.question import Asking

if TYPE_CHECKING:  # only a rule that names people needs them
    from handoffs.core.deciders import Deciders
    from handoffs.people.questions import QuestionRouting


class WhoseDecision:
    """Routes questions by the policy file, from the first question on at which there is one."""

    def __init__(self, path: Path, desk: Desk) -> None:
        """Take the place of the file, and the desk with the people."""
        self._path, self._desk = path, desk
        self._routing: QuestionRouting | None = None

    @staticmethod
    def is_ruled(path: Path, caller: Caller, asking: Asking) -> bool:
        """Say whether a rule in this file names who decides what this caller asks now. Raises QuestionRefused."""
        if not _may_exist(path):
            return False
        from handoffs.people.questions import QuestionRouting

        return QuestionRouting(path, None).rule(caller, asking) is not None

    async def __call__(self, caller: Caller, asking: Asking) -> "Deciders | None":
        """Return who may decide what this caller asks now; None where no rule says so. Raises QuestionRefused."""
        if self._routing is None:
            if not _may_exist(self._path):
                return None
            from handoffs.people.questions import QuestionRouting

            self._routing = QuestionRouting(self._path, self._desk.directory)
        return await self._routing.deciders(caller, asking, self._desk.clock.now())


def _may_exist(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # reading it says what is wrong
    return True
