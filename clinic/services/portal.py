"""What patients change themselves: move and cancel before the cut-off, only where their course allows it.

The later sessions of a course stay inside their windows: where a move would break one, all of them move along by as
many days, or the move is refused. What a patient may not do is said with the number to call.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic import walltime
from clinic.availability import Availability
from clinic.models import Appointment, AppointmentStatus, BookingRequest, Resource, Site
from clinic.planning import Choice
from clinic.ripple import Effect
from clinic.services import horizon, other_treatments, ripple, visits
from clinic.services.booking import NotBookable, NotChangeable
from clinic.services.course import Proposal
from clinic.services.ripple import Change, Outlook, Scene
from clinic.services.visits import FreeTime
from patients.models import Patient
from treatments import rules
from treatments.models import Maintenance, MaintenanceState
from treatments.rules import Window

# Half hours are enough to choose from, and a day of them fits on a phone.
STEP_MINUTES = 30
BOOKABLE = (MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED)


class TooLate(NotChangeable):
    """It is later than the clinic lets patients change a visit themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A free start on one day. `practitioner` is the one of the visit as it stands, where that one is free."""

    choice: Choice
    starts_at: datetime
    practitioner: Resource | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeDay:
    """A day that the course allows. `others_follow`: the later visits would have to move along."""

    day: date
    times: tuple[Time, ...]
    others_follow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOptions:
    """Where a visit could go. `window` is None where the course says nothing about its day."""

    scene: Scene
    window: Window | None
    days: tuple[FreeDay, ...]

    def time(self, minutes: int) -> Time | None:
        return next((time for day in self.days for time in day.times if time.choice.start == minutes), None)


def check_changeable(appointment: Appointment, *, now: datetime) -> None:
    """Raises NotChangeable, or TooLate after the cut-off, in the patient's words."""
    if appointment.status != AppointmentStatus.BOOKED or appointment.starts_at <= now:
        raise NotChangeable(_("This visit cannot be changed any more."))
    if now > closes_at(appointment):
        hours = appointment.site.change_cut_off_hours
        said = ngettext(
            "It is less than %d hour until your visit, so it cannot be changed here any more.",
            "It is less than %d hours until your visit, so it cannot be changed here any more.",
            hours,
        )
        raise TooLate(f"{said % hours} {please_call(appointment.site)}")


def closes_at(appointment: Appointment) -> datetime:
    """The last moment at which the patient may change the visit."""
    return appointment.starts_at - timedelta(hours=appointment.site.change_cut_off_hours)


def please_call(site: Site | None) -> str:
    if site is None or not site.phone:
        return _("Please call the clinic.")
    return _("Please call the clinic: %s.") % site.phone


def move_options(appointment: Appointment, *, now: datetime) -> MoveOptions:
    """Every free time on the days that the course allows, from the cut-off on. Stores nothing. Raises NotChangeable."""
    check_changeable(appointment, now=now)
    scene = ripple.scene_of(appointment)
    proposal = ripple.options(scene, now=now)
    window = next(session.window for number, session in proposal if number == scene.number)
    first = window.earliest
    if proposal.overdue and scene.number == scene.course.numbers[0]:
        # What was missed altogether is the clinic's to plan.
        return MoveOptions(scene=scene, window=None, days=())
    days = tuple(_free_days(scene, proposal, first, _last(appointment, window), now=now))
    has_window = appointment.session is not None and (
        scene.course.anchor is not None or scene.number != scene.course.numbers[0]
    )
    return MoveOptions(scene=scene, window=window if has_window else None, days=days)


def _last(appointment: Appointment, window: Window) -> date:
    cycle = appointment.maintenance
    if cycle is not None and cycle.due_by and cycle.due_from and cycle.due_by > cycle.due_from:
        return max(cycle.due_by, window.earliest)
    return window.latest


