"""Build the bundle for Claude Desktop: `make bundle`, or `uv run python packaging/bundle.py [FOLDER]`. Needs Node.

The bundle holds the package's source with its lock; what it depends on is fetched by uv, which the host brings, when
the bundle is installed. Checked and packed by the format's own tool, at one version, so that two machines agree.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
MCPB = "@anthropic-ai/mcpb@2.1.2"
FILES = ("pyproject.toml", "uv.lock", "README.md", "LICENSE")
"""What a build of the package reads, besides its source."""


def bundle(folder: Path) -> Path:
    """Write `handoffs-VERSION.mcpb` into the folder, and return its path.

    Raises:
        SystemExit: The versions disagree, there is no Node, or the tool refuses the manifest.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    manifest = json.loads((ROOT / "packaging/mcpb/manifest.json").read_text("utf-8"))
    if manifest["version"] != version:
        sys.exit(f"packaging/mcpb/manifest.json is of version {manifest['version']}, pyproject.toml of {version}.")
    npx = shutil.which("npx")
    if npx is None:
        sys.exit("Building the bundle needs Node with npx (Debian: apt-get install npm).")
    packed = folder.resolve() / f"handoffs-{version}.mcpb"
    packed.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as staged:
        stage(Path(staged))
        if subprocess.run([npx, "--yes", MCPB, "pack", ".", str(packed)], cwd=staged, check=False).returncode:
            sys.exit("mcpb did not pack it; what it said stands above.")
    return packed


def stage(folder: Path) -> None:
    """Lay out in the folder what goes into the bundle."""
    shutil.copytree(ROOT / "packaging/mcpb", folder, dirs_exist_ok=True)
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    shutil.copytree(ROOT / "server/handoffs", folder / "server/handoffs", ignore=unwanted)
    for name in FILES:
        shutil.copy(ROOT / name, folder)


if __name__ == "__main__":
    print(bundle(Path(sys.argv[1] if sys.argv[1:] else "dist")))  # noqa: T201
