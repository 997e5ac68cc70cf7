"""Shared by the lessons and `handoffs demo`: the agent's model, and the end of a program by Ctrl-C."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import cast

from strands.models import Model
from strands.types.exceptions import MCPClientInitializationError

from handoffs import env_file
from handoffs.strands.scripted import ScriptedModel, Turn

MODEL = "nebius/deepseek-ai/DeepSeek-V3-0324"
"""The tutorial's model. `HANDOFFS_MODEL` names any other that LiteLLM knows."""

KEY = "NEBIUS_API_KEY"

NOT_STARTED = "The server did not start. Above it says why."

INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C ended."""


def tutorial_model(*script: Turn) -> Model:
    """Return the tutorial's model; where its key is missing, say so in one line and return one that plays `script`.

    With a key it is the tutorial's `LiteLLMModel(client_args={"api_key": os.getenv("NEBIUS_API_KEY")}, model_id=…)`.
    """
    name = os.getenv("HANDOFFS_MODEL") or MODEL
    missing = _missing_keys(name)
    if missing:
        keys = " and ".join(missing)
        print(f"(No {keys}: a scripted model plays the agent. Everything but its words is real.)\n", flush=True)  # noqa: T201
        return ScriptedModel(*script)
    _litellm()
    from strands.models.litellm import LiteLLMModel  # takes seconds: only with a key

    if name.startswith("nebius/"):
        return LiteLLMModel(client_args={"api_key": os.getenv(KEY)}, model_id=name)
    return LiteLLMModel(model_id=name)


def load_env() -> None:
    """Read the model and its keys from the `.env` beside the program that runs, or in a folder above it.

    Nothing else in it counts, unlike with `dotenv.load_dotenv()`: a file of a repository must not decide where
    questions go and who answers them.
    """
    path = env_file.nearest(env_file.program_folder())
    if path is not None:
        env_file.load(path)


def run(lesson: Callable[[], None]) -> None:
    """Run a lesson, and end a failed one in a line: Ctrl-C, after which what was asked stays open, or no server."""
    quieten_strands()
    try:
        lesson()
    except KeyboardInterrupt:
        print("\nStopped. What was asked stays open: `handoffs list` shows it, `handoffs answer` answers it.")  # noqa: T201
        sys.exit(INTERRUPTED)
    except Exception as error:
        if not did_not_start(error):
            raise
        sys.exit(NOT_STARTED)


def quieten_strands() -> None:
    """Keep off the screen what Strands logs of an error: it also raises it."""
    logging.getLogger("strands").addHandler(logging.NullHandler())


def did_not_start(error: BaseException | None) -> bool:
    """Say whether an error came of an MCP server that did not start."""
    while error is not None and not isinstance(error, MCPClientInitializationError):
        error = error.__cause__
    return error is not None


def _missing_keys(model: str) -> list[str]:
    if model.startswith("nebius/"):
        return [] if os.getenv(KEY) else [KEY]
    found = cast("Mapping[str, list[str]]", _litellm().validate_environment(model))  # pyright: ignore[reportUnknownMemberType]
    return found["missing_keys"]


def _litellm() -> ModuleType:
    # Its table of prices is fetched from the network on import otherwise, and every error comes with an advertisement.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")  # else it loads all of a `.env` when it is imported
    import litellm  # takes seconds: only with a key, or for a model whose keys we do not know ourselves

    litellm.suppress_debug_info = True
    return litellm
