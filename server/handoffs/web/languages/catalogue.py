"""One language besides English: its sentences, by the English ones, and how it writes numbers.

A catalogue is a PO file beside this module. It is read when a page in that language is first asked for; pages in
English read none, and import nothing for it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from io import BytesIO
from typing import TYPE_CHECKING

import anyio.to_thread

if TYPE_CHECKING:  # only for another language than English
    from gettext import GNUTranslations


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """How a language writes numbers: what groups thousands, and what parts the decimals. From CLDR."""

    group: str
    decimal: str
    least: int = 4
    """The least digits of a number that is grouped."""


MARKS: Mapping[str, Marks] = {
    "de": Marks(group=".", decimal=","),
    "es": Marks(group=".", decimal=",", least=5),
    "fr": Marks(group="\u202f", decimal=","),
    "ja": Marks(group=",", decimal="."),
    "zh-Hans": Marks(group=",", decimal="."),
}


class Catalogue:
    """The sentences of one language."""

    def __init__(self, tag: str, written: str) -> None:
        """Take its tag, and the text of its PO file."""
        import polib

        self.tag, self._marks = tag, MARKS[tag]
        read = polib.pofile(written)
        self._sentences: GNUTranslations = _compiled(read.to_binary())
        # What the scripts of the pages say.
        said: dict[str, str | list[str]] = {}
        for each in read:
            if any(str(file).startswith("static/") for file, _ in each.occurrences):
                forms = each.msgstr_plural
                said[each.msgid] = [forms[at] for at in sorted(forms)] if each.msgid_plural else each.msgstr
        # As a block in a page: nothing in it may end that block.
        self.for_scripts = json.dumps(said, ensure_ascii=False).replace("<", "\\u003c")

    def sentence(self, english: str) -> str:
        """Return a sentence in this language."""
        return self._sentences.gettext(english)

    def counted(self, one: str, many: str, count: int) -> str:
        """Return the sentence for a count."""
        return self._sentences.ngettext(one, many, count)

    def number(self, written: str) -> str:
        """Return a number that English writes like this: `12,345.6`."""
        whole, point, rest = written.partition(".")
        digits = whole.replace(",", "")
        if len(digits.removeprefix("-")) < self._marks.least:
            whole = digits
        return whole.replace(",", self._marks.group) + (self._marks.decimal if point else "") + rest


_READ: dict[str, Catalogue] = {}


async def catalogue_of(tag: str) -> Catalogue:
    """Return the catalogue of a language that is not English."""
    found = _READ.get(tag)
    if found is None:
        found = _READ[tag] = await anyio.to_thread.run_sync(read_catalogue, tag)
    return found


def read_catalogue(tag: str) -> Catalogue:
    """Read the file of a language."""
    file = resources.files("handoffs.web.languages").joinpath("catalogues", f"{tag}.po")
    return Catalogue(tag, file.read_text(encoding="utf-8"))


def _compiled(binary: bytes) -> "GNUTranslations":
    from gettext import GNUTranslations

    return GNUTranslations(BytesIO(binary))
