"""The MCP server: what it publishes, over a desk."""

from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import ServerMiddleware
from mcp.server.extension import Extension
from mcp.server.mcpserver import RequestStateSecurity

from handoffs import __version__
from handoffs.core.desk import Desk
from handoffs.first_stage.front import Front
from handoffs.mcp_server import tools, words
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.asking.waiting import Inbox
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.joining import LISTING, Joining
from handoffs.mcp_server.calls import Calls
from handoffs.mcp_server.cards.extension import Cards, Page
from handoffs.mcp_server.icons import ICONS
from handoffs.mcp_server.notice import Notice
from handoffs.mcp_server.permission import Listed, approval_tool, listed_for_its_hosts
from handoffs.mcp_server.prompts import add_prompts
from handoffs.mcp_server.resources.completions import add_completions
from handoffs.mcp_server.resources.resources import add_resources
from handoffs.mcp_server.resources.subscriptions import Changes
from handoffs.mcp_server.sdk.delivery import Deliveries
from handoffs.mcp_server.sdk.duplicate_ids import BRINGING, MixedUp
from handoffs.mcp_server.sdk.key_mismatch import naming_the_keys
from handoffs.mcp_server.sdk.middleware import by_method, only_with
from handoffs.mcp_server.sdk.plain_log import plain_log
from handoffs.mcp_server.sdk.stdio import StdioServer
from handoffs.mcp_server.sdk.tool_list import made_once
from handoffs.mcp_server.tasks.extension import Tasks
from handoffs.mcp_server.tasks.notifications import Listening
from handoffs.mcp_server.tool import tool

NAME = "handoffs"

# What the middlewares are for.
STREAMS = ("subscriptions/listen",)
LISTS = ("tools/list",)
ENDINGS = ("notifications/cancelled",)
CHANGING = ("initialize", *STREAMS, "resources/subscribe", "resources/unsubscribe")


def build_server(
    desk: Desk,
    *,
    subject: str,
    project: str,
    keys: Sequence[bytes | str],
    state_seconds: float,
    hold_seconds: float | None = None,
    host_seconds: float | None = None,
    inbox: Inbox | None = None,
    card: Callable[[], Page] | None = None,
    permission_tool: Listed = "auto",
    auth: AuthSettings | None = None,
    token_verifier: TokenVerifier | None = None,
    draining: Shutdown | None = None,
    front: Front | None = None,
    join: bool = True,
    notice: str = "",
    bounds: Bounds = BOUNDS,
) -> StdioServer:
    """Return the server, ready to run on stdio or HTTP.

    Args:
        desk: Where the handoffs are.
        subject: Who the caller is where nobody authenticates: the user of the operating system.
        project: The folder that callers on stdio work in.
        keys: What seals the state that clients carry between two rounds, 32 bytes or more each; the first seals.
        state_seconds: How long that state can be used: as long as the longest question stays open.
        hold_seconds: How long a call waits before it says PENDING; None goes by the host.
        host_seconds: What the host's own limit on a call was set to, where that is known: a call waits nearly as long.
        inbox: Where the person is led to when the host has no dialog or did not show it.
        card: Makes what hosts show in the chat that can; called when the first one does. None for no cards.
        auth: What tokens over HTTP must have; given together with `token_verifier`.
        token_verifier: Knows whose a token is, by the `subject` that it returns: from then on nobody calls without one,
            not as `subject` above either.
        permission_tool: Whether `approve_tool_use` is there for the hosts that can use it, for all, or for none.
        draining: Has the calls that wait return, when whoever holds it wants to stop.
        front: What has come through the pipe so far, where something reads it already.
        join: Whether a client that is no gateway joins what its caller asked in other sessions.
        notice: What each result tells the person beside the outcome, by way of the agent; empty for nothing.
        bounds: How much it holds for all of its callers.
    """
    front, deliveries = front or Front(), Deliveries(desk)
    joining = Joining(front, everyone=join)
    calls = Calls(
        desk,
        subject=subject if token_verifier is None else None,
        local=subject,
        project=project,
        hold_seconds=hold_seconds,
        host_seconds=host_seconds,
        inbox=inbox,
        deliveries=deliveries,
        joining=joining,
        cards=card is not None,
        draining=draining,
    )
    told = Notice(notice)
    tasks = Tasks(desk, calls, inbox=inbox, notice=told, bounds=bounds)
    ask, check = (told.under(tasks.begun_by(call)) for call in (calls.handoff_to_user, calls.check_handoff))
    published = [
        tool(tools.HANDOFF, "Ask the person", tools.HANDOFF_DESCRIPTION, tools.HANDOFF_SCHEMA, ask),
        tool(tools.CHECK, "Get the person's answer", tools.CHECK_DESCRIPTION, tools.CHECK_SCHEMA, check),
    ]
    extensions: list[Extension] = [tasks]
    changes = Changes(desk, calls, bounds)
    middleware: list[tuple[ServerMiddleware[Any], Sequence[str]]] = [
        *([] if draining is None else [(draining, STREAMS)]),
        (Listening(desk, tasks, bounds), STREAMS),
        (changes, CHANGING),
        (MixedUp(front), BRINGING),
        (joining.note, LISTING),
        (calls.giving_up, ENDINGS),
    ]
    if card is not None:
        cards = Cards(desk, card, owned=calls.owned, declared=calls.declared_by, keys=keys, inbox=inbox)
        published = [*map(cards.shown_by, published), cards.tool()]
        extensions.append(cards.extension())
        middleware.append((cards.only_where_shown, LISTS))
    if permission_tool != "off":
        published.append(approval_tool(desk, calls))
    if permission_tool == "auto":
        middleware.append((listed_for_its_hosts(), LISTS))
    middleware.append((made_once(), LISTS))
    sealing = RequestStateSecurity(keys=list(keys), ttl=state_seconds)
    with plain_log():
        server = StdioServer(
            NAME,
            title="Handoffs",
            version=__version__,
            instructions=words.INSTRUCTIONS,
            icons=ICONS,
            log_level="WARNING",
            tools=published,
            extensions=extensions,
            middleware=[by_method(*middleware)],
            subscriptions=changes,
            lifespan=changes.lifespan,
            auth=auth,
            token_verifier=token_verifier,
            request_state_security=sealing,
        )
    server.front, server.deliveries = front, deliveries
    server.middleware.insert(0, only_with("requestState", naming_the_keys(sealing.codec)))  # outside of what refuses
    add_resources(server, calls)
    add_prompts(server)
    add_completions(server, calls)
    return server
