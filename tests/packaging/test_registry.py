"""`server.json`, from which the registry tells hosts how to start the server, says what is true."""

import json
import tomllib
from typing import Any

import jsonschema
import pytest

from handoffs import __version__
from handoffs.settings import Settings
from tests.packaging.launching import ROOT

ENTRY: dict[str, Any] = json.loads((ROOT / "server.json").read_text("utf-8"))
SCHEMA: dict[str, Any] = json.loads((ROOT / "tests/packaging/registry_schema/2025-12-11.json").read_text("utf-8"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGE: dict[str, Any] = ENTRY["packages"][0]
VARIABLES: dict[str, dict[str, Any]] = {each["name"]: each for each in PACKAGE["environmentVariables"]}

NOT_THE_SERVERS = {"model", "inbox_password", "inbox_proxy_header"} | {
    f"inbox_oidc_{each}" for each in ("issuer", "client_id", "client_secret", "claim")
}
"""Settings of commands that people type, not of the server that a host starts."""


def complaints(entry: dict[str, Any]) -> list[str]:
    checker = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    return [error.message for error in checker.iter_errors(entry)]


def test_the_registrys_schema_accepts_the_entry() -> None:
    assert ENTRY["$schema"] == SCHEMA["$id"]
    assert complaints(ENTRY) == []


@pytest.mark.parametrize(
    "wrong", [{"description": "x" * 101}, {"name": "handoffs"}, {"version": 1}, {"packages": [{"identifier": "x"}]}]
)
def test_the_schema_would_have_found_a_mistake(wrong: dict[str, Any]) -> None:
    assert complaints(ENTRY | wrong) != []


def test_the_entry_is_about_this_package_in_this_version() -> None:
    assert (PACKAGE["registryType"], PACKAGE["identifier"]) == ("pypi", PROJECT["name"])
    assert ENTRY["version"] == PACKAGE["version"] == PROJECT["version"] == __version__


def test_uvx_finds_a_command_that_is_called_like_the_package() -> None:
    assert PACKAGE["runtimeHint"] == "uvx"
    assert PACKAGE["identifier"] in PROJECT["scripts"]


def test_what_sends_notifications_comes_with_it() -> None:
    [extra] = PACKAGE["runtimeArguments"]
    assert [extra["value"]] == PROJECT["optional-dependencies"]["notify"]


def test_every_setting_of_the_server_is_explained_and_no_other() -> None:
    settings = set(Settings.model_fields) - NOT_THE_SERVERS
    assert set(VARIABLES) == {f"HANDOFFS_{name.upper()}" for name in settings}


def test_what_is_secret_is_marked_as_secret() -> None:
    secret = {f"HANDOFFS_{name.upper()}" for name, field in Settings.model_fields.items() if not field.repr}
    assert {name for name, each in VARIABLES.items() if each.get("isSecret")} == secret & set(VARIABLES)


def test_the_defaults_it_names_are_the_settings_own() -> None:
    for name, each in VARIABLES.items():
        if "default" in each:
            assert each["default"] == str(Settings.model_fields[name.removeprefix("HANDOFFS_").lower()].default)


def test_every_choice_it_offers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, each in VARIABLES.items():
        for choice in each.get("choices", []):
            monkeypatch.setenv(name, choice)
            assert getattr(Settings(), name.removeprefix("HANDOFFS_").lower()) == choice


def test_the_readme_proves_whose_entry_it_is() -> None:
    assert f"mcp-name: {ENTRY['name']}" in (ROOT / "README.md").read_text("utf-8")
