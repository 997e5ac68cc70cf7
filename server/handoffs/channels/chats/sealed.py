"""The address of a chat, sealed for it: one chat's can't be put into the place of another's."""

import json
from dataclasses import replace
from typing import cast

from handoffs.channels.chats.service import Config
from handoffs.core.chat import Chat
from handoffs.core.errors import SecretRefused
from handoffs.core.ports import Sealer


async def seal(sealer: Sealer, chat: Chat, config: Config) -> Chat:
    """Return the chat with this address. Raises SecretRefused: there is no key that lasts."""
    return replace(chat, sealed=await sealer.seal(json.dumps(dict(config)), context=chat.context))


async def unseal(sealer: Sealer, chat: Chat) -> Config | None:
    """Return the address of a chat; None where this process can't open it."""
    try:
        return cast("Config", json.loads(await sealer.unseal(chat.sealed, context=chat.context)))
    except (SecretRefused, ValueError):
        return None
