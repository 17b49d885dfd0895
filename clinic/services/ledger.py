"""What one process notes of the messages it holds: being handed over, sent, given back."""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from django.db import connection
from django.db.models import F

from clinic.models import Message, MessageState

NOTE_EVERY = timedelta(seconds=1)
# A process that has not settled a message for so long is gone. Longer than what was looked at stays fresh, and one mail
# server can keep one mail waiting.
LEASE = timedelta(minutes=3)
# What was looked at longer ago than this is looked at again before it is sent.
FRESH = timedelta(seconds=30)
# Beside the states of a message: another process has it by now.
LOST = "lost"

logger = logging.getLogger(__name__)


class Clock:
    """The time it is, for a caller who said what time it was at the start."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._started = time.monotonic()

    def now(self) -> datetime:
        return self._now + timedelta(seconds=time.monotonic() - self._started)


class Stale(Exception):
    """What is held was looked at too long ago."""


class BeingSent(Exception):
    """What became of it can be told once the process that sends it has noted that it did."""


class Ledger:
    """What one process notes of the messages it holds.

    That mails were sent is noted together with "the next are being handed over": one statement and one commit for a
    group. No message is handed over before that is noted.
    """

    def __init__(self, token: uuid.UUID, clock: Clock, held: Iterable[Message]) -> None:
        self.token, self.clock = token, clock
        self.outcomes: Counter[str] = Counter()
        # Whether the gateway for text messages could not be reached in this batch.
        self.gateway_down = False
        # What a provider was not given yet, by its key; and of what it was noted that it will be.
        self.held = {message.pk: message for message in held}
        self._marked: set[int] = set()
        self._sent: list[int] = []
        self._noted_at = clock.now()
        self._stale_at = clock.now() + FRESH

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.note()

    def hand_over(self, group: Sequence[Message]) -> Iterator[Message]:
        """Note that these are being handed over, then yield them, but for those that another process has by now.

        Nor does it yield what is given back meanwhile. Raises Stale before one that has waited too long.
        """
        self._marked |= self.note([message.pk for message in group])
        ours = [message for message in group if message.pk in self._marked]
        for message in ours:
            message.attempts += 1
            message.handed_over += 1
        self.outcomes[LOST] += len(group) - len(ours)
        for message in ours:
            if message.pk not in self.held:
                continue
            if self.clock.now() > self._stale_at:
                raise Stale
            yield message

    def no_text(self, message: Message, reason: str) -> None:
        del self.held[message.pk]
        self.outcomes[settle(message, self.token, MessageState.FAILED, self.clock, reason)] += 1

    def sent(self, message: Message) -> None:
        self._sent.append(message.pk)
        if self.clock.now() > self._noted_at + NOTE_EVERY:
            self.note()

    def give_back(self, outcome: str, keys: Iterable[int], **values) -> None:
        """Give back these of what is held, as if they had not been taken."""
        back = set(keys)
        marked = self._marked & back
        not_handed_over = {"attempts": F("attempts") - 1, "handed_over": F("handed_over") - 1}
        self.outcomes[outcome] += release(back - marked, self.token, **values)
        self.outcomes[outcome] += release(marked, self.token, **not_handed_over, **values)
        for key in back:
            del self.held[key]

    def note(self, next_ones: Sequence[int] = ()) -> set[int]:
        """Note what was sent and what comes next; returns which of the next ones are ours to hand over."""
        sent, self._sent = self._sent, []
        self._noted_at = now = self.clock.now()
        if not sent and not next_ones:
            return set()
        with connection.cursor() as cursor:
            cursor.execute(
                NOTE, {"sent": sent, "next": list(next_ones), "token": self.token, "now": now, "lease": now + LEASE}
            )
            [(settled, marked)] = cursor.fetchall()
        if settled < len(sent):
            logger.warning("%d messages were settled by another process", len(sent) - settled)
        self.outcomes += Counter({MessageState.SENT: settled, LOST: len(sent) - settled})
        return set(marked)


# Written out, because Django has no statement that does both.
NOTE = """
WITH settled AS (
    UPDATE clinic_message
    SET state = 'sent', settled_at = %(now)s, reason = '', token = NULL, lease_until = NULL
    WHERE id = ANY(%(sent)s::bigint[]) AND token = %(token)s
    RETURNING id
), marked AS (
    UPDATE clinic_message
    SET attempts = attempts + 1, handed_over = handed_over + 1, lease_until = %(lease)s
    WHERE id = ANY(%(next)s::bigint[]) AND token = %(token)s
    RETURNING id
)
SELECT (SELECT count(*) FROM settled), ARRAY(SELECT id FROM marked)
"""


def release(keys: Iterable[int], token: uuid.UUID, **values) -> int:
    """Give claimed messages back unsent."""
    return Message.objects.filter(pk__in=list(keys), token=token).update(
        state=MessageState.PENDING, token=None, lease_until=None, **values
    )


def settle(message: Message, token: uuid.UUID, state: MessageState, clock: Clock, reason: str = "") -> str:
    settled = Message.objects.filter(pk=message.pk, token=token).update(
        **settling(state, clock.now(), reason), handed_over=message.handed_over
    )
    if not settled:
        logger.warning("Message %d was settled by another process", message.pk)
    return state if settled else LOST


def settling(state: MessageState, at: datetime, reason: str) -> dict[str, object]:
    return {"state": state, "settled_at": at, "reason": short(reason), "token": None, "lease_until": None}


def short(reason: str) -> str:
    return reason.replace("\0", "")[:200]
