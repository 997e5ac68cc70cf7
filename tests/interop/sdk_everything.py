"""The SDK's own server with everything: `python sdk_everything.py FOLDER [PORT]`, on stdio where there is no port.

FOLDER holds its source, as `make interop` puts it there: no package that can be installed has it.
"""

import importlib
import sys

sys.path.insert(0, sys.argv[1])
# As it comes: uvicorn would read with httptools, which Handoffs has installed, and which leaves blanks after values.
sys.modules["httptools"] = None  # type: ignore[assignment]
everything = importlib.import_module("mcp_everything_server.server")

if __name__ == "__main__":
    if len(sys.argv) > 2:
        everything.main(["--port", sys.argv[2], "--log-level", "ERROR"])
    else:
        everything.mcp.run("stdio")
