"""The waiting list: who would like to come sooner, and what they could have now.

What became free is noted by the database; what of it is of use follows from the diary and the courses as they are. So
nothing that frees time has to know that somebody waits.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.models import (
    Appointment,
    AppointmentStatus,
    BookingRequest,
    EarlierOffer,
    EarlierWish,
    FreedTime,
    Resource,
    WishClosed,
)
from clinic.proposal import Wishes
from clinic.ripple import in_order
from clinic.services import booking, ripple
from clinic.services.booking import BookingError, NotBookable, TimeTaken
from clinic.services.openings import opening_at, openings
from clinic.services.ripple import Change, Scene
from clinic.services.transactions import whole
from clinic.waiting import Freed, Opening, Wish, suits, within_reach

# What most people need to arrange a day anew.
USUAL_NOTICE_HOURS = 24
MINUTES = 60


class NotWaiting(BookingError):
    """The wish is over: the visit has begun, ended or moved, or nobody waits any more."""


@dataclass(frozen=True, slots=True)
class Could:
    """One wish, and the times that would suit it and have become free, the soonest first."""

    wish: EarlierWish
    value: Wish
    openings: tuple[Opening, ...]


@whole
def note(
    *,
    appointment: Appointment,
    by: User,
    now: datetime,
    notice_hours: int = USUAL_NOTICE_HOURS,
    practitioner: Resource | None = None,
    weekdays: Collection[int] = (),
    earliest_time: time | None = None,
    latest_time: time | None = None,
) -> EarlierWish:
    """Note that the patient would like this visit sooner. A wish noted before gives way, and keeps its place.

    Raises NotWaiting for a visit that is not ahead.
    """
    appointment = booking.locked(appointment)
    if appointment.status != AppointmentStatus.BOOKED or appointment.starts_at <= now:
        raise NotWaiting(_("This visit is not ahead any more, so nothing earlier can be looked for."))
    before = EarlierWish.objects.filter(appointment=appointment)
    still_waiting = before.waiting(now=now).first()
    before.filter(closed_at=None).update(closed_at=now, closed_by=by, closed_reason=WishClosed.CHANGED)
    return EarlierWish.objects.create(
        appointment=appointment,
        sooner_than=appointment.starts_at,
        practitioner=practitioner,
        weekdays=sorted(weekdays),
        earliest_time=earliest_time,
        latest_time=latest_time,
        notice_hours=notice_hours,
        waiting_since=still_waiting.waiting_since if still_waiting else now,
        noted_at=now,
        noted_by=by,
    )


@whole
def withdraw(*, appointment: Appointment, by: User, now: datetime, reason: WishClosed) -> None:
    """Wait no more. Withdrawn twice it is withdrawn once."""
    booking.locked(appointment)
    EarlierWish.objects.filter(appointment=appointment, closed_at=None).update(
        closed_at=now, closed_by=by, closed_reason=reason
    )


def wish_for(appointment: Appointment, *, now: datetime) -> EarlierWish | None:
    """The wish of this visit, while it waits."""
    return EarlierWish.objects.waiting(now=now).filter(appointment=appointment).select_related("practitioner").first()


def waiting_list(*, now: datetime) -> list[EarlierWish]:
    """All who wait, whoever waits longest first, with what a page and the matching need."""
    return list(
        EarlierWish.objects.waiting(now=now)
        .select_related(
            "appointment__patient",
            "appointment__site",
            "appointment__treatment",
            "appointment__practitioner",
            "appointment__session__series",
            "appointment__maintenance",
            "practitioner",
            "noted_by",
        )
        .prefetch_related("offers")
    )


def _freed_ahead(*, now: datetime, until: datetime) -> list[tuple[int | None, Freed]]:
    """What became free between `now` and `until`, each with its site where all of that opened."""
    rows = FreedTime.objects.filter(ends_at__gt=now, starts_at__lt=until).order_by().distinct()
    return [
        (site, Freed(walltime.to_minutes(starts), walltime.to_minutes(ends), resource))
        for site, resource, starts, ends in rows.values_list("site_id", "resource_id", "starts_at", "ends_at")
    ]


def could_have(wishes: Sequence[EarlierWish], *, now: datetime, visit: Appointment | None = None) -> list[Could]:
    """What became free and would suit whom; only those for whom there is something, in the order of `wishes`.

    With `visit`, only the time that this one had counts. `wishes` come as waiting_list gives them.
    """
    if not wishes:
        return []
    until = max(wish.appointment.starts_at for wish in wishes)
    freed = _freed_ahead(now=now, until=until)
    if visit is not None:
        first, past = walltime.to_minutes(visit.starts_at), walltime.to_minutes(visit.ends_at)
        freed = [(site, time) for site, time in freed if first <= time.start and time.end <= past]
    offered = _offered(wishes)
    minute = walltime.to_minutes(now)
    found = []
    for wish in wishes:
        value = _value(wish, offered.get(wish.appointment_id, frozenset()))
        mine = [
            time
            for site, time in freed
            if site in (None, wish.appointment.site_id) and within_reach(value, time, now=minute)
        ]
        days = _days(mine, wish.appointment, now=now) if mine else set()
        if days := {day for day in days if value.wishes.on_day(day)}:
            fitting = [
                one for one in openings(wish.appointment, days, now=now, freed=mine) if suits(value, one, now=minute)
            ]
            allowed = allowed_days(wish.appointment, {one.choice.day for one in fitting}, now=now)
            suiting = sorted((one for one in fitting if one.choice.day in allowed), key=lambda one: one.start)
            if suiting:
                found.append(Could(wish, value, tuple(suiting)))
    return found


def _offered(wishes: Iterable[EarlierWish]) -> dict[int, frozenset[int]]:
    """By visit: the starts that were offered for it before, by whichever of its wishes."""
    found: dict[int, set[int]] = {}
    visits = [wish.appointment_id for wish in wishes]
    rows = EarlierOffer.objects.filter(wish__appointment__in=visits).values_list("wish__appointment", "starts_at")
    for visit, starts_at in rows:
        found.setdefault(visit, set()).add(walltime.to_minutes(starts_at))
    return {visit: frozenset(starts) for visit, starts in found.items()}


def _value(wish: EarlierWish, offered: frozenset[int]) -> Wish:
    return Wish(
        key=wish.pk,
        since=walltime.to_minutes(wish.waiting_since),
        until=walltime.to_minutes(wish.appointment.starts_at),
        notice=wish.notice_hours * MINUTES,
        practitioner=wish.practitioner_id,
        wishes=Wishes(
            weekdays=frozenset(wish.weekdays),
            earliest_time=_minute(wish.earliest_time),
            latest_time=_minute(wish.latest_time),
            only=True,
        ),
        offered=offered,
    )


def _minute(clock: time | None) -> int | None:
    return None if clock is None else clock.hour * MINUTES + clock.minute


def _days(freed: Iterable[Freed], visit: Appointment, *, now: datetime) -> set[date]:
    """The local days of what became free, from today to the day of the visit."""
    zone = visit.site.time_zone
    today, last = walltime.day_of(now, zone), walltime.day_of(visit.starts_at, zone)
    days: set[date] = set()
    for one in freed:
        first = max(today, walltime.day_of(walltime.from_minutes(one.start), zone))
        past = min(last, walltime.day_of(walltime.from_minutes(one.end - 1), zone))
        days.update(first + timedelta(days=n) for n in range((past - first).days + 1))
    return days


def allowed_days(visit: Appointment, days: Collection[date], *, now: datetime) -> set[date]:
    """The days on which the visit may be by its course, with every later session staying inside its window."""
    cycle = visit.maintenance
    if cycle is not None:
        return {day for day in days if cycle.due_from is None or cycle.due_from <= day}
    if visit.session is None or not days:
        return set(days)
    scene = ripple.scene_of(visit)
    return {day for day in days if _keeps_the_course(scene, day, now=now)}


def _keeps_the_course(scene: Scene, day: date, *, now: datetime) -> bool:
    had = scene.course.booked[scene.number]
    outlook = ripple.look(scene, Change(kind="move", choice=replace(had, day=day)), "only", now=now)
    after = outlook.after
    # One that was before the last one attended waits to be recorded, and is none of this.
    ahead = [n for n, c in after.booked.items() if after.anchor is None or n == scene.number or c.day > after.anchor]
    return not outlook.outside and in_order({n: after.booked[n].day for n in ahead}, anchor=after.anchor)


def opening_for(
    wish: EarlierWish, *, start: datetime, practitioner: int | None, now: datetime
) -> tuple[Appointment, Opening]:
    """The visit, and the earlier time for it, as the diary and its course are now.

    Raises NotWaiting, TimeTaken where that time is not free any more, and NotBookable where the course does not allow
    it or it is not earlier.
    """
    visit = Appointment.objects.select_related(
        "patient", "site", "treatment", "session__series", "maintenance__series"
    ).get(pk=wish.appointment_id)
    if not EarlierWish.objects.waiting(now=now).filter(pk=wish.pk).exists():
        raise NotWaiting(_("This patient does not wait any more: the visit has been changed, or the wish withdrawn."))
    if start >= visit.starts_at:
        raise NotBookable(_("This is not sooner than the visit as it stands."))
    opening = opening_at(visit, walltime.to_minutes(start), practitioner, now=now)
    if opening is None:
        raise TimeTaken(_("This time has just been taken."), [0])
    if not allowed_days(visit, [opening.choice.day], now=now):
        raise NotBookable(_("The course of the patient does not allow this day any more."))
    return visit, opening


def move(
    *, wish: EarlierWish, start: datetime, practitioner: int | None, by: User, now: datetime, key: UUID
) -> Appointment:
    """Move the visit to an earlier start, which ends the wish, and owe the patient a notice.

    The same `key` again gives the first answer. Raises as `opening_for` does, or what refuses the move.
    """
    if BookingRequest.objects.filter(key=key, requested_by=by).exists():
        return Appointment.objects.select_related("patient", "site").get(pk=wish.appointment_id)
    visit, opening = opening_for(wish, start=start, practitioner=practitioner, now=now)

    def check(locked: Appointment) -> None:
        if locked.sequence != visit.sequence:
            raise NotWaiting(_("This appointment has been changed meanwhile. Please look at it again."))

    change = Change(kind="move", choice=opening.choice)
    ripple.carry_out(appointment=visit, change=change, check=check, by=by, now=now, key=key)
    visit.refresh_from_db()
    return visit
