"""A change of one visit and what it does to the later ones of its course: shown first, then done as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Literal
from uuid import UUID, uuid4

import pghistory
from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic import ripple, walltime
from clinic.models import Appointment, Resource, Site
from clinic.planning import Choice, Wishes
from clinic.ripple import Effect, Stand
from clinic.services import booking, outbox
from clinic.services import course as planned
from clinic.services.booking import NotBookable, NotChangeable, TimeTaken
from clinic.services.course import OVERRIDE, Course, Order, OutsideWindow, Proposal
from clinic.services.transactions import whole
from treatments import rules
from treatments.models import Maintenance, Series, Session, SessionState
from treatments.services import series as courses
from treatments.terms import SessionCount, Spacing, Terms

Kind = Literal["move", "cancel", "no_show", "attended", "drop", "add", "terms"]
Following = Literal["only", "shift", "replan", "unbook"]
# A visit that may be on any day is offered from so many days before the day it had.
EARLIER_DAYS = 14


class NotPossible(NotBookable):
    """The choice for the later sessions cannot be carried out. `numbers` are those that stand in the way."""

    def __init__(self, message: str, numbers: Sequence[int]) -> None:
        super().__init__(message)
        self.numbers = tuple(numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one visit.

    `choice` is where a moved visit goes, or when it was really attended. `forfeit`: a missed session is not repeated.
    `reason` is why it is cancelled or dropped. `terms` are those that the series is to have.
    """

    kind: Kind
    choice: Choice | None = None
    forfeit: bool = False
    reason: str = ""
    terms: Terms | None = None

    @property
    def offers(self) -> tuple[Following, ...]:
        """What can be done about the later sessions; nothing is shifted where there is no time to shift by."""
        return ("only", "shift", "replan", "unbook") if self.choice else ("only", "replan", "unbook")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One visit of a course, and all that is booked of it. A single visit is a course of one."""

    course: Course
    number: int
    site: Site
    appointments: Mapping[int, Appointment] = field(default_factory=dict)
    series: Series | None = None

    @property
    def appointment(self) -> Appointment | None:
        return self.appointments.get(self.number)

    def today(self, now: datetime) -> date:
        return walltime.day_of(now, self.site.time_zone)


def scene_of(appointment: Appointment) -> Scene:
    """The visit as it stands, with the later ones. Four queries, whatever the length of the course."""
    session = appointment.session
    if session is None or appointment.status not in ("booked", "arrived"):
        return _alone(appointment)
    series = Series.objects.select_related("patient", "protocol__treatment").get(pk=session.series_id)
    return _scene(series, session.number, appointment.site)


def scene_of_session(session: Session, *, site: Site) -> Scene:
    """The same for a session, booked or not; `site` is where it would be planned."""
    series = Series.objects.select_related("patient", "protocol__treatment").get(pk=session.series_id)
    return _scene(series, session.number, site)


def _scene(series: Series, number: int, site: Site) -> Scene:
    live = Appointment.objects.live().filter(session__series=series, session__state=SessionState.PLANNED)
    return Scene(
        course=planned.left_of(series),
        number=number,
        site=site,
        appointments={a.session.number: a for a in live.select_related("session", "site", "patient", "treatment")},
        series=series,
    )


def _alone(appointment: Appointment) -> Scene:
    terms = Terms(appointment.treatment.name, SessionCount("fixed", 1, 1), Spacing(1, None, 1, "day"))
    course = Course(
        patient=appointment.patient,
        treatment=appointment.treatment,
        terms=terms,
        numbers=(1,),
        booked={1: planned.as_booked(appointment)},
        phases={1: booking.phases_of(appointment)},
    )
    return Scene(course=course, number=1, site=appointment.site, appointments={1: appointment})


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a change would come to, with one choice for the later sessions.

    `effects` are those on the changed session, where it stays part of the course, and on all later ones. `kept` are
    where each of them ends. `impossible`: cannot be shifted, because something is not free. `outside`: needs the right
    to be outside its window, and a reason.
    """

    scene: Scene
    change: Change
    following: Following
    after: Course
    effects: tuple[Effect, ...]
    impossible: tuple[int, ...]
    outside: tuple[int, ...]
    proposal: Proposal | None

    @property
    def later(self) -> tuple[Effect, ...]:
        return tuple(effect for effect in self.effects if effect.number > self.scene.number)

    @property
    def breaks(self) -> bool:
        """Whether a later session would not be in its window."""
        return any(effect.change in ("early", "late") for effect in self.later)

    @cached_property
    def moved(self) -> tuple[int, ...]:
        """Booked visits that get another time, the changed one among them."""
        was, is_ = self.scene.course.booked, self.after.booked
        return tuple(n for n in sorted(is_) if n in self._standing and is_[n] != was.get(n))

    @cached_property
    def released(self) -> tuple[int, ...]:
        """Later visits that give up their time."""
        is_ = self.after.booked
        return tuple(n for n in sorted(self._standing) if n not in is_ and n != self.scene.number)

    @cached_property
    def placed(self) -> tuple[int, ...]:
        """Sessions that get a time and had none, or lose theirs by the change and get another."""
        return tuple(n for n in sorted(self.after.booked) if n not in self._standing)

    @property
    def _standing(self) -> set[int]:
        """Numbers of the visits that are not ended by the change itself."""
        ended = self.change.kind in ("cancel", "no_show", "drop")
        return {n for n in self.scene.appointments if not (ended and n == self.scene.number)}


