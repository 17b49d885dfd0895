"""A visit that keeps its time, and takes longer or shorter in it."""

from datetime import datetime

from django.utils.translation import gettext as _

from clinic import walltime
from clinic.planning import Choice
from clinic.services import course as planned
from clinic.services.booking import NotBookable
from clinic.services.ripple.places import options
from clinic.services.ripple.scene import Scene, just_before


def stay_with(scene: Scene, add_ons: tuple[str, ...], *, now: datetime) -> Choice:
    """The time that the visit has, with the same people and room, for as long as it takes with `add_ons`.

    Raises NotBookable where that is not free.
    """
    had = scene.course.booked[scene.number]
    clock = walltime.from_minutes(had.start).astimezone(scene.site.time_zone).time()
    proposal = options(scene, now=min(now, just_before(had)), until=had.day, add_ons=add_ons)
    try:
        return planned.choice_at(
            proposal,
            scene.number,
            had.day,
            clock,
            practitioner=had.practitioner,
            room=had.room,
            devices=had.devices,
        )
    except NotBookable as refusal:
        minutes = sum(phase.minutes for phase in proposal.course.visit(scene.number))
        raise NotBookable(
            _("The visit would take %d minutes, and not everything it needs is free for so long.") % minutes
        ) from refusal
