"""The life of a series and its maintenance."""

from datetime import date

import pytest
from django.utils import timezone

from tests.world import NOW, a_clinic
from treatments.models import Maintenance, MaintenanceState, SeriesState, SessionState
from treatments.services import maintenance as cycles
from treatments.services import series as courses
from treatments.services.maintenance import MaintenanceNotPossible
from treatments.services.series import SeriesNotPossible, SessionNotRecordable
from treatments.terms import Spacing

pytestmark = pytest.mark.django_db

LAST_DAY = date(2026, 5, 30)


def attend_all(world, series, days=(date(2026, 3, 3), date(2026, 4, 7), LAST_DAY)):
    for session, day in zip(series.sessions.all(), days, strict=True):
        series = courses.attend(session=session, on=day, by=world.desk, now=NOW)
    return series


def test_starting_plans_every_session_and_keeps_the_terms(world):
    series = world.a_series()

    assert [(s.number, s.state) for s in series.sessions.all()] == [(1, "planned"), (2, "planned"), (3, "planned")]
    assert series.terms.spacing == Spacing(4, 5, 6, "week")
    assert series.protocol_version == world.protocol.version


def test_a_change_of_the_protocol_leaves_a_running_series_as_it_was(world):
    series = world.a_series()
    world.protocol.spacing_max = 8
    world.protocol.save()

    series.refresh_from_db()

    assert series.terms.spacing.max == 6
    assert world.a_series().terms.spacing.max == 8


@pytest.mark.parametrize(
    ("change", "choice", "words", "field"),
    [
        pytest.param({"status": "draft"}, {}, "not published", "protocol", id="draft"),
        pytest.param({"status": "retired"}, {}, "not published", "protocol", id="retired"),
        pytest.param(
            {"session_kind": "unknown", "session_min": None, "session_max": None},
            {},
            "how many sessions",
            "count",
            id="number of sessions not said",
        ),
        pytest.param({}, {"count": 9}, "who decided", "decision_note", id="another number without a note"),
        pytest.param({}, {"count": 61, "decision_note": "Dr B"}, "between 1 and 60", "count", id="too many"),
        pytest.param(
            {"spacing_min": None, "spacing_ideal": None, "spacing_max": None, "spacing_unit": ""},
            {},
            "how far apart",
            "spacing",
            id="spacing not said",
        ),
        pytest.param(
            {"spacing_min": None, "spacing_ideal": None, "spacing_max": None, "spacing_unit": ""},
            {"spacing": Spacing(4, None, 6, "week")},
            "who decided",
            "decision_note",
            id="spacing decided without a note",
        ),
    ],
)
def test_a_series_that_cannot_be_is_refused_in_words(world, change, choice, words, field):
    for name, value in change.items():
        setattr(world.protocol, name, value)
    world.protocol.save()

    with pytest.raises(SeriesNotPossible, match=words) as refusal:
        world.a_series(**choice)

    assert refusal.value.field == field


def test_the_clinicians_spacing_is_kept_in_the_terms(world):
    world.protocol.spacing_min = world.protocol.spacing_ideal = world.protocol.spacing_max = None
    world.protocol.spacing_unit = ""
    world.protocol.save()

    series = world.a_series(spacing=Spacing(3, None, 4, "week"), decision_note="Dr Bello")

    assert series.terms.spacing == Spacing(3, None, 4, "week")


def test_the_last_session_completes_the_series_on_the_day_it_was_attended(world):
    series = attend_all(world, world.a_series())

    assert series.state == SeriesState.COMPLETED
    assert series.completed_on == LAST_DAY


def test_maintenance_is_counted_from_the_series_complete_date_and_clamped(world):
    series = attend_all(world, world.a_series(), days=(date(2026, 3, 3), date(2026, 4, 7), date(2026, 8, 31)))

    cycle = series.maintenance.get()

    assert (cycle.state, cycle.cycle, cycle.due_from) == ("scheduled", 1, date(2027, 2, 28))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(({"kind": "individual"},), [("waiting", None)], id="the clinician decides: a to-do"),
        pytest.param(({"kind": "none"},), [], id="none: nothing"),
        pytest.param(({"kind": "home_care", "text": "cream"},), [], id="care at home: nothing to book"),
        pytest.param(({"kind": "every", "unit": "month"},), [("waiting", None)], id="every few months: to be decided"),
        pytest.param(
            ({"kind": "per_year", "times_per_year": 2, "at_least": True},),
            [("scheduled", date(2026, 11, 30))],
            id="twice a year",
        ),
        pytest.param(
            ({"kind": "every", "min": 6, "max": 12, "unit": "month"}, {"kind": "individual"}),
            [("scheduled", date(2026, 11, 30)), ("waiting", None)],
            id="several rules, several cycles",
        ),
        pytest.param((), [], id="no rule"),
    ],
)
def test_what_opens_with_the_end_of_a_series(rules, expected, db):
    world = a_clinic(maintenance=rules)

    series = attend_all(world, world.a_series())

    assert [(c.state, c.due_from) for c in series.maintenance.order_by("rule")] == expected


def test_a_session_is_recorded_once(world):
    series = world.a_series()
    session = series.sessions.first()
    courses.attend(session=session, on=LAST_DAY, by=world.desk, now=NOW)

    with pytest.raises(SessionNotRecordable, match="already recorded"):
        courses.attend(session=session, on=LAST_DAY, by=world.desk, now=NOW)


def test_undoing_the_last_session_reopens_the_series_and_withdraws_its_maintenance(world):
    series = attend_all(world, world.a_series())

    courses.undo(session=series.sessions.last(), by=world.desk, now=NOW)

    series.refresh_from_db()
    assert (series.state, series.completed_on) == (SeriesState.ACTIVE, None)
    assert series.maintenance.get().state == MaintenanceState.WITHDRAWN


