#!/usr/bin/env bash
# openai-agents 0.24.0 wants openai 3, and the extra litellm of strands-agents 1.62.0 an openai below 3: one environment can't hold
# both. An installer that may choose does not say so: beside openai-agents 0.24.0 it takes strands-agents 1.4.0, whose extra had no
# upper bound for openai yet.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check uv==0.13.9 2>/dev/null
resolve() { printf '%s\n' "$@" | env/bin/uv pip compile --quiet --no-header --no-annotate --python-version 3.12 - 2>&1; }
echo "both of today:"
resolve openai-agents==0.24.0 'strands-agents[litellm]==1.62.0' >both || true
tr '\n' ' ' <both | grep -oE '(openai-agents|strands-agents\[litellm\])[^ ]* depends on openai[^ ]*' | tee seen
echo "Strands of any version up to today's:"
resolve openai-agents==0.24.0 'strands-agents[litellm]<=1.62.0' | grep -E '^(strands-agents|openai-agents|openai)==' | tee chosen
grep -q 'openai-agents.*depends on openai>=3' seen
grep -q 'strands-agents.*depends on openai.*<3' seen
grep -qx 'strands-agents==1.4.0' chosen
