"""One visit outside a series (a consultation, any treatment, a maintenance cycle): its free times, and booking.

The times come from the planner that plans series, with a course of one session.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.models import Appointment, BookingRequest, Resource, Site
from clinic.planning import Choice, Wishes
from clinic.services import booking, horizon, outbox
from clinic.services import course as courses
from clinic.services.booking import NotBookable, TimeTaken
from clinic.services.course import FIRST_WINDOW_DAYS, Course, Order, Proposal
from clinic.services.transactions import whole
from patients.models import Patient
from treatments.models import Maintenance, Treatment, assembling
from treatments.terms import Phase, SessionCount, Spacing, Terms

ONE = 1
# Nothing follows the one session. Given in weeks, so that within a week a wish counts more than a day sooner.
NOTHING_FOLLOWS = Spacing(min=1, ideal=None, max=1, unit="week")


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeTime:
    """A time that is free for the whole visit, with the people and places that are free then."""

    choice: Choice
    starts_at: datetime
    ends_at: datetime
    practitioner: Resource | None
    room: Resource | None


def phases_of(*, treatment: Treatment, maintenance: Maintenance | None = None) -> tuple[Phase, ...]:
    """What a visit consists of; nothing where nobody has said.

    Maintenance with the treatment of the series is a visit as it was agreed for the series.
    """
    if maintenance is not None and maintenance.series.protocol.treatment_id == treatment.pk:
        return maintenance.series.terms.visit
    rows = treatment.phases.select_related("device_kind")
    return tuple(Phase.from_json(assembling.phase(row)) for row in rows)


def free_times(
    *,
    patient: Patient,
    treatment: Treatment,
    site: Site,
    first_day: date,
    now: datetime,
    count: int = 5,
    maintenance: Maintenance | None = None,
    wishes: Wishes | None = None,
    not_on: frozenset[date] = frozenset(),
) -> list[FreeTime]:
    """Up to `count` free times from `first_day` on, the best first, each on another day where there are such days.

    Looked for four weeks at a time to the end of the diary. Stores nothing. Raises NoVisitLength where nobody has said
    how long the visit takes.
    """
    course = _course(patient, treatment, maintenance)
    today = walltime.day_of(now, site.time_zone)
    day, last = max(first_day, today), horizon.last_day(today)
    while day <= last:
        order = Order(site=site, first_day=day, wishes=wishes or Wishes(), not_on=not_on)
        proposal = courses.propose(course=course, order=order, now=now)
        if choice := proposal.plan.sessions[0].choice:
            return [_free(proposal, found) for found in (choice, *proposal.alternatives(ONE, count=count - 1))]
        day += timedelta(days=FIRST_WINDOW_DAYS)
    return []


def time_at(
    *,
    patient: Patient,
    treatment: Treatment,
    site: Site,
    day: date,
    clock: time,
    now: datetime,
    maintenance: Maintenance | None = None,
    wishes: Wishes | None = None,
    not_on: frozenset[date] = frozenset(),
) -> FreeTime:
    """The time that somebody names, by the clock of the site; with whom and where follows from what is free.

    Raises NotBookable where that time does not exist, has passed or is not free.
    """
    order = Order(site=site, first_day=day, wishes=wishes or Wishes(), not_on=not_on)
    _check_day(day, site=site, now=now)
    proposal = courses.propose(course=_course(patient, treatment, maintenance), order=order, now=now)
    return _free(proposal, courses.choice_at(proposal, ONE, day, clock))


@whole
def book(
    *,
    patient: Patient,
    treatment: Treatment,
    site: Site,
    choice: Choice,
    by: User,
    now: datetime,
    key: UUID,
    maintenance: Maintenance | None = None,
) -> Appointment:
    """Book one visit at `choice`, and owe the patient a confirmation. The same `key` again gives the first answer.

    Raises TimeTaken where that time is not free any more, NotBookable or NoVisitLength, and MaintenanceNotPossible for
    a cycle that cannot be booked.
    """

    def work() -> list[Appointment]:
        # Inside the press, so that a doubled press finds its own answer and not its own visit in the way.
        _check_cycle(maintenance, patient, treatment)
        _check_day(choice.day, site=site, now=now)
        course = _course(patient, treatment, maintenance)
        proposal = courses.propose(course=course, order=Order(site=site, first_day=choice.day), now=now)
        if not courses.fits(proposal, ONE, choice):
            raise TimeTaken(_("This time has just been taken."), [0])
        visit = courses.visit_for(
            choice, site=site, treatment=treatment, phases=course.visit(ONE), resources=proposal.resources
        )
        placed = booking.place(patient=patient, visits=[replace(visit, maintenance=maintenance)], by=by, now=now)
        outbox.owe_confirmation(patient=patient, appointment=placed[0], counts_from=str(key), now=now)
        return placed

    return booking.once(key=key, by=by, now=now, work=work)[0]


def answered(*, key: UUID, by: User, patient: Patient) -> Appointment | None:
    """The visit that this press has booked already: by then its own time is not free for it."""
    made = BookingRequest.objects.filter(key=key, requested_by=by).values_list("appointments", flat=True).first()
    return Appointment.objects.filter(pk__in=made or [], patient=patient).first()


def _course(patient: Patient, treatment: Treatment, maintenance: Maintenance | None) -> Course:
    terms = Terms(
        treatment=treatment.name,
        sessions=SessionCount("fixed", ONE, ONE),
        spacing=NOTHING_FOLLOWS,
        phases=phases_of(treatment=treatment, maintenance=maintenance),
    )
    return Course(patient=patient, treatment=treatment, terms=terms, numbers=(ONE,))


def _free(proposal: Proposal, choice: Choice) -> FreeTime:
    starts_at = walltime.from_minutes(choice.start)
    minutes = sum(phase.minutes for phase in proposal.course.visit(ONE))
    return FreeTime(
        choice=choice,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=minutes),
        practitioner=proposal.resources.get(choice.practitioner),
        room=proposal.resources.get(choice.room),
    )


def _check_day(day: date, *, site: Site, now: datetime) -> None:
    today = walltime.day_of(now, site.time_zone)
    if day < today:
        raise NotBookable(_("This day has passed. Choose today or later."))
    if day > horizon.last_day(today):
        raise NotBookable(_("The diary does not reach to that day. Choose another one."))


def _check_cycle(maintenance: Maintenance | None, patient: Patient, treatment: Treatment) -> None:
    if maintenance is None:
        return
    if maintenance.series.patient_id != patient.pk or maintenance.treatment_id != treatment.pk:
        raise NotBookable(_("This maintenance belongs to another patient or treatment."))
