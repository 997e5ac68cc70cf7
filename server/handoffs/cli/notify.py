"""`handoffs notify test`: sends a test message to every address that is set."""

import anyio

from handoffs.assembly import check_installed
from handoffs.channels import CHANNELS
from handoffs.channels.notify import Notice, NotSent, Recipient, recipients
from handoffs.console import UsageError, print_out
from handoffs.settings import Settings

_NOTICE = Notice(
    title="Handoffs can reach you here",
    body="This is a test. When an agent waits for you, you are told here who asks, what, and for how long.",
)


async def test(settings: Settings) -> bool:
    """Send a test to each address, print the results, and return whether all were sent.

    Raises:
        UsageError: No address is set.
        SettingsError: The notifier is not installed.
    """
    addressed = recipients("HANDOFFS_NOTIFY", settings.notify) + recipients("HANDOFFS_ESCALATE", settings.escalate)
    if not addressed:
        raise UsageError(
            "No address is set. Put some into HANDOFFS_NOTIFY, such as mailto://user:password@example.org or "
            "ntfy://my-topic, several with commas; into HANDOFFS_ESCALATE those that are told when nobody answers. "
            "https://github.com/caronc/apprise lists what there is."
        )
    check_installed(CHANNELS["notify"])
    problems: dict[Recipient, str] = {}

    async def send(recipient: Recipient) -> None:
        try:
            await recipient.send(_NOTICE)
        except NotSent as wrong:
            problems[recipient] = str(wrong)

    async with anyio.create_task_group() as tasks:
        for recipient in addressed:
            tasks.start_soon(send, recipient)
    for recipient in addressed:
        print_out(f"{recipient.name}: {f'not sent, {problems[recipient]}' if recipient in problems else 'sent'}.")
    return not problems
