"""What the agent is told of a call that the gate holds. The person's own words follow where they gave some."""

from handoffs.core.action import Action
from handoffs.core.action_form import REASON
from handoffs.core.masking import MASK, changed_secrets, masked_edit
from handoffs.core.model import Handoff, State
from handoffs.core.untrusted import inert_line

AGAIN = "Do not try it again, and do not do it in another way: go on without it, or stop and say what is missing."

WAITING = (
    "Not run: a person has been asked whether this call may run, and has not decided yet. Do not act as if it had run. "
    "Do what does not need it, or stop. Exactly the same call, sent again, waits for the same decision."
)

STOPPED = (
    "Not run: a person has stopped everything that needs permission, until they lift it. Do not try it again before "
    "they tell you to: go on without it, or stop."
)

AWAY = (
    "Not run: this call needs a person's permission, and the store that keeps permissions can't be used, so nobody can "
    "be asked. Tell the person. Nothing was sent to the server."
)

FAILED = "Not run: the gate failed inside, so nothing was decided and nothing was sent. Tell the person."

LIKE_SENT = (
    "It may have run: this call was not sent, for its server ended, but one like it was before, and whether that ran "
    "is not known. Do not send it again without asking the person; say that its outcome is not known."
)

SERVER_ENDED = (
    "Not run: the server ended before a person had decided, so nothing was sent to it. Once it runs again, exactly the "
    "same call waits for the same decision."
)

NOBODY = "Not run: nobody decided before the deadline. Silence is not consent."

WITHDRAWN = "Not run: the question was withdrawn, so nothing was decided."

NOT_THEIRS = (
    "Not run: the rule for this call names who decides, and what was answered does not have their votes. Send the call "
    "again: those who decide are asked."
)

BY_SCRIPT = "Not run: a script answered the question, and no script decides whether a tool may run."

BY_CHAT = (
    "Not run: the rule for this tool takes no answer from a chat. Send the call again: a person decides in the inbox."
)

BY_HOST = (
    "Not run: the rule for this tool takes no answer from the host's own dialog. Send the call again: a person decides "
    "in the inbox."
)

INTERRUPTED = (
    "It may have run: the call was sent to its server, which ended or was cut off before it answered. Do not send it "
    "again without asking the person; say that its outcome is not known."
)

TOO_LONG = (
    "Not run: the call is too long to be shown to a person, and nobody approves what can't be seen. Do it in smaller "
    "steps, or stop and say what is missing."
)

MANY_EDITS = "Not run: the person changed the call several times, and no change fitted the tool."

MAY_HAVE_RUN = "A call like this was sent before, and whether it ran is not known: it may have run."
"""What the person is told."""


TASK_RUNS = "A person has allowed this call, and its server has it."

TASK_ASKED = "A person has allowed this call, and its server wants input before it goes on."

TASK_WITHDRAWN = "Not run: its client withdrew it before a person had decided."

TASK_CUT = (
    "Its client cancelled it after it was sent: it may have run. Do not send it again without asking the person; say "
    "that its outcome is not known."
)

TASK_LOST = (
    "Not run: the gate that held this call has ended, and another one runs nothing by itself. Exactly the same call, "
    "sent again, waits for the same decision, or runs by it."
)

TASK_RAN = (
    "It ran, and its server answered, but the gate no longer has the answer. Do not send it again without asking the "
    "person; say that its outcome is not known."
)


def task_waits(handoff: Handoff, link: str | None) -> str:
    """Return what is told of a task while a person decides. `link` is where the inbox shows the question."""
    browser = f"In the browser: {link} " if link else ""
    return (
        f"A person is asked whether this call may run ({handoff.id}). {browser}In a terminal: "
        f"handoffs answer {handoff.id}"
    )


def denied_again(until: str) -> str:
    """Return what the agent is told of a call that a person has denied time and again."""
    return (
        "Not run: a person has denied exactly this call three times within an hour, so it is denied without asking "
        f"them until {until}. {AGAIN}"
    )


def nobody_can_decide(rule: str) -> str:
    """Return what the agent is told of a call that too few people could decide."""
    return (
        f"Not run: the rule {rule} names who decides, and too few of them are there, so nobody was asked. Tell the "
        "person that they have to change the rule or add people. Do not do it in another way."
    )


def denied_by_rule(rule: str, reason: str) -> str:
    """Return what the agent is told of a call that a rule denies."""
    why = f" {reason}" if reason else ""
    return f"Not run: the policy denies it (rule {rule}).{why} {AGAIN}"


def refusal(handoff: Handoff) -> str:
    """Return what the agent is told of a question that ended without permission."""
    end = handoff.end
    match handoff.state:
        case State.ANSWERED | State.DECLINED:
            reason = str((handoff.values or {}).get(REASON) or (end.note if end is not None else ""))
            said = f' They said: "{reason}"' if reason else ""
            return f"Not run: the person denied it.{said} {AGAIN}"
        case State.CANCELLED:
            return f"{WITHDRAWN} {AGAIN}"
        case _:
            return f"{NOBODY} {AGAIN}"


def edited(action: Action, after: str) -> str:
    """Return what the agent is told of a call that ran as a person changed it. Secrets are named, and not quoted."""
    said = (
        "A person changed this call before it ran, and what follows is the result of the changed call. You asked for "
        f"the arguments {masked_edit(action, action.arguments)}; it ran with {masked_edit(action, after)}."
    )
    try:
        changed = changed_secrets(action, after)
    except ValueError:  # neither is quoted then
        changed = ()
    if not changed:
        return said
    names = ", ".join(f"`{inert_line(path, 60)}`" for path in changed)
    return f"{said} {MASK} stands for a secret. The person changed {names}, which you are not shown."
