"""What is changed, and the course it is changed in, as both stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from clinic import walltime
from clinic.models import Appointment, Site
from clinic.planning import Choice
from clinic.services import booking
from clinic.services import course as planned
from clinic.services.course import Course
from treatments.models import Series, Session, SessionState
from treatments.terms import SessionCount, Spacing, Terms

Kind = Literal["move", "cancel", "no_show", "attended", "add_ons", "drop", "add", "terms"]
Following = Literal["only", "shift", "shift_unbook", "shift_replan", "replan", "unbook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one visit.

    `choice` is where a moved visit goes, or when it was really attended. `add_ons` are those it is to have; `choice` is
    then the time for that, which may be the time it has. `forfeit`: a missed session is not repeated. `reason` is why
    it is cancelled or dropped. `terms` are those that the series is to have, and `numbers` the sessions that are then
    open.
    """

    kind: Kind
    choice: Choice | None = None
    add_ons: tuple[str, ...] = ()
    forfeit: bool = False
    reason: str = ""
    terms: Terms | None = None
    numbers: tuple[int, ...] | None = None

    @property
    def offers(self) -> tuple[Following, ...]:
        """What can be done about the later sessions; nothing is shifted where there is no time to shift by.

        Those that shift all but the sessions that are not free then: "shift_unbook" leaves these to book,
        "shift_replan" plans them again.
        """
        if self.terms is not None and self.terms.spacing is None:
            return ("only",)
        if self.choice is None:
            return ("only", "replan", "unbook")
        return ("only", "shift", "shift_unbook", "shift_replan", "replan", "unbook")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One visit of a course, and all that is booked of it. A single visit is a course of one."""

    course: Course
    number: int
    site: Site
    appointments: Mapping[int, Appointment] = field(default_factory=dict)
    series: Series | None = None

    @property
    def appointment(self) -> Appointment | None:
        return self.appointments.get(self.number)

    def as_of(self, change: Change, now: datetime) -> datetime:
        """From when time can be taken: a visit that has begun keeps its start, where only its add-ons change."""
        mine = self.course.booked.get(self.number)
        if change.kind != "add_ons" or mine is None or change.choice is None or change.choice.start != mine.start:
            return now
        return min(now, just_before(mine))

    def today(self, now: datetime) -> date:
        return walltime.day_of(now, self.site.time_zone)


def just_before(choice: Choice) -> datetime:
    """The last moment at which that start is still ahead."""
    return walltime.from_minutes(choice.start - 1)


def scene_of(appointment: Appointment) -> Scene:
    """The visit as it stands, with the later ones. Four queries, whatever the length of the course."""
    session = appointment.session
    if session is None or appointment.status not in ("booked", "arrived"):
        return alone(appointment)
    series = Series.objects.select_related("patient", "protocol__treatment").get(pk=session.series_id)
    return _scene(series, session.number, appointment.site)


def scene_of_session(session: Session, *, site: Site) -> Scene:
    """The same for a session, booked or not; `site` is where it would be planned."""
    series = Series.objects.select_related("patient", "protocol__treatment").get(pk=session.series_id)
    return _scene(series, session.number, site)


def scene_of_series(series: Series, *, site: Site) -> Scene:
    """The same for a course as a whole: every session of it is a later one."""
    return _scene(Series.objects.select_related("patient", "protocol__treatment").get(pk=series.pk), 0, site)


def _scene(series: Series, number: int, site: Site) -> Scene:
    live = Appointment.objects.live().filter(session__series=series, session__state=SessionState.PLANNED)
    return Scene(
        course=planned.left_of(series),
        number=number,
        site=site,
        appointments={a.session.number: a for a in live.select_related("session", "site", "patient", "treatment")},
        series=series,
    )


def alone(appointment: Appointment) -> Scene:
    terms = Terms(appointment.treatment.name, SessionCount("fixed", 1, 1), Spacing(1, None, 1, "day"))
    course = Course(
        patient=appointment.patient,
        treatment=appointment.treatment,
        terms=terms,
        numbers=(1,),
        booked={1: planned.as_booked(appointment)},
        phases={1: booking.phases_of(appointment)},
    )
    return Scene(course=course, number=1, site=appointment.site, appointments={1: appointment})
