"""The mark, wherever a host shows it."""

import struct
from base64 import b64decode

from handoffs.mcp_server.icons import ICONS
from tests.packaging.launching import ROOT

PNG = b"\x89PNG\r\n\x1a\n"


def size(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(PNG)
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def carried(kind: str) -> bytes:
    [icon] = [icon for icon in ICONS if icon.mime_type == kind]
    head, _, data = icon.src.partition(",")
    assert head == f"data:{kind};base64"
    return b64decode(data, validate=True)


def test_the_server_carries_the_mark_of_the_pages() -> None:
    assert carried("image/svg+xml") == (ROOT / "server/handoffs/web/static/favicon.svg").read_bytes().strip()


def test_hosts_without_svg_get_a_picture_of_the_size_it_says() -> None:
    assert size(carried("image/png")) == (48, 48)
    assert [icon.sizes for icon in ICONS if icon.mime_type == "image/png"] == [["48x48"]]


def test_the_icons_cost_every_start_little() -> None:
    assert sum(len(icon.src) for icon in ICONS) < 4_000


def test_the_bundles_icon_has_the_size_that_claude_desktop_asks_for() -> None:
    assert size((ROOT / "packaging/mcpb/icon.png").read_bytes()) == (512, 512)
