"""The private calendar of a patient: its secret address, and what stands in it."""

from datetime import datetime, timedelta
from urllib.parse import urljoin
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic import links
from clinic.calendar import Entry
from clinic.models import Appointment, AppointmentStatus, CalendarFeed, Site
from patients.models import Patient
from treatments.models import Maintenance, MaintenanceState

# Older visits fall out of the feed; calendars that took them over may forget them.
KEEPS = timedelta(days=400)
AHEAD = (MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED)
# Its whole days are over, also where a visit has taken their place: calendars that show them must be told.
ENDED = (
    MaintenanceState.BOOKED,
    MaintenanceState.ATTENDED,
    MaintenanceState.DECLINED,
    MaintenanceState.LAPSED,
    MaintenanceState.WITHDRAWN,
)


def new_address(*, patient: Patient, now: datetime) -> str:
    """The secret of a new address, which is not stored; the old address answers nothing from now on."""
    secret = links.new_secret()
    CalendarFeed.objects.update_or_create(
        patient=patient, defaults={"digest": links.digest(secret), "address_made_at": now}
    )
    return secret


def name_treatments(*, patient: Patient, wanted: bool) -> None:
    """Whether titles name the treatment. Without a feed there is nothing to say it of."""
    CalendarFeed.objects.filter(patient=patient).update(names_treatment=wanted)


def close(*, patient: Patient) -> None:
    """The address answers nothing any more."""
    CalendarFeed.objects.filter(patient=patient).delete()


def behind(secret: str) -> CalendarFeed | None:
    """The feed at this address, of a patient who may still sign in."""
    if not links.looks_right(secret):
        return None
    return (
        CalendarFeed.objects.select_related("patient")
        .filter(digest=links.digest(secret), patient__merged_into=None, patient__user__is_active=True)
        .first()
    )


def entries(patient: Patient, *, names_treatment: bool, now: datetime) -> list[Entry]:
    """Every visit, and each maintenance that is to be booked, as whole days; what has ended, as cancelled."""
    visits = (
        patient.appointments.filter(starts_at__gte=now - KEEPS)
        .select_related("site", "treatment")
        .order_by("starts_at", "pk")
    )
    found = [of_visit(visit, names_treatment=names_treatment) for visit in visits]
    latest = patient.appointments.select_related("site").order_by("-starts_at", "-pk").first()
    site = latest.site if latest else Site.objects.filter(active=True).first()
    cycles = (
        Maintenance.objects.filter(series__patient=patient, state__in=[*AHEAD, *ENDED], due_from__isnull=False)
        .select_related("treatment")
        .annotate(changes=Count("events"))
        .order_by("due_from", "pk")
    )
    return found + [_of_cycle(cycle, site, names_treatment=names_treatment) for cycle in cycles if site]


def of_visit(visit: Appointment, *, names_treatment: bool) -> Entry:
    words = {"what": visit.treatment, "clinic": visit.site.short_name}
    return Entry(
        uid=str(visit.uid),
        sequence=visit.sequence,
        starts=visit.starts_at,
        ends=visit.ends_at,
        title=(_("%(what)s at %(clinic)s") if names_treatment else _("Visit at %(clinic)s")) % words,
        place=", ".join([visit.site.name, *visit.site.address.splitlines()]),
        text=_please_look(visit.site),
        url=_portal(),
        cancelled=visit.status == AppointmentStatus.CANCELLED,
    )


def _of_cycle(cycle: Maintenance, site: Site, *, names_treatment: bool) -> Entry:
    assert cycle.due_from is not None
    words = {"what": cycle.treatment, "clinic": site.short_name}
    title = _("Time for %(what)s at %(clinic)s") if names_treatment else _("Time for your next visit at %(clinic)s")
    first = cycle.due_from
    if cycle.state == MaintenanceState.DEFERRED and cycle.deferred_until:
        first = max(first, cycle.deferred_until)
    return Entry(
        uid=str(uuid5(NAMESPACE_URL, urljoin(settings.PUBLIC_URL, f"maintenance/{cycle.pk}"))),
        sequence=cycle.changes,
        starts=first,
        ends=max(first, cycle.due_by or first),
        title=title % words,
        text=_please_look(site),
        url=_portal(),
        cancelled=cycle.state in ENDED,
    )


def _please_look(site: Site) -> str:
    said = _("Details and changes: %s") % _portal()
    return f"{said}\n{site.phone}".strip()


def _portal() -> str:
    """It names nobody: who opens it has to sign in."""
    return urljoin(settings.PUBLIC_URL, reverse("portal:course"))
