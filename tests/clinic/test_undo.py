"""Taking back what was just recorded, while nothing has been built on it; and what the patient hears of it."""

from datetime import timedelta
from uuid import uuid4

import pghistory
import pytest

from clinic.models import Absence, Appointment, Claim, Message
from clinic.services import booking, ripple, undo
from clinic.services.booking import NotChangeable, TimeTaken
from clinic.services.ripple import Change
from patients.errors import Refused
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_ripple import carry_out, series, starts, to, visit  # noqa: F401
from tests.clinic.test_worklist import a_message
from tests.world import NOW, at
from treatments.models import Maintenance, Series

pytestmark = pytest.mark.django_db

DURING = at("2026-03-03 10:30")


@pytest.fixture(autouse=True)
def _nothing_said_yet(series):  # noqa: F811
    Message.objects.all().delete()


def claims() -> set[tuple]:
    return set(Claim.objects.values_list("appointment", "resource", "starts_at", "ends_at"))


def waiting() -> list[str]:
    return list(Message.objects.filter(state="pending").values_list("kind", flat=True))


def take_back(appointment, world, *, now=NOW) -> Appointment:
    return undo.undo(appointment=appointment, by=world.desk, now=now)


@pytest.mark.parametrize(
    ("service", "values"),
    [
        pytest.param(booking.arrive, {}, id="arrived"),
        pytest.param(booking.attend, {}, id="attended"),
        pytest.param(booking.no_show, {}, id="did not come"),
        pytest.param(booking.cancel, {"reason": "ill"}, id="cancelled"),
    ],
)
def test_the_visit_is_booked_again_as_it_was(world, service, values):
    first, before = visit(1), claims()
    service(appointment=first, by=world.desk, now=DURING, **values)

    done = take_back(first, world, now=DURING)

    assert (done.status, done.session.state) == ("booked", "planned")
    assert claims() == before
    assert waiting() == []


def test_a_move_and_all_that_came_with_it_go_back(world):
    before, held = starts(), claims()
    carry_out(1, to(1, "2026-03-12 10:00"), "shift", by=world.desk)
    assert starts() != before

    take_back(visit(2), world)

    assert starts() == before
    assert claims() == held
    assert waiting() == []


def test_what_was_released_and_booked_anew_goes_back_too(world):
    before = starts()
    missed, now = visit(1), at("2026-03-03 12:00")
    carry_out(1, Change(kind="no_show"), "replan", by=world.desk, now=now)
    assert starts() != before

    take_back(missed, world, now=now)

    assert starts() == before


def test_a_forfeited_session_is_open_again(world):
    booking.attend(appointment=visit(1), by=world.desk, now=DURING)
    missed, now = visit(2), at("2026-04-07 12:00")
    carry_out(2, Change(kind="no_show", forfeit=True), "unbook", by=world.desk, now=now)

    take_back(missed, world, now=now)

    assert sorted(starts()) == [1, 2, 3]
    assert visit(2).session.state == "planned"


def test_once_it_was_told_the_patient_hears_that_it_is_back(world):
    second = visit(2)
    carry_out(2, to(2, "2026-04-09 11:00"), by=world.desk)
    Message.objects.update(state="sent", settled_at=NOW)

    take_back(second, world, now=NOW + timedelta(hours=1))

    assert waiting() == ["change"]


def test_the_move_before_that_was_not_told_yet_is_told_after_all(world):
    carry_out(2, to(2, "2026-04-08 11:00"), by=world.desk)
    carry_out(2, to(2, "2026-04-09 11:00"), by=world.desk)

    take_back(visit(2), world)

    told = Message.objects.filter(state="pending").latest("pk")
    assert told.counts_from == f"2026-04-08T10:00:00Z #{visit(2).sequence}"


def test_who_let_it_be_outside_its_window_stays_who_did(world):
    with pghistory.context(press=1):
        carry_out(3, to(3, "2026-06-01 10:00"), by=world.manager, outside_reason="travelling")
    cancelled = visit(3)
    with pghistory.context(press=2):
        booking.cancel(appointment=cancelled, reason="ill", by=world.desk, now=NOW)

    back = take_back(cancelled, world)

    assert (back.outside_window_reason, back.outside_window_by) == ("travelling", world.manager)


