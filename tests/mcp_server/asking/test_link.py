"""What a host is sent of a question by what it declares, and what the agent gets of one that was led to the inbox."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, ClientSession
from mcp.server.mcpserver import MCPServer
from mcp.types import (
    ElicitationCapability,
    ElicitCompleteNotification,
    ElicitRequestParams,
    ElicitRequestURLParams,
    ElicitResult,
    FormElicitationCapability,
    Implementation,
    UrlElicitationCapability,
)

from handoffs.core.model import Handoff
from tests.mcp_server.host import CANCEL, DECLINE, ERAS, Table, ask, check, table, time_passes
from tests.waiting import until

both_eras = pytest.mark.parametrize("era", ERAS)

VALUE = "correct horse battery staple"
SECRET: dict[str, Any] = {
    "type": "object",
    "properties": {"user": {"type": "string"}, "password": {"type": "string", "format": "password"}},
    "required": ["password"],
}
ACCEPT = ElicitResult(action="accept")


class Door:
    """An inbox at an address, or none."""

    def __init__(self, address: str | None = "http://127.0.0.1:8765") -> None:
        self.address = address
        self.invited: list[str] = []

    async def invite(self, handoff: Handoff) -> str | None:
        self.invited.append(handoff.id)
        return None if self.address is None else f"{self.address}/h/{handoff.id}"


class Person:
    """At a host that shows forms and links: does `replies`, after `seconds` each, and nothing more."""

    def __init__(self, here: Table, *replies: ElicitResult, seconds: float = 5) -> None:
        self.here, self.replies, self.seconds = here, list(replies), seconds
        self.shown: list[ElicitRequestParams] = []
        self.completed: list[str] = []
        self.open = anyio.Event()

    async def __call__(self, context: object, params: ElicitRequestParams) -> ElicitResult:
        self.shown.append(params)
        self.open.set()
        if not self.replies:
            await anyio.sleep_forever()
        self.here.clock.forward(self.seconds)
        return self.replies.pop(0)

    async def hear(self, message: object) -> None:
        if isinstance(message, ElicitCompleteNotification):
            self.completed.append(message.params.elicitation_id)

    @property
    def modes(self) -> list[str]:
        return [params.mode for params in self.shown]

    @property
    def link(self) -> ElicitRequestURLParams:
        [params] = self.shown
        assert isinstance(params, ElicitRequestURLParams)
        return params


class Declaring(Client):
    """The SDK's client, which always declares both, with what it declares."""

    declares: tuple[str, ...] = ("form", "url")

    async def _build_session(self, exit_stack: Any) -> ClientSession:
        session = await super()._build_session(exit_stack)
        build = session._build_capabilities  # pyright: ignore[reportPrivateUsage] - the SDK has no public way

        def built(version: str) -> Any:
            form = FormElicitationCapability() if "form" in self.declares else None
            url = UrlElicitationCapability() if "url" in self.declares else None
            asks = ElicitationCapability(form=form, url=url) if self.declares else None
            return build(version).model_copy(update={"elicitation": asks})

        session._build_capabilities = built  # type: ignore[method-assign]
        return session


@asynccontextmanager
async def host(
    server: MCPServer, era: str, person: Person, declares: tuple[str, ...] = ("url",)
) -> AsyncGenerator[Client]:
    info = Implementation(name="test-host", version="1")
    client = Declaring(
        server,
        mode=era,
        elicitation_callback=person,
        message_handler=person.hear,
        client_info=info,
    )
    client.declares = declares
    with anyio.fail_after(120):
        async with client:
            yield client


