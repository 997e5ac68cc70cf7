"""Trying again: the pauses grow, up to the longest, and no two servers keep step."""

from itertools import islice

from handoffs.core.retry import growing_pauses


def test_pauses_double_up_to_the_longest_and_vary_by_half_at_the_most() -> None:
    for pause, most in zip(islice(growing_pauses(0.5, 10), 8), [0.5, 1, 2, 4, 8, 10, 10, 10], strict=True):
        assert most / 2 <= pause <= most


def test_two_servers_do_not_keep_step() -> None:
    assert list(islice(growing_pauses(1, 10), 8)) != list(islice(growing_pauses(1, 10), 8))
