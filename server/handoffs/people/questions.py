"""Whose decision the questions of agents are: the `[[question]]` sections of a policy file, as it is when one is asked.

- A change that can't be used leaves the earlier rules in force, and the server's log says so.
- A file that could never be used refuses every question: whose decision it is, is not known.
- The other sections of the file are the gate's, and are not read here.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from handoffs.core.deciders import Deciders
from handoffs.core.errors import QuestionRefused
from handoffs.core.model import Caller
from handoffs.core.person import Directory
from handoffs.core.question import Asking
from handoffs.people.routing import route
from handoffs.people.rules import DeciderRule, QuestionRule, read_questions, rule_for
from handoffs.policy_text.changing_file import ChangingFile
from handoffs.policy_text.tables import PolicyError, Table, read_toml

logger = logging.getLogger(__name__)

Rules: TypeAlias = tuple[QuestionRule, ...]


class QuestionRouting:
    """Routes the questions of agents by a policy file."""

    def __init__(self, path: Path, directory: Callable[[], Awaitable[Directory]] | None) -> None:
        """Take the file, and what knows the people; without it nobody is known. Nothing is read yet."""
        self._path, self._directory = path, directory
        self._file: ChangingFile[Rules] | None = None
        self._told = ""

    def rule(self, caller: Caller, asking: Asking) -> DeciderRule | None:
        """Return the rule for what this caller asks now; None where there is none. Raises QuestionRefused."""
        return rule_for(self._rules(), caller, asking)

    async def deciders(self, caller: Caller, asking: Asking, at: datetime) -> Deciders | None:
        """Return who may decide what this caller asks now; None where no rule says so.

        Raises:
            NobodyCanDecide: Too few of the people that the rule names are there.
            QuestionRefused: The file can't be used, or the question can't be asked as it is.
        """
        rule = self.rule(caller, asking)
        if rule is None:
            return None
        people = Directory() if self._directory is None else await self._directory()
        return route(rule, people, at=at, requester=caller.subject)

    def _rules(self) -> Rules:
        try:
            if self._file is None:
                self._file = ChangingFile(self._path, _questions_of)
            rules = self._file.current()
        except PolicyError as wrong:
            raise QuestionRefused(
                f"Whose decision this is can't be read, so nobody was asked: {wrong} Tell the person who set this up."
            ) from None
        if self._file.problem != self._told:
            self._told = self._file.problem
            if self._told:
                logger.warning("the earlier rules for questions stay in force: %s", self._told)
        return rules


def _questions_of(text: str, path: Path) -> Rules:
    source, document = read_toml(text, str(path))
    return read_questions(Table(source, (), document), path)
