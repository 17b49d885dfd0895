"""One start for each session of a series: the best set that exists."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.availability import Day, Diary, Resource, Stretch, spans
from clinic.planning import Choice, Request, Wishes, alternatives, plan
from tests.clinic import series_oracle as oracle
from treatments.rules import Window

MONDAY = date(2026, 3, 2)
EPOCH = date(1970, 1, 1)
DAY = timedelta(days=1)

HOUR = (Stretch(60, practitioner=True, room=True),)
PHASES = (
    Stretch(30, practitioner=False, room=True),
    Stretch(60, practitioner=True, room=True, device_kind="pen"),
    Stretch(30, practitioner=False, room=True),
)


def at(day, clock="09:00"):
    hours, minutes = clock.split(":")
    return (day - EPOCH).days * 1440 + int(hours) * 60 + int(minutes)


def taken(*stretches):
    """Spans from (day, from, to), where `day` counts from MONDAY; a bare number is the whole of that day."""
    whole = [(stretch, "00:00", "24:00") if isinstance(stretch, int) else stretch for stretch in stretches]
    return spans(
        [at(MONDAY + day * DAY, start) for day, start, _ in whole],
        [at(MONDAY + day * DAY, end) for day, _, end in whole],
    )


def everything_but(*days, horizon=120):
    return [day for day in range(horizon) if day not in days]


def diary(*, days=120, closed=(), hours=("09:00", "12:00"), ann=(), bob=(), rooms=((),), pens=((),), patient=()):
    """Open every day from MONDAY on, in UTC; Ann before Bob. Each resource by what it is busy with."""
    dates = [MONDAY + day * DAY for day in range(days)]
    return Diary(
        days=tuple(
            Day(day, () if number in closed else ((at(day, hours[0]), at(day, hours[1])),))
            for number, day in enumerate(dates)
        ),
        practitioners=(Resource("Ann", taken(*ann)), Resource("Bob", taken(*bob))),
        rooms=tuple(Resource(f"room {number}", taken(*busy)) for number, busy in enumerate(rooms, 1)),
        devices={"pen": tuple(Resource(f"pen {number}", taken(*busy)) for number, busy in enumerate(pens, 1))},
        patient=Resource("patient", taken(*patient)),
    )


def window(earliest, ideal, latest, *, since=MONDAY):
    return Window(since + earliest * DAY, since + ideal * DAY, since + latest * DAY)


def every(earliest, ideal, latest):
    return lambda day: window(earliest, ideal, latest, since=day)


def request(sessions=3, *, first=(0, 0, 6), spacing=(14, 21, 28), unit="week", visits=None, pinned=None, **given):
    wishes = Wishes(**{key: given.pop(key) for key in Wishes.__slots__ if key in given})
    return Request(
        first=window(*first),
        window_after=every(*spacing),
        unit=unit,
        visits=(HOUR,) * sessions if visits is None else visits,
        diary=diary(**given),
        wishes=wishes,
        pinned=pinned or {},
        step=30,
    )


def days(planned):
    """The days of the plan counted from MONDAY, or why there is none."""
    return [(s.choice.day - MONDAY).days if s.choice else s.reason for s in planned.sessions]


def who(planned):
    return [session.choice and session.choice.practitioner for session in planned.sessions]


def pin(day, clock="09:00", practitioner="Ann"):
    return Choice(MONDAY + day * DAY, at(MONDAY + day * DAY, clock), practitioner, "room 1")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, [0, 21, 42], id="every session on its ideal day"),
        pytest.param({"closed": [21]}, [0, 20, 41], id="a closure moves one session, and the next counts from there"),
        pytest.param({"closed": [0, 1, 2]}, [3, 24, 45], id="the first session as near as it can be"),
        pytest.param({"closed": [21, 20]}, [0, 22, 43], id="late where a day early is closed too"),
        pytest.param({"patient": [(21, "09:00", "11:30")]}, [0, 20, 41], id="the patient has something else"),
        pytest.param(
            {"closed": everything_but(0, 17, 25, 45), "unit": "day"},
            [0, 25, 45],
            id="a worse second session for a better third",
        ),
        pytest.param(
            {"sessions": 3, "closed": everything_but(0, 21, 24, 52)},
            [0, 24, 52],
            id="off the ideal, so that the last can be placed at all",
        ),
        pytest.param({"sessions": 1, "first": (3, 5, 9)}, [5], id="a first window that opens later"),
        pytest.param({"sessions": 4, "spacing": (28, 28, 28)}, [0, 28, 56, 84], id="minimum and maximum the same"),
        pytest.param({"spacing": (14, 14, 28)}, [0, 14, 28], id="ideal at the beginning of the window"),
        pytest.param({"visits": ()}, [], id="nothing to plan"),
    ],
)
def test_the_days_of_a_series(given, expected):
    assert days(plan(request(**given))) == expected


@pytest.mark.parametrize(
    ("given", "expected", "labels"),
    [
        pytest.param(
            {"first": (0, 0, 0), "closed": range(14, 29)},
            [0, "full", 42],
            ["ideal", "none", "ideal"],
            id="closed throughout the window",
        ),
        pytest.param({"ann": range(7), "bob": range(7)}, ["full", 21, 42], ["none", "ideal", "ideal"], id="the first"),
        pytest.param(
            {"weekdays": {5}, "only": True, "closed": [19, 26, 33]},
            [5, "wishes", 47],
            ["late", "none", "ideal"],
            id="free, but not on Saturday",
        ),
        pytest.param({"latest_time": 8 * 60, "only": True}, ["wishes"] * 3, ["none"] * 3, id="free, but not so early"),
        pytest.param({"days": 40}, [0, 18, 39], ["ideal", "early", "ideal"], id="the window opens inside the diary"),
        pytest.param(
            {"days": 35}, [0, 21, "beyond"], ["ideal", "ideal", "none"], id="the window opens after the diary"
        ),
        pytest.param({"days": 0}, ["beyond"] * 3, ["none"] * 3, id="no diary at all"),
        pytest.param({"first": (-20, -15, -10)}, ["past", 6, 27], ["none", "ideal", "ideal"], id="closed before today"),
        pytest.param(
            {"first": (0, 0, 0), "closed": everything_but(0, 7, 19, 40), "spacing": (19, 19, 21)},
            [0, 19, 40],
            ["ideal", "ideal", "late"],
            id="all placed",
        ),
    ],
)
def test_a_session_without_a_start_is_kept_with_its_reason(given, expected, labels):
    planned = plan(request(**given))

    assert days(planned) == expected
    assert [session.label for session in planned.sessions] == labels


def test_the_window_after_a_session_without_a_start_counts_from_its_ideal_day():
    planned = plan(request(first=(0, 0, 0), closed=range(14, 29)))

    assert [session.window for session in planned.sessions] == [window(0, 0, 0), window(14, 21, 28), window(35, 42, 49)]


def test_a_session_gives_way_if_two_later_ones_gain_a_place():
    """From day 6 nothing follows; from day 0, had it been free, two would."""
    planned = plan(request(closed=everything_but(6, 14, 28), spacing=(14, 14, 14)))

    assert days(planned) == ["later", 14, 28]


def test_no_session_is_hurried_to_squeeze_one_more_into_the_diary():
    """At fourteen days apart five sessions would fit into sixty days."""
    assert days(plan(request(5, days=60))) == [0, 18, 38, 59, "beyond"]


@pytest.mark.parametrize(
    ("given", "expected", "practitioners"),
    [
        pytest.param({}, [0, 21, 42], ["Ann"] * 3, id="nothing wished: given order"),
        pytest.param({"practitioner": "Bob"}, [0, 21, 42], ["Bob"] * 3, id="practitioner"),
        pytest.param({"practitioner": "Zoe"}, [0, 21, 42], ["Ann"] * 3, id="a practitioner who is not there"),
        pytest.param({"ann": [21]}, [0, 21, 42], ["Bob"] * 3, id="one practitioner throughout"),
        pytest.param({"practitioner": "Ann", "first": (0, 0, 0), "ann": range(14, 29)},
                     [0, 21, 42], ["Ann", "Bob", "Ann"],
                     id="the wish before one practitioner throughout"),
        pytest.param({"practitioner": "Ann", "ann": [21, 20]}, [0, 22, 43], ["Ann"] * 3, id="the wish before a day"),
        pytest.param({"practitioner": "Ann", "first": (0, 0, 0), "ann": range(15, 25)},
                     [0, 21, 42], ["Ann", "Bob", "Ann"],
                     id="a week before the wish"),
        pytest.param({"practitioner": "Ann", "ann": [21, 20], "unit": "day"}, [0, 21, 42], ["Ann", "Bob", "Ann"],
                     id="in a protocol in days, a day before the wish"),
        pytest.param({"weekdays": {1, 3}}, [1, 22, 43], ["Ann"] * 3, id="weekdays"),
        pytest.param({"weekdays": {4}}, [0, 18, 39], ["Ann"] * 3, id="no weekday that costs a week"),
        pytest.param({"weekdays": {4}, "only": True}, [4, 25, 46], ["Ann"] * 3, id="a hard weekday may cost a week"),
        pytest.param({"weekdays": {1}, "ann": [22]}, [1, 22, 43], ["Bob"] * 3, id="one throughout and the weekday"),
        pytest.param({"weekdays": {1}, "ann": [22], "bob": [1, 43]}, [1, 21, 43], ["Ann"] * 3,
                     id="one throughout before the weekday"),
    ],
)  # fmt: skip
def test_preferences(given, expected, practitioners):
    planned = plan(request(**given))

    assert who(planned) == practitioners
    assert days(planned) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, ["09:00", "09:00"], id="as early as can be"),
        pytest.param({"earliest_time": 10 * 60}, ["10:00", "10:00"], id="from ten, ten included"),
        pytest.param({"earliest_time": 10 * 60, "ann": [(0, "10:00", "12:00")], "bob": [0]}, ["09:00", "10:00"],
                     id="a wish gives way"),
        pytest.param({"latest_time": 10 * 60, "ann": [(0, "09:00", "10:00")], "bob": [0]}, ["10:00", "09:00"],
                     id="until ten, ten included"),
        pytest.param({"earliest_time": 10 * 60, "latest_time": 9 * 60, "only": True}, [None, None], id="no such time"),
    ],
)  # fmt: skip
def test_the_time_of_day(given, expected):
    planned = plan(request(2, first=(0, 0, 0), spacing=(21, 21, 21), **given))

    starts = [s.choice and f"{datetime.fromtimestamp(s.choice.start * 60, UTC):%H:%M}" for s in planned.sessions]
    assert starts == expected


@pytest.mark.parametrize(
    ("day", "opens", "offset", "change", "expected"),
    [
        pytest.param(date(2026, 3, 28), "08:00", 60, None, "14:00", id="the day before spring forward"),
        pytest.param(
            date(2026, 3, 29), "00:00", 60, (at(date(2026, 3, 29), "01:00"), 120), "13:00", id="spring forward"
        ),
        pytest.param(date(2026, 10, 24), "07:00", 120, None, "13:00", id="the day before fall back"),
        pytest.param(date(2026, 10, 25), "00:00", 120, (at(date(2026, 10, 25), "01:00"), 60), "14:00", id="fall back"),
    ],
)
def test_three_in_the_afternoon_is_what_the_clock_on_the_wall_shows(day, opens, offset, change, expected):
    local_day = Day(day, ((at(day, opens), at(day, "18:00")),), offset, change)
    asked = Request(
        first=Window(day, day, day),
        window_after=every(7, 7, 7),
        unit="week",
        visits=(HOUR,),
        diary=Diary((local_day,), (Resource("Ann"),), (Resource("room 1"),)),
        wishes=Wishes(earliest_time=15 * 60, only=True),
    )

    assert plan(asked).sessions[0].choice.start == at(day, expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, ("09:00", "Ann", "room 1", ("pen 1",)), id="free"),
        pytest.param({"ann": [(0, "09:00", "09:30"), (0, "10:30", "12:00")]}, ("09:00", "Ann", "room 1", ("pen 1",)),
                     id="Ann is elsewhere during numbing and recovery"),
        pytest.param({"ann": [(0, "09:30", "10:00")]}, ("09:00", "Bob", "room 1", ("pen 1",)), id="Bob is there first"),
        pytest.param({"rooms": [[(0, "10:30", "12:00")], ()]}, ("09:00", "Ann", "room 2", ("pen 1",)),
                     id="the first room is wanted during recovery"),
        pytest.param({"pens": [[(0, "09:00", "09:30")], ()]}, ("09:00", "Ann", "room 1", ("pen 1",)),
                     id="the device only while it is used"),
        pytest.param({"pens": [[(0, "10:00", "10:15")], ()]}, ("09:00", "Ann", "room 1", ("pen 2",)), id="another one"),
        pytest.param({"pens": [[(0, "09:00", "09:45")]]}, ("09:30", "Ann", "room 1", ("pen 1",)), id="wait for it"),
    ],
)  # fmt: skip
def test_phases(given, expected):
    choice = plan(request(visits=(PHASES,), first=(0, 0, 0), **given)).sessions[0].choice

    assert choice == Choice(MONDAY, at(MONDAY, expected[0]), *expected[1:])


def test_sessions_may_differ_in_length():
    """Only half an hour is free on the third session's ideal day."""
    short = (Stretch(30, practitioner=True, room=True),)
    busy = {"patient": [(42, "09:00", "11:30")]}

    assert days(plan(request(visits=(HOUR, HOUR, short), **busy))) == [0, 21, 42]
    assert days(plan(request(visits=(HOUR, HOUR, HOUR), **busy))) == [0, 20, 41]


