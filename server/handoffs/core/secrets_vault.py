"""Secrets that people type for their programs: sealed before they are stored, opened only for the user who was asked.

The answer holds the name of each secret in its place, `secret:h_…/password`; the sealed text is stored beside it. So
code that lists, shows, logs or sends answers can't leak a secret. Only `reveal` returns one, and the log records
who called it.
"""

from collections.abc import Mapping

from handoffs.core.errors import AnswerRefused, NotFound, QuestionRefused, SecretRefused
from handoffs.core.events import Forgotten, Revealed
from handoffs.core.form import Value
from handoffs.core.model import Caller, Handoff, State, read_secret_name, secret_name
from handoffs.core.ports import Clock, Sealer, Store
from handoffs.core.sentences import say

_NO_KEYS = "this program has no keys to seal it with."


class SecretsVault:
    """Seals, reveals and erases the secrets of answers."""

    def __init__(self, *, store: Store, clock: Clock, sealer: Sealer | None, local: str | None) -> None:
        """Take the parts. Without a `sealer`, no secret can be kept or opened.

        `local` is the user of this machine, whose programs can read secrets from the store; None if there is none.
        """
        self._store, self._clock, self._sealer, self._local = store, clock, sealer, local

    async def check(self, caller: Caller) -> None:
        """Return if this caller can ask for a secret. Raises QuestionRefused."""
        if caller.subject != self._local:
            # Only a program of the local user could ever read it.
            raise QuestionRefused(
                "A secret can't be asked for over this connection: only a program on the server's own machine could "
                "have it. Ask the person to put it where your program reads it, and to say when it is done."
            )
        if obstacle := await self._obstacle():
            raise QuestionRefused(f"A secret can't be asked for here: {obstacle}")

    async def _obstacle(self) -> str:
        """Return why no secret can be kept here, and what to do; empty if one can."""
        return _NO_KEYS if self._sealer is None else await self._sealer.obstacle()

    async def seal(
        self, handoff: Handoff, checked: Mapping[str, Value]
    ) -> tuple[Mapping[str, Value], Mapping[str, str]]:
        """Return the answer with the name of each secret in its place, and the sealed secrets by field name.

        Raises:
            AnswerRefused: The answer has a secret, and it can't be sealed here.
        """
        public, sealed = dict(checked), dict[str, str]()
        for field in handoff.question.form.fields:
            if not field.secret or field.name not in checked:
                continue
            obstacle = await self._obstacle()
            if self._sealer is None or obstacle:
                raise AnswerRefused({field.name: say("can't be kept safe here: {why}", why=obstacle)})
            name = secret_name(handoff.id, field.name)
            sealed[field.name] = await self._sealer.seal(str(checked[field.name]), context=name)
            public[field.name] = name
        return public, sealed

    async def reveal(self, name: str, *, by: str, keep: bool) -> str:
        """Return the secret of this name to `by`, the user who was asked for it. The log records it.

        Without `keep`, the secret is erased at the same time.

        Raises:
            SecretRefused: This user has no secret of this name: it was never asked for, not given, or erased; or the
                keys here can't open it.
        """
        read = read_secret_name(name)
        if read is None:
            # The name is not repeated: the user may have given the secret itself by mistake.
            raise SecretRefused("This is not the name of a secret. A name looks like secret:h_…/password.")
        handoff_id, field_name = read
        handoff = await self._asked_of(by, handoff_id, field_name)
        sealed = handoff.sealed.get(field_name)
        if sealed is None:
            raise SecretRefused(f"{name} is not there: {self._why_not(handoff, field_name)}")
        if self._sealer is None:
            raise SecretRefused(f"{name} can't be opened: {_NO_KEYS}")
        text = await self._sealer.unseal(sealed, context=name)
        now = self._clock.now()
        erased = [] if keep else [Forgotten(at=now, by=by, field=field_name)]
        # Recorded before it is returned: if the log can't be written, no secret is revealed.
        await self._store.record(handoff_id, Revealed(at=now, by=by, field=field_name), *erased)
        return text

    async def _asked_of(self, user: str, handoff_id: str, field_name: str) -> Handoff:
        # The same words for another user's secret and for one that does not exist.
        unknown = "There is no secret of this name in this store that you were asked for."
        try:
            handoff = await self._store.get(handoff_id)
        except NotFound:
            raise SecretRefused(unknown) from None
        asked = any(field.secret and field.name == field_name for field in handoff.question.form.fields)
        if handoff.caller.subject != user or not asked:
            raise SecretRefused(unknown)
        return handoff

    def _why_not(self, handoff: Handoff, field_name: str) -> str:
        if handoff.overdue(self._clock.now()):
            return "the question expired without an answer."
        if handoff.state is State.OPEN:
            return "the question is still open; the person types it in the inbox, which `handoffs inbox` opens."
        if handoff.state is not State.ANSWERED:
            return f"the question was {handoff.state}, so it was not given."
        return "it was erased." if field_name in (handoff.values or {}) else "the person left it out."
