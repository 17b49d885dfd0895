"""What the patient has been told of each visit, from the mails alone."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.core.mail import EmailMessage

from clinic.models import Appointment, Message
from tests.world import LONDON

WHEN = re.compile(r"\w{3} \d{1,2} \w{3} \d{4}, \d{2}:\d{2}")
# What the patient thinks of as one visit, though it be given up and booked anew: the session, the cycle or the visit.
Subject = tuple[str, int]


def subject(visit: Appointment) -> Subject:
    if visit.session_id:
        return "session", visit.session_id
    return ("cycle", visit.maintenance_id) if visit.maintenance_id else ("visit", visit.pk)


def starts_in(letter: EmailMessage) -> set[datetime]:
    """Every date and time that stands in a mail."""
    spoken = (datetime.strptime(found, "%a %d %b %Y, %H:%M") for found in WHEN.findall(letter.body))  # noqa: DTZ007
    return {clock.replace(tzinfo=LONDON).astimezone(UTC) for clock in spoken}


@dataclass(frozen=True)
class Patient:
    """`expects`: for which visit, by its key, and when the patient will come, as far as anybody said so."""

    expects: dict[Subject, tuple[int, datetime]] = field(default_factory=dict)

    def at(self, one: Subject, now: datetime) -> datetime | None:
        """When the patient is to come for it; None also where that has passed."""
        _visit, start = self.expects.get(one, (None, None))
        return start if start and start > now else None

    def but(self, about: Collection[Subject], *holding: Appointment) -> "Patient":
        """The same but for these: of what stands there it is known when it is, of the others that they are not."""
        others = {one: when for one, when in self.expects.items() if one not in about}
        return Patient(others | {subject(visit): (visit.pk, visit.starts_at) for visit in holding})

    def told_in_person(self, visit: Appointment) -> "Patient":
        return self.but({subject(visit)}, *([visit] if visit.status == "booked" else []))

    def reads(self, letter: EmailMessage, visits: list[Appointment]) -> "Patient":
        """What is expected after this mail, which is true at this moment. `visits` are all that the patient has."""
        message = Message.objects.get(message_id=letter.extra_headers["Message-ID"].strip("<>").partition("@")[0])
        said, booked = starts_in(letter), {visit.starts_at for visit in visits if visit.status == "booked"}
        if message.kind == "cancellation":
            return self.hears_it_is_cancelled(next(v for v in visits if v.pk == message.appointment_id), said)
        assert said <= booked, (message.kind, said - booked)
        if message.kind not in ("confirmation", "change"):
            return self
        tells = [message, *message.says_too.all()]
        series = {told.series_id for told in tells if told.series_id}
        alone = {told.appointment_id for told in tells if told.appointment_id}
        about = [v for v in visits if v.pk in alone or (v.session_id and v.session.series_id in series)]
        return self.but(
            {subject(visit) for visit in about},
            *(visit for visit in about if visit.status == "booked" and visit.starts_at in said),
        )

    def hears_it_is_cancelled(self, visit: Appointment, said: set[datetime]) -> "Patient":
        assert visit.status == "cancelled"
        key, expected = self.expects.get(subject(visit), (None, visit.starts_at))
        if said == {expected}:
            return self.but({subject(visit)})
        # Another visit, booked in the place of the one expected and given up at once: what is expected is still to be
        # said. Of this one the patient knows no other time.
        assert key != visit.pk, (said, expected)
        return self
