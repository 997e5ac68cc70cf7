"""The table of channels. A new channel is a file and a row here.

The `name` of a row is the channel's name in the log and in answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from handoffs.core.action import Asker
from handoffs.core.model import Handoff


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One channel."""

    name: str
    does: str
    """What a person sees of it, for the docs."""
    from_host: bool
    """Whether its answers come from the host, which may have made them up. Then they permit no tool."""
    run: str = ""
    """The import string of `async def run(desk, settings, link)`, which tells people until it is cancelled.

    `desk` is a `core.ports.Overview`, `settings` holds the settings named below, and `link` returns the page of a
    handoff by its id, or is None. Empty for a channel that other code uses.
    """
    settings: tuple[str, ...] = ()
    """The settings that it needs, by their names in `config.toml`. It is there if one of them is set."""
    extra: str = ""
    """The extra that installs its packages; empty if it needs none."""
    needs: str = ""
    """The import name of the package that the extra installs."""
    chat: str = ""
    """The import string of a `chats.service.Kind`, for a channel that people set up on their own page.

    Where the row has settings, it is that of a function that returns the `Kind` for their values, by name, or None.
    Its keys lie on this machine, where an agent of the same user may find them. It permits no tool by itself, only
    where the rule of a gate names it.
    """


CHANNELS: Mapping[str, Row] = {
    row.name: row
    for row in (
        Row(name="elicitation", does="the host's own dialog", from_host=True),
        Row(name="script", does="a program that says that it answers without a person", from_host=True),
        Row(name="card", does="a card in the host's chat", from_host=True),
        Row(name="tasks", does="the host, by cancelling an MCP task", from_host=True),
        Row(name="program", does="a program that withdraws its own question", from_host=True),
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
        Row(
            name="ntfy",
            does="a push message with buttons, by ntfy.sh or a server of one's own",
            from_host=False,
            chat="handoffs.channels.ntfy:KIND",
        ),
        Row(
            name="telegram",
            does="a message of one's own Telegram bot, with buttons and replies",
            from_host=False,
            chat="handoffs.channels.telegram:KIND",
        ),
        Row(
            name="slack",
            does="a message of one's own Slack app, with buttons and replies",
            from_host=False,
            extra="slack",
            needs="websockets",
            chat="handoffs.channels.slack:KIND",
        ),
        Row(
            name="webpush",
            does="a notification of a browser (Web Push), with two buttons at most",
            from_host=False,
            extra="webpush",
            needs="pywebpush",
            chat="handoffs.channels.webpush:KIND",
        ),
        Row(
            name="email",
            does="a message to one's own e-mail address, which a reply answers",
            from_host=False,
            settings=("email_smtp", "email_imap", "email_address", "email_authserv", "email_password"),
            extra="email",
            needs="aiosmtplib",
            chat="handoffs.channels.mail:kind_of",
        ),
    )
}


def may_permit(channel: str) -> bool:
    """Return whether an answer through this channel may permit a tool. A channel outside the table permits nothing.

    Nor does a chat: only a gate believes it, where its rule names the chat.
    """
    row = CHANNELS.get(channel)
    return row is not None and not row.from_host and not row.chat


def may_fill_in(channel: str) -> bool:
    """Return whether an answer through this channel may fill in the form of another server: a person gave it.

    Chats may, since a form permits no tool.
    """
    row = CHANNELS.get(channel)
    return row is not None and not row.from_host


def is_chat(channel: str) -> bool:
    """Return whether a channel is one that people set up on their own page."""
    row = CHANNELS.get(channel)
    return row is not None and bool(row.chat)


CHATS = tuple(row.name for row in CHANNELS.values() if row.chat)
"""The names of the channels that people set up on their own page."""


def could_permit(handoff: Handoff) -> bool:
    """Return whether what was answered can have permitted a tool, by its channel.

    A gate may believe the host's dialog, too: whether it did, the rule says by which it asked.
    """
    action, channel = handoff.question.action, "" if handoff.end is None else handoff.end.channel
    by_gate = action is not None and action.asker is Asker.GATE
    by_chat = action is not None and channel in action.channels
    return may_permit(channel) or (by_gate and (channel == "elicitation" or by_chat))
