"""`handoffs answer` with a passkey on a USB key: what it signs is kept, and counts as what a browser signs."""

import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import pexpect
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fido2.hid import CtapHidDevice

from handoffs.assembly import open_desk
from handoffs.cli.deciding import Given, answer, decline
from handoffs.console import UsageError
from handoffs.core.model import Handoff, State
from handoffs.core.person import Person
from handoffs.os_user import current_user
from handoffs.proof.store_checks import verify_store
from handoffs.settings import Settings
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.cli.questions import CLAUDE
from tests.cli.usb_key import UsbKey
from tests.proof.authenticator import ORIGIN, Authenticator
from tests.store.test_leaves import KEY
from tests.store.test_leaves import ORIGIN as LOG
from tests.waiting import until

SETTINGS = {"HANDOFFS_PROOF": "passkey", "HANDOFFS_INBOX_URL": ORIGIN}
ME = current_user()
ROOT = Path(__file__).parents[2]


class Machine:
    """A machine with people, a question that takes a passkey, and what is plugged in."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = Home(folder, SETTINGS)
        for name, value in self.home.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(CtapHidDevice, "list_devices", lambda: iter(self.keys))
        self.keys: Sequence[UsbKey] = ()
        self.mine, self.hers = (Authenticator(credential_id=each) for each in ("bWluZQ", "aGVycw"))

    async def ask(self) -> Handoff:
        async with SqliteStore(self.home.store) as store:
            async with open_desk(Settings(), store=store) as desk:
                for name, held in ((ME, self.mine), ("ada", self.hers)):
                    await store.people.add(Person(name=name, added_at=desk.clock.now()))
                    await store.people.add_key(held.enrolled(name, desk.clock.now()))
                return await desk.ask(message="Drop the table?", caller=CLAUDE, options=["yes", "no"])

    async def answer(self, handoff: Handoff, value: str = "yes") -> Handoff:
        return (await answer(Settings(), handoff.id, Given(value=value)))[0]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


async def test_an_answer_is_signed_by_the_usb_key_and_counts(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = await machine.ask()
    machine.keys = [key := UsbKey((ME, machine.mine), finger=True)]
    done = await machine.answer(asked)
    assert (done.state, [each.person for each in done.votes]) == (State.ANSWERED, [ME])
    said = capsys.readouterr().err
    assert said.index("Drop the table?") < said.index("Touch your USB key")  # seen before it is signed
    assert key.closed
    async with SqliteStore(machine.home.store) as store:
        async with open_desk(Settings(), store=store) as desk:
            await desk.check_proof(await desk.get(asked.id))
        assert (await verify_store(store, LOG, [KEY.verifier])).ok


async def test_of_a_key_with_several_people_the_right_one_signs(machine: Machine) -> None:
    asked = await machine.ask()
    machine.keys = [UsbKey(("ada", machine.hers), (ME, machine.mine), finger=True)]
    assert (await machine.answer(asked)).state is State.ANSWERED


def on_a_terminal(machine: Machine, handoff: Handoff) -> "pexpect.spawn[str]":
    """Run the command on a terminal, with a key that has the PIN 1234."""
    pem = machine.home.folder / "key.pem"
    key = machine.mine.key
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    words = ["-m", "tests.cli.with_usb_key", str(pem), machine.mine.credential_id, "1234", "answer", handoff.id, "yes"]
    return pexpect.spawn(sys.executable, words, env=machine.home.env, cwd=str(ROOT), encoding="utf-8", timeout=120)


def typed(machine: Machine, handoff: Handoff, *pins: str) -> tuple[str, int | None]:
    """Type these PINs, and return all that the command said."""
    process = on_a_terminal(machine, handoff)
    said = ""
    for pin in pins:
        process.expect("The PIN of your USB key: ")
        said += process.before or ""
        process.sendline(pin)
    process.expect(pexpect.EOF)
    said += process.before or ""
    process.close()
    return said, process.exitstatus


def test_a_key_without_a_finger_takes_its_pin(machine: Machine) -> None:
    asked = anyio.run(machine.ask)
    said, code = typed(machine, asked, "4321")
    assert ("its PIN is another one" in said, code) == (True, 2)
    said, code = typed(machine, asked, "1234")
    assert ("1234" in said, f"{asked.id} is answered." in said, code) == (False, True, 0)
    assert "Drop the table?" in said  # seen before it is signed


def test_ctrl_c_ends_the_command_while_it_asks_for_a_pin(machine: Machine) -> None:
    process = on_a_terminal(machine, anyio.run(machine.ask))
    process.expect("The PIN of your USB key: ")
    assert process.waitnoecho()
    process.send("12")
    process.sendintr()
    process.expect(pexpect.EOF)
    assert process.getecho()  # the shell's next line is seen
    process.close()
    assert process.exitstatus == 130


async def test_a_pin_is_typed_on_a_terminal_alone(machine: Machine) -> None:
    asked = await machine.ask()
    machine.keys = [UsbKey((ME, machine.mine), pin="1234")]
    with pytest.raises(UsageError, match="no terminal to type it on"):
        await machine.answer(asked)


async def test_nothing_is_recorded_without_the_right_key(machine: Machine) -> None:
    asked = await machine.ask()
    stranger = Authenticator(credential_id="bWluZQ")
    elsewhere = Authenticator(credential_id="bWluZQ", rp_id="other.example.com")
    tried: list[tuple[Sequence[UsbKey], str]] = [
        ([], "no USB key is plugged in"),
        ([UsbKey((ME, machine.mine))], "has no PIN, and recognises no finger"),
        ([UsbKey((ME, elsewhere), finger=True)], f"holds no passkey for {ORIGIN}"),
        ([UsbKey((ME, stranger), finger=True)], "no active passkey"),
        ([UsbKey(("ada", machine.hers), finger=True)], "no active passkey"),
    ]
    for keys, words in tried:
        machine.keys = keys
        with pytest.raises(UsageError, match=words):
            await machine.answer(asked)
    async with SqliteStore(machine.home.store) as store:
        assert (await store.get(asked.id)).votes == ()
    machine.keys = [*tried[2][0], UsbKey((ME, machine.mine), finger=True)]  # the second one has it
    assert (await machine.answer(asked)).state is State.ANSWERED


async def test_a_key_that_nobody_touches_is_let_go(machine: Machine) -> None:
    asked = await machine.ask()
    key = UsbKey((ME, machine.mine), finger=True)
    key.touched = False
    machine.keys = [key]
    with anyio.move_on_after(1):
        await machine.answer(asked)
    assert await until(lambda: key.closed)


async def test_to_decline_needs_no_key(machine: Machine) -> None:
    asked = await machine.ask()
    machine.keys = []
    assert (await decline(Settings(), asked.id, note="")).state is State.DECLINED
