"""Who is treated, how to reach them, what they agreed to."""

import pghistory
import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Concat, Lower
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField
from timezone_field import TimeZoneField


class Fold(models.Func):
    """Text as the search compares it: lower case, without accents. The function is made by the first migration."""

    function = "patients_fold"
    output_field = models.TextField()


class PatientQuerySet(models.QuerySet["Patient"]):
    def current(self) -> "PatientQuerySet":
        """Patients that were not merged into another."""
        return self.filter(merged_into=None)


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), exclude=["name_folded"])
class Patient(models.Model):
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="patient",
        verbose_name=_("account"),
        help_text=_("Empty: the patient does not sign in."),
    )
    given_name = models.CharField(_("given name"), max_length=100)
    family_name = models.CharField(_("family name"), max_length=100, blank=True)
    date_of_birth = models.DateField(_("date of birth"), null=True, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = PhoneNumberField(_("phone"), blank=True)
    language = models.CharField(
        _("language"), max_length=10, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE
    )
    first_channel = models.CharField(
        _("messages first by"),
        max_length=10,
        choices=[("email", _("e-mail")), ("sms", _("text message"))],
        default="email",
        help_text=_("By the other one where this is not possible."),
    )
    time_zone = TimeZoneField(
        _("time zone"), null=True, blank=True, help_text=_("Empty: the same as the clinic's site.")
    )
    notes = models.TextField(_("notes"), blank=True)
    reference = models.CharField(
        _("reference"), max_length=60, blank=True, help_text=_("What the former system called this patient.")
    )
    registered_at = models.DateTimeField(_("registered at"))
    registered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")
    merged_at = models.DateTimeField(null=True, blank=True)
    merged_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    name_folded = models.GeneratedField(
        expression=Fold(Concat("given_name", models.Value(" "), "family_name")),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects = PatientQuerySet.as_manager()

    class Meta:
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        permissions = [("merge_patient", _("Can merge two records of one patient"))]
        triggers = [
            pgtrigger.Trigger(
                name="merged_into_a_current_one",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                condition=pgtrigger.Q(new__merged_into__isnull=False),
                declare=[("target", "BIGINT")],
                # Shared with nobody who is merging the other just now.
                func="""
                    SELECT merged_into_id INTO target FROM patients_patient WHERE id = NEW.merged_into_id FOR SHARE;
                    IF target IS NOT NULL OR EXISTS (SELECT FROM patients_patient WHERE merged_into_id = NEW.id) THEN
                        RAISE EXCEPTION 'A patient is merged into a current one, and none is merged into it.'
                            USING ERRCODE = 'check_violation', CONSTRAINT = 'patient_merged_in_one_step';
                    END IF;
                    RETURN NEW;
                """,
            )
        ]
        indexes = [
            GinIndex(OpClass("name_folded", name="gin_trgm_ops"), name="patient_name_trigram"),
            # Any part of a number is found, so that its notation does not matter.
            GinIndex(OpClass("phone", name="gin_trgm_ops"), name="patient_phone"),
            # The operator class makes "begins with" use the index whatever the database's collation.
            models.Index(
                OpClass(Lower("email"), name="text_pattern_ops"), name="patient_email", condition=~Q(email="")
            ),
            models.Index("date_of_birth", name="patient_born"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(merged_into=models.F("pk")) | Q(merged_into=None), name="patient_not_merged_into_itself"
            ),
            models.CheckConstraint(
                condition=Q(merged_into=None, merged_at=None, merged_by=None)
                | Q(merged_into__isnull=False, merged_at__isnull=False, merged_by__isnull=False),
                name="patient_merge_recorded",
            ),
            models.CheckConstraint(condition=~Q(given_name=""), name="patient_has_a_name"),
            models.CheckConstraint(condition=Q(first_channel__in=["email", "sms"]), name="patient_channel_known"),
            models.UniqueConstraint(fields=["reference"], condition=~Q(reference=""), name="patient_reference_once"),
        ]

    def __str__(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()


class Purpose(models.TextChoices):
    SERVICE = "service", _("about booked visits")
    RECALL = "recall", _("when maintenance is due")
    MARKETING = "marketing", _("news and offers")


class Channel(models.TextChoices):
    EMAIL = "email", _("e-mail")
    SMS = "sms", _("text message")


class ConsentQuerySet(models.QuerySet["Consent"]):
    def in_force(self) -> "ConsentQuerySet":
        """The latest word of each patient, for each purpose and channel."""
        return self.order_by("patient_id", "purpose", "channel", "-given_at", "-pk").distinct(
            "patient_id", "purpose", "channel"
        )


@pgtrigger.register(pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete))
class Consent(models.Model):
    """What a patient said yes or no to. Never changed: a new word is a new row, and the latest counts."""

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="consents")
    purpose = models.CharField(max_length=10, choices=Purpose)
    channel = models.CharField(max_length=10, choices=Channel)
    granted = models.BooleanField()
    wording = models.TextField(help_text=_("The sentence that the patient said yes or no to."))
    source = models.CharField(max_length=40, help_text=_("Where it was said: desk, portal, link in a message, import."))
    given_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    objects = ConsentQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [
            models.Index(fields=["patient", "purpose", "channel", "-given_at", "-id"], name="consent_latest"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="consent_purpose_known"),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="consent_channel_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}, {self.get_channel_display()}: {'yes' if self.granted else 'no'}"


@pgtrigger.register(pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete))
class RecordView(models.Model):
    """One look at a patient's record by somebody of the clinic. Never changed.

    A row of its own and not an event of the patient's history, which would copy all of the record each time.
    """

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="views")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField(_("at"))
    page = models.CharField(_("page"), max_length=60, help_text=_("The name of the page, as the program calls it."))

    class Meta:
        verbose_name = _("look at a record")
        verbose_name_plural = _("looks at records")
        indexes = [models.Index(fields=["patient", "-at"], name="record_view_by_patient")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.page}"
