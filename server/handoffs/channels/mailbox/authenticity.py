"""Whether the own mail server vouches for the sender of a message: `Authentication-Results`, by RFC 8601.

- Only the topmost header with the name of our server counts. Whoever sends a message can write more of them below.
- What can't be read counts as nothing, so does a method that is named twice where it decides.
- DMARC decides where it has a policy. Where it has none, DKIM or SPF counts for the very domain of the sender, or, by
  DKIM, for one above it: who signs for `example.org` may sign for `sub.example.org`.

The library `authres` reads the same header. It had its last release in 2019; the tests compare both.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+'
_AUTHSERV = re.compile(rf"\s*({_VALUE})(?:\s+\d+)?\s*")
_METHOD = re.compile(r"\s*([A-Za-z0-9-]+)\s*(?:/\s*\d+\s*)?=\s*([A-Za-z0-9-]+)(?=\s|\Z)")
_PROPERTY = re.compile(rf"\s+([A-Za-z0-9-]+(?:\s*\.\s*[A-Za-z0-9_-]+)?)\s*=\s*({_VALUE})(?=\s|\Z)")
_MOST = 16_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one method found."""

    method: str
    result: str
    properties: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """What one header says."""

    authserv: str
    results: Sequence[Result]


def vouched_for(headers: Sequence[str], *, authserv: str, domain: str) -> bool:
    """Return whether our server says that a message is of a sender at this domain.

    `headers` are all `Authentication-Results` of the message, the topmost first.
    """
    for header in headers:
        parts = _parts(header[:_MOST])
        # What is cut off, or never ends, is nobody's: then none below it counts either.
        if parts is None or len(header) > _MOST:
            return False
        if _authserv(parts[0]) == authserv.lower():
            found = read_results(header)
            return found is not None and _agree(found.results, domain.lower())
    return False


def read_results(header: str) -> Results | None:
    """Return what a header says; None for one that can't be read."""
    parts = _parts(header)
    if parts is None or len(parts) < 2 or not _authserv(parts[0]):
        return None
    said = [each for each in parts[1:] if each.strip()]
    if [each.strip().lower() for each in said] == ["none"]:
        said = []
    results = [_result(each) for each in said]
    known = [each for each in results if each is not None]
    return Results(authserv=_authserv(parts[0]), results=known) if len(known) == len(results) else None


def _agree(results: Sequence[Result], domain: str) -> bool:
    dmarc = [each for each in results if each.method == "dmarc"]
    if len(dmarc) > 1:
        return False
    if dmarc and dmarc[0].result != "none":
        return dmarc[0].result == "pass" and dmarc[0].properties.get("header.from", "").lower() == domain
    return any(_aligned(each, domain) for each in results if each.result == "pass")


def _aligned(result: Result, domain: str) -> bool:
    if result.method == "dkim":
        named = (result.properties.get("header.d", ""), result.properties.get("header.i", "").rpartition("@")[2])
        signed = {each.lower() for each in named if each}
        return any(each == domain or ("." in each and domain.endswith(f".{each}")) for each in signed)
    if result.method == "spf":
        return result.properties.get("smtp.mailfrom", "").rpartition("@")[2].lower() == domain
    return False


def _authserv(part: str) -> str:
    found = _AUTHSERV.fullmatch(part)
    return "" if found is None else _unquoted(found[1]).lower()


def _result(part: str) -> Result | None:
    """Return `method[/version]=result` and the properties that follow; None where anything else is there."""
    begun = _METHOD.match(part)
    if begun is None:
        return None
    properties: dict[str, str] = {}
    at = begun.end()
    while part[at:].strip():
        found = _PROPERTY.match(part, at)
        name = "" if found is None else re.sub(r"\s", "", found[1]).lower()
        if found is None or name in properties:
            return None
        properties[name] = _unquoted(found[2])
        at = found.end()
    return Result(method=begun[1].lower(), result=begun[2].lower(), properties=properties)


def _parts(text: str) -> list[str] | None:
    """Return what stands between the semicolons, without comments; None where a comment or a quote never ends."""
    parts: list[list[str]] = [[]]
    depth, quoted, at = 0, False, 0
    while at < len(text):
        one = text[at]
        if one == "\\" and (depth or quoted):
            if not depth:
                parts[-1].append(text[at : at + 2])
            at += 2
            continue
        if one == '"' and not depth:
            quoted = not quoted
        if one == "(" and not quoted:
            depth += 1
        elif one == ")" and depth:
            depth -= 1
            if not depth:
                parts[-1].append(" ")
        elif one == ";" and not depth and not quoted:
            parts.append([])
        elif not depth:
            parts[-1].append(one)
        at += 1
    return None if depth or quoted else ["".join(each) for each in parts]


def _unquoted(value: str) -> str:
    whole = len(value) > 1 and value.startswith('"') and value.endswith('"')
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if whole else value
