"""An answer with files, over plain HTTP: what is taken, refused and shown, and to whom."""

import re
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.attachment import MAX_BYTES, GivenFile
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.model import Handoff, State
from tests.store.by_hand import change
from tests.web.held import call
from tests.web.serving import Page, serving, signed_in, stays_open
from tests.web.test_page_keys import Keyed, keyed

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
File = tuple[str, tuple[str, bytes, str]]
YES = {"field.response": "yes"}


def file(name: str = "a.txt", content: bytes = b"words", declared: str = "text/plain") -> File:
    return "files", (name, content, declared)


async def send(page: Page, handoff: Handoff, *files: File, to: str = "answer", script: bool = True) -> httpx.Response:
    headers = {"accept": "application/json"} if script else {}
    data = {"csrf": await page.csrf()} | (YES if to != "decline" else {})
    return await page.http.post(f"/h/{handoff.id}/{to}", data=data, files=list(files), headers=headers)


@asynccontextmanager
async def asked(folder: Path, **question: Any) -> AsyncGenerator[tuple[Page, Handoff]]:
    async with signed_in(folder) as page:
        yield page, await page.inbox.ask("Deploy?", files=True, **question)


async def test_the_files_of_an_answer_are_recorded_with_it(tmp_path: Path) -> None:
    async with asked(tmp_path) as (page, handoff):
        desk = page.inbox.desk
        reply = await send(page, handoff, file("Grüße ✓.png", PNG, "text/html"), file("../../x"), script=False)
        assert (reply.status_code, reply.headers["location"]) == (303, f"/h/{handoff.id}")
        ended = await desk.get(handoff.id)
        assert (ended.state, ended.values) == (State.ANSWERED, {"response": "yes"})
        assert [(each.name, each.media_type, each.size) for each in ended.attachments] == [
            ("Grüße ✓.png", "image/png", 264),
            ("x", "text/plain", 5),
        ]
        assert [await desk.content(ended, number) for number in (1, 2)] == [PNG, b"words"]


async def test_a_control_that_was_left_empty_gives_no_file(tmp_path: Path) -> None:
    async with asked(tmp_path) as (page, handoff):
        # As a browser without script sends it.
        empty = 'Content-Disposition: form-data; name="files"; filename=""\r\nContent-Type: application/octet-stream'
        body = written(
            ('Content-Disposition: form-data; name="csrf"', (await page.csrf()).encode()),
            ('Content-Disposition: form-data; name="field.response"', "grün\r\nblau".encode()),
            (empty, b""),
        )
        kind = {"content-type": "multipart/form-data; boundary=b"}
        reply = await page.http.post(f"/h/{handoff.id}/answer", content=body, headers=kind)
        assert reply.status_code == 303
        ended = await page.inbox.desk.get(handoff.id)
        assert (ended.values, ended.attachments) == ({"response": "grün\nblau"}, ())


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([file(f"{number}.txt") for number in range(6)], "are 6, and an answer takes up to 5 files, 4 MB in all"),
        ([file(content=b"x" * (MAX_BYTES + 1))], "have 4,194,305 bytes, and an answer takes up to 5 files"),
        ([file(content=b"")], "may not be empty: leave a.txt out"),
        ([file("x" * 1_000)], "need shorter names: one has 1,000 characters"),
        ([file("x" * 3_000 + ".txt")], "need shorter names"),
        ([file(), file()], "may not be there twice: attach a.txt once"),
    ],
)
async def test_what_does_not_fit_is_refused_in_words(tmp_path: Path, files: list[File], why: str) -> None:
    async with asked(tmp_path) as (page, handoff):
        for to in ("answer", "sign"):
            reply = await send(page, handoff, *files, to=to)
            assert reply.status_code == 422
            assert why in reply.json()["problems"]["files"]
        shown = await send(page, handoff, *files, script=False)
        assert shown.status_code == 422
        [said] = re.findall(r'<p class="problem" id="\S+-files-problem">([^<]*)</p>', shown.text)
        assert said.startswith(f"Files {why}")
        assert said.endswith(". Choose them again.")
        assert await stays_open(page, handoff.id)


def written(*parts: tuple[str, bytes], boundary: bytes = b"b", end: bytes = b"--\r\n") -> bytes:
    """A form as it is on the wire."""
    whole = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head.encode(), data) for head, data in parts)
    return whole + b"--" + boundary + end


