"""The routes of access requests.

- A task is seen by the caller alone whose token asked for it. No route answers one.
- An `Idempotency-Key` names a request for good; without one, its binding token does.
- Only an answer that counts is `approved`: of a person who may decide, with the proof that is demanded.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handoffs.api.access_requests.approvals import ApprovalKeys
from handoffs.api.access_requests.binding import Bound, DecisionPoint, UsedTokens, bind
from handoffs.api.access_requests.problems import Kind, problem
from handoffs.api.access_requests.question import (
    FORM,
    KEPT,
    Shown,
    Status,
    TooLong,
    approved_until,
    arguments_of,
    shown,
    status_of,
    told,
)
from handoffs.api.access_requests.submission import MAX_BYTES, Members, Submission, read_submission
from handoffs.api.bodies import MAX_NOTE, read_body, read_key
from handoffs.api.parts import Inbox, Whose
from handoffs.api.problems import RETRY_SECONDS, Problem, unknown_fields
from handoffs.core import exact_json
from handoffs.core.action_shown import MAX_SHOWN
from handoffs.core.asked import digest_of_key
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, NotFound, NotProved, QuestionRefused
from handoffs.core.ids import ID_PREFIX, id_of
from handoffs.core.model import APART, Caller, Declared, Handoff, State
from handoffs.core.principals import names_of
from handoffs.core.question import Asking, Limits

if TYPE_CHECKING:
    from handoffs.core.deciders import Deciders

PATH = "/access-requests"

POLL_SECONDS = 5
"""How soon a program may look again."""

CHANNEL = "program"


class AccessRequests:
    """Takes access requests, and says how they stand."""

    def __init__(
        self,
        desk: Desk,
        *,
        caller: Callable[[Request], str],
        keys: Sequence[str],
        limits: Limits,
        base: str,
        point: DecisionPoint | None,
        inbox: Inbox | None = None,
        whose: Whose | None = None,
    ) -> None:
        """Take the parts. `base` is the server's address; without a `point`, no denial can be asked about."""
        self._desk, self._caller, self._limits, self._point = desk, caller, limits, point
        self._place = f"{base}/v1{PATH}"
        self._keys = [hashlib.sha256(f"access requests {key}".encode()).digest() for key in keys]
        self._approvals, self._used = ApprovalKeys(keys), UsedTokens()
        self._inbox, self._whose = inbox, whose

    def routes(
        self, served: Callable[[Callable[[Request], Awaitable[Response]]], Callable[[Request], Awaitable[Response]]]
    ) -> list[Route]:
        """Return the routes below `/v1`."""
        return [
            Route(PATH, served(self._submit), methods=["POST"]),
            Route(f"{PATH}/keys", served(self._public_keys), methods=["GET"]),
            Route(f"{PATH}/{{id}}", served(self._get), methods=["GET"]),
            Route(f"{PATH}/{{id}}/cancel", served(self._cancel), methods=["POST"]),
        ]

    async def _public_keys(self, request: Request) -> Response:
        return JSONResponse(self._approvals.public(), media_type="application/jwk-set+json")

    async def _submit(self, request: Request) -> Response:
        subject, key = self._caller(request), read_key(request)
        submission = read_submission(await read_body(request, most=MAX_BYTES, loads=exact_json.loads), caller=subject)
        name = f"key {key}" if key else f"token {submission.token}"
        task = id_of(self._mac(f"task\n{subject}\n{name}"), ID_PREFIX)
        tool_use = digest_of_key(f"{name}\n{submission.digest}")
        known = await self._known(task)
        if known is None:
            try:
                return await self._created(await self._opened(submission, subject, task, tool_use))
            except ValueError:  # another request with this key was faster
                known = await self._desk.get(task)
        if known.tool_use != tool_use:
            if not key:
                raise problem(Kind.INVALID_BINDING, "This binding token was used for another request.",
                              field="denial.binding_token")  # fmt: skip
            raise problem(
                Kind.DUPLICATE,
                "This key was used for another request. A new request takes a new key.",
                field="Idempotency-Key",
            )
        self._is_kept(known)
        return await self._created(known)

    async def _opened(self, submission: Submission, subject: str, task: str, tool_use: str) -> Handoff:
        now = self._desk.clock.now()
        if self._point is None:
            raise problem(
                Kind.NOT_REQUESTABLE,
                "This server knows no decision point whose denials can be asked about: HANDOFFS_DECISION_POINT names "
                "one.",
            )
        bound = await bind(submission, self._point, audience=self._place, now=now)
        seconds = self._seconds(submission, now)
        await self._not_stopped()
        try:
            asked = shown(submission, bound, point=self._point.url)
        except TooLong:
            raise Problem(
                422, f"It is too long to be shown to a person: as text it may have {MAX_SHOWN:,} characters."
            ) from None
        self._used.use(bound, task, now)
        try:
            return await self._ask(asked, submission, bound, subject, task, tool_use, seconds)
        except ValueError:  # the task is there already
            raise
        except BaseException:
            self._used.release(bound, task)
            raise

    async def _ask(
        self,
        asked: Shown,
        submission: Submission,
        bound: Bound,
        subject: str,
        task: str,
        tool_use: str,
        seconds: float,
    ) -> Handoff:
        caller = Caller(subject=subject, client=submission.program)
        try:
            return await self._desk.ask(
                message=asked.message,
                caller=caller,
                form=FORM,
                deadline_seconds=seconds,
                declared=Declared(transport="api"),
                session=self._session(task, self._keys[0]),
                tool_use=tool_use,
                max_message=MAX_SHOWN,
                action=asked.action,
                deciders=await self._deciders(caller, asked, bound.subject),
                handoff_id=task,
            )
        except QuestionRefused as refused:
            raise Problem(422, str(refused)) from None

    async def _deciders(self, caller: Caller, asked: Shown, subject: Members) -> "Deciders | None":
        """Return who may decide; the one whom it is for has no vote."""
        asking = Asking(message=asked.message, form=FORM)
        found = None if self._whose is None else await self._whose(caller, asking)
        if self._desk.proof_demanded:
            found = await self._desk.proving.deciders(found, self._desk.clock.now())
        if found is None:
            return None
        found = replace(found, requester=found.requester | await self._names(subject))
        if not found.can_be_met:
            raise QuestionRefused(
                f"Nobody can decide this: {found.rule} leaves too few people beside the one whom it is for."
            )
        return found

    def _seconds(self, submission: Submission, now: datetime) -> float:
        """Return for how long a person may decide. Raises Problem."""
        usual = self._limits.default_seconds
        if submission.requested_until is None:
            return usual
        left = (submission.requested_until - now).total_seconds()
        if left < self._limits.min_seconds:
            raise Problem(
                422,
                f"It must be {self._limits.min_seconds:g} seconds from now, or later: a person needs time to decide.",
                field="requested_access.requested_until",
            )
        return min(usual, left)

    async def _get(self, request: Request) -> Response:
        return await self._shown(await self._own(request))

    async def _cancel(self, request: Request) -> Response:
        handoff = await self._own(request)
        given = await read_body(request, most=MAX_BYTES)
        unknown_fields(given, ("reason", "comment"))
        note: list[str] = []
        for name in ("reason", "comment"):
            text = given.get(name, "")
            if not isinstance(text, str) or len(text) > MAX_NOTE // 2 or not _is_whole(text):
                raise Problem(422, f"It must be a text of at most {MAX_NOTE // 2:,} characters.", field=name)
            note += [text] if text else []
        try:
            ended = await self._desk.cancel(
                handoff, by=handoff.caller.subject, channel=CHANNEL, note=": ".join(note)[:MAX_NOTE]
            )
        except AlreadyEnded:
            raise problem(Kind.INVALID_STATE, "The task has ended already.") from None
        return await self._shown(ended)

    async def _created(self, handoff: Handoff) -> Response:
        if handoff.state is State.OPEN and self._inbox is not None and handoff.question.deciders is None:
            await self._inbox.invite(handoff)
        response = await self._shown(handoff, status=202 if handoff.state is State.OPEN else 201)
        response.headers["location"] = self._address(handoff)
        return response

    async def _shown(self, handoff: Handoff, *, status: int = 200) -> Response:
        stands = await self._status(handoff)
        address = self._address(handoff)
        said: dict[str, object] = {
            "task": {
                "id": handoff.id,
                "status": stands.value,
                "status_endpoint": address,
                "expires_at": _written(handoff.question.deadline + KEPT),
                "links": {"cancel": f"{address}/cancel"},
                "display": told(handoff, stands),
            }
        }
        headers = {"cache-control": "no-store"}
        if stands is Status.PENDING:
            headers["retry-after"] = str(POLL_SECONDS)
        if stands is Status.APPROVED:
            await self._not_stopped()
            said["result"] = {"mode": "reevaluate", "approval": self._approval(handoff)}
        response = JSONResponse(said, status, headers=headers)
        if handoff.state is not State.OPEN and handoff.collected_at is None:
            response.background = BackgroundTask(self._desk.collect, handoff, tool_use=handoff.tool_use)
        return response

    async def _status(self, handoff: Handoff) -> Status:
        if handoff.state is not State.ANSWERED:
            return status_of(handoff, proved=False)
        try:
            await self._desk.check_proof(handoff)
        except NotProved:
            return status_of(handoff, proved=False)
        subject = arguments_of(handoff).get("subject")
        names = await self._names(cast("Members", subject)) if isinstance(subject, dict) else frozenset[str]()
        return status_of(handoff, proved=True, subject=names)

    def _approval(self, handoff: Handoff) -> Members:
        """Return the approval, with what the decision point verifies."""
        asked, action = arguments_of(handoff), handoff.question.action
        given = handoff.end.at if handoff.end is not None else handoff.created_at
        until = approved_until(handoff)
        approval = id_of(self._mac(f"approval\n{handoff.id}"), "apr_")
        context = cast("Members", asked.get("context", {}))
        state: dict[str, object] = {
            "iss": self._place,
            "aud": "" if action is None else action.server,
            "iat": int(given.timestamp()),
            "exp": int(until.timestamp()),
            "jti": approval,
            "approval_id": approval,
            "task_id": handoff.id,
            "status": Status.APPROVED.value,
            "approved_at": _written(given),
            "approved_until": _written(until),
            "requester": handoff.caller.subject,
            "subject": asked.get("subject"),
            "resource": asked.get("resource"),
            "action": asked.get("action"),
            "context": context,
            "binding_context_members": asked.get("binding_context_members", [*context]),
        }
        if "evaluation_id" in asked:
            state["evaluation_id"] = asked["evaluation_id"]
        return {
            "id": approval,
            "approved_at": _written(given),
            "approved_until": _written(until),
            "state": self._approvals.sign(state),
        }

    async def _names(self, subject: Members) -> frozenset[str]:
        """Return the names, in lower case, of the one whom it is for."""
        names = names_of(str(subject.get("id", "")))
        people = None if self._desk.directory is None else (await self._desk.directory()).people.values()
        return names | {each.name.lower() for each in people or () if each.email.lower() in names}

    async def _not_stopped(self) -> None:
        if await self._desk.permissions.stopped() is not None:
            raise Problem(
                503,
                "A person has stopped everything that needs permission, until they lift it.",
                headers={"retry-after": str(RETRY_SECONDS)},
            )

    async def _known(self, task: str) -> Handoff | None:
        with suppress(NotFound):
            return await self._desk.get(task)
        return None

    async def _own(self, request: Request) -> Handoff:
        subject = self._caller(request)
        unknown = problem(Kind.UNKNOWN_TASK, "There is no task with this id that this token has asked for.")
        try:
            handoff = await self._desk.get(str(request.path_params["id"])[:100])
        except NotFound:
            raise unknown from None
        # A question of another kind, with the same words, is none.
        ours = any(hmac.compare_digest(handoff.session, self._session(handoff.id, key)) for key in self._keys)
        if not ours or handoff.caller.subject != subject:
            raise unknown
        self._is_kept(handoff)
        return handoff

    def _is_kept(self, handoff: Handoff) -> None:
        if self._desk.clock.now() >= handoff.question.deadline + KEPT:
            raise problem(Kind.TASK_EXPIRED, "The task has expired: evaluate anew, and ask with a new key.")

    def _session(self, task: str, key: bytes) -> str:
        """Return what this server alone can write into the store of an access request."""
        return APART + hmac.new(key, f"session\n{task}".encode(), "sha256").hexdigest()[:40]

    def _mac(self, text: str) -> str:
        return hmac.new(self._keys[0], text.encode(), "sha256").hexdigest()

    def _address(self, handoff: Handoff) -> str:
        return f"{self._place}/{handoff.id}"


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
