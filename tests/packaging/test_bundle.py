"""The bundle for Claude Desktop: built, checked by the format's own tool, and started as the host starts it."""

import json
import os
import runpy
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.launching import ROOT, UV, environment, run, served, tool_names

BUNDLER = runpy.run_path(str(ROOT / "packaging/bundle.py"))

LAUNCH = """
import { readFileSync } from "node:fs";
const [tool, folder, config] = process.argv.slice(1);
const { getMcpConfigForManifest } = await import(tool);
const manifest = JSON.parse(readFileSync(folder + "/manifest.json", "utf8"));
const userConfig = JSON.parse(config);
const options = { manifest, extensionPath: folder, systemDirs: {}, userConfig, pathSeparator: "/" };
console.log(JSON.stringify(await getMcpConfigForManifest(options)));
"""


@dataclass
class Bundle:
    """One that was built and unpacked."""

    folder: Path
    said: str
    """What the tool said when it unpacked and looked at it."""
    tool: Path
    """The format's own tool, as a library."""

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / "manifest.json").read_text("utf-8"))

    def launch(self, **user_config: str) -> dict[str, Any]:
        """How the host starts the server, for a person who filled in these of its settings."""
        node = ["node", "--input-type=module", "--eval", LAUNCH]
        return json.loads(run(*node, str(self.tool), str(self.folder), json.dumps(user_config)))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    if shutil.which("npx") is None:
        # Where everything is to be checked, a skip would hide that this was not.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no npx here: apt-get install npm")
    folder = tmp_path_factory.mktemp("bundle")
    run(sys.executable, str(ROOT / "packaging/bundle.py"), str(folder))
    [packed] = folder.glob("*.mcpb")
    unpacked = folder / "unpacked"
    commands = (
        f"mcpb info '{packed}'",
        f"mcpb unpack '{packed}' '{unpacked}'",
        f"mcpb validate '{unpacked}/manifest.json'",
        'readlink -f "$(command -v mcpb)"',
    )
    said = run("npx", "--yes", "--package", BUNDLER["MCPB"], "--call", " && ".join(commands))
    # The command is dist/cli/cli.js of its package, the library dist/index.js.
    return Bundle(folder=unpacked, said=said, tool=Path(said.splitlines()[-1]).parent.parent / "index.js")


def test_the_formats_own_tool_accepts_it(bundle: Bundle) -> None:
    assert "Manifest schema validation passes!" in bundle.said


def test_it_is_of_the_packages_version(bundle: Bundle) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert bundle.manifest["version"] == project["version"]
    assert bundle.manifest["compatibility"]["runtimes"]["python"] == project["requires-python"]


def test_it_holds_what_runs_and_nothing_else(bundle: Bundle) -> None:
    at_top = {path.name for path in bundle.folder.iterdir()}
    assert at_top == {"manifest.json", "icon.png", "server", "pyproject.toml", "uv.lock", "README.md", "LICENSE"}
    assert (bundle.folder / bundle.manifest["server"]["entry_point"]).is_file()
    assert list(bundle.folder.rglob("__pycache__")) == []
    # No test, no picture of the documents: what is in it has to be fetched by everybody.
    packed, ours, around = (
        {path.relative_to(folder) for path in (folder / "server").rglob("*") if path.is_file()}
        for folder in (bundle.folder, ROOT, ROOT / "packaging/mcpb")
    )
    assert packed == around | {path for path in ours if path.suffix != ".pyc" and not path.name.startswith(".")}
    assert {path.suffix for path in packed} <= {
        ".py",
        ".pyi",
        ".typed",
        ".html",
        ".css",
        ".js",
        ".svg",
        ".png",
        ".toml",
        ".sql",
        ".po",
    }


async def test_it_starts_for_a_person_who_filled_in_nothing(bundle: Bundle, tmp_path: Path) -> None:
    launch = bundle.launch()
    assert launch["command"] == "uv"
    assert launch["env"] == {"HANDOFFS_INBOX": "auto", "HANDOFFS_NOTIFY": "", "HANDOFFS_ESCALATE": ""}
    env = environment(tmp_path) | launch["env"]
    async with served(tmp_path, UV, launch["args"], env) as client:
        assert await tool_names(client) == [tool["name"] for tool in bundle.manifest["tools"]]


async def test_what_the_person_fills_in_reaches_the_server(bundle: Bundle, tmp_path: Path) -> None:
    sink = f"json://127.0.0.1:9/{tmp_path.name}"  # nothing listens there; without apprise the start would fail
    launch = bundle.launch(inbox="off", notify=sink)
    env = environment(tmp_path, HANDOFFS_HOLD_SECONDS="0") | launch["env"]
    async with served(tmp_path, UV, launch["args"], env) as client:
        result = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
    assert result.structured_content is not None
    assert result.structured_content["status"] == "PENDING"
    assert "http" not in result.structured_content["guidance"]
    assert (tmp_path / "data/handoffs/handoffs.db").exists()


def test_make_bundle_builds_it() -> None:
    assert "python packaging/bundle.py dist" in run("make", "--dry-run", "bundle", cwd=ROOT)
