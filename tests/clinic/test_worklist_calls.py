"""Who asks to be called stands on a list of their own, until somebody has reached them."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from clinic.models import CallRequest, Message, Outcome, WorklistNote
from clinic.services import recheck, worklist
from clinic.services.worklist import RowChanged, WorklistError
from clinic.services.worklist_rows import CALLS
from tests.clinic.test_roles import signed_in
from tests.clinic.test_worklist import a_cycle, counted, note, on, rows
from tests.world import NOW, TODAY, at

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def reminder(cycle, **values) -> Message:
    about = {"patient": cycle.series.patient, "maintenance": cycle, "counts_from": str(cycle.pk)}
    times = {"owed_at": NOW, "not_before": NOW, "not_after": NOW + 20 * DAY}
    kinds = {"kind": "maintenance", "purpose": "recall", "channel": "email"}
    return Message.objects.create(**about, **times, **kinds, **values)


def asks(world, *, patient=None, asked_at=NOW - timedelta(hours=1)) -> CallRequest:
    cycle = a_cycle(world, patient)
    return CallRequest.objects.create(patient=cycle.series.patient, message=reminder(cycle), asked_at=asked_at)


@pytest.fixture
def desk(world) -> Client:
    with time_machine.travel(NOW, tick=False):
        yield signed_in(world.desk)


def test_who_asked_first_stands_on_top_with_what_the_reminder_was_about(world):
    asks(world, patient=world.a_patient("Second"))
    asks(world, patient=world.a_patient("First"), asked_at=NOW - 3 * DAY)

    found = rows(world, CALLS)

    assert [(row.patient, row.what) for row in found] == [
        ("First Haddad", "Microneedling, maintenance 1"),
        ("Second Haddad", "Microneedling, maintenance 1"),
    ]
    assert [(row.when, row.left, row.urgent) for row in found] == [
        ("asked on Fri 27 Feb 2026, 08:00", "3 days ago", True),
        ("asked on Mon 2 Mar 2026, 07:00", "today", False),
    ]


def test_a_reminder_of_two_says_so(world):
    request = asks(world)
    other = reminder(a_cycle(world), state="dropped", settled_at=NOW, reason="said with another")
    Message.objects.filter(pk=other.pk).update(said_with=request.message)

    assert [row.what for row in rows(world, CALLS)] == ["Microneedling, maintenance 1, and 1 more"]


def test_reached_it_is_done_with_who_and_when(world):
    request = asks(world)

    kept = note(world, on("call", request), Outcome.REACHED, text="books next week")

    request.refresh_from_db()
    assert (request.done_at, request.done_by) == (NOW, world.desk)
    assert (kept.call, kept.patient) == (request, world.patient)
    assert counted()[CALLS] == 0


@pytest.mark.parametrize(
    ("outcome", "values", "back"),
    [
        pytest.param(Outcome.NO_ANSWER, {}, "2026-03-03 00:00", id="no answer: tomorrow"),
        pytest.param(Outcome.CALL_BACK, {"until": TODAY + 4 * DAY}, "2026-03-06 00:00", id="on the day they named"),
        pytest.param(Outcome.SNOOZED, {"until": TODAY + 2 * DAY}, "2026-03-04 00:00", id="left until later"),
    ],
)
def test_not_reached_it_rests_and_comes_back(world, outcome, values, back):
    request = asks(world)

    note(world, on("call", request), outcome, **values)

    assert counted()[CALLS] == 0
    assert counted(now=at(back) - timedelta(minutes=1))[CALLS] == 0
    assert counted(now=at(back))[CALLS] == 1
    request.refresh_from_db()
    assert request.done_at is None


def test_whoever_is_reached_about_something_else_was_called(world):
    request = asks(world)
    other = asks(world, patient=world.a_patient())

    note(world, on("maintenance", request.message.maintenance), Outcome.REACHED)

    assert list(CallRequest.objects.waiting()) == [other]


def test_two_do_not_call_the_same_patient(world):
    request = asks(world)
    shown = on("call", request)
    note(world, on("call", request), Outcome.REACHED, by=world.manager)

    with pytest.raises(RowChanged, match="has dealt with this meanwhile"):
        note(world, shown, Outcome.REACHED)
    with pytest.raises(RowChanged, match="the patient was called"):
        worklist.note(
            subject=on("call", request),
            outcome=Outcome.REACHED,
            by=world.desk,
            now=NOW,
            zone=world.site.time_zone,
            seen=WorklistNote.objects.latest("pk").pk,
        )


def test_a_call_that_was_asked_for_is_not_declined(world):
    request = asks(world)

    with pytest.raises(WorklistError, match="Log it, then decline what it is about"):
        note(world, on("call", request), Outcome.DECLINED, text="no")


def test_the_next_reminder_of_what_it_was_about_rests(world):
    request = asks(world)
    other = a_cycle(world, world.a_patient())
    note(world, on("call", request), Outcome.CALL_BACK, until=TODAY + 4 * DAY)
    note(world, on("maintenance", request.message.maintenance), Outcome.NO_ANSWER)

    cycles = [request.message.maintenance_id, other.pk]

    assert WorklistNote.objects.resting(cycles, now=NOW) == {cycles[0]: at("2026-03-06 00:00")}
    assert recheck._resting([request.message], NOW) == {cycles[0]: at("2026-03-06 00:00")}


def test_the_desk_calls_from_the_list_and_the_row_is_gone(desk, world):
    request = asks(world)
    listed = desk.get(reverse("desk:worklist"), {"tab": CALLS}).content.decode()
    row = reverse("desk:worklist-row", args=["call", request.pk])
    assert "Call…" in listed

    page = desk.get(row, {"tab": CALLS}).content.decode()
    assert "Asks to be called" in page
    assert "The reminder was about: Microneedling." in page
    assert "The patient does not want it" not in page
    done = desk.post(f"{row}?tab={CALLS}", {"action": "call", "outcome": "reached", "seen": "0"}, follow=True)

    assert "The patient was called, and the row has left the list." in done.content.decode()
    assert "Nobody waits for a call." in done.content.decode()
    request.refresh_from_db()
    assert request.done_by == world.desk


def test_from_the_call_the_maintenance_is_booked(desk, world):
    request = asks(world)

    page = desk.get(reverse("desk:worklist-row", args=["call", request.pk])).content.decode()

    booking = reverse("desk:visit-new", args=[world.patient.pk])
    assert f'href="{booking}?maintenance={request.message.maintenance_id}"' in page
