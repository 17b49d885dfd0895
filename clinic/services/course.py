"""Book a series as a whole: propose, check, book; and book again what is left of one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic import planning, ripple, walltime
from clinic.availability import Availability, Diary, Stretch
from clinic.models import Appointment, Resource, Site
from clinic.planning import Choice, Plan, Request, Wishes
from clinic.proposal import stretches
from clinic.services import booking, horizon, outbox
from clinic.services.booking import NotBookable, TimeTaken, Visit
from clinic.services.transactions import whole
from patients.models import Patient
from treatments import rules
from treatments.models import Series, Session, SessionState, Treatment
from treatments.rules import Window
from treatments.services import series as courses
from treatments.services.add_ons import choose, chosen
from treatments.terms import Phase, Spacing, Terms

# A first session, or one whose window has passed, is looked for over so many days.
FIRST_WINDOW_DAYS = 28
# Starts are offered on the planner's grid, but whatever the desk enters by hand is taken to five minutes.
FINEST_STEP = 5
OVERRIDE = "clinic.override_window"


class NoVisitLength(NotBookable):
    """Nobody has said what a visit consists of, so it cannot be given a place in the diary."""


class OutsideWindow(NotBookable):
    """A session outside its window needs the right to do so, and a reason. `numbers` are those sessions."""

    def __init__(self, message: str, numbers: Sequence[int]) -> None:
        super().__init__(message)
        self.numbers = tuple(numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the desk asks for. `pinned` holds, by session number, what the desk has settled itself.

    On the days of `not_on` nothing is free.
    """

    site: Site
    first_day: date
    wishes: Wishes = field(default_factory=Wishes)
    pinned: Mapping[int, Choice] = field(default_factory=dict)
    not_on: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is left to do of a course: the numbers of its open sessions, and what they count from.

    `phases` are those of the sessions that are booked, as they were booked; the others take the visit of the terms with
    the add-ons that are chosen for them.
    """

    patient: Patient
    treatment: Treatment
    terms: Terms
    numbers: tuple[int, ...]
    anchor: date | None = None
    booked: Mapping[int, Choice] = field(default_factory=dict)
    phases: Mapping[int, tuple[Phase, ...]] = field(default_factory=dict)
    add_ons: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def visit(self, number: int) -> tuple[Phase, ...]:
        booked = self.phases.get(number)
        return self.terms.visit_with(self.add_ons.get(number, ())) if booked is None else booked

    def with_add_ons(self, number: int, names: tuple[str, ...]) -> "Course":
        """The same with other add-ons for one session, whose visit is then as long as the terms say with those."""
        phases = {n: phases for n, phases in self.phases.items() if n != number}
        return replace(self, phases=phases, add_ons={**self.add_ons, number: names})

    @property
    def spacing(self) -> Spacing:
        assert self.terms.spacing is not None, "A course is planned only once its spacing is settled."
        return self.terms.spacing


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The planner's answer for one order, and what a page needs to show it."""

    course: Course
    order: Order
    request: Request
    plan: Plan
    # The window of the first open session has passed: it is planned from today on, and needs an override.
    overdue: bool

    def __iter__(self):
        return iter(zip(self.course.numbers, self.plan.sessions, strict=True))

    @cached_property
    def resources(self) -> dict[int, Resource]:
        """Everybody and everything that the plan or a pinned session names, by key."""
        diary = self.request.diary
        keys = [r.id for r in (*diary.practitioners, *diary.rooms)]
        keys += [r.id for found in diary.devices.values() for r in found]
        for choice in self.request.pinned.values():
            keys += [choice.practitioner, choice.room, *choice.devices]
        return Resource.objects.select_related("device_kind").in_bulk({key for key in keys if key is not None})

    def alternatives(self, number: int, *, count: int = 3) -> tuple[Choice, ...]:
        return planning.alternatives(self.request, self.plan, self.course.numbers.index(number), count=count)

    def outside(self) -> list[int]:
        """The numbers of the sessions that lie outside their windows."""
        late = {self.course.numbers[0]} if self.overdue and self.plan.sessions[0].choice else set()
        return sorted(late | {number for number, session in self if session.outside})


def new_course(*, patient: Patient, choice: courses.Choice) -> Course:
    """The course that `choice` would start. Raises SeriesNotPossible."""
    return _as_agreed(patient, choice, courses.agree(choice))


def _as_agreed(patient: Patient, choice: courses.Choice, agreed: courses.Agreed) -> Course:
    return Course(
        patient=patient,
        treatment=choice.protocol.treatment,
        terms=agreed.terms,
        numbers=tuple(range(1, agreed.count + 1)),
        add_ons=agreed.add_ons,
    )


