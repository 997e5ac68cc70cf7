"""Questions of Codex's model, with a Codex that the test plays."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import Home
from tests.agent_wire.wires import Between, between
from tests.waiting import until

NOTHING: Mapping[str, Any] = {"answers": {}}
OPTIONS = ({"label": "Blue", "description": "as the sea"}, {"label": "Red", "description": ""})
COLOUR: Mapping[str, Any] = {
    "id": "colour",
    "header": "Colour",
    "question": "Which colour?",
    "isOther": True,
    "isSecret": False,
    "options": [*OPTIONS],
}
NAME: Mapping[str, Any] = {
    "id": "name",
    "header": "Name",
    "question": "What is it called?",
    "isOther": False,
    "isSecret": False,
    "options": None,
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def impatient(tmp_path: Path) -> Home:
    return Home(tmp_path, extra={"HANDOFFS_MIN_TIMEOUT_SECONDS": "1"})


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def asks(*questions: Any, id: Any = 0, **more: Any) -> bytes:  # noqa: A002 - JSON-RPC's word
    params = {"threadId": "t", "turnId": "u", "itemId": "i", "questions": [*questions]}
    params |= {"isBlocking": True, "autoResolutionMs": None, **more}
    return line(method="item/tool/requestUserInput", id=id, params=params)


def answers(**given: list[str]) -> dict[str, Any]:
    return {"id": 0, "result": {"answers": {name: {"answers": each} for name, each in given.items()}}}


async def is_left(home: Home, given: bytes, why: str) -> None:
    """A request is left to the program, and refused where only the desk is asked; both in words."""
    async with between(home, wire="codex") as wire:
        await wire.agent.send(given)
        assert await wire.editor.raw() == given
        await said(wire, why)
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(given)
        assert await wire.agent.reads() == {"id": 0, "result": NOTHING}
        await said(wire, why)
        assert await wire.listed() == []


async def said(wire: Between, why: str) -> None:
    async def look() -> bool:
        return why in await wire.said()

    await until(look, seconds=30)


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (("answer_1=Blue", "answer_2=Ship"), answers(colour=["Blue"], name=["user_note: Ship"])),
        (("words_1= neither ", "answer_2=Ship"), answers(colour=["user_note: neither"], name=["user_note: Ship"])),
        (
            ("answer_1=Red", "words_1=dark", "answer_2=S"),
            answers(colour=["Red", "user_note: dark"], name=["user_note: S"]),
        ),
        (("answer_2=Ship",), answers(colour=[], name=["user_note: Ship"])),
    ],
)  # fmt: skip
async def test_questions_are_one_form(home: Home, given: tuple[str, ...], result: Any) -> None:
    async with between(home, "--name", "codex", wire="codex") as wire:
        await wire.agent.send(asks(COLOUR, NAME))
        assert await wire.editor.raw() == asks(COLOUR, NAME)
        (asked,) = await wire.asked()
        assert "`codex` asks you:\n\n2 questions." in asked["message"]
        assert "1. Which colour?\n- Blue: as the sea\n- Red" in asked["message"]
        fields = asked["form"]["properties"]
        assert [*fields] == ["answer_1", "words_1", "answer_2"]
        assert asked["form"]["required"] == ["answer_2"]
        await wire.answer(*(each for value in given for each in ("--set", value)))
        assert await wire.agent.reads() == result
        await wire.editor.send(line(id=0, result=answers(colour=["Red"])["result"]) + line(method="after"))
        assert await wire.agent.reads() == {"method": "after"}  # too late


async def test_an_answer_in_the_program_withdraws_the_question(home: Home) -> None:
    async with between(home, wire="codex") as wire:
        await wire.agent.send(asks(COLOUR))
        await wire.editor.raw()
        await wire.asked()
        await wire.editor.send(line(id=0, result=answers(colour=["Red"])["result"]))
        assert await wire.agent.reads() == answers(colour=["Red"])
        await wire.asked(0)
        (ended,) = await wire.history()
        assert ended["state"] == "cancelled"


async def test_a_question_without_other_takes_an_option_alone(home: Home) -> None:
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(asks({**COLOUR, "isOther": False}))
        (asked,) = await wire.asked()
        assert [*asked["form"]["properties"]] == asked["form"]["required"] == ["answer_1"]
        wrong = await home.command("answer", asked["id"], "--set", "answer_1=Green")
        assert wrong.returncode != 0
        await wire.answer("--set", "answer_1=Red")
        assert await wire.agent.reads() == answers(colour=["Red"])


async def test_a_declined_question_has_no_answers(home: Home) -> None:
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(asks(COLOUR))
        (asked,) = await wire.asked()
        done = await home.command("decline", asked["id"])
        assert done.returncode == 0, done.stderr
        assert await wire.agent.reads() == {"id": 0, "result": NOTHING}


async def test_a_question_ends_when_codex_says_that_it_does(impatient: Home) -> None:
    async with between(impatient, "--desk-only", wire="codex") as wire:
        await wire.agent.send(asks(COLOUR, isBlocking=False, autoResolutionMs=3_000))
        assert await wire.agent.reads() == {"id": 0, "result": NOTHING}
        (ended,) = await wire.history()
        assert ended["state"] == "expired"


async def test_a_question_that_ends_alone_leaves_the_program_its_dialog(impatient: Home) -> None:
    async with between(impatient, wire="codex") as wire:
        await wire.agent.send(asks(COLOUR, autoResolutionMs=3_000))
        await wire.editor.raw()
        await wire.asked(0)

        async def states() -> list[str]:
            return [each["state"] for each in await wire.history()]

        await until(states, lambda found: found == ["expired"], seconds=60)
        await wire.editor.send(line(id=0, result=NOTHING))
        assert await wire.agent.reads() == {"id": 0, "result": NOTHING}


@pytest.mark.parametrize("ms", [-1, 0, 1])
async def test_a_question_that_is_over_at_once_is_left_to_the_program(home: Home, ms: int) -> None:
    await is_left(home, asks(COLOUR, autoResolutionMs=ms), "A question stays open for")


@pytest.mark.parametrize("ms", [10**400, "soon", True, {}])
async def test_a_time_that_is_none_does_not_end_a_question(home: Home, ms: Any) -> None:
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(asks(COLOUR, autoResolutionMs=ms))
        await wire.asked()


async def test_a_secret_is_left_to_the_program(home: Home) -> None:
    await is_left(home, asks(COLOUR, {**NAME, "isSecret": True}), "it asks for a secret")
    await is_left(home, asks({**NAME, "question": "Your password?"}), "asks for a secret")
    assert "hunter2" not in (home.folder / "stderr.txt").read_text()


@pytest.mark.parametrize(
    ("questions", "why"),
    [
        ([], "it has 0 questions"),
        ([{**NAME, "id": str(each)} for each in range(11)], "it has 11 questions"),
        ([COLOUR, {**NAME, "id": "colour"}], "two of its questions have one id"),
        ([{**NAME, "id": 7}], "has no id or no text"),
        ([{**NAME, "question": "  "}], "has no id or no text"),
        (["Which?"], "has no id or no text"),
        ([{**COLOUR, "options": [{"label": ""}, *OPTIONS]}], "an option without a label"),
        ([{**COLOUR, "options": [{"label": "User_Note: go"}, *OPTIONS]}], "reads like words of"),
        ([{**COLOUR, "options": [*OPTIONS, OPTIONS[0]]}], "the same choice twice"),
        ([{**COLOUR, "options": [*OPTIONS, {"label": "Вlue"}]}], "look alike"),
        ([{**COLOUR, "options": [{"label": str(each)} for each in range(201)]}], "has 201 choices"),
        ([{**NAME, "question": "x" * 60_000}], "The desk can't decide"),
        ([{**COLOUR, "options": [{"label": f"{each} {'x' * 900}"} for each in range(100)]}], "The desk can't decide"),
    ],
)  # fmt: skip
async def test_what_can_not_be_asked_is_left_to_the_program(home: Home, questions: list[Any], why: str) -> None:
    await is_left(home, asks(*questions), why)


async def test_options_that_imitate_ours_are_the_agents_words(home: Home) -> None:
    options = [{"label": "allow"}, {"label": "Decline"}, {"label": "```\nSigned in as root"}]
    async with between(home, "--desk-only", wire="codex") as wire:
        await wire.agent.send(
            asks({**COLOUR, "isOther": False, "question": "Go?\n```\nHandoffs says:", "options": options})
        )
        (asked,) = await wire.asked()
        assert "````\n1. Go?\n```\nHandoffs says:\n- allow\n- Decline" in asked["message"]
        await wire.answer("--set", "answer_1=Decline")
        assert await wire.agent.reads() == answers(colour=["Decline"])
