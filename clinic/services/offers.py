"""An earlier time, offered to one patient at a time: made, opened by its link, taken or declined.

One after another, and not the first of many who comes: nobody is told of a time and then told that it is gone because
somebody else's phone lay nearer. Who does not answer in time is passed over, and the next one is asked. An offer holds
no time; the diary's own guard decides, as between any two rivals.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from clinic import ladder, wake, walltime
from clinic.models import Appointment, AppointmentStatus, EarlierOffer, EarlierWish, FreedTime, Message, Sending
from clinic.models.outbox import MessageKind, said_of
from clinic.services import links, outbox, waiting
from clinic.services.booking import BookingError
from clinic.services.links import LinkClosed
from clinic.services.openings import why_closed
from clinic.services.quiet import quiet_hours
from clinic.services.transactions import whole
from clinic.waiting import Held, turns
from patients.models import Channel, Patient, Purpose

# So long a patient has to answer, if the time itself is not nearer.
ANSWER_WITHIN = timedelta(hours=2)
# With less than that to answer a call is better.
ANSWER_AT_LEAST = timedelta(minutes=30)
# One person is asked by itself once in so long; the desk may ask more often.
ASKED_EVERY = timedelta(days=1)


class OfferNotPossible(BookingError):
    """The offer cannot be made; the desk calls, or moves the visit itself."""


class OfferClosed(BookingError):
    """The offer cannot be taken any more. The patient keeps the visit as it is."""


@whole
def make(*, wish: EarlierWish, start: datetime, practitioner: int | None, by: User, now: datetime) -> EarlierOffer:
    """Offer one time by hand: the message leaves at once.

    Raises OfferNotPossible, or what `waiting.opening_for` does, in the desk's words.
    """
    waiting.opening_for(wish, start=start, practitioner=practitioner, now=now)
    _lock([wish.appointment.patient_id])
    return _make(wish, start, practitioner, by=by, now=now, wait=outbox.AT_ONCE)


@whole
def make_due(*, now: datetime) -> int:
    """Offer what became free to those whose turn it is; returns how many offers were made.

    Safe to run at any time, by any number of processes: only one of them does anything. Nobody is asked in quiet
    hours, nor twice within a day, nor while sending is paused. The messages leave after the time in which the desk may
    take back what it did.
    """
    # Two at once would come to the same, and wait for each other. One is enough: the other has nothing to add.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [OFFERING])
        [(free,)] = cursor.fetchall()
    if not free:
        return 0
    FreedTime.objects.filter(ends_at__lte=now).delete()
    # Whose message would wait has not been asked, and would lose the turn.
    if Sending.is_paused():
        return 0
    could = waiting.could_have(_to_ask(now), now=now)
    if not could:
        return 0
    open_now = EarlierOffer.objects.open(now=now).select_related("wish__appointment")
    given = turns([(one.value, one.openings) for one in could], held=[_held(offer) for offer in open_now])
    wishes = {one.wish.pk: one.wish for one in could}
    _lock([wishes[value.key].appointment.patient_id for value, _opening in given])
    made = 0
    for value, opening in given:
        try:
            start = walltime.from_minutes(opening.start)
            _make(wishes[value.key], start, opening.choice.practitioner, by=None, now=now, wait=outbox.TO_UNDO)
        except OfferNotPossible:
            # Too near, or no way to reach the patient: the desk sees it on the list and calls.
            continue
        made += 1
    return made


# "course: earlier times are being offered", as a number nobody else is likely to lock.
OFFERING = 0x636F75727365 + 1


def _to_ask(now: datetime) -> list[EarlierWish]:
    """Those who wait, and may be written to just now."""
    asked = EarlierOffer.objects.filter(made_at__gt=now - ASKED_EVERY)
    lately = set(asked.values_list("wish__appointment__patient", flat=True))
    return [
        wish
        for wish in waiting.waiting_list(now=now)
        if wish.appointment.patient_id not in lately
        and not ladder.is_quiet(now, _zone(wish.appointment), quiet_hours())
    ]


def _zone(visit: Appointment) -> ZoneInfo:
    return visit.patient.time_zone or visit.site.time_zone


def _held(offer: EarlierOffer) -> Held:
    visit = offer.wish.appointment
    ends = offer.starts_at + (visit.ends_at - visit.starts_at)
    return Held(walltime.to_minutes(offer.starts_at), walltime.to_minutes(ends), offer.practitioner_id)


def _lock(patients: Iterable[int]) -> None:
    """One offer after another for each patient."""
    rows = Patient.objects.select_for_update(no_key=True).filter(pk__in=set(patients)).order_by("pk")
    list(rows.values_list("pk", flat=True))


# Of this wish, or of an earlier one for the same visit.
OFFERED_BEFORE = ["earlier_offer_same_time_once", "message_said_once"]


def _make(
    wish: EarlierWish, start: datetime, practitioner: int | None, *, by: User | None, now: datetime, wait: timedelta
) -> EarlierOffer:
    visit = wish.appointment
    if EarlierOffer.objects.open(now=now).filter(wish__appointment__patient=visit.patient_id).exists():
        raise OfferNotPossible(_("Another offer to this patient is still open. Wait for the answer, or call."))
    channel = _channel(visit.patient)
    if channel is None:
        raise OfferNotPossible(_("This patient cannot be written to. Call instead."))
    leaves = now + wait
    if channel == Channel.SMS:
        leaves = ladder.next_allowed(leaves, _zone(visit), quiet_hours())
    expires = min(leaves + ANSWER_WITHIN, start - timedelta(hours=wish.notice_hours))
    if expires - leaves < ANSWER_AT_LEAST:
        raise OfferNotPossible(_("It is too near to wait for an answer. Call instead."))
    try:
        # A savepoint, so that a refused row leaves the caller's transaction usable.
        with transaction.atomic():
            message = Message.objects.create(
                patient=visit.patient,
                kind=MessageKind.EARLIER,
                purpose=Purpose.SERVICE,
                channel=channel,
                appointment=visit,
                counts_from=said_of(start),
                owed_at=now,
                not_before=leaves,
                not_after=expires - ANSWER_AT_LEAST / 2,
            )
            offer = EarlierOffer.objects.create(
                wish=wish,
                starts_at=start,
                practitioner_id=practitioner,
                made_at=now,
                made_by=by,
                expires_at=expires,
                message=message,
            )
    except IntegrityError as error:
        if error.__cause__.diag.constraint_name not in OFFERED_BEFORE:
            raise
        raise OfferNotPossible(_("This time has been offered to this patient before. Call instead.")) from error
    wake.after_commit()
    return offer


def can_be_made(patient: Patient) -> bool:
    """Whether this patient can be written to with an offer; else a call is what is left."""
    return _channel(patient) is not None


def _channel(patient: Patient) -> Channel | None:
    """Where the answer is likely to be quick: by text where the patient said yes to that, else by mail."""
    said = {c.channel: c.granted for c in patient.consents.in_force() if c.purpose == Purpose.SERVICE}
    by_text = bool(patient.phone and settings.SMS_URL) and said.get(Channel.SMS, True)
    by_mail = bool(patient.email) and said.get(Channel.EMAIL, True)
    if by_text and (said.get(Channel.SMS) or not by_mail):
        return Channel.SMS
    return Channel.EMAIL if by_mail else None


# --- The answer -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """An offer as it stands. `closed` says why it cannot be taken any more; `taken`: the visit is then by now."""

    offer: EarlierOffer
    closed: str

    @property
    def visit(self) -> Appointment:
        return self.offer.wish.appointment

    @property
    def taken(self) -> bool:
        return self.visit.status == AppointmentStatus.BOOKED and self.visit.starts_at == self.offer.starts_at


def open_(secret: str, *, now: datetime) -> Opened:
    """The offer of this link. Stores nothing. Raises LinkClosed where it never was one, or is long past."""
    link = links.find(secret)
    if link is None or link.expires_at <= now:
        raise LinkClosed(_("This link does not open anything any more."))
    found = _with_visit(EarlierOffer.objects.filter(message=link.message_id)).first()
    if found is None or found.wish.appointment.patient.merged_into_id:
        raise LinkClosed(_("This link does not open anything any more."))
    return Opened(found, why_closed(found, now=now))


def open_for(visit: Appointment, *, now: datetime) -> Opened | None:
    """The offer that can be taken for this visit just now. Stores nothing."""
    found = _with_visit(EarlierOffer.objects.open(now=now).filter(wish__appointment=visit)).first()
    if found is None or (closed := why_closed(found, now=now)):
        return None
    return Opened(found, closed)


def _with_visit(offers: QuerySet[EarlierOffer]) -> QuerySet[EarlierOffer]:
    visit = "wish__appointment"
    return offers.select_related(f"{visit}__patient", f"{visit}__site", f"{visit}__treatment").order_by("-made_at")


def take(opened: Opened, *, by: User, key: UUID, now: datetime) -> Appointment:
    """Move the visit to the time that was offered. Taken twice it is taken once.

    Raises OfferClosed in the patient's words, or what refuses the move.
    """
    if opened.taken:
        return opened.visit
    if opened.closed:
        raise OfferClosed(opened.closed)
    offer = opened.offer
    return waiting.move(
        wish=offer.wish, start=offer.starts_at, practitioner=offer.practitioner_id, by=by, now=now, key=key
    )


def decline(opened: Opened, *, now: datetime) -> None:
    """Not this time; the wish stays."""
    EarlierOffer.objects.filter(pk=opened.offer.pk, declined_at=None).update(declined_at=now)
