"""Booking, moving and ending appointments: the only writer of Appointment and Claim.

Whatever holds time goes through here, in one order: the press of the button, the patient's row, the resources' rows by
key. Rivals wait for one another in that order instead of deadlocking, and the constraints have the last word.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic import walltime
from clinic.models import Appointment, AppointmentStatus, BookingRequest, Claim, Resource, Site
from clinic.services import outbox
from clinic.services.transactions import whole
from patients.errors import Refused
from patients.models import Patient
from treatments.models import Maintenance, Series, Session, Treatment
from treatments.services import maintenance as cycles
from treatments.services import series as courses
from treatments.terms import Phase, phases_from


class BookingError(Refused):
    """The base of what cannot be done in the diary."""


class TimeTaken(BookingError):
    """Somebody or something is not free. `lost` are the places, in the order asked for, of the visits concerned."""

    def __init__(self, message: str, lost: Sequence[int]) -> None:
        super().__init__(message)
        self.lost = tuple(lost)


class NotBookable(BookingError):
    """What should be booked is already booked, recorded or withdrawn."""


class NotChangeable(BookingError):
    """The appointment is not in a state in which this can be done."""


class RequestReused(BookingError):
    """The key of this press of a button belongs to somebody else's."""


# What the database refuses, in the user's words.
TAKEN = {
    "claim_no_overlap": gettext_lazy("This time has just been taken."),
    "appointment_patient_in_one_place": gettext_lazy("The patient already has a visit at this time."),
}
BOOKED_ALREADY = {"appointment_one_live_a_session", "appointment_one_live_a_cycle"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit to be held in the diary: when, for what, with whom, where."""

    site: Site
    treatment: Treatment
    starts_at: datetime
    phases: tuple[Phase, ...]
    practitioner: Resource | None = None
    room: Resource | None = None
    devices: tuple[Resource, ...] = ()
    session: Session | None = None
    maintenance: Maintenance | None = None
    outside_window_reason: str = ""
    # Who decided that, where it is not who books.
    outside_window_by: User | None = None

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(minutes=sum(phase.minutes for phase in self.phases))

    @property
    def resources(self) -> list[Resource]:
        people_and_places = [r for r in (self.practitioner, self.room) if r is not None]
        return [*people_and_places, *self.devices]

    def takes(self) -> list[tuple[Resource, datetime, datetime]]:
        """Which resource it takes from when to when; phases that follow one another are one stretch."""
        taken: list[tuple[Resource, datetime, datetime]] = []
        for resource in self.resources:
            at = self.starts_at
            for phase in self.phases:
                end = at + timedelta(minutes=phase.minutes)
                if _occupies(phase, resource):
                    if taken and taken[-1][0] is resource and taken[-1][2] == at:
                        taken[-1] = (resource, taken[-1][1], end)
                    else:
                        taken.append((resource, at, end))
                at = end
        return taken

    def claims(self, appointment: Appointment) -> list[Claim]:
        return [
            Claim(appointment=appointment, resource=resource, starts_at=start, ends_at=end)
            for resource, start, end in self.takes()
        ]


def _occupies(phase: Phase, resource: Resource) -> bool:
    if resource.kind == "practitioner":
        return phase.practitioner
    if resource.kind == "room":
        return phase.room
    return resource.device_kind is not None and resource.device_kind.name in phase.device_kinds


def once(*, key: UUID, by: User, now: datetime, work: Callable[[], Sequence[Appointment]]) -> list[Appointment]:
    """Do `work` for this press of a button, or give the answer of the first time.

    Two presses at the same moment wait for one another here. Raises RequestReused for somebody else's key.
    """
    try:
        with transaction.atomic():
            request = BookingRequest.objects.create(key=key, requested_by=by, requested_at=now)
    except IntegrityError:
        earlier = BookingRequest.objects.get(key=key)
        if earlier.requested_by_id != by.pk:
            raise RequestReused(_("This page is out of date. Please open it again.")) from None
        return list(Appointment.objects.filter(pk__in=earlier.appointments).order_by("starts_at", "pk"))
    appointments = list(work())
    request.appointments = [appointment.pk for appointment in appointments]
    request.save(update_fields=["appointments"])
    return appointments


def queue_up(patient: Patient, resources: Iterable[Resource]) -> None:
    """Wait for rivals: lock the patient's row, then the resources' rows by key, in the caller's transaction."""
    if Patient.objects.select_for_update(no_key=True).only("merged_into").get(pk=patient.pk).merged_into_id:
        raise NotBookable(_("This record was merged into another a moment ago. Book there."))
    keys = {resource.pk for resource in resources}
    locked = Resource.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    if not all(active for _pk, active in locked.values_list("pk", "active")):
        raise NotBookable(_("A practitioner, room or device is no longer in use. Please choose again."))


def place(*, patient: Patient, visits: Sequence[Visit], by: User, now: datetime) -> list[Appointment]:
    """Hold the time of all `visits`, or of none, in the caller's transaction. Owes no message.

    Raises TimeTaken with the places of the visits that lost their time, or NotBookable.
    """
    queue_up(patient, (resource for visit in visits for resource in visit.resources))
    appointments = [
        Appointment(
            patient=patient,
            site=visit.site,
            treatment=visit.treatment,
            session=visit.session,
            maintenance=visit.maintenance,
            practitioner=visit.practitioner,
            room=visit.room,
            starts_at=visit.starts_at,
            ends_at=visit.ends_at,
            phases=[phase.to_json() for phase in visit.phases],
            status=AppointmentStatus.BOOKED,
            status_at=now,
            status_by=by,
            booked_at=now,
            booked_by=by,
            outside_window_reason=visit.outside_window_reason,
            outside_window_by=_decided_by(visit, by),
        )
        for visit in visits
    ]
    with _refused_in_words(patient, visits):
        Appointment.objects.bulk_create(appointments)
        Claim.objects.bulk_create(
            claim
            for visit, appointment in zip(visits, appointments, strict=True)
            for claim in visit.claims(appointment)
        )
    for visit in visits:
        if visit.maintenance is not None:
            cycles.mark_booked(cycle=visit.maintenance)
    return appointments


def _decided_by(visit: Visit, by: User) -> User | None:
    return (visit.outside_window_by or by) if visit.outside_window_reason else None


@contextmanager
def _refused_in_words(patient: Patient, visits: Sequence[Visit], leaving: Sequence[Appointment] = ()) -> Iterator[None]:
    """A savepoint that turns a violated promise into a refusal, and leaves the caller's transaction usable."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if constraint in BOOKED_ALREADY:
            raise NotBookable(_("This has been booked already, perhaps in another window.")) from error
        if constraint not in TAKEN:
            raise
        raise TimeTaken(str(TAKEN[constraint]), _lost(patient, visits, leaving)) from error


def _lost(patient: Patient, visits: Sequence[Visit], leaving: Sequence[Appointment]) -> list[int]:
    """The places of the visits whose time is not free any more. Asked only once a visit was refused."""
    left = [appointment.pk for appointment in leaving]

    def is_lost(visit: Visit) -> bool:
        patients_own = Appointment.objects.live().filter(
            patient=patient, starts_at__lt=visit.ends_at, ends_at__gt=visit.starts_at
        )
        return patients_own.exclude(pk__in=left).exists() or any(
            Claim.objects.filter(resource=resource, starts_at__lt=end, ends_at__gt=start)
            .exclude(appointment__in=left)
            .exists()
            for resource, start, end in visit.takes()
        )

    return [number for number, visit in enumerate(visits) if is_lost(visit)]


@whole
def book(*, patient: Patient, visit: Visit, by: User, now: datetime, key: UUID) -> Appointment:
    """Book one visit and owe the patient a confirmation. The same `key` again gives the first answer.

    Raises TimeTaken or NotBookable; and MaintenanceNotPossible for a cycle that cannot be booked.
    """

    def work() -> list[Appointment]:
        _check_bookable(visit)
        placed = place(patient=patient, visits=[visit], by=by, now=now)
        outbox.owe_confirmation(patient=patient, appointment=placed[0], counts_from=str(key), now=now)
        return placed

    return once(key=key, by=by, now=now, work=work)[0]


def _check_bookable(visit: Visit) -> None:
    if visit.session is None:
        return
    # Whoever changes the sessions of a series queues on the series.
    Series.objects.select_for_update(no_key=True).get(sessions=visit.session.pk)
    if Session.objects.get(pk=visit.session.pk).state != "planned":
        raise NotBookable(_("This session is already recorded."))


@whole
def move(*, appointment: Appointment, visit: Visit, by: User, now: datetime) -> Appointment:
    """Move a booked appointment to the time, people and places of `visit`, and owe the patient a notice.

    Raises TimeTaken, or NotChangeable where it is not booked any more.
    """
    appointment = locked(appointment)
    check_movable(appointment)
    shift([(appointment, visit)], by=by)
    outbox.owe_change(appointment=appointment, now=now, wait=outbox.TO_UNDO)
    return appointment


def check_movable(appointment: Appointment) -> None:
    """Raises NotChangeable where it is not booked any more. Call it with the appointment locked."""
    if appointment.status != AppointmentStatus.BOOKED:
        raise NotChangeable(_("Only a booked appointment can be moved. This one is: %s.") % status_words(appointment))


def shift(moves: Sequence[tuple[Appointment, Visit]], *, by: User) -> None:
    """Give locked appointments of one patient new times, all or none, in the caller's transaction. Owes no message.

    An appointment without claims gets them again. Raises TimeTaken with the places of those that lost their time.
    """
    if not moves:
        return
    patient, visits = moves[0][0].patient, [visit for _appointment, visit in moves]
    leaving = [appointment for appointment, _visit in moves]
    queue_up(patient, (resource for visit in visits for resource in visit.resources))
    with _refused_in_words(patient, visits, leaving=leaving):
        Claim.objects.filter(appointment__in=leaving).delete()
        # The patient is never in two places, not even between two of these rows: those that go later give way first.
        forward = [pair for pair in moves if pair[1].starts_at >= pair[0].starts_at]
        backward = [pair for pair in moves if pair[1].starts_at < pair[0].starts_at]
        for appointment, visit in [
            *sorted(forward, key=lambda pair: pair[0].starts_at, reverse=True),
            *sorted(backward, key=lambda pair: pair[0].starts_at),
        ]:
            appointment.site = visit.site
            appointment.starts_at, appointment.ends_at = visit.starts_at, visit.ends_at
            appointment.practitioner, appointment.room = visit.practitioner, visit.room
            appointment.phases = [phase.to_json() for phase in visit.phases]
            appointment.outside_window_reason = visit.outside_window_reason
            appointment.outside_window_by = _decided_by(visit, by)
            appointment.sequence += 1
            appointment.save()
        Claim.objects.bulk_create(claim for appointment, visit in moves for claim in visit.claims(appointment))


def hold_again(visits: Sequence[tuple[Appointment, Visit]], *, by: User, now: datetime) -> None:
    """Book locked appointments that were cancelled or missed again, all or none, in the caller's transaction.

    Owes no message. Raises TimeTaken, or NotBookable where the session or cycle has another visit by now.
    """
    for appointment, visit in visits:
        shift([(appointment, visit)], by=by)
        with _refused_in_words(appointment.patient, [visit], leaving=[appointment]):
            set_status(appointment, AppointmentStatus.BOOKED, by=by, now=now)
        if appointment.maintenance is not None:
            cycles.mark_booked(cycle=appointment.maintenance)


@whole
def cancel(*, appointment: Appointment, reason: str, by: User, now: datetime) -> Appointment:
    """Give the time back; the row stays, with who, when and why. Owes the patient a notice. Raises NotChangeable."""
    appointment = locked(appointment)
    end_cancelled(appointment, reason=reason, by=by, now=now)
    outbox.owe_cancellation(appointment=appointment, now=now, wait=outbox.TO_UNDO)
    return appointment


def end_cancelled(appointment: Appointment, *, reason: str, by: User, now: datetime) -> None:
    """The same for a locked appointment, in the caller's transaction; owes no message. Raises NotChangeable."""
    if appointment.status not in (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED):
        raise NotChangeable(_("This appointment cannot be cancelled any more. It is: %s.") % status_words(appointment))
    if not reason:
        raise NotChangeable(_("Note why it is cancelled."))
    _end(appointment, AppointmentStatus.CANCELLED, by=by, now=now, cancel_reason=reason)


@whole
def no_show(*, appointment: Appointment, by: User, now: datetime) -> Appointment:
    """Record that the patient did not come. The session or cycle is to be booked again. Raises NotChangeable."""
    appointment = locked(appointment)
    end_missed(appointment, by=by, now=now)
    return appointment


def end_missed(appointment: Appointment, *, by: User, now: datetime) -> None:
    """The same for a locked appointment, in the caller's transaction. Raises NotChangeable."""
    if appointment.status != AppointmentStatus.BOOKED:
        raise NotChangeable(_("This appointment is already recorded as: %s.") % status_words(appointment))
    if appointment.starts_at > now:
        raise NotChangeable(_("The visit has not begun yet. Cancel it instead."))
    _end(appointment, AppointmentStatus.NO_SHOW, by=by, now=now)


def _end(
    appointment: Appointment, status: AppointmentStatus, *, by: User, now: datetime, cancel_reason: str = ""
) -> None:
    appointment.claims.all().delete()
    set_status(appointment, status, by=by, now=now, cancel_reason=cancel_reason)
    if appointment.maintenance is not None:
        tomorrow = walltime.day_of(now, appointment.site.time_zone) + timedelta(days=1)
        cycles.mark_unbooked(cycle=appointment.maintenance, remind_from=tomorrow)


@whole
def arrive(*, appointment: Appointment, by: User, now: datetime) -> Appointment:
    """Record that the patient is here. Raises NotChangeable, also on another day than the visit's."""
    appointment = locked(appointment)
    if appointment.status != AppointmentStatus.BOOKED:
        raise NotChangeable(_("This appointment is already recorded as: %s.") % status_words(appointment))
    zone = appointment.site.time_zone
    if walltime.day_of(now, zone) != walltime.day_of(appointment.starts_at, zone):
        raise NotChangeable(_("The visit is on another day. Move it to today first."))
    return set_status(appointment, AppointmentStatus.ARRIVED, by=by, now=now)


@whole
def attend(*, appointment: Appointment, by: User, now: datetime) -> Appointment:
    """Record that the visit took place, on its own day.

    With it the session or the maintenance cycle is attended, and whatever follows from that begins: the series may be
    complete, the next cycle open. Raises NotChangeable before the visit has begun.
    """
    appointment = locked(appointment)
    end_attended(appointment, by=by, now=now)
    return appointment


def end_attended(appointment: Appointment, *, by: User, now: datetime) -> None:
    """The same for a locked appointment, in the caller's transaction. Raises NotChangeable."""
    if appointment.status not in (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED):
        raise NotChangeable(_("This appointment is already recorded as: %s.") % status_words(appointment))
    zone = appointment.site.time_zone
    day = walltime.day_of(appointment.starts_at, zone)
    if walltime.day_of(now, zone) < day:
        raise NotChangeable(_("The visit is still ahead. It can be recorded from its day on."))
    set_status(appointment, AppointmentStatus.FULFILLED, by=by, now=now)
    if appointment.session is not None:
        courses.attend(session=appointment.session, on=day, by=by, now=now)
    if appointment.maintenance is not None:
        cycles.attend(cycle=appointment.maintenance, on=day, by=by, now=now)


def locked(appointment: Appointment) -> Appointment:
    """The appointment as it is now; whoever changes it next waits for the caller's transaction."""
    # Locked first: what is joined to a row that is waited for is read as it was before, or the row is not found.
    Appointment.objects.select_for_update(no_key=True).only("pk").get(pk=appointment.pk)
    found = Appointment.objects.select_related("patient", "site", "session__series", "maintenance__series")
    return found.get(pk=appointment.pk)


def set_status(
    appointment: Appointment, status: AppointmentStatus, *, by: User, now: datetime, cancel_reason: str = ""
) -> Appointment:
    """Of a locked appointment, in the caller's transaction; its claims are the caller's to keep in step."""
    appointment.status, appointment.status_at, appointment.status_by = status, now, by
    appointment.cancel_reason = cancel_reason
    appointment.sequence += 1
    appointment.save(update_fields=["status", "status_at", "status_by", "cancel_reason", "sequence"])
    return appointment


def note_outside(appointment: Appointment, *, reason: str, by: User) -> None:
    """Keep why a visit that stays where it is may be outside its window."""
    appointment.outside_window_reason, appointment.outside_window_by = reason, by
    appointment.save(update_fields=["outside_window_reason", "outside_window_by"])


def note_inside(appointment: Appointment) -> None:
    """The same for one that lies inside its window again; the history keeps what was decided."""
    appointment.outside_window_reason, appointment.outside_window_by = "", None
    appointment.save(update_fields=["outside_window_reason", "outside_window_by"])


def phases_of(appointment: Appointment) -> tuple[Phase, ...]:
    """The visit as it was booked."""
    return phases_from(appointment.phases)


def status_words(appointment: Appointment) -> str:
    return str(AppointmentStatus(appointment.status).label)
