# Three commands: `make demo` shows it, `make test` checks everything, `make bench` measures.
# All they need is Python 3.11 or newer: uv is fetched with pip where it is missing, into this folder, and fetches the rest.

export PATH := $(CURDIR)/.uv/bin:$(PATH)
PYTHON ?= python3

.PHONY: demo test bench bundle format setup uv chromium

demo: uv
	@uv sync --quiet --locked --inexact --no-dev --extra strands
	@uv run --no-sync handoffs demo

test: setup chromium
	uv run --no-sync ruff format --check .
	uv run --no-sync ruff check .
	uv run --no-sync basedpyright --level error
	uv run --no-sync lint-imports --no-cache
	uv run --no-sync pytest -n 2 --dist loadfile

bench: setup chromium
	@uv run --no-sync python -m benchmarks

# For Claude Desktop: dist/handoffs-VERSION.mcpb. Needs Node.
bundle: uv
	@uv run --no-project --python '>=3.11' python packaging/bundle.py dist

format: setup
	uv run --no-sync ruff format .
	uv run --no-sync ruff check --fix .

setup: uv
	@uv sync --quiet --locked --all-extras

uv:
	@command -v uv >/dev/null || { \
	  $(PYTHON) -m pip --version >/dev/null 2>&1 || apt-get install --yes --quiet python3-pip || \
	    { echo "Install pip for $(PYTHON) first (Debian: apt-get install python3-pip)." >&2; exit 1; }; \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target .uv uv; }

# The pages are tried in a real browser: Debian's, where it is missing and can be installed.
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { test "$$(id -u)" = 0 && apt-get update --quiet --quiet && apt-get install --yes --quiet --quiet chromium >/dev/null; } || \
	  echo "No Chromium, so the pages are not tried in a browser (Debian: apt-get install chromium)." >&2