def test_a_visit_without_a_practitioner_is_nobodys_change():
    light = (Stretch(30, practitioner=False, room=True, device_kind="pen"),)
    planned = plan(request(visits=(HOUR, light, HOUR), practitioner="Bob", bob=range(30, 60), ann=[0]))

    assert who(planned) == ["Bob", None, "Ann"]
    assert who(plan(request(visits=(HOUR, light, HOUR), ann=[0]))) == ["Bob", None, "Bob"]


@pytest.mark.parametrize(
    ("pinned", "given", "expected", "outside"),
    [
        pytest.param({0: pin(3)}, {}, [3, 24, 45], [], id="those after it follow"),
        pytest.param({1: pin(26)}, {}, [2, 26, 47], [], id="those before it give way"),
        pytest.param({1: pin(16)}, {}, [0, 16, 37], [], id="early but inside"),
        pytest.param({1: pin(35)}, {"first": (0, 1, 2)}, [1, 35, 56], [1], id="outside"),
        pytest.param({1: pin(4)}, {"closed": range(4)}, ["later", 4, 25], [1], id="nothing is planned after it"),
        pytest.param({0: pin(-70), 1: pin(-40)}, {}, [-70, -40, "past"], [0, 1], id="long ago"),
        pytest.param({2: pin(400)}, {}, [2, 26, 400], [2], id="beyond the diary"),
        pytest.param({0: pin(0, "03:10", "Zoe")}, {"patient": [0]}, [0, 21, 42], [], id="where nothing is free"),
        pytest.param({0: pin(0), 1: pin(21), 2: pin(42)}, {}, [0, 21, 42], [], id="everything"),
        pytest.param({7: pin(0)}, {}, [0, 21, 42], [], id="a session that is not there"),
    ],
)  # fmt: skip
def test_pinned_sessions_stay(pinned, given, expected, outside):
    planned = plan(request(pinned=pinned, **given))

    assert days(planned) == expected
    assert [i for i, session in enumerate(planned.sessions) if session.outside] == outside
    assert all(planned.sessions[i].choice == choice for i, choice in pinned.items() if i < 3)


