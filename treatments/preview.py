"""What terms come to from a given day on, before anybody is booked by them. Pure: values in, values out.

The dates are those of a course that goes as well as it can: each session on its ideal day, each maintenance visit on
the first day on which it is due.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

from treatments import care, rules
from treatments.rules import Due, Window
from treatments.terms import CareInstruction, MaintenanceRule, Milestone, Phase, SessionCount, Spacing, Terms

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
    """An instruction, its day for one visit, and what that day is to it; "undated" where it names no time."""

    instruction: CareInstruction
    kind: care.Kind
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
    told = [Told(each, care.kind_of(each), care.day_from(each, start)) for each in terms.care]
    return Preview(
        terms=terms,
        count=count,
        windows=windows,
        completed_on=completed_on,
        stays=stays,
        minutes=sum(phase.minutes for phase in terms.visit),
        upkeep=tuple(upkeep_of(rule, completed_on) for rule in terms.maintenance),
        before=tuple(each for each in told if each.instruction.when == "before"),
        after=tuple(each for each in told if each.instruction.when == "after"),
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


def _seen(milestone: Milestone, visit: date) -> Seen:
    first = None if milestone.min_days is None else visit + timedelta(days=milestone.min_days)
    last = None if milestone.max_days is None else visit + timedelta(days=milestone.max_days)
    if last is None and milestone.max_months is not None:
        last = rules.add(visit, milestone.max_months, "month")
    return Seen(milestone, first, last)
