"""The life of a maintenance cycle: open, decide, defer, decline, close, and the next."""

from datetime import date, datetime
from typing import Any

from dateutil.relativedelta import relativedelta
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from patients.errors import Refused
from patients.models import Patient
from treatments import rules
from treatments.models import Maintenance, MaintenanceState, Protocol, Series, SeriesState, Treatment
from treatments.terms import MaintenanceRule

LAPSES_AFTER_MONTHS = 12
OPEN = [MaintenanceState.WAITING, MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED]
# Over without a visit; a person may take it up again.
ENDED = [MaintenanceState.DECLINED, MaintenanceState.LAPSED]


class MaintenanceNotPossible(Refused):
    """The cycle is not in a state in which this can be done."""


def open_all(*, series: Series, now: datetime) -> list[Maintenance]:
    """Open the first cycle of each rule of a series that is complete, counted from its series-complete date."""
    assert series.completed_on is not None
    return [
        _open(series, number, rule, cycle=1, anchor=series.completed_on)
        for number, rule in enumerate(series.terms.maintenance)
        if rules.opens(rule)
    ]


def _open(series: Series, number: int, rule: MaintenanceRule, *, cycle: int, anchor: date) -> Maintenance:
    values = {"treatment": treatment_of(rule, series.protocol), **calculated(rule, anchor)}
    # A cycle that was withdrawn when its series was reopened comes back; what was decided of it meanwhile stays.
    row = Maintenance.objects.filter(series=series, rule=number, cycle=cycle).first()
    if row is None:
        return Maintenance.objects.create(series=series, rule=number, cycle=cycle, **values)
    if row.state != MaintenanceState.WITHDRAWN:
        return row
    if row.overridden_on:
        values["state"] = MaintenanceState.SCHEDULED
    return _set(row, settled_at=None, settled_by=None, reason="", **values)


def calculated(rule: MaintenanceRule, anchor: date) -> dict[str, Any]:
    """What the rule says of a cycle counted from `anchor`: the state it opens in, and the days."""
    due = rules.due(rule, anchor)
    return {
        "state": rules.opens(rule),
        "anchor": anchor,
        "calculated_from": due.from_ if due else None,
        "calculated_by": due.by if due else None,
    }


def treatment_of(rule: MaintenanceRule, protocol: Protocol) -> Treatment:
    """What is given at a cycle of `rule`."""
    # By name, because terms outlive the catalogue: a treatment renamed since is found again under its agreed name.
    if rule.treatment is None:
        return protocol.treatment
    return Treatment.objects.get_or_create(name=rule.treatment)[0]


def due_of(*, patient: Patient, treatment: Treatment) -> Maintenance | None:
    """The cycle that a visit of this treatment may be: of those that can be booked, the one that is due first."""
    return (
        Maintenance.objects.filter(
            series__patient=patient,
            treatment=treatment,
            state__in=[MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED],
            due_from__isnull=False,
        )
        .select_related("treatment", "series__protocol")
        .order_by("due_from", "pk")
        .first()
    )


def withdraw_all(*, series: Series, by: User, now: datetime) -> None:
    """Withdraw the cycles of a series that is no longer complete.

    Raises MaintenanceNotPossible where one of them is booked or was attended.
    """
    cycles = list(Maintenance.objects.select_for_update(no_key=True).filter(series=series).order_by("pk"))
    if any(cycle.state == MaintenanceState.BOOKED for cycle in cycles):
        raise MaintenanceNotPossible(_("A maintenance visit is booked after this series. Cancel that visit first."))
    if any(cycle.state == MaintenanceState.ATTENDED for cycle in cycles):
        raise MaintenanceNotPossible(_("Maintenance after this series has been attended, so it stays complete."))
    for cycle in cycles:
        if cycle.state in OPEN:
            _set(cycle, state=MaintenanceState.WITHDRAWN, deferred_until=None, settled_at=now, settled_by=by, reason="")


@transaction.atomic
def override(*, cycle: Maintenance, due_on: date, reason: str, by: User, now: datetime) -> Maintenance:
    """Set the day the clinician decided on; it is never calculated again. Raises MaintenanceNotPossible."""
    cycle = _locked(cycle, OPEN)
    if not reason:
        raise MaintenanceNotPossible(_("Note who decided it, and why."))
    return _set(
        cycle,
        state=MaintenanceState.SCHEDULED,
        overridden_on=due_on,
        overridden_at=now,
        overridden_by=by,
        override_reason=reason,
        deferred_until=None,
    )


@transaction.atomic
def defer(*, cycle: Maintenance, until: date, reason: str) -> Maintenance:
    """Leave the patient in peace until a day. Raises MaintenanceNotPossible."""
    cycle = _locked(cycle, OPEN)
    return _set(cycle, state=MaintenanceState.DEFERRED, deferred_until=until, reason=reason)


