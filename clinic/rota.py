"""Whether what is booked still fits: opening hours and closures, working hours and absences.

Pure. An instant is an int: minutes since the Unix epoch, UTC. A stretch of time includes its start and excludes its
end. What the planner offers fits (see availability); what is changed afterwards shows here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from clinic import walltime
from clinic.availability import Interval, merged

Kind = Literal["closed", "hours", "unused", "away", "off"]
DAY = timedelta(days=1)


class Why(NamedTuple):
    """Why a visit does not fit.

    The site is "closed", or it is outside its "hours"; a resource is "unused" (not active any more), "away", or "off"
    (it does not work then). `name` is that of the resource; `reason` is what was noted of the closure or the absence.
    """

    kind: Kind
    name: str = ""
    reason: str = ""


class Gone(NamedTuple):
    """Shut, or away, from `start` to `end`."""

    start: int
    end: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """From `starts` to `ends` by the site's wall clock on each such weekday of a time, both dates included."""

    weekday: int
    starts: time
    ends: time
    since: date | None = None
    until: date | None = None

    def on(self, day: date) -> bool:
        return (
            self.weekday == day.weekday()
            and (self.since is None or self.since <= day)
            and (self.until is None or day <= self.until)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A site. A change of the clocks cuts hours short that would begin or end in the gap."""

    zone: ZoneInfo
    opening: tuple[Hours, ...] = ()
    closures: tuple[Gone, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A practitioner, room or device. Without `working` it is there whenever the site is open; else by site."""

    name: str
    in_use: bool = True
    working: Mapping[Hashable, tuple[Hours, ...]] | None = None
    away: tuple[Gone, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Rota:
    places: Mapping[Hashable, Place]
    resources: Mapping[Hashable, Kept] = field(default_factory=dict)


class Visit(NamedTuple):
    key: Hashable
    site: Hashable
    start: int
    end: int


class Claim(NamedTuple):
    visit: Hashable
    resource: Hashable
    start: int
    end: int


def misfits(rota: Rota, visits: Iterable[Visit], claims: Iterable[Claim]) -> dict[Hashable, tuple[Why, ...]]:
    """The visits that do not fit, each with every reason once: first what is wrong with the site.

    The site is open throughout the visit; each resource is in use, there, and working while it is claimed. A claim of
    a visit that is not among `visits` does not count. Hours never reach over midnight, so neither does what fits.
    """
    days = _Days(rota)
    found: dict[Hashable, dict[Why, None]] = {}
    sites: dict[Hashable, tuple[Hashable, date]] = {}
    for key, site, start, end in visits:
        day = days.day_of(site, start)
        sites[key] = site, day
        for why in days.at_site(site, day, start, end):
            found.setdefault(key, {})[why] = None
    for key, resource, start, end in claims:
        if key in sites:
            for why in days.of_resource(resource, *sites[key], start, end):
                found.setdefault(key, {})[why] = None
    return {key: tuple(whys) for key, whys in found.items()}


class _Days:
    """Looks at a day of a site or a resource when first asked for it, and remembers."""

    def __init__(self, rota: Rota) -> None:
        self.rota = rota
        self._day: dict[tuple[Hashable, int], date] = {}
        self._bounds: dict[tuple[Hashable, date], tuple[int, int]] = {}
        self._open: dict[tuple[Hashable, date], list[Interval]] = {}
        self._shut: dict[tuple[Hashable, date], list[Gone]] = {}
        self._works: dict[tuple[Hashable, Hashable, date], list[Interval]] = {}
        self._away: dict[tuple[Hashable, Hashable, date], list[Gone]] = {}

    def day_of(self, site: Hashable, start: int) -> date:
        day = self._day.get((site, start))
        if day is None:
            zone = self.rota.places[site].zone
            day = self._day[site, start] = datetime.fromtimestamp(start * walltime.MINUTE, zone).date()
        return day

    def at_site(self, site: Hashable, day: date, start: int, end: int) -> list[Why]:
        place = self.rota.places[site]
        if (site, day) not in self._open:
            self._open[site, day] = _on(place.opening, day, place.zone)
            self._shut[site, day] = self._around(place.closures, site, day)
        shut = [Why("closed", "", gone.reason) for gone in _met(self._shut[site, day], start, end)]
        return shut or ([] if _covered(self._open[site, day], start, end) else [Why("hours")])

    def of_resource(self, key: Hashable, site: Hashable, day: date, start: int, end: int) -> list[Why]:
        kept = self.rota.resources[key]
        at = key, site, day
        if at not in self._away:
            self._away[at] = self._around(kept.away, site, day)
            if kept.working is not None:
                self._works[at] = _on(kept.working.get(site, ()), day, self.rota.places[site].zone)
        whys = [] if kept.in_use else [Why("unused", kept.name)]
        whys += [Why("away", kept.name, gone.reason) for gone in _met(self._away[at], start, end)]
        if not whys and at in self._works and not _covered(self._works[at], start, end):
            whys.append(Why("off", kept.name))
        return whys

    def _around(self, gone: Iterable[Gone], site: Hashable, day: date) -> list[Gone]:
        """Those that a visit which begins on this day could meet: no visit is longer than a day."""
        if (site, day) not in self._bounds:
            zone = self.rota.places[site].zone
            self._bounds[site, day] = (
                walltime.to_minutes(walltime.midnight(day, zone)),
                walltime.to_minutes(walltime.midnight(day + 2 * DAY, zone)),
            )
        return _met(gone, *self._bounds[site, day])


def _on(hours: Iterable[Hours], day: date, zone: ZoneInfo) -> list[Interval]:
    spans = [
        (walltime.clock_minutes(day, span.starts, zone), walltime.clock_minutes(day, span.ends, zone))
        for span in hours
        if span.on(day)
    ]
    return merged((start, end) for start, end in spans if start < end)


def _met(gone: Iterable[Gone], start: int, end: int) -> list[Gone]:
    return [one for one in gone if one.start < end and start < one.end]


def _covered(spans: Iterable[Interval], start: int, end: int) -> bool:
    return any(span.start <= start and end <= span.end for span in spans)