def look(
    scene: Scene, change: Change, following: Following, *, now: datetime, picks: Mapping[int, Choice] | None = None
) -> Outlook:
    """What `change` would come to. Stores nothing.

    With `picks`, the later visits that get another time get the one given there, by number, as a page has shown it;
    without, it is looked for.
    """
    after = _changed(scene, change)
    later = [n for n in after.booked if n > scene.number and _can_follow(scene, n)]
    impossible: tuple[int, ...] = ()
    proposal = None
    if following == "shift" and picks is None:
        after, impossible = _shifted(scene, after, change, later, now)
    elif following == "unbook":
        gone = ripple.released(
            _days(after),
            since=scene.number,
            anchor=after.anchor,
            window_after=_window_after(after),
            today=scene.today(now),
        )
        after = replace(after, booked={n: c for n, c in after.booked.items() if n not in gone})
    elif following in ("shift", "replan"):
        staying = {n: c for n, c in after.booked.items() if n not in later}
        to_plan = [n for n in after.numbers if n >= scene.number and n not in staying]
        if picks is None and not to_plan:
            picks = {}
        if picks is None:
            proposal = _replanned(scene, replace(after, booked=staying), later, now)
            picks = {n: s.choice for n, s in proposal if s.choice and n not in staying}
        within = {n: c for n, c in picks.items() if n in to_plan}
        after = replace(after, booked=staying | within)
    before, standing = _stands(scene.course, scene, now), _stands(after, scene, now)
    outlook = Outlook(
        scene=scene,
        change=change,
        following=following,
        after=after,
        effects=ripple.effects(before, standing, since=scene.number),
        impossible=impossible,
        outside=(),
        proposal=proposal,
    )
    return replace(outlook, outside=_outside(outlook, before, standing))


def _changed(scene: Scene, change: Change) -> Course:
    course, number = scene.course, scene.number
    booked = dict(course.booked)
    numbers = course.numbers
    if change.kind in ("move", "attended"):
        assert change.choice is not None
        booked[number] = change.choice
    elif change.kind in ("cancel", "no_show", "drop"):
        booked.pop(number, None)
    if change.kind == "drop" or (change.kind == "no_show" and change.forfeit):
        numbers = tuple(n for n in numbers if n != number)
    elif change.kind == "add":
        numbers = tuple(sorted({*numbers, number}))
    return replace(course, booked=booked, numbers=numbers, terms=change.terms or course.terms)


