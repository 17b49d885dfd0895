"""Courses under way in a file from another system: what each line says, and whether the protocol allows it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches

from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients import tables
from patients.models import Patient
from patients.reading import LineReader
from patients.tables import Column, Line, Problem
from treatments import rules
from treatments.models import AmbiguousOverrides, Concern, Protocol
from treatments.models.choices import ProtocolStatus, Severity, Unit
from treatments.services import series as courses
from treatments.terms import MaintenanceRule, Spacing, Terms

# As much of a future as anybody plans.
MOST_AHEAD = timedelta(days=3660)
WHOLE_NUMBER = re.compile(r"[0-9]{1,3}")
DEPTH = re.compile(r"[0-9](?:[.,][0-9]{1,2})?")
INTERVAL = re.compile(r"([0-9]{1,3})(?:\s*(?:-|–|to|bis)\s*([0-9]{1,3}))?\s*([a-z]+)")
UNITS = {
    word: unit
    for unit, words in {
        Unit.DAY: ("day", "days", "tag", "tage"),
        Unit.WEEK: ("week", "weeks", "wk", "wks", "w", "woche", "wochen"),
        Unit.MONTH: ("month", "months", "monat", "monate"),
    }.items()
    for word in words
}
LONGEST = {"course": 60, "patient": 60, "email": 254, "protocol": 200, "concern": 120, "area": 60, "decided_by": 200}

COLUMNS = (
    Column(
        "course",
        "course reference",
        gettext_lazy(
            "What the former system calls the course. With it the same file can be imported twice without harm."
        ),
        ("course", "course id", "series", "series id", "series reference"),
    ),
    Column(
        "patient",
        "patient reference",
        gettext_lazy("The patient's reference, as the patients were imported with it. Or give the e-mail."),
        ("patient", "patient id", "patient number", "reference", "patientennummer", "kundennummer"),
    ),
    Column(
        "email",
        "e-mail",
        gettext_lazy("The patient's address as it is here, where it is one patient's alone."),
        ("email", "e mail address", "email address", "mail"),
    ),
    Column(
        "protocol",
        "protocol",
        gettext_lazy("The name of a published protocol. Must be filled in."),
        ("course name", "treatment plan", "plan", "protokoll"),
        required=True,
    ),
    Column("concern", "concern", gettext_lazy("Where the protocol asks for it.")),
    Column("severity", "severity", gettext_lazy("mild, moderate or severe, where the protocol asks for it.")),
    Column("area", "area", gettext_lazy("Where the protocol asks for it."), ("region",)),
    Column("depth", "needle depth", gettext_lazy("In millimetres: 1.5."), ("depth", "depth mm", "needle depth mm")),
    Column(
        "count",
        "sessions",
        gettext_lazy("How many the course has. Empty: as the protocol says."),
        ("number of sessions", "sessions total", "total sessions", "planned sessions"),
    ),
    Column(
        "done",
        "sessions done",
        gettext_lazy("How many were attended. Must be filled in; 0 where none was yet."),
        ("done", "sessions attended", "attended", "completed sessions"),
        required=True,
    ),
    Column(
        "last",
        "last session",
        gettext_lazy("The day of the last session attended: the windows and maintenance count from it."),
        ("last date", "date of last session", "last session date", "last visit"),
    ),
    Column(
        "days",
        "session dates",
        gettext_lazy("The day of each session attended, separated by spaces, if you have them."),
        ("dates", "dates of sessions"),
    ),
    Column(
        "complete",
        "series complete",
        gettext_lazy(
            "yes or no. Empty: complete once all sessions were attended. Maintenance follows a complete series."
        ),
        ("complete", "completed", "finished"),
    ),
    Column(
        "next_due",
        "next due",
        gettext_lazy("The day on which maintenance is due, if it is not what the protocol's rule comes to."),
        ("next maintenance", "maintenance due", "due"),
    ),
    Column(
        "interval",
        "interval",
        gettext_lazy("“4-6 weeks”, where the protocol leaves the spacing open."),
        ("spacing",),
    ),
    Column(
        "decided_by",
        "decided by",
        gettext_lazy("The clinician, where number or spacing are not the protocol's."),
        ("decision", "clinician"),
    ),
)
TITLES = {column.name: column.title for column in COLUMNS}
FIELDS = {"protocol": "protocol", "count": "count", "spacing": "interval", "decision_note": "decided_by"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A line that makes sense. `days` has one for each session done, None where it is not known; the last is."""

    line: int
    reference: str
    patient: Patient
    choice: courses.Choice
    terms: Terms
    count: int
    days: tuple[date | None, ...]
    complete: bool
    next_due: date | None

    @property
    def done(self) -> int:
        return len(self.days)

    @property
    def last(self) -> date | None:
        return self.days[-1] if self.days else None

    def upkeep(self) -> list[tuple[int, MaintenanceRule]]:
        """The rules that open a cycle, by their place in the terms."""
        return [(place, rule) for place, rule in enumerate(self.terms.maintenance) if rules.opens(rule)]


