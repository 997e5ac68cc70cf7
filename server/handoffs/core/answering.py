"""An answer as a channel hands it to the desk, and the check of all of it, before anything is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from handoffs.core.attachment import GivenFile, attached
from handoffs.core.errors import AnswerRefused
from handoffs.core.events import Answered
from handoffs.core.form import Value
from handoffs.core.model import Handoff
from handoffs.core.question import checked_other
from handoffs.core.secrets_vault import SecretsVault
from handoffs.core.sentences import say


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerGiven:
    """What a person gave: nothing of it has been checked."""

    values: Mapping[str, object]
    by: str
    channel: str
    note: str = ""
    other: str = ""
    files: Sequence[GivenFile] = ()

    async def checked(
        self, handoff: Handoff, vault: SecretsVault, *, at: datetime, private: bool
    ) -> tuple[Answered, list[bytes]]:
        """Return the answer with its secrets sealed, and the bytes of its files.

        Raises:
            AnswerRefused: It does not fit, or a secret came through a channel that is not private.
        """
        form = handoff.question.form
        files = attached(self.files, allowed=handoff.question.takes_files)
        if form.secret and not private:
            raise AnswerRefused({"": say("a secret can only be typed into the inbox: `handoffs inbox` opens it")})
        other = self.other
        if other:
            public, sealed = dict[str, Value](), dict[str, str]()
            other = checked_other(other, values=self.values, allowed=handoff.question.takes_other)
        else:
            public, sealed = await vault.seal(handoff, form.check(self.values))
        answered = Answered(
            at=at,
            by=self.by,
            channel=self.channel,
            values=public,
            sealed=sealed,
            note=self.note,
            other=other,
            attachments=tuple(each.attachment for each in files),
        )
        return answered, [each.content for each in files]
