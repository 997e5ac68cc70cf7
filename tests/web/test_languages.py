"""The languages of the inbox: every sentence in each, the one that a browser gets, and what no language changes."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.core import Locale
from babel.dates import format_skeleton
from babel.numbers import format_decimal

from handoffs.core.display import event_words
from handoffs.core.sentences import say, say_n
from handoffs.languages.catalogue import Catalogue, read_catalogue
from handoffs.languages.tags import LANGUAGES
from handoffs.web.languages.accepted import wanted
from handoffs.web.languages.speaking import picked
from handoffs.web.languages.words import counted, current, known, number, sentence, spoken
from tests.web.words import CATALOGUES, TAGS, WEB, Sentence, catalogue, sentences, written

PLACE = re.compile(r"\{[^}]*\}")

SAME = frozenset(
    {
        *("Agent", "Server", "Argument", "Passkeys", "Passkey", "Laptop", "Median", "median", "optional", "Note"),
        *("Ctrl", "Enter", "Shift", "Esc", "Pages", "Question", "Vote", "Problem", "Form {number}", "Groups"),
        *("{count} minute", "{count} minutes", "Question {id}", "Question {id}, action {digest}"),
        *("{number} min", "active", "secret", "in", "in {folder}", "in {answer}", "No", "no", "Id"),
    }
)
"""Sentences that may be the same in another language."""

DECIDING = (
    *(
        "Allow",
        "Allow once",
        "Deny",
        "Decline",
        "Answer",
        "Undo",
        "Stop everything",
        "End the stop",
        "Revoke",
        "Resume",
    ),
    *("Remove", "Allow all that is shown", "Deny all…", "Deny with this reason", "Allow with this", "Answer with this"),
    *("Stop the recovery", "Give the same answer again", "Remember"),
)
"""The words of what is pressed: no two may be the same, whatever the language."""


@pytest.fixture(scope="module")
def said() -> dict[Sentence, list[str]]:
    return sentences()


@pytest.mark.parametrize("tag", TAGS)
def test_every_sentence_is_translated_with_its_own_places(
    tag: str, said: dict[str | tuple[str, str], list[str]]
) -> None:
    found = {each.id: each for each in catalogue(tag) if each.id}
    assert set(found) == set(said)
    wrong: list[str] = []
    for each in found.values():
        english, forms = _forms(each.id), _forms(each.string)
        for at, form in enumerate(forms):
            source = english[at] if len(forms) == len(english) else english[-1]
            if sorted(PLACE.findall(form)) != sorted(PLACE.findall(source)) or not form.strip() or "<" in form:
                wrong.append(f"{source} => {form}")
            if form == source and source not in SAME and re.search("[A-Za-z]{2}", PLACE.sub("", source)):
                wrong.append(f"{source} is as in English")
    assert wrong == []


@pytest.mark.parametrize("tag", TAGS)
def test_a_catalogue_is_as_make_words_writes_it(tag: str) -> None:
    assert written(tag) == (CATALOGUES / f"{tag}.po").read_text(encoding="utf-8")


@pytest.mark.parametrize("tag", TAGS)
def test_no_two_buttons_have_the_same_word(tag: str) -> None:
    found = read_catalogue(tag)
    words = [found.sentence(each) for each in DECIDING]
    assert len(set(words)) == len(words)
    assert {found.sentence("Allowed."), found.sentence("Denied.")} == {
        found.sentence("Allowed."),
        found.sentence("Denied."),
    }
    assert found.sentence("Allowed.") != found.sentence("Denied.")


class _Texts(HTMLParser):
    """Finds what a template says outside of its expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("code", "kbd", "script", "style"):
            self.inside.append(tag)
        self.texts += [value or "" for name, value in attrs if name in ("title", "aria-label", "placeholder")]

    def handle_endtag(self, tag: str) -> None:
        if tag in self.inside:
            self.inside.remove(tag)

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.texts.append(data)


_EXPRESSIONS = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_UNSEEN = re.compile(r"\{% block page %\}\w+|^aria-.*$", re.MULTILINE)
"""The name of a page for its script, and attributes that a macro returns."""


