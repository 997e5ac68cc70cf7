"""`handoffs config`: each setting, its value and its source. Of a secret only whether it is set."""

import json

from handoffs.console import print_out
from handoffs.core.untrusted import inert_line
from handoffs.settings import Settings, config_file
from handoffs.settings_shown import shown_settings

_WIDEST = 60


def tell(settings: Settings, *, as_json: bool) -> None:
    """Print each setting, those with a source first."""
    found = sorted(shown_settings(settings), key=lambda each: (not each.where, each.name))
    if as_json:
        rows = [{"name": each.name, "value": each.value, "from": each.where or "default"} for each in found]
        print_out(json.dumps(rows, indent=2))
        return
    table = [(each.name, inert_line(each.value), inert_line(each.where) or "default") for each in found]
    names, values = (min(max(len(row[at]) for row in table), _WIDEST) for at in (0, 1))
    for name, value, where in table:
        print_out(f"{name:<{names}}  {value:<{values}}  {where}")
    path = config_file()
    there = "" if path.exists() else "is not there yet; it "
    print_out(f'\n{path} {there}takes them in small letters, without HANDOFFS_: inbox = "off"')
