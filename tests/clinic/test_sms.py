"""Text messages: what they cost, a gateway on a real socket, and what it tells back."""

import json
import socket
import threading
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from clinic import delivery, gsm, messages
from clinic.models import Appointment, CallRequest, Message, MessageState, ReminderStep, WorklistNote
from clinic.models.outbox import MessageKind
from clinic.services import outbox, own_data, worklist_rows
from patients.models import Consent, Patient
from tests.clinic.test_outbox import a_cycle, a_visit
from tests.world import LONDON, NOW, at

PHONE = "+447700900123"


class Gateway:
    """Takes what apprise posts, as a provider would."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict]] = []
        self.status = 200
        self.before = lambda: None
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                gateway.received.append((self.path, json.loads(body)))
                gateway.before()
                # Whoever asked may be gone.
                with suppress(OSError):
                    self.send_response(gateway.status)
                    self.end_headers()

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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


@pytest.mark.parametrize("status", [302, 500, 502, 504])
def test_without_a_clear_answer_it_is_in_doubt_and_never_sent_again(texted, gateway, status):
    gateway.status = status
    for minutes in (30, 40, 59):
        outbox.run(now=at(f"2026-03-07 14:{minutes}"))

    assert len(gateway.received) == 1
    assert Message.objects.get().state == "unknown"


@pytest.mark.parametrize("status", [429, 503])
def test_a_gateway_that_has_enough_for_now_gets_it_later_once(texted, gateway, status):
    gateway.status = status
    assert outbox.run(now=at("2026-03-07 14:30"))["postponed"] == 1
    message = Message.objects.get()
    assert (message.state, message.attempts, message.handed_over) == ("pending", 1, 0)
    assert message.reason == f"The gateway for text messages takes none for now ({status})."
    gateway.status = 200

    assert outbox.run(now=at("2026-03-07 14:32"))["sent"] == 1
    assert len(gateway.received) == 2


def test_a_gateway_that_has_enough_for_good_has_it_end_on_the_desks_list(texted, gateway):
    gateway.status = 429
    for hours in range(4):
        for minutes in range(0, 60, 5):
            outbox.run(now=at(f"2026-03-07 {14 + hours}:{minutes:02}"))

    assert len(gateway.received) == 6
    assert Message.objects.get().state == "failed"


@pytest.mark.parametrize("status", [400, 401, 422])
def test_a_text_that_the_gateway_refuses_fails_and_says_so(texted, gateway, status):
    gateway.status = status
    outbox.run(now=at("2026-03-07 14:30"))
    message = Message.objects.get()

    assert (message.state, message.handed_over) == ("failed", 0)
    assert message.reason == f"The gateway for text messages refused it ({status})."


# Where each service's own code writes its addresses down; and what it answers, in its own words.
SERVICES = [
    pytest.param("twilio", "twilio://AC{a}:{a}@15550100123/{{to}}".format(a="a" * 32), id="Twilio"),
    pytest.param("vonage", "vonage://{a}:{b}@15550100123/{{to}}".format(a="a" * 8, b="b" * 16), id="Vonage"),
    pytest.param("clicksend", "clicksend://user:key@{to}", id="ClickSend"),
    pytest.param("messagebird", "msgbird://{a}/15550100123/{{to}}".format(a="a" * 25), id="MessageBird"),
    pytest.param("bulksms", "bulksms://user:password@{to}", id="BulkSMS"),
    pytest.param("sinch", "sinch://{a}:{a}@15550100123/{{to}}".format(a="a" * 32), id="Sinch"),
    pytest.param("seven", "seven://{a}/{{to}}".format(a="a" * 25), id="seven"),
]
SAID = [
    pytest.param(429, {}, delivery.PutOff, id="too many"),
    pytest.param(429, {"code": 20429, "message": "Too Many Requests"}, delivery.PutOff, id="too many, as Twilio says"),
    pytest.param(503, {}, delivery.PutOff, id="not now"),
    pytest.param(400, {"code": 21211, "message": "Invalid 'To' Number"}, delivery.Rejected, id="no, as Twilio says"),
    pytest.param(403, {}, delivery.Rejected, id="no"),
    pytest.param(500, {}, delivery.Unclear, id="who knows"),
]


@pytest.mark.parametrize(("status", "body", "raises"), SAID)
@pytest.mark.parametrize(("service", "address"), SERVICES)
def test_the_answer_of_a_service_is_read_from_what_is_logged_of_it(
    settings, monkeypatch, service, address, status, body, raises
):
    pytest.importorskip("apprise", reason="the extra “sms” is not installed")
    if "code" in body and service not in ("twilio", "sinch"):
        pytest.skip("numbers of another service")
    answer = requests.Response()
    answer.status_code, answer._content = status, json.dumps(body).encode()
    # The services' addresses are elsewhere: no socket can stand in for them.
    monkeypatch.setattr(requests.Session, "request", lambda *_arguments, **_named: answer)
    settings.SMS_URL = address

    with pytest.raises(raises) as error:
        delivery.send_sms(to=PHONE, text="Hello", key="k")
    assert type(error.value) is raises
    assert "not understood" not in str(error.value), "the address is"


def test_a_gateway_that_hangs_holds_up_no_mail(world, texted, gateway, smtp_server, settings):
    for number in range(3):
        a_visit(world, patient=world.a_patient(email="", phone=f"+44770090013{number}"))
    hangs = threading.Event()
    gateway.before = lambda: hangs.wait(30 / 20)
    # What takes seconds in the field takes so much less here.
    settings.SMS_URL = gateway.url + "?rto=0.2"
    outbox.owe_confirmation(
        patient=world.patient, appointment=a_visit(world), counts_from="request", now=at("2026-03-07 14:30")
    )
    mailed, texts = [], gateway.received
    smtp_server.answer = lambda mail: mailed.append(len(texts)) or "250 OK"

    outbox.run(now=at("2026-03-07 14:30"))
    hangs.set()

    assert mailed == [0], "it went before the first text message"
    assert set(Message.objects.filter(channel="sms").values_list("state", flat=True)) == {"unknown"}


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


STOPS = ["STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "STOPP", "ABMELDEN", "ENDE", "AUS", "baja"]


@pytest.mark.parametrize("word", [*STOPS, "stop", " Stop. ", "opt  out"])
def test_a_stop_word_ends_all_text_messages_to_that_number(texted, hook, word):
    assert hook(From="07700 900123", Body=word).status_code == 204

    said = Consent.objects.filter(patient=texted, channel="sms")
    assert {(consent.purpose, consent.granted) for consent in said} == {
        ("service", False),
        ("recall", False),
        ("marketing", False),
    }
    assert set(said.values_list("source", flat=True)) == {"answer by text message"}
    assert not CallRequest.objects.exists(), "nothing for anybody to do"
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


def to_call() -> list[tuple[str, str, str]]:
    now = at("2026-03-07 14:40")
    found = worklist_rows.page(
        worklist_rows.TABS["calls"], worklist_rows.Filters(), by=User(), zone=LONDON, now=now, unfit={}
    )
    return [(row.patient, row.what, row.detail) for row in found.rows]


def test_what_is_not_a_plain_no_stands_on_the_worklist_and_in_no_log(texted, hook, caplog):
    caplog.set_level("DEBUG")
    for text in ("Cannot come,\n sorry", "Cannot come, sorry", "call me at\0 work"):
        hook(From=PHONE, Body=text)

    assert to_call() == [("Noor Haddad", "Answer to a text message", "Cannot come, sorry\ncall me at work")]
    assert not Consent.objects.exists()
    assert "annot come" not in caplog.text
    assert "annot come" in json.dumps(own_data.export(patient=texted, by=texted.registered_by, now=NOW), default=str)


def test_cancel_ends_text_messages_as_providers_do_and_somebody_calls_about_the_visit(texted, hook):
    hook(From=PHONE, Body="Cancel.")

    assert Consent.objects.filter(patient=texted, channel="sms", granted=False).count() == 3
    assert [detail for _patient, _what, detail in to_call()] == ["Cancel."]
    assert Appointment.objects.get().status == "booked"


def test_an_answer_is_that_of_whoever_was_written_to_last(world, texted, hook):
    child = world.a_patient("Ida", email="", phone=PHONE)
    a_visit(world, patient=child)
    outbox.owe_due(now=at("2026-03-07 14:30"))
    for patient, sent_at in ((child, NOW), (texted, NOW - timedelta(days=1))):
        Message.objects.filter(patient=patient).update(state="sent", settled_at=sent_at, handed_over=1)

    hook(From=PHONE, Body="We cannot come")

    request = CallRequest.objects.get()
    assert (request.patient, request.message.kind) == (child, "visit_reminder")


def test_another_answer_brings_back_a_row_that_was_put_aside(world, texted, hook):
    with time_machine.travel(at("2026-03-07 10:00"), tick=False):
        hook(From=PHONE, Body="Please call")
    request = CallRequest.objects.get()
    WorklistNote.objects.create(
        patient=texted,
        call=request,
        outcome="no_answer",
        hidden_until=at("2026-03-08 00:00"),
        noted_at=at("2026-03-07 11:00"),
        noted_by=world.desk,
    )
    assert to_call() == []

    with time_machine.travel(at("2026-03-07 12:00"), tick=False):
        hook(From=PHONE, Body="I cannot come")

    assert [detail for _patient, _what, detail in to_call()] == ["Please call\nI cannot come"]


@pytest.mark.parametrize("text", ["", "  \n", "\0"])
def test_nothing_said_is_nothing_to_read(texted, hook, text):
    hook(From=PHONE, Body=text)
    hook(From="+447700900999", Body="Whose number is this?")

    assert not CallRequest.objects.exists()


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


@pytest.mark.parametrize(
    ("status", "answer"), [("delivered", 503), ("undelivered", 503), ("queued", 204), ("no status", 204)]
)
def test_what_is_told_while_it_is_being_sent_is_to_be_told_again(texted, hook, status, answer):
    outbox.owe_due(now=at("2026-03-07 14:30"))
    message = Message.objects.get()
    Message.objects.update(state="sending", token=message.message_id, lease_until=NOW, handed_over=1)

    assert hook(reference=str(message.message_id), status=status).status_code == answer
    assert Message.objects.get().state == "sending"


def test_without_the_secret_there_is_no_such_page(texted, settings):
    for configured in ("", "the-secret-of-the-gateway"):
        settings.SMS_HOOK_SECRET = configured
        assert Client().post("/hooks/sms/guessed/", {"From": PHONE, "Body": "STOP"}).status_code == 404
    assert not Consent.objects.exists()


# Of a character.
HALF = b'{"from": "+447700900123", "text": "\\ud83d"}'


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"from": 5, "text": null}', b'{"from": "x", "key": "y"}', HALF])
def test_what_is_not_understood_changes_nothing(texted, settings, body):
    settings.SMS_HOOK_SECRET = "the-secret-of-the-gateway"
    answer = Client().post("/hooks/sms/the-secret-of-the-gateway/", body, content_type="application/json")

    assert answer.status_code == 204
    assert not Consent.objects.exists()
    assert not CallRequest.objects.exists()


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
