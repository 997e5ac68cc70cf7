"""The words of our own forms, those that decide on an action: a store keeps them as they were asked, in English.

What an agent or another server writes is never looked up here, and is shown as it was written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from handoffs.core.choices import Choice
from handoffs.core.field import Field
from handoffs.core.form import RESPONSE, Form
from handoffs.core.remembering import CHOICES
from handoffs.core.sentences import say

_WORDS: Mapping[str, str] = {
    each: each
    for each in (
        say("Decision"),
        say("Allow"),
        say("Allow once"),
        say("Deny"),
        say("Reason"),
        say("What the agent is told when you deny."),
        say("Edited arguments"),
        say("The JSON object to run it with instead. Empty: as shown."),
        say("Granted for"),
        say("Nothing picked: this turn alone."),
        say("This turn"),
        say("The rest of the session"),
        say("Remember"),
        say("Nothing picked: this call alone."),
        say("Only where"),
        say("Limits what is remembered of this tool to calls for which all of these hold."),
        say("Uses"),
        say("How many later calls it allows. Empty: any number."),
        *(each.title for each in CHOICES.values()),
    )
}


def worded(form: Form, *, ours: bool) -> Sequence[Field]:
    """Return the fields of a form, with our own words as sentences, which pages show in the reader's language.

    Where the form is not of `ours` as a whole, that is the title of a plain question's only field alone.
    """
    if ours:
        return [_field(each) for each in form.fields]
    return [
        replace(each, title=say("Response")) if each.name == RESPONSE and each.title == "Response" else each
        for each in form.fields
    ]


def _field(field: Field) -> Field:
    return replace(
        field,
        title=_said(field.title),
        description=_said(field.description),
        choices=tuple(_choice(each) for each in field.choices),
    )


def _choice(choice: Choice) -> Choice:
    return replace(choice, title=_said(choice.title))


def _said(text: str) -> str:
    return _WORDS.get(text, text)
