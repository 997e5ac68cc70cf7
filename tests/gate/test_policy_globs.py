"""Globs match what they say, and one covers another exactly when it matches all that the other does."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from handoffs.policy_text.globs import Globs, compiled, covers, problem_of

PATTERNS = st.text("ab*?", max_size=5)
NAMES = ["".join(each) for length in range(7) for each in itertools.product("abz", repeat=length)]


def matches(glob: str, name: str) -> bool:
    """As a glob is defined."""
    if not glob:
        return not name
    if glob[0] == "*":
        return any(matches(glob[1:], name[at:]) for at in range(len(name) + 1))
    return bool(name) and glob[0] in ("?", name[0]) and matches(glob[1:], name[1:])


@given(glob=st.text("ab*?.\n", max_size=7), name=st.text("ab.\n", max_size=7))
def test_a_glob_matches_what_it_says(glob: str, name: str) -> None:
    assert bool(compiled(glob).fullmatch(name)) == matches(glob, name)


@given(wide=PATTERNS, narrow=PATTERNS)
def test_a_glob_covers_another_when_it_matches_all_of_its_names(wide: str, narrow: str) -> None:
    ours, theirs = compiled(wide), compiled(narrow)
    assert covers(wide, narrow) == all(ours.fullmatch(name) for name in NAMES if theirs.fullmatch(name))


@given(globs=st.lists(st.tuples(PATTERNS, PATTERNS), max_size=6), server=st.text("ab", max_size=4), tool=PATTERNS)
def test_the_index_finds_what_a_look_at_each_finds(globs: list[tuple[str, str]], server: str, tool: str) -> None:
    index: Globs[int] = Globs()
    for number, (servers, tools) in enumerate(globs):
        index.add(servers, tools, number)
    found = [n for n, (servers, tools) in enumerate(globs) if matches(servers, server) and matches(tools, tool)]
    assert index.matching(server, tool) == found
    covering = [n for n, (servers, tools) in enumerate(globs) if covers(servers, server) and covers(tools, tool)]
    assert index.covering(server, tool) == (covering[0] if covering else None)


def test_what_is_a_pattern_elsewhere_is_no_glob() -> None:
    assert [glob for glob in ("", "[ab]", "{a,b}", "a*", "?", "delete_*", "é") if problem_of(glob)] == [
        "",
        "[ab]",
        "{a,b}",
    ]
