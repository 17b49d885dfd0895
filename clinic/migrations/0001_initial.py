import uuid

import django.contrib.postgres.constraints
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import timezone_field.fields
from django.conf import settings
from django.db import migrations, models

import clinic.models.diary


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "__first__"),
        ("patients", "0001_initial"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("treatments", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="BookingRequest",
            fields=[
                ("key", models.UUIDField(primary_key=True, serialize=False)),
                ("requested_at", models.DateTimeField()),
                ("appointments", models.JSONField(default=list, help_text="What it booked.")),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "booking request",
                "verbose_name_plural": "booking requests",
            },
        ),
        migrations.CreateModel(
            name="CalendarFeed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "digest",
                    models.CharField(help_text="A hash of the secret in the address.", max_length=64, unique=True),
                ),
                (
                    "names_treatment",
                    models.BooleanField(
                        default=False, help_text="The patient wants to see the treatment in the titles."
                    ),
                ),
                ("address_made_at", models.DateTimeField()),
                (
                    "patient",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="calendar_feed", to="patients.patient"
                    ),
                ),
            ],
            options={
                "verbose_name": "calendar feed",
                "verbose_name_plural": "calendar feeds",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("digest__regex", "^[0-9a-f]{64}$")), name="calendar_feed_keeps_no_secret"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MessageTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("confirmation", "confirmation"),
                            ("change", "change"),
                            ("cancellation", "cancellation"),
                            ("visit_reminder", "reminder of a visit"),
                            ("maintenance", "maintenance is due"),
                            ("fresh_link", "a fresh link"),
                        ],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[("email", "e-mail"), ("sms", "text message")],
                        default="email",
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        choices=[("en-gb", "English"), ("de", "German")],
                        default="en-gb",
                        max_length=10,
                        verbose_name="language",
                    ),
                ),
                (
                    "subject",
                    models.CharField(
                        blank=True,
                        help_text="Of an e-mail. Empty for a text message.",
                        max_length=120,
                        verbose_name="subject",
                    ),
                ),
                ("text", models.TextField(verbose_name="text")),
            ],
            options={
                "verbose_name": "message text",
                "verbose_name_plural": "message texts",
                "ordering": ["kind", "channel", "language"],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "channel", "language"), name="message_template_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "confirmation",
                                    "change",
                                    "cancellation",
                                    "visit_reminder",
                                    "maintenance",
                                    "fresh_link",
                                ],
                            )
                        ),
                        name="message_template_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("channel", "email"), models.Q(("subject", ""), _negated=True)),
                            models.Q(("channel", "sms"), ("subject", "")),
                            _connector="OR",
                        ),
                        name="message_template_subject_for_mail_alone",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReminderStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "subject",
                    models.CharField(
                        choices=[("maintenance", "maintenance"), ("appointment", "appointment")],
                        max_length=12,
                        verbose_name="about",
                    ),
                ),
                (
                    "offset_days",
                    models.SmallIntegerField(
                        help_text="Negative: before; 0: on the day; positive: after.", verbose_name="days"
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[("email", "e-mail"), ("sms", "text message")],
                        default="email",
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                (
                    "stale_after_days",
                    models.PositiveSmallIntegerField(
                        help_text="Not sent once it is this late, as after an outage.",
                        verbose_name="too late after (days)",
                    ),
                ),
                ("active", models.BooleanField(default=True, verbose_name="active")),
            ],
            options={
                "verbose_name": "reminder step",
                "verbose_name_plural": "reminder steps",
                "ordering": ["subject", "offset_days", "channel"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("subject__in", ["maintenance", "appointment"])),
                        name="reminder_step_subject_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("channel__in", ["email", "sms"])), name="reminder_step_channel_known"
                    ),
                    models.UniqueConstraint(fields=("subject", "offset_days", "channel"), name="reminder_step_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("subject", "appointment"), _negated=True), ("offset_days__lt", 0), _connector="OR"
                        ),
                        name="reminder_step_before_the_visit",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScreeningAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("question", models.CharField(max_length=300)),
                (
                    "effect",
                    models.CharField(
                        choices=[
                            ("stop", "Stops the visit"),
                            ("ask", "Ask the clinician"),
                            ("inform", "For information"),
                        ],
                        help_text="What a yes means for the visit.",
                        max_length=10,
                    ),
                ),
                ("yes", models.BooleanField()),
                ("note", models.CharField(blank=True, max_length=300)),
                ("answered_on", models.DateField(help_text="Local date of the site.")),
                (
                    "good_until",
                    models.DateField(blank=True, help_text="The last visit day it is good for; empty: any.", null=True),
                ),
                ("answered_at", models.DateTimeField()),
                (
                    "answered_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="screening_answers",
                        to="treatments.series",
                    ),
                ),
            ],
            options={
                "verbose_name": "answer before a visit",
                "verbose_name_plural": "answers before visits",
                "indexes": [
                    models.Index(fields=["series", "question", "-answered_at", "-id"], name="screening_answer_latest")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("effect__in", ["stop", "ask", "inform"])),
                        name="screening_answer_effect_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("question", ""), _negated=True), name="screening_answer_to_a_question"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("good_until", None), ("good_until__gte", models.F("answered_on")), _connector="OR"
                        ),
                        name="screening_answer_good_from_its_day",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Sending",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "beat_at",
                    models.DateTimeField(blank=True, help_text="When the clock last asked for what is due.", null=True),
                ),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                (
                    "paused_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "sending",
                "verbose_name_plural": "sending",
                "permissions": [("operate_sending", "Can see how sending stands, and pause it")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="sending_is_one_row"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("paused_at", None), ("paused_by", None)),
                            models.Q(("paused_at__isnull", False), ("paused_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="sending_pause_recorded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Site",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                (
                    "short_name",
                    models.CharField(
                        help_text="As it stands in text messages.", max_length=20, verbose_name="short name"
                    ),
                ),
                ("time_zone", timezone_field.fields.TimeZoneField(verbose_name="time zone")),
                (
                    "country",
                    models.CharField(
                        blank=True, help_text="ISO 3166 code, for holidays.", max_length=2, verbose_name="country"
                    ),
                ),
                ("address", models.TextField(blank=True, verbose_name="address")),
                ("phone", models.CharField(blank=True, max_length=40, verbose_name="phone")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                (
                    "change_cut_off_hours",
                    models.PositiveSmallIntegerField(
                        default=24,
                        help_text="Later than this before the visit, patients call instead of moving or cancelling it themselves.",
                        verbose_name="changes by patients until (hours before)",
                    ),
                ),
                ("active", models.BooleanField(default=True, verbose_name="active")),
            ],
            options={
                "verbose_name": "site",
                "verbose_name_plural": "sites",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="WorklistHold",
            fields=[
                (
                    "row",
                    models.CharField(
                        help_text="The kind of the subject and its key.",
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("until", models.DateTimeField()),
                (
                    "held_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "worklist hold",
                "verbose_name_plural": "worklist holds",
            },
        ),
        migrations.CreateModel(
            name="Closure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="to")),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="closures", to="clinic.site"
                    ),
                ),
            ],
            options={
                "verbose_name": "closure",
                "verbose_name_plural": "closures",
                "indexes": [models.Index(fields=["site", "ends_at"], name="closure_by_site")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("starts_at__lt", models.F("ends_at"))), name="closure_not_empty"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OpeningHours",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ],
                        verbose_name="weekday",
                    ),
                ),
                ("opens", models.TimeField(verbose_name="opens")),
                ("closes", models.TimeField(verbose_name="closes")),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="opening_hours", to="clinic.site"
                    ),
                ),
            ],
            options={
                "verbose_name": "opening hours",
                "verbose_name_plural": "opening hours",
                "ordering": ["weekday", "opens"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("opens__lt", models.F("closes"))), name="opening_hours_not_empty"
                    ),
                    models.CheckConstraint(condition=models.Q(("weekday__lte", 6)), name="opening_hours_weekday_known"),
                    models.UniqueConstraint(fields=("site", "weekday", "opens"), name="opening_hours_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Resource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("practitioner", "practitioner"), ("room", "room"), ("device", "device")],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("active", models.BooleanField(default=True, verbose_name="active")),
                (
                    "device_kind",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="devices",
                        to="treatments.devicekind",
                        verbose_name="kind of device",
                    ),
                ),
                (
                    "treatments",
                    models.ManyToManyField(
                        blank=True,
                        help_text="What this practitioner may give.",
                        related_name="practitioners",
                        to="treatments.treatment",
                        verbose_name="treatments",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resource",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="account",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resources",
                        to="clinic.site",
                        verbose_name="site",
                    ),
                ),
            ],
            options={
                "verbose_name": "resource",
                "verbose_name_plural": "resources",
                "ordering": ["name", "pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["practitioner", "room", "device"])), name="resource_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("device_kind__isnull", False), ("kind", "device")),
                            models.Q(models.Q(("kind", "device"), _negated=True), ("device_kind", None)),
                            _connector="OR",
                        ),
                        name="resource_device_kind_for_devices_only",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind", "practitioner"), ("user", None), _connector="OR"),
                        name="resource_account_for_practitioners_only",
                    ),
                    models.UniqueConstraint(fields=("site", "kind", "name"), name="resource_name_once_a_site"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Absence",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="to")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="absences", to="clinic.resource"
                    ),
                ),
            ],
            options={
                "verbose_name": "absence",
                "verbose_name_plural": "absences",
                "indexes": [models.Index(fields=["resource", "ends_at"], name="absence_by_resource")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("starts_at__lt", models.F("ends_at"))), name="absence_not_empty"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WorkingHours",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ],
                        verbose_name="weekday",
                    ),
                ),
                ("starts", models.TimeField(verbose_name="starts")),
                ("ends", models.TimeField(verbose_name="ends")),
                (
                    "valid_from",
                    models.DateField(blank=True, help_text="Empty: always was.", null=True, verbose_name="from"),
                ),
                (
                    "valid_until",
                    models.DateField(
                        blank=True, help_text="Empty: until further notice.", null=True, verbose_name="until"
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="working_hours", to="clinic.resource"
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clinic.site"),
                ),
            ],
            options={
                "verbose_name": "working hours",
                "verbose_name_plural": "working hours",
                "ordering": ["weekday", "starts"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("starts__lt", models.F("ends"))), name="working_hours_not_empty"
                    ),
                    models.CheckConstraint(condition=models.Q(("weekday__lte", 6)), name="working_hours_weekday_known"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from", None),
                            ("valid_until", None),
                            ("valid_from__lte", models.F("valid_until")),
                            _connector="OR",
                        ),
                        name="working_hours_validity_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Appointment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("phases", models.JSONField(default=list)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("booked", "booked"),
                            ("arrived", "arrived"),
                            ("fulfilled", "attended"),
                            ("cancelled", "cancelled"),
                            ("no_show", "did not come"),
                        ],
                        default="booked",
                        max_length=10,
                    ),
                ),
                (
                    "status_at",
                    models.DateTimeField(help_text="Since when the status is what it is; earlier ones are history."),
                ),
                ("cancel_reason", models.CharField(blank=True, max_length=200)),
                ("booked_at", models.DateTimeField()),
                ("outside_window_reason", models.CharField(blank=True, max_length=200)),
                (
                    "uid",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, help_text="Of the calendar entry.", unique=True
                    ),
                ),
                (
                    "sequence",
                    models.PositiveIntegerField(default=0, help_text="Rises with each change of the calendar entry."),
                ),
                (
                    "booked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "maintenance",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="treatments.maintenance",
                    ),
                ),
                (
                    "outside_window_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="appointments", to="patients.patient"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="treatments.session",
                    ),
                ),
                (
                    "status_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "treatment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="treatments.treatment",
                    ),
                ),
                (
                    "practitioner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="visits",
                        to="clinic.resource",
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="clinic.resource",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="appointments", to="clinic.site"
                    ),
                ),
            ],
            options={
                "verbose_name": "appointment",
                "verbose_name_plural": "appointments",
                "permissions": [("override_window", "Can book a session outside its window")],
                "indexes": [
                    models.Index(fields=["site", "starts_at"], name="appointment_by_site"),
                    models.Index(fields=["patient", "starts_at"], name="appointment_by_patient"),
                    models.Index(
                        condition=models.Q(("status", "booked")), fields=["starts_at"], name="appointment_booked"
                    ),
                    models.Index(
                        condition=models.Q(("status__in", ["cancelled", "no_show"])),
                        fields=["status_at", "id"],
                        name="appointment_ended",
                    ),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("status__in", ["booked", "arrived", "fulfilled"])),
                        expressions=[("patient", "="), (clinic.models.diary.Stretch(), "&&")],
                        name="appointment_patient_in_one_place",
                        violation_error_message="The patient already has a visit at this time.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("starts_at__lt", models.F("ends_at"))), name="appointment_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["booked", "arrived", "fulfilled", "cancelled", "no_show"])),
                        name="appointment_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("session", None), ("maintenance", None), _connector="OR"),
                        name="appointment_for_session_or_maintenance",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "cancelled"), models.Q(("cancel_reason", ""), _negated=True)),
                            models.Q(models.Q(("status", "cancelled"), _negated=True), ("cancel_reason", "")),
                            _connector="OR",
                        ),
                        name="appointment_cancellation_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outside_window_by", None), ("outside_window_reason", "")),
                            models.Q(
                                models.Q(("outside_window_reason", ""), _negated=True),
                                ("outside_window_by__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="appointment_window_override_recorded",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["booked", "arrived", "fulfilled"])),
                        fields=("session",),
                        name="appointment_one_live_a_session",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["booked", "arrived", "fulfilled"])),
                        fields=("maintenance",),
                        name="appointment_one_live_a_cycle",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AppointmentEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("phases", models.JSONField(default=list)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("booked", "booked"),
                            ("arrived", "arrived"),
                            ("fulfilled", "attended"),
                            ("cancelled", "cancelled"),
                            ("no_show", "did not come"),
                        ],
                        default="booked",
                        max_length=10,
                    ),
                ),
                (
                    "status_at",
                    models.DateTimeField(help_text="Since when the status is what it is; earlier ones are history."),
                ),
                ("cancel_reason", models.CharField(blank=True, max_length=200)),
                ("booked_at", models.DateTimeField()),
                ("outside_window_reason", models.CharField(blank=True, max_length=200)),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, help_text="Of the calendar entry.")),
                (
                    "sequence",
                    models.PositiveIntegerField(default=0, help_text="Rises with each change of the calendar entry."),
                ),
                (
                    "booked_by",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "maintenance",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.maintenance",
                    ),
                ),
                (
                    "outside_window_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="clinic.appointment",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.session",
                    ),
                ),
                (
                    "status_by",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "treatment",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.treatment",
                    ),
                ),
                (
                    "practitioner",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="clinic.resource",
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="clinic.resource",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="clinic.site",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Claim",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "appointment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="claims", to="clinic.appointment"
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="claims", to="clinic.resource"
                    ),
                ),
            ],
            options={
                "verbose_name": "claim",
                "verbose_name_plural": "claims",
                "indexes": [
                    models.Index(fields=["resource", "starts_at"], include=("ends_at",), name="claim_busy_time")
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[("resource", "="), (clinic.models.diary.Stretch(), "&&")],
                        name="claim_no_overlap",
                        violation_error_message="This time has just been taken.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("starts_at__lt", models.F("ends_at"))), name="claim_not_empty"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("confirmation", "confirmation"),
                            ("change", "change"),
                            ("cancellation", "cancellation"),
                            ("visit_reminder", "reminder of a visit"),
                            ("maintenance", "maintenance is due"),
                            ("fresh_link", "a fresh link"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("service", "about booked visits"),
                            ("recall", "when maintenance is due"),
                            ("marketing", "news and offers"),
                        ],
                        max_length=10,
                    ),
                ),
                ("channel", models.CharField(choices=[("email", "e-mail"), ("sms", "text message")], max_length=10)),
                (
                    "counts_from",
                    models.CharField(help_text="The date, instant or request it speaks of.", max_length=40),
                ),
                ("owed_at", models.DateTimeField()),
                ("not_before", models.DateTimeField(help_text="Not sent before; moves with quiet hours and retries.")),
                ("not_after", models.DateTimeField(help_text="Not sent once this has passed.")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "waiting"),
                            ("sending", "being sent"),
                            ("sent", "sent"),
                            ("failed", "failed"),
                            ("unknown", "unknown"),
                            ("dropped", "not sent"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "handed_over",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="How often the provider was given it and did not refuse: so often it may have arrived.",
                    ),
                ),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("token", models.UUIDField(blank=True, help_text="Of the process that is sending it.", null=True)),
                (
                    "message_id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        help_text="Message-ID, or the provider's idempotency key.",
                        unique=True,
                    ),
                ),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "reason",
                    models.CharField(
                        blank=True, help_text="Why it was dropped, or what the provider said.", max_length=200
                    ),
                ),
                (
                    "appointment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="clinic.appointment",
                    ),
                ),
                (
                    "maintenance",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="treatments.maintenance",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="messages", to="patients.patient"
                    ),
                ),
                (
                    "said_with",
                    models.ForeignKey(
                        blank=True,
                        help_text="The message that says this too, so that the patient gets one and not several.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="says_too",
                        to="clinic.message",
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="treatments.series",
                    ),
                ),
                (
                    "step",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="clinic.reminderstep",
                    ),
                ),
            ],
            options={
                "verbose_name": "message",
                "verbose_name_plural": "messages",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")), fields=["not_before", "id"], name="message_pending"
                    ),
                    models.Index(condition=models.Q(("state", "sending")), fields=["id"], name="message_being_sent"),
                    models.Index(
                        condition=models.Q(("settled_at__isnull", False)), fields=["settled_at"], name="message_settled"
                    ),
                    models.Index(fields=["patient", "-owed_at"], name="message_by_patient"),
                    models.Index(
                        condition=models.Q(("state__in", ["failed", "unknown"])),
                        fields=["settled_at", "id"],
                        name="message_in_trouble",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "step", "appointment", "maintenance", "series", "channel", "counts_from"),
                        name="message_said_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["pending", "sending", "sent", "failed", "unknown", "dropped"])
                        ),
                        name="message_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("not_before__lte", models.F("not_after"))), name="message_times_in_order"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("handed_over__lte", 1), models.Q(("channel", "email"), ("handed_over", 2)), _connector="OR"
                        ),
                        name="message_handed_over_at_most_twice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lease_until__isnull", False), ("state", "sending"), ("token__isnull", False)),
                            models.Q(
                                models.Q(("state", "sending"), _negated=True), ("lease_until", None), ("token", None)
                            ),
                            _connector="OR",
                        ),
                        name="message_lease_while_sending",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("settled_at", None), ("state__in", ["pending", "sending"])),
                            models.Q(
                                ("settled_at__isnull", False), ("state__in", ["sent", "failed", "unknown", "dropped"])
                            ),
                            _connector="OR",
                        ),
                        name="message_settling_dated",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["failed", "dropped"]), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="message_refusal_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("said_with", None), ("state", "dropped"), _connector="OR"),
                        name="message_said_with_another_is_not_sent_itself",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CallRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asked_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                (
                    "done_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="call_requests", to="patients.patient"
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        help_text="The reminder it came from.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="clinic.message",
                    ),
                ),
            ],
            options={
                "verbose_name": "request to call",
                "verbose_name_plural": "requests to call",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("done_at", None)), fields=("patient",), name="call_request_one_waiting"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("done_at", None), ("done_by", None)),
                            models.Q(("done_at__isnull", False), ("done_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="call_request_done_by_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReminderLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(help_text="A hash of the secret in the link.", max_length=64, unique=True)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="links", to="clinic.message"
                    ),
                ),
            ],
            options={
                "verbose_name": "link in a reminder",
                "verbose_name_plural": "links in reminders",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("made_at__lt", models.F("expires_at"))), name="reminder_link_expires"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("digest__regex", "^[0-9a-f]{64}$")), name="reminder_link_keeps_no_secret"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WorklistNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("reached", "reached"),
                            ("no_answer", "no answer"),
                            ("call_back", "call back"),
                            ("snoozed", "left until later"),
                            ("declined", "declined"),
                            ("retried", "sent again"),
                            ("settled", "settled by hand"),
                        ],
                        max_length=10,
                    ),
                ),
                ("text", models.CharField(blank=True, max_length=200)),
                ("hidden_until", models.DateTimeField(blank=True, null=True)),
                ("noted_at", models.DateTimeField()),
                (
                    "appointment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="clinic.appointment",
                    ),
                ),
                (
                    "maintenance",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treatments.maintenance",
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="clinic.message",
                    ),
                ),
                (
                    "noted_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="worklist_notes",
                        to="patients.patient",
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treatments.session",
                    ),
                ),
            ],
            options={
                "verbose_name": "worklist note",
                "verbose_name_plural": "worklist notes",
                "indexes": [models.Index(fields=["patient", "-noted_at"], name="worklist_note_by_patient")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("appointment__isnull", True),
                                ("maintenance__isnull", True),
                                ("message__isnull", True),
                                ("session__isnull", False),
                            ),
                            models.Q(
                                ("appointment__isnull", True),
                                ("maintenance__isnull", False),
                                ("message__isnull", True),
                                ("session__isnull", True),
                            ),
                            models.Q(
                                ("appointment__isnull", False),
                                ("maintenance__isnull", True),
                                ("message__isnull", True),
                                ("session__isnull", True),
                            ),
                            models.Q(
                                ("appointment__isnull", True),
                                ("maintenance__isnull", True),
                                ("message__isnull", False),
                                ("session__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="worklist_note_about_one_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "outcome__in",
                                ["reached", "no_answer", "call_back", "snoozed", "declined", "retried", "settled"],
                            )
                        ),
                        name="worklist_note_outcome_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outcome__in", ["call_back", "snoozed"]), _negated=True),
                            ("hidden_until__isnull", False),
                            _connector="OR",
                        ),
                        name="worklist_note_later_says_when",
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="screeninganswer",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="d88c982d92b8141990912fea8db564c56d3f9bfd",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_e069e",
                    table="clinic_screeninganswer",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="appointmentevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="08b03ca156561129d8661e4f6391d4aa0c561daf",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_e9f71",
                    table="clinic_appointmentevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="appointment",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "clinic_appointmentevent" ("booked_at", "booked_by_id", "cancel_reason", "ends_at", "id", "maintenance_id", "outside_window_by_id", "outside_window_reason", "patient_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phases", "practitioner_id", "room_id", "sequence", "session_id", "site_id", "starts_at", "status", "status_at", "status_by_id", "treatment_id", "uid") VALUES (NEW."booked_at", NEW."booked_by_id", NEW."cancel_reason", NEW."ends_at", NEW."id", NEW."maintenance_id", NEW."outside_window_by_id", NEW."outside_window_reason", NEW."patient_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."phases", NEW."practitioner_id", NEW."room_id", NEW."sequence", NEW."session_id", NEW."site_id", NEW."starts_at", NEW."status", NEW."status_at", NEW."status_by_id", NEW."treatment_id", NEW."uid"); RETURN NULL;',
                    hash="e4d62f124d31479e6bf0d02b7b69ba48d0d94f67",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_d5fac",
                    table="clinic_appointment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="appointment",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "clinic_appointmentevent" ("booked_at", "booked_by_id", "cancel_reason", "ends_at", "id", "maintenance_id", "outside_window_by_id", "outside_window_reason", "patient_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phases", "practitioner_id", "room_id", "sequence", "session_id", "site_id", "starts_at", "status", "status_at", "status_by_id", "treatment_id", "uid") VALUES (NEW."booked_at", NEW."booked_by_id", NEW."cancel_reason", NEW."ends_at", NEW."id", NEW."maintenance_id", NEW."outside_window_by_id", NEW."outside_window_reason", NEW."patient_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."phases", NEW."practitioner_id", NEW."room_id", NEW."sequence", NEW."session_id", NEW."site_id", NEW."starts_at", NEW."status", NEW."status_at", NEW."status_by_id", NEW."treatment_id", NEW."uid"); RETURN NULL;',
                    hash="ad9109d836b27ad7308e05cb282333fe55426b77",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_c4b6b",
                    table="clinic_appointment",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="appointment",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "clinic_appointmentevent" ("booked_at", "booked_by_id", "cancel_reason", "ends_at", "id", "maintenance_id", "outside_window_by_id", "outside_window_reason", "patient_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "phases", "practitioner_id", "room_id", "sequence", "session_id", "site_id", "starts_at", "status", "status_at", "status_by_id", "treatment_id", "uid") VALUES (OLD."booked_at", OLD."booked_by_id", OLD."cancel_reason", OLD."ends_at", OLD."id", OLD."maintenance_id", OLD."outside_window_by_id", OLD."outside_window_reason", OLD."patient_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."phases", OLD."practitioner_id", OLD."room_id", OLD."sequence", OLD."session_id", OLD."site_id", OLD."starts_at", OLD."status", OLD."status_at", OLD."status_by_id", OLD."treatment_id", OLD."uid"); RETURN NULL;',
                    hash="e1916205dffcfc24694c924e124e47c850a1a228",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_7761f",
                    table="clinic_appointment",
                    when="AFTER",
                ),
            ),
        ),
    ]
