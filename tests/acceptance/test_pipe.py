"""One pipe, used by clients that probe and fall back, that frame otherwise, or that are several."""

import json
import os
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from handoffs.first_stage.front import CLIENT_META, VERSION_META
from tests.acceptance.processes import HANDOFFS, Home

CAPABILITIES_META = "io.modelcontextprotocol/clientCapabilities"
FORM = {"elicitation": {}}


class Pipe:
    """A client that writes and reads as a test says."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, framed: bool, name: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self.stdin, self.stdout = process, process.stdin, process.stdout
        self.framed, self.name = framed, name
        self.numbers = count(1)

    def send(self, method: str, params: dict[str, Any] | None = None, *, notify: bool = False) -> int:
        number = 0 if notify else next(self.numbers)
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        self.write(message if notify else {**message, "id": number})
        return number

    def write(self, message: object) -> None:
        body = json.dumps(message).encode()
        self.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) if self.framed else body + b"\n")
        self.stdin.flush()

    def read(self) -> dict[str, Any]:
        if not self.framed:
            return json.loads(self.stdout.readline() or "{}")
        # As Cline reads: by characters, which is right only where each is a byte.
        head = self.stdout.readline()
        assert head.startswith(b"Content-Length: ")
        assert self.stdout.readline() == b"\r\n"
        return json.loads(self.stdout.read(int(head.split()[1])).decode("ascii"))

    def answer_to(self, number: int) -> dict[str, Any]:
        """What the request with this number comes to; what comes before that is kept in `before`."""
        self.before: list[dict[str, Any]] = []
        while (message := self.read()).get("id") != number or "method" in message:
            assert message, "the server has ended"
            self.before.append(message)
        return message

    def newer(self) -> dict[str, Any]:
        info = {"name": self.name, "version": "1"}
        return {"_meta": {VERSION_META: "2026-07-28", CLIENT_META: info, CAPABILITIES_META: FORM}}

    def initialize(self) -> dict[str, Any]:
        info = {"name": self.name, "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": FORM, "clientInfo": info}
        answer = self.answer_to(self.send("initialize", params))
        self.send("notifications/initialized", notify=True)
        return answer

    def call(self, message: str = "Deploy?", tool: str = "handoff_to_user", **arguments: Any) -> int:
        arguments = {"message": message, **arguments} if tool == "handoff_to_user" else arguments
        return self.send("tools/call", {"name": tool, "arguments": arguments})


def outcome(answer: dict[str, Any]) -> dict[str, Any]:
    return answer["result"]["structuredContent"]


@contextmanager
def piped(home: Home, *, framed: bool = False, name: str = "test-host") -> Generator[Pipe]:
    """A server that is ended after a minute: then what a test reads is empty."""
    with (home.folder / "stderr.txt").open("ab") as log:
        process = subprocess.Popen(
            [*HANDOFFS, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=home.env,
            cwd=home.folder,
        )  # fmt: skip
    alarm = threading.Timer(60, process.kill)
    alarm.start()
    try:
        yield Pipe(process, framed=framed, name=name)
        if not process.stdin.closed:  # type: ignore[union-attr]
            process.stdin.close()  # type: ignore[union-attr]
        process.wait(30)
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
        for end in (process.stdin, process.stdout):
            assert end is not None
            end.close()


def test_a_client_whose_probe_goes_unanswered_is_served_by_initialize(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "0"})
    with piped(home) as pipe:
        # All before the server reads: it is still starting.
        probe = pipe.send("server/discover", pipe.newer())
        answer = pipe.initialize()
        assert answer["result"]["protocolVersion"] == "2025-11-25"
        [probed] = pipe.before
        assert (probed["id"], "2026-07-28" in probed["result"]["supportedVersions"]) == (probe, True)
        assert outcome(pipe.answer_to(pipe.call()))["status"] == "PENDING"
        # And not twice: this session is an older one now.
        assert pipe.answer_to(pipe.send("server/discover", pipe.newer()))["error"]["code"] == -32600


def test_a_client_that_goes_on_in_the_newer_era_can_not_fall_back_any_more(tmp_path: Path) -> None:
    with piped(Home(tmp_path)) as pipe:
        pipe.answer_to(pipe.send("server/discover", pipe.newer()))
        assert pipe.answer_to(pipe.send("tools/list", pipe.newer()))["result"]["tools"]
        assert pipe.initialize()["error"]["code"] == -32022


def test_claude_code_is_led_to_the_older_era(tmp_path: Path) -> None:
    with piped(Home(tmp_path), name="claude-code") as pipe:
        assert pipe.answer_to(pipe.send("server/discover", pipe.newer()))["error"]["code"] == -32601
        assert pipe.initialize()["result"]["serverInfo"]["name"] == "handoffs"
        names = {tool["name"] for tool in pipe.answer_to(pipe.send("tools/list"))["result"]["tools"]}
        assert "approve_tool_use" in names


def test_messages_with_a_header_get_answers_with_one(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "0"})
    with piped(home, framed=True) as pipe:
        assert pipe.initialize()["result"]["serverInfo"]["name"] == "handoffs"
        got = outcome(pipe.answer_to(pipe.call("Größe? 😀", options=["größer", "kleiner"])))
        assert (got["status"], got["content"]) == ("PENDING", [{"text": "Größe? 😀"}])
    assert pipe.process.returncode == 0


def test_a_second_client_on_one_pipe_gets_no_dialog_and_joins_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "2"})
    with piped(home) as pipe:
        pipe.initialize()
        first = pipe.call()
        shown = pipe.read()
        assert shown["method"] == "elicitation/create"
        pipe.initialize()  # as supergateway passes on that of a second client
        # The answer may come from either: it does not count.
        pipe.write({"jsonrpc": "2.0", "id": shown["id"], "result": {"action": "accept", "content": {"response": "y"}}})
        mine = outcome(pipe.answer_to(first))
        assert mine["status"] == "PENDING"
        theirs = outcome(pipe.answer_to(pipe.call()))
        assert not [each for each in pipe.before if each.get("method") == "elicitation/create"]
        assert theirs["status"] == "PENDING"
        assert theirs["handoffId"] != mine["handoffId"]
        assert home.run("answer", theirs["handoffId"], "go").returncode == 0
        assert outcome(pipe.answer_to(pipe.call()))["status"] == "PENDING"
        # By its id it can be had: nobody can guess that.
        got = pipe.answer_to(pipe.call(tool="check_handoff", handoff_id=theirs["handoffId"]))
        assert outcome(got)["values"] == {"response": "go"}
        listed = pipe.answer_to(pipe.send("resources/list"))["result"]["resources"]
        assert {each["uri"] for each in listed} == {"handoff://open", "ui://handoffs/card"}
        opened = pipe.answer_to(pipe.send("resources/read", {"uri": "handoff://open"}))["result"]["contents"]
        assert json.loads(opened[0]["text"]) == []
    log = (tmp_path / "stderr.txt").read_text()
    assert log.count("A second client has sent `initialize` on this pipe") == 1


def test_two_clients_with_one_request_id_on_one_pipe_get_no_outcome(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "60"})
    with piped(home) as pipe:
        pipe.initialize()
        first = pipe.call("Deploy for Ada?")
        assert pipe.read()["method"] == "elicitation/create"
        pipe.initialize()
        for number in (first, str(first)):
            call = {"name": "handoff_to_user", "arguments": {"message": "Deploy for Bob?"}}
            pipe.write({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": call})
            error = pipe.answer_to(number)["error"]  # type: ignore[arg-type]
            assert error["message"].startswith("This is no answer: nothing is approved.")
        [asked] = json.loads(home.run("list", "--json").stdout)
        assert asked["message"] == "Deploy for Ada?"
        assert home.run("answer", asked["id"], "yes").returncode == 0
        assert outcome(pipe.answer_to(first))["values"] == {"response": "yes"}
        # The number is free again.
        call = {"name": "check_handoff", "arguments": {"handoff_id": asked["id"]}}
        pipe.write({"jsonrpc": "2.0", "id": first, "method": "tools/call", "params": call})
        assert outcome(pipe.answer_to(first))["values"] == {"response": "yes"}


@pytest.mark.skipif(os.name == "nt", reason="a terminal is none there")
def test_a_terminal_is_answered_too(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    home = Home(tmp_path)
    process = subprocess.Popen(
        [*HANDOFFS, "serve"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=home.env
    )
    alarm = threading.Timer(60, process.kill)
    alarm.start()
    try:
        os.write(ours, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode() + b"\n")
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["result"] == {}
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
        os.close(ours)
        os.close(theirs)
