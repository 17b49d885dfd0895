"""What is to be said to patients, and its life."""

import uuid
from datetime import UTC, datetime

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from clinic.models.diary import Appointment
from patients.models import Channel, Patient, Purpose
from treatments.models import Maintenance, Series


class StepSubject(models.TextChoices):
    MAINTENANCE = "maintenance", _("maintenance")
    APPOINTMENT = "appointment", _("appointment")
    PRE_CARE = "pre_care", _("care before a visit")
    AFTERCARE = "aftercare", _("care after a visit")
    RESULT = "result", _("final result")


class StepChannel(models.TextChoices):
    PREFERRED = "preferred", _("as the patient prefers")
    EMAIL = "email", _("e-mail")
    SMS = "sms", _("text message")


MOST_MAINTENANCE_STEPS = 3

# Two at once, each seeing two steps, would make four: so one waits for the other.
THREE_AT_MOST = f"""
IF NEW.subject = 'maintenance' AND NEW.active THEN
    PERFORM pg_advisory_xact_lock({0x636F75727367});
    IF (
        SELECT count(DISTINCT step.offset_days)
        FROM (
            SELECT offset_days FROM clinic_reminderstep
            WHERE subject = 'maintenance' AND active AND id <> NEW.id
            UNION ALL SELECT NEW.offset_days
        ) AS step
    ) > {MOST_MAINTENANCE_STEPS} THEN
        RAISE EXCEPTION 'Maintenance is reminded of {MOST_MAINTENANCE_STEPS} times at most.'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'reminder_step_three_of_maintenance';
    END IF;
END IF;
RETURN NEW;
"""  # noqa: S608 - numbers of this file


