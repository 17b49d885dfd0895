"""By which way a patient is written to: as they prefer, where that is possible, else the other way."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from clinic import delivery
from clinic.models import Message, ReminderStep
from clinic.services import outbox
from patients.models import Consent, Patient
from patients.services import create_account
from tests.clinic.test_outbox import a_cycle, a_visit, agree, cancel, move
from tests.world import NOW, at
from treatments.models import Treatment

PHONE = "+447700900123"


@pytest.fixture(autouse=True)
def steps(db):
    ReminderStep.objects.all().delete()
    for subject, days in (("appointment", -3), ("maintenance", 0)):
        ReminderStep.objects.create(subject=subject, offset_days=days, stale_after_days=7)


@pytest.fixture
def texts(settings, monkeypatch) -> list[str]:
    """What the gateway was given."""
    settings.SMS_URL = "json://localhost/{to}"
    given: list[str] = []
    monkeypatch.setattr(delivery, "send_sms", lambda *, to, text, key: given.append(text))
    return given


def say(patient: Patient, purpose: str, channel: str, granted: bool) -> None:
    Consent.objects.create(
        patient=patient, purpose=purpose, channel=channel, granted=granted, wording="w", source="desk", given_at=NOW
    )


WAYS = [
    pytest.param({}, [], "email", id="e-mail first"),
    pytest.param({"first_channel": "sms"}, [], "sms", id="text message first"),
    pytest.param({"first_channel": "sms", "phone": ""}, [], "email", id="no phone"),
    pytest.param({"email": ""}, [], "sms", id="no e-mail"),
    pytest.param({"first_channel": "sms"}, [("sms", False)], "email", id="no to text messages"),
    pytest.param({}, [("email", False)], "sms", id="no to e-mail"),
    pytest.param({}, [("email", False), ("sms", False)], None, id="no to both"),
    pytest.param({"email": "", "phone": ""}, [], None, id="nothing to write to"),
]


@pytest.mark.parametrize("kind", ["visit_reminder", "confirmation", "change", "cancellation"])
@pytest.mark.parametrize(("patient", "said", "channel"), WAYS)
def test_every_message_about_visits_goes_as_the_patient_prefers_and_can(
    world, smtp_server, texts, kind, patient, said, channel
):
    patient = world.a_patient(**{"phone": PHONE, **patient})
    for way, granted in said:
        say(patient, "service", way, granted)
    visit = a_visit(world, patient=patient)
    now = at("2026-03-07 14:30")
    if kind == "confirmation":
        outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=now)
    elif kind == "change":
        move(visit, "2026-03-17 10:00")
        outbox.owe_change(appointment=visit, now=now)
    elif kind == "cancellation":
        cancel(visit)
        visit.refresh_from_db()
        outbox.owe_cancellation(appointment=visit, now=now)

    outbox.run(now=now)

    sent = list(Message.objects.filter(kind=kind, state="sent").values_list("channel", flat=True))
    assert sent == ([channel] if channel else [])
    assert len(smtp_server.received) == Message.objects.filter(state="sent", channel="email").count()
    assert len(texts) == Message.objects.filter(state="sent", channel="sms").count()


@pytest.mark.parametrize(
    ("first", "yes", "channel"),
    [
        pytest.param("email", ["email", "sms"], "email", id="both, e-mail first"),
        pytest.param("sms", ["email", "sms"], "sms", id="both, text message first"),
        pytest.param("sms", ["email"], "email", id="a yes to the second alone"),
        pytest.param("email", ["sms"], "sms", id="a yes to text messages alone"),
        pytest.param("email", [], None, id="no yes"),
    ],
)
def test_a_recall_goes_only_where_there_is_a_yes(world, smtp_server, texts, first, yes, channel):
    patient = world.a_patient(phone=PHONE, first_channel=first)
    for way in yes:
        say(patient, "recall", way, True)
    a_cycle(world, "2026-06-01", patient)

    outbox.run(now=at("2026-06-01 09:00"))

    assert list(Message.objects.values_list("channel", flat=True)) == ([channel] if channel else [])


def test_without_a_gateway_who_prefers_text_messages_gets_mail(world, smtp_server, settings):
    settings.SMS_URL = ""
    a_visit(world, patient=world.a_patient(phone=PHONE, first_channel="sms"))

    assert outbox.run(now=at("2026-03-07 14:30"))["sent"] == 1
    assert len(smtp_server.received) == 1


def test_what_was_owed_one_way_goes_the_other_where_that_has_closed_since(world, smtp_server, texts):
    patient = world.a_patient(phone=PHONE, first_channel="sms")
    a_visit(world, patient=patient)
    outbox.owe_due(now=at("2026-03-07 14:29"))
    assert Message.objects.get().channel == "sms"
    say(patient, "service", "sms", False)

    outbox.run(now=at("2026-03-07 14:30"))

    assert (Message.objects.get().channel, Message.objects.get().state, texts) == ("email", "sent", [])


def test_what_may_have_arrived_is_not_sent_the_other_way_too(world, smtp_server, texts):
    patient = world.a_patient(phone=PHONE)
    visit = a_visit(world, patient=patient)
    outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=NOW)
    Message.objects.update(handed_over=1, attempts=1)
    Patient.objects.update(first_channel="sms")

    outbox.run(now=NOW)

    assert (Message.objects.get().channel, texts) == ("email", [])


def test_a_notice_is_owed_once_whichever_way_it_went(world, smtp_server, texts):
    patient = world.a_patient(phone=PHONE, first_channel="sms")
    visit = a_visit(world, patient=patient)
    for _again in range(2):
        outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=at("2026-03-02 10:00"))
        outbox.run(now=at("2026-03-02 10:00"))

    assert len(texts) == 1
    assert texts[0].startswith("Harbour: your visit on Tue 10 Mar 2026, 14:30 is booked.")


def test_a_step_of_one_channel_keeps_to_it(world, smtp_server, texts):
    ReminderStep.objects.filter(subject="appointment").update(channel="sms")
    a_visit(world, patient=world.a_patient(phone=PHONE))
    a_visit(world, patient=world.a_patient(phone=""))

    outbox.run(now=at("2026-03-07 14:30"))

    assert (len(texts), smtp_server.received) == (1, [])


def test_at_night_a_text_message_waits_where_a_mail_would_go(world, smtp_server, texts):
    patient = world.a_patient(phone=PHONE, first_channel="sms")
    visit = a_visit(world, patient=patient)
    outbox.owe_confirmation(patient=patient, appointment=visit, counts_from="request", now=NOW)

    outbox.run(now=at("2026-03-02 23:00"))
    assert texts == []
    outbox.run(now=at("2026-03-03 09:00"))
    assert len(texts) == 1


def test_maintenance_waits_for_the_day_after_a_message_that_was_asked_for_and_a_visit_does_not(
    world, smtp_server, texts
):
    agree(world)
    a_cycle(world, "2026-03-07")
    visit = a_visit(world, "2026-03-20 10:00", treatment=Treatment.objects.create(name="Consultation"))
    outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="r", now=at("2026-03-07 08:00"))
    outbox.run(now=at("2026-03-07 08:00"))

    assert outbox.run(now=at("2026-03-07 09:00"))["sent"] == 0
    assert outbox.run(now=at("2026-03-08 09:00"))["sent"] == 1

    a_visit(world, "2026-03-13 15:00")
    outbox.owe_change(appointment=visit, now=at("2026-03-10 14:00"))
    assert outbox.run(now=at("2026-03-10 14:00"))["sent"] == 1
    assert outbox.run(now=at("2026-03-10 15:00"))["sent"] == 1


def test_the_patient_says_in_the_portal_which_comes_first(world):
    create_account(patient=world.patient, by=world.desk, now=NOW)
    world.patient.refresh_from_db()
    client = Client()
    client.force_login(world.patient.user, backend="django.contrib.auth.backends.ModelBackend")

    client.post(reverse("portal:preferences"), {"first_channel": "sms", "language": "en-gb"})
    world.patient.refresh_from_db()
    assert world.patient.first_channel == "sms"
    assert '<option value="sms" selected>' in client.get(reverse("portal:preferences")).content.decode()

    client.post(reverse("portal:preferences"), {"first_channel": "pigeon", "language": "en-gb"})
    world.patient.refresh_from_db()
    assert world.patient.first_channel == "sms"


def test_the_database_knows_two_ways(world):
    with pytest.raises(IntegrityError, match="patient_channel_known"), transaction.atomic():
        Patient.objects.update(first_channel="pigeon")
