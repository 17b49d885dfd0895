"""The template of a course, and what it replaces for some patients.

Empty means that nobody said: null for a number, "" for a word, None in the terms for both.
"""

from copy import copy
from decimal import Decimal
from typing import Self

import pghistory
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q, prefetch_related_objects
from django.utils.translation import gettext_lazy as _

from treatments import matching
from treatments.matching import Case, Conditions
from treatments.models import assembling
from treatments.models.catalogue import Concern, Treatment
from treatments.models.choices import (
    Anaesthesia,
    CountKind,
    Group,
    NoShow,
    ProtocolStatus,
    Severity,
    Unit,
    one_of,
)
from treatments.terms import Terms

COUNTED = [CountKind.FIXED, CountKind.RANGE]


class SessionCounted(models.Model):
    """How many sessions."""

    session_kind = models.CharField(
        _("number of sessions"), max_length=20, choices=CountKind, default=CountKind.UNKNOWN
    )
    session_min = models.PositiveSmallIntegerField(_("at least"), null=True, blank=True)
    session_max = models.PositiveSmallIntegerField(_("at most"), null=True, blank=True)
    session_typical = models.PositiveSmallIntegerField(_("typically"), null=True, blank=True)
    session_text = models.CharField(_("in words"), max_length=200, blank=True)

    class Meta:
        abstract = True
        constraints = [
            one_of("session_kind", CountKind),
            models.CheckConstraint(
                condition=Q(session_min__gte=1),
                name="%(class)s_has_at_least_one_session",
                violation_error_message=_("A course has at least one session."),
            ),
            models.CheckConstraint(
                condition=~Q(session_kind=CountKind.FIXED)
                | Q(session_min__isnull=False, session_max__isnull=False, session_max=F("session_min")),
                name="%(class)s_fixed_count_is_one_number",
                violation_error_message=_("A fixed number of sessions has the same minimum and maximum."),
            ),
            models.CheckConstraint(
                condition=~Q(session_kind=CountKind.RANGE)
                | Q(session_min__isnull=False, session_max__isnull=False, session_max__gt=F("session_min")),
                name="%(class)s_range_runs_upwards",
                violation_error_message=_("A range of sessions needs a minimum below its maximum."),
            ),
            models.CheckConstraint(
                condition=~Q(session_kind=CountKind.WORDS) | ~Q(session_text=""),
                name="%(class)s_count_in_words_has_words",
                violation_error_message=_("Say the number of sessions in words."),
            ),
            models.CheckConstraint(
                condition=Q(session_kind__in=COUNTED)
                | Q(session_min__isnull=True, session_max__isnull=True, session_typical__isnull=True),
                name="%(class)s_numbers_only_where_counted",
                violation_error_message=_("Only a fixed number or a range of sessions has numbers."),
            ),
            models.CheckConstraint(
                condition=Q(session_typical__isnull=True)
                | Q(session_typical__gte=F("session_min"), session_typical__lte=F("session_max")),
                name="%(class)s_typical_count_in_range",
                violation_error_message=_("The typical number lies between minimum and maximum."),
            ),
        ]


class Spaced(models.Model):
    """How far apart the sessions are."""

    spacing_min = models.PositiveSmallIntegerField(_("at least"), null=True, blank=True)
    spacing_ideal = models.PositiveSmallIntegerField(_("ideally"), null=True, blank=True)
    spacing_max = models.PositiveSmallIntegerField(_("at most"), null=True, blank=True)
    spacing_unit = models.CharField(_("unit"), max_length=10, choices=Unit, blank=True)
    tolerance_days = models.PositiveSmallIntegerField(
        _("tolerance in days"),
        null=True,
        blank=True,
        help_text=_("Earlier or later by so many days, where minimum and maximum are the same."),
    )

    class Meta:
        abstract = True
        constraints = [
            one_of("spacing_unit", Unit, or_empty=True),
            models.CheckConstraint(
                condition=Q(spacing_min__isnull=False, spacing_max__isnull=False) & ~Q(spacing_unit="")
                | Q(
                    spacing_min__isnull=True,
                    spacing_ideal__isnull=True,
                    spacing_max__isnull=True,
                    spacing_unit="",
                    tolerance_days__isnull=True,
                ),
                name="%(class)s_spacing_whole_or_empty",
                violation_error_message=_("Give minimum, maximum and unit of the spacing, or none of them."),
            ),
            models.CheckConstraint(
                condition=Q(spacing_min__gte=1),
                name="%(class)s_sessions_on_different_days",
                violation_error_message=_("Sessions are at least one day, week or month apart."),
            ),
            models.CheckConstraint(
                condition=Q(spacing_min__lte=F("spacing_max"))
                & (
                    Q(spacing_ideal__isnull=True)
                    | Q(spacing_ideal__gte=F("spacing_min"), spacing_ideal__lte=F("spacing_max"))
                ),
                name="%(class)s_spacing_in_order",
                violation_error_message=_("The ideal spacing lies between minimum and maximum."),
            ),
        ]