def _free_days(scene: Scene, proposal: Proposal, first: date, last: date, *, now: datetime) -> Iterator[FreeDay]:
    had = scene.course.booked[scene.number]
    diary = proposal.request.diary
    visit = proposal.request.visits[proposal.course.numbers.index(scene.number)]
    free = Availability(diary, step=STEP_MINUTES)
    room = ripple.room_to_shift(scene, to=last, now=now)
    closed = other_treatments.closed_days_of(scene.appointments[scene.number], since=first)
    people = sorted(diary.practitioners, key=lambda person: person.id != had.practitioner)
    needed = people if any(stretch.practitioner for stretch in visit) else [None]
    soonest = walltime.to_minutes(now + timedelta(hours=scene.site.change_cut_off_hours))
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        change = Change(kind="move", choice=replace(had, day=day))
        outlook = _with_later_ones(scene, change, now=now, room=room)
        if outlook is None or _passes(outlook, day):
            continue
        if any(outlook.after.booked[number].day in closed for number in outlook.moved):
            continue
        found: dict[int, Time] = {}
        for person in needed:
            for start in free.starts(visit, day, person):
                if start in found or start < soonest or start == had.start:
                    continue
                choice = Choice(day, start, person.id if person else None, *free.seats(visit, day, start))
                found[start] = Time(
                    choice=choice,
                    starts_at=walltime.from_minutes(start),
                    practitioner=proposal.resources.get(person.id) if person else None,
                )
        if found:
            yield FreeDay(
                day=day,
                times=tuple(found[start] for start in sorted(found)),
                others_follow=outlook.following == "shift",
            )


def _with_later_ones(scene: Scene, change: Change, *, now: datetime, room: Proposal | None = None) -> Outlook | None:
    """The move, with the later visits where they have to move along; None where it cannot be carried out.

    It is the same for every time of a day, so that a day is offered with all of its times or not at all.
    """
    outlook = ripple.look(scene, change, "only", now=now)
    if not outlook.outside and _in_order(outlook):
        return outlook
    along = ripple.look(scene, change, "shift", now=now, room=room)
    return None if along.outside or along.impossible else along


def _passes(outlook: Outlook, day: date) -> bool:
    """Whether the visit would come to lie before an earlier one of its course."""
    earlier = [c.day for n, c in outlook.after.booked.items() if n < outlook.scene.number]
    return bool(earlier) and day <= max(earlier)


def foresee(options: MoveOptions, time: Time, *, now: datetime) -> Outlook:
    """What a move there does to the later visits. Raises NotBookable where they cannot be kept inside their windows."""
    outlook = _with_later_ones(options.scene, Change(kind="move", choice=time.choice), now=now)
    if outlook is None:
        raise NotBookable(
            _("Your later visits cannot move along with this day. Please choose another one.")
            + " "
            + please_call(options.scene.site)
        )
    return outlook


def _in_order(outlook: Outlook) -> bool:
    days = [choice.day for _number, choice in sorted(outlook.after.booked.items())]
    return all(earlier < later for earlier, later in pairwise(days))


def move(*, appointment: Appointment, minutes: int, sequence: int, by: User, now: datetime, key: UUID) -> Appointment:
    """Move a visit to one of the times of `move_options`, with the later ones where they have to.

    `minutes` is the start, since the epoch; `sequence` that of the visit as the patient saw it. The same `key` again
    gives the first answer. Raises NotChangeable, TooLate, NotBookable or TimeTaken.
    """
    if BookingRequest.objects.filter(key=key, requested_by=by).exists():
        return appointment
    _check_as_seen(appointment, sequence, now=now)
    options = move_options(appointment, now=now)
    time = options.time(minutes)
    if time is None:
        raise NotBookable(_("This time is not free any more. Please choose another one."))
    outlook = foresee(options, time, now=now)
    ripple.carry_out(
        appointment=appointment,
        change=outlook.change,
        following=outlook.following,
        picks={n: outlook.after.booked[n] for n in outlook.moved} if outlook.following == "shift" else None,
        check=lambda locked: _check_as_seen(locked, sequence, now=now),
        by=by,
        now=now,
        key=key,
    )
    return appointment


def foresee_cancelled(appointment: Appointment, *, now: datetime) -> tuple[Effect, ...]:
    """The later sessions of the course as they would stand. Raises NotChangeable or TooLate."""
    check_changeable(appointment, now=now)
    change = Change(kind="cancel", reason=_cancelled_by_patient(""))
    return ripple.look(ripple.scene_of(appointment), change, "only", now=now).later


def cancel(*, appointment: Appointment, reason: str, sequence: int, by: User, now: datetime, key: UUID) -> Appointment:
    """Cancel a visit; later ones stay where they are. Raises NotChangeable or TooLate."""
    if BookingRequest.objects.filter(key=key, requested_by=by).exists():
        return appointment
    _check_as_seen(appointment, sequence, now=now)
    ripple.carry_out(
        appointment=appointment,
        change=Change(kind="cancel", reason=_cancelled_by_patient(reason)),
        check=lambda locked: _check_as_seen(locked, sequence, now=now),
        by=by,
        now=now,
        key=key,
    )
    return appointment


