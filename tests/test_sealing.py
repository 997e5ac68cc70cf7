"""Sealed texts: opened by who has a key and knows what for, and by nobody else."""

import os
import stat
import sys
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs import assembly
from handoffs.core.errors import QuestionRefused, SecretRefused
from handoffs.core.model import Caller
from handoffs.sealing import AesGcmSealer
from handoffs.settings import Settings

OLD, NEW = "o" * 32, "n" * 32
NAME = "secret:h_1/password"
VALUE = "correct horse battery staple"


def with_keys(*keys: str) -> AesGcmSealer:
    return AesGcmSealer(lambda: keys)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_is_opened_as_it_was_and_does_not_show(text: str, context: str) -> None:
    async def there_and_back() -> tuple[str, str]:
        sealed = await with_keys(OLD).seal(text, context=context)
        return sealed, await with_keys(OLD).unseal(sealed, context=context)

    sealed, opened = anyio.run(there_and_back)
    assert opened == text
    assert len(text) < 4 or text not in sealed
    assert sealed.isascii()


async def test_the_same_text_is_never_sealed_alike() -> None:
    sealer = with_keys(OLD)
    assert await sealer.seal(VALUE, context=NAME) != await sealer.seal(VALUE, context=NAME)


async def test_the_first_key_seals_and_all_open_so_that_a_key_can_be_changed() -> None:
    before = await with_keys(OLD).seal(VALUE, context=NAME)
    after = await with_keys(NEW, OLD).seal(VALUE, context=NAME)
    assert await with_keys(NEW, OLD).unseal(before, context=NAME) == VALUE
    assert await with_keys(NEW).unseal(after, context=NAME) == VALUE
    with pytest.raises(SecretRefused, match="a key that this program does not have"):
        await with_keys(NEW).unseal(before, context=NAME)


async def test_it_opens_for_no_other_question_and_no_other_field() -> None:
    sealed = await with_keys(OLD).seal(VALUE, context=NAME)
    for context in ("secret:h_2/password", "secret:h_1/token", ""):
        with pytest.raises(SecretRefused, match="belongs to another question"):
            await with_keys(OLD).unseal(sealed, context=context)


async def test_one_that_was_changed_anywhere_does_not_open() -> None:
    sealed = await with_keys(OLD).seal(VALUE, context=NAME)
    for at in range(0, len(sealed), 3):
        changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        with pytest.raises(SecretRefused) as refused:
            await with_keys(OLD).unseal(changed, context=NAME)
        assert VALUE not in str(refused.value)
    for broken in ("", "1", "1..", sealed[:-5], sealed + "AAAA", VALUE):
        with pytest.raises(SecretRefused):
            await with_keys(OLD).unseal(broken, context=NAME)


async def test_without_a_key_nothing_is_sealed_and_it_says_what_to_do() -> None:
    assert await with_keys(OLD).obstacle() == ""
    assert "Set HANDOFFS_KEYS" in await with_keys().obstacle()
    with pytest.raises(SecretRefused, match="Set HANDOFFS_KEYS"):
        await with_keys().seal(VALUE, context=NAME)


def test_a_stored_key_is_made_once_for_its_owner_and_opens_beside_set_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "data_folder", lambda: tmp_path / "data")
    [kept] = assembly.lasting_keys(Settings())
    assert [kept] == assembly.lasting_keys(Settings()) == assembly.seal_keys(Settings())
    assert assembly.lasting_keys(Settings(keys=(NEW,))) == [NEW, kept]
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "data" / "keys").stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_where_no_key_can_be_kept_there_is_none_that_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setattr(assembly, "data_folder", lambda: tmp_path / "data")
    assert assembly.lasting_keys(Settings()) == []


def test_where_a_file_is_in_the_way_of_the_key_there_is_none_that_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_text("")
    monkeypatch.setattr(assembly, "data_folder", lambda: tmp_path / "data")
    assert assembly.lasting_keys(Settings()) == []
    assert len(assembly.seal_keys(Settings())) == 1


async def test_a_key_that_lasts_as_long_as_the_process_seals_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_text("")
    monkeypatch.setattr(assembly, "data_folder", lambda: tmp_path / "data")
    local = Caller(subject=assembly.current_user())  # no other subject can ask for a secret
    form = {"properties": {"it": {"type": "string", "format": "password"}}}
    for keys in ((), (NEW,)):
        async with assembly.open_desk(Settings(store=tmp_path / "handoffs.db", keys=keys)) as desk:
            if keys:
                assert (await desk.ask(message="Which?", caller=local, form=form)).state == "open"
            else:
                with pytest.raises(QuestionRefused, match="Set HANDOFFS_KEYS"):
                    await desk.ask(message="Which?", caller=local, form=form)
