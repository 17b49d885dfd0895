"""What a patient is told before taking a time: care that should have begun by now, and another course under way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from django.db.models import Prefetch

from clinic import walltime
from clinic.models import Appointment, Site
from clinic.services.caring import course_of_cycle
from patients.models import Patient
from treatments import care
from treatments.care import Line
from treatments.models import Maintenance, Series, SeriesState, SessionState

# What has its day before the visit, and is missed once that has passed.
BEGINS = ("from", "on", "by")


@dataclass(frozen=True, slots=True)
class Cautions:
    """`begun`: what should have begun or been done by now. `under_way`: other courses that the visit falls into."""

    begun: Sequence[Line] = ()
    under_way: Sequence[Series] = ()

    def __bool__(self) -> bool:
        return bool(self.begun or self.under_way)


def of_time(
    *, patient: Patient, follows: Series | None, own: Series | None, site: Site, starts_at: datetime, now: datetime
) -> Cautions:
    """For a visit at this time. `follows` is the course whose care it follows, `own` the one that it belongs to."""
    begun: Sequence[Line] = ()
    if follows is not None:
        begun = should_have_begun(follows, site=site, starts_at=starts_at, now=now)
    return Cautions(begun=begun, under_way=_under_way(patient, own, site, starts_at))


def of_cycle(cycle: Maintenance, *, site: Site, starts_at: datetime, now: datetime) -> Cautions:
    """For a maintenance that would be booked at this time."""
    own, follows = cycle.series, course_of_cycle(cycle)
    return of_time(patient=own.patient, follows=follows, own=own, site=site, starts_at=starts_at, now=now)


def should_have_begun(series: Series, *, site: Site, starts_at: datetime, now: datetime) -> list[Line]:
    """What is to be done or avoided before a visit, and whose day or hour has passed."""
    zone = site.time_zone
    local = now.astimezone(zone)
    lines = care.lines(series.terms.care, starts_at=starts_at, ends_at=starts_at, zone=zone)
    return [
        line
        for line in lines
        if line.when == "before"
        and line.action != "ask"
        and line.kind in BEGINS
        and line.day is not None
        # What begins today can still be kept.
        and (line.day, line.clock or time.max) < (local.date(), local.time())
    ]


def _under_way(patient: Patient, own: Series | None, site: Site, starts_at: datetime) -> list[Series]:
    """Courses that have begun by then, and of which something is to come after it or is not booked yet."""
    day = walltime.day_of(starts_at, site.time_zone)
    found = []
    visits = Prefetch("sessions__appointments", Appointment.objects.live().select_related("site"), to_attr="held")
    for series in (
        patient.series.filter(state=SeriesState.ACTIVE)
        .exclude(pk=own.pk if own else None)
        .select_related("protocol__treatment")
        .prefetch_related("sessions", visits)
        .order_by("pk")
    ):
        sessions = list(series.sessions.all())
        days = [walltime.day_of(a.starts_at, a.site.time_zone) for session in sessions for a in session.held]
        begun = any(each <= day for each in days) or any(session.state == SessionState.ATTENDED for session in sessions)
        to_book = any(session.state == SessionState.PLANNED and not session.held for session in sessions)
        if begun and (to_book or any(each >= day for each in days)):
            found.append(series)
    return found
