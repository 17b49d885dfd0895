"""What the desk is told where a session lies nearer to another treatment than the protocol asks for."""

from collections.abc import Mapping
from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import walltime
from clinic.models import Appointment
from clinic.nearest_other import Other, TooNear, too_near
from clinic.services.course import Course


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
