"""Opens what a program asks with: over the store of the settings, as a server does."""

import platform
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from handoffs.assembly import current_user, limits_of, store_at
from handoffs.client.asking import Asking, caller_of
from handoffs.clock import SystemClock
from handoffs.serving.desk import serving_desk
from handoffs.serving.invited import InboxWhenNeeded
from handoffs.serving.whose import WhoseDecision
from handoffs.setting_values import store_address
from handoffs.settings import POLICY, Settings, SettingsError, config_file, read_settings


@asynccontextmanager
async def open_asking(
    settings: Settings | None = None,
    *,
    store: str | Path | None = None,
    client: str = "python",
    project: str | Path | None = None,
) -> AsyncGenerator[Asking]:
    """Yield what asks, in the name of the program `client` of this user in the folder `project`.

    Without `settings` those of the environment and of `config.toml` are read; `store` stands in place of theirs. People
    are reached as by a server: by notifications, on the terminal where the settings say so, and by the inbox, which is
    started in the background where none runs.

    Raises:
        SettingsError: A setting is wrong.
        StoreError: The store can't be used.
    """
    settings = _over(settings or read_settings(), store)
    clock = SystemClock()
    async with (
        store_at(settings.store, clock) as opened,
        serving_desk(settings, terminal=settings.terminal == "on", device=True, store=opened, clock=clock) as desk,
    ):
        yield Asking(
            desk,
            caller=caller_of(current_user(), client=client, project=project),
            inbox=InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url),
            whose=WhoseDecision(config_file().with_name(POLICY), desk),
            machine="" if isinstance(settings.store, Path) else platform.node(),
            limits=limits_of(settings),
        )


def _over(settings: Settings, store: str | Path | None) -> Settings:
    if store is None:
        return settings
    if isinstance(store, str):
        try:
            address = store_address(store)
        except ValueError as wrong:
            raise SettingsError(f"`store` is no address of a store: {wrong}.") from None
    else:
        address = store
    return settings.model_copy(update={"store": address.absolute() if isinstance(address, Path) else address})
