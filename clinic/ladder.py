"""When a reminder is owed, and when it may be sent: instants in, instants out.

Nobody is written to at night: there are quiet hours on the patient's own clock. Reminders of maintenance and of care
before a visit are for the day; reminders of visits are for an hour, and move earlier where that hour is quiet; care
after a visit counts from its end, and moves later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import zip_longest
from zoneinfo import ZoneInfo

from clinic.walltime import instant

# A reminder that moves to the evening before leaves this long before the quiet hours, so that a late minute is not one
# too many.
EVENING = timedelta(hours=1)
# A visit is not worth a reminder when it is nearer than this.
LAST_WORD = timedelta(hours=2)
# What a clock change can add to it.
CLOCK_CHANGE = timedelta(hours=1)
# Nowhere on earth does a day begin earlier than this before it begins in UTC.
EARLIEST_ZONE = timedelta(hours=14)

# To one patient go at most one reminder a day and three in seven days.
WEEK = timedelta(days=7)
MOST_IN_A_WEEK = 3

RETRIES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60))


@dataclass(frozen=True, slots=True)
class Quiet:
    """The hours in which nobody is written to: from an evening until the next morning."""

    from_: time = time(20)
    until: time = time(9)

    @property
    def may_move_earlier(self) -> timedelta:
        """How much sooner than its days say a reminder can be due: to the evening before a quiet hour."""
        return timedelta(days=1) - (_on_a_day(self.from_) - _on_a_day(self.until)) + EVENING + CLOCK_CHANGE


def _on_a_day(clock: time) -> datetime:
    return datetime.combine(date.min, clock)


USUAL = Quiet()


def is_quiet(at: datetime, zone: ZoneInfo, quiet: Quiet = USUAL) -> bool:
    """Whether `at` lies in the quiet hours: the evening's first instant does, the morning's end does not."""
    clock = at.astimezone(zone).time()
    return clock >= quiet.from_ or clock < quiet.until


def next_allowed(at: datetime, zone: ZoneInfo, quiet: Quiet = USUAL) -> datetime:
    """The first instant from `at` on that is not in the quiet hours; an aware datetime in UTC."""
    if not is_quiet(at, zone, quiet):
        return at.astimezone(UTC)
    local = at.astimezone(zone)
    day = local.date() + timedelta(days=1 if local.time() >= quiet.from_ else 0)
    return instant(day, quiet.until, zone)


def morning_of(day: date, offset_days: int, zone: ZoneInfo, quiet: Quiet = USUAL) -> datetime:
    """When the quiet hours of a step's day are over; `offset_days` from the day that is counted from."""
    return instant(day + timedelta(days=offset_days), quiet.until, zone)


def day_reminder(day: date, offset_days: int, zone: ZoneInfo, *, now: datetime, quiet: Quiet = USUAL) -> datetime:
    """When to say what is for a day and for no hour, from `now` on: maintenance, care before a visit, its result."""
    return next_allowed(max(morning_of(day, offset_days, zone, quiet), now), zone, quiet)


def aftercare(ends_at: datetime, offset_days: int, zone: ZoneInfo, *, now: datetime, quiet: Quiet = USUAL) -> datetime:
    """When to say what is to be done after a visit: so many times 24 hours after its end, and never earlier."""
    return next_allowed(max(ends_at + timedelta(days=offset_days), now), zone, quiet)


def visit_reminder(
    starts_at: datetime, offset_days: int, zone: ZoneInfo, *, now: datetime, quiet: Quiet = USUAL
) -> datetime:
    """When to remind of a visit, from `now` on.

    At the hour of the visit, so many days before. Where that hour is quiet: the evening before it, if that is not over
    yet, else the morning after it, which may be too late (see `keeps_until`).
    """
    # Adding days to a local time keeps the clock and not the instant: the same hour across a clock change.
    hour = starts_at.astimezone(zone) + timedelta(days=offset_days)
    if is_quiet(hour, zone, quiet):
        evening = _evening_before(hour, zone, quiet)
        hour = evening if now < evening + EVENING else next_allowed(hour, zone, quiet)
    return next_allowed(max(hour, now), zone, quiet)


def next_reminder(sent: Sequence[datetime], zone: ZoneInfo, *, now: datetime, quiet: Quiet = USUAL) -> datetime:
    """When the next reminder may go to a patient who was sent some then; `now` where it may go at once.

    One a day on the patient's own calendar, and `MOST_IN_A_WEEK` in any seven days.
    """
    at = now
    if any(before.astimezone(zone).date() >= now.astimezone(zone).date() for before in sent):
        at = instant(now.astimezone(zone).date() + timedelta(days=1), quiet.until, zone)
    of_late = sorted(before for before in sent if before > at - WEEK)
    if len(of_late) >= MOST_IN_A_WEEK:
        at = max(at, of_late[-MOST_IN_A_WEEK] + WEEK)
    return at if at == now else next_allowed(at, zone, quiet)


def _evening_before(hour: datetime, zone: ZoneInfo, quiet: Quiet) -> datetime:
    local = hour.astimezone(zone)
    day = local.date() - timedelta(days=0 if local.time() >= quiet.from_ else 1)
    return instant(day, quiet.from_, zone) - EVENING


def keeps_until(starts_at: datetime, closes_days: int) -> datetime:
    """The last instant at which a reminder of a visit is worth sending; a rung closes `closes_days` from the start."""
    return starts_at + min(timedelta(days=closes_days), -LAST_WORD)


def closing_days(steps: Iterable[tuple[int, int]]) -> dict[int, int]:
    """For each step, given as (offset, stale after) in days, the offset from which it is not sent any more.

    A step is over when it is stale, and at the latest when the next one begins: after an outage a patient hears the
    last word, not all of them.
    """
    in_order = sorted(steps)
    return {
        offset: offset + stale if following is None else min(offset + stale, following[0])
        for (offset, stale), following in zip_longest(in_order, in_order[1:])
    }


def retry_after(attempts: int) -> timedelta | None:
    """How long to wait after the n-th attempt that the provider put off; None: give up."""
    return RETRIES[attempts - 1] if attempts <= len(RETRIES) else None
