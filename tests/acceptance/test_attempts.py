"""An agent that has a shell, the store's file and every link tries for a yes to a call that takes a passkey."""

import os
import re
from pathlib import Path

import pytest

from tests.acceptance.attempts import (
    ATTEMPTS,
    Attempt,
    Tried,
    held_call,
    it_puts_a_key_of_its_own_in_place_of_hers,
    it_writes_her_answer_signed_with_its_own_key,
    pinned,
)
from tests.acceptance.processes import Home
from tests.gate.behind import Shop
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals, signals, and modes of files")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(Home(tmp_path))


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.__name__)
async def test_an_agent_with_a_shell_gets_no_yes(shop: Shop, attempt: Attempt) -> None:
    tried = Tried()
    async with held_call(shop, tried) as held:
        await attempt(held)
    assert shop.done == []
    assert all(result.is_error for result in tried.results), tried.told


async def test_the_person_with_the_passkey_gets_the_call_run(shop: Shop) -> None:
    tried = Tried()
    async with held_call(shop, tried) as held:
        await held.signs(held.ada)
        await until(lambda: tried.results)
    assert shop.done == ["delete 7"]


KEYS = (it_puts_a_key_of_its_own_in_place_of_hers, it_writes_her_answer_signed_with_its_own_key)
keys = pytest.mark.parametrize("attempt", KEYS, ids=lambda attempt: attempt.__name__)


@keys
async def test_a_key_of_the_agents_own_is_found_by_the_keys_that_were_kept(shop: Shop, attempt: Attempt) -> None:
    tried = Tried()
    async with held_call(shop, tried) as held:
        kept = pinned(shop.home.folder, held.ada)
        await attempt(held)
        await until(lambda: tried.results)
    assert shop.done == ["delete 7"]  # what docs/security.md says: without pinned keys it is evidence, and no wall
    of_store = shop.home.run("log", "verify")
    exported = shop.home.run("log", "export", "out")
    of_folder = shop.home.run("log", "verify", "out", "--keys", str(kept))
    said = of_store.stderr + exported.stderr + of_folder.stderr
    if attempt is it_writes_her_answer_signed_with_its_own_key:
        found = re.search(rf"{tried.handoff_id}: line \d+: used can't happen to what is open", said)
        assert (of_store.returncode, found is not None) == (1, True), said
    else:
        assert (of_folder.returncode, "no active passkey of ada has signed it" in said) == (1, True), said


@keys
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can make such a file")
async def test_with_pinned_keys_a_key_of_the_agents_own_is_refused(shop: Shop, attempt: Attempt) -> None:
    tried = Tried()
    async with held_call(shop, tried, pin=True) as held:
        await attempt(held)
    assert shop.done == []
    assert "Not run" in tried.told


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can make such a file")
async def test_with_pinned_keys_the_persons_own_runs_the_call(shop: Shop) -> None:
    tried = Tried()
    async with held_call(shop, tried, pin=True) as held:
        await held.signs(held.ada)
        await until(lambda: tried.results)
    assert shop.done == ["delete 7"]
