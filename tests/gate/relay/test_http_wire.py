"""What goes over HTTP, and what comes back of it: headers, bytes, and words for each way in which it can fail."""

import gzip
import json
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.gate.relay.gates import Gate, gate
from tests.gate.relay.http_servers import Got, free_port, http_recorder, result_of, stream
from tests.waiting import until_there

SECRET = "s3cr3t-of-the-user"
META = (
    '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}'
)
INITIALIZE = b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}\n'
INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


def call(number: int, params: str = '"name":"t"') -> bytes:
    """A call of the older era."""
    return b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{%b}}\n' % (number, params.encode())


def newer(number: int, method: str, params: str = "") -> bytes:
    """A request of the newer era."""
    all_params = f"{params},{META}" if params else META
    return f'{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":{{{all_params}}}}}\n'.encode()


def session(got: Got, then: Callable[[Got], Response]) -> Response:
    """A server with sessions; what is neither their begin nor their end is answered by the test."""
    if got.method == "GET":
        return Response(status_code=405)
    if got.method == "DELETE":
        return Response(status_code=200)
    match got.message.get("method"):
        case "initialize":
            response = result_of(got, {"protocolVersion": "2025-11-25"})
            response.headers["mcp-session-id"] = "session-1"
            return response
        case None:
            return Response(status_code=202)
        case method if method.startswith("notifications/"):
            return Response(status_code=202)
        case _:
            return then(got)


def error_of(relay: Gate) -> dict[str, Any]:
    """The error that comes next."""
    line = relay.read()
    assert SECRET.encode() not in line
    found: dict[str, Any] = json.loads(line)["error"]
    return found


def test_a_session_is_kept_and_ended() -> None:
    reply = b'{"jsonrpc":"2.0","id":"q","result":{}}\n'
    with (
        http_recorder(lambda got: session(got, result_of)) as server,
        gate("--url", server.url, f"X-Key={SECRET}") as g,
    ):
        g.send(INITIALIZE, INITIALIZED, call(1), reply)
        assert json.loads(g.read())["id"] == 0
        assert json.loads(g.read())["id"] == 1
        until_there(lambda: server.of("GET"))
        g.close()
    begun, [after], [called], [ended] = (
        server.of("initialize"), server.of("notifications/initialized"), server.of("tools/call"), server.of("DELETE")
    )  # fmt: skip
    # Requests go at once, so that what follows one may be there first.
    assert {each.body + b"\n" for each in server.got if each.body} == {INITIALIZE, INITIALIZED, call(1), reply}
    assert "mcp-session-id" not in begun[0].headers
    assert "mcp-protocol-version" not in begun[0].headers
    for each in (after, called, ended, server.of("GET")[0]):
        assert each.headers["mcp-session-id"] == "session-1"
        assert each.headers["mcp-protocol-version"] == "2025-11-25"
        assert each.headers["x-key"] == SECRET
        assert each.headers["accept"] == "application/json, text/event-stream"
    assert "mcp-method" not in called.headers


def test_headers_of_the_newer_era_say_what_is_in_the_body() -> None:
    schema = {
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
            "n": {"type": "integer", "x-mcp-header": "N"},
        }
    }

    def answer(got: Got) -> Response:
        listed = got.message["method"] == "tools/list"
        return result_of(got, {"tools": [{"name": "t ü", "inputSchema": schema}]} if listed else {})

    arguments = '"name":"t ü","arguments":{"region":" zürich","deep":{"on":true},"n":12345678901234567890}'
    with http_recorder(answer) as server, gate("--url", server.url) as relay:
        relay.write(newer(1, "tools/list"))
        relay.read()
        relay.write(newer(2, "tools/call", arguments))
        relay.write(newer(3, "resources/read", '"uri":"file:///x"'))
        relay.write(newer(4, "tasks/get", '"taskId":"t-1"'))
        assert {json.loads(relay.read())["id"] for _ in range(3)} == {2, 3, 4}
        relay.close()
    [called], [read], [task] = server.of("tools/call"), server.of("resources/read"), server.of("tasks/get")
    named = {name: value for name, value in called.headers.items() if name.startswith("mcp-")}
    assert named == {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "=?base64?dCDDvA==?=",
        "mcp-param-region": "=?base64?IHrDvHJpY2g=?=",
        "mcp-param-on": "true",
        "mcp-param-n": "12345678901234567890",
    }
    assert read.headers["mcp-name"] == "file:///x"
    assert task.headers["mcp-name"] == "t-1"
    assert not server.of("DELETE")
    assert not server.of("GET")


