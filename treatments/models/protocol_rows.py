"""The rows of a protocol. A row with an override counts only where that override applies and replaces its group."""

import pghistory
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from treatments.models.catalogue import AddOn, DeviceKind, Treatment
from treatments.models.choices import (
    Action,
    Bound,
    CareUnit,
    Effect,
    MilestoneKind,
    Role,
    RuleKind,
    Unit,
    When,
    one_of,
)
from treatments.models.protocol import Override, Protocol

WITHOUT_NUMBERS = [RuleKind.HOME_CARE, RuleKind.INDIVIDUAL, RuleKind.NONE, RuleKind.UNSPECIFIED]


class Row(models.Model):
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        abstract = True
        ordering = ["position", "pk"]


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Phase(Row):
    """A stretch of a visit: of a treatment, as the clinic gives it, or of one protocol."""

    treatment = models.ForeignKey(
        Treatment, models.CASCADE, null=True, blank=True, related_name="phases", verbose_name=_("treatment")
    )
    protocol = models.ForeignKey(
        Protocol, models.CASCADE, null=True, blank=True, related_name="phases", verbose_name=_("protocol")
    )
    override = models.ForeignKey(
        Override, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("only for")
    )
    name = models.CharField(_("name"), max_length=120)
    minutes = models.PositiveSmallIntegerField(_("minutes"), validators=[MinValueValidator(1)])
    occupies_practitioner = models.BooleanField(_("takes the practitioner"), default=False)
    occupies_room = models.BooleanField(_("takes the room"), default=False)
    device_kind = models.ForeignKey(
        DeviceKind, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("takes a device")
    )
    numbing = models.BooleanField(_("numbing"), default=False, help_text=_("Left out where no anaesthesia is given."))

    class Meta(Row.Meta):
        verbose_name = _("phase")
        verbose_name_plural = _("phases")
        constraints = [
            models.CheckConstraint(
                condition=Q(treatment__isnull=False, protocol__isnull=True)
                | Q(treatment__isnull=True, protocol__isnull=False),
                name="phase_of_a_treatment_or_of_a_protocol",
                violation_error_message=_("A phase belongs to a treatment or to a protocol."),
            ),
            models.CheckConstraint(
                condition=Q(override__isnull=True) | Q(protocol__isnull=False),
                name="phase_of_an_override_is_of_its_protocol",
            ),
            models.CheckConstraint(
                condition=Q(minutes__gte=1),
                name="phase_takes_time",
                violation_error_message=_("A phase takes at least a minute."),
            ),
            models.CheckConstraint(
                condition=Q(occupies_practitioner=True) | Q(occupies_room=True) | Q(device_kind__isnull=False),
                name="phase_occupies_something",
                violation_error_message=_("A phase takes a practitioner, a room or a device."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class MaintenanceRule(Row):
    """One rule of upkeep after the series; `treatment` empty where nobody named one."""

    protocol = models.ForeignKey(Protocol, models.CASCADE, related_name="maintenance_rules", verbose_name=_("protocol"))
    override = models.ForeignKey(
        Override, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("only for")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=RuleKind)
    min = models.PositiveSmallIntegerField(_("at least"), null=True, blank=True)
    max = models.PositiveSmallIntegerField(_("at most"), null=True, blank=True)
    unit = models.CharField(_("unit"), max_length=10, choices=Unit, blank=True)
    times_per_year = models.PositiveSmallIntegerField(
        _("times a year"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    at_least = models.BooleanField(_("or more often"), default=False)
    treatment = models.ForeignKey(
        Treatment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("treatment")
    )
    text = models.CharField(_("in words"), max_length=300, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("maintenance rule")
        verbose_name_plural = _("maintenance rules")
        constraints = [
            one_of("kind", RuleKind),
            one_of("unit", Unit, or_empty=True),
            models.CheckConstraint(
                condition=Q(min__gte=1),
                name="maintenancerule_at_least_one_unit",
                violation_error_message=_("Maintenance is at least one day, week or month away."),
            ),
            models.CheckConstraint(
                condition=Q(max__isnull=True) | Q(min__isnull=False, max__gte=F("min")),
                name="maintenancerule_numbers_in_order",
                violation_error_message=_("The maximum needs a minimum that is not above it."),
            ),
            models.CheckConstraint(
                condition=Q(min__isnull=True) | ~Q(unit=""),
                name="maintenancerule_number_has_a_unit",
                violation_error_message=_("Say whether the number is days, weeks or months."),
            ),
            models.CheckConstraint(
                condition=~Q(kind=RuleKind.PER_YEAR) | Q(times_per_year__isnull=False),
                name="maintenancerule_per_year_says_how_often",
                violation_error_message=_("Say how many times a year."),
            ),
            models.CheckConstraint(
                condition=Q(times_per_year__gte=1, times_per_year__lte=365),
                name="maintenancerule_at_most_daily",
                violation_error_message=_("Between once and 365 times a year."),
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=WITHOUT_NUMBERS)
                | Q(min__isnull=True, max__isnull=True, unit="", times_per_year__isnull=True),
                name="maintenancerule_numbers_only_where_counted",
                violation_error_message=_("A rule of this kind has no numbers."),
            ),
        ]

    def __str__(self) -> str:
        return self.text or self.get_kind_display()


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class ProtocolAddOn(Row):
    protocol = models.ForeignKey(Protocol, models.CASCADE, related_name="add_ons", verbose_name=_("protocol"))
    override = models.ForeignKey(
        Override, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("only for")
    )
    add_on = models.ForeignKey(AddOn, models.PROTECT, related_name="+", verbose_name=_("add-on"))
    role = models.CharField(_("role"), max_length=20, choices=Role)
    route = models.CharField(_("route"), max_length=120, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("add-on of a protocol")
        verbose_name_plural = _("add-ons of a protocol")
        constraints = [one_of("role", Role)]

    def __str__(self) -> str:
        return f"{self.add_on} ({self.get_role_display()})"


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class CareInstruction(Row):
    """What the patient does, avoids or asks about, `offset` units before or after each visit."""

    protocol = models.ForeignKey(Protocol, models.CASCADE, related_name="care_instructions", verbose_name=_("protocol"))
    when = models.CharField(_("when"), max_length=10, choices=When)
    action = models.CharField(_("action"), max_length=10, choices=Action)
    text = models.CharField(_("text"), max_length=300)
    offset = models.PositiveSmallIntegerField(_("how long"), null=True, blank=True)
    unit = models.CharField(_("unit"), max_length=10, choices=CareUnit, blank=True)
    bound = models.CharField(_("bound"), max_length=10, choices=Bound, blank=True)
    offset_text = models.CharField(_("how long, in words"), max_length=120, blank=True)
    repeat_hours = models.PositiveSmallIntegerField(
        _("repeat every (hours)"), null=True, blank=True, validators=[MinValueValidator(1)]
    )

    class Meta(Row.Meta):
        verbose_name = _("care instruction")
        verbose_name_plural = _("care instructions")
        constraints = [
            one_of("when", When),
            one_of("action", Action),
            one_of("unit", CareUnit, or_empty=True),
            one_of("bound", Bound, or_empty=True),
            models.CheckConstraint(
                condition=Q(offset__isnull=True, unit="") | Q(offset__isnull=False) & ~Q(unit=""),
                name="careinstruction_offset_has_a_unit",
                violation_error_message=_("Give a number and its unit, or neither."),
            ),
            models.CheckConstraint(
                condition=Q(bound="") | Q(offset__isnull=False) | ~Q(offset_text=""),
                name="careinstruction_bound_has_something_to_bind",
                violation_error_message=_("Say how long, in a number or in words."),
            ),
            models.CheckConstraint(
                condition=Q(repeat_hours__gte=1),
                name="careinstruction_repeats_hourly_at_most",
                violation_error_message=_("Repeat after at least an hour."),
            ),
        ]

    def __str__(self) -> str:
        return self.text


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Milestone(Row):
    """What is to be seen, or photographed, by when; counted from a visit."""

    protocol = models.ForeignKey(Protocol, models.CASCADE, related_name="milestones", verbose_name=_("protocol"))
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=10, choices=MilestoneKind, blank=True)
    min_days = models.PositiveSmallIntegerField(_("from (days)"), null=True, blank=True)
    max_days = models.PositiveSmallIntegerField(_("to (days)"), null=True, blank=True)
    max_months = models.PositiveSmallIntegerField(_("to (calendar months)"), null=True, blank=True)

    class Meta(Row.Meta):
        verbose_name = _("milestone")
        verbose_name_plural = _("milestones")
        constraints = [
            one_of("kind", MilestoneKind, or_empty=True),
            models.CheckConstraint(
                condition=Q(min_days__lte=F("max_days")),
                name="milestone_days_in_order",
                violation_error_message=_("The first day is not after the last."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class ScreeningQuestion(Row):
    """Asked before a visit; an answer is good for `days_valid` days, for ever where that is empty."""

    protocol = models.ForeignKey(
        Protocol, models.CASCADE, related_name="screening_questions", verbose_name=_("protocol")
    )
    text = models.CharField(_("question"), max_length=300)
    effect = models.CharField(_("a yes"), max_length=10, choices=Effect)
    days_valid = models.PositiveSmallIntegerField(
        _("good for (days)"), null=True, blank=True, validators=[MinValueValidator(1)]
    )

    class Meta(Row.Meta):
        verbose_name = _("screening question")
        verbose_name_plural = _("screening questions")
        constraints = [
            one_of("effect", Effect),
            models.CheckConstraint(
                condition=Q(days_valid__gte=1),
                name="screeningquestion_answer_lasts_a_day",
                violation_error_message=_("An answer is good for at least a day."),
            ),
        ]

    def __str__(self) -> str:
        return self.text
