"""Why a session is not on the day it should be on: the cause, from the diary as the planner had it.

Pure. The first cause that holds is the answer, from what concerns the whole site to what concerns one thing.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from clinic.availability import NEVER, Availability, Day, Diary, Resource, Visit
from clinic.proposal import Wishes

Cause = Literal[
    "past",
    "beyond",
    "weekday",
    "closure",
    "shut",
    "off",
    "away",
    "patient",
    "no_device",
    "device",
    "room",
    "full",
    "time",
    "series",
]


@dataclass(frozen=True, slots=True)
class Why:
    """`what` is the closure by name, or the kind of device; `who` the practitioner concerned, None where it is all."""

    cause: Cause
    what: str = ""
    who: Hashable | None = None


def why_not(diary: Diary, visit: Visit, wishes: Wishes, day: date, *, step: int = 15) -> Why:
    """Why nothing was put on `day`; "series" where there was time, and another day is better for the series."""
    found = diary.day(day.toordinal())
    if found is None:
        return Why("past" if not diary.days or day < diary.days[0].date else "beyond")
    if not wishes.on_day(day):
        return Why("weekday")
    if not found.opening:
        return Why("closure", found.closed) if found.closed else Why("shut")
    wished = tuple(person for person in diary.practitioners if person.id == wishes.practitioner)
    return _of_people(diary, visit, wishes, found, wished or diary.practitioners, step, alone=bool(wished))


def _of_people(
    diary: Diary, visit: Visit, wishes: Wishes, day: Day, people: Sequence[Resource], step: int, *, alone: bool
) -> Why:
    needed = any(stretch.practitioner for stretch in visit)
    who = people[0].id if alone and needed and people else None
    if needed:
        working = [person for person in people if _time(day, replace(person, busy=NEVER))]
        if not working:
            return Why("off", who=who)
        people = [person for person in working if _time(day, replace(person, busy=person.away))]
        if not people:
            return Why("away", who=who)
    starts = _starts(diary, visit, day, people, step)
    if starts:
        in_time = any(wishes.at_time(day.clock(start)) for start in starts)
        return Why("series") if in_time else Why("time", who=who)
    return Why("closure", day.closed) if day.closed else _narrowest(diary, visit, day, people, step, who)


def _narrowest(
    diary: Diary, visit: Visit, day: Day, people: Sequence[Resource], step: int, who: Hashable | None
) -> Why:
    """The one thing without which there would be time; "full" where it is not one thing."""
    if _starts(replace(diary, patient=Resource("patient")), visit, day, people, step):
        return Why("patient")
    kinds = dict.fromkeys(kind for stretch in visit for kind in stretch.device_kinds)
    for kind in kinds:
        if not diary.devices.get(kind):
            return Why("no_device", kind)
    for kind in kinds:
        free = replace(diary, devices={**diary.devices, kind: (Resource("another"),)})
        if _starts(free, visit, day, people, step):
            return Why("device", kind)
    if _starts(replace(diary, rooms=(Resource("another"),)), visit, day, people, step):
        return Why("room")
    return Why("full", who=who)


def _starts(diary: Diary, visit: Visit, day: Day, people: Sequence[Resource], step: int) -> list[int]:
    # Only this day is looked at.
    free = Availability(replace(diary, days=(day,)), step=step)
    needed = any(stretch.practitioner for stretch in visit)
    each: Sequence[Resource | None] = people if needed else [None]
    return sorted({start for person in each for start in free.starts(visit, day.date, person)})


def _time(day: Day, person: Resource) -> bool:
    """Whether somebody has any time on a day, by working hours and what `busy` says."""
    free = Availability(Diary(days=(day,), practitioners=(person,), rooms=()), step=5)
    return bool(free.sheet(day.date.toordinal()).free(person))
