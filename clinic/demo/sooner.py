"""Who would rather come sooner, and the one who has just been offered a time."""

from datetime import datetime, timedelta

from clinic import walltime
from clinic.demo.story import Story
from clinic.models import Appointment, AppointmentStatus, EarlierOffer, EarlierWish, FreedTime, Message, MessageState
from clinic.models.outbox import MessageKind, said_of
from clinic.services import waiting
from clinic.services.openings import openings
from clinic.waiting import Opening
from patients.models import Patient, Purpose

NOTICE = timedelta(days=1)
OTHERS = 4
# So that it is open for a while, the time lies some days ahead.
AHEAD = timedelta(days=3)


class Sooner:
    def __init__(self, story: Story) -> None:
        self.story, self.now = story, story.now

    def store(self, nina: Patient) -> None:
        """Nina waits and is offered a time; a few others wait for what may become free."""
        ahead = [a for a in self.story.appointments if a.status == AppointmentStatus.BOOKED and a.starts_at > self.now]
        mine = min((a for a in ahead if a.patient is nina), key=lambda a: a.starts_at, default=None)
        far = [a for a in ahead if a.patient is not nina and a.starts_at > self.now + timedelta(days=14)]
        for visit in self.story.rng.sample(far, min(OTHERS, len(far))):
            self._wish(visit)
        if mine is not None and (opening := self._opening(mine)):
            self._offer(self._wish(mine), opening)

    def _wish(self, visit: Appointment) -> EarlierWish:
        since = visit.booked_at + (self.now - visit.booked_at) * self.story.rng.uniform(0.2, 0.9)
        return EarlierWish.objects.create(
            appointment=visit,
            sooner_than=visit.starts_at,
            notice_hours=NOTICE // timedelta(hours=1),
            waiting_since=since,
            noted_at=since,
            noted_by=visit.booked_by,
        )

    def _opening(self, visit: Appointment) -> Opening | None:
        """The latest that its course allows, so that the answer need not come at once."""
        zone = visit.site.time_zone
        first, last = walltime.day_of(self.now + AHEAD, zone), walltime.day_of(visit.starts_at, zone)
        days = [first + timedelta(days=n) for n in range((last - first).days)]
        allowed = waiting.allowed_days(visit, days, now=self.now)
        return max(openings(visit, allowed, now=self.now), key=lambda one: one.start, default=None)

    def _offer(self, wish: EarlierWish, opening: Opening) -> None:
        visit, made = wish.appointment, self.now - timedelta(minutes=8)
        start, expires = walltime.from_minutes(opening.start), walltime.from_minutes(opening.start) - NOTICE
        practitioner = opening.choice.practitioner
        FreedTime.objects.create(
            resource_id=practitioner or visit.practitioner_id,
            starts_at=start,
            ends_at=walltime.from_minutes(opening.end),
        )
        message = Message.objects.create(
            patient=visit.patient,
            kind=MessageKind.EARLIER,
            purpose=Purpose.SERVICE,
            channel="email",
            appointment=visit,
            counts_from=said_of(start),
            owed_at=made,
            not_before=made,
            not_after=expires,
            state=MessageState.SENT,
            attempts=1,
            handed_over=1,
            message_id=self.story.uuid(),
            settled_at=_soon(made),
        )
        EarlierOffer.objects.create(
            wish=wish,
            starts_at=start,
            practitioner_id=practitioner,
            made_at=made,
            made_by=visit.booked_by,
            expires_at=expires,
            message=message,
        )


def _soon(made: datetime) -> datetime:
    return made + timedelta(seconds=20)
