"""Move a series to the current version of its protocol: what that comes to, and doing it.

What was attended stays. Open maintenance is counted anew only where nobody has decided or booked anything about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, ProtectedError, When
from django.utils.translation import gettext as _

from patients.errors import Refused
from treatments import rules, words
from treatments.models import (
    AmbiguousOverrides,
    Maintenance,
    MaintenanceState,
    Series,
    SeriesState,
    Session,
    SessionState,
)
from treatments.models.choices import ProtocolStatus
from treatments.rules import Due
from treatments.services import maintenance
from treatments.services import series as courses
from treatments.terms import MaintenanceRule, Spacing, Terms
from treatments.words import Difference

# Further than any list of rules, so that rows can change places without meeting.
ASIDE = 10_000


class NotMovable(Refused):
    """The series is where it should be, has ended, or its protocol cannot say what it comes to."""


@dataclass(frozen=True, slots=True)
class Recount:
    """An open cycle, and when it will be due."""

    cycle: Maintenance
    due: Due | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What moving comes to. `places` says where each rule of old that has cycles stands among the new ones."""

    series: Series
    version: int
    terms: Terms
    added: tuple[int, ...]
    dropped: tuple[Session, ...]
    places: dict[int, int]
    # Rules that the new version does not have, and that stay because cycles were opened by them.
    kept: tuple[MaintenanceRule, ...]
    recounted: tuple[Recount, ...]
    opened: tuple[MaintenanceRule, ...]

    @property
    def differences(self) -> list[Difference]:
        return words.differences(self.series.terms, self.terms)


def plan(series: Series) -> Move:
    """What moving `series` to the current version of its protocol comes to. Raises NotMovable. Stores nothing."""
    protocol = series.protocol
    if series.state == SeriesState.STOPPED:
        raise NotMovable(_("This series has been stopped."))
    if protocol.status != ProtocolStatus.PUBLISHED:
        raise NotMovable(_("“%s” is not published, so series under way stay as they are.") % protocol.name)
    if protocol.version == series.protocol_version:
        raise NotMovable(_("This series is on the current version already."))
    try:
        said = protocol.terms_for(
            concern=series.concern,
            severity=series.severity or None,
            area=series.area or None,
            depth_mm=series.depth_mm,
        )
    except AmbiguousOverrides as error:
        raise NotMovable(str(error)) from error
    said = said.with_spacing(_spacing(series.terms.spacing, said.spacing))
    sessions = list(series.sessions.order_by("number"))
    count = _count(said, sessions)
    is_open = series.state == SeriesState.ACTIVE
    cycles = list(series.maintenance.select_related("treatment").order_by("rule", "cycle"))
    places, kept = _places(series.terms.maintenance, said.maintenance, cycles)
    terms = replace(said, maintenance=(*said.maintenance, *kept))
    return Move(
        series=series,
        version=protocol.version,
        terms=terms,
        added=tuple(range(len(sessions) + 1, count + 1)) if is_open else (),
        dropped=tuple(s for s in sessions if s.number > count and s.state == SessionState.PLANNED) if is_open else (),
        places=places,
        kept=kept,
        recounted=tuple(_recounted(cycles, terms, places)),
        opened=() if is_open else _opened(terms, set(places.values())),
    )


def _spacing(ours: Spacing | None, theirs: Spacing | None) -> Spacing | None:
    """The version's spacing; what the clinician decided stays where the version leaves it open."""
    if theirs is None or ours is None:
        return theirs or ours
    same = (ours.min, ours.max, ours.unit) == (theirs.min, theirs.max, theirs.unit)
    return replace(theirs, tolerance_days=ours.tolerance_days) if same and theirs.tolerance_days is None else theirs


def _count(said: Terms, sessions: Sequence[Session]) -> int:
    """As many as now where the version allows or leaves it open, else what it says; never fewer than are recorded."""
    now, low, high = len(sessions), said.sessions.min, said.sessions.max
    allowed = low is None or high is None or low <= now <= high
    wanted = now if allowed else (said.sessions.typical or low or now)
    return max([wanted, *(s.number for s in sessions if s.state != SessionState.PLANNED)])


