"""Figures about handoffs: counted, and written as CSV, JSON, charts and tables.

Pure functions of the handoffs and the time. Days are UTC days. All figures but the open handoffs cover the last DAYS
days, with today. The charts are inline SVG without style or script; their colours come from the page's variables and
the classes `answered`, `declined`, `cancelled`, `expired`, `median`, `p90`. Each chart has a table with the same
figures.
"""

import csv
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape
from io import StringIO
from typing import Literal

from handoffs.core.display import stamp
from handoffs.core.model import Outline, State
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line
from handoffs.web.languages.words import number as written
from handoffs.web.languages.words import spoken

DAYS = 30
NAMELESS = say("unknown")
"""The name of an agent or a channel without one."""

By = Literal["agent", "channel"]
"""How times to answer are grouped."""

ENDS = (State.ANSWERED, State.DECLINED, State.CANCELLED, State.EXPIRED)
_NAME_WIDTH = 80
_WORDS: Mapping[State, str] = {
    State.ANSWERED: say("answered"),
    State.DECLINED: say("declined"),
    State.CANCELLED: say("cancelled"),
    State.EXPIRED: say("expired"),
}
_TITLES: Mapping[By, str] = {"agent": say("Time to answer, by agent"), "channel": say("Time to answer, by channel")}
_GROUPS: Mapping[By, str] = {"agent": say("Agent"), "channel": say("Channel")}
_MONTHS = (
    *(say("Jan"), say("Feb"), say("Mar"), say("Apr"), say("May"), say("Jun")),
    *(say("Jul"), say("Aug"), say("Sep"), say("Oct"), say("Nov"), say("Dec")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """The numbers of handoffs that ended on a day, by state."""

    date: date
    answered: int = 0
    declined: int = 0
    cancelled: int = 0
    expired: int = 0

    def ended(self, state: State) -> int:
        """Return how many ended in this state."""
        counts = {State.ANSWERED: self.answered, State.DECLINED: self.declined, State.CANCELLED: self.cancelled}
        return counts.get(state, self.expired)

    @property
    def total(self) -> int:
        """How many ended."""
        return self.answered + self.declined + self.cancelled + self.expired


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long people took to answer, from asked to answered, in seconds."""

    name: str
    """The name of the agent or the channel: one inert line."""
    answered: int
    median: float
    p90: float
    """The 90th percentile: the smallest time within which nine of ten answers came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All the figures."""

    at: datetime
    open_now: int
    days: tuple[Day, ...]
    """DAYS entries, oldest first; today is the last."""
    everybody: Timing | None
    """All answers together; None when there are none."""
    by_agent: tuple[Timing, ...]
    """The agent with the most answers first."""
    by_channel: tuple[Timing, ...]

    def timings(self, by: By) -> tuple[Timing, ...]:
        """Return the times to answer, grouped by agent or by channel."""
        return self.by_agent if by == "agent" else self.by_channel


def figures(handoffs: Iterable[Outline], now: datetime, *, open_now: int) -> Figures:
    """Return the figures at `now`, from ended handoffs and the number of open ones."""
    first = now.astimezone(UTC).date() - timedelta(days=DAYS - 1)
    dates = [first + timedelta(days=number) for number in range(DAYS)]
    ended: dict[date, dict[State, int]] = {day: dict.fromkeys(ENDS, 0) for day in dates}
    answered: list[tuple[Outline, float]] = []
    for handoff in handoffs:
        at = handoff.ended_at
        if at is not None and (counts := ended.get(at.astimezone(UTC).date())) is not None:
            counts[handoff.state] += 1
            if handoff.state is State.ANSWERED:
                answered.append((handoff, max((at - handoff.created_at).total_seconds(), 0.0)))
    return Figures(
        at=now,
        open_now=open_now,
        days=tuple(Day(date=day, **{state.value: count for state, count in ended[day].items()}) for day in dates),
        everybody=_timing(say("everybody"), [seconds for _, seconds in answered]) if answered else None,
        by_agent=_timings(answered, lambda handoff: handoff.client),
        by_channel=_timings(answered, lambda handoff: handoff.ended_through),
    )


def _timings(answered: Sequence[tuple[Outline, float]], name_of: Callable[[Outline], str]) -> tuple[Timing, ...]:
    groups: dict[str, list[float]] = {}
    for handoff, seconds in answered:
        groups.setdefault(inert_line(name_of(handoff), _NAME_WIDTH) or NAMELESS, []).append(seconds)
    found = [_timing(name, seconds) for name, seconds in groups.items()]
    return tuple(sorted(found, key=lambda timing: (-timing.answered, timing.name)))


def _timing(name: str, seconds: Sequence[float]) -> Timing:
    p90 = sorted(seconds)[math.ceil(len(seconds) * 9 / 10) - 1]
    return Timing(name=name, answered=len(seconds), median=statistics.median(seconds), p90=p90)


# Exports


def as_json(figures: Figures) -> Mapping[str, object]:
    """Return the figures for JSON; times to answer are in seconds."""
    return {
        "at": stamp(figures.at),
        "openNow": figures.open_now,
        "days": [{"date": day.date.isoformat(), **{e.value: day.ended(e) for e in ENDS}} for day in figures.days],
        "timeToAnswer": {
            "everybody": _as_json(figures.everybody) if figures.everybody else None,
            "byAgent": [_as_json(timing) for timing in figures.by_agent],
            "byChannel": [_as_json(timing) for timing in figures.by_channel],
        },
    }


def _as_json(timing: Timing) -> Mapping[str, object]:
    seconds = {"medianSeconds": round(timing.median, 3), "p90Seconds": round(timing.p90, 3)}
    return {"name": timing.name, "answered": timing.answered, **seconds}


def as_csv(figures: Figures) -> str:
    """Return the figures as CSV, one a line: figure, grouping, name and value.

    A name that a spreadsheet would take for a formula gets an apostrophe before it, since agents choose their names.
    """
    rows: list[tuple[str, str, str, float]] = [("open now", "", "", figures.open_now)]
    for state in ENDS:
        rows += [(state.value, "day", day.date.isoformat(), day.ended(state)) for day in figures.days]
    groups = {"agent": figures.by_agent, "channel": figures.by_channel}
    if figures.everybody:
        groups = {"": (figures.everybody,), **groups}
    for by, timings in groups.items():
        for timing in timings:
            rows.append(("answers", by, timing.name, timing.answered))
            rows.append(("median seconds to answer", by, timing.name, timing.median))
            rows.append(("p90 seconds to answer", by, timing.name, timing.p90))
    text = StringIO()
    lines = csv.writer(text)
    lines.writerow(("figure", "by", "name", "value"))
    lines.writerows((what, by, _no_formula(name), f"{round(value, 3):.15g}") for what, by, name, value in rows)
    return text.getvalue()


def _no_formula(cell: str) -> str:
    # Chinese and Japanese spreadsheets take the wide forms as formulas, too.
    return f"'{cell}" if cell.lstrip().startswith(tuple("=+-@＝＋－＠")) else cell


# Chart: handoffs per day

_WIDTH, _LEFT, _RIGHT, _TOP, _HEIGHT = 640, 44, 20, 34, 190
_FILLS: Mapping[State, str] = {
    State.ANSWERED: "var(--good, currentColor)",
    State.DECLINED: "var(--warn, currentColor)",
    State.CANCELLED: "var(--accent, currentColor)",
    State.EXPIRED: "var(--edge, currentColor)",
}


def per_day_svg(figures: Figures) -> str:
    """Return a chart of the handoffs that ended on each day: a bar a day, stacked by state."""
    top = _round_up(max(day.total for day in figures.days))
    floor, step = _TOP + _HEIGHT, (_WIDTH - _LEFT - _RIGHT) / len(figures.days)
    parts = [_legend()]
    for tick in (0, top // 2, top):
        y = floor - _HEIGHT * tick / top
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y) + _text(_LEFT - 6, y + 4, str(tick), "end"))
    for number, day in enumerate(figures.days):
        x, y = _LEFT + number * step, float(floor)
        if (len(figures.days) - 1 - number) % 7 == 0:
            parts.append(_text(x + step / 2, floor + 18, _day(day.date)))
        bars = ""
        for state in ENDS:
            height = _HEIGHT * day.ended(state) / top
            y -= height
            if height:
                size = f'x="{x + step * 0.15:.1f}" y="{y:.1f}" width="{step * 0.7:.1f}" height="{height:.1f}"'
                # The edge separates two parts for people who can't distinguish their colours.
                edge = 'stroke="var(--paper, none)"'
                bars += f'<rect class="{state.value}" fill="{_FILLS[state]}" {edge} {size}/>'
        if bars:
            counted = say("{what}: {reason}", what=day.date.isoformat(), reason=_counted(day))
            parts.append(f"<g><title>{_said(counted)}</title>{bars}</g>")
    first, last = figures.days[0].date, figures.days[-1].date
    all_days = Day(date=last, **{state.value: sum(day.ended(state) for day in figures.days) for state in ENDS})
    days = {"first": first.isoformat(), "last": last.isoformat()}
    described = say("From {first} to {last}, in UTC: {counts}.", **days, counts=_counted(all_days))
    return _svg("per-day", say("Handoffs that ended, per day"), described, floor + 30, parts)


def per_day_table(figures: Figures) -> str:
    """Return the same as a table, the latest day first."""
    rows = [[day.date.isoformat(), *(str(day.ended(state)) for state in ENDS)] for day in reversed(figures.days)]
    heads = [say("Day"), say("Answered"), say("Declined"), say("Cancelled"), say("Expired")]
    return _table(say("Handoffs that ended, per day (UTC)"), heads, rows)


def _counted(day: Day) -> str:
    counts = {
        State.ANSWERED: say("{count} answered", count=day.answered),
        State.DECLINED: say("{count} declined", count=day.declined),
        State.CANCELLED: say("{count} cancelled", count=day.cancelled),
        State.EXPIRED: say("{count} expired", count=day.expired),
    }
    return ", ".join(spoken(counts[state]) for state in ENDS if day.ended(state)) or say("none")


def _legend() -> str:
    parts: list[str] = []
    for number, state in enumerate(ENDS):
        x = _LEFT + number * 110
        parts.append(f'<rect class="{state.value}" fill="{_FILLS[state]}" x="{x}" y="5" width="12" height="12"/>')
        parts.append(_text(x + 18, 16, _WORDS[state], "start"))
    return "".join(parts)


def _round_up(most: int) -> int:
    """Return the even number, 2, 4, 10, 20, 40, 100 and so on, that a scale up to `most` ends at."""
    size = 1
    while True:
        for factor in (2, 4, 10):
            if most <= factor * size:
                return factor * size
        size *= 10


# Chart: time to answer

_ROW = 34
_ROWS = 12
_NAMES = 190
_SHOWN_NAME = 24
_MARKS = (1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000)


def time_to_answer_svg(figures: Figures, by: By) -> str:
    """Return a chart of the times to answer: for each agent or channel a dot at the median and a ring at p90.

    The scale is logarithmic, so that seconds and days fit. It shows the first twelve, and how many more there are.
    """
    timings = figures.timings(by)
    shown = timings[:_ROWS]
    longest = max((timing.p90 for timing in shown), default=0)
    end = next((mark for mark in _MARKS if mark >= longest and mark >= 60), _MARKS[-1])
    floor = _TOP + _ROW * max(len(shown), 1)
    parts = [_dot("median", _NAMES + 6, 11), _text(_NAMES + 18, 16, say("median"), "start")]
    parts += [_dot("p90", _NAMES + 116, 11), _text(_NAMES + 128, 16, say("9 of 10 answers"), "start")]
    for mark in _MARKS[: _MARKS.index(end) + 1]:
        x = _along(mark, end)
        parts.append(_line(x, _TOP, x, floor) + _text(x, floor + 18, words(mark)))
    for number, timing in enumerate(shown):
        y = _TOP + _ROW * number + _ROW / 2
        parts.append(_text(_NAMES - 10, y + 4, inert_line(spoken(timing.name), _SHOWN_NAME), "end"))
        at, until = _along(timing.median, end), _along(timing.p90, end)
        between = f'<line x1="{at:.1f}" y1="{y}" x2="{until:.1f}" y2="{y}" stroke="currentColor" stroke-width="2"/>'
        parts.append(f"<g><title>{_said(_summary(timing))}</title>{between}{_dot('p90', until, y)}")
        parts.append(f"{_dot('median', at, y)}</g>")
    if not shown:
        parts.append(_text(_WIDTH / 2, _TOP + _ROW / 2 + 4, say("no answers yet")))
    if more := len(timings) - len(shown):
        parts.append(_text(_WIDTH - _RIGHT, floor + 36, say("and {count} more in the table", count=more), "end"))
    described = "; ".join(spoken(_summary(timing)) for timing in shown) or spoken(say("No answers yet"))
    return _svg(f"times-by-{by}", _TITLES[by], say("{line}.", line=described), floor + 42, parts)


def time_to_answer_table(figures: Figures, by: By) -> str:
    """Return the same as a table, with all answers together in its last row."""
    timings = [*figures.timings(by), *([figures.everybody] if figures.everybody else [])]
    rows = [[timing.name, str(timing.answered), words(timing.median), words(timing.p90)] for timing in timings]
    heads = [_GROUPS[by], say("Answers"), say("Median"), say("9 of 10 within")]
    return _table(_TITLES[by], heads, rows)


def words(seconds: float) -> str:
    """Return a duration in a suitable unit, to one decimal: `1.5 h`."""
    if (shown := round(seconds, 1)) < 60:
        return say("{number} s", number=written(shown, "g"))
    if (shown := round(seconds / 60, 1)) < 60:
        return say("{number} min", number=written(shown, "g"))
    if (shown := round(seconds / 3_600, 1)) < 24:
        return say("{number} h", number=written(shown, "g"))
    return say("{number} d", number=written(round(seconds / 86_400, 1), "g"))


def _summary(timing: Timing) -> str:
    return say(
        "{name}: median {median}, 9 of 10 within {most}, {count} answers",
        name=timing.name,
        median=words(timing.median),
        most=words(timing.p90),
        count=timing.answered,
    )


def _day(day: date) -> str:
    return say("{day} {month}", day=f"{day:%d}", month=_MONTHS[day.month - 1])


def _said(text: str) -> str:
    return escape(spoken(text))


def _along(seconds: float, end: float) -> float:
    share = math.log(max(seconds, 1)) / math.log(end)
    return _NAMES + (_WIDTH - _RIGHT - 20 - _NAMES) * min(share, 1)


# Drawing


def _dot(kind: str, x: float, y: float) -> str:
    filled = "var(--accent, currentColor)" if kind == "median" else "var(--paper, none)"
    outline = 'stroke="var(--accent, currentColor)" stroke-width="2"'
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{filled}" {outline}/>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="grid" {ends} stroke="currentColor" stroke-opacity="0.2"/>'


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    size = 'font-size="13" fill="currentColor"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {size}>{_said(words)}</text>'


def _svg(name: str, title: str, described: str, height: float, parts: Sequence[str]) -> str:
    labels = f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    words = f'<title id="{name}-title">{_said(title)}</title><desc id="{name}-desc">{_said(described)}</desc>'
    return f'<svg class="figure {name}" viewBox="0 0 {_WIDTH} {height:g}" {labels}>{words}{"".join(parts)}</svg>'


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table; the first cell of each row is its header."""
    heads = "".join(f'<th scope="col">{_said(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{_said(row[0])}</th>{"".join(f"<td>{_said(cell)}</td>" for cell in row[1:])}</tr>\n'
        for row in rows
    )
    return (
        f'<table class="table"><caption>{_said(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table>"
    )
