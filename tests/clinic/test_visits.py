"""One visit outside a series: what times are offered, and what is refused when one is booked."""

from datetime import date, time, timedelta
from uuid import uuid4

import pytest

from clinic import walltime
from clinic.models import Absence, Appointment, Closure, Message
from clinic.planning import Choice, Wishes
from clinic.services import booking, horizon, outbox, visits
from clinic.services.booking import NotBookable, RequestReused, TimeTaken
from clinic.services.course import NoVisitLength
from tests.world import LONDON, NOW, TODAY, at
from treatments.models import Maintenance, MaintenanceState, Phase, Treatment
from treatments.services import maintenance as cycles
from treatments.services import series as courses
from treatments.services.maintenance import MaintenanceNotPossible

pytestmark = pytest.mark.django_db


@pytest.fixture
def consultation(world) -> Treatment:
    treatment = Treatment.objects.create(name="Consultation")
    Phase.objects.create(
        treatment=treatment, position=1, name="Talk", minutes=30, occupies_practitioner=True, occupies_room=True
    )
    for practitioner in world.practitioners:
        practitioner.treatments.add(treatment)
    return treatment


@pytest.fixture
def cycle(world) -> Maintenance:
    """Maintenance after a series of one session on 1 September: due six months later, on 1 March."""
    series = world.a_series(count=1, decision_note="Dr Lee")
    courses.attend(session=series.sessions.get(), on=date(2025, 9, 1), by=world.desk, now=NOW)
    return Maintenance.objects.get(series=series)


def offered(world, treatment, **values):
    values = {"patient": world.patient, "site": world.site, "first_day": TODAY, "now": NOW} | values
    return visits.free_times(treatment=treatment, **values)


def named(world, treatment, day="2026-03-03", clock="10:00", **values):
    values = {"patient": world.patient, "site": world.site, "now": NOW} | values
    return visits.time_at(treatment=treatment, day=date.fromisoformat(day), clock=time.fromisoformat(clock), **values)


def book(world, treatment, choice, **values):
    values = {"patient": world.patient, "site": world.site, "by": world.desk, "now": NOW, "key": uuid4()} | values
    return visits.book(treatment=treatment, choice=choice, **values)


def local(times) -> list[str]:
    return [f"{found.starts_at.astimezone(LONDON):%a %d %H:%M}" for found in times]


# --- What is offered --------------------------------------------------------------------------


def test_five_times_are_offered_each_on_another_day_the_first_soonest(world, consultation):
    found = offered(world, consultation)

    assert local(found) == ["Mon 02 09:00", "Tue 03 09:00", "Wed 04 09:00", "Thu 05 09:00", "Fri 06 09:00"]
    assert {(one.practitioner.name, one.room.name) for one in found} == {("Ada", "Room 1")}
    assert all(one.ends_at - one.starts_at == timedelta(minutes=30) for one in found)


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        pytest.param({"weekdays": {3}}, ["Thu 05 09:00"], id="a weekday"),
        pytest.param({"earliest_time": 15 * 60}, ["Mon 02 15:00"], id="no earlier than"),
        pytest.param({"latest_time": 9 * 60, "weekdays": {1}}, ["Tue 03 09:00"], id="no later than"),
    ],
)
def test_wishes_count(world, consultation, wishes, expected):
    wishes = {**wishes, "weekdays": frozenset(wishes.get("weekdays", ()))}

    assert local(offered(world, consultation, count=1, wishes=Wishes(only=True, **wishes))) == expected


def test_a_wished_practitioner_is_preferred(world, consultation):
    ben = world.practitioners[1]

    assert {one.practitioner for one in offered(world, consultation, wishes=Wishes(practitioner=ben.pk))} == {ben}


def test_what_is_taken_is_not_offered(world, consultation):
    for practitioner in world.practitioners:
        Absence.objects.create(resource=practitioner, starts_at=at("2026-03-02 09:00"), ends_at=at("2026-03-03 12:00"))

    assert local(offered(world, consultation, count=1)) == ["Tue 03 12:00"]


