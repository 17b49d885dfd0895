"""Who is offered which earlier time.

Pure. Instants are minutes since the epoch. Whoever waits longest is asked first, and for the soonest time that suits;
a time that stands open for one patient is not offered to another meanwhile.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from clinic.availability import Diary, Resource, spans
from clinic.proposal import Choice, Wishes


class Freed(NamedTuple):
    """Time of a resource that became free, `end` not included. No resource: all of a site, which opens after all."""

    start: int
    end: int
    resource: Hashable | None


class Opening(NamedTuple):
    """A start at which a visit could be, until `end`. `clock` is the minute of the local day at which it starts."""

    choice: Choice
    end: int
    clock: int

    @property
    def start(self) -> int:
        return self.choice.start


class Held(NamedTuple):
    """A time that stands open for somebody. No practitioner: it counts for all of them."""

    start: int
    end: int
    practitioner: Hashable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one patient waits for: any start before `until`, the present one, with `notice` minutes to get there.

    `practitioner` and `wishes` are limits here. `offered` are the starts that were offered before.
    """

    key: int
    since: int
    until: int
    notice: int
    practitioner: Hashable | None = None
    wishes: Wishes = field(default_factory=Wishes)
    offered: frozenset[int] = frozenset()


def within_reach(wish: Wish, freed: Freed, *, now: int) -> bool:
    """Whether this freed time can be of any use: asked first, because it needs no diary."""
    return freed.end > now + wish.notice and freed.start < wish.until


def suits(wish: Wish, opening: Opening, *, now: int) -> bool:
    """Whether the patient said that they would come then, and it is sooner than the visit as it stands."""
    return (
        now + wish.notice <= opening.start < wish.until
        and opening.start not in wish.offered
        and wish.wishes.on_day(opening.choice.day)
        and wish.wishes.at_time(opening.clock)
        and wish.practitioner in (None, opening.choice.practitioner)
    )


def before(diary: Diary, freed: Sequence[Freed]) -> Diary:
    """The diary as it would be if nothing of this had become free: what was free then, anybody could have had."""

    def taken(resource: Resource) -> Resource:
        mine = [time for time in freed if time.resource == resource.id]
        return _busy_too(resource, mine) if mine else resource

    # The patient is needed throughout a visit, so that a site that is shut and a patient who is busy come to the same.
    shut = [time for time in freed if time.resource is None]
    return replace(
        diary,
        practitioners=tuple(map(taken, diary.practitioners)),
        rooms=tuple(map(taken, diary.rooms)),
        devices={kind: tuple(map(taken, found)) for kind, found in diary.devices.items()},
        patient=_busy_too(diary.patient, shut) if shut else diary.patient,
    )


def _busy_too(resource: Resource, times: Sequence[Freed]) -> Resource:
    starts = [*resource.busy.starts, *(time.start for time in times)]
    ends = [*resource.busy.ends, *(time.end for time in times)]
    return replace(resource, busy=spans(starts, ends))


def turns(waiting: Iterable[tuple[Wish, Sequence[Opening]]], *, held: Iterable[Held]) -> list[tuple[Wish, Opening]]:
    """Who is offered what now, each at most one time. The openings of a wish are those that suit it."""
    taken = list(held)
    given = []
    for wish, openings in sorted(waiting, key=lambda one: (one[0].since, one[0].key)):
        for opening in sorted(openings, key=lambda one: one.start):
            mine = Held(opening.start, opening.end, opening.choice.practitioner)
            if not any(_in_the_way(other, mine) for other in taken):
                given.append((wish, opening))
                taken.append(mine)
                break
    return given


def _in_the_way(other: Held, mine: Held) -> bool:
    somebody_else = None not in (other.practitioner, mine.practitioner) and other.practitioner != mine.practitioner
    return other.start < mine.end and mine.start < other.end and not somebody_else
