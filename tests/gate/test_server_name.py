"""Which server a permission is for, where the command alone says it."""

import pytest

from handoffs.gate.server_name import unmarked
from handoffs.serving.gate import read_options


def server(*arguments: str) -> str:
    return read_options(arguments).server


def test_servers_that_are_started_differently_have_different_names() -> None:
    names = {server("--", "python3", "shop.py", "--db", each) for each in ("test", "prod")}
    names |= {server("--", "python3", each) for each in ("/a/shop.py", "/b/shop.py")}
    assert len(names) == 4
    assert {unmarked(each) for each in names} == {"shop.py"}
    assert server("--", "python3", "shop.py", "--db", "test") in names
    urls = {server("--url", f"https://mcp.example.com/{each}/mcp") for each in ("a", "b")}
    assert len(urls) == 2
    assert {unmarked(each) for each in urls} == {"mcp.example.com"}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("--", "uvx", "mcp-server-git"), "mcp-server-git"),
        (("--url", "https://mcp.example.com/mcp"), "mcp.example.com"),
        (("--name", "shop", "--", "python3", "shop.py", "--db", "test"), "shop"),
    ],
)
def test_a_name_that_says_all_has_no_mark(arguments: tuple[str, ...], name: str) -> None:
    assert server(*arguments) == name
