"""What is to be said to patients, owed once.

Confirmations, changes and cancellations are owed in the transaction that causes them. Reminders follow from the state:
what has come due is owed whenever somebody asks, by any number of processes, and said once.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from clinic import ladder, wake
from clinic.models import Appointment, Message, ReminderStep
from clinic.models.outbox import MessageKind, MessageState, StepSubject, edition_of, said_of
from clinic.services import operations, owing_care, recheck
from clinic.services.already_said import DAYS, SAID, said_between
from clinic.services.dispatch import BATCH, HAND_OVERS, dispatch_due
from clinic.services.ledger import Clock
from clinic.services.quiet import quiet_hours
from clinic.services.reaching import REACH_FOR_RECALL, REACH_FOR_SERVICE, reaching
from patients.errors import Refused
from patients.models import Channel, Patient, Purpose
from treatments.models import Maintenance, Series
from treatments.services import maintenance as cycles

logger = logging.getLogger(__name__)

# A confirmation of a whole series that could not leave for so long says nothing new any more.
SERIES_CONFIRMATION_KEEPS = timedelta(days=7)
# Who asked for a fresh link does not wait for it longer than this.
FRESH_LINK_KEEPS = timedelta(days=1)
# So long a change that the desk may still take back is not told.
TO_UNDO = timedelta(minutes=5)
AT_ONCE = timedelta(0)


def owe_confirmation(
    *,
    patient: Patient,
    now: datetime,
    appointment: Appointment | None = None,
    series: Series | None = None,
    counts_from: str,
    wait: timedelta = AT_ONCE,
) -> None:
    """Owe one confirmation: of a single visit, or of everything booked of a series.

    `counts_from` names the booking (its request), so that the same request owes it once. Nothing is owed for a visit
    that has begun. Call it inside the transaction that books.
    """
    assert (appointment is None) != (series is None)
    if appointment is not None and appointment.maintenance_id is not None:
        # What was cancelled before it cannot come back any more, and is said first: said after, it would be read as
        # the end of this visit.
        before = Message.objects.filter(
            kind=MessageKind.CANCELLATION,
            state=MessageState.PENDING,
            appointment__maintenance=appointment.maintenance_id,
            not_before__gt=now,
        )
        before.update(not_before=now)
    not_after = appointment.starts_at if appointment else now + SERIES_CONFIRMATION_KEEPS
    _owe(
        MessageKind.CONFIRMATION,
        patient_id=patient.pk,
        appointment=appointment,
        series=series,
        counts_from=counts_from,
        now=now,
        wait=wait,
        not_after=not_after,
    )


def owe_change(*, appointment: Appointment, now: datetime, wait: timedelta = AT_ONCE) -> None:
    """Owe a notice of the new time. Call it inside the transaction that moves, with `sequence` already raised."""
    _owe_notice(MessageKind.CHANGE, appointment, now, wait)


def owe_cancellation(*, appointment: Appointment, now: datetime, wait: timedelta = AT_ONCE) -> None:
    """Owe a notice that the visit will not take place. Call it inside the transaction that cancels."""
    _owe_notice(MessageKind.CANCELLATION, appointment, now, wait)


def owe_series_change(*, series: Series, counts_from: str, now: datetime, wait: timedelta = AT_ONCE) -> None:
    """Owe one notice of what is booked of a series now, after a change of several visits.

    `counts_from` names the change (its request). Call it inside the transaction that changes them.
    """
    _owe(
        MessageKind.CHANGE,
        patient_id=series.patient_id,
        series=series,
        counts_from=counts_from,
        now=now,
        wait=wait,
        not_after=now + SERIES_CONFIRMATION_KEEPS,
    )


def owe_fresh_link(*, patient: Patient, maintenance: Maintenance, now: datetime) -> None:
    """Owe a new link in the place of one that has expired. The patient asked for it, so it needs no opt-in.

    Of those owed to one patient together one is sent, and opens what all of them would.
    """
    _owe(
        MessageKind.FRESH_LINK,
        patient_id=patient.pk,
        maintenance=maintenance,
        counts_from=said_of(now),
        now=now,
        not_after=now + FRESH_LINK_KEEPS,
    )


def drop(messages: QuerySet[Message], *, reason: str, now: datetime) -> int:
    """Say none of these that still wait; returns how many. Those being sent are not held up."""
    waiting = messages.filter(state=MessageState.PENDING)
    return waiting.update(state=MessageState.DROPPED, reason=reason, settled_at=now)


def _owe_notice(kind: MessageKind, appointment: Appointment, now: datetime, wait: timedelta) -> None:
    _owe(
        kind,
        patient_id=appointment.patient_id,
        appointment=appointment,
        counts_from=edition_of(appointment),
        now=now,
        wait=wait,
        not_after=appointment.starts_at,
    )


def _owe(
    kind: MessageKind,
    *,
    patient_id: int,
    now: datetime,
    not_after: datetime,
    counts_from: str,
    wait: timedelta = AT_ONCE,
    **about,
) -> None:
    if not_after <= now:
        return
    # What is almost over is told at once, or never.
    not_before = now + wait if now + 2 * wait < not_after else now
    message = Message(
        patient_id=patient_id,
        kind=kind,
        purpose=Purpose.SERVICE,
        # The way is found when it is sent.
        channel=Channel.EMAIL,
        counts_from=counts_from,
        owed_at=now,
        not_before=not_before,
        not_after=not_after,
        **about,
    )
    # One INSERT ... ON CONFLICT DO NOTHING: said already is said.
    Message.objects.bulk_create([message], ignore_conflicts=True)
    wake.after_commit()


class NotRetryable(Refused):
    """The message may have arrived, or comes too late, or needs no other try."""


@transaction.atomic
def retry(*, message: Message, now: datetime) -> Message:
    """Let a message that failed wait to be sent again, to the address that the patient has now; `not_before` is when.

    Raises NotRetryable for what the last look before sending would drop, and for one that may have arrived: a mail can
    be told from the first by its Message-ID, once; a text message cannot, and is never sent again blindly.
    """
    message = _in_trouble(message)
    if message.handed_over >= HAND_OVERS[Channel(message.channel)]:
        raise NotRetryable(_("It may have arrived. Ask the patient, then settle it by hand."))
    if message.not_after <= now:
        raise NotRetryable(_("Its time has passed. Call the patient, then settle it by hand."))
    verdict = recheck.verdicts([message], now=now)[message.pk]
    if isinstance(verdict, recheck.Drop):
        raise NotRetryable(_("It would not be sent: %s Settle it by hand.") % verdict.reason)
    again = verdict.until if isinstance(verdict, recheck.Postpone) else now
    message.state, message.reason, message.settled_at, message.not_before = MessageState.PENDING, "", None, again
    # As after a first try, so that what it says for others too is looked up again.
    message.attempts = 1
    message.save(update_fields=["state", "reason", "settled_at", "not_before", "attempts"])
    wake.after_commit()
    return message


@transaction.atomic
def settle_by_hand(*, message: Message, arrived: bool, now: datetime) -> Message:
    """Note what became of a message that failed or is in doubt, as somebody found out. Raises NotRetryable."""
    message = _in_trouble(message)
    message.state = MessageState.SENT if arrived else MessageState.DROPPED
    message.reason = _("Settled by hand: it arrived.") if arrived else _("Settled by hand: it did not arrive.")
    message.settled_at = now
    message.save(update_fields=["state", "reason", "settled_at"])
    return message


def _in_trouble(message: Message) -> Message:
    message = Message.objects.select_for_update(no_key=True).get(pk=message.pk)
    if message.state not in (MessageState.FAILED, MessageState.UNKNOWN):
        raise NotRetryable(_("This message is: %s.") % message.get_state_display())
    return message


def run(*, now: datetime, on_the_clock: bool = True) -> Counter[str]:
    """Owe what has come due, then send until nothing is left that can be sent. Returns how many became what.

    `on_the_clock` says that it is the minute that asks (beat, cron) and not a booking that has just been made. Where
    more waits than one batch, another worker is asked to help, which asks the next.
    """
    clock = Clock(now)
    if on_the_clock:
        operations.note_beat(now=now)
    lapsed = _apart("lapsing", lambda: cycles.lapse_overdue(now=now), now)
    outcomes = Counter(lapsed=lapsed, owed=owe_due(now=now))
    alone = True
    while batch := dispatch_due(now=clock.now()):
        outcomes += batch
        if alone and batch.total() >= BATCH:
            wake.after_commit()
            alone = False
    return +outcomes


def owe_due(*, now: datetime) -> int:
    """Owe every reminder that has come due and is not stale yet; returns how many. Nothing is owed twice.

    A step that fails is noted, and holds up no other.
    """
    ladders = defaultdict(list)
    for step in ReminderStep.objects.filter(active=True):
        ladders[step.subject, step.channel].append(step)
    owed = 0
    for steps in ladders.values():
        closing = ladder.closing_days((step.offset_days, step.stale_after_days or 0) for step in steps)
        for step in steps:
            owed += _apart(f"step {step.pk}", partial(_owe_step, step, closing[step.offset_days], now), now)
    return owed


def _apart(what: str, work: Callable[[], int], now: datetime) -> int:
    """What `work` returns; 0 where it fails, so that what comes after it still happens."""
    try:
        with transaction.atomic():
            return work()
    except Exception as error:
        # Not the error's own words, which may quote the patient.
        logger.error("What is due was not owed (%s): %s", what, type(error).__name__)
        operations.note_trouble(now=now)
        return 0


def _owe_step(step: ReminderStep, closes_days: int, now: datetime) -> int:
    values = reaching(step) | {"now": now, "days": step.offset_days}
    if step.subject == StepSubject.MAINTENANCE:
        # Days begin at different instants in different zones: owed when the day begins anywhere, sent when it has come
        # where the patient is.
        today = now.date()
        values["after"] = today - timedelta(days=closes_days)
        values["until"] = (now + ladder.EARLIEST_ZONE).date() - timedelta(days=step.offset_days)
        values["closes"] = closes_days
        values |= said_between(values["after"], values["until"])
        statement = OWE_MAINTENANCE
    elif step.subject != StepSubject.APPOINTMENT:
        statement, values = owing_care.statement(step, closes_days, now=now)
    else:
        closes = ladder.keeps_until(now, closes_days) - now
        values["after"] = now - closes
        values["until"] = now - timedelta(days=step.offset_days) + quiet_hours().may_move_earlier
        values["closes"] = closes
        values["ahead"] = timedelta(days=-step.offset_days)
        values |= said_between(said_of(values["after"]), said_of(values["until"]))
        statement = OWE_VISITS
    # Two at once could wait for each other's rows in a circle. One is enough: the other has nothing to add. The lock
    # lasts as long as the caller's transaction.
    with connection.cursor() as cursor:
        # With room to look among what was said in one table of hashes, however much that is.
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s), set_config('work_mem', '256MB', true)", [OWING])
        [(free, _room)] = cursor.fetchall()
        if not free:
            return 0
        cursor.execute(statement, values)
        return cursor.rowcount


# "course: reminders are being owed", as a number nobody else is likely to lock.
OWING = 0x636F75727365

# In both statements the bounds are computed before, and the bare column is compared: so that the partial index finds
# the few that are due among millions. OFFSET 0 keeps a part from being merged into the whole: it stays a look-up for
# each of those few, where the planner would read all series, and all that was ever said, once for all.
#
# Who may not be written to is not owed anything, and is owed it once that changes, unless it is stale by then.
OWE_MAINTENANCE = f"""
INSERT INTO clinic_message (
    patient_id, kind, purpose, channel, step_id, maintenance_id, counts_from, owed_at, not_before, not_after,
    state, attempts, handed_over, message_id, reason
)
SELECT
    patient.id, 'maintenance', 'recall', reach.channel, %(step)s, due.id, due_on.said,
    %(now)s, %(now)s, (due_on.day + %(closes)s)::timestamp AT TIME ZONE 'UTC',
    'pending', 0, 0, gen_random_uuid(), ''
