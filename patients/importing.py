"""Patients from another system: what a file says, whom it means, and the import itself.

Who is known is not changed by an import, but for the reference: what was entered here counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from patients import phones, services, tables
from patients.dry_runs import (
    MOST_SHOWN,
    Done,
    DryRun,
    Known,
    Option,
    Question,
    Way,
    changed_meanwhile,
    one_at_a_time,
)
from patients.likeness import Alike, alike
from patients.models import Channel, Consent, Patient, Purpose
from patients.reading import LineReader
from patients.tables import Column, Line, Problem

SOURCE = "import"
# So many patients are offered for one line.
MOST_OFFERED = 5
AT_ONCE = 1000
LONGEST = {"given_name": 100, "family_name": 100, "email": 254, "reference": 60}
LANGUAGES = {
    **{code: code for code, _name in settings.LANGUAGES},
    "en": "en-gb",
    "english": "en-gb",
    "englisch": "en-gb",
    "de": "de",
    "german": "de",
    "deutsch": "de",
}
ZONES = {name.casefold(): name for name in available_timezones()}

CONSENTS = {
    f"consent_{purpose}_{channel}": (purpose, channel) for purpose in Purpose.values for channel in Channel.values
}
COLUMNS = (
    Column(
        "reference",
        "reference",
        gettext_lazy(
            "What the former system calls the patient. With it the same file can be imported twice without harm, and "
            "courses find their patient."
        ),
        ("ref", "id", "patient id", "patient number", "patient no", "external id", "patientennummer", "kundennummer"),
    ),
    Column(
        "given_name",
        "given name",
        gettext_lazy("Must be filled in."),
        ("first name", "firstname", "forename", "vorname"),
        required=True,
    ),
    Column(
        "family_name",
        "family name",
        gettext_lazy("May be empty, for people with one name."),
        ("last name", "lastname", "surname", "name", "nachname", "familienname"),
    ),
    Column(
        "date_of_birth",
        "date of birth",
        gettext_lazy("Day, month, year: 3.2.1988 or 03/02/1988; or 1988-02-03. It helps to know who is here already."),
        ("birth date", "birthdate", "birthday", "dob", "born", "geburtsdatum", "geburtstag"),
    ),
    Column("email", "e-mail", gettext_lazy("One address."), ("email", "e mail address", "email address", "mail")),
    Column(
        "phone",
        "phone",
        gettext_lazy("One number, as it is dialled here or with the country: 020 7946 0018 or +44 20 7946 0018."),
        ("phone number", "telephone", "tel", "mobile", "mobile phone", "cell", "telefon", "handy", "mobil"),
    ),
    Column("language", "language", gettext_lazy("English or German (en, de). Empty: the clinic's own."), ("sprache",)),
    Column(
        "time_zone",
        "time zone",
        gettext_lazy("Such as Europe/London. Empty: the same as the clinic's."),
        ("timezone", "zeitzone"),
    ),
    Column(
        "notes",
        "notes",
        gettext_lazy("For the desk."),
        ("note", "comment", "comments", "remarks", "notizen", "bemerkung"),
    ),
    *(
        Column(
            name,
            f"consent {purpose} {channel}",
            gettext_lazy("yes, no or empty: whether the patient agreed to this. Empty: nobody asked."),
        )
        for name, (purpose, channel) in CONSENTS.items()
    ),
    Column(
        "consent_date",
        "consent date",
        gettext_lazy("The day on which the patient said so. Needed where one of the consents is filled in."),
        ("consented on", "consent given on", "einwilligung am"),
    ),
)
TITLES = {column.name: column.title for column in COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A line of the file that makes sense by itself."""

    line: int
    reference: str
    given_name: str
    family_name: str
    date_of_birth: date | None
    email: str
    phone: str
    language: str
    time_zone: ZoneInfo | None
    notes: str
    consents: tuple[tuple[str, str, bool], ...]
    consented_on: date | None

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()

    def __str__(self) -> str:
        return described(self.name, self.date_of_birth, self.phone, self.email)


