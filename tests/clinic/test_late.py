"""Late patients: how late, whom that keeps waiting, and where the desk reads it."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from clinic import lateness
from clinic.lateness import Held
from clinic.models import Appointment
from clinic.services import booking
from tests.clinic.test_booking import a_visit, book
from tests.world import at

NINE = datetime(2026, 3, 3, 9, tzinfo=UTC)


def minute(n: int) -> datetime:
    return NINE + timedelta(minutes=n)


@pytest.mark.parametrize(
    ("came", "late"),
    [
        pytest.param(-20, 0, id="early"),
        pytest.param(0, 0, id="on time"),
        pytest.param(4, 0, id="within the grace"),
        pytest.param(5, 5, id="five minutes are late"),
        pytest.param(25, 25, id="late"),
    ],
)
def test_how_late_somebody_is(came, late):
    assert lateness.minutes_late(NINE, came_at=minute(came)) == late


def held(visit: int, resource: int, start: int, end: int) -> Held:
    return Held(visit=visit, resource=resource, starts_at=minute(start), ends_at=minute(end))


ADA, ROOM = 1, 2


@pytest.mark.parametrize(
    ("others", "late", "expected"),
    [
        pytest.param([], 20, [], id="nobody comes after"),
        pytest.param([held(8, ADA, 60, 90)], 20, [(8, ADA, 20)], id="back to back: the whole of it"),
        pytest.param([held(8, ADA, 75, 90)], 20, [(8, ADA, 5)], id="a gap swallows some of it"),
        pytest.param([held(8, ADA, 80, 90)], 20, [], id="a gap swallows all of it"),
        pytest.param([held(8, 9, 60, 90)], 20, [], id="somebody else's patient"),
        pytest.param(
            [held(8, ROOM, 60, 90), held(8, ADA, 75, 90)], 20, [(8, ROOM, 20)], id="one sentence a visit: the longest"
        ),
        pytest.param(
            [held(8, ADA, 60, 62), held(9, ADA, 62, 90)], 20, [(8, ADA, 20)], id="only the next: the rest is not known"
        ),
        pytest.param(
            [held(8, ROOM, 60, 90), held(9, ADA, 65, 90)], 20, [(8, ROOM, 20), (9, ADA, 15)], id="two visits wait"
        ),
    ],
)
def test_whom_it_keeps_waiting(others, late, expected):
    own = [held(7, ROOM, 0, 60), held(7, ADA, 30, 60)]

    found = lateness.waits(own, others, minutes=late)

    assert [(wait.visit, wait.resource, wait.minutes) for wait in found] == expected


@given(late=st.integers(5, 120), starts=st.lists(st.integers(0, 240), max_size=8, unique=True))
def test_against_the_clock_minute_by_minute(late, starts):
    """The next visit of a resource waits as many minutes as both would need it at once."""
    own = held(7, ADA, 0, 60)
    others = [held(n, ADA, start, start + 1) for n, start in enumerate(sorted(starts), start=10)]

    found = lateness.waits([own], others, minutes=late)

    following = [other for other in others if other.starts_at >= own.ends_at][:1]
    both = [sum(minute(n) >= other.starts_at for n in range(60 + late)) for other in following]
    assert [wait.minutes for wait in found] == [minutes for minutes in both if minutes]


# --- Where the desk reads it ---------------------------------------------------------------------------


@pytest.fixture
def late_and_next(world):
    """Amal at 10:00 with Ada in room 1 until 11:15; Noor at 11:15 in the same places."""
    return book(world, a_visit(world)), book(world, a_visit(world, "2026-03-03 11:15"), world.a_patient())


@pytest.fixture
def desk(client, world, db):
    client.force_login(world.desk)
    with time_machine.travel(at("2026-03-03 10:25"), tick=False):
        yield client


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/desk/", "/desk/appointments/{pk}/"])
def test_the_desk_reads_who_is_late_and_who_waits(desk, late_and_next, page):
    first, _second = late_and_next

    shown = desk.get(page.format(pk=first.pk)).content.decode()

    assert "25 min late" in shown
    assert "Noor Haddad at 11:15 may wait 25 min for Room 1." in shown


@pytest.mark.django_db
def test_arriving_says_it_once_more_and_how_late_it_was_stays(desk, late_and_next):
    first, _second = late_and_next

    said = desk.post(f"/desk/appointments/{first.pk}/arrive/", follow=True).content.decode()

    assert "Amal Osei is here, 25 min late. Noor Haddad at 11:15 may wait 25 min for Room 1." in said
    with time_machine.travel(at("2026-03-03 10:55"), tick=False):
        assert desk.get("/desk/").context["rows"][0].late.minutes == 25


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("clock", "status", "late", "unrecorded"),
    [
        pytest.param("10:04", "booked", None, False, id="within the grace"),
        pytest.param("10:30", "booked", 30, False, id="waited for"),
        pytest.param("11:15", "booked", None, True, id="over: what became of it is to be recorded"),
        pytest.param("10:30", "no_show", None, False, id="not waited for any more"),
        pytest.param("10:30", "fulfilled", None, False, id="already treated"),
        pytest.param("10:30", "cancelled", None, False, id="cancelled"),
    ],
)
def test_only_who_is_waited_for_is_late(desk, world, clock, status, late, unrecorded):
    visit = book(world, a_visit(world))
    reason = {"cancel_reason": "ill"} if status == "cancelled" else {}
    Appointment.objects.filter(pk=visit.pk).update(status=status, **reason)

    with time_machine.travel(at(f"2026-03-03 {clock}"), tick=False):
        (row,) = desk.get("/desk/").context["rows"]

    assert (row.late and row.late.minutes, row.unrecorded) == (late, unrecorded)


@pytest.mark.django_db
def test_whoever_is_on_time_keeps_nobody_waiting(desk, world, late_and_next):
    first, _second = late_and_next
    booking.arrive(appointment=first, by=world.desk, now=at("2026-03-03 09:55"))

    assert "may wait" not in desk.get("/desk/").content.decode()


@pytest.mark.django_db
def test_the_feed_of_the_diary_says_how_late(desk, late_and_next):
    visits = desk.get("/desk/diary/feed/").json()["visits"]

    assert [visit["late"] for visit in visits] == [25, 0]


@pytest.mark.django_db
def test_late_patients_cost_two_queries_however_many_they_are(desk, world, django_assert_num_queries):
    desk.get("/desk/")
    with django_assert_num_queries(10):
        desk.get("/desk/")
    book(world, a_visit(world))
    with django_assert_num_queries(13):
        desk.get("/desk/")
    book(world, a_visit(world, who=1, where=1, pen=1), world.a_patient())
    with django_assert_num_queries(13):
        desk.get("/desk/")
