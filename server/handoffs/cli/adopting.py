"""`handoffs config adopt`: moves the settings in a folder's `.env` to the person's configuration, once they agree.

The author of the repository may have written the file, so its settings have no effect before a person has agreed.
"""

import io
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from handoffs import env_file
from handoffs.cli.installing import writing
from handoffs.cli.installing.texts import Unreadable
from handoffs.cli.installing.toml_text import TomlText
from handoffs.console import UsageError, print_out
from handoffs.core.untrusted import inert_line
from handoffs.settings import PREFIX, Settings, checked_settings, config_file, store_address

WIDE = 120


def adopt(folder: Path, *, yes: bool) -> None:
    """Move the settings of a folder's `.env` to `config.toml`, after showing them and asking.

    Raises:
        UsageError: There is nothing to move, one of the files can't be changed, or the person did not agree.
        SettingsError: A setting does not parse; says which.
    """
    path = folder / env_file.NAME
    if not path.exists():
        raise UsageError(f"There is no {env_file.NAME} in {folder}, so there is nothing to move.")
    found = {name.upper(): value for name, value in env_file.left_out(path).items()}
    given = {name.removeprefix(PREFIX).lower(): value for name, value in found.items()}
    known = {setting: value for setting, value in given.items() if setting in Settings.model_fields}
    unknown = sorted(PREFIX + setting.upper() for setting in given.keys() - known.keys())
    if not known:
        also = f" {', '.join(inert_line(name, 60) for name in unknown)} there is no setting." if unknown else ""
        raise UsageError(f"{path} has no setting to move.{also}")
    known = _as_written_elsewhere(known, folder)
    checked_settings(known, where=f" in {inert_line(str(path), 200)}")
    config, source = writing.read(config_file()), writing.read(path)
    try:
        before, after = TomlText().read(config.text), config.text
        for setting, value in known.items():
            after = TomlText().put(after, (setting,), value)
        if TomlText().read(after) != {**before, **known}:
            raise Unreadable("it is written in a way that can't be changed safely")
    except Unreadable as wrong:
        raise UsageError(f"{config.file}: {inert_line(str(wrong))}. It was left as it is.") from None
    left = _without(source.text, {PREFIX + setting.upper() for setting in known})
    _show(known, before, source.file, config.file, unknown)
    _agree(yes=yes)
    now = datetime.now(UTC)
    backup = writing.write(config, after, now)
    # Without a backup: the settings are in the other file now, and a copy could be committed by mistake.
    writing.write(source, left, now, keep_backup=False)
    print_out(f"\nWritten: {config.file}" + (f"\nAs it was: {backup}" if backup is not None else ""))
    print_out(f"Taken out of {source.file}. Start the hosts again, so that their servers read it.")


def _as_written_elsewhere(known: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the settings for `config.toml`, with an absolute store: there a relative path has another base."""
    moved = dict(known)
    store = moved.get("store")
    if store is not None:
        try:
            address = store_address(store)
        except ValueError:
            return moved  # the check of all settings refuses it
        if isinstance(address, Path) and not address.is_absolute():
            moved["store"] = str((folder / address).absolute())
    return moved


def _show(known: Mapping[str, str], before: Mapping[str, object], path: Path, config: Path, unknown: list[str]) -> None:
    print_out(
        f"{inert_line(str(path), WIDE)} says this, and none of it is used. In {config} it would decide where questions"
    )
    print_out("go, who may answer them and who is told. Move it only if you wrote it yourself.\n")
    for setting, value in known.items():
        instead = f"   (now {_shown(setting, before[setting])})" if setting in before else ""
        print_out(f"  {setting} = {_shown(setting, value)}{instead}")
    if unknown:
        print_out(f"\nNo settings, so they stay: {', '.join(inert_line(name, 60) for name in unknown)}")


def _shown(setting: str, value: object) -> str:
    """Return a value for the person; of a secret, only its length."""
    if not Settings.model_fields[setting].repr or not isinstance(value, str):
        return f"a text of {len(value)} characters" if isinstance(value, str) else inert_line(repr(value), WIDE)
    if setting == "store":
        return inert_line(str(store_address(value)), WIDE)  # without a password
    return inert_line(repr(value), WIDE)


def _agree(*, yes: bool) -> None:
    if yes:
        return
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()):
        raise UsageError("Nothing was moved. Pass --yes to move it.")
    print_out("\nMove it? [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("Nothing was moved.")


def _without(text: str, names: set[str]) -> str:
    """Return the text of a `.env` without these variables; everything else in it stays, byte for byte."""
    from dotenv.parser import parse_stream

    bindings = list(parse_stream(io.StringIO(text, newline="\n")))
    if "".join(binding.original.string for binding in bindings) != text:
        raise UsageError("The .env is written in a way that can't be changed safely. It was left as it is.")
    kept: list[str] = []
    for binding in bindings:
        written = binding.original.string
        ours = binding.key is not None and binding.key.upper() in names
        # A blank line before it belongs to the line above.
        kept.append(written[: len(written) - len(written.lstrip())] if ours else written)
    return "".join(kept)
