"""A page's key, as a browser makes one, and what it signs: written down once more, and not taken from the inbox."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import Page as BrowserPage

FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}

SEND = """async ([address, body]) => {
  const script = document.querySelector("script[src$='/main.js']").src;
  const { send } = await import(new URL("posting.js", script).href);
  const reply = await send(address, body);
  return [reply.status, await reply.text()];
}"""


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _new() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class PageKey:
    """A key of a page."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=_new)

    @property
    def written(self) -> str:
        return _text(self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def signed(
        self, path: str, session: str, body: bytes, at: datetime, *, number: str = "", method: str = "POST"
    ) -> str:
        number = number or _text(secrets.token_bytes(16))
        time = str(int(at.timestamp() * 1000))
        words = ["handoffs inbox post", method, path, session, hashlib.sha256(body).hexdigest(), time, number]
        r, s = utils.decode_dss_signature(self.private.sign("\n".join(words).encode(), ec.ECDSA(SHA256())))
        return f"{time}.{number}.{_text(r.to_bytes(32) + s.to_bytes(32))}"


@dataclass
class SigningClient:
    """A client that signs what it posts, as the page's script does."""

    http: httpx.AsyncClient
    key: PageKey
    session: str

    async def post(self, path: str, at: datetime, **form: str) -> httpx.Response:
        body = urlencode({"csrf": self.session} | form).encode()
        signed = self.key.signed(path, self.session, body, at)
        return await self.http.post(path, content=body, headers=FORM | {"handoffs-signed": signed})


async def sent_by_page(page: BrowserPage, address: str, csrf: str, **form: str) -> httpx.Response:
    """Post a form from a page as its own script does."""
    status, text = await page.evaluate(SEND, [address, urlencode({"csrf": csrf} | form)])
    return httpx.Response(int(status), text=str(text))
