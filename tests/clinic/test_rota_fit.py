"""Which booked visits do not fit the rota: found from what stands in the tables, whoever put it there."""

from datetime import date, time, timedelta

import pytest
from django.db import connection

from clinic.models import (
    Absence,
    Appointment,
    Closure,
    OpeningHours,
    Outcome,
    ReminderStep,
    Resource,
    Site,
    WorkingHours,
    WorklistNote,
)
from clinic.models.outbox import said_of
from clinic.services import booking, rota_fit
from clinic.services.worklist import RowChanged, WorklistError
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_worklist import a_cycle, a_message, note, on, rows
from tests.world import NOW, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def visit(world):
    """Tuesday 3 March at ten: numbing to half past, then with Ada in room 1 with pen 1."""
    return book(world, a_visit(world))


def away(resource, starts="2026-03-03 00:00", ends="2026-03-04 00:00", reason="Ill") -> Absence:
    return Absence.objects.create(resource=resource, starts_at=at(starts), ends_at=at(ends), reason=reason)


def reasons(*, now=NOW) -> list[str]:
    return [rota_fit.in_words(whys) for whys in rota_fit.misfits(now=now).values()]


def ada_is_ill(world):
    away(world.practitioners[0])


def the_room_is_painted(world):
    away(world.rooms[0], "2026-03-03 10:00", "2026-03-03 10:05", "")


def the_pen_is_at_the_workshop(world):
    away(world.pens[0], reason="At the workshop")


def it_is_a_holiday(world):
    Closure.objects.create(
        site=world.site, starts_at=at("2026-03-03 00:00"), ends_at=at("2026-03-04 00:00"), reason="Shrove Tuesday"
    )


def tuesdays_open_later(world):
    OpeningHours.objects.filter(weekday=1).update(opens=time(10, 5))


def ada_leaves(world):
    WorkingHours.objects.filter(resource=world.practitioners[0]).update(valid_until=date(2026, 3, 2))


def the_room_is_given_up(world):
    Resource.objects.filter(pk=world.rooms[0].pk).update(active=False)


