"""What is asked when a series is planned, and what is answered: immutable values.

An instant is an int: minutes since the Unix epoch, UTC. Days are local dates of the site.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from clinic.availability import Diary, Stretch, Visit
from treatments.rules import Window
from treatments.terms import Phase

Label = Literal["ideal", "early", "late", "none"]
Reason = Literal["", "beyond", "past", "full", "wishes", "later"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the patient would like. Times are minutes of the local day for the start, both included.

    With `only`, weekdays (Monday is 0; an empty set: any) and times are limits: the patient cannot come otherwise.
    The practitioner is always a preference.
    """

    practitioner: Hashable | None = None
    weekdays: frozenset[int] = frozenset()
    earliest_time: int | None = None
    latest_time: int | None = None
    only: bool = False

    def on_day(self, day: date) -> bool:
        return not self.weekdays or day.weekday() in self.weekdays

    def at_time(self, minutes: int) -> bool:
        early = self.earliest_time is not None and minutes < self.earliest_time
        late = self.latest_time is not None and minutes > self.latest_time
        return not early and not late


@dataclass(frozen=True, slots=True)
class Choice:
    """When, with whom and where. `day` is the local date of `start`.

    Practitioner and room are None where no stretch of the visit needs one; devices stand in the order in which the
    visit needs their kinds.
    """

    day: date
    start: int
    practitioner: Hashable | None
    room: Hashable | None
    devices: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A series to plan: one visit for each session, in order.

    `first` is the window of the first session; `window_after` gives the window that counts from a day. `unit` is the
    unit of the protocol's spacing. `pinned` holds, by index, sessions that are settled: they are taken as they are and
    the others are planned around them. Starts lie on a grid of `step` minutes from each opening.
    """

    first: Window
    window_after: Callable[[date], Window]
    unit: Literal["day", "week", "month"]
    visits: tuple[Visit, ...]
    diary: Diary
    wishes: Wishes = Wishes()
    pinned: Mapping[int, Choice] = field(default_factory=dict)
    step: int = 15


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """A session with its window, and either a choice or the reason why there is none.

    Reasons: "beyond" (the diary ends before the window opens), "past" (the window closed before the diary begins),
    "full" (nothing is free), "wishes" (free only when the patient cannot come), "later" (free, but a later session is
    pinned before that, or would lose its place). `outside`: pinned, and not inside its window.
    """

    window: Window
    choice: Choice | None
    reason: Reason = ""
    outside: bool = False

    @property
    def label(self) -> Label:
        if self.choice is None:
            return "none"
        if self.choice.day == self.window.ideal:
            return "ideal"
        return "early" if self.choice.day < self.window.ideal else "late"


@dataclass(frozen=True, slots=True)
class Plan:
    sessions: tuple[PlannedSession, ...]


def stretches(phases: Iterable[Phase]) -> tuple[Stretch, ...]:
    """What the phases of a visit occupy, one after another."""
    found = []
    for phase in phases:
        kinds = phase.device_kinds
        found.append(Stretch(phase.minutes, phase.practitioner, phase.room, kinds[0] if kinds else None, kinds[1:]))
    return tuple(found)
