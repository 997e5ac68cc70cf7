"""Dates and times: one moment, or a question."""

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from handoffs.core.form import Form
from handoffs.core.moments import OutOfRange, Unclear, read_moment
from handoffs.core.schema import parse


def berlin(at: datetime) -> datetime:
    return at.replace(tzinfo=ZoneInfo("Europe/Berlin"))


def asks(**extra: object) -> Form:
    return parse({"properties": {"at": {"type": "string", "format": "date-time", **extra}}, "required": ["at"]})


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2026-07-01T10:00:00Z", "2026-07-01T10:00:00Z"),
        ("2026-07-01t10:00:00.500z", "2026-07-01t10:00:00.500z"),
        (" 2026-07-01 10:00 ", "2026-07-01T10:00:00+02:00"),
        ("2026-01-01 10:00:30.25", "2026-01-01T10:00:30.25+01:00"),
        ("2026-07-01 10:00Z", "2026-07-01T10:00:00Z"),
        ("2026-07-01T10:00+0530", "2026-07-01T10:00:00+05:30"),
        ("2026-10-25T03:00", "2026-10-25T03:00:00+01:00"),
        ("2026-03-29T03:00", "2026-03-29T03:00:00+02:00"),
    ],
)
def test_a_time_without_a_zone_gets_the_persons(typed: str, moment: str) -> None:
    assert read_moment(typed, berlin) == moment


@pytest.mark.parametrize(
    ("typed", "told", "meant"),
    [
        ("2026-10-25T02:30", "occurs twice", ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")),
        ("2026-03-29 02:30", "does not exist", ("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00")),
    ],
)
def test_a_time_that_comes_twice_or_never_is_asked_about(typed: str, told: str, meant: tuple[str, str]) -> None:
    with pytest.raises(Unclear, match=told) as asked:
        read_moment(typed, berlin)
    assert asked.value.meant == meant
    assert all(each in str(asked.value) for each in meant)
    # The same where the zone is this machine's own.
    program = (
        "from datetime import datetime; from handoffs.core.moments import *\n"
        f"try: read_moment({typed!r}, datetime.astimezone)\nexcept Unclear as asked: print(*asked.meant)"
    )
    environment = {**os.environ, "TZ": "Europe/Berlin"}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == list(meant)


@pytest.mark.parametrize("value", ["2026-07-01 10:00", "2026-07-01T10:00:00", "2026-07-01T10:00"])
def test_without_a_zone_to_go_by_it_is_no_moment(value: str) -> None:
    with pytest.raises(Unclear, match="has no time zone"):
        asks().fields[0].coerce(value)
    assert asks().understand({"at": value}) == {"at": value}
    with pytest.raises(ValueError, match="has no time zone"):
        asks().fields[0].check(value)
    assert asks().fields[0].coerce(value, zone=berlin) == "2026-07-01T10:00:00+02:00"


@pytest.mark.parametrize("default", ["2026-07-01T10:00:00.500Z", "2026-07-01 10:00", "2026-10-25T01:30:00Z"])
def test_a_default_that_comes_back_untouched_is_what_came(default: str) -> None:
    form = asks(default=default)
    assert form.check(form.understand({"at": default})) == {"at": default}
    assert form.coerce({"at": default}, zone=berlin) == {"at": default}
    assert parse(form.schema, accepted=True) == form


def test_a_host_may_leave_out_the_seconds_but_not_the_zone() -> None:
    assert asks().understand({"at": "2026-07-01 10:00+02:00"}) == {"at": "2026-07-01T10:00:00+02:00"}


@pytest.mark.parametrize("typed", ["0001-01-01T00:00", "9999-12-31T23:59"])
def test_a_time_that_no_calendar_here_can_hold_is_refused_in_words(typed: str) -> None:
    with pytest.raises(OutOfRange, match="between the years 1 and 9999"):
        read_moment(typed, lambda at: at.astimezone(timezone(timedelta(hours=12 if at.year == 1 else -12))))
