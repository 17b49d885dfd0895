"""What the mail service tells back: authenticated, in its own notation, any number of times, and about anything."""

import base64
import hashlib
import hmac
import json

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from clinic import delivery, messages
from clinic.models import Message
from clinic.services import outbox, worklist_rows
from patients.models import Consent
from tests.clinic.test_outbox import a_cycle, a_visit, agree
from tests.world import LONDON, NOW, at

SECRET = "service:a-long-password"


@pytest.fixture(autouse=True)
def service(settings):
    pytest.importorskip("anymail", reason="the extra “mail” is not installed")
    settings.MAIL_HOOK = "postmark"
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}


@pytest.fixture
def sent(world, smtp_server) -> Message:
    visit = a_visit(world)
    outbox.owe_confirmation(patient=world.patient, appointment=visit, counts_from="request", now=NOW)
    outbox.run(now=NOW)
    return Message.objects.get()


def call(body, *, secret: str = SECRET, **headers):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    basic = base64.b64encode(secret.encode()).decode()
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"HTTP_AUTHORIZATION": f"Basic {basic}"} | headers
    return client.post("/hooks/mail/", data, content_type="application/json", **headers)


def news(message: Message, kind: str, **more) -> dict:
    about = {"RecordType": kind, "MessageID": "883953f4", "Metadata": {"message": str(message.message_id)}}
    return about | {"Recipient": message.patient.email, "DeliveredAt": "2026-03-02T08:01:00Z"} | more


def bounced(message: Message) -> dict:
    return news(message, "Bounce", Type="HardBounce", Details="550 5.1.1 no such mailbox", ID=4)


def state(message: Message) -> tuple[str, bool]:
    message.refresh_from_db()
    return message.state, message.delivered_at is not None


def test_a_mail_that_arrived_is_noted_so_once(sent):
    assert state(sent) == ("sent", False)
    for _again in range(2):
        assert call(news(sent, "Delivery")).status_code == 200
    first = sent.delivered_at

    assert state(sent) == ("sent", True)
    call(news(sent, "Delivery"))
    sent.refresh_from_db()
    assert first is None or sent.delivered_at == first


def test_one_in_doubt_that_arrived_is_not_in_doubt_any_more(sent):
    Message.objects.update(state="unknown")
    call(news(sent, "Delivery"))

    assert state(sent) == ("sent", True)


def test_a_mail_that_came_back_is_on_the_worklist_with_what_to_do_and_can_be_sent_to_another_address(
    world, sent, smtp_server
):
    call(news(sent, "Delivery"))
    for _again in range(2):
        assert call(bounced(sent)).status_code == 200

    assert state(sent) == ("failed", False)
    page = worklist_rows.page(
        worklist_rows.TABS["messages"], worklist_rows.Filters(), by=world.desk, zone=LONDON, now=NOW, unfit=[]
    )
    assert [row.detail for row in page.rows] == [sent.reason]
    assert sent.reason.startswith("The mail came back: the address is wrong or closed. Call the patient.")

    type(world.patient).objects.update(email="new@example.com")
    outbox.retry(message=sent, now=at("2026-03-02 10:00"))
    outbox.run(now=at("2026-03-02 10:00"))
    assert smtp_server.recipients() == ["amal@example.com", "new@example.com"]


@pytest.mark.parametrize(("kind", "answer"), [("Bounce", 503), ("Delivery", 503), ("SpamComplaint", 200)])
def test_news_of_a_mail_that_is_being_sent_are_to_be_told_again(world, smtp_server, monkeypatch, kind, answer):
    outbox.owe_confirmation(patient=world.patient, appointment=a_visit(world), counts_from="request", now=NOW)
    message, answers, send = Message.objects.get(), [], delivery.Mailer.send
    body = bounced(message) if kind == "Bounce" else news(message, kind, Type=kind)

    def tell_at_once(mailer, mail):
        send(mailer, mail)
        answers.append(call(body).status_code)

    monkeypatch.setattr(delivery.Mailer, "send", tell_at_once)
    outbox.run(now=NOW)
    assert (answers, state(message)[0]) == ([answer], "sent")

    assert call(body).status_code == 200
    assert state(message)[0] == ("failed" if kind == "Bounce" else "sent")


