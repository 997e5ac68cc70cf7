"""Asking from a program: the answer, and every end that is none."""

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

import handoffs
from handoffs.client import Asking, Cancelled, Declined, Expired, Outcome, Pending, Status, Unusable, open_asking
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, NotFound, QuestionRefused
from handoffs.core.model import State
from handoffs.core.question import Limits
from handoffs.settings import SettingsError
from tests.acceptance.processes import Home
from tests.client.people import YES_NO, Deciding, answer, asks, desk_of, opened, with_a_person
from tests.waiting import until

WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Target(BaseModel):
    """Where it goes."""

    region: Literal["eu", "us"]
    port: int = Field(ge=1, le=65_535)
    note: str | None = None

    @field_validator("port")
    @classmethod
    def _is_even(cls, port: int) -> int:
        if port % 2:
            raise ValueError("must be even")
        return port


class Tag(Enum):
    """What a set holds."""

    A = "a"
    B = "b"


class Strict(BaseModel):
    """A model that takes no text for a date where it is given Python's values."""

    model_config = ConfigDict(strict=True)

    day: date
    tags: set[Tag]


class Calling(BaseModel):
    """A model that has no JSON Schema."""

    call: Callable[[], int]


async def asked(folder: Path, then: Deciding, **given: Any) -> Outcome[object]:
    """Ask, and have it decided meanwhile."""
    async with desk_of(folder) as desk, asks(folder) as asking:
        ask: Any = asking.ask
        return await with_a_person(
            partial(ask, "Deploy 1.4?", **({"options": YES_NO, "tell": None} | given)), desk, then
        )


async def test_an_option_that_was_picked_comes_back(tmp_path: Path) -> None:
    outcome = await asked(tmp_path, partial(answer, response="yes"))
    assert (outcome.status, outcome.picked, outcome.text) == (Status.ANSWERED, "yes", "yes")
    assert (outcome.by, outcome.channel, outcome.values) == ("ada", "inbox", {"response": "yes"})
    assert outcome.at is not None


async def test_no_outcome_passes_for_a_yes(tmp_path: Path) -> None:
    outcome = await asked(tmp_path, partial(answer, response="no"))
    with pytest.raises(TypeError, match="compare"):
        bool(outcome)
    assert "no'" not in repr(outcome)


async def test_words_of_ones_own_pick_no_option(tmp_path: Path) -> None:
    async def other(desk: Desk) -> None:
        await desk.answer(await opened(desk), {}, by="ada", channel="inbox", other="yes, but tomorrow")

    outcome = await asked(tmp_path, other)
    assert (outcome.picked, outcome.other, outcome.values) == (None, "yes, but tomorrow", {})


async def test_a_model_comes_back_as_its_instance(tmp_path: Path) -> None:
    outcome = await asked(tmp_path, partial(answer, region="eu", port=80), options=None, form=Target)
    assert outcome.instance == Target(region="eu", port=80)
    assert outcome.text == "eu\n80"


async def test_a_strict_model_takes_dates_choices_and_sets(tmp_path: Path) -> None:
    outcome = await asked(tmp_path, partial(answer, day="2036-01-02", tags=["a"]), options=None, form=Strict)
    assert outcome.instance == Strict(day=date(2036, 1, 2), tags={Tag.A})


