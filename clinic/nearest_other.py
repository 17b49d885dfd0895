"""Whether a visit lies too near to another treatment of the same patient. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Other:
    """A visit for another treatment, on a local day of its own site."""

    day: date
    treatment: str


@dataclass(frozen=True, slots=True)
class TooNear:
    """`days`: from the other visit to this one, below zero where this one comes first."""

    other: Other
    days: int


def too_near(day: date, others: Iterable[Other], *, least: int | None) -> TooNear | None:
    """The nearest of `others` that is less than `least` days away from `day`; of two as near, the earlier.

    None where nobody said that other treatments must wait.
    """
    found = [TooNear(other, (day - other.day).days) for other in others]
    near = [one for one in found if abs(one.days) < (least or 0)]
    return min(near, key=lambda one: (abs(one.days), one.other.day, one.other.treatment), default=None)
