import csv
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from io import StringIO
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.model import Outline, State
from handoffs.web.statistics import charts
from handoffs.web.statistics.charts import (
    DAYS,
    Day,
    Figures,
    Timing,
    as_csv,
    as_json,
    per_day_svg,
    per_day_table,
    time_to_answer_svg,
    time_to_answer_table,
    words,
)
from tests.days import DAY, at, stamped

NOW = at(20)
YESTERDAY = DAY - timedelta(days=1)
SVG = "{http://www.w3.org/2000/svg}"


def ended(
    at: datetime = NOW,
    *,
    seconds: float = 60,
    state: State = State.ANSWERED,
    client: str = "claude-code",
    channel: str = "inbox",
) -> Outline:
    return Outline(
        id="h_one",
        subject="ada",
        client=client,
        message="Deploy?",
        created_at=at - timedelta(seconds=seconds),
        state=state,
        ended_at=at,
        ended_through=channel,
    )


def figures(ended: list[Outline], now: datetime, *, open_now: int = 0) -> Figures:
    return charts.figures(ended, now, open_now=open_now)


def all_answered(*seconds: float, client: str = "claude-code", channel: str = "inbox") -> list[Outline]:
    return [ended(seconds=length, client=client, channel=channel) for length in seconds]


def test_without_handoffs_there_are_thirty_empty_days_that_end_today() -> None:
    found = figures([], NOW)
    assert found == Figures(
        at=NOW,
        open_now=0,
        days=tuple(Day(date=DAY - timedelta(days=29 - number)) for number in range(30)),
        everybody=None,
        by_agent=(),
        by_channel=(),
    )
    assert found.days[-1].date == DAY


def test_each_end_is_counted_on_the_day_it_came() -> None:
    found = figures(
        [
            ended(NOW),
            ended(NOW),
            ended(NOW, state=State.DECLINED),
            ended(NOW - timedelta(days=1), state=State.CANCELLED),
            ended(NOW - timedelta(days=29), state=State.EXPIRED),
            ended(NOW - timedelta(days=30)),
        ],
        NOW,
    )
    assert found.days[-1] == Day(date=DAY, answered=2, declined=1)
    assert found.days[-2] == Day(date=DAY - timedelta(days=1), cancelled=1)
    assert found.days[0] == Day(date=DAY - timedelta(days=29), expired=1)
    assert sum(day.total for day in found.days) == 5
    assert found.everybody is not None
    assert found.everybody.answered == 2  # thirty days ago is before all of this


def test_a_day_is_a_day_of_utc_wherever_the_clock_stands() -> None:
    auckland = timezone(timedelta(hours=13))
    noon = at(12).astimezone(auckland)  # where it is the next day
    found = figures([ended(noon)], noon)
    assert found.days[-1] == Day(date=DAY, answered=1)
    just_before, just_after = at(23, 59, 59, days=-1), at(0)
    found = figures([ended(just_before), ended(just_after)], NOW)
    assert [day.answered for day in found.days[-2:]] == [1, 1]


def test_median_and_ninetieth_percentile_are_apart_by_agent_and_channel() -> None:
    found = figures(
        [
            *all_answered(10, 1, 3, 2, client="codex", channel="terminal"),
            *all_answered(*range(1, 21), client="claude-code", channel="inbox"),
            ended(seconds=9999, state=State.DECLINED, client="gemini-cli"),
        ],
        NOW,
    )
    assert found.by_agent == (
        Timing(name="claude-code", answered=20, median=10.5, p90=18),
        Timing(name="codex", answered=4, median=2.5, p90=10),
    )
    assert found.by_channel == (
        Timing(name="inbox", answered=20, median=10.5, p90=18),
        Timing(name="terminal", answered=4, median=2.5, p90=10),
    )
    assert found.everybody == Timing(name="everybody", answered=24, median=9.5, p90=18)


def test_one_answer_is_its_own_median_and_percentile_and_never_negative() -> None:
    (timing,) = figures(all_answered(7.25), NOW).by_agent
    assert (timing.median, timing.p90) == (7.25, 7.25)
    (timing,) = figures(all_answered(-5), NOW).by_agent  # the clock was set back in between
    assert (timing.median, timing.p90) == (0, 0)


