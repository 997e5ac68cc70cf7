"""The policy of the gate: whether a call is allowed, asked about or denied. The first rule that matches decides.

- Without a matching rule, a call is asked about. `trust_hints` allows it where the tool calls itself read-only.
- A tool's hints are its server's own word. Apart from that, they only take away: a tool that calls itself destructive,
  or that its server does not list, is never remembered, unless the rule says so.
- An expression that fails, or that is neither true nor false, asks.

Which rules can match depends on the names of server and tool alone, so it is looked up once for each tool.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from handoffs.gate.policy_model import Call, Decision, Remember, Terms, Verdict
from handoffs.gate.policy_rules import Rule, read_policy, refuse_dead
from handoffs.policy_text import globs
from handoffs.policy_text.tables import PolicyError, read_text

if TYPE_CHECKING:
    from handoffs.policy_text.expressions import Expression, Facts

__all__ = [
    "Call", "Decision", "Policy", "PolicyError", "Remember", "Terms", "Verdict", "load_policy", "policy_of_flags",
]  # fmt: skip

NO_RULE = "no rule"

_TOGETHER = 5
"""So many expressions are tried as one first, which is false when all of them are."""
_TOOLS = 4_096
"""For so many tools the rules that can match are kept."""
_LONGEST_NAME = 1_000
"""An agent may send a name of many MiB, and a thousand globs would take a minute for it. MCP has 128 characters."""
_NOTHING = Remember(reaches=frozenset())


class Policy:
    """Rules in order. It is immutable, and may be used from several threads."""

    def __init__(self, rules: Sequence[Rule] = (), *, trust_hints: str | None = None) -> None:
        """Take the rules; `trust_hints` is the place that says so, for the verdicts that come from it."""
        self.rules = tuple(rules)
        self._trust_hints = trust_hints
        self._globs: globs.Globs[Rule] = globs.Globs()
        for rule in self.rules:
            for server, tool in rule.pairs:
                self._globs.add(server, tool, rule)
        self._known: dict[tuple[str, str], _Candidates] = {}

    def decide(self, call: Call) -> Verdict:
        """Return what the policy says about a call. It never raises."""
        if len(call.tool) > _LONGEST_NAME:
            reason = f"The tool's name is longer than {_LONGEST_NAME:,} characters."
            return Verdict(decision=Decision.DENY, rule=NO_RULE, reason=reason)
        candidates = self._candidates(call)
        if candidates.groups and (verdict := _by_expression(candidates.groups, call)):
            return verdict
        if candidates.final is not None:
            return _verdict(candidates.final, call)
        if self._trust_hints is not None and _calls_itself_read_only(call.annotations):
            return Verdict(decision=Decision.ALLOW, rule=self._trust_hints)
        return Verdict(decision=Decision.ASK, rule=NO_RULE, terms=_careful(Terms(), call))

    def _candidates(self, call: Call) -> "_Candidates":
        key = (call.server, call.tool)
        found = self._known.get(key)
        if found is None:
            found = _candidates_of(self._globs.matching(*key), kept=call.listed)
            if call.listed:  # an agent can make up names without end
                if len(self._known) >= _TOOLS:
                    self._known.clear()
                self._known[key] = found
        return found


def load_policy(path: Path) -> Policy:
    """Return the policy that a TOML file says.

    Raises:
        PolicyError: It can't be used; the message has file, line, what is wrong, and what is allowed.
    """
    return policy_of_text(read_text(path), path)


def policy_of_text(text: str, path: Path) -> Policy:
    """Return the policy that the text of this file says.

    Raises:
        PolicyError: As `load_policy`.
    """
    written = read_policy(text, path)
    return Policy(written.rules, trust_hints=written.trust_hints)


def policy_of_flags(
    *, ask: Sequence[str] = (), allow: Sequence[str] = (), deny: Sequence[str] = (), trust_hints: bool = False
) -> Policy:
    """Return the policy that globs over the names of tools say; of several that match, the strictest decides.

    Raises:
        PolicyError: A glob can't be used, or can never match.
    """
    written = [(Decision.DENY, deny), (Decision.ASK, ask), (Decision.ALLOW, allow)]
    rules = [_rule_of_flag(decision, glob) for decision, listed in written for glob in listed]
    refuse_dead(rules, lambda number, wrong, allowed: PolicyError(rules[number].place, None, wrong, allowed))
    return Policy(rules, trust_hints="--trust-hints" if trust_hints else None)


def _rule_of_flag(decision: Decision, glob: str) -> Rule:
    place = f"--{decision.value} {glob}"
    if problem := globs.problem_of(glob):
        raise PolicyError(place, None, problem, globs.ALLOWED)
    return Rule(servers=("*",), tools=(glob,), decision=decision, place=place)


# Which rules can match


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Rules with expressions, one after the other."""

    rules: "tuple[tuple[Rule, Expression], ...]"
    some: "Expression | None" = None
    """False when all of their expressions are false."""


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """The rules that can match calls of one tool, up to the first one that needs no expression."""

    groups: tuple[_Group, ...]
    final: Rule | None


