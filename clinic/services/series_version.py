"""Move a series to the current version of its protocol, with what that does to its dates and its visits."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.models import LIVE, Appointment, Site
from clinic.planning import Choice
from clinic.services import course_view, ripple
from clinic.services.course_view import Step
from clinic.services.ripple import Following, Scene
from clinic.walltime import day_of
from treatments import words
from treatments.models import Series, Session, SessionState
from treatments.services import add_ons, moving
from treatments.services.moving import Move, NotMovable
from treatments.words import not_said


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of the course, before and after. `verdict` says what becomes of it, `hurts` whether to look again."""

    label: str
    before: str
    after: str
    booked: str = ""
    verdict: str = ""
    hurts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    move: Move
    sessions: tuple[Change, ...]
    maintenance: tuple[Change, ...]
    # Why it cannot be done as it stands; empty where it can.
    refusal: str
    notes: tuple[str, ...]


def preview(series: Series, *, now: datetime) -> Preview:
    """What moving would change in words and in dates. Stores nothing. Raises NotMovable."""
    move = moving.plan(series)
    appointments = _appointments(series)
    today = day_of(now, course_view.home_zone(series.patient, appointments))
    return Preview(
        move=move,
        sessions=tuple(_sessions(series, move, appointments, today)),
        maintenance=tuple(_maintenance(move)),
        refusal=_refusal(move, appointments),
        notes=tuple(_notes(series, move, appointments)),
    )


def as_change(move: Move) -> ripple.Change:
    """What moving means for the visits that are booked: other terms, and other sessions that are open."""
    dropped = {session.number for session in move.dropped}
    planned = move.series.sessions.filter(state=SessionState.PLANNED).order_by("number")
    staying = [number for number in planned.values_list("number", flat=True) if number not in dropped]
    return ripple.Change(kind="terms", terms=move.terms, numbers=(*staying, *move.added))


