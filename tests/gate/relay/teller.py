"""A server that says which process it is: `python teller.py JOURNAL`. All that it reads goes to the journal as it came.

It answers `slow` only after it was told `release`, with progress before and after. After `unasked` it says something.
"""

import json
import os
import sys
from typing import Any


def say(**told: object) -> None:
    """Send a message."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **told}) + "\n")
    sys.stdout.flush()


def progress(request: dict[str, Any], number: int) -> None:
    """Tell of the progress of a request that wants to know."""
    token = (request["params"].get("_meta") or {}).get("progressToken")
    if token is not None:
        say(method="notifications/progress", params={"progressToken": token, "progress": number})


def answer(request: dict[str, Any]) -> None:
    """Answer a request."""
    params = request.get("params") or {}
    result: dict[str, object] = {"pid": os.getpid(), "name": params.get("name")}
    if request["method"] == "initialize":
        result |= {"protocolVersion": params["protocolVersion"], "capabilities": {}, "serverInfo": {"name": "t"}}
    say(id=request["id"], result=result)


slow: list[dict[str, Any]] = []
with open(sys.argv[1], "ab", buffering=0) as journal:
    for line in sys.stdin.buffer:
        journal.write(line)
        message = json.loads(line)
        match message.get("method"):
            case "slow":
                slow.append(message)
                progress(message, 1)
            case "release":
                for each in slow:
                    progress(each, 2)
                    answer(each)
                slow.clear()
                answer(message)
            case "unasked":
                answer(message)
                say(method="notifications/message", params={"level": "info", "data": "unasked"})
            case "tools/list":
                tool = {"name": "pay", "inputSchema": {"type": "object"}}
                say(id=message["id"], result={"tools": [tool]})
            case _ if "id" in message:
                answer(message)
            case _:
                pass
