"""A series as a whole: proposed inside its windows, booked in one transaction, and what is left of it."""

from dataclasses import replace
from datetime import date, time, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clinic import walltime
from clinic.forms.choices import decode, encode
from clinic.models import Absence, Appointment, Claim, Closure, Message
from clinic.planning import Choice, Wishes
from clinic.services import booking, course
from clinic.services.booking import NotBookable, TimeTaken
from clinic.services.course import NoVisitLength, Order, OutsideWindow
from tests.clinic.test_booking import a_visit
from tests.world import LONDON, NOW, TODAY, at
from treatments.models import Phase, Series
from treatments.services import series as courses

pytestmark = pytest.mark.django_db

AFTERNOONS = Wishes(weekdays=frozenset({1, 3}), earliest_time=15 * 60, only=True)


def order_for(world, **values) -> Order:
    return Order(site=world.site, first_day=values.pop("first_day", TODAY), **values)


def propose(world, order=None, *, now=NOW, **choice):
    left = course.new_course(patient=world.patient, choice=world.choice(**choice))
    return course.propose(course=left, order=order or order_for(world), now=now)


def book(world, order, *, by=None, key=None, now=NOW, reason=""):
    return course.book_new(
        patient=world.patient,
        choice=world.choice(),
        order=order,
        by=by or world.desk,
        now=now,
        key=key or uuid4(),
        outside_reason=reason,
    )


def days(proposal) -> list[date | None]:
    return [session.choice and session.choice.day for _number, session in proposal]


def test_every_session_is_proposed_inside_its_window(world):
    proposal = propose(world, order_for(world, wishes=AFTERNOONS))

    first, second, third = days(proposal)
    assert first == date(2026, 3, 3)
    for earlier, later in [(first, second), (second, third)]:
        assert timedelta(days=28) <= later - earlier <= timedelta(days=42)
    for _number, session in proposal:
        local = walltime.from_minutes(session.choice.start).astimezone(LONDON)
        assert local.weekday() in (1, 3)
        assert local.time() >= time(15)
        assert session.choice.practitioner
        assert session.choice.room
        assert session.choice.devices


def test_nothing_is_stored_by_a_proposal(world):
    propose(world)

    assert not Series.objects.exists()
    assert not Appointment.objects.exists()


def test_nothing_is_proposed_before_now(world):
    proposal = propose(world, now=at("2026-03-02 13:10"))

    first = walltime.from_minutes(proposal.plan.sessions[0].choice.start)
    assert first >= at("2026-03-02 13:10")


def test_closures_and_absences_are_not_proposed(world):
    Closure.objects.create(
        site=world.site, starts_at=at("2026-03-02 00:00"), ends_at=at("2026-03-05 00:00"), reason="Works"
    )
    for practitioner in world.practitioners:
        Absence.objects.create(
            resource=practitioner, starts_at=at("2026-03-05 00:00"), ends_at=at("2026-03-05 14:00"), reason="Training"
        )

    first = propose(world).plan.sessions[0].choice

    # Numbing may begin before the practitioner is back: he is needed only half an hour later.
    assert walltime.from_minutes(first.start) == at("2026-03-05 13:30")


def test_a_changed_date_takes_the_later_ones_along(world):
    proposal = propose(world)
    moved = course.choice_at(proposal, 2, date(2026, 4, 13), time(11))

    follows = propose(world, order_for(world, pinned={2: moved}))

    assert days(follows)[1] == date(2026, 4, 13)
    assert timedelta(days=28) <= days(follows)[2] - date(2026, 4, 13) <= timedelta(days=42)
    assert days(follows)[2] != days(proposal)[2]


def test_the_whole_series_is_booked_in_one_press(world):
    proposal = propose(world)

    series = book(world, course.settled(proposal))

    booked = Appointment.objects.filter(session__series=series).order_by("starts_at")
    assert [walltime.day_of(a.starts_at, LONDON) for a in booked] == days(proposal)
    assert Claim.objects.count() == 9
    assert Message.objects.get().series == series


def test_a_series_is_booked_whole_or_not_at_all(world):
    order = course.settled(propose(world))
    second = order.pinned[2]
    booking.book(
        patient=world.a_patient(),
        visit=replace(a_visit(world), starts_at=walltime.from_minutes(second.start)),
        by=world.desk,
        now=NOW,
        key=uuid4(),
    )

    with pytest.raises(TimeTaken) as refusal:
        book(world, order)

    assert refusal.value.lost == (2,)
    assert not Series.objects.exists()
    assert Appointment.objects.count() == 1


