"""How long something is, in words."""

from datetime import timedelta

import pytest

from handoffs.core.spans import span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (86_399, "23 h"),
     (86_400, "1 d"), (31 * 86_400, "31 d")],
)  # fmt: skip
def test_a_length_is_told_in_its_largest_unit_and_never_as_longer_than_it_is(seconds: float, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words
