"""Messages that are owed: claimed, looked at again, handed over, settled."""

import logging
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext as _

from clinic import delivery, ladder, links, messages, own_words
from clinic.models import Message, MessageState, ReminderLink, Sending
from clinic.models.outbox import CARE, REMINDERS, TELL_OF_VISITS, MessageKind
from clinic.services import mail_outage, recheck
from clinic.services.ledger import LEASE, Clock, Ledger, Stale, release, settle, settling, short
from clinic.services.mail_outage import MailServer
from clinic.services.post import HELD, Post
from patients.models import Channel

BATCH = 100
# How many mails are handed over between one note and the next: so many may arrive twice, under one Message-ID, where a
# process dies. What is sent slowly is noted each second all the same.
GROUP = 20
# How long to leave a gateway alone that cannot be reached.
OUTAGE_PAUSE = timedelta(minutes=1)
# By how much a retry may come later than said, so that a thousand put off together do not come back together.
JITTER = 0.2
# How far ahead a reminder may be said with one that goes now.
AHEAD = timedelta(days=1)
# How often a message may be handed over at most, where the answer to earlier times was lost: a mail keeps its
# Message-ID, a text message would arrive twice.
HAND_OVERS = {Channel.EMAIL: 2, Channel.SMS: 1}

# What one message can say for another.
TOGETHER = [*REMINDERS, *CARE, *TELL_OF_VISITS]

# Beside the states of a message, what can become of one in a batch.
POSTPONED = "postponed"
JOINED = "joined"
RELEASED = "released"

# "course: messages are being claimed", as a number nobody else is likely to lock.
CLAIMING = 0x636F75727366

ToSend = tuple[Message, recheck.Send]

logger = logging.getLogger(__name__)


def dispatch_due(*, now: datetime, limit: int = BATCH) -> Counter[str]:
    """Send a batch of what is due; returns how many became what, nothing where nothing was due.

    Each is looked at again first: it is sent, put off, or dropped with the reason. A process that dies leaves at most
    `GROUP` mails in doubt, or one text message. No transaction is open while sending.
    """
    clock = Clock(now)
    token = uuid.uuid4()
    batch, mail_server = _claim(token, now, limit)
    if not batch:
        return Counter()
    owed_by = {message.pk: message.channel for message in batch}
    verdicts = recheck.verdicts(batch, now=now)
    _switch([message for message in batch if message.channel != owed_by[message.pk]], token)
    outcomes = _drop(batch, verdicts, token, now) + _postpone(batch, verdicts, token) + _join(verdicts, token, now)
    to_send = [(message, verdict) for message in batch if isinstance(verdict := verdicts[message.pk], recheck.Send)]
    return outcomes + _send(to_send, token, clock, mail_server)


def _claim(token: uuid.UUID, now: datetime, limit: int) -> tuple[list[Message], MailServer]:
    # Durable: nothing of this, nor of the caller's, may be open while a provider takes its time.
    with transaction.atomic(durable=True):
        _one_at_a_time()
        sending = Sending.objects.first() or Sending()
        if sending.paused_at:
            return [], MailServer()
        _take_up_lost(now)
        mail_server = mail_outage.ask(sending, now=now)
        waiting = (
            Message.objects.filter(state=MessageState.PENDING)
            .order_by("not_before", "pk")
            .select_for_update(skip_locked=True, no_key=True)
        )
        is_due = Q(not_before__lte=now)
        first = list(waiting.filter(is_due).values_list("pk", "patient_id", "kind", "channel")[:limit])
        if mail_server.may_ask and all(channel != Channel.EMAIL for *_others, channel in first):
            first += waiting.filter(mail_outage.HELD).values_list("pk", "patient_id", "kind", "channel")[:1]
        if not first:
            return [], mail_server
        keys = [key for key, *_others in first]
        if to_tell := {patient for _key, patient, kind, _channel in first if kind in TOGETHER}:
            # All that waits for a patient is looked at together, so that one message says it.
            # And what comes within a day: of two visits that are to be told of, one message may have to say both.
            soon = Q(kind=MessageKind.APPOINTMENT_REMINDER, not_before__lte=now + AHEAD)
            waits = is_due | mail_outage.HELD if mail_server.down else is_due
            others = waiting.filter(Q(waits, kind__in=TOGETHER) | soon, patient__in=to_tell).exclude(pk__in=keys)
            keys += others.values_list("pk", flat=True)
        Message.objects.filter(pk__in=keys).update(state=MessageState.SENDING, token=token, lease_until=now + LEASE)
    batch = (
        Message.objects.filter(pk__in=keys, token=token)
        .select_related("patient", "step", "appointment__site", "maintenance")
        .defer("appointment__phases", "patient__notes")
        .order_by("not_before", "pk")
    )
    return list(batch), mail_server


def _switch(switched: Sequence[Message], token: uuid.UUID) -> None:
    """Store the way that these go by now."""
    for channel in {message.channel for message in switched}:
        keys = [message.pk for message in switched if message.channel == channel]
        Message.objects.filter(pk__in=keys, token=token).update(channel=channel)