def test_an_agent_without_a_name_is_unknown_and_a_tricky_one_spelled_out() -> None:
    found = figures([*all_answered(1, client="", channel=""), *all_answered(2, client="a\x1b[31m\u202eb\nc")], NOW)
    assert [timing.name for timing in found.by_agent] == ["a␛[31m⟨U+202E⟩b c", "unknown"]
    assert {timing.name for timing in found.by_channel} == {"inbox", "unknown"}


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_nine_of_ten_answers_took_no_longer_than_p90(seconds: list[float]) -> None:
    (timing,) = figures(all_answered(*seconds), NOW).by_agent
    took = sorted((NOW - one.created_at).total_seconds() for one in all_answered(*seconds))
    within = sum(length <= timing.p90 for length in took)
    assert within * 10 >= len(took) * 9
    assert timing.p90 in took
    assert sum(length < timing.p90 for length in took) * 10 < len(took) * 9
    assert sum(length <= timing.median for length in took) * 2 >= len(took)
    assert sum(length >= timing.median for length in took) * 2 >= len(took)


def test_json_has_every_figure() -> None:
    found = as_json(figures([*all_answered(1, 2), ended(state=State.DECLINED)], NOW, open_now=1))
    days = found["days"]
    assert isinstance(days, list)
    assert len(days) == DAYS
    assert days[-1] == {"date": str(DAY), "answered": 2, "declined": 1, "cancelled": 0, "expired": 0}
    timing = {"answered": 2, "medianSeconds": 1.5, "p90Seconds": 2}
    assert {name: value for name, value in found.items() if name != "days"} == {
        "at": stamped(20),
        "openNow": 1,
        "timeToAnswer": {
            "everybody": {"name": "everybody", **timing},
            "byAgent": [{"name": "claude-code", **timing}],
            "byChannel": [{"name": "inbox", **timing}],
        },
    }


def test_csv_has_one_figure_a_line() -> None:
    lines = as_csv(figures(all_answered(1, 2), NOW, open_now=1)).split("\r\n")
    assert lines[:2] == ["figure,by,name,value", "open now,,,1"]
    assert lines[2 : 2 + DAYS][-2:] == [f"answered,day,{YESTERDAY},0", f"answered,day,{DAY},2"]
    assert lines[2 + 4 * DAYS :] == [
        "answers,,everybody,2",
        "median seconds to answer,,everybody,1.5",
        "p90 seconds to answer,,everybody,2",
        "answers,agent,claude-code,2",
        "median seconds to answer,agent,claude-code,1.5",
        "p90 seconds to answer,agent,claude-code,2",
        "answers,channel,inbox,2",
        "median seconds to answer,channel,inbox,1.5",
        "p90 seconds to answer,channel,inbox,2",
        "",
    ]


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1+1", '=HYPERLINK("http://x")', "\r=1"]
)
def test_no_name_is_a_formula_to_a_spreadsheet(name: str) -> None:
    rows = list(csv.reader(StringIO(as_csv(figures(all_answered(1, client=name), NOW)))))
    (cell,) = {row[2] for row in rows if row[1] == "agent"}
    assert cell[0] in "'␍"
    assert cell.lstrip("'␍").strip() == name.strip()


@given(st.text(min_size=1))
def test_csv_reads_back_whatever_an_agent_calls_itself(name: str) -> None:
    found = figures(all_answered(1, client=name), NOW)
    rows = list(csv.reader(StringIO(as_csv(found))))
    assert {len(row) for row in rows} == {4}
    (cell,) = {row[2] for row in rows if row[1] == "agent"}
    assert cell in {found.by_agent[0].name, "'" + found.by_agent[0].name}
    assert not cell.startswith(tuple("=+-@\t\r"))


# The pictures

SOME = [
    *all_answered(5, 90, 4000, client="claude-code"),
    *all_answered(70_000, client="codex", channel="terminal"),
    ended(NOW - timedelta(days=3), state=State.DECLINED),
    ended(NOW - timedelta(days=3), state=State.CANCELLED),
    ended(NOW - timedelta(days=4), state=State.EXPIRED),
]
PICTURES: list[tuple[str, Callable[[Figures], str], Callable[[Figures], str]]] = [
    ("Handoffs that ended, per day", per_day_svg, per_day_table),
    (
        "Time to answer, by agent",
        lambda found: time_to_answer_svg(found, "agent"),
        lambda found: time_to_answer_table(found, "agent"),
    ),
    (
        "Time to answer, by channel",
        lambda found: time_to_answer_svg(found, "channel"),
        lambda found: time_to_answer_table(found, "channel"),
    ),
]


