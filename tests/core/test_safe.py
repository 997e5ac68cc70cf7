"""Secrets at the desk: kept under a name, given to who was asked, and to be seen nowhere."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.desk import Desk
from handoffs.core.document import document
from handoffs.core.errors import AnswerRefused, QuestionRefused, SecretRefused
from handoffs.core.events import Answered, details_of
from handoffs.core.model import Caller, Handoff, read_secret_name, secret_name
from handoffs.core.ports import Sealer
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from tests.core.strategies import ASKED
from tests.fakes import FakeClock

ADA = Caller(subject="ada", client="test", project="/shop")
VALUE = " correct horse\tbattery staple "
SECRET = {"type": "string", "format": "password"}
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {"user": {"type": "string"}, "password": SECRET, "pin": SECRET},
    "required": ["password"],
}
KEY = "k" * 32


@asynccontextmanager
async def a_desk(folder: Path, *, sealer: Sealer | None = None, keyless: bool = False) -> AsyncGenerator[Desk]:
    async with SqliteStore(folder / "handoffs.db") as store:
        used = None if keyless else sealer or AesGcmSealer(lambda: [KEY])
        yield Desk(store=store, clock=FakeClock(), sealer=used, local="ada")


async def asked(desk: Desk, **arguments: Any) -> Handoff:
    return await desk.ask(**({"message": "The database?", "caller": ADA, "form": FORM} | arguments))


async def answered(desk: Desk) -> Handoff:
    values = {"user": "root", "password": VALUE}
    return await desk.answer(await asked(desk), values, by="ada", channel="inbox", private=True)


async def test_the_answer_has_the_name_of_a_secret_in_its_place(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        handoff = await answered(desk)
    name = f"secret:{handoff.id}/password"
    assert handoff.values is not None
    assert handoff.values == {"user": "root", "password": name}
    assert handoff.question.form.texts(handoff.values) == ["root", f"(given: {name})"]
    assert set(handoff.sealed) == {"password"}


async def test_the_asker_gets_the_secret_by_name_as_typed_and_the_log_says_so(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        handoff = await answered(desk)
        assert await desk.reveal(f"secret:{handoff.id}/password", by="ada") == VALUE
        assert await desk.reveal(f"secret:{handoff.id}/password", by="ada") == VALUE
        log = await desk.log(handoff_id=handoff.id)
    assert [entry.name for entry in log] == ["opened", "answered", "revealed", "revealed"]
    assert log[-1].details == {"by": "ada", "field": "password"}


async def test_it_can_be_erased_with_being_given(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        handoff = await answered(desk)
        name = f"secret:{handoff.id}/password"
        assert await desk.reveal(name, by="ada", keep=False) == VALUE
        with pytest.raises(SecretRefused, match="it was erased"):
            await desk.reveal(name, by="ada")
        after = await desk.get(handoff.id)
        assert (after.sealed, after.values) == ({}, handoff.values)
        assert [entry.name for entry in await desk.log()] == ["opened", "answered", "revealed", "forgotten"]


async def test_another_user_is_told_no_more_than_of_one_that_never_was(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        handoff = await answered(desk)
        told: set[str] = set()
        for name, by in (
            (f"secret:{handoff.id}/password", "eve"),
            (f"secret:{handoff.id}/user", "ada"),
            (f"secret:{handoff.id}/nothing", "ada"),
            ("secret:h_nothing/password", "ada"),
        ):
            with pytest.raises(SecretRefused) as refused:
                await desk.reveal(name, by=by)
            told.add(str(refused.value))
        assert len(told) == 1
        assert "revealed" not in {entry.name for entry in await desk.log()}


async def test_what_is_no_name_is_refused_and_not_repeated(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        for name in ("hunter2", "secret:hunter2", "secret:h_1", "secret:h_1/", ""):
            with pytest.raises(SecretRefused) as refused:
                await desk.reveal(name, by="ada")
            assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("end", "told"),
    [("decline", "was declined"), ("cancel", "was cancelled"), ("expire", "expired"), ("nothing", "still open")],
)
async def test_a_secret_that_was_not_given_is_not_there_and_it_says_why(end: str, told: str, tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        clock = FakeClock()
        desk = Desk(store=store, clock=clock, sealer=AesGcmSealer(lambda: [KEY]), local="ada")
        handoff = await asked(desk)
        if end in ("decline", "cancel"):
            await getattr(desk, end)(handoff, by="ada", channel="inbox")
        if end == "expire":
            clock.forward(100_000)
        with pytest.raises(SecretRefused, match=told):
            await desk.reveal(f"secret:{handoff.id}/password", by="ada")


async def test_an_optional_secret_that_was_left_out_is_said_to_be(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        handoff = await answered(desk)
        assert "pin" not in (handoff.values or {})
        with pytest.raises(SecretRefused, match="left it out"):
            await desk.reveal(f"secret:{handoff.id}/pin", by="ada")


async def test_only_what_says_that_nobody_saw_it_may_bring_one(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        handoff = await asked(desk)
        for channel in ("elicitation", "terminal", "command line", "tasks", "card", "inbox"):
            with pytest.raises(AnswerRefused, match="handoffs inbox") as refused:
                await desk.answer(handoff, {"password": VALUE}, by="ada", channel=channel)
            assert VALUE not in str(refused.value)
        assert (await desk.get(handoff.id)).values is None


async def test_without_sealing_no_secret_is_asked_for_and_none_is_taken(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as able:
        handoff = await asked(able)
        for keyless in (True, False):
            async with a_desk(tmp_path, keyless=keyless, sealer=AesGcmSealer(list[str])) as unable:
                with pytest.raises(QuestionRefused, match="A secret can't be asked for here"):
                    await asked(unable, message="Another?")
                with pytest.raises(AnswerRefused, match="password: can't be kept safe here"):
                    await unable.answer(handoff, {"password": VALUE}, by="ada", channel="inbox", private=True)
                # Everything else goes on as ever.
                assert (await asked(unable, message="Why?", form=None)).values is None
        assert (await able.get(handoff.id)).state == "open"
        assert len(await able.newest(open_only=False)) == 2


async def test_another_key_opens_nothing_and_notes_nothing(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        handoff = await answered(desk)
    async with a_desk(tmp_path, sealer=AesGcmSealer(lambda: ["x" * 32])) as desk:
        with pytest.raises(SecretRefused, match="a key that this program does not have"):
            await desk.reveal(f"secret:{handoff.id}/password", by="ada")
        assert [entry.name for entry in await desk.log()] == ["opened", "answered"]


async def test_no_trace_of_the_value_is_in_the_store_documents_or_debug_prints(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        handoff = await answered(desk)
        shown = [repr(handoff), str(handoff), str(document(handoff)), str(await desk.log())]
        # While it is open, so that what is not yet in the file itself is in the one beside it.
        files = [file.read_bytes() for file in tmp_path.iterdir()]
    files += [file.read_bytes() for file in tmp_path.iterdir()]
    assert files
    for trace in (VALUE, VALUE.strip(), "battery"):
        assert not any(trace in text for text in shown)
        assert not any(trace.encode() in data for data in files)
    assert not any(text in each for text in handoff.sealed.values() for each in shown)


def test_an_event_keeps_what_is_sealed_out_of_the_log_and_of_its_own_words() -> None:
    event = Answered(at=ASKED, by="ada", channel="inbox", values={}, sealed={"password": "1.abc.def"})
    assert details_of(event) == {"by": "ada", "channel": "inbox"}
    assert "abc" not in repr(event)


@given(st.text(min_size=1))
def test_a_name_is_read_as_it_was_made(field: str) -> None:
    assert read_secret_name(secret_name("h_7Q2w", field)) == ("h_7Q2w", field)


@pytest.mark.parametrize("subject", ["bob", "token:ada", "oauth:ada@issuer", ""])
async def test_only_programs_of_the_local_user_can_ask_for_a_secret(subject: str, tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        with pytest.raises(QuestionRefused, match="over this connection: only a program on the server's own machine"):
            await asked(desk, caller=Caller(subject=subject))
        assert not await desk.newest(open_only=False)
        assert (await asked(desk)).question.form.secret


async def test_a_desk_that_knows_no_local_user_asks_for_all_but_secrets(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        desk = Desk(store=store, clock=FakeClock(), sealer=AesGcmSealer(lambda: [KEY]))
        with pytest.raises(QuestionRefused, match="over this connection"):
            await asked(desk)
        assert not (await asked(desk, form=None)).question.form.secret
