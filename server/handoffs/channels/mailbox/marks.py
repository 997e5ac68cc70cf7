"""What stands in each message that takes a reply: its first line, and what names its code, in each language.

A reply quotes them, months later and from a mail program that we don't know, and is taken apart by them. So a line that
was once sent is never changed here, and a message of any language is understood, whatever the chat speaks by then.
"""

from collections.abc import Mapping

MARKS: Mapping[str, str] = {
    "en": "== Write your answer above this line ==",
    "de": "== Schreiben Sie Ihre Antwort über diese Zeile ==",
    "es": "== Escriba su respuesta encima de esta línea ==",
    "fr": "== Écrivez votre réponse au-dessus de cette ligne ==",
    "ja": "== この行より上に回答を書いてください ==",
    "zh-Hans": "== 请在此行上方写下您的回答 ==",
}
"""The first line of a message, by the tag of its language: what a person writes stands above it."""

CODES: Mapping[str, str] = {
    "en": "Code of this message",
    "de": "Code dieser Nachricht",
    "es": "Código de este mensaje",
    "fr": "Code de ce message",
    "ja": "このメッセージのコード",
    "zh-Hans": "此消息的代码",
}
"""What stands before the code, which is in the last line."""


def has_mark(text: str) -> bool:
    """Return whether a text has the first line of a message of ours."""
    return any(mark in text for mark in MARKS.values())
