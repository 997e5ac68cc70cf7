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
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.calls import Calls
from handoffs.mcp_server.cards.extension import Cards, Page
from handoffs.mcp_server.icons import ICONS
from handoffs.mcp_server.notice import Notice
from handoffs.mcp_server.permission import Listed, approval_tool, listed_for_its_hosts
from handoffs.mcp_server.prompts import add_prompts
from handoffs.mcp_server.resources.completions import add_completions
from handoffs.mcp_server.resources.registry import SubscriptionRegistry
from handoffs.mcp_server.resources.resources import add_resources, naming_open_ones
from handoffs.mcp_server.resources.subscriptions import Changes
from handoffs.mcp_server.sdk.delivery import Deliveries
from handoffs.mcp_server.sdk.duplicate_ids import BRINGING, MixedUp
from handoffs.mcp_server.sdk.key_mismatch import naming_the_keys
from handoffs.mcp_server.sdk.middleware import OF_THE_SDK, Stage, chain, only_with
from handoffs.mcp_server.sdk.plain_log import plain_log
from handoffs.mcp_server.sdk.stdio import StdioServer
from handoffs.mcp_server.sdk.tool_list import made_once
from handoffs.mcp_server.tasks.extension import Tasks
from handoffs.mcp_server.tasks.notifications import Listening
from handoffs.mcp_server.tasks.outcomes import Outcomes
from handoffs.mcp_server.token_expiry import TokenExpiry
from handoffs.mcp_server.tool import tool

NAME = "handoffs"

# What the middlewares are for.
STREAMS = ("subscriptions/listen",)
LISTS = ("tools/list",)
RESOURCES = ("resources/list",)
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
    expiry: TokenExpiry | None = None,
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
        expiry: Ends what lasts longer than its token; whoever holds it runs its `watch` and serves HTTP behind it.
        permission_tool: Whether `approve_tool_use` is there for the hosts that can use it, for all, or for none.
        draining: Has the calls that wait return, when whoever holds it wants to stop.
        front: What has come through the pipe so far, where something reads it already.
        join: Whether a client that is no gateway joins what its caller asked in other sessions.
        notice: What each result tells the person beside the outcome, by way of the agent; empty for nothing.
        bounds: How much it holds for all of its callers; what `expiry` holds has the bounds that it was given.
    """
    front, deliveries = front or Front(), Deliveries(desk)
    joining = Joining(front, everyone=join)
    own = OwnHandoffs(desk, subject=subject if token_verifier is None else None, project=project, joining=joining)
    calls = Calls(
        desk,
        own=own,
        hold_seconds=hold_seconds,
        host_seconds=host_seconds,
        inbox=inbox,
        deliveries=deliveries,
        joining=joining,
        cards=card is not None,
        draining=draining,
    )
    told = Notice(notice)
    tasks = Tasks(desk, own, Outcomes(desk, deliveries), inbox=inbox, notice=told, bounds=bounds)
    ask, check = (told.under(tasks.begun_by(call)) for call in (calls.handoff_to_user, calls.check_handoff))
    published = [
        tool(tools.HANDOFF, "Ask the person", tools.HANDOFF_DESCRIPTION, tools.HANDOFF_SCHEMA, ask),
        tool(tools.CHECK, "Get the person's answer", tools.CHECK_DESCRIPTION, tools.CHECK_SCHEMA, check),
    ]
    extensions: list[Extension] = [tasks]
    registry = SubscriptionRegistry(desk.clock, bounds) if expiry is None else expiry.subscriptions
    changes = Changes(desk, own, registry, bounds)
    only_where_shown: ServerMiddleware[Any] | None = None
    if card is not None:
        cards = Cards(desk, card, own=own, keys=keys, inbox=inbox)
        published = [*map(cards.shown_by, published), cards.tool()]
        extensions.append(cards.extension())
        only_where_shown = cards.only_where_shown
    if permission_tool != "off":
        published.append(approval_tool(desk, calls))
    sealing = RequestStateSecurity(keys=list(keys), ttl=state_seconds)
    stages = (
        # Ends a request when its token has lapsed: outermost, so that nothing of the request goes on.
        Stage("token expiry", expiry),
        # Names the setting that is wrong where the SDK can't open a state: outside of what refuses it.
        Stage("keys", only_with("requestState", naming_the_keys(sealing.codec))),
        OF_THE_SDK,
        # Ends streams when the server stops: outside of all that serves one.
        Stage("shutdown", draining, STREAMS),
        # Serves the streams that name tasks, which the SDK would drop: before what serves the others.
        Stage("tasks", Listening(desk, own, tasks, bounds), STREAMS),
        # Answers the subscriptions of the older era, and watches for the streams of the newer.
        Stage("subscriptions", changes, CHANGING),
        # Refuses what mixes up the ids of two requests: before anything is done with them.
        Stage("duplicate ids", MixedUp(front), BRINGING),
        # Notes who may be told which handoffs there are: before whatever lists them.
        Stage("joining", joining.note, LISTING),
        # Learns from the calls that a client cancels; it changes nothing.
        Stage("timeouts", calls.giving_up, ENDINGS),
        # These leave out of the list of tools what its client has no use for; the first sees what the next has left.
        Stage("cards", only_where_shown, LISTS),
        Stage("permission", listed_for_its_hosts() if permission_tool == "auto" else None, LISTS),
        # Makes the list of tools once: innermost, since what is left out depends on who asks.
        Stage("tools", made_once(), LISTS),
        # Adds the open handoffs to the resources that the SDK lists: inside of what says whether they may be named.
        Stage("open handoffs", naming_open_ones(own), RESOURCES),
    )
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
            subscriptions=changes,
            lifespan=changes.lifespan,
            auth=auth,
            token_verifier=token_verifier,
            request_state_security=sealing,
        )
    server.front, server.deliveries = front, deliveries
    server.stages = stages
    server.middleware[:] = chain(stages, server.middleware)
    add_resources(server, own)
    add_prompts(server)
    add_completions(server, own)
    return server