def rest_of(series: Series, *, add_ons: Mapping[int, Collection[str]] | None = None) -> Course:
    """What is left of a running series; what is booked stays where it is.

    With `add_ons`, sessions that are not booked are planned with those, by number. Raises NotBookable where nothing is
    left, and AddOnNotOffered.
    """
    course = left_of(series)
    if not course.numbers or series.state != "active":
        raise NotBookable(_("Nothing is left to book of this series."))
    if add_ons is None:
        return course
    wanted = {n: chosen(course.terms, names) for n, names in add_ons.items() if n not in course.booked}
    return replace(course, add_ons={**course.add_ons, **wanted})


def left_of(series: Series) -> Course:
    """The open sessions of a series, though there be none."""
    sessions = list(series.sessions.all())
    attended = [session.attended_on for session in sessions if session.attended_on]
    numbers = tuple(session.number for session in sessions if session.state == SessionState.PLANNED)
    live = list(
        Appointment.objects.live()
        .filter(session__series=series, session__state=SessionState.PLANNED)
        .select_related("session", "site")
        .prefetch_related("claims__resource")
    )
    return Course(
        patient=series.patient,
        treatment=series.protocol.treatment,
        terms=series.terms,
        numbers=numbers,
        anchor=max(attended, default=None),
        booked={appointment.session.number: as_booked(appointment) for appointment in live},
        phases={appointment.session.number: booking.phases_of(appointment) for appointment in live},
        add_ons={session.number: tuple(session.add_ons) for session in sessions if session.add_ons},
    )


def as_booked(appointment: Appointment) -> Choice:
    devices = [claim.resource_id for claim in appointment.claims.all() if claim.resource.kind == "device"]
    return Choice(
        day=walltime.day_of(appointment.starts_at, appointment.site.time_zone),
        start=walltime.to_minutes(appointment.starts_at),
        practitioner=appointment.practitioner_id,
        room=appointment.room_id,
        devices=tuple(dict.fromkeys(devices)),
    )


def propose(
    *,
    course: Course,
    order: Order,
    now: datetime,
    until: date | None = None,
    without: Iterable[Appointment] = (),
    to_book: bool = False,
) -> Proposal:
    """The best dates for what is open of `course`. Stores nothing. Raises NoVisitLength.

    The time of the appointments in `without` counts as free. The diary is read as far as the windows reach, or `until`
    then, and never beyond what is planned. `to_book` where nothing but what is pinned is asked about: once every
    session is, no other day is read.
    """
    visits = tuple(_stretches(course, number) for number in course.numbers)
    pinned = {**order.pinned, **course.booked}
    today = walltime.day_of(now, order.site.time_zone)
    first, overdue = _first_window(course, order, today)
    last = max(_last_day(course, order, first, today), min(until or first.earliest, horizon.last_day(today)))
    diary = horizon.read(
        site=order.site,
        treatment=course.treatment,
        first=min(first.earliest, today),
        last=last,
        patient=course.patient,
        now=now,
        without=without,
        on={choice.day for choice in pinned.values()} if to_book and pinned.keys() >= set(course.numbers) else None,
    )
    if order.not_on:
        days = (replace(day, opening=()) if day.date in order.not_on else day for day in diary.days)
        diary = replace(diary, days=tuple(days))
    request = Request(
        first=first,
        window_after=lambda day: rules.window_after(course.spacing, day),
        unit=course.spacing.unit,
        visits=visits,
        diary=diary,
        wishes=order.wishes,
        pinned={course.numbers.index(n): choice for n, choice in pinned.items() if n in course.numbers},
    )
    return Proposal(course=course, order=order, request=request, plan=planning.plan(request), overdue=overdue)


def _stretches(course: Course, number: int) -> tuple[Stretch, ...]:
    phases = course.visit(number)
    if not phases:
        raise NoVisitLength(
            _("Nobody has said how long a visit of “%s” takes. Add its phases to the treatment.")
            % course.terms.treatment
        )
    return stretches(phases)


def _first_window(course: Course, order: Order, today: date) -> tuple[Window, bool]:
    """The window of the first open session, and whether it has passed already."""
    start = max(order.first_day, today)
    if course.anchor is not None:
        window = rules.window_after(course.spacing, course.anchor)
        if start <= window.latest:
            earliest = max(window.earliest, min(start, window.latest))
            return Window(earliest, max(earliest, window.ideal), window.latest), False
    soon = Window(start, start, start + timedelta(days=FIRST_WINDOW_DAYS - 1))
    return soon, course.anchor is not None


def _last_day(course: Course, order: Order, first: Window, today: date) -> date:
    """The last day that any open session could have; no more of the diary is read than that."""
    limit = horizon.last_day(today)
    settled = {**order.pinned, **course.booked}
    day = first.latest
    for place, number in enumerate(course.numbers):
        if place and day < limit:
            day = rules.window_after(course.spacing, day).latest
        if number in settled:
            day = max(day, settled[number].day)
    return max(min(day, limit), first.earliest)


