# `make demo` shows it, `make test` checks everything of ours, `make interop` what others made, `make bench` measures,
# `make bundle` packs it for Claude Desktop.
# All they need is Python 3.11 or newer: uv is fetched with pip where it is missing, into this folder, and fetches the rest.

export PATH := $(CURDIR)/.uv/bin:$(PATH)
# Where Python is told to keep no bytecode, as in many containers, each process would compile all it imports again.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
PARALLEL := -n 4 --dist worksteal -rs  # two cores: many tests wait; what is skipped is said with the reason

# What others made, or what is tried on it and takes long: hosts, clients, gateways, Strands, proxies, packers; and whole
# servers, gates and many processes at once, which are killed or cut off.
OUTSIDE := tests/interop tests/strands tests/examples tests/packaging tests/acceptance tests/access/test_local.py tests/api \
  tests/channels/test_every_chat.py tests/channels/test_mail.py tests/channels/test_mail_refused.py \
  tests/channels/test_mail_servers.py tests/channels/test_notify_processes.py tests/channels/test_ntfy.py tests/channels/test_slack.py \
  tests/channels/test_telegram.py tests/channels/test_webpush.py tests/cli/installing/test_large.py \
  tests/cli/installing/test_permission_hooks.py tests/cli/test_ask.py tests/cli/test_doctor.py tests/cli/test_looking.py \
  tests/cli/test_people.py tests/cli/test_people_data.py tests/cli/test_usb_key.py tests/cli/test_token.py tests/client/test_docs.py tests/hooks tests/agent_wire \
  tests/gate/relay tests/gate/test_agentack.py tests/gate/test_grant_proofs.py \
  tests/gate/test_definitions.py tests/gate/test_earlier_calls.py tests/gate/test_holding.py tests/gate/test_kinds.py \
  tests/gate/test_known.py tests/gate/test_remembered.py tests/gate/test_rounds.py tests/gate/test_tasks.py \
  tests/gate/test_told.py tests/gate/test_url.py tests/gate/test_watching.py tests/bridges tests/store/postgres/test_lost_replies.py tests/store/test_erasing_killed.py tests/store/test_several_processes.py \
  tests/web/test_alike.py tests/web/test_board.py tests/web/test_files_browser.py tests/web/test_joining.py tests/web/test_origin.py tests/web/test_own_chats.py \
  tests/web/test_languages_shown.py tests/web/test_paper.py tests/web/test_steady.py \
  tests/web/test_passkeys.py tests/web/test_push.py \
  tests/web/test_recovering.py tests/web/test_snooze.py tests/web/test_undo.py tests/web/test_typed.py tests/web/test_together.py \
  tests/web/test_reading.py tests/web/test_vouched.py tests/web/test_whose.py tests/cli/test_files.py tests/channels/test_chat_languages.py \
  tests/test_benchmarks.py tests/test_recipes.py

# The samples take place on a day of the past and on one of the future (tests/days.py): no test may care.
AHEAD := $(shell date +$$(( $$(date +%Y) + 10 ))-%m-15)
BACK := $(shell date +$$(( $$(date +%Y) - 10 ))-%m-15)

# The extras of the bridges to agent frameworks.
BRIDGES := a2a ag-ui langchain openai-agents pydantic-ai

.PHONY: demo test interop bench bundle words format setup uv programs card clients

demo: uv
	@uv sync --quiet --locked --inexact --no-dev --extra strands
	@uv run --no-sync handoffs demo

test: setup programs card
	uv run --no-sync ruff format --check .
	uv run --no-sync ruff check .
	uv run --no-sync basedpyright --level error
	uv run --no-sync basedpyright --level error --project tests/pyrightconfig.json
	uv run --no-sync lint-imports --no-cache
	SAMPLES_DAY=$(AHEAD) uv run --no-sync pytest $(PARALLEL) $(OUTSIDE:%=--ignore %)
	SAMPLES_DAY=$(BACK) uv run --no-sync pytest $(PARALLEL) $(OUTSIDE:%=--ignore %) --dated
	@echo "Not tried here, but by make interop: $(OUTSIDE)."

interop: setup programs clients
	SAMPLES_DAY=$(AHEAD) uv run --no-sync pytest $(PARALLEL) $(OUTSIDE)
	SAMPLES_DAY=$(BACK) uv run --no-sync pytest $(PARALLEL) $(OUTSIDE) --dated

bench: setup programs
	@uv run --no-sync python -m benchmarks

# For Claude Desktop: dist/handoffs-VERSION.mcpb. Needs Node.
bundle: uv
	@uv run --no-project --python '>=3.11' python packaging/bundle.py dist

# What the inbox says, into the catalogues of its languages. New sentences are empty: translate them.
words: setup
	uv run --no-sync python -m tests.web.words

format: setup
	uv run --no-sync ruff format .
	uv run --no-sync ruff check --fix .

# Without the frameworks: each bridge is tried in an environment of its own (see `clients`).
setup: uv
	@uv sync --quiet --locked --all-extras $(BRIDGES:%=--no-extra %)

uv:
	@command -v uv >/dev/null || { \
	  $(PYTHON) -m pip --version >/dev/null 2>&1 || apt-get install --yes --quiet python3-pip || \
	    { echo "Install pip for $(PYTHON) first (Debian: apt-get install python3-pip)." >&2; exit 1; }; \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target .uv uv; }

