import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handoffs.core.errors import QuestionRefused
from handoffs.core.form import Choice, Field, Form, Kind
from handoffs.core.schema import MAX_FIELDS, RESPONSE, options_form, parse, response_form
from handoffs.core.schema_choices import MAX_CHOICES
from tests.core.strategies import forms, json_like, nearly_schemas


def of(prop: object, *, name: str = "it", required: bool = False) -> Form:
    return parse({"type": "object", "properties": {name: prop}, "required": [name] if required else []})


def refused(schema: object) -> str:
    with pytest.raises(QuestionRefused) as told:
        parse(schema)
    return str(told.value)


# What can be asked


def test_every_kind_of_field_is_read_with_what_it_says() -> None:
    form = parse(
        {
            "type": "object",
            "title": "Deploy",
            "description": "dropped, with the title: a host closes such a form unseen",
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "additionalProperties": False,
            "properties": {
                "why": {"type": "string", "title": "Why?", "description": "In a word", "minLength": 2, "maxLength": 9},
                "mail": {"type": "string", "format": "email", "default": "ada@example.org"},
                "share": {"type": "number", "minimum": 0, "maximum": 1.5},
                "count": {"type": "integer", "default": 2.0, "exclusiveMinimum": 0},
                "go": {"type": "boolean", "default": False},
                "where": {"type": "string", "enum": ["eu", "us"], "default": "eu"},
                "size": {"type": "string", "enum": ["s", "l"], "enumNames": ["Small", "Large"]},
                "tier": {"type": "string", "oneOf": [{"const": "a", "title": "Gold"}, {"const": "b"}]},
                "parts": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "minItems": 1},
                "teams": {"type": "array", "items": {"anyOf": [{"const": "t", "title": "T 1"}]}, "default": ["t"]},
            },
            "required": ["go", "why"],
        }
    )
    s_and_l = (Choice(value="s", title="Small"), Choice(value="l", title="Large"))
    gold = (Choice(value="a", title="Gold"), Choice(value="b", title="b"))
    x_and_y = (Choice(value="x", title="x"), Choice(value="y", title="y"))
    eu_and_us = (Choice(value="eu", title="eu"), Choice(value="us", title="us"))
    assert form.fields == (
        Field(
            name="why", kind=Kind.STRING, title="Why?", description="In a word", required=True,
            min_length=2, max_length=9,
        ),
        Field(name="mail", kind=Kind.STRING, title="mail", format="email", default="ada@example.org"),
        Field(name="share", kind=Kind.NUMBER, title="share", minimum=0, maximum=1.5),
        Field(name="count", kind=Kind.INTEGER, title="count", default=2, exclusive_minimum=0),
        Field(name="go", kind=Kind.BOOLEAN, title="go", required=True, default=False),
        Field(name="where", kind=Kind.CHOICE, title="where", choices=eu_and_us, default="eu"),
        Field(name="size", kind=Kind.CHOICE, title="size", choices=s_and_l),
        Field(name="tier", kind=Kind.CHOICE, title="tier", choices=gold),
        Field(name="parts", kind=Kind.CHOICES, title="parts", choices=x_and_y, min_items=1),
        Field(
            name="teams", kind=Kind.CHOICES, title="teams", choices=(Choice(value="t", title="T 1"),), default=["t"]
        ),
    )  # fmt: skip
    assert form.schema == {
        "type": "object",
        "properties": {
            "why": {"type": "string", "title": "Why?", "description": "In a word", "minLength": 2, "maxLength": 9},
            "mail": {"type": "string", "format": "email", "default": "ada@example.org"},
            "share": {"type": "number", "minimum": 0, "maximum": 1.5},
            "count": {"type": "integer", "exclusiveMinimum": 0, "default": 2},
            "go": {"type": "boolean", "default": False},
            "where": {"type": "string", "enum": ["eu", "us"], "default": "eu"},
            "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]},
            "tier": {"type": "string", "oneOf": [{"const": "a", "title": "Gold"}, {"const": "b", "title": "b"}]},
            "parts": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": ["x", "y"]}},
            "teams": {"type": "array", "items": {"anyOf": [{"const": "t", "title": "T 1"}]}, "default": ["t"]},
        },
        "required": ["why", "go"],
    }


def test_the_plain_form_is_one_required_text() -> None:
    assert response_form().schema == {
        "type": "object",
        "properties": {"response": {"type": "string", "title": "Response", "minLength": 1}},
        "required": ["response"],
    }


