"""When a visit fits into one day."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.availability import (
    Availability,
    Day,
    Diary,
    Resource,
    Spans,
    Stretch,
    free_starts,
    merged,
    spans,
    visit_minutes,
)

MONDAY = date(2026, 3, 2)
MIDNIGHT = MONDAY.toordinal() * 1440 - date(1970, 1, 1).toordinal() * 1440

NUMBING = Stretch(30, practitioner=False, room=True)
TREATMENT = Stretch(45, practitioner=True, room=True, device_kind="pen")
RECOVERY = Stretch(15, practitioner=False, room=True)
PHASES = (NUMBING, TREATMENT, RECOVERY)
HALF_HOUR = (Stretch(30, practitioner=True, room=True),)


def at(clock):
    hours, minutes = clock.split(":")
    return MIDNIGHT + int(hours) * 60 + int(minutes)


def between(start, end):
    return at(start), at(end)


def taken(*intervals):
    return spans([at(start) for start, _ in intervals], [at(end) for _, end in intervals])


def clocks(starts):
    return [f"{(start - MIDNIGHT) // 60:02}:{(start - MIDNIGHT) % 60:02}" for start in starts]


def diary(
    *, opening=(("09:00", "12:00"),), ann=(), working=None, rooms=((),), pens=((),), lasers=(), patient=(), day=MONDAY
):
    """One day, one practitioner; each resource by its busy times."""
    ann = Resource("Ann", taken(*ann), None if working is None else taken(*working))
    return Diary(
        days=(Day(day, tuple(between(*hours) for hours in opening)),),
        practitioners=(ann,),
        rooms=tuple(Resource(f"room {n}", taken(*busy)) for n, busy in enumerate(rooms, 1)),
        devices={
            "pen": tuple(Resource(f"pen {n}", taken(*busy)) for n, busy in enumerate(pens, 1)),
            "laser": tuple(Resource(f"laser {n}", taken(*busy)) for n, busy in enumerate(lasers, 1)),
        },
        patient=Resource("patient", taken(*patient)),
    )


def starts_of(visit, diary, *, step=30):
    return clocks(Availability(diary, step=step).starts(visit, MONDAY, diary.practitioners[0]))


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        pytest.param([], ["09:00", "09:15", "09:30"], id="nothing booked"),
        pytest.param([("09:00", "09:30")], ["09:30"], id="back to back is allowed"),
        pytest.param([("09:20", "09:30")], ["09:30"], id="starts stay on the grid"),
        pytest.param([("08:00", "09:10")], ["09:15", "09:30"], id="busy since before opening"),
        pytest.param([("09:40", "11:00")], ["09:00"], id="busy beyond closing"),
        pytest.param([("09:20", "09:40"), ("09:10", "09:30")], [], id="overlapping, in any order"),
        pytest.param([("10:00", "11:00")], ["09:00", "09:15", "09:30"], id="busy after closing"),
    ],
)
def test_free_starts(busy, expected):
    starts = free_starts([between("09:00", "10:00")], [between(*stretch) for stretch in busy], duration=30)

    assert clocks(starts) == expected


def test_each_opening_has_its_own_grid():
    opening = [between("13:10", "13:50"), between("09:00", "09:20")]

    assert clocks(free_starts(opening, [], duration=20, step=15)) == ["09:00", "13:10", "13:25"]


@pytest.mark.parametrize(("duration", "step"), [(0, 15), (30, 0), (-5, 15)])
def test_a_start_needs_a_length_and_a_grid(duration, step):
    with pytest.raises(ValueError, match="at least one minute"):
        list(free_starts([between("09:00", "10:00")], [], duration=duration, step=step))


@pytest.mark.parametrize(("start", "end"), [("10:00", "10:00"), ("10:00", "09:00")], ids=["empty", "backwards"])
def test_an_interval_is_never_empty(start, end):
    with pytest.raises(ValueError, match="later end"):
        merged([between(start, end)])
    with pytest.raises(ValueError, match="later end"):
        taken((start, end))


def test_a_stretch_lasts_whole_cells():
    for minutes in (0, -5, 7):
        with pytest.raises(ValueError, match="multiple of 5"):
            Stretch(minutes, practitioner=True, room=True)


def test_the_days_of_a_diary_have_no_gap():
    with pytest.raises(ValueError, match="without a gap"):
        Diary((Day(MONDAY, ()), Day(date(2026, 3, 4), ())), (), ())


def test_a_visit_lasts_as_long_as_its_stretches():
    assert visit_minutes(PHASES) == 90


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, ["09:00", "09:30", "10:00", "10:30"], id="all free"),
        pytest.param({"opening": ()}, [], id="closed"),
        pytest.param({"opening": [("09:00", "10:25")]}, [], id="shut before the visit is over"),
        pytest.param(
            {"opening": [("09:00", "10:00"), ("10:00", "11:00")]}, ["09:00", "09:30"], id="opening hours that touch"
        ),
        pytest.param({"opening": [("09:00", "10:00"), ("10:30", "11:30")]}, [], id="not across a midday closure"),
        pytest.param(
            {"ann": [("09:00", "09:30")]}, ["09:00", "09:30", "10:00", "10:30"], id="elsewhere while it numbs"
        ),
        pytest.param({"ann": [("10:15", "10:30")]}, ["09:00", "10:00", "10:30"], id="elsewhere during recovery"),
        pytest.param({"ann": [("09:45", "10:00")]}, ["09:30", "10:00", "10:30"], id="wanted for the treatment"),
        pytest.param({"working": [("09:30", "11:15")]}, ["09:00", "09:30", "10:00"], id="works only for the treatment"),
        pytest.param({"working": []}, [], id="does not work"),
        pytest.param({"working": [("09:30", "10:00"), ("10:00", "10:15")]}, ["09:00"], id="shifts that touch"),
        pytest.param(
            {"rooms": [[("09:00", "09:05")]]}, ["09:30", "10:00", "10:30"], id="the room is needed throughout"
        ),
        pytest.param(
            {"rooms": [[("09:00", "09:30")], [("11:00", "12:00")]]},
            ["09:00", "09:30", "10:00", "10:30"],
            id="one room or the other",
        ),
        pytest.param(
            {"rooms": [[("09:45", "12:00")], [("09:00", "09:45")]]},
            ["10:00", "10:30"],
            id="no change of room during a visit",
        ),
        pytest.param({"rooms": ()}, [], id="no room"),
        pytest.param(
            {"pens": [[("09:00", "09:30"), ("10:15", "10:30")]]},
            ["09:00", "10:00", "10:30"],
            id="the device only for the treatment",
        ),
        pytest.param({"pens": ()}, [], id="no device of the kind"),
        pytest.param({"pens": (), "lasers": [()]}, [], id="a device of another kind"),
        pytest.param({"patient": [("10:00", "10:15")]}, ["10:30"], id="the patient is free throughout"),
    ],
)
def test_starts_of_a_visit_in_phases(given, expected):
    assert starts_of(PHASES, diary(**given)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"ann": [("09:02", "09:03")]}, ["09:05", "09:10"], id="busy time grows"),
        pytest.param({"opening": [("09:02", "09:43")]}, ["09:05", "09:10"], id="opening shrinks"),
        pytest.param({"working": [("09:02", "09:43")]}, ["09:05", "09:10"], id="working time shrinks"),
        pytest.param({"opening": [("09:01", "09:04")]}, [], id="opening that vanishes"),
        pytest.param(
            {"opening": [("09:00", "10:00"), ("10:01", "10:04")]},
            ["09:00", "09:05", "09:10", "09:15", "09:20", "09:25", "09:30"],
            id="the second opening vanishes",
        ),
    ],
)
def test_times_off_the_five_minutes_never_gain_time(given, expected):
    given = {"opening": [("09:00", "09:40")]} | given
    assert starts_of(HALF_HOUR, diary(**given), step=5) == expected


def test_a_resource_used_twice_is_the_same_one():
    visit = (
        Stretch(30, practitioner=True, room=True, device_kind="pen"),
        Stretch(30, practitioner=False, room=False),
        Stretch(30, practitioner=True, room=True, device_kind="pen"),
    )
    first, second = [("10:00", "10:30")], [("09:00", "09:30")]

    assert starts_of(visit, diary(opening=[("09:00", "10:30")])) == ["09:00"]
    assert starts_of(visit, diary(opening=[("09:00", "10:30")], rooms=[[("09:30", "10:00")]])) == ["09:00"]
    assert starts_of(visit, diary(opening=[("09:00", "10:30")], ann=[("09:30", "10:00")])) == ["09:00"]
    assert starts_of(visit, diary(opening=[("09:00", "10:30")], rooms=[first, second])) == []
    assert starts_of(visit, diary(opening=[("09:00", "10:30")], pens=[first, second])) == []


def test_a_visit_may_need_two_kinds_of_device():
    visit = (
        Stretch(30, practitioner=True, room=True, device_kind="laser"),
        Stretch(30, practitioner=True, room=True, device_kind="pen"),
    )
    free = diary(pens=[[("09:30", "10:00")], [("09:30", "10:00")]], lasers=[[("10:00", "11:00")]])

    assert starts_of(visit, free) == ["09:30", "11:00"]
    assert Availability(free).seats(visit, MONDAY, at("09:30")) == ("room 1", ("laser 1", "pen 1"))


@pytest.mark.parametrize(
    ("rooms", "pens", "expected"),
    [
        pytest.param([(), ()], [(), ()], ("room 1", ("pen 1",)), id="the first of each"),
        pytest.param([[("09:00", "09:05")], ()], [(), ()], ("room 2", ("pen 1",)), id="the first free room"),
        pytest.param([(), ()], [[("10:10", "10:15")], ()], ("room 1", ("pen 2",)), id="the first free device"),
        pytest.param([(), ()], [[("10:15", "10:30")], ()], ("room 1", ("pen 1",)), id="free for its own stretch"),
    ],
)
def test_room_and_device_are_the_first_free(rooms, pens, expected):
    assert Availability(diary(rooms=rooms, pens=pens)).seats(PHASES, MONDAY, at("09:00")) == expected


def test_a_visit_without_a_room_gets_none():
    assert Availability(diary()).seats((Stretch(30, practitioner=True, room=False),), MONDAY, at("09:00")) == (None, ())


def test_a_day_outside_the_horizon_has_no_starts():
    free = diary()

    assert Availability(free).starts(HALF_HOUR, date(2026, 3, 3), free.practitioners[0]) == []
    with pytest.raises(LookupError, match="outside the diary"):
        Availability(free).seats(HALF_HOUR, date(2026, 3, 3), at("09:00"))


def test_the_grid_counts_from_the_opening():
    assert starts_of(HALF_HOUR, diary(opening=[("09:10", "10:10"), ("13:25", "14:00")]), step=15) == [
        "09:10",
        "09:25",
        "09:40",
        "13:25",
    ]


@pytest.mark.parametrize("step", [0, -15, 7])
def test_the_grid_is_a_multiple_of_five_minutes(step):
    with pytest.raises(ValueError, match="multiple of 5"):
        Availability(diary(), step=step)


def test_a_visit_is_never_nothing():
    with pytest.raises(ValueError, match="at least one stretch"):
        starts_of((), diary())


# Clocks in central Europe change at 01:00 UTC.
UTC_29_MARCH = 1774742400 // 60
UTC_25_OCTOBER = 1792886400 // 60
SPRING = Day(date(2026, 3, 29), (), offset=60, change=(UTC_29_MARCH + 60, 120))
AUTUMN = Day(date(2026, 10, 25), (), offset=120, change=(UTC_25_OCTOBER + 60, 60))


@pytest.mark.parametrize(
    ("day", "instant", "shown"),
    [
        pytest.param(SPRING, UTC_29_MARCH - 60, 0, id="spring, midnight"),
        pytest.param(SPRING, UTC_29_MARCH + 59, 119, id="spring, before"),
        pytest.param(SPRING, UTC_29_MARCH + 60, 180, id="spring, at it"),
        pytest.param(SPRING, UTC_29_MARCH + 780, 900, id="spring, 15:00"),
        pytest.param(AUTUMN, UTC_25_OCTOBER - 120, 0, id="autumn, midnight"),
        pytest.param(AUTUMN, UTC_25_OCTOBER + 59, 179, id="autumn, before"),
        pytest.param(AUTUMN, UTC_25_OCTOBER + 60, 120, id="autumn, at it"),
        pytest.param(AUTUMN, UTC_25_OCTOBER + 840, 900, id="autumn, 15:00"),
        pytest.param(Day(date(2026, 3, 2), (), -300), MIDNIGHT + 300, 0, id="west of Greenwich"),
    ],
)
def test_what_the_clock_on_the_wall_shows(day, instant, shown):
    assert day.clock(instant) == shown


interval = st.tuples(st.integers(0, 300), st.integers(1, 80)).map(lambda pair: (pair[0], pair[0] + pair[1]))
intervals = st.lists(interval, max_size=6)


def minutes_of(stretches):
    return {minute for start, end in stretches for minute in range(start, end)}


@given(intervals)
def test_spans_cover_the_same_time_however_they_overlap(stretches):
    """Sorting the ends apart from the starts changes the pairs, not the time."""
    together: Spans = spans([start for start, _ in stretches], [end for _, end in stretches])

    assert minutes_of(zip(together.starts, together.ends, strict=True)) == minutes_of(stretches)
    assert list(together.starts) == sorted(together.starts)
    assert list(together.ends) == sorted(together.ends)


@given(opening=intervals, busy=intervals, duration=st.integers(1, 60), step=st.integers(1, 20))
def test_free_starts_are_those_whose_every_minute_is_free(opening, busy, duration, step):
    open_minutes, busy_minutes = minutes_of(opening), minutes_of(busy)
    grid, count = {}, -1
    for minute in range(400):
        count = count + 1 if minute in open_minutes else -1
        grid[minute] = count
    expected = [
        minute
        for minute in sorted(open_minutes)
        if grid[minute] % step == 0 and set(range(minute, minute + duration)) <= open_minutes - busy_minutes
    ]

    assert list(free_starts(opening, busy, duration=duration, step=step)) == expected


fives = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12)).map(lambda p: (p[0] * 5, (p[0] + p[1]) * 5)), max_size=4
)
stretches = st.builds(
    Stretch,
    st.sampled_from([5, 10, 25]),
    practitioner=st.booleans(),
    room=st.booleans(),
    device_kind=st.sampled_from([None, "pen", "laser"]),
)


@given(
    opening=fives,
    working=fives,
    ann=fives,
    patient=fives,
    rooms=st.lists(fives, min_size=1, max_size=2),
    pens=st.lists(fives, max_size=2),
    lasers=st.lists(fives, max_size=1),
    visit=st.lists(stretches, min_size=1, max_size=4).map(tuple),
    step=st.sampled_from([5, 15]),
)
def test_starts_of_a_visit_are_those_whose_every_minute_is_free(
    opening, working, ann, patient, rooms, pens, lasers, visit, step
):
    def resource(busy, working=None):
        return Resource("", spans(*split(busy)), None if working is None else spans(*split(working)))

    def split(stretches):
        return [MIDNIGHT + start for start, _ in stretches], [MIDNIGHT + end for _, end in stretches]

    place = Diary(
        (Day(MONDAY, tuple((MIDNIGHT + start, MIDNIGHT + end) for start, end in opening)),),
        (resource(ann, working),),
        tuple(map(resource, rooms)),
        {"pen": tuple(map(resource, pens)), "laser": tuple(map(resource, lasers))},
        resource(patient),
    )
    open_minutes = minutes_of(opening)

    def fits(start):
        needed = {"all": set(), "practitioner": set(), "room": set(), "pen": set(), "laser": set()}
        at = start
        for stretch in visit:
            for key, takes in (
                ("all", True),
                ("practitioner", stretch.practitioner),
                ("room", stretch.room),
                (stretch.device_kind, stretch.device_kind is not None),
            ):
                if takes:
                    needed[key] |= set(range(at, at + stretch.minutes))
            at += stretch.minutes
        return (
            needed["all"] <= open_minutes - minutes_of(patient)
            and needed["practitioner"] <= minutes_of(working) - minutes_of(ann)
            and all(
                not needed[kind] or any(not needed[kind] & minutes_of(busy) for busy in some)
                for kind, some in (("room", rooms), ("pen", pens), ("laser", lasers))
            )
        )

    expected = [start for opens, closes in merged(opening) for start in range(opens, closes, step) if fits(start)]

    found = Availability(place, step=step).starts(visit, MONDAY, place.practitioners[0])
    assert [start - MIDNIGHT for start in found] == expected
