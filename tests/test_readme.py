"""What the README shows is what runs."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_it_can_be_read_in_one_go() -> None:
    assert len(README.splitlines()) <= 200


def test_every_file_it_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_section_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(#([^)]+)\)", README)
    titles = re.findall(r"^##+ (.+)$", README, re.MULTILINE)
    sections = {title.lower().replace("'", "").replace(" ", "-") for title in titles}
    assert links
    assert [link for link in links if link not in sections] == []


def test_every_command_of_the_makefile_it_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
