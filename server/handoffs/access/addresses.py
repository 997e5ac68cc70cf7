"""Which addresses can be trusted to be read as they were written."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_private(url: str) -> bool:
    """Say whether nobody on the way can read or change what is fetched there: https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return host == "localhost" or ip_address(host).is_loopback
        return parts.scheme == "https" and bool(host)
    except ValueError:
        return False