@pgtrigger.register(
    pgtrigger.Trigger(
        name="three_of_maintenance",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update,
        func=THREE_AT_MOST,
    )
)
class ReminderStep(models.Model):
    """One rung of the ladder: remind so many days before or after.

    Maintenance is counted from the day its window opens, appointments from the day they start; care before a visit from
    the day on which the first of it begins, care after it from the visit's end; the final result from its day.
    """

    subject = models.CharField(_("about"), max_length=12, choices=StepSubject)
    offset_days = models.SmallIntegerField(_("days"), help_text=_("Negative: before; 0: on the day; positive: after."))
    channel = models.CharField(_("channel"), max_length=10, choices=StepChannel, default=StepChannel.PREFERRED)
    stale_after_days = models.PositiveSmallIntegerField(
        _("too late after (days)"),
        null=True,
        blank=True,
        help_text=_(
            "Not sent once it is this late, as after an outage. Care before a visit never is, until the visit."
        ),
    )
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("reminder step")
        verbose_name_plural = _("reminder steps")
        ordering = ["subject", "offset_days", "channel"]
        constraints = [
            models.CheckConstraint(condition=Q(subject__in=StepSubject.values), name="reminder_step_subject_known"),
            models.CheckConstraint(condition=Q(channel__in=StepChannel.values), name="reminder_step_channel_known"),
            models.UniqueConstraint(fields=["subject", "offset_days", "channel"], name="reminder_step_once"),
            models.CheckConstraint(
                condition=~Q(subject="appointment") | Q(offset_days__lt=0), name="reminder_step_before_the_visit"
            ),
            models.CheckConstraint(
                condition=~Q(subject="pre_care") | Q(offset_days__lte=0), name="reminder_step_before_care_begins"
            ),
            models.CheckConstraint(
                condition=~Q(subject="aftercare") | Q(offset_days__gte=0), name="reminder_step_after_the_visit"
            ),
            models.CheckConstraint(
                condition=Q(subject="pre_care", stale_after_days=None)
                | ~Q(subject="pre_care") & Q(stale_after_days__isnull=False),
                name="reminder_step_says_when_it_is_too_late",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_subject_display()} {self.offset_days:+d} d, {self.get_channel_display()}"


class MessageKind(models.TextChoices):
    CONFIRMATION = "confirmation", _("confirmation")
    CHANGE = "change", _("change")
    CANCELLATION = "cancellation", _("cancellation")
    APPOINTMENT_REMINDER = "visit_reminder", _("reminder of a visit")
    MAINTENANCE_REMINDER = "maintenance", _("maintenance is due")
    FRESH_LINK = "fresh_link", _("a fresh link")
    PRE_CARE = "pre_care", _("care before a visit")
    AFTERCARE = "aftercare", _("care after a visit")
    RESULT = "result", _("final result")
    EARLIER = "earlier", _("an earlier time is free")


# What the clinic sends of its own accord, and what a patient gets one of a day at most. The other kinds answer
# something that happened, and somebody waits for them; or, as care after a visit, are of use at their hour alone.
REMINDERS = [
    MessageKind.APPOINTMENT_REMINDER,
    MessageKind.MAINTENANCE_REMINDER,
    MessageKind.PRE_CARE,
    MessageKind.RESULT,
]
# What may tell in one mail what is to be done before the visit it speaks of.
TELL_OF_VISITS = [MessageKind.CONFIRMATION, MessageKind.CHANGE]
# What somebody has to call about where it cannot be written.
TO_BE_KNOWN = [*TELL_OF_VISITS, MessageKind.CANCELLATION]
CARE = [MessageKind.PRE_CARE, MessageKind.AFTERCARE]


class MessageState(models.TextChoices):
    PENDING = "pending", _("waiting")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown")
    DROPPED = "dropped", _("not sent")


class Message(models.Model):
    """One thing to be said to one patient, once.

    `about` what: an appointment, a maintenance cycle, or a series as a whole; `counts_from` is the start or due date
    that it speaks of, so that a moved visit is spoken of anew and nothing twice.
    """

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="messages")
    kind = models.CharField(max_length=16, choices=MessageKind)
    purpose = models.CharField(max_length=10, choices=Purpose)
    channel = models.CharField(max_length=10, choices=Channel)
    step = models.ForeignKey(ReminderStep, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    appointment = models.ForeignKey(Appointment, models.PROTECT, null=True, blank=True, related_name="messages")
    maintenance = models.ForeignKey(Maintenance, models.PROTECT, null=True, blank=True, related_name="messages")
    series = models.ForeignKey(Series, models.PROTECT, null=True, blank=True, related_name="messages")
    counts_from = models.CharField(max_length=40, help_text=_("The date, instant or request it speaks of."))
    owed_at = models.DateTimeField()
    not_before = models.DateTimeField(help_text=_("Not sent before; moves with quiet hours and retries."))
    not_after = models.DateTimeField(help_text=_("Not sent once this has passed."))
    state = models.CharField(max_length=10, choices=MessageState, default=MessageState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    handed_over = models.PositiveSmallIntegerField(
        default=0,
        help_text=_("How often the provider was given it and did not refuse: so often it may have arrived."),
    )
    put_off_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("When the mail server first would not take it, or it was held because the server takes nothing."),
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    token = models.UUIDField(null=True, blank=True, help_text=_("Of the process that is sending it."))
    message_id = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, help_text=_("Message-ID, or the provider's idempotency key.")
    )
    settled_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the provider said that it had arrived; many never say.")
    )
    reason = models.CharField(max_length=200, blank=True, help_text=_("Why it was dropped, or what the provider said."))
    missed = models.BooleanField(
        db_default=False,
        help_text=_("Dropped only because no hour was left at which it might go: somebody may want to call."),
    )
    said_with = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="says_too",
        help_text=_("The message that says this too, so that the patient gets one and not several."),
    )

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(fields=["not_before", "id"], name="message_pending", condition=Q(state="pending")),
            # Not on lease_until: a lease is renewed for each message, and an index on it would be written each time.
            models.Index(fields=["id"], name="message_being_sent", condition=Q(state="sending")),
            # What operators look at: what became of the last hours.
            models.Index(fields=["settled_at"], name="message_settled", condition=Q(settled_at__isnull=False)),
            models.Index(fields=["patient", "-owed_at"], name="message_by_patient"),
            # What a step has said already, of the days among which it looks.
            models.Index(fields=["step", "counts_from"], name="message_by_step", condition=Q(step__isnull=False)),
            models.Index(
                fields=["settled_at", "id"], name="message_in_trouble", condition=Q(state__in=["failed", "unknown"])
            ),
            models.Index(fields=["settled_at", "id"], name="message_missed", condition=Q(missed=True)),
        ]
        constraints = [
            models.UniqueConstraint(
                # Whichever way it went: a step of its own channel is another step.
                fields=["kind", "step", "appointment", "maintenance", "series", "counts_from"],
                nulls_distinct=False,
                name="message_said_once",
            ),
            models.CheckConstraint(condition=Q(kind__in=MessageKind.values), name="message_kind_known"),
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="message_purpose_known"),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="message_channel_known"),
            models.CheckConstraint(condition=Q(not_before__lte=F("not_after")), name="message_times_in_order"),
            # By e-mail a second time under the same Message-ID; a text message is never sent again blindly.
            models.CheckConstraint(
                condition=Q(handed_over__lte=1) | Q(channel="email", handed_over=2),
                name="message_handed_over_at_most_twice",
            ),
            models.CheckConstraint(
                condition=Q(state="sending", token__isnull=False, lease_until__isnull=False)
                | ~Q(state="sending") & Q(token=None, lease_until=None),
                name="message_lease_while_sending",
            ),
            # Also that the state is one of these.
            models.CheckConstraint(
                condition=Q(state__in=["pending", "sending"], settled_at=None)
                | Q(state__in=["sent", "failed", "unknown", "dropped"], settled_at__isnull=False),
                name="message_settling_dated",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["failed", "dropped"]) | ~Q(reason=""), name="message_refusal_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(state="sent"), name="message_arrived_only_if_it_was_sent"
            ),
            models.CheckConstraint(condition=Q(missed=False) | Q(state="dropped"), name="message_missed_is_not_sent"),
            models.CheckConstraint(
                condition=Q(said_with=None) | Q(state="dropped"), name="message_said_with_another_is_not_sent_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


def said_of(start: datetime) -> str:
    """A visit's start as `counts_from` has it; the statement that owes reminders writes the same."""
    return start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def edition_of(appointment: Appointment) -> str:
    """The visit as it stands: moved away and back again, it is another edition of the same start."""
    return f"{said_of(appointment.starts_at)} #{appointment.sequence}"


def attendance_of(appointment: Appointment) -> str:
    """The visit as it was attended: taken back and attended again, it is another edition of the same end."""
    return f"{said_of(appointment.ends_at)} #{appointment.sequence}"


class Sending(models.Model):
    """How the sending stands. There is one row."""

    beat_at = models.DateTimeField(null=True, blank=True, help_text=_("When the clock last asked for what is due."))
    trouble_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When something of what is due could last not be owed; see the log.")
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    mails_held_since = models.DateTimeField(
        null=True, blank=True, help_text=_("Since when the mail server has taken nothing.")
    )
    mails_ask_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When one mail goes to ask whether it takes something again.")
    )

    class Meta:
        verbose_name = _("sending")
        verbose_name_plural = _("sending")
        permissions = [("operate_sending", _("Can see how sending stands, and pause it"))]
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="sending_is_one_row"),
            models.CheckConstraint(
                condition=Q(paused_at=None, paused_by=None) | Q(paused_at__isnull=False, paused_by__isnull=False),
                name="sending_pause_recorded",
            ),
            models.CheckConstraint(
                condition=Q(mails_held_since=None, mails_ask_at=None)
                | Q(mails_held_since__isnull=False, mails_ask_at__isnull=False),
                name="sending_held_mails_ask",
            ),
        ]

    def __str__(self) -> str:
        return "paused" if self.paused_at else "running"

    @classmethod
    def is_paused(cls) -> bool:
        return cls.objects.filter(paused_at__isnull=False).exists()


class MessageTemplate(models.Model):
    """The clinic's own words for one kind of message; without it the words that come with the program are used."""

    kind = models.CharField(_("kind"), max_length=16, choices=MessageKind)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.EMAIL)
    language = models.CharField(
        _("language"), max_length=10, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE
    )
    subject = models.CharField(
        _("subject"), max_length=120, blank=True, help_text=_("Of an e-mail. Empty for a text message.")
    )
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("message text")
        verbose_name_plural = _("message texts")
        ordering = ["kind", "channel", "language"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "channel", "language"], name="message_template_once"),
            models.CheckConstraint(condition=Q(kind__in=MessageKind.values), name="message_template_kind_known"),
            models.CheckConstraint(
                condition=Q(channel="email") & ~Q(subject="") | Q(channel="sms", subject=""),
                name="message_template_subject_for_mail_alone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.get_channel_display()}, {self.language}"
