"""The ladder and the words of the messages, as the clinic edits them; messages are only looked at."""

import threading
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test import Client

from clinic import messages, own_words, wording
from clinic.admin_outbox import MessageTemplateForm, ReminderStepForm, preview
from clinic.models import Message, MessageTemplate, ReminderStep, Site
from clinic.models.outbox import MessageKind
from clinic.services import outbox
from tests.clinic.test_outbox import a_cycle, a_visit, agree
from tests.clinic.test_sms import Gateway
from tests.world import NOW, at
from treatments.models import AddOn, Protocol, Treatment
from treatments.models.protocol import Override


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


SMS = {"channel": "sms", "subject": ""}
# Short enough for Alexandra at Harbour in March.
LONG = "Dear {name}, {clinic} looks forward to seeing you on {when}. " + "a" * 60


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
        pytest.param({"subject": "MICRONEEDLING for you"}, "subject", "“Microneedling” says", id="a treatment"),
        pytest.param({"subject": "Your acne  Scars"}, "subject", "“Acne scars” says", id="a concern, and spaces"),
        pytest.param({"subject": "Your cheeks"}, "subject", "“cheeks” says", id="an area"),
        pytest.param({"subject": "Your jaw"}, "subject", "“jaw” says", id="an area of some cases"),
        pytest.param({"subject": "With PRP"}, "subject", "“PRP” says", id="an add-on"),
        pytest.param({"subject": "Only 300 pounds"}, "subject", "“300 pounds” is a price", id="a price"),
        pytest.param(SMS | {"text": "{clinic}: microneedling?"}, "text", "says what", id="a treatment by text message"),
        pytest.param(SMS | {"text": "From £ 49.50"}, "text", "“£ 49.50” is a price", id="a price by text message"),
        pytest.param(SMS | {"text": "Nur 49,- Euro"}, "text", "“49,- Euro” is a price", id="in German"),
        pytest.param(SMS | {"text": "Reply CANCEL to cancel"}, "text", "does not cancel", id="reply CANCEL"),
        pytest.param({"text": "Reply C to cancel"}, "text", "does not cancel", id="reply something to cancel"),
        pytest.param({"text": "Please answer with “cancel”."}, "text", "does not cancel", id="also by mail"),
        pytest.param({"text": "Antworten Sie mit ABSAGE"}, "text", "does not cancel", id="answer by ABSAGE"),
        pytest.param({"subject": "STORNO antworten"}, "subject", "does not cancel", id="in a subject"),
        pytest.param(
            {"kind": "visit_reminder", "text": "{book}"}, "text", "“book” cannot", id="a link of another kind"
        ),
        pytest.param({"kind": "confirmation", "text": "{care}"}, "text", "“care” cannot", id="what is rarely there"),
        pytest.param({"kind": "maintenance", "subject": "{when}"}, "subject", "“when” cannot", id="no visit, no date"),
        pytest.param(SMS | {"text": LONG}, "text", "2 parts", id="too long with a long name, clinic and date"),
    ],
)
def test_what_cannot_be_sent_is_refused_beside_the_field(world, values, field, said):
    AddOn.objects.create(name="PRP")
    Protocol.objects.update(areas=["cheeks"])
    Override.objects.create(protocol=world.protocol, name="Below", area="jaw")
    Site.objects.create(name="West", short_name="W" * 20, time_zone="Europe/London", country="GB")
    assert said in " ".join(text_form(**values).errors[field])


def test_what_can_be_sent_is_taken(world):
    assert text_form().is_valid()
    assert text_form(kind="maintenance", text="{name}: {book} {stop}").is_valid()
    assert text_form(channel="sms", subject="", text="{clinic}: {when} {link}").is_valid()
    assert text_form(text="About Microneedling, 300 pounds. Call us to cancel.").is_valid(), "in a mail, behind a cover"
    assert text_form(subject="Microneedlings, microneedling2go and 300 steps").is_valid(), "not the name, nor a price"
    assert text_form(channel="sms", subject="", text="{link} Reply STOP to end these texts.").is_valid()


@pytest.mark.parametrize("channel", ["email", "sms"])
@pytest.mark.parametrize("kind", MessageKind.values)
def test_whatever_a_text_of_its_kind_may_name_is_filled_in(world, settings, kind, channel):
    Site.objects.update(phone="+44 20 7946 0100")
    settings.SMS_PARTS = 9
    names = wording.offered(kind, channel)
    subject = "/".join(f"{{{name}}}" for name in wording.offered_in_subject(kind)) if channel == "email" else ""
    template = MessageTemplate(
        kind=kind, channel=channel, language="en-gb", subject=subject, text="".join(f"<{{{name}}}>" for name in names)
    )

    subject, text = preview(template)

    assert text.startswith("<Alexandra><")
    assert "<>" not in text
    assert "//" not in subject.replace("http://", "")
    assert own_words.refusals(template, own_words.clinical_names()) == []


def test_what_a_text_names_is_never_left_out_when_it_is_sent(world):
    """As a change of a course of which nothing is booked any more."""
    template = MessageTemplate(kind="change", channel="email", language="en-gb", subject="New", text="Now: {when}.")
    message = Message(kind="change", patient=world.patient, channel="email", series_id=1)

    subject, text = messages.words(message, messages.About(world.site), own={("change", "email", "en-gb"): template})

    assert subject == "Harbour: your visits have changed"
    assert "None is booked at the moment" in text


