"""What the mail service tells back: authenticated, in its own notation, any number of times, and about anything."""

import base64
import json

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from clinic import messages
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
