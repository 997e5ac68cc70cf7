"""A fastmcp 4 proxy, which asks nobody.

python fast_proxy.py COMMAND …               over stdio, before a server over stdio
python fast_proxy.py --url URL --http PORT    over streamable HTTP, before one over HTTP

Runs in an environment of its own (`benchmarks.environment`), so nothing of this package can be imported here.
"""

import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

if __name__ == "__main__":
    if sys.argv[1] == "--url":
        proxy = create_proxy(sys.argv[2], name="proxy")
        proxy.run("http", host="127.0.0.1", port=int(sys.argv[-1]), show_banner=False, log_level="ERROR")
    else:
        transport = StdioTransport(command=sys.argv[1], args=sys.argv[2:])
        create_proxy(transport, name="proxy").run(show_banner=False, log_level="ERROR")
