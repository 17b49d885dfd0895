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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial

from clinic.availability import DAY_MINUTES, EPOCH
from clinic.candidates import NO_DAY, Candidate, Candidates, Days
from clinic.proposal import Choice, Plan, PlannedSession, Request, Wishes

__all__ = ["Choice", "Plan", "PlannedSession", "Request", "Wishes", "alternatives", "plan"]

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
        self.practitioner = [1 << DIGIT * (sessions - 1 - i) for i in range(sessions)]
        self.start = [weight << DIGIT * sessions for weight in self.practitioner]
        self.day = 1 << DIGIT * 2 * sessions
        self.off_time = self.day << DIGIT
        self.off_weekday = self.off_time << DIGIT
        self.change = self.off_weekday << DIGIT
        self.unwished = self.change << DIGIT
        self.band = self.unwished << DIGIT
        self.outside = self.band << DIGIT
        self.unplaced = self.outside << DIGIT


# How far from the ideal day the best plan is looked for first, in days; then in the whole windows.
NEAR = (0, WEEK // 2)

# Costs of some sessions, by the practitioner of the session before them; the last entry is for "nobody yet".
_Row = list[int]


class _Search:
    """Shortest path over (session, day of the session before, practitioner before), from the last session back."""

    def __init__(self, request: Request) -> None:
        self.request, self.wishes = request, request.wishes
        self.candidates = Candidates(request)
        self.sessions, self.pinned = self.candidates.sessions, self.candidates.pinned
        self.nobody = len(self.candidates.people)
        self.wished = (
            self.candidates.people.index(self.wishes.practitioner)
            if self.wishes.practitioner in self.candidates.people
            else self.nobody
        )
        self.weights = _Weights(len(request.visits))
        # Starts are counted from here. A local day can begin on the day before in UTC.
        self.origin = (self.candidates.first_day - 1 - EPOCH) * DAY_MINUTES

    def best(self) -> Plan:
        rest = self._rest_of_the_best()
        sessions: list[PlannedSession] = []
        for i in self.sessions:
            anchor, last = self._after(sessions)
            window = self.candidates.window(anchor).window
            if i in self.pinned:
                pin = self.pinned[i]
                sessions.append(PlannedSession(window, pin, outside=pin.day not in window))
            elif choice := self._cheapest(i, anchor, last, rest[i + 1]):
                sessions.append(PlannedSession(window, choice))
            else:
                sessions.append(PlannedSession(window, None, reason=self.candidates.reason(i, anchor)))
        return Plan(tuple(sessions))

    def others(self, plan: Plan, index: int, count: int) -> tuple[Choice, ...]:
        anchor, last = self._after(plan.sessions[:index])
        session = plan.sessions[index]
        days = Days.of(session.window)

        def ranked(on: Callable[[int, int], Iterable[Candidate]]) -> list[tuple[int, int, Candidate]]:
            within = self.candidates.within(index, anchor, days)
            step = partial(self._step, index, days.ideal, last)
            return sorted((step(day, candidate), day, candidate) for day in within for candidate in on(index, day))

        used_days = {session.choice.day.toordinal()} if session.choice else set()
        used_starts = {session.choice.start} if session.choice else set()
        found: list[tuple[int, Candidate]] = []
        for _, day, candidate in ranked(self.candidates.on):
            if day not in used_days:
                used_days.add(day)
                found.append((day, candidate))
        if len(found) < count:
            used_starts.update(candidate.start for _, candidate in found)
            for _, day, candidate in ranked(self.candidates.all_on):
                if candidate.start not in used_starts:
                    used_starts.add(candidate.start)
                    found.append((day, candidate))
        return tuple(self.candidates.choice(index, *other) for other in found[:count])

    def _after(self, sessions: Sequence[PlannedSession]) -> tuple[int, int]:
        """The day from which the next session's window counts, and the practitioner last seen."""
        if not sessions:
            return NO_DAY, self.nobody
        day = sessions[-1].choice.day if sessions[-1].choice else sessions[-1].window.ideal
        seen = (session.choice.practitioner for session in reversed(sessions) if session.choice)
        last = self.candidates.place_of(next((who for who in seen if who is not None), None))
        return day.toordinal(), self.nobody if last is None else last

    # The path: which days can be reached, what is the least that the rest costs from there, which step is that.

    def _rest_of_the_best(self) -> list[dict[int, _Row]]:
        """`_rest` over as few days as will do.

        Only days near the ideal are weighed at first. A plan that costs less than a single day beyond them is the best
        of all; in a diary that is not full, most are.
        """
        for near in NEAR:
            self.candidates.near = near
            rest = self._rest()
            if rest[0][NO_DAY][self.nobody] < self._off(near + 1):
                return rest
        self.candidates.near = None
        return self._rest()

    def _reach(self) -> list[set[int]]:
        """For each session the days from which its window can count; at the end, those of one session more."""
        candidates, reach = self.candidates, [{NO_DAY}]
        for i in self.sessions:
            if i in self.pinned:
                reach.append({self.pinned[i].day.toordinal()})
                continue
            windows = [(anchor, candidates.window(anchor)) for anchor in reach[i]]
            possible = {day for anchor, days in windows for day in candidates.within(i, anchor, days)}
            ideal = {days.ideal for _, days in windows}
            reach.append(ideal.union(day for day in possible if candidates.on(i, day)))
        return reach

    def _rest(self) -> list[dict[int, _Row]]:
        """For each session, by the day from which its window counts: the least that it and all later ones cost."""
        reach = self._reach()
        rest: list[dict[int, _Row]] = [{} for _ in reach]
        rest[-1] = dict.fromkeys(reach[-1], [0] * (self.nobody + 1))
        for i in reversed(self.sessions):
            ahead = rest[i + 1]
            if i in self.pinned:
                rest[i] = {anchor: self._pinned_row(i, anchor, ahead) for anchor in reach[i]}
                continue
            placed = {day: self._placed_row(i, day, row) for day, row in ahead.items() if self.candidates.on(i, day)}
            least = min(map(min, placed.values()), default=0)
            rest[i] = {anchor: self._free_row(i, anchor, ahead, placed, least) for anchor in reach[i]}
        return rest

    def _placed_row(self, i: int, day: int, ahead: _Row) -> _Row:
        """Session `i` on `day` with whoever is best, and the rest."""
        candidates = self.candidates.on(i, day)
        if candidates[0].who is None:
            cost = self._cost(i, day, candidates[0])
            return [cost + after for after in ahead]
        costs = {
            candidate.who: self._cost(i, day, candidate) + ahead[candidate.who]
            for candidate in candidates
            if candidate.who is not None
        }
        least = min(costs.values())
        changed = least + self.weights.change
        return [min(costs.get(who, changed), changed) for who in range(self.nobody)] + [least]

    def _free_row(self, i: int, anchor: int, ahead: dict[int, _Row], placed: dict[int, _Row], least: int) -> _Row:
        """Session `i` on the best day, or without a start, and the rest. Nothing in `placed` is below `least`."""
        days = self.candidates.window(anchor)
        row = [self._unplaced(i) + after for after in ahead[days.ideal]]
        possible = [day for day in self.candidates.within(i, anchor, days) if day in placed]
        for day in sorted(possible, key=lambda day: abs(day - days.ideal)):
            off = self._off(day - days.ideal)
            # This day is no better for anybody, nor are those still further off.
            if off + least >= max(row):
                break
            row = [min(cost, off + after) for cost, after in zip(row, placed[day], strict=True)]
        return row

    def _pinned_row(self, i: int, anchor: int, ahead: dict[int, _Row]) -> _Row:
        """Session `i` where it is pinned, and the rest."""
        days, choice = self.candidates.window(anchor), self.pinned[i]
        day, who = choice.day.toordinal(), self.candidates.place_of(choice.practitioner)
        cost = self._off(day - days.ideal) + self.weights.outside * (choice.day not in days.window)
        return [
            cost + self._change(last, who) + ahead[day][last if who is None else who] for last in range(self.nobody + 1)
        ]

    def _cheapest(self, i: int, anchor: int, last: int, ahead: dict[int, _Row]) -> Choice | None:
        """The step of the best path; None if that leaves session `i` without a start."""
        days = self.candidates.window(anchor)
        least, best = self._unplaced(i) + ahead[days.ideal][last], None
        for day in self.candidates.within(i, anchor, days):
            for candidate in self.candidates.on(i, day):
                cost = self._step(i, days.ideal, last, day, candidate)
                cost += ahead[day][last if candidate.who is None else candidate.who]
                if cost < least:
                    least, best = cost, (day, candidate)
        return best and self.candidates.choice(i, *best)

    # What things cost.

    def _step(self, i: int, ideal: int, last: int, day: int, candidate: Candidate) -> int:
        return self._off(day - ideal) + self._change(last, candidate.who) + self._cost(i, day, candidate)

    def _off(self, days: int) -> int:
        days = abs(days)
        bands = days if self.request.unit == "day" else (days + WEEK // 2) // WEEK
        return self.weights.band * bands + self.weights.day * days

    def _change(self, last: int, who: int | None) -> int:
        return 0 if who is None or last in (who, self.nobody) else self.weights.change

    def _cost(self, i: int, day: int, candidate: Candidate) -> int:
        """What does not depend on the session before."""
        weights, wishes = self.weights, self.wishes
        cost = weights.start[i] * (candidate.start - self.origin)
        if candidate.who is not None:
            cost += weights.practitioner[i] * candidate.who
            if wishes.practitioner is not None and candidate.who != self.wished:
                cost += weights.unwished
        if candidate.off_time:
            cost += weights.off_time
        if not wishes.on_day(date.fromordinal(day)):
            cost += weights.off_weekday
        return cost

    def _unplaced(self, i: int) -> int:
        return self.weights.unplaced + self.weights.start[i] * NO_START
