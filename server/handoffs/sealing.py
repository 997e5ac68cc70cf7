"""Sealing with AES-GCM: implements `core.ports.Sealer` with the keys of the settings.

A sealed text is `1.<key>.<bytes>`: the version of the layout, the id of the key, and nonce and ciphertext in URL-safe
Base64. Keys are derived (HKDF-SHA256) for this purpose alone, so that one list of keys can serve several purposes. The
first key seals, and all of them open: to change the key, put a new one first.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import anyio.to_thread

from handoffs.core.errors import SecretRefused

T = TypeVar("T")

_LAYOUT = "1"
_NONCE_BYTES = 12
_KEY = b"handoffs: the secrets of answers"
_KEY_ID = b"handoffs: the name of a key for the secrets of answers"

_NO_KEY = (
    "no key can be kept, so a restart would lose the secret. Set HANDOFFS_KEYS (`openssl rand -hex 32` makes one) "
    "for every program that uses this store, or let this user write its data folder."
)


class AesGcmSealer:
    """Seals with the first key, and opens with any of them."""

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        """Take a function that returns the keys, sealing key first. It may read files; it is called for each use.

        If it returns no keys, sealing is refused.
        """
        self._keys = keys

    async def obstacle(self) -> str:
        """Return why nothing can be sealed here, and what to do about it; empty if it can."""
        return "" if await _in_thread(self._keys) else _NO_KEY

    async def seal(self, text: str, *, context: str) -> str:
        """Return `text` sealed for `context`. Raises SecretRefused if there is no key."""
        return await _in_thread(partial(self._seal, text, context))

    async def unseal(self, sealed: str, *, context: str) -> str:
        """Return what was sealed for `context`.

        Raises:
            SecretRefused: It was sealed with a key that is not here or for another context, or it was changed.
        """
        return await _in_thread(partial(self._unseal, sealed, context))

    # In a thread: keys are read from files, and the library takes a while to import.

    def _seal(self, text: str, context: str) -> str:
        import os

        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        keys = self._keys()
        if not keys:
            raise SecretRefused(f"It can't be sealed: {_NO_KEY}")
        nonce = os.urandom(_NONCE_BYTES)
        box = nonce + AESGCM(_derived(keys[0], _KEY, 32)).encrypt(nonce, text.encode(), context.encode())
        return f"{_LAYOUT}.{_key_id(keys[0])}.{urlsafe_b64encode(box).decode()}"

    def _unseal(self, sealed: str, context: str) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        broken = SecretRefused("It was changed after it was sealed, or belongs to another question: ask for it again.")
        layout, _, rest = sealed.partition(".")
        key_id, _, written = rest.partition(".")
        if layout != _LAYOUT:
            raise broken
        key = next((key for key in self._keys() if _key_id(key) == key_id), None)
        if key is None:
            raise SecretRefused(
                "It was sealed with a key that this program does not have: give it the HANDOFFS_KEYS, or the data "
                "folder, of the inbox in which it was typed."
            )
        try:
            box = b64decode(written, altchars=b"-_", validate=True)
            opened = AESGCM(_derived(key, _KEY, 32)).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], context.encode())
            return opened.decode()
        except (InvalidTag, ValueError):
            raise broken from None


def _key_id(key: str) -> str:
    """Return the id of a key, which reveals nothing about it."""
    return _derived(key, _KEY_ID, 6).hex()


def _derived(key: str, purpose: bytes, size: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=size, salt=None, info=purpose).derive(key.encode())


async def _in_thread(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work)
