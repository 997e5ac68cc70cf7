"""What the properties of the core are tried on: handoffs, events, forms, and anything that JSON can hold."""

from datetime import timedelta

from hypothesis import strategies as st

from handoffs.core import events
from handoffs.core.errors import QuestionRefused
from handoffs.core.form import Field, Form, Kind, Value
from handoffs.core.model import Caller, Handoff, Question, fingerprint_of
from handoffs.core.schema import parse, response_form
from tests.days import at

ASKED = at(19, 30)
DEADLINE = ASKED + timedelta(hours=24)
ADA = Caller(subject="ada", client="claude-code", project="/home/ada/site")


def handoff(*, message: str = "Format the drive /dev/sdb?", form: Form | None = None, **changes: object) -> Handoff:
    """Return an open handoff of the plain form."""
    form = form or response_form()
    question = Question(message=message, form=form, deadline=DEADLINE)
    given: dict[str, object] = {
        "id": "h_7Q2xYzabcdefghijkmnp",
        "caller": ADA,
        "question": question,
        "created_at": ASKED,
        "fingerprint": fingerprint_of(ADA, message=message, form=form, breakout_of_loop=False),
    }
    return Handoff(**(given | changes))  # type: ignore[arg-type]


times = st.integers(0, 365 * 86_400).map(lambda seconds: at(0) + timedelta(seconds=seconds))
channels = st.sampled_from(["elicitation", "terminal", "command line", "inbox"])
people = st.sampled_from(["ada", "grace", ""])
texts = st.text(max_size=30)

any_event = st.one_of(
    st.builds(events.Opened, at=times),
    st.builds(events.Joined, at=times, calls=st.integers(1, 90)),
    st.builds(events.Reached, at=times, channel=channels),
    st.builds(events.NotShown, at=times, channel=channels, reason=texts),
    st.builds(events.Dismissed, at=times, channel=channels),
    st.builds(events.Left, at=times, seconds=st.just("59.8")),
    st.builds(events.Reminded, at=times, channel=channels, stage=st.sampled_from(["opened", "half", "last"])),
    st.builds(events.Voted, at=times, by=people, channel=channels, for_=people, digest=st.sampled_from(["", "d"])),
    st.builds(events.Answered, at=times, by=people, channel=channels, values=st.just({"response": "yes"}), note=texts),
    st.builds(events.Declined, at=times, by=people, channel=channels, note=texts),
    st.builds(events.Cancelled, at=times, by=people, channel=channels, note=texts),
    st.builds(events.Expired, at=times),
    st.builds(events.Collected, at=times, tool_use=st.sampled_from(["", "toolu_01"])),
    st.builds(events.Used, at=times, tool_use=st.sampled_from(["toolu_01", "toolu_02"])),
    st.builds(events.Edited, at=times, by=people),
    st.builds(events.DeniedAgain, at=times),
    st.builds(events.Revealed, at=times, by=people, field=st.just("password")),
    st.builds(events.Forgotten, at=times, by=people, field=st.just("password")),
    st.builds(events.Erased, at=times, person=st.just("p_1"), lines=st.just("1=c")),
)