def test_ten_presses_book_one_series(world):
    order, key = course.settled(propose(world)), uuid4()

    assert len({book(world, order, key=key).pk for _press in range(10)}) == 1
    assert Appointment.objects.count() == 3
    assert Message.objects.count() == 1


def test_a_session_that_cannot_be_placed_stays_with_its_window(world):
    Closure.objects.create(
        site=world.site, starts_at=at("2026-03-20 00:00"), ends_at=at("2026-05-01 00:00"), reason="Works"
    )
    proposal = propose(world)
    assert [(session.label, session.reason) for _n, session in proposal][1] == ("none", "full")

    series = book(world, course.settled(proposal))

    live = Appointment.objects.filter(session__series=series)
    assert sorted(live.values_list("session__number", flat=True)) == [1, 3]
    assert series.sessions.get(number=2).state == "planned"


def test_what_is_left_of_a_series_is_booked_around_what_stands(world):
    series = book(world, course.settled(propose(world)))
    second = Appointment.objects.get(session__number=2)
    booking.cancel(appointment=second, reason="patient ill", by=world.desk, now=NOW)

    proposal = course.propose(course=course.rest_of(series), order=order_for(world), now=NOW)
    again = course.book_rest(series=series, order=course.settled(proposal), by=world.desk, now=NOW, key=uuid4())

    assert again == series
    assert Appointment.objects.live().filter(session__series=series).count() == 3
    third = Appointment.objects.get(session__number=3)
    assert third.status_at == NOW


def test_a_session_attended_late_moves_the_window_of_the_next(world):
    series = book(world, course.settled(propose(world)))
    for appointment in Appointment.objects.filter(session__number__gte=2):
        booking.cancel(appointment=appointment, reason="replan", by=world.desk, now=NOW)
    late = date(2026, 3, 10)
    courses.attend(session=series.sessions.get(number=1), on=late, by=world.desk, now=NOW)

    proposal = course.propose(
        course=course.rest_of(Series.objects.get()), order=order_for(world), now=at("2026-03-10 12:00")
    )

    window = proposal.plan.sessions[0].window
    assert (window.earliest, window.latest) == (late + timedelta(days=28), late + timedelta(days=42))


def test_a_session_whose_window_has_passed_is_planned_from_today_and_needs_a_reason(world):
    series = world.a_series()
    courses.attend(session=series.sessions.first(), on=date(2025, 9, 1), by=world.desk, now=NOW)
    proposal = course.propose(course=course.rest_of(series), order=order_for(world), now=NOW)
    assert proposal.overdue
    order = course.settled(proposal, without=[3])

    with pytest.raises(OutsideWindow, match="may decide"):
        course.book_rest(series=series, order=order, by=world.desk, now=NOW, key=uuid4(), outside_reason="travelling")
    with pytest.raises(OutsideWindow, match="Note the reason") as refusal:
        course.book_rest(series=series, order=order, by=world.manager, now=NOW, key=uuid4())
    assert refusal.value.numbers == (2,)
    course.book_rest(series=series, order=order, by=world.manager, now=NOW, key=uuid4(), outside_reason="travelling")

    appointment = Appointment.objects.get()
    assert (appointment.outside_window_reason, appointment.outside_window_by) == ("travelling", world.manager)


