"""The first answers of a start: compared with those of the snapshot, and saved when missing there."""

import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import anyio
import anyio.to_thread

from handoffs.first_stage import snapshot
from handoffs.first_stage.requests import Requests
from handoffs.first_stage.snapshot import SnapshotFile

logger = logging.getLogger(__name__)

KEEP_SECONDS = 1.0
"""How long after a reply the snapshot is saved: a host's first requests come together."""

LOOKED_AT = 64
"""How many messages of a pipe may be its first requests."""

DIFFERED = (
    "The first answers of this start were kept from an earlier one, and are not what this server answers now. They are "
    "removed. Restart the connection, so that the host lists the tools again."
)


class FirstAnswers:
    """The first requests of a pipe, and the server's replies to them."""

    def __init__(
        self, file: SnapshotFile, stamped: Sequence[str], answered: Mapping[str | int, str] | None = None
    ) -> None:
        """Take the snapshot's file, the files that it depends on, and the results that were sent already, by id."""
        self._file, self._stamped = file, stamped
        self._answered = dict(answered or {})
        self._requests = Requests()
        self._left = LOOKED_AT
        self._expected: dict[str | int, str] = {}
        self._missing: dict[str, str] = {}
        self._changed = anyio.Event()

    def asked(self, text: str) -> None:
        """Take the next message to the server."""
        if self._left == 0:
            return
        self._left -= 1
        request = self._requests.next(text)
        if request is not None and request.id not in self._answered:
            self._expected[request.id] = request.key

    def replied(self, text: str) -> bool:
        """Take the server's next message, and say whether to write it: not when the first stage has answered."""
        if not self._answered and not self._expected:
            return True
        message = cast("Mapping[str, object]", json.loads(text))
        request_id = message.get("id")
        if "method" in message or not isinstance(request_id, str | int):
            return True
        sent = self._answered.pop(request_id, None)
        if sent is not None:
            if message.get("result") != json.loads(sent):
                logger.warning(DIFFERED)
                snapshot.remove(self._file)
            return False
        key = self._expected.pop(request_id, None)
        if key is not None and "result" in message:
            self._missing[key] = json.dumps(message["result"], ensure_ascii=False, separators=(",", ":"))
            self._changed.set()
        return True

    async def keep(self) -> None:
        """Save missing answers soon after they came, until cancelled."""
        try:
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                await anyio.sleep(KEEP_SECONDS)
                await self._save()
        finally:
            with anyio.CancelScope(shield=True):
                await self._save()

    async def _save(self) -> None:
        missing, self._missing = self._missing, {}
        if not missing:
            return
        try:
            await anyio.to_thread.run_sync(partial(snapshot.save, self._file, missing, self._stamped))
        except OSError as wrong:
            logger.info("The first answers are not kept (%s): the next start is no faster.", wrong.strerror or wrong)
