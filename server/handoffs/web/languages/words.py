"""Words on a page, in the language of the request that is answered.

Templates say `_("Declined by {name}", name=…)`, and `n_` for what is counted; Python says `say` and `say_n`
(`core/sentences`), whose words become the reader's where they leave for the page: here. What a sentence holds is text:
a translation brings no HTML in, and a value only what is `Markup` already.
"""

from contextvars import ContextVar
from functools import lru_cache

from markupsafe import Markup, escape

from handoffs.core.sentences import Sentence
from handoffs.core.untrusted import inert_line
from handoffs.languages import spoken as said
from handoffs.languages.catalogue import Catalogue
from handoffs.languages.tags import ENGLISH

current: ContextVar[Catalogue | None] = ContextVar("current", default=None)
"""The catalogue of the request that is answered; None for English."""

_SAFE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;"})


def language() -> str:
    """Return the tag of the page's language."""
    catalogue = current.get()
    return ENGLISH if catalogue is None else catalogue.tag


def spoken(words: str) -> str:
    """Return words in the page's language; what is not `Sentence` as it is."""
    return said.spoken(words, current.get())


def finished(value: object) -> object:
    """Return what a template writes: words in the page's language, all else as it is."""
    return spoken(value) if isinstance(value, Sentence) else value


def sentence(english: str, /, **values: object) -> Markup:
    """Return a sentence of a template in the page's language, as HTML."""
    catalogue = current.get()
    found = english if catalogue is None else catalogue.sentence(english)
    return _filled(found, values) if values else _plain(found)


def counted(one: str, many: str, count: int, /, **values: object) -> Markup:
    """Return one of two sentences by a count, which is the value `count` of both, as HTML."""
    catalogue = current.get()
    english = one if count == 1 else many
    found = english if catalogue is None else catalogue.counted(one, many, count)
    return _filled(found, {"count": count, **values})


def known(words: str, width: int | None = None) -> Markup:
    """Return words as HTML, on one line if a width is given. What is no `Sentence` is marked as English."""
    found = spoken(words)
    shown = found if width is None else inert_line(found, width)
    if current.get() is None or isinstance(words, Sentence):
        return Markup(escape(shown))  # noqa: S704 - escaped
    return Markup('<span lang="en">{}</span>').format(shown)


def foreign() -> Markup:
    """Return the attribute of what an agent or a person wrote, whose language is not known to be the page's."""
    return Markup("") if current.get() is None else Markup(' lang=""')


def script_words() -> Markup:
    """Return the block in a page that the scripts take their words from; nothing for English."""
    catalogue = current.get()
    if catalogue is None:
        return Markup("")
    return Markup(  # noqa: S704 - our own catalogue, without an end tag
        f'<script type="application/json" id="words">{catalogue.for_scripts}</script>\n'
    )


def number(value: float, spec: str = ",") -> str:
    """Return a number as the page's language writes it."""
    return said.number(value, spec, current.get())


@lru_cache(maxsize=4096)
def _plain(text: str) -> Markup:
    return Markup(text.translate(_SAFE))  # noqa: S704 - just escaped


@lru_cache(maxsize=4096)
def _html_parts(text: str) -> tuple[tuple[str, str | None, str], ...]:
    return tuple((literal.translate(_SAFE), name, spec) for literal, name, spec in said.parts(text))


def _filled(text: str, values: dict[str, object]) -> Markup:
    made: list[str] = []
    for literal, name, spec in _html_parts(text):
        made.append(literal)
        if name is not None:
            value = values[name]
            made.append(value if isinstance(value, Markup) else str(escape(said.shown(value, spec, current.get()))))
    return Markup("".join(made))  # noqa: S704 - each part is escaped
