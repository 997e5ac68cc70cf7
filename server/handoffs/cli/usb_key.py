"""Signs a decision with the passkey on a USB key that is plugged in: `handoffs answer` needs no browser then.

The key is asked as a browser would on the inbox's page, by CTAP 2: for the same challenge, with its PIN or fingerprint,
and a touch. It has to hold a passkey that was set up in the inbox.
"""

import getpass
import os
import select
import sys
from threading import Event
from typing import cast

import anyio.to_thread
from fido2.client import (
    AssertionSelection,
    ClientError,
    DefaultClientDataCollector,
    Fido2Client,
    PinRequiredError,
    UserInteraction,
)
from fido2.ctap import CtapError
from fido2.ctap2.pin import ClientPin
from fido2.hid import CtapHidDevice
from fido2.utils import websafe_encode
from fido2.webauthn import PublicKeyCredentialRequestOptions, UserVerificationRequirement

from handoffs.core.decision import USUAL, Assertion, Decision
from handoffs.core.errors import NotProved
from handoffs.core.untrusted import inert_line
from handoffs.proof.passkeys import RelyingParty
from handoffs.terminal.tty_modes import unseen

_PIN = "The PIN of your USB key: "
_LOOK_SECONDS = 0.1
_ELSE = "sign in to the inbox and decide there, or decline"

_WHY = {
    CtapError.ERR.PIN_INVALID: "its PIN is another one",
    CtapError.ERR.PIN_AUTH_BLOCKED: "it has had too many wrong PINs: take it out, and put it in again",
    CtapError.ERR.PIN_BLOCKED: "it has had too many wrong PINs, and takes no more",
    CtapError.ERR.UV_BLOCKED: "it did not recognise the finger",
    CtapError.ERR.UV_INVALID: "it did not recognise the finger",
    CtapError.ERR.OPERATION_DENIED: "it was told not to",
}


async def sign(decision: Decision, page: str | None, *, unseen: str = "") -> Assertion:
    """Return what a USB key makes of a decision. `page` is the address of the inbox, which its passkey is for.

    `unseen` is the question, for a person who has not seen it here: nobody signs what they have not seen.

    Raises:
        NotProved: No key is plugged in, it holds no passkey of this person, or it signs nothing; says what to do.
    """
    if page is None:
        raise NotProved(f"a passkey is made for an inbox, and none ever ran here: {_ELSE}")
    over = Event()
    try:
        # A key blinks until somebody touches it.
        return await anyio.to_thread.run_sync(_signed, decision, page, unseen, over, abandon_on_cancel=True)
    finally:
        over.set()


def _signed(decision: Decision, page: str, unseen: str, over: Event) -> Assertion:
    options = PublicKeyCredentialRequestOptions(
        challenge=decision.challenge,
        timeout=int(USUAL.total_seconds() * 1000),
        rp_id=RelyingParty.of(page).rp_id,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    problem = "it takes a passkey, and no USB key is plugged in"
    for key in CtapHidDevice.list_devices():
        if unseen:
            _say(unseen)
            unseen = ""
        try:
            with key:
                client = Fido2Client(key, DefaultClientDataCollector(page), _Person(over), extensions=[])
                return _assertion(client.get_assertion(options, over), decision)
        except PinRequiredError:
            problem = "the USB key asks for its PIN, and there is no terminal to type it on"
        except ClientError as wrong:
            problem = _problem(wrong, page)
        except (OSError, CtapError, ValueError) as wrong:
            problem = f"the USB key can't be used: {inert_line(str(wrong), 200)}"
    raise NotProved(f"{problem}: {_ELSE}")


def _assertion(made: AssertionSelection, decision: Decision) -> Assertion:
    found = made.get_assertions()
    # A key that is used by several people names them; of one alone it may give the handle only.
    theirs = [at for at, each in enumerate(found) if (each.user or {}).get("name") == decision.person]
    signed = made.get_response(theirs[0] if theirs else 0)
    return Assertion(
        credential_id=websafe_encode(signed.raw_id),
        authenticator_data=bytes(signed.response.authenticator_data),
        client_data=bytes(signed.response.client_data),
        signature=bytes(signed.response.signature),
        ticket=decision.ticket,
    )


def _problem(wrong: ClientError, page: str) -> str:
    cause = cast("object", wrong.cause)  # pyright: ignore[reportUnknownMemberType]
    if isinstance(cause, CtapError) and (why := _WHY.get(cause.code)):
        return f"the USB key signs nothing: {why}"
    match wrong.code:
        case ClientError.ERR.DEVICE_INELIGIBLE:
            return f"the USB key holds no passkey for {page}"
        case ClientError.ERR.TIMEOUT:
            return "nobody touched the USB key in time"
        case ClientError.ERR.CONFIGURATION_UNSUPPORTED:
            return "the USB key has no PIN, and recognises no finger: set one up on it"
        case _:
            return f"the USB key signs nothing: {inert_line(str(cause or wrong.code.name), 200)}"


class _Person(UserInteraction):
    """Whoever sits at the terminal."""

    def __init__(self, over: Event) -> None:
        self._over = over

    def prompt_up(self) -> None:
        """Say what the key waits for."""
        _say("Touch your USB key to sign this answer.")

    def request_pin(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> str | None:
        """Return the PIN that the person types; None where there is no terminal."""
        if sys.stdin is None or not sys.stdin.isatty():
            return None
        if sys.platform == "win32":
            return getpass.getpass(_PIN)
        return _typed_unseen(sys.stdin.fileno(), self._over)

    def request_uv(self, permissions: ClientPin.PERMISSION, rp_id: str | None) -> bool:
        """Say what the key waits for, and let it look who is there."""
        _say("Touch your USB key with the finger that it knows.")
        return True


def _typed_unseen(fd: int, over: Event) -> str | None:
    """Return the line that is typed, which the terminal does not show; None once it is over, or nobody types any more.

    `getpass` can't be left by Ctrl-C here: it would go on to read, and hide what is typed, in this thread.
    """
    with unseen(fd):
        sys.stderr.write(_PIN)
        sys.stderr.flush()
        typed = b""
        while not over.is_set() and not typed.endswith(b"\n"):
            if select.select([fd], [], [], _LOOK_SECONDS)[0]:
                read = os.read(fd, 1024)
                typed += read
                if not read:
                    break
        sys.stderr.write("\n")
    return None if over.is_set() or not typed else typed.decode("utf-8", "replace").rstrip("\r\n")


def _say(words: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()
