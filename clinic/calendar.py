"""Calendar files by RFC 5545. Instants are written in UTC, so that no calendar program has to know the site's zone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import icalendar

PRODUCT = "-//Course of treatment//EN"
# How often calendar programs are asked to look again.
REFRESH = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a calendar. From instant to instant, or from day to day, both included, where it takes whole days.

    `uid` never changes for the same thing, `sequence` rises with each change of it; a cancelled one stays and says so.
    """

    uid: str
    sequence: int
    starts: datetime | date
    ends: datetime | date
    title: str
    place: str = ""
    text: str = ""
    url: str = ""
    cancelled: bool = False

    @property
    def all_day(self) -> bool:
        return not isinstance(self.starts, datetime)


def write(entries: Iterable[Entry], *, name: str, now: datetime) -> bytes:
    """A whole calendar, as a file or as the answer of a feed."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    # icalendar does not know these, and would write the span of time as Python does.
    every = icalendar.vDuration(REFRESH)
    calendar.add("refresh-interval", every, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", every.to_ical().decode())
    for entry in entries:
        calendar.add_component(_event(entry, now=now))
    return calendar.to_ical()


def _event(entry: Entry, *, now: datetime) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", now.astimezone(UTC).replace(microsecond=0))
    if entry.all_day:
        event.add("dtstart", entry.starts)
        # The end of a day entry is the first day after it.
        event.add("dtend", entry.ends + timedelta(days=1))
        event.add("transp", "TRANSPARENT")
    else:
        assert isinstance(entry.starts, datetime)
        assert isinstance(entry.ends, datetime)
        event.add("dtstart", entry.starts.astimezone(UTC))
        event.add("dtend", entry.ends.astimezone(UTC))
        event.add("transp", "TRANSPARENT" if entry.cancelled else "OPAQUE")
    event.add("status", "CANCELLED" if entry.cancelled else "CONFIRMED")
    # Others may look over the patient's shoulder, or share the calendar.
    event.add("class", "PRIVATE")
    event.add("summary", entry.title)
    for field, value in (("location", entry.place), ("description", entry.text), ("url", entry.url)):
        if value:
            event.add(field, value)
    return event
