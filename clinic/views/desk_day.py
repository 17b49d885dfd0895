"""Today at a site, or another day: who comes when, and what can be recorded of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.dates_in_words import FIRST_YEAR, LAST_YEAR, NotUnderstood, parse_day, written
from clinic.models import LIVE, Appointment, AppointmentStatus, Closure, OpeningHours, Site
from clinic.permissions import staff_required
from clinic.services import late, missing, screening
from clinic.services.late import Late
from clinic.views.at_site import chosen_site
from treatments.models import Session

NOTES_SHOWN = 60
WAITING = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One visit as the list shows it. Plain values: a list of a hundred model instances is four times as slow."""

    pk: int
    starts_at: datetime
    starts: time
    ends: time
    status: str
    patient_pk: int
    patient: str
    treatment: str
    session_number: int | None
    sessions: int | None
    maintenance: bool
    add_ons: Sequence[str]
    practitioner: str
    room: str
    outside_window: bool
    # What is noted of the patient, in one short line.
    notes: str
    missing: Sequence[str]
    late: Late | None
    unrecorded: bool
    rebook_series: int | None
    actions: Sequence[str]


@staff_required
def home(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    sites = list(Site.objects.filter(active=True))
    site = chosen_site(request, sites)
    if site is None:
        return render(request, "desk/home.html", {"sites": sites})
    zone = site.time_zone
    today = walltime.day_of(now, zone)
    asked = request.GET.get("day", "").strip()
    day, complaint = chosen_day(asked, today)
    rows = visits(Q(site=site, **_within(day, zone, "starts_at")), zone=zone, now=now)
    context = {
        "sites": sites,
        "site": site,
        "zones_differ": len({str(other.time_zone) for other in sites}) > 1,
        "day": day,
        "day_box": asked if complaint else written(day),
        "is_today": day == today,
        "previous": day - timedelta(days=1),
        "next": day + timedelta(days=1),
        "asked": asked,
        "complaint": complaint,
        "now": now.astimezone(zone).time(),
        "before_now": [row for row in rows if row.starts_at <= now],
        "after_now": [row for row in rows if row.starts_at > now],
        "rows": rows,
        "coming": sum(row.status == AppointmentStatus.BOOKED for row in rows),
        "here": sum(row.status == AppointmentStatus.ARRIVED for row in rows),
        "lacking": sum(bool(row.missing) for row in rows),
        "notes": notes_of(site, day),
        "back": request.get_full_path(),
    }
    return render(request, "desk/home.html", context)


def chosen_day(asked: str, today: date) -> tuple[date, str]:
    """The day asked for and no complaint; or today, and what is wrong with what was asked for."""
    if not asked:
        return today, ""
    try:
        return parse_day(asked, today=today), ""
    except NotUnderstood:
        words = _("This is not a day between the years %(first)d and %(last)d. Enter one like %(day)s, 3 mar or +2w.")
        return today, words % {"first": FIRST_YEAR, "last": LAST_YEAR, "day": today.isoformat()}


def _within(day: date, zone: ZoneInfo, field: str) -> dict[str, datetime]:
    return {
        f"{field}__gte": walltime.midnight(day, zone),
        f"{field}__lt": walltime.midnight(day + timedelta(days=1), zone),
    }


def visits(which: Q, *, zone: ZoneInfo, now: datetime) -> list[Row]:
    """The appointments of `which`, in order of time, by one query, and what is known of their screening."""
    sessions = Session.objects.filter(series=OuterRef("session__series")).order_by()
    held = Appointment.objects.filter(session=OuterRef("session"), status__in=LIVE)
    found = (
        Appointment.objects.filter(which)
        .order_by("starts_at", "pk")
        .annotate(
            sessions=Subquery(sessions.values("series").annotate(n=Count("pk")).values("n")),
            # The session of a visit that was cancelled or missed, as long as nobody has booked it again.
            open_again=Q(session__state="planned", session__series__state="active") & ~Exists(held),
        )
        .values_list(
            "pk",
            "starts_at",
            "ends_at",
            "status",
            "patient_id",
            "patient__given_name",
            "patient__family_name",
            "treatment__name",
            "session__number",
            "sessions",
            "session__series_id",
            "open_again",
            "maintenance_id",
            "practitioner__name",
            "room__name",
            "session__add_ons",
            "outside_window_reason",
            "patient__email",
            "patient__phone",
            "phases",
            "patient__notes",
            "status_at",
        )
    )
    found = list(found)
    flags = screening.states((values[0] for values in found), now=now) if found else {}
    behind = late.told({values[0]: _minutes_late(values, now) for values in found}, zone=zone)
    return [
        _row(values, zone=zone, now=now, screened=flags.get(values[0]), is_late=behind.get(values[0]))
        for values in found
    ]


def _minutes_late(values: tuple, now: datetime) -> int:
    _pk, starts_at, ends_at, status, *_rest, status_at = values
    return late.minutes(starts_at=starts_at, ends_at=ends_at, status=status, status_at=status_at, now=now)


def _row(
    values: tuple, *, zone: ZoneInfo, now: datetime, screened: screening.State | None, is_late: Late | None
) -> Row:
    pk, starts_at, ends_at, status, patient, given, family, treatment, number, count, series, again, cycle, *rest = (
        values
    )
    practitioner, room, add_ons, outside, email, phone, phases, notes, _status_at = rest
    day, today = walltime.day_of(starts_at, zone), walltime.day_of(now, zone)
    lacking = missing.words(
        reachable=bool(email or phone),
        practitioner=practitioner,
        room=room,
        phases=phases,
        screened=missing.screening_words(screened, day=day, today=today),
    )
    return Row(
        pk=pk,
        starts_at=starts_at,
        starts=starts_at.astimezone(zone).time(),
        ends=ends_at.astimezone(zone).time(),
        status=status,
        patient_pk=patient,
        patient=f"{given} {family}".strip(),
        treatment=treatment,
        session_number=number,
        sessions=count,
        maintenance=cycle is not None,
        add_ons=add_ons or (),
        practitioner=practitioner or "",
        room=room or "",
        outside_window=bool(outside),
        notes=Truncator(" ".join(notes.split())).chars(NOTES_SHOWN),
        missing=lacking if status in WAITING else (),
        late=is_late,
        unrecorded=status in WAITING and ends_at <= now,
        rebook_series=series if again and status not in LIVE else None,
        actions=possible_actions(status, starts_at=starts_at, zone=zone, now=now),
    )


def possible_actions(status: str, *, starts_at: datetime, zone: ZoneInfo, now: datetime) -> list[str]:
    """What can be recorded of a visit now. The services have the last word; this keeps useless buttons away."""
    booked, open_ = status == AppointmentStatus.BOOKED, status in (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)
    day, today = walltime.day_of(starts_at, zone), walltime.day_of(now, zone)
    offered = {
        "arrive": booked and day == today,
        "attend": open_ and day <= today,
        "no-show": booked and starts_at <= now,
        "move": booked,
        "cancel": open_,
    }
    return [action for action, makes_sense in offered.items() if makes_sense]


def notes_of(site: Site, day: date) -> list[str]:
    """When the site is open on this day, and what closes it."""
    zone = site.time_zone
    hours = [
        (datetime.combine(day, opens), datetime.combine(day, closes))
        for opens, closes in OpeningHours.objects.filter(site=site, weekday=day.weekday()).values_list(
            "opens", "closes"
        )
    ]
    closures = [
        (starts.astimezone(zone).replace(tzinfo=None), ends.astimezone(zone).replace(tzinfo=None), reason)
        for starts, ends, reason in Closure.objects.filter(
            site=site,
            starts_at__lt=walltime.midnight(day + timedelta(days=1), zone),
            ends_at__gt=walltime.midnight(day, zone),
        )
        .order_by("starts_at", "pk")
        .values_list("starts_at", "ends_at", "reason")
    ]
    return opening_notes(day, hours, closures)


def opening_notes(
    day: date,
    hours: Iterable[tuple[datetime, datetime]],
    closures: Iterable[tuple[datetime, datetime, str]],
) -> list[str]:
    """Sentences about one day; all times are the site's wall clock."""
    hours = list(hours)
    begins, ends = (hours[0][0], hours[-1][1]) if hours else (datetime.combine(day, time()),) * 2
    notes = []
    shut = False
    for start, end, reason in closures:
        if start <= begins and end >= ends:
            shut = True
            notes.append(_("Closed: %s") % reason)
        else:
            midnight = datetime.combine(day + timedelta(days=1), time())
            words = {"from": _clock(max(start, datetime.combine(day, time()))), "reason": reason}
            if end >= midnight:
                notes.append(_("Closed from %(from)s on: %(reason)s") % words)
            else:
                notes.append(_("Closed from %(from)s to %(to)s: %(reason)s") % {**words, "to": _clock(end)})
    if shut:
        return notes
    if not hours:
        return [_("No opening hours on %s") % date_format(day, "l"), *notes]
    return [_("Open %s") % ", ".join(f"{_clock(opens)}–{_clock(closes)}" for opens, closes in hours), *notes]


def _clock(moment: datetime) -> str:
    return date_format(moment, "H:i")
