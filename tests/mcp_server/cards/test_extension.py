"""The card in the chat as a host and its model see it; what a person sees is in `tests/web/test_card.py`."""

import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client import advertise
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, Implementation, TextResourceContents

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff, State
from handoffs.mcp_server.asking.waiting import Inbox
from handoffs.mcp_server.cards.token import CardSecrets
from handoffs.mcp_server.server import build_server
from handoffs.sealing import AesGcmSealer
from handoffs.web.card import CardPage
from tests.mcp_server.host import CANCEL, DECLINE, ERAS, KEY, Dialog, Table, accept, host, spoken, table
from tests.waiting import until

both_eras = pytest.mark.parametrize("era", ERAS)

UI = "io.modelcontextprotocol/ui"
MIME = "text/html;profile=mcp-app"
META = "handoffs/card"
TOOL = "answer_from_card"
AGE = {
    "type": "object",
    "properties": {"age": {"type": "integer", "title": "Age", "minimum": 18}},
    "required": ["age"],
}


def served(
    here: Table,
    *,
    subject: str = "ada",
    keys: Sequence[str] = (KEY,),
    page: Any = None,
    inbox: Inbox | None = None,
) -> MCPServer:
    return build_server(
        here.desk,
        subject=subject,
        project="/home/ada/shop",
        keys=keys,
        state_seconds=2_592_000,
        card=page or (lambda: CardPage(here.clock.now)),
        inbox=inbox,
    )


class Address:
    """An inbox that runs, somewhere else."""

    async def invite(self, handoff: Handoff) -> str:
        return f"http://127.0.0.1:1/h/{handoff.id}"


@asynccontextmanager
async def chat(
    server: MCPServer, era: str = "auto", dialog: Dialog | None = None, *, name: str = "claude-ai"
) -> AsyncGenerator[Client]:
    """A host that renders cards: it says so, as the extension wants it said."""
    info = Implementation(name=name, version="1")
    declared = [advertise(UI, {"mimeTypes": [MIME]})]
    with anyio.fail_after(120):
        async with Client(
            server,
            mode=era,
            elicitation_callback=dialog,
            client_info=info,
            extensions=declared,
        ) as client:
            yield client


async def asked(client: Client, message: str = "Deploy?", **arguments: Any) -> Mapping[str, Any]:
    """Ask, and return what only the card is given."""
    result = await client.call_tool("handoff_to_user", {"message": message, **arguments})
    assert spoken(result)["status"] == "PENDING"
    return card_of(result)


def card_of(result: CallToolResult) -> Mapping[str, Any]:
    assert not result.is_error, result.content
    assert result.meta is not None
    card: Mapping[str, Any] = result.meta[META]
    return card


async def send(
    client: Client, card: Mapping[str, Any], action: str = "answer", *, note: str = "", **fields: str
) -> CallToolResult:
    posted = {f"field.{name}": [value] for name, value in fields.items()} | ({"note": [note]} if note else {})
    arguments = {"action": action, "handoff_id": card["id"], "secret": card.get("secret", ""), "posted": posted}
    return await client.call_tool(TOOL, arguments)


async def listed(client: Client) -> dict[str, Any]:
    """The tools by name, as they are on the wire."""
    tools = (await client.list_tools()).tools
    return {tool.name: tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools}


def without_meta(result: CallToolResult) -> str:
    return json.dumps(result.model_dump(mode="json", by_alias=True, exclude={"meta"}))


async def refused(result: CallToolResult, here: Table) -> str:
    """Whether nothing was recorded, and what was said instead."""
    assert result.is_error
    assert (await here.only()).state is State.OPEN
    return result.content[0].text  # type: ignore[union-attr,no-any-return]


# What the host is given


@both_eras
async def test_a_host_with_cards_gets_the_question_at_once_and_the_card_with_it(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here), era) as client:
        result = await client.call_tool("handoff_to_user", {"message": "Deploy *now*?", "options": ["yes", "no"]})
        handoff = await here.only()
        card = card_of(result)
        assert spoken(result)["status"] == "PENDING"
        assert "in a card in this conversation" in spoken(result)["guidance"]
        assert {"id": handoff.id, "state": "open", "collected": False}.items() <= card.items()
        assert "<em>now</em>" in card["html"]
        assert "yes" in card["html"]
        assert card["secret"] not in without_meta(result)
        assert card["secret"] not in card["html"]
        assert card["secret"] not in json.dumps([dict(entry.details) for entry in await here.desk.log()])


