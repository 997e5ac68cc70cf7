"""Files of an answer, as a program gets them: over a store of its machine, over a server, and by HTTP."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import handoffs
from handoffs.client import Outcome
from handoffs.core.attachment import GivenFile
from handoffs.core.desk import Desk
from handoffs.core.errors import FileChanged
from handoffs.core.model import State
from tests.api.test_api import QUESTION, added_token, served
from tests.client.people import YES_NO, asks, desk_of, opened, with_a_person
from tests.store.by_hand import change

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
FILES = [
    GivenFile(name="Grüße.png", declared="", content=PNG),
    GivenFile(name="page.html", declared="text/html", content=b"<script>"),
]


async def give(desk: Desk) -> None:
    await desk.answer(await opened(desk), {"response": "yes"}, by="ada", channel="inbox", files=FILES)


async def check(outcome: Outcome[object], store: Path) -> None:
    assert outcome.picked == "yes"
    first, second = outcome.attachments
    assert (first.name, first.media_type, first.size) == ("Grüße.png", "image/png", 264)
    assert first.sha256 == hashlib.sha256(PNG).hexdigest()
    assert (await first.read(), await second.read()) == (PNG, b"<script>")
    assert "script>" not in repr(outcome)
    await change(str(store), "UPDATE SCHEMA.attachments SET data = x'00' WHERE number = 1")
    with pytest.raises(FileChanged):
        await first.read()


async def test_a_program_reads_the_files_of_an_answer_when_it_wants(tmp_path: Path) -> None:
    store = tmp_path / "handoffs.db"
    async with desk_of(tmp_path) as desk:
        ask: Any = handoffs.ask
        asked = partial(ask, "Deploy 1.4?", options=YES_NO, store=store, tell=None)
        outcome = await with_a_person(asked, desk, give)
        await check(outcome, store)


async def test_who_asks_without_files_is_given_none(tmp_path: Path) -> None:
    async with desk_of(tmp_path) as desk, asks(tmp_path) as asking:
        handoff = await asking.open("Deploy 1.4?", options=YES_NO)
        assert not handoff.question.takes_files
        assert (await desk.get(handoff.id)).state is State.OPEN


async def test_a_program_reads_them_over_a_server(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, server, _), desk_of(tmp_path) as desk:
        base, token = server.url.removesuffix("/mcp"), server.bearer["authorization"].split()[1]
        ask: Any = handoffs.ask
        asked = partial(ask, "Deploy 1.4?", options=YES_NO, server=base, token=token, tell=None)
        outcome = await with_a_person(asked, desk, give)
        await check(outcome, home.store)


async def test_the_interface_lists_files_and_serves_them_to_their_caller_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, _, http), desk_of(tmp_path) as desk:
        asked = await http.post("/v1/handoffs", json=QUESTION | {"files": True})
        place = asked.headers["location"]
        assert (await http.get(f"{place}/attachments/1")).status_code == 404
        await give(desk)
        [image, page] = (await http.get(place)).json()["answer"]["attachments"]
        assert image == {
            "name": "Grüße.png",
            "type": "image/png",
            "size": 264,
            "sha256": hashlib.sha256(PNG).hexdigest(),
        }
        assert page["type"] == "text/html"
        got = await http.get(f"{place}/attachments/1")
        assert (got.status_code, got.content, got.headers["content-type"]) == (200, PNG, "image/png")
        assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.png"
        assert (got.headers["x-content-type-options"], got.headers["cache-control"]) == ("nosniff", "no-store")
        for wrong in ("0", "3", "x", "-1", "1e9", "9999"):
            assert (await http.get(f"{place}/attachments/{wrong}")).status_code == 404
        others = {"authorization": f"Bearer {await added_token(home, 'eve')}"}
        assert (await http.get(f"{place}/attachments/1", headers=others)).status_code == 404
        await change(str(home.store), "DELETE FROM SCHEMA.attachments WHERE number = 2")
        assert (await http.get(f"{place}/attachments/2")).status_code == 409


@pytest.mark.parametrize("wrong", [1, "yes", []])
async def test_whether_files_are_received_is_a_yes_or_a_no(tmp_path: Path, wrong: object) -> None:
    async with served(tmp_path) as (_, _, http):
        refused = await http.post("/v1/handoffs", json=QUESTION | {"files": wrong})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "files")
        plain = await http.post("/v1/handoffs", json=QUESTION)
        assert plain.status_code == 201
