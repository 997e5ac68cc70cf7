from dataclasses import fields
from datetime import timedelta

from hypothesis import given

from handoffs.core.events import EVENTS, Answered, Declined, Event, NotShown, Reached, details_of, name_of
from tests.core.strategies import ASKED, any_event

STORED = (
    "opened joined reached notshown dismissed left reminded voted answered declined cancelled expired collected used "
    "edited sent result unknown deniedagain revealed forgotten erased"
)


def test_events_keep_the_names_that_stores_have_for_them() -> None:
    """Whatever a class is called: a log of years ago has these."""
    assert [event.name for event in EVENTS] == STORED.split()
    assert name_of(Reached(at=ASKED, channel="inbox")) == "reached"


def test_what_a_person_wrote_is_not_in_the_log() -> None:
    answered = Answered(at=ASKED, by="ada", channel="inbox", values={"response": "my diary"}, note="between you and me")
    assert details_of(answered) == {"by": "ada", "channel": "inbox"}
    assert details_of(Declined(at=ASKED, by="ada", channel="inbox", note="private")) == {
        "by": "ada",
        "channel": "inbox",
    }


def test_the_log_says_why_a_question_was_not_shown() -> None:
    event = NotShown(at=ASKED + timedelta(seconds=1), channel="elicitation", reason="declined in 3 ms")
    assert details_of(event) == {"channel": "elicitation", "reason": "declined in 3 ms"}


@given(any_event)
def test_the_details_of_any_event_are_words_that_it_holds_and_never_empty(event: Event) -> None:
    details = details_of(event)
    assert set(details) <= {field.name for field in fields(event)} - {"at", "values", "note", "other", "gone"}
    assert all(value for value in details.values())
    assert all(str(getattr(event, name)) == value for name, value in details.items())
