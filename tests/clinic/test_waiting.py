"""Who is offered which earlier time: by tables, and against an oracle that tries every way there is."""

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.availability import Availability, Day, Diary, Resource, Stretch, spans
from clinic.proposal import Choice, Wishes
from clinic.waiting import Freed, Held, Opening, Wish, before, suits, turns, within_reach

DAY = date(2026, 3, 3)
TUESDAY = 1
HOUR = 60
ADA, BEN, ROOM, PEN = "Ada", "Ben", "Room 1", "Pen 1"


def an_opening(start=600, *, who=ADA, minutes=HOUR, clock=None, day=DAY) -> Opening:
    return Opening(Choice(day, start, who, ROOM, (PEN,)), start + minutes, start if clock is None else clock)


def a_wish(**values) -> Wish:
    return Wish(**{"key": 1, "since": 0, "until": 2000, "notice": HOUR} | values)


@pytest.mark.parametrize(
    ("wish", "opening", "suiting"),
    [
        pytest.param({}, {}, True, id="nothing asked"),
        pytest.param({"until": 600}, {}, False, id="not sooner than the visit as it is"),
        pytest.param({"until": 601}, {}, True, id="a minute sooner"),
        pytest.param({"notice": 600}, {}, True, id="just as much notice as needed"),
        pytest.param({"notice": 601}, {}, False, id="too little notice"),
        pytest.param({"practitioner": ADA}, {}, True, id="with the one who is wanted"),
        pytest.param({"practitioner": BEN}, {}, False, id="with somebody else"),
        pytest.param({"practitioner": BEN}, {"who": None}, False, id="with nobody, where somebody is wanted"),
        pytest.param({"wishes": Wishes(weekdays=frozenset({TUESDAY}))}, {}, True, id="on a wished weekday"),
        pytest.param({"wishes": Wishes(weekdays=frozenset({2}))}, {}, False, id="on another weekday"),
        pytest.param({"wishes": Wishes(earliest_time=601)}, {}, False, id="before the wished time of day"),
        pytest.param({"wishes": Wishes(latest_time=600)}, {}, True, id="at the latest wished time of day"),
        pytest.param({"wishes": Wishes(latest_time=599)}, {}, False, id="after the wished time of day"),
        pytest.param({"wishes": Wishes(latest_time=599)}, {"clock": 599}, True, id="by the clock, not by the instant"),
        pytest.param({"offered": frozenset({600})}, {}, False, id="offered before"),
        pytest.param({"offered": frozenset({615})}, {}, True, id="another start offered before"),
    ],
)
def test_a_time_suits(wish, opening, suiting):
    assert suits(a_wish(**wish), an_opening(**opening), now=0) is suiting


VISIT = (Stretch(30, practitioner=True, room=True),)


def a_diary(**busy) -> Diary:
    """Open for four hours from the start of the epoch, with two practitioners and two rooms."""

    def resource(name: str) -> Resource:
        times = busy.get(name, [])
        return Resource(name, busy=spans([start for start, _end in times], [end for _start, end in times]))

    return Diary(
        days=(Day(date(1970, 1, 1), ((0, 240),)),),
        practitioners=(resource("ada"), resource("ben")),
        rooms=(resource("one"), resource("two")),
    )


@pytest.mark.parametrize(
    ("freed", "opened"),
    [
        pytest.param([], set(), id="nothing"),
        pytest.param([Freed(60, 120, "ada")], {45, 60, 75, 90, 105}, id="the practitioner: what overlaps it"),
        pytest.param([Freed(60, 120, "ben")], set(), id="somebody else"),
        pytest.param([Freed(60, 120, "one")], set(), id="one of two rooms: the other was free"),
        pytest.param([Freed(60, 90, "one"), Freed(60, 90, "two")], {45, 60, 75}, id="both rooms"),
        pytest.param([Freed(0, 240, None)], set(range(0, 211, 15)), id="the site opens after all"),
    ],
)
def test_only_what_was_not_possible_before_counts_as_become_free(freed, opened):
    diary = a_diary()
    day, ada = diary.days[0].date, diary.practitioners[0]
    then = before(diary, freed)

    now = set(Availability(diary).starts(VISIT, day, ada))

    assert now - set(Availability(then).starts(VISIT, day, then.practitioners[0])) == opened
    # What is taken is taken, before and now.
    busy = before(a_diary(ada=[(0, 60)]), freed)
    assert min(Availability(busy).starts(VISIT, day, busy.practitioners[0]), default=60) >= 60


