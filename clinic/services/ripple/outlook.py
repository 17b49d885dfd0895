"""What a change comes to, with each choice for the later sessions. Stores nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property

from clinic import ripple, walltime
from clinic.planning import Choice
from clinic.ripple import Effect, Stand
from clinic.services import course as planned
from clinic.services.booking import NotBookable
from clinic.services.course import Course, Proposal
from clinic.services.ripple.places import can_follow, leaving, order_like
from clinic.services.ripple.scene import Change, Following, Scene
from treatments import rules


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a change would come to, with one choice for the later sessions.

    `effects` are those on the changed session, where it stays part of the course, and on all later ones. `stuck`: they
    cannot be shifted, because something is not free then. `outside`: needs the right to be outside its window, and a
    reason.
    """

    scene: Scene
    change: Change
    following: Following
    after: Course
    effects: tuple[Effect, ...]
    stuck: tuple[int, ...]
    outside: tuple[int, ...]
    proposal: Proposal | None

    @property
    def impossible(self) -> tuple[int, ...]:
        """Later sessions for which the choice makes no provision."""
        return self.stuck if self.following == "shift" else ()

    @property
    def later(self) -> tuple[Effect, ...]:
        return tuple(effect for effect in self.effects if effect.number > self.scene.number)

    @property
    def breaks(self) -> bool:
        """Whether a later session would not be in its window."""
        return any(effect.change in ("early", "late") for effect in self.later)

    @cached_property
    def moved(self) -> tuple[int, ...]:
        """Booked visits that get another time or another length, the changed one among them."""
        was, is_ = self.scene.course, self.after
        standing = [n for n in sorted(is_.booked) if n in self._standing]
        return tuple(n for n in standing if is_.booked[n] != was.booked.get(n) or is_.visit(n) != was.visit(n))

    @cached_property
    def released(self) -> tuple[int, ...]:
        """Later visits that give up their time."""
        is_ = self.after.booked
        return tuple(n for n in sorted(self._standing) if n not in is_ and n != self.scene.number)

    @cached_property
    def placed(self) -> tuple[int, ...]:
        """Sessions that get a time and had none, or lose theirs by the change and get another."""
        return tuple(n for n in sorted(self.after.booked) if n not in self._standing)

    def starts_elsewhere(self, number: int) -> bool:
        """Whether a visit is to begin at another time than it did."""
        return self.after.booked[number].start != self.scene.course.booked[number].start

    def keeps_its_day(self, number: int) -> bool:
        """Whether a visit that is booked stays on its day, so that what was decided of its window still holds."""
        return number in self._standing and self.after.booked[number].day == self.scene.course.booked[number].day

    @property
    def news(self) -> bool:
        """Whether visits other than one that the change itself ends get another time, one at all, or none any more."""
        return bool(self.moved or self.placed or self.released)

    @property
    def _standing(self) -> set[int]:
        """Numbers of the visits that are not ended by the change itself."""
        ended = self.change.kind in ("cancel", "no_show", "drop")
        return {n for n in self.scene.appointments if not (ended and n == self.scene.number)}


def look(
    scene: Scene,
    change: Change,
    following: Following,
    *,
    now: datetime,
    picks: Mapping[int, Choice] | None = None,
    open_too: bool = False,
    room: Proposal | None = None,
) -> Outlook:
    """What `change` would come to. Stores nothing.

    With `picks`, the later visits that get another time get the one given there, by number, as a page has shown it;
    without, it is looked for. To plan again concerns what was booked, and what the change itself leaves or makes
    without a time; with `open_too` also later sessions that were still to book. With `room`, which `room_to_shift`
    reads once for many changes, the diary is not read again.
    """
    if scene.series is None:
        # Nothing follows a single visit.
        following = "only"
    after = _changed(scene, change)
    later = _followers(scene, after, now)
    stuck: tuple[int, ...] = ()
    proposal = None
    if following.startswith("shift") and picks is None:
        after, stuck = _shifted(scene, after, change, later, now, room)
        if following != "shift":
            after = replace(after, booked={n: c for n, c in after.booked.items() if n not in stuck})
        if following == "shift_replan" and stuck:
            proposal = _replanned(scene, after, later, now)
            after = replace(after, booked=after.booked | {n: s.choice for n, s in proposal if n in stuck and s.choice})
    elif following == "unbook":
        gone = ripple.released(
            _days(after),
            since=scene.number,
            anchor=after.anchor,
            window_after=_window_after(after),
            today=scene.today(now),
        )
        begun = {n for n in gone if scene.appointments[n].starts_at <= now}
        after = replace(after, booked={n: c for n, c in after.booked.items() if n not in gone or n in begun})
    elif following != "only":
        staying = {n: c for n, c in after.booked.items() if n not in later}
        to_plan = [n for n in after.numbers if n >= scene.number and n not in staying]
        if picks is None and not to_plan:
            picks = {}
        if picks is None:
            proposal = _replanned(scene, replace(after, booked=staying), later, now)
            asked = to_plan if open_too else [n for n in to_plan if n in later or n == scene.number]
            picks = {n: s.choice for n, s in proposal if s.choice and n in asked}
        within = {n: c for n, c in picks.items() if n in to_plan}
        after = replace(after, booked=staying | within)
    before, standing = _stands(scene.course, scene, now), _stands(after, scene, now)
    outlook = Outlook(
        scene=scene,
        change=change,
        following=following,
        after=after,
        effects=ripple.effects(before, standing, since=scene.number),
        stuck=stuck,
        outside=(),
        proposal=proposal,
    )
    return replace(outlook, outside=_outside(outlook, before, standing))


