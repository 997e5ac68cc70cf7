"""The recipes of CONTRIBUTING.md, each done once: in a copy of the package, with what the recipe says and no more."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handoffs.asking.plan import drawn
from tests.acceptance.processes import Home, ask
from tests.waiting import until

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text("utf-8")

PAPER = """
from pathlib import Path


async def run(desk, settings, link):
    async with desk.watch(None) as watch:
        while True:
            opened = await desk.newest(open_only=True)
            Path(settings["paper"]).write_text("".join(f"{each.question.message}\\n" for each in opened))
            await watch.changed()
"""

MIRROR = """
from dataclasses import dataclass
from pathlib import Path

from handoffs.store.sqlite.engine import SqliteEngine
from handoffs.store.sqlite.store import SqliteStore


@dataclass(frozen=True)
class MirrorAddress:
    url: str
    scheme = "mirror"

    @property
    def identity(self):
        return self.url

    def __str__(self):
        return self.url


class MirrorEngine(SqliteEngine):
    title = "a mirror"

    def address(self, written):
        return MirrorAddress(written)

    def open(self, address, clock):
        return SqliteStore(Path(address.url.removeprefix("mirror://")), clock=clock)


ENGINE = MirrorEngine()
"""

ACME = """
from handoffs.hosts.host import Host, Patience

HOST = Host(title="Acme", stdio=Patience(quiet=7, dialog=70), source="made up for a test")
"""

COUNT = """
from mcp.types import CallToolResult, TextContent

from handoffs.mcp_server.tool import tool


def count_tool():
    async def call(given, context):
        text = str(len(given["words"].split()))
        outcome = {"content": [], "userInput": [], "status": "SUCCESS", "toolUseId": ""}
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=outcome)

    schema = {"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]}
    return tool("count_words", "Count words", "Counts words.", schema, call)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what a recipe changes; it is what Python imports there."""
    ignored = shutil.ignore_patterns("__pycache__", "interop", "node_modules")
    for name in ("server", "tests"):
        shutil.copytree(ROOT / name, tmp_path / "copy" / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "copy")
    return tmp_path / "copy"


def insert(file: Path, before: str, line: str) -> None:
    """Add one line."""
    text = file.read_text("utf-8")
    assert text.count(before) == 1, before
    file.write_text(text.replace(before, line + before), "utf-8")


def environ(copy: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(copy / "server")}


def said(copy: Path, code: str) -> str:
    """What Python says in the copy."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environ(copy),
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


async def test_a_channel_is_one_file_and_one_row(copy: Path, tmp_path: Path) -> None:
    package = copy / "server/handoffs"
    (package / "channels/paper.py").write_text(PAPER)
    reach = 'run="handoffs.channels.paper:run", settings=("paper",)'
    row = f'        Row(name="paper", does="a file", from_host=True, {reach}),\n'
    insert(package / "channels/__init__.py", '        Row(name="inbox",', row)
    insert(package / "settings.py", "    model: Annotated[", "    paper: str | None = None\n")
    file = tmp_path / "paper.txt"
    home = Home(
        tmp_path, {"PYTHONPATH": str(copy / "server"), "HANDOFFS_PAPER": str(file), "HANDOFFS_HOLD_SECONDS": "0"}
    )
    async with home.stdio() as client:
        await ask(client, "Deploy?")
        await until(lambda: file.exists() and file.read_text() == "Deploy?\n")
    code = "from handoffs.channels import CHANNELS, may_permit; print('paper' in CHANNELS, may_permit('paper'))"
    assert said(copy, code) == "True False"


def test_a_store_is_one_folder_and_one_row_and_passes_the_contract(copy: Path) -> None:
    folder = copy / "server/handoffs/store/mirror"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "engine.py").write_text(MIRROR)
    insert(folder.parent / "__init__.py", '    "sqlite": "', '    "mirror": "handoffs.store.mirror.engine:ENGINE",\n')
    row = (
        '    "mirror": Backend(\n'
        '        address=lambda folder: f"mirror://{folder}/data/handoffs.db",\n'
        '        connect=lambda address: store_at(store_address(address)),\n    ),\n'
    )  # fmt: skip
    insert(copy / "tests/store/backends.py", '    "sqlite": Backend(', row)
    insert(
        copy / "tests/store/backends.py", "from handoffs.store import OpenStore\n",
        "from handoffs.assembly import store_at\nfrom handoffs.setting_values import store_address\n",
    )  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/store/test_contract.py", "-k", "mirror"],
        env=environ(copy), cwd=copy, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "passed" in ran.stdout or "[100%]" in ran.stdout


def test_a_host_is_one_file_and_one_row(copy: Path) -> None:
    package = copy / "server/handoffs/hosts"
    (package / "acme.py").write_text(ACME)
    insert(package / "__init__.py", '    (r"goose.*", "goose"),', '    (r"acme.*", "acme"),\n')
    code = "from handoffs.hosts import host_named; print(host_named('acme-agent').patience('stdio').quiet)"
    assert said(copy, code) == "7"


async def test_a_tool_is_one_file_and_one_line(copy: Path, tmp_path: Path) -> None:
    package = copy / "server/handoffs/mcp_server"
    (package / "counting.py").write_text(COUNT)
    insert(package / "server.py", "    extensions: list[Extension]", "    published.append(count_tool())\n")
    insert(
        package / "server.py", "from handoffs.mcp_server.icons import ICONS\n",
        "from handoffs.mcp_server.counting import count_tool\n",
    )  # fmt: skip
    async with Home(tmp_path, {"PYTHONPATH": str(copy / "server")}).stdio() as client:
        assert "count_words" in {each.name for each in (await client.list_tools()).tools}
        counted = await client.call_tool("count_words", {"words": "ask me first"})
        assert json.loads(counted.content[0].text) == 3  # type: ignore[union-attr]


# The front door


def test_every_folder_is_named_in_the_layout() -> None:
    package = ROOT / "server/handoffs"
    folders = [
        path.relative_to(package)
        for path in package.rglob("*")
        if path.is_dir() and not {"__pycache__", "migrations"} & set(path.parts)
    ]
    assert len(folders) > 20
    assert [str(each) for each in folders if f"`{each}/`" not in ARCHITECTURE] == []


def test_every_path_that_the_recipes_name_exists() -> None:
    named = set(re.findall(r"`((?:server|tests|docs)/[\w./-]+)`", CONTRIBUTING + ARCHITECTURE))
    assert len(named) > 10
    assert [each for each in sorted(named) if "NAME" not in each and not (ROOT / each).exists()] == []


def test_every_module_that_the_life_of_a_call_names_exists() -> None:
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", ARCHITECTURE))
    assert len(named) > 10
    assert [each for each in sorted(named) if not (ROOT / "server/handoffs" / each).exists()] == []


def test_how_a_person_is_asked_is_printed_from_the_code() -> None:
    shown = ARCHITECTURE.split("<!-- plan: begin -->")[1].split("<!-- plan: end -->")[0].strip()
    assert shown == drawn()


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in (ROOT / "docs/README.md", ROOT / "docs/architecture.md", ROOT / "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), (page.name, link)
