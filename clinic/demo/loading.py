"""Putting the demo clinic together."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from clinic import walltime
from clinic.demo import DEMO_PASSWORD, SEED, catalogue, people, places
from clinic.demo.agenda import Agenda
from clinic.demo.courses import DAYS_AHEAD, DAYS_BACK, Courses, Fate
from clinic.demo.sooner import Sooner
from clinic.demo.story import Story
from clinic.demo.told import Told
from clinic.demo.upkeep import Upkeep
from clinic.models import Appointment, Site
from patients.models import Consent, Patient
from treatments.models import Series, SeriesState, Treatment


@transaction.atomic
def load(*, now: datetime, write: Callable[[str], None]) -> None:
    """Load everything, or nothing where the clinic is already there."""
    if Site.objects.exists():
        write("A clinic is there already; it stays as it is.")
        return
    write("Loading the built-in protocols and a lifelike clinic …")
    rng = Random(SEED)  # noqa: S311 - a story, not a secret
    catalogue.load(now=now)
    staff = people.load_staff(practitioners=places.GIVES, password=DEMO_PASSWORD)
    today = walltime.day_of(now, places.LONDON_TIME)
    sites = places.load(today=today, users=staff.practitioners)
    patients = people.make_patients(sites=sites, by=staff.desk[0], now=now, rng=rng)

    everybodys = Treatment.objects.get(name=places.CONSULTATION)
    agendas = {}
    for site in sites:
        # Near midnight it is not the same day everywhere.
        day = walltime.day_of(now, site.time_zone)
        first, last = day - timedelta(days=DAYS_BACK), day + timedelta(days=DAYS_AHEAD)
        agendas[site] = Agenda(site=site, everybodys=everybodys, first=first, last=last, rng=rng)
    story = Story(now=now, rng=rng, staff=staff, agendas=agendas)
    _tell(story, patients)

    consents = _store(story, patients, now=now)
    Told(story=story, sites={id(patient): site for patient, site in patients}, consents=consents).store()
    Sooner(story).store(patients[0][0])
    write(
        f"{len(sites)} sites, {len(patients)} patients, {len(story.series)} series, "
        f"{Appointment.objects.count()} appointments. Everybody is invented."
    )


def _tell(story: Story, patients: list[tuple[Patient, Site]]) -> None:
    courses = Courses(story)
    upkeep = Upkeep(courses)
    nina, her_site = patients[0]
    _tell_nina(courses, upkeep, nina, her_site)
    kept = []
    for patient, site in patients[1:]:
        kept += _tell_one(courses, patient, site)
    for series, site in kept:
        upkeep.keep_up(series, site)
    courses.fill(patients[1:])


def _tell_nina(courses: Courses, upkeep: Upkeep, nina: Patient, site: Site) -> None:
    """One course complete and its maintenance due, another under way with its next visit booked and to prepare for."""
    today, smooth = courses.story.today(site), Fate(smooth=True)
    done = courses.course(nina, site, catalogue.FINE_LINES, first=today - timedelta(days=167), fate=smooth)
    assert done is not None
    assert done.state == SeriesState.COMPLETED
    upkeep.keep_up(done, site, untouched=True)
    under_way = courses.course(nina, site, catalogue.TIGHTENING, first=today - timedelta(days=23), fate=smooth)
    assert under_way is not None


def _tell_one(courses: Courses, patient: Patient, site: Site) -> list[tuple[Series, Site]]:
    """A consultation, then no course, one or several, one after another; the completed ones."""
    story, rng = courses.story, courses.rng
    today = story.today(site)
    first = today + timedelta(days=30 - int((DAYS_BACK + 5) * rng.random() ** 0.55))
    courses.consultation(patient, site, days=[first - timedelta(days=n) for n in range(6, 22)])
    completed = []
    had: set[str] = set()
    for _number in range(rng.choices([0, 1, 2, 3, 4], [8, 27, 35, 20, 10])[0]):
        if first > today + timedelta(days=30):
            break
        name = courses.some_protocol(but_not=had)
        had.add(name)
        luck = rng.random()
        fate = Fate(ahead=rng.random() < 0.8)
        if luck < 0.08:
            fate = Fate(sessions=rng.randint(1, 3), stopped=True, ahead=False)
        elif luck < 0.15:
            fate = Fate(sessions=rng.randint(1, 4))
        series = courses.course(patient, site, name, first=first, fate=fate)
        if series is not None and series.state == SeriesState.COMPLETED:
            completed.append((series, site))
        # A glow course may run beside another; the others wait until the skin has had its rest.
        beside = name == catalogue.GLOW or series is None
        begins = first if beside else story.last_day(patient, otherwise=first)
        first = begins + timedelta(days=rng.randint(14, 60))
    return completed


def _store(story: Story, patients: list[tuple[Patient, Site]], *, now: datetime) -> list[Consent]:
    rng = story.rng
    for patient, site in patients:
        # Registered shortly before the first thing that was noted; those without any visit, some day or other.
        since = story.since(patient) or now - timedelta(days=rng.randint(1, 300), minutes=rng.randint(0, 600))
        patient.registered_at = since - timedelta(minutes=rng.randint(4, 20))
        patient.registered_by = story.desk(site)
    Patient.objects.bulk_create(patient for patient, _site in patients)
    consents = people.make_consents([patient for patient, _site in patients], by=story.staff.desk[0], now=now, rng=rng)
    Consent.objects.bulk_create(consents)
    story.store()
    return consents
