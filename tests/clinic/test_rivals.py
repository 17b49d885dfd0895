"""Many at once: one wins, the others are told, nobody waits long, nothing deadlocks."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from threading import Barrier, BrokenBarrierError
from uuid import uuid4

import pytest
from django.db import connection, connections

from clinic.models import Appointment, Claim, Resource
from clinic.planning import Wishes
from clinic.services import booking, course
from clinic.services.booking import TimeTaken
from clinic.services.course import Order
from clinic.services.transactions import whole
from patients.models import Patient
from tests.clinic.test_booking import a_visit
from tests.world import NOW
from treatments.models import Series

pytestmark = pytest.mark.django_db(transaction=True)

RIVALS = 32


def all_at_once(work, people):
    """Run `work(person)` for everybody at the same moment; the answers, or what was raised, and the seconds taken."""
    start = Barrier(len(people))

    def run(person):
        try:
            connection.ensure_connection()
            start.wait()
            began = time.perf_counter()
            try:
                answer = work(person)
            except Exception as error:
                answer = error
            return answer, time.perf_counter() - began
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(run, people))


def deadlocks() -> int:
    with connection.cursor() as cursor:
        # Each backend tells its numbers when its session ends; those of the rivals have ended.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def book_one_slot(world):
    return lambda patient: booking.book(patient=patient, visit=a_visit(world), by=world.desk, now=NOW, key=uuid4())


def test_of_32_rivals_for_one_slot_one_wins_and_31_are_told(world):
    people = [world.a_patient() for _ in range(RIVALS)]
    before = deadlocks()

    results = all_at_once(book_one_slot(world), people)

    answers = [answer for answer, _seconds in results]
    assert sum(isinstance(answer, Appointment) for answer in answers) == 1
    assert sum(isinstance(answer, TimeTaken) for answer in answers) == RIVALS - 1
    assert Claim.objects.count() == 3
    assert deadlocks() == before
    assert max(seconds for _answer, seconds in results) < patience()


def patience() -> float:
    """A second on a machine of its own; on a busy one, as much longer as plain work takes there."""
    began = time.perf_counter()
    sum(range(3_000_000))
    return max(1.0, (time.perf_counter() - began) / 0.05)


@pytest.mark.parametrize("guarded", [pytest.param(True, id="queued"), pytest.param(False, id="queue taken out")])
def test_rivals_who_want_the_same_two_dates_in_opposite_order(world, monkeypatch, guarded):
    """The race is real: without the queue each holds what the other waits for, and the database has to kill one."""
    together = Barrier(2)

    def one_by_one(claims):
        for claim in claims:
            claim.save()
            # Each holds its first date before it asks for the second; who is queued meets nobody here.
            with suppress(BrokenBarrierError):
                together.wait(timeout=0.5)

    monkeypatch.setattr(Claim.objects, "bulk_create", one_by_one)
    if not guarded:
        monkeypatch.setattr(booking, "queue_up", lambda patient, resources: None)
    morning, afternoon = a_visit(world), a_visit(world, "2026-03-03 14:00")
    wanted = {world.a_patient(): [morning, afternoon], world.a_patient(): [afternoon, morning]}
    place = whole(booking.place)
    before = deadlocks()

    results = all_at_once(
        lambda patient: place(patient=patient, visits=wanted[patient], by=world.desk, now=NOW), list(wanted)
    )

    assert (deadlocks() > before) is not guarded
    answers = [answer for answer, _seconds in results]
    assert sum(isinstance(answer, TimeTaken) for answer in answers) == 1
    assert Claim.objects.count() == 6


def an_order(world) -> Order:
    return Order(site=world.site, first_day=date(2026, 3, 3), wishes=Wishes())


def test_rivals_for_the_same_series_of_dates_never_share_one(world):
    people = [world.a_patient() for _ in range(8)]
    proposal = course.propose(
        course=course.new_course(patient=people[0], choice=world.choice()), order=an_order(world), now=NOW
    )
    order = course.settled(proposal)
    before = deadlocks()

    results = all_at_once(
        lambda patient: course.book_new(
            patient=patient, choice=world.choice(), order=order, by=world.desk, now=NOW, key=uuid4()
        ),
        people,
    )

    answers = [answer for answer, _seconds in results]
    assert sum(isinstance(answer, Series) for answer in answers) == 1
    assert {answer.lost for answer in answers if isinstance(answer, TimeTaken)} == {(1, 2, 3)}
    assert Series.objects.count() == 1
    assert deadlocks() == before


def test_one_press_sent_ten_times_at_once_books_once_and_gives_ten_equal_answers(world):
    key = uuid4()

    results = all_at_once(
        lambda _press: booking.book(patient=world.patient, visit=a_visit(world), by=world.desk, now=NOW, key=key),
        list(range(10)),
    )

    assert {answer.pk for answer, _seconds in results} == {Appointment.objects.get().pk}


def test_booking_waits_for_whoever_holds_the_resource_and_reads_what_they_left(world):
    """The lock of the resource is held from a second connection; the booking waits, and sees what was booked there."""
    rival = world.a_patient()
    held, waiting = Barrier(2), Barrier(2)

    def hold(_):
        from django.db import transaction

        try:
            with transaction.atomic():
                booking.place(patient=rival, visits=[a_visit(world)], by=world.desk, now=NOW)
                held.wait()
                waiting.wait()
                time.sleep(0.3)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold, None)
        held.wait()
        waiting.wait()
        with pytest.raises(TimeTaken):
            booking.book(patient=world.patient, visit=a_visit(world), by=world.desk, now=NOW, key=uuid4())
        holding.result()

    assert Appointment.objects.get().patient == Patient.objects.get(pk=rival.pk)
    assert Resource.objects.filter(claims__isnull=False).distinct().count() == 3
