"""Which booked visits ahead do not fit the rota, read: from what stands in the tables now, whoever changed it.

The number of queries is constant, and the cost follows the visits that are still ahead and not the history.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from clinic import rota, walltime
from clinic.models import Absence, Appointment, Closure, OpeningHours, Resource, ResourceKind, Site, WorkingHours
from clinic.models import Claim as Claimed
from clinic.models.diary import AppointmentStatus
from clinic.rota import Claim, Gone, Hours, Kept, Place, Rota, Visit, Why
from clinic.services.horizon import EpochMinute, EpochMinuteUp

Misfits = Mapping[int, tuple[Why, ...]]
DAY = timedelta(days=1)


def misfits(*, now: datetime, only: Collection[int] | None = None) -> Misfits:
    """The booked visits from `now` on that do not fit, by key, with their reasons; of those in `only`, where given."""
    visits = Appointment.objects.upcoming(now=now)
    # A claim begins with its visit or later, so both may be looked for from now on.
    claims = Claimed.objects.filter(
        appointment__status=AppointmentStatus.BOOKED, appointment__starts_at__gte=now, starts_at__gte=now
    )
    if only is not None:
        visits, claims = visits.filter(pk__in=only), claims.filter(appointment__in=only)
    return rota.misfits(
        _rota(now),
        [
            Visit(*row)
            for row in visits.order_by().values_list(
                "pk", "site_id", EpochMinute("starts_at"), EpochMinuteUp("ends_at")
            )
        ],
        [
            Claim(*row)
            for row in claims.order_by("resource__name", "resource_id").values_list(
                "appointment_id", "resource_id", EpochMinute("starts_at"), EpochMinuteUp("ends_at")
            )
        ],
    )


def in_words(whys: Sequence[Why]) -> str:
    """Why a visit does not fit, as one line."""
    return "; ".join(_reason(why) for why in whys)


def _reason(why: Why) -> str:
    words = {"name": why.name, "reason": why.reason}
    match why.kind:
        case "closed":
            return _("the site is closed: %(reason)s") % words
        case "hours":
            return _("outside the opening hours")
        case "unused":
            return _("%(name)s is not in use any more") % words
        case "away" if why.reason:
            return _("%(name)s is away: %(reason)s") % words
        case "away":
            return _("%(name)s is away") % words
        case "off":
            return _("%(name)s does not work then") % words


def _rota(now: datetime) -> Rota:
    """All that is said of the time from `now` on."""
    opening: dict[int, list[Hours]] = defaultdict(list)
    for site, *hours in OpeningHours.objects.order_by().values_list("site", "weekday", "opens", "closes"):
        opening[site].append(Hours(*hours))
    closures = _gone(Closure.objects.filter(ends_at__gt=now).values_list("site", "starts_at", "ends_at", "reason"))
    working: dict[int, dict[Hashable, tuple[Hours, ...]]] = defaultdict(lambda: defaultdict(tuple))
    # A day earlier, because it may still be yesterday somewhere.
    rows = WorkingHours.objects.filter(Q(valid_until=None) | Q(valid_until__gte=now.date() - DAY)).order_by()
    for resource, site, *hours in rows.values_list(
        "resource", "site", "weekday", "starts", "ends", "valid_from", "valid_until"
    ):
        working[resource][site] += (Hours(*hours),)
    away = _gone(Absence.objects.filter(ends_at__gt=now).values_list("resource", "starts_at", "ends_at", "reason"))
    return Rota(
        places={
            key: Place(zone, tuple(opening[key]), tuple(closures[key]))
            for key, zone in Site.objects.order_by().values_list("pk", "time_zone")
        },
        resources={
            key: Kept(name, active, working[key] if kind == ResourceKind.PRACTITIONER else None, tuple(away[key]))
            for key, name, kind, active in Resource.objects.order_by().values_list("pk", "name", "kind", "active")
        },
    )


def _gone(rows) -> dict[int, list[Gone]]:
    """What is shut or away, by whose it is, in order of time; a minute that has begun counts."""
    found: dict[int, list[Gone]] = defaultdict(list)
    for key, starts_at, ends_at, reason in rows.order_by("starts_at", "pk"):
        end = -(-int(ends_at.timestamp()) // walltime.MINUTE)
        found[key].append(Gone(walltime.to_minutes(starts_at), end, reason))
    return found
