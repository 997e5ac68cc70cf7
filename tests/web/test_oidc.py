"""Signing in at an OpenID provider: whom it names, and what of it is refused."""

import base64
import hmac
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.access.issuing import RSA, Key
from tests.access.provider import CLIENT, SECRET, LocalProvider, code_in
from tests.web.joined import home
from tests.web.vouched import Browser, browser, vouched

ADA = "ada@example.com"
TIMES = ("iat", "exp")
"""The claims whose numbers are seconds from now."""


async def refused(person: Browser, reply: Any, *words: str, status: int = 403) -> None:
    """Whether the page says so, and nobody was signed in."""
    assert (reply.status_code, [word for word in words if word not in reply.text]) == (status, []), reply.text
    assert "Nobody was signed in." in reply.text
    assert not await person.is_in()
    assert await person.inbox.people.sessions(at=person.inbox.clock.now()) == []


async def test_whom_the_provider_verifies_is_the_person(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        inbox = person.inbox
        await inbox.add("ada", email="Ada@Example.com")
        handoff = await inbox.ask_of("ada")
        reply = await person.sign_in(f"/h/{handoff.id}")
        assert (reply.status_code, reply.headers["location"]) == (303, f"/sign-in/oidc/done?next=/h/{handoff.id}")
        cookies = "\n".join(reply.headers.get_list("set-cookie"))
        assert "samesite=strict" in cookies.lower()
        assert "code" not in reply.headers["location"]
        page = (await person.http.get(reply.headers["location"])).text
        assert f'content="0;url=/h/{handoff.id}"' in page
        assert "You are signed in as <bdi>ada</bdi>" in (await person.http.get("/")).text
        [session] = await inbox.people.sessions("ada", at=inbox.clock.now())
        assert session.id in (await person.http.get("/you")).text
        assert (await person.answer(handoff.id)).status_code == 200
        end = (await inbox.desk.get(handoff.id)).end
        assert end is not None
        assert end.by == "ada"
        assert await inbox.people.end(session.id)
        assert not await person.is_in()


async def test_without_people_the_name_of_the_provider_is_in_the_log(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        assert "Sign in with 127.0.0.1:" in (await person.http.get("/")).text
        handoff = await person.inbox.ask(options=["yes", "no"])
        assert (await person.sign_in()).status_code == 303
        assert f"signed in as <bdi>{ADA}</bdi>" in (await person.http.get("/")).text
        assert (await person.answer(handoff.id)).status_code == 200
        end = (await person.inbox.desk.get(handoff.id)).end
        assert end is not None
        assert end.by == ADA
        kept = json.loads((tmp_path / "inbox" / "sessions.json").read_text())
        assert (kept["sessions"], [each["shown"] for each in kept["named"].values()]) == ({}, [ADA])
        reply = await person.http.post("/sign-out", data={"csrf": await person.csrf()})
        assert "You are signed out." in reply.text
        assert not await person.is_in()


async def test_who_is_none_of_the_people_decides_nothing_of_theirs(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        await person.inbox.add("bob", email="bob@example.com")
        theirs, anybodys = await person.inbox.ask_of("bob"), await person.inbox.ask("Tea?", options=["yes", "no"])
        assert (await person.sign_in()).status_code == 303
        assert "It is not yours to decide." in (await person.http.get(f"/h/{theirs.id}")).text
        assert "it is the decision of bob" in (await person.answer(theirs.id)).text
        assert (await person.answer(anybodys.id)).status_code == 200
        assert (await person.inbox.desk.get(theirs.id)).votes == ()
        assert "not as a person of this store" in (await person.http.get("/you")).text


@pytest.mark.parametrize("name", [ADA, ADA.upper()])
async def test_a_stranger_never_acts_under_the_name_of_a_person(tmp_path: Path, name: str) -> None:
    async with vouched(tmp_path, claim="preferred_username") as person:
        person.provider.user["preferred_username"] = name.lower() + "x"
        await person.inbox.add(name + ("x" if name == ADA else "X"))
        handoff = await person.inbox.ask("Tea?", options=["yes", "no"])
        await person.sign_in()
        await person.answer(handoff.id)
        end = (await person.inbox.desk.get(handoff.id)).end
        assert end is not None
        assert end.by == (f"{ADA}x" if name == ADA else f"stranger: {ADA}x")


async def test_a_login_name_is_compared_as_it_is_written(tmp_path: Path) -> None:
    async with vouched(tmp_path, claim="preferred_username") as person:
        person.provider.user |= {"preferred_username": "ada", "email_verified": False}
        await person.inbox.add("ada")
        await person.inbox.add("eve", email=ADA)  # an address says nothing where the login name counts
        await person.sign_in()
        assert len(await person.inbox.people.sessions("ada", at=person.inbox.clock.now())) == 1


async def test_who_is_removed_is_out_at_once_and_comes_back_no_more(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        await person.inbox.add("ada", email=ADA)
        await person.sign_in()
        assert await person.is_in()
        await person.inbox.remove("ada")
        assert not await person.is_in()
        reply = await person.sign_in()
        assert (reply.status_code, "ada was removed" in reply.text) == (403, True)
        assert not await person.is_in()


async def test_a_stranger_who_becomes_a_person_signs_in_anew(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        await person.sign_in()
        assert await person.is_in()
        await person.inbox.add("ada", email=ADA)
        assert not await person.is_in()
        await person.sign_in()
        assert len(await person.inbox.people.sessions("ada", at=person.inbox.clock.now())) == 1
        await person.inbox.remove("ada")
        page = await person.http.get("/", headers={"accept": "application/json"})
        assert (page.status_code, "ada was removed" in page.json()["problem"]) == (403, True)


async def test_an_address_of_two_people_is_nobodys(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        await person.inbox.add("ada", email=ADA)
        await person.inbox.add("eve", email=ADA)
        reply = await person.sign_in()
        assert (reply.status_code, "stands for several people here: ada, eve" in reply.text) == (403, True)
        assert not await person.is_in()
        await person.inbox.remove("eve")
        assert (await person.sign_in()).status_code == 303


async def test_an_earlier_person_of_the_browser_acts_there_no_more(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        await person.inbox.add("ada", email=ADA)
        await person.sign_in()
        person.provider.user["email"] = "mallory@example.com"
        await person.sign_in()
        assert "signed in as <bdi>mallory@example.com</bdi>" in (await person.http.get("/")).text


def _unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", algorithm="none", headers={"kid": "first"})


def _by_the_public_key(claims: dict[str, Any]) -> str:
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, _ = jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": "rsa"}).split(".")
    seal = hmac.digest(pem, f"{head}.{body}".encode(), "sha256")  # PyJWT itself signs with no PEM
    return f"{head}.{body}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def _by_a_stranger(claims: dict[str, Any]) -> str:
    return Key("first", "ES256").sign(claims)


@pytest.mark.parametrize(
    ("claims", "token_of", "words"),
    [
        ({"aud": "another"}, None, "InvalidAudienceError"),
        ({"aud": [CLIENT, "another"]}, None, "MissingClaimError"),
        ({"azp": "another"}, None, "InvalidClaimError"),
        ({"iss": "https://id.example"}, None, "InvalidIssuerError"),
        ({"nonce": "of another sign-in"}, None, "InvalidClaimError"),
        ({"nonce": None}, None, "MissingRequiredClaimError"),
        ({"iat": -660, "exp": -600}, None, "ExpiredTokenError"),
        ({"iat": 600, "exp": 900}, None, "its clock and this machine's differ"),
        ({"at_hash": "AAAA"}, None, "InvalidClaimError"),
        ({"sub": None}, None, "MissingRequiredClaimError"),
        ({"exp": "soon"}, None, "can't be believed"),
        ({}, _unsigned, "not signed by a public key"),
        ({}, _by_the_public_key, "not signed by a public key"),
        ({}, _by_a_stranger, "InvalidSignatureError"),
        ({}, lambda _: "x", "it is no JSON Web Token"),
        ({"email_verified": False}, None, "has not verified that the email address ada@example.com is yours"),
        ({"email_verified": None}, None, "has not verified"),
        ({"email_verified": "false"}, None, "has not verified"),
        ({"email": None}, None, "gives no name of yours as 'email'"),
        ({"email": "a\u202eda@example.com"}, None, "gives no name of yours"),
        ({"email": {"x": 1}}, None, "gives no name of yours"),
    ],
)
async def test_what_can_not_be_believed_signs_nobody_in(
    tmp_path: Path, claims: dict[str, Any], token_of: Callable[[dict[str, Any]], str] | None, words: str
) -> None:
    async with vouched(tmp_path) as person:
        await person.inbox.add("ada", email=ADA)
        person.provider.keys.append(Key("rsa", "RS256").public)
        times = {name: int(time.time()) + at for name, at in claims.items() if isinstance(at, int) and name in TIMES}
        person.provider.claims, person.provider.token_of = claims | times, token_of
        reply = await person.sign_in()
        shown = reply.text.replace("&#39;", "'")
        assert (reply.status_code, words in shown) == (403, True), shown
        await refused(person, reply)


async def test_an_answer_counts_once_and_in_the_browser_that_began(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person, browser(person.inbox, person.provider) as other:
        address = await person.begin()
        # The link of an attacker's own sign-in, or one that was read on its way.
        await refused(other, await other.http.get(address), "begun in another browser")
        await other.begin()
        await refused(other, await other.http.get(address), "begun in another browser")
        assert person.provider.exchanged == []
        kept = dict(person.http.cookies)
        assert (await person.http.get(address)).status_code == 303
        assert "ended before" in (await person.http.get(address)).text
        for name, value in kept.items():
            other.http.cookies.set(name, value)
        await refused(other, await other.http.get(address), "ended before")
        assert len(person.provider.exchanged) == 1


async def test_a_wrong_state_is_refused(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        address = await person.begin()
        state = address.partition("state=")[2]
        [name] = dict(person.http.cookies)
        for wrong in ("", state[:-1], f"{state}x", "é"):
            await refused(person, await person.http.get(address.replace(state, wrong)), "in another browser")
        person.http.cookies.set(name, "x" * 43 + ".9999999999.Lw")
        reply = await person.http.get(address, headers={"cookie": f"{name}={'x' * 43}.9999999999.Lw"})
        await refused(person, reply, "the answer to another sign-in")


async def test_a_code_that_was_used_elsewhere_is_refused(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        address = await person.begin()
        person.provider.codes.clear()
        await refused(person, await person.http.get(address), "does not accept this sign-in (invalid_grant)")


async def test_a_code_of_another_sign_in_does_not_fit_its_secret(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person, browser(person.inbox, person.provider) as other:
        own, stolen = await person.begin(), await other.begin()
        reply = await person.http.get(own.replace(code_in(own), code_in(stolen)))
        await refused(person, reply, "(invalid_grant)")


@pytest.mark.parametrize("error", ["access_denied", "login_required", "<script>"])
async def test_an_error_of_the_provider_is_told_in_words(tmp_path: Path, error: str) -> None:
    async with vouched(tmp_path) as person:
        person.provider.error = error
        reply = await person.sign_in()
        await refused(person, reply, "has not signed you in", "Begin again.", "Sign in with 127.0.0.1:")
        assert "<script>" not in reply.text.partition("<body")[2]
        assert "<b>no</b>" not in reply.text


async def test_an_answer_without_a_code_is_refused(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        address = await person.begin()
        code = f"code={code_in(address)}&"
        await refused(person, await person.http.get(address.replace(code, "")), "no answer that can be read")


async def test_the_answer_of_another_provider_is_refused(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        reply = await person.http.get(f"{await person.begin()}&iss=https://evil.example")
        await refused(person, reply, "Another provider")
        person.provider.metadata["authorization_response_iss_parameter_supported"] = True
        assert (await person.http.get(f"{await person.begin()}&iss={person.provider.url}")).status_code == 303


async def test_while_the_provider_is_away_one_is_told_to_try_again(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        person.provider.gone = True
        reply = await person.http.get("/sign-in/oidc")
        await refused(person, reply, "can&#39;t be reached now", "Try again in a moment.", status=503)
    (tmp_path / "later").mkdir()
    async with vouched(tmp_path / "later") as person:
        address = await person.begin()
        person.provider.gone = True
        await refused(person, await person.http.get(address), "can&#39;t be reached now", status=503)
        person.provider.gone = False
        assert (await person.sign_in()).status_code == 303


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
async def test_an_address_that_others_can_read_is_not_used(tmp_path: Path, name: str) -> None:
    async with vouched(tmp_path) as person:
        person.provider.metadata[name] = "http://id.example/x"
        reply = await person.http.get("/sign-in/oidc")
        reply = await person.http.get(await person.begin()) if reply.status_code == 303 else reply
        await refused(person, reply, status=503)


@pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example", "/\\evil.example", "/sign-in/oidc", "x"])
async def test_one_is_led_to_the_inboxs_own_pages_alone(tmp_path: Path, after: str) -> None:
    async with vouched(tmp_path) as person:
        assert (await person.sign_in(after)).headers["location"] == "/sign-in/oidc/done?next=/"
        page = (await person.http.get("/sign-in/oidc/done", params={"next": after})).text
        assert 'content="0;url=/"' in page
        assert "evil" not in page


async def test_an_address_that_only_userinfo_has_counts_too(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        await person.inbox.add("ada", email=ADA)
        person.provider.claims = {"email": None, "email_verified": None}
        person.provider.in_userinfo = {"sub": "another", "email": ADA, "email_verified": True}
        await refused(person, await person.sign_in(), "two different things")
        person.provider.in_userinfo["sub"] = "00u1"
        assert (await person.sign_in()).status_code == 303
        assert len(await person.inbox.people.sessions("ada", at=person.inbox.clock.now())) == 1


@pytest.mark.parametrize("secret", [SECRET, None])
async def test_the_secret_goes_to_the_provider_as_it_takes_it(tmp_path: Path, secret: str | None) -> None:
    async with vouched(tmp_path, secret=secret) as person:
        person.provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        assert (await person.sign_in()).status_code == 303
        [sent] = person.provider.exchanged
        assert sent.get("client_secret") == secret
        person.provider.secret = "another"
        reply = await person.http.get(await person.begin())
        assert "(invalid_client)" in reply.text


async def test_no_secret_is_logged_or_stays_in_an_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with vouched(tmp_path) as person:
        address = await person.begin()
        code, state = code_in(address), address.partition("state=")[2]
        reply = await person.http.get(address)
        assert reply.headers["location"] == "/sign-in/oidc/done?next=/"
        person.provider.claims = {"nonce": "x"}
        await person.sign_in()
        person.provider.codes.clear()
        await person.http.get((await person.begin()).replace("code-", "code-x"))
        [sent, *_] = person.provider.exchanged
        ours = [each for each in caplog.records if each.name.startswith("handoffs")]
        assert len(ours) >= 2
        said = "\n".join(each.getMessage() for each in ours)
        for secret in (SECRET, code, state, sent["code_verifier"], ADA):
            assert secret not in said


async def test_an_inbox_without_a_provider_takes_no_name_of_one(tmp_path: Path) -> None:
    async with vouched(tmp_path) as person:
        await person.sign_in()
        cookies = dict(person.http.cookies)
    async with home(tmp_path) as inbox, browser(inbox, LocalProvider()) as later:
        for name, value in cookies.items():
            later.http.cookies.set(name, value)
        assert not await later.is_in()
        assert (await later.http.get("/sign-in/oidc")).status_code == 404


def test_the_library_is_imported_where_a_provider_is_set_alone() -> None:
    code = "import sys, handoffs.serving.inbox; print('authlib' in sys.modules, 'joserfc' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False False\n"
