"""Which requests a snapshot may answer, and when two of them get the same answer."""

import json
from typing import Any

import pytest

from handoffs.first_stage.front import CLIENT_META, VERSION_META
from handoffs.first_stage.requests import MAX_CHARS, Requests

CAPABILITIES_META = "io.modelcontextprotocol/clientCapabilities"
INITIALIZE: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "codex", "version": "1"},
}
META: dict[str, Any] = {
    VERSION_META: "2026-07-28",
    CLIENT_META: {"name": "codex", "version": "1"},
    CAPABILITIES_META: {},
}


def request(method: str, params: Any = None, request_id: Any = 1, **more: Any) -> str:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return json.dumps(message | ({} if params is None else {"params": params}) | more)


def keys(*texts: str) -> list[str | None]:
    requests = Requests()
    return [None if (found := requests.next(text)) is None else found.key for text in texts]


def older(*texts: str, **initialize: Any) -> list[str | None]:
    begun = request("initialize", INITIALIZE | initialize, 0)
    return keys(begun, json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}), *texts)[2:]


@pytest.mark.parametrize("method", ["tools/list", "prompts/list", "resources/templates/list"])
def test_a_list_of_the_older_era_depends_on_its_session_and_not_on_its_id(method: str) -> None:
    [key] = older(request(method))
    assert key is not None
    assert older(request(method, {}, "a")) == [key]
    for other in ({"clientInfo": {"name": "codex", "version": "2"}}, {"capabilities": {}}, {"protocolVersion": "x"}):
        [another] = older(request(method), **other)
        assert another not in {None, key}


@pytest.mark.parametrize("method", ["server/discover", "tools/list", "prompts/list", "resources/templates/list"])
def test_a_request_of_the_newer_era_depends_on_what_it_says_of_its_client(method: str) -> None:
    [key] = keys(request(method, {"_meta": META}))
    assert key is not None
    assert keys(request(method, {"_meta": META}, 7)) == [key]
    for other in ({CLIENT_META: {"name": "codex", "version": "2"}}, {CAPABILITIES_META: {"elicitation": {}}}):
        [another] = keys(request(method, {"_meta": META | other}))
        assert another not in {None, key}


def test_initialize_is_answered_once_on_a_pipe() -> None:
    first, second = keys(request("initialize", INITIALIZE), request("initialize", INITIALIZE))
    assert first is not None
    assert second is None


def test_a_list_waits_until_the_session_has_begun() -> None:
    before, begun, early = keys(request("tools/list"), request("initialize", INITIALIZE), request("tools/list"))
    assert (before, early) == (None, None)
    assert begun is not None


@pytest.mark.parametrize(
    "text",
    [
        request("tools/call", {"name": "handoff_to_user"}),
        request("resources/list"),
        request("tools/list", {"cursor": "2"}),
        request("tools/list", {"_meta": {"progressToken": 1}}),
        request("tools/list", {"_meta": {**META, "traceparent": "00-1"}}),
        request("tools/list", {"_meta": META, "cursor": "2"}),
        request("tools/list", None, True),
        request("tools/list", None, 1.5),
        request("tools/list", None, None),
        request("tools/list", []),
        request("tools/list", extra=1),
        request("tools/list", jsonrpc="1.0"),
        request("tools/list", {"_meta": META, "x": "y" * MAX_CHARS}),
        "[]",
        "{",
        "[" * 100_000,
        "",
    ],
)
def test_everything_else_comes_from_the_server_itself(text: str) -> None:
    assert older(text) == [None]