@asynccontextmanager
async def types_it(here: Table, once: Callable[[], bool], **values: Any) -> AsyncGenerator[None]:
    """Answer in the inbox once that is so."""

    async def answer() -> None:
        await until(once)
        # An agent that hears of it in the very same moment proves nothing about waiting.
        await anyio.wait_all_tasks_blocked()
        await here.desk.answer(await here.only(), values, by="ada", channel="inbox", private=True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        yield


SEES = {
    ("form", "url"): ("form", "url"),
    ("url",): ("url", "url"),
    ("form",): ("form", ""),
    (): ("", ""),
}
"""By what a host declares: what it is sent for an ordinary question, and for a secret."""


@both_eras
@pytest.mark.parametrize("declares", SEES)
@pytest.mark.parametrize("secret", [False, True])
async def test_each_host_is_sent_its_best_way_and_a_secret_never_as_a_form(
    era: str, declares: tuple[str, ...], secret: bool, tmp_path: Path
) -> None:
    door = Door()
    async with table(tmp_path) as here:
        person = Person(here, CANCEL)
        async with host(here.server(hold_seconds=20, inbox=door), era, person, declares) as client:
            seen = SEES[declares][secret]
            async with anyio.create_task_group() as tasks:
                if not seen:
                    tasks.start_soon(_time_goes_by, here, door)
                got = await ask(client, **({"form": SECRET} if secret else {}))
        handoff = await here.only()
    assert person.modes == [seen] * bool(seen)
    assert got["status"] == "PENDING"
    if seen != "form":
        assert door.invited
        assert f"http://127.0.0.1:8765/h/{handoff.id}" in got["guidance"]
    if secret:
        assert "handoffs answer" not in got["guidance"]
        assert "handoffs inbox" in got["guidance"]


async def _time_goes_by(here: Table, door: Door) -> None:
    await until(lambda: door.invited and here.clock.waiting)
    await anyio.wait_all_tasks_blocked()
    here.clock.forward(20)


@both_eras
async def test_a_secret_is_typed_into_the_inbox_and_the_agent_gets_its_name(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        person = Person(here, ACCEPT)
        async with host(here.server(inbox=Door()), era, person, ("form", "url")) as client:
            async with types_it(here, person.open.is_set, user="root", password=VALUE):
                got = await ask(client, "The **database** of the shop\x1b[2J?", form=SECRET)
        handoff = await here.only()
        name = f"secret:{handoff.id}/password"
        assert await here.desk.reveal(name, by="ada") == VALUE
        names = await here.names()
    assert (got["status"], got["channel"], got["answeredBy"]) == ("SUCCESS", "inbox", "ada")
    assert got["values"] == {"user": "root", "password": name}
    assert got["userInput"] == [{"text": "root"}, {"text": f"(given: {name})"}]
    assert "handoffs.secrets.reveal" in got["guidance"]
    assert VALUE not in str(got)
    # What was on the screen for some seconds may have been noted as reached.
    assert [name for name in names if name != "reached"] == ["opened", "answered", "collected", "revealed"]
    link = person.link
    assert link.url == f"http://127.0.0.1:8765/h/{handoff.id}"
    assert "inbox" in link.message
    assert link.message.endswith("The **database** of the shop␛[2J?")
    if era == "legacy":
        assert link.elicitation_id == handoff.id
        assert person.completed == [handoff.id]
    else:
        assert link.elicitation_id is None
        assert person.completed == []


@both_eras
async def test_an_ordinary_question_leads_to_the_inbox_if_a_host_has_only_links(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        person = Person(here, ACCEPT)
        async with host(here.server(inbox=Door()), era, person) as client:
            async with types_it(here, person.open.is_set, response="yes"):
                got = await ask(client)
    assert (got["status"], got["values"]) == ("SUCCESS", {"response": "yes"})
    assert "secret" not in person.link.message


@both_eras
@pytest.mark.parametrize("seconds", [0, 30])
async def test_to_agree_to_open_the_link_is_no_answer_and_it_is_not_shown_again(
    era: str, seconds: float, tmp_path: Path
) -> None:
    async with table(tmp_path) as here:
        said = ElicitResult(action="accept", content={"user": "eve", "password": "given by the host"})
        person = Person(here, said, seconds=seconds)
        async with host(here.server(inbox=Door()), era, person) as client:
            async with _patience_ends(here, person.open.is_set):
                got = await ask(client, form=SECRET)
            assert got["status"] == "PENDING"
            assert "sent to the inbox" in got["guidance"]
            assert f"/h/{got['handoffId']}" in got["guidance"]
            async with _patience_ends(here, lambda: True):
                again = await check(client, got["handoffId"])
            assert (again["status"], again["guidance"]) == ("PENDING", got["guidance"])
            async with types_it(here, lambda: True, password=VALUE):
                assert (await check(client, got["handoffId"]))["status"] == "SUCCESS"
        assert person.modes == ["url"]
        if not seconds:
            assert "reached" not in await here.names()  # nobody has read it by then


@asynccontextmanager
async def _patience_ends(here: Table, once: Callable[[], bool]) -> AsyncGenerator[None]:
    async def end() -> None:
        await until(once)
        for _ in range(3):
            await anyio.sleep(0.05)
            await anyio.wait_all_tasks_blocked()
            here.clock.forward(45)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        yield
        tasks.cancel_scope.cancel()


@both_eras
async def test_to_refuse_the_link_after_reading_it_is_to_decline(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        person = Person(here, DECLINE)
        async with host(here.server(inbox=Door()), era, person) as client:
            assert (await ask(client, form=SECRET))["status"] == "DECLINED"
        assert (await here.only()).state == "declined"


@both_eras
async def test_to_close_the_link_means_not_now(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        person = Person(here, CANCEL)
        async with host(here.server(inbox=Door(), hold_seconds=0), era, person) as client:
            pass
        async with host(here.server(inbox=Door()), era, person) as client:
            got = await ask(client, form=SECRET)
        assert got["status"] == "PENDING"
        assert "not now" in got["guidance"]


@both_eras
@pytest.mark.parametrize("reply", [DECLINE, CANCEL])
async def test_a_host_that_refuses_a_link_unseen_gets_the_inbox_in_words(
    era: str, reply: ElicitResult, tmp_path: Path
) -> None:
    async with table(tmp_path) as here:
        person = Person(here, reply, seconds=0.01)
        async with host(here.server(inbox=Door()), era, person) as client:
            async with time_passes(here, 45, after="notshown"):
                got = await ask(client, form=SECRET)
        assert (got["status"], (await here.only()).state) == ("PENDING", "open")
        assert "no dialog" in got["guidance"]
        assert f"http://127.0.0.1:8765/h/{got['handoffId']}" in got["guidance"]


async def test_a_link_is_withdrawn_when_the_question_is_answered_before_a_visit(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        person = Person(here)
        async with host(here.server(inbox=Door()), "legacy", person) as client:
            async with types_it(here, person.open.is_set, password=VALUE):
                assert (await ask(client, form=SECRET))["status"] == "SUCCESS"
        assert person.completed == [(await here.only()).id]


@both_eras
@pytest.mark.parametrize("declares", [("url",), ("form", "url"), ("form",), ()])
async def test_without_an_inbox_the_agent_is_told_at_once_to_have_it_opened(
    era: str, declares: tuple[str, ...], tmp_path: Path
) -> None:
    for inbox in (None, Door(None)):
        async with table(tmp_path) as here:
            person = Person(here)
            async with host(here.server(inbox=inbox), era, person, declares) as client:
                got = await ask(client, form=SECRET)
            assert person.shown == []
            assert got["status"] == "PENDING"
            assert "`handoffs inbox` in a terminal" in got["guidance"]
            assert (await here.only()).state == "open"


async def test_a_person_who_opens_the_inbox_later_is_sent_there_by_the_next_look(tmp_path: Path) -> None:
    door = Door(None)
    async with table(tmp_path) as here:
        person = Person(here, ACCEPT)
        async with host(here.server(inbox=door), "auto", person) as client:
            got = await ask(client, form=SECRET)
            door.address = "http://127.0.0.1:8765"
            async with types_it(here, person.open.is_set, password=VALUE):
                assert (await check(client, got["handoffId"]))["status"] == "SUCCESS"


@both_eras
async def test_a_form_that_asks_openly_for_a_secret_is_refused_with_instructions(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(inbox=Door()), era, Person(here), ("form", "url")) as client:
            got = await ask(client, form={"type": "object", "properties": {"password": {"type": "string"}}})
        assert got["status"] == "ERROR"
        assert '"format": "password"' in got["guidance"]
        assert await here.stored() == 0
