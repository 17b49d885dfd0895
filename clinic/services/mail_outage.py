"""Whether the mail server takes anything at all; while it does not, one mail a minute asks whether it does again.

An outage is no message's fault, so that none uses up its retries in it. It begins where there is no connection, where
the server closes (421), or where it puts off mails to three addresses in a row; the first yes ends it, and what it
held goes at once.

One mail that is put off before a yes to another and again after it has a trouble of its own: that is no outage.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, Max, Min, Q, QuerySet, Value
from django.db.models.functions import Least

from clinic.models import Message, MessageState, Sending
from patients.models import Channel

THE_ROW = 1
IN_A_ROW = 3
# A little less than the minute of the beat, so that each beat may ask.
ASK_EVERY = timedelta(seconds=55)
# What is held is looked at again so late, where nobody asks sooner: the end of the outage fetches it.
HOLD = timedelta(minutes=10)

# What waits for the end of an outage, or to be tried again after a no.
HELD = Q(channel=Channel.EMAIL, put_off_since__isnull=False)


class MailServer:
    """What one process knows of the mail server while it sends a batch."""

    def __init__(self, *, down: bool = False, may_ask: bool = False) -> None:
        self.down = down
        # One mail may go all the same.
        self.may_ask = may_ask
        self._took_at: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether no mail goes now."""
        return self.down and not self.may_ask

    def is_asked(self) -> None:
        self.may_ask = False

    def took(self, *, now: datetime) -> None:
        """It took a mail, and that is noted."""
        self._took_at = now
        if self.down:
            self.down = False
            _end(now)

    def is_gone(self, *, now: datetime) -> None:
        """There is no connection."""
        self.may_ask = False
        if not self.down:
            self._begin(now, _refused_since(self._last_yes()))

    def puts_off(self, message: Message, *, closes: bool, now: datetime) -> bool:
        """It put off `message`, perhaps as it closes: whether that is an outage, and no trouble of this mail's own."""
        if self.down:
            return True
        last_yes = self._last_yes()
        if message.put_off_since and last_yes and message.put_off_since <= last_yes:
            return False
        refused = _refused_since(last_yes)
        others = refused.exclude(patient__email__iexact=message.patient.email)
        in_a_row = 1 + others.aggregate(count=Count("patient__email", distinct=True))["count"]
        if closes or in_a_row >= IN_A_ROW or Sending.objects.filter(mails_held_since__isnull=False).exists():
            self._begin(now, refused)
        return self.down

    def _last_yes(self) -> datetime | None:
        # What somebody settled by hand has a reason.
        taken = Message.objects.filter(state=MessageState.SENT, channel=Channel.EMAIL, reason="")
        noted = taken.filter(settled_at__isnull=False).aggregate(at=Max("settled_at"))["at"]
        return max((instant for instant in (noted, self._took_at) if instant), default=None)

    def _begin(self, now: datetime, refused: QuerySet[Message]) -> None:
        self.down = True
        since = refused.aggregate(first=Min("put_off_since"))["first"] or now
        Sending.objects.bulk_create([Sending(pk=THE_ROW)], ignore_conflicts=True)
        began = Sending.objects.filter(pk=THE_ROW, mails_held_since=None).update(
            mails_held_since=since, mails_ask_at=now + ASK_EVERY
        )
        if began:
            # One try each and not none, so that a trouble of their own comes out in the end.
            refused.filter(state=MessageState.PENDING, attempts__gt=1).update(attempts=1)


def ask(sending: Sending, *, now: datetime) -> MailServer:
    """What to do with the mails of a batch. Called by one process at a time: in a minute, one of all may ask."""
    if sending.mails_ask_at is None:
        return MailServer()
    may_ask = sending.mails_ask_at <= now
    if may_ask:
        Sending.objects.filter(pk=THE_ROW).update(mails_ask_at=now + ASK_EVERY)
    return MailServer(down=True, may_ask=may_ask)


def _refused_since(last_yes: datetime | None) -> QuerySet[Message]:
    """Mails that were refused since, not those that are merely held."""
    refused = Message.objects.filter(HELD, state__in=[MessageState.PENDING, MessageState.SENDING], attempts__gt=0)
    return refused.filter(put_off_since__gt=last_yes) if last_yes else refused


@transaction.atomic
def _end(now: datetime) -> None:
    standing = Sending.objects.select_for_update(no_key=True).filter(mails_held_since__isnull=False).first()
    if standing is None:
        return
    Sending.objects.update(mails_held_since=None, mails_ask_at=None)
    held = Message.objects.filter(HELD, state=MessageState.PENDING, put_off_since__gte=standing.mails_held_since)
    held.update(not_before=Least(Value(now), F("not_before")))
    # Of those that were not even tried nothing is known.
    held.filter(attempts=0).update(put_off_since=None)