def test_options_are_a_required_choice_in_their_order() -> None:
    form = options_form(["Ship it", "Wait"])
    assert form.schema == {
        "type": "object",
        "properties": {RESPONSE: {"type": "string", "title": "Response", "enum": ["Ship it", "Wait"]}},
        "required": [RESPONSE],
    }
    assert form.fields[0].required


def test_words_that_belong_to_another_kind_are_not_passed_on() -> None:
    form = of({"type": "boolean", "minLength": 3, "minimum": 9, "pattern": "x", "x-order": 1, "title": "Go?"})
    assert form.schema["properties"] == {"it": {"type": "boolean", "title": "Go?"}}


def test_an_empty_default_is_none() -> None:
    for prop in ({"type": "string", "default": ""}, {"type": "string", "format": "date", "default": None}):
        assert of(prop, required=True).fields[0].default is None
    assert of({"type": "array", "items": {"enum": ["a"]}, "default": []}).fields[0].default is None


def test_what_the_agent_wrote_about_a_field_is_inert() -> None:
    field = of(
        {
            "type": "string",
            "title": "Go\x1b[2J\n on\u202e?",
            "description": "one\r\n\u200btwo",
            "enum": ["no\u200b", "yes"],
        }
    ).fields[0]
    assert field.title == "Go␛[2J on⟨U+202E⟩?"
    assert field.description == "one\n⟨U+200B⟩two"
    assert field.choices[0] == Choice(value="no\u200b", title="no⟨U+200B⟩")


@given(forms())
def test_a_form_that_was_read_is_read_again_as_the_same(form: Form) -> None:
    assert parse(form.schema) == form
    assert parse(json.loads(json.dumps(form.schema))) == form


# What can't be asked


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "`options` has 0: give 2 to 20"),
        (["only"], "`options` has 1: give 2 to 20"),
        ([str(n) for n in range(21)], "`options` has 21: give 2 to 20"),
        (["yes", "yes"], "the same one twice"),
        (["yes", " YES "], "the same one twice"),
        (["yes", "  "], "an empty string"),
        (["yes", "\ud800"], "can't be written as JSON"),
    ],
)
def test_options_that_are_no_choice_are_refused(options: list[str], told: str) -> None:
    with pytest.raises(QuestionRefused, match=told):
        options_form(options)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (None, "must be a flat JSON schema"),
        ([], "must be a flat JSON schema"),
        ("object", "must be a flat JSON schema"),
        ({"type": "string"}, "must be a flat JSON schema"),
        ({"type": ["object"]}, "must be a flat JSON schema"),
        ({}, "has no properties"),
        ({"type": "object", "properties": {}}, "has no properties"),
        ({"properties": []}, "has no properties"),
        ({"properties": {"a": {"type": "string"}}, "required": "a"}, "`required` must be a list"),
        ({"properties": {"a": {"type": "string"}}, "required": [1]}, "`required` must be a list"),
        ({"properties": {"a": {"type": "string"}}, "required": ["b"]}, "`required` names b, but"),
        ({"properties": {"": {"type": "string"}}}, "can't name a field"),
        ({"properties": {"a\nb": {"type": "string"}}}, "can't name a field"),
        ({"properties": {"a\u202eb": {"type": "string"}}}, "'a⟨U\\+202E⟩b' can't name a field"),
        ({"properties": {"a" * 101: {"type": "string"}}}, "can't name a field"),
        ({"properties": {1: {"type": "string"}}}, "can't name a field"),
        ({"properties": {"a": "string"}}, "must be a schema such as"),
        ({"properties": {"a": {"type": "string", "default": {1, 2}}}}, "can't be written as JSON"),
    ],
)
def test_what_is_no_form_is_refused_with_what_would_be(schema: object, told: str) -> None:
    with pytest.raises(QuestionRefused, match=told):
        parse(schema)


@pytest.mark.parametrize(
    "prop",
    [
        {"type": "object", "properties": {"b": {"type": "string"}}},
        {"type": "array", "items": {"type": "object", "properties": {}}},
        {"type": "array", "items": {"type": "string"}},
        {"type": "array"},
        {"$ref": "#/$defs/Address"},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": ["string", "integer"]},
        {"$ref": "https://example.org/schema"},
        {"$ref": "#/properties/a"},
        {"type": {"a": 1}},
        {"type": "null"},
        {},
    ],
)
def test_a_nested_form_is_refused_with_the_way_to_ask_it(prop: dict[str, object]) -> None:
    told = refused({"properties": {"a": prop}})
    assert "'a'" in told
    assert "a form is flat" in told or "items" in told


