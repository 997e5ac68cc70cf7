"""A model that plays back a script, behind Anthropic's Messages API: enough of it for Claude Code. No network."""

import json
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Turn: TypeAlias = str | Sequence[tuple[str, Mapping[str, Any]]]
"""A final text, or the tool calls of one turn."""


@dataclass
class Stub:
    """What it says, and what it was sent."""

    turns: list[Turn]
    base: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Those of the conversation, in order. Claude Code also asks beside it: for titles, or whether a use is safe."""

    def tool_results(self) -> list[str]:
        """The text of each tool result in the last request."""
        found: list[str] = []
        for message in self.requests[-1]["messages"]:
            for block in message["content"] if isinstance(message["content"], list) else ():
                if block.get("type") == "tool_result":
                    content = block["content"]
                    found.append(content if isinstance(content, str) else " ".join(b.get("text", "") for b in content))
        return found

    def say(self, request: dict[str, Any]) -> Turn:
        # What it asks beside the conversation comes without tools, or with one that takes the reply apart.
        # Without somebody who could answer, it has no tool to ask them.
        if not {"AskUserQuestion", "Bash"} & {tool.get("name") for tool in request.get("tools") or ()}:
            return "A title"
        self.requests.append(request)
        return self.turns.pop(0) if self.turns else "The script is over."


@contextmanager
def serve_anthropic(*turns: Turn) -> Generator[Stub]:
    """Serve the script on loopback for as long as the block lasts."""
    stub = Stub(list(turns))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_HEAD

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._send(*self._reply(request))

        def _reply(self, request: dict[str, Any]) -> tuple[str, str]:
            if "count_tokens" in self.path:
                return "application/json", json.dumps({"input_tokens": 1})
            if not self.path.partition("?")[0].endswith("/messages"):
                return "application/json", "{}"
            said = stub.say(request)
            number = len(stub.requests)
            blocks: list[dict[str, Any]]
            if isinstance(said, str):
                blocks, stop = [{"type": "text", "text": said}], "end_turn"
            else:
                stop = "tool_use"
                blocks = [
                    {"type": "tool_use", "id": f"toolu_{number}_{at}", "name": name, "input": dict(arguments)}
                    for at, (name, arguments) in enumerate(said)
                ]
            message = {
                "id": f"msg_{number}",
                "type": "message",
                "role": "assistant",
                "model": request["model"],
                "content": blocks,
                "stop_reason": stop,
                "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 1},
            }
            if not request.get("stream"):
                return "application/json", json.dumps(message)
            return "text/event-stream", "".join(_events(message))

        def _send(self, kind: str, text: str) -> None:
            data = text.encode()
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stub.base = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _events(message: dict[str, Any]) -> Generator[str]:
    blocks, stop = message["content"], message["stop_reason"]
    yield _event("message_start", message={**message, "content": [], "stop_reason": None})
    for at, block in enumerate(blocks):
        if block["type"] == "text":
            start, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield _event("content_block_start", index=at, content_block=start)
        yield _event("content_block_delta", index=at, delta=delta)
        yield _event("content_block_stop", index=at)
    yield _event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 1})
    yield _event("message_stop")


def _event(name: str, **data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"
