"""The server's log as plain lines.

The SDK's server takes rich for its log where rich is installed, which typer brings. That costs every start of a host
15 ms and 2 MB, and each refused request a drawn traceback.
"""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def plain_log() -> Generator[None]:
    """Have a server that is made inside write plain lines on standard error, of warnings and errors.

    A program that has set up its own log keeps it.
    """
    logging.basicConfig(level=logging.WARNING, format=FORMAT)
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich"] = None  # pyright: ignore[reportArgumentType] - the documented way to say that there is none
    try:
        yield
    finally:
        del sys.modules["rich"]
