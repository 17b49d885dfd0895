import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treatments.rules import Due, Window, add, due, opens, window_after
from treatments.terms import MaintenanceRule, Spacing


def day(iso):
    return date.fromisoformat(iso)


def every(n, m, unit, *, kind="every"):
    return MaintenanceRule(kind=kind, min=n, max=m, unit=unit)


def times_a_year(n, *, at_least=False):
    return MaintenanceRule(kind="per_year", times_per_year=n, at_least=at_least)


FOUR_TO_SIX_WEEKS = Spacing(min=4, ideal=None, max=6, unit="week")
MONTHLY = Spacing(min=1, ideal=None, max=1, unit="month")

# Forty dates; with the next table of windows and the one of due dates they are promises 17 and 18.


@pytest.mark.parametrize(
    ("anchor", "n", "unit", "expected"),
    [
        pytest.param("2026-03-02", 1, "day", "2026-03-03", id="a day"),
        pytest.param("2026-02-28", 1, "day", "2026-03-01", id="a day over the end of a short February"),
        pytest.param("2028-02-28", 1, "day", "2028-02-29", id="a day onto 29 February"),
        pytest.param("2028-02-29", 1, "day", "2028-03-01", id="a day off 29 February"),
        pytest.param("2026-12-31", 1, "day", "2027-01-01", id="a day over the year"),
        pytest.param("2026-03-28", 1, "day", "2026-03-29", id="onto the day of 23 hours"),
        pytest.param("2026-10-24", 1, "day", "2026-10-25", id="onto the day of 25 hours"),
        pytest.param("2026-03-28", 2, "day", "2026-03-30", id="over the day of 23 hours"),
        pytest.param("2026-10-24", 2, "day", "2026-10-26", id="over the day of 25 hours"),
        pytest.param("2026-03-02", 4, "week", "2026-03-30", id="four weeks are 28 days"),
        pytest.param("2026-02-01", 4, "week", "2026-03-01", id="four weeks are a month in February only"),
        pytest.param("2028-02-01", 4, "week", "2028-02-29", id="four weeks from 1 February in a leap year"),
        pytest.param("2026-12-07", 6, "week", "2027-01-18", id="six weeks over the year"),
        pytest.param("2026-01-31", 1, "month", "2026-02-28", id="31 January and a month"),
        pytest.param("2026-01-31", 2, "month", "2026-03-31", id="31 January and two months: clamping is not chained"),
        pytest.param("2026-01-31", 3, "month", "2026-04-30", id="31 January and three months"),
        pytest.param("2026-01-31", 4, "month", "2026-05-31", id="31 January and four months"),
        pytest.param("2026-01-31", 13, "month", "2027-02-28", id="31 January and thirteen months"),
        pytest.param("2026-01-30", 1, "month", "2026-02-28", id="30 January and a month"),
        pytest.param("2026-01-29", 1, "month", "2026-02-28", id="29 January and a month"),
        pytest.param("2026-01-28", 1, "month", "2026-02-28", id="28 January and a month"),
        pytest.param("2028-01-31", 1, "month", "2028-02-29", id="31 January and a month in a leap year"),
        pytest.param("2028-01-29", 1, "month", "2028-02-29", id="29 January and a month in a leap year"),
        pytest.param("2028-02-29", 1, "month", "2028-03-29", id="29 February and a month stays the 29th"),
        pytest.param("2028-02-29", 12, "month", "2029-02-28", id="29 February and a year"),
        pytest.param("2028-02-29", 48, "month", "2032-02-29", id="29 February and four years"),
        pytest.param("2096-02-29", 48, "month", "2100-02-28", id="2100 has no 29 February"),
        pytest.param("1996-02-29", 48, "month", "2000-02-29", id="2000 had a 29 February"),
        pytest.param("2026-03-31", 1, "month", "2026-04-30", id="31 March and a month"),
        pytest.param("2026-03-31", 6, "month", "2026-09-30", id="31 March and six months"),
        pytest.param("2026-08-31", 6, "month", "2027-02-28", id="31 August and six months"),
        pytest.param("2027-08-31", 6, "month", "2028-02-29", id="31 August and six months, into a leap year"),
        pytest.param("2026-10-31", 1, "month", "2026-11-30", id="31 October and a month"),
        pytest.param("2026-11-30", 1, "month", "2026-12-30", id="the last of November is not the last of December"),
        pytest.param("2026-12-31", 1, "month", "2027-01-31", id="31 December and a month"),
        pytest.param("2026-12-31", 2, "month", "2027-02-28", id="31 December and two months"),
        pytest.param("2026-12-15", 1, "month", "2027-01-15", id="a month over the year"),
        pytest.param("2026-06-30", 12, "month", "2027-06-30", id="a year"),
        pytest.param("2026-02-28", 1, "month", "2026-03-28", id="28 February and a month stays the 28th"),
        pytest.param("2026-05-20", 0, "month", "2026-05-20", id="nothing added"),
    ],
)
def test_a_day_and_so_many_units_later(anchor, n, unit, expected):
    assert add(day(anchor), n, unit) == day(expected)


