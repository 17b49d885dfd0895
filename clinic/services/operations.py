"""How the sending stands: for the people who keep it running."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Min

from clinic.models import Message, MessageState, Sending
from clinic.models.outbox import MessageKind

# Beat asks each minute; so long without it is more than a restart.
BEAT_LATE = timedelta(minutes=5)
# What should have gone so long ago is more than a busy minute.
UNSENT_LATE = timedelta(minutes=5)
DAY = timedelta(days=1)
THE_ROW = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """What operators look at. Rates are of what was settled within the last day, from 0 to 1."""

    beat_at: datetime | None
    beat_late: bool
    trouble_at: datetime | None
    paused_at: datetime | None
    paused_by: User | None
    mails_held_since: datetime | None
    oldest_unsent: datetime | None
    unsent: int
    unsent_late: bool
    settled: Counter[str]

    @property
    def handed_over(self) -> int:
        return self.settled[MessageState.SENT] + self.settled[MessageState.FAILED] + self.settled[MessageState.UNKNOWN]

    @property
    def failure_rate(self) -> float | None:
        """None where nothing was to be sent."""
        lost = self.settled[MessageState.FAILED] + self.settled[MessageState.UNKNOWN]
        return lost / self.handed_over if self.handed_over else None


def note_beat(*, now: datetime) -> None:
    Sending.objects.bulk_create(
        [Sending(pk=THE_ROW, beat_at=now)], update_conflicts=True, unique_fields=["id"], update_fields=["beat_at"]
    )


def note_trouble(*, now: datetime) -> None:
    """Keep that something of what is due could not be owed; what went wrong stands in the log."""
    Sending.objects.bulk_create(
        [Sending(pk=THE_ROW, trouble_at=now)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["trouble_at"],
    )


def pause(*, by: User, now: datetime) -> None:
    """Send nothing until `resume`, by any process. What is being handed over at this moment still goes."""
    Sending.objects.bulk_create([Sending(pk=THE_ROW)], ignore_conflicts=True)
    Sending.objects.filter(pk=THE_ROW, paused_at=None).update(paused_at=now, paused_by=by)


def resume() -> None:
    """Send again what is not too late by now."""
    Sending.objects.filter(pk=THE_ROW).update(paused_at=None, paused_by=None)


def standing(*, now: datetime) -> Standing:
    row = Sending.objects.select_related("paused_by").filter(pk=THE_ROW).first() or Sending()
    waiting = Message.objects.filter(state=MessageState.PENDING, not_before__lte=now)
    unsent = waiting.aggregate(oldest=Min("not_before"), count=Count("pk"))
    # Whoever cannot be written to says nothing of the mail server.
    handed_over = Message.objects.filter(settled_at__gt=now - DAY).exclude(state=MessageState.FAILED, attempts=0)
    settled = handed_over.order_by().values_list("state").annotate(count=Count("pk"))
    return Standing(
        beat_at=row.beat_at,
        beat_late=row.beat_at is None or row.beat_at < now - BEAT_LATE,
        trouble_at=row.trouble_at if row.trouble_at and row.trouble_at > now - DAY else None,
        paused_at=row.paused_at,
        paused_by=row.paused_by,
        mails_held_since=row.mails_held_since,
        oldest_unsent=unsent["oldest"],
        unsent=unsent["count"],
        unsent_late=unsent["oldest"] is not None and unsent["oldest"] < now - UNSENT_LATE,
        settled=Counter(dict(settled)),
    )


def kinds_in_words(counts: Counter[str]) -> list[tuple[str, int]]:
    return [(str(MessageKind(kind).label), count) for kind, count in sorted(counts.items())]