def _one_at_a_time() -> None:
    """Two processes never claim at the same moment: else each could take one reminder of the same patient."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIMING])


def _take_up_lost(now: datetime) -> None:
    """What a dead process held waits again, or is in doubt where another time would be one too many."""
    lost = Message.objects.filter(state=MessageState.SENDING, lease_until__lt=now)
    held = list(lost.select_for_update(skip_locked=True, no_key=True).values_list("pk", "channel", "handed_over"))
    if not held:
        return
    doubtful = [key for key, channel, handed_over in held if handed_over >= HAND_OVERS[Channel(channel)]]
    Message.objects.filter(pk__in=doubtful).update(
        **settling(MessageState.UNKNOWN, now, _("The process that sent it ended before it had the provider's answer."))
    )
    Message.objects.filter(pk__in=[key for key, _channel, _handed_over in held]).exclude(pk__in=doubtful).update(
        state=MessageState.PENDING, token=None, lease_until=None
    )
    logger.warning("Taken up %d messages of a process that is gone, %d of them in doubt", len(held), len(doubtful))


def _drop(
    batch: Sequence[Message], verdicts: Mapping[int, recheck.Verdict], token: uuid.UUID, now: datetime
) -> Counter[str]:
    dropped = defaultdict(list)
    for message in batch:
        verdict = verdicts[message.pk]
        if isinstance(verdict, recheck.Drop):
            state = MessageState.FAILED if verdict.failed else MessageState.DROPPED
            if message.handed_over:
                # What may have arrived already cannot be called not sent.
                state = MessageState.UNKNOWN
            missed = verdict.missed and state == MessageState.DROPPED
            dropped[state, verdict.reason, missed].append(message.pk)
    outcomes: Counter[str] = Counter()
    for (state, reason, missed), keys in dropped.items():
        settled = Message.objects.filter(pk__in=keys, token=token).update(**settling(state, now, reason), missed=missed)
        outcomes[state] += settled
    # What such a message would have said beside its own waits for another.
    if keys := _keys(dropped):
        Message.objects.filter(said_with__in=keys).update(
            state=MessageState.PENDING, said_with=None, settled_at=None, reason=""
        )
    return outcomes


def _keys(dropped: Mapping[object, list[int]]) -> set[int]:
    return {key for keys in dropped.values() for key in keys}


def _join(verdicts: Mapping[int, recheck.Verdict], token: uuid.UUID, now: datetime) -> Counter[str]:
    """Set aside what another message of the batch says too."""
    lead = {key: verdict.message for key, verdict in verdicts.items() if isinstance(verdict, recheck.SaidWith)}
    if not lead:
        return Counter()
    said_with = Case(*(When(pk=key, then=Value(message)) for key, message in lead.items()))
    joined = Message.objects.filter(pk__in=lead, token=token).update(
        **settling(MessageState.DROPPED, now, recheck.said_together()), said_with=said_with
    )
    return Counter({JOINED: joined})


def _postpone(batch: Sequence[Message], verdicts: Mapping[int, recheck.Verdict], token: uuid.UUID) -> Counter[str]:
    until = {key: verdict.until for key, verdict in verdicts.items() if isinstance(verdict, recheck.Postpone)}
    if not until:
        return Counter()
    later = Case(*(When(pk=key, then=Value(instant)) for key, instant in until.items()), default=F("not_before"))
    # Looked at before its time and left as it was, it was not put off.
    as_before = sum(until.get(message.pk) == message.not_before for message in batch)
    return Counter({POSTPONED: max(release(until, token, not_before=later) - as_before, 0)})


def _send(to_send: Sequence[ToSend], token: uuid.UUID, clock: Clock, mail_server: MailServer) -> Counter[str]:
    if not to_send:
        return Counter()
    ledger = Ledger(token, clock, [message for message, _facts in to_send])
    own = own_words.in_use()
    with delivery.Mailer() as mailer, ledger:
        post = Post(mailer, mail_server, ledger)
        if mail_server.closed:
            post.hold()
        to_send = [one for one in to_send if one[0].pk in ledger.held]
        asking = [message for message, facts in to_send if messages.has_link(message.kind, facts)]
        secrets = _links(asking, clock)
        try:
            for group in _groups(to_send):
                if group[0][0].channel == Channel.EMAIL:
                    if not post.is_open():
                        continue
                elif ledger.gateway_down:
                    [(message, _facts)] = group
                    del ledger.held[message.pk]
                    ledger.outcomes[_wait_for_gateway(message, token, clock)] += 1
                    continue
                said = {message.pk: text for message, text in _texts(group, secrets, own, ledger)}
                for message in ledger.hand_over([message for message, _facts in group if message.pk in said]):
                    _send_one(message, said[message.pk], post, ledger)
        except Stale:
            ledger.give_back(RELEASED, ledger.held)
    return ledger.outcomes


def _groups(to_send: Sequence[ToSend]) -> Iterator[Sequence[ToSend]]:
    """What is handed over together: mails. A text message goes alone, and so does what may have arrived before.

    That comes last: where its provider lets it hang again, it holds up nobody else.
    """
    mails, texts, again = [], [], []
    for one in to_send:
        message, _facts = one
        (again if message.handed_over else mails if message.channel == Channel.EMAIL else texts).append(one)
    for first in range(0, len(mails), GROUP):
        yield mails[first : first + GROUP]
    yield from ([one] for one in (*texts, *again))


def _links(to_send: Sequence[Message], clock: Clock) -> dict[int, str]:
    """A link for each of these, by its key. The secret is in the message and nowhere else."""
    secrets = {message.pk: links.new_secret() for message in to_send}
    if secrets:
        now = clock.now()
        ReminderLink.objects.bulk_create(
            ReminderLink(message_id=key, digest=links.digest(secret), made_at=now, expires_at=now + links.KEEPS)
            for key, secret in secrets.items()
        )
    return secrets


def _texts(
    group: Iterable[ToSend], secrets: Mapping[int, str], own: messages.Own, ledger: Ledger
) -> Iterator[tuple[Message, EmailMessage | str]]:
    """Each message with what it says. One that cannot be put into words fails, and that is its own affair."""
    for message, facts in group:
        say = messages.email if message.channel == Channel.EMAIL else messages.sms
        secret = secrets.get(message.pk, "")
        try:
            said = say(message, facts, secret=secret, own=own)
        except ValidationError:
            ledger.no_text(message, _("The address is not valid."))
        except Exception as error:
            # Not the error's own words, which may quote the patient.
            logger.error("Message %d has no text: %s", message.pk, type(error).__name__)
            ledger.no_text(message, _("It has no text (%s).") % type(error).__name__)
        else:
            yield message, said


def _send_one(message: Message, said: EmailMessage | str, post: Post, ledger: Ledger) -> None:
    """Send one and note what became of it. Whatever goes wrong is this message's alone, but for an outage."""
    token, clock, outcomes = ledger.token, ledger.clock, ledger.outcomes
    is_mail = isinstance(said, EmailMessage)
    if is_mail and not post.is_open():
        return
    del ledger.held[message.pk]
    try:
        if isinstance(said, EmailMessage):
            post.server.is_asked()
            post.mailer.send(said)
        else:
            delivery.send_sms(to=str(message.patient.phone), text=said, key=str(message.message_id))
    except delivery.Unreachable as error:
        logger.error("%s Text messages wait", error)
        ledger.gateway_down = True
        message.attempts -= 1
        message.handed_over -= 1
        outcomes[_wait_for_gateway(message, token, clock)] += 1
    except delivery.PutOff as no:
        if is_mail and post.puts_off(message, no):
            outcomes[HELD] += 1
        else:
            outcomes[_put_off(message, token, clock, str(no))] += 1
    except delivery.Rejected as no:
        logger.warning("Message %d was refused", message.pk)
        outcomes[_refused(message, token, clock, str(no))] += 1
    except Exception as error:
        # It may have arrived. Only what the provider said may be kept in words.
        answer = str(error) if isinstance(error, delivery.Unclear) else type(error).__name__
        logger.warning("Message %d is in doubt: %s", message.pk, type(error).__name__)
        outcomes[_in_doubt(message, token, clock, answer)] += 1
    else:
        if is_mail:
            post.took(message)
        else:
            ledger.sent(message)


