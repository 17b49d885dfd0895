"""What is known of a site's time over some days: rows in, the planner's diary out, in a constant number of queries."""

import sys
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta
from functools import cache, reduce
from operator import or_
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Aggregate, BinaryField, Func, IntegerField, Q

from clinic import availability, walltime
from clinic.availability import DAY_MINUTES, EPOCH, Day, Diary, Spans
from clinic.models import Absence, Appointment, Claim, Resource, ResourceKind, Site, WorkingHours
from patients.models import Patient
from treatments.models import Treatment

# How far ahead the clinic plans, in days. Sessions whose window opens later stay to be booked.
HORIZON = settings.PLANNING_HORIZON_DAYS
DAY = timedelta(days=1)


class EpochMinute(Func):
    """Minutes since the epoch: a number is read many times faster than a timestamp.

    By date_part, because extract computes with numeric, which takes four times as long.
    """

    template = "floor(date_part('epoch', %(expressions)s) / 60)::int"
    output_field = IntegerField()


class EpochMinuteUp(EpochMinute):
    """Rounded up, so that an end that is not on a whole minute still covers its last seconds."""

    template = "ceil(date_part('epoch', %(expressions)s) / 60)::int"


class Packed(Aggregate):
    """The numbers of a group as bytes: an array of them takes as long to take apart as to find."""

    template = "string_agg(int4send(%(expressions)s), '')"
    output_field = BinaryField()


def _unpacked(numbers: bytes) -> array:
    found = array("i", bytes(numbers))
    if sys.byteorder == "little":
        found.byteswap()
    return found


def last_day(today: date) -> date:
    return today + timedelta(days=HORIZON)


def read(
    *,
    site: Site,
    treatment: Treatment,
    first: date,
    last: date,
    patient: Patient | None = None,
    now: datetime | None = None,
    without: Iterable[Appointment] = (),
    on: Collection[date] | None = None,
) -> Diary:
    """The diary of `site` from `first` to `last`, both included, for those who may give `treatment`.

    Nothing is free before `now`. The time of the appointments in `without` counts as free, as when they are moved.
    Where `on` is given only those days are read, and the others count as closed.
    """
    zone = site.time_zone
    days = _days(site, first, last, on)
    start, end = walltime.midnight(first, zone), walltime.midnight(last + DAY, zone)
    parts = [(start, end)]
    if on is not None:
        wanted = [day for day in on if first <= day <= last]
        parts = [(walltime.midnight(day, zone), walltime.midnight(day + DAY, zone)) for day in wanted]
    leaving = [appointment.pk for appointment in without]

    working = _working(site, treatment, days)
    resources = list(
        Resource.objects.in_use()
        .filter(Q(pk__in=list(working)) | Q(kind__in=[ResourceKind.ROOM, ResourceKind.DEVICE], site=site))
        .order_by("name", "pk")
        .values_list("pk", "kind", "device_kind__name")
    )
    keys = [key for key, _kind, _device_kind in resources]
    away = _away(keys, start, end)
    busy = _busy(keys, parts, leaving, away)

    practitioners, rooms, devices = [], [], defaultdict(list)
    for key, kind, device_kind in resources:
        taken = busy.get(key, availability.NEVER)
        if kind == ResourceKind.PRACTITIONER:
            absent = availability.spans(*away[key]) if key in away else availability.NEVER
            practitioners.append(availability.Resource(id=key, busy=taken, working=working[key], away=absent))
        elif kind == ResourceKind.ROOM:
            rooms.append(availability.Resource(id=key, busy=taken))
        else:
            devices[device_kind].append(availability.Resource(id=key, busy=taken))
    return Diary(
        days=days,
        practitioners=tuple(practitioners),
        rooms=tuple(rooms),
        devices={kind: tuple(found) for kind, found in devices.items()},
        patient=availability.Resource("patient", busy=_patient_busy(patient, start, end, now, leaving)),
    )


def _days(site: Site, first: date, last: date, on: Collection[date] | None) -> tuple[Day, ...]:
    """Opening hours less closures, day by day."""
    zone = site.time_zone
    hours = defaultdict(list)
    for weekday, opens, closes in site.opening_hours.order_by().values_list("weekday", "opens", "closes"):
        hours[weekday].append((opens, closes))
    closures = [
        (walltime.to_minutes(shut), _minutes_up(reopens), reason)
        for shut, reopens, reason in site.closures.filter(
            ends_at__gt=walltime.midnight(first, zone),
            starts_at__lt=walltime.midnight(last + DAY, zone),
        ).values_list("starts_at", "ends_at", "reason")
    ]
    days = []
    next_begins = walltime.to_minutes(walltime.midnight(first, zone))
    for number in range(first.toordinal(), last.toordinal() + 1):
        day, begins = date.fromordinal(number), next_begins
        next_begins = walltime.to_minutes(walltime.midnight(day + DAY, zone))
        offset, change = (number - EPOCH) * DAY_MINUTES - begins, None
        # The zone is asked for more only on a day that is longer or shorter than others: twice a year.
        if next_begins - begins != DAY_MINUTES:
            offset, change = walltime.offset_minutes(walltime.from_minutes(begins), zone), walltime.change_on(day, zone)
        opening = [
            (_minute(day, opens, offset, change, zone), _minute(day, closes, offset, change, zone))
            for opens, closes in (hours[day.weekday()] if on is None or day in on else ())
        ]
        left = tuple(_less(opening, closures))
        names = [name for shut, reopens, name in closures if any(a < reopens and shut < b for a, b in opening)]
        days.append(Day(day, left, offset=offset, change=change, closed=", ".join(names) if opening else ""))
    return tuple(days)


