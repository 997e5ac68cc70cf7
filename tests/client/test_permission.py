"""Whether a call of a tool may run, for a program that holds it."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.client import Asking, Permission, Permitting, Status
from handoffs.core.desk import Desk
from handoffs.core.errors import QuestionRefused
from handoffs.core.grant import Stop
from handoffs.core.person import Person
from handoffs.gate.policy_model import Remember, Terms
from handoffs.people.rules import DeciderRule
from tests.client.people import Deciding, answer, asks, opened, with_a_person

TOOL = {
    "name": "delete_rows",
    "inputSchema": {
        "type": "object",
        "properties": {"table": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["table"],
        "additionalProperties": False,
    },
}
CALL = {"table": "users", "count": 3}
LASTING = Terms(remember=Remember(reaches=frozenset({"exact", "tool"})))


async def permitted(asking: Asking, then: Deciding | None = None, **given: Any) -> Permission:
    """Ask whether the call may run, and have it decided meanwhile."""
    permit = partial(Permitting(asking, server="shop").permit, "delete_rows", CALL, definition=TOOL, **given)
    return await with_a_person(permit, asking.desk, then)


async def asked(asking: Asking) -> list[str]:
    return [each.id for each in await asking.desk.newest(open_only=False)]


async def test_a_call_runs_as_it_is_where_a_person_allows_it(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        permission = await permitted(asking, partial(answer, decision="allow"))
        assert permission
        assert (json.loads(permission.arguments), permission.edited, permission.by) == (CALL, False, "ada")
        handoff = await asking.desk.get(permission.handoff_id)
        assert "delete_rows" in handoff.question.message
        names = [entry.name for entry in await asking.desk.history(handoff.id)]
        assert names[-1] == "used"


async def test_a_call_runs_with_the_arguments_of_a_person(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        edit = '{"table": "users", "count": 1}'
        permission = await permitted(asking, partial(answer, decision="allow", arguments=edit))
        assert (permission.arguments, permission.edited) == (edit, True)


async def test_a_change_that_misfits_the_tool_is_asked_again(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:

        async def twice(desk: Desk) -> None:
            first = await answer(desk, decision="allow", arguments='{"tables": 1}')
            second = await opened(desk, but=[first.id])
            assert "nothing has run" in second.question.message
            await desk.answer(second, {"decision": "allow"}, by="ada", channel="inbox")

        permission = await permitted(asking, twice)
        assert json.loads(permission.arguments) == CALL


async def test_a_denial_tells_the_agent_the_reason(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        permission = await permitted(asking, partial(answer, decision="deny", reason="not on a Friday"))
        assert not permission
        assert (permission.status, permission.reason, permission.arguments) == (
            Status.ANSWERED, "not on a Friday", "",
        )  # fmt: skip
        assert "not on a Friday" in permission.told
        assert (await asking.desk.get(permission.handoff_id)).collected_at is not None


async def decline(desk: Desk) -> None:
    await desk.decline(await opened(desk), by="ada", channel="inbox")


async def withdraw(desk: Desk) -> None:
    await desk.cancel(await opened(desk), by="ada", channel="inbox")


async def allow_as_a_script(desk: Desk) -> None:
    await desk.answer(await opened(desk), {"decision": "allow"}, by="ada", channel="script")


async def allow_as_the_host(desk: Desk) -> None:
    await desk.answer(await opened(desk), {"decision": "allow"}, by="ada", channel="elicitation")


async def allow_as_nobody_knows(desk: Desk) -> None:
    await desk.answer(await opened(desk), {"decision": "allow"}, by="ada", channel="something new")


@pytest.mark.parametrize("end", [decline, withdraw, allow_as_a_script, allow_as_the_host, allow_as_nobody_knows])
async def test_no_other_end_permits_a_call(tmp_path: Path, end: Deciding) -> None:
    async with asks(tmp_path) as asking:
        assert not await permitted(asking, end)


async def test_silence_permits_nothing(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        permission = await permitted(asking, timeout=1)
        assert (permission.allowed, permission.status) == (False, Status.EXPIRED)


async def test_a_call_that_waits_is_not_permitted_and_joins_later(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        waiting = await permitted(asking, wait=0)
        assert (waiting.allowed, waiting.status) == (False, Status.PENDING)
        permission = await permitted(asking, partial(answer, decision="allow"))
        assert permission.handoff_id == waiting.handoff_id


async def test_an_approval_is_for_one_call(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        assert await permitted(asking, partial(answer, decision="allow"))
        assert (await permitted(asking, wait=0)).status is Status.PENDING


async def test_of_two_like_calls_that_wait_one_has_the_approval(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        found: list[Permission] = []

        async def ask() -> None:
            found.append(await permitted(asking, wait=3))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
            handoff = await opened(asking.desk)
            await anyio.wait_all_tasks_blocked()
            await asking.desk.answer(handoff, {"decision": "allow"}, by="ada", channel="inbox")
        assert sorted(each.allowed for each in found) == [False, True]
        assert len(await asked(asking)) == 2


async def test_a_key_has_its_decision_also_after_a_restart(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        first = await permitted(asking, partial(answer, decision="allow"), key="thread 1, call 7")
    async with asks(tmp_path) as asking:
        again = await permitted(asking, wait=0, key="thread 1, call 7")
        assert again == first
        assert not await permitted(asking, wait=0, key="thread 2, call 7")


async def test_a_call_that_lost_its_approval_and_has_a_key_asks_anew(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        waiting = await permitted(asking, wait=0, key="call 7")
        handoff = await asking.desk.get(waiting.handoff_id)
        handoff = await asking.desk.answer(handoff, {"decision": "allow"}, by="ada", channel="inbox")
        await asking.desk.use(handoff, tool_use="another program")
        assert (await permitted(asking, wait=0, key="call 7")).status is Status.PENDING


async def test_what_was_remembered_is_not_asked_again(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        first = await permitted(asking, partial(answer, decision="allow", remember="exact-hour"), terms=LASTING)
        assert first.remembered == "exact-hour"
        again = await permitted(asking, terms=LASTING)
        assert again
        assert (again.remembered[:2], again.handoff_id) == ("g_", "")
        assert (await permitted(asking, wait=0)).status is Status.PENDING  # terms that let nothing be remembered


async def test_a_denial_suspends_what_was_remembered(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        await permitted(asking, partial(answer, decision="allow", remember="exact-hour"), terms=LASTING)
        assert not await permitted(asking, partial(answer, decision="deny"))
        assert (await permitted(asking, wait=0, terms=LASTING)).status is Status.PENDING


async def test_a_stop_denies_without_asking(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        now = asking.desk.clock.now()
        await asking.desk.permissions.stop(Stop(at=now, by="ada"))
        permission = await permitted(asking)
        assert (permission.allowed, permission.handoff_id) == (False, "")
        assert await asked(asking) == []


async def test_those_decide_whom_the_terms_name(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        people = asking.desk._store.people  # pyright: ignore[reportPrivateUsage] - as `handoffs people add`
        await people.add(Person(name="bob", added_at=asking.desk.clock.now()))
        terms, nobody = [Terms(deciders=DeciderRule(rule="deploy", to=(name,))) for name in ("bob", "carl")]

        async def both(desk: Desk) -> None:
            handoff = await opened(desk)
            with pytest.raises(Exception, match="decision"):
                await desk.answer(handoff, {"decision": "allow"}, by="ada", channel="inbox")
            await desk.answer(handoff, {"decision": "allow"}, by="bob", channel="inbox")

        assert (await permitted(asking, both, terms=terms)).by == "bob"
        with pytest.raises(QuestionRefused):
            await Permitting(asking, server="shop", terms=nobody).permit("delete_rows", CALL)


@pytest.mark.parametrize(
    "arguments", ["[]", "no JSON", '{"a": 1, "a": 2}', {"a": float("nan")}, {"a": object()}, {"a": "\ud800"}]
)
async def test_arguments_that_are_no_json_object_are_refused(tmp_path: Path, arguments: object) -> None:
    async with asks(tmp_path) as asking:
        with pytest.raises(QuestionRefused):
            await Permitting(asking, server="shop").permit("delete_rows", arguments)  # pyright: ignore[reportArgumentType]
        assert await asked(asking) == []


async def test_a_call_that_cant_be_shown_whole_is_denied(tmp_path: Path) -> None:
    async with asks(tmp_path) as asking:
        permission = await Permitting(asking, server="shop").permit("delete_rows", {"table": "x" * 300_000})
        assert not permission
        assert "too long" in permission.told
        assert await asked(asking) == []
