"""`handoff_to_user` as the tutorial imports it, from `handoffs.strands`: `tools=[handoff_to_user]`."""

import threading
from collections.abc import Sequence
from typing import Any, Self

from strands.tools import ToolProvider
from strands.types.tools import AgentTool

from handoffs.strands.client import HandoffClient


class HandoffToUser(ToolProvider):
    """Gives an agent `handoff_to_user`, with nothing else to set up: the agents of a program share one client.

    Its server starts with the first agent, and ends with the last one that is cleaned up. With it comes
    `check_handoff`, for an answer that comes later.
    """

    def __init__(self) -> None:
        """Prepare it; nothing is started before an agent needs it."""
        self._lock = threading.Lock()
        self._client: HandoffClient | None = None

    async def load_tools(self, **kwargs: Any) -> Sequence[AgentTool]:
        """Return the tools, from a server that runs."""
        return await self._shared().load_tools(**kwargs)

    def add_consumer(self, consumer_id: Any, **kwargs: Any) -> None:
        """Note an agent that uses it."""
        self._shared().add_consumer(consumer_id, **kwargs)

    def remove_consumer(self, consumer_id: Any, **kwargs: Any) -> None:
        """Note that an agent is done with it; the server ends with the last one."""
        self._shared().remove_consumer(consumer_id, **kwargs)

    def __getitem__(self, at: int) -> Self:
        """Be a list of one, so that `tools=handoff_to_user` is what `tools=[handoff_to_user]` is."""
        return (self,)[at]

    def _shared(self) -> HandoffClient:
        with self._lock:
            if self._client is None:
                self._client = HandoffClient()
            return self._client


handoff_to_user = HandoffToUser()
"""The tutorial's tool."""
