"""A message that came, taken apart: who sent it, to what it is a reply, and what it says. Nothing in it is trusted.

Its head is read first. Its text is read only if our server vouches for its sender.
"""

import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from hashlib import sha256
from typing import cast

from handoffs.channels.mailbox.authenticity import vouched_for
from handoffs.channels.mailbox.marks import has_mark
from handoffs.channels.mailbox.outgoing import CODE_LINE, code_in
from handoffs.channels.mailbox.replied import text_of, unflowed, unquoted
from handoffs.channels.mailbox.servers import ADDRESS, MOST_ADDRESS, Mailbox

MOST_BYTES = 262_144
"""The most of a message that is fetched. What a person writes stands before what they attach."""

_MOST_HTML = 100_000
_MOST_DEPTH = 12
_MOST_REFERENCES = 10
_DISPLAY = r'(?:"(?:[^"\\]|\\.)*"|[^"\\(),:;<>@\[\]])*'
_FROM = re.compile(rf"\s*(?:{_DISPLAY}<\s*({ADDRESS.pattern})\s*>|({ADDRESS.pattern}))\s*", re.DOTALL)
_ID = re.compile(r"<[!-;=?-~]{1,250}>")
# They are no encodings of text, or take long for what is made for it.
_NO_CHARSETS = re.compile(r"idna|punycode|.*escape.*|undefined|mbcs|oem", re.IGNORECASE)
_BY_MACHINES = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What is read of a message before it is known whether it counts."""

    sender: str
    """The address it says it is from; empty where that can't be told for sure."""
    authentic: bool
    by_machine: bool
    """Whether a program has written it by itself: a vacation's reply, a bounce, a list."""
    name: str
    """The same for a message that is delivered again."""
    message_id: str
    references: tuple[str, ...]
    subject: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a message says."""

    text: str
    """What was written here; empty where nothing was, or where it is too long to be read whole."""
    code: str
    """The code of ours that it replies to; empty for none."""
    cut: bool = False
    """Whether it is too long to be read whole."""


def head_of(raw: bytes, mailbox: Mailbox) -> Head:
    """Return what the head of a message says."""
    message = BytesParser(policy=email.policy.compat32).parsebytes(raw, headersonly=True)
    # A server may see one header where the library, which also ends a line at CR or LF alone, sees two.
    head = raw.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"")
    sender = "" if any(each in head for each in (b"\r", b"\n", b"\0")) else _sender(message)
    found = _all(message, "Authentication-Results")
    ids = _ID.findall(" ".join([*_all(message, "In-Reply-To")[:1], *reversed(_ids(message, "References"))]))
    message_id = next(iter(_ids(message, "Message-ID")), "")
    return Head(
        sender=sender,
        authentic=bool(sender) and vouched_for(found, authserv=mailbox.authserv, domain=sender.rpartition("@")[2]),
        by_machine=_by_machine(message),
        name=sha256(f"{sender}\n{message_id}".encode() if message_id else raw).hexdigest()[:32],
        message_id=message_id,
        references=tuple(dict.fromkeys(ids))[:_MOST_REFERENCES],
        subject=_decoded_header(message),
    )


def said_in(raw: bytes, head: Head, mailbox: Mailbox, *, cut: bool) -> Said:
    """Return what a message says. `cut` says that `raw` is only its beginning."""
    message = BytesParser(policy=email.policy.compat32).parsebytes(raw)
    plain, html = list[Message](), list[Message]()
    leaves = [*_leaves(message, 0)]
    for leaf in leaves:
        (plain if leaf.get_content_type() == "text/plain" else html).append(leaf)
    whole, ends_early = "", False
    for part in plain:
        whole, ends_early = _plain(part), cut and part is leaves[-1]
        if whole.strip():
            break
    if not whole.strip() and html:
        page = _text(html[0])
        whole, ends_early = text_of(page[:_MOST_HTML]), len(page) > _MOST_HTML or (cut and html[0] is leaves[-1])
    code = next(filter(None, (code_in(each, mailbox) for each in head.references)), "")
    written = CODE_LINE.search(whole) if not code else None
    if written is not None:
        code = written[1]
    # Where a quote begins, all that was written here has been read.
    ends_early = ends_early and not has_mark(whole)
    text = "" if ends_early else unquoted(whole, own=mailbox.address)
    return Said(text=text, code=code, cut=ends_early)


def _sender(message: Message) -> str:
    """Return the one address of the one From; empty where there are several, or it can be read in two ways."""
    found = _all(message, "From")
    match = _FROM.fullmatch(found[0]) if len(found) == 1 and len(found[0]) < 2_000 else None
    if match is None:
        return ""
    address = match[1] or match[2]
    return address.lower() if len(address) <= MOST_ADDRESS else ""


def _by_machine(message: Message) -> bool:
    auto = " ".join(_all(message, "Auto-Submitted")).partition(";")[0].strip().lower()
    return (
        auto not in ("", "no")
        or " ".join(_all(message, "Precedence")).strip().lower() in _BY_MACHINES
        or any(each in message for each in ("List-Id", "X-Autoreply", "X-Autorespond", "X-Failed-Recipients"))
        or message.get_content_type() == "multipart/report"
        or any(each.strip() == "<>" for each in _all(message, "Return-Path"))
    )


def _leaves(message: Message, depth: int) -> Iterator[Message]:
    """Yield the parts with text, without those that are attached or are messages of their own."""
    if message.get_content_disposition() == "attachment" or depth > _MOST_DEPTH:
        return
    kind = message.get_content_type()
    if message.get_content_maintype() == "multipart":
        parts: object = message.get_payload()
        for part in cast("list[object]", parts) if isinstance(parts, list) else []:
            if isinstance(part, Message):
                yield from _leaves(cast("Message", part), depth + 1)
    elif kind in ("text/plain", "text/html"):
        yield message


def _plain(part: Message) -> str:
    text = _text(part)
    if str(part.get_param("format", "")).lower() != "flowed":
        return text
    return unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")


def _text(part: Message) -> str:
    content: object = part.get_payload(decode=True)
    raw = content if isinstance(content, bytes) else b""
    charset = part.get_content_charset("utf-8")
    try:
        if _NO_CHARSETS.fullmatch(charset):
            raise LookupError(charset)
        text = raw.decode(charset, errors="replace")
    except (LookupError, ValueError):
        text = raw.decode("utf-8", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded_header(message: Message) -> str:
    parts: list[str] = []
    written = " ".join(_all(message, "Subject")[:1])[:1_000]
    try:
        for part, charset in decode_header(written):
            if isinstance(part, str):
                parts.append(part)
            elif not _NO_CHARSETS.fullmatch(charset or "ascii"):
                parts.append(part.decode(charset or "ascii", errors="replace"))
    except (LookupError, ValueError):
        return ""
    return " ".join("".join(parts).split())


def _ids(message: Message, name: str) -> list[str]:
    return _ID.findall(" ".join(_all(message, name))[:20_000])


def _all(message: Message, name: str) -> list[str]:
    """Return the values of a header, the topmost first, unfolded."""
    return [re.sub(r"\r?\n", "", str(each)) for each in message.get_all(name, [])]
