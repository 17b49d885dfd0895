"""The last look before sending: what is true now of each message that was owed some time ago."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import DatabaseError
from django.db.models import Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from clinic import ladder
from clinic.messages import About
from clinic.models import (
    Appointment,
    AppointmentStatus,
    EarlierOffer,
    Message,
    MessageState,
    ReminderStep,
    Site,
    WorklistNote,
)
from clinic.models.outbox import (
    REMINDERS,
    TELL_OF_VISITS,
    TO_BE_KNOWN,
    MessageKind,
    StepChannel,
    StepSubject,
    edition_of,
    said_of,
)
from clinic.services import caring, heard, reaching, screening
from clinic.services.caring import Told
from clinic.services.missing import ANSWERS_MISSED_FROM
from clinic.services.openings import why_closed
from clinic.services.quiet import quiet_hours
from patients.models import Channel, Consent, Purpose
from treatments.models import Maintenance, MaintenanceState

logger = logging.getLogger(__name__)

# What mentions that there are questions to answer before the visit.
ASKING = [MessageKind.CONFIRMATION, MessageKind.APPOINTMENT_REMINDER]


@dataclass(frozen=True, slots=True)
class Send(About):
    """Say it now."""


@dataclass(frozen=True, slots=True)
class Postpone:
    """Not yet. `send` is what it would say now, where only the hour is in its way."""

    until: datetime
    send: Send | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Do not say it. `failed`: somebody has to look at why; `missed`: only the hour was in its way."""

    reason: str
    failed: bool = False
    missed: bool = False


@dataclass(frozen=True, slots=True)
class SaidWith:
    """Another message, by its key, says it too."""

    message: int


Verdict = Send | Postpone | Drop | SaidWith

# What several visits of a patient are told of together, in one message.
IN_ONE = (MessageKind.AFTERCARE, MessageKind.FRESH_LINK)


def said_together() -> str:
    return _("Said together with another message.")


class _NotDue(Exception):
    """Why the message is not to be sent."""


class _OutOfReach(_NotDue):
    """It is due, but the patient cannot be written to."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a batch needs to know, fetched once for all of it."""

    consents: dict[tuple[int, str, str], bool]
    visits_of_series: dict[int, list[Appointment]]
    last_sites: dict[int, Site]
    default_site: Site | None
    # By patient: when reminders were sent of late, and other messages; and the visits that today's will speak of.
    reminded: dict[int, list[datetime]]
    written_to: dict[int, list[datetime]]
    to_come: dict[int, list[datetime]]
    days_ahead: list[int]
    # By message: what it says beside its own, where it was to be sent before and was not.
    says_too: dict[int, list[Message]]
    # By maintenance cycle: until when it rests, because the desk was in touch about it.
    resting: dict[int, datetime]
    # Patient and treatment of the visits that are still to come, where maintenance is to be reminded of.
    booked: set[tuple[int, int]]
    # By message about care or a result: what it tells of.
    told: dict[int, Told]
    # The visits, by key, before which there are questions to answer now.
    open_questions: set[int]
    # By cancelled visit: the start that the patient knows, where it was moved and that was not told any more.
    known: dict[int, datetime]
    # By patient: when those come of whom a cancellation speaks.
    coming: dict[int, set[datetime]]


def verdicts(messages: Sequence[Message], *, now: datetime) -> dict[int, Verdict]:
    """By message. `messages` come with patient, step, appointment with its site, maintenance and series.

    All that waits for one patient is to be among them: of the reminders one is sent, and says what the others would.
    Gives each the channel by which it would go now; the caller stores it.
    """
    facts = _facts(messages, now)
    for message in messages:
        message.channel = _way(message, facts)
    found = {message.pk: _verdict_of_one(message, facts, now) for message in messages}
    found |= _visits_told_once(messages, found, facts)
    found |= _told_with_visits(messages, found, facts, now)
    found |= _of_a_kind_in_one(messages, found)
    found |= _changes_in_one(messages, found)
    reminders, ahead = defaultdict(list), defaultdict(list)
    for message in messages:
        verdict = found[message.pk]
        if isinstance(verdict, Send):
            if message.kind in REMINDERS:
                reminders[message.patient_id].append(message)
            else:
                facts.written_to[message.patient_id].append(now)
        elif isinstance(verdict, Postpone) and message.kind == MessageKind.APPOINTMENT_REMINDER:
            ahead[message.patient_id].append(message)
    for patient, waiting in reminders.items():
        found |= _one_of(waiting, ahead[patient], found, facts, patient, now)
    return found


