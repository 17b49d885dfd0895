"""What to do before and after a visit, in the patient's words and with its dates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.models import Appointment, AppointmentStatus
from clinic.services.caring import course_of
from treatments import care
from treatments.care import Line


@dataclass(frozen=True, slots=True)
class Said:
    """One instruction: from when or until when, then what. `when` is empty where nobody said."""

    when: str
    text: str


@dataclass(frozen=True, slots=True)
class Care:
    """What is to be done or avoided before and after, and what the clinic has to be told before."""

    before: Sequence[Said]
    after: Sequence[Said]
    tell: Sequence[Said]

    def __bool__(self) -> bool:
        return bool(self.before or self.after or self.tell)


def of_visit(visit: Appointment, *, now: datetime) -> Care:
    """From the terms that were agreed for the course, without what is over.

    A visit outside a course has none, nor has another treatment.
    """
    series = course_of(visit)
    if series is None:
        return Care((), (), ())
    zone = visit.site.time_zone
    over = visit.ends_at <= now or visit.status == AppointmentStatus.FULFILLED
    lines = care.lines(series.terms.care, starts_at=visit.starts_at, ends_at=visit.ends_at, zone=zone)
    return Care(
        before=[_said(line) for line in lines if line.when == "before" and line.action != "ask" and not over],
        after=[_said(line) for line in lines if line.when == "after" and not care.is_over(line, now=now, zone=zone)],
        tell=[_said(line) for line in lines if line.when == "before" and line.action == "ask" and not over],
    )


def said(lines: Iterable[Line]) -> list[Said]:
    return [_said(line) for line in lines]


def _said(line: Line) -> Said:
    text = line.text
    if line.repeat_hours:
        every = ngettext("every %d hour", "every %d hours", line.repeat_hours) % line.repeat_hours
        text = f"{text} ({every})"
    return Said(when=in_words(line), text=text)


def in_words(line: Line) -> str:
    """From when or until when, with the protocol's own words where it has some."""
    if line.day is None:
        return line.words
    at = date_format(line.day, "WEEKDAY_FORMAT")
    if line.clock is not None:
        at = _("%(day)s, %(time)s") % {"day": at, "time": date_format(line.clock, "TIME_FORMAT")}
    said = {
        "from": _("from %s until your visit"),
        "until": _("until %s"),
        "until_at_least": _("at least until %s"),
        "until_at_most": _("until %s at the latest"),
        "on": _("on %s"),
        "by": _("by %s"),
        "not_before": _("not before %s"),
    }[line.kind] % at
    return f"{said} ({line.words})" if line.words else said