FILE_HEAD = 'Content-Disposition: form-data; name="files"; filename="a.txt"\r\nContent-Type: text/plain'


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(None, "multipart/form-data; boundary=b", 400, id="cut off in the file"),
        pytest.param(written((FILE_HEAD, b"x"), end=b""), "multipart/form-data; boundary=b", 400, id="no end"),
        pytest.param(written((FILE_HEAD, b"x")), "multipart/form-data", 400, id="no boundary"),
        pytest.param(written((FILE_HEAD, b"x")), f"multipart/form-data; boundary={'b' * 9_000}", 400, id="its length"),
        pytest.param(written((FILE_HEAD, b"x")), "multipart/form-data; boundary=other", 400, id="another's"),
        pytest.param(b"", "multipart/form-data; boundary=b", 400, id="nothing"),
        pytest.param(b"-" * 2_000_000, "multipart/form-data; boundary=b", 400, id="a boundary that never ends"),
        pytest.param(written(("X: " + "y" * 99_999, b"x")), "multipart/form-data; boundary=b", 400, id="long header"),
        pytest.param(written(("X: y", b"x")), "multipart/form-data; boundary=b", 400, id="a part without a name"),
        pytest.param(
            written(('Content-Disposition: form-data; name="csrf"; filename="x"', b"x")),
            "multipart/form-data; boundary=b", 400, id="a file where text belongs",
        ),
        pytest.param(
            written(('Content-Disposition: form-data; name="note"', b"\xff")),
            "multipart/form-data; boundary=b", 400, id="no text",
        ),
        pytest.param(
            written(*[('Content-Disposition: form-data; name="a"', b"1")] * 1_001),
            "multipart/form-data; boundary=b", 413, id="many parts",
        ),
        pytest.param(
            written(('Content-Disposition: form-data; name="note"', b"x" * 1_048_577)),
            "multipart/form-data; boundary=b", 413, id="long text",
        ),
        pytest.param(b"x" * 10_000_000, "multipart/form-data; boundary=b", 413, id="10 MB"),
        pytest.param(written((FILE_HEAD, b"x")), "multipart/form-data; boundary=b", 403, id="without the token"),
        pytest.param(written((FILE_HEAD, b"x")), "multipart/mixed; boundary=b", 415, id="another kind"),
    ],
)  # fmt: skip
async def test_a_form_that_is_cut_off_or_made_up_is_refused(
    tmp_path: Path, body: bytes | None, kind: str, status: int
) -> None:
    async with asked(tmp_path) as (page, handoff):
        if body is None:
            token = ('Content-Disposition: form-data; name="csrf"', (await page.csrf()).encode())
            value = ('Content-Disposition: form-data; name="field.response"', b"yes")
            body = written(token, value, (FILE_HEAD, b"words" * 99))[:-200]
        for to in ("answer", "decline", "sign"):
            reply = await page.http.post(f"/h/{handoff.id}/{to}", content=body, headers={"content-type": kind})
            assert reply.status_code == status, reply.text
            assert "Nothing was recorded" in reply.text or status == 415
        assert await stays_open(page, handoff.id)
        reply = await page.http.post("/alike/answer", content=body, headers={"content-type": kind})
        assert reply.status_code in {413, 415}


async def test_ten_megabytes_are_refused_on_a_port_and_not_kept(tmp_path: Path) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(160):
            yield b"x" * 65_536

    async with serving(tmp_path) as inbox:
        async with httpx.AsyncClient(base_url=inbox.url) as http:
            page = Page(http, inbox)
            await page.sign_in()
            handoff = await inbox.ask(files=True)
            kind = {"content-type": "multipart/form-data; boundary=b"}
            tracemalloc.start()
            reply = await http.post(f"/h/{handoff.id}/answer", content=endless(), headers=kind)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert (reply.status_code, "up to 5 files, 4 MB in all" in reply.text) == (413, True)
            assert most < 9_000_000
            assert await stays_open(page, handoff.id)


