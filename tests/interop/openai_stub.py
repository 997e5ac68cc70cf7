"""A model that plays back a script, behind OpenAI's Responses API: enough of it for Codex and the Agents SDK."""

import json
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

Call: TypeAlias = tuple[str, Mapping[str, Any]]
"""The name of a tool and its arguments. One with `/` in the name is a tool in a namespace, as Codex has them."""

Turn: TypeAlias = str | Sequence[Call] | Callable[[list[str]], str | Sequence[Call]]
"""A final text, or the tool calls of one turn; or what decides that by the tool results so far."""


@dataclass
class Stub:
    """What it says, and what it was sent."""

    turns: list[Turn]
    base: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Those that the script answered, in order; what asks for a title or the like has no tools."""

    def tool_results(self) -> list[str]:
        """The text of each tool result in the last request."""
        items = self.requests[-1]["input"] if self.requests else []
        return [_text(item["output"]) for item in items if item.get("type") == "function_call_output"]

    def say(self, request: dict[str, Any]) -> str | Sequence[Call]:
        if not request.get("tools"):
            return "A title"
        self.requests.append(request)
        turn = self.turns.pop(0) if self.turns else "The script is over."
        return turn(self.tool_results()) if callable(turn) else turn


@contextmanager
def serve_openai(*turns: Turn) -> Generator[Stub]:
    """Serve the script on loopback for as long as the block lasts."""
    stub = Stub(list(turns))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

        def do_GET(self) -> None:
            self._send(404, "application/json", "{}")

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self.path.partition("?")[0].endswith("/responses"):
                return self._send(404, "application/json", "{}")
            said = stub.say(request)
            response = _response(said, request["model"], len(stub.requests))
            if not request.get("stream"):
                return self._send(200, "application/json", json.dumps(response))
            return self._send(200, "text/event-stream", "".join(_events(response)))

        def _send(self, status: int, kind: str, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stub.base = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _text(output: str | list[dict[str, Any]]) -> str:
    return output if isinstance(output, str) else " ".join(part.get("text", "") for part in output)


def _response(said: str | Sequence[Call], model: str, number: int) -> dict[str, Any]:
    output: list[dict[str, Any]]
    if isinstance(said, str):
        text = {"type": "output_text", "text": said, "annotations": []}
        output = [
            {"type": "message", "id": f"m{number}", "role": "assistant", "status": "completed", "content": [text]}
        ]
    else:
        output = [_call(name, arguments, f"{number}_{at}") for at, (name, arguments) in enumerate(said)]
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": model,
        "output": output,
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2,
        },
    }


def _call(name: str, arguments: Mapping[str, Any], key: str) -> dict[str, Any]:
    namespace, _, own = name.rpartition("/")
    return {
        "type": "function_call",
        "id": f"fc_{key}",
        "call_id": f"call_{key}",
        **({"namespace": namespace} if namespace else {}),
        "name": own,
        "arguments": json.dumps(arguments),
        "status": "completed",
    }


def _events(response: dict[str, Any]) -> Generator[str]:
    yield _event("response.created", response={**response, "status": "in_progress", "output": []})
    for at, item in enumerate(response["output"]):
        yield _event("response.output_item.done", output_index=at, item=item)
    yield _event("response.completed", response=response)


def _event(name: str, **data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"
