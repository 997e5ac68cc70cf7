"""Finding our entry in a host's configuration, for the list of hosts and the doctor."""

from collections.abc import Mapping
from pathlib import Path

from handoffs.cli.installing.hosts import Host
from handoffs.cli.installing.planning import Installed, found
from handoffs.cli.installing.texts import Unreadable
from handoffs.cli.installing.writing import read
from handoffs.console import UsageError
from handoffs.core.untrusted import inert_line


def installed(
    host: Host, environ: Mapping[str, str], platform: str, *, project: Path | None = None
) -> Installed | None:
    """Return our entry in a host's file, or None without the file or the entry.

    Args:
        host: A row of `HOSTS`.
        environ: The environment, such as `os.environ`.
        platform: As `sys.platform` has it.
        project: A project's folder; None for the person's own file.

    Raises:
        UsageError: There is no such file for this host, or it can't be read; says where and why.
    """
    path = host.file(environ, platform, project=project)
    try:
        return found(host, read(path).text)
    except Unreadable as wrong:
        raise UsageError(f"{path}: {inert_line(str(wrong))}.") from None
