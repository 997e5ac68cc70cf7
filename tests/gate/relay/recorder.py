"""A server that tells what it got: `python recorder.py FILE`. Lines go to the file, requests are answered."""

import json
import sys

with open(sys.argv[1], "ab", buffering=0) as kept:
    for line in sys.stdin.buffer:
        kept.write(line)
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict) and "method" in message and "id" in message:
            params = message.get("params") or {}
            for noise in params.get("noise", ()) if isinstance(params, dict) else ():
                sys.stdout.buffer.write(noise.encode("latin-1"))
            if isinstance(params, dict) and params.get("exit") is not None:
                sys.stdout.buffer.flush()
                sys.exit(params["exit"])
            reply = {"result": {"size": len(line)}, "jsonrpc": "2.0", "id": message["id"]}
            sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
            sys.stdout.buffer.flush()
