"""The words a field may hold. They are the words of treatments.terms, with a label for people."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _


class ProtocolStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")
    RETIRED = "retired", _("Retired")


class CountKind(models.TextChoices):
    FIXED = "fixed", _("A fixed number")
    RANGE = "range", _("From … to …")
    WORDS = "words", _("In words only")
    OPEN_ENDED = "open_ended", _("Open-ended")
    UNKNOWN = "unknown", _("Not said")


class Unit(models.TextChoices):
    DAY = "day", _("days")
    WEEK = "week", _("weeks")
    MONTH = "month", _("calendar months")


class CareUnit(models.TextChoices):
    HOUR = "hour", _("hours")
    DAY = "day", _("days")
    WEEK = "week", _("weeks")
    MONTH = "month", _("calendar months")


class Anaesthesia(models.TextChoices):
    NONE = "none", _("None")
    TOPICAL = "topical", _("Topical")
    REGIONAL = "regional", _("Regional")


class Severity(models.TextChoices):
    MILD = "mild", _("Mild")
    MODERATE = "moderate", _("Moderate")
    SEVERE = "severe", _("Severe")


class NoShow(models.TextChoices):
    REPEAT = "repeat", _("The session is repeated")
    FORFEIT = "forfeit", _("The session is forfeited")
    ASK = "ask", _("The desk decides")


class Role(models.TextChoices):
    INCLUDED = "included", _("Included")
    RECOMMENDED = "recommended", _("Recommended")
    OPTIONAL = "optional", _("Optional")


class RuleKind(models.TextChoices):
    EVERY = "every", _("Every …")
    PER_YEAR = "per_year", _("So many times a year")
    OTHER_TREATMENT = "other_treatment", _("Another treatment")
    HOME_CARE = "home_care", _("Care at home")
    INDIVIDUAL = "individual", _("The clinician decides")
    NONE = "none", _("None needed")
    UNSPECIFIED = "unspecified", _("Not specified")


class When(models.TextChoices):
    BEFORE = "before", _("Before a visit")
    AFTER = "after", _("After a visit")


class Action(models.TextChoices):
    DO = "do", _("Do")
    AVOID = "avoid", _("Avoid")
    ASK = "ask", _("Ask")


class Bound(models.TextChoices):
    EXACT = "exact", _("Exactly")
    AT_LEAST = "at_least", _("At least")
    AT_MOST = "at_most", _("At most")
    RANGE = "range", _("From … to …, in words")


class Effect(models.TextChoices):
    STOP = "stop", _("Stops the visit")
    ASK = "ask", _("Ask the clinician")
    INFORM = "inform", _("For information")


class MilestoneKind(models.TextChoices):
    HEALED = "healed", _("The skin has healed")
    RESULT = "result", _("The final result")
    PHOTO = "photo", _("A photo is taken")


class Group(models.TextChoices):
    """What an override can replace as a whole."""

    SESSIONS = "sessions", _("Number of sessions")
    SPACING = "spacing", _("Spacing")
    ANAESTHESIA = "anaesthesia", _("Anaesthesia")
    ADD_ONS = "add_ons", _("Add-ons")
    MAINTENANCE = "maintenance", _("Maintenance")
    PHASES = "phases", _("Phases of the visit")


def one_of(field: str, choices: type[models.TextChoices], *, or_empty: bool = False) -> models.CheckConstraint:
    """A check that `field` holds one of the words; Django's `choices` bind forms only."""
    words: list[Any] = [*choices.values, ""] if or_empty else list(choices.values)
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__in": words}),
        name=f"%(class)s_{field}_is_known",
        violation_error_message=_("Choose one of the words offered."),
    )
