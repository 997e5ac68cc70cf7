"""Questions on a terminal, asked field by field, and withdrawn when they are answered elsewhere.

For the channel, the command line and Strands clients. `request` has the questions and outcomes, `queue` asks one
question at a time, `form_state` fills in a form, `decision_steps` says what a decision on an action asks for, `render`
draws it; `screen` and `app` show it on a real terminal, `piped` reads lines from any other input. prompt_toolkit is
imported when a question is shown.
"""

from handoffs.terminal.opening import is_console, open_terminal, prints_above
from handoffs.terminal.piped import Piped
from handoffs.terminal.request import (
    Earlier,
    Filled,
    Interrupted,
    Later,
    NoTerminal,
    Outcome,
    Refused,
    Request,
    Terminal,
)

__all__ = [
    "Earlier",
    "Filled",
    "Interrupted",
    "Later",
    "NoTerminal",
    "Outcome",
    "Piped",
    "Refused",
    "Request",
    "Terminal",
    "is_console",
    "open_terminal",
    "prints_above",
]