def _visits_told_once(messages: Sequence[Message], found: dict[int, Verdict], facts: _Facts) -> dict[int, Verdict]:
    """Of what waited too long a patient hears once: a confirmation says what a change and a reminder would.

    A visit is what starts then, so that a confirmation of a series says all of them.
    """
    told: dict[tuple[int, datetime], int] = {}
    joined: dict[int, Verdict] = {}
    for kind in (MessageKind.CONFIRMATION, MessageKind.CHANGE, MessageKind.APPOINTMENT_REMINDER):
        said_before = dict(told)
        for message in messages:
            send = found[message.pk]
            if message.kind != kind or not isinstance(send, Send) or not send.starts:
                continue
            notices = {said_before.get((message.patient_id, start)) for start in send.starts}
            # What may have arrived, was tried, or speaks for others too is sent again itself.
            if None not in notices and not message.attempts and message.pk not in facts.says_too:
                joined[message.pk] = SaidWith(min(notice for notice in notices if notice))
            else:
                told |= {(message.patient_id, start): message.pk for start in send.starts}
    return joined


def _changes_in_one(messages: Sequence[Message], found: dict[int, Verdict]) -> dict[int, Verdict]:
    """Changes of several visits of one patient that go at the same time are one message, with every new time."""
    together: dict[tuple[int, str, int], list[tuple[Message, Send]]] = defaultdict(list)
    for message in messages:
        send = found[message.pk]
        if message.kind == MessageKind.CHANGE and isinstance(send, Send) and send.starts:
            together[message.patient_id, message.channel, send.site.pk].append((message, send))
    telling = {verdict.message for verdict in found.values() if isinstance(verdict, SaidWith)}
    changed: dict[int, Verdict] = {}
    for changes in together.values():
        # What may have arrived, or tells of something else too, is sent itself.
        (lead, send), *others = sorted(
            changes, key=lambda one: (-one[0].handed_over, one[0].pk not in telling, one[0].pk)
        )
        if others:
            starts = sorted({start for _message, other in changes for start in other.starts})
            changed[lead.pk] = replace(send, starts=tuple(starts))
            changed |= {message.pk: SaidWith(lead.pk) for message, _send in others if message.pk not in telling}
    return changed


def _told_with_visits(
    messages: Sequence[Message], found: dict[int, Verdict], facts: _Facts, now: datetime
) -> dict[int, Verdict]:
    """Care before a visit whose day has come is told with the confirmation, or the change, that goes now."""
    telling: dict[int, int] = {}
    changed: dict[int, Verdict] = {}
    for message in messages:
        if message.kind in TELL_OF_VISITS and isinstance(found[message.pk], Send):
            telling[message.patient_id] = message.pk
    by_key = {message.pk: message for message in messages}
    for message in messages:
        if message.kind != MessageKind.PRE_CARE or isinstance(found[message.pk], Drop):
            continue
        notice = by_key.get(telling.get(message.patient_id, 0))
        assert message.appointment is not None
        if notice is None or not _tells_of(notice, message, facts):
            continue
        zone = message.patient.time_zone or message.appointment.site.time_zone
        if caring.has_come(message, facts.told[message.pk], zone, now=now):
            send = found[notice.pk]
            assert isinstance(send, Send)
            changed |= {notice.pk: replace(send, care=True), message.pk: SaidWith(notice.pk)}
    return changed


def _tells_of(notice: Message, message: Message, facts: _Facts) -> bool:
    if notice.appointment_id:
        return notice.appointment_id == message.appointment_id
    return notice.series_id == facts.told[message.pk].course


