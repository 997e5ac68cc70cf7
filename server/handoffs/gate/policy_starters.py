"""Policies to start from, for common kinds of servers."""

from importlib.resources import files

STARTERS = ("filesystem", "git", "shell", "sql")


def starter(name: str) -> str:
    """Return the text of a starter policy, one of `STARTERS`, to be written to a file of the person's own."""
    if name not in STARTERS:
        raise ValueError(f"there is no starter {name!r}; there are {', '.join(STARTERS)}")
    return files("handoffs.gate").joinpath("starters", f"{name}.toml").read_text("utf-8")
