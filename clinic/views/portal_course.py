"""What a patient sees first: the next visit, what is due after it, and the whole course."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.models import Appointment, AppointmentStatus, Site
from clinic.services import course_view
from clinic.services.course_view import Course, Step
from patients.models import Patient
from treatments.models import SeriesState

TO_COME = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)
HAPPENED = (AppointmentStatus.FULFILLED, AppointmentStatus.NO_SHOW)
UPKEEP_AHEAD = ("due", "overdue", "scheduled", "booked", "waiting", "deferred")
SHOWN_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One maintenance date, and what it means for the patient."""

    title: str
    when: str
    state: str
    meaning: str


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


def course(request: HttpRequest) -> HttpResponse:
    """The signed-in patient's own course. 404 for everybody without one; nothing in the address says whose it is."""
    patient = get_object_or_404(Patient.objects.current(), user=request.user)
    now = timezone.now()
    appointments = list(
        patient.appointments.select_related("site", "treatment", "practitioner", "room", "session").order_by(
            "starts_at", "pk"
        )
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
    context = {
        "patient": patient,
        "next": upcoming,
        "next_is": _number(upcoming) if upcoming else "",
        "own_zone": _own_zone(patient, upcoming),
        "after": _after(to_come, courses),
        "site": site,
        "phone_link": "".join(c for c in site.phone if c.isdigit() or c == "+") if site else "",
        "strips": [_strip(course, appointments) for course in courses],
        "upkeep": [_upkeep(step, course) for course in courses for step in _upkeep_steps([course])],
        "past": past[:SHOWN_AT_ONCE],
        "earlier": past[SHOWN_AT_ONCE:],
    }
    response = render(request, "portal/course.html", context)
    # "Back" after signing out shows nobody's course.
    add_never_cache_headers(response)
    return response


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


def _number(visit: Appointment) -> str:
    if visit.session is not None:
        return _("session %d") % visit.session.number
    return _("maintenance") if visit.maintenance_id is not None else ""


def _after(to_come: Sequence[Appointment], courses: Sequence[Course]) -> list[str]:
    """What comes after the next visit: the visit or session that follows, then the nearest maintenance."""
    said = []
    to_book = [step for course in courses for step in course.steps if step.state == "to_book"]
    if len(to_come) > 1:
        said.append(_("Your visit on %s") % course_view.at(to_come[1]))
    elif to_book and to_book[0].window:
        window = to_book[0].window
        said.append(
            _("%(session)s: to be booked, best between %(first)s and %(last)s")
            % {
                "session": to_book[0].label,
                "first": course_view.in_words(window.earliest),
                "last": course_view.in_words(window.latest),
            }
        )
    elif to_book:
        said.append(_("%s: to be booked") % to_book[0].label)
    upkeep = _upkeep_steps(courses)
    dated = sorted((step for step in upkeep if step.due and not step.day), key=lambda step: step.due.from_)
    if dated:
        said.append(_nearest(dated[0]))
    elif any(step.state == "waiting" for step in upkeep):
        said.append(_("Maintenance: when your clinician decides"))
    return said


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
        "scheduled": _("Nothing to do yet. The clinic gets in touch when it is time."),
        "due": _("It is time now. Call the clinic to book it."),
        "overdue": _("This day has passed, and it can still be done. Call the clinic to book it."),
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
    return Upkeep(title=_treatment(step, course), when=when, state=step.state, meaning=meaning)


def _treatment(step: Step, course: Course) -> str:
    """What is done at that visit; the series' own treatment unless the rule names another."""
    cycle = next((cycle for cycle in course.series.maintenance.all() if cycle.pk == step.maintenance), None)
    if cycle is not None:
        return str(cycle.treatment)
    ahead = step.label.partition(": ")[2]
    return ahead or course.series.terms.treatment
