"""One language besides English: its sentences, by the English ones, and how it writes numbers.

A catalogue is a PO file beside this module. It is read when a page or a message is first wanted in that language;
English reads none, and imports nothing for it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

import anyio.to_thread

if TYPE_CHECKING:  # only for another language than English
    from gettext import GNUTranslations


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """How a language writes numbers and times: what groups thousands, what parts the decimals. From CLDR."""

    group: str
    decimal: str
    least: int = 4
    """The least digits of a number that is grouped."""
    moment: str
    """A time to the minute, for `strftime`."""


MARKS: Mapping[str, Marks] = {
    "de": Marks(group=".", decimal=",", moment="%d.%m.%Y, %H:%M"),
    "es": Marks(group=".", decimal=",", least=5, moment="%d/%m/%Y, %H:%M"),
    "fr": Marks(group="\u202f", decimal=",", moment="%d/%m/%Y %H:%M"),
    "ja": Marks(group=",", decimal=".", moment="%Y/%m/%d %H:%M"),
    "zh-Hans": Marks(group=",", decimal=".", moment="%Y/%m/%d %H:%M"),
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

    def moment(self, at: datetime) -> str:
        """Return a time as this language writes it, to the minute, in UTC, and says so."""
        return f"{at.astimezone(UTC).strftime(self._marks.moment)} UTC"


_READ: dict[str, Catalogue] = {}


async def catalogue_of(tag: str) -> Catalogue | None:
    """Return the catalogue of a language; None for English, and for a tag that is not known."""
    if tag not in MARKS:
        return None
    found = _READ.get(tag)
    if found is None:
        found = _READ[tag] = await anyio.to_thread.run_sync(read_catalogue, tag)
    return found


def read_catalogue(tag: str) -> Catalogue:
    """Read the file of a language."""
    from importlib import resources

    file = resources.files("handoffs.languages").joinpath("catalogues", f"{tag}.po")
    return Catalogue(tag, file.read_text(encoding="utf-8"))


def _compiled(binary: bytes) -> "GNUTranslations":
    from gettext import GNUTranslations

    return GNUTranslations(BytesIO(binary))
