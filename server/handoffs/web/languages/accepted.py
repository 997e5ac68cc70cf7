"""The languages of the inbox, and which one a browser wants: by its cookie, else by `Accept-Language` (RFC 9110)."""

from functools import lru_cache

from handoffs.languages.tags import ENGLISH, LANGUAGES

COOKIE = "handoffs_language"
"""Holds the tag that a person has picked."""

_MOST_RANGES = 50
_MOST = 1000
"""The most characters of the header that are read: browsers send fewer than a hundred."""


def wanted(cookie: str, accept: str) -> str:
    """Return the language of a page; English where nothing that is wanted is here."""
    return cookie if cookie in LANGUAGES else accepted(accept[:_MOST])


@lru_cache(maxsize=256)
def accepted(header: str) -> str:
    """Return the language that an `Accept-Language` prefers; `*` and what can't be read ask for none."""
    ranges = [_range(each) for each in header.split(",")[:_MOST_RANGES]]
    by_weight = sorted((each for each in ranges if each[1] > 0), key=lambda each: -each[1])
    # Browsers add a bare `zh` to `zh-TW`: who reads the one script does not ask for the other by that.
    traditional = any(_is_traditional(tag) for tag, _ in by_weight)
    for tag, _ in by_weight:
        found = _known(tag, bare_chinese=not traditional)
        if found:
            return found
    return ENGLISH


def _range(written: str) -> tuple[str, float]:
    tag, _, parameter = written.strip().lower().partition(";")
    name, _, number = parameter.strip().partition("=")
    if not parameter.strip():
        return tag.strip(), 1.0
    try:
        weight = float(number.strip()) if name.strip() == "q" else 0.0
    except ValueError:
        weight = 0.0
    return tag.strip(), weight if 0 <= weight <= 1 else 0.0


def _known(tag: str, *, bare_chinese: bool) -> str:
    primary, *others = tag.split("-")
    if primary == "zh":
        if _is_traditional(tag):
            return ""
        simplified = bool({"hans", "cn", "sg", "my"} & set(others))
        return "zh-Hans" if simplified or (bare_chinese and not others) else ""
    return primary if primary in LANGUAGES else ""


def _is_traditional(tag: str) -> bool:
    primary, *others = tag.split("-")
    return primary == "zh" and "hans" not in others and bool({"hant", "tw", "hk", "mo"} & set(others))
