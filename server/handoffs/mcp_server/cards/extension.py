"""The card in the chat (MCP Apps): the question and its form within the conversation, where the host can show them.

A host renders the document at `URI` beside a call of either tool and passes the call's result on to it. What the card
shows, and what it answers with, is in the result's `_meta` under `META`, which hosts keep from their model: the
question as HTML and, while it is open, a secret. The card answers through the tool `answer_from_card`. That a host
hides this tool from the model is no authorisation: without a secret nothing is recorded, and each is good once.

Clients that did not declare the extension see nothing of all this. Looks, and how a form is read, are the page's part.

Sources: MCP Apps 2026-01-26 (SEP-1865); python-sdk `mcp.server.apps`.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, cast, get_args

import anyio
from anyio import to_thread
from mcp.server.apps import APP_MIME_TYPE, Apps, client_supports_apps
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resources import FunctionResource
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, TextContent

from handoffs.core.desk import Desk
from handoffs.core.earlier_answer import AnswerInput
from handoffs.core.errors import AlreadyEnded, AnswerRefused, HandoffError, NotFound, QuestionRefused
from handoffs.core.model import Handoff, State
from handoffs.core.untrusted import inert_line
from handoffs.mcp_server import words
from handoffs.mcp_server.asking.waiting import Inbox
from handoffs.mcp_server.callers.capabilities import CARD, CARD_CHANNEL
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.cards.token import CardSecrets
from handoffs.mcp_server.sdk.key_mismatch import SETTING
from handoffs.mcp_server.tool import Call, Given, Outcome, tool

logger = logging.getLogger(__name__)

URI = "ui://handoffs/card"
TOOL = "answer_from_card"
META = "handoffs/card"

MAX_POSTED = 1_048_576
"""Characters of what a card sends, as of a form that is sent to the inbox."""

MIN_CLAIM_SECONDS = 60
"""How long it is remembered that a secret was used, at the least: its question may end in this moment."""

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "action": {"enum": ["look", "inbox", "answer", "decline"]},
        "handoff_id": {"type": "string"},
        "secret": {"type": "string"},
        "posted": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    },
    "required": ["action", "handoff_id"],
    "additionalProperties": False,
}

Posted: TypeAlias = Mapping[str, Sequence[str]]
"""What the card's form holds, by the names of its controls."""

_SEALED = re.compile(r"[\w-]+\.[0-9]+\.[0-9a-f]{64}", re.ASCII)
"""How the secret of a card is written, whoever sealed it."""

_Action: TypeAlias = Literal["look", "inbox", "answer", "decline"]


class Page(Protocol):
    """What a card shows, and how its form is read."""

    def document(self) -> str:
        """Return the card without a question, as one HTML document that loads nothing."""
        ...

    def question(self, handoff: Handoff, earlier: Handoff | None = None) -> str:
        """Return an open question as HTML, with its form and what was decided before; with a secret, without a form."""
        ...

    def outcome(self, handoff: Handoff) -> str:
        """Return a question that has ended as HTML."""
        ...

    def said(self, handoff: Handoff, posted: Posted, earlier: Handoff | None) -> AnswerInput:
        """Return what the form as it was sent answers. Raises AnswerRefused."""
        ...

    def note(self, posted: Posted) -> str:
        """Return the note that was sent along. Raises AnswerRefused."""
        ...

    def problems(self, wrong: AnswerRefused) -> dict[str, str]:
        """Return what does not fit, by the names of the controls."""
        ...


class CardRefused(HandoffError):
    """Something else than the card of this question wants to decide it."""

    def __init__(self, handoff_id: str, *, why: str = "") -> None:
        super().__init__(
            "Nothing was recorded: only the person can decide this, in the question's own card, which can be sent once."
            f" They can still do it in the inbox, or with `handoffs answer {inert_line(handoff_id, 60)}` in a terminal."
            f"{why}"
        )


