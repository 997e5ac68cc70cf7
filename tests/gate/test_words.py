"""What the model is told of a call that a person has changed."""

import pytest

from handoffs.core.action import Action, Asker
from handoffs.core.masking import MASK
from handoffs.gate import words

SCHEMA = (
    '{"inputSchema": {"type": "object", "properties": {"pin": {"type": "integer", "writeOnly": true}, '
    '"users": {"type": "array", "items": {"type": "object"}}}}}'
)


def told(before: str, after: str, *masked: str) -> str:
    action = Action(asker=Asker.GATE, server="shop", tool="pay", arguments=before, definition=SCHEMA, masked=masked)
    return words.edited(action, after)


def test_without_secrets_both_are_quoted_as_they_were_written() -> None:
    said = told('{"number":7}', '{"number": 8}')
    assert said.endswith('You asked for the arguments {"number":7}; it ran with {"number": 8}.')


@pytest.mark.parametrize(
    ("before", "after", "changed", "secrets"),
    [
        pytest.param('{"token":"s-1"}', '{"token":"s-2"}', "`token`", ["s-1", "s-2"], id="by its name"),
        pytest.param('{"pin":4711}', '{"pin":1701}', "`pin`", ["4711", "1701"], id="by the schema"),
        pytest.param('{"auth":{"id":"u-1"}}', '{"auth":{"id":"u-2"}}', "`auth.id`", ["u-1", "u-2"], id="by a rule"),
        pytest.param("{}", '{"token":"s-2"}', "`token`", ["s-2"], id="added"),
        pytest.param('{"token":"s-1"}', "{}", "`token`", ["s-1"], id="left out"),
        pytest.param(
            '{"users":[{"password":"p-1"},{"password":"p-2"}]}',
            '{"users":[{"password":"p-1"},{"password":"p-3"}]}',
            "`users.password`",
            ["p-1", "p-2", "p-3"],
            id="in a list",
        ),
        pytest.param(
            '{"token":"s-1","pin":1,"n":1}', '{"token":"s-2","pin":true,"n":2}', "`token`, `pin`", ["s-1"], id="two"
        ),
    ],
)
def test_a_secret_that_was_changed_is_named_and_not_quoted(
    before: str, after: str, changed: str, secrets: list[str]
) -> None:
    said = told(before, after, "auth.*")
    assert said.endswith(f"{MASK} stands for a secret. The person changed {changed}, which you are not shown.")
    assert not [secret for secret in secrets if secret in said]


def test_a_secret_that_stayed_is_not_quoted_either() -> None:
    said = told('{"token":"s-1","number":7}', '{"token":"s-1","number":8}')
    assert "s-1" not in said
    assert '"number": 8' in said
    assert "The person changed" not in said.partition("it ran with")[2]
