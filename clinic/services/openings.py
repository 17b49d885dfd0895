"""Where one booked visit could be instead, by the diary alone: its own time is free, and its course is not asked.

Stands below what books and what sends, so that both can look once more before they act.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime

from django.utils.translation import gettext as _

from clinic import walltime
from clinic.availability import DAY_MINUTES, Availability
from clinic.models import Appointment, AppointmentStatus, EarlierOffer
from clinic.proposal import Choice, stretches
from clinic.services import horizon
from clinic.waiting import Freed, Opening, before
from treatments.terms import phases_from

# Starts lie so many minutes apart, as those do that the planner proposes.
STEP_MINUTES = 15
FINEST_STEP_MINUTES = 5


def openings(
    visit: Appointment,
    days: Collection[date],
    *,
    now: datetime,
    step: int = STEP_MINUTES,
    freed: Sequence[Freed] = (),
) -> Iterator[Opening]:
    """Every start on `days` at which the visit, as it was booked, would fit; by day, practitioner and time.

    With `freed`, only those that became possible by it.
    """
    needed = stretches(phases_from(visit.phases))
    if not days or not needed:
        return
    zone = visit.site.time_zone
    diary = horizon.read(
        site=visit.site,
        treatment=visit.treatment,
        first=min(days),
        last=max(days),
        patient=visit.patient,
        now=now,
        without=[visit],
        on=days,
    )
    free = Availability(diary, step=step)
    then = Availability(before(diary, freed), step=step) if freed else None
    minutes = sum(stretch.minutes for stretch in needed)
    needs_somebody = any(stretch.practitioner for stretch in needed)
    for day in sorted(days):
        for place, person in enumerate(diary.practitioners if needs_somebody else [None]):
            all_along = set()
            if then is not None:
                all_along.update(then.starts(needed, day, then.diary.practitioners[place] if person else None))
            for start in free.starts(needed, day, person):
                if start in all_along:
                    continue
                room, devices = free.seats(needed, day, start)
                local = walltime.from_minutes(start).astimezone(zone)
                choice = Choice(day, start, person.id if person else None, room, devices)
                yield Opening(choice, start + minutes, (local.hour * 60 + local.minute) % DAY_MINUTES)


def opening_at(visit: Appointment, start: int, practitioner: int | None, *, now: datetime) -> Opening | None:
    """That start with that practitioner, where it is free."""
    day = walltime.day_of(walltime.from_minutes(start), visit.site.time_zone)
    found = openings(visit, [day], now=now, step=FINEST_STEP_MINUTES)
    return next((one for one in found if one.start == start and one.choice.practitioner == practitioner), None)


def why_closed(offer: EarlierOffer, *, now: datetime) -> str:
    """Why an offer cannot be taken any more, in the patient's words; empty where it can."""
    visit = offer.wish.appointment
    if offer.declined_at is not None and offer.wish.closed_at is None:
        return _("You told us that this time does not suit you.")
    if offer.wish.closed_at is not None:
        return _("You told us that you do not need it any more.")
    if visit.status != AppointmentStatus.BOOKED or visit.starts_at <= max(offer.starts_at, now):
        return _("Your visit has been changed meanwhile.")
    if offer.expires_at <= now:
        return _("The time to answer has passed.")
    if opening_at(visit, walltime.to_minutes(offer.starts_at), offer.practitioner_id, now=now) is None:
        return _("Somebody was faster, and this time is taken.")
    return ""
