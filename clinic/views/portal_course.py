"""What a patient sees first: the next visit, what is due after it, and the whole course."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.models import Appointment, AppointmentStatus, Site
from clinic.services import course_view, screening
from clinic.services.course_view import Course, Step
from clinic.views import portal_care, portal_visit
from clinic.views.portal_page import patient_required, phone_link
from patients.models import Patient
from treatments.models import SeriesState

TO_COME = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)
HAPPENED = (AppointmentStatus.FULFILLED, AppointmentStatus.NO_SHOW)
DUE_NOW = ("due", "overdue")
UPKEEP_AHEAD = ("due", "overdue", "scheduled", "booked", "waiting", "deferred")
SHOWN_AT_ONCE = 5
# So long after a visit its aftercare stands on the first page.
AFTERCARE_SHOWN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One maintenance date, and what it means for the patient."""

    title: str
    when: str
    state: str
    meaning: str
    book: int | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """One thing that comes, and the maintenance to be booked where it is time for that. No day: nobody knows yet."""

    text: str
    day: date | None = None
    book: int | None = None


@dataclass(frozen=True, slots=True)
class Strip:
    """One series: its sessions in plain words."""

    name: str
    concern: str
    under_way: bool
    completed_on: date | None
    done: int
    sessions: int
    steps: Sequence[Step]
    to_book: bool


@patient_required
def course(request: HttpRequest, patient: Patient) -> HttpResponse:
    """The signed-in patient's own course. Nothing in the address says whose it is."""
    now = timezone.now()
    appointments = list(
        patient.appointments.select_related(
            "site", "treatment", "practitioner", "room", "session__series", "maintenance__series__protocol"
        ).order_by("starts_at", "pk")
    )
    courses = course_view.courses(patient, appointments=appointments, now=now)
    to_come = [visit for visit in appointments if visit.status in TO_COME and visit.ends_at > now]
    # One that nobody has recorded yet is past all the same.
    past = [
        visit
        for visit in reversed(appointments)
        if visit.status in HAPPENED or (visit.status in TO_COME and visit.ends_at <= now)
    ]
    upcoming = to_come[0] if to_come else None
    site = upcoming.site if upcoming else _site(appointments)
    ahead = _ahead(to_come, courses)
    sooner = [item for item in ahead if upcoming and item.day and item.day < _day(upcoming)]
    context = {
        "patient": patient,
        "next": upcoming,
        "next_is": portal_visit.number(upcoming) if upcoming else "",
        "care": portal_care.of_visit(upcoming, now=now) if upcoming else None,
        "aftercare": _aftercare(past, now=now),
        "screening": screening.state(screening.before(upcoming, now=now)) if upcoming else None,
        "why_not": portal_visit.why_not(upcoming, now=now) if upcoming else "",
        "others": to_come[1:],
        "own_zone": _own_zone(patient, upcoming),
        "sooner": sooner,
        "after": [item for item in ahead if item not in sooner],
        "site": site,
        "phone_link": phone_link(site),
        "strips": [_strip(course, appointments) for course in courses],
        "upkeep": [_upkeep(step, course) for course in courses for step in _upkeep_steps([course])],
        "past": past[:SHOWN_AT_ONCE],
        "earlier": past[SHOWN_AT_ONCE:],
    }
    return render(request, "portal/course.html", context)


def _site(appointments: Sequence[Appointment]) -> Site | None:
    """Whom to call: the site the patient went to last, else the clinic's first."""
    return appointments[-1].site if appointments else Site.objects.filter(active=True).first()


def _own_zone(patient: Patient, visit: Appointment | None) -> ZoneInfo | None:
    """The patient's zone, where its clocks show another time than the site's at the visit."""
    if visit is None or patient.time_zone is None:
        return None
    at = visit.starts_at
    same = walltime.offset_minutes(at, patient.time_zone) == walltime.offset_minutes(at, visit.site.time_zone)
    return None if same else patient.time_zone


def _aftercare(past: Sequence[Appointment], *, now: datetime) -> Sequence[portal_care.Said]:
    """What is still to be done after the latest visit, while that is fresh."""
    if not past or past[0].status == AppointmentStatus.NO_SHOW or past[0].ends_at < now - AFTERCARE_SHOWN:
        return ()
    return portal_care.of_visit(past[0], now=now).after


def _day(visit: Appointment) -> date:
    return walltime.day_of(visit.starts_at, visit.site.time_zone)