def _places(
    ours: Sequence[MaintenanceRule], theirs: Sequence[MaintenanceRule], cycles: Sequence[Maintenance]
) -> tuple[dict[int, int], tuple[MaintenanceRule, ...]]:
    """Where each rule with cycles goes: to its equal, else to the only one of its kind and treatment, else to the end.

    Rules whose cycles were all withdrawn go nowhere: they get places beyond the list.
    """
    used = sorted({cycle.rule for cycle in cycles})
    places: dict[int, int] = {}
    for alike in (lambda rule: rule, lambda rule: (rule.kind, rule.treatment)):
        for place in used:
            if place in places or place >= len(ours):
                continue
            wanted = alike(ours[place])
            free = [i for i, rule in enumerate(theirs) if i not in places.values() and alike(rule) == wanted]
            if free and (len(free) == 1 or theirs[free[0]] == ours[place]):
                places[place] = free[0]
    live = {cycle.rule for cycle in cycles if cycle.state != MaintenanceState.WITHDRAWN}
    kept = [place for place in used if place not in places and place in live]
    gone = [place for place in used if place not in places and place not in live]
    for offset, place in enumerate([*kept, *gone]):
        places[place] = len(theirs) + offset
    return places, tuple(ours[place] for place in kept)


def _recounted(cycles: Sequence[Maintenance], terms: Terms, places: dict[int, int]) -> list[Recount]:
    """Cycles that are scheduled, of which nobody decided the day, and that the new rule dates otherwise."""
    found = []
    for cycle in cycles:
        if cycle.state != MaintenanceState.SCHEDULED or cycle.overridden_on is not None:
            continue
        rule = terms.maintenance[places[cycle.rule]]
        due = rules.due(rule, cycle.anchor)
        if (cycle.calculated_from, cycle.calculated_by) != ((due.from_, due.by) if due else (None, None)):
            found.append(Recount(cycle, due))
    return found


def _opened(terms: Terms, taken: set[int]) -> tuple[MaintenanceRule, ...]:
    """Rules that a series which is complete has not had yet."""
    return tuple(rule for i, rule in enumerate(terms.maintenance) if i not in taken and rules.opens(rule))


@transaction.atomic
def move(*, series: Series, by: User, now: datetime) -> Move:
    """Move `series` to the current version of its protocol. Raises NotMovable.

    The caller has locked it, and made sure that no session that is dropped is booked. Where nothing is left to attend,
    the series is complete and its maintenance opens.
    """
    # A cycle is booked, put off and settled without its series.
    list(Maintenance.objects.select_for_update(no_key=True).filter(series=series).order_by("pk"))
    found = plan(series)
    _set_rules(series, found.places)
    for recount in found.recounted:
        _recount(recount)
    series.terms_json, series.protocol_version = found.terms.to_json(), found.version
    series.save(update_fields=["terms_json", "protocol_version"])
    Session.objects.bulk_create(Session(series=series, number=number) for number in found.added)
    for session in found.dropped:
        _drop(session, found.version, by=by, now=now)
    if series.state == SeriesState.COMPLETED:
        maintenance.open_all(series=series, now=now)
    elif found.dropped and found.terms.sessions.kind != "open_ended":
        courses.complete_if_all_done(series, by=by, now=now)
    return found


def _set_rules(series: Series, places: dict[int, int]) -> None:
    moving = {old: new for old, new in places.items() if old != new}
    if not moving:
        return
    cycles = Maintenance.objects.filter(series=series)
    # In two steps: two rules that change places would be one and the same in between.
    cycles.filter(rule__in=moving).update(rule=F("rule") + ASIDE)
    whens = [When(rule=old + ASIDE, then=new) for old, new in moving.items()]
    cycles.filter(rule__gte=ASIDE).update(rule=Case(*whens))


def _recount(recount: Recount) -> None:
    cycle, due = recount.cycle, recount.due
    cycle.calculated_from, cycle.calculated_by = (due.from_, due.by) if due else (None, None)
    cycle.state = MaintenanceState.SCHEDULED if due else MaintenanceState.WAITING
    cycle.save(update_fields=["calculated_from", "calculated_by", "state"])


def _drop(session: Session, version: int, *, by: User, now: datetime) -> None:
    """Delete it; where something is kept of it, such as a cancelled visit, it counts as skipped."""
    try:
        session.delete()
    except ProtectedError:
        session.state, session.recorded_at, session.recorded_by = SessionState.SKIPPED, now, by
        session.reason = _("Not part of version %d of the protocol") % version
        session.save(update_fields=["state", "recorded_at", "recorded_by", "reason"])