def _of_a_kind_in_one(messages: Sequence[Message], found: dict[int, Verdict]) -> dict[int, Verdict]:
    """One message for what follows several visits of a patient, and one fresh link for all that is to be booked."""
    lead: dict[tuple[int, str], int] = {}
    joined: dict[int, Verdict] = {}
    for message in sorted(messages, key=lambda message: -message.handed_over):
        if message.kind not in IN_ONE or not isinstance(found[message.pk], Send):
            continue
        first = lead.setdefault((message.patient_id, message.kind), message.pk)
        if first != message.pk:
            joined[message.pk] = SaidWith(first)
    return joined


def _one_of(
    waiting: Sequence[Message],
    ahead: Sequence[Message],
    found: dict[int, Verdict],
    facts: _Facts,
    patient: int,
    now: datetime,
) -> dict[int, Verdict]:
    """One message for all the reminders of a patient, or none where there was one today or enough this week.

    It also says, of the visits `ahead` whose hour to be reminded of comes later, those that would then come too soon
    after it, and be too late by the time the next may go.
    """
    sends = {message.pk: send for message in waiting if isinstance(send := found[message.pk], Send)}
    zone: ZoneInfo = waiting[0].patient.time_zone or sends[waiting[0].pk].site.time_zone
    # A visit comes at its hour, maintenance has days: so that of the two it is maintenance that waits. It waits for
    # what the patient asked to be told, too, while a reminder of tomorrow's visit does not.
    visits = [message for message in waiting if message.appointment_id]
    reminded = list(facts.reminded[patient])
    if not visits:
        reminded += facts.written_to[patient]
    if not visits and _has_a_visit_to_be_told_of(facts.to_come[patient], facts.days_ahead, zone, now):
        reminded.append(now)
    after = ladder.next_reminder(reminded, zone, now=now, quiet=quiet_hours())
    if after > now:
        return {message.pk: _later(message, after) for message in waiting}
    results = [message for message in waiting if message.kind == MessageKind.RESULT]
    together = sorted(
        visits or results or waiting,
        # What may have arrived is sent again itself; by e-mail there is room for all of it; a visit of these days
        # comes before what is to be done for one of the next weeks.
        key=lambda message: (
            -message.handed_over,
            message.channel != Channel.EMAIL,
            message.kind == MessageKind.PRE_CARE,
            sends[message.pk].starts,
        ),
    )
    lead, *others = together
    if visits:
        next_one = ladder.next_reminder([*reminded, now], zone, now=now, quiet=quiet_hours())
        for message in ahead:
            waits = found[message.pk]
            if isinstance(waits, Postpone) and waits.send and waits.until < next_one > message.not_after:
                sends[message.pk] = waits.send
                others.append(message)
        together = [lead, *others]
    starts = sorted({start for message in together for start in sends[message.pk].starts})
    cycles = {message.maintenance_id for message in together}
    due = max(sends[lead.pk].due, len(cycles))
    care = any(sends[message.pk].care for message in together)
    questions = any(sends[message.pk].questions for message in together)
    tomorrow = ladder.next_reminder([now], zone, now=now, quiet=quiet_hours())
    rest = [message for message in waiting if message not in together]
    return {
        lead.pk: replace(sends[lead.pk], starts=tuple(starts), due=due, care=care, questions=questions),
        **{message.pk: SaidWith(lead.pk) for message in others},
        **{message.pk: _later(message, tomorrow) for message in rest},
    }


def _has_a_visit_to_be_told_of(
    starts: Sequence[datetime], days_ahead: Sequence[int], zone: ZoneInfo, now: datetime
) -> bool:
    """Whether a reminder of one of these visits goes later today."""
    today = now.astimezone(zone).date()
    return any(
        (when := ladder.visit_reminder(start, days, zone, now=now, quiet=quiet_hours())) > now
        and when.astimezone(zone).date() == today
        for start in starts
        for days in days_ahead
    )


def _later(message: Message, after: datetime) -> Verdict:
    if after <= message.not_after:
        return Postpone(after)
    return Drop(_("The patient has had other messages, and its time passes before the next may go."), missed=True)