def _changed(scene: Scene, change: Change) -> Course:
    course, number = scene.course, scene.number
    booked = dict(course.booked)
    numbers = course.numbers
    if change.kind in ("move", "attended", "add_ons"):
        assert change.choice is not None
        booked[number] = change.choice
        course = course.with_add_ons(number, change.add_ons) if change.kind == "add_ons" else course
    elif change.kind in ("cancel", "no_show", "drop"):
        booked.pop(number, None)
    if change.kind == "drop" or (change.kind == "no_show" and change.forfeit):
        numbers = tuple(n for n in numbers if n != number)
    elif change.kind == "add":
        numbers = tuple(sorted({*numbers, number}))
    if change.numbers is not None:
        numbers = change.numbers
    return replace(course, booked=booked, numbers=numbers, terms=change.terms or course.terms)


def _window_after(course: Course):
    return lambda day: rules.window_after(course.spacing, day)


def _days(course: Course) -> dict[int, date | None]:
    """Of the sessions that are ahead: one that is booked before the last one attended waits to be recorded."""
    days = {n: course.booked[n].day if n in course.booked else None for n in course.numbers}
    return {n: day for n, day in days.items() if day is None or course.anchor is None or day > course.anchor}


def _stands(course: Course, scene: Scene, now: datetime) -> tuple[Stand, ...]:
    if course.terms.spacing is None:
        # Nobody has said how far apart they are, so no session has a window that it could be outside of.
        days = sorted(_days(course).items())
        return tuple(Stand(n, day, None, "unplaced" if day is None else "inside", firm=False) for n, day in days)
    return ripple.stands(
        _days(course), anchor=course.anchor, window_after=_window_after(course), today=scene.today(now)
    )


def _outside(outlook: Outlook, before: Sequence[Stand], standing: Sequence[Stand]) -> tuple[int, ...]:
    """What breaks by this change. What was outside already, and stays where it is, has been decided before."""
    appointments = outlook.scene.appointments
    was_broken = {s.number for s in before if s.breaks}

    def decided(number: int) -> bool:
        return outlook.keeps_its_day(number) and (
            bool(appointments[number].outside_window_reason) or number in was_broken
        )

    return tuple(s.number for s in standing if s.breaks and not decided(s.number))


def _followers(scene: Scene, course: Course, now: datetime) -> list[int]:
    """Numbers of the later visits that can be moved too."""
    return [n for n in course.booked if n > scene.number and can_follow(scene, n, now)]


def room_to_shift(scene: Scene, *, to: date, now: datetime) -> Proposal | None:
    """The diary as far as the later visits would go with moves to any day until `to`; None where there are none."""
    later = _followers(scene, scene.course, now)
    had = scene.course.booked.get(scene.number)
    return _room(scene, scene.course, had, later, to, now) if had is not None and later else None


def _room(scene: Scene, course: Course, like: Choice, later: Sequence[int], to: date, now: datetime) -> Proposal:
    by = to - scene.course.booked[scene.number].day
    return planned.propose(
        course=course,
        order=order_like(scene, like, now),
        now=now,
        until=max(scene.course.booked[n].day for n in later) + by,
        without=leaving(scene, later),
    )


def _shifted(
    scene: Scene, after: Course, change: Change, later: Sequence[int], now: datetime, room: Proposal | None
) -> tuple[Course, tuple[int, ...]]:
    """Every later visit by the same number of days, at its own time of day."""
    assert change.choice is not None
    if scene.number not in scene.course.booked or not later:
        return after, ()
    by = change.choice.day - scene.course.booked[scene.number].day
    proposal = room or _room(scene, after, change.choice, later, change.choice.day, now)
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
    """Plan what is open from the changed session on, around what stays; like the visit that is changed where it can.

    A visit that was missed or cancelled is looked for from the day after: on its own day the patient does not come.
    """
    had = scene.course.booked.get(scene.number)
    like = base.booked.get(scene.number) or had or scene.course.booked.get(min(later, default=0))
    if like is None and base.booked:
        like = base.booked[max(base.booked)]
    before = {n: None for n in base.numbers if n < scene.number and n not in base.booked}
    # Earlier sessions that wait to be booked are none of this change's business.
    course = replace(base, numbers=tuple(n for n in base.numbers if n not in before))
    order = order_like(scene, like, now)
    if had is not None and scene.number in base.numbers and scene.number not in base.booked:
        order = replace(order, first_day=max(order.first_day, had.day + timedelta(days=1)))
        # The first day is that of the first session planned, so those before it are left out: their last day counts.
        earlier = [choice.day for n, choice in base.booked.items() if n < scene.number]
        course = replace(
            course,
            numbers=tuple(n for n in course.numbers if n >= scene.number),
            anchor=max([*earlier, *([course.anchor] if course.anchor else [])], default=None),
        )
    return planned.propose(course=course, order=order, now=now, without=leaving(scene, later))
