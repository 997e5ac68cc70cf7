#!/usr/bin/env bash
# `create_proxy` of FastMCP 4.2.3 puts a server before another one. It makes anew what passes: a server's own JSON-RPC error
# loses code and data and comes as a tool's result; a tool without a title gets one made of its name; a resource loses its
# size and gets `text/plain` where no type was said; of several contents, each gets the URI that was read; completions are gone.
# Who reads error codes, sizes or types through such a proxy reads the proxy's.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv v
v/bin/pip install --quiet --disable-pip-version-check "fastmcp==4.2.3"
cat > server.py <<'PY'
import json, sys
CAPABILITIES = {"tools": {}, "resources": {}, "prompts": {}, "completions": {}}
RESULTS = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "serverInfo": {"name": "s", "version": "1"}},
    "tools/list": {"tools": [{"name": "pay_bill", "inputSchema": {"type": "object"}}]},
    "resources/list": {"resources": [{"uri": "file:///a", "name": "a", "size": 3}]},
    "resources/read": {"contents": [{"uri": "file:///a", "text": "1"}, {"uri": "file:///a/b", "text": "2"}]},
    "prompts/list": {"prompts": [{"name": "p", "arguments": [{"name": "n"}]}]},
    "completion/complete": {"completion": {"values": ["abc"]}},
}
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    said = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] in RESULTS:
        said["result"] = RESULTS[message["method"]]
    elif message["method"] == "tools/call":
        said["error"] = {"code": -32050, "message": "over the limit", "data": {"limit": 100}}
    else:
        said["error"] = {"code": -32601, "message": "no such method"}
    print(json.dumps(said), flush=True)
PY
cat > proxy.py <<'PY'
import sys
from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy
create_proxy(StdioTransport(command=sys.executable, args=["server.py"]), name="s").run(show_banner=False, log_level="ERROR")
PY
cat > compare.py <<'PY'
import json, subprocess, sys
from importlib.metadata import version

def answers(program):
    process = subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    def send(message):
        process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
        process.stdin.flush()
    def ask(id, method, params):
        send({"id": id, "method": method, "params": params})
        while True:
            message = json.loads(process.stdout.readline())
            if message.get("id") == id and "method" not in message:
                return message.get("result") or message
    ask(1, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}})
    send({"method": "notifications/initialized"})
    tool = ask(2, "tools/list", {})["tools"][0]
    call = ask(3, "tools/call", {"name": "pay_bill", "arguments": {}})
    resource = ask(4, "resources/list", {})["resources"][0]
    contents = ask(5, "resources/read", {"uri": "file:///a"})["contents"]
    argument = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "n", "value": "a"}}
    completed = ask(6, "completion/complete", argument)
    process.stdin.close()
    process.wait()
    return {
        "title of a tool": tool.get("title"),
        "code of an error": call.get("error", {}).get("code"),
        "data of an error": call.get("error", {}).get("data"),
        "is a tool's result": call.get("isError", False),
        "size of a resource": resource.get("size"),
        "type of a resource": resource.get("mimeType"),
        "URIs that were read": [each["uri"] for each in contents],
        "completions": completed.get("completion", {}).get("values"),
    }

print("fastmcp", version("fastmcp"))
direct, proxied = answers("server.py"), answers("proxy.py")
for what in direct:
    print(f"{what}: {direct[what]} direct, {proxied[what]} through the proxy")
sys.exit(any(direct[what] == proxied[what] for what in direct))
PY
v/bin/python compare.py
