"""From the reminder to a booking: what the link in a message opens, and what can be asked for there.

Who has the link has the patient's mailbox or phone. So it opens no more than what that message was about, and needs
no signing in. Opening it stores nothing; mail scanners open links too.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from clinic import links, walltime
from clinic.models import Appointment, BookingRequest, CallRequest, Message, ReminderLink, Site
from clinic.models.outbox import MessageKind
from clinic.services import other_treatments, outbox, visits
from clinic.services.booking import BookingError, NotBookable
from clinic.services.visits import FreeTime
from patients import services as patients
from patients.models import Channel, Patient, Purpose
from treatments.models import Maintenance, MaintenanceState
from treatments.services import maintenance as cycles

OFFERED = 5
# Many a cycle is due on one day: so long from the first day that can be booked still counts as its window.
WINDOW_AT_LEAST = timedelta(days=14)
# Who asks for a fresh link again so soon is sent none: the first is on its way.
FRESH_EVERY = timedelta(minutes=15)
FRESH_A_DAY = 3
# What a patient can put it off by, in weeks.
LATER_WEEKS = (2, 4, 8)
SOURCE = "link in a message"
# Of those who have no account of their own. It cannot sign in.
NOBODYS_ACCOUNT = "link-in-a-message"

BOOKABLE = (MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED)


def is_open(cycle: Maintenance) -> bool:
    return cycle.state in BOOKABLE and cycle.due_from is not None


class LinkClosed(BookingError):
    """The link has expired, or what it was for is settled."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a link shows: the cycles its message spoke of, in the order of their days, and where the patient goes."""

    patient: Patient
    message: Message
    site: Site | None
    cycles: tuple[Maintenance, ...]
    booked: tuple[Appointment, ...]

    @property
    def open(self) -> list[tuple[int, Maintenance]]:
        """What can be booked, by its place among the cycles: a place says nothing to a stranger, and a key might."""
        return [(place, cycle) for place, cycle in enumerate(self.cycles) if is_open(cycle)]


@dataclass(frozen=True, slots=True)
class Said:
    """What the patient has answered already: to be called, to be left in peace until a day, to hear no more of it."""

    call: bool
    until: date | None
    stopped: bool

    def __bool__(self) -> bool:
        return self.call or self.until is not None or self.stopped


def said(opened: Opened, *, now: datetime) -> Said:
    """How the answers stand, whichever way they were given."""
    today = walltime.day_of(now, opened.site.time_zone if opened.site else settings.TIME_ZONE)
    # None where a cycle is not put off: then what is due is not.
    until = [cycle.deferred_until for _place, cycle in opened.open]
    return Said(
        call=CallRequest.objects.waiting().filter(patient=opened.patient).exists(),
        until=max(until) if until and all(day and day > today for day in until) else None,
        stopped=has_stopped(opened.patient),
    )


def has_stopped(patient: Patient) -> bool:
    """Whether the patient said no to reminders of maintenance, and has left no way open for them."""
    latest = list(patient.consents.filter(purpose=Purpose.RECALL).in_force())
    return bool(latest) and not any(consent.granted for consent in latest)


def find(secret: str) -> ReminderLink | None:
    """The link, though it be expired; None for what never was one."""
    if not links.looks_right(secret):
        return None
    return (
        ReminderLink.objects.select_related("message__patient", "message__maintenance")
        .filter(digest=links.digest(secret))
        .first()
    )


def open_(secret: str, *, now: datetime) -> Opened:
    """What the link shows. Stores nothing. Raises LinkClosed where it expired or never was one."""
    link = find(secret)
    if link is None or link.expires_at <= now or link.message.patient.merged_into_id:
        raise LinkClosed(_("This link does not open anything any more."))
    message = link.message
    found = spoken_of(message)
    booked = Appointment.objects.upcoming(now=now).filter(maintenance__in=found).select_related("site")
    return Opened(
        patient=message.patient,
        message=message,
        site=home(message.patient),
        cycles=found,
        booked=tuple(booked),
    )


def spoken_of(message: Message) -> tuple[Maintenance, ...]:
    """The cycles that a message was about, in the order of their days."""
    keys = [message.maintenance_id, *message.says_too.values_list("maintenance_id", flat=True)]
    found = Maintenance.objects.filter(pk__in=[key for key in keys if key])
    return tuple(found.select_related("series__protocol", "treatment").order_by("due_from", "pk"))


def home(patient: Patient) -> Site | None:
    """Where the patient went last, else the clinic's first site."""
    last = patient.appointments.select_related("site").order_by("-starts_at", "-pk").first()
    return last.site if last and last.site.active else Site.objects.filter(active=True).order_by("pk").first()


def times(opened: Opened, place: int, *, now: datetime) -> list[FreeTime]:
    """Free times for one of the cycles: inside its window as long as there are such, else the next after it.

    Raises LinkClosed, or NoVisitLength where nobody has said how long the visit takes.
    """
    cycle, site = _bookable(opened, place)
    first, last = window(cycle, site, now=now)
    found = visits.free_times(
        patient=opened.patient,
        treatment=cycle.treatment,
        site=site,
        first_day=first,
        now=now,
        count=OFFERED,
        maintenance=cycle,
        not_on=other_treatments.closed_days_for(cycle, since=first),
    )
    inside = [time for time in found if time.choice.day <= last]
    return sorted(inside or found, key=lambda time: time.starts_at)


