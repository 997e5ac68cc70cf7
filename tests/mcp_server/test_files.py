"""The files of an answer as an agent gets them: in both eras, in tasks, again, and as resources."""

import base64
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import BlobResourceContents, EmbeddedResource, ImageContent, TextContent, TextResourceContents

from handoffs.core.attachment import GivenFile
from handoffs.core.model import Caller, State
from tests.mcp_server.host import ERAS, Table, host, table
from tests.mcp_server.task_host import task_host
from tests.store.by_hand import change

both_eras = pytest.mark.parametrize("era", ERAS)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
WORDS = "Grüße, \u2713\n"
FILES = [
    GivenFile(name="the shot.png", declared="text/html", content=PNG),
    GivenFile(name="notes.md", declared="text/markdown", content=WORDS.encode()),
    GivenFile(name="half.txt", declared="text/plain", content=b"\xff\xfe"),
    GivenFile(name="page.svg", declared="image/svg+xml", content=b"<svg/>"),
]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Table]:
    async with table(tmp_path) as here:
        yield here


async def answer(here: Table, files: list[GivenFile] = FILES) -> None:
    await here.desk.answer(await here.only(), {"response": "like this"}, by="bob", channel="inbox", files=files)


async def pending(client: Client) -> str:
    result = await client.call_tool("handoff_to_user", {"message": "How should it look?"})
    assert result.structured_content is not None
    assert result.structured_content["status"] == "PENDING"
    return str(result.structured_content["handoffId"])


def check_files(content: list[Any], structured: dict[str, Any], handoff_id: str) -> None:
    text, image, words, blob, svg = content
    assert isinstance(text, TextContent)
    assert ": like this\n4 files came with it, and follow." in text.text
    assert "- the shot.png (image/png, 264 bytes)\n- notes.md (text/markdown, 13 bytes)" in text.text
    assert structured["guidance"] == text.text
    assert isinstance(image, ImageContent)
    assert (image.mime_type, base64.b64decode(image.data)) == ("image/png", PNG)
    assert isinstance(words, EmbeddedResource)
    assert words.resource == TextResourceContents(
        uri=f"handoff://attachments/{handoff_id}/2/notes.md", mime_type="text/markdown", text=WORDS
    )
    assert isinstance(blob, EmbeddedResource)
    assert isinstance(blob.resource, BlobResourceContents)
    assert (blob.resource.mime_type, base64.b64decode(blob.resource.blob)) == ("text/plain", b"\xff\xfe")
    assert isinstance(svg, EmbeddedResource)
    assert svg.resource.mime_type == "image/svg+xml"
    assert structured["attachments"][0] == {
        "name": "the shot.png",
        "type": "image/png",
        "size": 264,
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "uri": f"handoff://attachments/{handoff_id}/1/the%20shot.png",
    }
    assert [each["name"] for each in structured["attachments"]] == [each.name for each in FILES]


@both_eras
async def test_an_agent_gets_the_files_after_the_text_and_gets_them_again(era: str, here: Table) -> None:
    async with host(here.server(hold_seconds=0), era) as client:
        handoff_id = await pending(client)
        await answer(here)
        for _ in range(2):
            result = await client.call_tool("check_handoff", {"handoff_id": handoff_id})
            assert result.structured_content is not None
            check_files(list(result.content), result.structured_content, handoff_id)
    assert (await here.only()).collected_at is not None


@both_eras
async def test_the_same_question_asked_again_collects_the_files(era: str, here: Table) -> None:
    async with host(here.server(hold_seconds=0), era) as client:
        handoff_id = await pending(client)
    await answer(here)
    async with host(here.server(), era) as client:
        result = await client.call_tool("handoff_to_user", {"message": "How should it look?"})
        assert result.structured_content is not None
        check_files(list(result.content), result.structured_content, handoff_id)


