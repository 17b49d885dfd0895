"""A course as it is shown: each session and each maintenance cycle as one step, in plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Prefetch
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.models import LIVE, Appointment, AppointmentStatus
from clinic.walltime import day_of
from patients.models import Patient
from treatments import rules
from treatments.models import Maintenance, MaintenanceState, Series, SeriesState, Session, SessionState
from treatments.rules import Due, Window
from treatments.terms import MaintenanceRule, Spacing

UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; the states are those of partials/_course_strip.html. Keys are None where there is no such row."""

    state: str
    label: str
    when: str = ""
    detail: str = ""
    add_ons: tuple[str, ...] = ()
    day: date | None = None
    window: Window | None = None
    due: Due | None = None
    session: int | None = None
    maintenance: int | None = None
    appointment: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    series: Series
    steps: tuple[Step, ...]

    @property
    def done(self) -> int:
        return sum(step.state == "done" for step in self.steps)

    @property
    def sessions(self) -> int:
        return sum(step.session is not None for step in self.steps)

    @property
    def to_book(self) -> bool:
        return any(step.state == "to_book" for step in self.steps)


def courses(patient: Patient, *, appointments: Sequence[Appointment], now: datetime) -> list[Course]:
    """Every series of `patient`, those under way first, then the latest. Three queries.

    `appointments` are all of the patient's, with site, practitioner and room selected.
    """
    rows = patient.series.select_related("protocol", "concern").prefetch_related(
        "sessions", Prefetch("maintenance", Maintenance.objects.select_related("treatment"))
    )
    order = {SeriesState.ACTIVE: 0, SeriesState.COMPLETED: 1, SeriesState.STOPPED: 2}
    latest_first = sorted(rows, key=lambda series: (series.started_at, series.pk), reverse=True)
    today = day_of(now, home_zone(patient, appointments))
    return [
        Course(series=series, steps=tuple(course_steps(series, appointments=appointments, today=today)))
        for series in sorted(latest_first, key=lambda series: order[SeriesState(series.state)])
    ]


def home_zone(patient: Patient, appointments: Sequence[Appointment]) -> ZoneInfo:
    """Whose "today" counts: that of the site the patient goes to, else their own."""
    if appointments:
        return max(appointments, key=lambda appointment: appointment.starts_at).site.time_zone
    return patient.time_zone or UTC


def course_steps(series: Series, *, appointments: Iterable[Appointment], today: date) -> list[Step]:
    """The sessions of `series` in order, then its maintenance. No query where sessions and maintenance are prefetched.

    A window counts from the session before: the day it was attended or, while it is ahead, is booked; else from its
    ideal day, or today where that has passed. A skipped session does not count. The first has no window.
    """
    appointments = list(appointments)
    by_session = _latest(appointments, "session_id")
    by_cycle = _latest(appointments, "maintenance_id")
    terms = series.terms
    steps, anchor = [], None
    for position, session in enumerate(sorted(series.sessions.all(), key=lambda session: session.number)):
        window = rules.window_after(terms.spacing, anchor) if terms.spacing and anchor else None
        appointment = by_session.get(session.pk)
        step = _session(
            session, window, appointment, series=series, spacing=terms.spacing, today=today, first=not position
        )
        steps.append(step)
        if step.state in ("done", "booked"):
            anchor = step.day
        elif step.state == "to_book" and window:
            anchor = max(window.ideal, today)
        elif step.state == "to_book":
            # What cannot be dated is not guessed: later windows are said in words.
            anchor = None
    cycles = [cycle for cycle in series.maintenance.all() if cycle.state != MaintenanceState.WITHDRAWN]
    if cycles:
        steps += [_cycle(cycle, by_cycle.get(cycle.pk), today=today) for cycle in _recent(cycles)]
    elif series.state == SeriesState.ACTIVE:
        steps += [_ahead(rule, anchor) for rule in terms.maintenance if rules.opens(rule)]
    return steps


def _latest(appointments: list[Appointment], key: str) -> dict[int, Appointment]:
    """For each session or cycle the appointment that tells its state: the live one, else the latest."""
    latest: dict[int, Appointment] = {}
    for appointment in sorted(appointments, key=lambda a: (a.status in LIVE, a.starts_at, a.pk)):
        if (owner := getattr(appointment, key)) is not None:
            latest[owner] = appointment
    return latest


def _session(
    session: Session,
    window: Window | None,
    appointment: Appointment | None,
    *,
    series: Series,
    spacing: Spacing | None,
    today: date,
    first: bool,
) -> Step:
    label, add_ons = _("Session %d") % session.number, tuple(session.add_ons)
    if session.state == SessionState.ATTENDED:
        if session.attended_on is None:
            return Step(state="done", label=label, add_ons=add_ons, when=_("day not known"), session=session.pk)
        return Step(
            state="done",
            label=label,
            add_ons=add_ons,
            when=in_words(session.attended_on),
            day=session.attended_on,
            session=session.pk,
        )
    if session.state == SessionState.SKIPPED:
        return Step(state="skipped", label=label, add_ons=add_ons, detail=session.reason, session=session.pk)
    if appointment is not None and appointment.status in LIVE:
        day = day_of(appointment.starts_at, appointment.site.time_zone)
        detail = _with_whom(appointment)
        if window and day not in window:
            detail = _("outside its window, %s") % span(window.earliest, window.latest)
        elif day < today and appointment.status != AppointmentStatus.FULFILLED:
            detail = _("not recorded as attended")
        return Step(
            state="booked",
            label=label,
            add_ons=add_ons,
            when=at(appointment),
            detail=detail,
            day=day,
            window=window,
            session=session.pk,
            appointment=appointment.pk,
        )
    if series.state == SeriesState.STOPPED:
        return Step(state="skipped", label=label, add_ons=add_ons, detail=_("series stopped"), session=session.pk)
    return Step(
        state="to_book",
        label=label,
        add_ons=add_ons,
        when=span(window.earliest, window.latest) if window else _not_dated(spacing, first=first),
        detail=_missed(appointment) or _urgency(window, today),
        window=window,
        session=session.pk,
    )


