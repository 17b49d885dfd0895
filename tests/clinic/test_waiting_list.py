"""The waiting list: a wish is noted and ends, what becomes free is noted by the database, and the desk gives it."""

from datetime import date, time, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from clinic import walltime
from clinic.models import Absence, Closure, EarlierWish, FreedTime, WishClosed
from clinic.services import booking, undo, waiting
from clinic.services.booking import NotBookable, TimeTaken
from clinic.services.waiting import NotWaiting
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at

pytestmark = pytest.mark.django_db

SOON, LATER = "2026-03-05 10:00", "2026-03-12 14:00"


def a_wish(world, visit, **values) -> EarlierWish:
    return waiting.note(appointment=visit, by=world.desk, now=values.pop("now", NOW), **values)


def close_the_diary(world) -> None:
    """Both practitioners are away until the day of the visits that wait, so that nothing else is free."""
    Absence.objects.bulk_create(
        Absence(resource=who, starts_at=at("2026-03-02 00:00"), ends_at=at("2026-03-12 00:00"))
        for who in world.practitioners
    )


def cancel(world, visit) -> None:
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)


def could(world, *, now=NOW, visit=None) -> list[tuple[str, list[str]]]:
    """Whom what became free would suit, and when."""
    zone = world.site.time_zone
    found = waiting.could_have(waiting.waiting_list(now=now), now=now, visit=visit)
    return [
        (
            one.wish.appointment.patient.given_name,
            [f"{walltime.from_minutes(o.start).astimezone(zone):%m-%d %H:%M}" for o in one.openings],
        )
        for one in found
    ]


@pytest.fixture
def soon(world):
    """A visit on Thursday that may be cancelled."""
    return book(world, a_visit(world, SOON))


@pytest.fixture
def visit(world):
    """A visit a week later, whose patient would rather come sooner."""
    return book(world, a_visit(world, LATER), world.a_patient())


# --- The wish ---------------------------------------------------------------------------------------


def test_a_wish_waits_until_it_is_withdrawn(world, visit):
    wish = a_wish(world, visit)

    assert waiting.wish_for(visit, now=NOW) == wish
    assert (wish.noted_by, wish.noted_at) == (world.desk, NOW)

    waiting.withdraw(appointment=visit, by=world.manager, now=NOW, reason=WishClosed.BY_DESK)

    wish.refresh_from_db()
    assert waiting.wish_for(visit, now=NOW) is None
    assert (wish.closed_reason, wish.closed_by) == ("desk", world.manager)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda world, visit: cancel(world, visit), id="cancelled"),
        pytest.param(
            lambda world, visit: booking.move(
                appointment=visit, visit=a_visit(world, "2026-03-11 14:00"), by=world.desk, now=NOW
            ),
            id="moved earlier",
        ),
    ],
)
def test_a_wish_ends_with_its_visit_and_waits_again_when_that_is_undone(world, visit, end):
    a_wish(world, visit)
    end(world, visit)

    assert waiting.waiting_list(now=NOW) == []

    undo.undo(appointment=visit, by=world.desk, now=NOW)

    assert len(waiting.waiting_list(now=NOW)) == 1


def test_a_wish_outlives_a_move_to_a_later_day(world, visit):
    a_wish(world, visit)
    booking.move(appointment=visit, visit=a_visit(world, "2026-03-13 14:00"), by=world.desk, now=NOW)

    assert len(waiting.waiting_list(now=NOW)) == 1


def test_a_wish_is_over_once_the_visit_has_begun(world, visit):
    a_wish(world, visit)

    assert waiting.waiting_list(now=at(LATER)) == []
    with pytest.raises(NotWaiting):
        a_wish(world, visit, now=at(LATER))


