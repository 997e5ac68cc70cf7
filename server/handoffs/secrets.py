"""Secrets that you gave to an agent's questions, for your own programs: `await reveal("secret:h_…/password")`.

An agent asks for a password, you type it into the inbox, and the agent gets only a name for it. A tool that needs the
value gets it here by that name. The tool must run as the same user, on the same machine, with the same settings.
Without asyncio: `anyio.run(reveal, name)`.
"""

from handoffs.assembly import open_desk
from handoffs.core.errors import SecretRefused, StoreError
from handoffs.os_user import current_user
from handoffs.settings import SettingsError, read_settings

__all__ = ["SecretRefused", "SettingsError", "StoreError", "reveal"]


async def reveal(name: str, *, keep: bool = True) -> str:
    """Return the secret that the person typed, by the name that the agent was given.

    The log of the handoff records the call. Do not print the secret or return it from a tool: then the model sees it,
    too.

    Args:
        name: The name in the agent's result, `secret:h_…/password`.
        keep: False erases the secret at the same time, so that it can't be read again.

    Raises:
        SecretRefused: This user has no secret of this name: it was never asked for, not given, or erased; or it was
            sealed with keys that this program does not have.
        SettingsError: A setting is wrong.
        StoreError: The store can't be used.
    """
    async with open_desk(read_settings()) as desk:
        return await desk.reveal(name, by=current_user(), keep=keep)