def test_adding_refuses_a_unit_that_is_not_of_days():
    with pytest.raises(ValueError, match="'hour' is not a unit of days"):
        add(day("2026-03-02"), 1, "hour")


@pytest.mark.parametrize(
    ("spacing", "anchor", "earliest", "ideal", "latest"),
    [
        pytest.param(
            FOUR_TO_SIX_WEEKS, "2026-03-02", "2026-03-30", "2026-04-06", "2026-04-13", id="4 to 6 weeks: day 28 to 42"
        ),
        pytest.param(
            Spacing(4, 4, 6, "week"),
            "2026-03-02",
            "2026-03-30",
            "2026-03-30",
            "2026-04-13",
            id="the ideal as it was said",
        ),
        pytest.param(
            Spacing(3, None, 6, "day"), "2026-03-02", "2026-03-05", "2026-03-06", "2026-03-08", id="middle rounded down"
        ),
        pytest.param(MONTHLY, "2026-01-31", "2026-02-28", "2026-02-28", "2026-02-28", id="monthly is one day"),
        pytest.param(
            Spacing(1, None, 1, "month", 3), "2026-01-31", "2026-02-25", "2026-02-28", "2026-03-03", id="give or take"
        ),
        pytest.param(
            Spacing(4, None, 6, "week", 3),
            *("2026-03-02", "2026-03-30", "2026-04-06", "2026-04-13"),
            id="no tolerance on a range",
        ),
        pytest.param(
            Spacing(1, None, 1, "week", 10),
            *("2026-03-02", "2026-03-03", "2026-03-09", "2026-03-19"),
            id="tolerance never reaches back to the anchor",
        ),
        pytest.param(
            Spacing(1, 2, 3, "month"),
            "2026-12-31",
            "2027-01-31",
            "2027-02-28",
            "2027-03-31",
            id="each end clamped alone",
        ),
        pytest.param(
            Spacing(1, None, 2, "month"), "2028-01-31", "2028-02-29", "2028-03-15", "2028-03-31", id="over 29 February"
        ),
    ],
)
def test_the_window_after_a_session(spacing, anchor, earliest, ideal, latest):
    assert window_after(spacing, day(anchor)) == Window(day(earliest), day(ideal), day(latest))


@pytest.mark.parametrize(
    ("days_after", "place"),
    [
        pytest.param(27, "early", id="the day before"),
        pytest.param(28, "inside", id="the first day"),
        pytest.param(35, "inside", id="the middle"),
        pytest.param(42, "inside", id="the last day"),
        pytest.param(43, "late", id="the day after"),
    ],
)
def test_both_ends_of_four_to_six_weeks_are_inside(days_after, place):
    anchor = day("2026-03-02")
    window = window_after(FOUR_TO_SIX_WEEKS, anchor)

    assert window.place(anchor + timedelta(days=days_after)) == place
    assert (anchor + timedelta(days=days_after) in window) == (place == "inside")


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(("2026-03-09", "2026-03-02", "2026-03-16"), id="ideal before earliest"),
        pytest.param(("2026-03-02", "2026-03-17", "2026-03-16"), id="ideal after latest"),
        pytest.param(("2026-03-16", "2026-03-09", "2026-03-02"), id="backwards"),
    ],
)
def test_a_window_out_of_order_is_refused(days):
    with pytest.raises(ValueError, match="from earliest over ideal to latest"):
        Window(*map(day, days))


def test_due_days_out_of_order_are_refused():
    with pytest.raises(ValueError, match="cannot be due by 2026-03-01"):
        Due(from_=day("2026-03-02"), by=day("2026-03-01"))


@pytest.mark.parametrize(
    ("rule", "anchor", "from_", "by"),
    [
        pytest.param(every(6, 12, "month"), "2026-08-31", "2027-02-28", "2027-08-31", id="every 6 to 12 months"),
        pytest.param(
            every(12, 12, "month"), "2028-02-29", "2029-02-28", "2029-02-28", id="every year from 29 February"
        ),
        pytest.param(every(6, None, "week"), "2026-03-02", "2026-04-13", "2026-04-13", id="no maximum: one day"),
        pytest.param(
            every(1, 1, "month", kind="other_treatment"),
            "2026-01-31",
            "2026-02-28",
            "2026-02-28",
            id="another treatment",
        ),
        pytest.param(times_a_year(1), "2026-01-31", "2027-01-31", "2027-01-31", id="once a year"),
        pytest.param(times_a_year(2), "2026-08-31", "2027-02-28", "2027-02-28", id="twice a year is six months"),
        pytest.param(
            times_a_year(2, at_least=True), "2026-08-31", "2027-02-28", "2027-02-28", id="at least twice a year"
        ),
        pytest.param(times_a_year(12), "2026-01-31", "2026-02-28", "2026-02-28", id="twelve times a year is monthly"),
        pytest.param(times_a_year(5), "2026-01-01", "2026-03-15", "2026-03-15", id="five times a year is 73 days"),
        pytest.param(times_a_year(8), "2026-01-01", "2026-02-15", "2026-02-15", id="eight times a year is 45 days"),
        pytest.param(times_a_year(365), "2026-01-01", "2026-01-02", "2026-01-02", id="daily"),
    ],
)
def test_when_maintenance_is_due(rule, anchor, from_, by):
    assert due(rule, day(anchor)) == Due(from_=day(from_), by=day(by))


