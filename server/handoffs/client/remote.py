"""Asking over a server's HTTP interface: the question is in its store, and its people answer.

A server that is away is tried again: a question that was sent twice is one, by its key or by who asks.
"""

import platform
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import anyio
import httpx2

from handoffs.client.asking import caller_of
from handoffs.client.outcome import Outcome, outcome_of
from handoffs.client.questions import Questions, Tell
from handoffs.core.asked import digest_of_key
from handoffs.core.attachment import Attachment, inert_name
from handoffs.core.display import where
from handoffs.core.errors import (
    AlreadyEnded,
    AnswerRefused,
    FileChanged,
    HandoffError,
    NotFound,
    QuestionRefused,
    QuotaUsedUp,
)
from handoffs.core.form import Value
from handoffs.core.model import Caller, End, Handoff, Question, State
from handoffs.core.retry import growing_pauses
from handoffs.core.schema import parse
from handoffs.core.untrusted import inert_line
from handoffs.os_user import current_user
from handoffs.setting_values import plain_url

WAIT_SECONDS = 60.0
"""How long one request waits on the server."""

REQUEST_SECONDS = 30.0
"""How much longer than that a reply may take."""

GIVE_UP_SECONDS = 60.0
"""How long a server that can't be reached is tried to ask it; a question that it has is waited for without limit."""

_ID = re.compile(r"h_[A-Za-z0-9]{1,100}")
_AGAIN = {429, 502, 503, 504}


class ServerRefused(HandoffError):
    """The server lets this token do nothing, or can't be understood. Nothing was approved."""


class ServerUnavailable(HandoffError):
    """The server can't be reached. Whether it was asked is not known: ask the same again."""


@asynccontextmanager
async def open_remote(
    server: str,
    token: str | None,
    *,
    client: str = "python",
    project: str | None = None,
    tell: Tell | None = None,
) -> "AsyncGenerator[RemoteAsking]":
    """Yield what asks at a server, such as `https://handoffs.example.com`, with a token of it.

    `tell` is given a line each time that the server is found to be away.

    Raises:
        QuestionRefused: The address, or the token, can be none. Nothing was sent.
    """
    base = server.rstrip("/").removesuffix("/mcp")
    try:
        base = plain_url(base)
    except ValueError as wrong:
        raise QuestionRefused(
            f"`server` is {inert_line(server, 60)!r} ({wrong}): write its address, such as https://example.com."
        ) from None
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise QuestionRefused("The token of the server has characters that no token has: copy it anew.")
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    timeout = httpx2.Timeout(REQUEST_SECONDS, read=WAIT_SECONDS + REQUEST_SECONDS)
    async with httpx2.AsyncClient(base_url=base, headers=headers, timeout=timeout) as http:
        yield RemoteAsking(http, caller=caller_of(current_user(), client=client, project=project), tell=tell)