def tree_of(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


@pytest.mark.parametrize(("title", "draw", "tabulate"), PICTURES)
@pytest.mark.parametrize("handoffs", [[], SOME, all_answered(1, client="<script>&\"'")])
def test_a_picture_says_what_it_shows_and_has_no_style_and_no_script(
    title: str, draw: Callable[[Figures], str], tabulate: Callable[[Figures], str], handoffs: list[Outline]
) -> None:
    found = figures(handoffs, NOW)
    svg = tree_of(draw(found))
    labels = {element.get("id"): element.text for element in svg if element.get("id")}
    assert svg.get("role") == "img"
    assert labels[svg.get("aria-labelledby")] == title
    assert labels[svg.get("aria-describedby")]
    for element in svg.iter():
        assert element.tag.removeprefix(SVG) in {"svg", "title", "desc", "g", "rect", "line", "circle", "text"}
        assert not any(name == "style" or name.startswith("on") or "href" in name for name in element.attrib)
        assert re.fullmatch(r"[\w(), -]*", element.get("fill", "") + element.get("stroke", "")), "no colour of its own"
    ElementTree.fromstring(tabulate(found))


def test_the_pictures_of_a_page_have_no_id_in_common() -> None:
    found = figures(SOME, NOW)
    ids = [element.get("id") for _, draw, _ in PICTURES for element in tree_of(draw(found)).iter() if element.get("id")]
    assert len(ids) == len(set(ids)) == 6


def test_a_bar_is_as_high_as_its_count() -> None:
    handoffs = [*[ended() for _ in range(10)], *[ended(NOW - timedelta(days=1)) for _ in range(5)]]
    handoffs += [ended(NOW - timedelta(days=1), state=State.EXPIRED)] * 3
    svg = tree_of(per_day_svg(figures(handoffs, NOW)))
    bars = {
        (group.findtext(f"{SVG}title"), bar.get("class")): float(str(bar.get("height")))
        for group in svg.iter(f"{SVG}g")
        for bar in group.iter(f"{SVG}rect")
    }
    yesterday, today = f"{YESTERDAY}: 5 answered, 3 expired", f"{DAY}: 10 answered"
    assert bars == {(yesterday, "answered"): 95.0, (yesterday, "expired"): 57.0, (today, "answered"): 190.0}


def test_the_dots_stand_on_a_scale_from_a_second_to_the_longest_time() -> None:
    svg = tree_of(
        time_to_answer_svg(figures(all_answered(1, client="fast") + all_answered(600, client="slow"), NOW), "agent")
    )
    scale = {text.text: float(str(text.get("x"))) for text in svg.iter(f"{SVG}text")}
    dots = {
        str(group.findtext(f"{SVG}title")).partition(":")[0]: [
            float(str(c.get("cx"))) for c in group.iter(f"{SVG}circle")
        ]
        for group in svg.iter(f"{SVG}g")
    }
    assert dots == {"fast": [scale["1 s"]] * 2, "slow": [scale["10 min"]] * 2}
    assert scale["1 s"] < scale["10 s"] < scale["1 min"] < scale["10 min"]


def test_agents_beyond_the_room_of_a_picture_are_not_left_out_in_silence() -> None:
    handoffs = [one for number in range(15) for one in all_answered(1, client=f"agent-{number:02}")]
    found = figures(handoffs, NOW)
    shown = [text.text for text in tree_of(time_to_answer_svg(found, "agent")).iter(f"{SVG}text")]
    assert "and 3 more in the table" in shown
    assert "agent-11" in shown
    assert "agent-12" not in shown
    assert "agent-14" in time_to_answer_table(found, "agent")


class _Cells(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag == "th":
            assert dict(attrs)["scope"] in {"col", "row"}

    def handle_data(self, data: str) -> None:
        if self.rows and data.strip():
            self.rows[-1].append(data)


def test_a_table_says_the_same_as_its_picture() -> None:
    found = figures(SOME, NOW)
    rows = _Cells(per_day_table(found)).rows
    assert rows[0] == ["Day", "Answered", "Declined", "Cancelled", "Expired"]
    assert rows[1] == [str(DAY), "4", "0", "0", "0"]
    assert rows[4:6] == [
        [str(DAY - timedelta(days=3)), "0", "1", "1", "0"],
        [str(DAY - timedelta(days=4)), "0", "0", "0", "1"],
    ]
    assert len(rows) == 1 + DAYS
    assert _Cells(time_to_answer_table(found, "agent")).rows == [
        ["Agent", "Answers", "Median", "9 of 10 within"],
        ["claude-code", "3", "1.5 min", "1.1 h"],
        ["codex", "1", "19.4 h", "19.4 h"],
        ["everybody", "4", "34.1 min", "19.4 h"],
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.04, "0 s"), (1.26, "1.3 s"), (59.9, "59.9 s"), (60, "1 min"), (90, "1.5 min"), (3599, "1 h"),
     (3600, "1 h"), (86_399, "1 d"), (86_400 * 3, "3 d")],
)  # fmt: skip
def test_a_length_of_time_is_said_in_its_largest_unit(seconds: float, said: str) -> None:
    assert words(seconds) == said
