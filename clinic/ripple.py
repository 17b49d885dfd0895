"""What a change of one session does to those after it.

Pure. The sessions still ahead stand in the order of their numbers, and each window counts from the session before: from
its day, where it has one. Where it has none yet it can still be placed on any day of its own window, though not before
today; so the window of the next reaches from the earliest that this allows to the latest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal

from treatments.rules import Window

Place = Literal["early", "inside", "late", "unplaced"]
Change = Literal["unchanged", "inside", "early", "late", "unplaced", "dropped"]


@dataclass(frozen=True, slots=True)
class Stand:
    """One session as it stands. No window: it begins the course, or counts from one that cannot be dated.

    `firm`: the window counts from a day, not from what may become of a session without one.
    """

    number: int
    day: date | None
    window: Window | None
    place: Place
    firm: bool

    @property
    def breaks(self) -> bool:
        """Outside its window for certain."""
        return self.firm and self.place in ("early", "late")


@dataclass(frozen=True, slots=True)
class Effect:
    """One session before and after. None: it was not part of the course before, or is none after."""

    number: int
    before: Stand | None
    after: Stand | None

    @property
    def is_inside_for_certain(self) -> bool:
        return self.after is not None and self.after.firm and self.after.place == "inside"

    @property
    def change(self) -> Change:
        if self.after is None:
            return "dropped"
        if self.after.place != "inside":
            return self.after.place
        return "unchanged" if self.before is not None and self.before.day == self.after.day else "inside"


def stands(
    days: Mapping[int, date | None],
    *,
    anchor: date | None,
    window_after: Callable[[date], Window],
    today: date,
) -> tuple[Stand, ...]:
    """How the open sessions stand: `days` by number, None where nothing is booked; `anchor` the last day attended."""
    found = []
    reach = None if anchor is None else Window(anchor, anchor, anchor)
    firm = anchor is not None
    for number, day in sorted(days.items()):
        window = None if reach is None else _next(reach, window_after)
        if day is None:
            found.append(Stand(number, None, window, "unplaced", firm))
            reach = None if window is None else _not_before(window, today)
            firm = False
        else:
            found.append(Stand(number, day, window, "inside" if window is None else window.place(day), firm))
            reach = Window(day, day, day)
            firm = True
    return tuple(found)


def _next(reach: Window, window_after: Callable[[date], Window]) -> Window:
    return Window(
        window_after(reach.earliest).earliest, window_after(reach.ideal).ideal, window_after(reach.latest).latest
    )


def _not_before(window: Window, today: date) -> Window:
    return Window(max(window.earliest, today), max(window.ideal, today), max(window.latest, today))


def effects(before: Sequence[Stand], after: Sequence[Stand], *, since: int) -> tuple[Effect, ...]:
    """What becomes of each session from number `since` on."""
    was = {stand.number: stand for stand in before}
    is_ = {stand.number: stand for stand in after}
    return tuple(
        Effect(number, was.get(number), is_.get(number))
        for number in sorted(was.keys() | is_.keys())
        if number >= since
    )


def released(
    days: Mapping[int, date | None],
    *,
    since: int,
    anchor: date | None,
    window_after: Callable[[date], Window],
    today: date,
) -> tuple[int, ...]:
    """The numbers after `since` that have to give up their day until none is left outside its window."""
    left = dict(days)
    given_up: list[int] = []
    while True:
        standing = stands(left, anchor=anchor, window_after=window_after, today=today)
        first = next((s.number for s in standing if s.number > since and s.place in ("early", "late")), None)
        if first is None:
            return tuple(given_up)
        left[first] = None
        given_up.append(first)


def in_order(days: Mapping[int, date | None], *, anchor: date | None) -> bool:
    """Whether the sessions follow one another, each on a later day than the one before and than `anchor`."""
    booked = [day for _number, day in sorted(days.items()) if day is not None]
    chain = booked if anchor is None else [anchor, *booked]
    return all(earlier < later for earlier, later in pairwise(chain))
