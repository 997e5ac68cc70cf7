"""A call that takes a passkey, held by a real gate, and what an agent with a shell tries so that it runs unsigned.

The agent is a program of the same OS user: it has the command line, the store's file, every link that is printed, and
Handoffs itself as a library. It has no passkey of Ada's.
"""

import hashlib
import json
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import parse_qsl

import anyio
import httpx
import pexpect
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitResult

from handoffs.clock import SystemClock
from handoffs.core.deciders import Vote, content_digest, dump_votes
from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.model import Handoff
from handoffs.proof.passkeys import LOCAL, PasskeyProofs, RelyingParty
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import HANDOFFS
from tests.gate.behind import ALLOW, READ_SECONDS, Shop, text_of, waiting
from tests.proof.authenticator import Authenticator, encoded
from tests.waiting import until
from tests.web.signing import FORM, PageKey

RULE = """[[rule]]
tool = "delete_order"
do = "ask"
to = ["ada"]
proof = "passkey"
remember = true
"""
ORIGIN = "http://localhost:4000"
YES = ("--set", "decision=allow")


def local(credential_id: str) -> Authenticator:
    """A key in software, for the inbox of this machine."""
    return Authenticator(credential_id=credential_id, rp_id=LOCAL, origin=ORIGIN)


@dataclass
class Held:
    """The call that is held, and all that the agent has."""

    shop: Shop
    policy: Path
    handoff: Handoff
    ada: Authenticator
    mallory: Authenticator = field(default_factory=lambda: local("bWFsbG9yeQ"))
    notes: list[str] = field(default_factory=list[str])
    """What the agent was told of what it tried."""

    async def types(self, *args: str, **changed: str) -> CompletedProcess[bytes]:
        """Type a command, with other settings than the gate has."""
        home = self.shop.home
        done = await anyio.run_process([*HANDOFFS, *args], check=False, env=home.env | changed, cwd=home.folder)
        self.notes.append(done.stderr.decode())
        return done

    def sql(self, *statements: str, wake: bool = True) -> None:
        """Write into the store's file, and wake the calls that wait as a commit of Handoffs would."""
        with closing(sqlite3.connect(self.shop.home.store)) as by_hand, by_hand:
            for statement in statements:
                by_hand.execute(statement)
            if wake:
                by_hand.execute("UPDATE handoffs SET version = version + 1")
                line = "SELECT id, 'reached', created_at, '{}' FROM handoffs"
                by_hand.execute(f"INSERT INTO events (handoff_id, name, at, details) {line}")

    def answered(self, proof: str = "", *, by: str = "ada", fingerprint: str = "") -> str:
        """The statement that writes an answer into the row, with a vote for it."""
        digest = content_digest(fingerprint or self.handoff.fingerprint, ALLOW)
        votes = dump_votes([Vote(person=by, channel="inbox", at=SystemClock().now(), digest=digest, proof=proof)])
        return f"""UPDATE handoffs SET state = 'answered', answer = '{json.dumps(ALLOW)}', ended_at = created_at + 1,
            ended_by = '{by}', ended_through = 'inbox', note = '', votes = '{votes}' WHERE id = '{self.handoff.id}'"""

    @asynccontextmanager
    async def library(self) -> AsyncGenerator[Desk]:
        """Handoffs itself, in a program of the agent: with settings as the agent likes them."""
        async with SqliteStore(self.shop.home.store) as store:

            async def claim(key: str, now: datetime, until: datetime) -> bool:
                return await store.claim(key, now=now, until=until)

            party = RelyingParty(rp_id=LOCAL, origins=frozenset({ORIGIN}), server_id=LOCAL)
            proofs = PasskeyProofs(lambda: store.people, party, claim=claim)
            yield Desk(store=store, clock=SystemClock(), proofs=lambda: proofs)

    async def signs(self, key: Authenticator, handoff: Handoff | None = None, *, by: str = "ada") -> None:
        """Answer as the inbox does, with the signature of this key."""
        async with self.library() as desk:
            asked = handoff or self.handoff
            decision = await desk.to_sign(asked, ALLOW, by=by, channel="inbox")
            assert decision is not None
            await desk.answer(asked, ALLOW, by=by, channel="inbox", proof=key.sign(decision))

    async def assertion(self, key: Authenticator, of: Handoff) -> str:
        """What this key makes of Ada's decision on a question, as the store keeps it."""
        async with self.library() as desk:
            decision = await desk.to_sign(of, ALLOW, by="ada", channel="inbox")
            assert decision is not None
            return key.sign(decision).dumps()

    @asynccontextmanager
    async def inbox(self) -> AsyncGenerator["Browser"]:
        """Start the inbox, and sign in with the link that a command prints, with a key of a page."""
        home = self.shop.home
        command = [*HANDOFFS, "inbox", "--background", "--idle-seconds", "60"]
        async with await anyio.open_process(command, env=home.env, cwd=home.folder) as process:

            async def runs() -> bool:
                return (await self.types("inbox", "--status")).returncode == 0

            await until(runs)
            printed = (await self.types("inbox", "--no-browser")).stdout.decode()
            [link] = [word for word in printed.split() if "/sign-in" in word]
            address, _, query = link.partition("?")
            key = PageKey()
            async with httpx.AsyncClient(follow_redirects=True, base_url=address.rpartition("/")[0]) as http:
                reply = await http.post(address, data={**dict(parse_qsl(query)), "key": key.written})
                assert reply.status_code == 200, reply.text
                yield Browser(http, key, f"/h/{self.handoff.id}")
            process.terminate()


