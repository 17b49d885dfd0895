"""Text messages: what they cost, a gateway on a real socket, and what it tells back."""

import json
import socket
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.test import Client

from clinic import delivery, gsm, messages
from clinic.models import Message, MessageState, ReminderStep
from clinic.models.outbox import MessageKind
from clinic.services import outbox
from patients.models import Consent, Patient
from tests.clinic.test_outbox import a_cycle, a_visit
from tests.world import NOW, at

PHONE = "+447700900123"


class Gateway:
    """Takes what apprise posts, as a provider would."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict]] = []
        self.status = 200
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                gateway.received.append((self.path, json.loads(body)))
                self.send_response(gateway.status)
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/to/{{to}}"


@pytest.fixture
def gateway(settings):
    pytest.importorskip("apprise", reason="the extra “sms” is not installed")
    gateway = Gateway()
    settings.SMS_URL = gateway.url
    yield gateway
    gateway.server.shutdown()


@pytest.fixture
def texted(world):
    """A patient with a phone and no mail, who is reminded of a visit by text message."""
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="appointment", offset_days=-3, channel="sms", stale_after_days=1)
    patient = world.a_patient(email="", phone=PHONE)
    a_visit(world, patient=patient)
    return patient


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("a" * 160, 1, id="just one"),
        pytest.param("a" * 161, 2, id="one character more"),
        pytest.param("a" * 306, 2, id="just two"),
        pytest.param("a" * 307, 3, id="just three"),
        pytest.param("€" * 80, 1, id="a euro takes two places"),
        pytest.param("€" * 81, 2, id="81 euros"),
        pytest.param("ñ" * 160, 1, id="in the alphabet"),
        pytest.param("ń" * 70, 1, id="not in the alphabet"),
        pytest.param("ń" * 71, 2, id="71 not in the alphabet"),
        pytest.param("\U0001f600" * 36, 2, id="beyond the first plane each takes two"),
        pytest.param("", 1, id="nothing"),
    ],
)
def test_parts(text, parts):
    assert gsm.parts(text) == parts


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        pytest.param("Ńoor’s – visit", "Noor's - visit", id="accents, quotes and dashes"),
        pytest.param("Zoë é", "Zoe é", id="what the alphabet has stays"),
        pytest.param("أمل", "أمل", id="another script stays whole"),
    ],
)
def test_plain(text, plain):
    assert gsm.plain(text) == plain


@pytest.mark.parametrize("kind", MessageKind.values)
def test_every_text_message_that_comes_with_the_program_is_one_part(world, settings, kind):
    settings.PUBLIC_URL = "https://termine.a-clinic-with-a-long-name.example"
    message = Message(kind=kind, patient=world.a_patient(phone=PHONE, time_zone="Asia/Kolkata"), channel="sms")
    message.patient.refresh_from_db()
    world.site.short_name = "S" * 20

    secret = "A" * 24 if kind in ("maintenance", "fresh_link", "earlier") else ""
    text = messages.sms(message, messages.About(world.site, [at("2026-03-10 14:30")]), secret=secret)

    assert gsm.parts(text) == 1, text


def test_a_reminder_goes_to_the_gateway_once_with_nothing_clinical(texted, gateway):
    assert outbox.run(now=at("2026-03-07 14:30"))["sent"] == 1
    assert outbox.run(now=at("2026-03-07 14:31")) == {}

    [(path, body)] = gateway.received
    assert path.startswith("/to/")
    assert "447700900123" in path
    assert body["message"] == "Harbour: see you on Tue 10 Mar 2026, 14:30. http://localhost:8000/my/"


@pytest.mark.parametrize("status", [400, 429, 500])
def test_without_a_clear_yes_it_is_in_doubt_and_never_sent_again(texted, gateway, status):
    gateway.status = status
    for minutes in (30, 40, 59):
        outbox.run(now=at(f"2026-03-07 14:{minutes}"))

    assert len(gateway.received) == 1
    assert Message.objects.get().state == "unknown"


def test_while_the_gateway_cannot_be_reached_texts_wait_and_mails_go(world, texted, gateway, smtp_server, caplog):
    a_visit(world, patient=world.a_patient(email="", phone="+447700900124"))
    gateway.server.shutdown()
    gateway.server.server_close()
    outbox.owe_confirmation(
        patient=world.patient, appointment=a_visit(world), counts_from="request", now=at("2026-03-07 14:30")
    )

    assert outbox.run(now=at("2026-03-07 14:30")) == {"owed": 2, "sent": 1, "postponed": 2}
    texts = Message.objects.filter(channel="sms")
    assert set(texts.values_list("state", "attempts", "handed_over")) == {("pending", 0, 0)}
    assert outbox.run(now=at("2026-03-07 14:30") + timedelta(seconds=50)) == {}
    assert "447700900123" not in caplog.text

    outbox.run(now=at("2026-03-10 12:31"))
    assert set(texts.values_list("state", "reason")) == {("dropped", "Its time has passed.")}


def test_a_gateway_that_takes_it_and_says_nothing_leaves_it_in_doubt(texted, settings):
    pytest.importorskip("apprise", reason="the extra “sms” is not installed")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings.SMS_URL = f"json://127.0.0.1:{listening.getsockname()[1]}/to/{{to}}"

        def take_and_hang_up():
            connection, _address = listening.accept()
            connection.recv(10_000)
            connection.close()

        threading.Thread(target=take_and_hang_up, daemon=True).start()
        outbox.run(now=at("2026-03-07 14:30"))

    assert Message.objects.get().state == "unknown"


def test_a_text_that_would_cost_more_parts_is_not_sent(gateway):
    with pytest.raises(delivery.Rejected, match="2 parts"):
        delivery.send_sms(to=PHONE, text="a" * 161, key="k")

    assert gateway.received == []


# --- What the gateway tells back ----------------------------------------------------------------------------------


@pytest.fixture
def hook(settings):
    settings.SMS_HOOK_SECRET = "the-secret-of-the-gateway"

    def call(**said):
        return Client(enforce_csrf_checks=True).post(f"/hooks/sms/{settings.SMS_HOOK_SECRET}/", said)

    return call


@pytest.mark.parametrize("word", ["STOP", "stop", " Stop. ", "UNSUBSCRIBE", "baja"])
def test_a_stop_word_ends_all_text_messages_to_that_number(texted, hook, word):
    assert hook(From="07700 900123", Body=word).status_code == 204

    said = Consent.objects.filter(patient=texted, channel="sms")
    assert {(consent.purpose, consent.granted) for consent in said} == {
        ("service", False),
        ("recall", False),
        ("marketing", False),
    }
    assert set(said.values_list("source", flat=True)) == {"answer by text message"}
    assert outbox.run(now=at("2026-03-07 14:30")) == {}


def test_said_twice_it_is_one_no_and_by_mail_it_is_none(texted, hook):
    for _time in range(2):
        hook(**{"from": PHONE, "text": "STOP"})

    assert Consent.objects.filter(channel="sms").count() == 3
    assert not Consent.objects.filter(channel="email").exists()


@pytest.mark.parametrize("text", ["Please don't stop", "thank you", "", "STOP\0"])
def test_other_answers_end_nothing_unless_they_are_the_word(texted, hook, text):
    hook(From=PHONE, Body=text)

    assert Consent.objects.exists() is ("STOP" in text)


@pytest.mark.parametrize(
    ("before", "status", "after"),
    [
        pytest.param("unknown", "delivered", "sent", id="it had arrived"),
        pytest.param("sent", "delivered", "sent", id="no news"),
        pytest.param("sent", "undelivered", "failed", id="it did not arrive"),
        pytest.param("unknown", "failed", "failed", id="in doubt no more"),
        pytest.param("sent", "queued", "sent", id="on its way"),
        pytest.param("dropped", "failed", "dropped", id="never sent"),
    ],
)
def test_the_provider_says_what_became_of_it(texted, hook, before, status, after):
    outbox.owe_due(now=at("2026-03-07 14:30"))
    message = Message.objects.get()
    Message.objects.update(state=MessageState(before), settled_at=NOW, reason="r")

    hook(reference=str(message.message_id), status=status)

    assert Message.objects.get().state == after


def test_without_the_secret_there_is_no_such_page(texted, settings):
    for configured in ("", "the-secret-of-the-gateway"):
        settings.SMS_HOOK_SECRET = configured
        assert Client().post("/hooks/sms/guessed/", {"From": PHONE, "Body": "STOP"}).status_code == 404
    assert not Consent.objects.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"from": 5, "text": null}', b'{"from": "x", "key": "y"}'])
def test_what_is_not_understood_changes_nothing(texted, settings, body):
    settings.SMS_HOOK_SECRET = "the-secret-of-the-gateway"
    answer = Client().post("/hooks/sms/the-secret-of-the-gateway/", body, content_type="application/json")

    assert answer.status_code == 204
    assert not Consent.objects.exists()


def test_a_recall_by_text_message_leads_to_the_same_link(world, gateway):
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="maintenance", offset_days=0, channel="sms", stale_after_days=7)
    patient = world.a_patient(email="", phone=PHONE)
    a_cycle(world, "2026-06-01", patient=patient)
    Consent.objects.create(
        patient=patient, purpose="recall", channel="sms", granted=True, wording="w", source="desk", given_at=NOW
    )

    assert outbox.run(now=at("2026-06-01 09:00"))["sent"] == 1
    [(_path, body)] = gateway.received
    link = body["message"].rpartition(" ")[2]
    assert "/r/" in link
    assert Patient.objects.filter(messages__links__isnull=False).get() == patient
