"""The files of an answer on a real pipe and on real HTTP, four megabytes of them, in both eras."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.types import ImageContent, ResourceLink

from handoffs.core.attachment import MAX_BYTES, GivenFile
from tests.acceptance.processes import ERAS, Home
from tests.client.people import desk_of, opened
from tests.waiting import until

HEAD = b"\x89PNG\r\n\x1a\n"
SMALL, LARGE = HEAD + bytes(range(256)) * 2_000, HEAD + bytes(MAX_BYTES - 600_000)


@asynccontextmanager
async def connected(home: Home, transport: str, era: str) -> AsyncGenerator[Client]:
    if transport == "stdio":
        async with home.stdio(era) as client:
            yield client
    else:
        async with home.http() as server, server.client(era) as client:
            yield client


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_images_come_through_whole(tmp_path: Path, transport: str, era: str) -> None:
    home = Home(tmp_path)
    given = [GivenFile(name=f"{len(each)}.png", declared="image/png", content=each) for each in (SMALL, LARGE)]

    async def answer() -> None:
        async with desk_of(tmp_path) as desk:
            await desk.answer(await opened(desk), {"response": "so"}, by="ada", channel="inbox", files=given)

    async with connected(home, transport, era) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        result = await client.call_tool("handoff_to_user", {"message": "How should it look?"})
        text, small, large = result.content
        assert "2 files came with it, and follow." in text.text  # type: ignore[union-attr]
        assert isinstance(small, ImageContent)
        assert (small.mime_type, base64.b64decode(small.data) == SMALL) == ("image/png", True)
        if transport == "stdio":
            assert isinstance(large, ImageContent)
            assert base64.b64decode(large.data) == LARGE
        else:
            # Over HTTP, what is large is read at its address: clients take no event of more than a megabyte.
            assert isinstance(large, ResourceLink)
            assert (large.mime_type, large.size) == ("image/png", len(LARGE))
            if era == "auto":
                [read] = (await client.read_resource(large.uri)).contents
                assert base64.b64decode(read.blob) == LARGE  # type: ignore[union-attr]
    async with desk_of(tmp_path) as desk:
        # What was written to the wire counts as received, however long the line was.
        await until(lambda: desk.newest(open_only=False), lambda found: found[0].collected_at is not None)
