"""A date and a time typed in beside what is offered, and what the clock of the site makes of them."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from clinic import walltime
from clinic.dates_in_words import NotUnderstood, parse_day, parse_time, written, written_time
from clinic.services.booking import NotBookable


def read(day: str, clock: str, *, today: date, past: bool = False) -> tuple[date, time]:
    """The day and the time meant, as clinic.dates_in_words understands them. Raises NotBookable."""
    try:
        return parse_day(day, today=today, past=past), parse_time(clock)
    except NotUnderstood as error:
        raise NotBookable(_("Enter a date and a time that exist, such as 3 mar and 14:30.")) from error


def boxes(moment: datetime) -> tuple[str, str]:
    """A local moment, as it stands in the two boxes."""
    return written(moment.date()), written_time(moment.time())


def twice(day: date, clock: time, zone: ZoneInfo) -> str:
    """What is to be said of a time that clocks show twice on that day; empty where they do not."""
    if not walltime.happens_twice(day, clock, zone):
        return ""
    return _("The clocks go back that night, so %s comes twice. This is the first of the two.") % written_time(clock)