def test_a_pinned_window_is_kept_before_a_nearer_ideal():
    """From day 6, day 15 would be nearer to the ideal but before its window opens."""
    asked = request(2, first=(0, 6, 6), spacing=(10, 10, 20), pinned={1: pin(15)})

    assert days(plan(asked)) == [5, 15]


def test_the_practitioner_of_a_pinned_session_counts():
    assert who(plan(request(pinned={1: pin(21, practitioner="Bob")}))) == ["Bob", "Bob", "Bob"]
    assert who(plan(request(pinned={1: pin(21, practitioner="Zoe")}))) == ["Ann", "Zoe", "Ann"]
    assert who(plan(request(pinned={1: pin(21, practitioner=None)}, ann=[0]))) == ["Bob", None, "Bob"]


def test_months_are_calendar_months_from_the_day_before():
    """31 January, then the last of February; the session after that counts from there."""

    def monthly(day):
        return Window(*(day + relativedelta(months=1) + shift * DAY for shift in (-3, 0, 3)))

    first = date(2026, 1, 31)
    dates = [first + day * DAY for day in range(100)]
    asked = Request(
        first=Window(first, first, first),
        window_after=monthly,
        unit="month",
        visits=(HOUR,) * 4,
        diary=Diary(
            tuple(Day(day, ((at(day), at(day, "12:00")),)) for day in dates if day != date(2026, 5, 11)),
            (Resource("Ann"),),
            (Resource("room 1"),),
        ),
    )

    planned = plan(asked)

    assert [s.choice.day for s in planned.sessions] == [first, date(2026, 2, 28), date(2026, 3, 28), date(2026, 4, 28)]