def test_outside_the_window_only_the_session_concerned_carries_the_reason(world):
    proposal = propose(world)
    early = course.choice_at(proposal, 2, days(proposal)[0] + timedelta(days=21), time(11))
    order = course.settled(propose(world, order_for(world, pinned={1: proposal.plan.sessions[0].choice, 2: early})))

    book(world, order, by=world.manager, reason="patient moves abroad")

    reasons = dict(Appointment.objects.values_list("session__number", "outside_window_reason"))
    assert reasons == {1: "", 2: "patient moves abroad", 3: ""}


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda c, w: replace(c, start=c.start + 7 * 60 * 24 * 60), id="far outside the diary"),
        pytest.param(lambda c, w: replace(c, start=c.start + 12 * 60), id="at night"),
        pytest.param(lambda c, w: replace(c, practitioner=w.rooms[0].pk), id="a room as practitioner"),
        pytest.param(lambda c, w: replace(c, practitioner=None), id="nobody"),
        pytest.param(lambda c, w: replace(c, room=w.pens[0].pk), id="a device as room"),
        pytest.param(lambda c, w: replace(c, devices=()), id="no device"),
        pytest.param(lambda c, w: replace(c, practitioner=10**17), id="somebody who does not exist"),
    ],
)
def test_what_the_page_sends_back_is_checked_again(world, spoilt):
    order = course.settled(propose(world))
    pinned = {**order.pinned, 1: spoilt(order.pinned[1], world)}

    with pytest.raises(TimeTaken) as refusal:
        book(world, replace(order, pinned=pinned))

    assert refusal.value.lost == (1,)
    assert not Appointment.objects.exists()


def test_sessions_follow_one_another(world):
    order = course.settled(propose(world))
    swapped = {**order.pinned, 2: order.pinned[3], 3: order.pinned[2]}

    with pytest.raises(NotBookable):
        book(world, replace(order, pinned=swapped), by=world.manager, reason="swap")


def test_an_empty_order_is_refused(world):
    with pytest.raises(NotBookable, match="at least one session"):
        book(world, order_for(world))


def test_a_treatment_without_phases_cannot_be_planned(world):
    Phase.objects.all().delete()

    with pytest.raises(NoVisitLength, match="how long a visit"):
        propose(world)


def test_a_time_that_the_clocks_skip_is_refused_in_words(world):
    world.site.time_zone = "Europe/Berlin"
    world.site.save()
    world.site.refresh_from_db()

    with pytest.raises(NotBookable, match="does not exist"):
        course.choice_at(propose(world), 1, date(2026, 3, 29), time(2, 30))


def test_the_wished_practitioner_comes_first_when_the_desk_names_a_time(world):
    ben = world.practitioners[1]
    proposal = propose(world, order_for(world, wishes=Wishes(practitioner=ben.pk)))

    assert course.choice_at(proposal, 1, date(2026, 3, 4), time(11)).practitioner == ben.pk


@pytest.mark.parametrize("visits", [0, 3, 12])
def test_a_proposal_asks_the_database_the_same_number_of_times_however_full_the_diary(
    world, visits, django_assert_num_queries
):
    for n in range(visits):
        visit = a_visit(world, f"2026-03-{3 + n % 20:02d} 1{n % 5}:00") if (3 + n % 20) % 7 not in (0, 1) else None
        if visit:
            booking.book(patient=world.a_patient(), visit=visit, by=world.desk, now=NOW, key=uuid4())
    left = course.new_course(patient=world.patient, choice=world.choice())

    # Opening hours, closures, resources, claims, absences, working hours, the patient's own visits.
    with django_assert_num_queries(7):
        course.propose(course=left, order=order_for(world), now=NOW)


def test_booking_six_sessions_costs_no_more_queries_than_booking_two(world):
    counts = []
    for sessions in (2, 6):
        world.protocol.session_min = world.protocol.session_max = sessions
        world.protocol.save()
        patient = world.a_patient()
        left = course.new_course(patient=patient, choice=world.choice())
        order = course.settled(course.propose(course=left, order=order_for(world), now=NOW))
        with CaptureQueriesContext(connection) as queries:
            course.book_new(patient=patient, choice=world.choice(), order=order, by=world.desk, now=NOW, key=uuid4())
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_choices_decode_only_from_what_was_encoded(world):
    choice = propose(world).plan.sessions[0].choice
    assert decode(encode(choice), world.site) == choice
    for text in ["", "x", "1.2", "1.2.3.4-", "9" * 40 + ".1.1.", "1.1.1.1\n", "-5.1.1.1", "1.1.1." + "1" * 5000 + "x"]:
        assert decode(text, world.site) is None


def test_a_choice_of_the_planner_is_what_is_booked(world):
    proposal = propose(world)
    book(world, course.settled(proposal))

    first = Appointment.objects.get(session__number=1)
    wanted: Choice = proposal.plan.sessions[0].choice
    assert (walltime.to_minutes(first.starts_at), first.practitioner_id, first.room_id) == (
        wanted.start,
        wanted.practitioner,
        wanted.room,
    )
