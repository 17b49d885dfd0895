"""Of two who change one course at once, the second waits and decides by what the first left."""

from datetime import date
from uuid import uuid4

import pytest

from clinic.models import Appointment, Claim, Site
from clinic.services import booking, course, ripple, series_version, undo, worklist
from clinic.services.booking import NotBookable, NotChangeable
from clinic.services.course import Order
from clinic.services.worklist import WorklistError
from tests.clinic.test_booking import a_visit
from tests.clinic.test_locks import beside
from tests.clinic.test_ripple import series as booked  # noqa: F401
from tests.clinic.test_ripple import to, visit
from tests.clinic.test_series_version import change, fixed
from tests.rows import make
from tests.world import LONDON, NOW, at
from treatments.models import Series, Session
from treatments.services import protocols
from treatments.services import series as courses
from treatments.services.moving import NotMovable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def series(world) -> Series:
    """Nothing of it is booked."""
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    return world.a_series()


def cancel(world, number: int) -> None:
    booking.cancel.__wrapped__(appointment=visit(number), reason="ill", by=world.desk, now=NOW)


def stop(world) -> None:
    courses.stop(series=Series.objects.get(), reason="moved away", by=world.desk, now=NOW)


def book(world, number: int) -> Appointment:
    planned = a_visit(world, "2026-04-07 10:00", session=Session.objects.get(number=number))
    return booking.book.__wrapped__(patient=world.patient, visit=planned, by=world.desk, now=NOW, key=uuid4())


def book_rest(world, series: Series):
    order = Order(site=world.site, first_day=date(2026, 3, 3))
    order = course.settled(course.propose(course=course.rest_of(series), order=order, now=NOW))
    return lambda: course.book_rest(series=series, order=order, by=world.desk, now=NOW, key=uuid4())


def test_a_visit_cancelled_in_that_moment_is_not_moved(world, booked):  # noqa: F811
    first = visit(1)
    later = a_visit(world, "2026-03-04 10:00")

    answer, _waited = beside(
        lambda: cancel(world, 1), lambda: booking.move(appointment=first, visit=later, by=world.desk, now=NOW)
    )

    assert isinstance(answer, NotChangeable)
    first.refresh_from_db()
    assert first.status == "cancelled"


def test_a_visit_moved_in_that_moment_is_cancelled_where_it_is_now(world, booked):  # noqa: F811
    """What is read with the row that is waited for is read as it was before."""
    first, elsewhere = visit(1), make(Site, world)

    answer, _waited = beside(
        lambda: Appointment.objects.filter(pk=first.pk).update(site=elsewhere),
        lambda: booking.cancel(appointment=first, reason="ill", by=world.desk, now=NOW),
    )

    assert (answer.status, answer.site) == ("cancelled", elsewhere)


def test_a_later_visit_cancelled_in_that_moment_is_not_shifted_with_the_others(world, booked):  # noqa: F811
    first, second, later = visit(1), visit(2), to(1, "2026-03-04 10:00")

    _answer, _waited = beside(
        lambda: cancel(world, 2),
        lambda: ripple.carry_out(
            appointment=first, change=later, following="shift", by=world.desk, now=NOW, key=uuid4()
        ),
    )

    second.refresh_from_db()
    assert second.status == "cancelled"
    assert not Claim.objects.filter(appointment=second).exists()


def test_a_series_stopped_in_that_moment_is_not_booked(world, series):
    answer, _waited = beside(lambda: stop(world), book_rest(world, series))

    assert isinstance(answer, NotBookable)
    assert not Appointment.objects.exists()


def test_a_session_left_out_in_that_moment_is_not_booked(world, series):
    first = series.sessions.get(number=1)

    answer, _waited = beside(
        lambda: courses.skip(session=first, reason="ill", by=world.desk, now=NOW),
        lambda: booking.book(
            patient=world.patient, visit=a_visit(world, session=first), by=world.desk, now=NOW, key=uuid4()
        ),
    )

    assert isinstance(answer, NotBookable)
    assert not Appointment.objects.exists()


def test_a_series_booked_in_that_moment_is_not_declined(world, series):
    subject = worklist.subject("session", series.sessions.get(number=1).pk)

    answer, _waited = beside(
        lambda: book(world, 1),
        lambda: worklist.note(
            subject=subject, outcome="declined", text="moved", by=world.manager, now=NOW, zone=LONDON, seen=0
        ),
    )

    assert isinstance(answer, WorklistError)
    series.refresh_from_db()
    assert series.state == "active"


def test_a_session_booked_in_that_moment_is_not_dropped_with_the_version(world, series):
    change(world, **fixed(2))

    answer, _waited = beside(
        lambda: book(world, 3),
        lambda: series_version.move(series=series, version=2, site=world.site, by=world.desk, now=NOW, key=uuid4()),
    )

    assert isinstance(answer, NotMovable)
    assert series.sessions.get(number=3).state == "planned"


@pytest.mark.parametrize("number", [1, None], ids=["of a course", "by itself"])
def test_what_is_undone_twice_at_once_is_undone_once(world, series, number):
    planned = a_visit(world, session=series.sessions.filter(number=number).first())
    first = booking.book(patient=world.patient, visit=planned, by=world.desk, now=NOW, key=uuid4())
    booking.move(appointment=first, visit=a_visit(world, "2026-03-04 10:00"), by=world.desk, now=NOW)

    answer, _waited = beside(
        lambda: undo.undo.__wrapped__(appointment=first, by=world.desk, now=NOW),
        lambda: undo.undo(appointment=first, by=world.desk, now=NOW),
    )

    assert isinstance(answer, NotChangeable)
    assert Appointment.objects.get().starts_at == at("2026-03-03 10:00")


def test_a_visit_of_a_series_stopped_in_that_moment_is_not_brought_back(world, booked):  # noqa: F811
    first = visit(1)
    for number in (1, 2, 3):
        booking.cancel(appointment=visit(number), reason="ill", by=world.desk, now=NOW)

    answer, _waited = beside(lambda: stop(world), lambda: undo.undo(appointment=first, by=world.desk, now=NOW))

    assert isinstance(answer, NotChangeable)
    assert not Appointment.objects.live().exists()
