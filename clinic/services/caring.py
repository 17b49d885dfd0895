"""Care before and after a visit, and the final result of a course: what is true now, and when it is to be said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from clinic import ladder, walltime
from clinic.models import Appointment, AppointmentStatus, Message
from clinic.models.outbox import CARE, MessageKind, said_of
from clinic.services.quiet import quiet_hours
from treatments import care, rules
from treatments.models import Maintenance, Series, SeriesState
from treatments.terms import CareInstruction


def course_of(visit: Appointment) -> Series | None:
    """The course whose care a visit follows. A visit outside a course has none, nor has another treatment."""
    if visit.session is not None:
        return visit.session.series
    return course_of_cycle(visit.maintenance) if visit.maintenance is not None else None


def course_of_cycle(cycle: Maintenance) -> Series | None:
    """The same for a maintenance, booked or not."""
    return cycle.series if cycle.treatment_id == cycle.series.protocol.treatment_id else None


@dataclass(frozen=True, slots=True)
class Told:
    """What a message tells of: the instructions of its visit, or the day of its result."""

    instructions: tuple[CareInstruction, ...] = ()
    course: int | None = None
    result_on: date | None = None


def told_of(messages: Iterable[Message]) -> dict[int, Told]:
    """By message, of those about care or a result; a query for each of the two, and none where there are none."""
    found: dict[int, Told] = {}
    by_visit = {message.appointment_id: [] for message in messages if message.kind in CARE}
    by_series = {message.series_id: [] for message in messages if message.kind == MessageKind.RESULT}
    for message in messages:
        if message.kind in CARE:
            by_visit[message.appointment_id].append(message.pk)
        elif message.kind == MessageKind.RESULT:
            by_series[message.series_id].append(message.pk)
    if by_visit:
        for visit in Appointment.objects.filter(pk__in=by_visit).select_related(
            "session__series", "maintenance__series__protocol"
        ):
            course = course_of(visit)
            told = Told(instructions=course.terms.care, course=course.pk) if course else Told()
            found |= dict.fromkeys(by_visit[visit.pk], told)
    if by_series:
        for series in Series.objects.filter(pk__in=by_series):
            day = None
            if series.state == SeriesState.COMPLETED:
                day = rules.result_on(series.terms.milestones, series.completed_on)
            found |= dict.fromkeys(by_series[series.pk], Told(course=series.pk, result_on=day))
    return found


def why_not(message: Message, told: Told, *, now: datetime) -> str:
    """Why it is not to be said; empty where it is."""
    if message.kind == MessageKind.RESULT:
        if told.result_on is None:
            return _("The course is not complete any more, or names no result.")
        return "" if message.counts_from == told.result_on.isoformat() else _("It is due on another day.")
    visit = message.appointment
    assert visit is not None
    if message.kind == MessageKind.AFTERCARE:
        return _why_no_aftercare(message, visit, told)
    if visit.status == AppointmentStatus.CANCELLED:
        return _("The visit was cancelled.")
    if visit.status != AppointmentStatus.BOOKED or visit.starts_at <= now:
        return _("The visit has begun.")
    if message.counts_from != walltime.day_of(visit.starts_at, visit.site.time_zone).isoformat():
        return _("The visit was moved.")
    return "" if _begins(visit, told.instructions) else _("There is nothing to be done before the visit.")


def _why_no_aftercare(message: Message, visit: Appointment, told: Told) -> str:
    assert message.step is not None
    if visit.status != AppointmentStatus.FULFILLED:
        return _("The visit is not recorded as attended.")
    if message.counts_from.partition(" ")[0] != said_of(visit.ends_at):
        return _("The visit was moved.")
    said = care.speaks_of(told.instructions, days=message.step.offset_days)
    return "" if said else _("There is nothing to be done after the visit.")


def _begins(visit: Appointment, instructions: Sequence[CareInstruction]) -> date | None:
    """The day on which the care before a visit begins; None also where that is beyond any calendar."""
    try:
        return care.first_day(instructions, starts_at=visit.starts_at, zone=visit.site.time_zone)
    except (ValueError, OverflowError):
        return None


def has_come(message: Message, told: Told, zone: ZoneInfo, *, now: datetime) -> bool:
    """Whether the day has come on which care before a visit is to be told, be it at night."""
    assert message.appointment is not None
    assert message.step is not None
    begins = _begins(message.appointment, told.instructions)
    return begins is not None and ladder.morning_of(begins, message.step.offset_days, zone, quiet_hours()) <= now


def when(message: Message, told: Told, zone: ZoneInfo, *, now: datetime) -> datetime:
    """When it may be said, from `now` on, where `why_not` is empty."""
    assert message.step is not None
    days = message.step.offset_days
    if message.kind == MessageKind.RESULT:
        assert told.result_on is not None
        return ladder.day_reminder(told.result_on, days, zone, now=now, quiet=quiet_hours())
    visit = message.appointment
    assert visit is not None
    if message.kind == MessageKind.AFTERCARE:
        return ladder.aftercare(visit.ends_at, days, zone, now=now, quiet=quiet_hours())
    begins = _begins(visit, told.instructions)
    assert begins is not None
    return ladder.day_reminder(begins, days, zone, now=now, quiet=quiet_hours())


def visits_of(message: Message) -> list[tuple[Appointment, bool]]:
    """The visits whose care a message tells of, itself or for another one; with each, whether it is behind.

    One that was cancelled or missed is left out.
    """
    keys = {
        appointment
        for kind, appointment in [
            (message.kind, message.appointment_id),
            *message.says_too.values_list("kind", "appointment_id"),
        ]
        if kind in CARE
    }
    visits = Appointment.objects.live().filter(pk__in=keys)
    return [
        (visit, visit.status == AppointmentStatus.FULFILLED)
        for visit in visits.select_related(
            "site", "treatment", "session__series", "maintenance__series__protocol"
        ).order_by("starts_at", "pk")
    ]
