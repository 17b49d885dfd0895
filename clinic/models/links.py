"""What the link in a reminder opens, and what was asked for through it."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from clinic.models.outbox import Message
from patients.models import Patient


class ReminderLink(models.Model):
    """The link in one message: it opens what that message speaks of, for that patient, until it expires.

    Seen any number of times; what it books is booked once, because a maintenance cycle is.
    """

    message = models.ForeignKey(Message, models.CASCADE, related_name="links")
    digest = models.CharField(max_length=64, unique=True, help_text=_("A hash of the secret in the link."))
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("link in a reminder")
        verbose_name_plural = _("links in reminders")
        constraints = [
            models.CheckConstraint(condition=Q(made_at__lt=F("expires_at")), name="reminder_link_expires"),
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="reminder_link_keeps_no_secret"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class CallRequestQuerySet(models.QuerySet["CallRequest"]):
    def waiting(self) -> "CallRequestQuerySet":
        """Nobody has called back yet; who asked first comes first."""
        return self.filter(done_at=None).order_by("asked_at", "pk")


class CallRequest(models.Model):
    """A patient asks the desk to call, instead of booking from the reminder; or answered a text message in words.

    `said` is what they wrote, for people to read: it stands in no log.
    """

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="call_requests")
    message = models.ForeignKey(
        Message,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("The message it came from; empty where there was none."),
    )
    said = models.TextField(blank=True, help_text=_("What the patient wrote, one answer a line."))
    asked_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    objects = CallRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request to call")
        verbose_name_plural = _("requests to call")
        constraints = [
            models.CheckConstraint(
                condition=Q(message__isnull=False) | ~Q(said=""), name="call_request_comes_from_something"
            ),
            models.UniqueConstraint(fields=["patient"], condition=Q(done_at=None), name="call_request_one_waiting"),
            models.CheckConstraint(
                condition=Q(done_at=None, done_by=None) | Q(done_at__isnull=False, done_by__isnull=False),
                name="call_request_done_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