async def test_a_model_that_can_be_no_form_is_refused_in_words(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        with pytest.raises(QuestionRefused, match="Calling"):
            await asking.ask("Deploy?", form=Calling, tell=None)


async def test_an_answer_that_misfits_the_model_is_asked_again(tmp_path: Path) -> None:
    async def twice(desk: Desk) -> None:
        first = await answer(desk, region="eu", port=81)
        second = await opened(desk, but=[first.id])
        assert "must be even" in second.question.message
        await desk.answer(second, {"region": "us", "port": 82}, by="ada", channel="inbox")

    outcome = await asked(tmp_path, twice, options=None, form=Target)
    assert outcome.instance == Target(region="us", port=82)


async def test_answers_that_never_fit_are_unusable(tmp_path: Path) -> None:
    async def always(desk: Desk) -> None:
        told = set[str]()
        for _ in range(6):
            told.add((await answer(desk, but=told, region="eu", port=81)).id)

    with pytest.RaisesGroup(pytest.RaisesExc(Unusable)):
        await asked(tmp_path, always, options=None, form=Target)


async def test_a_secret_is_in_the_instance_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    class Login(BaseModel):
        password: SecretStr

    async def type_it(desk: Desk) -> None:
        await desk.answer(await opened(desk), {"password": "hunter22"}, by="ada", channel="inbox", private=True)

    async with asks(tmp_path) as asking:
        ask = partial(asking.ask, "Log in?", form=Login, tell=None)
        outcome = await with_a_person(ask, asking.desk, type_it)
    assert outcome.instance is not None
    assert outcome.instance.password.get_secret_value() == "hunter22"
    assert str(outcome.values["password"]).startswith("secret:h_")
    assert "hunter22" not in repr(outcome)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"webhook": ["http://127.0.0.1:9/"], "webhook_secret": [WEBHOOK_SECRET]},
        {"notify": ["json://127.0.0.1:9"]},
    ],
    ids=["alone", "webhooks", "notices"],
)
async def test_an_error_comes_as_it_is_whatever_runs_beside(tmp_path: Path, settings: dict[str, object]) -> None:
    async def decline(desk: Desk) -> None:
        await desk.decline(await opened(desk), by="ada", channel="inbox")

    async with desk_of(tmp_path) as desk, anyio.create_task_group() as tasks:
        tasks.start_soon(decline, desk)
        with pytest.raises(Declined):
            async with asks(tmp_path, **settings) as asking:
                await asking.ask("Deploy?", tell=None)


async def test_a_refusal_is_an_error(tmp_path: Path) -> None:
    async def decline(desk: Desk) -> None:
        await desk.decline(await opened(desk), by="ada", channel="inbox", note="not today")

    with pytest.RaisesGroup(pytest.RaisesExc(Declined)) as raised:
        await asked(tmp_path, decline)
    (error,) = raised.value.exceptions
    assert isinstance(error, Declined)
    assert (error.outcome.status, error.outcome.note) == (Status.DECLINED, "not today")
    assert "not today" not in str(error)


