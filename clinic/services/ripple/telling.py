"""What the patient hears of a change: one message for the whole of it, after the time in which it can be taken back."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from clinic.models import Appointment, Message
from clinic.models.outbox import MessageKind, MessageState, edition_of
from clinic.services import outbox
from clinic.services.ripple.outlook import Outlook


def untold(outlook: Outlook) -> list[Appointment]:
    """Visits that change and begin when they did, where the patient is still to be told of an earlier move.

    What waits speaks of the visit as it was and is not sent any more, so it is owed anew.
    """
    same = [outlook.scene.appointments[n] for n in outlook.moved if not outlook.starts_elsewhere(n)]
    waiting = Message.objects.filter(appointment__in=same, kind=MessageKind.CHANGE, state=MessageState.PENDING)
    owed = set(waiting.values_list("appointment", "counts_from")) if same else set()
    return [visit for visit in same if (visit.pk, edition_of(visit)) in owed]


def tell(outlook: Outlook, held: Mapping[int, Appointment], *, now: datetime, key: UUID) -> None:
    """One message for the whole of it, or none where nothing changes for the patient.

    `held` are the visits that have a new time now, by number.
    """
    scene, kind = outlook.scene, outlook.change.kind
    mine = scene.number
    # The patient was there, or knows that nobody came; only what follows is news. A visit that begins when it did is
    # none, however long it takes.
    moved = [n for n in outlook.moved if not (kind == "attended" and n == mine) and outlook.starts_elsewhere(n)]
    cancelled = list(outlook.released)
    if kind in ("cancel", "drop") and scene.appointment is not None:
        cancelled.append(mine)
    if not moved and not cancelled and not outlook.placed:
        return
    wait = outbox.TO_UNDO
    one = next(iter({*moved, *cancelled, *outlook.placed})) if len({*moved, *cancelled, *outlook.placed}) == 1 else None
    if one is None:
        assert scene.series is not None
        outbox.owe_series_change(series=scene.series, counts_from=str(key), now=now, wait=wait)
    elif one in outlook.placed and one not in cancelled:
        outbox.owe_confirmation(
            patient=scene.course.patient, appointment=held[one], counts_from=str(key), now=now, wait=wait
        )
    elif one in outlook.placed or one in moved:
        # Given up and booked anew, it is one visit that has moved, as far as the patient is concerned.
        outbox.owe_change(appointment=held[one], now=now, wait=wait)
    else:
        outbox.owe_cancellation(appointment=scene.appointments[one], now=now, wait=wait)
