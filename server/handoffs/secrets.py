"""The secrets that you gave an agent's questions, for your own programs: `await reveal("secret:h_…/password")`.

An agent asks for a password, you type it into the inbox, and the agent gets a name for it and never the value. The tool
that needs the value has it by that name, here. It must be a program of the same user, on the same machine, with the
same settings. Where nothing runs asynchronously: `anyio.run(reveal, name)`.
"""

from handoffs.assembly import current_user, open_desk
from handoffs.core.errors import SecretRefused, StoreError
from handoffs.settings import SettingsError, read_settings

__all__ = ["SecretRefused", "SettingsError", "StoreError", "reveal"]


async def reveal(name: str, *, keep: bool = True) -> str:
    """Return the secret that the person typed, by the name that the agent was given.

    The log of the handoff says that you had it. Do not print it or return it from a tool: then the model has it, too.

    Args:
        name: As it is in the agent's result, `secret:h_…/password`.
        keep: False erases it in the same moment, so that this was the only time.

    Raises:
        SecretRefused: There is none of this name for this user: it was never asked, not given, or erased; or it was
            sealed with keys that this program does not have.
        SettingsError: A setting is wrong.
        StoreError: The store can't be used.
    """
    async with open_desk(read_settings()) as desk:
        return await desk.reveal(name, by=current_user(), keep=keep)
