"""One start for each session of a series: the best set that exists.

The series is weighed as a whole, not session by session. Of two plans the better is the one with

 1. fewer sessions without a start;
 2. fewer pinned sessions outside their window: a pinned session stays where it is, but those before it can give way;
 3. less distance from the ideal days, summed. The first session is measured against the ideal of its window. Distance
    counts in the spacing's own unit: in days where it is given in days, in whole weeks (days / 7, rounded) where it
    is given in weeks or months. A day either side is no difference to a protocol that speaks of weeks, and if it
    were one, a wish such as "Tuesdays" would never count;
 4. fewer sessions without the wished practitioner; then fewer changes of practitioner from one session to the next
    that has one; then fewer sessions off the wished weekdays; then fewer off the wished time of day;
 5. fewer days off the ideal, summed;
 6. earlier starts, compared session by session, where a session without a start is later than any;
 7. practitioners who come earlier in the diary. Room and device are always the first that is free.

That is a total order, so the same request always gives the same plan.

A session's window counts from the day of the session before it, and where that has no start, from its ideal day. No
two sessions share a day, and none passes a pinned one. Which sessions lie beyond the diary's last day is settled first,
by the chain of ideal days: no session is hurried to squeeze one more into the diary, and none delayed to push one out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from clinic.availability import DAY_MINUTES, EPOCH, Availability, Needs
from clinic.proposal import Choice, Plan, PlannedSession, Reason, Request, Wishes
from treatments.rules import Window

__all__ = ["Choice", "Plan", "PlannedSession", "Request", "Window", "Wishes", "alternatives", "plan"]

WEEK = 7


def plan(request: Request) -> Plan:
    """The best plan there is. Every session is in it, with or without a start."""
    return _Search(request).best()


def alternatives(request: Request, plan: Plan, index: int, *, count: int = 3) -> tuple[Choice, ...]:
    """Up to `count` other starts for one session inside its window, best first.

    Each is on another day, and not on the plan's, as long as there are such days. Sessions pinned later keep their
    place; what the rest of the series makes of an alternative is seen by pinning it and planning again.
    """
    pinned = {i: choice for i, choice in request.pinned.items() if i != index}
    return _Search(replace(request, pinned=pinned)).others(plan, index, count)


# A cost is one int: the parts of the objective are its digits, the most important first, each with room for 2**DIGIT.
# So the costs of sessions can be added and compared as a whole, and the lowest sum is the best plan.
DIGIT = 32
NO_START = (1 << DIGIT) - 1


class _Weights:
    """What one of each thing costs in a series of so many sessions."""

    def __init__(self, sessions: int) -> None:
        def digit(place: int) -> int:
            return 1 << DIGIT * place

        self.practitioner = [digit(sessions - 1 - i) for i in range(sessions)]
        self.start = [digit(2 * sessions - 1 - i) for i in range(sessions)]
        self.day, self.off_time, self.off_weekday, self.change, self.unwished, self.band, self.outside, self.unplaced = (
            digit(2 * sessions + place) for place in range(8)
        )


class _Days(NamedTuple):
    """A window with its days as ordinals."""

    window: Window
    earliest: int
    ideal: int
    latest: int


class _Option(NamedTuple):
    """A start with a practitioner, by index; `who` is None where the visit needs none."""

    start: int
    who: int | None
    off_time: bool


# The day before a first session, which has none before it.
NO_DAY = 0

# Costs, by practitioner of the session before; the last entry is for "nobody yet".
_Row = list[int]


class _Search:
    """Shortest path over (session, day of the session before, practitioner before), from the last session back."""

    def __init__(self, request: Request) -> None:
        self.request, self.diary, self.wishes = request, request.diary, request.wishes
        self.free = Availability(request.diary, step=request.step)
        self.needs = [self.free.needs(visit) for visit in request.visits]
        self.sessions = range(len(request.visits))
        self.weights = _Weights(len(request.visits))
        self.pinned = {i: choice for i, choice in request.pinned.items() if i in self.sessions}

        self.people = [practitioner.id for practitioner in self.diary.practitioners]
        for choice in self.pinned.values():
            if choice.practitioner not in (None, *self.people):
                self.people.append(choice.practitioner)
        self.nobody = len(self.people)

        self.first_day = self.diary.days[0].date.toordinal() if self.diary.days else 1
        self.last_day = self.first_day + len(self.diary.days) - 1
        # A local day can begin on the day before in UTC.
        self.origin = (self.first_day - 1 - EPOCH) * DAY_MINUTES
        self._windows: dict[int, _Days] = {}
        self._wished_bits: dict[int, int] = {}
        self._best_options: dict[tuple[Needs, int], list[_Option]] = {}
        self._beyond = self._sessions_beyond()

    def best(self) -> Plan:
        rest = self._rest()
        sessions = []
        anchor, last = NO_DAY, self.nobody
        for i in self.sessions:
            window = self._days_after(anchor).window
            if i in self.pinned:
                choice = self.pinned[i]
                sessions.append(PlannedSession(window, choice, outside=choice.day not in window))
            elif choice := self._cheapest(i, anchor, last, rest[i + 1]):
                sessions.append(PlannedSession(window, choice))
            else:
                sessions.append(PlannedSession(window, None, reason=self._reason(i, anchor)))
            anchor, last = self._after(choice, window, last)
        return Plan(tuple(sessions))

    def others(self, plan: Plan, index: int, count: int) -> tuple[Choice, ...]:
        anchor, last = NO_DAY, self.nobody
        for session in plan.sessions[:index]:
            anchor, last = self._after(session.choice, session.window, last)
        days, present = _days(plan.sessions[index].window), plan.sessions[index].choice
        within = self._within(index, anchor, days)

        def ranked(options: Callable[[Needs, int], Iterable[_Option]]) -> list[tuple[int, int, _Option]]:
            return sorted(
                (self._off(day - days.ideal) + self._change(last, option.who) + self._cost(index, day, option), day, option)
                for day in within
                for option in options(self.needs[index], day)
            )

        used_days = {present.day.toordinal()} if present else set()
        used_starts = {present.start} if present else set()
        choices: list[Choice] = []
        for _, day, option in ranked(self._options):
            if len(choices) < count and day not in used_days:
                used_days.add(day)
                used_starts.add(option.start)
                choices.append(self._choice(index, day, option))
        if len(choices) < count:
            for _, day, option in ranked(self._every_option):
                if len(choices) < count and option.start not in used_starts:
                    used_starts.add(option.start)
                    choices.append(self._choice(index, day, option))
        return tuple(choices)

    # The path: which days can be reached, what is the least that the rest costs from there, which step is that.

    def _reach(self) -> list[set[int]]:
        """For each session the days that the one before it can have; one set more at the end."""
        reach = [{NO_DAY}]
        for i in self.sessions:
            if i in self.pinned:
                reach.append({self.pinned[i].day.toordinal()})
                continue
            windows = [(anchor, self._days_after(anchor)) for anchor in reach[i]]
            possible = {day for anchor, days in windows for day in self._within(i, anchor, days)}
            ideal = {days.ideal for _, days in windows}
            reach.append(ideal.union(day for day in possible if self._options(self.needs[i], day)))
        return reach

    def _rest(self) -> list[dict[int, _Row]]:
        """For each session and each day that the one before can have: the least that it and all later ones cost."""
        reach = self._reach()
        rest: list[dict[int, _Row]] = [{} for _ in reach]
        rest[-1] = dict.fromkeys(reach[-1], [0] * (self.nobody + 1))
        for i in reversed(self.sessions):
            ahead = rest[i + 1]
            if i in self.pinned:
                rest[i] = {anchor: self._pinned_row(i, anchor, ahead) for anchor in reach[i]}
                continue
            placed = {day: self._placed_row(i, day, row) for day, row in ahead.items() if self._options(self.needs[i], day)}
            least = min(map(min, placed.values()), default=0)
            rest[i] = {anchor: self._free_row(i, anchor, ahead, placed, least) for anchor in reach[i]}
        return rest

    def _placed_row(self, i: int, day: int, ahead: _Row) -> _Row:
        """Session `i` on `day` with whoever is best, and the rest."""
        options = self._options(self.needs[i], day)
        if options[0].who is None:
            cost = self._cost(i, day, options[0])
            return [cost + after for after in ahead]
        costs = {option.who: self._cost(i, day, option) + ahead[option.who] for option in options}
        least = min(costs.values())
        changed = least + self.weights.change
        return [min(costs.get(who, changed), changed) for who in range(self.nobody)] + [least]

    def _free_row(self, i: int, anchor: int, ahead: dict[int, _Row], placed: dict[int, _Row], least: int) -> _Row:
        """Session `i` on the best day, or on none, and the rest. No row in `placed` holds less than `least`."""
        days = self._days_after(anchor)
        row = [self._unplaced(i) + after for after in ahead[days.ideal]]
        possible = [day for day in self._within(i, anchor, days) if day in placed]
        for day in sorted(possible, key=lambda day: abs(day - days.ideal)):
            off = self._off(day - days.ideal)
            # Days still further off cannot be better either.
            if off + least >= max(row):
                break
            row = [min(cost, off + after) for cost, after in zip(row, placed[day], strict=True)]
        return row

    def _pinned_row(self, i: int, anchor: int, ahead: dict[int, _Row]) -> _Row:
        days, choice = self._days_after(anchor), self.pinned[i]
        day, who = choice.day.toordinal(), self._index(choice.practitioner)
        cost = self._off(day - days.ideal) + self.weights.outside * (choice.day not in days.window)
        return [
            cost + self._change(last, who) + ahead[day][last if who is None else who] for last in range(self.nobody + 1)
        ]

    def _cheapest(self, i: int, anchor: int, last: int, ahead: dict[int, _Row]) -> Choice | None:
        days = self._days_after(anchor)
        least, best = self._unplaced(i) + ahead[days.ideal][last], None
        for day in self._within(i, anchor, days):
            for option in self._options(self.needs[i], day):
                cost = self._off(day - days.ideal) + self._change(last, option.who) + self._cost(i, day, option)
                cost += ahead[day][last if option.who is None else option.who]
                if cost < least:
                    least, best = cost, (day, option)
        return best and self._choice(i, *best)

    # What things cost.

    def _unplaced(self, i: int) -> int:
        return self.weights.unplaced + self.weights.start[i] * NO_START

    def _off(self, days: int) -> int:
        days = abs(days)
        bands = days if self.request.unit == "day" else (days + WEEK // 2) // WEEK
        return self.weights.band * bands + self.weights.day * days

    def _change(self, last: int, who: int | None) -> int:
        return 0 if who is None or last in (who, self.nobody) else self.weights.change

    def _cost(self, i: int, day: int, option: _Option) -> int:
        """Of all that does not depend on the session before."""
        weights, wishes = self.weights, self.wishes
        cost = weights.start[i] * (option.start - self.origin)
        if option.who is not None:
            cost += weights.practitioner[i] * option.who
            if wishes.practitioner is not None and self.people[option.who] != wishes.practitioner:
                cost += weights.unwished
        if option.off_time:
            cost += weights.off_time
        if wishes.weekdays and not wishes.on_day(date.fromordinal(day)):
            cost += weights.off_weekday
        return cost

    # What is possible.

    def _days_after(self, anchor: int) -> _Days:
        days = self._windows.get(anchor)
        if days is None:
            request = self.request
            window = request.first if anchor == NO_DAY else request.window_after(date.fromordinal(anchor))
            days = self._windows[anchor] = _days(window)
        return days

    def _within(self, i: int, anchor: int, days: _Days) -> range:
        """The days of the window on which session `i` may lie, if the one before is on `anchor`."""
        if i in self._beyond:
            return range(0)
        pins = {j: choice.day.toordinal() for j, choice in self.pinned.items()}
        first = max(days.earliest, anchor + 1, self.first_day, *(day + 1 for j, day in pins.items() if j < i))
        last = min(days.latest, self.last_day, *(day - 1 for j, day in pins.items() if j > i))
        return range(first, last + 1)

    def _sessions_beyond(self) -> set[int]:
        beyond, anchor = set(), NO_DAY
        for i in self.sessions:
            days = self._days_after(anchor)
            if i in self.pinned:
                anchor = self.pinned[i].day.toordinal()
                continue
            if days.earliest > self.last_day:
                beyond.add(i)
            anchor = days.ideal
        return beyond

    def _options(self, needs: Needs, day: int) -> list[_Option]:
        """Each practitioner's best start on a day."""
        options = self._best_options.get((needs, day))
        if options is None:
            options = self._best_options[needs, day] = []
            for who, bits in self._free_bits(needs, day):
                wished = bits & self._wished(day)
                start = next(self.free.sheet(day).starts(wished or bits))
                options.append(_Option(start, who, not wished))
        return options

    def _every_option(self, needs: Needs, day: int) -> Iterator[_Option]:
        for who, bits in self._free_bits(needs, day):
            for start in self.free.sheet(day).starts(bits):
                yield _Option(start, who, not self.free.sheet(day).bit(start) & self._wished(day))

    def _free_bits(self, needs: Needs, day: int, *, limits: bool = True) -> Iterator[tuple[int | None, int]]:
        """Free starts by practitioner, as bits of the day's sheet; without `limits` also those the patient cannot come to."""
        limits = limits and self.wishes.only
        if self.diary.day(day) is None or (limits and not self.wishes.on_day(date.fromordinal(day))):
            return
        possible = self._wished(day) if limits else -1
        for who, practitioner in enumerate(self.diary.practitioners) if needs.practitioner else [(None, None)]:
            bits = self.free.bits(needs, day, practitioner) & possible
            if bits:
                yield who, bits

    def _wished(self, day: int) -> int:
        """Bits of the starts at the wished time of day."""
        if self.wishes.earliest_time is None and self.wishes.latest_time is None:
            return -1
        bits = self._wished_bits.get(day)
        if bits is None:
            sheet, local = self.free.sheet(day), self.diary.day(day)
            starts = (start for start in sheet.starts(sheet.grid) if self.wishes.at_time(local.clock(start)))
            bits = self._wished_bits[day] = sum(map(sheet.bit, starts))
        return bits

    def _reason(self, i: int, anchor: int) -> Reason:
        days = self._days_after(anchor)
        if i in self._beyond or days.earliest > self.last_day:
            return "beyond"
        if days.latest < self.first_day:
            return "past"
        known = range(max(days.earliest, self.first_day), min(days.latest, self.last_day) + 1)
        if any(self._options(self.needs[i], day) for day in known):
            return "later"
        if any(any(self._free_bits(self.needs[i], day, limits=False)) for day in known):
            return "wishes"
        return "full"

    # From the search's terms to the caller's.

    def _choice(self, i: int, day: int, option: _Option) -> Choice:
        local = date.fromordinal(day)
        room, devices = self.free.seats(self.request.visits[i], local, option.start)
        return Choice(local, option.start, None if option.who is None else self.people[option.who], room, devices)

    def _index(self, practitioner: Hashable | None) -> int | None:
        return None if practitioner is None else self.people.index(practitioner)

    def _after(self, choice: Choice | None, window: Window, last: int) -> tuple[int, int]:
        """From which day and which practitioner the next session counts."""
        if choice is None:
            return window.ideal.toordinal(), last
        who = self._index(choice.practitioner)
        return choice.day.toordinal(), last if who is None else who


def _days(window: Window) -> _Days:
    return _Days(window, window.earliest.toordinal(), window.ideal.toordinal(), window.latest.toordinal())
