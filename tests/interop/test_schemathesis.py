"""Another program tries the interface for programs by the description that the server gives of it."""

import subprocess
from pathlib import Path

import anyio

from tests.acceptance.processes import Home

SETTINGS = {
    # A question ends by itself, so no request waits for longer, and every `wait` is tried as it is.
    "HANDOFFS_MIN_TIMEOUT_SECONDS": "1",
    "HANDOFFS_DEFAULT_TIMEOUT_SECONDS": "1",
    "HANDOFFS_MAX_TIMEOUT_SECONDS": "2",
    "HANDOFFS_QUOTA_OPEN": "1000000",
    "HANDOFFS_QUOTA_PER_MINUTE": "1000000",
    "HANDOFFS_QUOTA_BYTES": "1000000000",
}

UNSAID = "positive_data_acceptance"
"""That all which fits is accepted: of options and forms, more is checked than a schema can say."""

SECONDS = 40


async def test_what_is_served_is_what_its_description_says(schemathesis: str, tmp_path: Path) -> None:
    # It keeps what it found in the folder that it runs in.
    place = tmp_path / "place"
    place.mkdir()
    async with Home(tmp_path, SETTINGS).http() as server:
        described = f"{server.url.removesuffix('/mcp')}/v1/openapi.json"
        command = [
            schemathesis, "run", described, "--header", f"Authorization: Bearer {server.token}",
            "--exclude-operation-id", "follow",  # a stream without an end
            "--checks", "all", "--exclude-checks", UNSAID,
            "--max-time", f"{SECONDS}", "--request-timeout", "30", "--seed", "1", "--no-color",
        ]  # fmt: skip
        with anyio.fail_after(SECONDS + 120):
            done = await anyio.run_process(command, check=False, cwd=place, stderr=subprocess.STDOUT)
    said = done.stdout.decode()
    assert done.returncode == 0, said
    assert "8 selected" in said
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"{phase} (in" in said, said
