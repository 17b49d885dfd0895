"""Courses under way from another system: which are here already, and the import itself.

Nobody is written to because of an import: what was due before it stands on the worklist, and of the reminders of a
cycle only those go whose own day comes after the day of the import.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db.models import Max
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from patients import tables
from patients.dry_runs import MOST_SHOWN, Done, DryRun, Known, Option, Question, Way, changed_meanwhile, one_at_a_time
from treatments import course_lines, rules
from treatments.course_lines import COLUMNS, Course
from treatments.models import (
    Maintenance,
    MaintenanceState,
    Series,
    SeriesState,
    Session,
    SessionState,
    Treatment,
)
from treatments.services import maintenance as cycles

__all__ = ["COLUMNS", "dry_run", "take"]

AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A course of the file beside the series that the patient has here."""

    course: Course
    way: Way
    series: tuple[Series, ...] = ()
    because: str = ""


def compared(found: Sequence[Course]) -> list[Entry]:
    """What becomes of each course; one query."""
    by_reference: dict[str, Series] = {}
    by_case: dict[tuple[int, int], list[Series]] = defaultdict(list)
    references = {course.reference for course in found if course.reference}
    here = Series.objects.select_related("protocol", "patient").annotate(last=Max("sessions__attended_on"))
    wanted = {course.patient.pk for course in found}
    for series in here.filter(patient__in=wanted).order_by("pk"):
        by_case[series.patient_id, series.protocol_id].append(series)
    for series in here.filter(reference__in=references):
        by_reference[series.reference] = series
    return [_entry(c, by_reference.get(c.reference), by_case[c.patient.pk, c.choice.protocol.pk]) for c in found]


def _entry(course: Course, same_reference: Series | None, others: Sequence[Series]) -> Entry:
    if same_reference is not None:
        return Entry(course, Way.KNOWN, (same_reference,), _("the same reference"))
    # Two references are two courses.
    others = [series for series in others if not (series.reference and course.reference)]
    for series in others:
        if course.last is not None and series.last == course.last:
            return Entry(course, Way.KNOWN, (series,), _("the same patient, protocol and last session"))
    return Entry(course, Way.ASK, tuple(others)) if others else Entry(course, Way.NEW)


def dry_run(content: bytes, *, today: date) -> DryRun:
    """What an import of this file would do now. Stores nothing. Raises TableRefused."""
    return _looked_at(content, today=today)[0]


def _looked_at(content: bytes, *, today: date) -> tuple[DryRun, list[Entry]]:
    table = tables.read(content, COLUMNS)
    unreadable = {problem.line for problem in table.problems}
    found, problems = course_lines.read([line for line in table.lines if line.number not in unreadable], today=today)
    entries = compared(found)
    run = DryRun(table=table, problems=sorted([*table.problems, *problems]))
    run.fates = [
        (
            entry.course.line,
            str(entry.way),
            entry.course.patient.pk,
            entry.course.choice.protocol.pk,
            entry.course.choice.protocol.version,
            *(series.pk for series in entry.series),
        )
        for entry in entries
    ]
    new = [entry.course for entry in entries if entry.way == Way.NEW]
    run.new = len(new)
    run.known = [
        Known(entry.course.line, _series_in_words(entry.series[0]), entry.because, entry.series[0].patient_id)
        for entry in entries
        if entry.way == Way.KNOWN
    ]
    run.questions = [_question(entry) for entry in entries if entry.way == Way.ASK]
    run.notes = _notes(new, today=today)
    run.titles = (_("Line"), _("Patient"), _("Protocol"), _("Attended"), _("Last session"), _("What follows"))
    run.first = [_as_stored(course, today=today) for course in new[:MOST_SHOWN]]
    return run, entries


def _question(entry: Entry) -> Question:
    course = entry.course
    options = [Option(str(series.pk), _("It is %s") % _series_in_words(series)) for series in entry.series[:5]]
    words = f"{course.patient}, {course.choice.protocol.name}, {_attended(course)}"
    return Question(course.line, words, (*options, Option("create", _("Another course: take it in"))))


def _series_in_words(series: Series) -> str:
    said = f"{series.patient}, {series}"
    return f"{said}, {_('last session %s') % _in_words(series.last)}" if series.last else said


def _in_words(day: date) -> str:
    return date_format(day, "D j M Y")


def _attended(course: Course) -> str:
    return _("%(done)d of %(count)d") % {"done": course.done, "count": course.count}


def _notes(new: Sequence[Course], *, today: date) -> list[str]:
    overdue = sum(any(due <= today for _rule, due in _due_days(course)) for course in new)
    if not overdue:
        return []
    return [
        ngettext(
            "In %d course maintenance is due already. It stands on the worklist; the patient is sent no reminder of a "
            "day before tomorrow.",
            "In %d courses maintenance is due already. They stand on the worklist; the patients are sent no reminder "
            "of a day before tomorrow.",
            overdue,
        )
        % overdue
    ]


def _due_days(course: Course) -> list[tuple[str, date]]:
    """What is due after a complete course, and from when."""
    if not course.complete or course.last is None:
        return []
    found = []
    for _place, rule in course.upkeep():
        due = rules.due(rule, course.last)
        day = course.next_due or (due.from_ if due else None)
        if day is not None:
            found.append((rule.treatment or course.choice.protocol.treatment.name, day))
    return found


def _as_stored(course: Course, *, today: date) -> tuple[str, ...]:
    return (
        str(course.line),
        str(course.patient),
        course.choice.protocol.name,
        _attended(course),
        _in_words(course.last) if course.last else "",
        _follows(course, today=today),
    )