@pytest.mark.parametrize(
    ("freed", "reached"),
    [
        pytest.param(Freed(0, 61, ADA), True, id="a minute after the notice"),
        pytest.param(Freed(0, 60, ADA), False, id="over before the notice is"),
        pytest.param(Freed(1999, 2100, ADA), True, id="begins a minute before the visit"),
        pytest.param(Freed(2000, 2100, ADA), False, id="begins with the visit"),
    ],
)
def test_what_is_out_of_reach_is_not_looked_at(freed, reached):
    assert within_reach(a_wish(), freed, now=0) is reached


def test_whoever_waits_longest_comes_first_and_has_the_soonest_time():
    late, early = a_wish(key=1, since=9), a_wish(key=2, since=3)

    given = turns([(late, [an_opening(700), an_opening()]), (early, [an_opening(700), an_opening()])], held=[])

    assert [(wish.key, opening.start) for wish, opening in given] == [(2, 600), (1, 700)]


def test_a_time_that_stands_open_for_somebody_is_offered_to_nobody_else():
    wish = a_wish()

    assert turns([(wish, [an_opening()])], held=[Held(630, 690, ADA)]) == []
    assert turns([(wish, [an_opening()])], held=[Held(630, 690, None)]) == []
    assert turns([(wish, [an_opening()])], held=[Held(660, 690, ADA), Held(600, 660, BEN)]) == [(wish, an_opening())]


# --- Against an oracle -----------------------------------------------------------------------------

starts = st.integers(0, 5).map(lambda n: n * 30)
some_openings = st.lists(st.builds(an_opening, starts, who=st.sampled_from([ADA, BEN, None])), max_size=3)
holds = st.lists(
    st.builds(lambda s, who: Held(s, s + HOUR, who), starts, st.sampled_from([ADA, BEN, None])), max_size=2
)


def share_a_minute(one, other) -> bool:
    """By counting minutes, not by comparing ends."""
    people = {one[2], other[2]}
    return bool(set(range(one[0], one[1])) & set(range(other[0], other[1]))) and (None in people or len(people) == 1)


@given(st.lists(st.tuples(st.integers(0, 3), some_openings), max_size=3), holds)
def test_turns_are_the_best_for_each_in_the_order_of_waiting(asked, held):
    waiting = [(a_wish(key=n, since=since), openings) for n, (since, openings) in enumerate(asked)]
    order = sorted(waiting, key=lambda one: (one[0].since, one[0].key))

    given_to = {wish.key: opening for wish, opening in turns(waiting, held=held)}

    # Of all assignments in which nothing shares a minute, the one that is best for the first, then the second …
    def allowed(way) -> bool:
        times = [(o.start, o.end, o.choice.practitioner) for o in way if o]
        others = [tuple(h) for h in held]
        apart = not any(share_a_minute(a, b) for i, a in enumerate(times) for b in times[:i])
        return apart and not any(share_a_minute(a, b) for a in times for b in others)

    ways = [way for way in product(*([*openings, None] for _wish, openings in order)) if allowed(way)]
    best = min(([o.start if o else 10_000 for o in way] for way in ways), default=[])

    starts_given = [given_to[wish.key].start if wish.key in given_to else 10_000 for wish, _openings in order]
    if all(o.choice.practitioner == ADA for _wish, openings in order for o in openings):
        assert starts_given == best
    assert allowed([given_to.get(wish.key) for wish, _openings in order])
    # Nobody is left out who could still have something.
    for wish, openings in order:
        if wish.key not in given_to:
            assert not any(allowed([*given_to.values(), one]) for one in openings)