@pytest.mark.parametrize(("kind", "becomes"), [("Delivery", "sent"), ("Bounce", "failed")])
def test_a_mail_whose_answer_was_lost_is_not_sent_again_once_it_is_known_what_became_of_it(
    sent, smtp_server, kind, becomes
):
    Message.objects.update(state="pending", settled_at=None, handed_over=1)
    call(bounced(sent) if kind == "Bounce" else news(sent, kind))

    assert state(sent)[0] == becomes
    assert outbox.run(now=at("2026-03-02 10:00")) == {}
    assert len(smtp_server.received) == 1


def test_a_mail_that_was_not_handed_over_has_not_arrived(sent):
    Message.objects.update(state="pending", settled_at=None, handed_over=0)
    call(news(sent, "Delivery"))

    assert state(sent) == ("pending", False)


def test_one_that_is_only_late_is_not_called_lost(sent):
    call(news(sent, "Bounce", Type="Transient"))

    assert state(sent) == ("sent", False)


@pytest.mark.parametrize("kind", ["SpamComplaint", "SubscriptionChange"])
def test_who_complains_gets_no_recall_by_mail_any_more_and_hears_of_visits_still(world, sent, kind):
    agree(world)
    for _again in range(2):
        call(news(sent, kind, Type="SpamComplaint", SuppressSending=True, SuppressionReason="SpamComplaint"))

    assert list(Consent.objects.order_by("pk").values_list("purpose", "granted")) == [
        ("recall", True),
        ("recall", False),
    ]
    a_cycle(world, "2026-06-01")
    assert outbox.run(now=at("2026-06-01 09:00")) == {}


def test_the_mail_is_found_by_its_message_id_too(sent):
    call(news(sent, "Delivery", Metadata={}, MessageID=f"<{sent.message_id}@localhost>"))

    assert state(sent) == ("sent", True)


@pytest.mark.parametrize(
    ("name", "header"),
    [("postmark", "X-PM-Metadata-message"), ("mailgun", "X-Mailgun-Variables"), ("sendgrid", "X-SMTPAPI"), ("", None)],
)
def test_a_mail_takes_along_what_the_service_tells_back(world, settings, name, header):
    settings.MAIL_HOOK = name
    message = Message(kind="change", patient=world.patient)
    mail = messages.email(message, messages.About(world.site, [at("2026-03-10 14:30")]))

    known = {header for header, _value in messages.TRACKED.values()} & set(mail.extra_headers)
    assert known == ({header} if header else set())
    assert all(str(message.message_id) in mail.extra_headers[header] for header in known)


# As Mailgun and SendGrid write it: from the examples of their documentation, with what a mail of ours takes along.


def mailgun(message: Message, settings, *, bounce: bool) -> dict:
    settings.ANYMAIL = settings.ANYMAIL | {"MAILGUN_WEBHOOK_SIGNING_KEY": "a-key"}
    signature = {"timestamp": "1529006854", "token": "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"}
    signed = f"{signature['timestamp']}{signature['token']}".encode()
    signature["signature"] = hmac.new(b"a-key", signed, hashlib.sha256).hexdigest()
    data = {
        "event": "delivered",
        "timestamp": 1521472262.908181,
        "id": "CPgfbmQMTCKtHW6uIWtuVe",
        "log-level": "info",
        "flags": {"is-routed": False, "is-authenticated": True, "is-system-test": False, "is-test-mode": False},
        "message": {"headers": {"to": message.patient.email, "message-id": "2013@mailgun.example"}, "attachments": []},
        "recipient": message.patient.email,
        "recipient-domain": "example.com",
        "user-variables": {"message": str(message.message_id)},
        "delivery-status": {"tls": True, "code": 250, "description": "", "message": "OK", "attempt-no": 1},
    }
    if bounce:
        status = {"code": 605, "message": "", "description": "Not delivering to previously bounced address"}
        data |= {"event": "failed", "severity": "permanent", "reason": "suppress-bounce", "delivery-status": status}
    return {"signature": signature, "event-data": data}


def sendgrid(message: Message, settings, *, bounce: bool) -> list:
    about = {
        "email": message.patient.email,
        "timestamp": 1513299569,
        "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
        "category": ["cat facts"],
        "sg_event_id": "6g4ZI7SA-xmRDv57GoPIPw==",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "message": str(message.message_id),
    }
    if bounce:
        return [about | {"event": "bounce", "type": "bounce", "reason": "500 unknown recipient", "status": "5.0.0"}]
    return [about | {"event": "processed"}, about | {"event": "delivered", "response": "250 OK"}]


