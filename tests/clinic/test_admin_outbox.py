"""The ladder and the words of the messages, as the clinic edits them; messages are only looked at."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test import Client

from clinic import wording
from clinic.admin_outbox import MessageTemplateForm, ReminderStepForm
from clinic.models import Message, MessageTemplate, ReminderStep
from clinic.services import outbox
from tests.clinic.test_outbox import a_cycle, a_visit, agree
from tests.world import NOW, at


@pytest.fixture
def admin(world) -> Client:
    client = Client()
    user = User.objects.create_superuser("admin", "admin@example.com", "x")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture(autouse=True)
def steps(db):
    ReminderStep.objects.all().delete()
    for days in (-28, 0, 28):
        ReminderStep.objects.create(subject="maintenance", offset_days=days, stale_after_days=7)


def step_form(**values) -> ReminderStepForm:
    data = {"subject": "maintenance", "offset_days": 7, "channel": "email", "stale_after_days": 7, "active": "on"}
    return ReminderStepForm(data | values)


def test_maintenance_has_three_steps_at_most():
    assert "at most" in step_form().errors["active"][0]
    assert step_form(active="").is_valid()
    assert step_form(offset_days=28, channel="sms").is_valid(), "the same step by another channel"

    ReminderStep.objects.filter(offset_days=28).update(active=False)
    assert step_form().is_valid()


def test_a_visit_is_reminded_of_before_it():
    assert "offset_days" in step_form(subject="appointment", offset_days=0).errors
    assert step_form(subject="appointment", offset_days=-2).is_valid()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"subject": "pre_care", "offset_days": 1, "stale_after_days": ""}, "offset_days", id="too late"),
        pytest.param({"subject": "pre_care", "offset_days": -1}, "stale_after_days", id="never too late"),
        pytest.param({"subject": "aftercare", "offset_days": -1}, "offset_days", id="before the visit"),
        pytest.param(
            {"subject": "aftercare", "offset_days": 2, "stale_after_days": ""}, "stale_after_days", id="when?"
        ),
    ],
)
def test_a_step_of_care_that_makes_no_sense_is_refused_beside_its_field_and_by_the_database(values, field):
    assert list(step_form(**values).errors) == [field]
    stored = {"offset_days": 0, "channel": "email", "stale_after_days": 1} | values
    with pytest.raises(IntegrityError, match="reminder_step_"), transaction.atomic():
        ReminderStep.objects.create(**stored | {"stale_after_days": stored["stale_after_days"] or None})


def test_steps_of_care_are_taken():
    assert step_form(subject="pre_care", offset_days=-2, stale_after_days="").is_valid()
    assert step_form(subject="aftercare", offset_days=0, stale_after_days=1).is_valid()
    assert step_form(subject="result", offset_days=0, stale_after_days=7).is_valid()


def test_the_database_refuses_a_fourth_day_of_maintenance_and_takes_another_channel():
    ReminderStep.objects.create(subject="maintenance", offset_days=28, channel="sms", stale_after_days=7)
    fourth = ReminderStep.objects.create(subject="maintenance", offset_days=7, active=False, stale_after_days=7)

    for write in (
        lambda: ReminderStep.objects.create(subject="maintenance", offset_days=8, stale_after_days=7),
        lambda: ReminderStep.objects.filter(pk=fourth.pk).update(active=True),
    ):
        with pytest.raises(IntegrityError, match="3 times at most"), transaction.atomic():
            write()


@pytest.mark.django_db(transaction=True)
def test_two_who_add_a_third_step_at_once_do_not_make_four():
    ReminderStep.objects.filter(subject="maintenance", offset_days=28).delete()
    refused = []

    def add(days):
        try:
            ReminderStep.objects.create(subject="maintenance", offset_days=days, stale_after_days=7)
        except IntegrityError:
            refused.append(days)
        finally:
            connection.close()

    with transaction.atomic():
        ReminderStep.objects.create(subject="maintenance", offset_days=14, stale_after_days=7)
        rival = threading.Thread(target=add, args=[21])
        rival.start()
        # It waits for this transaction instead of seeing two steps.
        rival.join(0.5)
        assert rival.is_alive()
    rival.join()

    assert refused == [21]


def text_form(**values) -> MessageTemplateForm:
    data = {"kind": "confirmation", "channel": "email", "language": "en-gb", "subject": "{clinic}", "text": "Hi {name}"}
    return MessageTemplateForm(data | values)


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        pytest.param({"text": "{diagnosis}"}, "text", "cannot stand in braces", id="not on the list"),
        pytest.param({"text": "{name.patient.notes}"}, "text", "cannot stand", id="reaching further"),
        pytest.param({"text": "{name!r}"}, "text", "cannot stand", id="a conversion"),
        pytest.param({"text": "{name:>99999999}"}, "text", "cannot stand", id="a width"),
        pytest.param({"text": "{}"}, "text", "cannot stand", id="nameless"),
        pytest.param({"text": "{name"}, "text", "cannot stand", id="an open brace"),
        pytest.param({"subject": "{name}"}, "subject", "cannot stand", id="a name in the subject"),
        pytest.param({"subject": ""}, "subject", "needs a subject", id="no subject"),
        pytest.param({"channel": "sms"}, "subject", "Leave it empty", id="a text message with a subject"),
        pytest.param({"channel": "sms", "subject": "", "text": "{phone}"}, "text", "cannot", id="not by text message"),
        pytest.param({"channel": "sms", "subject": "", "text": "a" * 161}, "text", "2 parts", id="too long"),
        pytest.param({"channel": "sms", "subject": "", "text": "ж" * 71}, "text", "2 parts", id="wide and too long"),
        pytest.param({"kind": "maintenance"}, "text", "{book}, {stop}", id="a reminder without its links"),
        pytest.param({"kind": "aftercare"}, "text", "{care}", id="care without its link"),
    ],
)
def test_what_cannot_be_sent_is_refused_beside_the_field(world, values, field, said):
    assert said in " ".join(text_form(**values).errors[field])


def test_what_can_be_sent_is_taken(world):
    assert text_form().is_valid()
    assert text_form(kind="maintenance", text="{name}: {book} {stop}").is_valid()
    assert text_form(channel="sms", subject="", text="{clinic}: {when} {link}").is_valid()


def test_text_cannot_reach_beyond_its_values():
    with pytest.raises(wording.UnknownVariable):
        wording.check("{name.__class__}", ("name",))
    assert wording.fill_in("{{name}} {name}", {"name": "{link}"}) == "{name} {link}"


def test_the_clinics_own_words_are_sent_in_the_place_of_the_shipped_ones(world, smtp_server):
    MessageTemplate.objects.create(
        kind="maintenance", channel="email", language="en-gb", subject="{clinic}:\n hello", text="{name}! {book} {stop}"
    )
    a_cycle(world, "2026-06-01")
    agree(world)
    outbox.run(now=at("2026-06-01 09:00"))

    [mail] = smtp_server.received
    assert mail["Subject"] == "Harbour: hello"
    assert mail.get_content().startswith("Amal! http://localhost:8000/r/")
    assert "List-Unsubscribe" in mail


def test_another_language_keeps_the_shipped_words(world, smtp_server, settings):
    MessageTemplate.objects.create(kind="confirmation", channel="email", language="xx", subject="S", text="T")
    visit = a_visit(world)
    outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)
    outbox.run(now=NOW)

    assert smtp_server.received[0].get_content().startswith("Dear Amal,")


def test_the_preview_and_the_test_show_it_as_a_patient_gets_it(world, admin, smtp_server):
    template = MessageTemplate.objects.create(
        kind="confirmation", channel="email", language="en-gb", subject="{clinic}: booked", text="Hi {name}, {when}"
    )
    path = "/admin/clinic/messagetemplate/"

    page = admin.get(f"{path}{template.pk}/change/").content.decode()
    admin.post(path, {"action": "send_a_test", "_selected_action": [template.pk]})

    assert "Hi Alexandra, " in page
    [mail] = smtp_server.received
    assert (mail["To"], mail["Subject"]) == ("admin@example.com", "[Test] Harbour: booked")
    assert mail.get_content().startswith("Hi Alexandra, ")
    assert not Message.objects.exists()


def test_messages_are_only_looked_at(world, admin):
    visit = a_visit(world)
    outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)
    path = f"/admin/clinic/message/{Message.objects.get().pk}/"

    assert admin.get(f"{path}change/").status_code == 200
    assert admin.post(f"{path}change/", {"state": "sent"}).status_code == 403
    assert admin.post(f"{path}delete/").status_code == 403
    assert admin.get("/admin/clinic/message/add/").status_code == 403
    assert admin.get("/admin/clinic/message/").status_code == 200


def test_a_step_is_taken_off_the_ladder_and_not_deleted(world, admin):
    step = ReminderStep.objects.first()

    assert admin.get(f"/admin/clinic/reminderstep/{step.pk}/change/").status_code == 200
    assert admin.post(f"/admin/clinic/reminderstep/{step.pk}/delete/").status_code == 403
