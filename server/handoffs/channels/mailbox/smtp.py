"""Sends messages over SMTP: one connection for each, encrypted unless the server is this machine."""

from email.message import EmailMessage
from ssl import SSLContext
from typing import TYPE_CHECKING

import anyio.to_thread

from handoffs.channels.chats.service import NotSent
from handoffs.channels.mailbox.outgoing import written
from handoffs.channels.mailbox.servers import Mailbox, Tls, context_of

if TYPE_CHECKING:
    from aiosmtplib import SMTPException

SECONDS = 30.0
"""How long a server may take for one step."""


class Outbox:
    """Sends the messages of a mailbox, one connection for each: they are rare, and servers end what is idle.

    The certificates of this machine are read once, and anew after a failure: it takes longer to read them than to send.
    """

    def __init__(self, mailbox: Mailbox, *, seconds: float = SECONDS) -> None:
        """Take the mailbox, and how long its server may take for one step."""
        self._mailbox, self._seconds = mailbox, seconds
        self._context: SSLContext | None = None

    async def send(self, message: EmailMessage) -> None:
        """Send a message to the address that it is for. Raises NotSent."""
        import aiosmtplib

        server = self._mailbox.smtp
        if self._context is None and server.tls is not Tls.NONE:
            self._context = await anyio.to_thread.run_sync(context_of, server)
        try:
            with anyio.fail_after(3 * self._seconds):
                await aiosmtplib.send(
                    written(message),
                    sender=self._mailbox.address,
                    recipients=[str(message["To"])],
                    hostname=server.host,
                    port=server.port,
                    username=server.user or None,
                    password=server.password if server.user else None,
                    local_hostname=self._mailbox.domain,  # else the name of this machine is looked up
                    use_tls=server.tls is Tls.AT_ONCE,
                    start_tls=server.tls is Tls.BY_COMMAND,
                    tls_context=self._context,
                    timeout=self._seconds,
                )
        except aiosmtplib.SMTPException as wrong:
            self._context = None
            raise _refused(wrong) from None
        except (OSError, ValueError) as wrong:  # TimeoutError is an OSError
            self._context = None
            raise NotSent(f"the mail server can't be reached ({type(wrong).__name__})") from None


def _refused(wrong: "SMTPException") -> NotSent:
    """Return what is said of an error, without what the server said: it may repeat an address or a name."""
    import aiosmtplib

    match wrong:
        case aiosmtplib.SMTPAuthenticationError():
            return NotSent(f"the mail server refuses the name or the password of the mailbox ({wrong.code})")
        case aiosmtplib.SMTPRecipientsRefused():
            return NotSent(f"the mail server refuses the address ({', '.join(str(e.code) for e in wrong.recipients)})")
        case aiosmtplib.SMTPResponseException():
            return NotSent(f"the mail server refuses the message ({wrong.code})")
        case _:
            return NotSent(f"the mail server can't be reached ({type(wrong).__name__})")
