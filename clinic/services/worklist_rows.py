"""What needs a person, read: nine lists, their counts, and one page of rows, in a constant number of queries.

Its cost follows the work at hand and not the history (see worklist_sources), and it is paged by key.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clinic.models import (
    Appointment,
    AppointmentStatus,
    Message,
    MessageState,
    ReminderStep,
    Site,
    WorklistHold,
    WorklistNote,
)
from clinic.models.outbox import StepChannel, StepSubject, said_of
from clinic.services import rota_fit
from clinic.services import worklist_sources as sources
from clinic.services.course_view import in_words, span
from clinic.services.rota_fit import Misfits
from clinic.walltime import day_of
from patients.models import Channel, Consent, Purpose
from treatments.models import Maintenance, MaintenanceState
from treatments.services import maintenance as cycles

PAGE = 50
# A count is not read beyond this: "999+" says enough.
MOST_COUNTED = 1000
# What was cancelled, missed or declined, or has lapsed, longer ago than this is not called after any more.
CANCELLED_KEEPS = timedelta(days=60)
# What was not sent longer ago than this is no news any more.
MISSED_KEEPS = timedelta(days=7)


# Patients belong to no site: they count where they were last, or are to come; and anywhere if they never were.
WHERE_THE_PATIENT_IS = """coalesce((
    SELECT visit.site_id FROM clinic_appointment AS visit
    WHERE visit.patient_id = row.patient_id ORDER BY visit.starts_at DESC LIMIT 1
), %(site)s)"""
CALLS = "calls"
ENDED = "ended"
UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class Tab:
    """One list. On top stands the lowest of what it is sorted by, or the highest."""

    name: str
    label: Any
    source: str
    sorted_by: str = "date"
    latest_first: bool = False
    empty: Any = ""
    at_site: str = WHERE_THE_PATIENT_IS


TABS = {
    tab.name: tab
    for tab in (
        Tab(
            "to-book",
            gettext_lazy("Sessions to book"),
            sources.TO_BOOK,
            empty=gettext_lazy("Every session whose window opens in these days is booked."),
        ),
        Tab(
            "due",
            gettext_lazy("Maintenance due"),
            sources.DUE,
            empty=gettext_lazy("No maintenance is due in these days."),
        ),
        Tab(
            "overdue",
            gettext_lazy("Overdue"),
            sources.OVERDUE,
            latest_first=True,
            empty=gettext_lazy("No maintenance is overdue."),
        ),
        Tab(
            "decide",
            gettext_lazy("To be decided"),
            sources.TO_DECIDE,
            empty=gettext_lazy("No maintenance waits for the clinician's decision."),
        ),
        Tab(
            CALLS,
            gettext_lazy("To call"),
            sources.CALLS,
            sorted_by="timestamptz",
            empty=gettext_lazy(
                "Nobody waits for a call. Patients ask for one from the link in a reminder, or answer a text message."
            ),
        ),
        Tab(
            "messages",
            gettext_lazy("Messages"),
            sources.MESSAGES,
            sorted_by="timestamptz",
            latest_first=True,
            empty=gettext_lazy("Nothing failed, nothing is in doubt, and nothing came too late to be sent."),
        ),
        Tab(
            "cancelled",
            gettext_lazy("Cancelled"),
            sources.CANCELLED,
            sorted_by="timestamptz",
            latest_first=True,
            empty=gettext_lazy("Whatever was cancelled or missed of late is booked again."),
        ),
        Tab(
            ENDED,
            gettext_lazy("Declined, lapsed"),
            sources.ENDED,
            sorted_by="timestamptz",
            latest_first=True,
            empty=gettext_lazy("Whatever was declined or has lapsed of late has been seen."),
        ),
        Tab(
            UNFIT,
            gettext_lazy("No longer fits"),
            sources.UNFIT,
            sorted_by="timestamptz",
            empty=gettext_lazy("Every booked visit fits the opening hours, the rota and who is away."),
            at_site="row.site_id",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the address asks for. `days`: how far ahead what opens or falls due is shown."""

    site: Site | None = None
    days: int = 14


