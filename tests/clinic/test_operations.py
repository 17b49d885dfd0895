"""What operators see of the sending, and the switch that stops it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from clinic import tasks
from clinic.models import Message, ReminderStep, Sending
from clinic.services import dry_run, operations, outbox
from tests.clinic.test_outbox import a_cycle, a_visit, agree
from tests.test_access import changed, stored
from tests.world import NOW, at

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def steps(db):
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="appointment", offset_days=-3, stale_after_days=1)
    ReminderStep.objects.create(subject="maintenance", offset_days=0, stale_after_days=7)


@pytest.fixture
def operator(world, time_machine) -> Client:
    time_machine.move_to(NOW, tick=False)
    world.manager.user_permissions.add(Permission.objects.get(codename="operate_sending"))
    client = Client()
    client.force_login(world.manager, backend="django.contrib.auth.backends.ModelBackend")
    return client


def owe_confirmation(world, patient=None) -> Message:
    patient = patient or world.a_patient()
    visit = a_visit(world, patient=patient)
    outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=NOW)
    return Message.objects.latest("pk")


def test_staff_without_the_right_are_refused(world):
    client = Client()
    client.force_login(world.desk, backend="django.contrib.auth.backends.ModelBackend")

    assert client.get("/desk/operations/").status_code == 403
    assert client.post("/desk/operations/pause/").status_code == 403
    assert not Sending.objects.filter(paused_at__isnull=False).exists()


def test_paused_nothing_goes_and_resumed_everything_does(world, operator, smtp_server):
    owe_confirmation(world)
    operator.post("/desk/operations/pause/")

    assert outbox.run(now=NOW) == {}
    assert "Paused: nothing is sent" in operator.get("/desk/operations/").content.decode()
    operator.post("/desk/operations/resume/")
    assert outbox.run(now=NOW) == {"sent": 1}


def test_what_is_too_late_after_a_pause_is_not_sent(world, smtp_server):
    owe_confirmation(world)
    operations.pause(by=world.manager, now=NOW)
    outbox.run(now=NOW)
    operations.resume()

    outbox.run(now=at("2026-03-10 14:31"))

    assert smtp_server.received == []
    assert Message.objects.get(kind="confirmation").reason == "Its time has passed."


def test_pausing_twice_keeps_who_was_first(world):
    operations.pause(by=world.manager, now=NOW)
    operations.pause(by=world.desk, now=NOW + MINUTE)

    row = Sending.objects.get()
    assert (row.paused_by, row.paused_at) == (world.manager, NOW)


def test_the_beat_is_noted_by_the_clock_and_not_by_a_booking(world, time_machine, smtp_server):
    assert operations.standing(now=NOW).beat_late
    time_machine.move_to(NOW, tick=False)
    tasks.remind()
    time_machine.move_to(NOW + 10 * MINUTE, tick=False)
    tasks.remind(woken=True)

    standing = operations.standing(now=NOW + 10 * MINUTE)

    assert (standing.beat_at, standing.beat_late) == (NOW, True)
    assert not operations.standing(now=NOW + 4 * MINUTE).beat_late


def test_operators_see_that_the_mail_server_takes_nothing(world, operator, smtp_server):
    owe_confirmation(world)
    said = "The mail server takes nothing: mails wait"
    assert said not in operator.get("/desk/operations/").content.decode()
    smtp_server.stop()
    outbox.run(now=NOW)

    assert said in operator.get("/desk/operations/").content.decode()
    smtp_server.start()
    outbox.run(now=NOW + MINUTE)
    assert said not in operator.get("/desk/operations/").content.decode()


def test_the_oldest_unsent_and_the_failure_rate(world, smtp_server):
    for outcome in ("sent", "sent", "failed", "unknown"):
        message = owe_confirmation(world)
        Message.objects.filter(pk=message.pk).update(state=outcome, attempts=1, settled_at=NOW, reason="r")
    waiting = owe_confirmation(world)
    Message.objects.filter(pk=waiting.pk).update(not_before=NOW - 10 * MINUTE)
    # Somebody who cannot be written to: nothing was handed over.
    Message.objects.filter(pk=owe_confirmation(world).pk).update(state="failed", settled_at=NOW, reason="r")

    standing = operations.standing(now=NOW + MINUTE)

    assert (standing.unsent, standing.oldest_unsent, standing.unsent_late) == (1, NOW - 10 * MINUTE, True)
    assert standing.failure_rate == 0.5
    assert operations.standing(now=NOW + timedelta(days=2)).failure_rate is None


def test_the_dry_run_says_what_would_go_and_why_not_and_stores_nothing(world, operator, smtp_server):
    goes, cancelled, night = owe_confirmation(world), owe_confirmation(world), world.a_patient()
    cancelled.appointment.status, cancelled.appointment.cancel_reason = "cancelled", "ill"
    cancelled.appointment.save()
    for patient in (world.patient, night):
        agree(world, patient)
        a_cycle(world, "2026-03-02", patient=patient)
    type(night).objects.filter(pk=night.pk).update(time_zone="America/Los_Angeles")
    before = stored()

    lines, due = dry_run.now_due(now=at("2026-03-02 09:30"))
    page = operator.get("/desk/operations/dry-run/")

    found = {line.message.patient_id: line for line in lines}
    assert due == 4
    assert found[goes.patient_id].goes
    assert found[world.patient.pk].goes
    assert found[cancelled.patient_id].reason == "The visit was cancelled."
    assert found[night.pk].until == at("2026-03-02 17:00")
    assert "The visit was cancelled." in page.content.decode()
    assert changed(before) == []
    assert outbox.run(now=at("2026-03-02 09:30")) == {"owed": 2, "sent": 2, "dropped": 1, "postponed": 1}


def test_the_next_day_counts_what_is_still_to_be_owed(world, operator):
    a_visit(world, "2026-03-06 07:30", patient=world.a_patient())
    a_visit(world, "2026-03-05 15:00", patient=world.a_patient())
    agree(world)
    a_cycle(world, "2026-03-03")
    before = stored()

    assert dry_run.next_day(now=NOW) == {"visit_reminder": 2, "maintenance": 1}
    assert "Maintenance is due" in operator.get("/desk/operations/").content.decode()
    assert changed(before) == []
