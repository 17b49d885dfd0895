"""Working the list: take a row, note a call, leave it until later, decline, reopen; settle a message by hand.

Whoever does something takes the row first. A row that somebody else is at, or has dealt with since the page was shown,
is refused in words.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.models import (
    Appointment,
    AppointmentStatus,
    CallRequest,
    Message,
    MessageState,
    Outcome,
    WorklistHold,
    WorklistNote,
)
from clinic.services import outbox, rota_fit
from clinic.services.ripple import lock_course
from clinic.services.transactions import whole
from clinic.services.worklist_rows import name_of, row_id
from patients.errors import Refused
from patients.models import Patient
from treatments.models import Maintenance, SeriesState, Session, SessionState
from treatments.services import maintenance as cycles
from treatments.services import series as courses

# So long a row is somebody's: a call, and writing down what came of it.
HELD_FOR = timedelta(minutes=10)
# How many days a row rests after a call.
RESTS = {Outcome.REACHED: 7, Outcome.NO_ANSWER: 2}
# Who asked to be called waits for it: nobody answered today, so it is tried again tomorrow.
ASKED_RESTS = RESTS | {Outcome.NO_ANSWER: 1}
DATED = [Outcome.CALL_BACK, Outcome.SNOOZED]
# A visit that nobody wants again leaves the list for good; by then it has left it anyway.
FOR_GOOD = timedelta(days=365)
LATEST = timedelta(days=366)


class WorklistError(Refused):
    """The base of what cannot be done with a row."""


class RowHeld(WorklistError):
    """Somebody else is at this row."""


class RowChanged(WorklistError):
    """Somebody else dealt with this row since the page was shown, or there is nothing left to do about it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a row is about: a session, a maintenance cycle, an appointment, a message, a call; and whose it is."""

    kind: str
    row: Any
    patient: Patient

    @property
    def row_id(self) -> str:
        return row_id(self.kind, self.row.pk)


def subject(kind: str, key: int) -> Subject | None:
    """What `kind` and `key` name, or None."""
    found: Any
    if kind == "session":
        found = Session.objects.select_related("series__patient", "series__protocol__treatment").filter(pk=key).first()
        return found and Subject(kind, found, found.series.patient)
    if kind == "maintenance":
        found = (
            Maintenance.objects.select_related("series__patient", "series__protocol", "treatment")
            .filter(pk=key)
            .first()
        )
        return found and Subject(kind, found, found.series.patient)
    if kind == "call":
        found = CallRequest.objects.select_related("patient", "message__maintenance__treatment").filter(pk=key).first()
        return found and Subject(kind, found, found.patient)
    model = {"appointment": Appointment, "message": Message}.get(kind)
    found = model and model.objects.select_related("patient").filter(pk=key).first()
    return found and Subject(kind, found, found.patient)


# --- Who is at it -----------------------------------------------------------------------------------


@whole
def take(*, subject: Subject, by: User, now: datetime, over: bool = False) -> WorklistHold:
    """Be at a row for some minutes. Raises RowHeld where somebody else is, unless it is taken over."""
    return _take(subject, by=by, now=now, over=over)


@whole
def leave(*, subject: Subject, by: User) -> None:
    """Be at it no more."""
    WorklistHold.objects.filter(row=subject.row_id, held_by=by).delete()


def _take(subject: Subject, *, by: User, now: datetime, over: bool = False) -> WorklistHold:
    until = now + HELD_FOR
    # Two at once: the second waits here for the first, and finds who was.
    WorklistHold.objects.bulk_create([WorklistHold(row=subject.row_id, held_by=by, until=until)], ignore_conflicts=True)
    hold = WorklistHold.objects.select_for_update().get(row=subject.row_id)
    if hold.held_by_id != by.pk and hold.until > now and not over:
        minutes = -(-(hold.until - now) // timedelta(minutes=1))
        raise RowHeld(
            _("%(name)s is on it, for %(minutes)d more minutes at most. Take it over if that is agreed.")
            % {"name": name_of(hold.held_by), "minutes": minutes}
        )
    hold.held_by, hold.until = by, until
    hold.save()
    return hold


# --- What was done about it -------------------------------------------------------------------------


@whole
def note(
    *,
    subject: Subject,
    outcome: Outcome,
    by: User,
    now: datetime,
    zone: ZoneInfo,
    seen: int,
    text: str = "",
    until: date | None = None,
) -> WorklistNote:
    """Note what came of a call, or leave the row until a day; it rests, and so does the next reminder about it.

    Whoever is reached has been called: what they asked for is done, from whichever row it was.

    `seen` is the latest note that the page showed. Declining ends the series or the cycle, and needs a word why. Raises
    RowHeld, RowChanged or WorklistError; and whatever refuses to end it.
    """
    with_row = _begin(subject, by=by, now=now, seen=seen)
    if outcome == Outcome.DECLINED:
        _decline(with_row, text=text, by=by, now=now)
    if outcome == Outcome.REACHED:
        CallRequest.objects.waiting().filter(patient=subject.patient).update(done_at=now, done_by=by)
    return _end(with_row, outcome, by=by, now=now, text=text, hidden_until=_hidden(subject, outcome, now, zone, until))


@whole
def retry(*, subject: Subject, by: User, now: datetime, seen: int) -> WorklistNote:
    """Send a failed message again. Raises NotRetryable where it may have arrived or its time has passed."""
    _begin(subject, by=by, now=now, seen=seen)
    outbox.retry(message=subject.row, now=now)
    return _end(subject, Outcome.RETRIED, by=by, now=now)


@whole
def settle(*, subject: Subject, arrived: bool, by: User, now: datetime, seen: int, text: str = "") -> WorklistNote:
    """Say what became of a message that failed or is in doubt; it leaves the list."""
    _begin(subject, by=by, now=now, seen=seen)
    outbox.settle_by_hand(message=subject.row, arrived=arrived, now=now)
    return _end(subject, Outcome.SETTLED, by=by, now=now, text=text)


@whole
def see(*, subject: Subject, by: User, now: datetime, seen: int, text: str = "") -> WorklistNote:
    """Note that somebody has seen what ended, or was not sent; it leaves the list. Raises RowHeld or RowChanged."""
    _begin(subject, by=by, now=now, seen=seen)
    _check_ended(subject, missed_too=True)
    return _end(subject, Outcome.SEEN, by=by, now=now, text=text)


@whole
def reopen(*, subject: Subject, by: User, now: datetime, zone: ZoneInfo, seen: int, text: str = "") -> WorklistNote:
    """Take up again a maintenance that was declined or has lapsed; what was due meanwhile is not reminded of.

    Declining it again takes that back. Raises RowHeld, RowChanged or MaintenanceNotPossible.
    """
    _begin(subject, by=by, now=now, seen=seen)
    _check_ended(subject)
    cycles.reopen(cycle=subject.row, remind_from=walltime.day_of(now, zone) + timedelta(days=1))
    return _end(subject, Outcome.REOPENED, by=by, now=now, text=text)


def has_ended(subject: Subject) -> bool:
    """Whether it is a maintenance that was declined or has lapsed."""
    return subject.kind == "maintenance" and subject.row.state in cycles.ENDED


def was_missed(subject: Subject) -> bool:
    """Whether it is a message for which no hour was left."""
    return subject.kind == "message" and subject.row.missed


def _check_ended(subject: Subject, *, missed_too: bool = False) -> None:
    if not (has_ended(subject) or (missed_too and was_missed(subject))):
        raise RowChanged(_("Somebody has dealt with this meanwhile. Look at it again."))


def _begin(subject: Subject, *, by: User, now: datetime, seen: int) -> Subject:
    _take(subject, by=by, now=now)
    newer = (
        WorklistNote.objects.filter(**{subject.kind: subject.row}, pk__gt=seen)
        .exclude(noted_by=by)
        .select_related("noted_by")
        .last()
    )
    if newer is not None:
        raise RowChanged(
            _("%(name)s has dealt with this meanwhile (%(outcome)s). Look at it again.")
            % {"name": name_of(newer.noted_by), "outcome": newer.get_outcome_display()}
        )
    _check_open(subject, now)
    return subject


def _check_open(subject: Subject, now: datetime) -> None:
    subject.row.refresh_from_db()
    row, live = subject.row, Appointment.objects.live()
    gone = _("There is nothing left to do about this: %s.")
    if subject.kind == "session":
        if row.state != SessionState.PLANNED or row.series.state != SeriesState.ACTIVE:
            raise RowChanged(gone % _("the session is recorded, or the series has ended"))
        if live.filter(session=row).exists():
            raise RowChanged(gone % _("it is booked"))
    elif subject.kind == "maintenance":
        if row.state not in (*cycles.OPEN, *cycles.ENDED):
            raise RowChanged(gone % row.get_state_display())
    elif subject.kind == "appointment":
        if row.status == AppointmentStatus.BOOKED and not rota_fit.misfits(now=now, only=[row.pk]):
            raise RowChanged(gone % _("it is booked, and fits"))
        if row.status not in (AppointmentStatus.BOOKED, AppointmentStatus.CANCELLED, AppointmentStatus.NO_SHOW):
            raise RowChanged(gone % row.get_status_display())
    elif subject.kind == "call":
        if row.done_at is not None:
            raise RowChanged(gone % _("the patient was called"))
    elif row.state not in (MessageState.FAILED, MessageState.UNKNOWN) and not row.missed:
        raise RowChanged(gone % row.get_state_display())


def _hidden(subject: Subject, outcome: Outcome, now: datetime, zone: ZoneInfo, until: date | None) -> datetime | None:
    today = walltime.day_of(now, zone)
    if outcome in DATED:
        if until is None or until <= today:
            raise WorklistError(_("Choose a day after today."))
        if until > today + LATEST:
            raise WorklistError(_("Choose a day within a year."))
        return walltime.midnight(until, zone)
    if outcome == Outcome.DECLINED:
        return now + FOR_GOOD if subject.kind == "appointment" else None
    rests = ASKED_RESTS if subject.kind == "call" else RESTS
    return walltime.midnight(today + timedelta(days=rests[outcome]), zone)


def _decline(subject: Subject, *, text: str, by: User, now: datetime) -> None:
    if not text:
        raise WorklistError(_("Note why, so that nobody asks the patient again."))
    if subject.kind == "session":
        # Before looking, so that whoever is just booking a session of it is seen.
        series = lock_course(subject.row.series_id)
        booked = Appointment.objects.upcoming(now=now).filter(session__series=series).select_related("session", "site")
        if (visit := booked.first()) is not None:
            raise WorklistError(
                _("Session %(n)d is booked on %(day)s. Cancel it first; then the series can be stopped.")
                % {
                    "n": visit.session.number if visit.session else 0,
                    "day": date_format(visit.starts_at.astimezone(visit.site.time_zone), "D j M Y"),
                }
            )
        courses.stop(series=series, reason=text, by=by, now=now)
    elif subject.kind == "maintenance":
        cycles.decline(cycle=subject.row, reason=text, by=by, now=now)
    elif subject.kind == "appointment" and subject.row.status == AppointmentStatus.BOOKED:
        raise WorklistError(_("The visit is booked. Cancel it, then the patient is told."))
    elif subject.kind == "message":
        raise WorklistError(_("A message cannot be declined. Settle it by hand."))
    elif subject.kind == "call":
        raise WorklistError(_("A call that was asked for is made. Log it, then decline what it is about."))


def _end(
    subject: Subject,
    outcome: Outcome,
    *,
    by: User,
    now: datetime,
    text: str = "",
    hidden_until: datetime | None = None,
) -> WorklistNote:
    WorklistHold.objects.filter(row=subject.row_id).delete()
    return WorklistNote.objects.create(
        patient=subject.patient,
        outcome=outcome,
        text=text,
        hidden_until=hidden_until,
        noted_at=now,
        noted_by=by,
        **{subject.kind: subject.row},
    )