json_like: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**400, max_value=10**401)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["object", "string", "number", "integer", "boolean", "array", "date", "email", "a", "b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)

_types = st.sampled_from(
    ["string", "number", "integer", "boolean", "array", "object", "null", None, ["string", "null"]]
)
_keywords = (
    "title", "description", "minLength", "maxLength", "format", "minimum", "maximum",
    "enum", "enumNames", "oneOf", "anyOf", "items", "minItems", "maxItems", "default",
)  # fmt: skip
_pairs = st.fixed_dictionaries({}, optional={"const": json_like, "title": json_like})
# Nearly right: each keyword holds what it should, or anything at all.
_plausible: dict[str, st.SearchStrategy[object]] = {
    "title": st.text(max_size=10),
    "description": st.text(max_size=10),
    "format": st.sampled_from(["email", "uri", "date", "date-time", "password", "regex"]),
    "enum": st.lists(st.text(max_size=4), max_size=4),
    "enumNames": st.lists(st.text(max_size=4), max_size=4),
    "oneOf": st.lists(_pairs, max_size=3),
    "anyOf": st.lists(_pairs, max_size=3),
    "items": st.fixed_dictionaries(
        {}, optional={"enum": st.lists(st.text(max_size=4), max_size=4), "anyOf": json_like}
    ),
    "default": st.one_of(st.text(max_size=4), st.integers(), st.booleans(), st.lists(st.text(max_size=3), max_size=2)),
}
_bounds = st.one_of(st.integers(-3, 9), st.floats(), st.integers())
_names = st.sampled_from(["a", "b", "n o"])
_mostly_names = st.one_of(_names, _names, _names, st.text(max_size=8))
properties: st.SearchStrategy[dict[str, object]] = _types.flatmap(
    lambda kind: st.fixed_dictionaries(
        {"type": st.just(kind)},
        optional={word: st.one_of(_plausible.get(word, _bounds), json_like) for word in _keywords},
    )
)
nearly_schemas: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {"properties": st.dictionaries(_mostly_names, properties, min_size=1, max_size=3)},
    optional={"type": st.sampled_from(["object", "object", "array"]), "required": st.lists(_mostly_names, max_size=1)},
)


def _good_property(draw: st.DrawFn) -> dict[str, object]:
    kind = draw(st.sampled_from(list(Kind)))
    title: dict[str, object] = draw(st.fixed_dictionaries({}, optional={"title": st.text(max_size=12)}))
    values = draw(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=5, unique_by=str.casefold))
    match kind:
        case Kind.CHOICE:
            return {**title, "type": "string", "enum": values}
        case Kind.CHOICES:
            return {**title, "type": "array", "items": {"type": "string", "enum": values}}
        case Kind.STRING:
            extra = draw(
                st.sampled_from([{}, {"maxLength": 20}, {"minLength": 2}, {"format": "date"}, {"format": "email"}])
            )
            return {**title, "type": "string", **extra}
        case Kind.NUMBER | Kind.INTEGER:
            extra = draw(st.sampled_from([{}, {"minimum": -5}, {"maximum": 7.5}, {"minimum": 0, "maximum": 100}]))
            return {**title, "type": kind.value, **extra}
        case Kind.BOOLEAN:
            return {**title, "type": "boolean"}


@st.composite
def forms(draw: st.DrawFn) -> Form:
    """Forms that can be asked, of every kind of field."""
    names = draw(st.lists(st.sampled_from(["size", "colour", "when", "Größe", "n o"]), min_size=1, unique=True))
    required = draw(st.lists(st.sampled_from(names), unique=True))
    try:
        return parse({"properties": {name: _good_property(draw) for name in names}, "required": required})
    except QuestionRefused:
        return response_form()  # a choice without ink, two that look alike, a title that asks for a secret


@st.composite
def filled(draw: st.DrawFn, field: Field) -> Value:
    """A value that fits a field."""
    match field.kind:
        case Kind.BOOLEAN:
            return draw(st.booleans())
        case Kind.CHOICE:
            return draw(st.sampled_from([c.value for c in field.choices]))
        case Kind.CHOICES:
            return draw(st.lists(st.sampled_from([c.value for c in field.choices]), min_size=1, unique=True))
        case Kind.INTEGER:
            low, high = field.minimum, field.maximum
            return draw(st.integers(None if low is None else int(low), None if high is None else int(high)))
        case Kind.NUMBER:
            return draw(st.floats(field.minimum, field.maximum, allow_nan=False, allow_infinity=False))
        case Kind.STRING:
            if field.format == "date":
                return draw(st.dates()).isoformat()
            if field.format == "email":
                return "ada@example.org"
            text = draw(st.text(min_size=field.min_length or 1, max_size=field.max_length or 30))
            return text if text.strip() and "\0" not in text else "some text"
