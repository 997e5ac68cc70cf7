"""The table of channels: what may permit a tool, and what each needs."""

import importlib
import inspect

import pytest

from handoffs.assembly import kinds
from handoffs.channels import CHANNELS, CHATS, is_chat, may_permit
from handoffs.settings import Settings
from handoffs.web.receiving import CHANNEL as INBOX


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
    for name, kind in kinds().items():
        assert kind.name == name
        assert kind.limits.label <= 75