@pytest.mark.parametrize(
    ("given", "index", "expected"),
    [
        pytest.param({}, 1, [(20, "09:00"), (22, "09:00"), (19, "09:00")], id="days around the ideal"),
        pytest.param({}, 0, [(1, "09:00"), (2, "09:00"), (3, "09:00")], id="the first session"),
        pytest.param({"weekdays": {1}}, 1, [(21, "09:00"), (23, "09:00"), (20, "09:00")], id="after a Tuesday"),
        pytest.param({"earliest_time": 600}, 1, [(20, "10:00"), (22, "10:00"), (19, "10:00")], id="at the wished time"),
        pytest.param({"closed": everything_but(0, 21, 22)}, 1, [(22, "09:00"), (21, "09:30"), (21, "10:00")],
                     id="other times where days are few"),
        pytest.param({"closed": everything_but(0, 21), "hours": ("09:00", "10:30")}, 1, [(21, "09:30")], id="fewer"),
        pytest.param({"first": (0, 0, 0), "closed": range(14, 29)}, 1, [], id="none"),
        pytest.param({"pinned": {2: pin(21)}}, 1, [(20, "09:00"), (19, "09:00"), (18, "09:00")],
                     id="not past a later pinned session"),
        pytest.param({"weekdays": {0}, "only": True}, 1, [(14, "09:00"), (28, "09:00"), (21, "09:30")],
                     id="when the patient can come"),
    ],
)  # fmt: skip
def test_alternatives(given, index, expected):
    asked = request(**given)

    found = alternatives(asked, plan(asked), index)

    assert [((c.day - MONDAY).days, f"{datetime.fromtimestamp(c.start * 60, UTC):%H:%M}") for c in found] == expected