def test_a_changed_wish_keeps_its_place_and_one_that_was_over_begins_anew(world, visit):
    a_wish(world, visit)
    tomorrow = NOW + timedelta(days=1)

    changed = a_wish(world, visit, now=tomorrow, weekdays=[1, 3])

    assert (changed.waiting_since, changed.weekdays) == (NOW, [1, 3])
    booking.move(appointment=visit, visit=a_visit(world, "2026-03-11 14:00"), by=world.desk, now=tomorrow)
    visit.refresh_from_db()
    assert a_wish(world, visit, now=tomorrow).waiting_since == tomorrow
    assert [w.closed_reason for w in EarlierWish.objects.order_by("pk")] == ["changed", "changed", ""]


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        pytest.param({"closed_at": NOW}, "earlier_wish_closing_recorded", id="closed by nobody"),
        pytest.param({"closed_reason": "desk"}, "earlier_wish_closing_recorded", id="a reason, not closed"),
        pytest.param({"weekdays": [7]}, "earlier_wish_weekdays_known", id="an eighth day of the week"),
        pytest.param(
            {"earliest_time": "12:00", "latest_time": "11:00"}, "earlier_wish_times_in_order", id="noon to eleven"
        ),
        pytest.param({"notice_hours": 337}, "earlier_wish_notice_possible", id="notice beyond two weeks"),
        pytest.param({"waiting_since": NOW + timedelta(1)}, "earlier_wish_waits_since_it_was_noted", id="not yet"),
    ],
)
def test_the_database_refuses_a_wish_that_cannot_be(world, visit, change, constraint):
    wish = a_wish(world, visit)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        EarlierWish.objects.filter(pk=wish.pk).update(**change)


def test_the_database_keeps_one_open_wish_a_visit(world, visit):
    wish = a_wish(world, visit)
    wish.pk = None

    with pytest.raises(IntegrityError, match="earlier_wish_one_open_a_visit"), transaction.atomic():
        wish.save()


# --- What becomes free --------------------------------------------------------------------------------


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "free",
    [
        pytest.param(cancel, id="cancelled"),
        pytest.param(
            lambda world, soon: booking.move(
                appointment=soon, visit=a_visit(world, "2026-03-20 10:00"), by=world.desk, now=NOW
            ),
            id="moved",
        ),
        pytest.param(lambda world, soon: run("DELETE FROM clinic_claim"), id="by hand in the database"),
    ],
)
def test_whatever_path_frees_a_time_it_is_noted_with_who_and_what(world, soon, free):
    assert not FreedTime.objects.exists()

    free(world, soon)

    rows = FreedTime.objects.select_related("resource")
    assert {(row.resource.name, row.starts_at, row.ends_at) for row in rows} == {
        ("Room 1", at("2026-03-05 10:00"), at("2026-03-05 11:15")),
        ("Ada", at("2026-03-05 10:30"), at("2026-03-05 11:15")),
        ("Pen 1", at("2026-03-05 10:30"), at("2026-03-05 11:15")),
    }


def test_a_visit_missed_today_frees_its_time(world, soon):
    booking.no_show(appointment=soon, by=world.desk, now=at("2026-03-05 10:15"))

    assert FreedTime.objects.count() == 3


def test_an_absence_that_ends_sooner_and_a_closure_that_falls_away_free_their_time(world):
    away = Absence.objects.create(
        resource=world.practitioners[0], starts_at=at("2026-03-05 09:00"), ends_at=at("2026-03-06 18:00")
    )
    Absence.objects.filter(pk=away.pk).update(ends_at=at("2026-03-05 18:00"))
    Closure.objects.create(
        site=world.site, starts_at=at("2026-03-05 09:00"), ends_at=at("2026-03-05 18:00"), reason="works"
    ).delete()

    assert set(FreedTime.objects.values_list("resource", "site")) == {
        (world.practitioners[0].pk, None),
        (None, world.site.pk),
    }


def test_who_has_absences_can_be_deleted_all_the_same(world):
    who = world.practitioners[1]
    Absence.objects.create(resource=who, starts_at=at("2026-03-05 09:00"), ends_at=at("2026-03-05 10:00"))

    who.delete()
    connection.check_constraints()

    assert FreedTime.objects.count() == 1
    assert could(world) == []


