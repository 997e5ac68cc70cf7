"""Cards in the chat (MCP Apps): the question and its form within the conversation, on hosts that can show them.

A host renders the document at `URI` beside a call of either tool and passes the call's result on to it. The result's
`_meta` has under `META`, which hosts hide from their model, the question as HTML and, while it is open, a secret. The
card answers through the tool `answer_from_card`. A host that hides this tool from the model does not authorise its
calls: without a secret nothing is recorded, and each secret can be used once.

Clients that did not declare the extension see no cards. The page makes the HTML and reads the form.

Sources: MCP Apps 2026-01-26 (SEP-1865); python-sdk `mcp.server.apps`.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
"""The most characters of a form that a card sends; the inbox has the same limit."""

MIN_CLAIM_SECONDS = 60
"""How long a used secret is remembered, at least: its question may end at this moment."""

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
"""The values of the card's form, by the names of its controls."""

_SEALED = re.compile(r"[\w-]+\.[0-9]+\.[0-9a-f]{64}", re.ASCII)
"""The format of a card's secret, with any key."""

_Action: TypeAlias = Literal["look", "inbox", "answer", "decline"]


class Page(Protocol):
    """Makes the HTML of cards, and reads their forms."""

    def document(self) -> str:
        """Return the card without a question, as one HTML document that loads nothing."""
        ...

    def question(self, handoff: Handoff, earlier: Handoff | None = None) -> str:
        """Return an open question as HTML, with its form and the earlier decision; one for a secret has no form."""
        ...

    def outcome(self, handoff: Handoff) -> str:
        """Return an ended question as HTML."""
        ...

    def said(self, handoff: Handoff, posted: Posted, earlier: Handoff | None) -> AnswerInput:
        """Return the answer in a form. Raises AnswerRefused."""
        ...

    def note(self, posted: Posted) -> str:
        """Return the note in a form. Raises AnswerRefused."""
        ...

    def problems(self, wrong: AnswerRefused) -> dict[str, str]:
        """Return the error messages, by the names of the controls."""
        ...


class CardRefused(HandoffError):
    """A caller without the secret of this question's card wants to decide it."""

    def __init__(self, handoff_id: str, *, why: str = "") -> None:
        super().__init__(
            "Nothing was recorded: only the person can decide this, in the question's own card, which can be sent once."
            f" They can still do it in the inbox, or with `handoffs answer {inert_line(handoff_id, 60)}` in a terminal."
            f"{why}"
        )