def move(
    *,
    series: Series,
    version: int,
    site: Site,
    following: Following = "only",
    picks: Mapping[int, Choice] | None = None,
    released: Sequence[int] | None = None,
    outside_reason: str = "",
    tell: bool = True,
    by: User,
    now: datetime,
    key: UUID,
) -> list[Appointment]:
    """Move `series` to `version`, which has to be the current one still, and with it the visits as chosen.

    Raises NotMovable, also where a session that would be dropped is booked, and what ripple.carry_out raises.
    """
    change = as_change(moving.plan(Series.objects.select_related("protocol").get(pk=series.pk)))

    def begin() -> Scene:
        locked = ripple.lock_course(series.pk)
        found = moving.plan(locked)
        if found.version != version:
            raise NotMovable(_("The protocol has been changed once more meanwhile. Look at the differences again."))
        if refusal := _refusal(found, _appointments(locked)):
            raise NotMovable(refusal)
        if as_change(found) != change:
            raise NotMovable(_("The course has changed meanwhile. Please look at it again."))
        # As it stood: what the new terms break is told from what they find.
        scene = ripple.scene_of_series(locked, site=site)
        _store(locked, by=by, now=now)
        return scene

    return ripple.carry_out_in(
        begin,
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


def _store(series: Series, *, by: User, now: datetime) -> None:
    moving.move(series=series, by=by, now=now)
    series.refresh_from_db()
    # A visit that is booked keeps what it was booked with; what is still to book follows the new terms.
    held = Appointment.objects.live().filter(session__series=series)
    add_ons.forget_unknown(series=series, but=set(held.values_list("session__number", flat=True)))


def _appointments(series: Series) -> list[Appointment]:
    found = Appointment.objects.filter(session__series=series) | Appointment.objects.filter(maintenance__series=series)
    return list(found.select_related("site", "practitioner", "room", "session"))


def _live(appointments: Sequence[Appointment]) -> dict[int, Appointment]:
    return {a.session_id: a for a in appointments if a.status in LIVE and a.session_id is not None}


def _refusal(move: Move, appointments: Sequence[Appointment]) -> str:
    live = _live(appointments)
    booked = [session.number for session in move.dropped if session.pk in live]
    if not booked:
        return ""
    numbers = ", ".join(map(str, booked))
    return ngettext(
        "Session %(numbers)s is booked, and the new version has no such session. Cancel that visit first.",
        "Sessions %(numbers)s are booked, and the new version has no such sessions. Cancel those visits first.",
        len(booked),
    ) % {"numbers": numbers}


def _sessions(series: Series, move: Move, appointments: Sequence[Appointment], today: date) -> list[Change]:
    """What is still ahead of the series, session by session."""
    now = list(series.sessions.order_by("number"))
    dropped = {session.number for session in move.dropped}
    # Never stored; the keys below zero tell them apart.
    added = [Session(pk=-number, series=series, number=number) for number in move.added]
    then = [session for session in now if session.number not in dropped] + added
    before = _steps(series, now, appointments, today)
    after = _steps(_with_terms(series, move), then, appointments, today)
    planned = [session.number for session in (*now, *added) if session.state == SessionState.PLANNED]
    return [_change(number, before.get(number), after.get(number)) for number in planned]


def _with_terms(series: Series, move: Move) -> Series:
    other = copy(series)
    other.terms_json = move.terms.to_json()
    return other


def _steps(
    series: Series, sessions: list[Session], appointments: Sequence[Appointment], today: date
) -> dict[int, Step]:
    shown = copy(series)
    shown._prefetched_objects_cache = {"sessions": sessions, "maintenance": []}
    numbers = {session.pk: session.number for session in sessions}
    steps = course_view.course_steps(shown, appointments=appointments, today=today)
    return {numbers[step.session]: step for step in steps if step.session is not None}


def _change(number: int, before: Step | None, after: Step | None) -> Change:
    label = _("Session %d") % number
    if after is None:
        booked = before.when if before and before.state == "booked" else ""
        verdict = _("booked, and no longer part of the course") if booked else _("no longer part of the course")
        return Change(
            label=label, before=_window(before), after="–", booked=booked, verdict=verdict, hurts=bool(booked)
        )
    change = Change(label=label, before=_window(before) if before else "–", after=_window(after))
    if before is None:
        return replace(change, verdict=_("added, to book"))
    if after.state != "booked" or after.day is None:
        return change
    inside = after.window is None or after.day in after.window
    verdict = _("still inside") if inside else _("outside the new window; the visit stays where it is")
    return replace(change, booked=after.when, verdict=verdict, hurts=not inside)


def _window(step: Step | None) -> str:
    if step is None:
        return "–"
    if step.window:
        return course_view.span(step.window.earliest, step.window.latest)
    return step.when if step.state == "to_book" else _("any day")


def _maintenance(move: Move) -> list[Change]:
    return [
        Change(
            label=_("Maintenance %(cycle)d: %(treatment)s")
            % {"cycle": recount.cycle.cycle, "treatment": recount.cycle.treatment},
            before=_due(recount.cycle.due_from, recount.cycle.due_by),
            after=_due(recount.due.from_, recount.due.by) if recount.due else _("the clinician decides"),
        )
        for recount in move.recounted
    ]


def _due(first: date | None, last: date | None) -> str:
    return course_view.span(first, last or first) if first else not_said()


def _notes(series: Series, move: Move, appointments: Sequence[Appointment]) -> list[str]:
    notes = []
    ahead = [a for a in _live(appointments).values() if a.session.state == SessionState.PLANNED]
    if ahead and series.terms.visit != move.terms.visit:
        notes.append(
            _("Booked visits keep their length and what they take; those booked from now on follow the new one.")
        )
    for rule in move.kept:
        notes.append(
            _("“%s” is not in the new version. Visits that are open by it go on until they are declined.")
            % words.maintenance(rule)
        )
    for rule in move.opened:
        notes.append(
            _("“%s” is new and opens at once, counted from the day the series was complete.") % words.maintenance(rule)
        )
    return notes
