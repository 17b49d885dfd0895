"""Taking back what the desk has just recorded or changed, while nothing has been built on it.

What was before is read from the history that the database keeps of every appointment. All that one press of a button
changed belongs together, and is taken back together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pghistory
from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic import ripple, walltime
from clinic.models import Absence, Appointment, AppointmentStatus, Claim, Closure, Message, Resource
from clinic.models.outbox import MessageKind, MessageState, edition_of
from clinic.services import booking, outbox
from clinic.services import course as planned
from clinic.services.booking import NotChangeable, TimeTaken, Visit
from clinic.services.ripple import lock_course
from clinic.services.transactions import whole
from treatments import rules
from treatments.models import MaintenanceState, Series, SeriesState, Session, SessionState
from treatments.services import add_ons
from treatments.services import maintenance as cycles
from treatments.services import series as courses
from treatments.terms import phases_from

BOOKED, ARRIVED = AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED
# Named in the history, so that taking back is not itself taken back.
UNDO = "undo"
DIARY = ("status", "starts_at", "ends_at", "site_id", "practitioner_id", "room_id", "phases", "outside_window_reason")


@dataclass(frozen=True, slots=True)
class Step:
    """What one press did to one appointment: `before` is the event that held until then, None where it was booked."""

    appointment: Appointment
    before: object | None

    @property
    def was_live(self) -> bool:
        return self.appointment.status in (BOOKED, ARRIVED, AppointmentStatus.FULFILLED)

    @property
    def moved(self) -> bool:
        now, before = self.appointment, self.before
        return before is not None and any(
            getattr(now, name) != getattr(before, name) for name in DIARY if name != "status"
        )


def possible(appointment: Appointment) -> str:
    """What would be taken back, in words; empty where nothing can be, as far as the history tells."""
    try:
        steps = _steps(appointment)
    except NotChangeable:
        return ""
    mine = next(step for step in steps if step.appointment.pk == appointment.pk)
    words = {
        AppointmentStatus.ARRIVED: _("the arrival"),
        AppointmentStatus.FULFILLED: _("the attendance"),
        AppointmentStatus.CANCELLED: _("the cancellation"),
        AppointmentStatus.NO_SHOW: _("the no-show"),
    }
    before = mine.before
    assert before is not None
    if before.status != mine.appointment.status:
        return words.get(AppointmentStatus(appointment.status), "")
    return _("the change of add-ons") if before.phases != appointment.phases else _("the move")


@whole
def undo(*, appointment: Appointment, by: User, now: datetime) -> Appointment:
    """Take back the last thing that was done to an appointment, and all that was done with it.

    What the patient has not been told yet is not told. Raises NotChangeable, or what the diary refuses: TimeTaken where
    the earlier time is not free any more, NotBookable, or a refusal of the series or the maintenance.
    """
    with pghistory.context(**{UNDO: True}):
        series = _lock(appointment)
        steps = _steps(appointment)
        for step in steps:
            _check(step, now=now)
        broken = _broken(series, now) if series else set()
        sessions_before = _sessions_before(series, appointment) if series else []
        resources = [r for step in steps if step.before for r in _visit_before(step).resources]
        booking.queue_up(appointment.patient, resources)
        told = [_silence(step.appointment, now=now) for step in steps]
        told_of_series = _silence_series(series, steps, now=now) if series else False
        _restore(steps, by=by, now=now)
        _open_again(sessions_before, by=by, now=now)
        chosen = {
            session.number: before.add_ons for session, before in sessions_before if before.add_ons != session.add_ons
        }
        if series and chosen:
            add_ons.choose(series=series, add_ons=chosen)
        if series and _broken(series, now) - broken:
            raise NotChangeable(
                _("Another visit of the course has been changed since, and would be outside its window.")
            )
        _tell(steps, told, told_of_series, series, now=now)
    return Appointment.objects.select_related("patient", "site").get(pk=appointment.pk)


def _lock(appointment: Appointment) -> Series | None:
    """The series of a visit, if it is of one. Nobody else can change either before the transaction ends."""
    if appointment.session is not None:
        return lock_course(appointment.session.series_id)
    booking.locked(appointment)
    return None


def _steps(appointment: Appointment) -> list[Step]:
    """What the last press that touched `appointment` did, appointment by appointment. Raises NotChangeable."""
    events = appointment.events.model.objects
    last = events.filter(pgh_obj=appointment.pk).select_related("pgh_context").order_by("-pgh_id").first()
    if last is None:
        raise NotChangeable(_("There is nothing to undo."))
    if last.pgh_context is not None and last.pgh_context.metadata.get(UNDO):
        raise NotChangeable(_("This has been undone already."))
    together = events.filter(pgh_context=last.pgh_context_id) if last.pgh_context_id else events.filter(pk=last.pk)
    first_of = {}
    for key, event in (
        together.filter(patient_id=appointment.patient_id).order_by("-pgh_id").values_list("pgh_obj_id", "pgh_id")
    ):
        first_of[key] = event
    rows = Appointment.objects.select_related(
        "patient", "site", "treatment", "session__series", "maintenance__series"
    ).in_bulk(first_of)
    steps = []
    for key, first in sorted(first_of.items()):
        history = events.filter(pgh_obj=key).order_by("-pgh_id")
        if last.pgh_context_id and history.first().pgh_context_id != last.pgh_context_id:
            raise NotChangeable(_("A visit that was changed together with this one has been changed again since."))
        step = Step(rows[key], history.filter(pgh_id__lt=first).first())
        if step.before is None or step.moved or step.before.status != step.appointment.status:
            steps.append(step)
    mine = next((step for step in steps if step.appointment.pk == appointment.pk), None)
    if mine is None or mine.before is None:
        raise NotChangeable(_("There is nothing to undo. A booking is taken back by cancelling it."))
    return steps


def _check(step: Step, *, now: datetime) -> None:
    appointment, before = step.appointment, step.before
    if before is None:
        if appointment.status != BOOKED:
            raise NotChangeable(
                _("A visit that was booked with it is already: %s.") % booking.status_words(appointment)
            )
        return
    if before.status not in (BOOKED, ARRIVED):
        raise NotChangeable(_("There is nothing to undo."))
    zone = before.site.time_zone
    ended = appointment.status in (AppointmentStatus.FULFILLED, AppointmentStatus.NO_SHOW)
    if step.moved or appointment.status == AppointmentStatus.CANCELLED:
        day, today = walltime.day_of(before.starts_at, zone), walltime.day_of(now, zone)
        if day < today and not ended:
            raise NotChangeable(_("Its earlier time has passed. Move it instead."))


def _visit_before(step: Step) -> Visit:
    """The visit as it was, with devices that are free then: the history knows the kind, not which one it was."""
    before = step.before
    visit = Visit(
        site=before.site,
        treatment=step.appointment.treatment,
        starts_at=before.starts_at,
        phases=phases_from(before.phases),
        practitioner=before.practitioner,
        room=before.room,
        outside_window_reason=before.outside_window_reason,
        outside_window_by=before.outside_window_by,
    )
    kinds = dict.fromkeys(kind for phase in visit.phases for kind in phase.device_kinds)
    devices = [_device(visit, kind, but=step.appointment) for kind in kinds]
    return replace(visit, devices=tuple(device for device in devices if device))


def _device(visit: Visit, kind: str, *, but: Appointment) -> Resource | None:
    held = Resource.objects.filter(claims__appointment=but, device_kind__name=kind).values_list("pk", flat=True)
    mine = set(held)
    found = Resource.objects.in_use().filter(kind="device", device_kind__name=kind, site=visit.site)
    devices = sorted(found.select_related("device_kind"), key=lambda device: (device.pk not in mine, device.pk))
    taken = Claim.objects.filter(starts_at__lt=visit.ends_at, ends_at__gt=visit.starts_at).exclude(appointment=but)
    busy = set(taken.filter(resource__in=devices).values_list("resource", flat=True))
    return next((device for device in devices if device.pk not in busy), devices[0] if devices else None)


def _restore(steps: Sequence[Step], *, by: User, now: datetime) -> None:
    for step in steps:
        if step.before is None:
            booking.end_cancelled(step.appointment, reason=_("Undone"), by=by, now=now)
    back = []
    for step in steps:
        appointment, before = step.appointment, step.before
        if before is None:
            continue
        if appointment.status == AppointmentStatus.FULFILLED:
            _take_back_attendance(appointment, by=by, now=now)
        elif not step.was_live:
            _open_session_again(appointment, by=by, now=now)
        if step.moved or not step.was_live:
            _check_nobody_away(step)
            back.append((step, _visit_before(step)))
    _hold_again(back, by=by, now=now)
    for step in steps:
        appointment, before = step.appointment, step.before
        if before is not None and step.was_live and before.status != appointment.status:
            booking.set_status(appointment, AppointmentStatus(before.status), by=by, now=now)


def _hold_again(back: Sequence[tuple[Step, Visit]], *, by: User, now: datetime) -> None:
    try:
        ended = [(step.appointment, visit) for step, visit in back if not step.was_live]
        booking.shift([(step.appointment, visit) for step, visit in back if step.was_live], by=by)
        booking.hold_again(ended, by=by, now=now)
    except TimeTaken as error:
        raise TimeTaken(_("The earlier time is not free any more."), error.lost) from error


def _check_nobody_away(step: Step) -> None:
    before = step.before
    keys = [key for key in (before.practitioner_id, before.room_id) if key]
    then = {"starts_at__lt": before.ends_at, "ends_at__gt": before.starts_at}
    if (
        Absence.objects.filter(resource__in=keys, **then).exists()
        or Closure.objects.filter(site=before.site_id, **then).exists()
    ):
        raise TimeTaken(_("The earlier time is not free any more."), [0])


def _take_back_attendance(appointment: Appointment, *, by: User, now: datetime) -> None:
    if appointment.session is not None:
        series = courses.undo(session=appointment.session, by=by, now=now)
        withdrawn = {"maintenance__series": series}
    elif appointment.maintenance is not None:
        cycles.undo_attend(cycle=appointment.maintenance, by=by, now=now)
        withdrawn = {"maintenance__series": appointment.maintenance.series_id}
    else:
        return
    outbox.drop(
        Message.objects.filter(**withdrawn, maintenance__state=MaintenanceState.WITHDRAWN),
        reason=_("It is not due any more."),
        now=now,
    )


def _open_session_again(appointment: Appointment, *, by: User, now: datetime) -> None:
    """A session that was given up together with its visit; anything else recorded of it stands in the way."""
    session = appointment.session
    if session is None:
        return
    if session.state == SessionState.SKIPPED and session.recorded_at == appointment.status_at:
        courses.undo(session=session, by=by, now=now)
    elif session.state != SessionState.PLANNED or session.series.state != SeriesState.ACTIVE:
        raise NotChangeable(_("This session is already recorded, or its series has ended."))


def _sessions_before(series: Series, appointment: Appointment) -> list[tuple[Session, object]]:
    """The sessions of the course that the press changed which last touched `appointment`, with what each was before."""
    press = appointment.events.order_by("-pgh_id").values_list("pgh_context", flat=True).first()
    if press is None:
        return []
    found = []
    for session in series.sessions.filter(events__pgh_context=press).distinct():
        first = session.events.filter(pgh_context=press).order_by("pgh_id").first()
        before = session.events.filter(pgh_id__lt=first.pgh_id).order_by("-pgh_id").first()
        if before is not None:
            found.append((session, before))
    return found


def _open_again(changed: Sequence[tuple[Session, object]], *, by: User, now: datetime) -> None:
    """Plan again what was left out by the same press and had no visit that brings it back."""
    for session, before in changed:
        session.refresh_from_db(fields=["state"])
        if session.state == SessionState.SKIPPED and before.state == SessionState.PLANNED:
            courses.undo(session=session, by=by, now=now)


def _broken(series: Series, now: datetime) -> set[int]:
    """The sessions outside their windows that nobody has decided on."""
    course = planned.left_of(Series.objects.select_related("patient", "protocol__treatment").get(pk=series.pk))
    live = Appointment.objects.live().filter(session__series=series).exclude(outside_window_reason="")
    decided = set(live.values_list("session__number", flat=True))
    days = {n: course.booked[n].day if n in course.booked else None for n in course.numbers}
    standing = ripple.stands(
        {n: day for n, day in days.items() if day is None or course.anchor is None or day > course.anchor},
        anchor=course.anchor,
        window_after=lambda day: rules.window_after(course.spacing, day),
        today=now.date(),
    )
    return {stand.number for stand in standing if stand.breaks} - decided


# --- What the patient hears -------------------------------------------------------------------


def _silence(appointment: Appointment, *, now: datetime) -> bool:
    """Drop what is owed about the visit as it stands; whether the patient has been told of it."""
    notices = Message.objects.filter(
        appointment=appointment,
        kind__in=[MessageKind.CHANGE, MessageKind.CANCELLATION],
        counts_from=edition_of(appointment),
    )
    outbox.drop(notices, reason=_("It was undone before it was told."), now=now)
    return notices.exclude(state=MessageState.DROPPED).exists()


def _silence_series(series: Series, steps: Sequence[Step], *, now: datetime) -> bool:
    event = steps[0].appointment.events.order_by("-pgh_id").select_related("pgh_context").first()
    change = event.pgh_context.metadata.get("change") if event.pgh_context else None
    if change is None:
        return False
    notices = Message.objects.filter(series=series, kind=MessageKind.CHANGE, counts_from=change)
    outbox.drop(notices, reason=_("It was undone before it was told."), now=now)
    return notices.exclude(state=MessageState.DROPPED).exists()


def _tell(
    steps: Sequence[Step], told: Sequence[bool], told_of_series: bool, series: Series | None, *, now: datetime
) -> None:
    """Nothing where the patient knows only what is true again; else what is true now."""
    stale = [
        step.appointment
        for step, heard in zip(steps, told, strict=True)
        if step.before is not None and (heard or _never_heard_of(step))
    ]
    if told_of_series or len(stale) > 1:
        assert series is not None
        counts_from = f"undo {steps[0].appointment.pk} {int(now.timestamp())}"
        outbox.owe_series_change(series=series, counts_from=counts_from, now=now)
    elif stale:
        outbox.owe_change(appointment=stale[0], now=now)


def _never_heard_of(step: Step) -> bool:
    """Whether the time that is back had been owed a notice itself, and the later change came before it was sent."""
    before = step.before
    notices = Message.objects.filter(
        appointment=step.appointment, kind=MessageKind.CHANGE, counts_from=edition_of(before)
    )
    return notices.filter(state__in=[MessageState.PENDING, MessageState.DROPPED]).exists()