def _ahead(to_come: Sequence[Appointment], courses: Sequence[Course]) -> list[Ahead]:
    """What comes beside the next visit, by day: the visit or session that follows it, and maintenance.

    Of maintenance all that is due now, by its last day; else the nearest.
    """
    found = []
    to_book = [step for course in courses for step in course.steps if step.state == "to_book"]
    if len(to_come) > 1:
        found.append(Ahead(_("Your visit on %s") % course_view.at(to_come[1]), _day(to_come[1])))
    elif to_book and to_book[0].window:
        window = to_book[0].window
        words = _("%(session)s: to be booked, best between %(first)s and %(last)s") % {
            "session": to_book[0].label,
            "first": course_view.in_words(window.earliest),
            "last": course_view.in_words(window.latest),
        }
        found.append(Ahead(words, window.earliest))
    elif to_book:
        found.append(Ahead(_("%s: to be booked") % to_book[0].label))
    upkeep = _upkeep_steps(courses)
    due_now = [step for step in upkeep if step.state in DUE_NOW and step.due]
    dated = sorted((step for step in upkeep if step.state == "scheduled" and step.due), key=lambda step: step.due.from_)
    if due_now:
        found += [Ahead(_nearest(step), step.due.by, step.maintenance) for step in due_now]
    elif dated:
        found.append(Ahead(_nearest(dated[0]), dated[0].due.from_))
    elif any(step.state == "waiting" for step in upkeep):
        found.append(Ahead(_("Maintenance: when your clinician decides")))
    return sorted(found, key=lambda item: item.day or date.max)


def _upkeep_steps(courses: Sequence[Course]) -> list[Step]:
    """What is ahead of it; cycles that are done with are among the past visits."""
    return [step for course in courses for step in course.steps if step.state in UPKEEP_AHEAD and not step.session]


def _nearest(step: Step) -> str:
    assert step.due is not None
    if step.state == "due":
        return _("Maintenance is due now, by %s") % course_view.in_words(step.due.by)
    if step.state == "overdue":
        return _("Maintenance was due by %s") % course_view.in_words(step.due.by)
    return _("Maintenance: due %s") % _days(step)


def _days(step: Step) -> str:
    assert step.due is not None
    if step.maintenance is None:
        # Counted from visits that are still ahead, so that a day would promise too much.
        return step.when
    if step.due.from_ == step.due.by:
        return _("on %s") % course_view.in_words(step.due.from_)
    return _("between %(first)s and %(last)s") % {
        "first": course_view.in_words(step.due.from_),
        "last": course_view.in_words(step.due.by),
    }


def _strip(course: Course, appointments: Sequence[Appointment]) -> Strip:
    visits = {visit.pk: visit for visit in appointments}
    series = course.series
    return Strip(
        name=series.terms.treatment,
        concern=series.concern.name if series.concern else "",
        under_way=series.state == SeriesState.ACTIVE,
        completed_on=series.completed_on,
        done=course.done,
        sessions=course.sessions,
        steps=[_plain(step, visits.get(step.appointment)) for step in course.steps if step.session],
        to_book=series.state == SeriesState.ACTIVE and course.to_book,
    )


def _plain(step: Step, visit: Appointment | None) -> Step:
    """The step in the patient's words. What the desk noted for itself is left out."""
    if visit is not None:
        return replace(step, detail=_("with %s") % visit.practitioner if visit.practitioner else "")
    if step.state == "to_book" and step.window:
        words = _("best between %(first)s and %(last)s")
        first, last = course_view.in_words(step.window.earliest), course_view.in_words(step.window.latest)
        return replace(step, when=words % {"first": first, "last": last}, detail="")
    return replace(step, detail="")


def _upkeep(step: Step, course: Course) -> Upkeep:
    meanings = {
        "scheduled": _("Nothing to do yet: the clinic gets in touch when it is time. You can book it now."),
        "due": _("It is time now."),
        "overdue": _("This day has passed, and it can still be done."),
        "booked": _("It is booked."),
        "waiting": _("Your clinician decides when it makes sense. Ask at your next visit."),
        "deferred": _("Put off for now, as you agreed with the clinic."),
    }
    when = step.when
    if step.due and step.state != "booked":
        when = _("due %s") % _days(step)
    meaning = meanings[step.state]
    if step.maintenance is None and step.state == "scheduled":
        meaning = _("The days are counted from your last session, so they are settled when that is done.")
    bookable = step.state in ("scheduled", "due", "overdue", "deferred") and step.due is not None
    return Upkeep(
        title=_treatment(step, course),
        when=when,
        state=step.state,
        meaning=meaning,
        book=step.maintenance if bookable else None,
    )


def _treatment(step: Step, course: Course) -> str:
    """What is done at that visit; the series' own treatment unless the rule names another."""
    cycle = next((cycle for cycle in course.series.maintenance.all() if cycle.pk == step.maintenance), None)
    if cycle is not None:
        return str(cycle.treatment)
    ahead = step.label.partition(": ")[2]
    return ahead or course.series.terms.treatment
