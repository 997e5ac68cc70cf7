"""What a held call goes through, with a real gate, a real server behind it, and the SDK's client in both eras."""

from pathlib import Path

import anyio
import pytest
from mcp.types import CallToolResult, ElicitResult

from handoffs.core.model import State
from tests.acceptance.processes import ERAS, SCRIPT, Home
from tests.gate.behind import ALLOW, DENY, Person, Shop, text_of, waiting

eras = pytest.mark.parametrize("era", ERAS)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(Home(tmp_path))


@eras
async def test_what_a_rule_allows_passes_and_is_in_no_log(shop: Shop, era: str) -> None:
    async with shop.client(era) as client, shop.desk() as desk:
        assert text_of(await client.call_tool("read_order", {"number": 7})) == "order 7"
        assert await desk.log() == []
    assert shop.done == ["read 7"]


@eras
async def test_what_a_rule_denies_never_runs(shop: Shop, era: str) -> None:
    async with shop.client(era, rules=("--deny", "delete_*")) as client:
        result = await client.call_tool("delete_order", {"number": 7})
    assert result.is_error
    assert "the policy denies it" in text_of(result)
    assert shop.done == []


@eras
async def test_in_the_hosts_dialog_a_person_allows_exactly_this_call(shop: Shop, era: str) -> None:
    person = Person(ALLOW)
    async with shop.client(era, person) as client, shop.desk() as desk:
        result = await client.call_tool("delete_order", {"number": 7})
        [asked] = await desk.newest(open_only=False)
        names = [entry.name for entry in await desk.history(asked.id)]
    assert (text_of(result), result.is_error) == ("deleted 7", False)
    assert shop.done == ["delete 7"]
    assert "`delete_order` of `shop`" in person.shown[0].message
    assert '"number": 7' in person.shown[0].message
    assert names == ["opened", "answered", "used", "sent", "result"]


@eras
async def test_a_denial_is_a_result_with_the_persons_reason(shop: Shop, era: str) -> None:
    async with shop.client(era, Person(DENY)) as client:
        result = await client.call_tool("delete_order", {"number": 7})
    assert result.is_error
    assert 'They said: "not that one"' in text_of(result)
    assert "Do not try it again" in text_of(result)
    assert shop.done == []


@eras
async def test_a_person_changes_the_arguments_and_the_model_is_told(shop: Shop, era: str) -> None:
    person = Person(ALLOW | {"arguments": '{"number": 8, "force": true}'})
    async with shop.client(era, person) as client:
        result = await client.call_tool("delete_order", {"number": 7})
    assert shop.done == ["delete 8 by force"]
    assert "A person changed this call" in text_of(result)
    assert '{"number":7}' in text_of(result)
    assert '{"number": 8, "force": true}' in text_of(result)
    assert text_of(result).endswith("deleted 8")


@eras
async def test_only_a_client_that_edits_arguments_is_sent_them(shop: Shop, era: str) -> None:
    people = {"test-host": Person(DENY), "strands": Person(DENY)}
    for name, person in people.items():
        async with shop.client(era, person, name=name) as client:
            await client.call_tool("delete_order", {"number": 7})
    sent = {name: (person.shown[0].meta or {}).get("handoffs/arguments") for name, person in people.items()}
    assert sent == {"test-host": None, "strands": '{"number":7}'}


@eras
async def test_a_change_that_does_not_fit_the_tool_is_asked_for_again(shop: Shop, era: str) -> None:
    person = Person(ALLOW | {"arguments": '{"number": "eight"}'}, ALLOW | {"arguments": '{"number": 8}'})
    async with shop.client(era, person) as client:
        await client.call_tool("delete_order", {"number": 7})
    assert shop.done == ["delete 8"]
    assert "change 1 was not used, and nothing has run" in person.shown[1].message


@eras
async def test_where_the_host_has_no_dialog_the_answer_comes_from_elsewhere(shop: Shop, era: str) -> None:
    async with shop.client(era) as client, shop.desk() as desk, anyio.create_task_group() as tasks:
        results: list[CallToolResult] = []

        async def call() -> None:
            results.append(await client.call_tool("delete_order", {"number": 7}))

        tasks.start_soon(call)
        handoff = await waiting(desk)
        shown = await shop.home.command("show", handoff.id, "--json")
        answered = await shop.home.command("answer", handoff.id, "--set", "decision=allow")
        assert answered.returncode == 0, answered.stderr
    assert text_of(results[0]) == "deleted 7"
    assert b'"tool": "delete_order"' in shown.stdout


