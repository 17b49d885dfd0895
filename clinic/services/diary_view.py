"""The diary of a site over some days as it is shown: plain values on the site's wall clock, ready for JSON.

Reads only. The number of queries does not depend on how many visits, people or days there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from clinic import walltime
from clinic.models import (
    Absence,
    Appointment,
    AppointmentStatus,
    Closure,
    OpeningHours,
    Resource,
    ResourceKind,
    Site,
    WorkingHours,
)
from clinic.services import late, missing, screening
from treatments.models import Session

Stretch = tuple[datetime, datetime]

# What a change of anything shown changes: the version of each row as the database counts it (who wrote it, and where
# it lies since), not what stands in it.
FINGERPRINT = """
    SELECT md5(coalesce(string_agg(version, ' ' ORDER BY version), '')) FROM (
        SELECT concat_ws(' ', 'visit', visit.xmin, visit.ctid, patient.xmin, patient.ctid,
            treatment.xmin, treatment.ctid, session.xmin, session.ctid,
            (SELECT count(*) FROM treatments_session other WHERE other.series_id = session.series_id)) AS version
        FROM clinic_appointment visit JOIN patients_patient patient ON patient.id = visit.patient_id
        JOIN treatments_treatment treatment ON treatment.id = visit.treatment_id
        LEFT JOIN treatments_session session ON session.id = visit.session_id
        WHERE visit.site_id = %(site)s AND visit.starts_at >= %(start)s AND visit.starts_at < %(end)s
        UNION ALL
        SELECT 'answer ' || answer.id
        FROM clinic_appointment visit
        JOIN treatments_series series ON series.patient_id = visit.patient_id
        JOIN clinic_screeninganswer answer ON answer.series_id = series.id
        WHERE visit.site_id = %(site)s AND visit.starts_at >= %(start)s AND visit.starts_at < %(end)s
        UNION ALL
        SELECT 'closure ' || xmin || ctid FROM clinic_closure
        WHERE site_id = %(site)s AND ends_at > %(start)s AND starts_at < %(end)s
        UNION ALL
        SELECT 'absence ' || xmin || ctid FROM clinic_absence
        WHERE ends_at > %(start)s AND starts_at < %(end)s
        UNION ALL
        SELECT 'opening ' || xmin || ctid FROM clinic_openinghours WHERE site_id = %(site)s
        UNION ALL
        SELECT 'working ' || xmin || ctid FROM clinic_workinghours WHERE site_id = %(site)s
        UNION ALL
        SELECT 'resource ' || xmin || ctid FROM clinic_resource
    ) shown
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One practitioner or room. The key 0 stands for visits that have none."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One phase of a visit. `kind`: "numbing", "work" (it needs the practitioner) or "rest"."""

    name: str
    kind: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """`late`: by how many minutes the patient is, or came."""

    id: int
    column: int
    start: datetime
    end: datetime
    status: str
    patient: str
    treatment: str
    which: str
    add_ons: tuple[str, ...]
    practitioner: str
    room: str
    parts: tuple[Part, ...]
    missing: tuple[str, ...]
    late: int
    movable: bool

    @property
    def begins(self) -> str:
        return f"{self.start:%H:%M}"

    @property
    def ends(self) -> str:
        return f"{self.end:%H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """Time of a column in which nobody should be booked. `kind`: "off", "absent" or "closed"."""

    column: int
    start: datetime
    end: datetime
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryView:
    """`opens` and `closes` are the hours that hold all that is shown; `days` are those worth showing."""

    days: tuple[date, ...]
    opens: int
    closes: int
    columns: tuple[Column, ...]
    visits: tuple[Visit, ...]
    shades: tuple[Shade, ...]

    def as_json(self) -> dict:
        """Times without an offset: a grid in another zone must show the site's clock."""
        # Not asdict, which copies each value of hundreds of visits, and takes longer than to read them.
        return _fields(self) | {
            "columns": [_fields(column) for column in self.columns],
            "visits": [_fields(visit) | {"parts": [_fields(part) for part in visit.parts]} for visit in self.visits],
            "shades": [_fields(shade) for shade in self.shades],
        }


def _fields(row: Column | Part | Visit | Shade | DiaryView) -> dict:
    return {name: getattr(row, name) for name in row.__slots__}


def fingerprint(*, site: Site, first: date, last: date) -> str:
    """Different as soon as anything that the diary of these days shows has changed. One query, one row."""
    start, end = _bounds(first, last, site.time_zone)
    with connection.cursor() as cursor:
        cursor.execute(FINGERPRINT, {"site": site.pk, "start": start, "end": end})
        return cursor.fetchone()[0]


