"""The MCP server over a desk: its tools, resources, prompts, extensions and middlewares."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import ServerMiddleware
from mcp.server.extension import Extension
from mcp.server.mcpserver import RequestStateSecurity

from handoffs import __version__
from handoffs.core.desk import Desk
from handoffs.first_stage.front import Front
from handoffs.mcp_server import tools, words
from handoffs.mcp_server.asking.pace import PACE, Pace
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.asking.waiting import Inbox
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.joining import LISTING, Joining
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.calls import Calls, WhoseQuestion
from handoffs.mcp_server.cards.extension import Cards, Page
from handoffs.mcp_server.icons import ICONS
from handoffs.mcp_server.notice import Notice
from handoffs.mcp_server.permission import Listed, approval_tool, listed_for_its_hosts
from handoffs.mcp_server.prompts import add_prompts
from handoffs.mcp_server.resources.completions import add_completions
from handoffs.mcp_server.resources.registry import SubscriptionRegistry
from handoffs.mcp_server.resources.resources import add_resources, naming_open_ones, reading_files
from handoffs.mcp_server.resources.subscriptions import Changes
from handoffs.mcp_server.sdk.delivery import Deliveries
from handoffs.mcp_server.sdk.duplicate_ids import ANSWERING, DuplicateIds
from handoffs.mcp_server.sdk.key_mismatch import naming_the_keys
from handoffs.mcp_server.sdk.middleware import OF_THE_SDK, Stage, chain, only_when, only_with
from handoffs.mcp_server.sdk.plain_log import plain_log
from handoffs.mcp_server.sdk.stdio import StdioServer
from handoffs.mcp_server.sdk.tool_list import made_once
from handoffs.mcp_server.sdk.trace_context import has_odd_context, without_odd_context
from handoffs.mcp_server.tasks.extension import Tasks
from handoffs.mcp_server.tasks.notifications import TaskStreams
from handoffs.mcp_server.tasks.outcomes import Outcomes
from handoffs.mcp_server.tool import tool

if TYPE_CHECKING:
    from handoffs.mcp_server.token_expiry import TokenExpiry  # of HTTP alone

NAME = "handoffs"

# The methods that the middlewares handle.
STREAMS = ("subscriptions/listen",)
LISTS = ("tools/list",)
RESOURCES = ("resources/list",)
READS = ("resources/read",)
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
    expiry: "TokenExpiry | None" = None,
    draining: Shutdown | None = None,
    front: Front | None = None,
    join: bool = True,
    notice: str = "",
    whose: WhoseQuestion | None = None,
    bounds: Bounds = BOUNDS,
    pace: Pace = PACE,
) -> StdioServer:
    """Return the server, ready to run on stdio or HTTP.

    Args:
        desk: Opens, finds and ends the handoffs.
        subject: The caller when requests are not authenticated: the user of the operating system.
        project: The folder that a caller on stdio works in.
        keys: Seal the state that clients carry between two rounds, 32 bytes or more each. The first seals, all open.
        state_seconds: How long that state is valid: as long as the longest question stays open.
        hold_seconds: How long a call waits before it returns PENDING; None takes the host's patience.
        host_seconds: The host's own limit on a call, where it is known: a call waits nearly as long.
        inbox: Shows the question when the host has no dialog or did not show it.
        card: Makes the cards that some hosts show in the chat; called when the first is needed. None for no cards.
        auth: The requirements on tokens over HTTP; given together with `token_verifier`.
        token_verifier: Returns the `subject` of a token. With it, every request needs a token; the `subject` above is
            not used.
        expiry: Ends requests and subscriptions that outlive their token; the caller runs its `watch` and serves HTTP
            behind it.
        permission_tool: Lists `approve_tool_use` for the hosts that can use it, for all, or for none.
        draining: Ends the waiting calls when the process is to stop.
        front: The messages that have come through the pipe so far, if a first stage reads it already.
        join: Whether a client that is no gateway joins questions that its caller asked in other sessions.
        notice: A notice for the person in each result, passed on by the agent; empty for none.
        whose: Says who decides a caller's questions; None for everybody who is reached.
        bounds: How much the server holds for all of its callers; the parts of `expiry` have bounds of their own.
        pace: How often waiting calls look, and say that they are alive.
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
        whose=whose,
        bounds=bounds,
        pace=pace,
    )
    result_notice = Notice(notice)
    tasks = Tasks(desk, own, Outcomes(desk, deliveries), inbox=inbox, notice=result_notice, bounds=bounds)
    ask, check = (result_notice.added_by(tasks.begun_by(call)) for call in (calls.handoff_to_user, calls.check_handoff))
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
        # Ends a request when its token has lapsed: outermost, so that all of the request ends.
        Stage("token expiry", expiry),
        # Names the wrong setting when the SDK can't open a state: outside of the middleware that refuses it.
        Stage("keys", only_with("requestState", naming_the_keys(sealing.codec))),
        # Takes trace context away that can't be read: outside of the middleware that continues the trace.
        Stage("trace context", only_when(has_odd_context, without_odd_context)),
        OF_THE_SDK,
        # Ends streams when the server stops: outside of all middlewares that serve one.
        Stage("shutdown", draining, STREAMS),
        # Serves the streams that name tasks, which the SDK would drop: before the middleware for the other streams.
        Stage("tasks", TaskStreams(desk, own, tasks, bounds), STREAMS),
        # Answers the subscriptions of the older era, and watches for the streams of the newer.
        Stage("subscriptions", changes, CHANGING),
        # Refuses a request whose id is in use on a shared pipe: before the request is served.
        Stage("duplicate ids", DuplicateIds(front).on_a_pipe(), ANSWERING),
        # Notes whether this client may list its caller's handoffs: before the methods that list them.
        Stage("joining", joining.note, LISTING),
        # Learns the host's time-out from calls that a client cancels; it changes nothing.
        Stage("timeouts", calls.timeouts, ENDINGS),
        # These remove from the list the tools that a client has no use for; the first sees what the second left.
        Stage("cards", only_where_shown, LISTS),
        Stage("permission", listed_for_its_hosts() if permission_tool == "auto" else None, LISTS),
        # Makes the list of tools once: innermost, since the tools left out depend on the client.
        Stage("tools", made_once(), LISTS),
        # Adds the open handoffs to the resources that the SDK lists: inside of `joining`, which says whether they may
        # be named.
        Stage("open handoffs", naming_open_ones(own), RESOURCES),
        # Reads the files of answers, each of its own type.
        Stage("files", reading_files(own), READS),
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
