"""The messages of a mailbox: plain text, marked as written by a program, each in the thread of its question.

A message is named after a secret of its chat and the name of the question, so it can be named again by whoever has
both: the same message that is sent twice is one message to mail programs, and what follows is in its thread. The name
of a question's message is its code, too.
"""

import hmac
import quopri
import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from typing import cast

from handoffs.channels.mailbox.marks import CODES, MARKS
from handoffs.channels.mailbox.servers import Mailbox
from handoffs.core.untrusted import inert_line
from handoffs.languages.tags import ENGLISH

NAME = "Handoffs"

_WORDS = "|".join(map(re.escape, CODES.values()))
CODE_LINE = re.compile(rf"^[> \t]*(?:{_WORDS}): ([0-9a-f]{{32}})[ \t]*$", re.MULTILINE)
"""Where a reply quotes the code: some servers change the name of a message. Agents' words never begin a line."""

_MOST_SUBJECT = 150
_TEXT = {
    "MIME-Version": "1.0",
    "Content-Type": 'text/plain; charset="utf-8"',
    "Content-Transfer-Encoding": "quoted-printable",
}
# With a shorter one, the library writes the long name of a message as an encoded word, which names nothing.
_WRITTEN = SMTP.clone(max_line_length=900)


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """What a message follows, by the names of messages."""

    before: str = ""
    all: tuple[str, ...] = ()


def code_of(secret: str, key: str) -> str:
    """Return the code of a message: 128 bits that only who has the secret can work out."""
    return _digest(secret, f"code {key}")


def code_in(message_id: str, mailbox: Mailbox) -> str:
    """Return the code in the name of a message of ours; empty where it is none."""
    found = re.fullmatch(rf"<q\.([0-9a-f]{{32}})@{re.escape(mailbox.domain)}>", message_id, re.IGNORECASE)
    return "" if found is None else found[1].lower()


def name_of_question(code: str, mailbox: Mailbox) -> str:
    """Return the `Message-ID` of a question."""
    return f"<q.{code}@{mailbox.domain}>"


def name_of_other(secret: str, content: str, mailbox: Mailbox) -> str:
    """Return the `Message-ID` of a message that is no question, and takes no reply."""
    return f"<n.{_digest(secret, f'other {content}')}@{mailbox.domain}>"


def message_to(
    address: str,
    mailbox: Mailbox,
    *,
    name: str,
    subject: str,
    body: str,
    at: datetime,
    thread: Thread | None = None,
    replied: bool = False,
    code: str = "",
    language: str = ENGLISH,
) -> EmailMessage:
    """Return a message. With `code`, it takes a reply, and says so in a language; `replied`: it is one itself."""
    message = EmailMessage(policy=SMTP)
    message["From"] = _header("From", f"{NAME} <{mailbox.address}>")
    message["To"] = _header("To", address)
    message["Subject"] = inert_line(subject, _MOST_SUBJECT) or NAME
    message["Date"] = format_datetime(at)
    message["Message-ID"] = name
    if thread is not None and thread.before:
        message["In-Reply-To"] = thread.before
        message["References"] = " ".join(dict.fromkeys([*thread.all, thread.before]))
    # RFC 3834, and what Exchange understands: no vacation's reply to it.
    message["Auto-Submitted"] = _header("Auto-Submitted", "auto-replied" if replied else "auto-generated")
    message["X-Auto-Response-Suppress"] = _header("X-Auto-Response-Suppress", "All")
    parts = [MARKS[language], body, f"{CODES[language]}: {code}"] if code else [body]
    lines = "\n\n".join(parts).encode().splitlines()
    # `set_content` would read its own headers again and again.
    for kind, value in _TEXT.items():
        message[kind] = _header(kind, value)
    message.set_payload(quopri.encodestring(b"\n".join([*lines, b""])).decode("ascii"))
    return message


@lru_cache(maxsize=64)
def _header(name: str, value: str) -> str:
    """Return a header as the library reads it, which takes longer than all else of a short message.

    Raises:
        ValueError: The value has a line end, which would begin another header.
    """
    return cast("str", SMTP.header_store_parse(name, value)[1])


def written(message: EmailMessage) -> bytes:
    """Return a message as it is sent."""
    return message.as_bytes(policy=_WRITTEN)


def _digest(secret: str, content: str) -> str:
    return hmac.new(secret.encode(), content.encode(errors="replace"), "sha256").hexdigest()[:32]
