"""One patient's course: the series and its sessions."""

import pghistory
import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models import Patient
from treatments.models.catalogue import Concern
from treatments.models.choices import Severity
from treatments.models.protocol import Protocol
from treatments.terms import Terms


class CareLead(models.Func):
    """At most how many days before a visit its care begins. The function is made by a migration."""

    function = "treatments_care_lead"
    output_field = models.IntegerField()


class ResultOn(models.Func):
    """`rules.result_on` of the terms, for the database to search by. The function is made by a migration."""

    function = "treatments_result_on"
    output_field = models.DateField()


class SeriesState(models.TextChoices):
    ACTIVE = "active", _("under way")
    COMPLETED = "completed", _("complete")
    STOPPED = "stopped", _("stopped")


class SeriesQuerySet(models.QuerySet["Series"]):
    def under_way(self) -> "SeriesQuerySet":
        return self.filter(state=SeriesState.ACTIVE)


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Series(models.Model):
    """A course as it was agreed: `terms` are those of its start, whatever the protocol says later."""

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="series")
    protocol = models.ForeignKey(Protocol, models.PROTECT, related_name="series")
    protocol_version = models.PositiveIntegerField()
    terms_json = models.JSONField(db_column="terms")
    concern = models.ForeignKey(Concern, models.PROTECT, null=True, blank=True, related_name="+")
    severity = models.CharField(max_length=20, choices=Severity, blank=True)
    area = models.CharField(max_length=60, blank=True)
    depth_mm = models.DecimalField(max_digits=4, decimal_places=2, null=True, blank=True)
    decision_note = models.CharField(
        _("decided by the clinician"),
        max_length=200,
        blank=True,
        help_text=_("Who decided on the number of sessions or the spacing, where the protocol leaves it open."),
    )
    state = models.CharField(max_length=10, choices=SeriesState, default=SeriesState.ACTIVE)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    completed_on = models.DateField(
        _("series-complete date"), null=True, blank=True, help_text=_("The day the last session was attended.")
    )
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    stopped_reason = models.CharField(max_length=200, blank=True)
    reference = models.CharField(
        _("reference"), max_length=60, blank=True, help_text=_("What the former system called this course.")
    )

    objects = SeriesQuerySet.as_manager()

    class Meta:
        verbose_name = _("series")
        verbose_name_plural = _("series")
        indexes = [
            models.Index(fields=["id"], name="series_under_way", condition=Q(state="active")),
            # How far ahead reminders of care have to look, and whose result is to be seen.
            models.Index(CareLead("terms_json"), name="series_care_lead"),
            models.Index(
                ResultOn("terms_json", "completed_on"), name="series_result_on", condition=Q(state="completed")
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=SeriesState.values), name="series_state_known"),
            models.CheckConstraint(
                condition=Q(state="completed", completed_on__isnull=False)
                | ~Q(state="completed") & Q(completed_on=None),
                name="series_completion_dated",
            ),
            models.CheckConstraint(
                condition=Q(state="stopped", stopped_at__isnull=False, stopped_by__isnull=False)
                | ~Q(state="stopped") & Q(stopped_at=None, stopped_by=None, stopped_reason=""),
                name="series_stop_recorded",
            ),
            models.UniqueConstraint(fields=["reference"], condition=~Q(reference=""), name="series_reference_once"),
        ]

    def __str__(self) -> str:
        return f"{self.protocol.name} ({self.get_state_display()})"

    @property
    def terms(self) -> Terms:
        return Terms.from_json(self.terms_json)


class SessionState(models.TextChoices):
    PLANNED = "planned", _("planned")
    ATTENDED = "attended", _("attended")
    SKIPPED = "skipped", _("skipped")


# What is chosen stays when the terms change later: only a choice is held against them.
ADD_ONS_AS_AGREED = pgtrigger.Trigger(
    name="session_add_ons_as_agreed",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    func="""
        IF cardinality(NEW.add_ons) = 0 OR (TG_OP = 'UPDATE' AND NEW.add_ons = OLD.add_ons) THEN
            RETURN NEW;
        END IF;
        IF (SELECT count(DISTINCT name) FROM unnest(NEW.add_ons) name) < cardinality(NEW.add_ons)
            OR EXISTS (
                SELECT FROM unnest(NEW.add_ons) name
                WHERE name NOT IN (
                    SELECT said ->> 'name'
                    FROM treatments_series series, jsonb_array_elements(series.terms -> 'add_ons') said
                    WHERE series.id = NEW.series_id AND said ->> 'role' <> 'included'
                )
            )
        THEN
            RAISE EXCEPTION 'The terms of the series do not offer these add-ons: %', NEW.add_ons
                USING ERRCODE = 'check_violation', CONSTRAINT = 'session_add_ons_as_agreed';
        END IF;
        RETURN NEW;
    """,
)


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Session(models.Model):
    """The n-th treatment of a series."""

    series = models.ForeignKey(Series, models.PROTECT, related_name="sessions")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=SessionState, default=SessionState.PLANNED)
    attended_on = models.DateField(null=True, blank=True, help_text=_("Local date of the site."))
    day_unknown = models.BooleanField(
        default=False, help_text=_("Attended before the clinic came here, on a day that nobody told.")
    )
    recorded_at = models.DateTimeField(null=True, blank=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True, help_text=_("Why it was skipped."))
    add_ons = ArrayField(
        models.CharField(max_length=120),
        verbose_name=_("add-ons"),
        default=list,
        blank=True,
        help_text=_("Chosen for this session, by name, in the order of the terms; those that are included go unsaid."),
    )

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        ordering = ["series_id", "number"]
        triggers = [ADD_ONS_AS_AGREED]
        constraints = [
            models.UniqueConstraint(fields=["series", "number"], name="session_number_once_a_series"),
            models.CheckConstraint(condition=Q(number__gte=1), name="session_numbers_start_at_one"),
            models.CheckConstraint(condition=Q(state__in=SessionState.values), name="session_state_known"),
            models.CheckConstraint(
                condition=Q(state="attended", attended_on__isnull=False, day_unknown=False)
                | Q(state="attended", attended_on=None, day_unknown=True)
                | ~Q(state="attended") & Q(attended_on=None, day_unknown=False),
                name="session_attendance_dated_or_known_not_to_be",
            ),
            models.CheckConstraint(
                condition=Q(state="planned", recorded_at=None, recorded_by=None, reason="")
                | ~Q(state="planned") & Q(recorded_at__isnull=False, recorded_by__isnull=False),
                name="session_outcome_recorded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number}"
