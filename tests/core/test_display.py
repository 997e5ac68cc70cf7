"""How long something is, in words."""

from datetime import timedelta

import pytest

from handoffs.core.display import left, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (86_399, "23 h"),
     (86_400, "1 d"), (31 * 86_400, "31 d")],
)  # fmt: skip
def test_a_length_is_told_in_its_largest_unit_and_never_as_too_long(seconds: float, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(86_400, "24 h"), (86_399.98, "24 h"), (86_339, "23 h"), (172_800, "2 d"), (172_799.5, "2 d"), (100_000, "27 h"),
     (86_370, "24 h"), (86_369, "23 h"), (3_599.9, "1 h"), (200, "3 min"), (61, "1 min"),
     (60, "1 min"), (59.5, "1 min"), (12.1, "13 s"), (0, "0 s"), (-3, "0 s")],
)  # fmt: skip
def test_what_is_left_is_not_an_hour_less_a_moment_after_it_began_to_run(seconds: float, words: str) -> None:
    assert left(timedelta(seconds=seconds)) == words
