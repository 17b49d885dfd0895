"""The visits of a day whose patients are late, and what that does to those after them. Reads only."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic import lateness
from clinic.lateness import Held
from clinic.models import AppointmentStatus, Claim, ResourceKind

WAITING = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)
# A device can be exchanged for another of its kind; the practitioner and the room cannot.
WAITED_FOR = (ResourceKind.PRACTITIONER, ResourceKind.ROOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """How late, and a sentence for each visit that would have to wait."""

    minutes: int
    waits: tuple[str, ...] = ()


def minutes(*, starts_at: datetime, ends_at: datetime, status: str, status_at: datetime, now: datetime) -> int:
    """How late the patient is, or came; 0 where nobody is waited for any more: recorded, or the time is over."""
    if status == AppointmentStatus.ARRIVED:
        return lateness.minutes_late(starts_at, came_at=status_at)
    if status == AppointmentStatus.BOOKED and now < ends_at:
        return lateness.minutes_late(starts_at, came_at=now)
    return 0


def told(late: dict[int, int], *, zone: ZoneInfo) -> dict[int, Late]:
    """For each visit (by key) that is so many minutes late, whom it keeps waiting. Two queries at most."""
    late = {visit: minutes for visit, minutes in late.items() if minutes}
    if not late:
        return {}
    own = defaultdict(list)
    for held in _held(Q(appointment__in=late)):
        own[held[0].visit].append(held[0])
    everything = [held for found in own.values() for held in found]
    if not everything:
        return {visit: Late(minutes=minutes) for visit, minutes in late.items()}
    after = list(
        _held(
            Q(
                resource__in={held.resource for held in everything},
                appointment__status__in=WAITING,
                starts_at__gte=min(held.ends_at for held in everything),
                starts_at__lt=max(held.ends_at + timedelta(minutes=late[held.visit]) for held in everything),
            )
        )
    )
    said = {held.visit: (patient, starts_at) for held, patient, _name, starts_at in after}
    names = {held.resource: name for held, _patient, name, _starts_at in after}
    others = [held for held, *_rest in after]
    return {
        visit: Late(
            minutes=minutes,
            waits=tuple(
                _sentence(*said[wait.visit], resource=names[wait.resource], minutes=wait.minutes, zone=zone)
                for wait in lateness.waits(own[visit], others, minutes=minutes)
            ),
        )
        for visit, minutes in late.items()
    }


def _held(which: Q) -> Iterable[tuple[Held, str, str, datetime]]:
    """What is held, for whom, its name, and when that visit is to start; in order of time."""
    rows = (
        Claim.objects.filter(which, resource__kind__in=WAITED_FOR)
        .order_by("starts_at", "pk")
        .values_list(
            "appointment_id",
            "resource_id",
            "starts_at",
            "ends_at",
            "appointment__patient__given_name",
            "appointment__patient__family_name",
            "resource__name",
            "appointment__starts_at",
        )
    )
    for visit, resource, starts_at, ends_at, given, family, name, visit_starts_at in rows:
        held = Held(visit=visit, resource=resource, starts_at=starts_at, ends_at=ends_at)
        yield held, f"{given} {family}".strip(), name, visit_starts_at


def _sentence(patient: str, starts_at: datetime, *, resource: str, minutes: int, zone: ZoneInfo) -> str:
    return _("%(patient)s at %(clock)s may wait %(minutes)d min for %(resource)s.") % {
        "patient": patient,
        "clock": date_format(starts_at.astimezone(zone), "H:i"),
        "minutes": minutes,
        "resource": resource,
    }


def words(minutes: int) -> str:
    """What stands on the card; empty where nobody is late."""
    return _("%d min late") % minutes if minutes else ""
