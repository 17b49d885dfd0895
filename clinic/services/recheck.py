"""The last look before sending: what is true now of each message that was owed some time ago."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from clinic import ladder
from clinic.models import Appointment, AppointmentStatus, Message, Site
from clinic.models.outbox import MessageKind, edition_of, said_of
from patients.models import Channel, Consent, Patient, Purpose
from treatments.models import MaintenanceState

NOTICES = [MessageKind.CONFIRMATION, MessageKind.CHANGE, MessageKind.CANCELLATION]


@dataclass(frozen=True, slots=True)
class Send:
    """Say it now: as of this site, about visits that start then."""

    site: Site
    starts: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Postpone:
    until: datetime


@dataclass(frozen=True, slots=True)
class Drop:
    reason: str


Verdict = Send | Postpone | Drop


class _NotDue(Exception):
    """Why the message is not to be sent."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a batch needs to know, fetched once for all of it."""

    consents: dict[tuple[int, str, str], bool]
    visits_of_series: dict[int, list[Appointment]]
    last_sites: dict[int, Site]
    default_site: Site | None


def verdicts(messages: Sequence[Message], *, now: datetime) -> dict[int, Verdict]:
    """By message. `messages` come with patient, step, appointment with its site, maintenance and series."""
    facts = _facts(messages, now)
    return {message.pk: _verdict(message, facts, now) for message in messages}


def _facts(messages: Sequence[Message], now: datetime) -> _Facts:
    patients = {message.patient_id for message in messages}
    consents = {
        (consent.patient_id, consent.purpose, consent.channel): consent.granted
        for consent in Consent.objects.filter(patient__in=patients).in_force().defer("wording")
    }
    visits = defaultdict(list)
    if series := {message.series_id for message in messages if message.series_id}:
        for visit in (
            Appointment.objects.upcoming(now=now)
            .filter(session__series__in=series)
            .select_related("site", "session")
            .defer("phases")
        ):
            assert visit.session is not None
            visits[visit.session.series_id].append(visit)
    sites: dict[int, Site] = {}
    default = None
    if recalled := {message.patient_id for message in messages if message.maintenance_id or message.series_id}:
        # Neither maintenance nor a series belongs to a site: the patient is addressed by the one that saw them last.
        for visit in (
            Appointment.objects.filter(patient__in=recalled)
            .order_by("patient_id", "-starts_at", "-pk")
            .distinct("patient_id")
            .select_related("site")
            .defer("phases")
        ):
            sites[visit.patient_id] = visit.site
        default = Site.objects.filter(active=True).order_by("pk").first()
    return _Facts(consents=consents, visits_of_series=visits, last_sites=sites, default_site=default)


def _verdict(message: Message, facts: _Facts, now: datetime) -> Verdict:
    if message.not_after < now:
        return Drop(_("Its time has passed."))
    try:
        _check_patient(message, facts)
        send = _what_is_true(message, facts, now)
    except _NotDue as no:
        return Drop(str(no))
    when = _when(message, send.site, now)
    if when <= now:
        return send
    if when <= message.not_after:
        return Postpone(when)
    return Drop(_("Its time passes within the quiet hours."))


def _check_patient(message: Message, facts: _Facts) -> None:
    patient = message.patient
    if patient.merged_into_id:
        raise _NotDue(_("The patient's record was merged into another."))
    if not _address(patient, message.channel):
        raise _NotDue(_("There is no address for this channel."))
    # Recall asks for a yes. Messages about booked visits go unless the patient said no.
    unless_said = message.purpose == Purpose.SERVICE
    if not facts.consents.get((patient.pk, message.purpose, message.channel), unless_said):
        raise _NotDue(_("The patient has not agreed to this."))


def _address(patient: Patient, channel: str) -> str:
    return patient.email if channel == Channel.EMAIL else str(patient.phone or "")


def _what_is_true(message: Message, facts: _Facts, now: datetime) -> Send:
    if message.step and not message.step.active:
        raise _NotDue(_("This reminder was taken off the ladder."))
    if message.appointment:
        return _true_of_visit(message, message.appointment, now)
    if message.series_id:
        visits = facts.visits_of_series[message.series_id]
        if not visits and message.kind == MessageKind.CHANGE:
            return Send(_home(message, facts), ())
        if not visits:
            raise _NotDue(_("Nothing of this series is booked any more."))
        return Send(visits[0].site, tuple(visit.starts_at for visit in visits))
    return _true_of_maintenance(message, facts)


def _true_of_visit(message: Message, visit: Appointment, now: datetime) -> Send:
    cancelled = visit.status == AppointmentStatus.CANCELLED
    if message.kind == MessageKind.CANCELLATION:
        if not cancelled:
            raise _NotDue(_("The visit is not cancelled."))
    elif cancelled:
        raise _NotDue(_("The visit was cancelled."))
    elif visit.status != AppointmentStatus.BOOKED or visit.starts_at <= now:
        raise _NotDue(_("The visit has begun."))
    elif message.kind == MessageKind.APPOINTMENT_REMINDER and message.counts_from != said_of(visit.starts_at):
        raise _NotDue(_("The visit was moved."))
    elif message.kind == MessageKind.CHANGE and message.counts_from != edition_of(visit):
        raise _NotDue(_("The visit was moved again."))
    return Send(visit.site, (visit.starts_at,))


def _true_of_maintenance(message: Message, facts: _Facts) -> Send:
    cycle = message.maintenance
    assert cycle is not None
    if cycle.state == MaintenanceState.BOOKED:
        raise _NotDue(_("It is booked."))
    if cycle.state != MaintenanceState.SCHEDULED:
        raise _NotDue(_("It is not due any more."))
    if message.counts_from != cycle.due_from.isoformat():
        raise _NotDue(_("It is due on another day."))
    return Send(_home(message, facts), ())


def _home(message: Message, facts: _Facts) -> Site:
    site = facts.last_sites.get(message.patient_id, facts.default_site)
    if site is None:
        raise _NotDue(_("The clinic has no site to be reached at."))
    return site


def _when(message: Message, site: Site, now: datetime) -> datetime:
    """When it may be sent, from `now` on."""
    zone: ZoneInfo = message.patient.time_zone or site.time_zone
    if message.kind in NOTICES:
        # Somebody is waiting for it, and a mail wakes nobody.
        return now if message.channel == Channel.EMAIL else ladder.next_allowed(now, zone)
    assert message.step is not None
    days = message.step.offset_days
    if message.appointment:
        return ladder.visit_reminder(message.appointment.starts_at, days, zone, now=now)
    assert message.maintenance is not None
    return ladder.maintenance_reminder(message.maintenance.due_from, days, zone, now=now)
