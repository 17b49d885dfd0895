"""A course as its steps: what is done, booked, to book and due, and from which day each window counts."""

from datetime import date, timedelta

import pytest

from clinic.models import Appointment
from clinic.services import course_view
from tests.world import NOW, TODAY, a_clinic, at
from treatments.models import Maintenance, MaintenanceState, Series
from treatments.services import maintenance as upkeep
from treatments.services import series as courses

pytestmark = pytest.mark.django_db


def book(world, session=None, start="2026-03-10 10:00", **values):
    starts = at(start)
    values = {"status_at": NOW, "status_by": world.desk, "booked_at": NOW, "booked_by": world.desk} | values
    return Appointment.objects.create(
        patient=world.patient,
        site=world.site,
        treatment=world.treatment,
        session=session,
        practitioner=world.practitioners[0],
        room=world.rooms[0],
        starts_at=starts,
        ends_at=starts + timedelta(minutes=75),
        **values,
    )


def steps_of(series, today=TODAY):
    appointments = Appointment.objects.filter(patient=series.patient).select_related("site", "practitioner", "room")
    return course_view.course_steps(Series.objects.get(pk=series.pk), appointments=appointments, today=today)


def said(steps):
    return [(step.state, step.when, step.detail) for step in steps]


def sessions_of(series):
    return list(series.sessions.order_by("number"))


def test_a_course_not_begun_says_its_windows_in_words(world):
    assert said(steps_of(world.a_series())) == [
        ("to_book", "any day", ""),
        ("to_book", "4–6 weeks after the one before", ""),
        ("to_book", "4–6 weeks after the one before", ""),
        ("scheduled", "", "counted from the last session"),
    ]


def test_a_window_counts_from_what_is_booked_and_then_from_the_ideal_day(world):
    series = world.a_series()
    book(world, sessions_of(series)[0], "2026-03-10 10:00")

    steps = steps_of(series)

    assert said(steps) == [
        ("booked", "Tue 10 Mar 2026, 10:00", "Ada, Room 1"),
        ("to_book", "Tue 7 Apr – Tue 21 Apr 2026", "ideally Tue 14 Apr 2026"),
        ("to_book", "Tue 12 May – Tue 26 May 2026", "ideally Tue 19 May 2026"),
        ("scheduled", "about November 2026", "counted from the last session"),
    ]
    assert steps[0].session == sessions_of(series)[0].pk
    assert steps[0].appointment == Appointment.objects.get().pk


def test_a_window_counts_from_the_day_attended_not_from_the_day_booked(world):
    series = world.a_series()
    first, *_ = sessions_of(series)
    book(world, first, "2026-03-03 10:00", status="fulfilled")
    courses.attend(session=first, on=date(2026, 3, 10), by=world.desk, now=NOW)

    steps = steps_of(series, today=date(2026, 3, 11))

    assert said(steps[:2]) == [
        ("done", "Tue 10 Mar 2026", ""),
        ("to_book", "Tue 7 Apr – Tue 21 Apr 2026", "ideally Tue 14 Apr 2026"),
    ]


def test_a_skipped_session_does_not_count(world):
    series = world.a_series()
    first, second, _third = sessions_of(series)
    courses.attend(session=first, on=date(2026, 3, 10), by=world.desk, now=NOW)
    courses.skip(session=second, reason="on holiday", by=world.desk, now=NOW)

    assert said(steps_of(series, today=date(2026, 3, 11))[1:3]) == [
        ("skipped", "", "on holiday"),
        ("to_book", "Tue 7 Apr – Tue 21 Apr 2026", "ideally Tue 14 Apr 2026"),
    ]


@pytest.mark.parametrize(
    ("today", "detail"),
    [
        pytest.param(date(2026, 4, 6), "ideally Tue 14 Apr 2026", id="before it opens"),
        pytest.param(date(2026, 4, 7), "14 days left", id="on its first day"),
        pytest.param(date(2026, 4, 20), "1 day left", id="on its last day but one"),
        pytest.param(date(2026, 4, 21), "last day today", id="on its last day"),
        pytest.param(date(2026, 4, 22), "window closed 1 day ago", id="the day after"),
        pytest.param(date(2026, 4, 23), "window closed 2 days ago", id="two days after"),
    ],
)
def test_a_session_to_book_says_how_urgent_it_is(world, today, detail):
    series = world.a_series()
    courses.attend(session=sessions_of(series)[0], on=date(2026, 3, 10), by=world.desk, now=NOW)

    assert steps_of(series, today=today)[1].detail == detail


def test_windows_after_a_missed_one_do_not_open_in_the_past(world):
    series = world.a_series()
    courses.attend(session=sessions_of(series)[0], on=date(2026, 3, 10), by=world.desk, now=NOW)

    late = date(2026, 12, 1)

    assert steps_of(series, today=late)[2].window.earliest == late + timedelta(weeks=4)


def test_a_missed_visit_is_to_book_again_and_says_so(world):
    series = world.a_series()
    book(world, sessions_of(series)[0], "2026-02-24 10:00", status="no_show")

    assert said(steps_of(series)[:1]) == [("to_book", "any day", "did not come on Tue 24 Feb 2026")]


def test_a_cancelled_visit_says_nothing_and_the_live_one_counts(world):
    series = world.a_series()
    first = sessions_of(series)[0]
    book(world, first, "2026-03-12 10:00")
    book(world, first, "2026-03-17 10:00", status="cancelled", cancel_reason="ill")

    assert steps_of(series)[0].when == "Thu 12 Mar 2026, 10:00"


