"""The settings as people are told of them: what each is and where it is written, and what of a folder is not used."""

import os
from pathlib import Path
from typing import NamedTuple, cast

from handoffs import env_file
from handoffs.core.untrusted import inert_line
from handoffs.settings import PREFIX, Settings, sources_of_settings


class ShownSetting(NamedTuple):
    """A setting as it is shown to people."""

    name: str
    """The name of its variable."""
    value: str
    """The value; for a secret, whether it is set."""
    where: str
    """Where it is written; empty if it is not set."""


def shown_settings(settings: Settings) -> tuple[ShownSetting, ...]:
    """Return all settings, with their value in words and their source."""
    sources = sources_of_settings()
    rows: list[ShownSetting] = []
    for setting, field in Settings.model_fields.items():
        source = next((source for source in sources if setting in source.written), None)
        where = "" if source is None else source.where.removeprefix(" in ") or "the environment"
        value = cast("object", getattr(settings, setting))
        rows.append(ShownSetting(PREFIX + setting.upper(), _in_words(value, secret=not field.repr), where))
    return tuple(rows)


def _in_words(value: object, *, secret: bool) -> str:
    if value is None or value == ():
        return "(not set)"
    if secret:
        return f"(set, {len(cast('tuple[str, ...]', value))} of them)" if isinstance(value, tuple) else "(set)"
    if isinstance(value, tuple):
        return ", ".join(map(str, cast("tuple[object, ...]", value)))
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def unused_in(folder: Path) -> tuple[str, ...]:
    """Return the settings in a folder's `.env` that are not used, as variables, unless the environment has them."""
    known = {PREFIX + setting.upper() for setting in Settings.model_fields}
    there = {name.upper() for name, value in os.environ.items() if value}
    named = {name.upper() for name in env_file.left_out(folder / env_file.NAME)}
    return tuple(sorted(named & known - there))


def unused_words(folder: Path) -> str:
    """Return a sentence about the unused settings in a folder's `.env`; empty if there are none.

    It holds only known names, and no values.
    """
    names = unused_in(folder)
    if not names:
        return ""
    listed = ", ".join(names)
    return (
        f"{listed} in {inert_line(str(folder / env_file.NAME), 200)} {'is' if len(names) == 1 else 'are'} not used: a "
        "file of a repository must not decide where questions go and who answers. `handoffs config adopt`, run in that "
        "folder, shows what it says and moves it to your own configuration."
    )
