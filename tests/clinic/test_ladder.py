"""When a reminder is sent: on the patient's own clock, never at night, in five zones and across clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic import ladder

ZONES = ["Europe/London", "America/New_York", "Australia/Sydney", "Pacific/Auckland", "Asia/Kolkata"]


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def shown(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        pytest.param("2026-06-10 08:59", "2026-06-10 09:00", id="just before the morning"),
        pytest.param("2026-06-10 09:00", "2026-06-10 09:00", id="the morning's first instant"),
        pytest.param("2026-06-10 19:59", "2026-06-10 19:59", id="the evening's last minute"),
        pytest.param("2026-06-10 20:00", "2026-06-11 09:00", id="the evening's end"),
        pytest.param("2026-06-10 00:00", "2026-06-10 09:00", id="midnight"),
        pytest.param("2026-12-31 23:30", "2027-01-01 09:00", id="over the new year"),
        pytest.param("2028-02-28 21:00", "2028-02-29 09:00", id="into a leap day"),
    ],
)
def test_quiet_hours_end_at_nine_on_the_patients_clock(zone, at, allowed):
    assert shown(ladder.next_allowed(local(at, zone), ZoneInfo(zone)), zone) == allowed


@pytest.mark.parametrize(
    ("zone", "at", "allowed"),
    [
        pytest.param("Europe/London", "2026-03-28 21:00", "2026-03-29T08:00", id="London, an hour lost"),
        pytest.param("Europe/London", "2026-10-24 21:00", "2026-10-25T09:00", id="London, an hour gained"),
        pytest.param("America/New_York", "2026-03-07 21:00", "2026-03-08T13:00", id="New York, an hour lost"),
        pytest.param("America/New_York", "2026-10-31 21:00", "2026-11-01T14:00", id="New York, an hour gained"),
        pytest.param("Australia/Sydney", "2026-10-03 21:00", "2026-10-03T22:00", id="Sydney, an hour lost"),
        pytest.param("Australia/Sydney", "2026-04-04 21:00", "2026-04-04T23:00", id="Sydney, an hour gained"),
        pytest.param("Pacific/Auckland", "2026-09-26 21:00", "2026-09-26T20:00", id="Auckland, an hour lost"),
        pytest.param("Pacific/Auckland", "2026-04-04 21:00", "2026-04-04T21:00", id="Auckland, an hour gained"),
        pytest.param("Europe/Berlin", "2026-03-29 01:59", "2026-03-29T07:00", id="Berlin, the minute before"),
        pytest.param("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T08:00", id="Berlin, the doubled hour"),
    ],
)
def test_quiet_hours_in_the_night_of_a_clock_change(zone, at, allowed):
    assert ladder.next_allowed(local(at, zone), ZoneInfo(zone)) == datetime.fromisoformat(allowed).replace(tzinfo=UTC)


instants = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(at=instants, zone=st.sampled_from(ZONES))
def test_whatever_the_instant_what_is_allowed_is_not_quiet_and_not_sooner_and_not_a_night_later(at, zone):
    allowed = ladder.next_allowed(at, ZoneInfo(zone))

    assert not ladder.is_quiet(allowed, ZoneInfo(zone))
    assert at <= allowed <= at + timedelta(hours=14)
    assert ladder.next_allowed(allowed, ZoneInfo(zone)) == allowed


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("start", "days", "now", "sent"),
    [
        pytest.param("2026-06-10 14:30", -1, "2026-06-08 12:00", "2026-06-09 14:30", id="at the hour of the visit"),
        pytest.param("2026-06-10 14:30", -3, "2026-06-01 12:00", "2026-06-07 14:30", id="three days before"),
        pytest.param("2026-06-10 08:30", -1, "2026-06-08 12:00", "2026-06-08 19:00", id="early visit: evening before"),
        pytest.param("2026-06-10 20:30", -1, "2026-06-08 12:00", "2026-06-09 19:00", id="late visit: same evening"),
        pytest.param("2026-06-10 08:30", -1, "2026-06-08 19:20", "2026-06-08 19:20", id="the evening is not over"),
        pytest.param("2026-06-10 08:30", -1, "2026-06-08 20:00", "2026-06-09 09:00", id="the evening is over"),
        pytest.param("2026-06-10 14:30", -1, "2026-06-09 16:00", "2026-06-09 16:00", id="late, and still daytime"),
        pytest.param("2026-06-10 14:30", -1, "2026-06-09 22:00", "2026-06-10 09:00", id="late, and night"),
    ],
)
def test_a_visit_is_reminded_of_by_day(zone, start, days, now, sent):
    when = ladder.visit_reminder(local(start, zone), days, ZoneInfo(zone), now=local(now, zone))

    assert shown(when, zone) == sent


@pytest.mark.parametrize(
    ("zone", "start", "sent"),
    [
        pytest.param("Europe/London", "2026-03-29 14:30", "2026-03-28 14:30", id="London, spring"),
        pytest.param("Europe/London", "2026-10-25 14:30", "2026-10-24 14:30", id="London, autumn"),
        pytest.param("America/New_York", "2026-03-08 14:30", "2026-03-07 14:30", id="New York, spring"),
        pytest.param("Australia/Sydney", "2026-10-04 14:30", "2026-10-03 14:30", id="Sydney, spring"),
        pytest.param("Pacific/Auckland", "2026-04-05 14:30", "2026-04-04 14:30", id="Auckland, autumn"),
        pytest.param("Asia/Kolkata", "2026-03-29 14:30", "2026-03-28 14:30", id="Kolkata, where clocks stay"),
    ],
)
def test_a_day_before_is_the_same_hour_across_a_clock_change(zone, start, sent):
    long_before = local("2026-01-01 12:00", zone)

    assert shown(ladder.visit_reminder(local(start, zone), -1, ZoneInfo(zone), now=long_before), zone) == sent


@given(start=instants, zone=st.sampled_from(ZONES), days=st.integers(-5, -1))
def test_a_visit_is_never_reminded_of_sooner_than_the_search_for_it_begins(start, zone, days):
    long_before = start - timedelta(days=30)
    when = ladder.visit_reminder(start, days, ZoneInfo(zone), now=long_before)

    assert start + timedelta(days=days) - ladder.USUAL.may_move_earlier <= when < start
    assert not ladder.is_quiet(when, ZoneInfo(zone))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("due", "days", "now", "sent"),
    [
        pytest.param("2026-06-29", -28, "2026-05-31 12:00", "2026-06-01 09:00", id="four weeks before, at nine"),
        pytest.param("2026-06-01", 0, "2026-06-01 11:00", "2026-06-01 11:00", id="on the day, later"),
        pytest.param("2026-06-01", 0, "2026-06-01 21:00", "2026-06-02 09:00", id="not that night"),
        pytest.param("2026-03-29", 0, "2026-03-28 21:00", "2026-03-29 09:00", id="on the day of a clock change"),
        pytest.param("2026-10-25", 28, "2026-10-01 12:00", "2026-11-22 09:00", id="four weeks after"),
    ],
)
def test_maintenance_is_reminded_of_on_its_day(zone, due, days, now, sent):
    when = ladder.day_reminder(date.fromisoformat(due), days, ZoneInfo(zone), now=local(now, zone))

    assert shown(when, zone) == sent


@pytest.mark.parametrize(
    ("steps", "closing"),
    [
        pytest.param([(-3, 1), (-1, 1)], {-3: -2, -1: 0}, id="stale before the next"),
        pytest.param([(-3, 7), (-1, 7)], {-3: -1, -1: 6}, id="over when the next begins"),
        pytest.param([(28, 7), (-28, 7), (0, 60)], {-28: -21, 0: 28, 28: 35}, id="in any order"),
        pytest.param([], {}, id="no step"),
    ],
)
def test_a_step_is_over_when_it_is_stale_or_the_next_begins(steps, closing):
    assert ladder.closing_days(steps) == closing


def test_no_reminder_of_a_visit_in_its_last_two_hours():
    start = local("2026-06-10 14:30", "Europe/London")

    assert ladder.keeps_until(start, 6) == start - timedelta(hours=2)
    assert ladder.keeps_until(start, -2) == start - timedelta(days=2)


def test_retries_wait_longer_and_end():
    waits = [ladder.retry_after(attempt) for attempt in range(1, 7)]

    assert waits == [timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60)] + [None]


def test_a_clinic_may_have_other_quiet_hours():
    quiet = ladder.Quiet(time(21, 30), time(8))

    def at(text):
        return local(text, "Europe/London")

    assert not ladder.is_quiet(at("2026-06-10 21:29"), ZoneInfo("Europe/London"), quiet)
    assert ladder.is_quiet(at("2026-06-10 21:30"), ZoneInfo("Europe/London"), quiet)
    assert not ladder.is_quiet(at("2026-06-10 08:00"), ZoneInfo("Europe/London"), quiet)
    starts = at("2026-06-12 07:00")
    reminder = ladder.visit_reminder(starts, -1, ZoneInfo("Europe/London"), now=at("2026-06-10 10:00"), quiet=quiet)
    assert shown(reminder, "Europe/London") == "2026-06-10 20:30"
    assert starts - timedelta(days=1) - reminder <= quiet.may_move_earlier == timedelta(hours=12, minutes=30)