def test_a_visit_outside_its_window_says_so(world):
    series = world.a_series()
    first, second, _third = sessions_of(series)
    book(world, first, "2026-03-10 10:00")
    book(world, second, "2026-03-24 10:00")

    assert steps_of(series)[1].detail == "outside its window, Tue 7 Apr – Tue 21 Apr 2026"


def test_a_visit_that_has_passed_waits_to_be_recorded(world):
    series = world.a_series()
    book(world, sessions_of(series)[0], "2026-02-24 10:00")

    assert steps_of(series)[0].detail == "not recorded as attended"


def test_the_day_is_that_of_the_site_not_of_utc(world):
    world.site.time_zone = "Pacific/Auckland"
    world.site.save()
    series = world.a_series()
    # 10:00 in London is 23:00 in Auckland; 12:00 is the next day.
    book(world, sessions_of(series)[0], "2026-03-10 12:00")

    step = steps_of(series)[0]

    assert (step.when, step.day) == ("Wed 11 Mar 2026, 01:00", date(2026, 3, 11))


def test_a_stopped_series_has_nothing_to_book(world):
    series = world.a_series()
    courses.stop(series=series, reason="moved away", by=world.desk, now=NOW)

    assert said(steps_of(series)) == [("skipped", "", "series stopped")] * 3


def attended_all(world, series, last=date(2026, 3, 2)):
    for session in sessions_of(series):
        on = last - timedelta(weeks=5) * (3 - session.number)
        courses.attend(session=session, on=on, by=world.desk, now=NOW)
    return Maintenance.objects.get(series=series)


@pytest.mark.parametrize(
    ("today", "state", "detail"),
    [
        pytest.param(date(2026, 9, 1), "scheduled", "", id="the day before"),
        pytest.param(date(2026, 9, 2), "due", "", id="on the day"),
        pytest.param(date(2026, 9, 3), "overdue", "1 day over", id="the day after"),
        pytest.param(date(2026, 9, 12), "overdue", "10 days over", id="ten days after"),
    ],
)
def test_maintenance_is_due_and_overdue_by_today(world, today, state, detail):
    attended_all(world, series := world.a_series())

    step = steps_of(series, today=today)[-1]

    assert (step.state, step.when, step.detail) == (state, "Wed 2 Sep 2026", detail)
    assert step.label == "Maintenance 1: Microneedling"


def test_maintenance_that_is_booked_attended_put_off_or_declined(world):
    cycle = attended_all(world, series := world.a_series())
    upkeep.defer(cycle=cycle, until=date(2026, 10, 1), reason="travels")
    assert said(steps_of(series)[-1:]) == [("deferred", "Wed 2 Sep 2026", "until Thu 1 Oct 2026")]

    upkeep.mark_booked(cycle=cycle)
    visit = book(world, start="2026-10-02 10:00", maintenance=cycle)
    assert said(steps_of(series)[-1:]) == [("booked", "Fri 2 Oct 2026, 10:00", "Ada, Room 1")]
    assert steps_of(series)[-1].appointment == visit.pk

    following = upkeep.attend(cycle=cycle, on=date(2026, 10, 2), by=world.desk, now=NOW)
    upkeep.decline(cycle=following, reason="no longer wanted", by=world.desk, now=NOW)
    assert said(steps_of(series)[-2:]) == [
        ("attended", "Fri 2 Oct 2026", ""),
        ("declined", "Fri 2 Apr 2027", "no longer wanted"),
    ]


def test_years_of_upkeep_show_the_current_cycle_and_the_one_before(world):
    cycle = attended_all(world, series := world.a_series())
    for year in range(2027, 2031):
        cycle = upkeep.attend(cycle=cycle, on=date(year, 1, 1), by=world.desk, now=NOW)

    assert [step.label for step in steps_of(series)[3:]] == [
        "Maintenance 4: Microneedling",
        "Maintenance 5: Microneedling",
    ]


def test_withdrawn_maintenance_is_not_shown(world):
    attended_all(world, series := world.a_series())
    courses.undo(session=sessions_of(series)[2], by=world.desk, now=NOW)

    assert Maintenance.objects.get().state == MaintenanceState.WITHDRAWN
    assert [step.state for step in steps_of(series)] == ["done", "done", "to_book", "scheduled"]


def test_a_decision_of_the_clinicians_is_announced_before_and_after(db):
    world = a_clinic(maintenance=({"kind": "individual"},))
    series = world.a_series()
    assert said(steps_of(series)[-1:]) == [("waiting", "the clinician decides", "after the last session")]

    attended_all(world, series)
    assert said(steps_of(series)[-1:]) == [("waiting", "the clinician decides", "")]


def test_no_maintenance_no_step(db):
    world = a_clinic(maintenance=({"kind": "none"},))

    assert [step.state for step in steps_of(world.a_series())] == ["to_book"] * 3


def test_series_under_way_come_first_then_the_latest(world):
    older, newer, stopped = (world.a_series() for _ in range(3))
    courses.stop(series=stopped, reason="moved away", by=world.desk, now=NOW)

    shown = course_view.courses(world.patient, appointments=[], now=NOW)

    assert [course.series for course in shown] == [newer, older, stopped]
