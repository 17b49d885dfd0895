"""Who cannot be written to is called: the pages say so instead of promising a message, and the worklist keeps it."""

from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse

from clinic.models import Message
from clinic.models.outbox import said_of
from clinic.services import outbox, recheck
from patients.models import Consent
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_outbox import cancel
from tests.clinic.test_rota_fit import away
from tests.clinic.test_waiting_list import a_wish
from tests.clinic.test_worklist import rows
from tests.world import NOW, at

pytestmark = pytest.mark.django_db

CALL = "Cannot be written to: call +44 20 7946 0018."


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    with time_machine.travel(NOW, tick=False):
        yield client


@pytest.fixture
def silent(world):
    """Has a telephone, and no address that the clinic can write to."""
    return world.a_patient("Bo", "Silent", email="", phone="+442079460018")


def refuse(patient) -> None:
    for channel in ("email", "sms"):
        Consent.objects.create(
            patient=patient,
            purpose="service",
            channel=channel,
            granted=False,
            wording="Do not write to me.",
            source="desk",
            given_at=NOW,
        )


def said(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.mark.parametrize("kind", ["move", "cancel"])
def test_the_page_of_a_change_says_to_call_and_has_nothing_to_tick(desk, world, silent, kind):
    visit = book(world, a_visit(world), silent)
    args = [visit.pk] if kind == "move" else [visit.pk, kind]

    page = desk.get(reverse("desk:appointment-move" if kind == "move" else "desk:appointment-change", args=args))

    assert CALL in page.content.decode()
    assert 'type="checkbox" id="tell"' not in page.content.decode()


def test_who_refused_every_message_is_called_too(desk, world):
    visit = book(world, a_visit(world))
    refuse(world.patient)

    page = desk.get(reverse("desk:appointment-move", args=[visit.pk])).content.decode()

    assert "Cannot be written to, and no phone number is noted" in page


def test_moving_somebody_from_the_waiting_list_says_to_call(desk, world, silent):
    visit = book(world, a_visit(world, "2026-03-12 14:00"), silent)
    wish = a_wish(world, visit)
    start = int(at("2026-03-05 10:00").timestamp()) // 60
    press = {"action": "move", "start": start, "practitioner": world.practitioners[0].pk, "key": uuid4()}

    answer = desk.post(reverse("desk:waiting-act", args=[wish.pk]), press, follow=True)

    assert CALL in said(answer)
    assert "will be told" not in said(answer)


def test_planning_again_names_whom_to_call(desk, world, silent):
    reached, missed = book(world, a_visit(world)), book(world, a_visit(world, "2026-03-03 14:00"), silent)
    for who in world.practitioners:
        away(who)

    page = desk.post(reverse("desk:rota-replan"), {"visit": [reached.pk, missed.pk], "key": uuid4()})

    assert [unwritable for *_visit, unwritable in page.context["moved"]] == ["", CALL]


def owed(world, patient, kind: str) -> Message:
    visit = book(world, a_visit(world), patient)
    Message.objects.all().delete()
    if kind == "cancellation":
        cancel(visit)
        visit.refresh_from_db()
    owe = {"change": outbox.owe_change, "cancellation": outbox.owe_cancellation}.get(kind)
    if owe:
        owe(appointment=visit, now=NOW)
    else:
        outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="r", now=NOW)
    return Message.objects.get()


@pytest.mark.parametrize("kind", ["confirmation", "change", "cancellation"])
def test_what_nobody_could_be_written_stands_on_the_worklist(world, silent, kind):
    message = owed(world, silent, kind)

    outbox.run(now=NOW + timedelta(minutes=1))

    [row] = rows(world, "messages")
    assert (row.key, row.phone) == (message.pk, "+442079460018")
    assert row.detail == "There is no address for this channel. Call the patient."


def test_so_does_what_the_patient_did_not_agree_to(world):
    owed(world, world.patient, "change")
    refuse(world.patient)

    outbox.run(now=NOW + timedelta(minutes=1))

    assert [row.detail for row in rows(world, "messages")] == ["The patient has not agreed to this. Call the patient."]


def test_what_is_not_true_any_more_needs_no_call(world, silent):
    message = owed(world, silent, "confirmation")
    cancel(message.appointment)

    outbox.run(now=NOW + timedelta(minutes=1))

    assert rows(world, "messages") == []


def test_a_reminder_that_reaches_nobody_is_dropped_as_ever(world, silent):
    message = owed(world, silent, "confirmation")
    message.kind, message.counts_from = "visit_reminder", said_of(message.appointment.starts_at)

    assert recheck.verdicts([message], now=NOW)[message.pk] == recheck.Drop("There is no address for this channel.")