ODD = b'{"id": 1,"jsonrpc":"2.0" ,"result":{"n":1e400,"m":1.10,"s":"\\u00e4 \xc3\xa4 \\/ ","n":2}}'
CUT = ODD.replace(b" ", b"\n", 1)  # between two tokens
LETTERS = [bytes([each]) for each in b"\xef\xbb\xbfid: 7\r\nevent: message\r\ndata:" + ODD + b"\r\n\r\n"]


@pytest.mark.parametrize(
    "response",
    [
        lambda: Response(ODD, media_type="application/json"),
        lambda: stream(b": hello\n\ndata: " + ODD + b"\n\n"),
        lambda: stream(*LETTERS),
        lambda: stream(b"data: " + CUT.replace(b"\n", b"\ndata: ") + b"\n\n"),
        lambda: Response(CUT + b"\n", media_type="application/json; charset=utf-8"),
    ],
)
def test_an_answer_passes_as_it_came(response: Callable[[], Response]) -> None:
    with http_recorder(lambda _: response()) as server, gate("--url", server.url) as relay:
        relay.write(call(1))
        assert relay.read() == ODD + b"\n"


def test_cookies_and_encoded_bodies_are_understood() -> None:
    def answer(got: Got) -> Response:
        body = gzip.compress(b'{"jsonrpc":"2.0","id":%d,"result":{}}' % got.message["id"])
        headers = {"content-encoding": "gzip", "set-cookie": "balancer=b7; Path=/"}
        return Response(body, media_type="application/json", headers=headers)

    with http_recorder(lambda got: session(got, answer)) as server, gate("--url", server.url) as relay:
        relay.send(INITIALIZE)
        relay.read()
        for number in (1, 2):
            relay.send(call(number))
            assert relay.read() == b'{"jsonrpc":"2.0","id":%d,"result":{}}\n' % number
        relay.close()
        cookies = [each.headers.get("cookie") for each in server.of("tools/call")]
    assert cookies == [None, "balancer=b7"]


def test_a_long_event_and_requests_of_the_server_pass() -> None:
    long = b'{"jsonrpc":"2.0","id":1,"result":{"s":"' + b"x" * 5_000_000 + b'"}}'
    asks = b'{"jsonrpc":"2.0","id":"s1","method":"ping"}'
    with (
        http_recorder(lambda _: stream(b"data: " + asks + b"\n\ndata: " + long + b"\n\n")) as server,
        gate("--url", server.url) as relay,
    ):
        relay.write(call(1))
        assert relay.read() == asks + b"\n"
        assert relay.read() == long + b"\n"


def test_a_client_that_frames_is_answered_in_frames() -> None:
    with http_recorder(result_of) as server, gate("--url", server.url) as relay:
        body = call(1).rstrip()
        relay.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert relay.read().startswith(b"Content-Length: ")
    assert server.got[0].body == body


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "the server behind refuses the gate (401 Unauthorized): give it what it wants with --header"),
        (403, "the server behind refuses the gate (403 Forbidden)"),
        (307, "redirects to another address (307 Temporary Redirect): give that to --url"),
        (404, "has refused the message (404 Not Found)"),
        (429, "has refused the message (429 Too Many Requests)"),
    ],
)
def test_what_the_server_refuses_is_said(status: int, words: str) -> None:
    headers = {"www-authenticate": 'Bearer resource_metadata="https://x/y"', "location": "https://elsewhere/"}
    with (
        http_recorder(lambda _: Response(f"no, {SECRET}", status_code=status, headers=headers)) as server,
        gate("--url", server.url, f"Authorization=Bearer {SECRET}") as relay,
    ):
        relay.write(call(1))
        error = error_of(relay)
    assert words in error["message"]
    assert "may have run" not in error["message"]
    assert error["data"] == {"status": status, "wwwAuthenticate": headers["www-authenticate"]}
    assert len(server.got) == 1