def _wait_for_gateway(message: Message, token: uuid.UUID, clock: Clock) -> str:
    """Nothing was handed over, and that was no message's fault: none uses up its retries, and mails still go."""
    again = Least(Value(clock.now() + OUTAGE_PAUSE), F("not_after"))
    release([message.pk], token, not_before=again, attempts=message.attempts, handed_over=message.handed_over)
    return POSTPONED


def _put_off(message: Message, token: uuid.UUID, clock: Clock, said: str) -> str:
    wait = ladder.retry_after(message.attempts)
    if wait is not None:
        again = clock.now() + wait * (1 + JITTER * random.random())  # noqa: S311 - chance, not a secret
        if again <= message.not_after:
            since = Coalesce(F("put_off_since"), Value(clock.now())) if message.channel == Channel.EMAIL else None
            values = {"not_before": again, "put_off_since": since, "reason": short(said)}
            release([message.pk], token, handed_over=message.handed_over - 1, **values)
            return POSTPONED
    return _refused(message, token, clock, said)


def _refused(message: Message, token: uuid.UUID, clock: Clock, said: str) -> str:
    # This time it did not arrive; of an earlier time whose answer was lost nobody knows.
    message.handed_over -= 1
    state = MessageState.UNKNOWN if message.handed_over else MessageState.FAILED
    return settle(message, token, state, clock, said)


def _in_doubt(message: Message, token: uuid.UUID, clock: Clock, said: str) -> str:
    again = clock.now() + ladder.RETRIES[0]
    if message.handed_over < HAND_OVERS[Channel(message.channel)] and again <= message.not_after:
        release([message.pk], token, not_before=again, reason=short(said))
        return POSTPONED
    return settle(message, token, MessageState.UNKNOWN, clock, said)