def by_sql(world):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO clinic_absence (resource_id, starts_at, ends_at, reason) "
            "VALUES (%s, '2026-03-03 10:00+00', '2026-03-03 11:00+00', '')",
            [world.practitioners[0].pk],
        )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ada_is_ill, "Ada is away: Ill"),
        (the_room_is_painted, "Room 1 is away"),
        (the_pen_is_at_the_workshop, "Pen 1 is away: At the workshop"),
        (it_is_a_holiday, "the site is closed: Shrove Tuesday"),
        (tuesdays_open_later, "outside the opening hours"),
        (ada_leaves, "Ada does not work then"),
        (the_room_is_given_up, "Room 1 is not in use any more"),
        (by_sql, "Ada is away"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_whatever_changes_the_visit_is_on_the_list_with_the_reason(world, visit, change, expected):
    assert rows(world, "unfit") == []

    change(world)

    [row] = rows(world, "unfit")
    assert row.detail == expected
    assert (row.kind, row.key, row.when) == ("appointment", visit.pk, "Tue 3 Mar 2026, 10:00, with Ada")


@pytest.mark.parametrize(
    ("starts", "said", "next_step"),
    [
        pytest.param("2026-03-10 10:00", [], "reminder by e-mail, Sat 7 Mar", id="a week ahead"),
        pytest.param("2026-03-10 10:00", [-3], "reminder by e-mail, Mon 9 Mar", id="the first is sent"),
        pytest.param("2026-03-03 10:00", [], "reminder by e-mail, Mon 2 Mar", id="tomorrow"),
        pytest.param("2026-03-03 10:00", [-1], "none: no reminder is left", id="tomorrow, and it is sent"),
    ],
)
def test_it_is_booked_still_and_so_reminded_of(world, starts, said, next_step):
    ReminderStep.objects.exclude(subject="appointment").delete()
    for days in (-3, -1):
        ReminderStep.objects.get_or_create(subject="appointment", offset_days=days, defaults={"stale_after_days": 1})
    visit = book(world, a_visit(world, starts))
    for step in ReminderStep.objects.filter(offset_days__in=said):
        about = {"step": step, "appointment": visit, "counts_from": said_of(visit.starts_at)}
        a_message(world, kind="visit_reminder", state="sent", reason="", **about)
    away(world.practitioners[0], ends="2026-04-01 00:00")

    [row] = rows(world, "unfit")

    assert row.next_step == next_step


def test_taken_back_it_is_off_the_list_again(world, visit):
    absence = away(world.practitioners[0])
    assert reasons()

    absence.delete()

    assert reasons() == []


@pytest.mark.parametrize(
    "done",
    [
        pytest.param(
            lambda world, visit: booking.cancel(appointment=visit, reason="x", by=world.desk, now=NOW), id="no"
        ),
        pytest.param(
            lambda world, visit: booking.arrive(appointment=visit, by=world.desk, now=at("2026-03-03 09:50")), id="here"
        ),
        pytest.param(lambda world, visit: Absence.objects.update(ends_at=at("2026-03-03 10:30")), id="back in time"),
    ],
)
def test_only_what_is_booked_and_does_not_fit_stands_there(world, visit, done):
    away(world.practitioners[0])

    done(world, visit)

    assert rows(world, "unfit") == []


def test_what_has_begun_is_left_alone(world, visit):
    away(world.practitioners[0])

    assert reasons(now=at("2026-03-03 10:00")) == ["Ada is away: Ill"]
    assert reasons(now=at("2026-03-03 10:01")) == []


def test_a_row_says_which_session_or_cycle_it_is_and_how_soon(world):
    series, cycle = world.a_series(), a_cycle(world, world.a_patient())
    book(world, a_visit(world, session=series.sessions.get(number=1)))
    book(world, a_visit(world, "2026-03-10 10:00", maintenance=cycle), cycle.series.patient)
    away(world.practitioners[0], ends="2026-04-01 00:00")

    first, second = rows(world, "unfit")

    assert (first.what, first.left, first.urgent) == ("Microneedling, session 1 of 3", "in 1 day", True)
    assert (second.what, second.left, second.urgent) == ("Microneedling, maintenance 1", "in 8 days", False)


def test_it_stands_at_the_site_of_the_visit_though_the_patient_was_elsewhere_since(world, visit):
    other = Site.objects.create(name="Hill Clinic", short_name="Hill", time_zone="Europe/London", country="GB")
    book(world, a_visit(world, "2026-03-05 10:00"))
    Appointment.objects.exclude(pk=visit.pk).update(site=other)
    away(world.practitioners[0])

    assert [row.key for row in rows(world, "unfit", site=world.site)] == [visit.pk]
    assert visit.pk not in [row.key for row in rows(world, "unfit", site=other)]


def test_a_call_lets_the_row_rest(world, visit):
    away(world.practitioners[0])

    note(world, on("appointment", visit), Outcome.NO_ANSWER)

    assert rows(world, "unfit") == []
    assert [row.key for row in rows(world, "unfit", now=NOW + timedelta(days=1, hours=1))] == []
    assert WorklistNote.objects.get().hidden_until == at("2026-03-04 00:00")


def test_a_visit_that_fits_by_now_needs_no_call(world, visit):
    with pytest.raises(RowChanged, match="it is booked, and fits"):
        note(world, on("appointment", visit))


def test_a_booked_visit_is_cancelled_and_not_declined(world, visit):
    away(world.practitioners[0])

    with pytest.raises(WorklistError, match="Cancel it"):
        note(world, on("appointment", visit), Outcome.DECLINED, text="no")


@pytest.mark.parametrize("many", [1, 6])
def test_it_takes_eight_queries_whatever_is_booked_and_away(world, many, django_assert_num_queries):
    for day in [10, 11, 12, 13, 16, 17][:many]:
        book(world, a_visit(world, f"2026-03-{day} 10:00"), world.a_patient())
        away(world.practitioners[0], f"2026-03-{day} 00:00", f"2026-03-{day + 1} 00:00")
        away(world.rooms[0], f"2026-03-{day} 00:00", f"2026-03-{day + 1} 00:00")

    with django_assert_num_queries(8):
        assert len(rota_fit.misfits(now=NOW)) == many
