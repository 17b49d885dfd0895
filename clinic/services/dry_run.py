"""What would go out now, and why not; and what the next day will bring.

The same code as for sending owes and looks again, inside a transaction that is taken back: so that the answer is what
would happen, and not what somebody once thought would.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from clinic.models import Message, MessageState
from clinic.services import outbox, recheck
from clinic.services.operations import DAY

# No more than so many are looked at one by one.
LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One message, and what would become of it: it goes, or waits until then, or is not sent for that reason."""

    message: Message
    goes: bool
    until: datetime | None
    reason: str


@contextmanager
def _as_if_owed(now: datetime) -> Iterator[None]:
    with transaction.atomic():
        outbox.owe_due(now=now)
        yield
        transaction.set_rollback(True)


def now_due(*, now: datetime) -> tuple[list[Line], int]:
    """What is due at this moment, line by line, and how many are due in all. Sends and stores nothing."""
    with _as_if_owed(now):
        due = Message.objects.filter(state=MessageState.PENDING, not_before__lte=now)
        batch = list(
            due.select_related("patient", "step", "appointment__site", "maintenance").order_by("not_before", "pk")[
                :LOOKED_AT
            ]
        )
        verdicts = recheck.verdicts(batch, now=now)
        return [_line(message, verdicts[message.pk]) for message in batch], due.count()


def _line(message: Message, verdict: recheck.Verdict) -> Line:
    match verdict:
        case recheck.Send():
            return Line(message, True, None, "")
        case recheck.Postpone(until=until):
            return Line(message, False, until, "")
        case recheck.SaidWith():
            return Line(message, False, None, recheck.said_together())
        case recheck.Drop(reason=reason):
            return Line(message, False, None, reason)


def next_day(*, now: datetime) -> Counter[str]:
    """How many of each kind will be due within a day, as things stand. Sends and stores nothing."""
    with _as_if_owed(now):
        outbox.owe_due(now=now + DAY)
        due = Message.objects.filter(state=MessageState.PENDING, not_before__lte=now + DAY, not_after__gt=now)
        return Counter(due.order_by().values_list("kind", flat=True))
