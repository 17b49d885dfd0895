"""One visit: booked, moved, ended; what is refused, and in which words."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from clinic.models import Appointment, Claim, Message
from clinic.services import booking
from clinic.services.booking import NotBookable, NotChangeable, RequestReused, TimeTaken, Visit
from tests.world import NOW, at
from treatments.models import MaintenanceState, SessionState
from treatments.terms import Phase

pytestmark = pytest.mark.django_db

NUMBING = Phase("Numbing", 30, practitioner=False, room=True, numbing=True)
NEEDLING = Phase("Treatment", 45, practitioner=True, room=True, device_kind="Needling pen")
TUESDAY_TEN = "2026-03-03 10:00"


def a_visit(world, start=TUESDAY_TEN, *, who=0, where=0, pen=0, **values) -> Visit:
    return Visit(
        site=world.site,
        treatment=world.treatment,
        starts_at=at(start),
        phases=(NUMBING, NEEDLING),
        practitioner=world.practitioners[who],
        room=world.rooms[where],
        devices=(world.pens[pen],),
        **values,
    )


def book(world, visit, patient=None, *, key=None, by=None) -> Appointment:
    patient = patient or world.patient
    return booking.book(patient=patient, visit=visit, by=by or world.desk, now=NOW, key=key or uuid4())


def stretches(appointment) -> set[tuple[str, str, str]]:
    return {
        (claim.resource.name, f"{claim.starts_at:%H:%M}", f"{claim.ends_at:%H:%M}")
        for claim in appointment.claims.select_related("resource")
    }


def test_booking_claims_each_resource_for_the_phases_that_need_it(world):
    appointment = book(world, a_visit(world))

    assert stretches(appointment) == {
        ("Room 1", "10:00", "11:15"),
        ("Ada", "10:30", "11:15"),
        ("Pen 1", "10:30", "11:15"),
    }


def test_a_practitioner_is_free_for_another_while_the_first_is_numbed(world):
    book(world, a_visit(world))

    # Ada is with the first patient from 10:30 to 11:15; the second patient is numbed meanwhile.
    assert book(world, a_visit(world, "2026-03-03 10:45", where=1, pen=1), world.a_patient())


def test_visits_may_stand_back_to_back(world):
    book(world, a_visit(world))

    assert book(world, a_visit(world, "2026-03-03 11:15"), world.a_patient())


@pytest.mark.parametrize(
    "rival",
    [
        pytest.param({"where": 1, "pen": 1}, id="the practitioner"),
        pytest.param({"who": 1, "pen": 1}, id="the room"),
        pytest.param({"who": 1, "where": 1}, id="the device"),
    ],
)
def test_what_is_taken_is_refused_and_nothing_of_the_visit_stays(world, rival):
    book(world, a_visit(world))

    with pytest.raises(TimeTaken, match="just been taken") as refusal:
        book(world, a_visit(world, "2026-03-03 10:15", **rival), world.a_patient())

    assert refusal.value.lost == (0,)
    assert Appointment.objects.count() == 1
    assert Claim.objects.count() == 3


def test_a_patient_is_in_one_place_at_a_time(world):
    book(world, a_visit(world))

    with pytest.raises(TimeTaken, match="already has a visit"):
        book(world, a_visit(world, "2026-03-03 11:00", who=1, where=1, pen=1))


def test_the_database_refuses_two_claims_on_one_resource_whoever_writes_them(world):
    appointment = book(world, a_visit(world))
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="claim_no_overlap"), transaction.atomic():
        cursor.execute(
            "INSERT INTO clinic_claim (appointment_id, resource_id, starts_at, ends_at) VALUES (%s, %s, %s, %s)",
            [appointment.pk, world.rooms[0].pk, at("2026-03-03 11:00"), at("2026-03-03 12:00")],
        )


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        pytest.param({"ends_at": at(TUESDAY_TEN)}, "appointment_not_empty", id="an empty appointment"),
        pytest.param({"status": "gone"}, "appointment_status_known", id="an unknown status"),
        pytest.param({"status": "cancelled"}, "appointment_cancellation_has_a_reason", id="cancelled without reason"),
        pytest.param({"cancel_reason": "ill"}, "appointment_cancellation_has_a_reason", id="a reason, not cancelled"),
        pytest.param(
            {"outside_window_reason": "travelling"}, "appointment_window_override_recorded", id="override by nobody"
        ),
    ],
)
def test_the_database_refuses_an_appointment_that_cannot_be(world, change, constraint):
    appointment = book(world, a_visit(world))

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Appointment.objects.filter(pk=appointment.pk).update(**change)


def test_the_database_refuses_an_empty_claim(world):
    claim = book(world, a_visit(world)).claims.first()

    with pytest.raises(IntegrityError, match="claim_not_empty"), transaction.atomic():
        Claim.objects.filter(pk=claim.pk).update(ends_at=claim.starts_at)


def test_a_session_has_one_live_appointment(world):
    session = world.a_series().sessions.first()
    book(world, a_visit(world, session=session))

    with pytest.raises(NotBookable, match="booked already"):
        book(world, a_visit(world, "2026-03-04 10:00", session=session))


def test_an_appointment_is_for_a_session_or_a_cycle_never_both(world):
    series = world.a_series()
    appointment = book(world, a_visit(world, session=series.sessions.first()))
    cycle = a_cycle(world)

    with pytest.raises(IntegrityError, match="appointment_for_session_or_maintenance"), transaction.atomic():
        Appointment.objects.filter(pk=appointment.pk).update(maintenance=cycle)


def test_the_same_press_again_books_once_and_gives_the_first_answer(world):
    key = uuid4()

    answers = {book(world, a_visit(world), key=key).pk for _press in range(10)}

    assert len(answers) == 1
    assert Appointment.objects.count() == 1
    assert Message.objects.count() == 1


def test_somebody_elses_press_is_not_answered(world):
    key = uuid4()
    book(world, a_visit(world), key=key)

    with pytest.raises(RequestReused):
        book(world, a_visit(world), key=key, by=world.manager)


def test_a_retired_device_is_not_booked(world):
    world.pens[0].active = False
    world.pens[0].save()

    with pytest.raises(NotBookable, match="no longer in use"):
        book(world, a_visit(world))


def test_booking_owes_one_confirmation(world):
    appointment = book(world, a_visit(world))

    message = Message.objects.get()
    assert (message.kind, message.appointment, message.state) == ("confirmation", appointment, "pending")


def test_moving_frees_the_old_time_and_takes_the_new(world):
    appointment = book(world, a_visit(world))

    moved = booking.move(
        appointment=appointment, visit=a_visit(world, "2026-03-03 14:00", who=1), by=world.desk, now=NOW
    )

    assert stretches(moved) == {
        ("Room 1", "14:00", "15:15"),
        ("Ben", "14:30", "15:15"),
        ("Pen 1", "14:30", "15:15"),
    }
    assert moved.sequence == appointment.sequence + 1
    assert book(world, a_visit(world), world.a_patient())


def test_a_visit_may_move_onto_part_of_its_own_time(world):
    appointment = book(world, a_visit(world))

    moved = booking.move(appointment=appointment, visit=a_visit(world, "2026-03-03 10:15"), by=world.desk, now=NOW)

    assert moved.starts_at == at("2026-03-03 10:15")


def test_a_refused_move_leaves_everything_where_it_was(world):
    appointment = book(world, a_visit(world))
    book(world, a_visit(world, "2026-03-03 14:00"), world.a_patient())

    with pytest.raises(TimeTaken):
        booking.move(appointment=appointment, visit=a_visit(world, "2026-03-03 14:30"), by=world.desk, now=NOW)

    appointment.refresh_from_db()
    assert appointment.starts_at == at(TUESDAY_TEN)
    assert len(stretches(appointment)) == 3


def test_cancelling_gives_the_time_back_and_keeps_who_when_and_why(world):
    appointment = book(world, a_visit(world))

    booking.cancel(appointment=appointment, reason="patient ill", by=world.manager, now=NOW + timedelta(hours=1))

    appointment.refresh_from_db()
    assert (appointment.status, appointment.cancel_reason) == ("cancelled", "patient ill")
    assert (appointment.status_by, appointment.status_at) == (world.manager, NOW + timedelta(hours=1))
    assert not appointment.claims.exists()
    assert book(world, a_visit(world), world.a_patient())


def test_a_cancelled_session_can_be_booked_again(world):
    session = world.a_series().sessions.first()
    appointment = book(world, a_visit(world, session=session))
    booking.cancel(appointment=appointment, reason="patient ill", by=world.desk, now=NOW)

    assert book(world, a_visit(world, "2026-03-05 10:00", session=session))


DURING = at("2026-03-03 10:20")
AFTER = at("2026-03-03 12:00")


def test_attending_records_the_session_on_the_day_of_the_visit(world):
    session = world.a_series().sessions.first()
    appointment = book(world, a_visit(world, session=session))

    booking.arrive(appointment=appointment, by=world.desk, now=DURING)
    booking.attend(appointment=appointment, by=world.desk, now=AFTER)

    session.refresh_from_db()
    assert (session.state, session.attended_on) == (SessionState.ATTENDED, date(2026, 3, 3))


def test_a_no_show_gives_the_time_back_and_leaves_the_session_to_be_booked(world):
    session = world.a_series().sessions.first()
    appointment = book(world, a_visit(world, session=session))

    booking.no_show(appointment=appointment, by=world.desk, now=DURING)

    session.refresh_from_db()
    assert session.state == SessionState.PLANNED
    assert not Claim.objects.exists()


@pytest.mark.parametrize(
    ("verb", "now", "words"),
    [
        pytest.param("arrive", at("2026-03-02 10:00"), "another day", id="arrives on another day"),
        pytest.param("attend", at("2026-03-02 10:00"), "still ahead", id="attended before its day"),
        pytest.param("no_show", at("2026-03-03 09:59"), "not begun", id="no-show before it began"),
    ],
)
def test_what_cannot_be_yet_is_refused(world, verb, now, words):
    appointment = book(world, a_visit(world))

    with pytest.raises(NotChangeable, match=words):
        getattr(booking, verb)(appointment=appointment, by=world.desk, now=now)


@pytest.mark.parametrize("verb", ["arrive", "attend", "no_show", "cancel", "move"])
def test_what_is_already_cancelled_is_not_changed_again(world, verb):
    appointment = book(world, a_visit(world))
    booking.cancel(appointment=appointment, reason="patient ill", by=world.desk, now=NOW)
    more = {"cancel": {"reason": "again"}, "move": {"visit": a_visit(world, "2026-03-04 10:00")}}.get(verb, {})

    with pytest.raises(NotChangeable, match="cancelled"):
        getattr(booking, verb)(appointment=appointment, by=world.desk, now=DURING, **more)


def a_cycle(world):
    from treatments.services import series as courses

    series = world.a_series()
    for session in series.sessions.all():
        courses.attend(
            session=session, on=date(2025, 8, 1) + timedelta(weeks=5 * session.number), by=world.desk, now=NOW
        )
    return series.maintenance.get()


def test_a_maintenance_visit_closes_its_cycle_and_opens_the_next(world):
    cycle = a_cycle(world)
    appointment = book(world, a_visit(world, maintenance=cycle))
    cycle.refresh_from_db()
    assert cycle.state == MaintenanceState.BOOKED

    booking.attend(appointment=appointment, by=world.desk, now=AFTER)

    cycle.refresh_from_db()
    following = cycle.series.maintenance.get(cycle=2)
    assert (cycle.state, cycle.attended_on) == (MaintenanceState.ATTENDED, date(2026, 3, 3))
    assert following.due_from == date(2026, 9, 3)


def test_cancelling_a_maintenance_visit_makes_it_due_again(world):
    cycle = a_cycle(world)
    appointment = book(world, a_visit(world, maintenance=cycle))

    booking.cancel(appointment=appointment, reason="patient ill", by=world.desk, now=NOW)

    cycle.refresh_from_db()
    assert cycle.state == MaintenanceState.SCHEDULED


def test_a_recorded_session_is_not_booked(world):
    from treatments.services import series as courses

    session = world.a_series().sessions.first()
    courses.skip(session=session, reason="forfeited", by=world.desk, now=NOW)

    with pytest.raises(NotBookable, match="already recorded"):
        book(world, a_visit(world, session=session))


def test_phases_that_follow_one_another_are_one_claim(world):
    visit = replace(a_visit(world), phases=(NEEDLING, NUMBING, NEEDLING))

    appointment = book(world, visit)

    assert stretches(appointment) == {
        ("Room 1", "10:00", "12:00"),
        ("Ada", "10:00", "10:45"),
        ("Ada", "11:15", "12:00"),
        ("Pen 1", "10:00", "10:45"),
        ("Pen 1", "11:15", "12:00"),
    }