# What the tests try things on: a browser, PostgreSQL (its programs alone: the tests start servers of their own), the proxies of
# docs/team, a mail server, Node. Debian's, where they are missing and can be installed.
programs:
	@missing=; \
	have() { for each; do command -v $$each >/dev/null || test -x /usr/sbin/$$each && return; done; return 1; }; \
	have chromium chromium-browser google-chrome || missing="$$missing chromium"; \
	have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	have pgbouncer || missing="$$missing pgbouncer"; \
	have nginx || missing="$$missing nginx-light"; \
	have caddy || missing="$$missing caddy"; \
	have sqlite3 || missing="$$missing sqlite3"; \
	test -x /usr/lib/dovecot/imap || missing="$$missing dovecot-imapd"; \
	have openssl || missing="$$missing openssl"; \
	have npm || missing="$$missing nodejs npm"; \
	test -z "$$missing" || \
	  { test "$$(id -u)" = 0 && apt-get update --quiet --quiet && apt-get install --yes --quiet --quiet $$missing >/dev/null; } || \
	  echo "Not everything can be tried here (Debian: apt-get install$$missing)." >&2

# The official library of hosts that show cards, in a fixed version; the tests show it ours.
card: tests/web/card_host/node_modules/.package-lock.json

# Other people's hosts, clients, gateways, verifiers and suites, in fixed versions: Node's packages (a newer Node among them), an mcp
# of before 2026-07-28 with mcp-proxy, which needs one, FastMCP, aics-tlog, Schemathesis, and the SDK of the Agent Client Protocol, each in an
# environment of its own, and the SDK's own server with everything. Made again when their lists change.
clients: tests/interop/node_modules/.package-lock.json tests/interop/.mcp1/made tests/interop/.fastmcp/made \
  tests/interop/.tlog/made tests/interop/.schemathesis-env/made tests/interop/.acp/made tests/interop/.everything/made \
  $(BRIDGES:%=tests/interop/.%/made) tests/interop/.crewai/made

%/node_modules/.package-lock.json: %/package-lock.json | programs
	@npm ci --prefix $* --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || \
	  echo "No Node packages in $*, so what needs them is not tried (Debian: apt-get install npm)." >&2

tests/interop/.mcp1/made: tests/interop/mcp1.txt | setup
	@{ rm -rf $(@D) && uv venv --quiet --python .venv/bin/python $(@D) && \
	   uv pip install --quiet --python $(@D) --requirement $< && touch $@; } || \
	  echo "No mcp 1.30, so it is not tried as a client, nor mcp-proxy as a gateway." >&2

tests/interop/.fastmcp/made: tests/interop/fastmcp.txt | setup
	@{ rm -rf $(@D) && uv venv --quiet --python .venv/bin/python $(@D) && \
	   uv pip install --quiet --python $(@D) --requirement $< && touch $@; } || \
	  echo "No FastMCP, so it is not tried as a gateway." >&2

tests/interop/.schemathesis-env/made: tests/interop/schemathesis.txt | setup
	@{ rm -rf $(@D) && uv venv --quiet --python .venv/bin/python $(@D) && \
	   uv pip install --quiet --python $(@D) --requirement $< && touch $@; } || \
	  echo "No Schemathesis, so the interface for programs is not tried by its own description." >&2

tests/interop/.acp/made: tests/interop/acp.txt | setup
	@{ rm -rf $(@D) && uv venv --quiet --python .venv/bin/python $(@D) && \
	   uv pip install --quiet --python $(@D) --requirement $< && touch $@; } || \
	  echo "No SDK of the Agent Client Protocol, so no editor of Python's is tried." >&2

# A framework, and ours beside it. The lists are whole: CrewAI says that it needs an mcp of before 2, and works with ours.
$(BRIDGES:%=tests/interop/.%/made) tests/interop/.crewai/made: tests/interop/.%/made: tests/interop/%.txt | setup
	@{ rm -rf $(@D) && uv venv --quiet --python .venv/bin/python $(@D) && \
	   uv pip install --quiet --python $(@D) --no-deps --requirement $< && \
	   uv pip install --quiet --python $(@D) --no-deps --editable . && touch $@; } || \
	  echo "No $*, so the bridge to it is not tried." >&2

# The SDK's own server with everything is in its source alone: of the version that is installed.
tests/interop/.everything/made: uv.lock | setup
	@{ rm -rf $(@D) && mkdir $(@D) && cd $(@D) && \
	   mcp=$$(uv run --no-sync python -c 'import importlib.metadata as each; print(each.version("mcp"))') && \
	   uv run --no-project --with pip python -m pip download --quiet --quiet --disable-pip-version-check --no-deps \
	     --no-binary mcp "mcp==$$mcp" && \
	   tar xzf "mcp-$$mcp.tar.gz" --strip-components 4 "mcp-$$mcp/examples/servers/everything-server" && touch made; } || \
	  echo "No source of mcp, so its server with everything is not tried behind the gate." >&2

# It needs Python 3.12 or newer: one that uv finds, one of pyenv's, or one that uv fetches.
tests/interop/.tlog/made: tests/interop/tlog.txt | setup
	@{ rm -rf $(@D); \
	   UV_PYTHON_DOWNLOADS=never uv venv --quiet --python '>=3.12' $(@D) 2>/dev/null || \
	   { for each in $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[2-9]*/bin/python; do \
	       test -x $$each && uv venv --quiet --python $$each $(@D) && break; done; } || \
	   uv venv --quiet --python '>=3.12' $(@D); } && \
	   uv pip install --quiet --python $(@D) --requirement $< && touch $@ || \
	  echo "No aics-tlog (it needs Python 3.12 or newer), so no verifier but ours and openssl is tried on the log." >&2