def test_templates_say_nothing_but_sentences() -> None:
    names = {"Handoffs", "CSV", "JSON", "UTC", "SHA"}
    found: list[str] = []
    for path in sorted((WEB / "templates").glob("*.html")):
        if path.name == "card.html":
            continue  # the card in a chat, whose reader's language no host tells
        page = _Texts()
        source = path.read_text(encoding="utf-8")
        page.feed(_EXPRESSIONS.sub(" ", _UNSEEN.sub("", source)))
        words = {word for text in page.texts for word in re.findall("[A-Za-z]{2,}", text)}
        found += [f"{path.name}: {word}" for word in sorted(words - names)]
        # Texts inside of expressions: a sentence has a blank and small letters.
        plain = re.sub(r'\b(?:_|n_)\((?:"(?:[^"\\]|\\.)*",? ?)+', "", source)
        texts = [text for each in re.findall(r"\{\{(.*?)\}\}", plain) for text in re.findall(r'"([^"]*)"', each)]
        found += [f"{path.name}: {text}" for text in texts if _WORDS.search(text) and not text.startswith("handoffs ")]
    assert found == []


_CALLED = re.compile(r"""(?:querySelector(?:All)?|matches|closest|\?\.closest|request|getItem)\(\s*["'`][^"'`]*["'`]""")
_NAMED = re.compile(
    r"""className(?: =|:) (?:"[^"]*"|[^;,]*;)|^(?:const|let) [A-Z]+ = "[^"]*";$|\["handoffs[^\]]*\]""", re.MULTILINE
)
_STRING = re.compile(r"""(\b(?:_|n_|pieces|n_pieces)\()?"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`""")
_WORDS = re.compile(r"[A-Za-z’']{2,}[,.:;]? [a-z]{2,}")


