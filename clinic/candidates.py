"""Which days and starts each session of a request can have. The planner chooses among them.

Days are ordinals here, and practitioners their place in the diary: cheap to compare and to count with.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import date
from typing import NamedTuple

from clinic.availability import Availability, Needs
from clinic.proposal import Choice, Reason, Request
from treatments.rules import Window

# The day before a first session, which has none before it.
NO_DAY = 0


class Days(NamedTuple):
    """A window, with its days as ordinals."""

    window: Window
    earliest: int
    ideal: int
    latest: int

    @classmethod
    def of(cls, window: Window) -> Days:
        return cls(window, window.earliest.toordinal(), window.ideal.toordinal(), window.latest.toordinal())


class Candidate(NamedTuple):
    """A start on some day, with a practitioner; `who` is None where the visit needs none."""

    start: int
    who: int | None
    off_time: bool


class Candidates:
    """Looks at a day of the diary when first asked for it, and remembers."""

    def __init__(self, request: Request) -> None:
        self.request, self.diary, self.wishes = request, request.diary, request.wishes
        self.sessions = range(len(request.visits))
        self.pinned = {i: choice for i, choice in request.pinned.items() if i in self.sessions}
        self.people = [practitioner.id for practitioner in self.diary.practitioners]
        for choice in self.pinned.values():
            if choice.practitioner not in (None, *self.people):
                self.people.append(choice.practitioner)

        # If given, no day so much further from the ideal one is looked at.
        self.near: int | None = None
        self._free = Availability(request.diary, step=request.step)
        self._needs = [self._free.needs(visit) for visit in request.visits]
        self._windows: dict[int, Days] = {}
        self._wished_bits: dict[int, int] = {}
        self._best: dict[tuple[Needs, int], list[Candidate]] = {}

        self.first_day = self.diary.days[0].date.toordinal() if self.diary.days else 1
        self.last_day = self.first_day + len(self.diary.days) - 1
        pins = {i: choice.day.toordinal() for i, choice in self.pinned.items()}
        self._bounds = [
            (
                max([self.first_day, *(day + 1 for j, day in pins.items() if j < i)]),
                min([self.last_day, *(day - 1 for j, day in pins.items() if j > i)]),
            )
            for i in self.sessions
        ]
        self._beyond = self._sessions_beyond()

    def window(self, anchor: int) -> Days:
        """The window that counts from a day; the first session's, from NO_DAY."""
        days = self._windows.get(anchor)
        if days is None:
            request = self.request
            window = request.first if anchor == NO_DAY else request.window_after(date.fromordinal(anchor))
            days = self._windows[anchor] = Days.of(window)
        return days

    def within(self, i: int, anchor: int, days: Days) -> range:
        """The days of its window on which session `i` may lie, if the session before counts as being on `anchor`."""
        if i in self._beyond:
            return range(0)
        first, last = self._bounds[i]
        if self.near is not None:
            first, last = max(first, days.ideal - self.near), min(last, days.ideal + self.near)
        return range(max(days.earliest, anchor + 1, first), min(days.latest, last) + 1)

    def on(self, i: int, day: int) -> list[Candidate]:
        """Each practitioner's best start for session `i` on a day."""
        needs = self._needs[i]
        best = self._best.get((needs, day))
        if best is None:
            best = self._best[needs, day] = []
            for who, bits in self._bits(needs, day):
                wished = bits & self._wished(day)
                start = next(self._free.sheet(day).starts(wished or bits))
                best.append(Candidate(start, who, off_time=not wished))
        return best

    def all_on(self, i: int, day: int) -> Iterator[Candidate]:
        """Every start of every practitioner."""
        for who, bits in self._bits(self._needs[i], day):
            sheet = self._free.sheet(day)
            for start in sheet.starts(bits):
                yield Candidate(start, who, off_time=not sheet.bit(start) & self._wished(day))

    def reason(self, i: int, anchor: int) -> Reason:
        """Why session `i` has no start, if the session before counts as being on `anchor`."""
        days = self.window(anchor)
        if i in self._beyond or days.earliest > self.last_day:
            return "beyond"
        if days.latest < self.first_day:
            return "past"
        known = range(max(days.earliest, self.first_day), min(days.latest, self.last_day) + 1)
        if any(self.on(i, day) for day in known):
            return "later"
        if any(any(self._bits(self._needs[i], day, limits=False)) for day in known):
            return "wishes"
        return "full"

    def choice(self, i: int, day: int, candidate: Candidate) -> Choice:
        local = date.fromordinal(day)
        who = None if candidate.who is None else self.people[candidate.who]
        return Choice(local, candidate.start, who, *self._free.seats(self.request.visits[i], local, candidate.start))

    def place_of(self, practitioner: Hashable | None) -> int | None:
        return None if practitioner is None else self.people.index(practitioner)

    def _sessions_beyond(self) -> set[int]:
        beyond, anchor = set(), NO_DAY
        for i in self.sessions:
            days = self.window(anchor)
            if i in self.pinned:
                anchor = self.pinned[i].day.toordinal()
                continue
            if days.earliest > self.last_day:
                beyond.add(i)
            anchor = days.ideal
        return beyond

    def _bits(self, needs: Needs, day: int, *, limits: bool = True) -> Iterator[tuple[int | None, int]]:
        """Free starts by practitioner, as bits of the day; without `limits` hard wishes aside."""
        limits = limits and self.wishes.only
        if self.diary.day(day) is None or (limits and not self.wishes.on_day(date.fromordinal(day))):
            return
        possible = self._wished(day) if limits else -1
        for who, practitioner in enumerate(self.diary.practitioners) if needs.practitioner else [(None, None)]:
            bits = self._free.bits(needs, day, practitioner) & possible
            if bits:
                yield who, bits

    def _wished(self, day: int) -> int:
        """Bits of the starts at the wished time of day; all where any time will do."""
        if self.wishes.earliest_time is None and self.wishes.latest_time is None:
            return -1
        bits = self._wished_bits.get(day)
        if bits is None:
            sheet = self._free.sheet(day)
            starts = (start for start in sheet.starts(sheet.grid) if self.wishes.at_time(sheet.day.clock(start)))
            bits = self._wished_bits[day] = sum(map(sheet.bit, starts))
        return bits