def _facts(messages: Sequence[Message], now: datetime) -> _Facts:
    says_too = defaultdict(list)
    for other in (
        # Also of what was given back untried.
        Message.objects.filter(said_with__in=[message.pk for message in messages])
        .select_related("patient", "step", "appointment__site", "maintenance")
        .order_by("pk")
    ):
        says_too[other.said_with_id].append(other)
    reminded, written_to = defaultdict(list), defaultdict(list)
    if to_remind := {message.patient_id for message in messages if message.kind in REMINDERS}:
        # What another process is sending at this moment counts as sent.
        for patient, kind, sent_at in (
            Message.objects.filter(patient__in=to_remind)
            .filter(
                Q(state__in=[MessageState.SENT, MessageState.UNKNOWN], settled_at__gt=now - ladder.WEEK)
                | Q(state=MessageState.SENDING)
            )
            .exclude(pk__in=[message.pk for message in messages])
            .values_list("patient_id", "kind", Coalesce("settled_at", Value(now)))
        ):
            (reminded if kind in REMINDERS else written_to)[patient].append(sent_at)
    to_come, days_ahead = defaultdict(list), []
    without_hour = (MessageKind.MAINTENANCE_REMINDER, MessageKind.RESULT)
    if recalled := {message.patient_id for message in messages if message.kind in without_hour}:
        steps = ReminderStep.objects.filter(active=True, subject=StepSubject.APPOINTMENT)
        days_ahead = sorted(set(steps.values_list("offset_days", flat=True)))
        horizon = now + timedelta(days=1 - min(days_ahead, default=0))
        for patient, start in (
            Appointment.objects.upcoming(now=now)
            .filter(patient__in=recalled, starts_at__lt=horizon)
            .values_list("patient_id", "starts_at")
        ):
            to_come[patient].append(start)
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
    cancelled = [m.appointment for m in messages if m.kind == MessageKind.CANCELLATION and m.appointment]
    coming = defaultdict(set)
    if cancelled:
        upcoming = Appointment.objects.upcoming(now=now).filter(patient__in={m.patient_id for m in cancelled})
        for patient, start in upcoming.values_list("patient_id", "starts_at"):
            coming[patient].add(start)
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
    says_anyway = [*messages, *(other for others in says_too.values() for other in others)]
    return _Facts(
        consents=consents,
        visits_of_series=visits,
        last_sites=sites,
        default_site=default,
        reminded=reminded,
        written_to=written_to,
        to_come=to_come,
        days_ahead=days_ahead,
        says_too=says_too,
        resting=_resting(messages, now),
        booked=_booked(messages, now),
        told=caring.told_of(says_anyway),
        open_questions=screening.open_now(_asked_of(says_anyway, visits, now), now=now),
        known=heard.starts_known(cancelled),
        coming=coming,
    )


def _asked_of(messages: Sequence[Message], of_series: Mapping[int, list[Appointment]], now: datetime) -> set[int]:
    """The visits whose questions these messages mention: of reminders, and of confirmations when the visit is near."""
    near = now + ANSWERS_MISSED_FROM
    visits = set()
    for message in messages:
        if message.kind == MessageKind.APPOINTMENT_REMINDER:
            visits.add(message.appointment_id)
        elif message.kind == MessageKind.CONFIRMATION and message.appointment is not None:
            visits |= {message.appointment_id} if message.appointment.starts_at <= near else set()
        elif message.kind == MessageKind.CONFIRMATION:
            visits |= {visit.pk for visit in of_series.get(message.series_id, ()) if visit.starts_at <= near}
    return visits


def _resting(messages: Sequence[Message], now: datetime) -> dict[int, datetime]:
    cycles = {message.maintenance_id for message in messages if message.kind == MessageKind.MAINTENANCE_REMINDER}
    if not cycles:
        return {}
    return WorklistNote.objects.resting(cycles, now=now)


def _booked(messages: Sequence[Message], now: datetime) -> set[tuple[int, int]]:
    patients = {message.patient_id for message in messages if message.kind == MessageKind.MAINTENANCE_REMINDER}
    if not patients:
        return set()
    visits = Appointment.objects.upcoming(now=now).filter(patient__in=patients)
    return set(visits.order_by().values_list("patient_id", "treatment_id"))


