"""Between the wall clock of a site and instants. The one place where local time becomes an instant.

Pure. An instant is an aware datetime, or an int: minutes since the Unix epoch, UTC.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE = 60
MINUTES_IN_A_DAY = 24 * 60


class NonexistentTime(ValueError):
    """The clocks skip this time on this day."""


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which clocks in `zone` show `clock` on `day`.

    Where they show it twice it is the first. Raises NonexistentTime where they never do.
    """
    local = datetime.combine(day, clock, tzinfo=zone)
    if not _is_shown(local):
        raise NonexistentTime(f"{clock:%H:%M} does not exist on {day:%d %B %Y}: the clocks go forward.")
    return local.astimezone(UTC)


def _is_shown(local: datetime) -> bool:
    """Whether clocks ever show this local time: what they skip comes back from UTC as another."""
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)


def happens_twice(day: date, clock: time, zone: ZoneInfo) -> bool:
    """Whether clocks in `zone` show `clock` twice on `day`, because they go back."""
    first = datetime.combine(day, clock, tzinfo=zone)
    return first.astimezone(UTC) < first.replace(fold=1).astimezone(UTC) and _is_shown(first)


def clock_minutes(day: date, clock: time, zone: ZoneInfo) -> int:
    """When hours that are to begin or end at `clock` do so, in minutes since the epoch.

    A time that the clocks skip counts as if they had not changed yet, so that hours are never refused.
    """
    return to_minutes(datetime.combine(day, clock, tzinfo=zone))


def to_minutes(moment: datetime) -> int:
    """Minutes since the epoch; seconds are dropped."""
    return int(moment.timestamp()) // MINUTE


def from_minutes(minutes: int) -> datetime:
    return datetime.fromtimestamp(minutes * MINUTE, UTC)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, also where its midnight is skipped."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def offset_minutes(moment: datetime, zone: ZoneInfo) -> int:
    """How far local time is ahead of UTC, in minutes."""
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) // MINUTE


def change_on(day: date, zone: ZoneInfo) -> tuple[int, int] | None:
    """On a day when the clocks change: the minute since the epoch of the change, and the offset from then on."""
    first, past = to_minutes(midnight(day, zone)), to_minutes(midnight(day + timedelta(days=1), zone))
    before, after = offset_minutes(from_minutes(first), zone), offset_minutes(from_minutes(past), zone)
    if before == after:
        return None
    while past - first > 1:
        middle = (first + past) // 2
        if offset_minutes(from_minutes(middle), zone) == before:
            first = middle
        else:
            past = middle
    return past, after
