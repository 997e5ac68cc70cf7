"""The ways to reach a person, as a table. A new one is a file and a row here.

The `name` of a row is what the log and an answer say a decision came through.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What is known of one channel."""

    name: str
    does: str
    """What a person sees of it, for the docs."""
    from_host: bool
    """Whether an answer through it comes from the host, which may have given it itself. It permits no tool then."""
    run: str = ""
    """The import string of `async def run(desk, settings, link)`, which tells people until it is cancelled.

    `desk` is a `core.ports.Overview`, `settings` has what `settings` below names, and `link` returns the page of a
    handoff by its id, or is None. Empty for a channel that something else asks through.
    """
    settings: tuple[str, ...] = ()
    """The settings that it needs, by their names in `config.toml`. It runs where one of them is set."""
    extra: str = ""
    """The extra that installs what it needs, where that is not always there."""
    needs: str = ""
    """The package that the extra installs, as it is imported."""


CHANNELS: Mapping[str, Row] = {
    row.name: row
    for row in (
        Row(name="elicitation", does="the host's own dialog", from_host=True),
        Row(name="script", does="a program that says that it answers for nobody", from_host=True),
        Row(name="card", does="a card in the host's chat", from_host=True),
        Row(name="tasks", does="the host, by cancelling an MCP task", from_host=True),
        Row(name="inbox", does="the page in the browser", from_host=False),
        Row(name="terminal", does="the console of the server, or the terminal that a program runs on", from_host=False),
        Row(name="command line", does="`handoffs answer`, `decline` and `cancel` in a shell", from_host=False),
        Row(
            name="notify",
            does="messages to Slack, e-mail, a phone, … which link to the inbox",
            from_host=False,
            run="handoffs.channels.notify:run",
            settings=("notify", "escalate"),
            extra="notify",
            needs="apprise",
        ),
    )
}


def may_permit(channel: str) -> bool:
    """Say whether an answer through this channel may permit a tool. One that is not in the table permits nothing."""
    row = CHANNELS.get(channel)
    return row is not None and not row.from_host
