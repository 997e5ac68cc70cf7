"""The wheel, and what `uvx` makes of it and of a checkout: the ways in which hosts start the server."""

import json
import runpy
import tomllib
import zipfile
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

import pytest

from tests.packaging.launching import ROOT, UV, environment, run, served, tool_names

SOURCE = ROOT / "server"


@dataclass
class Wheel:
    path: Path
    constraints: Path
    """The versions of our lock: that newer ones can be had must not decide whether a test passes."""

    @property
    def names(self) -> set[str]:
        with zipfile.ZipFile(self.path) as file:
            return set(file.namelist())

    def read(self, suffix: str) -> str:
        [name] = [name for name in self.names if name.endswith(suffix)]
        with zipfile.ZipFile(self.path) as file:
            return file.read(name).decode()

    def uvx(self, source: Path) -> list[str]:
        return ["tool", "run", "--constraints", str(self.constraints), "--from", str(source), "handoffs"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    folder = tmp_path_factory.mktemp("wheel")
    env = environment(folder)
    run(UV, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT), env=env)
    constraints = folder / "constraints.txt"
    exported = ("export", "--quiet", "--frozen", "--all-extras", "--no-dev", "--no-emit-project", "--no-hashes")
    run(UV, *exported, "--output-file", str(constraints), env=env, cwd=ROOT)
    [built] = folder.glob("*.whl")
    return Wheel(path=built, constraints=constraints)


def test_it_holds_every_file_of_the_package(wheel: Wheel) -> None:
    package = {
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / "handoffs").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"handoffs/py.typed", "handoffs/web/templates/base.html", "handoffs/web/static/main.js"} <= package
    assert "handoffs/store/sqlite/migrations/0001_handoffs.sql" in package
    assert {name for name in wheel.names if ".dist-info/" not in name} == package


def test_its_page_in_an_index_is_the_readme(wheel: Wheel) -> None:
    about = message_from_string(wheel.read("METADATA"))
    assert about["Description-Content-Type"] == "text/markdown"
    assert about.get_payload() == (ROOT / "README.md").read_text("utf-8")
    assert about["License-Expression"] == "Apache-2.0"
    assert wheel.read("licenses/LICENSE") == (ROOT / "LICENSE").read_text("utf-8")


async def test_uvx_serves_from_the_wheel(wheel: Wheel, tmp_path: Path) -> None:
    env = environment(tmp_path)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert run(UV, *wheel.uvx(wheel.path), "--version", env=env, cwd=tmp_path).strip() == version
    async with served(tmp_path, UV, wheel.uvx(wheel.path), env) as client:
        assert client.server_info is not None
        assert client.server_info.version == version
        assert await tool_names(client) == ["handoff_to_user", "check_handoff"]


def test_uvx_runs_from_a_checkout(wheel: Wheel, tmp_path: Path) -> None:
    # A copy: uv keeps what it built of a folder, and would show an older state of this one.
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    runpy.run_path(str(ROOT / "packaging/bundle.py"))["stage"](checkout)
    said = run(UV, *wheel.uvx(checkout), "list", "--json", env=environment(tmp_path), cwd=tmp_path)
    assert json.loads(said) == []
