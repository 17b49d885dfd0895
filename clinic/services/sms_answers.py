"""What the gateway for text messages tells back: who wants no more, and what became of a message."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.models import Message, MessageState
from patients import services as patients
from patients.models import Channel, Patient, Purpose

# In the languages of the messages, and what providers themselves take for a no. Compared in capitals.
STOP_WORDS = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "OPTOUT", "REVOKE", "STOPP", "ALTO", "BAJA", "PARAR"}
)
SOURCE = "answer by text message"
ARRIVED = frozenset({"delivered", "read"})
DID_NOT_ARRIVE = frozenset({"failed", "undelivered", "rejected", "expired"})


def is_stop(text: str) -> bool:
    return text.strip(" \t\r\n.!\"'").upper() in STOP_WORDS


@transaction.atomic
def answered(*, phone: str, text: str, now: datetime) -> int:
    """Send no text messages of any purpose any more to whoever has this number, if they said so. Returns how many."""
    if not is_stop(text):
        return 0
    found = list(Patient.objects.current().select_for_update(no_key=True).filter(phone=phone).order_by("pk"))
    for patient in found:
        for purpose in Purpose:
            latest = patients.consent_in_force(patient, purpose, Channel.SMS)
            if latest is None or latest.granted:
                patients.withdraw_consent(
                    patient=patient, purpose=purpose, channel=Channel.SMS, source=SOURCE, by=None, now=now
                )
    return len(found)


@transaction.atomic
def delivered(*, key: UUID, status: str, now: datetime) -> bool:
    """Note what the provider says became of a message. False where that is no news, or the message is not known."""
    message = Message.objects.select_for_update(no_key=True).filter(message_id=key, channel=Channel.SMS).first()
    if message is None or message.state not in (MessageState.SENT, MessageState.UNKNOWN):
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
