"""What is known of a site's time over some days: rows in, the planner's diary out, in a constant number of queries."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import F, Func, IntegerField, Q

from clinic import availability, walltime
from clinic.availability import EPOCH, Day, Diary, Spans
from clinic.models import Absence, Appointment, Claim, Resource, ResourceKind, Site, WorkingHours
from patients.models import Patient
from treatments.models import Treatment

# How far ahead the clinic plans, in days. Sessions whose window opens later stay to be booked.
HORIZON = settings.PLANNING_HORIZON_DAYS


class EpochMinute(Func):
    """Minutes since the epoch: a number is read many times faster than a timestamp."""

    template = "(extract(epoch FROM %(expressions)s) / 60)::int"
    output_field = IntegerField()


class EpochMinuteUp(EpochMinute):
    """Rounded up, so that an end that is not on a whole minute still covers its last seconds."""

    template = "ceil(extract(epoch FROM %(expressions)s) / 60)::int"


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
) -> Diary:
    """The diary of `site` from `first` to `last`, both included, for those who may give `treatment`.

    Nothing is free before `now`. The time of the appointments in `without` counts as free, as when they are moved.
    """
    zone = site.time_zone
    days = _days(site, first, last)
    by_date = {day.date: day for day in days}
    start, end = walltime.midnight(first, zone), walltime.midnight(last + timedelta(days=1), zone)
    leaving = [appointment.pk for appointment in without]

    resources = list(
        Resource.objects.in_use()
        .filter(
            Q(kind=ResourceKind.PRACTITIONER, treatments=treatment, working_hours__site=site)
            | Q(kind__in=[ResourceKind.ROOM, ResourceKind.DEVICE], site=site)
        )
        .distinct()
        .select_related("device_kind")
        .order_by("name", "pk")
    )
    keys = [resource.pk for resource in resources]
    busy = _busy(keys, start, end, leaving)
    working = _working(site, keys, by_date)

    def known(resource: Resource) -> availability.Resource:
        is_practitioner = resource.kind == ResourceKind.PRACTITIONER
        return availability.Resource(
            id=resource.pk,
            busy=busy.get(resource.pk, availability.NEVER),
            working=working.get(resource.pk, availability.NEVER) if is_practitioner else None,
        )

    devices = defaultdict(list)
    for resource in resources:
        if resource.device_kind:
            devices[resource.device_kind.name].append(known(resource))
    return Diary(
        days=days,
        practitioners=tuple(known(r) for r in resources if r.kind == ResourceKind.PRACTITIONER),
        rooms=tuple(known(r) for r in resources if r.kind == ResourceKind.ROOM),
        devices={kind: tuple(found) for kind, found in devices.items()},
        patient=availability.Resource("patient", busy=_patient_busy(patient, start, end, now, leaving)),
    )


def _days(site: Site, first: date, last: date) -> tuple[Day, ...]:
    """Opening hours less closures, day by day."""
    zone = site.time_zone
    hours = defaultdict(list)
    for row in site.opening_hours.all():
        hours[row.weekday].append((row.opens, row.closes))
    closures = [
        (walltime.to_minutes(closure.starts_at), -(-int(closure.ends_at.timestamp()) // walltime.MINUTE))
        for closure in site.closures.filter(
            ends_at__gt=walltime.midnight(first, zone),
            starts_at__lt=walltime.midnight(last + timedelta(days=1), zone),
        )
    ]
    days = []
    for number in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(number)
        local = _LocalDay(day, zone)
        opening = [(local.minute(opens), local.minute(closes)) for opens, closes in hours[day.weekday()]]
        days.append(Day(day, tuple(_less(opening, closures)), offset=local.offset, change=local.change))
    return tuple(days)


class _LocalDay:
    """Turns clock times of one day into minutes since the epoch; the zone is asked once a day, not once a time."""

    def __init__(self, day: date, zone) -> None:
        self.day, self.zone = day, zone
        starts = walltime.midnight(day, zone)
        self.offset = walltime.offset_minutes(starts, zone)
        ends_with = walltime.offset_minutes(walltime.midnight(day + timedelta(days=1), zone), zone)
        self.change = None if ends_with == self.offset else walltime.change_on(day, zone)
        self._base = (day.toordinal() - EPOCH) * walltime.MINUTES_IN_A_DAY - self.offset

    def minute(self, clock: time) -> int:
        if self.change is None:
            return self._base + clock.hour * 60 + clock.minute
        # Hours that begin in the gap begin where it ends.
        return walltime.to_minutes(datetime.combine(self.day, clock, tzinfo=self.zone))


def _less(opening: list[tuple[int, int]], closures: list[tuple[int, int]]) -> list[tuple[int, int]]:
    for shut, reopens in closures:
        opening = [
            part
            for opens, closes in opening
            for part in ((opens, min(closes, shut)), (max(opens, reopens), closes))
            if part[0] < part[1]
        ]
    return sorted(opening)


def _busy(keys: list[int], start: datetime, end: datetime, leaving: list[int]) -> dict[int, Spans]:
    """Claims and absences of each resource; one row a resource, so that the cost is the numbers alone."""
    claims = Claim.objects.filter(resource__in=keys, starts_at__lt=end, ends_at__gt=start)
    # A claim is never longer than a day: with this bound the index alone finds the first one.
    claims = claims.filter(starts_at__gt=start - timedelta(days=1))
    if leaving:
        claims = claims.exclude(appointment__in=leaving)
    found = {
        key: (starts, ends)
        for key, starts, ends in claims.order_by()
        .values("resource")
        .annotate(
            starts=ArrayAgg(EpochMinute(F("starts_at"))),
            ends=ArrayAgg(EpochMinuteUp(F("ends_at"))),
        )
        .values_list("resource", "starts", "ends")
    }
    for absence in Absence.objects.filter(resource__in=keys, starts_at__lt=end, ends_at__gt=start):
        starts, ends = found.setdefault(absence.resource_id, ([], []))
        starts.append(walltime.to_minutes(absence.starts_at))
        ends.append(-(-int(absence.ends_at.timestamp()) // walltime.MINUTE))
    return {key: availability.spans(starts, ends) for key, (starts, ends) in found.items()}


def _working(site: Site, keys: list[int], days: dict[date, Day]) -> dict[int, Spans]:
    rows = defaultdict(list)
    for row in WorkingHours.objects.filter(site=site, resource__in=keys):
        rows[row.weekday].append(row)
    found: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for day in days:
        if not rows[day.weekday()]:
            continue
        local = _LocalDay(day, site.time_zone)
        for row in rows[day.weekday()]:
            if (row.valid_from is None or row.valid_from <= day) and (
                row.valid_until is None or day <= row.valid_until
            ):
                found[row.resource_id][0].append(local.minute(row.starts))
                found[row.resource_id][1].append(local.minute(row.ends))
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
        for begins, finishes in visits.exclude(pk__in=leaving).values_list("starts_at", "ends_at"):
            starts.append(walltime.to_minutes(begins))
            ends.append(walltime.to_minutes(finishes))
    return availability.spans(starts, ends)