@dataclass
class Browser:
    """A browser of the agent, signed in to the inbox as the user of this machine."""

    http: httpx.AsyncClient
    key: PageKey
    page: str
    """The page of the call that is held."""

    async def session(self) -> str:
        return csrf_of((await self.http.get(self.page)).text)


def csrf_of(page: str) -> str:
    """What each form of a page carries; also that of its foot, with which one signs out."""
    return page.split('name="csrf" value="')[1].split('"')[0]


Attempt = Callable[[Held], Awaitable[None]]


async def the_command_line_answers(held: Held) -> None:
    assert (await held.types("answer", held.handoff.id, *YES)).returncode != 0


async def it_answers_with_other_settings(held: Held) -> None:
    changed = {"HANDOFFS_PROOF": "", "HANDOFFS_PINNED_KEYS": "", "USER": "ada", "LOGNAME": "ada"}
    assert (await held.types("answer", held.handoff.id, *YES, **changed)).returncode != 0


async def it_answers_on_a_terminal(held: Held) -> None:
    def type_it() -> None:
        home = held.shop.home
        command = [*HANDOFFS, "answer", held.handoff.id]
        child = pexpect.spawn(command[0], command[1:], env=home.env, cwd=home.folder, timeout=20)
        child.sendline("allow")
        child.expect(pexpect.EOF)
        held.notes.append(child.before.decode())  # type: ignore[union-attr]

    await anyio.to_thread.run_sync(type_it)


async def it_answers_through_a_pipe(held: Held) -> None:
    home = held.shop.home
    command = [*HANDOFFS, "answer", held.handoff.id]
    done = await anyio.run_process(command, input=b"allow\n1\ny\n", check=False, env=home.env, cwd=home.folder)
    assert done.returncode != 0


async def it_signs_in_with_the_inboxs_link(held: Held) -> None:
    async with held.inbox() as browser:
        session, path = await browser.session(), f"{browser.page}/answer"
        body = f"csrf={session}&field.decision=allow".encode()
        signed = browser.key.signed(path, session, body, SystemClock().now())
        reply = await browser.http.post(path, content=body, headers=FORM | {"handoffs-signed": signed})
        assert reply.status_code == 422, reply.text


async def it_posts_with_a_stolen_cookie(held: Held) -> None:
    async with held.inbox() as browser:
        session = await browser.session()
        async with httpx.AsyncClient(base_url=browser.http.base_url, cookies=browser.http.cookies) as thief:
            form = {"csrf": session, "field.decision": "allow"}
            reply = await thief.post(f"{browser.page}/answer", data=form)
            assert reply.status_code == 403, reply.text


async def it_makes_a_session_of_hers(held: Held) -> None:
    digest = hashlib.sha256(b"a token of mine").hexdigest()
    held.sql(
        f"""INSERT INTO inbox_sessions (digest, id, person, agent, started_at, seen_at)
        SELECT '{digest}', 's1', 'ada', '', created_at, created_at FROM handoffs""",
        wake=False,
    )
    async with held.inbox() as browser:
        [name] = {each.name for each in browser.http.cookies.jar}
        token = {f"{name}_person": "a token of mine"}
        async with httpx.AsyncClient(base_url=browser.http.base_url, cookies=token) as hers:
            shown = (await hers.get(browser.page)).text
            assert "ada" in shown  # the session is hers, and decides nothing
            form = {"csrf": csrf_of(shown), "field.decision": "allow"}
            assert (await hers.post(f"{browser.page}/answer", data=form)).status_code == 422


async def it_writes_the_row_answered(held: Held) -> None:
    held.sql(held.answered())