@both_eras
async def test_a_host_without_cards_gets_what_it_got_before(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(served(here), era) as client:
        async with host(here.server(), era) as before:
            assert await listed(client) == await listed(before)
        result = await client.call_tool("handoff_to_user", {"message": "Done.", "breakout_of_loop": True})
        assert META not in (result.meta or {})


@both_eras
async def test_a_host_with_cards_lists_the_page_for_two_tools_and_hides_a_third(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here), era) as client:
        tools = await listed(client)
        page = await client.read_resource("ui://handoffs/card")
        async with host(here.server(), era) as before:
            plain = await listed(before)
    assert tools.pop(TOOL)["_meta"]["ui"] == {"visibility": ["app"]}
    # What its model reads of the two is under three kilobytes here, too.
    assert len(json.dumps(list(tools.values()), separators=(",", ":"), ensure_ascii=False).encode()) < 3000
    assert [tool["_meta"].pop("ui") for tool in tools.values()] == 2 * [{"resourceUri": "ui://handoffs/card"}]
    assert tools == plain
    [document] = page.contents
    assert isinstance(document, TextResourceContents)
    assert document.mime_type == MIME
    assert document.meta is not None
    assert set(map(tuple, document.meta["ui"]["csp"].values())) == {()}
    assert document.text.startswith("<!doctype html>")


