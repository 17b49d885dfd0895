"""A patient whose words are found again anywhere: none of them stands in a log, a subject, a text or an address."""

import logging
import re
from datetime import date
from pathlib import Path
from urllib.parse import unquote
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from clinic import messages
from clinic.models import Message, ReminderStep
from clinic.models.outbox import MessageKind
from clinic.services import booking, offers, outbox, waiting
from config import logs
from patients import services as patients
from patients.models import Patient
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_links import confirm_form, offered
from tests.world import at
from treatments.models import CareInstruction, Concern, Maintenance, Milestone
from treatments.services import maintenance as cycles
from treatments.services import series as courses

CANARY = {
    "given name": "Quetzalina",
    "family name": "Vogelsang",
    "e-mail": "kanarienvogel",
    "phone": "7400123456",
    "concern": "Zwitscherakne",
    "area": "Federkleid",
    "note": "Singt morgens",
    "treatment": "Microneedling",
    "protocol": "Acne scars",
    "care": "Mauserpause",
    "aftercare": "Sandbad",
    "milestone": "Schwungfedern",
}
EMAIL = f"{CANARY['e-mail']}@example.com"


class Recorder:
    """A browser that keeps every address it was sent to, in a program whose every line of log is kept."""

    def __init__(self, client: Client, addresses: list[str]) -> None:
        self.client, self.addresses = client, addresses

    def get(self, path: str):
        return self._noted(path, self.client.get(path))

    def post(self, path: str, data=None):
        return self._noted(path, self.client.post(path, data or {}))

    def _noted(self, path: str, response):
        self.addresses += [path, response.get("Location", "")]
        return response


@pytest.fixture
def everything_logged(tmp_path, capfd):
    """The text of all that was logged, by whichever logger or by the database, and of all that was printed."""
    path = tmp_path / "log"
    # Where it can be reached: that of the servers that come with the program lies beside its socket.
    of_database = Path(connection.get_connection_params().get("host") or "") / "postgres.log"
    logged_before = of_database.stat().st_size if of_database.is_file() else 0

    def by_database() -> str:
        return of_database.read_bytes()[logged_before:].decode(errors="replace") if of_database.is_file() else ""

    handler = logging.FileHandler(path)
    # The mail server of the tests, which is no part of the program.
    handler.addFilter(lambda record: not record.name.startswith("mail."))
    root = logging.getLogger()
    before = root.level
    handler.addFilter(logs.WithoutSecrets())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda: path.read_text() + by_database() + "".join(capfd.readouterr())
    root.removeHandler(handler)
    root.setLevel(before)


def found(text: str) -> list[str]:
    text = unquote(text).lower()
    return [what for what, word in CANARY.items() if word.lower() in text]


