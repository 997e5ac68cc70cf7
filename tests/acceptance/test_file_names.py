"""What is known of an answer's files stays in the store: real processes, with webhooks, telemetry and their logs."""

import re
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import EmbeddedResource, ResourceLink

from tests.acceptance.collector import collecting
from tests.acceptance.processes import ERAS, HANDOFFS, Home
from tests.acceptance.test_server import until_open
from tests.api.receivers import SECRET, receiver
from tests.store.by_hand import change
from tests.waiting import until
from tests.web.serving import pressed

LARGE = b"x" * 1_000_000
GIVEN = [("salaries-of-ada.log", b"rows of salaries", "text/x-payroll"), ("vault-plan.txt", LARGE, "text/plain")]
WORDS = (
    "salaries",
    "vault-plan",
    "x-payroll",
    *(sha256(content).hexdigest()[:16] for _, content, _ in GIVEN),
    "too-secret",
    "c2FsYXJpZXM",  # "salaries" in base64
)
"""Of names, types, digests and contents, none may leave."""


@asynccontextmanager
async def inbox(home: Home) -> AsyncGenerator[httpx2.AsyncClient]:
    """A browser that is signed in to the inbox of this home."""
    command = [*HANDOFFS, "inbox", "--no-browser"]
    with (home.folder / "stderr.txt").open("a") as log:
        process = await anyio.open_process(command, env=home.env, cwd=home.folder, stdin=subprocess.DEVNULL, stderr=log)
    try:
        assert process.stdout is not None
        said = ""
        with anyio.fail_after(60):
            while not (link := re.search(r"(http://localhost:\d+/)(sign-in\?\S+)\s", said)):
                said += (await process.stdout.receive()).decode()
        async with httpx2.AsyncClient(base_url=link[1], follow_redirects=True, timeout=60) as http:
            address, form = pressed(link[2])
            assert (await http.post(address, data=form)).status_code == 200
            yield http
    finally:
        process.terminate()
        with anyio.CancelScope(shield=True):
            await process.aclose()


async def give(http: httpx2.AsyncClient, handoff_id: str, *files: tuple[str, bytes, str]) -> httpx2.Response:
    page = (await http.get(f"/h/{handoff_id}")).text
    data = {"csrf": page.split('name="csrf" value="')[1].split('"')[0], "field.response": "these"}
    return await http.post(f"/h/{handoff_id}/answer", data=data, files=[("files", each) for each in files])


async def receive(client: Client, home: Home, http: httpx2.AsyncClient, api: httpx2.AsyncClient) -> str:
    """Ask, have files refused and given, read them in each way, and find one that was changed."""
    async with anyio.create_task_group() as tasks:

        async def call() -> None:
            result = await client.call_tool("handoff_to_user", {"message": "Which logs?"})
            [_, *files] = result.content
            assert {type(each) for each in files} <= {EmbeddedResource, ResourceLink}
            assert len(files) == 2
            for each in (result.structured_content or {})["attachments"]:
                read = await client.read_resource(each["uri"])
                assert read.contents

        tasks.start_soon(call)
        handoff_id = await until_open(home)
        for wrong in (("too-secret.txt", b"", "text/plain"), ("too-secret.txt" * 200, b"x", "text/plain")):
            assert (await give(http, handoff_id, wrong)).status_code == 422
        assert (await give(http, handoff_id, *GIVEN)).status_code == 200
    assert "salaries-of-ada.log" in (await http.get(f"/h/{handoff_id}")).text
    for number, status in ((1, 200), (2, 200), (3, 404)):
        assert (await http.get(f"/h/{handoff_id}/files/{number}")).status_code == status
        assert (await api.get(f"/v1/handoffs/{handoff_id}/attachments/{number}")).status_code == status
    await change(str(home.store), "UPDATE SCHEMA.attachments SET data = x'00'")
    with pytest.raises(MCPError):
        await client.read_resource(f"handoff://attachments/{handoff_id}/1/salaries-of-ada.log")
    with pytest.raises(MCPError):
        await client.read_resource("handoff://attachments/h_nothing/1/salaries-of-ada.log")
    assert (await http.get(f"/h/{handoff_id}/files/1")).status_code == 409
    assert (await api.get(f"/v1/handoffs/{handoff_id}/attachments/1")).status_code == 409
    return handoff_id


@pytest.mark.parametrize("era", ERAS)
async def test_nothing_of_a_file_is_in_webhooks_spans_or_logs(tmp_path: Path, era: str) -> None:
    async with collecting() as collector, receiver() as received:
        home = Home(tmp_path, collector.env)
        home.extra |= {"HANDOFFS_WEBHOOK": received.url, "HANDOFFS_WEBHOOK_SECRET": SECRET}
        async with (
            home.http() as server,
            server.client(era) as client,
            inbox(home) as http,
            httpx2.AsyncClient(base_url=server.url.removesuffix("/mcp"), headers=server.bearer) as api,
        ):
            handoff_id = await receive(client, home, http, api)
            await until(lambda: received.types, lambda found: "answered" in found)
            await until(lambda: collector.named("tools/call handoff_to_user"))
            await until(lambda: [each for each in collector.spans if each.name.startswith("resources/read")])
            await until(lambda: collector.sums("handoffs.ended"))
        printed = (tmp_path / "stderr.txt").read_text() + server.heard
        left = b"\n".join([collector.raw, *received.bodies, printed.encode(), *map(str.encode, received.paths)])
        shown = home.run("log").stdout + home.run("log", "--json").stdout
        assert handoff_id.encode() in collector.raw
        assert handoff_id in shown
        for word in WORDS:
            assert word.encode() not in left, word
            assert word not in shown, word
