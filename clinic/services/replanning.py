"""Visits that no longer fit the rota, planned again: at the same time with others, else at the nearest free time.

A suggestion lies inside the window of its session and breaks none of the later ones, so that one press may carry it
out. Whatever has none stays on the worklist.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid5

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.availability import Availability
from clinic.models import Appointment, BookingRequest, Resource
from clinic.nearest import nearest
from clinic.planning import Choice
from clinic.services import course as planned
from clinic.services import ripple, rota_fit, worklist_rows
from clinic.services.booking import NotBookable, TimeTaken
from clinic.services.course import Proposal
from clinic.services.ripple import Change, Scene
from patients.errors import Refused

# A visit without a window is looked for so many days around the day it had.
AROUND = timedelta(days=14)
# So many days are tried for one that breaks nothing.
MOST_DAYS = 20
DAY = timedelta(days=1)


class NoSuggestion(NotBookable):
    """Nothing can be suggested for this visit; why, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Where a visit could go. `same_time`: only with others, or elsewhere at the site."""

    appointment: Appointment
    choice: Choice
    same_time: bool
    practitioner: Resource | None
    room: Resource | None

    @property
    def starts_at(self) -> datetime:
        return walltime.from_minutes(self.choice.start)


def suggest(appointment: Appointment, *, now: datetime) -> Suggestion:
    """The same time with others, else the nearest time inside the window. Stores nothing. Raises NoSuggestion."""
    scene = ripple.scene_of(appointment)
    if scene.appointment is None or appointment.status != "booked":
        raise NoSuggestion(_("It has been changed meanwhile."))
    number, had = scene.number, scene.course.booked[scene.number]
    proposal = ripple.options(scene, now=now, until=had.day + AROUND)
    if proposal.overdue and number == proposal.course.numbers[0]:
        raise NoSuggestion(_("The window of its session has passed. Somebody has to decide on a day."))
    for choice in _candidates(scene, proposal, had, now):
        if not breaks(scene, choice, now=now):
            return Suggestion(
                appointment=appointment,
                choice=choice,
                same_time=choice.start == had.start,
                practitioner=proposal.resources.get(choice.practitioner),
                room=proposal.resources.get(choice.room),
            )
    raise NoSuggestion(_("Nothing is free that keeps every session inside its window."))


def breaks(scene: Scene, choice: Choice, *, now: datetime) -> bool:
    """Whether the visit there would be outside its window, or leave a later session outside."""
    outlook = ripple.look(scene, Change(kind="move", choice=choice), "only", now=now)
    return outlook.breaks or bool(outlook.outside)


def _candidates(scene: Scene, proposal: Proposal, had: Choice, now: datetime) -> Iterable[Choice]:
    if (same := _same_time(scene, proposal, had)) is not None:
        yield same
    visit = proposal.request.visits[proposal.course.numbers.index(scene.number)]
    free = Availability(proposal.request.diary)
    for tried, choice in enumerate(nearest(free, visit, _days(scene, proposal, had, now), had=had)):
        if tried == MOST_DAYS:
            return
        yield _like(scene, proposal, had, choice)


def _same_time(scene: Scene, proposal: Proposal, had: Choice) -> Choice | None:
    clock = walltime.from_minutes(had.start).astimezone(scene.site.time_zone).time()
    try:
        found = planned.choice_at(proposal, scene.number, had.day, clock)
    except NotBookable:
        return None
    return _like(scene, proposal, had, replace(found, start=had.start)) if found.start == had.start else None


def _like(scene: Scene, proposal: Proposal, had: Choice, found: Choice) -> Choice:
    """The same practitioner or another, in the same room and with the same devices where these are free."""
    for same in (
        replace(found, room=had.room, devices=had.devices),
        replace(found, room=had.room),
        replace(found, devices=had.devices),
    ):
        if planned.fits(proposal, scene.number, same):
            return same
    return found


def _from(had: Choice, today: date) -> date:
    """Nobody is expected to come the same day unasked, but who comes today anyway."""
    return today if had.day == today else today + DAY


def _days(scene: Scene, proposal: Proposal, had: Choice, now: datetime) -> list[date]:
    """The days inside the window, after the session before and before the next one."""
    appointment, today = scene.appointment, scene.today(now)
    assert appointment is not None
    first, last = had.day - AROUND, had.day + AROUND
    cycle = appointment.maintenance
    if appointment.session_id is not None:
        window = dict(iter(proposal))[scene.number].window
        first, last = window.earliest, window.latest
    elif cycle is not None and cycle.due_from is not None:
        first, last = cycle.due_from, max(cycle.due_by or last, had.day)
    others = {n: choice.day for n, choice in scene.course.booked.items() if n != scene.number}
    first = max([first, _from(had, today), *(day + DAY for n, day in others.items() if n < scene.number)])
    last = min([last, *(day - DAY for n, day in others.items() if n > scene.number)])
    return [first + n * DAY for n in range((last - first).days + 1)]


# --- Doing it ---------------------------------------------------------------------------------------


def move(*, appointment: Appointment, choice: Choice, by: User, now: datetime, key: UUID) -> Appointment:
    """Move the visit there and leave the later ones; the patient is told once it can no longer be taken back.

    The same `key` again gives the first answer. Raises TimeTaken where it is not free any more, and what the ripple
    refuses.
    """
    ripple.carry_out(appointment=appointment, change=Change(kind="move", choice=choice), by=by, now=now, key=key)
    return Appointment.objects.select_related("patient", "site", "practitioner", "room").get(pk=appointment.pk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    appointment: Appointment
    was: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    appointment: Appointment
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    moved: Sequence[Moved]
    left: Sequence[Left]


def replan(*, keys: Iterable[int], by: User, now: datetime, key: UUID) -> Replanned:
    """Move each of these visits that does not fit and has a suggestion; say why each of the others stays.

    Each is moved by itself, so that one that cannot be moved holds up no other. What this press (`key`) has moved
    before counts as moved and is not moved again. Visits that fit by now, or are over, are left out.
    """
    rows = list(
        Appointment.objects.filter(pk__in=list(keys))
        .select_related("patient", "site", "treatment", "practitioner", "room", "maintenance", "session__series")
        .order_by("starts_at", "pk")
    )
    unfit = rota_fit.misfits(now=now, only=[row.pk for row in rows])
    done = set(BookingRequest.objects.filter(pk__in=[_own_key(key, row) for row in rows]).values_list("pk", flat=True))
    holds = {
        hold.row: hold
        for hold in worklist_rows.holding([worklist_rows.row_id("appointment", row.pk) for row in rows], now=now)
        if hold.held_by_id != by.pk
    }
    moved, left = [], []
    for row in rows:
        if _own_key(key, row) in done:
            moved.append(Moved(appointment=row, was=None))
            continue
        if row.pk not in unfit:
            continue
        if hold := holds.get(worklist_rows.row_id("appointment", row.pk)):
            left.append(Left(appointment=row, why=_("%s is on it.") % worklist_rows.name_of(hold.held_by)))
            continue
        try:
            moved.append(Moved(appointment=_moved(row, by=by, now=now, key=_own_key(key, row)), was=row.starts_at))
        except Refused as refusal:
            left.append(Left(appointment=row, why=str(refusal)))
    return Replanned(moved=moved, left=left)


def _own_key(key: UUID, row: Appointment) -> UUID:
    return uuid5(key, str(row.pk))


def _moved(row: Appointment, *, by: User, now: datetime, key: UUID) -> Appointment:
    try:
        return move(appointment=row, choice=suggest(row, now=now).choice, by=by, now=now, key=key)
    except TimeTaken:
        # Somebody was faster: what is free now is looked for once more.
        return move(appointment=row, choice=suggest(row, now=now).choice, by=by, now=now, key=key)
