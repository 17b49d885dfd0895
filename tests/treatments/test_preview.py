"""What terms come to, and that the planner then does exactly that."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic import planning
from clinic.availability import DAY_MINUTES, EPOCH, NEVER, Day, Diary, Resource, Stretch
from clinic.planning import Request
from treatments import rules
from treatments.preview import MOST_CYCLES, preview
from treatments.rules import Due, Window
from treatments.terms import CareInstruction, MaintenanceRule, Milestone, Phase, SessionCount, Spacing, Terms

START = date(2026, 3, 2)
NUMBING = Phase("Numbing", 30, practitioner=False, room=True, numbing=True)
NEEDLING = Phase("Needling", 45, practitioner=True, room=True)


def terms(sessions=3, spacing=None, **values):
    return Terms(
        treatment="Microneedling",
        sessions=SessionCount("fixed", sessions, sessions) if isinstance(sessions, int) else sessions,
        spacing=spacing or Spacing(4, 5, 6, "week"),
        **values,
    )


def open_diary(first: date, last: date) -> Diary:
    """Everything is free, all day, each day."""
    days = [date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1)]

    def opening(day: date) -> tuple[tuple[int, int], ...]:
        midnight = (day.toordinal() - EPOCH) * DAY_MINUTES
        return ((midnight + 9 * 60, midnight + 17 * 60),)

    always = [(opening(days[0])[0][0], opening(days[-1])[0][1])]
    working = type(NEVER)([always[0][0]], [always[0][1]])
    return Diary(
        days=tuple(Day(day, opening(day)) for day in days),
        practitioners=(Resource("Ada", busy=NEVER, working=working),),
        rooms=(Resource("Room", busy=NEVER),),
        devices={},
        patient=Resource("patient", busy=NEVER),
    )


@st.composite
def spacings(draw) -> Spacing:
    unit = draw(st.sampled_from(["day", "week", "month"]))
    most_of = {"day": 60, "week": 9, "month": 2}[unit]
    least = draw(st.integers(1, most_of))
    most = draw(st.integers(least, most_of))
    ideal = draw(st.none() | st.integers(least, most))
    return Spacing(least, ideal, most, unit, draw(st.none() | st.integers(0, 5)))


@given(spacing=spacings(), sessions=st.integers(1, 6), start=st.dates(date(2026, 1, 1), date(2032, 12, 31)))
def test_where_nothing_is_in_the_way_the_planner_does_what_the_preview_shows(spacing, sessions, start):
    seen = preview(terms(sessions, spacing), start)
    plan = planning.plan(
        Request(
            first=Window(start, start, start + timedelta(days=27)),
            window_after=lambda day: rules.window_after(spacing, day),
            unit=spacing.unit,
            visits=((Stretch(45, True, True),),) * sessions,
            diary=open_diary(start, max(seen.windows[-1].latest, start + timedelta(days=27))),
        )
    )

    assert [session.choice.day for session in plan.sessions] == [window.ideal for window in seen.windows]
    assert [session.window for session in plan.sessions[1:]] == list(seen.windows[1:])
    assert seen.completed_on == plan.sessions[-1].choice.day


@pytest.mark.parametrize(
    ("sessions", "count", "shown"),
    [
        pytest.param(SessionCount("fixed", 6, 6), 6, 6, id="fixed"),
        pytest.param(SessionCount("range", 4, 6), 4, 4, id="a range: the least"),
        pytest.param(SessionCount("range", 4, 6, 5), 5, 5, id="a range: the typical number"),
        pytest.param(SessionCount("words", text="a few"), None, 3, id="in words: three as an example"),
        pytest.param(SessionCount("open_ended"), None, 3, id="open-ended: three as an example"),
        pytest.param(SessionCount("unknown"), None, 3, id="not said: three as an example"),
    ],
)
def test_as_many_windows_as_the_desk_is_offered(sessions, count, shown):
    seen = preview(terms(sessions), START)

    assert (seen.count, len(seen.windows)) == (count, shown)
    assert (seen.completed_on is None) == (count is None)


def test_without_spacing_no_date_is_made_up():
    seen = preview(Terms("Microneedling", SessionCount("fixed", 3, 3)), START)

    assert seen.windows == ()
    assert seen.completed_on is None


def test_a_single_session_needs_no_spacing():
    seen = preview(Terms("Microneedling", SessionCount("fixed", 1, 1)), START)

    assert seen.windows == (Window(START, START, START),)
    assert seen.completed_on == START


@pytest.mark.parametrize(
    ("rule", "opens", "cycles"),
    [
        pytest.param(
            MaintenanceRule("every", 12, 12, "month"),
            "scheduled",
            [Due(date(year, 3, 2), date(year, 3, 2)) for year in (2027, 2028, 2029)],
            id="every year: the third year's last day included",
        ),
        pytest.param(
            MaintenanceRule("every", 15, 18, "month"),
            "scheduled",
            [Due(date(2027, 6, 2), date(2027, 9, 2)), Due(date(2028, 9, 2), date(2028, 12, 2))],
            id="from to: counted from the first day due",
        ),
        pytest.param(
            MaintenanceRule("every", None, None, "month"), "waiting", [], id="no number: the clinician decides"
        ),
        pytest.param(MaintenanceRule("individual"), "waiting", [], id="the clinician decides"),
        pytest.param(MaintenanceRule("home_care", text="serum"), None, [], id="at home"),
        pytest.param(MaintenanceRule("every", 48, 48, "month"), "scheduled", [], id="not within three years"),
    ],
)
def test_maintenance_of_three_years(rule, opens, cycles):
    (upkeep,) = preview(terms(1, maintenance=(rule,)), START).upkeep

    assert (upkeep.opens, list(upkeep.cycles)) == (opens, cycles)


def test_an_upkeep_that_goes_on_and_on_is_cut_short():
    (upkeep,) = preview(terms(1, maintenance=(MaintenanceRule("every", 1, 1, "day"),)), START).upkeep

    assert (len(upkeep.cycles), upkeep.more) == (MOST_CYCLES, True)


@pytest.mark.parametrize(
    ("anaesthesia", "minutes", "starts"),
    [
        pytest.param("topical", 75, [("Numbing", 0), ("Needling", 30)], id="numbing lengthens the visit"),
        pytest.param("none", 45, [("Needling", 0)], id="without anaesthesia"),
    ],
)
def test_a_visit_phase_by_phase(anaesthesia, minutes, starts):
    seen = preview(terms(phases=(NUMBING, NEEDLING), anaesthesia=anaesthesia), START)

    assert seen.minutes == minutes
    assert [(stay.phase.name, stay.start) for stay in seen.stays] == starts


@pytest.mark.parametrize(
    ("care", "kind", "day"),
    [
        pytest.param(
            ("before", "avoid", 7, "day", "at_least"), "from", date(2026, 2, 23), id="avoid for a week before"
        ),
        pytest.param(
            ("before", "avoid", 1, "day", "exact"), "from", date(2026, 3, 1), id="avoid from the night before"
        ),
        pytest.param(
            ("after", "avoid", 72, "hour", "at_least"), "until_at_least", date(2026, 3, 5), id="avoid for three days"
        ),
        pytest.param(("after", "avoid", 30, "hour", None), "until", date(2026, 3, 4), id="hours reach into a day"),
        pytest.param(
            ("before", "do", 2, "week", "at_least"), "by", date(2026, 2, 16), id="do two weeks before at least"
        ),
        pytest.param(("before", "ask", 1, "month", None), "by", date(2026, 2, 2), id="tell the clinic a month before"),
        pytest.param(("after", "do", 1, "day", None), "on", date(2026, 3, 3), id="do on the day after"),
        pytest.param(
            ("after", "do", 4, "week", "at_least"), "until_at_least", date(2026, 3, 30), id="do for four weeks"
        ),
        pytest.param(("after", "do", None, None, None), "undated", None, id="no time was said"),
    ],
)
def test_instructions_have_real_dates(care, kind, day):
    when, action, offset, unit, bound = care
    seen = preview(terms(care=(CareInstruction(when, action, "It", offset, unit, bound),)), START)

    (told,) = seen.before + seen.after

    assert (told.kind, told.day) == (kind, day)
    assert (told in seen.before) == (when == "before")


def test_milestones_have_real_dates():
    seen = preview(terms(milestones=(Milestone("healed", 7, 14), Milestone("final result", max_months=2))), START)

    assert [(each.first, each.last) for each in seen.seen] == [
        (date(2026, 3, 9), date(2026, 3, 16)),
        (None, date(2026, 5, 2)),
    ]
