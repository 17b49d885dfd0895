"""What terms come to from a given day on, before anybody is booked by them. Pure: values in, values out.

The dates are those of a course that goes as well as it can: each session on its ideal day, each maintenance visit on
the first day on which it is due.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from treatments import rules
from treatments.rules import Due, Window
from treatments.terms import CareInstruction, MaintenanceRule, Milestone, Phase, SessionCount, Spacing, Terms, Unit

ToldKind = Literal["from", "until", "by", "on", "undated"]

YEARS_OF_MAINTENANCE = 3
# A course or an upkeep that goes on and on is shown so far.
MOST_SESSIONS = 60
MOST_CYCLES = 40
EXAMPLE_SESSIONS = 3


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What follows of one rule. `cycles` is empty where there is nothing to book or the clinician decides."""

    rule: MaintenanceRule
    opens: rules.Opening | None
    cycles: tuple[Due, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """An instruction and its day for one visit; "undated" where it names no time.

    What is to be avoided lasts, from the day to the visit or from the visit to the day. What is to be done or asked is
    for that day, or has it as a bound.
    """

    care: CareInstruction
    kind: ToldKind
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    milestone: Milestone
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Stay:
    """One phase in the drawing of a visit: it begins `start` minutes after the patient came in."""

    phase: Phase
    start: int


@dataclass(frozen=True, slots=True)
class Preview:
    """`count` is None where the number of sessions is for the clinician to say; then `windows` are an example."""

    terms: Terms
    count: int | None
    windows: tuple[Window, ...] = ()
    completed_on: date | None = None
    stays: tuple[Stay, ...] = ()
    minutes: int = 0
    upkeep: tuple[Upkeep, ...] = ()
    before: tuple[Told, ...] = field(default=())
    after: tuple[Told, ...] = field(default=())
    seen: tuple[Seen, ...] = field(default=())


def preview(terms: Terms, start: date) -> Preview:
    """What a series by `terms` comes to whose first session is on `start`."""
    count = count_of(terms.sessions)
    windows = windows_from(terms.spacing, count or EXAMPLE_SESSIONS, start) if terms.spacing else ()
    if count == 1:
        windows = (Window(start, start, start),)
    completed_on = windows[-1].ideal if windows and count else None
    stays = _stays(terms.visit)
    told = [_told(care, start) for care in terms.care]
    return Preview(
        terms=terms,
        count=count,
        windows=windows,
        completed_on=completed_on,
        stays=stays,
        minutes=sum(phase.minutes for phase in terms.visit),
        upkeep=tuple(upkeep_of(rule, completed_on) for rule in terms.maintenance),
        before=tuple(each for each in told if each.care.when == "before"),
        after=tuple(each for each in told if each.care.when == "after"),
        seen=tuple(_seen(milestone, start) for milestone in terms.milestones),
    )


def count_of(sessions: SessionCount) -> int | None:
    """The number that a series begins with unless the clinician says another; None where only the clinician can say."""
    return sessions.typical or sessions.min


def windows_from(spacing: Spacing, count: int, start: date) -> tuple[Window, ...]:
    """The window of each session, each counted from the ideal day of the one before; the first is on `start`."""
    windows = [Window(start, start, start)]
    while len(windows) < min(count, MOST_SESSIONS):
        windows.append(rules.window_after(spacing, windows[-1].ideal))
    return tuple(windows)


def upkeep_of(rule: MaintenanceRule, completed_on: date | None) -> Upkeep:
    """The cycles of `rule` that fall due in the three years after `completed_on`."""
    opens = rules.opens(rule)
    if opens != "scheduled" or completed_on is None:
        return Upkeep(rule, opens)
    until = rules.add(completed_on, 12 * YEARS_OF_MAINTENANCE, "month")
    cycles: list[Due] = []
    anchor = completed_on
    while (due := rules.due(rule, anchor)) and due.from_ <= until:
        if len(cycles) == MOST_CYCLES:
            return Upkeep(rule, opens, tuple(cycles), more=True)
        cycles.append(due)
        anchor = due.from_
    return Upkeep(rule, opens, tuple(cycles))


def _stays(phases: tuple[Phase, ...]) -> tuple[Stay, ...]:
    stays, start = [], 0
    for phase in phases:
        stays.append(Stay(phase, start))
        start += phase.minutes
    return tuple(stays)


def _told(care: CareInstruction, visit: date) -> Told:
    if care.offset is None or care.unit is None:
        return Told(care, "undated")
    back = -1 if care.when == "before" else 1
    if care.unit == "hour":
        # Hours count from the time of the visit, which is not known here; the day they reach into is.
        day = visit + back * timedelta(days=-(-care.offset // 24))
    else:
        unit: Unit = care.unit
        day = rules.add(visit, back * care.offset, unit)
    return Told(care, _told_kind(care), day)


def _told_kind(care: CareInstruction) -> ToldKind:
    before = care.when == "before"
    if care.action == "avoid" or care.bound == "range":
        return "from" if before else "until"
    if care.bound == "at_least" or (before and care.action == "ask"):
        return "by" if before else "from"
    if care.bound == "at_most":
        return "from" if before else "by"
    return "on"


def _seen(milestone: Milestone, visit: date) -> Seen:
    first = None if milestone.min_days is None else visit + timedelta(days=milestone.min_days)
    last = None if milestone.max_days is None else visit + timedelta(days=milestone.max_days)
    if last is None and milestone.max_months is not None:
        last = rules.add(visit, milestone.max_months, "month")
    return Seen(milestone, first, last)
