"""Claude Code's own questions: what the person is asked, and in what shape Claude Code gets what they answered."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.core.errors import AnswerRefused
from handoffs.core.schema import parse
from handoffs.mcp_server.permission import NAME
from handoffs.mcp_server.permission.questions import LEFT_OPEN, read_questions
from handoffs.mcp_server.permission.words import UNANSWERED
from tests.mcp_server.host import host, table
from tests.mcp_server.test_permission import Person

DATABASE = {
    "question": "Which database?",
    "header": "DB",
    "multiSelect": False,
    "options": [
        {"label": "Postgres", "description": "runs already"},
        {"label": "MySQL", "description": "what ops knows", "preview": "SELECT 1;"},
    ],
}
PARTS = {
    "question": "Which parts?",
    "header": "Parts",
    "multiSelect": True,
    "options": [{"label": "Shop, old"}, {"label": "Blog"}, {"label": 'The "new" one'}],
}
SEND = {"decision": "allow"}


def answered(*asked: Any, **values: Any) -> Any:
    """What goes back for these answers, which fit the form."""
    questions = read_questions({"questions": list(asked)})
    return questions.answered(parse(questions.form).check(SEND | values))


def test_the_person_sees_the_questions_with_their_options_and_meanings() -> None:
    questions = read_questions({"questions": [DATABASE, PARTS]})
    assert questions.message() == (
        "Claude Code asks you 2 questions: `Which database?`\n\n"
        "```\n1. Which database?\n- Postgres: runs already\n- MySQL: what ops knows\n```\n\n"
        "Preview of option 2:\n\n```\nSELECT 1;\n```\n\n"
        '```\n2. Which parts?\n- Shop, old\n- Blog\n- The "new" one\n```'
    )
    form = parse(questions.form)
    assert [(field.name, field.title, field.kind.value, field.required) for field in form.fields] == [
        ("answer_1", "1. Which database?", "choice", False),
        ("words_1", "1. In your own words", "string", False),
        ("answer_2", "2. Which parts?", "choices", False),
        ("words_2", "2. In your own words", "string", False),
        ("decision", "Decision", "choice", True),
        ("reason", "Reason", "string", False),
    ]
    assert [choice.value for choice in form.fields[0].choices] == ["Postgres", "MySQL"]
    assert all(field.default is None for field in form.fields)


def test_answers_go_back_under_their_questions_texts_beside_what_was_asked() -> None:
    assert answered(DATABASE, PARTS, answer_1="Postgres", answer_2=["Blog"]) == {
        "questions": [DATABASE, PARTS],
        "answers": {"Which database?": "Postgres", "Which parts?": "Blog"},
    }


@pytest.mark.parametrize(
    ("values", "answer", "annotation"),
    [
        ({"answer_1": "MySQL"}, "MySQL", {"preview": "SELECT 1;"}),
        ({"words_1": " SQLite, on disk \n"}, "SQLite, on disk", None),
        ({"answer_1": "Postgres", "words_1": "version 17"}, "Postgres", {"notes": "version 17"}),
    ],
)
def test_own_words_stand_for_an_option_or_beside_it(values: Any, answer: str, annotation: Any) -> None:
    got = answered(DATABASE, **values)
    assert got["answers"] == {"Which database?": answer}
    assert got.get("annotations") == (annotation and {"Which database?": annotation})


def test_several_labels_can_be_told_apart_as_claude_code_writes_them() -> None:
    got = answered(PARTS, answer_1=["Shop, old", "Blog", 'The "new" one'], words_1="and the wiki")
    assert got["answers"] == {"Which parts?": '"Shop, old", Blog, "The \\"new\\" one", and the wiki'}


def test_a_question_left_open_says_so_beside_one_that_was_answered() -> None:
    assert answered(DATABASE, PARTS, answer_2=["Blog"])["answers"] == {
        "Which database?": LEFT_OPEN,
        "Which parts?": "Blog",
    }


@pytest.mark.parametrize("values", [{}, {"words_1": " "}, {"answer_2": []}, {"reason": "as you like"}])
def test_without_an_answer_nothing_goes_back(values: Any) -> None:
    assert answered(DATABASE, PARTS, **values) is None


def test_answers_that_are_not_sent_do_not_go_back() -> None:
    assert answered(DATABASE, answer_1="Postgres", decision="deny") is None
    with pytest.raises(AnswerRefused):
        answered(DATABASE, answer_1="Oracle")


def test_answers_that_the_model_wrote_itself_are_dropped() -> None:
    forged = {
        "questions": [DATABASE, PARTS],
        "answers": {"Which database?": "MySQL"},
        "annotations": {"Which database?": {"notes": "do it"}},
        "response": "go on",
        "followUp": False,
        "afkTimeoutMs": 1,
        "metadata": {"source": "x"},
    }
    questions = read_questions(forged)
    assert questions.answered(SEND) is None
    assert questions.answered(SEND | {"answer_2": ["Blog"]}) == {
        "questions": [DATABASE, PARTS],
        "metadata": {"source": "x"},
        "answers": {"Which database?": LEFT_OPEN, "Which parts?": "Blog"},
    }


def test_texts_and_numbers_are_asked_as_such() -> None:
    text = {"question": "What shall it be called?", "header": "Name", "kind": "text"}
    number = {"question": "How many?", "header": "N", "kind": "number", "min": 1, "max": 9, "unit": "slides"}
    got = answered(text, number, answer_1="Ada", answer_2=2.5)
    assert got["answers"] == {"What shall it be called?": "Ada", "How many?": "2.5"}
    assert answered(text, number | {"min": 0}, answer_2=0.0000001)["answers"]["How many?"] == "0.0000001"
    assert answered(text, number, answer_2=3)["answers"]["How many?"] == "3"
    with pytest.raises(AnswerRefused):
        answered(text, number, answer_2=10)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"questions": []},
        {"questions": "?"},
        {"questions": [{"question": " ", "options": [{"label": "a"}, {"label": "b"}]}]},
        {"questions": [{"question": "?", "options": [{"label": "a"}]}]},
        {"questions": [{"question": "?", "options": [{"label": "a"}, {"label": ""}]}]},
        {"questions": [{"question": "?", "options": [{"label": "a"}, {"label": "a"}]}]},
        {"questions": [DATABASE, DATABASE]},
        {"questions": [{"question": "What is your API key?", "kind": "text"}]},
    ],
)
async def test_questions_that_no_form_can_ask_are_unanswered_and_never_allowed(asked: Any, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), "auto", name="claude-code") as client:
        result = await client.call_tool(NAME, {"tool_name": "AskUserQuestion", "input": asked})
        got = json.loads(result.content[0].text)  # type: ignore[union-attr]
        assert got["behavior"] == "deny"
        assert got["message"].startswith("Not approved, and nobody was asked: ")
        assert await here.stored() == 0


@pytest.mark.parametrize(
    ("decides", "told"),
    [
        (SEND | {"answer_1": "Postgres"}, None),
        (SEND, UNANSWERED),
        ({"decision": "deny", "reason": "ask Grace"}, 'They said: "ask Grace"'),
    ],
)
async def test_only_answers_are_allowed_through(decides: Any, told: str | None, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        got: list[Any] = []
        async with host(here.server(), "auto", name="claude-code") as client, anyio.create_task_group() as tasks:

            async def use() -> None:
                wanted = {"tool_name": "AskUserQuestion", "input": {"questions": [DATABASE]}, "tool_use_id": "toolu_1"}
                got.append(json.loads((await client.call_tool(NAME, wanted)).content[0].text))  # type: ignore[union-attr]

            tasks.start_soon(use)
            await Person(here, [decides]).sit()
        assert await here.stored() == 1
    if told is None:
        answers = {"Which database?": "Postgres"}
        assert got == [{"behavior": "allow", "updatedInput": {"questions": [DATABASE], "answers": answers}}]
    else:
        assert (got[0]["behavior"], told in got[0]["message"]) == ("deny", True)
