"""The SDK's own server with everything, from its source: `python sdk_everything.py FOLDER [PORT]`, without a port on stdio.

FOLDER is where `make interop` puts it: no package that can be installed holds it.
"""

import importlib
import sys

sys.path.insert(0, sys.argv[1])
everything = importlib.import_module("mcp_everything_server.server")

if __name__ == "__main__":
    if len(sys.argv) > 2:
        everything.main(["--port", sys.argv[2], "--log-level", "ERROR"])
    else:
        everything.mcp.run("stdio")
