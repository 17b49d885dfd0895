"""Days that lie nearer to another treatment than the protocol asks for: the desk is told, patients are offered none."""

from collections.abc import Mapping
from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import walltime
from clinic.models import Appointment
from clinic.nearest_other import Other, TooNear, too_near
from clinic.services.caring import course_of, course_of_cycle
from clinic.services.course import Course
from patients.models import Patient
from treatments.models import Maintenance, Series, Treatment

# No protocol asks for a longer time between two treatments.
LOOKS_BACK = timedelta(days=366)


def warnings(course: Course, days: Mapping[int, date]) -> dict[int, str]:
    """A sentence by session number, for those of `days` that are too near. Reads the patient's other visits once.

    Planning does not avoid such days: the desk decides. No query where the terms ask for nothing.
    """
    least = course.terms.other_treatments_days
    if not least or not days:
        return {}
    others = _others(course, min(days.values()), max(days.values()), least)
    found = {number: too_near(day, others, least=least) for number, day in days.items()}
    return {number: _words(near, least) for number, near in found.items() if near}


def closed_days_of(visit: Appointment, *, since: date) -> frozenset[date]:
    """The same for a visit that is booked; none for one outside a course, which asks for nothing itself."""
    if visit.session_id is None and visit.maintenance_id is None:
        return frozenset()
    return closed_days(patient=visit.patient, treatment=visit.treatment, course=course_of(visit), since=since)


def closed_days_for(cycle: Maintenance, *, since: date) -> frozenset[date]:
    """The same for a maintenance that is to be booked."""
    patient, course = cycle.series.patient, course_of_cycle(cycle)
    return closed_days(patient=patient, treatment=cycle.treatment, course=course, since=since)


def closed_days(*, patient: Patient, treatment: Treatment, course: Series | None, since: date) -> frozenset[date]:
    """The days from `since` on that are too near to another treatment of the patient, by the terms of either.

    One query. `course` is the one whose terms `treatment` follows.
    """
    least = (course.terms.other_treatments_days or 0) if course else 0
    closed: set[date] = set()
    for visit in (
        Appointment.objects.live()
        .filter(patient=patient, starts_at__date__gte=since - LOOKS_BACK)
        .exclude(treatment=treatment)
        .select_related("site", "session__series", "maintenance__series__protocol")
    ):
        other = course_of(visit)
        days = max(least, (other.terms.other_treatments_days or 0) if other else 0)
        day = walltime.day_of(visit.starts_at, visit.site.time_zone)
        closed.update(day + timedelta(days=n) for n in range(1 - days, days))
    return frozenset(closed)


def _others(course: Course, first: date, last: date, least: int) -> list[Other]:
    # A day more on either side: the days are local, and the instants are not.
    reach = timedelta(days=least + 1)
    visits = (
        Appointment.objects.live()
        .filter(patient=course.patient, starts_at__date__range=(first - reach, last + reach))
        .exclude(treatment=course.treatment)
        .select_related("site", "treatment")
        .order_by("starts_at", "pk")
    )
    return [Other(walltime.day_of(a.starts_at, a.site.time_zone), a.treatment.name) for a in visits]


def _words(near: TooNear, least: int) -> str:
    other = {"treatment": near.other.treatment, "day": date_format(near.other.day, "DATE_FORMAT")}
    if near.days == 0:
        said = _("On the same day as %(treatment)s") % other
    elif near.days > 0:
        said = ngettext(
            "%(count)d day after %(treatment)s on %(day)s", "%(count)d days after %(treatment)s on %(day)s", near.days
        ) % (other | {"count": near.days})
    else:
        said = ngettext(
            "%(count)d day before %(treatment)s on %(day)s",
            "%(count)d days before %(treatment)s on %(day)s",
            -near.days,
        ) % (other | {"count": -near.days})
    return said + _("; the protocol asks for %d to other treatments") % least
