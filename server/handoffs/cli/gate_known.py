"""The tools of a server beside those that people know: `gate check` pins them at first sight, as a gate does."""

import json
from collections.abc import Mapping, Sequence

from handoffs.assembly import missing_store, store_at
from handoffs.clock import SystemClock
from handoffs.core.action import definition_digest
from handoffs.core.grant import Pin
from handoffs.settings import Settings

NEW, CHANGED, KNOWN = "new", "changed", "known"


async def compared(settings: Settings, server: str, tools: Sequence[Mapping[str, object]]) -> Mapping[str, str]:
    """Return for each tool whether people know its definition: `NEW`, `CHANGED` or `KNOWN`; nothing without a store.

    The tools of a server that has none pinned are pinned, and are `NEW` this once. Of two tools of one name neither is.

    Raises:
        StoreError: The store can't be used.
    """
    if not tools or missing_store(settings) is not None:
        return {}
    clock = SystemClock()
    async with store_at(settings.store, clock) as store:
        await store.ready()
        pins = await store.permissions.pins(server)
        names = [str(each["name"]) for each in tools]
        listed = {name: json.dumps(each) for name, each in zip(names, tools, strict=True) if names.count(name) == 1}
        if not pins:
            await store.permissions.pin(
                [
                    Pin(
                        server=server, tool=tool, digest=definition_digest(text), definition=text, pinned_at=clock.now()
                    )
                    for tool, text in listed.items()
                ]
            )
        return {tool: _state(pins.get(tool), text) for tool, text in listed.items()}


def _state(pin: Pin | None, definition: str) -> str:
    if pin is None:
        return NEW
    return KNOWN if pin.digest == definition_digest(definition) else CHANGED