async def test_a_task_has_the_files_in_its_result(here: Table) -> None:
    async with task_host(here.server()) as client:
        task = await client.ask("How should it look?")
        await answer(here)
        result = (await client.get(task["taskId"]))["result"]
    kinds = [each["type"] for each in result["content"]]
    assert kinds == ["text", "image", "resource", "resource", "resource"]
    assert base64.b64decode(result["content"][1]["data"]) == PNG
    assert len(result["structuredContent"]["attachments"]) == 4


@both_eras
async def test_a_host_whose_model_sees_the_structured_part_reads_each_file(era: str, here: Table) -> None:
    async with host(here.server(hold_seconds=0), era) as client:
        handoff_id = await pending(client)
        await answer(here)
        result = await client.call_tool("check_handoff", {"handoff_id": handoff_id})
        assert result.structured_content is not None
        uris = [each["uri"] for each in result.structured_content["attachments"]]
        [image] = (await client.read_resource(uris[0])).contents
        assert isinstance(image, BlobResourceContents)
        assert (image.uri, image.mime_type, base64.b64decode(image.blob)) == (uris[0], "image/png", PNG)
        [words] = (await client.read_resource(uris[1])).contents
        assert isinstance(words, TextResourceContents)
        assert (words.mime_type, words.text) == ("text/markdown", WORDS)
        for wrong in (f"{handoff_id}/5/x", f"{handoff_id}/0/x", f"{handoff_id}/x", "h_none/1/x", f"{handoff_id}/1/x/y"):
            with pytest.raises(MCPError, match="Unknown resource"):
                await client.read_resource(f"handoff://attachments/{wrong}")


@both_eras
async def test_another_caller_reads_no_file_of_it(era: str, here: Table) -> None:
    caller = Caller(subject="ada", client="test-host", project="/home/ada/shop")
    asked = await here.desk.ask(message="How should it look?", caller=caller, files=True)
    await answer(here)
    async with host(here.server(subject="eve"), era) as client:
        with pytest.raises(MCPError, match="Unknown resource"):
            await client.read_resource(f"handoff://attachments/{asked.id}/1/x")


@both_eras
async def test_a_file_that_was_changed_in_the_store_reaches_no_agent(era: str, here: Table, tmp_path: Path) -> None:
    async with host(here.server(hold_seconds=0), era) as client:
        handoff_id = await pending(client)
        await answer(here)
        await change(str(tmp_path / "handoffs.db"), "UPDATE SCHEMA.attachments SET data = x'00' WHERE number = 2")
        result = await client.call_tool("check_handoff", {"handoff_id": handoff_id})
        assert result.structured_content is not None
        assert (result.is_error, result.structured_content["status"]) == (True, "ERROR")
        assert f"File 2 of {handoff_id} is not in the store as the person gave it" in result.content[0].text  # type: ignore[union-attr]
        assert len(result.content) == 1
        with pytest.raises(MCPError, match="as the person gave it"):
            await client.read_resource(f"handoff://attachments/{handoff_id}/2/notes.md")
    assert (await here.only()).collected_at is None


async def test_a_task_with_a_file_that_was_changed_completes_as_an_error(here: Table, tmp_path: Path) -> None:
    async with task_host(here.server()) as client:
        task = await client.ask("How should it look?")
        await answer(here)
        await change(str(tmp_path / "handoffs.db"), "DELETE FROM SCHEMA.attachments WHERE number = 4")
        result = (await client.get(task["taskId"]))["result"]
    assert result["structuredContent"]["status"] == "ERROR"
    assert "File 4 of" in result["content"][0]["text"]
    assert (await here.only()).collected_at is None


async def test_a_notice_stands_in_the_text_before_the_files(here: Table) -> None:
    from handoffs.mcp_server.notice import Notice

    async with host(here.server(hold_seconds=0), "auto") as client:
        handoff_id = await pending(client)
        await answer(here)
        result = await client.call_tool("check_handoff", {"handoff_id": handoff_id})
    told = Notice("load the page").add_to(result)
    assert told.content[0].text.endswith("Tell the person, once: load the page")  # type: ignore[union-attr]
    assert [each.type for each in told.content] == ["text", "image", "resource", "resource", "resource"]
    assert (await here.only()).state is State.ANSWERED
