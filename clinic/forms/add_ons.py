"""The add-ons ticked on the page that books a series: for every session at once, or for one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from django.http import QueryDict

from clinic.services.course import Course
from treatments.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What each session that is not booked is to have, by number.

    `every` is what the boxes for all sessions say. `changed` are the sessions whose add-ons are not those that the page
    had shown.
    """

    terms: Terms
    every: tuple[str, ...]
    by_number: Mapping[int, tuple[str, ...]]
    changed: tuple[int, ...]

    @classmethod
    def of(cls, course: Course, posted: QueryDict) -> Self:
        """A box for all sessions that was ticked, or cleared, since the page was shown does so in each of them."""
        terms = course.terms
        offered = [add_on.name for add_on in terms.choosable]

        def ticked(field: str) -> set[str]:
            return {name for name in posted.getlist(field) if name in offered}

        def in_order(names: set[str]) -> tuple[str, ...]:
            return tuple(name for name in offered if name in names)

        every, had_every = ticked("every"), ticked("every-had")
        shown = {int(n) for n in posted.getlist("add-ons-shown") if re.fullmatch(r"\d{1,3}", n, re.ASCII)}
        numbers = [number for number in course.numbers if number not in course.booked]
        if not posted:
            mine = [set(course.add_ons.get(number, ())) for number in numbers]
            every = had_every = set.intersection(*mine) if mine else set()
        wanted, changed = {}, []
        for number in numbers:
            had = ticked(f"had-{number}") if number in shown else set(course.add_ons.get(number, ())) | had_every
            now = ticked(f"add-ons-{number}") if number in shown else had
            now = (now | (every - had_every)) - (had_every - every)
            wanted[number] = in_order(now)
            if number in shown and now != had:
                changed.append(number)
        return cls(terms=terms, every=in_order(every), by_number=wanted, changed=tuple(changed))

    def applied(self, course: Course) -> Course:
        return replace(course, add_ons={**course.add_ons, **self.by_number})
