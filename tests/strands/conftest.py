from pathlib import Path

import pytest

from tests.strands.gated import Gated
from tests.strands.programs import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def gated(home: Home, monkeypatch: pytest.MonkeyPatch) -> Gated:
    for name, value in {**home.env, "HANDOFFS_TERMINAL": "off"}.items():
        monkeypatch.setenv(name, value)
    return Gated(home)