def test_the_database_refuses_freed_time_of_nobody(world):
    with pytest.raises(IntegrityError, match="freed_time_of_a_resource_or_a_site"), transaction.atomic():
        FreedTime.objects.create(starts_at=NOW, ends_at=NOW + timedelta(hours=1))


# --- Who could have it --------------------------------------------------------------------------------


def test_what_was_free_all_along_is_offered_to_nobody(world, visit):
    a_wish(world, visit)

    assert could(world) == []


def test_a_cancellation_suits_whoever_waits_and_longest_first(world, soon, visit):
    close_the_diary(world)
    other = book(world, a_visit(world, "2026-03-13 09:00"), world.a_patient("Ines"))
    a_wish(world, visit)
    a_wish(world, other, now=NOW - timedelta(days=1))
    Absence.objects.filter(resource=world.practitioners[0]).delete()
    FreedTime.objects.all().delete()
    Absence.objects.create(
        resource=world.practitioners[0], starts_at=at("2026-03-02 00:00"), ends_at=at("2026-03-05 10:30")
    )
    Absence.objects.create(
        resource=world.practitioners[0], starts_at=at("2026-03-05 11:15"), ends_at=at("2026-03-12 00:00")
    )
    cancel(world, soon)

    assert could(world) == [("Ines", ["03-05 10:00"]), ("Noor", ["03-05 10:00"])]
    assert could(world, visit=soon) == could(world)


@pytest.fixture
def freed(world, soon, visit):
    """Nothing is free before the visit that waits, but what a cancellation has just freed."""
    for who in world.practitioners:
        Absence.objects.create(resource=who, starts_at=at("2026-03-02 00:00"), ends_at=at("2026-03-05 10:30"))
        Absence.objects.create(resource=who, starts_at=at("2026-03-05 11:15"), ends_at=at("2026-03-12 00:00"))
    ben_busy = book(world, a_visit(world, SOON, who=1, where=1, pen=1), world.a_patient("Busy"))
    cancel(world, soon)
    return ben_busy


@pytest.mark.parametrize(
    ("asked", "suits"),
    [
        pytest.param({}, True, id="any time"),
        pytest.param({"weekdays": [3]}, True, id="on Thursdays"),
        pytest.param({"weekdays": [0, 1, 2, 4]}, False, id="not on Thursdays"),
        pytest.param({"notice_hours": 74}, True, id="with just enough notice"),
        pytest.param({"notice_hours": 75}, False, id="with more notice than there is"),
        pytest.param({"earliest_time": time(10)}, True, id="not before ten"),
        pytest.param({"latest_time": time(9, 45)}, False, id="before ten"),
        pytest.param({"practitioner": 0}, True, id="with Ada"),
        pytest.param({"practitioner": 1}, False, id="with Ben"),
    ],
)
def test_only_what_suits_the_wish_is_found(world, freed, visit, asked, suits):
    if "practitioner" in asked:
        asked = asked | {"practitioner": world.practitioners[asked["practitioner"]]}
    a_wish(world, visit, **asked)

    assert could(world) == ([("Noor", ["03-05 10:00"])] if suits else [])


def test_what_was_booked_again_meanwhile_is_not_found(world, freed, visit):
    a_wish(world, visit)
    book(world, a_visit(world, SOON), world.a_patient("Quick"))

    assert could(world) == []


def test_a_patient_who_has_another_visit_then_could_not_come(world, freed, visit):
    a_wish(world, visit)
    Absence.objects.all().delete()
    FreedTime.objects.filter(starts_at__lt=at("2026-03-05 10:00")).delete()
    FreedTime.objects.filter(starts_at__gte=at("2026-03-05 11:15")).delete()
    assert could(world)

    booking.end_cancelled(freed, reason="x", by=world.desk, now=NOW)
    book(world, a_visit(world, SOON, who=1, where=1, pen=1), visit.patient)

    assert could(world) == []