def _minute(day: date, clock: time, offset: int, change: tuple[int, int] | None, zone: ZoneInfo) -> int:
    """A clock time of a day as minutes since the epoch; `offset` and `change` are the day's."""
    if change is None:
        return (day.toordinal() - EPOCH) * DAY_MINUTES - offset + clock.hour * 60 + clock.minute
    return walltime.clock_minutes(day, clock, zone)


def _less(opening: list[tuple[int, int]], closures: list[tuple[int, int, str]]) -> list[tuple[int, int]]:
    for shut, reopens, _name in closures:
        opening = [
            part
            for opens, closes in opening
            for part in ((opens, min(closes, shut)), (max(opens, reopens), closes))
            if part[0] < part[1]
        ]
    return sorted(opening)


def _minutes_up(moment: datetime) -> int:
    """Minutes since the epoch; a minute that has begun counts."""
    return -(-int(moment.timestamp()) // walltime.MINUTE)


def _away(keys: list[int], start: datetime, end: datetime) -> dict[int, tuple[array, array]]:
    """Absences of each resource: starts and ends."""
    found: dict[int, tuple[array, array]] = {}
    absences = Absence.objects.filter(resource__in=keys, starts_at__lt=end, ends_at__gt=start)
    for key, begins, finishes in absences.values_list("resource", "starts_at", "ends_at"):
        starts, ends = found.setdefault(key, (array("i"), array("i")))
        starts.append(walltime.to_minutes(begins))
        ends.append(_minutes_up(finishes))
    return found


def _busy(
    keys: list[int],
    parts: list[tuple[datetime, datetime]],
    leaving: list[int],
    away: dict[int, tuple[array, array]],
) -> dict[int, Spans]:
    """Absences of each resource, and its claims in some parts of the time, at the cost of the numbers alone."""
    # A claim is never longer than a day: with this bound the index alone finds the first one.
    in_parts = [Q(starts_at__gt=begins - DAY, starts_at__lt=ends, ends_at__gt=begins) for begins, ends in parts]
    claims = Claim.objects.filter(reduce(or_, in_parts, Q(pk__in=[])), resource__in=keys)
    if leaving:
        claims = claims.exclude(appointment__in=leaving)
    found = {
        key: (_unpacked(starts), _unpacked(ends))
        for key, starts, ends in claims.order_by()
        .values("resource")
        .annotate(starts=Packed(EpochMinute("starts_at")), ends=Packed(EpochMinuteUp("ends_at")))
        .values_list("resource", "starts", "ends")
    }
    for key, (begins, finishes) in away.items():
        starts, ends = found.setdefault(key, (array("i"), array("i")))
        starts.extend(begins)
        ends.extend(finishes)
    return {key: availability.spans(starts, ends) for key, (starts, ends) in found.items()}


def _working(site: Site, treatment: Treatment, days: tuple[Day, ...]) -> dict[int, Spans]:
    """When those who may give `treatment` work at the site; whoever never does is not among them."""
    by_weekday = defaultdict(list)
    for day in days:
        if day.opening:
            by_weekday[day.date.weekday()].append(day)

    @cache
    def each(weekday: int, clock: time) -> list[int]:
        return [_minute(day.date, clock, day.offset, day.change, site.time_zone) for day in by_weekday[weekday]]

    found: dict[int, tuple[list[int], list[int]]] = {}
    rows = WorkingHours.objects.filter(
        site=site, resource__kind=ResourceKind.PRACTITIONER, resource__treatments=treatment
    ).order_by()
    for key, weekday, starts, ends, valid_from, valid_until in rows.values_list(
        "resource", "weekday", "starts", "ends", "valid_from", "valid_until"
    ):
        begins, finishes = found.setdefault(key, ([], []))
        for day, start, end in zip(by_weekday[weekday], each(weekday, starts), each(weekday, ends), strict=True):
            if (valid_from is None or valid_from <= day.date) and (valid_until is None or day.date <= valid_until):
                begins.append(start)
                finishes.append(end)
    return {key: availability.spans(starts, ends) for key, (starts, ends) in found.items()}


def _patient_busy(
    patient: Patient | None, start: datetime, end: datetime, now: datetime | None, leaving: list[int]
) -> Spans:
    starts, ends = [], []
    if now is not None and now > start:
        starts.append(walltime.to_minutes(start))
        ends.append(walltime.to_minutes(now) + 1)
    if patient is not None:
        visits = Appointment.objects.live().filter(patient=patient, starts_at__lt=end, ends_at__gt=start)
        if leaving:
            visits = visits.exclude(pk__in=leaving)
        for begins, finishes in visits.values_list("starts_at", "ends_at"):
            starts.append(walltime.to_minutes(begins))
            ends.append(walltime.to_minutes(finishes))
    return availability.spans(starts, ends)