def _verdict_of_one(message: Message, facts: _Facts, now: datetime) -> Verdict:
    """What cannot be looked at fails, and that is its own affair: the others of the batch go."""
    try:
        return _verdict(message, facts, now)
    except DatabaseError:
        raise
    except Exception as error:
        # Not the error's own words, which may quote the patient.
        logger.error("Message %d cannot be looked at: %s", message.pk, type(error).__name__)
        return Drop(_("It could not be looked at again (%s).") % type(error).__name__, failed=True)


def _verdict(message: Message, facts: _Facts, now: datetime) -> Verdict:
    if message.not_after < now:
        return Drop(_("Its time has passed."), missed=True)
    try:
        _check_not_merged(message)
        send = _with_the_others(message, _what_is_true(message, facts, now), facts, now)
        _check_reach(message, facts)
    except _OutOfReach as no:
        # Nobody else would tell the patient of what was booked, changed or cancelled.
        if message.kind in TO_BE_KNOWN:
            return Drop(_("%s Call the patient.") % no, failed=True)
        return Drop(str(no))
    except _NotDue as no:
        return Drop(str(no))
    rests_until = now
    if message.maintenance_id and message.kind == MessageKind.MAINTENANCE_REMINDER:
        rests_until = facts.resting.get(message.maintenance_id, now)
    if rests_until > message.not_after:
        return Drop(_("The clinic was in touch with the patient about it."))
    when = _when(message, send.site, facts, rests_until)
    if when <= now:
        return send
    if when <= message.not_after:
        return Postpone(when, send)
    return Drop(_("Its time passes within the quiet hours."), missed=True)


def _with_the_others(message: Message, send: Send, facts: _Facts, now: datetime) -> Send:
    starts, due, care, questions = set(send.starts), send.due, send.care, send.questions
    for other in facts.says_too.get(message.pk, []):
        with suppress(_NotDue):
            too = _what_is_true(other, facts, now)
            starts.update(too.starts)
            due += 1
            care |= too.care
            questions |= too.questions
    return replace(send, starts=tuple(sorted(starts)), due=due, care=care, questions=questions)


def _check_not_merged(message: Message) -> None:
    if message.patient.merged_into_id:
        raise _NotDue(_("The patient's record was merged into another."))


def _check_reach(message: Message, facts: _Facts) -> None:
    if not reaching.address(message.patient, message.channel):
        raise _OutOfReach(_("There is no address for this channel."))
    if not _agreed(message, message.channel, facts):
        raise _OutOfReach(_("The patient has not agreed to this."))


def _agreed(message: Message, channel: str, facts: _Facts) -> bool:
    """Recall asks for a yes. Messages about booked visits go unless the patient said no."""
    return facts.consents.get((message.patient_id, message.purpose, channel), message.purpose == Purpose.SERVICE)


def _way(message: Message, facts: _Facts) -> str:
    """The channel the patient would have first, of those that are possible; what may have arrived keeps its own."""
    # An offer of an earlier time goes where the answer is likely to be quick.
    own_way = message.kind == MessageKind.EARLIER or (message.step and message.step.channel != StepChannel.PREFERRED)
    if message.handed_over or own_way:
        return message.channel
    possible = (channel for channel in reaching.in_order(message.patient) if _agreed(message, channel, facts))
    return next(possible, message.channel)


def _what_is_true(message: Message, facts: _Facts, now: datetime) -> Send:
    if message.step and not message.step.active:
        raise _NotDue(_("This reminder was taken off the ladder."))
    if told := facts.told.get(message.pk):
        if reason := caring.why_not(message, told, now=now):
            raise _NotDue(reason)
        if message.appointment:
            return Send(message.appointment.site, (message.appointment.starts_at,), care=True)
        return Send(_home(message, facts), ())
    if message.kind == MessageKind.EARLIER:
        return _true_of_offer(message, now)
    if message.appointment:
        return _true_of_visit(message, message.appointment, facts, now)
    if message.series_id:
        visits = facts.visits_of_series[message.series_id]
        if not visits and message.kind == MessageKind.CHANGE:
            return Send(_home(message, facts), ())
        if not visits:
            raise _NotDue(_("Nothing of this series is booked any more."))
        asks = message.kind == MessageKind.CONFIRMATION and any(visit.pk in facts.open_questions for visit in visits)
        return Send(visits[0].site, tuple(visit.starts_at for visit in visits), questions=asks)
    return _true_of_maintenance(message, facts)


