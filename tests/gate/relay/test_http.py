"""The relay in front of servers over HTTP: what the SDK's own serve is the same as directly, in both eras."""

import pytest

from tests.gate.relay.gates import GATE
from tests.gate.relay.http_servers import started
from tests.gate.relay.test_eras import EVERYTHING, seen


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_host_sees_the_same_directly_and_through_the_gate(mode: str) -> None:
    with started(EVERYTHING[1]) as url:
        direct = await seen(url, mode, times=100)  # the SDK's client takes events of a megabyte
    assert len(direct) > 25
    with started(EVERYTHING[1]) as url:
        through = await seen([*GATE, "--url", url], mode, times=100)
    # What the server says unasked comes on a stream of its own, so its place between the others is chance.
    assert [each for each in through if not each.startswith("message:")] == [
        each for each in direct if not each.startswith("message:")
    ]
    assert sorted(through) == sorted(direct)
    kinds = {line.partition(":")[0] for line in direct}
    assert {"elicitation", "sampling", "roots", "progress", "cancelled", "error"} <= kinds
