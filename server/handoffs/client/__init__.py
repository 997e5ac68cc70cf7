"""Asking a person from a Python program: `await handoffs.ask("Deploy 1.4?", options=["yes", "no"])`.

`ask` returns only with an answer that a person gave; every other end raises an error of its own. The question is in the
store before anybody is asked, so a program that was killed asks the same again, and goes on with the same question.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast, overload

import anyio

from handoffs.client.asking import Asking
from handoffs.client.forms import FormGiven
from handoffs.client.opening import open_asking
from handoffs.client.outcome import (
    AnswerFile,
    Cancelled,
    Declined,
    Expired,
    NotAnswered,
    Outcome,
    Pending,
    Status,
    Unusable,
)  # fmt: skip
from handoffs.client.permission import Permission, Permitting
from handoffs.client.questions import Questions, Tell, tell_on_stderr
from handoffs.core.errors import QuestionRefused
from handoffs.settings import read_settings

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)

__all__ = [
    "AnswerFile",
    "Asking",
    "Cancelled",
    "Declined",
    "Expired",
    "NotAnswered",
    "Outcome",
    "Pending",
    "Permission",
    "Permitting",
    "Status",
    "Unusable",
    "ask",
    "ask_sync",
    "cancel",
    "open_asking",
    "wait",
]


@overload
async def ask(
    message: str,
    *,
    form: "type[M]",
    timeout: float | timedelta | None = None,
    wait: float | None = None,
    key: str = "",
    store: str | Path | None = None,
    server: str | None = None,
    token: str | None = None,
    client: str = "python",
    project: str | Path | None = None,
    tell: Tell | None = tell_on_stderr,
) -> "Outcome[M]": ...
@overload
async def ask(
    message: str,
    *,
    options: Sequence[str] | None = None,
    form: Mapping[str, object] | None = None,
    timeout: float | timedelta | None = None,
    wait: float | None = None,
    key: str = "",
    store: str | Path | None = None,
    server: str | None = None,
    token: str | None = None,
    client: str = "python",
    project: str | Path | None = None,
    tell: Tell | None = tell_on_stderr,
) -> Outcome[object]: ...
async def ask(
    message: str,
    *,
    options: Sequence[str] | None = None,
    form: FormGiven = None,
    timeout: float | timedelta | None = None,
    wait: float | None = None,
    key: str = "",
    store: str | Path | None = None,
    server: str | None = None,
    token: str | None = None,
    client: str = "python",
    project: str | Path | None = None,
    tell: Tell | None = tell_on_stderr,
) -> Outcome[object]:
    """Ask a person, and return their answer.

    The same question of the same user, `client` and `project` joins the open one. What was answered since, and not
    returned before the program ended, is returned at once, for an hour (HANDOFFS_JOIN_SECONDS).

    Args:
        message: What the person is told and asked, in Markdown.
        options: 2 to 20 texts of which the person picks one: `outcome.picked`.
        form: What the person fills in: an elicitation schema of MCP, or a Pydantic model class, of which
            `outcome.instance` is an instance then.
        timeout: How long the question stays open, in seconds; a day without it.
        wait: How long to wait in seconds; without it, until the question has ended.
        key: Names this question: only the same key joins it, also after the outcome was returned.
        store: A path or an address in place of HANDOFFS_STORE.
        server: The address of a `handoffs serve --http`, which asks in place of this machine; with a `token` of it.
            Without it, and without a `store`, HANDOFFS_SERVER says whether there is one.
        token: What `handoffs token add` has printed; the token of an OAuth issuer as well.
        client: The program's name, which the person reads.
        project: The folder that is asked for; the working folder without it.
        tell: Is given a line that says where the person answers; it is printed on standard error without it.

    Raises:
        Declined, Cancelled, Expired: The question ended so. None of them is consent.
        Pending: It is still open after `wait` seconds.
        Unusable: No answer fitted the model.
        QuestionRefused: The question can't be asked as it is; QuotaUsedUp: not now.
        SettingsError: A setting is wrong.
        StoreError: The store can't be used.
    """
    async with _opened(store=store, server=server, token=token, client=client, project=project, tell=tell) as asking:
        given = cast("Mapping[str, object] | None", form)  # a model's class as well: the overloads keep them apart
        outcome = await asking.ask(
            message, options=options, form=given, timeout=timeout, wait=wait, key=key, tell=tell, files=True
        )
    return _readable(outcome, store=store, server=server, token=token)


@overload
def ask_sync(
    message: str,
    *,
    form: "type[M]",
    timeout: float | timedelta | None = None,
    wait: float | None = None,
    key: str = "",
    store: str | Path | None = None,
    server: str | None = None,
    token: str | None = None,
    client: str = "python",
    project: str | Path | None = None,
    tell: Tell | None = tell_on_stderr,
) -> "Outcome[M]": ...
@overload
def ask_sync(
    message: str,
    *,
    options: Sequence[str] | None = None,
    form: Mapping[str, object] | None = None,
    timeout: float | timedelta | None = None,
    wait: float | None = None,
    key: str = "",
    store: str | Path | None = None,
    server: str | None = None,
    token: str | None = None,
    client: str = "python",
    project: str | Path | None = None,
    tell: Tell | None = tell_on_stderr,
) -> Outcome[object]: ...
def ask_sync(
    message: str,
    *,
    options: Sequence[str] | None = None,
    form: FormGiven = None,
    timeout: float | timedelta | None = None,
    wait: float | None = None,
    key: str = "",
    store: str | Path | None = None,
    server: str | None = None,
    token: str | None = None,
    client: str = "python",
    project: str | Path | None = None,
    tell: Tell | None = tell_on_stderr,
) -> Outcome[object]:
    """Ask a person from a program without an event loop; the same as `ask`. Ctrl-C leaves the question open.

    Raises:
        RuntimeError: An event loop runs in this thread, which this would stop: use `await ask(…)` there.
    """
    _check_no_loop()
    given = cast("Mapping[str, object] | None", form)
    asked = partial(
        ask, message, options=options, form=given, timeout=timeout, wait=wait, key=key, store=store, server=server,
        token=token, client=client, project=project, tell=tell,
    )  # fmt: skip
    return anyio.run(asked)


async def wait(
    handoff_id: str,
    *,
    seconds: float | None = None,
    store: str | Path | None = None,
    server: str | None = None,
    token: str | None = None,
) -> Outcome[object]:
    """Return how a question stands once it has ended, or after `seconds`; then its status is PENDING.

    Raises:
        NotFound: There is no such handoff in the store.
    """
    async with _opened(store=store, server=server, token=token) as asking:
        outcome = await asking.wait(handoff_id, wait=seconds)
    return _readable(outcome, store=store, server=server, token=token)


async def cancel(
    handoff_id: str,
    *,
    note: str = "",
    store: str | Path | None = None,
    server: str | None = None,
    token: str | None = None,
) -> Outcome[object]:
    """Withdraw a question for good. Raises NotFound; AlreadyEnded: it has ended before, and its outcome stands."""
    async with _opened(store=store, server=server, token=token) as asking:
        return await asking.cancel(handoff_id, note=note)


def _readable(
    outcome: Outcome[object], *, store: str | Path | None, server: str | None, token: str | None
) -> Outcome[object]:
    """Return an outcome whose files can be read after what was asked with is closed."""

    async def fetch(number: int) -> bytes:
        async with _opened(store=store, server=server, token=token) as asking:
            return await asking.content(await asking.get(outcome.handoff_id), number)

    return replace(outcome, attachments=[replace(each, fetch=fetch) for each in outcome.attachments])


@asynccontextmanager
async def _opened(
    *,
    store: str | Path | None,
    server: str | None,
    token: str | None,
    client: str = "python",
    project: str | Path | None = None,
    tell: Tell | None = None,
) -> AsyncGenerator[Questions]:
    if store is not None and server is not None:
        raise QuestionRefused("Give `store` or `server`, not both.")
    settings = read_settings()
    if server is None and store is None and settings.server is not None:
        server, token = settings.server, token or settings.server_token
    if server is None:
        async with open_asking(settings, store=store, client=client, project=project) as asking:
            yield asking
        return
    from handoffs.client.remote import open_remote  # an HTTP client, which only this needs

    folder = None if project is None else str(project)
    async with open_remote(server, token, client=client, project=folder, tell=tell) as asking:
        yield asking


def _check_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("An event loop runs in this thread: use `await handoffs.ask(…)`, or call this in a thread.")
