"""What no longer fits, against an oracle that asks each minute of a visit what the clocks on the wall say."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic import availability, walltime
from clinic.availability import Availability, Day, Diary, Stretch
from clinic.rota import Claim, Gone, Hours, Kept, Place, Rota, Visit, Why, misfits

LONDON = ZoneInfo("Europe/London")
# A Monday; the clocks go forward on the Sunday before.
MONDAY = date(2026, 3, 30)
NINE_TO_SIX = tuple(Hours(day, time(9), time(18)) for day in range(5))


def minute(text: str, day: date = MONDAY, zone: ZoneInfo = LONDON) -> int:
    return walltime.to_minutes(walltime.instant(day, time.fromisoformat(text), zone))


def a_rota(*, opening=NINE_TO_SIX, closures=(), **ada) -> Rota:
    ada = {"working": {"here": NINE_TO_SIX}} | ada
    return Rota({"here": Place(LONDON, opening, closures)}, {"ada": Kept("Ada", **ada), "room": Kept("Room 1")})


def whys(rota: Rota, starts: str = "10:00", ends: str = "11:00", day: date = MONDAY) -> tuple[Why, ...]:
    start, end = minute(starts, day), minute(ends, day)
    claims = [Claim("visit", "room", start, end), Claim("visit", "ada", start + 30, end)]
    return misfits(rota, [Visit("visit", "here", start, end)], claims).get("visit", ())


def gone(starts: str, ends: str, reason: str = "") -> tuple[Gone]:
    return (Gone(minute(starts), minute(ends), reason),)


@pytest.mark.parametrize(
    ("rota", "times", "expected"),
    [
        pytest.param(a_rota(), ("10:00", "11:00"), [], id="it fits"),
        pytest.param(a_rota(), ("09:00", "18:00"), [], id="from the first minute to the last"),
        pytest.param(a_rota(), ("17:30", "18:05"), [Why("hours"), Why("off", "Ada")], id="past closing"),
        pytest.param(a_rota(opening=()), ("10:00", "11:00"), [Why("hours")], id="not open on that weekday"),
        pytest.param(
            a_rota(opening=(Hours(0, time(9), time(10)), Hours(0, time(10), time(12)))),
            ("09:30", "10:30"),
            [],
            id="hours that touch are one",
        ),
        pytest.param(
            a_rota(opening=(Hours(0, time(9), time(10)), Hours(0, time(10, 5), time(12)))),
            ("09:30", "10:30"),
            [Why("hours")],
            id="through the midday break",
        ),
        pytest.param(
            a_rota(closures=gone("00:00", "23:59", "Works")),
            ("10:00", "11:00"),
            [Why("closed", "", "Works")],
            id="shut",
        ),
        pytest.param(a_rota(closures=gone("11:00", "12:00")), ("10:00", "11:00"), [], id="shut from its end on"),
        pytest.param(a_rota(closures=gone("09:00", "10:00")), ("10:00", "11:00"), [], id="shut until its start"),
        pytest.param(
            a_rota(away=gone("10:59", "12:00", "Ill")), ("10:00", "11:00"), [Why("away", "Ada", "Ill")], id="away"
        ),
        pytest.param(
            a_rota(away=gone("09:00", "10:30")), ("10:00", "11:00"), [], id="away while the numbing needs nobody"
        ),
        pytest.param(a_rota(working={}), ("10:00", "11:00"), [Why("off", "Ada")], id="never works at this site"),
        pytest.param(
            a_rota(working={}, away=gone("10:00", "11:00")),
            ("10:00", "11:00"),
            [Why("away", "Ada")],
            id="who is away is not said to be off too",
        ),
        pytest.param(a_rota(working=None), ("10:00", "11:00"), [], id="there whenever the site is open"),
        pytest.param(a_rota(in_use=False), ("10:00", "11:00"), [Why("unused", "Ada")], id="not in use any more"),
        pytest.param(
            a_rota(closures=gone("10:00", "11:00", "Works"), away=gone("10:00", "11:00", "Ill")),
            ("10:00", "11:00"),
            [Why("closed", "", "Works"), Why("away", "Ada", "Ill")],
            id="every reason, the site's first",
        ),
    ],
)
def test_why_a_visit_does_not_fit(rota, times, expected):
    assert list(whys(rota, *times)) == expected


@pytest.mark.parametrize(
    ("since", "until", "fits"),
    [
        pytest.param(MONDAY, MONDAY, True, id="on the only day"),
        pytest.param(None, MONDAY - timedelta(days=1), False, id="ended the day before"),
        pytest.param(MONDAY + timedelta(days=1), None, False, id="begins the day after"),
    ],
)
def test_working_hours_count_from_one_date_to_another(since, until, fits):
    hours = (Hours(0, time(9), time(18), since, until),)

    assert (whys(a_rota(working={"here": hours})) == ()) is fits


def test_hours_follow_the_clock_on_the_wall_through_its_changes():
    sunday = date(2026, 3, 29)
    rota = a_rota(opening=(Hours(6, time(9), time(10)),), working=None)

    assert whys(rota, "09:00", "10:00", sunday) == ()
    assert whys(rota, "08:55", "09:55", sunday) == (Why("hours"),)


def test_a_claim_of_a_visit_that_is_not_asked_about_does_not_count():
    rota = a_rota(away=gone("10:00", "11:00"))

    assert misfits(rota, [], [Claim("visit", "ada", minute("10:00"), minute("11:00"))]) == {}


# --- The oracle -----------------------------------------------------------------------------------


def clock_in(hours, moment: datetime) -> bool:
    return any(h.on(moment.date()) and h.starts <= moment.time().replace(tzinfo=None) < h.ends for h in hours)


def oracle(rota: Rota, visit: Visit, claims: list[Claim]) -> set[tuple[str, str]]:
    """Kind and name of each reason, found minute by minute."""
    place, found = rota.places[visit.site], set()

    def wall(at: int) -> datetime:
        return datetime.fromtimestamp(at * 60, UTC).astimezone(place.zone)

    minutes = range(visit.start, visit.end)
    if any(one.start <= at < one.end for at in minutes for one in place.closures):
        found.add(("closed", ""))
    elif not all(clock_in(place.opening, wall(at)) for at in minutes):
        found.add(("hours", ""))
    for claim in claims:
        kept, minutes = rota.resources[claim.resource], range(claim.start, claim.end)
        mine = set()
        if not kept.in_use:
            mine.add(("unused", kept.name))
        if any(one.start <= at < one.end for at in minutes for one in kept.away):
            mine.add(("away", kept.name))
        works = kept.working is None or all(clock_in(kept.working.get(visit.site, ()), wall(at)) for at in minutes)
        if not mine and not works:
            mine.add(("off", kept.name))
        found |= mine
    return found


ZONES = [LONDON, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]
CLOCKS = [time(), time(6), time(8, 30), time(9), time(12), time(13), time(17), time(18), time(23, 55)]
FIRST = date(2026, 3, 26)


@st.composite
def some_hours(draw):
    starts, ends = draw(st.tuples(st.sampled_from(CLOCKS), st.sampled_from(CLOCKS)).filter(lambda c: c[0] < c[1]))
    days = st.none() | st.integers(0, 6).map(lambda n: FIRST + timedelta(days=n))
    return Hours(draw(st.integers(0, 6)), starts, ends, draw(days), draw(days))


@st.composite
def some_gone(draw):
    start = walltime.to_minutes(walltime.midnight(FIRST, LONDON)) + draw(st.integers(-200, 1500)) * 5
    return Gone(start, start + draw(st.integers(1, 600)) * 5)


@st.composite
def scenes(draw):
    zone = draw(st.sampled_from(ZONES))
    many = st.lists(some_hours(), max_size=6).map(tuple)
    wide = st.just(tuple(Hours(day, time(6), time(23, 55)) for day in range(7)))
    away = st.lists(some_gone(), max_size=2).map(tuple)
    opening = draw(many | wide)
    place = Place(zone, tuple(Hours(h.weekday, h.starts, h.ends) for h in opening), draw(away))
    working = draw(st.none() | many.map(lambda hours: {"here": hours}) | wide.map(lambda hours: {"here": hours}))
    rota = Rota({"here": place}, {"ada": Kept("Ada", draw(st.booleans() | st.just(True)), working, draw(away))})
    start = minute("08:00", FIRST, zone) + draw(st.integers(0, 1100)) * 5
    end = start + draw(st.integers(1, 30)) * 5
    claim = draw(st.integers(0, (end - start) // 5 - 1)) * 5
    return rota, Visit("visit", "here", start, end), [Claim("visit", "ada", start + claim, end)]


@settings(max_examples=400)
@given(scenes())
def test_the_decision_is_that_of_the_oracle(scene):
    rota, visit, claims = scene

    found = misfits(rota, [visit], claims).get("visit", ())

    assert {(why.kind, why.name) for why in found} == oracle(rota, visit, claims)


@settings(max_examples=100)
@given(scenes())
def test_whatever_the_planner_offers_fits(scene):
    rota, _visit, _claims = scene
    place, ada = rota.places["here"], rota.resources["ada"]
    ada = Kept("Ada", working=ada.working or {"here": place.opening}, away=ada.away)
    rota = Rota(rota.places, {"ada": ada})
    days = [FIRST + timedelta(days=n) for n in range(5)]

    def spans(hours, day):
        return [
            (walltime.clock_minutes(day, h.starts, place.zone), walltime.clock_minutes(day, h.ends, place.zone))
            for h in hours
            if h.on(day)
        ]

    working = [span for day in days for span in spans(ada.working["here"], day)]
    who = availability.Resource(
        "ada",
        busy=availability.spans([g.start for g in ada.away], [g.end for g in ada.away]),
        working=availability.spans([s for s, _e in working], [e for _s, e in working]),
    )
    opening = tuple(Day(day, tuple(less(spans(place.opening, day), place.closures))) for day in days)
    free = Availability(Diary(days=opening, practitioners=(who,), rooms=()))
    visit = (Stretch(30, False, False), Stretch(45, True, False))
    for day in days:
        for start in free.starts(visit, day, who):
            claims = [Claim("visit", "ada", start + 30, start + 75)]
            assert misfits(rota, [Visit("visit", "here", start, start + 75)], claims) == {}


def less(opening, closures):
    for one in closures:
        opening = [
            part
            for opens, closes in opening
            for part in ((opens, min(closes, one.start)), (max(opens, one.end), closes))
            if part[0] < part[1]
        ]
    return opening