def _not_dated(spacing: Spacing | None, *, first: bool) -> str:
    if first:
        return _("any day")
    if spacing is None:
        return ""
    return _("%s after the one before") % _so_many(spacing.min, spacing.max, spacing.unit)


def _missed(appointment: Appointment | None) -> str:
    if appointment is None or appointment.status != AppointmentStatus.NO_SHOW:
        return ""
    return _("did not come on %s") % in_words(day_of(appointment.starts_at, appointment.site.time_zone))


def _urgency(window: Window | None, today: date) -> str:
    if window is None:
        return ""
    if window.latest < today:
        days = (today - window.latest).days
        return ngettext("window closed %d day ago", "window closed %d days ago", days) % days
    if window.earliest <= today:
        days = (window.latest - today).days
        return ngettext("%d day left", "%d days left", days) % days if days else _("last day today")
    return _("ideally %s") % in_words(window.ideal)


def _recent(cycles: list[Maintenance]) -> list[Maintenance]:
    """Of each rule the current cycle and the one before: years of upkeep would bury the course."""
    last: dict[int, int] = {}
    for cycle in cycles:
        last[cycle.rule] = max(cycle.cycle, last.get(cycle.rule, 0))
    recent = [cycle for cycle in cycles if cycle.cycle >= last[cycle.rule] - 1]
    return sorted(recent, key=lambda cycle: (cycle.rule, cycle.cycle))


def _cycle(cycle: Maintenance, appointment: Appointment | None, *, today: date) -> Step:
    due = Due(cycle.due_from, cycle.due_by or cycle.due_from) if cycle.due_from else None
    due_words = span(due.from_, due.by) if due else ""
    live = appointment if appointment is not None and appointment.status in LIVE else None
    state, when, detail, day = str(cycle.state), due_words, _missed(appointment), None
    if state == MaintenanceState.ATTENDED:
        day, when = cycle.attended_on, in_words(cycle.attended_on)
    elif state == MaintenanceState.BOOKED and live is not None:
        day, when, detail = day_of(live.starts_at, live.site.time_zone), at(live), _with_whom(live)
    elif state == MaintenanceState.SCHEDULED and due:
        if due.by < today:
            days, state = (today - due.by).days, "overdue"
            detail = ngettext("%d day over", "%d days over", days) % days
        elif due.from_ <= today:
            state = "due"
    elif state == MaintenanceState.DEFERRED:
        detail = _("until %s") % in_words(cycle.deferred_until)
    elif state == MaintenanceState.WAITING:
        when = _("the clinician decides")
    elif state in (MaintenanceState.DECLINED, MaintenanceState.LAPSED):
        detail = cycle.reason
    return Step(
        state=state,
        label=_("Maintenance %(number)d: %(treatment)s") % {"number": cycle.cycle, "treatment": cycle.treatment},
        when=when,
        detail=detail,
        day=day,
        due=due,
        maintenance=cycle.pk,
        appointment=live.pk if live else None,
    )


def _ahead(rule: MaintenanceRule, anchor: date | None) -> Step:
    """What follows a series that is still under way; its dates move with the last session."""
    label = _("Maintenance: %s") % rule.treatment if rule.treatment else _("Maintenance")
    if rules.opens(rule) == "waiting":
        return Step(state="waiting", label=label, when=_("the clinician decides"), detail=_("after the last session"))
    due = rules.due(rule, anchor) if anchor else None
    if due is None:
        return Step(state="scheduled", label=label, detail=_("counted from the last session"))
    when = _("about %s") % date_format(due.from_, "YEAR_MONTH_FORMAT")
    return Step(state="scheduled", label=label, when=when, detail=_("counted from the last session"), due=due)


def _with_whom(appointment: Appointment) -> str:
    return ", ".join(str(resource) for resource in (appointment.practitioner, appointment.room) if resource)


def _so_many(low: int, high: int, unit: str) -> str:
    number = f"{low}" if low == high else f"{low}–{high}"
    words = {
        "day": ngettext("%s day", "%s days", high),
        "week": ngettext("%s week", "%s weeks", high),
        "month": ngettext("%s month", "%s months", high),
    }
    return words[unit] % number


def in_words(day: date) -> str:
    return date_format(day, "DATE_FORMAT")


def at(appointment: Appointment) -> str:
    """Day and time by the clock of the appointment's site."""
    return date_format(appointment.starts_at.astimezone(appointment.site.time_zone), "DATETIME_FORMAT")


def span(first: date, last: date) -> str:
    """From one day to another, the year once where it is the same."""
    if first == last:
        return in_words(first)
    start = date_format(first, "SHORT_DAY_FORMAT") if first.year == last.year else in_words(first)
    return f"{start} – {in_words(last)}"
