"""When a visit fits: free starts from opening hours, busy time and the stretches of the visit.

An instant is an int: minutes since the Unix epoch, UTC. A stretch of time includes its start and excludes its end, so
that two visits may stand back to back. Whoever calls turns local time into instants and back.

A day of a resource is one int: bit k stands for the five minutes that begin at `base + 5 * k` and is set while the
resource is free. "An hour in a row is free" is then a handful of shifts, whatever the diary holds. Busy time that is
not on the five minutes is rounded outward, opening and working time inward: what is offered is free.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import lt
from typing import NamedTuple

CELL = 5
DAY_MINUTES = 24 * 60
EPOCH = date(1970, 1, 1).toordinal()


class Interval(NamedTuple):
    start: int
    end: int


class Spans(NamedTuple):
    """Many intervals of one resource over the whole horizon, cheap to take in; made by `spans`.

    Starts and ends are sorted each on its own. The pairs that then stand side by side need not be the intervals that
    came in, but they cover the same time, even where some overlapped or lay inside one another.
    """

    starts: Sequence[int]
    ends: Sequence[int]


NEVER = Spans((), ())


def spans(starts: Sequence[int], ends: Sequence[int]) -> Spans:
    """Spans of the intervals (starts[i], ends[i]), given in any order. Refuses an interval that is empty."""
    if len(starts) != len(ends) or not all(map(lt, starts, ends)):
        raise ValueError("Every interval needs a start and a later end.")
    return Spans(sorted(starts), sorted(ends))


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a visit, and what it occupies. A resource that comes back in a later stretch is the same one.

    `also` are kinds of which it takes a device besides.
    """

    minutes: int
    practitioner: bool
    room: bool
    device_kind: str | None = None
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.minutes <= 0 or self.minutes % CELL:
            raise ValueError(f"A stretch lasts a multiple of {CELL} minutes, and at least as long.")

    @property
    def device_kinds(self) -> tuple[str, ...]:
        return tuple(kind for kind in (self.device_kind, *self.also) if kind)


Visit = tuple[Stretch, ...]


def visit_minutes(visit: Visit) -> int:
    return sum(stretch.minutes for stretch in visit)


