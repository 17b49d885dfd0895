"""The hours of the day that the environment names."""

from datetime import datetime, time, timedelta

from django.core.exceptions import ImproperlyConfigured

# Who is reminded the evening before is, within this of the quiet hours.
EVENING = timedelta(hours=1)


def quiet(from_: str, until: str) -> tuple[time, time]:
    """From when in the evening until when in the morning nobody is reminded. Raises ImproperlyConfigured."""
    evening, morning = _clock("QUIET_FROM", from_), _clock("QUIET_UNTIL", until)
    if evening < morning + EVENING:
        raise ImproperlyConfigured("QUIET_FROM is in the evening, an hour or more after QUIET_UNTIL in the morning.")
    return evening.time(), morning.time()


def _clock(name: str, said: str) -> datetime:
    try:
        return datetime.strptime(said, "%H:%M")  # noqa: DTZ007 - a time of day, in whatever zone
    except ValueError:
        raise ImproperlyConfigured(f"{name} is a time of day, as 20:00.") from None