def test_a_challenge_that_quotes_the_secret_is_not_passed_on() -> None:
    headers = {"www-authenticate": f'Bearer error="bad {SECRET}"'}
    with (
        http_recorder(lambda _: Response(status_code=401, headers=headers)) as server,
        gate("--url", server.url, f"Authorization=Bearer {SECRET}") as relay,
    ):
        relay.write(call(1))
        assert error_of(relay)["data"] == {"status": 401}


def test_an_error_of_the_servers_own_passes_with_the_id_of_the_request() -> None:
    own = {"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32020, "message": "mismatch", "data": [1]}}
    with http_recorder(lambda _: JSONResponse(own, status_code=400)) as server, gate("--url", server.url) as relay:
        relay.write(call(5))
        assert json.loads(relay.read()) == {**own, "id": 5}


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (lambda: Response(status_code=502), "has answered 502 Bad Gateway"),
        (lambda: Response(status_code=202), "does not answer it (202 Accepted)"),
        (lambda: Response("<html>", media_type="text/html"), "with something else than JSON"),
        (lambda: Response("[]", media_type="application/json"), "with something else than a response"),
        (lambda: stream(b'data: {"jsonrpc":"2.0","method":"x"}\n\n'), "has closed the connection"),
        (lambda: stream(b": only", cut=True), "has closed the connection"),
    ],
)
def test_an_unanswered_call_may_have_run_and_is_sent_once(response: Callable[[], Response], words: str) -> None:
    with (
        http_recorder(lambda _: response()) as server,
        gate("--url", server.url, f"X-Key={SECRET}") as relay,
    ):
        relay.write(call(1))
        line = relay.read()
        error = json.loads(line if b'"error"' in line else relay.read())["error"]
    assert error["message"].startswith("Not answered, and it may have run: the server behind ")
    assert words in error["message"]
    assert len(server.got) == 1


def test_a_server_that_is_away_is_said_at_once() -> None:
    with gate("--url", f"http://127.0.0.1:{free_port()}/mcp", f"X-Key={SECRET}") as relay:
        relay.write(call(1) + call(2))
        errors = [error_of(relay), error_of(relay)]
    words = "Not answered: the server behind can't be reached: connection refused."
    assert {each["message"] for each in errors} == {words}


def test_a_connection_that_is_cut_before_a_word_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = threading.Event()

        def cut() -> None:
            connection, _ = listener.accept()
            connection.recv(10_000)
            connection.close()
            taken.set()

        threading.Thread(target=cut, daemon=True).start()
        with gate("--url", f"http://127.0.0.1:{listener.getsockname()[1]}/mcp") as relay:
            relay.write(call(1))
            assert "it may have run" in error_of(relay)["message"]
            assert taken.is_set()
            listener.settimeout(0.3)
            with pytest.raises(TimeoutError):
                listener.accept()


