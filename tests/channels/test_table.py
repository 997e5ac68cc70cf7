"""The table of channels: what may permit a tool, and what each needs."""

import importlib
import importlib.util
import inspect
from pathlib import Path

import pytest

from handoffs.assembly import chatting, courier_of, kinds, open_desk
from handoffs.channels import CHANNELS, CHATS, is_chat, may_permit
from handoffs.settings import Settings, SettingsError
from handoffs.web.receiving import CHANNEL as INBOX
from tests.channels.mail_server import SETTINGS


def test_what_the_host_could_have_said_itself_permits_nothing() -> None:
    assert [name for name in CHANNELS if may_permit(name)] == ["inbox", "terminal", "command line", "notify"]


@pytest.mark.parametrize("name", ["", "Inbox", "slack", "elicitation "])
def test_a_channel_that_is_not_in_the_table_permits_nothing(name: str) -> None:
    """Trust is given by a row: a list of those that are not trusted would trust whatever is added."""
    assert not may_permit(name)


def test_a_chat_permits_nothing_by_itself() -> None:
    assert set(CHATS) <= {name for name in CHANNELS if is_chat(name) and not may_permit(name)}


def test_each_row_names_what_is_there() -> None:
    assert INBOX in CHANNELS
    for name, row in CHANNELS.items():
        assert row.name == name
        assert set(row.settings) <= set(Settings.model_fields)
        if row.run:
            module, _, function = row.run.partition(":")
            assert inspect.iscoroutinefunction(getattr(importlib.import_module(module), function))
    assert "email" not in kinds(Settings())
    for name, kind in kinds(Settings.model_validate(SETTINGS)).items():
        assert kind.name == name
        assert kind.limits.label <= 75


async def test_settings_for_what_is_not_installed_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "aiosmtplib" else there(name))
    settings = Settings.model_validate(SETTINGS | {"store": str(tmp_path / "x.db")})
    assert "email" not in kinds(settings)
    async with open_desk(settings) as desk:
        with pytest.raises(SettingsError, match=r"HANDOFFS_EMAIL_SMTP and .* need the extra email"):
            courier_of(settings, desk)
        with pytest.raises(SettingsError, match="extra email"):
            async with chatting(settings, desk, at_once=False):
                pass
