from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from clinic import walltime

BERLIN, NEW_YORK, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
SAO_PAULO, CAIRO = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Africa/Cairo")


@pytest.mark.parametrize(
    ("day", "clock", "zone", "expected"),
    [
        pytest.param(date(2026, 1, 15), time(9), BERLIN, "2026-01-15T08:00", id="winter"),
        pytest.param(date(2026, 7, 15), time(9), BERLIN, "2026-07-15T07:00", id="summer"),
        pytest.param(date(2026, 3, 29), time(3), BERLIN, "2026-03-29T01:00", id="just after the gap"),
        pytest.param(date(2026, 10, 25), time(2, 30), BERLIN, "2026-10-25T00:30", id="shown twice: the first"),
        pytest.param(date(2026, 11, 1), time(1, 30), NEW_YORK, "2026-11-01T05:30", id="shown twice in New York"),
        pytest.param(date(2026, 7, 15), time(0, 15), BERLIN, "2026-07-14T22:15", id="another date in UTC"),
        pytest.param(date(2026, 10, 4), time(2, 30), LORD_HOWE, "2026-10-03T15:30", id="a gap of half an hour"),
    ],
)
def test_local_time_becomes_an_instant(day, clock, zone, expected):
    assert walltime.instant(day, clock, zone) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "clock", "zone"),
    [
        pytest.param(date(2026, 3, 29), time(2, 30), BERLIN, id="Berlin"),
        pytest.param(date(2026, 3, 8), time(2), NEW_YORK, id="New York, first minute of the gap"),
        pytest.param(date(2026, 10, 4), time(2, 15), LORD_HOWE, id="Lord Howe, half an hour"),
        pytest.param(date(2017, 10, 15), time(0, 30), SAO_PAULO, id="Sao Paulo, midnight itself"),
    ],
)
def test_a_time_that_the_clocks_skip_is_refused(day, clock, zone):
    with pytest.raises(walltime.NonexistentTime, match="does not exist"):
        walltime.instant(day, clock, zone)


def test_a_time_shown_twice_is_known_as_such():
    assert walltime.happens_twice(date(2026, 10, 25), time(2, 30), BERLIN)
    assert not walltime.happens_twice(date(2026, 10, 25), time(3), BERLIN)


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        pytest.param(date(2026, 3, 29), BERLIN, (datetime(2026, 3, 29, 1, tzinfo=UTC), 120), id="forward"),
        pytest.param(date(2026, 10, 25), BERLIN, (datetime(2026, 10, 25, 1, tzinfo=UTC), 60), id="back"),
        pytest.param(date(2026, 4, 5), LORD_HOWE, (datetime(2026, 4, 4, 15, tzinfo=UTC), 630), id="by half an hour"),
        pytest.param(date(2026, 4, 24), CAIRO, None, id="at midnight: the whole day has one offset"),
        pytest.param(date(2026, 6, 1), BERLIN, None, id="an ordinary day"),
    ],
)
def test_when_the_clocks_change(day, zone, expected):
    found = walltime.change_on(day, zone)

    assert found == (expected and (walltime.to_minutes(expected[0]), expected[1]))


def test_a_day_whose_midnight_is_skipped_begins_at_its_first_instant():
    assert walltime.midnight(date(2017, 10, 15), SAO_PAULO) == datetime(2017, 10, 15, 3, tzinfo=UTC)