def test_both_numbers_of_one_rule_go_by_the_interval():
    rule = MaintenanceRule(kind="every", min=6, max=6, unit="month", times_per_year=2)

    assert due(rule, day("2026-03-02")) == Due(from_=day("2026-09-02"), by=day("2026-09-02"))


@pytest.mark.parametrize(
    ("rule", "state", "has_days"),
    [
        pytest.param(every(6, 12, "month"), "scheduled", True, id="every, with numbers"),
        pytest.param(every(None, None, "month"), "waiting", False, id="every few months, no number"),
        pytest.param(times_a_year(2), "scheduled", True, id="so many times a year"),
        pytest.param(times_a_year(None), "waiting", False, id="times a year, nobody said how many"),
        pytest.param(
            every(1, 1, "month", kind="other_treatment"), "scheduled", True, id="another treatment, with numbers"
        ),
        pytest.param(
            every(None, None, None, kind="other_treatment"), "waiting", False, id="another treatment, no number"
        ),
        pytest.param(MaintenanceRule(kind="individual"), "waiting", False, id="the clinician decides"),
        pytest.param(MaintenanceRule(kind="unspecified"), "waiting", False, id="not specified"),
        pytest.param(MaintenanceRule(kind="home_care"), None, False, id="care at home"),
        pytest.param(MaintenanceRule(kind="none"), None, False, id="none needed"),
    ],
)
def test_how_a_cycle_of_a_rule_begins(rule, state, has_days):
    assert opens(rule) == state
    assert (due(rule, day("2026-03-02")) is not None) == has_days


# --- against an oracle: days by their ordinal, months by counting them and asking the calendar for their length

days = st.dates(date(1990, 1, 1), date(2199, 12, 31))
units = st.sampled_from(["day", "week", "month"])
counts = st.integers(1, 60)


def oracle(anchor, n, unit):
    if unit != "month":
        return date.fromordinal(anchor.toordinal() + n * {"day": 1, "week": 7}[unit])
    year, month0 = divmod(anchor.year * 12 + anchor.month - 1 + n, 12)
    return date(year, month0 + 1, min(anchor.day, calendar.monthrange(year, month0 + 1)[1]))


@st.composite
def spacings(draw):
    least, ideal, most = sorted(draw(st.tuples(counts, counts, counts)))
    if draw(st.booleans()):
        most = ideal = least
    said = draw(st.sampled_from([ideal, None]))
    return Spacing(least, said, most, draw(units), draw(st.none() | st.integers(0, 40)))


@given(anchor=days, n=counts, unit=units)
def test_adding_agrees_with_the_calendar(anchor, n, unit):
    assert add(anchor, n, unit) == oracle(anchor, n, unit)


@given(anchor=days, spacing=spacings())
def test_a_window_agrees_with_the_calendar(anchor, spacing):
    first, last = (oracle(anchor, n, spacing.unit) for n in (spacing.min, spacing.max))
    # With a tolerance the days around the one day count too, but none up to the anchor.
    slack = (spacing.tolerance_days or 0) if first == last and spacing.min == spacing.max else 0
    inside = {
        day
        for ordinal in range(first.toordinal() - slack, last.toordinal() + slack + 1)
        if (day := date.fromordinal(ordinal)) > anchor
    }

    window = window_after(spacing, anchor)

    assert (window.earliest, window.latest) == (min(inside), max(inside))
    if spacing.ideal is not None:
        assert window.ideal == oracle(anchor, spacing.ideal, spacing.unit)
    else:
        before, after = (window.ideal - first).days, (last - window.ideal).days
        assert after - before in (0, 1)


@given(
    anchor=days,
    first=st.integers(0, 40),
    to_ideal=st.integers(0, 40),
    to_latest=st.integers(0, 40),
    at=st.integers(0, 130),
)
def test_every_day_has_one_place(anchor, first, to_ideal, to_latest, at):
    earliest = anchor + timedelta(days=first)
    ideal = earliest + timedelta(days=to_ideal)
    window = Window(earliest, ideal, ideal + timedelta(days=to_latest))

    place = window.place(anchor + timedelta(days=at))

    assert place == ("early" if at < first else "late" if at > first + to_ideal + to_latest else "inside")


@given(anchor=days, n=st.integers(1, 365))
def test_n_times_a_year_is_never_more_than_a_year_away_nor_too_often(anchor, n):
    when = due(times_a_year(n), anchor)

    assert when.from_ == when.by
    assert anchor < when.from_ <= oracle(anchor, 12, "month")
    if 12 % n:
        assert n * (when.from_ - anchor).days <= 365 < n * ((when.from_ - anchor).days + 1)
    else:
        assert when.from_ == oracle(anchor, 12 // n, "month")
