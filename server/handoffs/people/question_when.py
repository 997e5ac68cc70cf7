"""What the expressions of a `[[question]]` see of a question. Imported only where such a rule has one."""

from handoffs.core.model import Caller
from handoffs.core.question import Asking
from handoffs.policy_text.expressions import Facts, Language

QUESTIONS = Language(
    maps=("question",),
    words=("caller",),
    allowed=(
        "an expression in CEL that gives true or false, over question (message, options, fields, secret, breakout)"
        " and caller (client, project, subject)"
    ),
)


def facts_of(asking: Asking, caller: Caller) -> Facts:
    """Return what expressions see of a question.

    Raises:
        QuestionRefused: It can't be asked as it is.
        NotEvaluated: It can't be shown to an expression.
    """
    form = asking.read_form
    choices = [choice.value for field in form.fields for choice in field.choices]
    question: dict[str, object] = {
        "message": asking.message,
        "options": choices,
        "fields": [field.name for field in form.fields],
        "secret": bool(form.secret),
        "breakout": asking.breakout,
    }
    who = {"client": caller.client, "project": caller.project, "subject": caller.subject}
    return QUESTIONS.facts({"question": question, "caller": who})
