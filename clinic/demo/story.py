"""What happened at the demo clinic and what is booked: rows in memory, stored at the end in a few statements."""

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from random import Random
from uuid import UUID

from django.contrib.auth.models import User

from clinic import walltime
from clinic.demo.agenda import Agenda
from clinic.demo.people import Staff
from clinic.models import LIVE, Appointment, AppointmentStatus, Claim, Resource, Site
from clinic.services.booking import Visit
from patients.models import Patient
from treatments.models import Maintenance, Series, Session

HOUR = timedelta(hours=1)
# Between two visits of one patient, whatever they are for.
REST_DAYS = 4

CANCELLED_BECAUSE = [
    "Patient has a cold",
    "Patient is travelling",
    "Child care fell through",
    "Patient asked for another day",
    "Sunburn",
    "Work got in the way",
]


class Story:
    """All that is told of the clinic, with one clock and one source of chance."""

    def __init__(self, *, now: datetime, rng: Random, staff: Staff, agendas: dict[Site, Agenda]) -> None:
        self.now, self.rng, self.staff, self.agendas = now, rng, staff, agendas
        self.series: list[Series] = []
        self.sessions: list[Session] = []
        self.cycles: list[Maintenance] = []
        self.appointments: list[Appointment] = []
        self._visits: dict[int, Visit] = {}
        self._days: dict[int, set[int]] = defaultdict(set)
        self._usual: dict[int, Resource | None] = {}
        self._since: dict[int, datetime] = {}

    def store(self) -> None:
        Series.objects.bulk_create(self.series)
        Session.objects.bulk_create(self.sessions)
        Maintenance.objects.bulk_create(self.cycles)
        Appointment.objects.bulk_create(self.appointments)
        Claim.objects.bulk_create(
            claim
            for number, appointment in enumerate(self.appointments)
            if appointment.status in LIVE
            for claim in self._visits[number].claims(appointment)
        )

    def today(self, site: Site) -> date:
        return walltime.day_of(self.now, site.time_zone)

    def at_desk(self, day: date, site: Site) -> datetime:
        """Some time at which somebody could have been at the desk on `day`, never in the future."""
        clock = time(self.rng.randint(9, 16), self.rng.randrange(0, 60, 5))
        return min(walltime.instant(day, clock, site.time_zone), self.now - timedelta(minutes=self.rng.randint(5, 90)))

    def desk(self, site: Site) -> User:
        return self.staff.desk[site.country == "DE"]

    def since(self, patient: Patient) -> datetime | None:
        """The first thing that was noted of a patient."""
        return self._since.get(id(patient))

    def noted(self, patient: Patient, at: datetime) -> None:
        self._since[id(patient)] = min(at, self._since.get(id(patient), at))

    def rested(self, patient: Patient, day: date) -> bool:
        """Whether no other visit of the patient is too near."""
        number = day.toordinal()
        return self._days[id(patient)].isdisjoint(range(number - REST_DAYS, number + REST_DAYS + 1))

    def last_day(self, patient: Patient, *, otherwise: date) -> date:
        """The day of the last visit that holds its time; `otherwise` where all were missed or cancelled."""
        return date.fromordinal(max(self._days[id(patient)], default=otherwise.toordinal()))

    def find(self, *, patient: Patient, site: Site, days: list[date], **wanted) -> Visit | None:
        free = [day for day in days if self.rested(patient, day)]
        return self.agendas[site].find(days=free, usual=self._usual.get(id(patient)), **wanted)

    def hold(
        self,
        *,
        patient: Patient,
        visit: Visit,
        booked_at: datetime,
        status: AppointmentStatus | None = None,
        session: Session | None = None,
        maintenance: Maintenance | None = None,
        late_reason: str = "",
    ) -> Appointment:
        """Write `visit` into the diary; without a `status`, the one that it has by now."""
        site, desk = visit.site, self.staff.manager if late_reason else self.desk(visit.site)
        # Nobody books for a time that has passed, nor at the very last moment.
        booked_at = min(booked_at, visit.starts_at - HOUR, self.now - timedelta(minutes=2))
        status = status or self._by_now(visit)
        appointment = Appointment(
            patient=patient,
            site=site,
            treatment=visit.treatment,
            session=session,
            maintenance=maintenance,
            practitioner=visit.practitioner,
            room=visit.room,
            starts_at=visit.starts_at,
            ends_at=visit.ends_at,
            phases=[phase.to_json() for phase in visit.phases],
            status=status,
            status_at=self._status_at(visit, status, booked_at),
            status_by=desk,
            cancel_reason=self.rng.choice(CANCELLED_BECAUSE) if status == AppointmentStatus.CANCELLED else "",
            booked_at=booked_at,
            booked_by=desk,
            outside_window_reason=late_reason,
            outside_window_by=desk if late_reason else None,
            uid=self.uuid(),
            sequence=0 if status == AppointmentStatus.BOOKED else 1,
        )
        if status == AppointmentStatus.FULFILLED and visit.practitioner and visit.practitioner.user:
            appointment.status_by = visit.practitioner.user
        if status != AppointmentStatus.CANCELLED:
            self.agendas[site].take(visit)
            self._days[id(patient)].add(walltime.day_of(visit.starts_at, site.time_zone).toordinal())
        self._visits[len(self.appointments)] = visit
        self.appointments.append(appointment)
        self._usual.setdefault(id(patient), visit.practitioner)
        self.noted(patient, booked_at)
        return appointment

    def uuid(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    def _by_now(self, visit: Visit) -> AppointmentStatus:
        if visit.ends_at <= self.now:
            return AppointmentStatus.FULFILLED
        # Most are a little early, and nobody is noted as here long before.
        if visit.starts_at <= self.now + timedelta(minutes=5):
            return AppointmentStatus.ARRIVED
        return AppointmentStatus.BOOKED

    def _status_at(self, visit: Visit, status: AppointmentStatus, booked_at: datetime) -> datetime:
        if status == AppointmentStatus.BOOKED:
            return booked_at
        if status == AppointmentStatus.CANCELLED:
            until = min(visit.starts_at, self.now)
            return booked_at + (until - booked_at) * self.rng.uniform(0.4, 0.95)
        if status == AppointmentStatus.NO_SHOW:
            return min(visit.starts_at + timedelta(minutes=20), self.now)
        if status == AppointmentStatus.ARRIVED:
            return min(visit.starts_at - timedelta(minutes=self.rng.randint(0, 8)), self.now)
        return visit.ends_at