OTHER_KEYS = (
    f" If this is its card, a server with other keys has made it: servers that share callers need the same {SETTING}."
)
"""What another server sealed looks like what somebody made up: people are told of both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sent:
    """What came from a card, or from whatever says that it is one."""

    action: _Action
    handoff_id: str
    secret: str
    posted: Posted


class Cards:
    """Gives the results of the tools their cards, and takes what the cards send."""

    def __init__(
        self,
        desk: Desk,
        make_page: Callable[[], Page],
        *,
        own: OwnHandoffs,
        keys: Sequence[bytes | str],
        inbox: Inbox | None,
    ) -> None:
        """Take the parts; the page is made when the first card is needed, which for most servers is never."""
        self._desk = desk
        self._make_page = make_page
        self._page: Page | None = None
        self._own = own
        self._secrets = CardSecrets(keys)
        self._inbox = inbox

    # What the server publishes

    def extension(self) -> Apps:
        """Return the extension of the protocol, with the document that hosts render."""
        apps = Apps()
        none: list[str] = []
        ui: dict[str, object] = {
            "csp": {"connectDomains": none, "resourceDomains": none, "frameDomains": none, "baseUriDomains": none},
            "permissions": {"clipboardWrite": dict[str, object]()},
            # The host's: it shows where its own screen ends and ours begins.
            "prefersBorder": True,
        }
        apps.add_resource(
            FunctionResource(
                uri=URI,
                name="card",
                title="A question to the person",
                mime_type=APP_MIME_TYPE,
                meta={"ui": ui},
                fn=self._document,
            )
        )
        return apps

    def shown_by(self, asking: Tool) -> Tool:
        """Return one of the model's tools, so that hosts show a card beside its calls."""
        return asking.model_copy(
            update={"fn": self._carrying(asking.fn), "meta": {**(asking.meta or {}), "ui": {"resourceUri": URI}}}
        )

    def tool(self) -> Tool:
        """Return the tool through which cards answer."""
        description = "For the card in the chat alone, which holds what this needs. Never call it yourself."
        answering = tool(TOOL, "Answer from the card", description, SCHEMA, self._answer_from_card)
        return answering.model_copy(
            update={
                "meta": {"ui": {"visibility": ["app"]}},
                "fn_metadata": FuncMetadata(arg_model=ArgModelBase, output_schema=None),
            }
        )

    async def only_where_shown(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Keep what is for cards out of the tools' list where the client can't show any: its model would read it."""
        result = await call_next(ctx)
        if ctx.method != "tools/list" or not isinstance(result, dict) or client_supports_apps(ctx):
            return result
        listed = cast("list[dict[str, Any]]", result["tools"])
        return {**result, "tools": [_plain(each) for each in listed if each["name"] != TOOL]}

    async def _document(self) -> str:
        return await to_thread.run_sync(lambda: self._pages().document())

    # What the card is given

    def _carrying(self, call: Call) -> Call:
        async def carried(given: Mapping[str, object], context: Context) -> Given:
            outcome = await call(given, context)
            if not isinstance(outcome, CallToolResult) or CARD not in self._own.declared_by(context).abilities:
                return outcome
            handoff_id = cast("Mapping[str, object]", outcome.structured_content or {}).get("handoffId")
            if not isinstance(handoff_id, str):
                return outcome
            try:
                card = await self._card(await self._desk.get(handoff_id))
            except Exception as broken:  # noqa: BLE001 - whatever broke the card, the outcome must reach the agent
                logger.error("The card of %s could not be made: %s.", handoff_id, type(broken).__name__)
                return outcome
            return outcome.model_copy(update={"meta": {**(outcome.meta or {}), META: card}})

        return carried

    async def _card(self, handoff: Handoff) -> dict[str, object]:
        card: dict[str, object] = {
            "id": handoff.id,
            "state": handoff.state.value,
            "collected": handoff.collected_at is not None,
            "say": words.describe_card_answer(handoff),
        }
        if handoff.state is State.OPEN:
            earlier = await self._earlier(handoff)
            card["html"] = await to_thread.run_sync(lambda: self._pages().question(handoff, earlier))
            if not handoff.question.form.secret:
                card["secret"] = self._secrets.make(handoff)
        else:
            card["html"] = await to_thread.run_sync(lambda: self._pages().outcome(handoff))
        return card

    def _pages(self) -> Page:
        if self._page is None:
            self._page = self._make_page()
        return self._page

    # What the card sends

    async def _answer_from_card(self, given: Mapping[str, object], context: Context) -> Outcome:
        sent = _read(given)
        handoff = await self._own.get(sent.handoff_id)
        match sent.action:
            case "look":
                return await self._look(handoff, sent)
            case "inbox":
                return await self._lead_to_inbox(handoff)
            case "answer" | "decline":
                # What a person has decided is carried out whole, whatever becomes of the call that brought it.
                with anyio.CancelScope(shield=True):
                    return await self._decide(handoff, sent)
                raise AssertionError("nothing leaves a scope that is shielded")

    async def _look(self, handoff: Handoff, sent: _Sent) -> CallToolResult:
        """Say how it stands. Whoever asks gets neither a secret nor, while it is open, the question."""
        if handoff.state is not State.OPEN:
            return _told(handoff, await self._card(handoff))
        # A card that looks is on somebody's screen; without its secret it may be anything.
        if CARD_CHANNEL not in handoff.reached and self._mark(handoff, sent) is not None:
            await self._desk.reached(handoff, channel=CARD_CHANNEL)
        now = round(self._desk.clock.now().timestamp() * 1000)  # what its deadline is told by, not a browser's clock
        return _told(handoff, {"id": handoff.id, "state": handoff.state.value, "collected": False, "now": now})

    async def _lead_to_inbox(self, handoff: Handoff) -> CallToolResult:
        link = await self._inbox.invite(handoff) if self._inbox is not None else None
        if link is None:
            raise QuestionRefused(f"There is no inbox to open here. In a terminal: handoffs answer {handoff.id}")
        return _told(handoff, {"id": handoff.id, "state": handoff.state.value, "link": link})

    async def _decide(self, handoff: Handoff, sent: _Sent) -> CallToolResult:
        mark = self._mark(handoff, sent)
        if mark is None:
            if not _SEALED.fullmatch(sent.secret):
                logger.warning("Refused to decide %s for a card: it has not the secret of one.", handoff.id)
                raise CardRefused(handoff.id)
            logger.warning(
                "Refused to decide %s for a card: its secret is too old, made up, or sealed with a key that is not in "
                "%s here; see its other servers.", handoff.id, SETTING,
            )  # fmt: skip
            raise CardRefused(handoff.id, why=OTHER_KEYS)
        left = (handoff.question.deadline - self._desk.clock.now()).total_seconds()
        first = await self._desk.claim(mark, seconds=max(left, MIN_CLAIM_SECONDS))
        if handoff.state is State.OPEN and not first:
            handoff = await self._desk.get(handoff.id)  # decided by the call that was first, a moment ago
        if handoff.state is not State.OPEN:
            return await self._late(handoff, again=not first)
        if not first:
            logger.warning("Refused to decide %s for a card: its secret has been used.", handoff.id)
            raise CardRefused(handoff.id)
        try:
            return _told(handoff, await self._card(await self._record(handoff, sent)))
        except AnswerRefused as wrong:
            # That secret is used up; the person may correct what they entered with another.
            card = await self._card(handoff)
            del card["html"]
            return _told(handoff, {**card, "problems": self._pages().problems(wrong)})
        except AlreadyEnded:
            return await self._late(await self._desk.get(handoff.id), again=False)

    async def _record(self, handoff: Handoff, sent: _Sent) -> Handoff:
        # In a thread: the first time, all that makes the page is imported.
        page = await to_thread.run_sync(self._pages)
        note = page.note(sent.posted)
        by = handoff.caller.subject  # who calls is the same: it is their own question
        if sent.action == "decline":
            return await self._desk.decline(handoff, by=by, channel=CARD_CHANNEL, note=note)
        said = page.said(handoff, sent.posted, await self._earlier(handoff))
        return await self._desk.answer(handoff, said.values, by=by, channel=CARD_CHANNEL, note=note, other=said.other)

    async def _earlier(self, handoff: Handoff) -> Handoff | None:
        """What was decided when the same was asked before; not what another session was told that is kept apart."""
        if not handoff.earlier:
            return None
        try:
            earlier = await self._desk.get(handoff.earlier)
        except NotFound:  # cleared away meanwhile
            return None
        return earlier if earlier.session == handoff.session else None

    async def _late(self, handoff: Handoff, *, again: bool) -> CallToolResult:
        """Tell a card that the question has ended; not that it was too late, where `again` its own answer was it."""
        mine = again and handoff.end is not None and handoff.end.channel == CARD_CHANNEL
        return _told(handoff, {**await self._card(handoff), "late": not mine})

    def _mark(self, handoff: Handoff, sent: _Sent) -> str | None:
        return self._secrets.mark_of(sent.secret, handoff, now=self._desk.clock.now())


def _told(handoff: Handoff, card: Mapping[str, object]) -> CallToolResult:
    text = f"{handoff.id}: {card['state']}."
    return CallToolResult(content=[TextContent(type="text", text=text)], _meta={META: dict(card)})


def _plain(listed: Mapping[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in listed.get("_meta", {}).items() if key != "ui"}
    return {key: value for key, value in listed.items() if key != "_meta"} | ({"_meta": meta} if meta else {})


def _read(given: Mapping[str, object]) -> _Sent:
    """Return what a card sent. Raises QuestionRefused: it is nothing that a card of ours sends."""
    action, handoff_id, secret = given.get("action"), given.get("handoff_id"), given.get("secret", "")
    posted = _posted(given.get("posted", {}))
    known = action in get_args(_Action) and not set(given) - set(cast("Mapping[str, object]", SCHEMA["properties"]))
    if not known or posted is None or not isinstance(handoff_id, str) or not isinstance(secret, str):
        raise QuestionRefused(f"{TOOL} is for the card in the chat, and this is nothing that it sends.")
    return _Sent(action=cast("_Action", action), handoff_id=handoff_id, secret=secret, posted=posted)


def _posted(given: object) -> Posted | None:
    """The form as it was sent: lists of texts by name; None where it is anything else."""
    if not isinstance(given, dict):
        return None
    size = 0
    for name, sent in cast("dict[str, object]", given).items():
        if not isinstance(sent, list):
            return None
        for text in (name, *cast("list[object]", sent)):
            if not isinstance(text, str) or not _is_text(text):
                return None
            size += len(text)
    return cast("Posted", given) if size <= MAX_POSTED else None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can hold and no store can keep
        return False
    return True
