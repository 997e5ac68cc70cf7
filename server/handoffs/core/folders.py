"""The folder of a path or a URL, and what lies in it, told from the text alone.

A text that a reader may take for a place outside of the folder does not lie in it: with `.` or `..` in it, also
escaped (`%2e`), full-width or behind a backslash, and with blanks or characters that no screen shows.
"""

import posixpath
import re
import unicodedata

MAX_FOLDER = 100
"""The most characters of a folder that is offered to a person."""

_URL = re.compile(r"([a-z][a-z0-9+.-]*://[^/?#@]*)(/[^?#]*)", re.IGNORECASE)
_PATH = re.compile(r"(|~|[A-Za-z]:)(/.*)|([^/]+)(/.*)", re.DOTALL)
_COMMAND = re.compile(r"[*?\"'`$|&;<>(){}\[\],=]")
"""What a path has seldom, and a command, a query or a pattern often."""
_GLOB = re.compile(r"[{}()\[\],|*]")
_ESCAPED = re.compile(r"%(?:2e|2f|5c|25|00)", re.IGNORECASE)


def folder_of(text: str) -> str | None:
    """Return the folder that a path or URL lies in, up to its last slash; None where there is none to offer.

    The root of a disk, a home folder as a whole, and a folder that is not in its shortest form are not offered.
    """
    url = _URL.match(text)
    place, path = ("", text) if url is None else (url[1], url[2])
    parts = _PATH.fullmatch(path)
    if parts is None or (url is None and "://" in text):
        return None
    start, rest = (parts[1], parts[2]) if parts[2] is not None else ("", path)
    folder = rest[: rest.rindex("/") + 1]
    whole = place + start + folder
    root = folder == "/" and (not place or place.endswith("//"))
    longer = folder != "/" and posixpath.normpath(folder) + "/" != folder
    if root or longer or folder.startswith("//") or len(whole) > MAX_FOLDER or _COMMAND.search(whole):
        return None
    return whole if lies_in(text, whole) else None


def lies_in(text: str, folder: str) -> bool:
    """Say whether a path or URL surely lies in a folder, or below it: `/srv/apple` does not lie in `/srv/app`."""
    if not folder or not text.startswith(folder if folder.endswith("/") else f"{folder}/"):
        return False
    if not text.isprintable() or _ESCAPED.search(text):
        return False
    plain = unicodedata.normalize("NFKC", text)
    if plain.count("/") != text.count("/") or _ESCAPED.search(plain) or any(char.isspace() for char in plain):
        return False
    return "\\" not in plain and not any(_is_dots(part) for part in plain.split("/"))


def _is_dots(part: str) -> bool:
    # Servers drop what follows a semicolon, `?` and `#` end a path, and Windows drops dots at an end.
    name = re.split(r"[;?#]", part, maxsplit=1)[0]
    # Patterns of a shell can be read as dots: `{x,..}`, `[.][.]`, `.*`.
    return any(piece != "" and not piece.strip(".") for piece in (name, *_GLOB.split(name)))
