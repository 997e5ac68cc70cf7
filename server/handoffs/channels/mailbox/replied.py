"""What a person wrote in a reply, without what they quoted, and without their signature.

Libraries for this know the words of some languages, and were tried: mail-parser-reply 1.36 takes minutes for a text of
60 kB that is made for it, and drops answers such as `- one`; quotequail 0.5 keeps the line before a quote in half of
the languages. We know what is quoted: our own message. Its first line and our address are in it, in every language.
"""

import re
from collections.abc import Sequence
from html.parser import HTMLParser

from handoffs.channels.mailbox.marks import has_mark

_QUOTED = re.compile(r"\s*>")
_RULE = re.compile(r"\s*(?:-{5,}[^-\n]{3,60}-{5,}|_{20,}|-{20,})\s*")
"""`-----Original Message-----`, and the line above Outlook's headers."""
_HEADER = re.compile(r"[*\s]*[^\s\d:*\uff1a][^\d:\n\uff1a]{0,24}[:\uff1a]\*?\s*\S.*")
"""`From: …`, in any language."""
_TIME = re.compile(r"\d{1,2}[:.]\d{2}")
_SENT_FROM = re.compile(
    r"(?:sent from|sent with|get outlook|von meinem|gesendet|envoyé|enviado|inviato|verzonden|skickat|sendt fra|"
    r"wysłane|отправлено)\b.{0,80}|"
    # Without a space between words.
    r"(?:发自|發自|来自|來自)(?:我的)?\s?(?:iphone|ipad|android|galaxy|huawei|xiaomi|outlook)[^.。]{0,30}|(?:iphone|ipad|android|galaxy|xperia|outlook)[^.。]{0,30}から送信|"
    r"(?:나의 |내 )?(?:iphone|ipad|android|갤럭시|galaxy)[^.]{0,30}에서 보냄\.?",
    re.IGNORECASE,
)


def unquoted(text: str, *, own: str) -> str:
    """Return what was written here. `own` is our address, which stands where a mail program begins to quote us."""
    kept = _written("\n".join(text.splitlines()).split("\n"), own.casefold())
    while kept and not kept[-1].strip():
        kept.pop()
    if len(kept) > 2 and not kept[-2].strip() and _SENT_FROM.fullmatch(kept[-1].strip()):
        kept.pop()
    return "\n".join(line.rstrip() for line in kept).strip()


def _written(lines: Sequence[str], own: str) -> list[str]:
    kept: list[str] = []
    for number, line in enumerate(lines):
        following = next((each for each in lines[number + 1 : number + 6] if each.strip() and not _rule(each)), "")
        if _QUOTED.match(line):
            if number and not _QUOTED.match(lines[number - 1]):
                _drop_introduction(kept, own)
            continue
        if line.replace("\u00a0", " ") in ("--", "-- "):
            break  # a signature
        if has_mark(line):
            _drop_introduction(kept, own)
            break
        if _rule(line) and _HEADER.fullmatch(following):
            break
        if own in line.casefold() and not _QUOTED.match(following):
            if line.rstrip().endswith((":", "\uff1a")):
                kept.append(line)
                _drop_introduction(kept, own)
                break
            if _HEADER.fullmatch(line):
                while kept and kept[-1].strip() and _HEADER.fullmatch(kept[-1]):
                    kept.pop()
                break
        kept.append(line)
    return kept


def _rule(line: str) -> bool:
    return _RULE.fullmatch(line) is not None


def _drop_introduction(kept: list[str], own: str) -> None:
    """Drop `On …, … wrote:` above a quote: one to three lines with our address and a time, or one with a colon."""
    while kept and not kept[-1].strip():
        kept.pop()
    for count in range(1, 4):
        lines = kept[-count:]
        if len(lines) < count or not lines[0].strip():
            break
        whole = " ".join(lines).casefold()
        if own in whole and _TIME.search(whole):
            del kept[-count:]
            return
    if kept and (
        own in kept[-1].casefold() or (re.search(r"\d", kept[-1]) and kept[-1].rstrip().endswith((":", "\uff1a")))
    ):
        kept.pop()


def unflowed(text: str, *, delete_space: bool) -> str:
    """Return a text of `format=flowed` with its paragraphs in one line each (RFC 3676)."""
    made: list[str] = []
    open_at = -1  # the depth of the quote of a paragraph that goes on; -1 for none
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        content = line[depth:].removeprefix(" ")
        flows = content.endswith(" ") and content != "-- "
        if content == "-- ":
            open_at = -1
        shown = content[:-1] if flows and delete_space else content
        if open_at == depth:
            made[-1] += shown
        else:
            made.append(f"{'>' * depth}{' ' if depth else ''}{shown}")
        open_at = depth if flows else -1
    return "\n".join(made)


_BLOCKS = frozenset(
    {"p", "div", "br", "hr", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"}
)
_LEFT_OUT = frozenset({"script", "style", "title", "template", "svg", "math", "object", "iframe", "select", "noscript"})
_OUTLOOK = frozenset({"appendonsend", "divRplyFwdMsg", "mail-editor-reference-message-container"})
"""The names of what Outlook writes above the headers of what it quotes."""


class _Text(HTMLParser):
    """Collects the text of a page, with `>` before what is quoted."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines = [""]
        self._open: list[tuple[str, bool]] = []  # each open block, and whether it is a quote
        self._quotes = self._kept_lines = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        named = {name: value or "" for name, value in attrs}
        if self.lines[-1] or tag == "br":
            self.lines.append("")
        if tag == "p":
            self._space()
        if tag == "hr" or named.get("id") in _OUTLOOK:
            self.lines += ["_" * 32, ""]
        if tag not in ("br", "hr"):
            is_quote = tag == "blockquote" or "gmail_quote" in named.get("class", "").split()
            self._open.append((tag, is_quote))
            self._quotes += is_quote
            self._kept_lines += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        if tag in ("br", "hr") or not self._open:
            return
        opened, is_quote = self._open.pop()
        self._quotes -= is_quote
        self._kept_lines -= opened == "pre"
        if self.lines[-1]:
            self.lines.append("")
        if tag == "p":
            self._space()

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._kept_lines:
            first, *more = data.replace("\r\n", "\n").split("\n")
            mark = "> " if self._quotes else ""
            self.lines[-1] = f"{self.lines[-1] or mark}{first}"
            self.lines += [f"{mark}{line}" for line in more]
            return
        words = re.sub(r"[ \t\r\n\f]+", " ", data)
        if self.lines[-1]:
            self.lines[-1] += words
        elif words.strip():
            self.lines[-1] = ("> " if self._quotes else "") + words.lstrip(" ")

    def _space(self) -> None:
        if len(self.lines) > 1 and self.lines[-2]:
            self.lines.append("")


def text_of(html: str) -> str:
    """Return the text of HTML, with `>` before each line of a quote. Scripts, styles and images are left out.

    The standard library's parser takes a minute for 250 kB of `<!--`. So nh3 writes the HTML anew first, in order.
    """
    import nh3

    attributes = {each: {"id", "class"} for each in _BLOCKS}
    reader = _Text()
    reader.feed(nh3.clean(html, tags=set(_BLOCKS), attributes=attributes, clean_content_tags=set(_LEFT_OUT)))
    reader.close()
    return "\n".join(line.replace("\u00a0", " ").rstrip() for line in reader.lines)
