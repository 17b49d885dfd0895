"""A small clinic for tests: one site, two practitioners, two rooms, two devices of a kind, one complete protocol."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from django.contrib.auth.models import Group, Permission, User

from clinic.models import OpeningHours, Resource, Site, WorkingHours
from patients.models import Patient
from treatments.models import Concern, DeviceKind, MaintenanceRule, Phase, Protocol, Treatment
from treatments.services import series as courses

# A Monday, before the site opens.
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
LONDON = ZoneInfo("Europe/London")


@dataclass
class World:
    site: Site
    desk: User
    manager: User
    patient: Patient
    treatment: Treatment
    protocol: Protocol
    practitioners: list[Resource]
    rooms: list[Resource]
    pens: list[Resource]
    made: int = field(default=0)

    def a_patient(self, given_name: str = "Noor", family_name: str = "Haddad", **values) -> Patient:
        self.made += 1
        values.setdefault("email", f"patient{self.made}@example.com")
        return Patient.objects.create(
            given_name=given_name, family_name=family_name, registered_at=NOW, registered_by=self.desk, **values
        )

    def choice(self, **values) -> courses.Choice:
        return courses.Choice(protocol=self.protocol, **values)

    def a_series(self, patient: Patient | None = None, **values):
        choice = self.choice(**values)
        return courses.start(patient=patient or self.patient, choice=choice, by=self.desk, now=NOW)


def merged_into(patient: Patient) -> dict:
    """What a record says that was merged into that of `patient`."""
    return {"merged_into": patient, "merged_at": NOW, "merged_by": patient.registered_by}


def at(text: str, zone: ZoneInfo = LONDON) -> datetime:
    """ "2026-03-03 15:00" on the wall clock of the site."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def a_clinic(
    *, sessions: int = 3, maintenance: tuple[dict, ...] = ({"kind": "every", "min": 6, "unit": "month"},)
) -> World:
    site = Site.objects.create(name="Harbour Clinic", short_name="Harbour", time_zone="Europe/London", country="GB")
    OpeningHours.objects.bulk_create(
        OpeningHours(site=site, weekday=day, opens=time(9), closes=time(18)) for day in range(5)
    )
    desk, manager = (
        User.objects.create_user(name, f"{name}@example.com", is_staff=True) for name in ("desk", "manager")
    )
    Group.objects.get(name="receptionist").user_set.set([desk, manager])
    manager.user_permissions.add(Permission.objects.get(codename="override_window"))
    treatment = Treatment.objects.create(name="Microneedling")
    kind = DeviceKind.objects.create(name="Needling pen")
    Phase.objects.bulk_create(
        [
            Phase(treatment=treatment, position=1, name="Numbing", minutes=30, occupies_room=True, numbing=True),
            Phase(
                treatment=treatment,
                position=2,
                name="Treatment",
                minutes=45,
                occupies_practitioner=True,
                occupies_room=True,
                device_kind=kind,
            ),
        ]
    )
    protocol = Protocol.objects.create(
        name="Acne scars",
        treatment=treatment,
        status="published",
        session_kind="fixed",
        session_min=sessions,
        session_max=sessions,
        spacing_min=4,
        spacing_ideal=5,
        spacing_max=6,
        spacing_unit="week",
    )
    protocol.indications.add(Concern.objects.create(name="acne scars"))
    for position, rule in enumerate(maintenance, start=1):
        MaintenanceRule.objects.create(protocol=protocol, position=position, **rule)
    practitioners = [_practitioner(name, site, treatment) for name in ("Ada", "Ben")]
    rooms = [Resource.objects.create(kind="room", name=f"Room {n}", site=site) for n in (1, 2)]
    pens = [Resource.objects.create(kind="device", name=f"Pen {n}", site=site, device_kind=kind) for n in (1, 2)]
    patient = Patient.objects.create(
        given_name="Amal", family_name="Osei", email="amal@example.com", registered_at=NOW, registered_by=desk
    )
    return World(site, desk, manager, patient, treatment, protocol, practitioners, rooms, pens)


def _practitioner(name: str, site: Site, treatment: Treatment) -> Resource:
    practitioner = Resource.objects.create(kind="practitioner", name=name, site=site)
    practitioner.treatments.add(treatment)
    WorkingHours.objects.bulk_create(
        WorkingHours(resource=practitioner, site=site, weekday=day, starts=time(9), ends=time(18)) for day in range(5)
    )
    return practitioner