@dataclass(slots=True, kw_only=True)
class Row:
    """One line. Plain values, filled in by the page of rows that it stands on."""

    kind: str
    key: int
    cursor: str
    patient_pk: int
    patient: str
    phone: str
    email: str
    first_channel: str
    series_pk: int | None
    maintenance_pk: int | None
    treatment_pk: int | None
    what: str
    when: str
    left: str
    urgent: bool
    state: str
    detail: str
    last_contact: str = ""
    seen: int = 0
    next_step: str = ""
    held_by: str = ""
    held_by_me: bool = False

    @property
    def row_id(self) -> str:
        return row_id(self.kind, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    rows: list[Row] = field(default_factory=list)
    after: str = ""


def row_id(kind: str, key: int) -> str:
    return f"{kind}-{key}"


def _params(filters: Filters, *, zone: ZoneInfo, now: datetime, unfit: Misfits) -> dict[str, Any]:
    today = day_of(now, zone)
    return {
        "now": now,
        "today": today,
        "until": today + timedelta(days=filters.days),
        "since": now - CANCELLED_KEEPS,
        "missed_since": now - MISSED_KEEPS,
        "site": filters.site.pk if filters.site else None,
        "unfit": list(unfit),
    }


def _rows_of(tab: Tab, filters: Filters, columns: str) -> str:
    return f"""SELECT {columns} FROM ({tab.source}) AS row
JOIN patients_patient AS patient ON patient.id = row.patient_id
LEFT JOIN treatments_treatment AS treatment ON treatment.id = row.treatment_id
WHERE patient.merged_into_id IS NULL{f" AND {tab.at_site} = %(site)s" if filters.site else ""}"""  # noqa: S608


def counts(filters: Filters, *, zone: ZoneInfo, now: datetime, unfit: Misfits) -> dict[str, int]:
    """How many rows each list has, up to MOST_COUNTED; one query. `unfit` is what rota_fit.misfits finds now."""
    parts = [
        f"(SELECT count(*) FROM ({_rows_of(tab, filters, '1')} LIMIT {MOST_COUNTED}) AS counted)"  # noqa: S608
        for tab in TABS.values()
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", _params(filters, zone=zone, now=now, unfit=unfit))
        [found] = cursor.fetchall()
    return dict(zip(TABS, found, strict=True))


def page(
    tab: Tab,
    filters: Filters,
    *,
    by,
    zone: ZoneInfo,
    now: datetime,
    unfit: Misfits,
    after: str = "",
    limit: int = PAGE,
) -> Page:
    """One page of a list. `after` is the cursor of the page before; one that makes no sense starts at the top."""
    params = _params(filters, zone=zone, now=now, unfit=unfit) | {"limit": limit + 1}
    sign, direction = ("<", "DESC") if tab.latest_first else (">", "ASC")
    columns = (
        "row.*, patient.given_name, patient.family_name, patient.phone, patient.email, "
        "patient.first_channel, treatment.name AS treatment"
    )
    statement = _rows_of(tab, filters, columns)
    if cursor_values := _cursor(after, tab):
        params |= cursor_values
        statement += f" AND (row.sort, row.tie) {sign} (%(sort)s::{tab.sorted_by}, %(tie)s)"
    statement += f" ORDER BY row.sort {direction}, row.tie {direction} LIMIT %(limit)s"
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        names = [column.name for column in cursor.description]
        found = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    rows = [_row(values, tab, zone=zone, now=now) for values in found[:limit]]
    if tab.name == UNFIT:
        for row in rows:
            row.detail = rota_fit.in_words(unfit[row.key])
    _fill_in(rows, by=by, zone=zone, now=now)
    if tab.name == UNFIT:
        reminders = _visit_reminders(rows, now=now)
        for row in rows:
            row.next_step = reminders.get(row.key, "")
    return Page(rows=rows, after=rows[-1].cursor if len(found) > limit else "")


def _cursor(after: str, tab: Tab) -> dict[str, Any] | None:
    sort, _tilde, tie = after.partition("~")
    if not (tie.isascii() and tie.isdigit() and len(tie) < 19):
        return None
    try:
        value = date.fromisoformat(sort) if tab.sorted_by == "date" else datetime.fromisoformat(sort)
    except ValueError:
        return None
    if isinstance(value, datetime) and value.tzinfo is None:
        return None
    return {"sort": value, "tie": int(tie)}


def _row(values: dict[str, Any], tab: Tab, *, zone: ZoneInfo, now: datetime) -> Row:
    left, urgent = _left(values, tab, zone=zone, now=now)
    return Row(
        kind=values["kind"],
        key=values["key"],
        cursor=f"{values['sort'].isoformat()}~{values['tie']}",
        patient_pk=values["patient_id"],
        patient=f"{values['given_name']} {values['family_name']}".strip(),
        phone=values["phone"] or "",
        email=values["email"] or "",
        first_channel=values["first_channel"],
        series_pk=values["series_id"],
        maintenance_pk=values["maintenance_id"],
        treatment_pk=values["treatment_id"],
        what=_what(values),
        when=_when(values, tab, zone),
        left=left,
        urgent=urgent,
        state=values["state"],
        detail=values["detail"],
    )


def _what(values: dict[str, Any]) -> str:
    words = {"treatment": values["treatment"], "n": values["number"], "m": values["total"]}
    kind = values["kind"]
    if kind == "appointment" and values["number"]:
        kind = "maintenance" if values["maintenance_id"] else "session"
    if kind == "session" and values["total"]:
        return _("%(treatment)s, session %(n)d of %(m)d") % words
    if kind == "session":
        return _("%(treatment)s, session %(n)d") % words
    if kind == "call" and values["total"]:
        words["more"] = ngettext("%d more", "%d more", values["total"]) % values["total"]
        return _("%(treatment)s, maintenance %(n)d, and %(more)s") % words
    if kind == "maintenance" or (kind == "call" and values["number"]):
        return _("%(treatment)s, maintenance %(n)d") % words
    if kind == "call":
        return _("Answer to a text message")
    return values["treatment"] or ""


def _when(values: dict[str, Any], tab: Tab, zone: ZoneInfo) -> str:
    opens, closes = values["opens"], values["closes"]
    if tab.name == UNFIT:
        starts = date_format(values["sort"].astimezone(ZoneInfo(values["zone"])), "D j M Y, H:i")
        return _("%(when)s, with %(name)s") % {"when": starts, "name": values["whom"]} if values["whom"] else starts
    if tab.name == CALLS:
        return _("asked on %s") % date_format(values["sort"].astimezone(zone), "D j M Y, H:i")
    if tab.name == "decide":
        return _("counts from %s") % in_words(opens)
    if tab.name == "cancelled":
        if values["state"] == AppointmentStatus.NO_SHOW:
            return _("did not come on %s") % in_words(opens)
        return _("was booked for %s") % in_words(opens)
    if tab.name == "messages":
        return ""
    if tab.name == ENDED:
        return str(MaintenanceState(values["state"]).label)
    if opens is None:
        return _("any day")
    return span(opens, closes or opens)


def _left(values: dict[str, Any], tab: Tab, *, zone: ZoneInfo, now: datetime) -> tuple[str, bool]:
    """Days left, or over, in words; and whether that is urgent."""
    today = day_of(now, zone)
    if tab.name == UNFIT:
        days = (values["opens"] - today).days
        words = ngettext("in %d day", "in %d days", days) % days if days > 0 else _("today")
        return words, days < 3
    if tab.sorted_by == "timestamptz":
        days = (today - day_of(values["sort"], zone)).days
        words = ngettext("%d day ago", "%d days ago", days) % days if days > 0 else _("today")
        # Who asks to be called was told that it happens soon.
        return words, tab.name == CALLS and days > 0
    opens, closes = values["opens"], values["closes"]
    if tab.name == "decide":
        days = (today - opens).days
        return ngettext("waits %d day", "waits %d days", days) % days, False
    if opens is None or closes is None:
        return "", False
    if closes < today:
        days = (today - closes).days
        return ngettext("%d day over", "%d days over", days) % days, True
    if opens > today:
        days = (opens - today).days
        return ngettext("in %d day", "in %d days", days) % days, False
    days = (closes - today).days
    return ngettext("%d day left", "%d days left", days) % days if days else _("last day today"), days < 7


# --- What stands beside each row ------------------------------------------------------------------


def _fill_in(rows: Sequence[Row], *, by, zone: ZoneInfo, now: datetime) -> None:
    if not rows:
        return
    notes = last_contacts({row.patient_pk for row in rows})
    holds = {hold.row: hold for hold in holding([row.row_id for row in rows], now=now)}
    messages = Message.objects.in_bulk([row.key for row in rows if row.kind == "message"])
    steps = _next_steps([row for row in rows if row.maintenance_pk and row.kind == "maintenance"], zone=zone, now=now)
    for row in rows:
        if note := notes.get(row.patient_pk):
            row.seen, row.last_contact = note.pk, contact_words(note, zone)
        if hold := holds.get(row.row_id):
            row.held_by_me = hold.held_by_id == by.pk
            row.held_by = "" if row.held_by_me else name_of(hold.held_by)
        if message := messages.get(row.key) if row.kind == "message" else None:
            row.what = _("%(kind)s, by %(channel)s") % {
                "kind": message.get_kind_display().capitalize(),
                "channel": message.get_channel_display(),
            }
            row.when = str(message.get_state_display())
        row.next_step = steps.get(row.key, "") if row.kind == "maintenance" else ""


def last_contacts(patients: Iterable[int]) -> dict[int, WorklistNote]:
    """The latest note about each of these patients, whatever it was about; one query."""
    latest = (
        WorklistNote.objects.filter(patient__in=patients)
        .order_by("patient_id", "-noted_at", "-pk")
        .distinct("patient_id")
        .select_related("noted_by")
    )
    return {note.patient_id: note for note in latest}


def holding(rows: Sequence[str], *, now: datetime):
    return WorklistHold.objects.filter(row__in=rows, until__gt=now).select_related("held_by")


def contact_words(note: WorklistNote, zone: ZoneInfo) -> str:
    day = date_format(note.noted_at.astimezone(zone), "D j M")
    said = f"{day}, {name_of(note.noted_by)}: {note.get_outcome_display()}"
    return f"{said} – {note.text}" if note.text else said


def name_of(user) -> str:
    return user.get_full_name() or user.email or user.get_username()


def _next_steps(rows: Sequence[Row], *, zone: ZoneInfo, now: datetime) -> dict[int, str]:
    """By cycle, the next reminder that will go by itself, or why none will."""
    if not rows:
        return {}
    keys, patients = [row.key for row in rows], {row.patient_pk for row in rows}
    ladder = list(ReminderStep.objects.filter(active=True, subject=StepSubject.MAINTENANCE))
    said = defaultdict(set)
    waiting: dict[int, Message] = {}
    for message in Message.objects.filter(maintenance__in=keys, step__isnull=False).only(
        "maintenance", "step", "counts_from", "state", "not_before", "channel"
    ):
        said[message.maintenance_id].add((message.step_id, message.counts_from))
        if message.state == MessageState.PENDING:
            waiting[message.maintenance_id] = message
    # Filtered here: a condition on the query would find an older yes behind a later no.
    words = Consent.objects.filter(patient__in=patients, purpose=Purpose.RECALL).in_force()
    agreed = {
        (patient, channel)
        for patient, channel, granted in words.values_list("patient_id", "channel", "granted")
        if granted
    }
    held = WorklistNote.objects.resting(keys, now=now)
    due = {
        key: days for key, *days in Maintenance.objects.filter(pk__in=keys).values_list("pk", "due_from", "remind_from")
    }
    today = day_of(now, zone)
    answers = {}
    for row in rows:
        channels = {channel for channel in _reaching(row) if (row.patient_pk, channel) in agreed}
        earliest = max(today, day_of(held[row.key], zone)) if row.key in held else today
        message = waiting.get(row.key)
        if row.state == MaintenanceState.WAITING:
            answers[row.key] = _("none before the decision")
        elif row.state == MaintenanceState.DEFERRED:
            answers[row.key] = _("none while it is put off")
        elif row.state in cycles.ENDED:
            answers[row.key] = _("none unless it is opened again")
        elif not channels:
            answers[row.key] = _("none: no agreement to reminders, or no address")
        elif message is not None:
            answers[row.key] = _reminder(message.channel, max(earliest, day_of(message.not_before, zone)))
        else:
            steps = [(step, channel) for step in ladder if (channel := _way(step, row, channels))]
            answers[row.key] = _ahead(steps, *due[row.key], said=said[row.key], earliest=earliest)
    return answers


def _visit_reminders(rows: Sequence[Row], *, now: datetime) -> dict[int, str]:
    """By visit that is booked, the next reminder of it that will go by itself, though it no longer fits."""
    if not rows:
        return {}
    keys = [row.key for row in rows]
    ladder = list(ReminderStep.objects.filter(active=True, subject=StepSubject.APPOINTMENT))
    said = set(
        Message.objects.filter(appointment__in=keys, step__isnull=False)
        .exclude(state=MessageState.PENDING)
        .values_list("appointment", "step", "counts_from")
    )
    words = Consent.objects.filter(patient__in={row.patient_pk for row in rows}, purpose=Purpose.SERVICE).in_force()
    refused = {
        (patient, channel)
        for patient, channel, granted in words.values_list("patient_id", "channel", "granted")
        if not granted
    }
    visits = Appointment.objects.filter(pk__in=keys).values_list("pk", "starts_at", "site__time_zone")
    starts = {key: (start, zone) for key, start, zone in visits}
    answers = {}
    for row in rows:
        start, zone = starts[row.key]
        today = day_of(now, zone)
        channels = {channel for channel in _reaching(row) if (row.patient_pk, channel) not in refused}
        ahead = [
            (day, channel)
            for step in ladder
            if (channel := _way(step, row, channels))
            and (row.key, step.pk, said_of(start)) not in said
            and (day := day_of(start, zone) + timedelta(days=step.offset_days)) >= today
        ]
        answers[row.key] = _first_of(ahead)
    return answers


def _reaching(row: Row) -> list[str]:
    """The channels for which there is an address."""
    return [channel for channel in Channel.values if (row.email if channel == Channel.EMAIL else row.phone)]


def _way(step: ReminderStep, row: Row, channels: set[str]) -> str:
    """By which of the channels a step would go; empty where by none."""
    if step.channel != StepChannel.PREFERRED:
        return step.channel if step.channel in channels else ""
    possible = [channel for channel in channels if channel == Channel.EMAIL or settings.SMS_URL]
    return min(possible, key=lambda channel: channel != row.first_channel, default="")


def _ahead(
    steps: Sequence[tuple[ReminderStep, str]],
    due: date,
    remind_from: date | None,
    *,
    said: set[tuple[int, str]],
    earliest: date,
) -> str:
    """The first step of the ladder that is still to come."""
    ahead = [
        (max(day, earliest), channel)
        for step, channel in steps
        if (step.pk, due.isoformat()) not in said
        and (day := due + timedelta(days=step.offset_days)) + timedelta(days=step.stale_after_days) > earliest
        and (remind_from is None or day >= remind_from)
    ]
    return _first_of(ahead)


def _first_of(ahead: Collection[tuple[date, str]]) -> str:
    if not ahead:
        return _("none: no reminder is left")
    day, channel = min(ahead)
    return _reminder(channel, day)


def _reminder(channel: str, day: date) -> str:
    return _("reminder by %(channel)s, %(day)s") % {
        "channel": Channel(channel).label,
        "day": date_format(day, "D j M"),
    }
