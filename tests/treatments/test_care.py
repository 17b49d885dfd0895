"""Care instructions with real dates: one row of the table for each shape an instruction can have."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from treatments import care
from treatments.terms import CareInstruction

LONDON = ZoneInfo("Europe/London")
# A Tuesday, 10:00 to 11:15.
STARTS = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)
ENDS = datetime(2026, 3, 10, 11, 15, tzinfo=UTC)


def instruction(when="before", action="avoid", offset=None, unit=None, bound=None, text="It", **values):
    return CareInstruction(when, action, text, offset, unit, bound, **values)


def only(one: CareInstruction, *, starts_at=STARTS, ends_at=ENDS, zone=LONDON) -> care.Line:
    (line,) = care.lines([one], starts_at=starts_at, ends_at=ends_at, zone=zone)
    return line


@pytest.mark.parametrize(
    ("offset", "unit", "before", "after"),
    [
        pytest.param(0, "day", date(2026, 3, 10), date(2026, 3, 10), id="the day itself"),
        pytest.param(7, "day", date(2026, 3, 3), date(2026, 3, 17), id="days"),
        pytest.param(2, "week", date(2026, 2, 24), date(2026, 3, 24), id="weeks"),
        pytest.param(1, "month", date(2026, 2, 10), date(2026, 4, 10), id="months"),
        pytest.param(6, "month", date(2025, 9, 10), date(2026, 9, 10), id="over the turn of the year"),
    ],
)
def test_days_weeks_and_months_count_from_the_day_of_the_visit(offset, unit, before, after):
    assert only(instruction("before", offset=offset, unit=unit)).day == before
    assert only(instruction("after", offset=offset, unit=unit)).day == after


@pytest.mark.parametrize(
    ("starts", "offset", "expected"),
    [
        pytest.param(datetime(2026, 3, 31, 9, 0, tzinfo=UTC), 1, date(2026, 2, 28), id="31 March, a month before"),
        pytest.param(datetime(2028, 3, 31, 9, 0, tzinfo=UTC), 1, date(2028, 2, 29), id="in a leap year"),
        pytest.param(datetime(2026, 5, 31, 9, 0, tzinfo=UTC), 3, date(2026, 2, 28), id="three months, counted once"),
    ],
)
def test_months_are_clamped_to_the_end_of_the_month(starts, offset, expected):
    line = only(instruction("before", offset=offset, unit="month"), starts_at=starts, ends_at=starts)

    assert line.day == expected


@pytest.mark.parametrize(
    ("when", "offset", "day", "clock"),
    [
        pytest.param("before", 24, date(2026, 3, 9), time(10, 0), id="before: from the start"),
        pytest.param("after", 48, date(2026, 3, 12), time(11, 15), id="after: from the end"),
        pytest.param("after", 13, date(2026, 3, 11), time(0, 15), id="past midnight"),
    ],
)
def test_hours_count_from_the_start_before_and_from_the_end_after(when, offset, day, clock):
    line = only(instruction(when, offset=offset, unit="hour"))

    assert (line.day, line.clock) == (day, clock)


@pytest.mark.parametrize(
    ("start", "clock"),
    [
        # The clocks go forward on Sunday 29 March, and back on Sunday 25 October.
        pytest.param(datetime(2026, 3, 28, 10, 0, tzinfo=UTC), time(11, 0), id="forward"),
        pytest.param(datetime(2026, 10, 24, 9, 0, tzinfo=UTC), time(9, 0), id="back"),
    ],
)
def test_hours_are_hours_also_over_a_change_of_the_clocks(start, clock):
    line = only(instruction("after", offset=24, unit="hour"), starts_at=start, ends_at=start)

    assert line.clock == clock


def test_the_day_is_the_one_at_the_site():
    # Nine in the evening in Los Angeles, the next day in London.
    late = datetime(2026, 3, 11, 4, 0, tzinfo=UTC)
    line = only(
        instruction("before", offset=1, unit="day"), starts_at=late, ends_at=late, zone=ZoneInfo("America/Los_Angeles")
    )

    assert line.day == date(2026, 3, 9)


@pytest.mark.parametrize(
    ("when", "action", "bound", "kind"),
    [
        ("before", "avoid", "at_least", "from"),
        ("before", "avoid", "at_most", "from"),
        ("before", "avoid", "exact", "from"),
        ("before", "avoid", "range", "from"),
        ("before", "avoid", None, "from"),
        ("after", "avoid", "at_least", "until_at_least"),
        ("after", "avoid", "at_most", "until_at_most"),
        ("after", "avoid", "exact", "until"),
        ("after", "avoid", "range", "until"),
        ("after", "avoid", None, "until"),
        ("before", "do", "at_least", "by"),
        ("before", "do", "at_most", "not_before"),
        ("before", "do", "exact", "on"),
        ("before", "do", "range", "from"),
        ("before", "do", None, "on"),
        ("after", "do", "at_least", "until_at_least"),
        ("after", "do", "at_most", "until_at_most"),
        ("after", "do", "exact", "on"),
        ("after", "do", "range", "until"),
        ("after", "do", None, "on"),
        ("before", "ask", "at_most", "by"),
        ("before", "ask", "range", "by"),
        ("after", "ask", "exact", "on"),
    ],
)
def test_what_the_date_is_to_the_instruction(when, action, bound, kind):
    assert only(instruction(when, action, 3, "day", bound)).kind == kind


@pytest.mark.parametrize("bound", [None, "range", "exact"])
def test_without_a_number_there_is_no_date_and_the_words_stay(bound):
    line = only(instruction(bound=bound, offset_text="in the weeks before"))

    assert (line.kind, line.day, line.clock, line.words) == ("undated", None, None, "in the weeks before")


def test_a_number_keeps_the_words_beside_its_date():
    line = only(instruction(offset=1, unit="day", bound="exact", offset_text="the night before"))

    assert (line.day, line.words) == (date(2026, 3, 9), "the night before")


def test_what_is_repeated_says_how_often():
    assert only(instruction("after", "do", repeat_hours=2)).repeat_hours == 2


def test_lines_come_in_the_order_in_which_they_are_needed():
    given = [
        instruction("after", text="after, always"),
        instruction("after", offset=72, unit="hour", text="after, three days"),
        instruction("after", offset=2, unit="day", text="after, two days"),
        instruction("before", offset=1, unit="day", text="the day before"),
        instruction("before", offset=1, unit="week", text="a week before"),
        instruction("before", text="in good time"),
    ]

    lines = care.lines(given, starts_at=STARTS, ends_at=ENDS, zone=LONDON)

    assert [line.text for line in lines] == [
        "in good time",
        "a week before",
        "the day before",
        "after, two days",
        "after, three days",
        "after, always",
    ]


@pytest.mark.parametrize(
    ("given", "now", "over"),
    [
        pytest.param(("after", 2, "day"), datetime(2026, 3, 12, 23, 59, tzinfo=UTC), False, id="on its last day"),
        pytest.param(("after", 2, "day"), datetime(2026, 3, 13, 0, 0, tzinfo=UTC), True, id="the day after"),
        pytest.param(("after", 48, "hour"), datetime(2026, 3, 12, 11, 15, tzinfo=UTC), False, id="to the minute"),
        pytest.param(("after", 48, "hour"), datetime(2026, 3, 12, 11, 16, tzinfo=UTC), True, id="a minute later"),
        pytest.param(("after", None, None), datetime(2027, 3, 12, tzinfo=UTC), False, id="without a date"),
        pytest.param(("before", 2, "day"), datetime(2026, 3, 20, tzinfo=UTC), False, id="before the visit"),
    ],
)
def test_what_is_over(given, now, over):
    when, offset, unit = given
    line = only(instruction(when, offset=offset, unit=unit))

    assert care.is_over(line, now=now, zone=LONDON) == over
