"""A fastmcp 4 proxy before a server over stdio: `python fast_proxy.py COMMAND …`. It asks nobody.

Runs in an environment of its own (`benchmarks.environment`), so nothing of this package can be imported here.
"""

import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

if __name__ == "__main__":
    transport = StdioTransport(command=sys.argv[1], args=sys.argv[2:])
    create_proxy(transport, name="proxy").run(show_banner=False, log_level="ERROR")
