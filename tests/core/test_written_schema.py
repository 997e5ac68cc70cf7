import pytest

from handoffs.core.form import Form
from handoffs.core.schema import options_form, parse, response_form
from handoffs.core.written_schema import dialog_schema


def sent(prop: dict[str, object], *, required: bool = True, defaults: bool = False) -> object:
    form = parse({"properties": {"it": prop}, "required": ["it"] if required else []})
    properties = dialog_schema(form, defaults=defaults)["properties"]
    assert isinstance(properties, dict)
    return properties["it"]


@pytest.mark.parametrize("form", [response_form(), options_form(["Ship it", "Wait"])])
def test_a_plain_form_is_sent_as_it_is_stored(form: Form) -> None:
    assert dialog_schema(form) == form.schema


@pytest.mark.parametrize(
    "prop",
    [
        {"type": "boolean", "default": True},
        {"type": "string", "enum": ["a", "b"], "default": "a"},
        {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "default": ["a"]},
    ],
)
def test_a_default_that_decides_is_sent_to_no_host(prop: dict[str, object]) -> None:
    bare = {key: value for key, value in prop.items() if key != "default"}
    assert sent(prop) == sent(prop, defaults=True) == bare
    assert parse({"properties": {"it": prop}}).fields[0].prefill is None


@pytest.mark.parametrize(
    "prop",
    [{"type": "string", "default": "eu-1"}, {"type": "integer", "default": 3}, {"type": "number", "default": 0.5}],
)
def test_other_defaults_are_sent_only_where_they_are_asked_for(prop: dict[str, object]) -> None:
    assert sent(prop) == {"type": prop["type"]}
    assert sent(prop, defaults=True) == prop
    assert parse({"properties": {"it": prop}}).fields[0].prefill == prop["default"]


@pytest.mark.parametrize(
    ("prop", "as_sent"),
    [
        (
            {"type": "string", "pattern": r"^v\d+$", "examples": ["v1", "v2"], "description": "The tag"},
            {"type": "string", "description": "The tag\nIt must match ^v\\d+$\nFor example v1, v2"},
        ),
        (
            {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10},
            {"type": "integer", "minimum": 1, "maximum": 9},
        ),
        (
            {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
            {"type": "number", "description": "More than 0\nA multiple of 0.5"},
        ),
        ({"type": "integer", "minimum": -(2**53) + 1, "maximum": 2**53 - 1}, {"type": "integer"}),
        ({"type": "string", "const": "main"}, {"type": "string", "enum": ["main"]}),
        (
            {"type": "string", "oneOf": [{"const": "mq", "title": "RabbitMQ", "description": "deletes the jobs"}]},
            {
                "type": "string",
                "oneOf": [{"const": "mq", "title": "RabbitMQ (mq)"}],
                "description": "RabbitMQ (mq): deletes the jobs",
            },
        ),
        (
            {"type": "string", "title": "API token", "x-handoffs-secret": False},
            {"type": "string", "title": "API token", "description": "No secret, the agent says"},
        ),
    ],
)  # fmt: skip
def test_a_host_is_sent_mcps_words_and_the_rest_in_the_description(
    prop: dict[str, object], as_sent: dict[str, object]
) -> None:
    assert sent(prop) == as_sent


def test_what_is_sent_is_a_form_of_mcp_again() -> None:
    form = parse(
        {"properties": {"it": {"type": "string", "oneOf": [{"const": "a", "title": "Not a"}, {"const": "b"}]}}}
    )
    again = parse(dialog_schema(form))
    assert [choice.label for choice in again.fields[0].choices] == ["Not a (a)", "b"]