@transaction.atomic
def decline(*, cycle: Maintenance, reason: str, by: User, now: datetime) -> Maintenance:
    """The patient does not want it. No further cycle follows. Raises MaintenanceNotPossible."""
    cycle = _locked(cycle, OPEN)
    return _set(
        cycle,
        state=MaintenanceState.DECLINED,
        deferred_until=None,
        settled_at=now,
        settled_by=by,
        reason=reason,
    )


@transaction.atomic
def reopen(*, cycle: Maintenance, remind_from: date) -> Maintenance:
    """Take up again what was declined or has lapsed; no step that lies before `remind_from` is sent any more.

    It is due as before, or to be decided where it never was. Raises MaintenanceNotPossible.
    """
    cycle = _locked(cycle, ENDED)
    if cycle.series.state == SeriesState.ACTIVE:
        raise MaintenanceNotPossible(_("The series is under way again. Its maintenance counts from the new end."))
    state = MaintenanceState.SCHEDULED if cycle.due_from else MaintenanceState.WAITING
    return _set(cycle, state=state, settled_at=None, settled_by=None, reason="", remind_from=remind_from)


@transaction.atomic
def mark_booked(*, cycle: Maintenance) -> Maintenance:
    """A visit is booked for it. Raises MaintenanceNotPossible where the clinician has not decided on a date."""
    cycle = _locked(cycle, [MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED])
    # Until when it was put off stays, for the case that the visit is cancelled.
    return _set(cycle, state=MaintenanceState.BOOKED)


@transaction.atomic
def mark_unbooked(*, cycle: Maintenance, remind_from: date) -> Maintenance:
    """Its visit was cancelled or missed; it is due as before, or put off as before.

    No step of the ladder that lies before `remind_from` is sent: what had come while it was booked is not made up for.
    """
    cycle = _locked(cycle, [MaintenanceState.BOOKED])
    state = MaintenanceState.DEFERRED if cycle.deferred_until else MaintenanceState.SCHEDULED
    return _set(cycle, state=state, remind_from=remind_from)


@transaction.atomic
def attend(*, cycle: Maintenance, on: date, by: User, now: datetime) -> Maintenance | None:
    """Record that it was attended; the next cycle opens, counted from that day. Returns the next, if there is one."""
    cycle = _locked(cycle, [MaintenanceState.BOOKED, MaintenanceState.SCHEDULED, MaintenanceState.DEFERRED])
    _set(
        cycle,
        state=MaintenanceState.ATTENDED,
        attended_on=on,
        deferred_until=None,
        settled_at=now,
        settled_by=by,
    )
    rule = cycle.series.terms.maintenance[cycle.rule]
    return _open(cycle.series, cycle.rule, rule, cycle=cycle.cycle + 1, anchor=on) if rules.opens(rule) else None


@transaction.atomic
def undo_attend(*, cycle: Maintenance, by: User, now: datetime) -> Maintenance:
    """Take the attendance back: the visit is booked again and the next cycle withdrawn.

    Raises MaintenanceNotPossible where the next cycle is already booked or settled.
    """
    cycle = _locked(cycle, [MaintenanceState.ATTENDED])
    following = (
        Maintenance.objects.select_for_update(no_key=True)
        .filter(series=cycle.series, rule=cycle.rule, cycle=cycle.cycle + 1)
        .first()
    )
    if following is not None:
        if following.state not in OPEN:
            raise MaintenanceNotPossible(_("The next maintenance is already %s.") % following.get_state_display())
        _set(following, state=MaintenanceState.WITHDRAWN, deferred_until=None, settled_at=now, settled_by=by)
    return _set(cycle, state=MaintenanceState.BOOKED, attended_on=None, settled_at=None, settled_by=None)


def lapse_overdue(*, now: datetime) -> int:
    """Let lapse what has been overdue, or put off, for `LAPSES_AFTER_MONTHS` without a visit; returns how many.

    No further cycle follows by itself: it is a person who asks whether the patient still wants it, and reopens it. What
    came from another system, was reopened or whose visit was cancelled counts from that day, so that it stands on the
    worklist for as long.
    """
    long_ago = now.date() - relativedelta(months=LAPSES_AFTER_MONTHS)
    overdue = Q(state=MaintenanceState.SCHEDULED, due_from__lt=long_ago, due_by__lt=long_ago)
    put_off = Q(state=MaintenanceState.DEFERRED, deferred_until__lt=long_ago)
    of_late = Q(remind_from__isnull=False, remind_from__gte=long_ago)
    return Maintenance.objects.filter((overdue | put_off) & ~of_late).update(
        state=MaintenanceState.LAPSED, deferred_until=None, settled_at=now, settled_by=None
    )


def _locked(cycle: Maintenance, states: list[MaintenanceState]) -> Maintenance:
    cycle = Maintenance.objects.select_for_update(no_key=True).get(pk=cycle.pk)
    if cycle.state not in states:
        raise MaintenanceNotPossible(_("This maintenance is %s.") % cycle.get_state_display())
    return cycle


def _set(cycle: Maintenance, **values) -> Maintenance:
    for name, value in values.items():
        setattr(cycle, name, value)
    cycle.save(update_fields=list(values))
    return cycle
