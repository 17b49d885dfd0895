"""The free time of one site while its demo diary is being filled: days as bits, taken one visit after another."""

from collections.abc import Hashable, Iterable
from datetime import date
from random import Random

from clinic import availability, walltime
from clinic.availability import CELL, Availability, Stretch, fitting
from clinic.models import Resource, Site
from clinic.services import horizon
from clinic.services.booking import Visit
from treatments.models import Treatment
from treatments.terms import Phase

# How full the day of a practitioner gets before a visit goes to another day.
FULL = 0.8


class Agenda:
    """Knows opening and working hours, closures and absences; forgets nothing that was taken."""

    def __init__(self, *, site: Site, everybodys: Treatment, first: date, last: date, rng: Random) -> None:
        # Every practitioner may give `everybodys`, so that one reading finds all of them.
        self.diary = horizon.read(site=site, treatment=everybodys, first=first, last=last)
        self.site, self.rng = site, rng
        self._times = Availability(self.diary)
        self._free: dict[tuple[Hashable, int], int] = {}
        self._work: dict[tuple[Hashable, int], int] = {}
        self._known = {resource.pk: resource for resource in Resource.objects.select_related("device_kind")}
        self._gives = {
            resource.pk: {treatment.pk for treatment in resource.treatments.all()}
            for resource in Resource.objects.practitioners().prefetch_related("treatments")
        }

    def fullness(self, practitioner: availability.Resource, day: date) -> float | None:
        """Which part of the day is taken; None where the practitioner does not work then."""
        free = self._free_bits(practitioner, day)
        work = self._work[practitioner.id, day.toordinal()]
        return 1 - free.bit_count() / work if work else None

    def find(
        self,
        *,
        treatment: Treatment,
        phases: tuple[Phase, ...],
        days: Iterable[date],
        only: availability.Resource | None = None,
        usual: Resource | None = None,
    ) -> Visit | None:
        """A free time on the first of `days` that has one, preferably with the `usual` practitioner."""
        stretches = tuple(Stretch(p.minutes, p.practitioner, p.room, p.device_kind) for p in phases)
        needs = self._times.needs(stretches)
        people = [only] if only else self.rng.sample(self.diary.practitioners, len(self.diary.practitioners))
        if usual:
            people.sort(key=lambda practitioner: practitioner.id != usual.pk)
        people = [practitioner for practitioner in people if treatment.pk in self._gives[practitioner.id]]
        for day in days:
            if self.diary.day(day.toordinal()) is None or not (sheet := self._times.sheet(day.toordinal())).grid:
                continue
            for practitioner in people:
                fullness = self.fullness(practitioner, day)
                if fullness is None or fullness > FULL:
                    continue
                bits = sheet.grid & fitting(self._free_bits(practitioner, day), needs.practitioner)
                rooms = [(r, fitting(self._free_bits(r, day), needs.room)) for r in self.diary.rooms]
                bits &= self._any(rooms)
                devices = []
                for kind, runs in needs.devices.items():
                    some = [(r, fitting(self._free_bits(r, day), runs)) for r in self.diary.devices.get(kind, ())]
                    bits &= self._any(some)
                    devices.append(some)
                if not bits:
                    continue
                start = self.rng.choice(list(sheet.starts(bits)))
                bit = sheet.bit(start)
                return Visit(
                    site=self.site,
                    treatment=treatment,
                    starts_at=walltime.from_minutes(start),
                    phases=phases,
                    practitioner=self._known[practitioner.id],
                    room=self._first(rooms, bit),
                    devices=tuple(self._first(some, bit) for some in devices),
                )
        return None

    def take(self, visit: Visit) -> None:
        day = walltime.day_of(visit.starts_at, self.site.time_zone)
        sheet = self._times.sheet(day.toordinal())
        for resource, starts_at, ends_at in visit.takes():
            begin = (walltime.to_minutes(starts_at) - sheet.base) // CELL
            end = (walltime.to_minutes(ends_at) - sheet.base) // CELL
            self._free[resource.pk, day.toordinal()] &= ~((1 << end) - (1 << begin))

    def _free_bits(self, resource: availability.Resource, day: date) -> int:
        key = (resource.id, day.toordinal())
        if key not in self._free:
            self._free[key] = self._times.sheet(day.toordinal()).free(resource)
            self._work[key] = self._free[key].bit_count()
        return self._free[key]

    @staticmethod
    def _any(options: list[tuple[availability.Resource, int]]) -> int:
        served = 0
        for _resource, bits in options:
            served |= bits
        return served

    def _first(self, options: list[tuple[availability.Resource, int]], bit: int) -> Resource:
        return self._known[next(resource.id for resource, bits in options if bits & bit)]