def test_where_four_weeks_are_full_the_next_four_are_looked_at(world, consultation):
    Closure.objects.create(
        site=world.site, starts_at=at("2026-03-01 00:00"), ends_at=at("2026-05-04 00:00"), reason="Works"
    )

    assert [one.choice.day for one in offered(world, consultation, count=1)] == [date(2026, 5, 4)]


def test_where_nothing_is_free_nothing_is_offered(world, consultation):
    world.site.opening_hours.all().delete()

    assert offered(world, consultation) == []


def test_nothing_in_the_past_is_offered(world, consultation):
    found = offered(world, consultation, first_day=date(2020, 1, 1), now=at("2026-03-02 11:10"), count=1)

    assert local(found) == ["Mon 02 11:15"]


def test_a_treatment_without_phases_is_refused_in_words(world):
    with pytest.raises(NoVisitLength, match="how long a visit of “Peel” takes"):
        offered(world, Treatment.objects.create(name="Peel"))


def test_maintenance_with_the_treatment_of_the_series_is_a_visit_as_agreed_for_the_series(world, cycle):
    world.treatment.phases.update(minutes=120)
    cycle.refresh_from_db()

    found = offered(world, cycle.treatment, maintenance=cycle, count=1)[0]

    assert found.ends_at - found.starts_at == timedelta(minutes=75)


def test_maintenance_with_another_treatment_is_a_visit_of_that_treatment(world, cycle, consultation):
    cycle.treatment = consultation
    cycle.save()

    found = offered(world, consultation, maintenance=cycle, count=1)[0]

    assert found.ends_at - found.starts_at == timedelta(minutes=30)


# --- A time that somebody names ---------------------------------------------------------------


def test_a_time_off_the_grid_can_be_named(world, consultation):
    found = named(world, consultation, clock="10:05")

    assert local([found]) == ["Tue 03 10:05"]
    assert found.practitioner.name == "Ada"


@pytest.mark.parametrize(
    ("day", "clock", "words"),
    [
        pytest.param("2026-03-01", "10:00", "has passed", id="yesterday"),
        pytest.param("2026-03-03", "20:00", "Nothing is free", id="after closing"),
        pytest.param("2026-03-07", "10:00", "Nothing is free", id="closed that day"),
        pytest.param("2026-03-29", "01:30", "does not exist", id="the hour that summer time skips"),
        pytest.param("9999-12-31", "10:00", "does not reach", id="beyond the diary"),
    ],
)
def test_a_time_that_cannot_be_is_refused_in_words(world, consultation, day, clock, words):
    with pytest.raises(NotBookable, match=words):
        named(world, consultation, day, clock)


# --- Booking ----------------------------------------------------------------------------------


def test_a_consultation_is_booked_with_its_phases_and_owes_a_confirmation(world, consultation):
    appointment = book(world, consultation, named(world, consultation).choice)

    assert (appointment.treatment, appointment.session, appointment.maintenance) == (consultation, None, None)
    assert [phase["name"] for phase in appointment.phases] == ["Talk"]
    assert {claim.resource.name for claim in appointment.claims.all()} == {"Ada", "Room 1"}
    assert Message.objects.get().kind == "confirmation"


def test_maintenance_is_booked_for_its_cycle(world, cycle):
    choice = offered(world, cycle.treatment, maintenance=cycle)[0].choice

    appointment = book(world, cycle.treatment, choice, maintenance=cycle)

    cycle.refresh_from_db()
    assert (appointment.maintenance, cycle.state) == (cycle, MaintenanceState.BOOKED)


def test_booked_again_what_was_cancelled_is_said_before_the_new_time(world, cycle, mailoutbox):
    first, second = (found.choice for found in offered(world, cycle.treatment, maintenance=cycle)[:2])
    cancelled = book(world, cycle.treatment, first, maintenance=cycle)
    outbox.run(now=NOW)
    booking.cancel(appointment=cancelled, reason="ill", by=world.desk, now=NOW)
    later = NOW + timedelta(minutes=1)

    book(world, cycle.treatment, second, maintenance=cycle, now=later)
    outbox.run(now=later)

    assert list(Message.objects.filter(state="sent").order_by("settled_at", "pk").values_list("kind", flat=True)) == [
        "confirmation",
        "cancellation",
        "confirmation",
    ]
    assert ["cancel" in mail.body for mail in mailoutbox] == [False, True, False]


