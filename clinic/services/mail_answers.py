"""What the mail service tells back: what arrived, what came back, and who wants no more."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.models import Message, MessageState
from clinic.services.ledger import BeingSent
from patients import services as patients
from patients.models import Channel, Patient, Purpose

SOURCE = "complaint to the mail service"
ARRIVED = frozenset({"delivered"})
CAME_BACK = frozenset({"bounced", "rejected", "failed"})
NO_MORE = frozenset({"complained", "unsubscribed"})


@transaction.atomic
def told(*, key: UUID, event: str, said: str, now: datetime) -> bool:
    """Note what became of a mail. False where that is no news, or the mail is not known. `said`: the service's words.

    What came back is on the worklist as failed, and may be sent again to another address. Who complained gets no
    reminders of maintenance by e-mail any more; messages about booked visits still go. What arrived or came back after
    an answer was lost is not sent a second time. Raises BeingSent where the news is ahead of our own note.
    """
    message = Message.objects.select_for_update(no_key=True).filter(message_id=key, channel=Channel.EMAIL).first()
    if message is None:
        return False
    if event in NO_MORE:
        return _withdraw(message.patient_id, now=now)
    if event not in ARRIVED | CAME_BACK:
        return False
    if message.state == MessageState.SENDING:
        raise BeingSent
    waits_to_be_sent_again = message.state == MessageState.PENDING and message.handed_over > 0
    if message.state not in (MessageState.SENT, MessageState.UNKNOWN) and not waits_to_be_sent_again:
        return False
    if event in ARRIVED and message.delivered_at is None:
        if message.state != MessageState.SENT:
            message.settled_at, message.reason = now, _("The mail service says that it arrived.")
        message.state, message.delivered_at = MessageState.SENT, now
    elif event in CAME_BACK:
        message.state, message.delivered_at, message.handed_over = MessageState.FAILED, None, 0
        message.settled_at = now
        message.reason = _("The mail came back: the address is wrong or closed. Call the patient. %s") % said
        message.reason = message.reason.replace("\0", "").strip()[:200]
    else:
        return False
    message.save(update_fields=["state", "delivered_at", "handed_over", "settled_at", "reason"])
    return True


def _withdraw(patient_id: int, *, now: datetime) -> bool:
    # One after another, so that a complaint told twice is one no.
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient_id)
    latest = patients.consent_in_force(patient, Purpose.RECALL, Channel.EMAIL)
    if latest is None or not latest.granted:
        return False
    patients.withdraw_consent(
        patient=patient, purpose=Purpose.RECALL, channel=Channel.EMAIL, source=SOURCE, by=None, now=now
    )
    return True
