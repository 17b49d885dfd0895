"""What the desk did about what needs a person, and who is at it just now."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.models.diary import Appointment
from clinic.models.links import CallRequest
from clinic.models.outbox import Message
from patients.models import Patient
from treatments.models import Maintenance, Session

SUBJECTS = ["session", "maintenance", "appointment", "message", "call"]


class Outcome(models.TextChoices):
    REACHED = "reached", _("reached")
    NO_ANSWER = "no_answer", _("no answer")
    CALL_BACK = "call_back", _("call back")
    SNOOZED = "snoozed", _("left until later")
    DECLINED = "declined", _("declined")
    RETRIED = "retried", _("sent again")
    SETTLED = "settled", _("settled by hand")
    SEEN = "seen", _("seen")
    REOPENED = "reopened", _("opened again")


def _about_one_thing() -> Q:
    """Exactly one of the subjects is named."""
    condition = Q()
    for subject in SUBJECTS:
        condition |= Q(**{f"{other}__isnull": other != subject for other in SUBJECTS})
    return condition


class WorklistNoteQuerySet(models.QuerySet["WorklistNote"]):
    def resting(self, cycles: Iterable[int], *, now: datetime) -> dict[int, datetime]:
        """Until when no reminder of these cycles is sent, where a call about one was noted; one query.

        A call that the patient asked for is about the cycle of the reminder they had.
        """
        in_force = self.filter(hidden_until__gt=now).order_by()
        about = in_force.filter(maintenance__in=cycles).values_list("maintenance", "hidden_until")
        asked_for = in_force.filter(call__message__maintenance__in=cycles)
        until: dict[int, datetime] = {}
        for cycle, moment in about.union(asked_for.values_list("call__message__maintenance", "hidden_until"), all=True):
            until[cycle] = max(moment, until.get(cycle, moment))
        return until


class WorklistNote(models.Model):
    """One thing that somebody did about a row: a call and its outcome, a snooze, a decision. Never changed.

    Until `hidden_until` the row is not shown, and no reminder of the same subject is sent.
    """

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="worklist_notes")
    session = models.ForeignKey(Session, models.PROTECT, null=True, blank=True, related_name="+")
    maintenance = models.ForeignKey(Maintenance, models.PROTECT, null=True, blank=True, related_name="+")
    appointment = models.ForeignKey(Appointment, models.PROTECT, null=True, blank=True, related_name="+")
    message = models.ForeignKey(Message, models.PROTECT, null=True, blank=True, related_name="+")
    call = models.ForeignKey(CallRequest, models.PROTECT, null=True, blank=True, related_name="+")
    outcome = models.CharField(max_length=10, choices=Outcome)
    text = models.CharField(max_length=200, blank=True)
    hidden_until = models.DateTimeField(null=True, blank=True)
    noted_at = models.DateTimeField()
    noted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    objects = WorklistNoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("worklist note")
        verbose_name_plural = _("worklist notes")
        indexes = [models.Index(fields=["patient", "-noted_at"], name="worklist_note_by_patient")]
        constraints = [
            models.CheckConstraint(condition=_about_one_thing(), name="worklist_note_about_one_thing"),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="worklist_note_outcome_known"),
            models.CheckConstraint(
                condition=~Q(outcome__in=[Outcome.CALL_BACK, Outcome.SNOOZED]) | Q(hidden_until__isnull=False),
                name="worklist_note_later_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class WorklistHold(models.Model):
    """Somebody is at a row just now, so that two people do not call the same patient. It ends by itself."""

    row = models.CharField(max_length=40, primary_key=True, help_text=_("The kind of the subject and its key."))
    held_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    until = models.DateTimeField()

    class Meta:
        verbose_name = _("worklist hold")
        verbose_name_plural = _("worklist holds")

    def __str__(self) -> str:
        return self.row