@pytest.mark.parametrize(("answer", "whole"), [(b'"result":{"a":[1]}}', True), (b'"result":{"a":[1', False)])
def test_half_a_response_whose_length_is_not_told_is_none(answer: bytes, whole: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut() -> None:
            connection, _ = listener.accept()
            connection.recv(10_000)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
            connection.sendall(head + b'{"jsonrpc":"2.0","id":1,' + answer)
            connection.shutdown(socket.SHUT_WR)
            connection.close()

        threading.Thread(target=cut, daemon=True).start()
        with gate("--url", f"http://127.0.0.1:{listener.getsockname()[1]}/mcp") as relay:
            relay.write(call(1))
            if whole:
                assert json.loads(relay.read())["result"] == {"a": [1]}
            else:
                assert "it may have run" in error_of(relay)["message"]


def test_a_session_that_is_gone_ends_the_gate_with_words() -> None:
    def answer(got: Got) -> Response:
        return session(got, lambda _: JSONResponse({"error": "gone"}, status_code=404))

    with http_recorder(answer) as server, gate("--url", server.url) as relay:
        relay.send(INITIALIZE, INITIALIZED, call(1))
        relay.read()
        assert error_of(relay)["message"] == "Not answered: the server behind has ended the session."
        assert relay.process.wait(10) == 1
    assert not server.of("DELETE")


def test_a_stream_that_is_cut_is_taken_up_behind_its_last_event() -> None:
    def answer(got: Got) -> Response:
        if got.method == "GET" and got.headers.get("last-event-id") == "e1":
            return stream(b'id: e2\ndata: {"jsonrpc":"2.0","id":1,"result":{"late":true}}\n\n')
        return session(got, lambda _: stream(b"retry: 10\nid: e1\ndata: \n\ndata: {half", cut=True))

    with http_recorder(answer) as server, gate("--url", server.url) as relay:
        relay.send(INITIALIZE, INITIALIZED, call(1))
        relay.read()
        assert json.loads(relay.read()) == {"jsonrpc": "2.0", "id": 1, "result": {"late": True}}
    assert len(server.of("tools/call")) == 1
    [resumed] = [each for each in server.of("GET") if "last-event-id" in each.headers]
    assert resumed.headers["mcp-session-id"] == "session-1"


def test_a_stream_that_goes_on_nowhere_is_given_up() -> None:
    def answer(got: Got) -> Response:
        return session(got, lambda _: stream(b"retry: 10\nid: e1\ndata: \n\n"))

    with http_recorder(answer) as server, gate("--url", server.url) as relay:
        relay.send(INITIALIZE, INITIALIZED, call(1))
        relay.read()
        assert "it may have run" in error_of(relay)["message"]
    assert len(server.of("tools/call")) == 1


def test_a_cancellation_is_sent_or_closes_the_stream_by_its_era() -> None:
    closed = threading.Event()

    def answer(got: Got) -> Response:
        return session(got, lambda _: _waits(closed))

    cancel = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}\n'
    with http_recorder(answer) as server, gate("--url", server.url) as relay:
        relay.send(INITIALIZE, INITIALIZED, call(1))
        relay.read()
        until_there(lambda: server.of("tools/call"))
        relay.write(cancel % 1)
        until_there(lambda: server.of("notifications/cancelled"))
        assert not closed.is_set()
        relay.close()
    closed.clear()
    with http_recorder(answer) as server, gate("--url", server.url) as relay:
        relay.write(newer(1, "tools/call", '"name":"t"'))
        until_there(lambda: server.of("tools/call"))
        time.sleep(0.2)
        relay.write(cancel % 1)
        assert closed.wait(10)
        assert not server.of("notifications/cancelled")


def _waits(closed: threading.Event) -> Response:
    """A stream that never ends by itself."""
    import anyio
    from starlette.responses import StreamingResponse

    async def parts() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b": still here\n\n"
                await anyio.sleep(0.05)
        finally:
            closed.set()

    return StreamingResponse(parts(), media_type="text/event-stream")


def test_what_is_under_way_at_the_end_is_waited_for_and_then_left() -> None:
    def answer(got: Got) -> Response:
        return session(got, lambda _: stream(b'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'))

    with http_recorder(answer) as server, gate("--url", server.url) as relay:
        relay.write(INITIALIZE + INITIALIZED + call(1))
        assert [json.loads(each)["id"] for each in relay.close().splitlines()] == [0, 1]
        assert len(server.of("DELETE")) == 1
    with http_recorder(lambda _: _waits(threading.Event())) as server, gate("--url", server.url) as relay:
        relay.write(call(1))
        until_there(lambda: server.got)
        begun = time.monotonic()
        assert b"Not answered: the server behind was left before it answered." in relay.close()
        assert time.monotonic() - begun < 4
