"""Sends a message over SMTP: one connection for each, encrypted unless the server is this machine."""

from email.message import EmailMessage
from typing import TYPE_CHECKING

import anyio.to_thread

from handoffs.channels.chats.service import NotSent
from handoffs.channels.mailbox.outgoing import written
from handoffs.channels.mailbox.servers import Mailbox, Tls, context_of

if TYPE_CHECKING:
    from aiosmtplib import SMTPException

SECONDS = 30.0
"""How long a server may take for one step."""


async def send(message: EmailMessage, mailbox: Mailbox, *, seconds: float = SECONDS) -> None:
    """Send a message to the address that it is for. Raises NotSent."""
    import aiosmtplib

    server = mailbox.smtp
    context = await anyio.to_thread.run_sync(context_of, server)
    try:
        with anyio.fail_after(3 * seconds):
            await aiosmtplib.send(
                written(message),
                sender=mailbox.address,
                recipients=[str(message["To"])],
                hostname=server.host,
                port=server.port,
                username=server.user or None,
                password=server.password if server.user else None,
                local_hostname=mailbox.domain,  # else the name of this machine is looked up
                use_tls=server.tls is Tls.AT_ONCE,
                start_tls=server.tls is Tls.BY_COMMAND,
                tls_context=context,
                timeout=seconds,
            )
    except aiosmtplib.SMTPException as wrong:
        raise _refused(wrong) from None
    except (OSError, ValueError) as wrong:  # TimeoutError is an OSError
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
