"""Elements that stand inside of sentences: names, code, times and links, as HTML whose content is escaped."""

from datetime import datetime

from markupsafe import Markup

from handoffs.core.display import stamp
from handoffs.core.untrusted import inert_line
from handoffs.web.languages.words import sentence, spoken


def name(text: str, width: int | None = 64) -> Markup:
    """Return a name, apart from the direction of the text around it."""
    return Markup("<bdi>{}</bdi>").format(inert_line(spoken(text), width))


def code(text: str) -> Markup:
    """Return the name of a tool, a server or an argument."""
    return Markup('<code dir="ltr">{}</code>').format(inert_line(text))


def of_server(tool: str, server: str) -> Markup:
    """Return a tool, and the server that it is of, where that is known."""
    called = code(tool)
    return sentence("{tool} of {server}", tool=called, server=code(server)) if server else called


def of_agent(text: str, kind: str) -> Markup:
    """Return a name of an agent or a folder, that a script finds by this kind."""
    return Markup('<bdi class="{}">{}</bdi>').format(kind, text)


def command(text: str) -> Markup:
    """Return what is typed into a terminal, or a condition, as it is written."""
    return Markup("<code>{}</code>").format(text)


def key(text: str) -> Markup:
    """Return a key of a keyboard."""
    return Markup("<kbd>{}</kbd>").format(text)


def emphasis(text: str) -> Markup:
    """Return the words of a button that a sentence names."""
    return Markup("<em>{}</em>").format(text)


def link(address: str, text: str) -> Markup:
    """Return a link."""
    return Markup('<a href="{}">{}</a>').format(address, text)


def time(at: datetime, text: str, kind: str = "at") -> Markup:
    """Return a time that a script shows in the reader's zone: `text` is what stands there without one."""
    return Markup('<time class="{}" datetime="{}">{}</time>').format(kind, stamp(at), spoken(text))
