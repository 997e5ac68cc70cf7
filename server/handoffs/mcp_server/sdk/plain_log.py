"""The server's log as plain lines.

The SDK's server logs with rich if it is installed, and typer installs it. That costs 15 ms and 2 MB at each start, and
draws a traceback for each refused request.
"""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def plain_log() -> Generator[None]:
    """Make a server that is built inside write plain lines on standard error, for warnings and errors.

    A program that has set up its own log keeps it.
    """
    logging.basicConfig(level=logging.WARNING, format=FORMAT)
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich"] = None  # pyright: ignore[reportArgumentType] - the documented way to hide a module
    try:
        yield
    finally:
        del sys.modules["rich"]
