"""A session more or less in a running course, and what that does to the others."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic.models import Appointment, Site
from clinic.planning import Choice
from clinic.services import ripple
from clinic.services.booking import NotBookable, NotChangeable
from clinic.services.ripple import Change, Following, Scene
from treatments.models import Series, Session, SessionState
from treatments.services import series as courses


def with_one_more(series: Series, *, site: Site) -> Scene:
    """The course with a session after its last that is not stored yet."""
    last = max(series.sessions.values_list("number", flat=True), default=0)
    return ripple.scene_of_session(Session(series=series, number=last + 1), site=site)


def site_of(series: Series) -> Site | None:
    """Where the last visit of the course is, or was; None where it never had one."""
    latest = Appointment.objects.filter(session__series=series).select_related("site").order_by("-starts_at", "-pk")
    return next((visit.site for visit in latest[:1]), None)


def is_last_open(session: Session) -> bool:
    """Whether the series is complete without it."""
    series = session.series
    others = series.sessions.exclude(pk=session.pk)
    still_open = others.filter(state=SessionState.PLANNED).exists()
    attended = others.filter(attended_on__isnull=False).exists()
    return series.terms.sessions.kind != "open_ended" and attended and not still_open


def first_to_book(scene: Scene) -> int | None:
    """The first earlier session without a time. As long as there is one, a later session cannot be dated."""
    course = scene.course
    return min((n for n in course.numbers if n < scene.number and n not in course.booked), default=None)


def add(
    *,
    series: Series,
    number: int,
    site: Site,
    decision_note: str = "",
    following: Following = "replan",
    picks: Mapping[int, Choice] | None = None,
    outside_reason: str = "",
    tell: bool = True,
    by: User,
    now: datetime,
    key: UUID,
) -> list[Appointment]:
    """Add a session after the last, whose number was shown as `number`; to plan again gives it a time.

    Raises SeriesNotPossible, NotBookable where it is to have a time before an earlier session has one, and what
    ripple.carry_out raises.
    """

    def begin() -> Scene:
        added = courses.add(series=ripple.lock_course(series.pk), decision_note=decision_note)
        if added.number != number:
            raise NotChangeable(_("The course has changed meanwhile. Please look at it again."))
        scene = ripple.scene_of_session(added, site=site)
        earlier = first_to_book(scene)
        if following != "only" and earlier is not None:
            raise NotBookable(_("Session %d is still to book. The new one is dated after it.") % earlier)
        return scene

    return ripple.carry_out_in(
        begin,
        change=Change(kind="add"),
        following=following,
        picks=picks,
        outside_reason=outside_reason,
        tell=tell,
        by=by,
        now=now,
        key=key,
    )


def drop(
    *,
    session: Session,
    reason: str,
    site: Site,
    following: Following = "only",
    picks: Mapping[int, Choice] | None = None,
    released: Sequence[int] | None = None,
    outside_reason: str = "",
    tell: bool = True,
    by: User,
    now: datetime,
    key: UUID,
) -> list[Appointment]:
    """Leave out a session that is planned, with its visit where it has one.

    Raises NotChangeable without a reason, SessionNotRecordable, and what ripple.carry_out raises.
    """

    def begin() -> Scene:
        ripple.lock_course(session.series_id)
        return ripple.scene_of_session(session, site=site)

    return ripple.carry_out_in(
        begin,
        change=Change(kind="drop", reason=reason),
        following=following,
        picks=picks,
        released=released,
        outside_reason=outside_reason,
        tell=tell,
        by=by,
        now=now,
        key=key,
    )