class RemoteAsking(Questions):
    """Asks at a server, in the name of one program."""

    def __init__(self, http: httpx2.AsyncClient, *, caller: Caller, tell: Tell | None = None) -> None:
        """Take what sends requests, with the token; the server knows the caller by that, and by its own words."""
        self._http, self._caller, self._tell = http, caller, tell
        self._pages: dict[str, str] = {}

    async def open(
        self,
        message: str,
        *,
        options: Sequence[str] | None = None,
        form: Mapping[str, object] | None = None,
        timeout: float | timedelta | None = None,
        key: str = "",
        files: bool = False,
    ) -> Handoff:
        """Have the server ask; see `Questions.open`."""
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        said = {
            "message": message,
            "options": None if options is None else list(options),
            "form": form,
            "timeoutSeconds": seconds,
            "files": True if files else None,
            "client": self._caller.client,
            # Callers with one token may be on any machine; a key is meant to be the same on each.
            "project": self._caller.project if key else f"{platform.node()}:{self._caller.project}",
            # Of its length: a key may be longer than the server takes, and two that begin alike are two.
            "key": digest_of_key(key) or None,
        }
        body = {name: value for name, value in said.items() if value is not None}
        return await self._request("POST", "/v1/handoffs", json=body, give_up=GIVE_UP_SECONDS)

    async def get(self, handoff_id: str) -> Handoff:
        """Return a handoff as it is now; see `Questions.get`."""
        return await self._request("GET", _path(handoff_id), give_up=GIVE_UP_SECONDS)

    async def content(self, handoff: Handoff, number: int) -> bytes:
        """Return the bytes of a file of an answer, as the server has them; see `Questions.content`."""
        if not 0 < number <= len(handoff.attachments):
            raise NotFound(f"{handoff.id}/{number}")
        path = f"{_path(handoff.id)}/attachments/{number}"
        reply = await self._reply("GET", path, give_up=GIVE_UP_SECONDS)
        if reply.status_code == 200 and handoff.attachments[number - 1].holds(reply.content):
            return reply.content
        if reply.status_code == 404:
            raise NotFound(handoff.id)
        if reply.status_code in {200, 409}:
            raise FileChanged(handoff.id, number)
        raise ServerRefused(f"The server refused: {_detail(reply)}")

    async def decided(self, handoff: Handoff, *, wait: float | None = None, tell: Tell | None = None) -> Handoff:
        """Wait for the end; see `Questions.decided`. A server that is away for a while is waited for."""
        if handoff.state is State.OPEN and tell is not None:
            tell(where(handoff, self._pages.get(handoff.id)))
        until = None if wait is None else anyio.current_time() + wait
        while handoff.state is State.OPEN:
            left = WAIT_SECONDS if until is None else min(WAIT_SECONDS, until - anyio.current_time())
            if left <= 0:
                break
            handoff = await self._request("GET", f"{_path(handoff.id)}?wait={left:.3f}", give_up=until and left)
        return handoff

    async def cancel(self, handoff_id: str, *, note: str = "") -> Outcome[object]:
        """Withdraw a question; see `Questions.cancel`."""
        body = {"note": note} if note else {}
        return outcome_of(
            await self._request("POST", f"{_path(handoff_id)}/cancel", json=body, give_up=GIVE_UP_SECONDS)
        )

    async def check(self, handoff: Handoff) -> None:
        """Return: the server gives no answer that may not be believed."""

    async def revealed(self, handoff: Handoff) -> Mapping[str, Value]:
        """Return the answer. A secret stays on the server's machine: here is its name."""
        return dict(handoff.values or {})

    async def hand_over(self, *handoffs: Handoff, key: str = "") -> None:
        """Return: the server has recorded it with its reply."""

    async def _request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        give_up: float | None,
    ) -> Handoff:
        return self._read(await self._reply(method, path, json=json, give_up=give_up))

    async def _reply(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        give_up: float | None,
    ) -> httpx2.Response:
        until = None if give_up is None else anyio.current_time() + give_up
        told = False
        for pause in growing_pauses(0.5, 15.0):
            why = ""
            try:
                reply = await self._http.request(method, path, json=json)
            except httpx2.HTTPError as error:
                why = f"{type(error).__name__}"
            else:
                if reply.status_code not in _AGAIN:
                    return reply
                why = f"it answers {reply.status_code}"
                if reply.status_code == 429 and until is not None:
                    raise QuotaUsedUp(_detail(reply), again_at=None)
            if until is not None and anyio.current_time() + pause > until:
                raise ServerUnavailable(
                    f"The server {self._http.base_url} can't be reached ({why}). Ask the same again: what it has been "
                    "asked is kept."
                )
            if not told and self._tell is not None:
                told = True
                self._tell(f"The server {self._http.base_url} can't be reached ({why}). It is tried again.")
            await anyio.sleep(pause)
        raise AssertionError("pauses have no end")

    def _read(self, reply: httpx2.Response) -> Handoff:
        match reply.status_code:
            case 200 | 201:
                try:
                    said = cast("dict[str, object]", reply.json())
                    handoff = handoff_of(said)
                except (ValueError, KeyError, TypeError, AttributeError, QuestionRefused):
                    raise ServerRefused("The server's reply can't be understood: it is no approval.") from None
                if isinstance(page := said.get("page"), str):
                    self._pages[handoff.id] = inert_line(page, 300)
                return handoff
            case 404:
                _, _, place = reply.request.url.path.partition("/v1/handoffs/")
                if not place:
                    raise ServerRefused(
                        f"There is no interface for programs at {self._http.base_url}: write the address of a server "
                        "that was started with `handoffs serve --http`."
                    )
                raise NotFound(place.partition("/")[0])
            case 409:
                raise AlreadyEnded(_detail(reply))
            case 400 | 413 | 415 | 422:
                raise QuestionRefused(_detail(reply))
            case _:
                raise ServerRefused(f"The server refused: {_detail(reply)}")


def handoff_of(said: Mapping[str, object]) -> Handoff:
    """Return the handoff that a server describes. A state that is not known counts as open: it is no approval.

    Raises:
        ValueError, KeyError, TypeError: It is no description of one.
    """
    names = {each.value: each for each in State}
    state = names.get(str(said["state"]), State.OPEN)
    caller, answer = cast("Mapping[str, str]", said["caller"]), cast("Mapping[str, object] | None", said["answer"])
    end = cast("Mapping[str, str] | None", said.get("end"))
    if (state is State.ANSWERED) != (answer is not None):
        raise ValueError("an answer belongs to the state `answered`, and to no other")
    form = parse(said["form"], accepted=True)
    values = None
    if answer is not None:
        given = cast("Mapping[str, object]", answer["values"])
        values = {} if answer.get("other") else form.check(given)
    return Handoff(
        id=str(said["id"]),
        caller=Caller(subject=caller["subject"], client=caller["client"], project=caller["project"]),
        question=Question(message=str(said["message"]), form=form, deadline=_moment(said["deadline"])),
        created_at=_moment(said["createdAt"]),
        fingerprint="",
        state=state,
        values=values,
        other=str(answer.get("other") or "") if answer is not None else "",
        attachments=tuple(map(_attachment, cast("list[object]", (answer or {}).get("attachments") or []))),
        end=None if end is None else End(at=_moment(end["at"]), by=end["by"], channel=end["channel"], note=end["note"]),
    )


def _attachment(written: object) -> Attachment:
    """Return a file of an answer, whose name leads nowhere, whatever the server says. Raises ValueError."""
    said = Attachment.read(written)
    try:
        return replace(said, name=inert_name(said.name))
    except AnswerRefused as wrong:
        raise ValueError(str(wrong)) from None


def _moment(written: object) -> datetime:
    return datetime.fromisoformat(str(written))


def _path(handoff_id: str) -> str:
    """Return where a handoff is. Raises NotFound: it is no id, and may be another address of the server."""
    if not _ID.fullmatch(handoff_id):
        raise NotFound(handoff_id)
    return f"/v1/handoffs/{handoff_id}"


def _detail(reply: httpx2.Response) -> str:
    """Return what the server says is wrong, on one line."""
    try:
        said = cast("Mapping[str, object]", reply.json())
        words = str(said.get("detail") or said.get("error_description") or "")
    except (ValueError, AttributeError):
        words = ""
    return inert_line(words, 500) or f"it answers {reply.status_code}"