async def it_writes_the_row_the_event_and_its_leaf(held: Held) -> None:
    details = json.dumps({"by": "ada", "channel": "inbox", "values": ALLOW})
    held.sql(
        held.answered(),
        f"""INSERT INTO events (handoff_id, name, at, details, leaf, salt)
            SELECT handoff_id, 'answered', at + 1, '{details}', replace(leaf, 'opened', 'answered'), salt FROM events
            WHERE handoff_id = '{held.handoff.id}' LIMIT 1""",
    )


async def it_replays_what_she_signed_for_another_call(held: Held) -> None:
    async with held.library() as desk:
        question = held.handoff.question
        other = await desk.ask(
            message="Say hello?", caller=held.handoff.caller, options=["allow", "deny"], deciders=question.deciders
        )
        decision = await desk.to_sign(other, {"response": "allow"}, by="ada", channel="inbox")
        assert decision is not None
    held.sql(held.answered(held.ada.sign(decision).dumps()))


async def it_passes_another_call_off_as_this_one(held: Held) -> None:
    harmless = await held.assertion(held.ada, held.handoff)
    held.sql(
        held.answered(harmless),
        f"""UPDATE handoffs SET answer = '{json.dumps({**ALLOW, "arguments": '{"number": 8}'})}'
            WHERE id = '{held.handoff.id}'""",
    )


async def it_writes_a_permission(held: Held) -> None:
    now = int(SystemClock().now().timestamp() * 1_000_000)
    held.sql(
        f"""INSERT INTO grants (id, subject, project, server, tool, definition, reach, arguments_digest, conditions,
            session, created_at, granted_by, channel, handoff_id, uses, suspended_at)
            SELECT 'g_forged', subject, project, 'shop', 'delete_order', (SELECT digest FROM pins WHERE tool =
            'delete_order'), 'tool', '', '[]', '', {now}, 'ada', 'inbox', id, 0, {now} FROM handoffs""",
        wake=False,
    )
    assert (await held.types("grants", "--resume", "g_forged")).returncode == 2
    assert "not resumed" in held.notes[-1]
    held.sql("UPDATE grants SET suspended_at = NULL", held.answered())


async def it_deletes_the_rule(held: Held) -> None:
    held.policy.write_text('[[rule]]\ntool = "*"\ndo = "ask"\n')
    assert (await held.types("answer", held.handoff.id, *YES)).returncode != 0
    held.sql(held.answered())


async def it_takes_the_deciders_out_of_the_row(held: Held) -> None:
    held.sql(f"UPDATE handoffs SET deciders = '' WHERE id = '{held.handoff.id}'", wake=False)
    await held.types("answer", held.handoff.id, *YES)


async def it_takes_her_place_among_the_people(held: Held) -> None:
    assert (await held.types("people", "add", "mallory")).returncode == 0
    at = SystemClock().now()
    async with SqliteStore(held.shop.home.store) as store:
        await store.people.add_key(held.mallory.enrolled("mallory", at))
    deciders = held.handoff.question.deciders
    assert deciders is not None
    held.sql(
        f"UPDATE handoffs SET deciders = replace(deciders, 'ada', 'mallory') WHERE id = '{held.handoff.id}'", wake=False
    )
    async with held.library() as desk:
        taken = await desk.get(held.handoff.id)
    await held.signs(held.mallory, taken, by="mallory")


async def it_invites_a_person_of_its_own(held: Held) -> None:
    for command in (("people", "add", "mallory"), ("people", "invite", "mallory")):
        typed = await held.types(*command, HANDOFFS_INBOX_URL="https://inbox.example.com")
        assert typed.returncode == 0, typed.stderr
    async with SqliteStore(held.shop.home.store) as store:
        await store.people.add_key(held.mallory.enrolled("mallory", SystemClock().now()))
    try:
        await held.signs(held.mallory, by="mallory")
    except HandoffError as refused:
        held.notes.append(str(refused))


async def it_makes_itself_her_deputy(held: Held) -> None:
    assert (await held.types("people", "add", "mallory")).returncode == 0
    away = ("people", "away", "ada", "--deputy", "mallory", "--until", "2999-01-01")
    await held.types(*away)
    await held.types("answer", held.handoff.id, *YES)
    try:
        await held.signs(held.mallory, by="mallory")
    except HandoffError as refused:
        held.notes.append(str(refused))


async def it_deletes_the_vote_and_the_deadline(held: Held) -> None:
    held.sql(
        held.answered(),
        "UPDATE handoffs SET votes = '[]', deadline = created_at + 1",
        f"DELETE FROM events WHERE handoff_id = '{held.handoff.id}' AND name <> 'opened'",
    )


