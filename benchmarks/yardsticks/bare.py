"""The official SDK's `MCPServer` with one tool that asks, in both eras, in the cheapest honest way; it stores nothing.

python bare.py                over stdio
python bare.py --http PORT    over streamable HTTP on the loopback
python bare.py --guarded --http PORT    the same for callers with a token, which ours always wants; any token will do
"""

import sys

from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)

NEWER_ERA = "2026-07-28"
FORM = {"type": "object", "properties": {"response": {"type": "string"}}, "required": ["response"]}


class AnyToken(TokenVerifier):
    """Lets every caller in that shows a token."""

    async def verify_token(self, token: str) -> AccessToken:
        """Return who it is."""
        return AccessToken(token=token, client_id="benchmark", scopes=[])


if "--guarded" in sys.argv:
    here = AuthSettings.model_validate({"issuer_url": "http://127.0.0.1", "resource_server_url": "http://127.0.0.1"})
    server = MCPServer("bare", log_level="ERROR", token_verifier=AnyToken(), auth=here)
else:
    server = MCPServer("bare", log_level="ERROR")


@server.tool()
async def handoff_to_user(message: str, ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask the person."""
    if ctx.protocol_version != NEWER_ERA:
        answer = await ctx.session.elicit_form(message, FORM, related_request_id=ctx.request_id)
        return _result(answer)
    given = (ctx.input_responses or {}).get("question")
    if isinstance(given, ElicitResult):
        return _result(given)
    form = ElicitRequestFormParams(message=message, requested_schema=FORM)
    return InputRequiredResult(input_requests={"question": ElicitRequest(params=form)})


def _result(answer: ElicitResult) -> CallToolResult:
    text = f"The person answered: {(answer.content or {})['response']}"
    return CallToolResult(content=[TextContent(type="text", text=text)])


if __name__ == "__main__":
    if "--http" in sys.argv:
        server.run("streamable-http", port=int(sys.argv[-1]))
    else:
        server.run()