@pytest.mark.parametrize("notation", [mailgun, sendgrid])
def test_it_is_read_in_the_notation_of_other_services(sent, settings, notation):
    settings.MAIL_HOOK = notation.__name__
    assert call(notation(sent, settings, bounce=False)).status_code == 200
    assert state(sent) == ("sent", True)

    assert call(notation(sent, settings, bounce=True)).status_code == 200
    assert state(sent) == ("failed", False)


def test_mailgun_signs_what_it_tells(sent, settings):
    settings.MAIL_HOOK = "mailgun"
    told = mailgun(sent, settings, bounce=True)
    told["signature"]["signature"] = "0" * 64

    assert call(told).status_code == 403
    assert state(sent) == ("sent", False)


def test_news_of_an_unknown_mail_is_taken_and_means_nothing(sent):
    unknown = news(sent, "Delivery", Metadata={"message": "00000000-0000-0000-0000-000000000001"})

    assert call(unknown).status_code == 200
    assert call(news(sent, "Delivery", Metadata={})).status_code == 200
    assert state(sent) == ("sent", False)


@pytest.mark.parametrize("secret", ["", "service:wrong", "service", ":", "sérvice:a-long-password"])
def test_without_the_password_nothing_is_taken(sent, secret):
    assert call(bounced(sent), secret=secret).status_code == 403
    assert state(sent) == ("sent", False)


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer x", ""])
def test_nor_with_a_header_that_is_none(sent, header):
    assert call(bounced(sent), HTTP_AUTHORIZATION=header).status_code == 403


@pytest.mark.parametrize(
    ("name", "secret"), [("", SECRET), ("postmark", ""), ("nobody", SECRET), ("postmark_tracking_webhook/../x", SECRET)]
)
def test_there_is_no_such_page_while_no_service_is_configured(sent, settings, name, secret):
    settings.MAIL_HOOK, settings.ANYMAIL = name, {"WEBHOOK_SECRET": secret}

    assert call(bounced(sent)).status_code == 404
    assert state(sent) == ("sent", False)


def test_looking_at_it_does_nothing(sent):
    assert Client().get("/hooks/mail/").status_code == 405
    assert Client().head("/hooks/mail/").status_code == 200


DEEP = b"[" * 20_000
HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"{",
    b"1e999",
    b'"text"',
    b"\xff\xfe\x00",
    DEEP,
    b"[" + b"0," * 100_000 + b"0]",
    b'{"RecordType": null}',
    b'{"RecordType": []}',
    b'{"RecordType": "Inbound"}',
    b'{"RecordType": "Bounce", "Type": {}}',
    b'{"RecordType": "Bounce", "Type": "HardBounce", "Metadata": []}',
    b'{"RecordType": "Delivery", "Metadata": {"message": {"$ne": 1}}}',
    b'{"RecordType": "Delivery", "Metadata": {"message": "\\u0000"}}',
    b'{"RecordType": "Delivery", "MessageID": 7, "Metadata": "x"}',
    b'{"RecordType": "Delivery", "MessageID": "\\ud800", "DeliveredAt": 5}',
    b'{"RecordType": "Delivery", "DeliveredAt": "9999-99-99T99:99:99Z"}',
    b'{"RecordType": "Bounce", "Type": "HardBounce", "Details": {"a": 1}, "Metadata": {"message": "%s"}}',
    b"x" * 1_000_001,
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_sent_is_no_error_and_names_nobody_in_the_log(sent, body, caplog):
    response = call(body.replace(b"%s", str(sent.message_id).encode()))

    assert response.status_code in (200, 400, 403, 413)
    assert sent.patient.email not in caplog.text


def test_words_that_no_column_takes_are_shortened(sent):
    call(bounced(sent) | {"Details": "\0" + "x" * 5000, "Description": "\0" * 5})

    assert state(sent) == ("failed", False)
    assert len(sent.reason) <= 200


def test_only_what_was_sent_can_have_arrived(sent):
    with pytest.raises(IntegrityError, match="message_arrived_only_if_it_was_sent"), transaction.atomic():
        Message.objects.update(state="failed", reason="r", delivered_at=NOW)
