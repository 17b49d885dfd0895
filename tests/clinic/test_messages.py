"""What messages say, and what they never say."""

from datetime import date

import pytest
from django.urls import reverse

from clinic import messages
from clinic.models import Message, ReminderStep
from clinic.models.outbox import CARE, MessageKind
from clinic.services import outbox
from tests.clinic.test_outbox import a_cycle, a_visit, agree, cancel, move
from tests.world import NOW, at

STARTS = ["2026-03-10 14:30", "2026-04-14 09:00"]

# Nothing of this may be read on a locked screen or in a log.
CLINICAL = ["Microneedling", "Acne scars", "acne", "Needling pen", "Ada", "Room 1"]


def said(world, kind: str, starts=STARTS[:1], **patient) -> tuple[str, str]:
    message = Message(kind=kind, patient=world.a_patient(**patient))
    care = kind in CARE
    starts = [at(start) for start in starts]
    about = messages.About(world.site, starts, care=care)
    return messages.words(message, about, secret="A" * 24 if care else "")


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        pytest.param("confirmation", "Harbour: your visit on Tue 10 Mar 2026, 14:30 is booked", id="confirmation"),
        pytest.param("change", "Harbour: your visit is now on Tue 10 Mar 2026, 14:30", id="change"),
        pytest.param("cancellation", "Harbour: your visit on Tue 10 Mar 2026, 14:30 is cancelled", id="cancellation"),
        pytest.param("visit_reminder", "Harbour: see you on Tue 10 Mar 2026, 14:30", id="reminder of a visit"),
        pytest.param("maintenance", "Harbour: time for your next visit", id="maintenance"),
        pytest.param("fresh_link", "Harbour: your new link", id="a fresh link"),
        pytest.param("pre_care", "Harbour: before your visit on Tue 10 Mar 2026, 14:30", id="care before a visit"),
        pytest.param("aftercare", "Harbour: after your visit", id="care after a visit"),
        pytest.param("result", "Harbour: we would like to see you", id="final result"),
        pytest.param("earlier", "Harbour: an earlier time, Tue 10 Mar 2026, 14:30", id="an earlier time"),
    ],
)
def test_each_kind_has_a_subject_and_a_text_with_name_and_link(world, settings, kind, subject):
    settings.PUBLIC_URL = "https://clinic.example"
    heading, text = said(world, kind)

    assert heading == subject
    assert text.startswith("Dear Noor,\n")
    assert f"https://clinic.example{reverse('portal:course')}\n" in text
    assert text.endswith("\nHarbour\n")
    assert "Tue 10 Mar 2026, 14:30" in text or kind in ("maintenance", "fresh_link", "aftercare", "result")
    assert "\n\n\n" not in text


def test_every_kind_of_message_is_tried_above():
    assert set(MessageKind.values) == {
        "confirmation",
        "change",
        "cancellation",
        "visit_reminder",
        "maintenance",
        "fresh_link",
        "pre_care",
        "aftercare",
        "result",
        "earlier",
    }


def test_a_confirmation_of_several_visits_lists_them(world):
    heading, text = said(world, "confirmation", STARTS)

    assert heading == "Harbour: your visits are booked"
    assert "\n  Tue 10 Mar 2026, 14:30\n  Tue 14 Apr 2026, 09:00\n" in text


@pytest.mark.parametrize(
    ("zone", "start", "spoken"),
    [
        pytest.param(None, "2026-03-10 14:30", "Tue 10 Mar 2026, 14:30", id="no zone of their own"),
        pytest.param("Europe/Lisbon", "2026-03-10 14:30", "Tue 10 Mar 2026, 14:30", id="another zone, the same time"),
        pytest.param("Asia/Kolkata", "2026-03-10 14:30", "Tue 10 Mar 2026, 14:30 (Europe/London)", id="another time"),
        pytest.param("UTC", "2026-03-10 14:30", "Tue 10 Mar 2026, 14:30", id="the same until summer"),
        pytest.param("UTC", "2026-04-14 14:30", "Tue 14 Apr 2026, 14:30 (Europe/London)", id="not the same in summer"),
    ],
)
def test_times_are_the_sites_and_the_zone_is_named_where_it_differs(world, zone, start, spoken):
    patient = world.a_patient(time_zone=zone)
    patient.refresh_from_db()
    world.site.refresh_from_db()

    assert messages.spoken(at(start), site=world.site, patient=patient) == spoken