def read(*, site: Site, first: date, last: date, by: str, now: datetime) -> DiaryView:
    """The diary of `site` from `first` to `last`, both included, in columns of one kind of resource."""
    zone = site.time_zone
    start, end = _bounds(first, last, zone)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    opening = _opening(site, days)
    closures = _closures(site, start, end)
    working = _working(site, days) if by == ResourceKind.PRACTITIONER else None
    visits = _visits(site, start, end, by=by, now=now)
    columns = _columns(site, by, working or {}, visits)
    absences = _absences([column.id for column in columns], start, end, zone)
    shown = [day for day in days if opening[day] or any(visit.start.date() == day for visit in visits)] or days
    shades = [
        shade
        for column in columns
        for shade in _shades(
            column.id,
            shown,
            opening=opening,
            working=working.get(column.id, {}) if working is not None and column.id else None,
            closures=closures,
            absences=absences[column.id],
        )
    ]
    opens, closes = _hours(opening, working, visits)
    return DiaryView(
        days=tuple(shown),
        opens=opens,
        closes=closes,
        columns=tuple(columns),
        visits=tuple(visits),
        shades=tuple(shades),
    )


def _bounds(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return walltime.midnight(first, zone), walltime.midnight(last + timedelta(days=1), zone)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


# --- Visits -------------------------------------------------------------------------------------


def _visits(site: Site, start: datetime, end: datetime, *, by: str, now: datetime) -> list[Visit]:
    """All that was not cancelled, in order of time. One query, and two for what is known of screening."""
    zone = site.time_zone
    sessions = Session.objects.filter(series=OuterRef("session__series")).order_by()
    column = F("practitioner_id") if by == ResourceKind.PRACTITIONER else F("room_id")
    found = (
        Appointment.objects.filter(site=site, starts_at__gte=start, starts_at__lt=end)
        .exclude(status=AppointmentStatus.CANCELLED)
        .order_by("starts_at", "pk")
        .annotate(sessions=Subquery(sessions.values("series").annotate(n=Count("pk")).values("n")))
        .values_list(
            "pk",
            Coalesce(column, 0),
            "starts_at",
            "ends_at",
            "status",
            "patient__given_name",
            "patient__family_name",
            "patient__email",
            "patient__phone",
            "treatment__name",
            "session__number",
            "sessions",
            "maintenance_id",
            "practitioner__name",
            "room__name",
            "session__add_ons",
            "phases",
            "outside_window_reason",
            "status_at",
        )
    )
    found = list(found)
    flags = screening.states((values[0] for values in found), now=now) if found else {}
    return [_visit(values, zone, now, flags.get(values[0])) for values in found]


def _visit(values: tuple, zone: ZoneInfo, now: datetime, screened: screening.State | None) -> Visit:
    pk, column, starts_at, ends_at, status, given, family, email, phone, treatment, number, count, cycle, *rest = values
    practitioner, room, add_ons, phases, outside, status_at = rest
    screened_words = missing.screening_words(
        screened, day=walltime.day_of(starts_at, zone), today=walltime.day_of(now, zone)
    )
    lacking = missing.words(
        reachable=bool(email or phone), practitioner=practitioner, room=room, phases=phases, screened=screened_words
    )
    parts = tuple(_part(phase) for phase in phases)
    waiting = status in (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)
    return Visit(
        id=pk,
        column=column,
        start=_wall(starts_at, zone),
        end=_wall(ends_at, zone),
        status=status,
        patient=f"{given} {family}".strip(),
        treatment=treatment,
        which=_which(number, count, cycle),
        add_ons=tuple(add_ons or ()),
        practitioner=practitioner or "",
        room=room or "",
        parts=parts,
        missing=(*lacking, *([_("outside its window")] if outside else [])) if waiting else (),
        late=late.minutes(starts_at=starts_at, ends_at=ends_at, status=status, status_at=status_at, now=now),
        movable=status == AppointmentStatus.BOOKED and ends_at > now,
    )


def _part(phase: dict) -> Part:
    kind = "work" if phase.get("practitioner") else "numbing" if phase.get("numbing") else "rest"
    return Part(name=phase["name"], kind=kind, minutes=phase["minutes"])


def _which(number: int | None, count: int | None, cycle: int | None) -> str:
    if number is not None:
        return _("%(n)d of %(m)d") % {"n": number, "m": count}
    return _("maintenance") if cycle is not None else ""


# --- Columns and what shades them ---------------------------------------------------------------


def _columns(site: Site, by: str, working: dict[int, dict], visits: Iterable[Visit]) -> list[Column]:
    """The rooms of the site, or who works here in these days; and whoever has a visit here.

    A day on which nobody works shows all of the site, so that it is a day and not an empty page.
    """
    seen = {visit.column for visit in visits}
    at_work = Q(pk__in=working) if working else Q(site=site)
    here = at_work & Q(active=True) | Q(pk__in=seen)
    found = Resource.objects.filter(here, kind=by).order_by("name", "pk").values_list("pk", "name")
    columns = [Column(id=pk, name=name) for pk, name in found]
    if 0 in seen:
        nobody = _("No practitioner") if by == ResourceKind.PRACTITIONER else _("No room")
        columns.append(Column(id=0, name=nobody))
    return columns


def _opening(site: Site, days: Iterable[date]) -> dict[date, list[Stretch]]:
    hours = defaultdict(list)
    for weekday, opens, closes in OpeningHours.objects.filter(site=site).values_list("weekday", "opens", "closes"):
        hours[weekday].append((opens, closes))
    return {day: [_on(day, *stretch) for stretch in hours[day.weekday()]] for day in days}


def _working(site: Site, days: list[date]) -> dict[int, dict[date, list[Stretch]]]:
    """Of each practitioner who works here in these days: when, on which day."""
    rows = WorkingHours.objects.filter(
        Q(valid_from=None) | Q(valid_from__lte=days[-1]),
        Q(valid_until=None) | Q(valid_until__gte=days[0]),
        site=site,
    ).values_list("resource_id", "weekday", "starts", "ends", "valid_from", "valid_until")
    working: dict[int, dict[date, list[Stretch]]] = defaultdict(lambda: defaultdict(list))
    for resource, weekday, starts, ends, valid_from, valid_until in rows:
        for day in days:
            in_force = (valid_from is None or valid_from <= day) and (valid_until is None or day <= valid_until)
            if day.weekday() == weekday and in_force:
                working[resource][day].append(_on(day, starts, ends))
    return working


def _on(day: date, starts: time, ends: time) -> Stretch:
    return datetime.combine(day, starts), datetime.combine(day, ends)


def _closures(site: Site, start: datetime, end: datetime) -> list[tuple[datetime, datetime, str]]:
    rows = Closure.objects.filter(site=site, ends_at__gt=start, starts_at__lt=end).order_by("starts_at", "pk")
    zone = site.time_zone
    return [
        (_wall(max(starts, start), zone), _wall(min(ends, end), zone), reason)
        for starts, ends, reason in rows.values_list("starts_at", "ends_at", "reason")
    ]


def _absences(
    keys: Iterable[int], start: datetime, end: datetime, zone: ZoneInfo
) -> dict[int, list[tuple[datetime, datetime, str]]]:
    absences = defaultdict(list)
    rows = Absence.objects.filter(resource__in=keys, ends_at__gt=start, starts_at__lt=end).order_by("starts_at", "pk")
    for resource, starts, ends, reason in rows.values_list("resource_id", "starts_at", "ends_at", "reason"):
        absences[resource].append((_wall(max(starts, start), zone), _wall(min(ends, end), zone), reason))
    return absences


def _shades(
    column: int,
    days: Iterable[date],
    *,
    opening: dict[date, list[Stretch]],
    working: dict[date, list[Stretch]] | None,
    closures: list[tuple[datetime, datetime, str]],
    absences: list[tuple[datetime, datetime, str]],
) -> Iterator[Shade]:
    """Day by day: outside working hours, or for a room outside opening hours; then absences and closures."""
    for day in days:
        midnight = datetime.combine(day, time())
        whole = (midnight, midnight + timedelta(days=1))
        hours = opening[day] if working is None else working.get(day, [])
        for start, end in _gaps(whole, hours):
            yield Shade(column=column, start=start, end=end, kind="off", reason="")
        for kind, stretches in (("absent", absences), ("closed", closures)):
            for starts, ends, reason in stretches:
                start, end = max(starts, whole[0]), min(ends, whole[1])
                if start < end:
                    yield Shade(column=column, start=start, end=end, kind=kind, reason=reason)


def _gaps(whole: Stretch, hours: Iterable[Stretch]) -> Iterator[Stretch]:
    at, end = whole
    for starts, ends in sorted(hours):
        if at < starts:
            yield at, starts
        at = max(at, ends)
    if at < end:
        yield at, end


def _hours(
    opening: dict[date, list[Stretch]], working: dict[int, dict[date, list[Stretch]]] | None, visits: Iterable[Visit]
) -> tuple[int, int]:
    """From which full hour to which: all opening and working hours and visits lie inside. 9 to 17 where none are."""
    stretches = [stretch for hours in opening.values() for stretch in hours]
    stretches += [stretch for days in (working or {}).values() for hours in days.values() for stretch in hours]
    stretches += [(visit.start, visit.end) for visit in visits]
    if not stretches:
        return 9, 17
    opens = min(start.hour for start, _end in stretches)
    closes = max(24 if end.date() > start.date() else end.hour + bool(end.minute) for start, end in stretches)
    return opens, closes