def _candidates_of(rules: Iterable[Rule], *, kept: bool) -> _Candidates:
    conditional: list[tuple[Rule, Expression]] = []
    final = None
    for rule in dict.fromkeys(rules):  # a rule matches once, however many of its globs do
        if rule.expression is None:
            final = rule
            break
        conditional.append((rule, rule.expression))
    groups = (tuple(conditional[at : at + _TOGETHER]) for at in range(0, len(conditional), _TOGETHER))
    # To compile an expression costs as much as twenty evaluations: not for what is asked once.
    return _Candidates(
        groups=tuple(_Group(rules=each, some=_some(each) if kept else None) for each in groups), final=final
    )


def _some(rules: "Sequence[tuple[Rule, Expression]]") -> "Expression | None":
    if len(rules) < _TOGETHER:
        return None
    from handoffs.gate.policy_when import CALLS

    return CALLS.any_of([rule.when for rule, _ in rules])


# What they say


def _by_expression(groups: Sequence[_Group], call: Call) -> Verdict | None:
    """Return what the first rule says whose expression is true, or fails; None if all are false."""
    from handoffs.gate.policy_when import facts_of
    from handoffs.policy_text.expressions import NotEvaluated

    rule = groups[0].rules[0][0]
    try:
        facts = facts_of(call)
        for group in groups:
            if group.some is not None and _is_false(group.some, facts):
                continue
            for rule, expression in group.rules:
                if expression.holds(facts):
                    return _verdict(rule, call)
    except NotEvaluated as error:
        terms = replace(rule.terms, remember=_NOTHING)
        reason = f"The rule's `when` could not be evaluated: {error}."
        return Verdict(decision=Decision.ASK, rule=rule.place, reason=reason, terms=terms, pin=rule.pin)
    return None


def _is_false(expression: "Expression", facts: "Facts") -> bool:
    from handoffs.policy_text.expressions import NotEvaluated

    try:
        return not expression.holds(facts)
    except NotEvaluated:  # one of them fails: the rules say which
        return False


def _verdict(rule: Rule, call: Call) -> Verdict:
    terms = rule.terms if rule.remember_said else _careful(rule.terms, call)
    return Verdict(decision=rule.decision, rule=rule.place, reason=rule.reason, terms=terms, pin=rule.pin)


def _careful(terms: Terms, call: Call) -> Terms:
    """What is destructive by its own word, or has no definition, is asked about each time."""
    if call.listed and call.annotations.get("destructiveHint") is not True:
        return terms
    return replace(terms, remember=_NOTHING)


def _calls_itself_read_only(annotations: Mapping[str, object]) -> bool:
    return annotations.get("readOnlyHint") is True and annotations.get("destructiveHint") is not True
