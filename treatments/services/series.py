"""The life of a series: start, record its sessions, complete, stop."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from patients.errors import Refused
from patients.models import Patient
from treatments.models import Concern, Protocol, Series, SeriesState, Session, SessionState
from treatments.models.choices import ProtocolStatus
from treatments.services import add_ons, maintenance
from treatments.terms import Spacing, Terms

# More than any course known; it keeps a slip of the finger from planning a thousand visits.
MOST_SESSIONS = 60


class SeriesNotPossible(Refused):
    """The protocol, or what was chosen with it, does not make a series. `field` is the part of Choice to change."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class SessionNotRecordable(Refused):
    """The session is not in a state in which this can be recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the desk chose for a series; empty where the protocol does not ask or nobody said.

    `add_ons` are names by session number, beyond what is included.
    """

    protocol: Protocol
    concern: Concern | None = None
    severity: str = ""
    area: str = ""
    depth_mm: Decimal | None = None
    count: int | None = None
    spacing: Spacing | None = None
    tolerance_days: int | None = None
    decision_note: str = ""
    add_ons: Mapping[int, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a choice comes to: the terms with every gap filled by the clinician, the number of sessions, their add-ons.

    `add_ons` holds those that are chosen, by session number.
    """

    terms: Terms
    count: int
    add_ons: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def agree(choice: Choice) -> Agreed:
    """What `choice` comes to.

    Raises SeriesNotPossible where the protocol is not published, where it leaves the number of sessions or the
    spacing open and the clinician has not decided, or where the decision departs from the protocol without a note; and
    AddOnNotOffered.
    """
    if choice.protocol.status != ProtocolStatus.PUBLISHED:
        raise SeriesNotPossible(
            _("“%s” is not published, so no series can be started by it.") % choice.protocol.name, "protocol"
        )
    terms = choice.protocol.terms_for(
        concern=choice.concern,
        severity=choice.severity or None,
        area=choice.area or None,
        depth_mm=choice.depth_mm,
    )
    wanted = {number: add_ons.chosen(terms, names) for number, names in choice.add_ons.items() if names}
    return Agreed(terms=spaced(terms, choice), count=counted(terms, choice), add_ons=wanted)


def counted(terms: Terms, choice: Choice) -> int:
    """The number of sessions; raises SeriesNotPossible as `agree` does."""
    said = terms.sessions
    count = choice.count or said.typical or said.min
    if count is None:
        raise SeriesNotPossible(
            _("The protocol does not say how many sessions. Enter what the clinician decided."), "count"
        )
    if not 1 <= count <= MOST_SESSIONS:
        raise SeriesNotPossible(_("A series has between 1 and %d sessions.") % MOST_SESSIONS, "count")
    within = said.min is not None and said.max is not None and said.min <= count <= said.max
    if not within and not choice.decision_note:
        raise SeriesNotPossible(
            _("This number of sessions is not the protocol's. Note who decided it."), "decision_note"
        )
    return count


def spaced(terms: Terms, choice: Choice) -> Terms:
    """The terms with a spacing; raises SeriesNotPossible as `agree` does."""
    spacing = terms.spacing or choice.spacing
    if spacing is None:
        raise SeriesNotPossible(
            _("The protocol does not say how far apart the sessions are. Enter what the clinician decided."),
            "spacing",
        )
    if terms.spacing is None and not choice.decision_note:
        raise SeriesNotPossible(_("The spacing is not the protocol's. Note who decided it."), "decision_note")
    if spacing.tolerance_days is None and choice.tolerance_days is not None:
        spacing = Spacing(spacing.min, spacing.ideal, spacing.max, spacing.unit, choice.tolerance_days)
    return terms.with_spacing(spacing)


@transaction.atomic
def start(*, patient: Patient, choice: Choice, by: User, now: datetime, agreed: Agreed | None = None) -> Series:
    """Start a series with all its sessions planned. Raises SeriesNotPossible as `agree` does.

    `agreed` is what `agree` has just said of `choice`, where the caller asked it already.
    """
    agreed = agreed or agree(choice)
    series = Series.objects.create(
        patient=patient,
        protocol=choice.protocol,
        protocol_version=choice.protocol.version,
        terms_json=agreed.terms.to_json(),
        concern=choice.concern,
        severity=choice.severity,
        area=choice.area,
        depth_mm=choice.depth_mm,
        decision_note=choice.decision_note,
        started_at=now,
        started_by=by,
    )
    Session.objects.bulk_create(
        Session(series=series, number=n, add_ons=list(agreed.add_ons.get(n, ()))) for n in range(1, agreed.count + 1)
    )
    return series


@transaction.atomic
def attend(*, session: Session, on: date, by: User, now: datetime) -> Series:
    """Record that `session` was attended on the site's local day `on`.

    With the last of a counted series the series is complete, on the latest day attended, and its maintenance opens.
    An open-ended series is completed by the clinician alone. Raises SessionNotRecordable.
    """
    series, session = _locked(session)
    if session.state != SessionState.PLANNED:
        raise SessionNotRecordable(_("This session is already recorded as %s.") % session.get_state_display())
    _set(session, state=SessionState.ATTENDED, attended_on=on, recorded_at=now, recorded_by=by)
    if series.terms.sessions.kind != "open_ended":
        complete_if_all_done(series, by=by, now=now)
    return series


@transaction.atomic
def skip(*, session: Session, reason: str, by: User, now: datetime) -> Series:
    """Record that `session` will not happen and is not repeated. Raises SessionNotRecordable."""
    series, session = _locked(session)
    if session.state != SessionState.PLANNED:
        raise SessionNotRecordable(_("This session is already recorded as %s.") % session.get_state_display())
    _set(session, state=SessionState.SKIPPED, reason=reason, recorded_at=now, recorded_by=by)
    if series.terms.sessions.kind != "open_ended":
        complete_if_all_done(series, by=by, now=now)
    return series


def needs_decision(terms: Terms, number: int) -> bool:
    """Whether a session of that number goes beyond the terms, so that the clinician has to decide on it."""
    if terms.sessions.kind == "open_ended":
        return False
    return terms.sessions.max is None or number > terms.sessions.max


@transaction.atomic
def add(*, series: Series, decision_note: str = "") -> Session:
    """Add one session after the last. One beyond the terms keeps, with the series, who decided it.

    Raises SeriesNotPossible for a series that has ended or has the most already, and where that note is missing.
    """
    series = _lock(series)
    if series.state != SeriesState.ACTIVE:
        raise SeriesNotPossible(_("Only a series that is under way can get another session."))
    last = max(series.sessions.values_list("number", flat=True), default=0)
    if last >= MOST_SESSIONS:
        raise SeriesNotPossible(_("A series has between 1 and %d sessions.") % MOST_SESSIONS, "count")
    if needs_decision(series.terms, last + 1):
        _note_decision(series, decision_note)
    return Session.objects.create(series=series, number=last + 1)


def _note_decision(series: Series, note: str) -> None:
    if not note:
        raise SeriesNotPossible(_("The terms do not provide for this session. Note who decided it."), "decision_note")
    notes = "; ".join(filter(None, [series.decision_note, note]))
    over = len(notes) - Series._meta.get_field("decision_note").max_length
    if over > 0:
        raise SeriesNotPossible(
            _("Too long, together with what was noted before. Shorten it by %d characters.") % over, "decision_note"
        )
    _set(series, decision_note=notes)


@transaction.atomic
def undo(*, session: Session, by: User, now: datetime) -> Series:
    """Take back what was recorded of `session`.

    Where that had completed the series, its maintenance is withdrawn. Raises SessionNotRecordable where nothing was
    recorded, or where a maintenance visit has been booked or attended since.
    """
    series, session = _locked(session)
    if session.state == SessionState.PLANNED:
        raise SessionNotRecordable(_("Nothing is recorded of this session."))
    if series.state == SeriesState.STOPPED:
        raise SessionNotRecordable(_("The series has been stopped."))
    _set(
        session,
        state=SessionState.PLANNED,
        attended_on=None,
        day_unknown=False,
        recorded_at=None,
        recorded_by=None,
        reason="",
    )
    if series.state == SeriesState.COMPLETED:
        _set(series, state=SeriesState.ACTIVE, completed_on=None)
        maintenance.withdraw_all(series=series, by=by, now=now)
    return series


@transaction.atomic
def complete(*, series: Series, by: User, now: datetime) -> Series:
    """End a series as complete, on the latest day attended; sessions still planned are left out.

    This is how an open-ended series ends. Raises SeriesNotPossible where no session was attended yet.
    """
    series = _lock(series)
    if series.state != SeriesState.ACTIVE:
        raise SeriesNotPossible(_("Only a series that is under way can be completed."))
    planned = series.sessions.filter(state=SessionState.PLANNED)
    planned.update(state=SessionState.SKIPPED, reason=_("Series completed before"), recorded_at=now, recorded_by=by)
    complete_if_all_done(series, by=by, now=now)
    if series.state != SeriesState.COMPLETED:
        raise SeriesNotPossible(_("No session was attended yet. Stop the series instead."))
    return series


@transaction.atomic
def stop(*, series: Series, reason: str, by: User, now: datetime) -> Series:
    """End a series without completing it; no maintenance follows. Raises SeriesNotPossible."""
    series = _lock(series)
    if series.state != SeriesState.ACTIVE:
        raise SeriesNotPossible(_("Only a series that is under way can be stopped."))
    _set(series, state=SeriesState.STOPPED, stopped_at=now, stopped_by=by, stopped_reason=reason)
    return series


def complete_if_all_done(series: Series, *, by: User, now: datetime) -> None:
    """Complete a locked series once nothing of it is planned any more and something was attended."""
    sessions: Sequence[Session] = list(series.sessions.all())
    attended = [session.attended_on for session in sessions if session.attended_on]
    if not attended or any(session.state == SessionState.PLANNED for session in sessions):
        return
    _set(series, state=SeriesState.COMPLETED, completed_on=max(attended))
    maintenance.open_all(series=series, now=now)


def _lock(series: Series) -> Series:
    return Series.objects.select_for_update(no_key=True).get(pk=series.pk)


def _locked(session: Session) -> tuple[Series, Session]:
    """Both as they are now; whoever changes a series' sessions queues on the series."""
    series = Series.objects.select_for_update(no_key=True).get(sessions=session.pk)
    if series.state == SeriesState.STOPPED:
        raise SessionNotRecordable(_("The series has been stopped."))
    return series, Session.objects.get(pk=session.pk)


def _set(row: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
