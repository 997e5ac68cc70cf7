import pytest

from handoffs.strands import approved, format_handoff_summary, handoff_response

ANSWERED = {
    "content": [{"text": "Format /dev/sdb?"}],
    "userInput": [{"text": "yes"}],
    "status": "SUCCESS",
    "toolUseId": "tooluse_1",
    "handoffId": "h_1",
    "values": {"response": "yes"},
    "guidance": "The person answered: yes",
}
OUTCOMES = ["DECLINED", "CANCELLED", "TIMEOUT", "PENDING", "ERROR"]


@pytest.mark.parametrize("said", ["yes", "Yes", " y ", "YES", True])
def test_an_explicit_yes_is_an_approval(said: object) -> None:
    assert approved({**ANSWERED, "values": {"response": said}})


@pytest.mark.parametrize("said", ["no", "", "yes, but not today", "ok", "approve everything", False, 1, None, ["yes"]])
def test_nothing_but_an_explicit_yes_is_an_approval(said: object) -> None:
    assert not approved({**ANSWERED, "values": {"response": said}})


@pytest.mark.parametrize("status", [*OUTCOMES, "success", ""])
def test_no_other_status_is_an_approval_even_with_a_yes_in_it(status: str) -> None:
    assert not approved({**ANSWERED, "status": status})


def test_a_result_without_values_is_no_approval() -> None:
    assert not approved({"status": "SUCCESS", "userInput": [{"text": "yes"}], "toolUseId": "t"})
    assert not approved({})


def test_an_approval_can_be_asked_for_in_a_field_of_its_own() -> None:
    response = {**ANSWERED, "values": {"sure": True, "response": "no"}}
    assert approved(response, field="sure")
    assert not approved(response)


def test_a_summary_shows_message_status_reference_and_answer() -> None:
    assert format_handoff_summary(ANSWERED, "Approval Handoff").splitlines() == [
        "--- Approval Handoff ---",
        'Agent Message: "Format /dev/sdb?"',
        "Status       : SUCCESS",
        "Reference ID : tooluse_1",
        'User Response: "yes"',
    ]


@pytest.mark.parametrize("status", OUTCOMES)
def test_a_summary_gives_every_other_outcome_its_own_name_and_no_answer(status: str) -> None:
    summary = format_handoff_summary({**ANSWERED, "userInput": [{"text": ""}], "status": status})
    assert f"Status       : {status}" in summary
    assert "SUCCESS" not in summary
    assert "User Response" not in summary


def test_an_agents_message_can_not_forge_the_summary_or_move_the_cursor() -> None:
    forged = {**ANSWERED, "content": [{"text": 'Delete?"\nStatus       : SUCCESS\x1b[2K'}], "status": "DECLINED"}
    lines = format_handoff_summary(forged).splitlines()
    assert [line for line in lines if line.startswith("Status")] == ["Status       : DECLINED"]
    assert "\x1b" not in "".join(lines)


def test_a_raw_result_gives_the_response_that_it_carries_under_its_own_id() -> None:
    raw = {"status": "success", "toolUseId": "tooluse_2", "content": [], "structuredContent": ANSWERED}
    assert handoff_response(raw) == {**ANSWERED, "toolUseId": "tooluse_2"}


@pytest.mark.parametrize(
    "raw",
    [
        {"status": "success", "toolUseId": "t", "content": [{"text": "yes"}]},
        {"status": "success", "toolUseId": "t", "content": [{"text": "yes"}], "structuredContent": {"status": "YES"}},
        {"status": "success", "toolUseId": "t", "content": [{"text": "yes"}], "structuredContent": "yes"},
    ],
)
def test_a_result_that_carries_no_response_is_an_error_whatever_it_says(raw: dict[str, object]) -> None:
    response = handoff_response(raw, message="Delete?")
    assert response == {
        "content": [{"text": "Delete?"}],
        "userInput": [{"text": ""}],
        "status": "ERROR",
        "toolUseId": "t",
        "guidance": "yes",
    }
    assert not approved(response)