def test_alternatives_keep_the_practitioner_before():
    asked = request(ann=[0])

    assert {choice.practitioner for choice in alternatives(asked, plan(asked), 1)} == {"Bob"}


def test_as_many_alternatives_as_asked_for():
    asked = request()

    assert len(alternatives(asked, plan(asked), 1, count=5)) == 5


def test_an_alternative_can_be_pinned_and_the_later_ones_follow():
    asked = request()
    planned = plan(asked)
    chosen = alternatives(asked, planned, 1)[1]

    again = plan(request(pinned={0: planned.sessions[0].choice, 1: chosen}))

    assert days(again) == [0, 22, 43]


FRIDAY_BEFORE_SPRING = date(2026, 3, 27)
FRIDAY_BEFORE_AUTUMN = date(2026, 10, 23)
BERLIN = ZoneInfo("Europe/Berlin")

# When a day opens, and for how many minutes.
OPENINGS = [((540, 60),), ((540, 90),), ((540, 120),), ((60, 120),), ((540, 40), (600, 60)), ((543, 64),), ()]
VISITS = [
    [(30, True, True, None)],
    [(30, True, True, "pen")],
    [(15, False, True, None), (30, True, True, "pen"), (15, False, True, None)],
    [(15, True, False, None), (15, False, True, None), (15, True, False, "laser")],
    [(30, False, True, "pen")],
]


def case_of(seed):
    """A small diary and a short series. Left to hypothesis's own draws, nearly all of them would be full or empty."""
    random = Random(seed)
    start = random.choice([FRIDAY_BEFORE_SPRING, FRIDAY_BEFORE_AUTUMN])
    horizon = [start + day * DAY for day in range(random.randint(5, 14))]
    crowded = random.choice([0, 1, 3, 8])

    def instant(day, minutes):
        midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
        return midnight + minutes * oracle.MINUTE

    def stretch():
        start = instant(random.choice(horizon), random.choice([0, 60, 500, 540, 555, 563, 570, 600]))
        return start, start + random.choice([15, 30, 33, 60, 90, 1440]) * oracle.MINUTE

    def someone(name, working=None):
        return oracle.Someone(name, [stretch() for _ in range(random.randint(0, crowded))], working)

    def working():
        days = [day for day in horizon if random.random() < 0.8]
        return random.choice([None, [(instant(day, 0), instant(day, 615)) for day in days]])

    sessions = random.choice([1, 2, 2, 3, 3])
    low, width = random.randint(1, 4), random.randint(0, 4 if sessions == 3 else 6)
    opens = start + random.choice([0, 0, 0, 1, 2, -3]) * DAY
    ideal = opens + random.randint(0, 2) * DAY
    pinned = {}
    if random.random() < 0.3:
        day = start + random.randint(-1, 9) * DAY
        practitioner = random.choice(["Ann", "Bob", "Zoe", None])
        pinned[random.randrange(sessions)] = (day, instant(day, 540), practitioner, "room 1", ())
    return oracle.Case(
        zone=BERLIN,
        opening={
            day: [(instant(day, opens), instant(day, opens + minutes)) for opens, minutes in random.choice(OPENINGS)]
            for day in horizon
        },
        practitioners=[someone(name, working()) for name in random.choice([["Ann"], ["Ann", "Bob"], ["Ann", "Bob"]])],
        rooms=[someone(name) for name in random.choice([["room 1"], ["room 1", "room 2"]])],
        devices={
            "pen": [someone(name) for name in random.choice([["pen 1"], ["pen 1", "pen 2"]])],
            "laser": [someone(name) for name in random.choice([["laser 1"], ["laser 1"], []])],
        },
        patient=someone("patient"),
        first=Window(opens, ideal, ideal + random.randint(0, 2) * DAY),
        spacing=(low, low + random.randint(0, width), low + width),
        unit=random.choice(["day", "week"]),
        visits=[random.choice(VISITS) for _ in range(sessions)],
        step=random.choice([15, 30]),
        wished_practitioner=random.choice([None, "Ann", "Bob", "Zoe"]),
        weekdays=frozenset(random.sample(range(7), random.choice([0, 0, 2, 3, 5]))),
        earliest_time=random.choice([None, None, 120, 555, 570]),
        latest_time=random.choice([None, None, 150, 570, 600]),
        only=random.random() < 0.25,
        pinned=pinned,
    )


