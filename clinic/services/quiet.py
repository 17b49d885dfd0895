"""The hours in which this clinic writes to nobody."""

from django.conf import settings

from clinic.ladder import Quiet


def quiet_hours() -> Quiet:
    return Quiet(settings.QUIET_FROM, settings.QUIET_UNTIL)
