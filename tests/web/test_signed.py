"""Questions that are answered with a passkey, in a real Chromium with an authenticator of its own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from handoffs.core.action import Asker
from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.model import Handoff, State
from handoffs.core.remembering import offered
from tests.fakes import FakeClock
from tests.waiting import until
from tests.web.held import call
from tests.web.joined import Home, digest_of, home, join, with_authenticator
from tests.web.serving import CLAUDE, Opened
from tests.web.signing import sent_by_page
from tests.web.test_passkeys import SIGN_AT
from tests.web.test_reading import SHAPES, axe
from tests.web.visiting import visit

SIGN = f"async (options) => JSON.stringify(await ({SIGN_AT})(options))"
YES = {"field.response": "yes"}


def rule(inbox: Home, *names: str, votes: int = 1) -> Deciders:
    """These people decide, with a passkey."""
    seats = tuple(Seat(person=name) for name in names or ("ada", "bob"))
    return Deciders(rule="gate.toml:2", asked_at=inbox.clock.now(), seats=seats, votes=votes, proof="passkey")


async def asked(inbox: Home, *names: str, votes: int = 1) -> Handoff:
    return await inbox.ask(options=["yes", "no"], deciders=rule(inbox, *names, votes=votes))


async def held(inbox: Home, number: int = 7, *, asker: Asker = Asker.GATE) -> Handoff:
    action = replace(call(arguments={"id": number}), asker=asker)
    form = action_form(editable=True, remember=offered({"exact", "tool"}, None))
    return await inbox.desk.ask(
        message=message_of(action), caller=CLAUDE, form=form, action=action, deciders=rule(inbox)
    )


@asynccontextmanager
async def joined(folder: Path, opened: Opened, **options: Any) -> AsyncGenerator[tuple[Home, Page, Any]]:
    """Ada, signed in, with what steers her authenticator."""
    async with home(folder) as inbox, opened(**options) as page:
        for name in ("ada", "bob"):
            await inbox.add(name)
        steered = await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        yield inbox, page, steered


async def sent(page: Page, inbox: Home, path: str, **form: str) -> httpx.Response:
    """Post a form as the page's script does, signed with the page's key."""
    csrf = await page.locator("input[name=csrf]").first.get_attribute("value")
    return await sent_by_page(page, inbox.url + path, csrf or "", **form)


async def answered(page: Page, inbox: Home, handoff: Handoff, **form: str) -> str:
    """Post an answer that is refused, and return the words."""
    reply = await sent(page, inbox, f"/h/{handoff.id}/answer", **form)
    assert reply.status_code == 422
    return str(reply.json()["problems"][""])


async def signature(page: Page, inbox: Home, handoff: Handoff, **form: str) -> str:
    """What the authenticator signs for this form, as it is posted."""
    offer = (await sent(page, inbox, f"/h/{handoff.id}/sign", **form)).json()
    return str(await page.evaluate(SIGN, offer["publicKey"]))


async def is_as_asked(inbox: Home, handoff: Handoff) -> bool:
    return await inbox.desk.get(handoff.id) == handoff


async def has_ended(inbox: Home, handoff: Handoff) -> bool:
    return (await inbox.desk.get(handoff.id)).end is not None


async def test_an_answer_is_signed_and_is_believed_afterwards(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, _):
        handoff = await asked(inbox)
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await expect(page.locator(".signing")).to_contain_text("Your passkey signs your answer")
        await page.get_by_text("Add a note").click()
        await page.get_by_label("Note").fill("go on")
        await page.get_by_role("button", name="yes").click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        done = await inbox.desk.get(handoff.id)
        assert done.values == {"response": "yes"}
        assert done.end is not None
        assert done.end.note == "go on"
        assert done.votes[0].proof
        await inbox.desk.check_proof(done)
        [key] = await inbox.people.keys("ada")
        assert key.sign_count > 0


async def test_a_call_is_allowed_with_all_that_was_filled_in(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, _):
        handoff = await held(inbox)
        await visit(page, inbox.url)
        await page.get_by_text("Change, or remember").click()
        await page.get_by_label("id optional").fill("8")
        await page.get_by_role("button", name="Allow with this").click()
        await expect(page.locator(".gone")).to_contain_text("Answered by ada")
        done = await inbox.desk.get(handoff.id)
        assert done.values is not None
        assert done.values["arguments"] == '{"id": 8}'
        await inbox.desk.check_proof(done)


async def test_a_hosts_own_prompt_is_allowed_with_a_passkey_and_denied_without(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, (cdp, authenticator)):
        calls = [await held(inbox, number, asker=Asker.HOST) for number in (1, 2)]
        await visit(page, f"{inbox.url}/h/{calls[0].id}")
        signing = "Your passkey signs what you allow: this device asks for it. To deny takes none."
        await expect(page.locator(".signing")).to_have_text(signing)
        await page.locator(".decision button.allow").click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        await inbox.desk.check_proof(await inbox.desk.get(calls[0].id))
        await cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": authenticator})
        await visit(page, f"{inbox.url}/h/{calls[1].id}")
        await page.locator(".decision button.deny").click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        assert (await inbox.desk.get(calls[1].id)).values == {"decision": "deny"}


async def test_to_refuse_takes_no_passkey(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, (cdp, authenticator)):
        question, action = await asked(inbox), await held(inbox)
        await cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": authenticator})
        await visit(page, f"{inbox.url}/h/{question.id}")
        await page.get_by_role("button", name="Decline").click()
        await expect(page.get_by_role("heading", name="Declined by ada")).to_be_visible()
        await visit(page, f"{inbox.url}/h/{action.id}")
        await page.locator(".decision .deny").click()
        await until(lambda: has_ended(inbox, action))
        assert (await inbox.desk.get(action.id)).votes[0].refuses


async def test_what_was_signed_counts_once_and_for_itself_alone(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, _):
        handoff, other = await asked(inbox, votes=2), await inbox.ask("Delete?", deciders=rule(inbox))
        for form in ({"field.response": "no"}, YES | {"note": "and more"}):
            signed = await signature(page, inbox, handoff, **YES)
            words = await answered(page, inbox, handoff, **form, proof=signed)
            assert "signed for another question, answer or person" in words
        signed = await signature(page, inbox, handoff, **YES)
        assert "sent before" in await answered(page, inbox, other, **YES, proof=signed)
        assert await is_as_asked(inbox, handoff)
        reply = await sent(page, inbox, f"/h/{handoff.id}/answer", **YES, proof=signed)
        assert reply.json() == {"voted": f"/h/{handoff.id}"}
        voted = await inbox.desk.get(handoff.id)
        assert len(voted.votes) == 1
        assert "sent before" in await answered(page, inbox, handoff, **YES, proof=signed)
        assert await is_as_asked(inbox, voted)
        assert await is_as_asked(inbox, other)


async def test_another_session_can_not_use_what_was_signed(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, _), opened() as bobs:
        handoff = await asked(inbox)
        await with_authenticator(bobs)
        await join(bobs, await inbox.invite("bob"))
        signed = await signature(page, inbox, handoff, **YES)
        await visit(bobs, inbox.url)
        assert "sent before" in await answered(bobs, inbox, handoff, **YES, proof=signed)
        await signature(bobs, inbox, handoff, **YES)
        assert "signed for another" in await answered(bobs, inbox, handoff, **YES, proof=signed)
        assert await is_as_asked(inbox, handoff)


async def test_without_a_check_of_the_person_nothing_is_recorded(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, (cdp, authenticator)):
        handoff = await asked(inbox)
        await cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await page.get_by_role("button", name="yes").click()
        await expect(page.locator(".of-form")).to_contain_text("did not check that it is you. Nothing was recorded.")
        # Nor where the browser was asked for less.
        offer = (await sent(page, inbox, f"/h/{handoff.id}/sign", **YES)).json()
        signed = await page.evaluate(SIGN, offer["publicKey"] | {"userVerification": "discouraged"})
        words = await answered(page, inbox, handoff, **YES, proof=signed)
        assert "did not check who was there" in words
        assert await is_as_asked(inbox, handoff)


async def test_an_answer_without_a_signature_is_refused_in_words(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, _):
        handoff = await asked(inbox)
        assert "gate.toml:2 demands a passkey" in await answered(page, inbox, handoff, **YES)
        assert "sent before" in await answered(page, inbox, handoff, **YES, proof="{}")
        for proof in ("no JSON", "[]", '{"id": "a", "response": {"signature": 1}}', "9"):
            await signature(page, inbox, handoff, **YES)
            assert "can't be read" in await answered(page, inbox, handoff, **YES, proof=proof)
        wrong = await sent(page, inbox, f"/h/{handoff.id}/sign", **{"field.response": "maybe"})
        assert (wrong.status_code, list(wrong.json()["problems"])) == (422, ["field.response"])
        assert (await page.context.request.post(f"{inbox.url}/h/{handoff.id}/sign", form={**YES})).status == 403
        assert await is_as_asked(inbox, handoff)


async def test_after_two_minutes_a_signature_is_too_late(tmp_path: Path, opened: Opened) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock) as inbox, opened() as page:
        await inbox.add("ada")
        await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        handoff = await asked(inbox, "ada")
        signed = await signature(page, inbox, handoff, **YES)
        clock.forward(timedelta(minutes=2).total_seconds())
        assert "two minutes" in await answered(page, inbox, handoff, **YES, proof=signed)
        assert (await inbox.desk.get(handoff.id)).votes == ()


async def test_a_person_without_a_key_reads_what_to_do(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, _):
        handoff = await asked(inbox)
        [key] = await inbox.people.keys("ada")
        await inbox.people.remove_key(key.credential_id, at=inbox.clock.now())
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await expect(page.locator(".signing")).to_contain_text("handoffs people invite")
        await expect(page.get_by_role("button", name="yes")).to_have_count(0)
        refused = await sent(page, inbox, f"/h/{handoff.id}/sign", **YES)
        assert "you have none" in refused.json()["problems"][""]
        await page.get_by_role("button", name="Decline").click()
        await until(lambda: has_ended(inbox, handoff))


async def test_the_user_of_the_machine_is_led_to_their_passkey(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened(java_script_enabled=False) as page:
        await inbox.add("owner")
        handoff = await inbox.ask(deciders=rule(inbox, "owner"))
        await visit(page, inbox.link(f"/h/{handoff.id}"))
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator(".signing")).to_contain_text("Sign out here, and sign in with the passkey")
        await expect(page.get_by_label("Response")).to_have_count(0)
        await page.get_by_role("button", name="Decline").click()
        assert (await inbox.desk.get(handoff.id)).state is State.DECLINED


async def test_without_script_one_can_only_refuse(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, _, _), opened(java_script_enabled=False) as plain:
        handoff, action = await asked(inbox), await held(inbox)
        # With a session of its own: that of the other browser takes no post that its page has not signed.
        await inbox.people.begin(digest_of("plain"), "ada", at=inbox.clock.now(), agent="")
        name = f"{inbox.sign_in.cookie}_person"
        await plain.context.add_cookies([{"name": name, "value": "plain", "url": inbox.url}])
        await visit(plain, inbox.url)
        cards = [plain.locator(f"[id='{each.id}']") for each in (handoff, action)]
        for card in cards:
            await expect(card.locator("noscript p")).to_be_visible()
        await expect(cards[0].locator("button:visible")).to_have_text(["Decline"])
        await expect(cards[1].locator(".decision button:visible")).to_have_count(1)
        await cards[0].get_by_role("button", name="Decline").click()
        assert (await inbox.desk.get(handoff.id)).state is State.DECLINED


async def test_what_takes_a_passkey_is_not_allowed_with_others(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, _):
        calls = [await held(inbox, number) for number in (1, 2)]
        await visit(page, inbox.url)
        await expect(page.locator(".group")).to_have_count(0)
        await expect(page.locator(".signing").first).to_contain_text("left out of Allow all that is shown")
        action = calls[0].question.action
        assert action is not None
        mark = f"{calls[0].id} {action.digest} {calls[0].version}"
        for path in ("/together", "/together/decide"):
            reply = await sent(page, inbox, path, call=mark, decision="allow")
            assert "it takes a passkey" in reply.text
        assert await is_as_asked(inbox, calls[0])


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_card_to_sign_can_be_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with joined(tmp_path, opened, **SHAPES[shape]) as (inbox, page, _):
        await asked(inbox)
        await held(inbox)
        await visit(page, inbox.url)
        await expect(page.locator(".signing")).to_have_count(2)
        assert await axe(page) == []
        [key] = await inbox.people.keys("ada")
        await inbox.people.remove_key(key.credential_id, at=inbox.clock.now())
        await visit(page, inbox.url)
        await expect(page.locator(".signing").first).to_contain_text("you have none")
        assert await axe(page) == []
