"""A session more or less in a running course, and what that does to the others."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from clinic.models import Appointment, Site
from clinic.planning import Choice
from clinic.services import ripple
from clinic.services.booking import NotChangeable
from clinic.services.ripple import Change, Following, Scene
from treatments.models import Series, Session
from treatments.services import series as courses


def with_one_more(series: Series, *, site: Site) -> Scene:
    """The course with a session after its last that is not stored yet."""
    last = max(series.sessions.values_list("number", flat=True), default=0)
    return ripple.scene_of_session(Session(series=series, number=last + 1), site=site)


def add(
    *,
    series: Series,
    number: int,
    site: Site,
    following: Following = "replan",
    picks: Mapping[int, Choice] | None = None,
    outside_reason: str = "",
    tell: bool = True,
    by: User,
    now: datetime,
    key: UUID,
) -> list[Appointment]:
    """Add a session after the last, whose number was shown as `number`; to plan again gives it a time.

    Raises SeriesNotPossible, and what ripple.carry_out raises.
    """

    def begin() -> Scene:
        added = courses.add(series=ripple.lock_course(series.pk))
        if added.number != number:
            raise NotChangeable(_("The course has changed meanwhile. Please look at it again."))
        return ripple.scene_of_session(added, site=site)

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
