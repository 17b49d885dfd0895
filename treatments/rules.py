"""Days: the window of a session, and when maintenance falls due.

Pure: values in, values out. A day is a local date of the site. Months are calendar months, always counted from
the anchor and clamped to the end of the month, so that one short month never shortens those after it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from dateutil.relativedelta import relativedelta

from treatments.terms import MaintenanceRule, Milestone, Spacing, Unit

Place = Literal["early", "inside", "late"]
Opening = Literal["scheduled", "waiting"]

MONTHS_IN_A_YEAR = 12
DAYS_IN_A_YEAR = 365


@dataclass(frozen=True, slots=True)
class Window:
    """The days on which a session may happen, both ends included. Refuses ends that are out of order."""

    earliest: date
    ideal: date
    latest: date

    def __post_init__(self) -> None:
        if not self.earliest <= self.ideal <= self.latest:
            raise ValueError(
                f"A window runs from earliest over ideal to latest, not {self.earliest}, {self.ideal}, {self.latest}."
            )

    def __contains__(self, day: date) -> bool:
        return self.earliest <= day <= self.latest

    def place(self, day: date) -> Place:
        if day < self.earliest:
            return "early"
        if day > self.latest:
            return "late"
        return "inside"


@dataclass(frozen=True, slots=True)
class Due:
    """The days from which and by which a maintenance visit is due, both included. Refuses ends out of order."""

    from_: date
    by: date

    def __post_init__(self) -> None:
        if self.from_ > self.by:
            raise ValueError(f"Maintenance cannot be due by {self.by} and only from {self.from_}.")


def add(day: date, n: int, unit: Unit) -> date:
    """`n` units after `day`; 31 January + 1 month is the last of February, + 2 months is 31 March."""
    if unit == "day":
        return day + timedelta(days=n)
    if unit == "week":
        return day + timedelta(weeks=n)
    if unit == "month":
        later: date = day + relativedelta(months=n)
        return later
    raise ValueError(f"{unit!r} is not a unit of days: day, week or month.")


def window_after(spacing: Spacing, anchor: date) -> Window:
    """The window of the session that follows one on `anchor`.

    Where no ideal was said it is the middle of the window, the earlier day of two. The tolerance counts only where
    minimum and maximum are the same, and never opens the window before the day after the anchor.
    """
    earliest = add(anchor, spacing.min, spacing.unit)
    latest = add(anchor, spacing.max, spacing.unit)
    middle = earliest + (latest - earliest) // 2
    ideal = middle if spacing.ideal is None else add(anchor, spacing.ideal, spacing.unit)
    if spacing.min == spacing.max and spacing.tolerance_days:
        tolerance = timedelta(days=spacing.tolerance_days)
        earliest = max(earliest - tolerance, anchor + timedelta(days=1))
        latest += tolerance
    return Window(earliest=earliest, ideal=ideal, latest=latest)


def due(rule: MaintenanceRule, anchor: date) -> Due | None:
    """When the next visit of `rule` is due, counted from `anchor`; None where the rule has no number.

    `n` times a year is every 12/n months where that is a whole number, else every 365 // n days. That it is *at
    least* n times changes the words said to the patient, not the day.
    """
    if rule.kind in ("every", "other_treatment") and rule.min is not None and rule.unit is not None:
        from_ = add(anchor, rule.min, rule.unit)
        return Due(from_=from_, by=from_ if rule.max is None else add(anchor, rule.max, rule.unit))
    if rule.kind == "per_year" and rule.times_per_year is not None:
        months, rest = divmod(MONTHS_IN_A_YEAR, rule.times_per_year)
        day = add(anchor, DAYS_IN_A_YEAR // rule.times_per_year, "day") if rest else add(anchor, months, "month")
        return Due(from_=day, by=day)
    return None


def opens(rule: MaintenanceRule) -> Opening | None:
    """The state in which a cycle of `rule` begins; None where there is nothing to book.

    Waiting means that the clinician decides: the rule says so, or gives no number to count with.
    """
    if rule.kind in ("home_care", "none"):
        return None
    if rule.kind in ("individual", "unspecified"):
        return "waiting"
    has_number = (rule.times_per_year if rule.kind == "per_year" else rule.min) is not None
    return "scheduled" if has_number else "waiting"


def result_on(milestones: Iterable[Milestone], completed_on: date) -> date | None:
    """The day by which the final result of a complete series is to be seen and photographed; None where none is named.

    A milestone counts by its kind and not by its name, and by the latest day it allows.
    """
    days = []
    for milestone in milestones:
        if milestone.kind not in ("result", "photo"):
            continue
        if milestone.max_days is not None:
            days.append(add(completed_on, milestone.max_days, "day"))
        elif milestone.max_months is not None:
            days.append(add(completed_on, milestone.max_months, "month"))
        elif milestone.min_days is not None:
            days.append(add(completed_on, milestone.min_days, "day"))
    return max(days, default=None)
