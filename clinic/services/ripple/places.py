"""Where a visit of a course could go, and what makes room for it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from clinic import walltime
from clinic.models import Appointment
from clinic.planning import Choice, Wishes
from clinic.services import course as planned
from clinic.services.booking import NotBookable
from clinic.services.course import Order, Proposal
from clinic.services.ripple.scene import Scene
from treatments.models import Maintenance

# A visit that may be on any day is offered from so many days before the day it had.
EARLIER_DAYS = 14


def can_follow(scene: Scene, number: int, now: datetime) -> bool:
    """Visits elsewhere, and those whose patient is here or was to be here, stay where they are."""
    appointment = scene.appointments[number]
    return appointment.status == "booked" and appointment.site_id == scene.site.pk and appointment.starts_at > now


def leaving(scene: Scene, later: Sequence[int]) -> list[Appointment]:
    return [a for n, a in scene.appointments.items() if n == scene.number or n in later]


def order_like(scene: Scene, like: Choice | None, now: datetime) -> Order:
    wishes = Wishes()
    if like is not None:
        clock = walltime.from_minutes(like.start).astimezone(scene.site.time_zone)
        minutes = clock.hour * 60 + clock.minute
        wishes = Wishes(
            practitioner=like.practitioner,
            weekdays=frozenset({like.day.weekday()}),
            earliest_time=minutes,
            latest_time=minutes,
        )
    return Order(site=scene.site, first_day=_first_day(scene, now), wishes=wishes)


def _first_day(scene: Scene, now: datetime) -> date:
    """From when a visit without a window is looked for."""
    today, had = scene.today(now), scene.course.booked.get(scene.number)
    appointment = scene.appointment
    cycle: Maintenance | None = appointment.maintenance if appointment else None
    if cycle is not None and cycle.due_from is not None:
        return max(today, cycle.due_from)
    if had is not None and scene.course.anchor is None and scene.number == scene.course.numbers[0]:
        return max(today, had.day - timedelta(days=EARLIER_DAYS))
    return today


def options(
    scene: Scene, *, now: datetime, until: date | None = None, add_ons: tuple[str, ...] | None = None
) -> Proposal:
    """Where the visit itself could go: a proposal for it alone, with the later ones where they are.

    The diary is read to the end of its window, or `until` then. With `add_ons` it is looked for with those.
    """
    course = scene.course if add_ons is None else scene.course.with_add_ons(scene.number, add_ons)
    had = course.booked.get(scene.number)
    booked = {n: choice for n, choice in course.booked.items() if n != scene.number}
    return planned.propose(
        course=replace(course, booked=booked),
        order=order_like(scene, had, now),
        now=now,
        until=until,
        # Where a later visit of the course stands is free too: it may give way.
        without=leaving(scene, [n for n in booked if n > scene.number and can_follow(scene, n, now)]),
    )


def place_then(scene: Scene, day: date, clock, *, practitioner: int | None, room: int | None) -> Choice:
    """Where a visit took place that is recorded afterwards. Opening hours are not asked: it was as it was.

    Keeps the people and places of the visit where nothing is given. Raises NotBookable where the time does not exist.
    """
    try:
        start = walltime.to_minutes(walltime.instant(day, clock, scene.site.time_zone))
    except walltime.NonexistentTime as error:
        raise NotBookable(_("The clocks go forward that night, so this time does not exist.")) from error
    had = scene.course.booked[scene.number]
    return replace(had, day=day, start=start, practitioner=practitioner or had.practitioner, room=room or had.room)