@whole
def book_new(
    *,
    patient: Patient,
    choice: courses.Choice,
    order: Order,
    by: User,
    now: datetime,
    key: UUID,
    outside_reason: str = "",
) -> Series:
    """Start a series and book every session that `order` pins, all or none; the others stay to be booked.

    The same `key` again gives the first answer. Raises SeriesNotPossible, NotBookable, OutsideWindow, or TimeTaken
    whose `lost` are session numbers.
    """

    def work() -> list[Appointment]:
        agreed = courses.agree(choice)
        proposal = propose(course=_as_agreed(patient, choice, agreed), order=order, now=now, to_book=True)
        _check(proposal, by=by, outside_reason=outside_reason)
        series = courses.start(patient=patient, choice=choice, by=by, now=now, agreed=agreed)
        return _place(series, proposal, by=by, now=now, key=key, outside_reason=outside_reason)

    return _series_of(booking.once(key=key, by=by, now=now, work=work))


@whole
def book_rest(
    *,
    series: Series,
    order: Order,
    by: User,
    now: datetime,
    key: UUID,
    outside_reason: str = "",
    add_ons: Mapping[int, Collection[str]] | None = None,
) -> Series:
    """Book the open sessions of a running series that `order` pins, all or none. Raises as `book_new` does.

    `add_ons` are kept for the open sessions, by number, also for those that stay to be booked.
    """

    def work() -> list[Appointment]:
        locked = Series.objects.select_for_update(no_key=True).get(pk=series.pk)
        course = rest_of(locked, add_ons=add_ons)
        proposal = propose(course=course, order=order, now=now, to_book=True)
        _check(proposal, by=by, outside_reason=outside_reason)
        if add_ons:
            choose(series=locked, add_ons={n: course.add_ons[n] for n in add_ons if n not in course.booked})
        return _place(locked, proposal, by=by, now=now, key=key, outside_reason=outside_reason)

    return _series_of(booking.once(key=key, by=by, now=now, work=work))


def _series_of(appointments: list[Appointment]) -> Series:
    session = appointments[0].session
    assert session is not None, "What is booked here is a session of a series."
    return session.series


def _wanted(proposal: Proposal) -> list[tuple[int, Choice]]:
    """What the desk pinned and is not booked yet, by session number."""
    booked = proposal.course.booked
    return [(number, choice) for number, choice in sorted(proposal.order.pinned.items()) if number not in booked]


def _check(proposal: Proposal, *, by: User, outside_reason: str) -> None:
    wanted = _wanted(proposal)
    if not wanted:
        raise NotBookable(_("Choose a time for at least one session."))
    if any(number not in proposal.course.numbers for number, _choice in wanted):
        raise NotBookable(_("The series has changed meanwhile. Please look at the proposal again."))
    numbers = {number for number, _choice in wanted}
    outside = {number for number in proposal.outside() if number in numbers} | pushed_out(proposal)
    if outside:
        _check_override(sorted(outside), by=by, reason=outside_reason)
    days = [choice.day for _number, choice in sorted([*wanted, *proposal.course.booked.items()])]
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise NotBookable(_("The sessions of a series follow one another, each on a later day."))
    lost = [number for number, choice in wanted if not fits(proposal, number, choice)]
    if lost:
        raise TimeTaken(_("This time has just been taken."), lost)


def pushed_out(proposal: Proposal) -> set[int]:
    """Sessions that are booked already, and would be outside their windows by what is booked now."""
    course = proposal.course

    def broken(booked: Mapping[int, Choice]) -> set[int]:
        days = {number: booked[number].day if number in booked else None for number in course.numbers}
        standing = ripple.stands(
            {n: day for n, day in days.items() if day is None or course.anchor is None or day > course.anchor},
            anchor=course.anchor,
            window_after=lambda day: rules.window_after(course.spacing, day),
            today=proposal.request.diary.days[0].date,
        )
        return {stand.number for stand in standing if stand.breaks}

    return (broken({**proposal.order.pinned, **course.booked}) - broken(course.booked)) & set(course.booked)


def _check_override(numbers: list[int], *, by: User, reason: str) -> None:
    listed = ", ".join(map(str, numbers))
    if not by.has_perm(OVERRIDE):
        raise OutsideWindow(
            _("Outside the window: session %s. Somebody who may decide that has to book it.") % listed, numbers
        )
    if not reason:
        raise OutsideWindow(
            _("Outside the window: session %s. Note the reason to book it all the same.") % listed, numbers
        )


