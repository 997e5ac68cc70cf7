"""How much is measured: everything, or just enough to see that it works."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The size of a run: full or quick."""

    quick: bool = False

    def pick(self, *, full: int, quick: int) -> int:
        """Return how many: `full`, or `quick` where a rough figure will do."""
        return quick if self.quick else full

    def say(self, words: str) -> None:
        """Tell the person who waits what is going on; stdout is for the table alone."""
        print(words, file=sys.stderr, flush=True)