async def test_a_question_that_is_withdrawn_is_an_error(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        handoff = await asking.open("Deploy?", options=YES_NO)
        withdrawn = await asking.cancel(handoff.id, note="too late")
        assert (withdrawn.status, withdrawn.channel) == (Status.CANCELLED, "program")
        with pytest.raises(Cancelled):
            await asking.ask("Deploy?", options=YES_NO, tell=None)
        with pytest.raises(AlreadyEnded):
            await asking.cancel(handoff.id)


async def test_silence_is_an_error(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        with pytest.raises(Expired, match="not consent"):
            await asking.ask("Deploy?", options=YES_NO, timeout=1, tell=None)


async def test_a_wait_that_ends_leaves_the_question_open(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        with pytest.raises(Pending) as raised:
            await asking.ask("Deploy?", options=YES_NO, wait=0, tell=None)
        found = await asking.wait(raised.value.outcome.handoff_id, wait=0)
        assert found.status is Status.PENDING
        assert (await asking.desk.get(found.handoff_id)).state is State.OPEN


async def test_who_gives_up_and_asks_the_same_joins_it(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(asking.ask, "Deploy?", options=YES_NO, tell=None))
        await opened(asking.desk)
        tasks.cancel_scope.cancel()
    async with asks(tmp_path) as asking:
        await answer(asking.desk, response="yes")
        outcome = await asking.ask("Deploy?", options=YES_NO, tell=None)
        assert outcome.picked == "yes"
        assert len(await asking.desk.newest(open_only=False)) == 1


async def test_an_outcome_is_returned_once(tmp_path: Path) -> None:
    await asked(tmp_path, partial(answer, response="yes"))
    async with asks(tmp_path) as asking:
        with pytest.raises(Pending):
            await asking.ask("Deploy 1.4?", options=YES_NO, wait=0, tell=None)


async def test_another_program_does_not_join(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        mine = await asking.open("Deploy?")
        other = Asking(
            asking.desk,
            caller=type(asking.caller)(subject=asking.caller.subject, client="other.py", project=str(tmp_path)),
            inbox=None,
            whose=None,
            limits=Limits(),
        )
        assert (await other.open("Deploy?")).id != mine.id


async def test_a_key_joins_itself_and_no_other(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        one, two, none = [await asking.open("Deploy?", key=key) for key in ("run 1", "run 2", "")]
        assert len({one.id, two.id, none.id}) == 3
        await asking.desk.answer(one, {"response": "go"}, by="ada", channel="inbox")
        for _ in range(2):  # the same run, started again, has the same answer
            assert (await asking.ask("Deploy?", key="run 1", tell=None)).text == "go"
        assert (await asking.open("Deploy?", key="run 2")).state is State.OPEN


async def test_two_machines_on_one_store_join_by_a_key_alone(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        one, two = [
            Asking(asking.desk, caller=asking.caller, inbox=None, whose=None, limits=Limits(), machine=name)
            for name in ("web-1", "web-2")
        ]
        assert (await one.open("Deploy?")).id == (await one.open("Deploy?")).id
        assert (await one.open("Deploy?")).id != (await two.open("Deploy?")).id
        assert (await one.open("Deploy?", key="1.4")).id == (await two.open("Deploy?", key="1.4")).id


async def test_several_questions_are_asked_at_once(tmp_path: Path) -> None:
    found: dict[str, str | None] = {}
    async with asks(tmp_path) as asking:

        async def ask(name: str) -> None:
            found[name] = (await asking.ask(f"Deploy {name}?", options=YES_NO, tell=None)).picked

        async with anyio.create_task_group() as tasks:
            for name in ("one", "two", "three"):
                tasks.start_soon(ask, name)
            open_ = await until(partial(asking.desk.newest, open_only=True), lambda those: len(those) == 3)
            for each in open_:
                picked = "yes" if "two" in each.question.message else "no"
                await asking.desk.answer(each, {"response": picked}, by="ada", channel="inbox")
    assert found == {"one": "no", "two": "yes", "three": "no"}


async def test_a_person_is_told_where_to_answer(tmp_path: Path) -> None:
    told: list[str] = []
    async with asks(tmp_path, inbox_url="https://inbox.example.com") as asking:
        with pytest.raises(Pending) as raised:
            await asking.ask("Deploy?", wait=0, tell=told.append)
    it = raised.value.outcome.handoff_id
    assert [f"https://inbox.example.com/h/{it} " in line and f"handoffs answer {it}" in line for line in told] == [True]


@pytest.mark.parametrize(
    "given",
    [
        {"message": " "},
        {"message": "Deploy?", "options": ["yes"]},
        {"message": "Deploy?", "options": ["yes", "no"], "form": {"type": "object"}},
        {"message": "Deploy?", "form": {"type": "array"}},
        {"message": "Deploy?", "form": 3},
        {"message": "Deploy?", "form": type("Nothing", (BaseModel,), {})},
        {"message": "Deploy?", "timeout": 0},
        {"message": "Deploy?", "timeout": -1},
        {"message": "Deploy?", "timeout": 1e12},
        {"message": "Deploy?", "timeout": float("nan")},
    ],
)
async def test_a_question_that_cant_be_asked_is_refused(tmp_path: Path, given: dict[str, object]) -> None:
    async with asks(tmp_path) as asking:
        with pytest.raises(QuestionRefused):
            await asking.ask(**given, tell=None)  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert await asking.desk.newest(open_only=False) == []


async def test_a_question_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        for work in (partial(asking.wait, wait=0), asking.cancel):
            with pytest.raises(NotFound):
                await work("h_nothing")


async def test_a_store_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="store"):
        async with open_asking(store="mysql://nowhere/x"):
            pass


PROGRAM = """
import handoffs
try:
    outcome = handoffs.ask_sync("Deploy 1.4?", options=["yes", "no"])
except handoffs.Declined:
    print("declined")
else:
    print(outcome.picked)
"""


def run(home: Home) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**home.env, "HANDOFFS_INBOX": "off"},
        cwd=home.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_a_program_that_was_killed_goes_on_with_its_question(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = run(home)
    async with desk_of(tmp_path) as desk:
        handoff = await opened(desk)
        assert first.stderr is not None
        told = await anyio.to_thread.run_sync(first.stderr.readline)
        assert f"handoffs answer {handoff.id}" in told
        first.kill()
        first.communicate()
        second = run(home)
        await answer(desk, response="yes")
        out, _ = await anyio.to_thread.run_sync(second.communicate)
        assert (out, second.returncode) == ("yes\n", 0)
        assert [each.id for each in await desk.newest(open_only=False)] == [handoff.id]


async def test_a_program_without_a_loop_says_so_within_one() -> None:
    with pytest.raises(RuntimeError, match=r"await handoffs\.ask"):
        handoffs.ask_sync("Deploy?")


def test_the_package_imports_nothing_before_a_program_asks() -> None:
    code = "import handoffs, sys; print('asyncio' in sys.modules, 'handoffs.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
    with pytest.raises(AttributeError, match="answer_yourself"):
        getattr(handoffs, "_".join(["answer", "yourself"]))
