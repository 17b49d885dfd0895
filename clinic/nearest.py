"""The free time nearest to one that a visit cannot keep. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from clinic.availability import Availability, Resource, Visit
from clinic.proposal import Choice


def nearest(free: Availability, visit: Visit, days: Iterable[date], *, had: Choice) -> Iterator[Choice]:
    """The best time of each day that has one, the day nearest to the old one first; of two as near, the earlier.

    The old day is one of the diary's. On a day the same practitioner comes before another one, then the time of day
    nearest to the old one; of two as near, the earlier, and of two practitioners the first of the diary.
    """
    needs_somebody = any(stretch.practitioner for stretch in visit)
    people: Sequence[Resource | None] = free.diary.practitioners if needs_somebody else (None,)
    old = free.diary.day(had.day.toordinal())
    clock = old.clock(had.start) if old else 0
    for day in sorted(days, key=lambda day: (abs(day - had.day), day)):
        known = free.diary.day(day.toordinal())
        if known is None:
            continue
        found = [
            (
                person is not None and person.id != had.practitioner,
                abs(known.clock(start) - clock),
                start,
                place,
            )
            for place, person in enumerate(people)
            for start in free.starts(visit, day, person)
        ]
        if found:
            _other, _off, start, place = min(found)
            person = people[place]
            yield Choice(day, start, person.id if person else None, *free.seats(visit, day, start))