def fits(proposal: Proposal, number: int, choice: Choice) -> bool:
    """Whether exactly these people, this room and these devices are free for the whole visit of a session."""
    diary, visit = proposal.request.diary, proposal.request.visits[proposal.course.numbers.index(number)]
    practitioners = tuple(r for r in diary.practitioners if r.id == choice.practitioner)
    day = diary.day(choice.day.toordinal())
    only = Diary(
        days=(day,) if day else (),
        practitioners=practitioners,
        rooms=tuple(r for r in diary.rooms if r.id == choice.room),
        devices={kind: tuple(r for r in found if r.id in choice.devices) for kind, found in diary.devices.items()},
        patient=diary.patient,
    )
    needs_somebody = any(stretch.practitioner for stretch in visit)
    if needs_somebody and not practitioners:
        return False
    free = Availability(only, step=FINEST_STEP)
    return choice.start in free.starts(visit, choice.day, practitioners[0] if practitioners else None)


def _place(
    series: Series, proposal: Proposal, *, by: User, now: datetime, key: UUID, outside_reason: str
) -> list[Appointment]:
    wanted = _wanted(proposal)
    sessions = {session.number: session for session in series.sessions.all()}
    outside = set(proposal.outside())
    visits = [
        visit_for(
            choice,
            site=proposal.order.site,
            treatment=proposal.course.treatment,
            phases=proposal.course.visit(number),
            resources=proposal.resources,
            session=sessions[number],
            outside_window_reason=outside_reason if number in outside else "",
        )
        for number, choice in wanted
    ]
    try:
        placed = booking.place(patient=series.patient, visits=visits, by=by, now=now)
    except TimeTaken as error:
        raise TimeTaken(str(error), [wanted[place][0] for place in error.lost]) from error
    if pushed := pushed_out(proposal):
        for appointment in Appointment.objects.live().filter(session__series=series, session__number__in=pushed):
            booking.note_outside(appointment, reason=outside_reason, by=by)
    outbox.owe_confirmation(patient=series.patient, series=series, counts_from=str(key), now=now)
    return placed


def visit_for(
    choice: Choice,
    *,
    site: Site,
    treatment: Treatment,
    phases: tuple[Phase, ...],
    resources: Mapping[int, Resource],
    session: Session | None = None,
    outside_window_reason: str = "",
    outside_window_by: User | None = None,
) -> Visit:
    """A planner's choice as a visit to be held in the diary."""
    return Visit(
        site=site,
        treatment=treatment,
        starts_at=walltime.from_minutes(choice.start),
        phases=phases,
        practitioner=resources.get(choice.practitioner),
        room=resources.get(choice.room),
        devices=tuple(resources[key] for key in choice.devices),
        session=session,
        outside_window_reason=outside_window_reason,
        outside_window_by=outside_window_by,
    )


def settled(proposal: Proposal, *, without: Sequence[int] = ()) -> Order:
    """The order with every session of the proposal pinned where it stands, except those in `without`."""
    pinned = {number: session.choice for number, session in proposal if session.choice and number not in without}
    return replace(proposal.order, pinned=pinned)


def choice_at(
    proposal: Proposal,
    number: int,
    day: date,
    clock: time,
    *,
    practitioner: int | None = None,
    room: int | None = None,
    devices: Collection[int] = (),
) -> Choice:
    """The choice for one session at a time that the desk names itself: with whom and where follows from what is free.

    Where a practitioner or a room is given it is that one; of the devices those given, where they are free. Raises
    NotBookable where that time does not exist, or nobody, no room or no device is free.
    """
    site = proposal.order.site
    try:
        start = walltime.to_minutes(walltime.instant(day, clock, site.time_zone))
    except walltime.NonexistentTime as error:
        raise NotBookable(_("The clocks go forward that night, so this time does not exist.")) from error
    diary = proposal.request.diary
    if not diary.days[0].date <= day <= diary.days[-1].date:
        raise NotBookable(_("The diary does not reach to that day. Choose another one."))
    visit = proposal.request.visits[proposal.course.numbers.index(number)]
    rooms = tuple(r for r in diary.rooms if room in (None, r.id))
    kinds = {kind: tuple(sorted(found, key=lambda r: r.id not in devices)) for kind, found in diary.devices.items()}
    free = Availability(replace(diary, rooms=rooms, devices=kinds), step=FINEST_STEP)
    wished = proposal.order.wishes.practitioner
    people = sorted((r for r in diary.practitioners if practitioner in (None, r.id)), key=lambda r: r.id != wished)
    for person in people if any(stretch.practitioner for stretch in visit) else [None]:
        if start in free.starts(visit, day, person):
            return Choice(day, start, person.id if person else None, *free.seats(visit, day, start))
    raise NotBookable(_("Nothing is free then for the whole visit. Choose one of the times offered, or another time."))
