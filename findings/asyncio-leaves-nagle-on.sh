#!/usr/bin/env bash
# asyncio turns Nagle's algorithm off (TCP_NODELAY) for its connections, but only where the socket says that its protocol
# is TCP. Connections that were accepted by `socket.socket(AF_INET, SOCK_STREAM)` say 0, and keep the algorithm: a
# response in two writes may wait 40 ms for the client's acknowledgement. `socket.create_server` makes such a socket, too.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
cat > serve.py <<'PY'
import asyncio, socket, sys
async def nodelay(listener):
    found = asyncio.get_running_loop().create_future()
    def accepted(reader, writer):
        found.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
    async with await asyncio.start_server(accepted, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            return bool(await found)
        finally:
            writer.close()
def bound(protocol):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    listener.bind(("127.0.0.1", 0))
    return listener
print("Python", sys.version.split()[0])
made = {"protocol 0": bound(0), "create_server": socket.create_server(("127.0.0.1", 0)), "IPPROTO_TCP": bound(socket.IPPROTO_TCP)}
found = {name: asyncio.run(nodelay(listener)) for name, listener in made.items()}
for name, on in found.items():
    print(f"{name}: TCP_NODELAY {on}")
sys.exit(found != {"protocol 0": False, "create_server": False, "IPPROTO_TCP": True})
PY
python3 serve.py
