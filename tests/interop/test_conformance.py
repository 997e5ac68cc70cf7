"""The official conformance suite, over HTTP, in both versions of the protocol that it knows.

Against `handoffs serve`, for what every server has to do; against a fixture that asks as we ask under the names that
the suite calls; and against gates before that fixture, and before the SDK's own server with everything: through them
all is the same. What counts is what the suite wrote down: a scenario that silently stops running fails.
"""

import json
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest

from tests.acceptance.processes import Home, HttpServer
from tests.gate.relay.http_servers import started
from tests.interop.conftest import HERE, PACKAGES, output

SUITE = PACKAGES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
VERSIONS = ("2025-11-25", "2026-07-28")

Failed: TypeAlias = dict[str, set[str]]
"""What failed, or was warned of, in each scenario that ran, by the suite's names of its checks."""

EVERY_SERVER = {
    "2025-11-25": {
        "server-initialize",
        "server-session-lifecycle",
        "ping",
        "tools-list",
        "prompts-list",
        "resources-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    },
    "2026-07-28": {
        "tools-list",
        "prompts-list",
        "resources-list",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
        "caching",
        "http-header-validation",
        "input-required-result-unsupported-methods",
    },
}

ASKING = {
    "2025-11-25": {"tools-call-elicitation"},
    "2026-07-28": {
        "input-required-result-basic-elicitation",
        "input-required-result-request-state",
        "input-required-result-multi-round",
        "input-required-result-missing-input-response",
        "input-required-result-non-tool-request",
        "input-required-result-result-type",
        "input-required-result-tampered-state",
        "input-required-result-ignore-extra-params",
        "input-required-result-validate-input",
        "tasks-lifecycle",
        "tasks-capability-negotiation",
        "tasks-wire-fields",
        "tasks-request-state-removal",
        "tasks-mrtr-input",
        "tasks-request-headers",
        "tasks-dispatch-and-envelope",
        "tasks-required-task-error",
        "tasks-mrtr-composition",
    },
}

# The suite takes the error of a tool that does not exist for a pass, and has a scenario without a check.
HOLLOW = {"tools-call-simple-text", "tools-call-error", "tasks-status-notifications"}

STATELESS = {
    # Both are about one tool of the suite that needs sampling, which we do not.
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-missing-capability-http-400",
    # Both are recommended where the lists change, and ours do not.
    "sep-2575-server-sends-prompts-list-changed-on-subscription",
    "sep-2575-server-sends-tools-list-changed-on-subscription",
}
"""What fails of `server-stateless`."""

POLLING = "server-sse-polling"

LEGACY_TITLES = {"elicitation-sep1330-legacy-enumnames"}


@asynccontextmanager
async def fixture_server(folder: Path) -> AsyncGenerator[str]:
    process = await anyio.open_process(
        [sys.executable, "-m", "tests.interop.fixture_server", folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd=HERE.parents[1],
    )
    assert process.stderr is not None
    try:
        with anyio.fail_after(120):
            said = (await process.stderr.receive()).decode()
        assert said.startswith("http://"), said
        yield said.split()[0]
    finally:
        process.kill()
        await process.aclose()


@asynccontextmanager
async def gate(folder: Path, *behind: str) -> AsyncGenerator[str]:
    """A gate that lets everything through, for callers without a token: the suite has none to show."""
    home = Home(folder, {"HANDOFFS_TOKENS": "off"})
    async with home.http(args=("gate", "--allow", "*", *behind)) as server:
        yield server.url


Runs: TypeAlias = dict[tuple[str, str], tuple[int, str, Failed]]


@pytest.fixture(scope="module")
async def server(home: Home, anyio_backend: str) -> AsyncGenerator[HttpServer]:
    """A server that asks for no token: the suite has none to show."""
    async with Home(home.folder, {"HANDOFFS_TOKENS": "off"}).http() as server:
        yield server


@pytest.fixture(scope="module")
async def runs(
    node: str,
    home: Home,
    server: HttpServer,
    sdk_everything: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Runs:
    """What the suite found, by the server and the version."""
    done: Runs = {}
    two = anyio.CapacityLimiter(2)

    async def run(name: str, url: str, version: str) -> None:
        folder = tmp_path_factory.mktemp("suite")
        expected = ("--expected-failures", HERE / "expected-failures.yml") if name.startswith("fixture") else ()
        command = (node, SUITE, "server", "--url", url, "--requirements", version, "-o", folder, *expected)
        async with two:
            code, said, _ = await output(*command, cwd=folder, env=home.env, seconds=300)
        done[name, version] = code, said, _failed(folder)

    stack = AsyncExitStack()
    async with (
        stack,
        fixture_server(tmp_path_factory.mktemp("fixture")) as fixture,
        gate(tmp_path_factory.mktemp("gate"), "--url", fixture) as gated_fixture,
        gate(tmp_path_factory.mktemp("gate"), "--", sys.executable, *sdk_everything) as gated_command,
        anyio.create_task_group() as tasks,
    ):
        direct = stack.enter_context(started(*sdk_everything))
        gated_url = await stack.enter_async_context(gate(tmp_path_factory.mktemp("gate"), "--url", direct))
        urls = {
            "fixture": fixture,
            "handoffs": server.url,
            "fixture through the gate": gated_fixture,
            "everything": direct,
            "everything through the gate": gated_url,
            "everything on stdio through the gate": gated_command,
        }
        for version in reversed(VERSIONS):  # the longer one first
            for name, url in urls.items():
                tasks.start_soon(run, name, url, version)
    return done


def _failed(folder: Path) -> Failed:
    found: Failed = {}
    for file in folder.glob("server-*/checks.json"):
        name = re.sub(r"^server-|-\d{4}-\d\d-\d\dT[\d-]+Z$", "", file.parent.name)
        found[name] = {
            check["id"] for check in json.loads(file.read_text()) if check["status"] in {"FAILURE", "WARNING"}
        }
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_handoffs_passes_what_the_suite_asks_of_every_server(version: str, runs: Runs) -> None:
    _, said, failed = runs["handoffs", version]
    assert EVERY_SERVER[version] <= failed.keys(), said
    assert {name: failed[name] for name in EVERY_SERVER[version] if failed[name]} == {}


def test_handoffs_keeps_no_state_between_two_requests_of_the_newer_era(runs: Runs) -> None:
    _, _, failed = runs["handoffs", "2026-07-28"]
    assert failed["server-stateless"] == STATELESS


@pytest.mark.parametrize("version", VERSIONS)
def test_what_asks_through_our_code_passes_what_the_suite_asks_of_asking(version: str, runs: Runs) -> None:
    _, said, failed = runs["fixture", version]
    assert ASKING[version] <= failed.keys(), said
    assert {name: failed[name] for name in ASKING[version] if failed[name]} == {}
    if version == "2025-11-25":
        assert failed["elicitation-sep1330-enums"] == LEGACY_TITLES


@pytest.mark.parametrize("version", VERSIONS)
def test_only_what_is_listed_with_its_reason_fails_in_the_suite(version: str, runs: Runs) -> None:
    code, said, failed = runs["fixture", version]
    assert code == 0, said[said.rfind("=== SUMMARY") :]
    passed = {name for name, checks in failed.items() if not checks}
    assert passed - EVERY_SERVER[version] - HOLLOW == ASKING[version]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("ungated", "gated"),
    [
        ("fixture", "fixture through the gate"),
        ("everything", "everything through the gate"),
        ("everything", "everything on stdio through the gate"),
    ],
)
def test_the_suite_finds_the_same_through_the_gate(ungated: str, gated: str, version: str, runs: Runs) -> None:
    _, _, direct = runs[ungated, version]
    _, said, through = runs[gated, version]
    assert EVERY_SERVER[version] <= through.keys(), said
    # The gate names where a stream can be resumed, also where the server behind does not, which the suite warns of.
    assert through.get(POLLING, set()) <= direct.get(POLLING, set())
    assert {**through, POLLING: None} == {**direct, POLLING: None}
