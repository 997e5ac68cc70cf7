"""Codes and sessions, in real files."""

import stat
import sys
from datetime import timedelta
from pathlib import Path

import anyio
import anyio.to_process
import pytest

from handoffs.web.sign_in import CODE_SECONDS, SESSION_DAYS, CodeRefused, SignIn, TooManyTries, sign_in_link
from tests.fakes import FakeClock


def test_a_code_that_one_process_made_is_redeemed_by_another_once(tmp_path: Path) -> None:
    clock = FakeClock()
    code = SignIn(tmp_path / "inbox", clock.now).make_code()
    inbox = SignIn(tmp_path / "inbox", clock.now)
    token = inbox.redeem(code)
    assert inbox.session(token)
    with pytest.raises(CodeRefused):
        inbox.redeem(code)
    with pytest.raises(CodeRefused):
        SignIn(tmp_path / "inbox", clock.now).redeem(code)


def test_a_code_ends_after_ten_minutes(tmp_path: Path) -> None:
    clock = FakeClock()
    sign_in = SignIn(tmp_path, clock.now)
    early, late = sign_in.make_code(), sign_in.make_code()
    clock.forward(CODE_SECONDS - 1)
    sign_in.redeem(early)
    clock.forward(1)
    with pytest.raises(CodeRefused):
        sign_in.redeem(late)


def test_a_code_whose_expiry_was_changed_is_none(tmp_path: Path) -> None:
    sign_in = SignIn(tmp_path, FakeClock().now)
    nonce, ends, seal = sign_in.make_code().split(".")
    for forged in (
        f"{nonce}.{int(ends) + 999}.{seal}",
        f"{nonce}.{ends}.",
        f"{nonce}.{ends}",
        "",
        ".",
        "ü.1.x",
        "x" * 999,
    ):
        with pytest.raises(CodeRefused):
            SignIn(tmp_path, FakeClock().now).redeem(forged)


def test_a_code_of_another_folder_is_none(tmp_path: Path) -> None:
    code = SignIn(tmp_path / "other").make_code()
    with pytest.raises(CodeRefused):
        SignIn(tmp_path / "inbox").redeem(code)


def test_strangers_who_guess_are_slowed_down_and_lock_out_no_good_code(tmp_path: Path) -> None:
    clock = FakeClock()
    sign_in = SignIn(tmp_path, clock.now)
    code = sign_in.make_code()
    for _ in range(5):
        with pytest.raises(CodeRefused) as wrong:
            sign_in.redeem("wrong")
        assert not isinstance(wrong.value, TooManyTries)
    with pytest.raises(TooManyTries):
        sign_in.redeem("wrong")
    assert sign_in.session(sign_in.redeem(code))
    with pytest.raises(CodeRefused):
        sign_in.redeem(code)


def test_a_session_survives_a_restart_for_thirty_days(tmp_path: Path) -> None:
    clock = FakeClock()
    first = SignIn(tmp_path, clock.now)
    token = first.redeem(first.make_code())
    csrf = first.session(token)
    clock.forward(timedelta(days=SESSION_DAYS).total_seconds() - 1)
    assert SignIn(tmp_path, clock.now).session(token) == csrf
    clock.forward(1)
    assert SignIn(tmp_path, clock.now).session(token) is None
    assert first.session(token) is None


def test_signing_out_ends_the_session_in_every_process(tmp_path: Path) -> None:
    sign_in, other = SignIn(tmp_path), SignIn(tmp_path)
    token, kept = sign_in.redeem(sign_in.make_code()), sign_in.redeem(sign_in.make_code())
    assert other.session(token)
    sign_in.end(token)
    assert other.session(token) is None
    assert other.session(kept)


def test_two_sessions_have_different_csrf_tokens(tmp_path: Path) -> None:
    sign_in = SignIn(tmp_path)
    one, two = (sign_in.redeem(sign_in.make_code()) for _ in range(2))
    assert sign_in.session(one) != sign_in.session(two)
    assert sign_in.session("") is None
    assert sign_in.session("x" * 10_000) is None


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_what_is_kept_is_for_its_owner_only_and_holds_no_token(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir(mode=0o755)
    sign_in = SignIn(folder)
    code = sign_in.make_code()
    token = sign_in.redeem(code)
    (folder / "sessions.json").chmod(0o644)
    assert sign_in.session(token)
    sign_in.redeem(sign_in.make_code())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [path for path in folder.iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"sign-in.key", "sessions.json"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert token.encode() not in path.read_bytes()
        assert code.encode() not in path.read_bytes()


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"sessions": 3}', '{"sessions": {"a": "b"}}'])
def test_a_damaged_file_signs_nobody_in_and_stops_nobody_from_signing_in(tmp_path: Path, damaged: str) -> None:
    sign_in = SignIn(tmp_path)
    token = sign_in.redeem(sign_in.make_code())
    (tmp_path / "sessions.json").write_text(damaged)
    assert sign_in.session(token) is None
    assert sign_in.session(sign_in.redeem(sign_in.make_code()))


def test_a_damaged_key_signs_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "sign-in.key").write_bytes(b"")
    with pytest.raises(OSError, match="damaged"):
        SignIn(tmp_path).make_code()


def _redeemed(folder: str, code: str) -> bool:
    try:
        return bool(SignIn(Path(folder)).redeem(code))
    except CodeRefused:
        return False


async def test_of_several_processes_at_once_one_redeems_a_code(tmp_path: Path) -> None:
    code = SignIn(tmp_path).make_code()
    done: list[bool] = []

    async def redeem() -> None:
        done.append(await anyio.to_process.run_sync(_redeemed, str(tmp_path), code))

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(redeem)
    assert sorted(done) == [False, False, False, True]


@pytest.mark.parametrize(
    "after", ["https://evil.test/", "//evil.test", "/\\evil.test", "evil", "", "/a\nb", "/ü", "/sign-in?x"]
)
def test_a_link_goes_on_to_paths_of_the_inbox_only(after: str) -> None:
    assert sign_in_link("http://127.0.0.1:1/", "c", after) == "http://127.0.0.1:1/sign-in?code=c&next=%2F"
    assert sign_in_link("http://127.0.0.1:1", "c", "/h/h_1") == "http://127.0.0.1:1/sign-in?code=c&next=%2Fh%2Fh_1"
