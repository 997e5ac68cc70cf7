"""Files of an answer: what is refused, what they are called, and what kind each is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.attachment import (
    MAX_BYTES,
    MAX_NAME,
    AttachedFile,
    Attachment,
    GivenFile,
    attached,
    inert_name,
    size_in_words,
)
from handoffs.core.errors import AnswerRefused

PNG = b"\x89PNG\r\n\x1a\n and the rest"


def file(name: str = "a.txt", content: bytes = b"x", declared: str = "text/plain") -> GivenFile:
    return GivenFile(name=name, declared=declared, content=content)


def kept(*files: GivenFile) -> list[Attachment]:
    return [each.attachment for each in attached(files, allowed=True)]


def refusal(*files: GivenFile, allowed: bool = True) -> str:
    with pytest.raises(AnswerRefused) as refused:
        attached(files, allowed=allowed)
    return refused.value.problems[" files"]


def test_a_file_is_kept_with_its_name_type_size_and_digest() -> None:
    [one] = attached([file("notes.txt", b"abc")], allowed=True)
    assert one == AttachedFile(
        attachment=Attachment(
            name="notes.txt",
            media_type="text/plain",
            size=3,
            digest="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        content=b"abc",
    )
    assert one.attachment.holds(b"abc")
    assert not one.attachment.holds(b"abd")
    assert Attachment.read(one.attachment.document()) == one.attachment
    assert one.attachment.about == "notes.txt (text/plain, 3 bytes)"


@pytest.mark.parametrize(
    ("content", "declared", "kind"),
    [
        (PNG, "image/png", "image/png"),
        (PNG, "text/html", "image/png"),
        (b"\xff\xd8\xff\xe0", "", "image/jpeg"),
        (b"GIF89a", "image/png", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "application/x", "image/webp"),
        (b"<svg onload='alert(1)'>", "image/png", "application/octet-stream"),
        (b"<svg/>", "image/svg+xml", "image/svg+xml"),
        (b"x", "Text/Plain; charset=utf-8", "text/plain"),
        (b"x", "text/html\r\nX-Evil: 1", "application/octet-stream"),
        (b"x", "nonsense", "application/octet-stream"),
        (b"x", "", "application/octet-stream"),
        (b"x", f"text/{'x' * 90}", "application/octet-stream"),
        (b"RIFF", "image/webp", "application/octet-stream"),
    ],
)
def test_an_image_is_known_by_its_bytes_all_else_by_what_is_declared(content: bytes, declared: str, kind: str) -> None:
    [one] = kept(file("x", content, declared))
    assert one.media_type == kind
    assert one.is_image == (kind in {"image/png", "image/jpeg", "image/gif", "image/webp"})


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("../../x", "x"),
        ("C:\\Users\\ada\\plan.pdf", "plan.pdf"),
        ("/etc/passwd", "passwd"),
        ("a\r\nb", "ab"),
        ("in\u202egnp.exe", "ingnp.exe"),
        ("zero\u200bwidth\0.txt", "zerowidth.txt"),
        ("  two   words .txt ", "two words .txt"),
        ("Zu\u0308rich.pdf", "Zürich.pdf"),
        ("Заявка.pdf", "Заявка.pdf"),
        ("..", "file"),
        ("", "file"),
        ("folder/", "file"),
        (".bashrc", ".bashrc"),
    ],
)
def test_a_name_has_no_folder_and_nothing_that_can_t_be_seen(written: str, name: str) -> None:
    assert inert_name(written) == name


@given(st.text(max_size=300))
def test_every_name_is_one_short_line_in_one_folder(written: str) -> None:
    try:
        name = inert_name(written)
    except AnswerRefused:
        assert len(written) > MAX_NAME
        return
    assert 0 < len(name) <= MAX_NAME
    assert name not in {".", ".."}
    assert not set(name) & set("/\\\0\r\n\u202e\u2066\u2028")
    assert inert_name(name) == name


def test_names_of_one_answer_differ_also_for_those_who_see_no_case() -> None:
    names = [each.name for each in kept(file("image.png", b"1"), file("Image.png", b"2"), file("image.png", b"3"))]
    assert names == ["image.png", "Image-2.png", "image-3.png"]
    long = "x" * MAX_NAME
    assert [len(each.name) for each in kept(file(long, b"1"), file(long, b"2"))] == [MAX_NAME, MAX_NAME]


def test_what_is_too_much_is_refused_in_words() -> None:
    six = [file(f"{number}.txt") for number in range(6)]
    assert refusal(*six) == "are 6, and an answer takes up to 5 files, 4 MB in all"
    assert len(kept(*six[:5])) == 5
    half = b"x" * (MAX_BYTES // 2)
    assert len(kept(file("a", half), file("b", half))) == 2
    assert refusal(file("a", half), file("b", half + b"x")) == (
        "have 4,194,305 bytes, and an answer takes up to 5 files, 4 MB in all"
    )
    assert refusal(file("a", b"")) == "may not be empty: leave a out, or attach what it should hold"
    assert refusal(file("x" * 10_000)) == "need shorter names: one has 10,000 characters, and 200 is the most"
    assert refusal(file("x" * 201)) == "need shorter names: one has 201 characters, and 200 is the most"
    assert refusal(file("a", b"1"), file("A", b"1")) == "may not be there twice: attach A once"
    assert refusal(file(), allowed=False).startswith("can't be given with this answer")
    assert attached([], allowed=False) == ()


def test_a_size_is_told_as_people_do() -> None:
    assert [size_in_words(each) for each in (0, 1, 1023, 1024, 1_500_000, MAX_BYTES)] == [
        "0 bytes", "1 byte", "1023 bytes", "1.0 KB", "1.4 MB", "4.0 MB",
    ]  # fmt: skip


@pytest.mark.parametrize("written", [None, [], {"name": "a"}, {"name": "a", "type": "t", "size": "1", "sha256": "d"}])
def test_what_describes_no_file_is_not_read(written: object) -> None:
    with pytest.raises(ValueError, match="no file"):
        Attachment.read(written)
