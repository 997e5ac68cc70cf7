"""Names that others rely on are one committed file: `surface.json`. A change to it breaks somebody's script or store.

Add to it with `HANDOFFS_REWRITE=1 pytest tests/test_surface.py`, and review that nothing went or changed.
"""

import json
import os
from pathlib import Path

import pytest

from tests.surface import surface

KEPT = Path(__file__).with_name("surface.json")


async def test_no_name_that_others_rely_on_has_changed(tmp_path: Path) -> None:
    now = json.dumps(await surface(tmp_path), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("HANDOFFS_REWRITE"):
        KEPT.write_text(now)
        pytest.fail("surface.json was written anew; look at the difference, and run this again")
    assert json.loads(now) == json.loads(KEPT.read_text())