@eras
async def test_an_answer_elsewhere_counts_while_the_dialog_is_open(shop: Shop, era: str) -> None:
    person = Person(seconds=60)
    async with shop.client(era, person) as client, shop.desk() as desk, anyio.create_task_group() as tasks:
        results: list[CallToolResult] = []

        async def call() -> None:
            results.append(await client.call_tool("delete_order", {"number": 7}))

        tasks.start_soon(call)
        await shop.answered(desk, ALLOW)
        if era == "auto":  # the dialog can't be withdrawn: the call comes back with it
            tasks.cancel_scope.cancel()
    assert [text_of(each) for each in results] == ([] if era == "auto" else ["deleted 7"])


@eras
async def test_when_the_host_waits_no_longer_the_same_call_joins_later(shop: Shop, era: str) -> None:
    shop.home.extra["HANDOFFS_HOLD_SECONDS"] = "1"
    async with shop.client(era) as client, shop.desk() as desk:
        first = await client.call_tool("delete_order", {"number": 7})
        assert "has not decided yet" in text_of(first)
        await shop.answered(desk, ALLOW)
        assert shop.done == []
        second = await client.call_tool("delete_order", {"number": 7})
        third = await client.call_tool("delete_order", {"number": 7})
    assert text_of(second) == "deleted 7"
    assert "has not decided yet" in text_of(third)  # the approval was for one call
    assert shop.done == ["delete 7"]


@eras
async def test_an_approval_outlives_a_gate_that_was_killed(shop: Shop, era: str) -> None:
    shop.home.extra["HANDOFFS_HOLD_SECONDS"] = "1"
    async with shop.desk() as desk:
        async with shop.client(era) as client:
            await client.call_tool("delete_order", {"number": 7})
        await shop.answered(desk, ALLOW)
        async with shop.client(era) as client:
            result = await client.call_tool("delete_order", {"number": 7})
    assert text_of(result) == "deleted 7"
    assert shop.done == ["delete 7"]


@eras
async def test_two_equal_calls_at_once_need_two_approvals(shop: Shop, era: str) -> None:
    async with shop.client(era) as client, shop.desk() as desk, anyio.create_task_group() as tasks:
        results: list[CallToolResult] = []

        async def call() -> None:
            results.append(await client.call_tool("delete_order", {"number": 7}))

        tasks.start_soon(call)
        tasks.start_soon(call)
        first = await shop.answered(desk, ALLOW)
        second = await waiting(desk, but=(first.id,))
        assert shop.done in ([], ["delete 7"])  # one of them, and no other
        await desk.answer(second, DENY, by="ada", channel="inbox")
    assert sorted(each.is_error for each in results) == [False, True]
    assert shop.done == ["delete 7"]


@eras
async def test_silence_denies_at_the_deadline(shop: Shop, era: str) -> None:
    policy = shop.home.folder / "policy.toml"
    # Shorter than what HANDOFFS_MIN_TIMEOUT_SECONDS lets a model ask for: it is the person's own.
    policy.write_text('[[rule]]\ntool = "*"\ndo = "ask"\ndeadline = 1\n')
    async with shop.client(era, rules=("--policy", str(policy))) as client:
        result = await client.call_tool("delete_order", {"number": 7})
    assert result.is_error
    assert "Silence is not consent" in text_of(result)
    assert shop.done == []


@eras
async def test_a_server_that_dies_in_a_call_leaves_it_unknown(shop: Shop, era: str) -> None:
    async with shop.desk() as desk:
        async with shop.client(era, Person(ALLOW)) as client:
            result = await client.call_tool("crash", {})
            assert "It may have run" in text_of(result)
        [first] = await desk.newest(open_only=False)
        assert [entry.name for entry in await desk.history(first.id)][-1] == "unknown"
        person = Person(DENY)
        async with shop.client(era, person) as client:
            await client.call_tool("crash", {})
    assert "it may have run" in person.shown[0].message
    assert shop.done == ["crash"]


@eras
async def test_a_dialog_that_nobody_can_have_read_permits_nothing(shop: Shop, era: str) -> None:
    shop.home.extra["HANDOFFS_HOLD_SECONDS"] = "1"
    async with shop.client(era, Person(ALLOW, seconds=0)) as client:
        result = await client.call_tool("delete_order", {"number": 7})
    assert "has not decided yet" in text_of(result)
    assert shop.done == []