def _check_as_seen(appointment: Appointment, sequence: int, *, now: datetime) -> None:
    """Raises NotChangeable or TooLate. Asked once for an early answer, and again under the lock, where it holds."""
    if appointment.sequence != sequence:
        raise NotChangeable(_("Your visit has been changed meanwhile. Please look at it again."))
    check_changeable(appointment, now=now)


def _cancelled_by_patient(reason: str) -> str:
    # For the desk, so in the desk's language.
    said = "Cancelled by the patient in the portal"
    return f"{said}: {reason}"[:200] if reason else said


def maintenance_day(anchor: date, terms_rules) -> date | None:
    """From when the first dated maintenance would be due after a course whose last session is on `anchor`."""
    dues = [due for rule in terms_rules if (due := rules.due(rule, anchor))]
    return min((due.from_ for due in dues), default=None)


# --- Maintenance ------------------------------------------------------------------------------


def maintenance_times(
    *, cycle: Maintenance, patient: Patient, site: Site, first_day: date | None, now: datetime, count: int = 5
) -> list[FreeTime]:
    """Free times in the days in which the cycle is due, from `first_day` on; from today on where those have passed.

    Where the cycle is due on one day it is that day or later. Raises NotBookable and NoVisitLength.
    """
    check_bookable(cycle, site=site)
    soonest = now + timedelta(hours=site.change_cut_off_hours)
    today = walltime.day_of(now, site.time_zone)
    start = max(cycle.due_from, walltime.day_of(soonest, site.time_zone), first_day or cycle.due_from)
    if start > horizon.last_day(today):
        return []
    times = visits.free_times(
        patient=patient,
        treatment=cycle.treatment,
        site=site,
        first_day=start,
        now=now,
        count=count,
        maintenance=cycle,
        not_on=other_treatments.closed_days_for(cycle, since=start),
    )
    last = cycle.due_by if cycle.due_by and cycle.due_by > cycle.due_from and cycle.due_by >= today else None
    inside = [
        time
        for time in times
        if time.starts_at >= soonest and (last is None or walltime.day_of(time.starts_at, site.time_zone) <= last)
    ]
    return sorted(inside, key=lambda time: time.starts_at)


def check_bookable(cycle: Maintenance, *, site: Site | None) -> None:
    """Raises NotBookable where the patient cannot book this cycle, in the patient's words."""
    if cycle.state == MaintenanceState.BOOKED:
        raise NotBookable(_("This maintenance is booked already."))
    if cycle.state not in BOOKABLE or cycle.due_from is None:
        raise NotBookable(_("This maintenance cannot be booked here.") + " " + please_call(site))


def book_maintenance(
    *, cycle: Maintenance, patient: Patient, site: Site, minutes: int, by: User, now: datetime, key: UUID
) -> Appointment:
    """Book the cycle at a start that was offered. The same `key` again gives the first answer.

    Raises NotBookable where it is outside the days in which the cycle is due, TimeTaken where it is not free any more.
    """
    starts_at = walltime.from_minutes(minutes)
    local = starts_at.astimezone(site.time_zone)
    if earlier := BookingRequest.objects.filter(key=key, requested_by=by).first():
        return Appointment.objects.get(pk=earlier.appointments[0])
    check_bookable(cycle, site=site)
    if starts_at < now + timedelta(hours=site.change_cut_off_hours) or local.date() < cycle.due_from:
        raise NotBookable(_("This time is not free any more. Please choose another one."))
    today = walltime.day_of(now, site.time_zone)
    if cycle.due_by and max(cycle.due_by, today) < local.date() and cycle.due_by > cycle.due_from >= today:
        raise NotBookable(_("This day is later than the maintenance is due. Please choose an earlier one."))
    time = visits.time_at(
        patient=patient,
        treatment=cycle.treatment,
        site=site,
        day=local.date(),
        clock=local.time(),
        now=now,
        maintenance=cycle,
        not_on=other_treatments.closed_days_for(cycle, since=today),
    )
    return visits.book(
        patient=patient,
        treatment=cycle.treatment,
        site=site,
        choice=time.choice,
        by=by,
        now=now,
        key=key,
        maintenance=cycle,
    )