@pytest.mark.parametrize(
    ("prop", "told"),
    [
        ({"type": "string", "enum": []}, "has 0 choices"),
        ({"type": "string", "enum": "abc"}, "`enum` of 'it' must be a list"),
        ({"type": "string", "enum": [1, 2]}, "must be strings"),
        ({"type": "string", "enum": ["a", True]}, "must be strings"),
        ({"type": "integer", "enum": [1, 2]}, '`enum` of \'it\' needs "type": "string"'),
        ({"type": "boolean", "oneOf": []}, '`oneOf` of \'it\' needs "type": "string"'),
        ({"type": "string", "enum": ["a", "a"]}, "the same choice twice"),
        ({"type": "string", "enum": ["a b", "a  b"]}, "the same choice twice"),
        ({"type": "string", "enum": ["a", "  "]}, "an empty choice"),
        ({"type": "string", "enum": ["a", "b"], "enumNames": [1, 2]}, "must be strings"),
        ({"type": "string", "enum": ["a", "b"], "enumNames": ["A", "A"]}, "the same choice twice"),
        ({"type": "string", "enum": ["rm", "keep"], "enumNames": ["keep", "rm"]}, "the value of another"),
        ({"type": "string", "oneOf": ["a"]}, "`oneOf` of 'it' must be a list of"),
        ({"type": "string", "oneOf": {}}, "`oneOf` of 'it' must be a list of"),
        ({"type": "string", "oneOf": [{"title": "A"}]}, "must be strings"),
        ({"type": "string", "enum": [str(n) for n in range(MAX_CHOICES + 1)]}, "has 201 choices"),
        ({"type": "array", "items": {"enum": ["a", 1]}}, "must be strings"),
        ({"type": "string", "title": 3}, "`title` of 'it' must be a string"),
        ({"type": "string", "description": []}, "`description` of 'it' must be a string"),
        ({"type": "string", "format": "regex"}, "must be one of email, uri, date, date-time"),
        ({"type": "string", "format": ["date"]}, "must be one of email, uri, date, date-time"),
        ({"type": "string", "minLength": -1}, "`minLength` of 'it' must be a whole number"),
        ({"type": "string", "maxLength": True}, "`maxLength` of 'it' must be a whole number"),
        ({"type": "string", "maxLength": 10**400}, "`maxLength` of 'it' must be a whole number"),
        ({"type": "number", "minimum": "1"}, "`minimum` of 'it' must be a number"),
        ({"type": "number", "minimum": float("nan")}, "`minimum` of 'it' must be a number"),
        ({"type": "number", "maximum": 10**5000}, "can't be written as JSON"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused_by_its_name(prop: dict[str, object], told: str) -> None:
    with pytest.raises(QuestionRefused, match=told):
        of(prop)


@pytest.mark.parametrize(
    "prop",
    [
        {"type": "string", "minLength": 5, "maxLength": 4},
        {"type": "string", "maxLength": 0},
        {"type": "string", "minLength": 200_000},
        {"type": "number", "minimum": 2, "maximum": 1},
        {"type": "integer", "minimum": 1.2, "maximum": 1.8},
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 3},
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 1},
        {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 0},
    ],
)
def test_bounds_that_leave_nothing_to_answer_are_refused(prop: dict[str, object]) -> None:
    with pytest.raises(QuestionRefused, match="allows nothing"):
        of(prop, required=True)


@pytest.mark.parametrize(
    ("prop", "told"),
    [
        ({"type": "string", "default": 3}, "the default of 'it' must be text"),
        ({"type": "string", "maxLength": 2, "default": "abc"}, "the default of 'it' is too long"),
        ({"type": "integer", "default": "3"}, "the default of 'it' must be a whole number"),
        ({"type": "integer", "maximum": 2, "default": 3}, "the default of 'it' must be 2 or less"),
        ({"type": "boolean", "default": "yes"}, "the default of 'it' must be yes or no"),
        ({"type": "string", "enum": ["a", "b"], "default": "c"}, "the default of 'it' is not one of the choices: a, b"),
        (
            {"type": "array", "items": {"enum": ["a"]}, "default": ["b"]},
            "the default of 'it' has a value that is not one of",
        ),
        ({"type": "string", "format": "date", "default": "tomorrow"}, "the default of 'it' must be a date"),
    ],
)
def test_a_default_that_does_not_fit_is_refused(prop: dict[str, object], told: str) -> None:
    with pytest.raises(QuestionRefused, match=told):
        of(prop)


def test_a_form_that_nobody_would_fill_in_is_refused() -> None:
    text: dict[str, object] = {"type": "string"}
    assert len(parse({"properties": {f"f{n}": text for n in range(MAX_FIELDS)}}).fields) == MAX_FIELDS
    assert "has 51 fields" in refused({"properties": {f"f{n}": text for n in range(MAX_FIELDS + 1)}})
    long = {"a": text | {"description": "x" * 60_000}}
    assert "larger than 50,000 characters" in refused({"properties": long})
    assert "larger than 50,000 characters" in refused({"properties": {"a": text}, "$defs": {"b": "x" * 60_000}})
    # Unseen characters are spelled out, which takes eight times the room.
    assert "larger than 50,000 characters" in refused({"properties": {"a": text | {"description": "\u200bx" * 9_000}}})
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert "can't be written as JSON" in refused({"properties": {"a": text}, "$defs": deep})


@given(json_like | nearly_schemas | st.fixed_dictionaries({"properties": json_like}))
@example({"properties": {"a": {"type": [], "format": {}}}})
@example({"properties": {"a": {"type": "string", "format": []}}})
def test_whatever_is_sent_gives_a_form_or_a_refusal(schema: object) -> None:
    try:
        form = parse(schema)
    except QuestionRefused:
        return
    assert form.fields
    assert parse(form.schema) == form


# Secrets

TEXT: dict[str, object] = {"type": "string"}
WHOLE: dict[str, object] = {"type": "integer"}


@pytest.mark.parametrize(
    "name",
    [
        "password", "Password", "db_password", "dbPassword", "DBPASSWORD", "new-passwords", "passphrase", "pass_word",
        "passwd", "pwd", "passcode", "ｐａｓｓｗｏｒｄ", "Passwort", "contraseña", "mot de passe", "пароль", "您的密码",
        "token", "api_token", "githubToken", "auth tokens", "authtoken", "bearer_token", "APIToken",
        "api_key", "apiKey", "API key", "apikey", "OPENAI_API_KEY", "openai_key", "secret_key", "private key",
        "ssh-key", "license key", "client_secret", "secret", "webhook_secret", "credentials", "seed phrase",
        "session_cookie",
        "otp", "verification code", "2FA code", "one-time code",
        "card_number", "cardNumber", "credit card", "account number", "cvv", "CVC", "PIN", "your pin", "pin_code",
        "iban", "SSN", "social security number", "ATM PIN", "4-digit PIN", "PIN for your bank card", "backup codes",
        "verification_codes",
    ],
)  # fmt: skip
def test_a_form_that_asks_for_a_secret_is_refused_by_name_and_by_title(name: str) -> None:
    for form in ({"properties": {name: TEXT}}, {"properties": {"it": TEXT | {"title": name}}}):
        told = refused(form)
        assert "asks for a secret" in told
        assert '"format": "password"' in told


@pytest.mark.parametrize("name", ["password", "api_key", "PIN", "card_number", "it"])
def test_a_field_that_says_it_is_a_secret_can_be_asked_under_any_name(name: str) -> None:
    form = of({"type": "string", "format": "password", "title": "The API key"}, name=name)
    assert form.secret
    assert form.fields[0].secret
    assert parse(form.schema) == form


@pytest.mark.parametrize(
    ("prop", "told"),
    [
        ({"type": "integer", "format": "password"}, '"type": "string", no choice'),
        ({"type": "number", "format": "password"}, '"type": "string", no choice'),
        ({"type": "boolean", "format": "password"}, '"type": "string", no choice'),
        ({"type": "string", "enum": ["a", "b"], "format": "password"}, '"type": "string", no choice'),
        ({"type": "array", "items": {"enum": ["a"]}, "format": "password"}, '"type": "string", no choice'),
        ({"type": "string", "default": "hunter2", "format": "password"}, "has a default"),
    ],
)
def test_a_secret_is_a_text_and_the_agent_does_not_know_it(prop: dict[str, object], told: str) -> None:
    said = refused({"properties": {"it": prop}})
    assert told in said
    assert "hunter2" not in said


def test_a_form_with_one_secret_among_others_is_secret_and_one_without_not() -> None:
    secret: dict[str, object] = {"type": "string", "format": "password"}
    assert parse({"properties": {"user": TEXT, "it": secret}}).secret
    assert not parse({"properties": {"user": TEXT, "mail": {"type": "string", "format": "email"}}}).secret


def test_a_stored_question_stays_readable_when_the_list_of_secrets_grows() -> None:
    once: dict[str, object] = {"type": "object", "properties": {"password": TEXT}, "required": []}
    assert parse(once, accepted=True).schema == once


@pytest.mark.parametrize("name", ["pin", "pin_code", "otp", "card_number", "cvv", "ssn", "token", "password"])
def test_a_secret_that_is_a_number_is_a_secret(name: str) -> None:
    assert "asks for a secret" in refused({"properties": {name: WHOLE}})
    assert "asks for a secret" in refused({"properties": {name: {"type": "number"}}})


@pytest.mark.parametrize(
    "name",
    [
        "primary_key", "key", "passenger", "keyboard", "spinning", "monkey", "Passau", "bypass", "compass", "tokenizer",
        "secretary", "issue key", "object_key", "pinned", "version to pin", "shipping", "opinion", "cardigan",
        "password policy", "api key name", "token_type", "secret name", "max_tokens", "maxTokens", "number of tokens",
        "max output tokens", "account", "discard number", "code", "error code", "zip code", "status code",
        "map pin", "pin for the release", "pins", "country codes",
    ],
)  # fmt: skip
def test_a_word_that_only_looks_like_a_secret_can_be_asked(name: str) -> None:
    assert of(TEXT, name=name).fields[0].name == name
    assert of(TEXT | {"title": name}).fields[0].title == name


@pytest.mark.parametrize(
    "name", ["max_tokens", "tokens", "token_limit", "token count", "min password length", "tokens per minute"]
)
def test_a_number_that_counts_secrets_can_be_asked(name: str) -> None:
    assert of(WHOLE, name=name).fields[0].name == name


@pytest.mark.parametrize("name", ["password", "api_key", "token", "pin"])
def test_a_choice_or_a_yes_about_a_secret_can_be_asked(name: str) -> None:
    for prop in (
        {"type": "boolean", "title": "Rotate the password?"},
        {"type": "string", "title": "Which API key?", "enum": ["staging", "production"]},
        {"type": "array", "title": "Which tokens?", "items": {"enum": ["staging", "production"]}},
    ):
        assert of(prop, name=name).fields[0].name == name


@pytest.mark.parametrize(
    "name",
    [
        "Design tokens file", "Token symbol", "Next page token", "nextPageToken", "AWS account number",
        "continuation_token", "token_decimals", "stop tokens", "Azure account no", "ERC-20 token",
    ],
)  # fmt: skip
def test_what_stands_around_a_word_decides(name: str) -> None:
    assert of(TEXT | {"title": name}).fields[0].title == name


@pytest.mark.parametrize("name", ["API token", "account number", "deploy key", "access key", "githubToken"])
def test_an_agent_can_say_a_field_is_no_secret_and_the_person_sees_that(name: str) -> None:
    field = TEXT | {"title": name}
    assert '"x-handoffs-secret": false' in refused({"properties": {"it": field}})
    form = of(field | {"x-handoffs-secret": False})
    assert form.fields[0].hint == "text; no secret, the agent says"
    assert parse(form.schema) == form


@pytest.mark.parametrize(
    "name",
    ["password", "your PIN", "CVC", "private key", "SSH key", "password token", "client_secret", "IBAN", "card number"],
)
def test_what_is_a_secret_for_certain_is_one_whatever_the_agent_says(name: str) -> None:
    told = refused({"properties": {"it": TEXT | {"title": name, "x-handoffs-secret": False}}})
    assert "asks for a secret" in told
    assert "x-handoffs-secret" not in told


def test_a_word_of_ours_on_what_is_no_secret_changes_nothing() -> None:
    assert of(TEXT | {"x-handoffs-secret": False}) == of(TEXT)
    assert '"format": "password"' in refused({"properties": {"it": TEXT | {"x-handoffs-secret": True}}})


def test_a_field_that_came_before_is_read_by_its_own_form() -> None:
    field = {"type": "string", "title": "Name"}
    harmless = parse({"properties": {"name": field}, "required": ["name"]})
    assert harmless == parse({"properties": {"name": dict(field)}, "required": ["name"]})
    assert not parse({"properties": {"name": field}}).fields[0].required
    secret = {"type": "string", "title": "API key"}
    stored = parse({"properties": {"api_key": secret}}, accepted=True)  # of before there was a rule
    assert stored.fields[0].name == "api_key"
    for _ in range(2):
        with pytest.raises(QuestionRefused, match="asks for a secret"):
            parse({"properties": {"api_key": secret}})
    whole, part = ({"properties": {"n": {"type": "number", "default": value}}} for value in (1, 1.5))
    assert (parse(whole).fields[0].default, parse(part).fields[0].default) == (1, 1.5)
