"""`handoffs serve`: the MCP server on stdio or HTTP. Imported without the rest of the command line, to start fast."""

import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import mcp
import mcp_types

import handoffs
from handoffs.assembly import seal_keys
from handoffs.core.desk import Desk
from handoffs.first_stage.front import Front
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.cards.extension import Page
from handoffs.mcp_server.sdk.stdio import StdioServer
from handoffs.mcp_server.server import build_server
from handoffs.os_user import current_user
from handoffs.serving.desk import serving_desk
from handoffs.serving.invited import InboxWhenNeeded
from handoffs.serving.whose import WhoseDecision
from handoffs.settings import POLICY, Settings, config_file
from handoffs.settings_shown import unused_words

if TYPE_CHECKING:
    from handoffs.access.admission import Admission
    from handoffs.first_stage.pipe import FirstStage
    from handoffs.first_stage.snapshot import SnapshotFile
    from handoffs.mcp_server.token_expiry import TokenExpiry  # of HTTP alone


def serve_stdio(settings: Settings, file: "SnapshotFile | None" = None, stage: "FirstStage | None" = None) -> None:
    """Serve one client on standard input and output until it closes them.

    Args:
        settings: The settings of the server.
        file: Where its first answers are saved for later starts; None to save none.
        stage: The first stage, which has read the pipe and answered meanwhile.
    """
    # Ctrl-C ends the process like SIGTERM: the read of standard input can't be interrupted, so an exception would wait
    # for a line that never comes. Nothing is lost, since all questions are in the store.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stdin is not None and sys.stdin.isatty():
        print("Handoffs speaks MCP here, for the host that starts it. Ctrl-C stops it.", file=sys.stderr)  # noqa: T201
    anyio.run(_serve_stdio, settings, file, stage)


async def _serve_stdio(settings: Settings, file: "SnapshotFile | None", stage: "FirstStage | None") -> None:
    # On stdio the terminal belongs to the host: it is used only if the setting says so.
    async with serving_desk(settings, terminal=settings.terminal == "on", device=True) as desk:
        server = build(settings, desk, front=None if stage is None else stage.answering.front)
        if stage is not None:
            # Stopped before its answers are read: until then it answers more.
            await anyio.to_thread.run_sync(stage.stop)
        server.first_stage = stage
        if file is not None:
            from handoffs.mcp_server.sdk.first_answers import FirstAnswers  # not for HTTP

            answered = None if stage is None else stage.answering.answered
            server.first_answers = FirstAnswers(file, _depended_on(), answered)
        await server.run_stdio_async()


def _depended_on() -> list[str]:
    """Return the files and folders that the server's first answers are made from."""
    packages = (handoffs, mcp, mcp_types)
    return [*(path for package in packages for path in package.__path__), str(config_file())]


def build(
    settings: Settings,
    desk: Desk,
    admission: "Admission | None" = None,
    *,
    expiry: "TokenExpiry | None" = None,
    draining: Shutdown | None = None,
    front: Front | None = None,
) -> StdioServer:
    """Return the server for these settings, over a desk."""
    return build_server(
        desk,
        subject=current_user(),
        project=str(Path.cwd()),
        keys=seal_keys(settings),
        state_seconds=settings.max_timeout_seconds,
        hold_seconds=settings.hold_seconds,
        host_seconds=settings.host_timeout_seconds,
        permission_tool=settings.permission_tool,
        inbox=InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url),
        card=partial(_card_page, desk),
        auth=None if admission is None else admission.auth,
        token_verifier=None if admission is None else admission.verifier,
        expiry=expiry,
        draining=draining,
        front=front,
        join=settings.join != "off",
        notice=_unused(),
        whose=WhoseDecision(config_file().with_name(POLICY), desk),
    )


def _unused() -> str:
    try:
        return unused_words(Path.cwd())
    except OSError:  # the working folder was removed
        return ""


def _card_page(desk: Desk) -> Page:
    # Imports the templates and the web stack: only for hosts that show cards.
    from handoffs.web.card import CardPage

    return CardPage(desk.clock.now)
