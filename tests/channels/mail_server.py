"""A mail server: Debian's Dovecot, which is read, and aiosmtpd, which takes what is sent; and people who write back.

What people write is delivered into the mailbox as an MTA does it: into the Maildir, with `Return-Path`, `Received` and
the `Authentication-Results` of its own on top. The rules of who is authentic are an MTA's affair: tests say the result.
"""

import asyncio
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from handoffs.channels.chats.line import PAIRED
from handoffs.channels.chats.service import Kind
from handoffs.channels.mail import Pace, kind_of
from handoffs.languages.catalogue import read_catalogue
from handoffs.languages.spoken import spoken
from tests.waiting import until

DOVECOT = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin")
ADDRESS = "handoffs@example.org"
AUTHSERV = "mx.example.org"
PASSWORD = 'pa55 "word\\ä'
SETTINGS = {
    "email_smtp": "smtp://127.0.0.1:1",
    "email_imap": "imap://handoffs@127.0.0.1:1",
    "email_address": ADDRESS,
    "email_authserv": AUTHSERV,
    "email_password": PASSWORD,
}
"""The settings of a mailbox, of which no server is there."""

ELSEWHERE = "127.0.0.2"
"""An address of this machine that is not known as its own: TLS is demanded there."""

_CONFIG = """
base_dir = {run}/base
log_path = {run}/log
protocols = imap
listen = 127.0.0.1, 127.0.0.2
ssl = yes
ssl_cert = <{run}/cert.pem
ssl_key = <{run}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{run}/mail
mail_fsync = never
first_valid_uid = 0
{users}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {run}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={run}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
protocol imap {{
  imap_capability = {capability}
}}
"""


@dataclass
class MailServer:
    """Both servers, and what came."""

    run: Path
    imap: int
    imaps: int
    smtp: int = 0
    smtps: int = 0
    starttls: int = 0
    sent: list[EmailMessage] = field(default_factory=list[EmailMessage])
    """What we have sent, in its order."""
    refuses: str = ""
    """What the server says instead of taking a message."""
    slow: float = 0.0
    logins: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    process: "subprocess.Popen[bytes] | None" = None
    _delivered: int = 0

    def settings(self, **more: str) -> dict[str, str]:
        """The settings of this mailbox, over plain connections on this machine."""
        own = {"email_smtp": f"smtp://127.0.0.1:{self.smtp}", "email_imap": f"imap://handoffs@127.0.0.1:{self.imap}"}
        return SETTINGS | own | more

    def kinds(self, pace: Pace | None = None, /, **more: str) -> dict[str, Kind]:
        kind = kind_of(self.settings(**more), pace=pace)
        assert kind is not None
        return {"email": kind}

    # SMTP

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.refuses:
            return self.refuses
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        assert envelope.mail_from == ADDRESS
        assert envelope.rcpt_tos == [letter["To"]]
        assert max(map(len, envelope.content.split(b"\r\n"))) <= 998
        self.sent.append(letter)
        return "250 Taken"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = data.login.decode(), data.password.decode()
        self.logins.append(given)
        return AuthResult(success=given == ("handoffs", PASSWORD))

    # The mailbox

    def deliver(self, raw: bytes, folder: str = "") -> None:
        """Deliver bytes as they are."""
        self._delivered += 1
        name = f"{1_800_000_000 + self._delivered}.{token_hex(4)}.test"
        box = self.run / "mail" / folder
        (box / "tmp" / name).write_bytes(raw)
        os.chown(box / "tmp" / name, *_user())
        (box / "tmp" / name).rename(box / "new" / name)

    def start(self) -> None:
        assert DOVECOT is not None
        self.process = subprocess.Popen([DOVECOT, "-F", "-c", self.run / "dovecot.conf"])

    async def listens(self) -> None:
        def open_() -> bool:
            with socket.socket() as tried:
                return tried.connect_ex(("127.0.0.1", self.imap)) == 0

        await until(open_)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