class AmbiguousOverrides(ValueError):
    """Several overrides fit a case equally well, so that the protocol contradicts itself."""

    def __init__(self, overrides: list["Override"]) -> None:
        self.overrides = overrides
        names = " | ".join(override.name for override in overrides)
        super().__init__(_("These overrides fit equally well, and only one can apply: %(names)s") % {"names": names})


class ProtocolQuerySet(models.QuerySet["Protocol"]):
    def published(self) -> Self:
        return self.filter(status=ProtocolStatus.PUBLISHED)

    def with_parts(self) -> Self:
        """With all that terms_for reads, so that it asks the database nothing more."""
        return self.prefetch_related(*assembling.PARTS)


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Protocol(SessionCounted, Spaced):
    name = models.CharField(_("name"), max_length=200, unique=True)
    treatment = models.ForeignKey(Treatment, models.PROTECT, related_name="protocols", verbose_name=_("treatment"))
    status = models.CharField(_("status"), max_length=20, choices=ProtocolStatus, default=ProtocolStatus.DRAFT)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    anaesthesia = models.CharField(_("anaesthesia"), max_length=20, choices=Anaesthesia, blank=True)
    no_show = models.CharField(_("after a no-show"), max_length=20, choices=NoShow, blank=True)
    indications = models.ManyToManyField(Concern, blank=True, related_name="protocols", verbose_name=_("indications"))
    areas = ArrayField(models.CharField(max_length=60), default=list, blank=True, verbose_name=_("areas"))
    severity = models.CharField(_("severity"), max_length=20, choices=Severity, blank=True)
    depends_on = ArrayField(
        models.CharField(max_length=60),
        default=list,
        blank=True,
        verbose_name=_("depends on"),
        help_text=_("What the number of sessions or the spacing depends on, in words."),
    )
    other_treatments_days = models.PositiveSmallIntegerField(
        _("least days to other treatments"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    evidence = models.CharField(_("evidence"), max_length=200, blank=True)
    source_label = models.CharField(_("source"), max_length=200, blank=True)
    off_label = models.BooleanField(_("off-label"), default=False)
    confirmed_by_clinician = models.BooleanField(
        _("confirmed by a clinician"), default=False, help_text=_("Until then: to be confirmed by your clinician.")
    )
    library_key = models.CharField(max_length=80, unique=True, null=True, blank=True, editable=False)

    objects = ProtocolQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("protocol")
        verbose_name_plural = _("protocols")
        constraints = [
            *SessionCounted.Meta.constraints,
            *Spaced.Meta.constraints,
            one_of("status", ProtocolStatus),
            one_of("anaesthesia", Anaesthesia, or_empty=True),
            one_of("no_show", NoShow, or_empty=True),
            one_of("severity", Severity, or_empty=True),
            models.CheckConstraint(condition=Q(version__gte=1), name="protocol_versions_start_at_one"),
            models.CheckConstraint(
                condition=Q(other_treatments_days__gte=1),
                name="protocol_other_treatments_on_different_days",
                violation_error_message=_("Other treatments are at least one day apart, or leave this empty."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def terms_for(
        self,
        *,
        concern: Concern | None = None,
        severity: str | None = None,
        area: str | None = None,
        depth_mm: Decimal | None = None,
    ) -> Terms:
        """What this protocol comes to for one case, in a constant number of queries.

        The override whose conditions all hold, and which names most of them, replaces the groups it says it
        replaces, be it by nothing. Raises AmbiguousOverrides where two name equally many.
        """
        if isinstance(depth_mm, float):
            raise TypeError("A depth is a Decimal: as a float, 0.1 is not the tenth that an override names.")
        # A copy, so that rows read now do not stay behind on an instance that is asked again after a change.
        whole = copy(self)
        prefetch_related_objects([whole], *assembling.PARTS)
        overrides = list(whole.overrides.all())
        case = Case(concern=concern, severity=severity, area=area, depth_mm=depth_mm)
        best = [overrides[i] for i in matching.best([override.conditions for override in overrides], case)]
        if len(best) > 1:
            raise AmbiguousOverrides(best)
        return assembling.terms(whole, best[0] if best else None)


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Override(SessionCounted, Spaced):
    """What is different where all its conditions hold. Without any condition it never applies."""

    protocol = models.ForeignKey(Protocol, models.CASCADE, related_name="overrides", verbose_name=_("protocol"))
    name = models.CharField(_("name"), max_length=120)
    concerns = models.ManyToManyField(
        Concern, blank=True, related_name="+", verbose_name=_("concerns"), help_text=_("Any of these.")
    )
    severity = models.CharField(_("severity"), max_length=20, choices=Severity, blank=True)
    area = models.CharField(_("area"), max_length=60, blank=True)
    depth_min_mm = models.DecimalField(
        _("needle depth from (mm)"), max_digits=4, decimal_places=2, null=True, blank=True
    )
    depth_max_mm = models.DecimalField(_("needle depth to (mm)"), max_digits=4, decimal_places=2, null=True, blank=True)
    replaces = ArrayField(
        models.CharField(max_length=20, choices=Group),
        default=list,
        blank=True,
        verbose_name=_("replaces"),
        help_text=_("What is not replaced is as the protocol says."),
    )
    anaesthesia = models.CharField(_("anaesthesia"), max_length=20, choices=Anaesthesia, blank=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("override")
        verbose_name_plural = _("overrides")
        constraints = [
            *SessionCounted.Meta.constraints,
            *Spaced.Meta.constraints,
            one_of("severity", Severity, or_empty=True),
            one_of("anaesthesia", Anaesthesia, or_empty=True),
            models.UniqueConstraint(
                fields=["protocol", "name"],
                name="override_name_unique_in_protocol",
                violation_error_message=_("Another override of this protocol has this name."),
            ),
            # Rows of an override point here with their protocol, so that they cannot belong to two.
            models.UniqueConstraint(fields=["id", "protocol"], name="override_belongs_to_its_protocol"),
            models.CheckConstraint(
                condition=Q(depth_min_mm__lte=F("depth_max_mm")),
                name="override_depth_in_order",
                violation_error_message=_("The needle depth runs from the smaller to the larger."),
            ),
            models.CheckConstraint(
                condition=(Q(depth_min_mm__isnull=True) | Q(depth_min_mm__gt=0))
                & (Q(depth_max_mm__isnull=True) | Q(depth_max_mm__gt=0)),
                name="override_depth_above_zero",
                violation_error_message=_("A needle depth is above zero."),
            ),
            models.CheckConstraint(
                condition=Q(replaces__contained_by=Group.values), name="override_replaces_known_groups"
            ),
            models.CheckConstraint(
                condition=(Q(replaces__contains=[Group.SESSIONS]) | Q(session_kind=CountKind.UNKNOWN, session_text=""))
                & (Q(replaces__contains=[Group.SPACING]) | Q(spacing_min__isnull=True))
                & (Q(replaces__contains=[Group.ANAESTHESIA]) | Q(anaesthesia="")),
                name="override_says_only_what_it_replaces",
                violation_error_message=_("An override only fills in what it replaces."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def names_depth(self) -> bool:
        return "depth" in self.conditions.named

    @property
    def conditions(self) -> Conditions:
        return Conditions(
            concerns=frozenset(self.concerns.all()),
            severity=self.severity,
            area=self.area,
            depth_min_mm=self.depth_min_mm,
            depth_max_mm=self.depth_max_mm,
        )