class Catalogue:
    """The protocols with all their parts, read once for all lines; a case that comes again costs nothing."""

    def __init__(self) -> None:
        found = list(Protocol.objects.select_related("treatment").with_parts().prefetch_related("indications"))
        self.by_name = {protocol.name.casefold(): protocol for protocol in found}
        self.by_key = {protocol.library_key: protocol for protocol in found if protocol.library_key}
        self.names = [protocol.name for protocol in found if protocol.status == ProtocolStatus.PUBLISHED]
        self._terms: dict[tuple, Terms] = {}

    def protocol(self, said: str) -> Protocol | None:
        return self.by_name.get(said.casefold()) or self.by_key.get(said)

    def nearest(self, said: str) -> str:
        return next(iter(get_close_matches(said, self.names, n=1)), "")

    @staticmethod
    def concerns(protocol: Protocol) -> dict[str, Concern]:
        asked = [*protocol.indications.all(), *(c for each in protocol.overrides.all() for c in each.concerns.all())]
        return {concern.name.casefold(): concern for concern in asked}

    @staticmethod
    def areas(protocol: Protocol) -> dict[str, str]:
        asked = [*protocol.areas, *(override.area for override in protocol.overrides.all() if override.area)]
        return {area.casefold(): area for area in asked}

    def terms(self, choice: courses.Choice) -> Terms:
        """Raises AmbiguousOverrides."""
        concern = choice.concern.pk if choice.concern else None
        case = (choice.protocol.pk, concern, choice.severity, choice.area, choice.depth_mm)
        if case not in self._terms:
            self._terms[case] = choice.protocol.terms_for(
                concern=choice.concern,
                severity=choice.severity or None,
                area=choice.area or None,
                depth_mm=choice.depth_mm,
            )
        return self._terms[case]


class People:
    """The patients that the lines name, in two queries. A record that was merged stands for the one that is left."""

    def __init__(self, lines: Sequence[Line]) -> None:
        references = {line.cells.get("patient", "") for line in lines} - {""}
        emails = {line.cells.get("email", "").lower() for line in lines} - {""}
        self.by_reference = {
            patient.reference: patient.merged_into or patient
            for patient in Patient.objects.filter(reference__in=references).select_related("merged_into")
        }
        self.by_email: dict[str, list[Patient]] = {}
        here = Patient.objects.current().exclude(email="").alias(email_lower=Lower("email"))
        for patient in here.filter(email_lower__in=emails):
            self.by_email.setdefault(patient.email.lower(), []).append(patient)


