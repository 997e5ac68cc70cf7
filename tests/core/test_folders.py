"""Which folder of an argument is offered, and what lies in it, whatever a reader makes of the text."""

import pytest

from handoffs.core.folders import MAX_FOLDER, folder_of, lies_in


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("/srv/app/a.txt", "/srv/app/"),
        ("/srv/app/", "/srv/app/"),
        ("src/main.py", "src/"),
        ("~/notes/a.md", "~/notes/"),
        ("C:/srv/a.txt", "C:/srv/"),
        ("https://example.com/v1/items?all=1#top", "https://example.com/v1/"),
        ("https://example.com:8443/x", "https://example.com:8443/"),
        ("file:///srv/app/a", "file:///srv/app/"),
    ],
)
def test_the_folder_of_a_path_or_url_is_offered(text: str, folder: str) -> None:
    assert folder_of(text) == folder
    assert lies_in(text, folder)


@pytest.mark.parametrize(
    "text",
    [
        "", "word", "/", "/etc", "//host/share/x", "~/x", "C:/x", "file:///etc", "https://example.com", "https://",
        "https://ada:secret@example.com/x/y", "/srv/../etc/passwd", "/srv/./a", "./src/a", "../src/a", "/srv//app/x",
        "/srv/app/..", "/srv/%2e%2e/x", "/srv/app/a b", "/bin/rm -rf /srv/app", "/srv/app\n/x", "\\\\host\\share\\x",
        "/srv/*/x", "/srv/$HOME/x", "a;b/c", f"/{'x' * MAX_FOLDER}/y", "/* drop */ x", "/srv/a\u200bpp/x",
    ],
)  # fmt: skip
def test_no_other_text_offers_a_folder(text: str) -> None:
    assert folder_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "/srv/apple/x", "/srv/app", "/srv/ap", "/SRV/app/x", "srv/app/x", " /srv/app/x",
        "/srv/app/../etc", "/srv/app/..", "/srv/app/./x", "/srv/app/...", "/srv/app/x/../../..",
        "/srv/app/%2e%2e/x", "/srv/app/%2E./x", "/srv/app/..%2fx", "/srv/app/%252e%252e/x", "/srv/app/..%5cx",
        "/srv/app/..\\x", "/srv/app\\..\\x", "/srv/app/..;/x", "/srv/app/..;a=b/x", "/srv/app/..?x", "/srv/app/..#x",
        "/srv/app/.\t./x", "/srv/app/.\n./x", "/srv/app/x\0", "/srv/app/.\u200b./x", "/srv/app/\u2025/x",
        "/srv/app/\uff0e\uff0e/x", "/srv/app/..\uff0fx", "/srv/app/\uff05\uff12e\uff05\uff12e/x",
        "/srv/app/x; rm -rf /", "/srv/app/{x,..}/y", "/srv/app/[.][.]/y", "/srv/app/.*/y", "/srv/app/@(..|x)/y",
    ],
)  # fmt: skip
def test_what_may_be_outside_does_not_lie_in_a_folder(text: str) -> None:
    assert not lies_in(text, "/srv/app/")
    assert not lies_in(text, "/srv/app")


@pytest.mark.parametrize("text", ["/srv/app/x", "/srv/app/.env", "/srv/app/a..b/c", "/srv/app/x/y/", "/srv/app/é"])
def test_what_is_below_lies_in_a_folder(text: str) -> None:
    assert lies_in(text, "/srv/app/")
    assert lies_in(text, "/srv/app")


def test_another_host_lies_in_no_folder_of_this_one() -> None:
    for text in ("https://example.com.evil/x", "https://example.com@evil/x", "http://example.com/x"):
        assert not lies_in(text, "https://example.com/")
    assert not lies_in("", "")
    assert not lies_in("/etc/passwd", "")
