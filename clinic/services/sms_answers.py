"""What the gateway for text messages tells back: what patients answered, and what became of a message."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.models import CallRequest, Message, MessageState, WorklistNote
from clinic.services.ledger import BeingSent
from patients import services as patients
from patients.models import Channel, Patient, Purpose

# In the languages of the messages, and what providers themselves take for a no: those send nothing any more to who says
# one of these, so that the program has to know it too. Compared in capitals.
STOP_WORDS = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "OPTOUT", "OPT OUT", "REVOKE"}
    | {"STOPP", "ABMELDEN", "ENDE", "AUS", "ALTO", "BAJA", "PARAR"}
)
# Providers take it for a no as well, but of a visit it says that the patient does not come. So somebody calls.
UNCLEAR = frozenset({"CANCEL"})
# What is kept of what a patient wrote.
LONGEST = 500
MOST_KEPT = 2000
SOURCE = "answer by text message"
ARRIVED = frozenset({"delivered", "read"})
DID_NOT_ARRIVE = frozenset({"failed", "undelivered", "rejected", "expired"})


def _word(text: str) -> str:
    return " ".join(text.strip(" \t\r\n.!\"'").upper().split())


@transaction.atomic
def answered(*, phone: str, text: str, now: datetime) -> int:
    """A no ends text messages of any purpose to whoever has this number; anything else, somebody has to read.

    That is put on the worklist, as a request to be called by whoever was written to last. Returns how many patients
    have the number.
    """
    if not text.strip():
        return 0
    found = list(Patient.objects.current().select_for_update(no_key=True).filter(phone=phone).order_by("pk"))
    word = _word(text)
    if word in STOP_WORDS | UNCLEAR:
        for patient in found:
            _stop(patient, now=now)
    if found and word not in STOP_WORDS:
        _ask_for_a_call(found, text=text, now=now)
    return len(found)


def _stop(patient: Patient, *, now: datetime) -> None:
    for purpose in Purpose:
        latest = patients.consent_in_force(patient, purpose, Channel.SMS)
        if latest is None or latest.granted:
            patients.withdraw_consent(
                patient=patient, purpose=purpose, channel=Channel.SMS, source=SOURCE, by=None, now=now
            )


def _ask_for_a_call(found: Sequence[Patient], *, text: str, now: datetime) -> None:
    """One row for one who waits: what they write meanwhile is added, and what a gateway repeats is not."""
    sent = Message.objects.filter(patient__in=found, channel=Channel.SMS, handed_over__gt=0)
    last = sent.order_by("-settled_at", "-pk").first()
    patient = last.patient if last else found[0]
    line = " ".join(text.split())[:LONGEST]
    waiting = CallRequest.objects.waiting().filter(patient=patient).first()
    if waiting is None:
        CallRequest.objects.create(patient=patient, message=last, said=line, asked_at=now)
    elif line not in waiting.said.splitlines():
        waiting.said = f"{waiting.said}\n{line}".strip()[-MOST_KEPT:]
        if WorklistNote.objects.filter(call=waiting, hidden_until__gt=now).exists():
            # It was put aside for what they had said by then.
            waiting.asked_at = now
        waiting.save(update_fields=["said", "asked_at"])


@transaction.atomic
def delivered(*, key: UUID, status: str, now: datetime) -> bool:
    """Note what the provider says became of a message. False where that is no news, or the message is not known.

    Raises BeingSent where the news is ahead of our own note.
    """
    message = Message.objects.select_for_update(no_key=True).filter(message_id=key, channel=Channel.SMS).first()
    if message is None or status not in ARRIVED | DID_NOT_ARRIVE:
        return False
    if message.state == MessageState.SENDING:
        raise BeingSent
    if message.state not in (MessageState.SENT, MessageState.UNKNOWN):
        return False
    if status in ARRIVED and message.delivered_at is None:
        if message.state == MessageState.UNKNOWN:
            message.state, message.reason = MessageState.SENT, _("The provider says that it arrived.")
            message.settled_at = now
        message.delivered_at = now
    elif status in DID_NOT_ARRIVE:
        message.state, message.reason = MessageState.FAILED, _("The provider says that it did not arrive.")
        message.settled_at, message.delivered_at = now, None
    else:
        return False
    message.save(update_fields=["state", "reason", "settled_at", "delivered_at"])
    return True