def test_the_time_has_to_be_free_still(world):
    second = visit(2)
    booking.cancel(appointment=second, reason="ill", by=world.desk, now=NOW)
    for n in range(2):
        book(world, a_visit(world, "2026-04-07 10:00", who=n, where=n, pen=n), world.a_patient())

    with pytest.raises(TimeTaken, match="not free any more"):
        take_back(second, world)

    assert Appointment.objects.get(pk=second.pk).status == "cancelled"


def test_nobody_may_be_away_by_now(world):
    second = visit(2)
    booking.cancel(appointment=second, reason="ill", by=world.desk, now=NOW)
    Absence.objects.create(
        resource=second.practitioner,
        starts_at=at("2026-04-07 00:00"),
        ends_at=at("2026-04-08 00:00"),
        reason="Training",
    )

    with pytest.raises(TimeTaken):
        take_back(second, world)


def test_a_session_that_is_booked_again_stands_in_the_way(world):
    second = visit(2)
    booking.cancel(appointment=second, reason="ill", by=world.desk, now=NOW)
    book(world, a_visit(world, "2026-04-08 10:00", session=second.session))

    with pytest.raises(Refused, match="booked already"):
        take_back(second, world)


def test_what_was_changed_since_stands_in_the_way(world):
    carry_out(1, to(1, "2026-03-12 10:00"), "shift", by=world.desk)
    carry_out(3, to(3, "2026-05-22 10:00"), by=world.desk)

    with pytest.raises(NotChangeable, match="changed again since"):
        take_back(visit(1), world)


def test_a_time_that_has_passed_does_not_come_back(world):
    first = visit(1)
    booking.cancel(appointment=first, reason="ill", by=world.desk, now=DURING)

    with pytest.raises(NotChangeable, match="has passed"):
        take_back(first, world, now=DURING + timedelta(days=1))


def test_a_booking_is_not_undone_but_cancelled(world):
    with pytest.raises(NotChangeable, match="by cancelling"):
        take_back(visit(2), world)


class TestTheLastSession:
    @pytest.fixture
    def last(self, world) -> Appointment:
        for number, when in [(1, "2026-03-03 12:00"), (2, "2026-04-07 12:00"), (3, "2026-05-12 12:00")]:
            appointment = visit(number)
            booking.attend(appointment=appointment, by=world.desk, now=at(when))
        return appointment

    def test_its_maintenance_is_withdrawn_with_what_was_to_be_said(self, world, last):
        cycle = Maintenance.objects.get()
        waits = {"state": "pending", "settled_at": None, "reason": "", "not_after": NOW + timedelta(days=400)}
        a_message(world, kind="maintenance", purpose="recall", maintenance=cycle, **waits)

        take_back(last, world, now=at("2026-05-12 12:01"))

        assert Series.objects.get().state == "active"
        assert Maintenance.objects.get().state == "withdrawn"
        assert waiting() == []

    def test_booked_maintenance_stands_in_the_way(self, world, last):
        now = at("2026-05-12 12:01")
        cycle = a_visit(world, "2026-11-17 10:00", maintenance=Maintenance.objects.get())
        booking.book(patient=world.patient, visit=cycle, by=world.desk, now=now, key=uuid4())

        with pytest.raises(Refused, match="maintenance visit is booked"):
            take_back(last, world, now=now)

        assert Appointment.objects.get(pk=last.pk).status == "fulfilled"


def test_what_would_be_taken_back_is_said(world):
    second = visit(2)
    assert undo.possible(second) == ""
    carry_out(2, to(2, "2026-04-09 11:00"), by=world.desk)
    assert undo.possible(visit(2)) == "the move"
    ripple.carry_out(
        appointment=visit(2), change=Change(kind="cancel", reason="ill"), by=world.desk, now=NOW, key=uuid4()
    )
    assert undo.possible(Appointment.objects.get(pk=second.pk)) == "the cancellation"