def _can_follow(scene: Scene, number: int) -> bool:
    """Visits elsewhere, and those whose patient is here or was to be here, stay where they are."""
    appointment = scene.appointments[number]
    return appointment.status == "booked" and appointment.site_id == scene.site.pk


def _window_after(course: Course):
    return lambda day: rules.window_after(course.spacing, day)


def _days(course: Course) -> dict[int, date | None]:
    """Of the sessions that are ahead: one that is booked before the last one attended waits to be recorded."""
    days = {n: course.booked[n].day if n in course.booked else None for n in course.numbers}
    return {n: day for n, day in days.items() if day is None or course.anchor is None or day > course.anchor}


def _stands(course: Course, scene: Scene, now: datetime) -> tuple[Stand, ...]:
    return ripple.stands(
        _days(course), anchor=course.anchor, window_after=_window_after(course), today=scene.today(now)
    )


def _outside(outlook: Outlook, before: Sequence[Stand], standing: Sequence[Stand]) -> tuple[int, ...]:
    """What breaks by this change. What was outside already, and stays where it is, has been decided before."""
    appointments, moved = outlook.scene.appointments, {*outlook.moved, *outlook.placed}
    was_broken = {s.number for s in before if s.breaks}

    def decided(number: int) -> bool:
        if number in moved or number not in appointments:
            return False
        return bool(appointments[number].outside_window_reason) or number in was_broken

    return tuple(s.number for s in standing if s.breaks and not decided(s.number))


def _leaving(scene: Scene, later: Sequence[int]) -> list[Appointment]:
    return [a for n, a in scene.appointments.items() if n == scene.number or n in later]


def _shifted(
    scene: Scene, after: Course, change: Change, later: Sequence[int], now: datetime
) -> tuple[Course, tuple[int, ...]]:
    """Every later visit by the same number of days, at its own time of day."""
    assert change.choice is not None
    if scene.number not in scene.course.booked or not later:
        return after, ()
    by = change.choice.day - scene.course.booked[scene.number].day
    proposal = planned.propose(
        course=after,
        order=_order(scene, change.choice, now),
        now=now,
        until=max(scene.course.booked[n].day for n in later) + by,
        without=_leaving(scene, later),
    )
    booked, impossible = dict(after.booked), []
    zone = scene.site.time_zone
    for number in sorted(later):
        had = scene.course.booked[number]
        clock = walltime.from_minutes(had.start).astimezone(zone).time()
        try:
            booked[number] = _same_again(proposal, number, had, had.day + by, clock)
        except NotBookable:
            impossible.append(number)
    return replace(after, booked=booked), tuple(impossible)


def _same_again(proposal: Proposal, number: int, had: Choice, day: date, clock) -> Choice:
    """The same practitioner, and where it can be the same room and devices, at another time."""
    found = planned.choice_at(proposal, number, day, clock, practitioner=had.practitioner)
    same = replace(had, day=found.day, start=found.start)
    return same if planned.fits(proposal, number, same) else found


def _replanned(scene: Scene, base: Course, later: Sequence[int], now: datetime) -> Proposal:
    """Plan what is open from the changed session on, around what stays; like the visit that is changed where it can."""
    like = base.booked.get(scene.number) or scene.course.booked.get(scene.number)
    before = {n: None for n in base.numbers if n < scene.number and n not in base.booked}
    # Earlier sessions that wait to be booked are none of this change's business.
    course = replace(base, numbers=tuple(n for n in base.numbers if n not in before))
    return planned.propose(course=course, order=_order(scene, like, now), now=now, without=_leaving(scene, later))


def _order(scene: Scene, like: Choice | None, now: datetime) -> Order:
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


