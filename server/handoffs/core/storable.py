"""Text as every store can keep it."""


def storable(text: str) -> str:
    r"""Return text that every engine can store: a lone surrogate is spelled out, `\udce9`.

    The name of a folder that is not UTF-8 contains them, and its questions must not be lost.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
