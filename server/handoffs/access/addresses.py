"""Addresses whose content can't be changed on the way."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_private(url: str) -> bool:
    """Return whether content fetched there can't be read or changed on the way: https, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return host == "localhost" or ip_address(host).is_loopback
        return parts.scheme == "https" and bool(host)
    except ValueError:
        return False
