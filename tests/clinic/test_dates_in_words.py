"""What people type for a day or a time, and what it means."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.dates_in_words import NotUnderstood, parse_day, parse_time, written, written_time

TODAY = date(2026, 1, 31)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("t", "2026-01-31"),
        ("Today", "2026-01-31"),
        ("tomorrow", "2026-02-01"),
        ("yesterday", "2026-01-30"),
        ("+1d", "2026-02-01"),
        ("+2w", "2026-02-14"),
        ("+ 2 W", "2026-02-14"),
        ("-1w", "2026-01-24"),
        ("+1m", "2026-02-28"),
        ("+3m", "2026-04-30"),
        ("-1m", "2025-12-31"),
        ("+1y", "2027-01-31"),
        ("2026-03-02", "2026-03-02"),
        ("3.2.2026", "2026-02-03"),
        ("3/2/2026", "2026-02-03"),
        ("3.2.26", "2026-02-03"),
        ("3.2.", "2026-02-03"),
        ("3/2", "2026-02-03"),
        ("3 mar", "2026-03-03"),
        ("3mar", "2026-03-03"),
        ("3. march", "2026-03-03"),
        ("3 March 2025", "2025-03-03"),
        ("mar 3", "2026-03-03"),
        ("March 3, 2025", "2025-03-03"),
        ("  3   sept ", "2026-09-03"),
        ("Morgen", "2026-02-01"),
        ("3. März", "2026-03-03"),
        ("3 mär", "2026-03-03"),
        ("5. Dez. 2026", "2026-12-05"),
        pytest.param("sat", "2026-01-31", id="a weekday may be today"),
        pytest.param("fri", "2026-02-06", id="the next Friday"),
        pytest.param("Mi", "2026-02-04", id="Wednesday, as it is short in German"),
        pytest.param("Donnerstag", "2026-02-05", id="Thursday, in German"),
        pytest.param("31 jan", "2026-01-31", id="a day without a year may be today"),
        pytest.param("30 jan", "2027-01-30", id="what is past is meant for next year"),
        pytest.param("29 feb", "2028-02-29", id="the next year that has the day"),
    ],
)
def test_a_day_is_understood(typed, meant):
    assert parse_day(typed, today=TODAY) == date.fromisoformat(meant)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        pytest.param("30 jan", "2026-01-30", id="this year's"),
        pytest.param("31 jan", "2026-01-31", id="today"),
        pytest.param("1 feb", "2025-02-01", id="what is ahead is meant for last year"),
        pytest.param("29.2.", "2024-02-29", id="the last year that had the day"),
        pytest.param("-1w", "2026-01-24", id="from today all the same"),
        pytest.param("1 feb 2027", "2027-02-01", id="a year that is named counts"),
        pytest.param("sat", "2026-01-31", id="a weekday may be today then too"),
        pytest.param("fri", "2026-01-30", id="the last Friday"),
        pytest.param("sun", "2026-01-25", id="the last Sunday, not tomorrow"),
    ],
)
def test_of_what_has_happened_the_last_such_day_is_meant(typed, meant):
    assert parse_day(typed, today=TODAY, past=True) == date.fromisoformat(meant)


@given(day=st.dates(date(2000, 1, 1), date(2100, 12, 31)), today=st.dates(date(2020, 1, 1), date(2040, 12, 31)))
def test_a_day_as_it_is_written_is_understood_on_any_day(day, today):
    assert parse_day(written(day), today=today) == day
    assert parse_day(written(day), today=today, past=True) == day


@given(clock=st.times().map(lambda clock: clock.replace(second=0, microsecond=0)))
def test_a_time_as_it_is_written_is_understood(clock):
    assert parse_time(written_time(clock)) == clock


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "soon",
        "31 feb",
        "30.2.",
        "0 mar",
        "13/13",
        "3 m",
        "3 marx",
        "+2",
        "2w",
        "+9999y",
        "-9999d",
        "1999-12-31",
        "2101-01-01",
        "2026-1",
        "٣ mar",
        "٢٠٢٦-٠٣-٠١",
    ],
)
def test_what_names_no_day_is_refused(typed):
    with pytest.raises(NotUnderstood):
        parse_day(typed, today=TODAY)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("9.30", time(9, 30)),
        ("9:30", time(9, 30)),
        ("9h30", time(9, 30)),
        ("9 30", time(9, 30)),
        ("930", time(9, 30)),
        ("0930", time(9, 30)),
        ("1430", time(14, 30)),
        ("9", time(9)),
        ("9am", time(9)),
        ("12 am", time(0)),
        ("12pm", time(12)),
        ("2.15 pm", time(14, 15)),
        (" 14:05 ", time(14, 5)),
    ],
)
def test_a_time_is_understood(typed, meant):
    assert parse_time(typed) == meant


@pytest.mark.parametrize("typed", ["", "noon", "25", "9.60", "9.3", "13pm", "0am", "9:30:00", "-9"])
def test_what_names_no_time_is_refused(typed):
    with pytest.raises(NotUnderstood):
        parse_time(typed)
