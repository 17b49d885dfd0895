"""Who works at the demo clinic, and who comes to it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import product
from random import Random

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User

from clinic.demo import names
from clinic.models import Site
from clinic.roles import ADMIN, MANAGER, PRACTITIONER, RECEPTIONIST, ROLES
from patients.models import Channel, Consent, Patient, Purpose

PATIENTS = 300
# The patient who has an account.
NINA = ("Nina", "Castellan", "nina.castellan@example.com")


@dataclass(slots=True)
class Staff:
    """The accounts of those who work here; `practitioners` by their given name."""

    desk: list[User] = field(default_factory=list)
    manager: User = None  # type: ignore[assignment]
    practitioners: dict[str, User] = field(default_factory=dict)


def load_staff(*, practitioners: Iterable[str], password: str) -> Staff:
    groups = {group.name: group for group in Group.objects.filter(name__in=ROLES)}
    # Hashed once: it is the same word for everybody, and the hash is slow on purpose.
    hashed = make_password(password)
    staff = Staff()

    def account(name: str, email: str, role: str, **more: bool) -> User:
        given, _space, family = name.partition(" ")
        user = User.objects.create(
            username=email, email=email, first_name=given, last_name=family, password=hashed, is_staff=True, **more
        )
        user.groups.add(groups[role])
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        return user

    staff.desk = [
        account("Rosa Whitfield", "reception@example.com", RECEPTIONIST),
        account("Henrik Baumgart", "reception.berlin@example.com", RECEPTIONIST),
    ]
    staff.manager = account("Ines Calloway", "manager@example.com", MANAGER)
    account("Ada Winterbourne", "admin@example.com", ADMIN, is_superuser=True)
    for name in practitioners:
        given = name.removeprefix("Dr ").split()[0]
        staff.practitioners[name] = account(
            name.removeprefix("Dr "), f"{names.ascii_word(given)}@example.com", PRACTITIONER
        )
    return staff


def make_patients(*, sites: list[Site], by: User, now: datetime, rng: Random) -> list[tuple[Patient, Site]]:
    """Patients with the site they go to, not stored yet: when they registered follows from their visits.

    The first is the one with an account.
    """
    given, family, email = NINA
    patients = [
        (
            Patient(
                given_name=given,
                family_name=family,
                email=email,
                phone="+442079460958",
                date_of_birth=date(1988, 4, 17),
                registered_by=by,
                registered_at=now,
                user=_patient_account(given, family, email),
            ),
            sites[0],
        )
    ]
    taken = {email}
    for number, (given, family) in enumerate(names.names(PATIENTS - 1, rng=rng)):
        site = sites[0] if rng.random() < 0.55 else sites[1]
        twins = (given, family) in names.REMARKABLE[:2]
        has_email, has_phone = rng.random() < 0.9, rng.random() < 0.85
        patient = Patient(
            given_name=given,
            family_name=family,
            date_of_birth=None
            if rng.random() < 0.05
            else _born(1984 if twins else rng.randint(1948, 2006), rng, twins),
            email=names.address(given, family, taken=taken, rng=rng) if has_email else "",
            phone=names.phone(country=site.country, number=number) if has_phone else "",
            notes=rng.choice(NOTES) if rng.random() < 0.15 else "",
            registered_by=by,
            registered_at=now,
        )
        patients.append((patient, site))
    return patients


NOTES = [
    "Prefers to be called in the afternoon.",
    "Comes by train; often ten minutes late.",
    "Allergic to latex.",
    "Sensitive skin: patch test before new products.",
    "Needs step-free access.",
    "Speaks little English; daughter interprets.",
    "Nervous of needles, please allow time.",
]


def _born(year: int, rng: Random, same: bool) -> date:
    return date(year, 9, 3) if same else date(year, 1, 1) + timedelta(days=rng.randrange(365))


def _patient_account(given: str, family: str, email: str) -> User:
    user = User(username=email, email=email, first_name=given, last_name=family)
    user.set_unusable_password()
    user.save()
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


WORDING = {
    Purpose.SERVICE: "You may write to me about my visits.",
    Purpose.RECALL: "You may remind me when my maintenance is due.",
    Purpose.MARKETING: "You may send me news and offers.",
}
QUESTIONS = list(product(Purpose, Channel))
# How likely a yes, and how likely that the question was asked at all.
ODDS = {Purpose.SERVICE: (0.97, 0.98), Purpose.RECALL: (0.85, 0.92), Purpose.MARKETING: (0.35, 0.8)}


def make_consents(patients: list[Patient], *, by: User, now: datetime, rng: Random) -> list[Consent]:
    """What each patient said on registering; some changed their mind since. All combinations occur."""
    combinations = list(product([True, False], repeat=len(QUESTIONS)))
    # Every fourth patient takes the next combination, the others say what most say.
    consents = []
    for number, patient in enumerate(patients):
        fixed = combinations[number // 4 % len(combinations)] if number % 4 == 3 else None
        for index, (purpose, channel) in enumerate(QUESTIONS):
            yes, asked = ODDS[purpose]
            if fixed is None and number and rng.random() > asked:
                continue
            granted = fixed[index] if fixed else not number or rng.random() < yes
            consents.append(_consent(patient, purpose, channel, granted, "desk", patient.registered_at, by))
            if granted and number and fixed is None and rng.random() < 0.04:
                later = patient.registered_at + (now - patient.registered_at) * rng.uniform(0.2, 0.9)
                consents.append(_consent(patient, purpose, channel, False, "link in a message", later, None))
    return consents


def _consent(
    patient: Patient, purpose: Purpose, channel: Channel, granted: bool, source: str, at: datetime, by: User | None
) -> Consent:
    return Consent(
        patient=patient,
        purpose=purpose,
        channel=channel,
        granted=granted,
        wording=WORDING[purpose],
        source=source,
        given_at=at,
        recorded_by=by,
    )