@both_eras
async def test_the_hosts_own_dialog_comes_first_and_the_card_shows_its_outcome(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        for reply, status, state in ((accept(response="yes"), "SUCCESS", "answered"), (CANCEL, "PENDING", "open")):
            async with chat(served(here), era, Dialog(here.clock, reply)) as client:
                result = await client.call_tool("handoff_to_user", {"message": f"Deploy? {status}"})
            assert spoken(result)["status"] == status
            assert card_of(result)["state"] == state
            assert ("secret" in card_of(result)) == (state == "open")


@both_eras
async def test_where_the_dialog_was_not_shown_the_card_takes_its_place_at_once(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with chat(served(here), era, Dialog(here.clock, DECLINE, seconds=0)) as client:
            card = await asked(client)
            assert card_of(await send(client, card, response="yes"))["state"] == "answered"
        assert (await here.only()).end.channel == "card"


async def test_a_question_left_to_the_person_has_its_card_too(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        result = await client.call_tool("handoff_to_user", {"message": "I stopped.", "breakout_of_loop": True})
        assert spoken(result)["status"] == "SUCCESS"
        assert "left this to you" in card_of(result)["html"]
        assert card_of(await send(client, card_of(result), response="thanks"))["state"] == "answered"


async def test_a_card_that_can_not_be_made_takes_nothing_from_the_outcome(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> CardPage:
        raise OSError("no such template")

    async with table(tmp_path) as here, chat(served(here, page=broken)) as client:
        result = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
        assert spoken(result)["status"] == "PENDING"
        assert META not in (result.meta or {})
    assert "could not be made: OSError" in caplog.text


# Deciding


@both_eras
async def test_an_answer_from_the_card_is_the_persons_and_check_handoff_gives_it(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here), era) as client:
        card = await asked(client, "How old?", form=AGE)
        result = await send(client, card, age="36", note="since May")
        assert '"36"' not in without_meta(result)  # an id may hold the figures
        assert "Answered by ada through card" in card_of(result)["html"]
        assert "secret" not in card_of(result)
        assert (await here.only()).collected_at is None
        got = spoken(await client.call_tool("check_handoff", {"handoff_id": card["id"]}))
        assert {
            "status": "SUCCESS",
            "values": {"age": 36},
            "channel": "card",
            "answeredBy": "ada",
        }.items() <= got.items()
        assert (await here.only()).end.note == "since May"


async def test_a_card_declines_with_a_note(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client)
        assert card_of(await send(client, card, "decline", note="not on a Friday"))["state"] == "declined"
        got = spoken(await client.call_tool("check_handoff", {"handoff_id": card["id"]}))
        assert got["status"] == "DECLINED"
        assert "not on a Friday" in got["guidance"]


async def test_a_card_takes_something_else_than_the_options(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client, options=["yes", "no"])
        both = card_of(await _posted(client, card, other=["later"], **{"field.response": ["yes"]}))
        assert both["problems"] == {"": "pick an option or give your own answer, not both"}
        assert "later" in card_of(await _posted(client, {**card, **both}, other=["later"]))["html"]
        handoff = await here.only()
        assert (handoff.state, handoff.values, handoff.other) == (State.ANSWERED, {}, "later")


async def test_a_card_shows_the_earlier_answer_and_gives_it_again(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        first = await asked(client, options=["yes", "no"])
        await send(client, first, response="yes")
        await client.call_tool("check_handoff", {"handoff_id": first["id"]})
        await here.desk.collect(await here.desk.get(first["id"]))
        card = await asked(client, options=["yes", "no"])
        assert "You answered this" in card["html"]
        assert "with “<bdi>yes</bdi>”" in card["html"]
        assert f'name="again" value="{first["id"]}"' in card["html"]
        assert card_of(await _posted(client, card, again=[first["id"]]))["state"] == "answered"
        again = await here.desk.get(card["id"])
        assert (again.values, again.end and again.end.channel) == ({"response": "yes"}, "card")


async def _posted(client: Client, card: Mapping[str, Any], **posted: list[str]) -> CallToolResult:
    arguments = {"action": "answer", "handoff_id": card["id"], "secret": card["secret"], "posted": posted}
    return await client.call_tool(TOOL, arguments)


async def test_an_answer_that_does_not_fit_is_asked_for_again_with_a_new_secret(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client, "How old?", form=AGE)
        wrong = card_of(await send(client, card, age="7"))
        assert wrong["problems"] == {"field.age": "must be 18 or more"}
        assert (await here.only()).state is State.OPEN
        assert wrong["secret"] != card["secret"]
        assert "can be sent once" in await refused(await send(client, card, age="36"), here)
        assert card_of(await send(client, wrong, age="36"))["state"] == "answered"


# Everything that is not the card


@pytest.mark.parametrize("secret", ["", "x", "." * 3, "AAAA.99999999999.", "\N{SNOWMAN}.1.\N{SNOWMAN}"])
async def test_a_model_that_calls_the_cards_tool_decides_nothing(
    secret: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = {"id": (await asked(client))["id"], "secret": secret}
        for action in ("answer", "decline"):
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                said = await refused(await send(client, card, action, response="yes"), here)
            assert "only the person" in said
            assert "HANDOFFS_KEYS" not in said
            assert [record.name for record in caplog.records] == ["handoffs.mcp_server.cards.extension"]
        looked = card_of(await send(client, card, "look"))
        now = round(here.desk.clock.now().timestamp() * 1000)
        assert looked == {"id": card["id"], "state": "open", "collected": False, "now": now}
        assert "reached" not in await here.names()


async def test_a_secret_is_good_for_its_own_question_alone(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        other = await asked(client, "Drop the table?")
        mine = await asked(client, "Tidy up?")
        result = await send(client, {**mine, "id": other["id"]}, response="yes")
        assert result.is_error
        assert all(handoff.state is State.OPEN for handoff in await here.desk.newest(open_only=False))


async def test_somebody_elses_question_is_not_there(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client)
        async with chat(served(here, subject="eve")) as foreign:
            for action in ("answer", "look", "inbox"):
                assert "There is no handoff" in await refused(await send(foreign, card, action, response="yes"), here)


async def test_a_cards_secret_outlives_new_keys_and_a_missing_key_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new, other = "n" * 32, "o" * 32
    async with table(tmp_path) as here:
        async with chat(served(here)) as client:
            card = await asked(client)
        async with chat(served(here, keys=[other])) as client:
            with caplog.at_level(logging.WARNING):
                said = await refused(await send(client, card, response="yes"), here)
            assert "the same HANDOFFS_KEYS" in said
            assert "not in HANDOFFS_KEYS here" in caplog.text
        async with chat(served(here, keys=[new, KEY])) as client:
            assert card_of(await send(client, card, response="yes"))["state"] == "answered"


async def test_a_card_past_the_deadline_decides_nothing_and_shows_that(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client, timeout_seconds=60)
        here.clock.forward(timedelta(seconds=60).total_seconds())
        late = card_of(await send(client, card, response="yes"))
        assert (late["state"], late["late"]) == ("expired", True)
        assert (await here.only()).values is None
        here.clock.forward(10)
        assert (await send(client, card, response="yes")).is_error


async def test_who_was_second_is_told_who_was_first(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client)
        await here.desk.decline(await here.only(), by="eve", channel="terminal")
        late = card_of(await send(client, card, response="yes"))
        assert late["late"] is True
        assert "Declined by eve through terminal" in late["html"]


async def test_of_two_sends_at_once_one_counts_and_a_lost_reply_can_be_had_again(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client)
        results: list[CallToolResult] = []

        async def answer(value: str) -> None:
            results.append(await send(client, card, response=value))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer, "yes")
            tasks.start_soon(answer, "no")
        recorded = (await here.names()).count("answered")
        assert recorded == 1
        again = card_of(await send(client, card, response="other"))
        assert (again["state"], again["late"]) == ("answered", False)
        assert (await here.only()).values["response"] in {"yes", "no"}


async def test_a_card_on_the_screen_has_reached_the_person(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client)
        for _ in range(2):
            assert card_of(await send(client, card, "look"))["state"] == "open"
        assert (await here.only()).reached == ("card",)
        await here.desk.answer(await here.only(), {"response": "yes"}, by="eve", channel="inbox")
        looked = card_of(await send(client, card, "look"))
        assert "Answered by eve through inbox" in looked["html"]
        assert "secret" not in looked


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"action": "approve"},
        {"action": ["answer"]},
        {"posted": []},
        {"posted": {"field.response": "yes"}},
        {"posted": {"field.response": [1]}},
        {"posted": {"field.response": ["x" * 1_048_577]}},
        {"secret": None},
        {"handoff_id": 7},
        {"more": 1},
    ],
    ids=lambda arguments: str(arguments)[:40],
)
async def test_what_no_card_sends_is_refused_in_words(arguments: dict[str, Any], tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client)
        sent = {"action": "answer", "handoff_id": card["id"], "secret": card["secret"], "posted": {}}
        changed = {} if arguments == {} else sent | arguments
        assert "is for the card in the chat" in await refused(await client.call_tool(TOOL, changed), here)


async def test_a_reply_with_a_field_that_the_form_lacks_is_refused_by_its_name(tmp_path: Path) -> None:
    async with table(tmp_path) as here, chat(served(here)) as client:
        card = await asked(client)
        wrong = card_of(await send(client, card, response="yes", approved="true"))
        assert wrong["problems"] == {"field.approved": "is no field of this form: load the page again"}
        assert (await here.only()).state is State.OPEN


async def test_a_form_that_asks_for_a_secret_is_led_from_the_card_to_the_inbox(tmp_path: Path) -> None:
    form = {"type": "object", "properties": {"pin": {"type": "string", "format": "password"}}, "required": ["pin"]}
    async with table(tmp_path) as plain:
        sealing = Desk(store=plain.store, clock=plain.clock, sealer=AesGcmSealer(lambda: [KEY]), local="ada")
        here = Table(sealing, plain.store, plain.clock)
        async with chat(served(here)) as client:
            card = await asked(client, "Which **PIN**?", form=form)
            assert "<strong>PIN</strong>" in card["html"]
            assert "<form" not in card["html"]
            assert "secret" not in card
            # Not even with what would be its secret.
            forged = CardSecrets([KEY]).make(await here.only())
            tried = card_of(await send(client, {**card, "secret": forged}, pin="1234"))
            assert "inbox" in tried["problems"][""]
            assert (await here.only()).state is State.OPEN
            assert "There is no inbox" in await refused(await send(client, card, "inbox"), here)
        async with chat(served(here, inbox=Address())) as client:
            assert card_of(await send(client, card, "inbox"))["link"] == f"http://127.0.0.1:1/h/{card['id']}"


class Door(Address):
    """An inbox that notes whom it was to show."""

    def __init__(self) -> None:
        self.invited: list[str] = []

    async def invite(self, handoff: Handoff) -> str:
        self.invited.append(handoff.id)
        return await super().invite(handoff)


async def test_where_a_card_is_declared_and_never_drawn_the_inbox_opens_at_once(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        door = Door()
        async with chat(served(here, inbox=door), name="qwen-code") as client, anyio.create_task_group() as tasks:

            async def lose_patience() -> None:
                await until(lambda: door.invited)
                here.clock.forward(60)

            tasks.start_soon(lose_patience)
            result = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
        assert result.structured_content is not None
        assert result.structured_content["status"] == "PENDING"
        assert "in a card" not in result.content[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize("opened", [False, True])
async def test_beside_a_card_that_nobody_opens_the_inbox_opens_after_a_while(opened: bool, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        door = Door()
        async with chat(served(here, inbox=door)) as client:
            await asked(client)
            if opened:
                await here.desk.reached(await here.only(), channel="card")
            assert door.invited == []
            here.clock.forward(21)
            with anyio.move_on_after(0.2 if opened else 5):
                await until(lambda: door.invited)
        assert bool(door.invited) is not opened