FROM {DAYS}
CROSS JOIN LATERAL (
    SELECT * FROM treatments_maintenance WHERE state = 'scheduled' AND due_from = due_on.day OFFSET 0
) AS due
CROSS JOIN LATERAL (
    SELECT patient.*
    FROM treatments_series AS series
    JOIN patients_patient AS patient ON patient.id = series.patient_id
    WHERE series.id = due.series_id
    OFFSET 0
) AS patient
{REACH_FOR_RECALL}
WHERE coalesce(due_on.day + %(days)s >= due.remind_from, true)
    AND patient.merged_into_id IS NULL
    AND (due.id, due_on.said) NOT IN ({SAID.format(about="maintenance_id", what="counts_from")})
ON CONFLICT DO NOTHING
"""  # noqa: S608 - parts of the program

# Who booked, or heard of another time, when the step had come already, has just been told.
OWE_VISITS = f"""
INSERT INTO clinic_message (
    patient_id, kind, purpose, channel, step_id, appointment_id, counts_from, owed_at, not_before, not_after,
    state, attempts, handed_over, message_id, reason
)
SELECT
    patient.id, 'visit_reminder', 'service', reach.channel, %(step)s, visit.id, start.said,
    %(now)s, %(now)s, visit.starts_at + %(closes)s,
    'pending', 0, 0, gen_random_uuid(), ''
FROM clinic_appointment AS visit
CROSS JOIN LATERAL (SELECT to_char(visit.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS said) AS start
CROSS JOIN LATERAL (SELECT * FROM patients_patient WHERE id = visit.patient_id OFFSET 0) AS patient
{REACH_FOR_SERVICE}
WHERE visit.status = 'booked'
    AND visit.starts_at > %(after)s
    AND visit.starts_at <= %(until)s
    AND visit.booked_at < visit.starts_at - %(ahead)s
    AND patient.merged_into_id IS NULL
    AND (visit.id, start.said) NOT IN ({SAID.format(about="appointment_id", what="counts_from")})
    AND NOT EXISTS (
        SELECT FROM clinic_message AS told
        WHERE told.appointment_id = visit.id AND told.kind = 'change' AND told.owed_at >= visit.starts_at - %(ahead)s
        OFFSET 0
    )
ON CONFLICT DO NOTHING
"""  # noqa: S608 - parts of the program