async def it_asks_to_approve_the_tools_use(held: Held) -> None:
    async with held.shop.home.stdio("legacy", yes_man) as client:
        wanted = {"tool_name": "mcp__shop__delete_order", "input": {"number": 7}, "tool_use_id": "toolu_1"}
        with anyio.move_on_after(READ_SECONDS + 2):
            await client.call_tool("approve_tool_use", wanted)


async def it_asks_for_the_answer_of_the_question(held: Held) -> None:
    async with held.shop.home.stdio("legacy", yes_man) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        for tool in tools & {"answer_from_card", "check_handoff"}:
            with anyio.move_on_after(READ_SECONDS + 1):
                given = {"action": "answer", "posted": {"field.decision": ["allow"]}} if "card" in tool else {}
                await client.call_tool(tool, {"handoff_id": held.handoff.id, **given})


ATTEMPTS: tuple[Attempt, ...] = (
    the_command_line_answers,
    it_answers_with_other_settings,
    it_answers_on_a_terminal,
    it_answers_through_a_pipe,
    it_signs_in_with_the_inboxs_link,
    it_posts_with_a_stolen_cookie,
    it_makes_a_session_of_hers,
    it_writes_the_row_answered,
    it_writes_the_row_the_event_and_its_leaf,
    it_replays_what_she_signed_for_another_call,
    it_passes_another_call_off_as_this_one,
    it_writes_a_permission,
    it_deletes_the_rule,
    it_takes_the_deciders_out_of_the_row,
    it_takes_her_place_among_the_people,
    it_invites_a_person_of_its_own,
    it_makes_itself_her_deputy,
    it_deletes_the_vote_and_the_deadline,
    it_asks_to_approve_the_tools_use,
    it_asks_for_the_answer_of_the_question,
)


async def it_puts_a_key_of_its_own_in_place_of_hers(held: Held) -> None:
    """What only pinned keys refuse."""
    async with SqliteStore(held.shop.home.store) as store:
        await store.people.add_key(held.mallory.enrolled("ada", SystemClock().now()))
    await held.signs(held.mallory)


async def it_writes_her_answer_signed_with_its_own_key(held: Held) -> None:
    """What only pinned keys refuse; by hand, so without a line of the log."""
    async with SqliteStore(held.shop.home.store) as store:
        await store.people.add_key(held.mallory.enrolled("ada", held.handoff.created_at))
    held.sql(held.answered(await held.assertion(held.mallory, held.handoff)))


async def yes_man(context: object, params: object) -> ElicitResult:
    """The host's dialog, in which the agent says yes to all, as slowly as a person reads."""
    assert isinstance(params, ElicitRequestFormParams)
    await anyio.sleep(READ_SECONDS)
    return ElicitResult(action="accept", content={"decision": "allow"})


@dataclass
class Tried:
    """What came of it."""

    results: list[CallToolResult] = field(default_factory=list[CallToolResult])
    handoff_id: str = ""

    @property
    def told(self) -> str:
        return "\n".join(map(text_of, self.results))


@asynccontextmanager
async def held_call(shop: Shop, tried: Tried, *, pin: bool = False) -> AsyncGenerator[Held]:
    """Hold a call of Ada's rule; at the end she denies what is still asked, so that the call comes back."""
    home, ada = shop.home, local("YWRh")
    policy = home.folder / "gate.toml"
    policy.write_text(RULE)
    async with SqliteStore(home.store) as store:
        added = await home.command("people", "add", "ada")
        assert added.returncode == 0, added.stderr
        await store.people.add_key(ada.enrolled("ada", SystemClock().now()))
    if pin:  # in the settings of the gate; the agent's programs leave them out
        home.extra["HANDOFFS_PINNED_KEYS"] = str(pinned(home.folder, ada))
    async with shop.client("legacy", yes_man, rules=("--policy", str(policy))) as client, shop.desk() as desk:
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                # The second one meets what was left in the store.
                for number in (7, 8):
                    tried.results.append(await client.call_tool("delete_order", {"number": number}))

            async def denied() -> bool:
                for asked in await desk.newest(open_only=True):
                    seats = asked.question.deciders.people if asked.question.deciders is not None else ("ada",)
                    await desk.decline(asked, by=seats[0], channel="inbox")
                return len(tried.results) == 2

            tasks.start_soon(call)
            handoff = await waiting(desk)
            tried.handoff_id = handoff.id
            yield Held(shop, policy, handoff, ada)
            await until(denied)


def pinned(folder: Path, key: Authenticator) -> Path:
    """A file of pinned keys that names Ada's."""
    file = folder / "keys.toml"
    file.write_text(f'ada = ["{encoded(key.cose)}"]\n')
    file.chmod(0o644)
    return file