def described(name: str, born: date | None, phone: object, email: str) -> str:
    """Somebody in one line, so that a person at the desk can tell them from another."""
    said = [name, _("born %s") % f"{born:%d %b %Y}" if born else "", str(phone or ""), email]
    return ", ".join(part for part in said if part)


# --- What the lines say -------------------------------------------------------------------------------------------


class _Reader(LineReader):
    def __init__(self, line: Line, *, today: date, region: str) -> None:
        super().__init__(line, titles=TITLES, longest=LONGEST, today=today)
        self.region = region

    def email(self) -> str:
        if said := self.text("email"):
            try:
                validate_email(said)
            except ValidationError:
                self.wrong("email", _("Write the address in full: name@example.org."))
                return ""
        return said

    def phone(self) -> str:
        if not (said := self.said("phone")):
            return ""
        number = _number(said, self.region) if len(said) <= 40 else ""
        if not number:
            self.wrong("phone", _("Write the number in full: %s or %s.") % phones.example(self.region))
        return number

    def language(self) -> str:
        said = self.said("language")
        language = LANGUAGES.get(said.casefold()) if said else settings.LANGUAGE_CODE
        if language is None:
            self.wrong("language", _("Write English or German."))
        return language or settings.LANGUAGE_CODE

    def time_zone(self) -> ZoneInfo | None:
        if not (said := self.said("time_zone")):
            return None
        if name := ZONES.get(said.casefold().replace(" ", "_")):
            return ZoneInfo(name)
        self.wrong("time_zone", _("Write the time zone as region and place: Europe/London."))
        return None

    def consents(self) -> tuple[tuple[str, str, bool], ...]:
        found = []
        for name, (purpose, channel) in CONSENTS.items():
            if (granted := self.yes_or_no(name)) is not None:
                found.append((purpose, channel, granted))
        return tuple(found)

    def person(self) -> Person:
        person = Person(
            line=self.line.number,
            reference=self.text("reference"),
            given_name=self.text("given_name"),
            family_name=self.text("family_name"),
            date_of_birth=self.past_day("date_of_birth"),
            email=self.email(),
            phone=self.phone(),
            language=self.language(),
            time_zone=self.time_zone(),
            notes=self.said("notes"),
            consents=self.consents(),
            consented_on=self.past_day("consent_date"),
        )
        if not person.given_name and not self.is_wrong("given_name"):
            self.wrong("given_name", _("Everybody needs a given name."))
        if person.consents and not self.said("consent_date"):
            self.wrong("consent_date", _("Say on which day the patient agreed or refused."))
        reached = {Channel.EMAIL: person.email, Channel.SMS: person.phone}
        for purpose, channel, granted in person.consents:
            if granted and not reached[Channel(channel)]:
                name = f"consent_{purpose}_{channel}"
                self.wrong(name, _("The patient agreed to be written to, but there is no address or number for it."))
        return person


@lru_cache(maxsize=4096)
def _number(said: str, region: str) -> str:
    """The number as it is stored; empty for what is none."""
    number = phones.read(said, region=region)
    return number.as_e164 if number and number.is_valid() else ""


def people(lines: Sequence[Line], *, today: date, region: str = "") -> tuple[list[Person], list[Problem]]:
    """The persons of a file that make sense, and what is wrong with the other lines. Each person is there once."""
    found, problems = [], []
    earlier = _Earlier()
    for line in lines:
        reader = _Reader(line, today=today, region=region)
        person = reader.person()
        if not reader.problems and (again := earlier.same_as(person)):
            reader.wrong("", again)
        if reader.problems:
            problems += reader.problems
        else:
            found.append(person)
            earlier.add(person)
    return found, problems


