"""The calendar that a patient's phone fetches by itself."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from patients.models import Patient


class CalendarFeed(models.Model):
    """One patient's private calendar. Its address is a secret, kept only as a hash: whoever has it reads the calendar.

    A new address makes the old one worthless.
    """

    patient = models.OneToOneField(Patient, models.PROTECT, related_name="calendar_feed")
    digest = models.CharField(max_length=64, unique=True, help_text=_("A hash of the secret in the address."))
    names_treatment = models.BooleanField(
        default=False, help_text=_("The patient wants to see the treatment in the titles.")
    )
    address_made_at = models.DateTimeField()

    class Meta:
        verbose_name = _("calendar feed")
        verbose_name_plural = _("calendar feeds")
        constraints = [
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="calendar_feed_keeps_no_secret"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
