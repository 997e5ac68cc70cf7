"""Whose decision it is, as a policy file says: the keys of a rule that asks, and the sections for agents' questions.

Whether there are such people, and enough of them, is found when a question is routed: they come and go.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from handoffs.core.deciders import Proof, Visible
from handoffs.core.model import Caller
from handoffs.core.person import checked_name
from handoffs.core.question import Asking
from handoffs.people.keys import KEYS
from handoffs.policy_text.globs import compiled
from handoffs.policy_text.tables import LENGTHS, NAMES, Table, read_length, read_names, read_words

if TYPE_CHECKING:  # only a rule with `when` needs it
    from handoffs.policy_text.expressions import Expression

GROUP = "group:"
"""What stands before the name of a group."""

MAX_VOTES = 100

_MATCHING = ("caller", "client", "project")
_PEOPLE = f'the name of a person, or "{GROUP}NAME": {NAMES}'
_NUMBER = f"a whole number from 1 to {MAX_VOTES}"


@dataclass(frozen=True, kw_only=True)
class DeciderRule:
    """Whose decision it is, by one rule."""

    rule: str
    """`gate.toml:12`."""
    to: tuple[str, ...]
    """People, and groups as `group:NAME`."""
    votes: int = 1
    each: tuple[str, ...] = ()
    """Names of groups."""
    refusals: int = 1
    proof: Proof = ""
    visible: Visible = "all"
    remind_seconds: float | None = None
    escalate_seconds: float | None = None
    escalate_to: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QuestionRule:
    """Which questions of agents a rule is for, and whose decision they are."""

    callers: tuple[re.Pattern[str], ...]
    clients: tuple[re.Pattern[str], ...]
    projects: tuple[re.Pattern[str], ...]
    when: "Expression | None" = None
    """What must be true of the question, too."""
    deciders: DeciderRule

    def matches(self, *, caller: str, client: str, project: str) -> bool:
        """Say whether the rule is for the questions of this caller."""
        pairs = ((self.callers, caller), (self.clients, client), (self.projects, project))
        return all(any(glob.fullmatch(name) for glob in among) for among, name in pairs)


def read_deciders(table: Table, rule: str) -> DeciderRule | None:
    """Return whose decision a table says it is; None where it does not say.

    Raises:
        PolicyError: It can't be used.
    """
    to = table.get("to", _people, _PEOPLE) or ()
    each = table.get("each", _groups, f'a list of two or more groups, "{GROUP}NAME"') or ()
    if not to and not each:
        for key in KEYS:
            if key in table.values:
                raise table.refusal(f"`{key}` has no meaning in a rule without `to`", "`to`, with who decides", key)
        return None
    escalate = table.get("escalate", _escalation, f'{{ after = "1h", to = … }}; after: {LENGTHS}; to: {_PEOPLE}')
    after, others = escalate or (None, ())
    return DeciderRule(
        rule=rule,
        to=to,
        votes=table.get("votes", _count, _NUMBER) or 1,
        each=each,
        refusals=table.get("refusals", _count, _NUMBER) or 1,
        proof=table.get("proof", _proof, '"passkey"') or "",
        visible=table.get("visible", _visible, '"all" or "theirs"') or "all",
        remind_seconds=table.get("remind", read_length, LENGTHS),
        escalate_seconds=after,
        escalate_to=others,
    )


def read_questions(top: Table, file: Path) -> tuple[QuestionRule, ...]:
    """Return the rules for questions of agents, in order.

    Raises:
        PolicyError: One can't be used.
    """
    return tuple(_question(table, f"{file.name}:{table.line}") for table in top.tables("question"))


def rule_for(rules: Sequence[QuestionRule], caller: Caller, asking: Asking) -> DeciderRule | None:
    """Return whose decision a question of this caller is, by the first rule that matches; None without one.

    A rule whose expression fails is for the question: else what an agent writes would take the decision from people.

    Raises:
        QuestionRefused: It can't be asked as it is.
    """
    for rule in rules:
        named = rule.matches(caller=caller.subject, client=caller.client, project=caller.project)
        if named and (rule.when is None or _is_so(rule.when, caller, asking)):
            return rule.deciders
    return None


def _is_so(when: "Expression", caller: Caller, asking: Asking) -> bool:
    from handoffs.people.question_when import facts_of
    from handoffs.policy_text.expressions import NotEvaluated

    try:
        return when.holds(facts_of(asking, caller))
    except NotEvaluated:
        return True


def _question(table: Table, place: str) -> QuestionRule:
    table.refuse_others((*_MATCHING, "when", *KEYS))
    deciders = read_deciders(table, place)
    if deciders is None:
        raise table.refusal("a rule for questions has no `to`", "`to`, with who decides")
    callers, clients, projects = (tuple(map(compiled, table.globs(key))) for key in _MATCHING)
    when = table.get("when", read_words, "a text, an expression in CEL")
    return QuestionRule(
        callers=callers,
        clients=clients,
        projects=projects,
        when=None if when is None else _compiled(table, when),
        deciders=deciders,
    )


def _compiled(table: Table, when: str) -> "Expression":
    from handoffs.people.question_when import QUESTIONS  # what evaluates it is an extra

    return QUESTIONS.read(table, "when", when)


# Values: each reader returns None for what it can't read


def _people(value: object) -> tuple[str, ...] | None:
    names = read_names(value) or ()
    try:
        for name in names:
            checked_name(name.removeprefix(GROUP))  # `goup:dba` is nobody's name
    except ValueError:
        return None
    return tuple(dict.fromkeys(names)) or None


def _groups(value: object) -> tuple[str, ...] | None:
    names = _people(value) or ()
    groups = tuple(name.removeprefix(GROUP) for name in names if name.startswith(GROUP))
    return groups if len(groups) == len(names) > 1 else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_VOTES else None


def _proof(value: object) -> Proof | None:
    return "passkey" if value == "passkey" else None


def _visible(value: object) -> Visible | None:
    return "all" if value == "all" else "theirs" if value == "theirs" else None


def _escalation(value: object) -> tuple[float, tuple[str, ...]] | None:
    if not isinstance(value, Mapping) or {*cast("Mapping[str, object]", value)} != {"after", "to"}:
        return None
    written = cast("Mapping[str, object]", value)
    after, to = read_length(written["after"]), _people(written["to"])
    return None if after is None or to is None else (after, to)
