"""`handoffs show --aais`, as it is typed: a real process, and the validator of AAIS."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from aais import validate

from handoffs.clock import SystemClock
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.desk import Desk
from handoffs.core.person import Person
from handoffs.os_user import current_user
from handoffs.proof.passkeys import PasskeyProofs, RelyingParty
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.cli.questions import CLAUDE, asked
from tests.proof.authenticator import Authenticator

PAGE = "http://localhost:8765"


def recorded(home: Home, handoff_id: str) -> list[dict[str, Any]]:
    done = home.run("show", handoff_id, "--aais")
    assert (done.returncode, done.stderr) == (0, "")
    return [validate(each) for each in json.loads(done.stdout)]


def test_show_prints_the_record_of_a_decision(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, options=["yes", "no"])
    assert home.run("answer", handoff_id, "yes", "--note", "go on").returncode == 0
    requested, decided, resolved = recorded(home, handoff_id[:8])
    assert requested["request"]["id"] == handoff_id
    assert decided["decision"]["actor"]["display_name"] == current_user()
    assert resolved["resolution"]["outcome"] == "approved"


def test_show_says_what_the_record_takes_no_option_with(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.run("show", "h_none", "--aais").returncode == 3
    assert not home.store.exists()
    for option in ("--json", "--secrets"):
        refused = home.run("show", "h_none", "--aais", option)
        assert refused.returncode == 2
        assert "--aais takes no other option" in refused.stderr


async def test_another_process_checks_the_signature_anew(tmp_path: Path) -> None:
    home, clock, key = Home(tmp_path), SystemClock(), Authenticator(rp_id="localhost", origin=PAGE)
    async with SqliteStore(home.store) as store:

        async def claim(name: str, now: datetime, until: datetime) -> bool:
            return await store.claim(name, now=now, until=until)

        proofs = PasskeyProofs(lambda: store.people, RelyingParty.of(None, page=PAGE), claim=claim)
        desk = Desk(store=store, clock=clock, directory=store.people.directory, proofs=lambda: proofs)
        await store.ready()
        await store.people.add(Person(name="ada", added_at=clock.now()))
        await store.people.add_key(key.enrolled("ada", clock.now()))
        rule = Deciders(
            rule="gate.toml:2", asked_at=clock.now(), seats=(Seat(person="ada"),), proof="passkey", visible="theirs"
        )
        handoff = await desk.ask(message="Go?", caller=CLAUDE, deciders=rule)
        decision = await desk.to_sign(handoff, {"response": "yes"}, by="ada", channel="inbox")
        assert decision is not None
        await desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox", proof=key.sign(decision))
    [*_, voted, decided, resolved] = recorded(home, handoff.id)
    assert resolved["resolution"]["outcome"] == "approved"
    # Who types this has no vote under a rule that shows nobody: the signature fits, and no name is told.
    assert decided["decision"]["actor"] == {"id": "unnamed", "type": "human", "authenticated_by": "passkey"}
    assert "ada" not in json.dumps([voted, decided["decision"]["actor"], resolved])