def free_starts(
    opening: Iterable[tuple[int, int]], busy: Iterable[tuple[int, int]], *, duration: int, step: int = 15
) -> Iterator[int]:
    """Yield, in order, every start at which an appointment of `duration` minutes fits.

    Starts lie `step` minutes apart, counted from each opening. Overlapping and touching intervals are joined first.
    """
    if duration <= 0 or step <= 0:
        raise ValueError("Duration and step are at least one minute.")
    taken = merged(busy)
    for opens, closes in merged(opening):
        start = opens
        for begins, ends in [*taken, Interval(closes, closes)]:
            while start + duration <= min(begins, closes):
                yield start
                start += step
            if start < ends:
                start += -(-(ends - start) // step) * step


def merged(intervals: Iterable[tuple[int, int]]) -> list[Interval]:
    """The same time in order and without overlaps. Refuses an interval that is empty."""
    result: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            raise ValueError("Every interval needs a start and a later end.")
        if result and start <= result[-1].end:
            result[-1] = Interval(result[-1].start, max(result[-1].end, end))
        else:
            result.append(Interval(start, end))
    return result


@dataclass(frozen=True, slots=True)
class Day:
    """A local day of a site. No opening: closed.

    `offset` is the local time's distance from UTC in minutes, as it is at the start of the day. On the two days a
    year when clocks change, `change` is the instant of it and the offset from then on. `closed` names what closes the
    site that day, or a part of it.
    """

    date: date
    opening: tuple[tuple[int, int], ...]
    offset: int = 0
    change: tuple[int, int] | None = None
    closed: str = ""

    def clock(self, instant: int) -> int:
        """What a clock on the wall shows at `instant`, in minutes from 00:00 of this day."""
        offset = self.change[1] if self.change and instant >= self.change[0] else self.offset
        return instant + offset - (self.date.toordinal() - EPOCH) * DAY_MINUTES


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """A practitioner, room or device. Without `working` it is there whenever the site is open.

    `away` is the part of `busy` in which it is absent; nothing but the reason given depends on it.
    """

    id: Hashable
    busy: Spans = NEVER
    working: Spans | None = None
    away: Spans = NEVER


@dataclass(frozen=True, slots=True, eq=False)
class Diary:
    """What is known of a site over a horizon: a Day for each date of it, closed ones too, and who and what may be used.

    The order of the resources is the order in which they are taken where nothing else decides.
    """

    days: tuple[Day, ...]
    practitioners: tuple[Resource, ...]
    rooms: tuple[Resource, ...]
    devices: Mapping[str, tuple[Resource, ...]] = field(default_factory=dict)
    patient: Resource = field(default_factory=lambda: Resource("patient"))

    def __post_init__(self) -> None:
        if any(b.date.toordinal() - a.date.toordinal() != 1 for a, b in zip(self.days, self.days[1:], strict=False)):
            raise ValueError("The days of a diary follow one another without a gap.")

    def day(self, number: int) -> Day | None:
        """The day with this ordinal; None outside the horizon."""
        index = number - self.days[0].date.toordinal() if self.days else -1
        return self.days[index] if 0 <= index < len(self.days) else None


Runs = tuple[tuple[int, int], ...]


class Needs:
    """What a visit takes of each resource, as runs (first cell, cells), with neighbouring stretches joined."""

    __slots__ = ("devices", "practitioner", "room", "whole")

    def __init__(self, visit: Visit) -> None:
        self.whole: Runs = ((0, visit_minutes(visit) // CELL),)
        self.practitioner = _runs_where([stretch.practitioner for stretch in visit], visit)
        self.room = _runs_where([stretch.room for stretch in visit], visit)
        kinds = dict.fromkeys(kind for stretch in visit for kind in stretch.device_kinds)
        self.devices = {kind: _runs_where([kind in stretch.device_kinds for stretch in visit], visit) for kind in kinds}


def _runs_where(taken: list[bool], visit: Visit) -> Runs:
    runs: list[tuple[int, int]] = []
    at = 0
    for takes, stretch in zip(taken, visit, strict=True):
        cells = stretch.minutes // CELL
        if takes and runs and sum(runs[-1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + cells)
        elif takes:
            runs.append((at, cells))
        at += cells
    return tuple(runs)


class Sheet:
    """One day as bits, from its first opening to its last closing."""

    __slots__ = ("_free", "base", "day", "grid", "opened", "size")

    def __init__(self, day: Day, *, step: int) -> None:
        self.day = day
        opening = merged(day.opening)
        self.base = -(-opening[0].start // CELL) * CELL if opening else 0
        self.size = max((opening[-1].end - self.base) // CELL, 0) if opening else 0
        self.opened = 0
        self.grid = 0
        self._free: dict[Resource, int] = {}
        stride = step // CELL
        for start, end in opening:
            first, past = -((self.base - start) // CELL), (end - self.base) // CELL
            if first < past:
                self.opened |= (1 << past) - (1 << first)
                starts = -(-(past - first) // stride)
                self.grid |= ((1 << stride * starts) - 1) // ((1 << stride) - 1) << first

    def free(self, resource: Resource) -> int:
        known = self._free.get(resource)
        if known is None:
            known = self.opened
            if resource.working is not None:
                known &= self._covered(resource.working, round_up=CELL - 1, round_down=0)
            if known:
                known &= ~self._covered(resource.busy, round_up=0, round_down=CELL - 1)
            self._free[resource] = known
        return known

    def _covered(self, time: Spans, *, round_up: int, round_down: int) -> int:
        """Bits of `time`: `round_up` moves a start to the next cell, `round_down` an end past the cell it is in."""
        base, size = self.base, self.size
        first = bisect_right(time.ends, base)
        past = bisect_left(time.starts, base + size * CELL, first)
        covered = 0
        for start, end in zip(time.starts[first:past], time.ends[first:past], strict=True):
            begin = (start - base + round_up) // CELL
            stop = (end - base + round_down) // CELL
            if begin < 0:
                begin = 0
            if stop > begin:
                covered |= (1 << stop) - (1 << begin)
        return covered

    def starts(self, bits: int) -> Iterator[int]:
        """The instants of the bits, in order."""
        while bits:
            lowest = bits & -bits
            yield self.base + (lowest.bit_length() - 1) * CELL
            bits ^= lowest

    def bit(self, start: int) -> int:
        return 1 << (start - self.base) // CELL


def fitting(free: int, runs: Runs) -> int:
    """Bits of the starts at which every run falls on free cells; all bits where there is no run."""
    result = -1
    for at, cells in runs:
        in_a_row, have = free, 1
        while have < cells:
            more = min(have, cells - have)
            in_a_row &= in_a_row >> more
            have += more
        result &= in_a_row >> at
    return result


class Availability:
    """Free starts of visits in one diary. Looks at a day when first asked for it, and remembers."""

    def __init__(self, diary: Diary, *, step: int = 15) -> None:
        if step <= 0 or step % CELL:
            raise ValueError(f"Starts lie a multiple of {CELL} minutes apart.")
        self.diary = diary
        self._step = step
        self._sheets: dict[int, Sheet] = {}
        self._needs: dict[Visit, Needs] = {}
        self._shared: dict[tuple[Needs, int], int] = {}

    def starts(self, visit: Visit, day: date, practitioner: Resource | None) -> list[int]:
        """Every start on `day` at which the whole visit fits, in order; none outside the horizon.

        The site is open and the patient free throughout; the practitioner works and is free in his stretches; one room
        is free in all room stretches, and one device of each kind in the stretches of its kind.
        """
        needs, number = self.needs(visit), day.toordinal()
        if self.diary.day(number) is None:
            return []
        return list(self.sheet(number).starts(self.bits(needs, number, practitioner)))

    def seats(self, visit: Visit, day: date, start: int) -> tuple[Hashable | None, tuple[Hashable, ...]]:
        """Room and devices for a visit at one of its free starts: each the first that is free, in the given order.

        The room is None if no stretch needs one; the devices come in the order in which the visit needs their kinds.
        """
        needs, sheet = self.needs(visit), self.sheet(day.toordinal())
        bit = sheet.bit(start)

        def first(resources: Sequence[Resource], runs: Runs) -> Hashable:
            return next(resource.id for resource in resources if fitting(sheet.free(resource), runs) & bit)

        room = first(self.diary.rooms, needs.room) if needs.room else None
        return room, tuple(first(self.diary.devices[kind], runs) for kind, runs in needs.devices.items())

    def needs(self, visit: Visit) -> Needs:
        """Equal visits share one Needs."""
        if not visit:
            raise ValueError("A visit has at least one stretch.")
        needs = self._needs.get(visit)
        if needs is None:
            needs = self._needs[visit] = Needs(visit)
        return needs

    def sheet(self, number: int) -> Sheet:
        """The sheet of a day of the horizon, by its ordinal."""
        sheet = self._sheets.get(number)
        if sheet is None:
            day = self.diary.day(number)
            if day is None:
                raise LookupError("This day is outside the diary.")
            sheet = self._sheets[number] = Sheet(day, step=self._step)
        return sheet

    def bits(self, needs: Needs, number: int, practitioner: Resource | None) -> int:
        """Free starts as bits of the day's sheet. The practitioner may be None for a visit that needs none."""
        shared = self._shared.get((needs, number))
        if shared is None:
            shared = self._shared[needs, number] = self._without_practitioner(needs, number)
        if not shared or not needs.practitioner:
            return shared
        assert practitioner is not None
        return shared & fitting(self.sheet(number).free(practitioner), needs.practitioner)

    def _without_practitioner(self, needs: Needs, number: int) -> int:
        sheet = self.sheet(number)
        possible = sheet.grid & fitting(sheet.free(self.diary.patient), needs.whole)
        wanted = [(self.diary.rooms, needs.room)] if needs.room else []
        wanted += [(self.diary.devices.get(kind, ()), runs) for kind, runs in needs.devices.items()]
        for resources, runs in wanted:
            served = 0
            for resource in resources:
                # Resources beyond those that already serve every start are not looked at.
                if served == possible:
                    break
                served |= possible & fitting(sheet.free(resource), runs)
            possible = served
        return possible
