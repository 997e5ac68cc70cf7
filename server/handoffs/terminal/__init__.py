"""A question asked on a terminal, field by field, that gives way when it is answered elsewhere.

For the channel, the command line and Strands clients alike. `sheet` says what is asked and what comes back, `turns`
that one question is asked at a time, `filling` how a form is filled, `paper` how it looks; `screen` and `prompt` put it
on a real terminal, `piped` takes lines from anything else. prompt_toolkit is imported when a question is shown.
"""

from handoffs.terminal.opening import is_console, open_terminal, prints_above
from handoffs.terminal.piped import Piped
from handoffs.terminal.request import Earlier, Filled, Interrupted, Later, NoTerminal, Outcome, Refused, Sheet, Terminal

__all__ = [
    "Earlier",
    "Filled",
    "Interrupted",
    "Later",
    "NoTerminal",
    "Outcome",
    "Piped",
    "Refused",
    "Sheet",
    "Terminal",
    "is_console",
    "open_terminal",
    "prints_above",
]