def test_names_stand_as_they_are_written(world):
    _heading, text = said(world, "change", given_name="D'Arcy <b> & Ńoor")

    assert "Dear D'Arcy <b> & Ńoor," in text


def test_the_clinics_phone_is_given_where_it_has_one(world):
    assert "Questions?" not in said(world, "change")[1]
    world.site.phone = "+44 20 7946 0000"

    assert "Questions? Call us: +44 20 7946 0000" in said(world, "change")[1]


def test_where_to_go_stands_beneath_the_clinics_name(world):
    assert said(world, "confirmation")[1].endswith("\nHarbour\n")
    world.site.address = "1 Quay Street\r\n\nHarbour Town"

    assert said(world, "confirmation")[1].endswith("\nHarbour\n1 Quay Street, Harbour Town\n")


@pytest.mark.parametrize(
    ("language", "subject", "sentence"),
    [
        pytest.param(
            "en-gb",
            "Harbour: your visits have changed",
            "your visits have changed. This one is booked now:\n\n  Tue 10 Mar 2026, 14:30",
            id="English",
        ),
        pytest.param(
            "de",
            "Harbour: Ihre Termine haben sich geändert",
            "Ihre Termine haben sich geändert. Gebucht ist jetzt dieser:\n\n  Di., 10. März 2026, 14:30 Uhr",
            id="German",
        ),
    ],
)
def test_the_one_visit_that_is_left_of_a_course_is_not_said_to_have_moved(world, language, subject, sentence):
    series = world.a_series(world.a_patient(language=language))
    message = Message(kind="change", patient=series.patient, series=series)

    heading, text = messages.words(message, messages.About(world.site, [at(STARTS[0])]))

    assert heading == subject
    assert sentence in text


def test_several_visits_that_are_left_of_a_course_are_all_named(world):
    message = Message(kind="change", patient=world.patient, series=world.a_series())

    heading, text = messages.words(message, messages.About(world.site, [at(start) for start in STARTS]))

    assert heading == "Harbour: your visits have changed"
    assert "These are booked now:\n\n  Tue 10 Mar 2026, 14:30\n  Tue 14 Apr 2026, 09:00" in text


def test_a_mail_is_the_same_mail_however_often_it_is_made(world):
    message = Message(kind="change", patient=world.patient)
    first, second = (messages.email(message, messages.About(world.site, [at(STARTS[0])])) for _time in range(2))

    assert first.message()["Message-ID"] == second.message()["Message-ID"] == f"<{message.message_id}@localhost>"


def test_nothing_clinical_in_any_message_or_log(world, smtp_server, caplog):
    caplog.set_level("DEBUG")
    ReminderStep.objects.all().delete()
    for subject, days in (("appointment", -3), ("maintenance", 0)):
        ReminderStep.objects.create(subject=subject, offset_days=days, stale_after_days=1)
    series = world.a_series()
    visit = a_visit(world, session=series.sessions.first(), practitioner=world.practitioners[0], room=world.rooms[0])
    outbox.owe_confirmation(patient=world.patient, series=series, counts_from="request", now=NOW)
    outbox.run(now=NOW)
    outbox.run(now=at("2026-03-07 14:30"))
    move(visit, "2026-03-12 10:00")
    outbox.owe_change(appointment=visit, now=at("2026-03-07 15:00"))
    outbox.run(now=at("2026-03-07 15:00"))
    cancel(visit)
    outbox.owe_cancellation(appointment=visit, now=at("2026-03-07 15:00"))
    outbox.run(now=at("2026-03-07 15:00"))
    refused = world.a_patient(given_name="Xanthippe", family_name="Quill")
    smtp_server.refuses[refused.email] = "550 5.1.1 no such mailbox"
    for patient in (world.patient, refused):
        a_cycle(world, date(2026, 6, 1).isoformat(), patient)
        agree(world, patient)
    outbox.run(now=at("2026-06-01 09:00"))

    assert sorted(Message.objects.values_list("kind", "state")) == [
        ("cancellation", "sent"),
        ("change", "sent"),
        ("confirmation", "sent"),
        ("maintenance", "failed"),
        ("maintenance", "sent"),
        ("visit_reminder", "sent"),
    ]
    everything = "\n".join(mail.as_string() for mail in smtp_server.received)
    assert [word for word in CLINICAL if word in everything] == []
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("clinic"))
    assert "was refused" in logged
    assert [w for w in [*CLINICAL, "Xanthippe", "Quill", "Amal", "Osei", "@"] if w in logged] == []