@eras
async def test_a_script_permits_nothing(shop: Shop, era: str) -> None:
    async def answers(context: object, params: object) -> ElicitResult:
        return ElicitResult(action="accept", content={"decision": "allow"}, _meta=SCRIPT)

    async with shop.client(era, answers) as client:
        result = await client.call_tool("delete_order", {"number": 7})
    assert result.is_error
    assert "no script decides" in text_of(result)
    assert shop.done == []


@eras
async def test_where_a_rule_says_inbox_no_dialog_decides(shop: Shop, era: str) -> None:
    policy = shop.home.folder / "policy.toml"
    policy.write_text('[[rule]]\ntool = "*"\ndo = "ask"\nanswer = "inbox"\n')
    shop.home.extra["HANDOFFS_HOLD_SECONDS"] = "1"
    person = Person(ALLOW)
    async with shop.client(era, person, rules=("--policy", str(policy))) as client:
        result = await client.call_tool("delete_order", {"number": 7})
    assert person.shown == []
    assert "has not decided yet" in text_of(result)


NARROW = """
from handoffs.hosts.host import Bound, Host, Patience
HOST = Host(
    title="Narrow", stdio=Patience(quiet=1, dialog=1), shows_whole=Bound(lines=100, characters=60), source="a test"
)
"""
KNOWS_NARROW = """
import os
from handoffs import hosts
hosts.__path__.append(os.path.dirname(__file__))
hosts._ROWS = (("narrow", "narrow"), *hosts._ROWS)
"""


@eras
async def test_what_a_hosts_dialog_does_not_show_whole_waits_in_the_inbox(shop: Shop, era: str) -> None:
    rows = shop.home.folder / "rows"
    rows.mkdir()
    (rows / "narrow.py").write_text(NARROW)
    (rows / "sitecustomize.py").write_text(KNOWS_NARROW)
    shop.home.extra["PYTHONPATH"] = str(rows)
    person = Person(ALLOW)
    async with shop.client(era, person, name="narrow") as client, shop.desk() as desk:
        result = await client.call_tool("delete_order", {"number": 7})
        assert "has not decided yet" in text_of(result)
        assert len((await waiting(desk)).question.message) > 60
    assert (person.shown, shop.done) == ([], [])
    async with shop.client(era, person, name="narrower") as client:
        await client.call_tool("delete_order", {"number": 7})
    assert (len(person.shown), shop.done) == (1, ["delete 7"])


@eras
async def test_a_server_that_asks_by_itself_does_so_within_one_approval(shop: Shop, era: str) -> None:
    person = Person(ALLOW, {"why": "broken"})
    async with shop.client(era, person) as client:
        result = await client.call_tool("refund", {"number": 7})
    assert text_of(result) == "paid back 7"
    assert shop.done == ["refund 7: broken"]
    assert person.shown[1].message == "Why?"


@eras
async def test_without_the_store_only_what_a_rule_allows_runs(shop: Shop, era: str) -> None:
    shop.home.store.mkdir()
    async with shop.client(era, Person(ALLOW)) as client:
        assert text_of(await client.call_tool("read_order", {"number": 7})) == "order 7"
        result = await client.call_tool("delete_order", {"number": 7})
    assert result.is_error
    assert "can't be used" in text_of(result)
    assert shop.done == ["read 7"]


async def test_a_call_that_its_client_ends_is_not_run_and_stays_open(shop: Shop) -> None:
    async with shop.client("legacy") as client, shop.desk() as desk:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "delete_order", {"number": 7})
            handoff = await waiting(desk)
            tasks.cancel_scope.cancel()
        async with desk.watch(handoff.id) as watch:
            while "left" not in [entry.name for entry in await desk.history(handoff.id)]:
                await watch.changed()
        assert (await desk.get(handoff.id)).state is State.OPEN
    assert shop.done == []


@eras
async def test_a_tool_that_is_not_listed_is_asked_about(shop: Shop, era: str) -> None:
    person = Person(DENY)
    async with shop.client(era, person, rules=("--trust-hints",)) as client:
        result = await client.call_tool("no_such_tool", {})
    assert len(person.shown) == 1
    assert "denied" in text_of(result)