class _Earlier:
    """The persons of the lines before, by what makes two of them the same."""

    def __init__(self) -> None:
        self.references: dict[str, int] = {}
        self.marks: dict[tuple, list[Person]] = {}

    def same_as(self, person: Person) -> str:
        """Why this is somebody of an earlier line, in words; empty where it is not."""
        if person.reference and (line := self.references.get(person.reference)):
            return _("Line %d has the same reference. Each patient stands in the file once.") % line
        for mark in self._marks(person):
            for other in self.marks.get(mark, []):
                if person.date_of_birth == other.date_of_birth or None in (person.date_of_birth, other.date_of_birth):
                    return _("The same person as in line %d. Each patient stands in the file once.") % other.line
        return ""

    def add(self, person: Person) -> None:
        if person.reference:
            self.references[person.reference] = person.line
        for mark in self._marks(person):
            self.marks.setdefault(mark, []).append(person)

    @staticmethod
    def _marks(person: Person) -> Iterable[tuple]:
        name = person.name.casefold()
        marks = ("born", person.date_of_birth), ("e-mail", person.email.lower()), ("phone", person.phone)
        return [(name, *mark) for mark in marks if mark[1]]


# --- Whom they mean -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A person of the file beside the patients that are here."""

    person: Person
    way: Way
    patients: tuple[Patient, ...] = ()
    because: str = ""


def compared(found: Sequence[Person]) -> tuple[list[Entry], list[Problem]]:
    """What becomes of each person, and of whom nothing can."""
    looks_like = alike(found)
    entries, problems, taken = [], [], {}
    for person in found:
        entry = _entry(person, looks_like[person.line])
        if entry.way == Way.KNOWN:
            patient = entry.patients[0]
            if other := taken.get(patient.pk):
                reason = _("This is %(who)s, as is line %(line)d.") % {"who": patient, "line": other}
                problems.append(Problem(person.line, "", reason))
                continue
            taken[patient.pk] = person.line
        entries.append(entry)
    return entries, problems


def _entry(person: Person, found: Alike) -> Entry:
    if found.same_reference:
        return Entry(person, Way.KNOWN, (found.same_reference,), _("the same reference"))
    for patient in found.similar:
        if why := _same(person, patient):
            return Entry(person, Way.KNOWN, (patient,), why)
    return Entry(person, Way.ASK, found.similar) if found.similar else Entry(person, Way.NEW)


def _same(person: Person, patient: Patient) -> str:
    """By which rule both are the same, in words; empty where only a person can tell.

    Twins share a birthday and often their parents' number, so the given name counts too.
    """
    other = patient.reference and person.reference and patient.reference != person.reference
    if person.date_of_birth is None or person.date_of_birth != patient.date_of_birth or other:
        return ""
    if person.given_name.casefold() != patient.given_name.casefold():
        return ""
    if person.email and person.email.lower() == patient.email.lower():
        return _("the same given name, date of birth and e-mail")
    if person.phone and person.phone == str(patient.phone):
        return _("the same given name, date of birth and phone")
    return ""


# --- The import ---------------------------------------------------------------------------------------------------


def dry_run(content: bytes, *, today: date, region: str = "") -> DryRun:
    """What an import of this file would do now. Stores nothing. Raises TableRefused.

    Phone numbers without a country's code are read as those of `region`.
    """
    return _looked_at(content, today=today, region=region)[0]


def _looked_at(content: bytes, *, today: date, region: str) -> tuple[DryRun, list[Entry]]:
    table = tables.read(content, COLUMNS)
    unreadable = {problem.line for problem in table.problems}
    found, problems = people(
        [line for line in table.lines if line.number not in unreadable], today=today, region=region
    )
    entries, clashes = compared(found)
    run = DryRun(table=table, problems=sorted([*table.problems, *problems, *clashes]))
    run.fates = [
        (entry.person.line, entry.person.phone, str(entry.way), *(patient.pk for patient in entry.patients))
        for entry in entries
    ]
    run.new = sum(entry.way == Way.NEW for entry in entries)
    run.known = [
        Known(entry.person.line, str(entry.patients[0]), entry.because, entry.patients[0].pk)
        for entry in entries
        if entry.way == Way.KNOWN
    ]
    run.questions = [_question(entry) for entry in entries if entry.way == Way.ASK]
    run.titles = (_("Line"), _("Name"), _("Born"), _("Phone"), _("E-mail"), _("Language"), _("Agreed to"), _("Notes"))
    new = [entry.person for entry in entries if entry.way == Way.NEW]
    run.first = [_as_stored(person) for person in new[:MOST_SHOWN]]
    return run, entries


