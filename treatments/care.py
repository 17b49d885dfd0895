"""What to do, avoid and ask before and after one visit, with the real dates.

Pure. Days, weeks and months are counted in local days from the visit's day, months clamped; hours are counted on the
clock of instants, before the start and after the end, so that a change of the clocks does not shorten them. What has no
number keeps its words: no date is made up for it.

What is to be avoided lasts: from its offset to the visit, or from the visit to its offset. What is to be done or said
has its offset as the day, or as the bound of it; after a visit a bound says how long it goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from treatments import rules
from treatments.terms import Action, CareInstruction, When

Kind = Literal["from", "until", "until_at_least", "until_at_most", "on", "by", "not_before", "undated"]


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction for one visit. `day` is a local date; `clock` is given where the offset was in hours.

    `kind` says what `day` is to the instruction; for "undated" there is none. `words` are the protocol's own.
    """

    when: When
    action: Action
    text: str
    kind: Kind
    day: date | None = None
    clock: time | None = None
    words: str = ""
    repeat_hours: int | None = None


def lines(
    instructions: Iterable[CareInstruction], *, starts_at: datetime, ends_at: datetime, zone: ZoneInfo
) -> tuple[Line, ...]:
    """Those before the visit in order of their dates, then those after it.

    Before it, what has no date comes first, because it may have to begin earliest; after it, last.
    """
    found = [_line(instruction, starts_at=starts_at, ends_at=ends_at, zone=zone) for instruction in instructions]
    return tuple(sorted(found, key=_place))


def first_day(instructions: Iterable[CareInstruction], *, starts_at: datetime, zone: ZoneInfo) -> date | None:
    """The day on which the first of what is to be done or avoided before a visit begins; None where none says a day."""
    before = [instruction for instruction in instructions if instruction.when == "before"]
    days = (_moment(each, starts_at=starts_at, ends_at=starts_at, zone=zone)[0] for each in before)
    return min((day for day in days if day is not None), default=None)


def speaks_of(instructions: Iterable[CareInstruction], *, days: int) -> bool:
    """Whether something is for, or lasts until, so many days after a visit; with 0, whether anything follows it."""
    after = [instruction for instruction in instructions if instruction.when == "after"]
    return bool(after) if days == 0 else any(_hours(each) == days * 24 for each in after)


def is_over(line: Line, *, now: datetime, zone: ZoneInfo) -> bool:
    """Whether what was to be done or avoided after a visit until a day, or on it, is behind by now."""
    if line.when == "before" or line.day is None:
        return False
    local = now.astimezone(zone)
    return (line.day, line.clock or time.max) < (local.date(), local.time())


def _hours(instruction: CareInstruction) -> int | None:
    """The offset in hours of those units that are always as long."""
    hours = {"hour": 1, "day": 24, "week": 7 * 24}.get(instruction.unit or "")
    return None if hours is None or instruction.offset is None else instruction.offset * hours


def _place(line: Line) -> tuple[bool, bool, date, time]:
    is_after = line.when == "after"
    undated_last = (line.day is None) == is_after
    return is_after, undated_last, line.day or date.min, line.clock or time.min


def _line(instruction: CareInstruction, *, starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> Line:
    day, clock = _moment(instruction, starts_at=starts_at, ends_at=ends_at, zone=zone)
    return Line(
        when=instruction.when,
        action=instruction.action,
        text=instruction.text,
        kind=kind_of(instruction),
        day=day,
        clock=clock,
        words=instruction.offset_text or "",
        repeat_hours=instruction.repeat_hours,
    )


def _moment(
    instruction: CareInstruction, *, starts_at: datetime, ends_at: datetime, zone: ZoneInfo
) -> tuple[date | None, time | None]:
    if instruction.unit == "hour" and instruction.offset is not None:
        hours = timedelta(hours=instruction.offset)
        before = instruction.when == "before"
        instant = starts_at.astimezone(UTC) - hours if before else ends_at.astimezone(UTC) + hours
        local = instant.astimezone(zone)
        return local.date(), local.time().replace(second=0, microsecond=0)
    return day_from(instruction, starts_at.astimezone(zone).date()), None


def day_from(instruction: CareInstruction, visit: date) -> date | None:
    """The day of an instruction by the day of its visit alone; of hours, the day into which they may reach."""
    n, unit = instruction.offset, instruction.unit
    if n is None or unit is None:
        return None
    back = -1 if instruction.when == "before" else 1
    if unit == "hour":
        return visit + back * timedelta(days=-(-n // 24))
    return rules.add(visit, back * n, unit)


def kind_of(instruction: CareInstruction) -> Kind:
    """What the day of an instruction is to it; "undated" where it has none."""
    if instruction.offset is None or instruction.unit is None:
        return "undated"
    before = instruction.when == "before"
    if instruction.action == "avoid":
        if before:
            return "from"
        match instruction.bound:
            case "at_least":
                return "until_at_least"
            case "at_most":
                return "until_at_most"
        return "until"
    if instruction.action == "ask" and before:
        # Told too early does no harm.
        return "by"
    match instruction.bound:
        case "at_least":
            return "by" if before else "until_at_least"
        case "at_most":
            return "not_before" if before else "until_at_most"
        case "range":
            return "from" if before else "until"
    return "on"