def options(scene: Scene, *, now: datetime, until: date | None = None) -> Proposal:
    """Where the visit itself could go: a proposal for it alone, with the later ones where they are.

    The diary is read to the end of its window, or `until` then.
    """
    had = scene.course.booked.get(scene.number)
    booked = {n: choice for n, choice in scene.course.booked.items() if n != scene.number}
    return planned.propose(
        course=replace(scene.course, booked=booked),
        order=_order(scene, had, now),
        now=now,
        until=until,
        # Where a later visit of the course stands is free too: it may give way.
        without=_leaving(scene, [n for n in booked if n > scene.number and _can_follow(scene, n)]),
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


class NeedsAnAnswer(NotBookable):
    """What becomes of a missed session, or of those after it, is not settled by the terms: the desk has to say it."""


def missed(*, appointment: Appointment, by: User, now: datetime) -> Appointment:
    """Record that the patient did not come, by the terms of the series.

    Raises NeedsAnAnswer where they leave open what becomes of the session, or later visits would not fit any more; and
    NotChangeable.
    """
    forfeit = False
    if appointment.session is not None and appointment.status == "booked" and appointment.starts_at <= now:
        rule = appointment.session.series.terms.no_show
        if rule not in ("repeat", "forfeit"):
            raise NeedsAnAnswer(_("The terms of the course leave open what becomes of a missed session."))
        forfeit = rule == "forfeit"
    try:
        carry_out(
            appointment=appointment,
            change=Change(kind="no_show", forfeit=forfeit),
            tell=False,
            by=by,
            now=now,
            key=uuid4(),
        )
    except OutsideWindow as refusal:
        raise NeedsAnAnswer(str(refusal)) from refusal
    return Appointment.objects.select_related("patient", "session").get(pk=appointment.pk)


# --- Doing it ---------------------------------------------------------------------------------


@whole
def carry_out(
    *,
    appointment: Appointment,
    change: Change,
    following: Following = "only",
    picks: Mapping[int, Choice] | None = None,
    released: Sequence[int] | None = None,
    outside_reason: str = "",
    tell: bool = True,
    by: User,
    now: datetime,
    key: UUID,
) -> list[Appointment]:
    """Change one visit, and with it the later ones as chosen: all of it, or nothing.

    `picks` and `released` are what a page has shown. The same `key` again gives the first answer. With `tell` the
    patient is owed one message, after the time in which it can be taken back. Raises TimeTaken whose `lost` are session
    numbers, NotPossible, OutsideWindow, NotBookable or NotChangeable.
    """

    def work() -> list[Appointment]:
        scene = _locked(appointment)
        return _carry_out(
            look(scene, change, following, now=now, picks=picks),
            released=released,
            outside_reason=outside_reason,
            tell=tell,
            by=by,
            now=now,
            key=key,
        )

    with pghistory.context(change=str(key)):
        return booking.once(key=key, by=by, now=now, work=work)


@whole
def carry_out_for_session(
    *,
    session: Session,
    site: Site,
    change: Change,
    following: Following = "only",
    picks: Mapping[int, Choice] | None = None,
    outside_reason: str = "",
    tell: bool = True,
    by: User,
    now: datetime,
    key: UUID,
) -> list[Appointment]:
    """The same for a session that is dropped, or that was added, whether it is booked or not."""

    def work() -> list[Appointment]:
        Series.objects.select_for_update(no_key=True).get(pk=session.series_id)
        return _carry_out(
            look(scene_of_session(session, site=site), change, following, now=now, picks=picks),
            released=None,
            outside_reason=outside_reason,
            tell=tell,
            by=by,
            now=now,
            key=key,
        )

    with pghistory.context(change=str(key)):
        return booking.once(key=key, by=by, now=now, work=work)


def _locked(appointment: Appointment) -> Scene:
    """The scene, in which nobody else can change anything before the caller's transaction ends."""
    if appointment.session_id is None:
        locked = booking.locked(appointment)
        return _alone(locked)
    # All of the course at once and in one order, so that two changes of one course wait for one another.
    same_course = Appointment.objects.filter(session__series__sessions=appointment.session_id)
    list(same_course.select_for_update(no_key=True, of=["self"]).order_by("pk").values_list("pk", flat=True))
    locked = booking.locked(appointment)
    Series.objects.select_for_update(no_key=True).get(sessions=locked.session_id)
    return scene_of(locked)


def _carry_out(
    outlook: Outlook,
    *,
    released: Sequence[int] | None,
    outside_reason: str,
    tell: bool,
    by: User,
    now: datetime,
    key: UUID,
) -> list[Appointment]:
    scene, change, after = outlook.scene, outlook.change, outlook.after
    _check(outlook, released=released, outside_reason=outside_reason, by=by, now=now)
    resources = _resources(outlook)
    booking.queue_up(after.patient, resources.values())
    reasons = dict.fromkeys(outlook.outside, outside_reason)
    touched: list[Appointment] = []
    appointment = scene.appointment
    if appointment is not None and change.kind in ("cancel", "no_show", "drop"):
        _end(appointment, change, by=by, now=now)
        touched.append(appointment)
    if change.kind == "drop" or (change.kind == "no_show" and change.forfeit):
        session = Session.objects.get(series=scene.series, number=scene.number)
        courses.skip(session=session, reason=change.reason or _("Did not come"), by=by, now=now)
    for number in outlook.released:
        why = _("No longer fits after a change of session %d") % scene.number
        booking.end_cancelled(scene.appointments[number], reason=why, by=by, now=now)
        touched.append(scene.appointments[number])
    touched += _hold(outlook, resources, reasons, by=by, now=now)
    # What stays where it is and is outside now carries the reason too.
    for number in outlook.outside:
        if number in scene.appointments and number not in outlook.moved and number in after.booked:
            booking.note_outside(scene.appointments[number], reason=outside_reason, by=by)
            touched.append(scene.appointments[number])
    if change.kind == "attended":
        assert appointment is not None
        booking.end_attended(appointment, by=by, now=now)
        touched.append(appointment)
    if tell:
        _tell(outlook, now=now, key=key)
    return list({a.pk: a for a in touched}.values())


def _check(outlook: Outlook, *, released: Sequence[int] | None, outside_reason: str, by: User, now: datetime) -> None:
    scene, change, after = outlook.scene, outlook.change, outlook.after
    appointment = scene.appointment
    if change.kind in ("move", "attended"):
        if appointment is None:
            raise NotChangeable(_("This appointment has been changed meanwhile. Please look at it again."))
        if change.kind == "move":
            booking.check_movable(appointment)
        assert change.choice is not None
        if change.kind == "attended" and change.choice.day > scene.today(now):
            raise NotChangeable(_("The visit is still ahead. It can be recorded from its day on."))
    elif change.kind in ("cancel", "no_show") and appointment is None:
        raise NotChangeable(_("This appointment has been changed meanwhile. Please look at it again."))
    if outlook.impossible:
        listed = ", ".join(map(str, outlook.impossible))
        raise NotPossible(
            _("Not free at the same time of day: session %s. Choose another way for the following.") % listed,
            outlook.impossible,
        )
    if released is not None and set(released) != set(outlook.released):
        raise TimeTaken(_("The course has changed meanwhile. Please look at it again."), outlook.released)
    changed = {*outlook.moved, *outlook.placed}
    # What waits to be recorded, before the last one attended, is none of this change's business.
    days = {n: c.day for n, c in after.booked.items() if n in changed or not after.anchor or c.day > after.anchor}
    if changed and not ripple.in_order(days, anchor=after.anchor):
        raise NotBookable(_("The sessions of a series follow one another, each on a later day."))
    if outlook.outside:
        listed = ", ".join(map(str, outlook.outside))
        if not by.has_perm(OVERRIDE):
            raise OutsideWindow(
                _("Outside the window: session %s. Somebody who may decide that has to do it.") % listed,
                outlook.outside,
            )
        if not outside_reason:
            raise OutsideWindow(
                _("Outside the window: session %s. Note the reason to do it all the same.") % listed, outlook.outside
            )
    _check_free(outlook, now=now)


def _check_free(outlook: Outlook, *, now: datetime) -> None:
    """Whether the site is open and everybody there; that nobody else has taken it the constraints decide."""
    numbers = [*outlook.moved, *outlook.placed]
    if outlook.change.kind == "attended":
        numbers = [n for n in numbers if n != outlook.scene.number]
    if not numbers:
        return
    proposal = planned.propose(
        course=outlook.after,
        order=_order(outlook.scene, None, now),
        now=now,
        without=_leaving(outlook.scene, [*outlook.moved, *outlook.released]),
    )
    lost = [n for n in numbers if not planned.fits(proposal, n, outlook.after.booked[n])]
    if lost:
        raise TimeTaken(_("This time has just been taken."), lost)


def _end(appointment: Appointment, change: Change, *, by: User, now: datetime) -> None:
    if change.kind == "no_show":
        booking.end_missed(appointment, by=by, now=now)
    else:
        booking.end_cancelled(appointment, reason=change.reason, by=by, now=now)


def _resources(outlook: Outlook) -> dict[int, Resource]:
    """Everybody and everything that the visits with another time need, by key."""
    choices = [outlook.after.booked[n] for n in (*outlook.moved, *outlook.placed)]
    keys = {key for c in choices for key in (c.practitioner, c.room, *c.devices) if key is not None}
    return Resource.objects.select_related("device_kind").in_bulk(keys)


def _hold(
    outlook: Outlook, resources: Mapping[int, Resource], reasons: Mapping[int, str], *, by: User, now: datetime
) -> list[Appointment]:
    """Move what gets another time, and book what gets one."""
    scene, after = outlook.scene, outlook.after
    sessions = {}
    if outlook.placed:
        sessions = {s.number: s for s in Session.objects.filter(series=scene.series, number__in=outlook.placed)}

    def visit(number: int) -> booking.Visit:
        return planned.visit_for(
            after.booked[number],
            site=scene.site,
            treatment=after.treatment,
            phases=after.visit(number),
            resources=resources,
            session=sessions.get(number),
            outside_window_reason=reasons.get(number, ""),
        )

    moved = [scene.appointments[n] for n in outlook.moved]
    try:
        booking.shift([(scene.appointments[n], visit(n)) for n in outlook.moved], by=by)
    except TimeTaken as error:
        raise TimeTaken(str(error), [outlook.moved[place] for place in error.lost]) from error
    try:
        placed = booking.place(patient=after.patient, visits=[visit(n) for n in outlook.placed], by=by, now=now)
    except TimeTaken as error:
        raise TimeTaken(str(error), [outlook.placed[place] for place in error.lost]) from error
    return moved + placed


def _tell(outlook: Outlook, *, now: datetime, key: UUID) -> None:
    """One message for the whole of it, or none where nothing changes for the patient."""
    scene, kind = outlook.scene, outlook.change.kind
    mine = scene.number
    # The patient was there, or knows that nobody came; only what follows is news.
    moved = [n for n in outlook.moved if not (kind == "attended" and n == mine)]
    cancelled = list(outlook.released)
    if kind in ("cancel", "drop") and scene.appointment is not None:
        cancelled.append(mine)
    if not moved and not cancelled and not outlook.placed:
        return
    wait = outbox.TO_UNDO
    if len(moved) == 1 and not cancelled and not outlook.placed:
        outbox.owe_change(appointment=scene.appointments[moved[0]], now=now, wait=wait)
    elif len(cancelled) == 1 and not moved and not outlook.placed:
        outbox.owe_cancellation(appointment=scene.appointments[cancelled[0]], now=now, wait=wait)
    else:
        assert scene.series is not None
        outbox.owe_series_change(series=scene.series, counts_from=str(key), now=now, wait=wait)
