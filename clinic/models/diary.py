"""The diary: time held for a patient, and what it takes."""

import uuid

import pghistory
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _

from clinic.models.freeing import notes_freed
from clinic.models.place import Site
from clinic.models.resource import Resource
from patients.models import Patient
from treatments.models import Maintenance, Session, Treatment


class Stretch(Func):
    """From start to end as a half-open range, for exclusion constraints over two columns."""

    function = "tstzrange"

    def __init__(self, starts: str = "starts_at", ends: str = "ends_at") -> None:
        super().__init__(F(starts), F(ends), Value("[)"))


def no_overlap(*, name: str, of: str, condition: Q | None = None, message: str) -> ExclusionConstraint:
    """Two rows with the same `of` never overlap in time."""
    return ExclusionConstraint(
        name=name,
        expressions=[(of, RangeOperators.EQUAL), (Stretch(), RangeOperators.OVERLAPS)],
        condition=condition,
        violation_error_message=message,
    )


class AppointmentStatus(models.TextChoices):
    BOOKED = "booked", _("booked")
    ARRIVED = "arrived", _("arrived")
    FULFILLED = "fulfilled", _("attended")
    CANCELLED = "cancelled", _("cancelled")
    NO_SHOW = "no_show", _("did not come")


LIVE = [AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED, AppointmentStatus.FULFILLED]


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def live(self) -> "AppointmentQuerySet":
        """Appointments that hold time, or held it and were attended."""
        return self.filter(status__in=LIVE)

    def upcoming(self, *, now) -> "AppointmentQuerySet":
        return self.filter(status=AppointmentStatus.BOOKED, starts_at__gte=now).order_by("starts_at", "pk")


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Appointment(models.Model):
    """Time held for a patient: for a session, for a maintenance cycle, or for a plain treatment.

    Written only by clinic.services.booking. `phases` is the visit as it was booked, so that a later change of the
    protocol never alters what stands in the diary.
    """

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="appointments")
    site = models.ForeignKey(Site, models.PROTECT, related_name="appointments")
    treatment = models.ForeignKey(Treatment, models.PROTECT, related_name="appointments")
    session = models.ForeignKey(Session, models.PROTECT, null=True, blank=True, related_name="appointments")
    maintenance = models.ForeignKey(Maintenance, models.PROTECT, null=True, blank=True, related_name="appointments")
    practitioner = models.ForeignKey(Resource, models.PROTECT, null=True, blank=True, related_name="visits")
    room = models.ForeignKey(Resource, models.PROTECT, null=True, blank=True, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    phases = models.JSONField(default=list)
    status = models.CharField(max_length=10, choices=AppointmentStatus, default=AppointmentStatus.BOOKED)
    status_at = models.DateTimeField(help_text=_("Since when the status is what it is; earlier ones are history."))
    status_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    cancel_reason = models.CharField(max_length=200, blank=True)
    booked_at = models.DateTimeField()
    booked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    outside_window_reason = models.CharField(max_length=200, blank=True)
    outside_window_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False, help_text=_("Of the calendar entry."))
    sequence = models.PositiveIntegerField(default=0, help_text=_("Rises with each change of the calendar entry."))

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        permissions = [
            ("override_window", _("Can book a session outside its window")),
            ("see_reports", _("Can see the reports")),
        ]
        indexes = [
            models.Index(fields=["site", "starts_at"], name="appointment_by_site"),
            models.Index(fields=["patient", "starts_at"], name="appointment_by_patient"),
            # What reminders look for among what is still to come.
            models.Index(fields=["starts_at"], name="appointment_booked", condition=Q(status="booked")),
            # What care after a visit looks for among what has just been.
            models.Index(fields=["ends_at"], name="appointment_attended", condition=Q(status="fulfilled")),
            # What the worklist looks at: the visits of late that did not take place.
            models.Index(
                fields=["status_at", "id"], name="appointment_ended", condition=Q(status__in=["cancelled", "no_show"])
            ),
        ]
        constraints = [
            no_overlap(
                name="appointment_patient_in_one_place",
                of="patient",
                condition=Q(status__in=LIVE),
                message=_("The patient already has a visit at this time."),
            ),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="appointment_not_empty"),
            models.CheckConstraint(condition=Q(status__in=AppointmentStatus.values), name="appointment_status_known"),
            models.CheckConstraint(
                condition=Q(session=None) | Q(maintenance=None), name="appointment_for_session_or_maintenance"
            ),
            models.CheckConstraint(
                condition=Q(status="cancelled") & ~Q(cancel_reason="") | ~Q(status="cancelled") & Q(cancel_reason=""),
                name="appointment_cancellation_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(outside_window_reason="", outside_window_by=None)
                | ~Q(outside_window_reason="") & Q(outside_window_by__isnull=False),
                name="appointment_window_override_recorded",
            ),
            models.UniqueConstraint(
                fields=["session"], condition=Q(status__in=LIVE), name="appointment_one_live_a_session"
            ),
            models.UniqueConstraint(
                fields=["maintenance"], condition=Q(status__in=LIVE), name="appointment_one_live_a_cycle"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class Claim(models.Model):
    """One resource, taken for one stretch of time. Written only by clinic.services.booking.

    A claim exists only while the time is taken, so that the constraint needs no condition. Start and end are columns,
    not one range, so that the busy time of a horizon is an index-only scan, in order.
    """

    appointment = models.ForeignKey(Appointment, models.CASCADE, related_name="claims")
    resource = models.ForeignKey(Resource, models.PROTECT, related_name="claims")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        triggers = [notes_freed("resource_id")]
        indexes = [models.Index(fields=["resource", "starts_at"], include=["ends_at"], name="claim_busy_time")]
        constraints = [
            no_overlap(name="claim_no_overlap", of="resource", message=_("This time has just been taken.")),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="claim_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.resource_id} {self.starts_at:%Y-%m-%d %H:%M}–{self.ends_at:%H:%M}"


class BookingRequest(models.Model):
    """One press of a button. The same press sent again gets the first answer, and books nothing twice."""

    key = models.UUIDField(primary_key=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    appointments = models.JSONField(default=list, help_text=_("What it booked."))

    class Meta:
        verbose_name = _("booking request")
        verbose_name_plural = _("booking requests")

    def __str__(self) -> str:
        return str(self.key)