def test_scripts_say_nothing_but_sentences(said: dict[Sentence, list[str]]) -> None:
    # The card in a chat, whose reader's language no host tells, and what says nothing.
    silent = {"card.js", "card_host.js", "service-worker.js", "key.js", "words.js"}
    found: list[str] = []
    for path in sorted((WEB / "static").glob("*.js")):
        source = re.sub(r"^\s*//.*$|(?<=[;{}]) // .*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        here = [part for each, files in said.items() if f"static/{path.name}" in files for part in _forms(each)]
        for _, plain, template in _STRING.findall(_NAMED.sub("", _CALLED.sub("", source))):
            text = plain or template
            if path.name in silent or not _WORDS.search(text) or re.search(r"[\[{(]", text):
                continue
            if text not in {*here, "signed out"}:  # which one tab tells another
                found.append(f"{path.name}: {text}")
    assert found == []


def _forms(message: object) -> tuple[str, ...]:
    return tuple(map(str, message)) if isinstance(message, tuple | list) else (str(message),)


@pytest.mark.parametrize("tag", TAGS)
def test_numbers_are_written_as_unicode_has_it(tag: str) -> None:
    token = current.set(read_catalogue(tag))
    try:
        for each in (7, 999, 12345, 1234567):
            assert number(each) == format_decimal(each, locale=tag.replace("-", "_"))
        assert (number(1000) == "1000") == (tag == "es")  # Unicode groups no four digits there; Babel does
        assert number(1.5, "g") == format_decimal(1.5, locale=tag.replace("-", "_"))
    finally:
        current.reset(token)


@pytest.mark.parametrize("tag", TAGS)
def test_times_are_written_as_unicode_has_it(tag: str) -> None:
    at, locale = datetime(2031, 11, 22, 19, 30, 59, tzinfo=UTC), Locale.parse(tag.replace("-", "_"))
    date, time = (format_skeleton(each, at, locale=locale) for each in ("yMd", "Hm"))
    together = str(locale.datetime_formats["short"]).format(time, date)
    assert read_catalogue(tag).moment(at.astimezone(ZoneInfo("Asia/Tokyo"))) == f"{together} UTC"
    # With two digits each, so that times under each other are even.
    assert "03" in read_catalogue(tag).moment(datetime(2031, 2, 3, 4, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("tag", "zero", "one", "two"),
    [
        ("de", "0 neue Fragen", "1 neue Frage", "2 neue Fragen"),
        ("es", "0 preguntas nuevas", "1 pregunta nueva", "2 preguntas nuevas"),
        ("fr", "0 nouvelle question", "1 nouvelle question", "2 nouvelles questions"),
        ("ja", "新しい質問 0 件", "新しい質問 1 件", "新しい質問 2 件"),
        ("zh-Hans", "0 个新问题", "1 个新问题", "2 个新问题"),
    ],
)
def test_each_language_counts_in_its_own_way(tag: str, zero: str, one: str, two: str) -> None:
    token = current.set(read_catalogue(tag))
    try:
        counts = [counted("{count} new question", "{count} new questions", each) for each in (0, 1, 2)]
    finally:
        current.reset(token)
    assert counts == [zero, one, two]


@pytest.mark.parametrize(
    ("accept", "tag"),
    [
        ("", "en"),
        ("*", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at;q=0.5, es;q=0.4", "de"),
        ("pt-BR,pt;q=0.9,es;q=0.8,en;q=0.7", "es"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"),
        ("de;q=0, fr;q=0.1", "fr"),
        ("de;q=0.1,ja;q=0.2", "ja"),
        ("es-419", "es"),
        ("zh-CN,zh;q=0.9", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("zh-Hans-TW", "zh-Hans"),
        ("zh-SG", "zh-Hans"),
        ("zh-TW", "en"),
        ("zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", "en"),
        ("zh-Hant-HK,zh-Hant;q=0.9,ja;q=0.8", "ja"),
        ("zh-HK,zh-CN;q=0.9", "zh-Hans"),
        ("xx,yy;q=0.9", "en"),
        ("de;q=nan,fr;q=2,es;q=-1,ja;q=0.1", "ja"),
        ("de;level=1", "en"),
        (";;;,,=,q=1,\x00", "en"),
        ("xx," * 4000 + "de", "en"),
        ("de," + "x" * 10_000, "de"),
    ],
)
def test_the_browser_gets_the_language_that_it_prefers(accept: str, tag: str) -> None:
    assert wanted("", accept) == tag
    assert wanted("rubbish", accept) == tag
    assert wanted("fr", accept) == "fr"


@pytest.mark.parametrize(
    ("cookies", "tag"),
    [
        ("handoffs_language=de", "de"),
        ("a=b; handoffs_language=ja; c=d", "ja"),
        ("handoffs_language=", ""),
        ("handoffs_language", ""),
        ("handoffs_language=../../etc/passwd", "../../etc/passwd"),
        ("x=" + "y" * 9000 + "; handoffs_language=de", ""),
    ],
)
def test_a_cookie_names_the_language_and_rubbish_names_none(cookies: str, tag: str) -> None:
    assert picked(cookies) == tag
    assert wanted(picked(cookies), "es") == (tag if tag in LANGUAGES else "es")


def test_a_sentence_is_its_english_text_wherever_it_goes() -> None:
    words = say("{what} by {name}", what=say("Answered"), name="ada")
    assert (words, f"{words}.", words.count("e"), repr(words)) == (
        "Answered by ada",
        "Answered by ada.",
        2,
        "'Answered by ada'",
    )
    assert str(ValueError(words)) == "Answered by ada"
    assert say_n("{count} call", "{count} calls", 2) == "2 calls"
    token = current.set(read_catalogue("de"))
    try:
        assert spoken(str(ValueError(words))) == "Beantwortet von ada"
        assert event_words("answered", {"by": "ada"}) == "Answered by ada"  # the log's, whatever a page speaks
    finally:
        current.reset(token)


def test_a_translation_brings_no_html_in_and_a_value_only_as_it_is() -> None:
    evil = Catalogue("de", 'msgid "Hello {name}"\nmsgstr "<b>Hallo</b> \\"{name}\\""\n')
    token = current.set(evil)
    try:
        assert sentence("Hello {name}", name="<i>&") == "&lt;b&gt;Hallo&lt;/b&gt; &#34;&lt;i&gt;&amp;&#34;"
        assert known("what a store says") == '<span lang="en">what a store says</span>'
        assert "</script" not in evil.for_scripts
    finally:
        current.reset(token)


def test_english_pages_read_no_catalogue() -> None:
    code = (
        "import sys, handoffs.web.inbox, handoffs.serving.inbox\n"
        "assert not {'polib', 'babel'} & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_language_of_the_table_has_a_catalogue() -> None:
    assert {each.stem for each in Path(CATALOGUES).glob("*.po")} == set(LANGUAGES) - {"en"} == set(TAGS)
