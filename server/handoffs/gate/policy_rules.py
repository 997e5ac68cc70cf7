"""The rules of a policy, read from TOML. What is not understood is refused with its line and with what is allowed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from handoffs.channels import CHATS
from handoffs.gate.policy_model import (
    DECISIONS,
    PLACES,
    REACHES,
    Decision,
    Place,
    Reach,
    Remember,
    Terms,
    read_decision,
)  # fmt: skip
from handoffs.people.keys import KEYS as DECIDER_KEYS
from handoffs.policy_text import globs
from handoffs.policy_text.tables import (
    LENGTHS,
    NAMES,
    PolicyError,
    Table,
    read_length,
    read_names,
    read_toml,
    read_truth,
    read_words,
)  # fmt: skip

if TYPE_CHECKING:  # only rules that have such need them
    from handoffs.people.rules import DeciderRule, QuestionRule
    from handoffs.policy_text.expressions import Expression

_TOP = ("rule", "trust_hints", "question")
_MATCHING = ("server", "tool", "when", "do")
_TERMS = ("deadline", "remember", "edit", "answer", "channels", "mask", "pin")
_KEYS: dict[Decision, tuple[str, ...]] = {
    Decision.ALLOW: (*_MATCHING, *_TERMS, *DECIDER_KEYS),
    Decision.ASK: (*_MATCHING, *_TERMS, *DECIDER_KEYS, "reason"),
    Decision.DENY: (*_MATCHING, "reason"),
}

_CHATS = f"a list of channels that people set up for themselves: {', '.join(CHATS)}"
_REMEMBER = 'true, false, "exact", "tool", "session", a list of these, or { what = …, longest = "8h" }'


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """One rule: which calls it is for, and what it says about them."""

    servers: tuple[str, ...]
    tools: tuple[str, ...]
    decision: Decision
    place: str
    """`gate.toml:12`, or `--ask delete_*`."""
    when: str = ""
    expression: "Expression | None" = None
    """What `when` was compiled to."""
    terms: Terms = field(default_factory=Terms)
    remember_said: bool = False
    """The rule itself says what may be remembered, so a tool's hints take nothing away."""
    reason: str = ""
    pin: bool = True

    @property
    def pairs(self) -> Iterator[tuple[str, str]]:
        """The globs for server and tool, each with each."""
        return ((server, tool) for server in self.servers for tool in self.tools)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a policy file says."""

    rules: tuple[Rule, ...]
    trust_hints: str | None
    """Where it says that `readOnlyHint` allows; None where it does not."""
    questions: "tuple[QuestionRule, ...]" = ()
    """Whose decision the questions of agents are."""


def read_policy(text: str, file: Path) -> Written:
    """Return what the text of a policy file says.

    Raises:
        PolicyError: Something in it can't be used.
    """
    source, document = read_toml(text, str(file))
    top = Table(source, (), document)
    top.refuse_others(_TOP)
    hints = top.get("trust_hints", read_truth, "true or false")
    tables = top.tables("rule")
    rules = tuple(_rule(table, f"{file.name}:{table.line}") for table in tables)
    refuse_dead(rules, lambda number, wrong, allowed: tables[number].refusal(wrong, allowed))
    place = f"{file.name}:{source.line(('trust_hints',))}"
    return Written(rules=rules, trust_hints=place if hints else None, questions=_questions(top, file))


def refuse_dead(rules: Sequence[Rule], refusal: Callable[[int, str, str], PolicyError]) -> None:
    """Refuse a rule that can never match, because earlier rules without `when` match all that it matches."""
    final: globs.Globs[Rule] = globs.Globs()
    for number, rule in enumerate(rules):
        covering = [final.covering(server, tool) for server, tool in rule.pairs]
        if None not in covering:
            earlier = ", ".join(dict.fromkeys(each.place for each in covering if each is not None))
            raise refusal(
                number,
                f"this rule can never match: {earlier} decides every call that it names",
                "to put it before that rule, to narrow that rule with `when`, or to remove this one",
            )
        if rule.expression is None:
            for server, tool in rule.pairs:
                final.add(server, tool, rule)


def _rule(table: Table, place: str) -> Rule:
    do = table.get("do", read_decision, DECISIONS)
    if do is None:
        table.refuse_others(_KEYS[Decision.ASK])
        raise table.refusal("a rule has no `do`", '`do = "allow"`, `do = "ask"` or `do = "deny"`')
    table.refuse_others(_KEYS[do], everywhere=_KEYS[Decision.ASK], kind=f"a rule that says {do.value}")
    when = table.get("when", read_words, "a text with an expression in CEL") or ""
    remember = table.get("remember", _remember, _REMEMBER)
    deciders = _deciders(table, place)
    answer = table.get("answer", _place, '"any" or "inbox"')
    if deciders is not None and answer == "any":
        wrong = "`answer` can't be 'any' in a rule with `to`: the host's dialog does not know who answers"
        raise table.refusal(wrong, '"inbox", or no `answer`', "answer")
    # What one person had remembered would later let calls pass without those who decide.
    unsaid = Remember() if deciders is None else Remember(reaches=frozenset())
    terms = Terms(
        deadline_seconds=table.get("deadline", read_length, LENGTHS),
        edit=table.get("edit", read_truth, "true or false") is not False,
        remember=remember or unsaid,
        answer="inbox" if deciders is not None else answer or "any",
        channels=table.get("channels", _chats, _CHATS) or (),
        mask=table.get("mask", _paths, f"the name of an argument, or a path such as `auth.*`: {NAMES}") or (),
        deciders=deciders,
    )
    return Rule(
        servers=table.globs("server"),
        tools=table.globs("tool"),
        decision=do,
        place=place,
        when=when,
        expression=_compiled(table, when) if when else None,
        terms=terms,
        remember_said=remember is not None,
        reason=table.get("reason", read_words, "a text") or "",
        pin=table.get("pin", read_truth, "true or false") is not False,
    )


def _deciders(table: Table, place: str) -> "DeciderRule | None":
    if not any(key in table.values for key in DECIDER_KEYS):
        return None
    from handoffs.people.rules import read_deciders

    return read_deciders(table, place)


def _questions(top: Table, file: Path) -> "tuple[QuestionRule, ...]":
    if "question" not in top.values:
        return ()
    from handoffs.people.rules import read_questions

    return read_questions(top, file)


def _compiled(table: Table, when: str) -> "Expression":
    from handoffs.gate.policy_when import CALLS

    return CALLS.read(table, "when", when)


# What may be remembered


def _remember(value: object) -> Remember | None:
    if isinstance(value, bool):
        return Remember() if value else Remember(reaches=frozenset())
    if not isinstance(value, dict):
        reaches = _reaches(value)
        return None if reaches is None else Remember(reaches=reaches)
    table = cast("dict[str, object]", value)
    reaches = _reaches(table.get("what", list(REACHES)))
    longest = read_length(table["longest"]) if "longest" in table else None
    if not table or set(table) - {"what", "longest"} or reaches is None or (longest is None and "longest" in table):
        return None
    return Remember(reaches=reaches, longest_seconds=longest)


def _reaches(value: object) -> frozenset[Reach] | None:
    names = read_names(value) or ()
    known: set[Reach] = {reach for reach in REACHES if reach in names}
    return frozenset(known) if known and set(names) == known else None


def _paths(value: object) -> tuple[str, ...] | None:
    names = read_names(value) or ()
    return names if names and all(all(part.strip() for part in each.split(".")) for each in names) else None


def _chats(value: object) -> tuple[str, ...] | None:
    names = read_names(value) or ()
    return names if names and all(name in CHATS for name in names) else None


def _place(value: object) -> Place | None:
    return next((place for place in PLACES if place == value), None)
