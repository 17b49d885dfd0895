"""What is to be said to patients: owed, claimed, sent and settled.

Confirmations, changes and cancellations are owed in the transaction that causes them. Reminders follow from the state.
"""

from datetime import UTC, datetime, timedelta

from clinic.models import Appointment, Message
from clinic.models.outbox import MessageKind
from patients.models import Channel, Patient, Purpose
from treatments.models import Series

# A confirmation of a whole series that could not leave for so long says nothing new any more.
SERIES_CONFIRMATION_KEEPS = timedelta(days=7)


def owe_confirmation(
    *,
    patient: Patient,
    now: datetime,
    appointment: Appointment | None = None,
    series: Series | None = None,
    counts_from: str,
) -> None:
    """Owe one confirmation: of a single visit, or of everything booked of a series.

    `counts_from` names the booking (its request), so that the same request owes it once. Nothing is owed for a visit
    that has begun. Call it inside the transaction that books.
    """
    assert (appointment is None) != (series is None)
    not_after = appointment.starts_at if appointment else now + SERIES_CONFIRMATION_KEEPS
    _owe(
        MessageKind.CONFIRMATION,
        patient_id=patient.pk,
        appointment=appointment,
        series=series,
        counts_from=counts_from,
        now=now,
        not_after=not_after,
    )


def owe_change(*, appointment: Appointment, now: datetime) -> None:
    """Owe a notice of the new time. Call it inside the transaction that moves, with `sequence` already raised."""
    _owe_notice(MessageKind.CHANGE, appointment, now)


def owe_cancellation(*, appointment: Appointment, now: datetime) -> None:
    """Owe a notice that the visit will not take place. Call it inside the transaction that cancels."""
    _owe_notice(MessageKind.CANCELLATION, appointment, now)


def _owe_notice(kind: MessageKind, appointment: Appointment, now: datetime) -> None:
    _owe(
        kind,
        patient_id=appointment.patient_id,
        appointment=appointment,
        counts_from=_edition(appointment),
        now=now,
        not_after=appointment.starts_at,
    )


def _edition(appointment: Appointment) -> str:
    """The visit as it stands: moved away and back again, it is another edition of the same start."""
    return f"{said_of(appointment.starts_at)} #{appointment.sequence}"


def said_of(start: datetime) -> str:
    """A start as `counts_from` has it; the statement that owes reminders writes the same."""
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _owe(kind: MessageKind, *, patient_id: int, now: datetime, not_after: datetime, counts_from: str, **about) -> None:
    if not_after <= now:
        return
    message = Message(
        patient_id=patient_id,
        kind=kind,
        purpose=Purpose.SERVICE,
        channel=Channel.EMAIL,
        counts_from=counts_from,
        owed_at=now,
        not_before=now,
        not_after=not_after,
        **about,
    )
    # One INSERT ... ON CONFLICT DO NOTHING: said already is said.
    Message.objects.bulk_create([message], ignore_conflicts=True)
