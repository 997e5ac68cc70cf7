# Three commands: `make demo` shows it, `make test` checks everything, `make bench` measures.
# All they need is Python 3.11 or newer: uv is fetched with pip where it is missing, into this folder, and fetches the rest.

export PATH := $(CURDIR)/.uv/bin:$(PATH)
# Where Python is told to keep no bytecode, as in many containers, each process would compile all it imports again.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3

.PHONY: demo test bench bundle format setup uv chromium postgres

demo: uv
	@uv sync --quiet --locked --inexact --no-dev --extra strands
	@uv run --no-sync handoffs demo

test: setup chromium postgres interop
	uv run --no-sync ruff format --check .
	uv run --no-sync ruff check .
	uv run --no-sync basedpyright --level error
	uv run --no-sync lint-imports --no-cache
	uv run --no-sync pytest -n 2 --dist worksteal

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

# The store on PostgreSQL is tried on a real server: Debian's, where it is missing and can be installed. Only its programs
# are used: the tests start servers of their own.
postgres:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  { test "$$(id -u)" = 0 && apt-get update --quiet --quiet && apt-get install --yes --quiet --quiet postgresql >/dev/null; } || \
	  echo "No PostgreSQL, so the store is not tried on it (Debian: apt-get install postgresql)." >&2

# Other people's clients and suites, in fixed versions: Node's packages (a newer Node among them), and an mcp of before
# 2026-07-28 in an environment of its own. Made again when their lists change.
interop: tests/interop/node_modules/.package-lock.json tests/interop/.mcp1/made

tests/interop/node_modules/.package-lock.json: tests/interop/package-lock.json | npm
	@npm ci --prefix tests/interop --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || \
	  echo "No Node packages, so other people's clients are not tried (Debian: apt-get install npm)." >&2

tests/interop/.mcp1/made: tests/interop/mcp1.txt | setup
	@{ rm -rf $(@D) && uv venv --quiet --python .venv/bin/python $(@D) && \
	   uv pip install --quiet --python $(@D) --requirement $< && touch $@; } || \
	  echo "No mcp 1.30, so it is not tried as a client." >&2

npm:
	@command -v npm >/dev/null || \
	  { test "$$(id -u)" = 0 && apt-get update --quiet --quiet && apt-get install --yes --quiet --quiet nodejs npm >/dev/null; } || true
