"""A planner's choice as a page posts it back: start . practitioner . room . devices."""

import re

from clinic import walltime
from clinic.models import Site
from clinic.planning import Choice

ENCODED = re.compile(r"(\d{1,9})\.(\d{0,18})\.(\d{0,18})\.((?:\d{1,18}(?:-\d{1,18})*)?)", re.ASCII)


def encode(choice: Choice) -> str:
    devices = "-".join(map(str, choice.devices))
    return f"{choice.start}.{choice.practitioner or ''}.{choice.room or ''}.{devices}"


def decode(text: str, site: Site) -> Choice | None:
    """A choice as `encode` wrote it; None for anything else. What it names is checked when it is booked."""
    found = ENCODED.fullmatch(text)
    if not found:
        return None
    start, practitioner, room, devices = found.groups()
    return Choice(
        day=walltime.day_of(walltime.from_minutes(int(start)), site.time_zone),
        start=int(start),
        practitioner=int(practitioner) if practitioner else None,
        room=int(room) if room else None,
        devices=tuple(int(device) for device in devices.split("-") if device),
    )
