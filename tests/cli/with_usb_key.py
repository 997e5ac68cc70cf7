"""`handoffs` with a stand-in for a USB key plugged in: `python -m tests.cli.with_usb_key KEY.pem ID PIN ARGUMENTS…`."""

import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fido2.hid import CtapHidDevice

from handoffs.__main__ import main
from tests.cli.usb_key import UsbKey
from tests.proof.authenticator import Authenticator

if __name__ == "__main__":
    _, pem, credential_id, pin, *arguments = sys.argv
    key = load_pem_private_key(Path(pem).read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    plugged_in = UsbKey(("", Authenticator(key=key, credential_id=credential_id)), pin=pin)
    setattr(CtapHidDevice, "list_devices", lambda: iter([plugged_in]))  # noqa: B010 - it is none of HID
    sys.argv = ["handoffs", *arguments]
    main()