async def test_a_question_that_takes_no_files_shows_no_control_and_refuses_them(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        action = call()
        several = Deciders(
            rule="x", asked_at=page.inbox.desk.clock.now(), seats=(Seat(person="ada"), Seat(person="bob")), votes=2
        )
        secret = {"properties": {"response": {"type": "string", "format": "password"}}}
        for handoff in (
            await page.inbox.ask("No files"),
            await page.inbox.ask(message_of(action), form=action_form(editable=False), action=action, files=True),
            await page.inbox.ask("A secret?", form=secret, files=True),
            await page.inbox.ask("Of two?", deciders=several, files=True),
        ):
            assert 'type="file"' not in (await page.http.get(f"/h/{handoff.id}")).text
            value = {"field.decision": "allow"} if handoff.question.action else YES
            reply = await page.http.post(
                f"/h/{handoff.id}/answer",
                data={"csrf": await page.csrf()} | value,
                files=[file()],
                headers={"accept": "application/json"},
            )
            assert (reply.status_code, "files" in reply.json()["problems"]) == (422, True), reply.text
            assert "can't be given with this answer" in reply.json()["problems"]["files"]
            assert await stays_open(page, handoff.id)


async def test_a_refusal_to_answer_takes_no_files(tmp_path: Path) -> None:
    async with asked(tmp_path) as (page, handoff):
        reply = await send(page, handoff, file(), to="decline")
        assert reply.status_code == 422
        assert reply.json()["problems"]["files"].startswith("go only with an answer")
        assert await stays_open(page, handoff.id)
        assert (await send(page, handoff, to="decline")).status_code == 200
        assert (await page.inbox.desk.get(handoff.id)).state is State.DECLINED


async def test_files_for_what_has_ended_are_too_late(tmp_path: Path) -> None:
    async with asked(tmp_path) as (page, handoff):
        await page.inbox.desk.answer(handoff, {"response": "no"}, by="bob", channel="terminal")
        reply = await send(page, handoff, file())
        assert (reply.status_code, reply.json()["ended"]) == (409, "Answered by bob through terminal")
        assert (await page.inbox.desk.get(handoff.id)).attachments == ()


async def test_an_image_is_shown_and_all_else_is_only_kept(tmp_path: Path) -> None:
    async with asked(tmp_path) as (page, handoff):
        svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
        html = b"<script>alert(1)</script>"
        await send(
            page,
            handoff,
            file("q\"uo'te.png", PNG, "image/png"),
            file("x.svg", svg, "image/svg+xml"),
            file("<b>.html", html, "text/html"),
            file("fake.png", html, "image/png"),
        )
        shown = (await page.http.get(f"/h/{handoff.id}")).text
        assert re.findall(r'<img src="([^"]*)"', shown) == [f"/h/{handoff.id}/files/1"]
        assert "<b>.html" not in shown
        expected = [("image/png", PNG), *[("application/octet-stream", each) for each in (svg, html, html)]]
        for number, (kind, content) in enumerate(expected, 1):
            reply = await page.http.get(f"/h/{handoff.id}/files/{number}")
            assert (reply.status_code, reply.headers["content-type"], reply.content) == (200, kind, content)
            assert reply.headers["content-security-policy"] == "default-src 'none'; sandbox"
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["cache-control"] == "no-store"
            assert reply.headers["cross-origin-resource-policy"] == "same-origin"
            assert ("content-disposition" in reply.headers) == (number > 1)
        kept = await page.http.get(f"/h/{handoff.id}/files/1?download")
        assert kept.headers["content-disposition"].startswith("attachment; filename*=UTF-8''q")
        assert kept.headers["content-type"] == "application/octet-stream"
        for number in ("0", "5", "x", "99999999999999999999"):
            assert (await page.http.get(f"/h/{handoff.id}/files/{number}")).status_code == 404
        for path in ("/history", f"/h/{handoff.id}/record"):
            assert "fake.png" in (await page.http.get(path)).text
        told = (await page.http.get(f"/h/{handoff.id}/record.json")).text
        assert '"sha256"' in told
        assert "alert(1)" not in told


async def test_without_a_session_no_file_is_there(tmp_path: Path) -> None:
    async with asked(tmp_path) as (page, handoff):
        await send(page, handoff, file())
        page.http.cookies.clear()
        reply = await page.http.get(f"/h/{handoff.id}/files/1")
        assert (reply.status_code, "words" in reply.text) == (401, False)


async def test_who_may_not_see_a_question_sees_none_of_its_files(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        desk = page.inbox.desk
        theirs = Deciders(rule="x", asked_at=desk.clock.now(), seats=(Seat(person="bob"),), visible="theirs")
        handoff = await page.inbox.ask("Go?", deciders=theirs, files=True)
        given = [GivenFile(name="a.txt", declared="text/plain", content=b"words")]
        ended = await desk.answer(handoff, {"response": "x"}, by="bob", channel="inbox", files=given)
        assert ended.state is State.ANSWERED
        assert (await page.http.get(f"/h/{handoff.id}/files/1")).status_code == 404


async def test_a_file_that_was_changed_in_the_store_is_not_shown(tmp_path: Path) -> None:
    async with asked(tmp_path) as (page, handoff):
        await send(page, handoff, file("a.png", PNG))
        await change(str(tmp_path / "handoffs.db"), "UPDATE SCHEMA.attachments SET data = x'89504e47'")
        reply = await page.http.get(f"/h/{handoff.id}/files/1")
        assert (reply.status_code, "as the person gave it" in reply.text) == (409, True)


async def signed(here: Keyed, *files: File, tampered: bytes = b"") -> httpx.Response:
    """Post an answer with files, signed as a script does; then `tampered` takes the place of words."""
    data = {"csrf": here.csrf} | YES
    request = here.page.http.build_request("POST", here.path, data=data, files=list(files))
    body = request.read()
    headers = {"accept": "application/json", "content-type": request.headers["content-type"]}
    headers["handoffs-signed"] = here.key.signed(here.path, here.csrf, body, here.clock.now())
    sent = body.replace(b"words", tampered) if tampered else body
    return await here.page.http.post(here.path, content=sent, headers=headers)


async def test_a_page_s_key_signs_the_files_too(tmp_path: Path) -> None:
    async with keyed(tmp_path) as here:
        here.handoff = await here.page.inbox.ask("With files?", files=True)
        await here.refuses(await signed(here, file(), tampered=b"WORDS"), "not signed with the key")
        unsigned = await send(here.page, here.handoff, file())
        await here.refuses(unsigned, "without the signature")
        trailing = written((FILE_HEAD, b"x&signed=1.2.3"))
        kind = {"content-type": "multipart/form-data; boundary=b", "accept": "application/json"}
        await here.refuses(await here.page.http.post(here.path, content=trailing, headers=kind), "not signed")
        large = await signed(here, file(content=b"x" * (MAX_BYTES - 1)))
        assert large.status_code == 200
        assert (await here.page.inbox.desk.get(here.handoff.id)).attachments[0].size == MAX_BYTES - 1
