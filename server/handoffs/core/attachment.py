"""Files that a person gives with an answer: their bounds, their names, and what kind each is.

A file is data of a stranger. Its name has no folder, no control character and none that is invisible or changes the
order of others. Whether it is an image is read from its first bytes; what a browser says of it is believed for all
others, as far as it is well-formed. The bytes are kept apart from the handoff, which has name, type, size and digest.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from handoffs.core.errors import AnswerRefused
from handoffs.core.sentences import say, say_n

MAX_FILES = 5
"""The most files of one answer."""

MAX_BYTES = 4 * 1_048_576
"""The most bytes of them all."""

MAX_NAME = 200
"""The most characters of a file's name."""

BOUNDS = say("up to {files} files, {megabytes} MB in all", files=MAX_FILES, megabytes=MAX_BYTES // 1_048_576)
"""The bounds in words."""

PROBLEM = " files"
"""The name of a problem with files in `AnswerRefused`: with a leading blank, which no field can have."""

ANY_TYPE = "application/octet-stream"
"""The media type of a file that is not known to be anything else."""

_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

# Compiled where a file comes: every server imports this module, and few ever get one.
_BEGINS = (
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"(?s)RIFF....WEBP", "image/webp"),
)
_TYPE = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_KEPT_KEYS = frozenset({"name", "type", "size", "sha256"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """What is known of a file of an answer, without its bytes."""

    name: str
    """Inert: see `inert_name`."""
    media_type: str
    size: int
    """Bytes."""
    digest: str
    """SHA-256, as 64 hexadecimal digits."""

    @property
    def is_image(self) -> bool:
        """Whether it is an image that every browser and host can draw: its first bytes say so."""
        return self.media_type in _IMAGES

    @property
    def about(self) -> str:
        """Name, type and size, for people."""
        return f"{self.name} ({self.media_type}, {size_in_words(self.size)})"

    def document(self) -> dict[str, object]:
        """Return it as JSON: `name`, `type`, `size`, `sha256`."""
        return {"name": self.name, "type": self.media_type, "size": self.size, "sha256": self.digest}

    @classmethod
    def read(cls, written: object) -> "Attachment":
        """Return what `document` returned. Raises ValueError."""
        match written:
            case {"name": str(name), "type": str(media_type), "size": int(size), "sha256": str(digest)} if (
                isinstance(written, dict) and written.keys() == _KEPT_KEYS
            ):
                return cls(name=name, media_type=media_type, size=size, digest=digest)
            case _:
                raise ValueError("it says of no file what it is")

    def holds(self, content: bytes) -> bool:
        """Say whether these bytes are the file's."""
        return len(content) == self.size and sha256(content).hexdigest() == self.digest

    def after(self, content: bytes | None) -> "Attachment":
        """Return it with the size and the digest of these bytes; None stands for bytes that are gone."""
        kept = content or b""
        return replace(self, size=len(kept), digest=sha256(kept).hexdigest())


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenFile:
    """A file as a person gave it: nothing of it has been checked."""

    name: str
    declared: str
    """The media type that the sender says it has."""
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachedFile:
    """A file of an answer with its bytes."""

    attachment: Attachment
    content: bytes = field(repr=False)


def attached(given: Sequence[GivenFile], *, allowed: bool) -> tuple[AttachedFile, ...]:
    """Return the files of an answer, checked; a second file of the same name gets a number.

    Raises:
        AnswerRefused: The question takes none; there are too many, they are too large, one is empty or is there twice,
            or a name is too long.
    """
    if given and not allowed:
        raise refused(
            say(
                "can't be given with this answer: who asks would not receive them, or it is a held call, a secret or a "
                "vote"
            )
        )
    if len(given) > MAX_FILES:
        raise refused(say("are {number}, and an answer takes {bounds}", number=f"{len(given):,}", bounds=BOUNDS))
    whole = sum(len(each.content) for each in given)
    if whole > MAX_BYTES:
        raise refused(say("have {bytes} bytes, and an answer takes {bounds}", bytes=f"{whole:,}", bounds=BOUNDS))
    files: list[AttachedFile] = []
    taken: dict[str, bytes] = {}
    for each in given:
        name = inert_name(each.name)
        if not each.content:
            raise refused(say("may not be empty: leave {name} out, or attach what it should hold", name=name))
        if taken.get(name.casefold()) == each.content:
            raise refused(say("may not be there twice: attach {name} once", name=name))
        name = _free(name, taken)
        taken[name.casefold()] = each.content
        files.append(
            AttachedFile(
                attachment=Attachment(
                    name=name,
                    media_type=_media_type(each),
                    size=len(each.content),
                    digest=sha256(each.content).hexdigest(),
                ),
                content=each.content,
            )
        )
    return tuple(files)


def inert_name(written: str) -> str:
    """Return a file's name without folders, and without characters that a reader can't see. Raises AnswerRefused."""
    if len(written) > 20 * MAX_NAME:
        raise _too_long(len(written))
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", written))[-1]
    name = " ".join("".join(char for char in last if unicodedata.category(char) not in _HIDDEN).split())
    if len(name) > MAX_NAME:
        raise _too_long(len(name))
    return name if name.strip(". ") else "file"


def numbered(name: str, number: int) -> str:
    """Return a file's name with a number before its ending: `shot-2.png`."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > MAX_NAME // 2:
        stem, dot, ending = name, "", ""
    room = MAX_NAME - len(dot + ending) - len(f"-{number}")
    return f"{stem[:room]}-{number}{dot}{ending}"


def size_in_words(size: int) -> str:
    """Return a size for people: `12 bytes`, `3.4 KB`, `1.2 MB`."""
    if size < 1024:
        return say_n("{count} byte", "{count} bytes", size)
    if size < 1_048_576:
        return say("{number:.1f} KB", number=size / 1024)
    return say("{number:.1f} MB", number=size / 1_048_576)


def listed(attachments: Sequence[Attachment]) -> list[dict[str, object]]:
    """Return files as JSON, in their order."""
    return [each.document() for each in attachments]


def refused(what: str) -> AnswerRefused:
    """Return the error that says what is wrong with the files of an answer; the words follow *Files*."""
    return AnswerRefused({PROBLEM: what})


def _too_long(length: int) -> AnswerRefused:
    return refused(
        say("need shorter names: one has {length:,} characters, and {most} is the most", length=length, most=MAX_NAME)
    )


def _media_type(given: GivenFile) -> str:
    for begins, image in _BEGINS:
        if re.match(begins, given.content):
            return image
    declared = given.declared.partition(";")[0].strip().lower()
    # What says that it is such an image, and is none, would be drawn as one by whoever believes it.
    return declared if re.fullmatch(_TYPE, declared) and declared not in _IMAGES else ANY_TYPE


def _free(name: str, taken: Mapping[str, bytes]) -> str:
    """Return a name that no other file of the answer has, in upper or lower case."""
    found, number = name, 1
    while found.casefold() in taken:
        number += 1
        found = numbered(name, number)
    return found