# --- The course -----------------------------------------------------------------------------------------


@pytest.fixture
def course(world):
    """Sessions four to six weeks apart: the first attended on 2 February, the second and third booked."""
    patient = world.a_patient("Cora")
    series = world.a_series(patient=patient)
    sessions = list(series.sessions.order_by("number"))
    world.second = book(world, a_visit(world, "2026-04-08 10:00", session=sessions[1]), patient)
    world.third = book(world, a_visit(world, "2026-05-13 10:00", session=sessions[2]), patient)
    world.first = book(world, a_visit(world, "2026-03-04 10:00", session=sessions[0]), patient)
    return series


@pytest.mark.parametrize(
    ("day", "allowed"),
    [
        pytest.param(date(2026, 3, 31), False, id="before the window of its own"),
        pytest.param(date(2026, 4, 1), True, id="on the first day of its window, and the third stays inside"),
        pytest.param(date(2026, 4, 7), True, id="well inside"),
    ],
)
def test_the_window_of_a_session_is_respected(world, course, day, allowed):
    assert waiting.allowed_days(world.second, [day], now=NOW) == ({day} if allowed else set())


def test_a_time_is_not_offered_where_a_later_session_would_break(world, course):
    """The third, on 20 May, is six weeks after 8 April to the day: the second cannot be any sooner."""
    booking.move(appointment=world.third, visit=a_visit(world, "2026-05-20 10:00"), by=world.desk, now=NOW)

    assert waiting.allowed_days(world.second, [date(2026, 4, 7)], now=NOW) == set()
    assert waiting.allowed_days(world.third, [date(2026, 5, 19), date(2026, 5, 5)], now=NOW) == {date(2026, 5, 19)}


def test_maintenance_is_never_moved_before_it_is_due(world):
    from tests.clinic.test_outbox import a_cycle

    cycle = a_cycle(world, "2026-03-10")
    held = book(world, a_visit(world, LATER, maintenance=cycle))
    held = type(held).objects.select_related("maintenance", "session").get(pk=held.pk)

    days = {date(2026, 3, 9), date(2026, 3, 10)}
    assert waiting.allowed_days(held, days, now=NOW) == {date(2026, 3, 10)}


# --- One press ------------------------------------------------------------------------------------------


def move(world, wish, start=SOON, who=0, **values):
    values = {"by": world.desk, "now": NOW, "key": uuid4()} | values
    return waiting.move(wish=wish, start=at(start), practitioner=world.practitioners[who].pk, **values)


def test_the_desk_moves_the_visit_by_one_press_and_the_wish_is_over(world, freed, visit):
    wish, key = a_wish(world, visit), uuid4()
    FreedTime.objects.all().delete()

    moved = move(world, wish, key=key)

    assert moved.starts_at == at(SOON)
    assert waiting.waiting_list(now=NOW) == []
    assert visit.messages.get(kind="change").state == "pending"
    # What the patient leaves may serve the next.
    assert FreedTime.objects.filter(starts_at=at(LATER)).exists()
    assert move(world, wish, key=key).starts_at == at(SOON)


@pytest.mark.parametrize(
    ("before", "refusal"),
    [
        pytest.param(
            lambda w, v: waiting.withdraw(appointment=v, by=w.desk, now=NOW, reason="desk"), NotWaiting, id="withdrawn"
        ),
        pytest.param(lambda w, v: book(w, a_visit(w, SOON), w.a_patient("Quick")), TimeTaken, id="taken"),
    ],
)
def test_a_press_that_comes_too_late_is_refused_and_changes_nothing(world, freed, visit, before, refusal):
    wish = a_wish(world, visit)
    before(world, visit)

    with pytest.raises(refusal):
        move(world, wish)

    visit.refresh_from_db()
    assert visit.starts_at == at(LATER)


def test_a_later_time_is_no_earlier_one(world, visit):
    with pytest.raises(NotBookable, match="not sooner"):
        move(world, a_wish(world, visit), "2026-03-13 10:00")