def test_the_same_press_again_gives_the_first_answer(world, consultation):
    choice, key = named(world, consultation).choice, uuid4()

    first = book(world, consultation, choice, key=key)

    assert book(world, consultation, choice, key=key) == first
    assert Appointment.objects.count() == 1
    with pytest.raises(RequestReused):
        book(world, consultation, choice, key=key, by=world.manager)


def test_a_time_that_was_taken_meanwhile_is_refused_and_nothing_is_stored(world, consultation):
    choice = named(world, consultation).choice
    book(world, consultation, choice, patient=world.a_patient())

    with pytest.raises(TimeTaken, match="just been taken"):
        book(world, consultation, choice)

    assert not world.patient.appointments.exists()


def tampered(world, **values) -> Choice:
    start = values.pop("start", "2026-03-03 10:00")
    values = {"practitioner": world.practitioners[0].pk, "room": world.rooms[0].pk} | values
    moment = at(start)
    return Choice(day=walltime.day_of(moment, LONDON), start=walltime.to_minutes(moment), **values)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"start": "2026-03-03 19:00"}, id="after closing"),
        pytest.param({"start": "2026-02-27 10:00"}, id="last week"),
        pytest.param({"start": "2029-03-02 10:00"}, id="beyond the diary"),
        pytest.param({"practitioner": None}, id="nobody"),
        pytest.param({"practitioner": 999_999}, id="a practitioner who does not exist"),
        pytest.param({"room": None}, id="no room"),
    ],
)
def test_a_choice_that_was_never_offered_is_refused(world, consultation, values):
    with pytest.raises(booking.BookingError):
        book(world, consultation, tampered(world, **values))

    assert not Appointment.objects.exists()


def test_somebody_who_may_not_give_the_treatment_is_refused(world, consultation):
    world.practitioners[0].treatments.remove(consultation)

    with pytest.raises(TimeTaken):
        book(world, consultation, tampered(world))


def test_a_cycle_that_the_clinician_has_not_decided_cannot_be_booked(world, cycle):
    Maintenance.objects.update(state="waiting", calculated_from=None, calculated_by=None)

    with pytest.raises(MaintenanceNotPossible):
        book(world, cycle.treatment, tampered(world, devices=(world.pens[0].pk,)), maintenance=cycle)

    assert not Appointment.objects.filter(maintenance=cycle).exists()


def test_a_cycle_is_not_booked_twice(world, cycle):
    choices = [one.choice for one in offered(world, cycle.treatment, maintenance=cycle)]
    book(world, cycle.treatment, choices[0], maintenance=cycle)

    with pytest.raises(NotBookable):
        book(world, cycle.treatment, choices[1], maintenance=cycle)


def test_a_cycle_of_somebody_else_is_refused(world, cycle):
    with pytest.raises(NotBookable, match="another patient"):
        book(world, cycle.treatment, tampered(world), maintenance=cycle, patient=world.a_patient())


def test_a_put_off_cycle_can_be_booked_all_the_same(world, cycle):
    cycles.defer(cycle=cycle, until=date(2026, 6, 1), reason="on holiday")

    choice = offered(world, cycle.treatment, maintenance=cycle)[0].choice

    assert book(world, cycle.treatment, choice, maintenance=cycle).maintenance == cycle


def test_looking_for_times_costs_the_same_however_much_is_booked(world, consultation, django_assert_max_num_queries):
    for clock in ("09:00", "10:00", "11:00"):
        book(world, consultation, named(world, consultation, clock=clock).choice, patient=world.a_patient())

    with django_assert_max_num_queries(14):
        offered(world, consultation)


def test_the_last_day_of_the_diary_can_be_booked(world, consultation):
    last = horizon.last_day(TODAY)
    day = last - timedelta(days=max(0, last.weekday() - 4))

    assert book(world, consultation, named(world, consultation, day.isoformat()).choice)
