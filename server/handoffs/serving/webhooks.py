"""Webhooks beside a long-running desk, where the settings name receivers."""

import importlib.util
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from handoffs.core.beside import beside
from handoffs.core.desk import Desk
from handoffs.settings import PREFIX, Settings, SettingsError

START_SECONDS = 1.0
"""The start of a server comes first."""


@asynccontextmanager
async def posting_webhooks(settings: Settings, desk: Desk, *, at_once: bool) -> AsyncGenerator[None]:
    """Post what becomes of questions to the receivers of the settings, for the length of the block.

    Unless `at_once`, nothing is done before the first question of this process: its store may not be open yet.

    Raises:
        SettingsError: The extra is not installed.
    """
    if not settings.webhook:
        yield
        return
    if importlib.util.find_spec("standardwebhooks") is None:
        from handoffs.extras import command_to_add

        raise SettingsError(f"{PREFIX}WEBHOOK needs the extra webhooks. Unset it, or: {command_to_add('webhooks')}")
    started = desk.clock.now()

    async def post() -> None:
        await (desk.clock.sleep(START_SECONDS) if at_once else desk.used.wait())
        from handoffs.api.webhooks import Receiver, run  # only where a setting names a receiver

        receivers = [
            Receiver(number=number, url=url, secrets=settings.webhook_secret)
            for number, url in enumerate(dict.fromkeys(settings.webhook), start=1)
        ]
        await run(desk, receivers, started=started)

    async with beside(post):
        yield