@dataclass(frozen=True)
class Writer:
    """A person with an e-mail address."""

    server: MailServer
    address: str

    @property
    def mail(self) -> list[EmailMessage]:
        return [each for each in self.server.sent if each["To"] == self.address]

    async def shown(self, words: str) -> EmailMessage:
        return await until(lambda: next((each for each in self.mail if words in text_of(each)), None))

    def letter(self, text: str, *, subject: str = "Hello", **headers: str) -> EmailMessage:
        made = EmailMessage(policy=policy.SMTP)
        made["From"] = headers.pop("From", f"Ada <{self.address}>")
        made["To"] = ADDRESS
        made["Subject"] = subject
        made["Message-ID"] = headers.pop("Message_ID", make_msgid(domain="example.com"))
        for name, value in headers.items():
            made[name.replace("_", "-")] = value
        made.set_content(text)
        return made

    def answer(self, asked: EmailMessage, text: str, *, quoted: bool = True, **headers: str) -> EmailMessage:
        """A reply, as a mail program writes it."""
        quote = "".join(f"> {line}\n" for line in text_of(asked).splitlines())
        introduced = f"\n\nOn Mon, Nov 30, 2026 at 3:31 AM Handoffs <{ADDRESS}> wrote:\n\n{quote}" if quoted else "\n"
        earlier = f"{asked['References'] or ''} {asked['Message-ID']}".strip()
        headers = {"In_Reply_To": str(asked["Message-ID"]), "References": earlier} | headers
        return self.letter(f"{text}{introduced}", subject=f"Re: {asked['Subject']}", **headers)

    def post(self, letter: EmailMessage | bytes, results: str | None = None, *, returned: str = "") -> None:
        """Deliver a letter as the server does once it has looked at where it is from."""
        domain = self.address.rpartition("@")[2]
        if results is None:
            results = f"{AUTHSERV}; dkim=pass header.d={domain}; dmarc=pass (p=none) header.from={domain}"
        own = f"Authentication-Results: {results}\r\n" if results else ""
        head = (
            f"Return-Path: <{returned or self.address}>\r\n"
            f"Received: by {AUTHSERV} (LMTP) id 1; Mon, 30 Nov 2026 03:31:24 +0000\r\n{own}"
            f"Received: from out.example.com by {AUTHSERV} with ESMTPS id 2; Mon, 30 Nov 2026 03:31:23 +0000\r\n"
        )
        self.server.deliver(head.encode() + (letter if isinstance(letter, bytes) else letter.as_bytes()))

    def reply(self, asked: EmailMessage, text: str, **headers: str) -> None:
        self.post(self.answer(asked, text, quoted=True, **headers))

    def at(self, address: str) -> "Writer":
        return replace(self, address=address)


def text_of(letter: EmailMessage) -> str:
    return str(letter.get_content()).replace("\r\n", "\n")


async def confirmed(there: Any, server: MailServer, person: str = "ada", *, language: str = "en") -> Writer:
    """Set e-mail up for a person, and show that the address is theirs."""
    writer = Writer(server, f"{person}@example.com")
    _, told = await there.setup.add(person, "email", {"address": writer.address}, language=language)
    writer.post(writer.letter("", subject=told.partition("the subject ")[2].split()[0]))
    await writer.shown(PAIRED if language == "en" else spoken(PAIRED, read_catalogue(language)))
    await until(lambda: there.chat(person, "email"), lambda chat: "not confirmed" not in chat.hint)
    return writer


@asynccontextmanager
async def mail_server(*, idle: bool = True) -> AsyncGenerator[MailServer]:
    if DOVECOT is None or not Path("/usr/lib/dovecot/imap").exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Dovecot here: apt-get install dovecot-imapd")
    # The path of a socket is short: not in pytest's folders.
    with TemporaryDirectory(prefix="mail-", dir="/tmp") as name:
        server = MailServer(Path(name), _port(), _port())
        _write(server, idle)
        listeners = await _smtp(server)
        server.start()
        try:
            await server.listens()
            yield server
        finally:
            server.stop()
            for each in listeners:
                each.close()


def _write(server: MailServer, idle: bool) -> None:
    run, (uid, gid) = server.run, _user()
    for folder in (
        "base",
        "home",
        *(f"mail{box}/{each}" for box in ("", "/.Answers") for each in ("tmp", "new", "cur")),
    ):
        (run / folder).mkdir(parents=True)
    for each in (run, *run.rglob("*")):
        os.chown(each, *(_user() if "base" not in each.parts[-1:] else (os.getuid(), os.getgid())))
    run.chmod(0o755)
    certificate(run)
    (run / "users").write_text(f"handoffs:{{PLAIN}}{PASSWORD}::::::\n", "utf-8")
    own = f"default_internal_user = {_name()}\ndefault_login_user = {_name()}\ndefault_internal_group = {gid}"
    capability = "+" if idle else "IMAP4rev1 SASL-IR LITERAL+ UIDPLUS"
    users = "" if os.getuid() == 0 else own
    config = _CONFIG.format(
        run=run, users=users, uid=uid, gid=gid, imap=server.imap, imaps=server.imaps, capability=capability
    )
    (run / "dovecot.conf").write_text(config)


async def _smtp(server: MailServer) -> list[asyncio.Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.run / "cert.pem", server.run / "key.pem")
    login: dict[str, Any] = {"authenticator": server.authenticate, "auth_required": True}

    def plain() -> SMTP:
        return SMTP(server)

    def encrypted() -> SMTP:
        return SMTP(server, auth_require_tls=False, **login)

    def by_command() -> SMTP:
        return SMTP(server, tls_context=context, require_starttls=True, **login)

    loop = asyncio.get_running_loop()
    made = [
        await loop.create_server(plain, "127.0.0.1", 0),
        await loop.create_server(encrypted, "127.0.0.1", 0, ssl=context),
        await loop.create_server(by_command, ELSEWHERE, 0),
    ]
    server.smtp, server.smtps, server.starttls = (each.sockets[0].getsockname()[1] for each in made)
    return made


def certificate(folder: Path) -> None:
    """Write a certificate for this machine, which is trusted where SSL_CERT_FILE names it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [
        x509.DNSName("localhost"),
        *(x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", ELSEWHERE)),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _user() -> tuple[int, int]:
    """Whose the mailbox is: Dovecot serves no mail as root."""
    return (65534, 65534) if os.getuid() == 0 else (os.getuid(), os.getgid())


def _name() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@asynccontextmanager
async def silent_server() -> AsyncGenerator[int]:
    """A server that takes connections, and says nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await anyio.lowlevel.checkpoint()
