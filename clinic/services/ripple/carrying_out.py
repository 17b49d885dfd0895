"""Do what was foreseen: one visit changed, and the later ones as chosen; all of it, or nothing."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import pghistory
from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic import ripple, walltime
from clinic.models import Appointment, Resource
from clinic.planning import Choice
from clinic.services import booking, outbox
from clinic.services import course as planned
from clinic.services.booking import NotBookable, NotChangeable, TimeTaken
from clinic.services.course import OVERRIDE, OutsideWindow
from clinic.services.ripple.outlook import Outlook, look
from clinic.services.ripple.places import leaving, order_like
from clinic.services.ripple.scene import Change, Following, Scene, scene_of
from clinic.services.ripple.telling import tell as tell_of
from clinic.services.ripple.telling import untold
from clinic.services.transactions import whole
from treatments.models import Series, SeriesState, Session
from treatments.services import add_ons
from treatments.services import series as courses


class NotPossible(NotBookable):
    """The choice for the later sessions cannot be carried out. `numbers` are those that stand in the way."""

    def __init__(self, message: str, numbers: Sequence[int]) -> None:
        super().__init__(message)
        self.numbers = tuple(numbers)


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


def carry_out(
    *,
    appointment: Appointment,
    change: Change,
    following: Following = "only",
    picks: Mapping[int, Choice] | None = None,
    released: Sequence[int] | None = None,
    outside_reason: str = "",
    tell: bool = True,
    check: Callable[[Appointment], None] | None = None,
    by: User,
    now: datetime,
    key: UUID,
) -> list[Appointment]:
    """Change one visit, and with it the later ones as chosen: all of it, or nothing.

    `picks` and `released` are what a page has shown. `check` is given the visit as it is once nobody else can change
    it, and raises where it may not be changed by whoever asks. The same `key` again gives the first answer. With `tell`
    the patient is owed one message, after the time in which it can be taken back. Raises TimeTaken whose `lost` are
    session numbers, NotPossible, OutsideWindow, NotBookable or NotChangeable.
    """
    return carry_out_in(
        lambda: _locked(appointment, check),
        change=change,
        following=following,
        picks=picks,
        released=released,
        outside_reason=outside_reason,
        tell=tell,
        by=by,
        now=now,
        key=key,
    )


@whole
def carry_out_in(
    scene: Callable[[], Scene],
    *,
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
    """The same for a change that is more than one of a visit.

    `scene` is asked for inside the transaction. It locks the course first (`lock_course`), and stores what the change
    itself is, where that is not a matter of the diary.
    """

    def work() -> list[Appointment]:
        return _carry_out(
            look(scene(), change, following, now=now, picks=picks),
            released=released,
            outside_reason=outside_reason,
            tell=tell,
            by=by,
            now=now,
            key=key,
        )

    with pghistory.context(change=str(key)):
        return booking.once(key=key, by=by, now=now, work=work)


def lock_course(series: int) -> Series:
    """A series by its key, of which nobody else can change a visit before the caller's transaction ends."""
    # All of the course at once and in one order, so that two changes of one course wait for one another.
    visits = Appointment.objects.filter(session__series=series).order_by("pk")
    list(visits.select_for_update(no_key=True, of=["self"]).values_list("pk", flat=True))
    return Series.objects.select_for_update(no_key=True).get(pk=series)


def _locked(appointment: Appointment, check: Callable[[Appointment], None] | None) -> Scene:
    """The scene of one visit, in which nobody else can change anything."""
    if appointment.session is not None:
        lock_course(appointment.session.series_id)
    appointment = booking.locked(appointment)
    if check is not None:
        check(appointment)
    return scene_of(appointment)


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
        booking.end_cancelled(scene.appointments[number], reason=_why_released(outlook), by=by, now=now)
        touched.append(scene.appointments[number])
    still_to_tell = untold(outlook)
    if change.kind == "add_ons":
        add_ons.choose(series=scene.series, add_ons={scene.number: change.add_ons})
    held = _hold(outlook, resources, reasons, by=by, now=now)
    touched += held
    # What stays where it is and is outside now carries the reason too.
    for number in outlook.outside:
        if number in scene.appointments and number not in outlook.moved and number in after.booked:
            booking.note_outside(scene.appointments[number], reason=outside_reason, by=by)
            touched.append(scene.appointments[number])
    for effect in outlook.later:
        standing = scene.appointments.get(effect.number)
        if standing is not None and standing.outside_window_reason and effect.is_inside_for_certain:
            booking.note_inside(standing)
            touched.append(standing)
    if change.kind == "attended":
        assert appointment is not None
        booking.end_attended(appointment, by=by, now=now)
        touched.append(appointment)
    if tell:
        tell_of(outlook, dict(zip((*outlook.moved, *outlook.placed), held, strict=True)), now=now, key=key)
    for visit in still_to_tell:
        outbox.owe_change(appointment=visit, now=now, wait=outbox.TO_UNDO)
    return list({a.pk: a for a in touched}.values())


def _check(outlook: Outlook, *, released: Sequence[int] | None, outside_reason: str, by: User, now: datetime) -> None:
    scene, change, after = outlook.scene, outlook.change, outlook.after
    appointment = scene.appointment
    if change.kind in ("move", "attended", "add_ons"):
        if appointment is None:
            raise NotChangeable(_("This appointment has been changed meanwhile. Please look at it again."))
        if change.kind == "move" or (change.kind == "add_ons" and outlook.starts_elsewhere(scene.number)):
            booking.check_movable(appointment)
        assert change.choice is not None
        if change.kind == "attended" and walltime.from_minutes(change.choice.start) > now:
            raise NotChangeable(_("That time is still ahead. Enter when the visit really began."))
    elif change.kind == "drop" and not change.reason:
        raise NotChangeable(_("Note why the session is dropped."))
    elif change.kind in ("cancel", "no_show") and appointment is None:
        raise NotChangeable(_("This appointment has been changed meanwhile. Please look at it again."))
    if outlook.impossible:
        listed = ", ".join(map(str, outlook.impossible))
        raise NotPossible(
            _("Not free at the same time of day: session %s. Shift the others only, or choose another way.") % listed,
            outlook.impossible,
        )
    if released is not None and set(released) != set(outlook.released):
        raise TimeTaken(_("The course has changed meanwhile. Please look at it again."), outlook.released)
    if outlook.placed and scene.series is not None and scene.series.state != SeriesState.ACTIVE:
        raise NotBookable(_("Nothing is left to book of this series."))
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
        order=order_like(outlook.scene, None, now),
        now=outlook.scene.as_of(outlook.change, now),
        without=leaving(outlook.scene, [*outlook.moved, *outlook.released]),
    )
    lost = [n for n in numbers if not planned.fits(proposal, n, outlook.after.booked[n])]
    if lost:
        raise TimeTaken(_("This time has just been taken."), lost)


def _why_released(outlook: Outlook) -> str:
    if outlook.change.kind == "terms":
        return _("No longer fits the version of the protocol that the course was moved to")
    return _("No longer fits after a change of session %d") % outlook.scene.number


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
        reason, decided_by = reasons.get(number, ""), None
        if not reason and number in scene.appointments and outlook.keeps_its_day(number):
            had = scene.appointments[number]
            reason, decided_by = had.outside_window_reason, had.outside_window_by
        return planned.visit_for(
            after.booked[number],
            site=scene.site,
            treatment=after.treatment,
            phases=after.visit(number),
            resources=resources,
            session=sessions.get(number),
            outside_window_reason=reason,
            outside_window_by=decided_by,
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
