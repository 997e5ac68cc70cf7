"""The front of the pipe: which session a message begins, in what framing, and what is answered before any server is."""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from handoffs.first_stage.front import CLIENT_META, VERSION_META, Begin, Front, Pass, Reply, Step, answered


def request(method: str, number: int = 1, *, newer: bool = False, client: str = "some-host") -> dict[str, Any]:
    meta = {VERSION_META: "2026-07-28", CLIENT_META: {"name": client, "version": "1"}}
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": {"_meta": meta} if newer else {}}


def lines(*messages: object) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def framed(message: object, *, header: str = "Content-Length: {}\r\n\r\n") -> bytes:
    body = json.dumps(message).encode()
    return header.format(len(body)).encode() + body


def kinds(steps: Iterable[Step]) -> list[str]:
    return [type(step).__name__ for step in steps]


def passed(steps: Iterable[Step]) -> list[object]:
    return [json.loads(step.text) for step in steps if isinstance(step, Pass | Begin)]


DISCOVER = request("server/discover", newer=True)
INITIALIZE = request("initialize")
LIST = request("tools/list", newer=True)
CALL = request("tools/call")
CANCELLED = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([INITIALIZE, CALL], ["Pass", "Pass"]),
        ([DISCOVER, LIST, CALL], ["Pass", "Pass", "Pass"]),
        ([DISCOVER, INITIALIZE, CALL], ["Pass", "Begin", "Pass"]),
        ([DISCOVER, CANCELLED, DISCOVER, INITIALIZE], ["Pass", "Pass", "Pass", "Begin"]),
        ([CANCELLED, DISCOVER, INITIALIZE], ["Pass", "Pass", "Begin"]),
        ([DISCOVER, request("ping"), INITIALIZE], ["Pass", "Pass", "Begin"]),
        ([DISCOVER, LIST, INITIALIZE], ["Pass", "Pass", "Pass"]),
        ([LIST, INITIALIZE], ["Pass", "Pass"]),
        ([request("ping"), INITIALIZE], ["Pass", "Pass"]),
        ([request("server/discover"), INITIALIZE], ["Pass", "Pass"]),
        ([INITIALIZE, DISCOVER, INITIALIZE], ["Pass", "Pass", "Pass"]),
    ],
)
def test_an_older_session_begins_as_long_as_nothing_but_probes_was_served(
    messages: list[object], expected: list[str]
) -> None:
    at_once = Front()
    steps = list(at_once.take(lines(*messages)))
    assert kinds(steps) == expected
    assert passed(steps) == messages
    bytewise = Front()
    assert [step for byte in lines(*messages) for step in bytewise.take(bytes([byte]))] == steps


@pytest.mark.parametrize("name", ["claude-code", "Claude-Code"])
def test_claude_code_is_refused_the_newer_era_with_the_fallback_error(name: str) -> None:
    front = Front()
    probe = request("server/discover", 7, newer=True, client=name)
    [refused] = front.take(lines(probe))
    assert isinstance(refused, Reply)
    answer = json.loads(refused.text)
    assert (answer["id"], answer["error"]["code"]) == (7, -32601)
    assert kinds(front.take(lines(INITIALIZE))) == ["Pass"]
    assert kinds(Front().take(lines(request("server/discover", newer=True, client="claude-code-like")))) == ["Pass"]


@pytest.mark.parametrize(
    "again",
    [lines(INITIALIZE), lines(INITIALIZE).replace(b"initialize", b"initi\\u0061lize"), framed(INITIALIZE)],
    ids=["as it is", "spelled in codes", "with a header"],
)
def test_a_second_initialize_makes_the_people_unknown_for_good(again: bytes) -> None:
    front = Front()
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    list(front.take(lines(DISCOVER, INITIALIZE, initialized, request("tools/call", 3))))
    assert not front.shared
    assert kinds(front.take(again)) == ["Pass"]
    assert front.shared
    list(front.take(lines(CALL)))
    assert front.shared