def test_nothing_of_the_canary_is_in_logs_subjects_texts_or_addresses(
    world, smtp_server, time_machine, everything_logged
):
    addresses: list[str] = []
    world.protocol.indications.set([Concern.objects.create(name=CANARY["concern"])])
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="maintenance", offset_days=0, stale_after_days=7)
    ReminderStep.objects.create(subject="appointment", offset_days=-1, stale_after_days=1)
    ReminderStep.objects.create(subject="pre_care", offset_days=-1)
    ReminderStep.objects.create(subject="aftercare", offset_days=0, stale_after_days=1)
    ReminderStep.objects.create(subject="result", offset_days=0, stale_after_days=7)
    Milestone.objects.create(protocol=world.protocol, position=1, name=CANARY["milestone"], kind="result", max_months=2)
    time_machine.move_to(at("2026-03-02 09:00"), tick=False)
    desk, phone = Recorder(Client(), addresses), Recorder(Client(), addresses)
    desk.client.force_login(world.desk, backend="django.contrib.auth.backends.ModelBackend")

    # The desk registers the patient, finds them again, and looks.
    desk.post(
        reverse("desk:patient-new"),
        {
            "given_name": CANARY["given name"],
            "family_name": CANARY["family name"],
            "email": EMAIL,
            "phone": f"+44{CANARY['phone']}",
            "language": "en-gb",
            "notes": CANARY["note"],
        },
    )
    patient = Patient.objects.get(email=EMAIL)
    desk.post(reverse("desk:patient-search"), {"q": CANARY["family name"]})
    # The database refuses a row of theirs, which no form lets through.
    with pytest.raises(IntegrityError, match=CANARY["note"]) as refusal, transaction.atomic():
        Patient.objects.filter(pk=patient.pk).update(given_name="")
    logging.getLogger("anything").error("It failed", exc_info=refusal.value)
    desk.get(reverse("desk:patient", args=[patient.pk]))

    # A visit is booked, confirmed, reminded of and cancelled; a series comes to its end.
    patients.create_account(patient=patient, by=world.desk, now=at("2026-03-02 09:00"))
    patients.give_consent(
        patient=patient, purpose="recall", channel="email", source="desk", by=world.desk, now=at("2026-03-02 09:00")
    )
    visit = book(world, a_visit(world, "2026-03-10 10:00"), patient=patient)
    outbox.run(now=at("2026-03-03 10:00"))
    outbox.run(now=at("2026-03-09 10:00"))
    booking.cancel(appointment=visit, reason=CANARY["note"], by=world.desk, now=at("2026-03-09 11:00"))
    series = world.a_series(patient, concern=Concern.objects.get(name=CANARY["concern"]), area=CANARY["area"])
    courses.attend(session=series.sessions.first(), on=date(2026, 3, 2), by=world.desk, now=at("2026-03-02 12:00"))
    courses.complete(series=series, by=world.desk, now=at("2026-03-02 12:00"))
    cycle = series.maintenance.get()
    cycles.override(cycle=cycle, due_on=date(2026, 6, 1), reason="seen", by=world.desk, now=at("2026-03-02 12:00"))

    # Another is under way, with care before its visit and after it.
    CareInstruction.objects.create(
        protocol=world.protocol, position=1, when="before", action="avoid", text=CANARY["care"], offset=1, unit="day"
    )
    CareInstruction.objects.create(
        protocol=world.protocol, position=2, when="after", action="avoid", text=CANARY["aftercare"]
    )
    under_way = world.a_series(patient)
    treated = book(world, a_visit(world, "2026-03-20 10:00", session=under_way.sessions.first()), patient=patient)
    outbox.run(now=at("2026-03-10 12:00"))
    time_machine.move_to(at("2026-03-18 10:00"), tick=False)
    outbox.run(now=at("2026-03-18 10:00"))
    care = next(mail for mail in smtp_server.received if "before your visit" in mail["Subject"])
    page = phone.get(re.search(r"http://[^/]+(/r/[^/\s]+/care/)\s", care.get_content())[1])
    assert CANARY["care"] in page.content.decode(), "behind the link it is told"

    booking.attend(appointment=treated, by=world.desk, now=at("2026-03-20 12:00"))
    time_machine.move_to(at("2026-03-20 12:01"), tick=False)
    outbox.run(now=at("2026-03-20 12:01"))
    care = next(mail for mail in smtp_server.received if "after your visit" in mail["Subject"])
    page = phone.get(re.search(r"http://[^/]+(/r/[^/\s]+/care/)\s", care.get_content())[1])
    assert CANARY["aftercare"] in page.content.decode()

    # An earlier time is offered for one more visit, and declined; the final result of the first course comes.
    waits = book(world, a_visit(world, "2026-04-10 10:00"), patient=patient)
    offers.make(
        wish=waiting.note(appointment=waits, by=world.desk, now=at("2026-03-23 10:00")),
        start=at("2026-04-08 10:00"),
        practitioner=world.practitioners[0].pk,
        by=world.desk,
        now=at("2026-03-23 10:00"),
    )
    time_machine.move_to(at("2026-03-23 10:01"), tick=False)
    outbox.run(now=at("2026-03-23 10:01"))
    offer = next(mail for mail in smtp_server.received if "an earlier time" in mail["Subject"])
    offered_at = re.search(r"http://[^/]+(/r/[^/\s]+/)\s", offer.get_content())[1]
    phone.get(f"{offered_at}earlier/")
    phone.post(f"{offered_at}earlier/decline/")
    time_machine.move_to(at("2026-05-02 10:00"), tick=False)
    outbox.run(now=at("2026-05-02 10:00"))
    assert any("we would like to see you" in mail["Subject"] for mail in smtp_server.received)

    # The reminder comes; a mail server refuses one of them in words that name the patient.
    time_machine.move_to(at("2026-06-01 09:00"), tick=False)
    smtp_server.refuses[EMAIL] = f"451 {EMAIL} is busy"
    outbox.run(now=at("2026-06-01 09:00"))
    smtp_server.refuses.clear()
    outbox.run(now=at("2026-06-01 09:10"))
    reminder = next(mail for mail in smtp_server.received if "next visit" in mail["Subject"])

    # The patient books by the link, ends the reminders, and signs in by a code.
    link = re.search(r"http://[^/]+(/r/[^/\s]+/)\s", reminder.get_content())[1]
    time = offered(phone.get(link))[0]
    phone.post(f"{link}book/", confirm_form(phone.get(time)))
    phone.post(f"{link}call/")
    phone.get(f"{link}stop/")
    phone.post(f"{link}stop/")
    phone.get("/r/AAAAAAAAAAAAAAAAAAAAAAAA/nothing-here/")
    phone.post(reverse("account_request_login_code"), {"email": EMAIL})
    outbox.run(now=at("2026-06-01 09:20"))
    assert Maintenance.objects.get(pk=cycle.pk).state == "booked"

    # All of it, searched.
    logged = everything_logged()
    assert "POST /desk/patients/new/" in logged, "the log was kept"
    assert "23514 patient_has_a_name" in logged
    assert [line for line in logged.splitlines() if found(line)] == []
    assert link.split("/")[2] not in logged, "nor the secret of the link"
    said = set(Message.objects.filter(patient=patient, state="sent").values_list("kind", flat=True))
    assert said >= {"pre_care", "aftercare", "result", "earlier", "maintenance", "visit_reminder"}
    unsubscribing = {mail["Subject"] for mail in smtp_server.received if mail["List-Unsubscribe"]}
    assert unsubscribing == {reminder["Subject"]}, "only what sells can be ended at one press"
    assert {mail["Subject"]: found(mail["Subject"]) for mail in smtp_server.received if found(mail["Subject"])} == {}
    assert {address for address in addresses if found(address)} == set()
    # A mail says the first name in its text, and nothing else of it.
    for mail in smtp_server.received:
        assert set(found(mail.get_body(("plain",)).get_content())) <= {"given name"}
    for kind in MessageKind.values:
        message = Message(kind=kind, patient=patient, channel="sms", message_id=uuid4())
        text = messages.sms(message, messages.About(world.site, [at("2026-03-10 14:30")]), secret="A" * 24)
        assert found(text) == [], kind


@pytest.mark.parametrize("word", CANARY.values(), ids=CANARY.keys())
def test_the_search_would_find_it(word, everything_logged):
    """Else the test above could not fail."""
    logging.getLogger("anything").debug("Seen: %s", word.upper())

    assert found(everything_logged())
