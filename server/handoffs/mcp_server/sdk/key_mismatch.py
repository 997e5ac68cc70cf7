"""Key mismatches: a client whose state was sealed by a server with other keys is told which setting is wrong.

The SDK refuses every state that it can't open with the same text, without the cause. Only the operators of the servers
can correct this cause, so the text and the log name the setting.
"""

import logging
from collections.abc import Mapping
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver import InvalidRequestState, RequestStateCodec
from mcp.shared.exceptions import MCPError

logger = logging.getLogger(__name__)

SETTING = "HANDOFFS_KEYS"

OTHER_KEYS = (
    "Invalid or expired requestState: it was sealed with a key that this server does not have. Servers that share "
    f"callers need the same {SETTING}. The question is kept: call again with the same arguments, without requestState."
)


def naming_the_keys(codec: RequestStateCodec) -> ServerMiddleware[Any]:
    """Return the outermost middleware of a server, which adds the wrong setting to the SDK's refusal."""
    said = False

    async def name_them(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        nonlocal said
        try:
            return await call_next(ctx)
        except MCPError as error:
            data: object = error.error.data
            refused = isinstance(data, Mapping) and cast("Mapping[str, object]", data).get("reason") == _REASON
            if not refused or not _is_of_other_keys(codec, (ctx.params or {}).get("requestState")):
                raise
            if not said:  # once: any client can send such a state
                said = True
                logger.error("A question was sealed with a key that is not in %s here; see its other servers.", SETTING)
            raise MCPError(error.error.code, OTHER_KEYS, {"reason": _REASON, "setting": SETTING}) from None

    return name_them


_REASON = "invalid_request_state"


def _is_of_other_keys(codec: RequestStateCodec, state: object) -> bool:
    if not isinstance(state, str):
        return False
    try:
        codec.unseal(state)
    except InvalidRequestState as why:
        return str(why) == "unknown key"
    return False