def test_what_an_agent_says_of_initialize_is_no_second_one() -> None:
    front = Front()
    said = {"message": '"initialize" é', "method": "initialize"}
    call = {**CALL, "params": {"name": "handoff_to_user", "arguments": said}}
    assert passed(front.take(lines(INITIALIZE, call))) == [INITIALIZE, call]
    assert not front.shared


@pytest.mark.parametrize(
    "header",
    [
        "Content-Length: {}\r\n\r\n",
        "content-length:{}\n\n",
        "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
    ],
)
def test_messages_with_a_header_are_read_and_answered_so(header: str) -> None:
    sent = framed(INITIALIZE, header=header) + framed(CALL, header=header)
    for pieces in ([sent], [bytes([byte]) for byte in sent]):
        front = Front()
        assert passed(step for piece in pieces for step in front.take(piece)) == [INITIALIZE, CALL]
        # A client that counts characters where the header says bytes reads it whole, too.
        head, body = front.wrap('{"text":"é😀"}').split(b"\r\n\r\n")
        assert head == b"Content-Length: %d" % len(body)
        assert body.isascii()
        assert json.loads(body) == {"text": "é😀"}


def test_the_framing_of_the_last_message_is_that_of_the_answers() -> None:
    front = Front()
    assert front.wrap("{}") == b"{}\n"
    # Pretty-printed: a line feed within is no end.
    body = json.dumps(INITIALIZE, indent=2).encode()
    assert passed(front.take(b"Content-Length: %d\r\n\r\n" % len(body) + body + b"\r\n")) == [INITIALIZE]
    assert front.wrap("{}") == b"Content-Length: 2\r\n\r\n{}"
    assert passed(front.take(lines(CALL))) == [CALL]
    assert front.wrap('{"é":1}') == '{"é":1}\n'.encode()


@pytest.mark.parametrize(
    "sent",
    [b"Content-Length: much\r\n\r\n", b"Content-Length: 99999999999\r\n\r\n", b"Content-Type: x" * 1_000],
)
def test_a_header_that_can_not_be_kept_is_refused_in_words(sent: bytes) -> None:
    front = Front()
    [refused] = front.take(sent)
    assert isinstance(refused, Reply)
    assert json.loads(refused.text)["error"]["message"].startswith("This message can't be read: a header must ")
    assert passed(front.take(framed(INITIALIZE))) == [INITIALIZE]


@pytest.mark.parametrize(
    "junk", [b"no json", b"[]", b"[" * 100_000, b'{"method":"initialize"}', b'{"id":1,"method":7}', b'"\xff"', b"Cont"]
)
def test_what_is_no_request_decides_nothing_and_is_left_to_the_server(junk: bytes) -> None:
    front = Front()
    list(front.take(lines(DISCOVER)))
    [step] = front.take(junk + b"\n")
    assert step == Pass(junk.decode("utf-8", "replace"))
    assert kinds(front.take(lines(INITIALIZE))) == ["Begin"]


def test_a_last_line_that_nothing_ends_is_passed_on() -> None:
    front = Front()
    assert list(front.take(lines(CALL).rstrip())) == []
    assert passed(front.end()) == [CALL]
    assert list(front.end()) == []


def test_a_result_is_told_from_everything_else_that_goes_out() -> None:
    assert answered('{"jsonrpc":"2.0","id":5,"result":{}}') == 5
    assert answered('{"jsonrpc":"2.0","id":"a\\"b","result":{}}') == 'a"b'
    assert answered('{"jsonrpc":"2.0","id":5,"error":{"message":",\\"result\\":"}}') is None
    assert answered('{"jsonrpc":"2.0","id":5,"method":"elicitation/create"}') is None
    assert answered('{"jsonrpc":"2.0","method":"notifications/progress"}') is None


def test_it_needs_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import handoffs.first_stage.front;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "['handoffs']\n"