def test_attending_again_after_an_undo_brings_the_cycle_back_on_the_new_day(world):
    series = attend_all(world, world.a_series())
    courses.undo(session=series.sessions.last(), by=world.desk, now=NOW)

    courses.attend(session=series.sessions.last(), on=date(2026, 6, 10), by=world.desk, now=NOW)

    cycle = series.maintenance.get()
    assert (cycle.state, cycle.due_from) == ("scheduled", date(2026, 12, 10))


def test_undoing_is_refused_once_a_maintenance_visit_is_booked(world):
    series = attend_all(world, world.a_series())
    cycles.mark_booked(cycle=series.maintenance.get())

    with pytest.raises(MaintenanceNotPossible, match="Cancel that visit first"):
        courses.undo(session=series.sessions.last(), by=world.desk, now=NOW)

    assert series.sessions.last().state == SessionState.ATTENDED


def test_an_open_ended_series_is_complete_only_when_the_clinician_says_so(world):
    world.protocol.session_kind, world.protocol.session_min, world.protocol.session_max = "open_ended", None, None
    world.protocol.save()
    series = attend_all(world, world.a_series(count=3, decision_note="Dr Bello"))
    assert series.state == SeriesState.ACTIVE

    series = courses.complete(series=series, by=world.desk, now=NOW)

    assert (series.state, series.completed_on) == (SeriesState.COMPLETED, LAST_DAY)
    assert series.maintenance.count() == 1


def test_a_forfeited_last_session_completes_the_series_on_the_last_day_attended(world):
    series = world.a_series()
    first, second, third = series.sessions.all()
    courses.attend(session=first, on=date(2026, 3, 3), by=world.desk, now=NOW)
    courses.attend(session=second, on=date(2026, 4, 7), by=world.desk, now=NOW)

    series = courses.skip(session=third, reason="forfeited", by=world.desk, now=NOW)

    assert series.completed_on == date(2026, 4, 7)


def test_a_stopped_series_records_nothing_more_and_opens_no_maintenance(world):
    series = world.a_series()
    courses.stop(series=series, reason="moved away", by=world.desk, now=NOW)

    with pytest.raises(SessionNotRecordable, match="stopped"):
        courses.attend(session=series.sessions.first(), on=LAST_DAY, by=world.desk, now=NOW)
    assert not Maintenance.objects.exists()


def a_cycle(world):
    return attend_all(world, world.a_series()).maintenance.get()


def test_attending_a_cycle_opens_the_next_counted_from_that_day(world):
    cycle = a_cycle(world)
    cycles.mark_booked(cycle=cycle)

    following = cycles.attend(cycle=cycle, on=date(2026, 12, 15), by=world.desk, now=NOW)

    assert (following.cycle, following.due_from) == (2, date(2027, 6, 15))


def test_what_the_clinician_overrides_is_never_calculated_again(world):
    cycle = a_cycle(world)
    cycles.override(cycle=cycle, due_on=date(2026, 9, 1), reason="Dr Bello: skin thin", by=world.desk, now=NOW)
    courses.undo(session=cycle.series.sessions.last(), by=world.desk, now=NOW)

    courses.attend(session=cycle.series.sessions.last(), on=date(2026, 6, 10), by=world.desk, now=NOW)

    cycle.refresh_from_db()
    assert (cycle.state, cycle.due_from, cycle.due_by) == ("scheduled", date(2026, 9, 1), date(2026, 9, 1))
    assert cycle.calculated_from == date(2026, 12, 10)


def test_an_override_needs_a_reason(world):
    with pytest.raises(MaintenanceNotPossible, match="who decided"):
        cycles.override(cycle=a_cycle(world), due_on=date(2026, 9, 1), reason="", by=world.desk, now=NOW)


def test_a_cycle_that_waits_for_the_clinician_is_scheduled_by_the_decision(db):
    world = a_clinic(maintenance=({"kind": "individual"},))
    cycle = a_cycle(world)
    with pytest.raises(MaintenanceNotPossible):
        cycles.mark_booked(cycle=cycle)

    cycles.override(cycle=cycle, due_on=date(2026, 9, 1), reason="Dr Bello", by=world.desk, now=NOW)

    cycle.refresh_from_db()
    assert (cycle.state, cycle.due_from) == ("scheduled", date(2026, 9, 1))


def test_deferring_and_declining_leave_nothing_due(world):
    cycle = cycles.defer(cycle=a_cycle(world), until=date(2027, 1, 1), reason="abroad")
    assert not Maintenance.objects.due(today=date(2027, 6, 1)).exists()

    cycle = cycles.decline(cycle=cycle, reason="content", by=world.desk, now=NOW)

    assert (cycle.state, cycle.deferred_until) == ("declined", None)
    with pytest.raises(MaintenanceNotPossible, match="declined"):
        cycles.mark_booked(cycle=cycle)


def test_undoing_a_cycles_attendance_withdraws_the_next(world):
    cycle = a_cycle(world)
    following = cycles.attend(cycle=cycle, on=date(2026, 12, 15), by=world.desk, now=NOW)

    cycle = cycles.undo_attend(cycle=cycle, by=world.desk, now=timezone.now())

    following.refresh_from_db()
    assert (cycle.state, cycle.attended_on, following.state) == ("booked", None, "withdrawn")


def test_two_series_of_a_patient_keep_maintenance_of_their_own(world):
    first, second = attend_all(world, world.a_series()), attend_all(world, world.a_series())

    cycles.decline(cycle=first.maintenance.get(), reason="content", by=world.desk, now=NOW)

    assert second.maintenance.get().state == "scheduled"
