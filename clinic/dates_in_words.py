"""Days and times as people at a desk type them: "+2w", "3 mar", "t", "9.30".

Pure: today is an argument. Months and weekdays are named in English or German: months whole or by their first three
letters or more, weekdays by two or more.
"""

import re
from collections.abc import Sequence
from datetime import date, time, timedelta

from treatments import rules
from treatments.terms import Unit

# Beyond these a date is a slip of the finger, and some of them have no instant at all.
FIRST_YEAR, LAST_YEAR = 2000, 2100

WORDS = {"t": 0, "today": 0, "tomorrow": 1, "yesterday": -1, "heute": 0, "morgen": 1, "gestern": -1}
UNITS: dict[str, Unit] = {"d": "day", "w": "week", "m": "month"}
MONTHS = (
    ("january", "januar"),
    ("february", "februar"),
    ("march", "märz"),
    ("april",),
    ("may", "mai"),
    ("june", "juni"),
    ("july", "juli"),
    ("august",),
    ("september",),
    ("october", "oktober"),
    ("november",),
    ("december", "dezember"),
)
WEEKDAYS = (
    ("monday", "montag"),
    ("tuesday", "dienstag"),
    ("wednesday", "mittwoch"),
    ("thursday", "donnerstag"),
    ("friday", "freitag"),
    ("saturday", "samstag"),
    ("sunday", "sonntag"),
)

FROM_TODAY = re.compile(r"([+-]) ?(\d{1,4}) ?([dwmy])", re.ASCII)
ISO = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})", re.ASCII)
IN_FIGURES = re.compile(r"(?P<day>\d{1,2})[./](?P<month>\d{1,2})(?:[./](?P<year>\d{4}|\d{2})?)?", re.ASCII)
DAY_FIRST = re.compile(r"(?P<day>\d{1,2})\.? ?(?P<month>[a-zä]{3,9})\.?,? ?(?P<year>\d{4})?", re.ASCII)
MONTH_FIRST = re.compile(r"(?P<month>[a-zä]{3,9})\.? ?(?P<day>\d{1,2})(?:,? (?P<year>\d{4}))?", re.ASCII)
CLOCK = re.compile(r"(?P<hour>\d{1,2})(?:[:.h ]?(?P<minute>\d{2}))? ?(?P<half>am|pm)?", re.ASCII)


class NotUnderstood(ValueError):
    """What was typed names no day, or no time."""


def parse_day(text: str, *, today: date, past: bool = False) -> date:
    """The day meant by `text`.

    A weekday, or a day without a year, is the next one, today included: a desk looks ahead. With `past` it is the last
    one, today included, as for what has happened already. Figures are day first. Raises
    NotUnderstood for anything else, for a day that does not exist, and outside the years 2000 to 2100.
    """
    said = " ".join(text.lower().split())
    try:
        day = _relative(said, today, past) or _calendar(said, today, past)
    except (ValueError, OverflowError) as error:
        raise NotUnderstood(text) from error
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise NotUnderstood(text)
    return day


def parse_time(text: str) -> time:
    """The time meant by `text`: "9.30", "9:30", "930", "9", "2pm". Raises NotUnderstood for anything else."""
    found = CLOCK.fullmatch(" ".join(text.lower().split()))
    if found is None:
        raise NotUnderstood(text)
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise NotUnderstood(text)
        hour = hour % 12 + (12 if found["half"] == "pm" else 0)
    try:
        return time(hour, minute)
    except ValueError as error:
        raise NotUnderstood(text) from error


def _relative(said: str, today: date, past: bool) -> date | None:
    if said in WORDS:
        return today + timedelta(days=WORDS[said])
    if len(said) > 1 and (weekday := _place(said, WEEKDAYS)) is not None:
        away = weekday - today.weekday()
        return today + timedelta(days=-(-away % 7) if past else away % 7)
    found = FROM_TODAY.fullmatch(said)
    if found is None:
        return None
    sign, number, unit = found.groups()
    n = int(sign + number)
    return rules.add(today, 12 * n, "month") if unit == "y" else rules.add(today, n, UNITS[unit])


def _calendar(said: str, today: date, past: bool) -> date | None:
    found = next(filter(None, (shape.fullmatch(said) for shape in (ISO, IN_FIGURES, DAY_FIRST, MONTH_FIRST))), None)
    if found is None:
        return None
    day, month, year = int(found["day"]), _month(found["month"]), found["year"]
    if year:
        return date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    return _nearest(day, month, today, past)


def _month(said: str) -> int:
    if said.isdigit():
        return int(said)
    if (place := _place(said, MONTHS)) is None:
        raise NotUnderstood(said)
    return place + 1


def _place(said: str, names: Sequence[Sequence[str]]) -> int | None:
    """The first that begins so, in either language."""
    return next((n for n, words in enumerate(names) if any(word.startswith(said) for word in words)), None)


def _nearest(day: int, month: int, today: date, past: bool) -> date:
    """The first such day from today on, or the last one; 29 February may be eight years away."""
    step = -1 if past else 1
    for year in range(today.year, today.year + 9 * step, step):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found == today or (found < today) == past:
            return found
    raise NotUnderstood(f"{day}.{month}.")


def written(day: date) -> str:
    """A day as it stands in a field: "3 Mar 2026", which parse_day understands whatever today is."""
    return f"{day.day} {MONTHS[day.month - 1][0][:3].capitalize()} {day.year}"


def written_time(clock: time) -> str:
    return f"{clock:%H:%M}"
