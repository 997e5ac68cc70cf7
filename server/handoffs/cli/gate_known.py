"""What `gate check` compares with the store: the tools that people know, and the people whom rules name.

Tools are pinned at first sight, as a gate pins them.
"""

import json
from collections.abc import Mapping, Sequence

from handoffs.assembly import missing_store, store_at
from handoffs.clock import SystemClock
from handoffs.core.grant import Pin
from handoffs.core.person import Directory
from handoffs.gate.granted import digest_of
from handoffs.gate.policy_rules import Rule
from handoffs.people.rules import GROUP
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
                    Pin(server=server, tool=tool, digest=digest_of(text), definition=text, pinned_at=clock.now())
                    for tool, text in listed.items()
                ]
            )
        return {tool: _state(pins.get(tool), text) for tool, text in listed.items()}


async def unknown_deciders(settings: Settings, rules: Sequence[Rule]) -> Sequence[str]:
    """Return a line for each rule that names somebody who is not among the people of the store, or a group without any.

    Raises:
        StoreError: The store can't be used.
    """
    deciding = [each.terms.deciders for each in rules if each.terms.deciders is not None]
    if not deciding:
        return []
    directory = Directory()
    if missing_store(settings) is None:
        async with store_at(settings.store, SystemClock()) as store:
            await store.ready()
            directory = await store.people.directory()
    lines: list[str] = []
    for rule in deciding:
        named = [*rule.to, *(f"{GROUP}{each}" for each in rule.each), *rule.escalate_to]
        if missing := [each for each in dict.fromkeys(named) if not _is_known(directory, each)]:
            lines.append(f"{rule.rule} names {', '.join(missing)}: `handoffs people list` shows nobody of that name.")
    return lines


def _is_known(directory: Directory, name: str) -> bool:
    if name.startswith(GROUP):
        return bool(directory.members(name.removeprefix(GROUP)))
    return directory.present(name) is not None


def _state(pin: Pin | None, definition: str) -> str:
    if pin is None:
        return NEW
    return KNOWN if pin.digest == digest_of(definition) else CHANGED