def _follows(course: Course, *, today: date) -> str:
    if course.complete:
        said = [
            (_("%(what)s was due %(day)s") if day <= today else _("%(what)s due %(day)s"))
            % {"what": what, "day": _in_words(day)}
            for what, day in _due_days(course)
        ]
        if said:
            return "; ".join(said)
        return _("maintenance to be decided by the clinician") if course.upkeep() else _("complete")
    number = course.done + 1
    if course.last is None or course.terms.spacing is None or number > course.count:
        return _("session %d to book") % number
    window = rules.window_after(course.terms.spacing, course.last)
    return _("session %(number)d to book, %(from)s to %(to)s") % {
        "number": number,
        "from": _in_words(window.earliest),
        "to": _in_words(window.latest),
    }


# --- The import ---------------------------------------------------------------------------------------------------


def take(
    content: bytes, *, answers: Mapping[int, str], seen: str, today: date, by: User, now: datetime, zone: ZoneInfo
) -> Done:
    """Import what the dry run `seen` showed, all of it or nothing; lines with a problem or no answer are left out.

    `answers`, by line: "create", or the key of the series it is. Raises ImportRefused where the dry run would not be
    the same now.
    """
    with one_at_a_time():
        run, entries = _looked_at(content, today=today)
        if run.seen != seen:
            raise changed_meanwhile()
        asked = {question.line for question in run.asked}
        new, known = [], []
        for entry in entries:
            answer = answers.get(entry.course.line, "") if entry.course.line in asked else ""
            said = {str(series.pk): series for series in entry.series}
            if entry.way == Way.NEW or answer == "create":
                new.append(entry.course)
            elif entry.way == Way.KNOWN:
                known.append((entry.course, entry.series[0]))
            elif answer in said:
                known.append((entry.course, said[answer]))
        _start(new, today=today, by=by, now=now, zone=zone)
        _link(known)
    return Done(created=len(new), linked=len(known), left_out=len(run.table.lines) - len(new) - len(known))


def _start(new: Sequence[Course], *, today: date, by: User, now: datetime, zone: ZoneInfo) -> None:
    """Series with their sessions, as `services.series` would leave them, and the cycles that are open after them."""
    started = Series.objects.bulk_create(
        [_series(course, by=by, now=now, zone=zone) for course in new], batch_size=AT_ONCE
    )
    both = list(zip(new, started, strict=True))
    Session.objects.bulk_create(
        [session for course, series in both for session in _sessions(course, series, by=by, now=now)],
        batch_size=AT_ONCE,
    )
    treatments: dict[tuple, Treatment] = {}
    Maintenance.objects.bulk_create(
        [
            cycle
            for course, series in both
            for cycle in _cycles(course, series, treatments, today=today, by=by, now=now)
        ],
        batch_size=AT_ONCE,
    )


def _series(course: Course, *, by: User, now: datetime, zone: ZoneInfo) -> Series:
    choice = course.choice
    first = next((day for day in course.days if day is not None), None)
    return Series(
        patient=course.patient,
        protocol=choice.protocol,
        protocol_version=choice.protocol.version,
        terms_json=course.terms.to_json(),
        concern=choice.concern,
        severity=choice.severity,
        area=choice.area,
        depth_mm=choice.depth_mm,
        decision_note=choice.decision_note,
        state=SeriesState.COMPLETED if course.complete else SeriesState.ACTIVE,
        # No earlier than anybody knows.
        started_at=datetime.combine(first, time(), zone) if first else now,
        started_by=by,
        completed_on=course.last if course.complete else None,
        reference=course.reference,
    )


def _sessions(course: Course, series: Series, *, by: User, now: datetime) -> list[Session]:
    recorded = {"recorded_at": now, "recorded_by": by}
    attended = [
        Session(
            series=series,
            number=number,
            state=SessionState.ATTENDED,
            attended_on=day,
            day_unknown=day is None,
            **recorded,
        )
        for number, day in enumerate(course.days, start=1)
    ]
    ahead = range(course.done + 1, course.count + 1)
    if course.complete:
        left = {"state": SessionState.SKIPPED, "reason": _("Series completed before"), **recorded}
        return attended + [Session(series=series, number=number, **left) for number in ahead]
    return attended + [Session(series=series, number=number) for number in ahead]


def _cycles(
    course: Course, series: Series, treatments: dict[tuple, Treatment], *, today: date, by: User, now: datetime
) -> list[Maintenance]:
    if not course.complete or course.last is None:
        return []
    found = []
    for place, rule in course.upkeep():
        key = (course.choice.protocol.pk, rule.treatment)
        if key not in treatments:
            treatments[key] = cycles.treatment_of(rule, course.choice.protocol)
        values = {"treatment": treatments[key], **cycles.calculated(rule, course.last)}
        if course.next_due is not None:
            values |= {
                "state": MaintenanceState.SCHEDULED,
                "overridden_on": course.next_due,
                "overridden_at": now,
                "overridden_by": by,
                "override_reason": _("Next due as the former system had it."),
            }
        tomorrow = today + timedelta(days=1)
        found.append(Maintenance(series=series, rule=place, cycle=1, remind_from=tomorrow, **values))
    return found


def _link(known: Sequence[tuple[Course, Series]]) -> None:
    to_change = []
    for course, series in known:
        if course.reference and not series.reference:
            series.reference = course.reference
            to_change.append(series)
    Series.objects.bulk_update(to_change, ["reference"], batch_size=AT_ONCE)
