"""Upkeep after the series, one row a cycle."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from treatments.models.catalogue import Treatment
from treatments.models.series import Series


class MaintenanceState(models.TextChoices):
    WAITING = "waiting", _("to be decided by the clinician")
    SCHEDULED = "scheduled", _("scheduled")
    BOOKED = "booked", _("booked")
    ATTENDED = "attended", _("attended")
    DEFERRED = "deferred", _("deferred")
    DECLINED = "declined", _("declined")
    LAPSED = "lapsed", _("lapsed")
    WITHDRAWN = "withdrawn", _("withdrawn")


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def open(self) -> "MaintenanceQuerySet":
        """Cycles that somebody still has to do something about."""
        return self.filter(state__in=["waiting", "scheduled", "deferred"])

    def due(self, *, today) -> "MaintenanceQuerySet":
        return self.filter(state="scheduled", due_from__lte=today)


@pghistory.track(
    pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), exclude=["due_from", "due_by"]
)
class Maintenance(models.Model):
    """One cycle of upkeep: due from, due by.

    `rule` is the place of the rule in the series's own terms. The calculated dates are what the rule says; once
    overridden, they are kept for the record and never calculated again. Due and overdue follow from today.
    `remind_from` keeps a cycle that came from another system, or was booked for a while, from being reminded of what
    had come before. A cycle that is booked keeps until when it was put off, which counts again without the visit.
    """

    series = models.ForeignKey(Series, models.PROTECT, related_name="maintenance")
    rule = models.PositiveSmallIntegerField()
    cycle = models.PositiveSmallIntegerField()
    treatment = models.ForeignKey(Treatment, models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=MaintenanceState)
    anchor = models.DateField(help_text=_("The day the dates are counted from: series complete, or last attended."))
    calculated_from = models.DateField(null=True, blank=True)
    calculated_by = models.DateField(null=True, blank=True)
    overridden_on = models.DateField(null=True, blank=True, help_text=_("Due on this day, as the clinician decided."))
    overridden_at = models.DateTimeField(null=True, blank=True)
    overridden_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    override_reason = models.CharField(max_length=200, blank=True)
    due_from = models.GeneratedField(
        expression=Coalesce(F("overridden_on"), F("calculated_from")), output_field=models.DateField(), db_persist=True
    )
    due_by = models.GeneratedField(
        expression=Coalesce(F("overridden_on"), F("calculated_by")), output_field=models.DateField(), db_persist=True
    )
    deferred_until = models.DateField(null=True, blank=True)
    remind_from = models.DateField(
        null=True,
        blank=True,
        help_text=_(
            "No reminder whose own day lies before this is sent: the course came from another system, which may have "
            "sent it, or a visit was booked then. Empty: all are."
        ),
    )
    attended_on = models.DateField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was attended, declined or lapsed."))
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True)

    objects = MaintenanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("maintenance")
        verbose_name_plural = _("maintenance")
        indexes = [
            models.Index(fields=["due_from"], name="maintenance_scheduled_due", condition=Q(state="scheduled")),
            models.Index(fields=["deferred_until"], name="maintenance_put_off", condition=Q(state="deferred")),
            models.Index(fields=["anchor", "id"], name="maintenance_to_decide", condition=Q(state="waiting")),
            models.Index(
                fields=["settled_at", "id"], name="maintenance_ended", condition=Q(state__in=["declined", "lapsed"])
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["series", "rule", "cycle"], name="maintenance_cycle_once"),
            models.CheckConstraint(condition=Q(cycle__gte=1), name="maintenance_cycles_start_at_one"),
            models.CheckConstraint(condition=Q(state__in=MaintenanceState.values), name="maintenance_state_known"),
            models.CheckConstraint(
                condition=Q(calculated_from=None, calculated_by=None)
                | Q(
                    calculated_from__isnull=False,
                    calculated_by__isnull=False,
                    calculated_from__lte=F("calculated_by"),
                ),
                name="maintenance_calculated_in_order",
            ),
            models.CheckConstraint(
                condition=Q(overridden_on=None, overridden_at=None, overridden_by=None, override_reason="")
                | Q(overridden_on__isnull=False, overridden_at__isnull=False, overridden_by__isnull=False)
                & ~Q(override_reason=""),
                name="maintenance_override_recorded",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["scheduled", "booked"])
                | Q(overridden_on__isnull=False)
                | Q(calculated_from__isnull=False),
                name="maintenance_scheduled_has_a_date",
            ),
            models.CheckConstraint(
                condition=Q(state="deferred", deferred_until__isnull=False)
                | Q(state="booked")
                | ~Q(state__in=["deferred", "booked"]) & Q(deferred_until=None),
                name="maintenance_deferral_dated",
            ),
            models.CheckConstraint(
                condition=Q(state="attended", attended_on__isnull=False) | ~Q(state="attended") & Q(attended_on=None),
                name="maintenance_attendance_dated",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["attended", "declined", "lapsed", "withdrawn"], settled_at__isnull=False)
                | ~Q(state__in=["attended", "declined", "lapsed", "withdrawn"]) & Q(settled_at=None, settled_by=None),
                name="maintenance_settling_recorded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.treatment} {self.cycle}"