OTHER_KEYS = (
    f" If this is its card, a server with other keys has made it: servers that share callers need the same {SETTING}."
)
"""A secret of another server can't be told from a forged one, so the text names both causes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sent:
    """The arguments of a call of `answer_from_card`; the caller may not be a card."""

    action: _Action
    handoff_id: str
    secret: str
    posted: Posted


class Cards:
    """Adds cards to the results of the tools, and carries out what the cards send."""

    def __init__(
        self,
        desk: Desk,
        make_page: Callable[[], Page],
        *,
        own: OwnHandoffs,
        keys: Sequence[bytes | str],
        inbox: Inbox | None,
    ) -> None:
        """Take the parts; the page is made when the first card is needed, since most servers show none."""
        self._desk = desk
        self._make_page = make_page
        self._page: Page | None = None
        self._own = own
        self._secrets = CardSecrets(keys)
        self._inbox = inbox

    # Published by the server

    def extension(self) -> Apps:
        """Return the extension of the protocol, with the document that hosts render."""
        apps = Apps()
        none: list[str] = []
        ui: dict[str, object] = {
            "csp": {"connectDomains": none, "resourceDomains": none, "frameDomains": none, "baseUriDomains": none},
            "permissions": {"clipboardWrite": dict[str, object]()},
            # The host draws the border, so that a person sees where the card begins.
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
        """Return a tool whose calls hosts show with a card."""
        return asking.model_copy(
            update={"fn": self._carrying(asking.fn), "meta": {**(asking.meta or {}), "ui": {"resourceUri": URI}}}
        )

    def tool(self) -> Tool:
        """Return the tool that cards answer through."""
        description = "For the card in the chat alone, which holds what this needs. Never call it yourself."
        answering = tool(TOOL, "Answer from the card", description, SCHEMA, self._answer_from_card)
        return answering.model_copy(
            update={
                "meta": {"ui": {"visibility": ["app"]}},
                "fn_metadata": FuncMetadata(arg_model=ArgModelBase, output_schema=None),
            }
        )

    async def only_where_shown(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Remove what is for cards from the list of tools of a client that shows none: its model would read it."""
        result = await call_next(ctx)
        if ctx.method != "tools/list" or not isinstance(result, dict) or client_supports_apps(ctx):
            return result
        listed = cast("list[dict[str, Any]]", result["tools"])
        return {**result, "tools": [_plain(each) for each in listed if each["name"] != TOOL]}

    async def _document(self) -> str:
        return await to_thread.run_sync(lambda: self._pages().document())

    # The card in a result

    def _carrying(self, call: Call) -> Call:
        def chosen(given: Mapping[str, object], context: Context) -> Awaitable[Given]:
            shows = CARD in self._own.declared_by(context).abilities
            return carried(given, context) if shows else call(given, context)

        async def carried(given: Mapping[str, object], context: Context) -> Given:
            outcome = await call(given, context)
            if not isinstance(outcome, CallToolResult):
                return outcome
            handoff_id = cast("Mapping[str, object]", outcome.structured_content or {}).get("handoffId")
            if not isinstance(handoff_id, str):
                return outcome
            try:
                card = await self._card(await self._desk.get(handoff_id))
            except Exception as broken:  # noqa: BLE001 - the outcome must reach the agent without its card, too
                logger.error("The card of %s could not be made: %s.", handoff_id, type(broken).__name__)
                return outcome
            return outcome.model_copy(update={"meta": {**(outcome.meta or {}), META: card}})

        return chosen

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

    # The calls of a card

    async def _answer_from_card(self, given: Mapping[str, object], context: Context) -> Outcome:
        sent = _read(given)
        handoff = await self._own.get(sent.handoff_id)
        match sent.action:
            case "look":
                return await self._look(handoff, sent)
            case "inbox":
                return await self._lead_to_inbox(handoff)
            case "answer" | "decline":
                # A person's decision is recorded completely, also when the call is cancelled.
                with anyio.CancelScope(shield=True):
                    return await self._decide(handoff, sent)
                raise AssertionError("nothing leaves a scope that is shielded")

    async def _look(self, handoff: Handoff, sent: _Sent) -> CallToolResult:
        """Return the state. The result has no secret and, while the question is open, no question."""
        if handoff.state is not State.OPEN:
            return _card_result(handoff, await self._card(handoff))
        # A card that looks is on a person's screen; a caller without its secret may be another program.
        if CARD_CHANNEL not in handoff.reached and self._mark(handoff, sent) is not None:
            await self._desk.reached(handoff, channel=CARD_CHANNEL)
        now = round(self._desk.clock.now().timestamp() * 1000)  # the clock for the card's deadline
        return _card_result(handoff, {"id": handoff.id, "state": handoff.state.value, "collected": False, "now": now})

    async def _lead_to_inbox(self, handoff: Handoff) -> CallToolResult:
        link = await self._inbox.invite(handoff) if self._inbox is not None else None
        if link is None:
            raise QuestionRefused(f"There is no inbox to open here. In a terminal: handoffs answer {handoff.id}")
        return _card_result(handoff, {"id": handoff.id, "state": handoff.state.value, "link": link})

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
            handoff = await self._desk.get(handoff.id)  # decided a moment ago by the first call with this secret
        if handoff.state is not State.OPEN:
            return await self._late(handoff, again=not first)
        if not first:
            logger.warning("Refused to decide %s for a card: its secret has been used.", handoff.id)
            raise CardRefused(handoff.id)
        try:
            return _card_result(handoff, await self._card(await self._record(handoff, sent)))
        except AnswerRefused as wrong:
            # The secret is used; the person corrects the answer with a new one.
            card = await self._card(handoff)
            del card["html"]
            return _card_result(handoff, {**card, "problems": self._pages().problems(wrong)})
        except AlreadyEnded:
            return await self._late(await self._desk.get(handoff.id), again=False)

    async def _record(self, handoff: Handoff, sent: _Sent) -> Handoff:
        # In a thread: the first call imports the web stack.
        page = await to_thread.run_sync(self._pages)
        note = page.note(sent.posted)
        by = handoff.caller.subject  # the caller is the same: it is the caller's own question
        if sent.action == "decline":
            return await self._desk.decline(handoff, by=by, channel=CARD_CHANNEL, note=note)
        said = page.said(handoff, sent.posted, await self._earlier(handoff))
        return await self._desk.answer(handoff, said.values, by=by, channel=CARD_CHANNEL, note=note, other=said.other)

    async def _earlier(self, handoff: Handoff) -> Handoff | None:
        """Return the earlier decision about the same question; None if it belongs to another, separate session."""
        if not handoff.earlier:
            return None
        try:
            earlier = await self._desk.get(handoff.earlier)
        except NotFound:  # pruned meanwhile
            return None
        return earlier if earlier.session == handoff.session else None

    async def _late(self, handoff: Handoff, *, again: bool) -> CallToolResult:
        """Return the ended question for a card. With `again`, its own earlier answer does not count as late."""
        mine = again and handoff.end is not None and handoff.end.channel == CARD_CHANNEL
        return _card_result(handoff, {**await self._card(handoff), "late": not mine})

    def _mark(self, handoff: Handoff, sent: _Sent) -> str | None:
        return self._secrets.mark_of(sent.secret, handoff, now=self._desk.clock.now())


def _card_result(handoff: Handoff, card: Mapping[str, object]) -> CallToolResult:
    text = f"{handoff.id}: {card['state']}."
    return CallToolResult(content=[TextContent(type="text", text=text)], _meta={META: dict(card)})


def _plain(listed: Mapping[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in listed.get("_meta", {}).items() if key != "ui"}
    return {key: value for key, value in listed.items() if key != "_meta"} | ({"_meta": meta} if meta else {})


def _read(given: Mapping[str, object]) -> _Sent:
    """Return what a card sent. Raises QuestionRefused when no card of ours sends such arguments."""
    action, handoff_id, secret = given.get("action"), given.get("handoff_id"), given.get("secret", "")
    posted = _posted(given.get("posted", {}))
    known = action in get_args(_Action) and not set(given) - set(cast("Mapping[str, object]", SCHEMA["properties"]))
    if not known or posted is None or not isinstance(handoff_id, str) or not isinstance(secret, str):
        raise QuestionRefused(f"{TOOL} is for the card in the chat, and this is nothing that it sends.")
    return _Sent(action=cast("_Action", action), handoff_id=handoff_id, secret=secret, posted=posted)


def _posted(given: object) -> Posted | None:
    """Return a form as it was sent, lists of texts by name; None when it has another shape."""
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
    except UnicodeEncodeError:  # a lone surrogate, which JSON allows and no store keeps
        return False
    return True
