"""Real processes: the server as hosts start it, and the command as people type it, over one store of a test's own."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
from anyio.abc import Process
from mcp import Client, StdioServerParameters
from mcp.client.extension import ClientExtension
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult, Implementation

HANDOFFS = [sys.executable, "-m", "handoffs"]
ERAS = ("legacy", "auto")


@dataclass
class Home:
    """A user's home of its own: store, data folder, configuration, working folder."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.folder / "handoffs.db"

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDOFFS_")}
        own = {
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "HANDOFFS_STORE": str(self.store),
            "HANDOFFS_INBOX": "off",  # a browser that nobody asked for; tests of the inbox say `auto`
        }
        return kept | own | self.extra

    @property
    def local_token(self) -> Path:
        """Where the token of the local user is kept, once a server on HTTP was started."""
        return self.folder / "data" / "handoffs" / "local-token"

    def run(self, *args: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `handoffs` with these arguments to its end."""
        return subprocess.run(
            [*HANDOFFS, *args],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=120,
            env=self.env,
            cwd=self.folder,
            check=False,
        )

    async def command(self, *args: str) -> subprocess.CompletedProcess[bytes]:
        """The same, beside what else the test does."""
        return await anyio.run_process([*HANDOFFS, *args], check=False, env=self.env, cwd=self.folder)

    @asynccontextmanager
    async def stdio(
        self,
        era: str = "auto",
        dialog: Any = None,
        *,
        args: tuple[str, ...] = ("serve",),
        name: str = "test-host",
        extensions: Sequence[ClientExtension] | None = None,
    ) -> AsyncGenerator[Client]:
        """A client of a server on stdio. What the server says on standard error is in `stderr.txt`."""
        with (self.folder / "stderr.txt").open("a") as log, anyio.fail_after(60):
            params = StdioServerParameters(
                command=HANDOFFS[0], args=[*HANDOFFS[1:], *args], env=self.env, cwd=self.folder
            )
            info = Implementation(name=name, version="1")
            transport = stdio_client(params, errlog=log)
            async with Client(
                transport, mode=era, elicitation_callback=dialog, client_info=info, extensions=extensions
            ) as client:
                yield client

    @asynccontextmanager
    async def http(
        self, address: str = "127.0.0.1:0", *, args: tuple[str, ...] = ("serve",)
    ) -> AsyncGenerator["HttpServer"]:
        """A server on HTTP, ready to be called."""
        with (self.folder / "stderr.txt").open("a") as log:
            process = await anyio.open_process(
                [*HANDOFFS, args[0], "--http", address, *args[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                env=self.env,
                cwd=self.folder,
            )
        assert process.stderr is not None
        said = ""
        with anyio.fail_after(120):
            while (found := re.search(r"http://\S+/mcp", said)) is None:
                said += (await process.stderr.receive()).decode()
        try:
            kept = self.local_token
            yield HttpServer(process, found[0], kept.read_text().strip() if kept.exists() else None, said)
        finally:
            if process.returncode is None:
                process.kill()
            await process.aclose()


@dataclass
class HttpServer:
    process: Process
    url: str
    token: str | None = None
    """What the local user shows; None where nobody was asked for one yet."""
    heard: str = ""
    """What it had said on standard error when it was ready."""

    @property
    def bearer(self) -> dict[str, str]:
        """The header by which the local user is known."""
        return {} if self.token is None else {"authorization": f"Bearer {self.token}"}

    @asynccontextmanager
    async def client(
        self,
        era: str = "auto",
        dialog: Any = None,
        *,
        name: str = "test-host",
        token: str | None = None,
        extensions: Sequence[ClientExtension] | None = None,
    ) -> AsyncGenerator[Client]:
        """A client of the local user, or of who has another token."""
        info = Implementation(name=name, version="1")
        bearer = self.bearer if token is None else {"authorization": f"Bearer {token}"}
        with anyio.fail_after(60):
            async with httpx2.AsyncClient(headers=bearer, follow_redirects=True, timeout=60) as http:
                transport = streamable_http_client(self.url, http_client=http)
                async with Client(
                    transport, mode=era, elicitation_callback=dialog, client_info=info, extensions=extensions
                ) as client:
                    yield client


SCRIPT = {"handoffs/script": True}
"""What a dialog says, in the `_meta` of its reply, that no person answers."""


def says(action: str = "accept", *, after: float = 0, **content: Any) -> Any:
    """A dialog in which a person does this, always; one who answers at once says that it is a script."""
    meta = SCRIPT if action == "accept" and content and not after else None

    async def dialog(context: object, params: object) -> ElicitResult:
        await asyncio.sleep(after)
        return ElicitResult(action=action, content=content or None, _meta=meta)  # type: ignore[arg-type]

    return dialog


async def nobody(context: object, params: object) -> ElicitResult:
    """A dialog that nobody looks at."""
    await anyio.sleep_forever()
    raise AssertionError


async def ask(client: Client, message: str = "Deploy?", /, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool("handoff_to_user", {"message": message, **arguments})
    assert result.structured_content is not None
    return result.structured_content