def test_a_text_message_that_comes_to_more_parts_after_all_is_sent_in_the_words_of_the_program(world):
    template = MessageTemplate(kind="visit_reminder", channel="sms", language="en-gb", text=f"{{when}} {'a' * 130}")
    about = messages.About(world.site, [at("2026-03-10 14:30"), at("2026-03-11 14:30")])
    message = Message(kind="visit_reminder", patient=world.patient, channel="sms")

    said = messages.sms(message, about, own={("visit_reminder", "sms", "en-gb"): template})

    assert said == "Harbour: see you soon. http://localhost:8000/my/"


def test_a_name_given_later_is_not_sent_in_a_text_saved_before(world, smtp_server, caplog):
    MessageTemplate.objects.create(
        kind="confirmation", channel="email", language="en-gb", subject="Glow day", text="Hi {name}"
    )
    Treatment.objects.create(name="Glow")
    outbox.owe_confirmation(patient=world.patient, appointment=a_visit(world), counts_from="request", now=NOW)
    outbox.run(now=NOW)

    assert smtp_server.received[0]["Subject"].startswith("Harbour: your visit on")
    [line] = [record.getMessage() for record in caplog.records if "Message text" in record.getMessage()]
    assert "may not be sent as it is" in line
    assert "glow" not in caplog.text.lower()
    assert "amal" not in caplog.text.lower()


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
    page = admin.get(f"{TEXTS}{template.pk}/change/").content.decode()
    admin.post(TEXTS, {"action": "send_a_test", "_selected_action": [template.pk]})
    typed = TYPED | {"text": "Bye {name}"}
    pressed = admin.post(f"{TEXTS}{template.pk}/change/", typed | {"_test": "1"}).content.decode()

    assert "Hi Alexandra, " in page
    assert "Sent to admin@example.com." in pressed
    first, second = smtp_server.received
    assert (first["To"], first["Subject"]) == ("admin@example.com", "[Test] Harbour: booked")
    assert first.get_content().startswith("Hi Alexandra, ")
    assert second.get_content().startswith("Bye Alexandra"), "as it was typed"
    template.refresh_from_db()
    assert template.text == "Hi {name}, {when}", "and not kept"
    assert not Message.objects.exists()


TEXTS = "/admin/clinic/messagetemplate/"
TYPED = {"kind": "confirmation", "channel": "email", "language": "en-gb", "subject": "{clinic}", "text": "Hi {name}"}


def look(admin, **values) -> str:
    return unescape(admin.post(f"{TEXTS}add/", TYPED | {"_preview": "1"} | values).content.decode())


def test_a_text_is_seen_before_it_is_kept(world, admin):
    page = look(admin)

    assert "<pre>Hi Alexandra" in page
    assert "Hi {name}</textarea>" in page, "what was typed stays"
    assert "Please correct the error" not in page
    assert not MessageTemplate.objects.exists()
    assert admin.post(f"{TEXTS}add/", TYPED).status_code == 302
    assert MessageTemplate.objects.get().text == "Hi {name}"


def test_the_words_that_come_with_the_program_stand_beside_it(world, admin):
    page = look(admin, text="", subject="")
    assert "Dear Alexandra," in page
    assert "your visit is booked:" in page
    assert "This field is required" not in page
    assert "Harbour: see you on" in look(admin, kind="visit_reminder", channel="sms", text="", subject="")


def test_what_is_refused_is_said_at_the_field_and_not_shown(world, admin):
    page = look(admin, subject="Microneedling for you")

    assert "“Microneedling” says what the visit is for." in page
    assert "Put right what is marked, then look again." in page
    assert "Hi Alexandra" not in page


def test_a_text_that_may_not_be_sent_any_more_says_so(world, admin):
    template = MessageTemplate.objects.create(**TYPED | {"subject": "Glow day"})
    Treatment.objects.create(name="Glow")

    page = unescape(admin.get(f"{TEXTS}{template.pk}/change/").content.decode())

    assert "These words are not sent as they are" in page
    assert "“Glow” says what the visit is for." in page


def test_a_test_of_a_text_message_goes_to_a_phone(world, admin, settings):
    pytest.importorskip("apprise", reason="the extra “sms” is not installed")
    gateway = Gateway()
    settings.SMS_URL = gateway.url
    typed = TYPED | {"channel": "sms", "subject": "", "text": "{clinic}: hi {name}", "_test": "1"}

    page = admin.post(f"{TEXTS}add/", typed).content.decode()
    assert "Enter the phone to send a test to." in page
    admin.post(f"{TEXTS}add/", typed | {"test_number": "07400 123456"})

    [(path, body)] = gateway.received
    assert "447400123456" in path
    assert body["message"] == "Harbour: hi Alexandra"
    gateway.server.shutdown()
    assert not MessageTemplate.objects.exists()


def test_without_a_gateway_the_test_says_so(world, admin, settings):
    settings.SMS_URL = ""
    typed = TYPED | {"channel": "sms", "subject": "", "text": "Hi", "_test": "1", "test_number": "07400 123456"}

    page = admin.post(f"{TEXTS}add/", typed).content.decode()

    assert "No gateway for text messages is configured." in page


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
