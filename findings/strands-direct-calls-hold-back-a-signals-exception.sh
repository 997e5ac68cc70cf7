#!/usr/bin/env bash
# Strands 1.62.0 runs a direct tool call (`agent.tool.NAME(…)`) in another thread, and waits for it in the main one. What a
# signal handler raises meanwhile, a time-out by `signal.alarm` for example, is held back until the tool has returned: a
# limit of one second ends a tool of three seconds after three.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check strands-agents==1.62.0 2>/dev/null
cat > run.py <<'PY'
import signal, sys, time
from strands import Agent, tool
from strands.models import Model
class NoModel(Model):
    def update_config(self, **_): ...
    def get_config(self): return {}
    async def structured_output(self, *_, **__):
        yield {}
    async def stream(self, *_, **__):
        yield {}
@tool
def slow() -> str:
    """Take three seconds."""
    time.sleep(3)
    return "done"
class TimeUp(Exception): ...
def ring(*_):
    raise TimeUp
agent = Agent(model=NoModel(), tools=[slow], callback_handler=None)
signal.signal(signal.SIGALRM, ring)
signal.alarm(1)
begun = time.monotonic()
try:
    agent.tool.slow()
    how = "returned"
except TimeUp:
    how = "raised"
took = time.monotonic() - begun
print(f"a limit of 1 s: {how} after {took:.0f} s")
sys.exit(took < 2.5)
PY
venv/bin/python run.py
