"""A model that plays back a script, behind Google's Gemini API: enough of it for Gemini CLI. No network."""

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
    """Those of the conversation, in order. What asks for a title or the like has no tools."""

    def tool_results(self) -> list[str]:
        """The JSON of each tool result in the last request."""
        parts = [part for content in self.requests[-1]["contents"] for part in content["parts"]]
        return [json.dumps(part["functionResponse"]["response"]) for part in parts if "functionResponse" in part]

    def say(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the parts of the next turn."""
        if not any("functionDeclarations" in tool for tool in request.get("tools") or ()):
            return [{"text": "{}"}]
        self.requests.append(request)
        turn = self.turns.pop(0) if self.turns else "The script is over."
        if isinstance(turn, str):
            return [{"text": turn}]
        return [{"functionCall": {"name": name, "args": dict(given)}} for name, given in turn]


@contextmanager
def serve_gemini(*turns: Turn) -> Generator[Stub]:
    """Serve the script on loopback for as long as the block lasts."""
    stub = Stub(list(turns))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if "countTokens" in self.path:
                return self._send("application/json", json.dumps({"totalTokens": 1}))
            parts = stub.say(request)
            reply = {
                "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
                "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
            }
            if "stream" in self.path:
                return self._send("text/event-stream", f"data: {json.dumps(reply)}\n\n")
            return self._send("application/json", json.dumps(reply))

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
