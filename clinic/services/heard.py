"""Which time of a visit the patient has heard of, where the last one was never told."""

from collections.abc import Iterable
from datetime import datetime

from clinic.models import Appointment, AppointmentStatus, Message
from clinic.models.outbox import MessageKind, MessageState, said_of

TOLD = [MessageState.SENT, MessageState.UNKNOWN]


def starts_known(visits: Iterable[Appointment]) -> dict[int, datetime]:
    """By visit, where it differs from what stands in the diary: the start before the changes that were not told."""
    by_key = {visit.pk: visit for visit in visits}
    if not by_key:
        return {}
    # Of most visits nothing was left untold, and their history is not read.
    changed = Message.objects.filter(appointment__in=by_key, kind=MessageKind.CHANGE, said_with=None)
    untold = changed.exclude(state__in=TOLD).values_list("appointment", flat=True)
    known = {key: _last_told(by_key[key]) for key in set(untold)}
    return {key: start for key, start in known.items() if start is not None}


def _last_told(visit: Appointment) -> datetime | None:
    """The latest start to which no notice belongs that was not sent; else that of the visit given up for this one."""
    notices = visit.messages.filter(kind=MessageKind.CHANGE, said_with=None).exclude(state__in=TOLD)
    untold = set(notices.values_list("counts_from", flat=True))
    editions: dict[datetime, set[str]] = {}
    for start, sequence in visit.events.order_by("pgh_id").values_list("starts_at", "sequence"):
        # The latest last, also where it was moved away and back.
        editions[start] = editions.pop(start, set()) | {f"{said_of(start)} #{sequence}"}
    for start, said in reversed(editions.items()):
        if not said & untold:
            return start
    if visit.session_id is None:
        return None
    given_up = Appointment.objects.filter(session=visit.session_id, pk__lt=visit.pk, status=AppointmentStatus.CANCELLED)
    before = given_up.exclude(messages__kind=MessageKind.CANCELLATION).order_by("-pk").first()
    return _last_told(before) if before else None
