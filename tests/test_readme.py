"""What the README shows is what runs."""

import re
from pathlib import Path

from handoffs.core.lifecycle import diagram
from handoffs.mcp_server.words import Status

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_state_diagram_is_printed_from_the_table() -> None:
    shown = re.search(r"<!-- diagram: begin -->\n```mermaid\n(.*)\n```\n<!-- diagram: end -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == diagram()


def test_every_status_is_explained() -> None:
    assert re.findall(r"^\| `([A-Z]+)` \|", README, re.MULTILINE) == [status.value for status in Status]


def test_every_file_it_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_section_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(#([^)]+)\)", README)
    sections = {title.lower().replace(" ", "-") for title in re.findall(r"^##+ (.+)$", README, re.MULTILINE)}
    assert links
    assert [link for link in links if link not in sections] == []


def test_every_command_of_the_makefile_it_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
