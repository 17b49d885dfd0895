"""Who is late, and who would have to wait for it. Pure: instants in, minutes out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# Below this nobody calls it late.
GRACE = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One resource, held for one visit from a start to an end (which is not included)."""

    visit: int
    resource: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A later visit that would start so many minutes late, because `resource` is not free before."""

    visit: int
    resource: int
    minutes: int


def minutes_late(starts_at: datetime, *, came_at: datetime) -> int:
    """By how many whole minutes somebody who comes at `came_at` is late; 0 within the five minutes of grace."""
    late = came_at - starts_at
    return late // MINUTE if late >= GRACE else 0


def waits(own: Iterable[Held], others: Sequence[Held], *, minutes: int) -> list[Wait]:
    """Whom a visit that runs `minutes` late would keep waiting, each with the longest wait, in the order of `others`.

    Only those are meant who come next to a person or a place of this visit, after it: `others` is in order of time.
    """
    longest: dict[int, Wait] = {}
    for held in own:
        free_again = held.ends_at + minutes * MINUTE
        behind = [other for other in others if other.resource == held.resource and other.starts_at >= held.ends_at]
        for other in behind[:1]:
            wait = (free_again - other.starts_at) // MINUTE
            if wait > 0 and wait > getattr(longest.get(other.visit), "minutes", 0):
                longest[other.visit] = Wait(visit=other.visit, resource=held.resource, minutes=wait)
    order = [other.visit for other in others]
    return sorted(longest.values(), key=lambda wait: order.index(wait.visit))
