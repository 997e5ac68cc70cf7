"""Every sentence of the inbox and of chats, and its catalogues: `make words` brings these up to date with the code.

A sentence is found by the name of the function that says it: `_` and `n_` in templates and scripts, `say` and `say_n`
in Python. What is new is left empty, and a test fails until it is translated.
"""

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

HANDOFFS = Path(__file__).parents[2] / "server" / "handoffs"
WEB = HANDOFFS / "web"
CATALOGUES = HANDOFFS / "languages" / "catalogues"
TAGS = ("de", "es", "fr", "ja", "zh-Hans")
PLURALS = {
    "de": "nplurals=2; plural=(n != 1);",
    "es": "nplurals=2; plural=(n != 1);",
    "fr": "nplurals=2; plural=(n > 1);",
    "ja": "nplurals=1; plural=0;",
    "zh-Hans": "nplurals=1; plural=0;",
}

KEYWORDS = {
    "python": {"say": None, "say_n": (1, 2)},
    "jinja2": {"_": None, "n_": (1, 2)},
    "javascript": {"_": None, "n_": (1, 2), "pieces": None, "n_pieces": (1, 2)},
}
PYTHON = ("core", "channels", "languages", "proof", "web")

Sentence = str | tuple[str, str]
"""One sentence, or both of what is counted."""


@cache
def sentences() -> dict[Sentence, list[str]]:
    """Every sentence, with the files that have it."""
    found: dict[Sentence, list[str]] = {}
    for file, sentence in _all():
        files = found.setdefault(sentence, [])
        if file not in files:
            files.append(file)
    return found


def _all() -> Iterator[tuple[str, Sentence]]:
    for folder in PYTHON:
        for path in sorted((HANDOFFS / folder).rglob("*.py")):
            if path.name != "sentences.py":
                yield from _in(path, "python", str(path.relative_to(HANDOFFS)))
    for path in sorted((WEB / "templates").glob("*.html")):
        yield from _in(path, "jinja2", f"templates/{path.name}")
    for path in sorted((WEB / "static").glob("*.js")):
        if path.name != "words.js":
            yield from _in(path, "javascript", f"static/{path.name}")


def _in(path: Path, method: str, name: str) -> Iterator[tuple[str, Sentence]]:
    options = {"silent": "false"} if method == "jinja2" else {}
    source = io.BytesIO(path.read_bytes())
    # Babel calls it as its own ones; Jinja writes its type a little narrower.
    extractor: Any = babel_extract if method == "jinja2" else method
    for _, found, _, _ in extract(extractor, source, keywords=KEYWORDS[method], options=options):
        yield name, (found[0], found[1]) if isinstance(found, tuple) else found


def catalogue(tag: str) -> Catalog:
    with (CATALOGUES / f"{tag}.po").open("rb") as file:
        return read_po(file, locale=tag.replace("-", "_"))


def written(tag: str) -> str:
    """A catalogue as it should be: what is said now, in the order of the files, and what was translated before."""
    before = catalogue(tag)
    fresh = Catalog(locale=tag.replace("-", "_"), project="handoffs", header_comment=before.header_comment, fuzzy=False)
    # Two forms at most: CLDR has one more for whole millions in French and Spanish, which no page counts.
    fresh.mime_headers = [("Content-Type", "text/plain; charset=utf-8"), ("Plural-Forms", PLURALS[tag])]
    for sentence, files in sentences().items():
        known = before.get(sentence)
        fresh.add(sentence, known.string if known else None, locations=[(each, 0) for each in files])
    file = io.BytesIO()
    write_po(file, fresh, width=120, omit_header=False, include_lineno=False)
    kept = [line for line in file.getvalue().decode().splitlines() if not line.startswith(_DATED)]
    return "\n".join(kept).rstrip("\n") + "\n"


_DATED = ('"POT-Creation-Date', '"PO-Revision-Date', '"Last-Translator', '"Language-Team', '"Generated-By')

if __name__ == "__main__":
    for each in TAGS:
        text = written(each)
        (CATALOGUES / f"{each}.po").write_text(text, encoding="utf-8")
