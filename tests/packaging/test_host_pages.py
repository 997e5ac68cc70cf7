"""The pages about the hosts are whole, agree with the tables in the code, and lead where they say."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from handoffs.cli.installing.hosts import HOSTS, NAME
from handoffs.hosts import host_named
from handoffs.settings import LOCAL_TOKEN, Settings
from tests.packaging.launching import ROOT

DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "hosts").glob("[!R]*.md"))
INDEX = (DOCS / "hosts/README.md").read_text("utf-8")
ROWS = {row[1]: row[0] for row in re.findall(r"^(\| \[[^]]+\]\(([a-z-]+)\.md\).*)$", INDEX, re.MULTILINE)}
CLIENTS = {
    "claude-desktop": "claude-ai",
    "claude-code": "claude-code",
    "vscode": "Visual Studio Code",
    "cursor": "cursor-vscode",
    "codex": "codex-mcp-client",
    "gemini": "gemini-cli-mcp-client",
    "goose": "goose",
    "windsurf": "windsurf",
    "zed": "Zed",
    "strands": "strands",
    "chatgpt": "openai-mcp",
    "other": "some host",
}
"""The name by which each host calls itself."""
FOUND_BY_HAND = [host for host in HOSTS if not host.name.endswith("-insiders")]


def read(path: Path) -> str:
    return path.read_text("utf-8")


def test_every_host_of_the_table_has_a_page_and_every_page_is_in_the_index() -> None:
    assert set(ROWS) == set(CLIENTS)
    assert {page.stem for page in PAGES} == set(re.findall(r"\(([a-z-]+)\.md\)", INDEX))


def test_every_host_that_can_be_installed_has_a_page() -> None:
    for host in FOUND_BY_HAND:
        assert f"`handoffs install {host.name}`" in ROWS[host.name]
        assert f"\nhandoffs install {host.name}" in read(DOCS / f"hosts/{host.name}.md")
        assert (f"install {host.name} --project" in read(DOCS / f"hosts/{host.name}.md")) == (host.project is not None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_tells_how_to_install_what_one_sees_and_the_limits(page: Path) -> None:
    text = read(page)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Install", "What you see", "Limits"]
    seen = text.split("## What you see")[1].split("## Limits")[0]
    assert "![" in seen
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("host", FOUND_BY_HAND, ids=lambda host: host.name)
def test_what_one_would_write_by_hand_is_what_the_host_reads(host: Any) -> None:
    written = {"json": json.loads, "jsonc": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
    language = host.format.removesuffix("c")
    [snippet] = re.findall(rf"```{language}\n(.+?)```", read(DOCS / f"hosts/{host.name}.md"), re.DOTALL)
    entry = written[host.format](snippet)[host.servers][NAME]
    assert Path(entry[host.command]).name == "handoffs"
    if host.limit is not None and host.limit.key in entry:
        assert entry[host.limit.key] == host.limit.wanted * host.limit.per_second


@pytest.mark.parametrize("page", CLIENTS)
def test_how_long_a_call_waits_is_what_the_server_does(page: str) -> None:
    waits = host_named(CLIENTS[page]).stdio.quiet
    assert f"{waits:g} s" in ROWS[page].split("|")[4]
    said = f"{waits / 60:g}" if waits % 60 == 0 else f"{waits:g}"
    assert re.search(rf"\b{said}\b", read(DOCS / f"hosts/{page}.md").split("## Limits")[1])


def test_every_setting_that_a_page_names_is_one() -> None:
    known = {f"HANDOFFS_{name.upper()}" for name in Settings.model_fields} | {LOCAL_TOKEN}  # which is the hosts' own
    assert set(re.findall(r"HANDOFFS_[A-Z_]+", "".join(map(read, PAGES)) + INDEX)) <= known


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "packaging/README.md", *sorted(DOCS.rglob("*.md"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_link_and_every_picture_is_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if "://" in link:
            continue
        name, _, part = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if part:
            titles = re.findall(r"^#+ (.+)$", read(target), re.MULTILINE)
            assert part in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, link
