"""The user of this machine."""

import os
import sys


def current_user() -> str:
    """Return the operating system's name of the user. Not from the environment, which any program can set."""
    if sys.platform == "win32":
        import getpass  # pulls in more, and is needed only here

        return getpass.getuser()
    import pwd  # not on Windows

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