def window(cycle: Maintenance, site: Site, *, now: datetime) -> tuple[date, date]:
    """The days on which the visit should be, both included; from today on where it is overdue."""
    first = max(cycle.due_from, walltime.day_of(now, site.time_zone))
    return first, max(cycle.due_by, first + WINDOW_AT_LEAST)


def time_at(opened: Opened, place: int, start: datetime, *, now: datetime) -> FreeTime:
    """The time that was chosen, with whom and where. Raises LinkClosed, or NotBookable where it is not free."""
    cycle, site = _bookable(opened, place)
    local = start.astimezone(site.time_zone)
    found = visits.time_at(
        patient=opened.patient,
        treatment=cycle.treatment,
        site=site,
        day=local.date(),
        clock=local.time(),
        now=now,
        maintenance=cycle,
        not_on=other_treatments.closed_days_for(cycle, since=local.date()),
    )
    # A time before the window is not offered, so it was typed into the address.
    if found.choice.day < cycle.due_from:
        raise NotBookable(_("This is too early. Choose one of the times offered."))
    return found


def _bookable(opened: Opened, place: int) -> tuple[Maintenance, Site]:
    cycle = dict(opened.open).get(place)
    if cycle is None or opened.site is None:
        raise LinkClosed(_("This is not to be booked any more."))
    return cycle, opened.site


def book(secret: str, *, place: int, start: datetime, key: UUID, now: datetime) -> Appointment:
    """Book the time that was chosen. The same `key` again gives the first answer.

    Raises LinkClosed; NotBookable, among it TimeTaken, where the time is not free any more; NoVisitLength.
    """
    opened = open_(secret, now=now)
    by = author(opened.patient)
    if again := _answered(key, opened):
        return again
    time = time_at(opened, place, start, now=now)
    cycle, site = _bookable(opened, place)
    try:
        return visits.book(
            patient=opened.patient,
            treatment=cycle.treatment,
            site=site,
            choice=time.choice,
            by=by,
            now=now,
            key=key,
            maintenance=cycle,
        )
    except cycles.MaintenanceNotPossible as error:
        raise LinkClosed(_("This is not to be booked any more.")) from error


def _answered(key: UUID, opened: Opened) -> Appointment | None:
    """The visit that this press has booked already: by then its own time is not free for it."""
    request = BookingRequest.objects.filter(key=key).first()
    made = request.appointments if request else []
    return Appointment.objects.filter(pk__in=made, maintenance__in=opened.cycles).select_related("site").first()


def author(patient: Patient) -> User:
    """In whose name the diary keeps what the patient does by a link."""
    if patient.user is not None:
        return patient.user
    user, _made = User.objects.get_or_create(
        username=NOBODYS_ACCOUNT,
        defaults={"is_active": False, "first_name": "Link in a message", "password": make_password(None)},
    )
    return user


def later(secret: str, *, weeks: int, now: datetime) -> date:
    """Leave the patient in peace for so many weeks; returns until when. Raises LinkClosed."""
    opened = open_(secret, now=now)
    zone = opened.site.time_zone if opened.site else settings.TIME_ZONE
    until = walltime.day_of(now, zone) + timedelta(weeks=weeks)
    if not opened.open:
        raise LinkClosed(_("This is not to be booked any more."))
    for _place, cycle in opened.open:
        with suppress(cycles.MaintenanceNotPossible):
            cycles.defer(cycle=cycle, until=until, reason=_("Asked for by the link in a message."))
    return until


def call_me(secret: str, *, now: datetime) -> None:
    """Ask the desk to call the patient; asked twice, it is one call. Raises LinkClosed."""
    opened = open_(secret, now=now)
    # A savepoint, so that a second request leaves the caller's transaction usable.
    with suppress(IntegrityError), transaction.atomic():
        CallRequest.objects.create(patient=opened.patient, message=opened.message, asked_at=now)


def stop(secret: str, *, now: datetime) -> bool:
    """No reminders of maintenance any more, on any channel; False for what never was a link.

    It works for as long as the mail is kept, also when the link has expired otherwise.
    """
    link = find(secret)
    if link is None:
        return False
    _withdraw(link.message.patient, now=now)
    return True


@transaction.atomic
def _withdraw(patient: Patient, *, now: datetime) -> None:
    # One after another, so that two presses are one withdrawal.
    Patient.objects.select_for_update(no_key=True).only("pk").get(pk=patient.pk)
    for channel in Channel:
        latest = patients.consent_in_force(patient, Purpose.RECALL, channel)
        if latest is not None and latest.granted:
            patients.withdraw_consent(
                patient=patient, purpose=Purpose.RECALL, channel=channel, source=SOURCE, by=None, now=now
            )


def send_fresh(secret: str, *, now: datetime) -> None:
    """Send a fresh link to the address that is stored, where this was one. Whether it was is not told.

    Nothing is sent where one was asked for just before, or too often in a day, or where nothing is left to be booked.
    """
    link = find(secret)
    if link is None:
        return
    patient = link.message.patient
    with transaction.atomic():
        Patient.objects.select_for_update(no_key=True).only("pk").get(pk=patient.pk)
        sent = Message.objects.filter(patient=patient, kind=MessageKind.FRESH_LINK, owed_at__gt=now - timedelta(days=1))
        # One for each visit that was to be booked, at each time of asking.
        asked = set(sent.values_list("owed_at", flat=True))
        if len(asked) >= FRESH_A_DAY or any(at > now - FRESH_EVERY for at in asked):
            return
        for cycle in spoken_of(link.message):
            if is_open(cycle):
                outbox.owe_fresh_link(patient=patient, maintenance=cycle, now=now)