def _question(entry: Entry) -> Question:
    options = [
        Option(
            str(patient.pk),
            _("It is %s") % described(str(patient), patient.date_of_birth, patient.phone, patient.email),
        )
        for patient in entry.patients[:MOST_OFFERED]
    ]
    return Question(entry.person.line, str(entry.person), (*options, Option("create", _("Somebody else: register"))))


def _as_stored(person: Person) -> tuple[str, ...]:
    agreed = [
        f"{Purpose(purpose).label}, {Channel(channel).label}: {_('yes') if granted else _('no')}"
        for purpose, channel, granted in person.consents
    ]
    return (
        str(person.line),
        person.name,
        f"{person.date_of_birth:%d %b %Y}" if person.date_of_birth else "",
        person.phone,
        person.email,
        str(dict(settings.LANGUAGES)[person.language]),
        "; ".join(agreed),
        person.notes if len(person.notes) <= 60 else f"{person.notes[:60]}…",
    )


def take(
    content: bytes,
    *,
    answers: Mapping[int, str],
    seen: str,
    today: date,
    by: User,
    now: datetime,
    zone: ZoneInfo,
    region: str = "",
) -> Done:
    """Import what the dry run `seen` showed, all of it or nothing; lines with a problem or no answer are left out.

    `answers`, by line: "create", or the key of the patient it is. Raises ImportRefused where the dry run would not be
    the same now. A consent counts from the beginning of its day in `zone`.
    """
    with one_at_a_time():
        run, entries = _looked_at(content, today=today, region=region)
        if run.seen != seen:
            raise changed_meanwhile()
        asked = {question.line for question in run.asked}
        new, known = [], []
        for entry in entries:
            answer = answers.get(entry.person.line, "") if entry.person.line in asked else ""
            said = {str(patient.pk): patient for patient in entry.patients}
            if entry.way == Way.NEW or answer == "create":
                new.append(entry.person)
            elif entry.way == Way.KNOWN:
                known.append((entry.person, entry.patients[0]))
            elif answer in said:
                known.append((entry.person, said[answer]))
        _register(new, by=by, now=now, zone=zone)
        _link(known)
    return Done(created=len(new), linked=len(known), left_out=len(run.table.lines) - len(new) - len(known))


def _register(new: Sequence[Person], *, by: User, now: datetime, zone: ZoneInfo) -> None:
    patients = Patient.objects.bulk_create(
        [
            Patient(
                reference=person.reference,
                given_name=person.given_name,
                family_name=person.family_name,
                date_of_birth=person.date_of_birth,
                email=person.email,
                phone=person.phone,
                language=person.language,
                time_zone=person.time_zone,
                notes=person.notes,
                registered_at=now,
                registered_by=by,
            )
            for person in new
        ],
        batch_size=AT_ONCE,
    )
    Consent.objects.bulk_create(
        [
            Consent(
                patient=patient,
                purpose=purpose,
                channel=channel,
                granted=granted,
                wording=_wording(purpose, channel, person.language),
                source=SOURCE,
                given_at=datetime.combine(person.consented_on or now.date(), time(), zone),
                recorded_by=by,
            )
            for person, patient in zip(new, patients, strict=True)
            for purpose, channel, granted in person.consents
        ],
        batch_size=AT_ONCE,
    )


@lru_cache(maxsize=64)
def _wording(purpose: str, channel: str, language: str) -> str:
    with override(language):
        return services.wording(purpose, channel)


def _link(known: Sequence[tuple[Person, Patient]]) -> None:
    to_change = []
    for person, patient in known:
        if person.reference and not patient.reference:
            patient.reference = person.reference
            to_change.append(patient)
    Patient.objects.bulk_update(to_change, ["reference"], batch_size=AT_ONCE)
