"""Cases that a policy has to decide as they say, for a check in CI."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from handoffs.gate.policy import Policy
from handoffs.gate.policy_model import DECISIONS, Call, Decision, Verdict, read_decision
from handoffs.policy_text.tables import Table, read_text, read_toml, read_truth

T = TypeVar("T")

_KEYS = ("server", "tool", "arguments", "title", "annotations", "listed", "caller", "expect")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A case that the policy decides otherwise."""

    place: str
    """`cases.toml:3`."""
    call: Call
    expected: Decision
    verdict: Verdict

    def __str__(self) -> str:
        tool = f"{self.call.server}/{self.call.tool}" if self.call.server else self.call.tool
        arguments = json.dumps(dict(self.call.arguments), ensure_ascii=False)
        because = f": {self.verdict.reason}" if self.verdict.reason else ""
        return (
            f"{self.place}: {tool} {arguments} expects {self.expected.value},"
            f" and the policy says {self.verdict.decision.value} ({self.verdict.rule}){because}"
        )


def check_cases(policy: Policy, path: Path) -> list[Failure]:
    """Return the cases of a file that the policy decides otherwise than they expect.

    Raises:
        PolicyError: The file of cases can't be used.
    """
    source, document = read_toml(read_text(path), str(path))
    top = Table(source, (), document)
    top.refuse_others(("case",))
    cases = top.tables("case")
    if not cases:
        raise top.refusal("there is no case", "one or more [[case]], each with `tool` and `expect`")
    failures: list[Failure] = []
    for case in cases:
        call, expected = _call(case), _expected(case)
        verdict = policy.decide(call)
        if verdict.decision is not expected:
            place = f"{path.name}:{case.line}"
            failures.append(Failure(place=place, call=call, expected=expected, verdict=verdict))
    return failures


def _call(case: Table) -> Call:
    return Call(
        server=case.get("server", _text, "a text") or "",
        tool=_needed(case, "tool", case.get("tool", _text, "a text")),
        arguments=case.get("arguments", _json, "a table of what JSON has: no dates, no nan, no inf") or {},
        title=case.get("title", _text, "a text") or "",
        annotations=case.get("annotations", _json, "a table of what JSON has") or {},
        listed=case.get("listed", read_truth, "true or false") is not False,
        caller=case.get("caller", _texts, "a table of texts: client, project, subject") or {},
    )


def _expected(case: Table) -> Decision:
    case.refuse_others(_KEYS)
    return _needed(case, "expect", case.get("expect", read_decision, DECISIONS))


def _needed(case: Table, key: str, value: T | None) -> T:
    if value is None:
        raise case.refusal(f"a case has no `{key}`", "a [[case]] with `tool` and `expect`")
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _json(value: object) -> dict[str, object] | None:
    if not isinstance(value, dict):
        return None
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return cast("dict[str, object]", value)


def _texts(value: object) -> dict[str, str] | None:
    found = _json(value)
    if found is None or set(found) - {"client", "project", "subject"}:
        return None
    texts = {name: each for name, each in found.items() if isinstance(each, str)}
    return texts if len(texts) == len(found) else None