cases = st.builds(case_of, st.integers(0, 2**40))


def asked_of_the_planner(case):
    """The same case in the planner's terms."""

    def minutes(moment):
        return int(moment.timestamp()) // 60

    def stretches(pairs):
        return spans([minutes(start) for start, _ in pairs], [minutes(end) for _, end in pairs])

    def resource(someone):
        working = None if someone.working is None else stretches(someone.working)
        return Resource(someone.name, stretches(someone.busy), working)

    def offset(day, hour):
        return int(datetime(day.year, day.month, day.day, hour, tzinfo=case.zone).utcoffset().total_seconds()) // 60

    def local_day(day):
        before, after = offset(day, 0), offset(day, 12)
        change = None if before == after else (at(day, "01:00"), after)
        return Day(day, tuple((minutes(a), minutes(b)) for a, b in case.opening[day]), before, change)

    return Request(
        first=case.first,
        window_after=case.window_after,
        unit=case.unit,
        visits=tuple(tuple(Stretch(*stretch) for stretch in visit) for visit in case.visits),
        diary=Diary(
            tuple(map(local_day, case.opening)),
            tuple(map(resource, case.practitioners)),
            tuple(map(resource, case.rooms)),
            {kind: tuple(map(resource, some)) for kind, some in case.devices.items()},
            resource(case.patient),
        ),
        wishes=Wishes(case.wished_practitioner, case.weekdays, case.earliest_time, case.latest_time, case.only),
        pinned={i: Choice(day, minutes(start), *rest) for i, (day, start, *rest) in case.pinned.items()},
        step=case.step,
    )


@settings(max_examples=500)
@given(cases)
def test_no_other_plan_is_better(case):
    planned = plan(asked_of_the_planner(case)).sessions

    best = oracle.best_plan(case)

    def told(offer):
        return offer and Choice(
            offer.day, int(offer.start.timestamp()) // 60, offer.practitioner, offer.room, offer.devices
        )

    assert [(session.window, session.choice) for session in planned] == [
        (window, told(offer)) for window, offer in best
    ]
    assert [session.reason for session in planned] == [
        "" if offer else oracle.reason(case, i, window) for i, (window, offer) in enumerate(best)
    ]
    assert [session.outside for session in planned] == [
        i in case.pinned and offer.day not in window for i, (window, offer) in enumerate(best)
    ]


@settings(max_examples=50)
@given(cases)
def test_the_same_request_gives_the_same_plan(case):
    assert plan(asked_of_the_planner(case)) == plan(asked_of_the_planner(case))


@settings(max_examples=50)
@given(cases, st.integers(0, 2))
def test_alternatives_are_free_and_inside_the_window(case, index):
    asked = asked_of_the_planner(case)
    planned = plan(asked)
    index = min(index, len(planned.sessions) - 1)
    session = planned.sessions[index]

    found = alternatives(asked, planned, index)

    free = {(offer.day, int(offer.start.timestamp()) // 60, offer.practitioner)
            for day in case.opening for offer in oracle.offers(case, case.visits[index], day)}  # fmt: skip
    assert all((choice.day, choice.start, choice.practitioner) in free for choice in found)
    assert all(choice.day in session.window for choice in found)
    assert len({choice.start for choice in found} - {session.choice and session.choice.start}) == len(found)