def _true_of_visit(message: Message, visit: Appointment, facts: _Facts, now: datetime) -> Send:
    cancelled = visit.status == AppointmentStatus.CANCELLED
    if message.kind == MessageKind.CANCELLATION:
        if not cancelled:
            raise _NotDue(_("The visit is not cancelled."))
        start = facts.known.get(visit.pk, visit.starts_at)
        if start in facts.coming[visit.patient_id]:
            # Given up and booked again for the same time: said after the confirmation, it would keep the patient away.
            raise _NotDue(_("It is booked."))
        return Send(visit.site, (start,))
    if cancelled:
        raise _NotDue(_("The visit was cancelled."))
    elif visit.status != AppointmentStatus.BOOKED or visit.starts_at <= now:
        raise _NotDue(_("The visit has begun."))
    elif message.kind == MessageKind.APPOINTMENT_REMINDER and message.counts_from != said_of(visit.starts_at):
        raise _NotDue(_("The visit was moved."))
    elif message.kind == MessageKind.CHANGE and message.counts_from != edition_of(visit):
        raise _NotDue(_("The visit was moved again."))
    asks = message.kind in ASKING and visit.pk in facts.open_questions
    return Send(visit.site, (visit.starts_at,), questions=asks)


def _true_of_offer(message: Message, now: datetime) -> Send:
    # Looked up one by one: they are few, and each asks the diary.
    offer = EarlierOffer.objects.select_related(
        "wish__appointment__patient", "wish__appointment__site", "wish__appointment__treatment"
    ).get(message=message)
    if why := why_closed(offer, now=now):
        raise _NotDue(why)
    return Send(offer.wish.appointment.site, (offer.starts_at,), answer_by=offer.expires_at)


def _true_of_maintenance(message: Message, facts: _Facts) -> Send:
    cycle = message.maintenance
    assert cycle is not None
    if message.kind == MessageKind.FRESH_LINK:
        if cycle.state not in (MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED):
            raise _NotDue(_("It is not to be booked any more."))
        return Send(_home(message, facts), ())
    if cycle.state == MaintenanceState.BOOKED:
        raise _NotDue(_("It is booked."))
    if cycle.state != MaintenanceState.SCHEDULED:
        raise _NotDue(_("It is not due any more."))
    if message.counts_from != cycle.due_from.isoformat():
        raise _NotDue(_("It is due on another day."))
    if (message.patient_id, cycle.treatment_id) in facts.booked:
        # By a visit of its own or of another series. What comes due while it stands counts as said, so that a
        # cancellation resumes at the next step.
        raise _NotDue(_("A visit of this treatment is booked."))
    if cycle.remind_from and message.step and _day_of(message.step, cycle) < cycle.remind_from:
        raise _NotDue(_("Its day had passed before this maintenance was reminded of."))
    return Send(_home(message, facts), ())


def _day_of(step: ReminderStep, cycle: Maintenance) -> date:
    return cycle.due_from + timedelta(days=step.offset_days)


def _home(message: Message, facts: _Facts) -> Site:
    site = facts.last_sites.get(message.patient_id, facts.default_site)
    if site is None:
        raise _NotDue(_("The clinic has no site to be reached at."))
    return site


def _when(message: Message, site: Site, facts: _Facts, now: datetime) -> datetime:
    """When it may be sent, from `now` on."""
    zone: ZoneInfo = message.patient.time_zone or site.time_zone
    if told := facts.told.get(message.pk):
        return caring.when(message, told, zone, now=now)
    if message.kind not in REMINDERS:
        # Somebody is waiting for it, and a mail wakes nobody.
        return now if message.channel == Channel.EMAIL else ladder.next_allowed(now, zone, quiet_hours())
    assert message.step is not None
    days = message.step.offset_days
    if message.appointment:
        return ladder.visit_reminder(message.appointment.starts_at, days, zone, now=now, quiet=quiet_hours())
    assert message.maintenance is not None
    return ladder.day_reminder(message.maintenance.due_from, days, zone, now=now, quiet=quiet_hours())
