"""The page of cards in the chat: the inbox's look, form and keys, in one document that loads nothing.

A host shows the document in a frame without an origin and without network. So the inbox's scripts and styles are
inlined, and the content policy allows only these, by their hashes.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from markupsafe import Markup

from handoffs.core.earlier_answer import AnswerInput
from handoffs.core.errors import AnswerRefused
from handoffs.core.model import Handoff
from handoffs.web.controls import PREFIX, note_of
from handoffs.web.edited_call import answer_in
from handoffs.web.markdown.code import highlight_css
from handoffs.web.pages import ASSETS, Pages

SCRIPTS = ("words", "times", "tell", "steady", "moments", "cards", "keys", "card_host", "card")
"""The scripts of the card, each after those that it imports."""

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class) (\w+))", re.MULTILINE)
_DARK = re.compile(r"^@media screen and \(prefers-color-scheme: dark\) \{\n(.*?)^\}\n", re.MULTILINE | re.DOTALL)


class CardPage:
    """Renders cards, with a clock for ages and deadlines."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Take the clock."""
        self._pages = Pages(now)

    def document(self) -> str:
        """Return the card without a question, as one HTML document that loads nothing."""
        return self._document

    def question(self, handoff: Handoff, earlier: Handoff | None = None) -> str:
        """Return an open question as HTML, with its form; one for a secret has no form.

        `earlier` is the recent handoff in which the same question was decided.
        """
        if handoff.question.form.secret:
            return self._pages.text("card_elsewhere.html", handoff=handoff)

        def before(_: Handoff) -> Handoff | None:
            return earlier

        looking: dict[str, object] = {"earlier": before, "you": handoff.caller.subject}
        return self._pages.text("_card.html", handoff=handoff, csrf=None, posted=None, problems={}, **looking)

    def outcome(self, handoff: Handoff) -> str:
        """Return an ended question as HTML."""
        return self._pages.text("card_outcome.html", handoff=handoff)

    def said(self, handoff: Handoff, posted: Mapping[str, Sequence[str]], earlier: Handoff | None) -> AnswerInput:
        """Return the answer in a form. Raises AnswerRefused."""
        return answer_in(handoff, posted, earlier)

    def note(self, posted: Mapping[str, Sequence[str]]) -> str:
        """Return the note in a form. Raises AnswerRefused."""
        return note_of(posted)

    def problems(self, wrong: AnswerRefused) -> dict[str, str]:
        """Return the error messages, by the names of the controls."""
        # A problem of no field has a name that is empty or starts with a blank.
        named = wrong.problems.items()
        return {PREFIX + name if name.strip() and name[0] != " " else name.strip(): why for name, why in named}

    @cached_property
    def _document(self) -> str:
        style, dark = _DARK.sub("", _asset("style.css")), "".join(_DARK.findall(_asset("style.css")))
        parts = {
            "style": f"\n{style}{highlight_css(False)}\n{_asset('card.css')}",
            "dark": f"\n{dark}{highlight_css(True)}\n",
            "script": _as_one_script(SCRIPTS),
        }
        for name, text in parts.items():
            # An end tag within the text would end the element; ours have none.
            if f"</{name}" in text.lower() or not text:
                raise ValueError(f"the card's {name} can't be written into a page")
        hashes = {f"{name}_hash": _hash(text) for name, text in parts.items()}
        written = {name: Markup(text) for name, text in parts.items()}  # noqa: S704 - our own files
        return self._pages.text("card.html", **written, **hashes)


def _asset(name: str) -> str:
    return ASSETS[name][0].decode()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _as_one_script(names: Sequence[str]) -> str:
    """Return modules as one, each in a scope of its own: an inline script can import nothing."""
    return "\n" + "".join(f"const m_{name} = (() => {{\n{_as_scope(_asset(f'{name}.js'))}}})();\n" for name in names)


def _as_scope(source: str) -> str:
    exported = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = m_\2;", source))
    if re.search(r"^(?:import|export)\b", body, re.MULTILINE):
        raise ValueError("a module of the card imports or exports in a way that is not foreseen")
    return f"{body}return {{ {exported} }};\n"