class CourseReader(LineReader):
    """One line; `course` gives what it says, or None with the problems gathered."""

    def __init__(self, line: Line, *, catalogue: Catalogue, people: People, today: date) -> None:
        super().__init__(line, titles=TITLES, longest=LONGEST, today=today)
        self.catalogue, self.people = catalogue, people

    def course(self) -> Course | None:
        patient, choice = self._patient(), self._choice()
        done, days, complete = self._number("done", least=0), self._days(), self.yes_or_no("complete")
        last, next_due = self.past_day("last"), self.day("next_due")
        reference = self.text("course")
        if done is None and not self.is_wrong("done"):
            self.wrong("done", _("Write how many sessions were attended; 0 where none was yet."))
        if self.problems or patient is None or choice is None or done is None:
            return None
        agreed = self._agreed(choice)
        if agreed is None:
            return None
        days = self._dated(done, agreed.count, days, last)
        complete = self._complete(done, agreed, complete)
        if self.problems:
            return None
        course = Course(
            line=self.line.number,
            reference=reference,
            patient=patient,
            choice=choice,
            terms=agreed.terms,
            count=agreed.count,
            days=tuple(days),
            complete=complete,
            next_due=next_due,
        )
        self._check_next_due(course)
        return None if self.problems else course

    def _patient(self) -> Patient | None:
        reference, email = self.text("patient"), self.text("email")
        if reference:
            if found := self.people.by_reference.get(reference):
                return found
            self.wrong("patient", _("No patient has this reference. Import the patients first."))
        elif email:
            found = self.people.by_email.get(email.lower(), [])
            if len(found) == 1:
                return found[0]
            self.wrong(
                "email",
                _("Several patients have this address. Give the patient's reference.")
                if found
                else _("No patient has this address. Import the patients first."),
            )
        else:
            self.wrong("patient", _("Say whose course it is: give the patient's reference or e-mail."))
        return None

    def _choice(self) -> courses.Choice | None:
        said = self.text("protocol")
        protocol = self.catalogue.protocol(said) if said else None
        if protocol is None:
            if near := self.catalogue.nearest(said):
                self.wrong("protocol", _("There is no such protocol. Did you mean “%s”?") % near)
            else:
                self.wrong("protocol", _("There is no such protocol. Write its name as in the administration."))
            return None
        if protocol.status != ProtocolStatus.PUBLISHED:
            self.wrong("protocol", _("“%s” is not published, so no series can be started by it.") % protocol.name)
            return None
        return courses.Choice(
            protocol=protocol,
            concern=self._one_of("concern", self.catalogue.concerns(protocol)),
            severity=self._one_of("severity", _severities()) or "",
            area=self._one_of("area", self.catalogue.areas(protocol)) or "",
            depth_mm=self._depth(),
            count=self._number("count", least=1),
            spacing=self._spacing(),
            decision_note=self.text("decided_by"),
        )

    def _one_of(self, name: str, known: dict):
        said = self.said(name)
        if not said or (found := known.get(said.casefold())) is not None:
            return found if said else None
        choices = ", ".join(sorted(str(value) for value in set(known.values())))
        if choices:
            self.wrong(name, _("The protocol knows: %s.") % choices)
        else:
            self.wrong(name, _("The protocol does not ask for this. Leave it empty."))
        return None

    def _number(self, name: str, *, least: int) -> int | None:
        if not (said := self.said(name)):
            return None
        if not WHOLE_NUMBER.fullmatch(said) or not least <= int(said) <= courses.MOST_SESSIONS:
            bounds = {"least": least, "most": courses.MOST_SESSIONS}
            self.wrong(name, _("Write a whole number from %(least)d to %(most)d.") % bounds)
            return None
        return int(said)

    def _depth(self) -> Decimal | None:
        if not (said := self.said("depth").removesuffix("mm").strip()):
            return None
        depth = Decimal(said.replace(",", ".")) if DEPTH.fullmatch(said) else None
        if depth is None or not Decimal("0.05") <= depth <= 5:
            self.wrong("depth", _("Write the depth in millimetres, from 0.05 to 5: 1.5."))
            return None
        return depth

    def _spacing(self) -> Spacing | None:
        if not (said := self.said("interval").casefold()):
            return None
        match = INTERVAL.fullmatch(said)
        unit = UNITS.get(match[3]) if match else None
        if match and unit:
            least, most = int(match[1]), int(match[2] or match[1])
            if 1 <= least <= most <= 365:
                return Spacing(least, None, most, unit.value)
        self.wrong("interval", _("Write the least and the most, and the unit: 4-6 weeks."))
        return None

    def _days(self) -> list[date]:
        """The days that are listed, each once and in order."""
        found = []
        for said in re.split(r"[\s,;|]+", self.said("days")):
            if not said:
                continue
            day = tables.day_of(said)
            if day is None or day > self.today:
                self.wrong("days", _("“%s” is no day that has been. Separate the days by spaces.") % said[:20])
                return []
            found.append(day)
        if found != sorted(set(found)):
            self.wrong("days", _("List each day once, the first session first."))
            return []
        return found

    def _agreed(self, choice: courses.Choice) -> courses.Agreed | None:
        try:
            terms = self.catalogue.terms(choice)
            return courses.Agreed(courses.spaced(terms, choice), courses.counted(terms, choice))
        except AmbiguousOverrides as error:
            self.wrong("protocol", str(error))
        except courses.SeriesNotPossible as error:
            self.wrong(FIELDS.get(error.field or "", "protocol"), str(error))
        return None

    def _dated(self, done: int, count: int, days: list[date], last: date | None) -> list[date | None]:
        """The day of each session done, as far as it is known."""
        if done > count:
            self.wrong(
                "done",
                _("More sessions were done (%(done)d) than the course has (%(count)d).")
                % {"done": done, "count": count},
            )
        elif not done and (days or last):
            self.wrong("done", _("There is a day of a session, but none was done."))
        elif days and len(days) != done:
            self.wrong(
                "days",
                _("%(days)d days for %(done)d sessions: give the day of each, or leave this empty.")
                % {"days": len(days), "done": done},
            )
        elif days and last and days[-1] != last:
            self.wrong("last", _("The last of the session dates is another day."))
        elif done and not days and not last:
            self.wrong("last", _("Give the day of the last session: what follows counts from it."))
        elif days:
            return list(days)
        elif done:
            return [*[None] * (done - 1), last]
        return []

    def _complete(self, done: int, agreed: courses.Agreed, said: bool | None) -> bool:
        counted = agreed.terms.sessions.kind != "open_ended"
        if said and not done:
            self.wrong("complete", _("No session was attended, so the series is not complete."))
        if said is False and counted and done == agreed.count:
            self.wrong(
                "complete", _("All its sessions were attended, so it is complete. Or give a higher number of sessions.")
            )
        return said if said is not None else counted and done == agreed.count

    def _check_next_due(self, course: Course) -> None:
        if course.next_due is None:
            return
        if not course.complete:
            self.wrong("next_due", _("Maintenance follows a complete series, and this one is under way."))
        elif course.last is not None and course.next_due <= course.last:
            self.wrong("next_due", _("This is not after the last session."))
        elif course.next_due > self.today + MOST_AHEAD:
            self.wrong("next_due", _("This is more than ten years ahead. Look at the year."))
        elif not (upkeep := course.upkeep()):
            self.wrong("next_due", _("This protocol has no maintenance that could be due."))
        elif len(upkeep) > 1:
            self.wrong(
                "next_due", _("This protocol has several kinds of maintenance. Leave it empty, and set the day here.")
            )


def _severities() -> dict[str, str]:
    return {word.casefold(): severity.value for severity in Severity for word in (severity.value, str(severity.label))}


def read(lines: Sequence[Line], *, today: date) -> tuple[list[Course], list[Problem]]:
    """The courses of a file that make sense, each once, and what is wrong with the other lines."""
    catalogue, people = Catalogue(), People(lines)
    found: list[Course] = []
    problems: list[Problem] = []
    by_reference: dict[str, int] = {}
    by_case: dict[tuple[int, int], list[Course]] = {}
    for line in lines:
        reader = CourseReader(line, catalogue=catalogue, people=people, today=today)
        course = reader.course()
        if course is not None:
            same = by_case.setdefault((course.patient.pk, course.choice.protocol.pk), [])
            if course.reference and (before := by_reference.get(course.reference)):
                reader.wrong("course", _("Line %d has the same reference.") % before)
            elif other := next((c for c in same if not (c.reference and course.reference)), None):
                reader.wrong(
                    "",
                    _("The same patient and protocol as line %d. Tell them apart by a course reference.") % other.line,
                )
            else:
                found.append(course)
                same.append(course)
                by_reference[course.reference] = course.line
        problems += reader.problems
    return found, problems
