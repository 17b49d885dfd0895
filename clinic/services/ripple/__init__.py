"""A change of one visit and what it does to the later ones of its course: shown first, then done as a whole."""

from clinic.services.ripple.carrying_out import (
    NeedsAnAnswer,
    NotPossible,
    carry_out,
    carry_out_in,
    lock_course,
    missed,
)
from clinic.services.ripple.outlook import Outlook, look, room_to_shift
from clinic.services.ripple.places import options, place_then
from clinic.services.ripple.scene import Change, Following, Scene, scene_of, scene_of_series, scene_of_session
from clinic.services.ripple.staying import stay_with

__all__ = [
    "Change",
    "Following",
    "NeedsAnAnswer",
    "NotPossible",
    "Outlook",
    "Scene",
    "carry_out",
    "carry_out_in",
    "lock_course",
    "look",
    "missed",
    "options",
    "place_then",
    "room_to_shift",
    "scene_of",
    "scene_of_series",
    "scene_of_session",
    "stay_with",
]
