import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "__first__"),
        ("patients", "0001_initial"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="Concern",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True, verbose_name="name")),
            ],
            options={
                "verbose_name": "concern",
                "verbose_name_plural": "concerns",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="DeviceKind",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True, verbose_name="name")),
            ],
            options={
                "verbose_name": "kind of device",
                "verbose_name_plural": "kinds of device",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Treatment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True, verbose_name="name")),
                ("description", models.TextField(blank=True, verbose_name="description")),
                ("active", models.BooleanField(default=True, verbose_name="active")),
            ],
            options={
                "verbose_name": "treatment",
                "verbose_name_plural": "treatments",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="AddOn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True, verbose_name="name")),
                (
                    "extra_minutes",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Empty: nobody said that the visit takes longer.",
                        null=True,
                        verbose_name="extra minutes",
                    ),
                ),
                (
                    "device_kind",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treatments.devicekind",
                        verbose_name="kind of device",
                    ),
                ),
            ],
            options={
                "verbose_name": "add-on",
                "verbose_name_plural": "add-ons",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Protocol",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "session_kind",
                    models.CharField(
                        choices=[
                            ("fixed", "A fixed number"),
                            ("range", "From … to …"),
                            ("words", "In words only"),
                            ("open_ended", "Open-ended"),
                            ("unknown", "Not said"),
                        ],
                        default="unknown",
                        max_length=20,
                        verbose_name="number of sessions",
                    ),
                ),
                ("session_min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("session_max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                ("session_typical", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="typically")),
                ("session_text", models.CharField(blank=True, max_length=200, verbose_name="in words")),
                ("spacing_min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("spacing_ideal", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="ideally")),
                ("spacing_max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                (
                    "spacing_unit",
                    models.CharField(
                        blank=True,
                        choices=[("day", "days"), ("week", "weeks"), ("month", "calendar months")],
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "tolerance_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Earlier or later by so many days, where minimum and maximum are the same.",
                        null=True,
                        verbose_name="tolerance in days",
                    ),
                ),
                ("name", models.CharField(max_length=200, unique=True, verbose_name="name")),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("published", "Published"), ("retired", "Retired")],
                        default="draft",
                        max_length=20,
                        verbose_name="status",
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1, editable=False, verbose_name="version")),
                (
                    "anaesthesia",
                    models.CharField(
                        blank=True,
                        choices=[("none", "None"), ("topical", "Topical"), ("regional", "Regional")],
                        max_length=20,
                        verbose_name="anaesthesia",
                    ),
                ),
                (
                    "no_show",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("repeat", "The session is repeated"),
                            ("forfeit", "The session is forfeited"),
                            ("ask", "The desk decides"),
                        ],
                        max_length=20,
                        verbose_name="after a no-show",
                    ),
                ),
                (
                    "areas",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="areas",
                    ),
                ),
                (
                    "severity",
                    models.CharField(
                        blank=True,
                        choices=[("mild", "Mild"), ("moderate", "Moderate"), ("severe", "Severe")],
                        max_length=20,
                        verbose_name="severity",
                    ),
                ),
                (
                    "depends_on",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="What the number of sessions or the spacing depends on, in words.",
                        size=None,
                        verbose_name="depends on",
                    ),
                ),
                (
                    "other_treatments_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="least days to other treatments",
                    ),
                ),
                ("evidence", models.CharField(blank=True, max_length=200, verbose_name="evidence")),
                ("source_label", models.CharField(blank=True, max_length=200, verbose_name="source")),
                ("off_label", models.BooleanField(default=False, verbose_name="off-label")),
                (
                    "confirmed_by_clinician",
                    models.BooleanField(
                        default=False,
                        help_text="Until then: to be confirmed by your clinician.",
                        verbose_name="confirmed by a clinician",
                    ),
                ),
                ("library_key", models.CharField(blank=True, editable=False, max_length=80, null=True, unique=True)),
                (
                    "indications",
                    models.ManyToManyField(
                        blank=True, related_name="protocols", to="treatments.concern", verbose_name="indications"
                    ),
                ),
                (
                    "treatment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="protocols",
                        to="treatments.treatment",
                        verbose_name="treatment",
                    ),
                ),
            ],
            options={
                "verbose_name": "protocol",
                "verbose_name_plural": "protocols",
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("session_kind__in", ["fixed", "range", "words", "open_ended", "unknown"])),
                        name="protocol_session_kind_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("session_min__gte", 1)),
                        name="protocol_has_at_least_one_session",
                        violation_error_message="A course has at least one session.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("session_kind", "fixed"), _negated=True),
                            models.Q(
                                ("session_max", models.F("session_min")),
                                ("session_max__isnull", False),
                                ("session_min__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="protocol_fixed_count_is_one_number",
                        violation_error_message="A fixed number of sessions has the same minimum and maximum.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("session_kind", "range"), _negated=True),
                            models.Q(
                                ("session_max__gt", models.F("session_min")),
                                ("session_max__isnull", False),
                                ("session_min__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="protocol_range_runs_upwards",
                        violation_error_message="A range of sessions needs a minimum below its maximum.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("session_kind", "words"), _negated=True),
                            models.Q(("session_text", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="protocol_count_in_words_has_words",
                        violation_error_message="Say the number of sessions in words.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("session_kind__in", ["fixed", "range"]),
                            models.Q(
                                ("session_max__isnull", True),
                                ("session_min__isnull", True),
                                ("session_typical__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="protocol_numbers_only_where_counted",
                        violation_error_message="Only a fixed number or a range of sessions has numbers.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("session_typical__isnull", True),
                            models.Q(
                                ("session_typical__gte", models.F("session_min")),
                                ("session_typical__lte", models.F("session_max")),
                            ),
                            _connector="OR",
                        ),
                        name="protocol_typical_count_in_range",
                        violation_error_message="The typical number lies between minimum and maximum.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("spacing_unit__in", ["day", "week", "month", ""])),
                        name="protocol_spacing_unit_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("spacing_max__isnull", False),
                                ("spacing_min__isnull", False),
                                models.Q(("spacing_unit", ""), _negated=True),
                            ),
                            models.Q(
                                ("spacing_ideal__isnull", True),
                                ("spacing_max__isnull", True),
                                ("spacing_min__isnull", True),
                                ("spacing_unit", ""),
                                ("tolerance_days__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="protocol_spacing_whole_or_empty",
                        violation_error_message="Give minimum, maximum and unit of the spacing, or none of them.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("spacing_min__gte", 1)),
                        name="protocol_sessions_on_different_days",
                        violation_error_message="Sessions are at least one day, week or month apart.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("spacing_min__lte", models.F("spacing_max")),
                            models.Q(
                                ("spacing_ideal__isnull", True),
                                models.Q(
                                    ("spacing_ideal__gte", models.F("spacing_min")),
                                    ("spacing_ideal__lte", models.F("spacing_max")),
                                ),
                                _connector="OR",
                            ),
                        ),
                        name="protocol_spacing_in_order",
                        violation_error_message="The ideal spacing lies between minimum and maximum.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["draft", "published", "retired"])),
                        name="protocol_status_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("anaesthesia__in", ["none", "topical", "regional", ""])),
                        name="protocol_anaesthesia_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("no_show__in", ["repeat", "forfeit", "ask", ""])),
                        name="protocol_no_show_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("severity__in", ["mild", "moderate", "severe", ""])),
                        name="protocol_severity_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("version__gte", 1)), name="protocol_versions_start_at_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("other_treatments_days__gte", 1)),
                        name="protocol_other_treatments_on_different_days",
                        violation_error_message="Other treatments are at least one day apart, or leave this empty.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CareInstruction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                (
                    "when",
                    models.CharField(
                        choices=[("before", "Before a visit"), ("after", "After a visit")],
                        max_length=10,
                        verbose_name="when",
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[("do", "Do"), ("avoid", "Avoid"), ("ask", "Ask")], max_length=10, verbose_name="action"
                    ),
                ),
                ("text", models.CharField(max_length=300, verbose_name="text")),
                ("offset", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="how long")),
                (
                    "unit",
                    models.CharField(
                        blank=True,
                        choices=[("hour", "hours"), ("day", "days"), ("week", "weeks"), ("month", "calendar months")],
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "bound",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("exact", "Exactly"),
                            ("at_least", "At least"),
                            ("at_most", "At most"),
                            ("range", "From … to …, in words"),
                        ],
                        max_length=10,
                        verbose_name="bound",
                    ),
                ),
                ("offset_text", models.CharField(blank=True, max_length=120, verbose_name="how long, in words")),
                (
                    "repeat_hours",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="repeat every (hours)",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="care_instructions",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "verbose_name": "care instruction",
                "verbose_name_plural": "care instructions",
                "ordering": ["position", "pk"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("when__in", ["before", "after"])),
                        name="careinstruction_when_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("action__in", ["do", "avoid", "ask"])),
                        name="careinstruction_action_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("unit__in", ["hour", "day", "week", "month", ""])),
                        name="careinstruction_unit_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("bound__in", ["exact", "at_least", "at_most", "range", ""])),
                        name="careinstruction_bound_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("offset__isnull", True), ("unit", "")),
                            models.Q(("offset__isnull", False), models.Q(("unit", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="careinstruction_offset_has_a_unit",
                        violation_error_message="Give a number and its unit, or neither.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("bound", ""),
                            ("offset__isnull", False),
                            models.Q(("offset_text", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="careinstruction_bound_has_something_to_bind",
                        violation_error_message="Say how long, in a number or in words.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("repeat_hours__gte", 1)),
                        name="careinstruction_repeats_hourly_at_most",
                        violation_error_message="Repeat after at least an hour.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Milestone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("healed", "The skin has healed"),
                            ("result", "The final result"),
                            ("photo", "A photo is taken"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("min_days", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from (days)")),
                ("max_days", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="to (days)")),
                (
                    "max_months",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="to (calendar months)"),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="milestones",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "verbose_name": "milestone",
                "verbose_name_plural": "milestones",
                "ordering": ["position", "pk"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["healed", "result", "photo", ""])),
                        name="milestone_kind_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("min_days__lte", models.F("max_days"))),
                        name="milestone_days_in_order",
                        violation_error_message="The first day is not after the last.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Override",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "session_kind",
                    models.CharField(
                        choices=[
                            ("fixed", "A fixed number"),
                            ("range", "From … to …"),
                            ("words", "In words only"),
                            ("open_ended", "Open-ended"),
                            ("unknown", "Not said"),
                        ],
                        default="unknown",
                        max_length=20,
                        verbose_name="number of sessions",
                    ),
                ),
                ("session_min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("session_max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                ("session_typical", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="typically")),
                ("session_text", models.CharField(blank=True, max_length=200, verbose_name="in words")),
                ("spacing_min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("spacing_ideal", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="ideally")),
                ("spacing_max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                (
                    "spacing_unit",
                    models.CharField(
                        blank=True,
                        choices=[("day", "days"), ("week", "weeks"), ("month", "calendar months")],
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "tolerance_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Earlier or later by so many days, where minimum and maximum are the same.",
                        null=True,
                        verbose_name="tolerance in days",
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "severity",
                    models.CharField(
                        blank=True,
                        choices=[("mild", "Mild"), ("moderate", "Moderate"), ("severe", "Severe")],
                        max_length=20,
                        verbose_name="severity",
                    ),
                ),
                ("area", models.CharField(blank=True, max_length=60, verbose_name="area")),
                (
                    "depth_min_mm",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=4, null=True, verbose_name="needle depth from (mm)"
                    ),
                ),
                (
                    "depth_max_mm",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=4, null=True, verbose_name="needle depth to (mm)"
                    ),
                ),
                (
                    "replaces",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("sessions", "Number of sessions"),
                                ("spacing", "Spacing"),
                                ("anaesthesia", "Anaesthesia"),
                                ("add_ons", "Add-ons"),
                                ("maintenance", "Maintenance"),
                                ("phases", "Phases of the visit"),
                            ],
                            max_length=20,
                        ),
                        blank=True,
                        default=list,
                        help_text="What is not replaced is as the protocol says.",
                        size=None,
                        verbose_name="replaces",
                    ),
                ),
                (
                    "anaesthesia",
                    models.CharField(
                        blank=True,
                        choices=[("none", "None"), ("topical", "Topical"), ("regional", "Regional")],
                        max_length=20,
                        verbose_name="anaesthesia",
                    ),
                ),
                (
                    "concerns",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Any of these.",
                        related_name="+",
                        to="treatments.concern",
                        verbose_name="concerns",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="overrides",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "verbose_name": "override",
                "verbose_name_plural": "overrides",
                "ordering": ["pk"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("session_kind__in", ["fixed", "range", "words", "open_ended", "unknown"])),
                        name="override_session_kind_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("session_min__gte", 1)),
                        name="override_has_at_least_one_session",
                        violation_error_message="A course has at least one session.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("session_kind", "fixed"), _negated=True),
                            models.Q(
                                ("session_max", models.F("session_min")),
                                ("session_max__isnull", False),
                                ("session_min__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="override_fixed_count_is_one_number",
                        violation_error_message="A fixed number of sessions has the same minimum and maximum.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("session_kind", "range"), _negated=True),
                            models.Q(
                                ("session_max__gt", models.F("session_min")),
                                ("session_max__isnull", False),
                                ("session_min__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="override_range_runs_upwards",
                        violation_error_message="A range of sessions needs a minimum below its maximum.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("session_kind", "words"), _negated=True),
                            models.Q(("session_text", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="override_count_in_words_has_words",
                        violation_error_message="Say the number of sessions in words.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("session_kind__in", ["fixed", "range"]),
                            models.Q(
                                ("session_max__isnull", True),
                                ("session_min__isnull", True),
                                ("session_typical__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="override_numbers_only_where_counted",
                        violation_error_message="Only a fixed number or a range of sessions has numbers.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("session_typical__isnull", True),
                            models.Q(
                                ("session_typical__gte", models.F("session_min")),
                                ("session_typical__lte", models.F("session_max")),
                            ),
                            _connector="OR",
                        ),
                        name="override_typical_count_in_range",
                        violation_error_message="The typical number lies between minimum and maximum.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("spacing_unit__in", ["day", "week", "month", ""])),
                        name="override_spacing_unit_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("spacing_max__isnull", False),
                                ("spacing_min__isnull", False),
                                models.Q(("spacing_unit", ""), _negated=True),
                            ),
                            models.Q(
                                ("spacing_ideal__isnull", True),
                                ("spacing_max__isnull", True),
                                ("spacing_min__isnull", True),
                                ("spacing_unit", ""),
                                ("tolerance_days__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="override_spacing_whole_or_empty",
                        violation_error_message="Give minimum, maximum and unit of the spacing, or none of them.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("spacing_min__gte", 1)),
                        name="override_sessions_on_different_days",
                        violation_error_message="Sessions are at least one day, week or month apart.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("spacing_min__lte", models.F("spacing_max")),
                            models.Q(
                                ("spacing_ideal__isnull", True),
                                models.Q(
                                    ("spacing_ideal__gte", models.F("spacing_min")),
                                    ("spacing_ideal__lte", models.F("spacing_max")),
                                ),
                                _connector="OR",
                            ),
                        ),
                        name="override_spacing_in_order",
                        violation_error_message="The ideal spacing lies between minimum and maximum.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("severity__in", ["mild", "moderate", "severe", ""])),
                        name="override_severity_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("anaesthesia__in", ["none", "topical", "regional", ""])),
                        name="override_anaesthesia_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.UniqueConstraint(
                        fields=("protocol", "name"),
                        name="override_name_unique_in_protocol",
                        violation_error_message="Another override of this protocol has this name.",
                    ),
                    models.UniqueConstraint(fields=("id", "protocol"), name="override_belongs_to_its_protocol"),
                    models.CheckConstraint(
                        condition=models.Q(("depth_min_mm__lte", models.F("depth_max_mm"))),
                        name="override_depth_in_order",
                        violation_error_message="The needle depth runs from the smaller to the larger.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("depth_min_mm__isnull", True), ("depth_min_mm__gt", 0), _connector="OR"),
                            models.Q(("depth_max_mm__isnull", True), ("depth_max_mm__gt", 0), _connector="OR"),
                        ),
                        name="override_depth_above_zero",
                        violation_error_message="A needle depth is above zero.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "replaces__contained_by",
                                ["sessions", "spacing", "anaesthesia", "add_ons", "maintenance", "phases"],
                            )
                        ),
                        name="override_replaces_known_groups",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("replaces__contains", ["sessions"]),
                                models.Q(("session_kind", "unknown"), ("session_text", "")),
                                _connector="OR",
                            ),
                            models.Q(
                                ("replaces__contains", ["spacing"]), ("spacing_min__isnull", True), _connector="OR"
                            ),
                            models.Q(("replaces__contains", ["anaesthesia"]), ("anaesthesia", ""), _connector="OR"),
                        ),
                        name="override_says_only_what_it_replaces",
                        violation_error_message="An override only fills in what it replaces.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LibraryText",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("document", models.JSONField(verbose_name="content")),
                ("taken", models.BooleanField(verbose_name="taken over")),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="library_texts",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "verbose_name": "text of the library",
                "verbose_name_plural": "texts of the library",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="ProtocolVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField(verbose_name="version")),
                ("document", models.JSONField(verbose_name="content")),
                (
                    "origin",
                    models.CharField(
                        choices=[("edited", "edited"), ("imported", "imported"), ("library", "from the library")],
                        default="edited",
                        max_length=10,
                        verbose_name="origin",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: the program itself, as when it loads its library.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "verbose_name": "version of a protocol",
                "verbose_name_plural": "versions of protocols",
                "ordering": ["protocol_id", "-version"],
                "permissions": [("move_series_version", "Can move a series to the current version of its protocol")],
                "constraints": [
                    models.UniqueConstraint(fields=("protocol", "version"), name="protocol_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(("version__gte", 1)), name="protocolversion_starts_at_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("origin__in", ["edited", "imported", "library"])),
                        name="protocolversion_origin_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScreeningQuestion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("text", models.CharField(max_length=300, verbose_name="question")),
                (
                    "effect",
                    models.CharField(
                        choices=[
                            ("stop", "Stops the visit"),
                            ("ask", "Ask the clinician"),
                            ("inform", "For information"),
                        ],
                        max_length=10,
                        verbose_name="a yes",
                    ),
                ),
                (
                    "days_valid",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="good for (days)",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="screening_questions",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "verbose_name": "screening question",
                "verbose_name_plural": "screening questions",
                "ordering": ["position", "pk"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("effect__in", ["stop", "ask", "inform"])),
                        name="screeningquestion_effect_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("days_valid__gte", 1)),
                        name="screeningquestion_answer_lasts_a_day",
                        violation_error_message="An answer is good for at least a day.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Series",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("protocol_version", models.PositiveIntegerField()),
                ("terms_json", models.JSONField(db_column="terms")),
                (
                    "severity",
                    models.CharField(
                        blank=True,
                        choices=[("mild", "Mild"), ("moderate", "Moderate"), ("severe", "Severe")],
                        max_length=20,
                    ),
                ),
                ("area", models.CharField(blank=True, max_length=60)),
                ("depth_mm", models.DecimalField(blank=True, decimal_places=2, max_digits=4, null=True)),
                (
                    "decision_note",
                    models.CharField(
                        blank=True,
                        help_text="Who decided on the number of sessions or the spacing, where the protocol leaves it open.",
                        max_length=200,
                        verbose_name="decided by the clinician",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "under way"), ("completed", "complete"), ("stopped", "stopped")],
                        default="active",
                        max_length=10,
                    ),
                ),
                ("started_at", models.DateTimeField()),
                (
                    "completed_on",
                    models.DateField(
                        blank=True,
                        help_text="The day the last session was attended.",
                        null=True,
                        verbose_name="series-complete date",
                    ),
                ),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("stopped_reason", models.CharField(blank=True, max_length=200)),
                (
                    "concern",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treatments.concern",
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="series", to="patients.patient"
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="series", to="treatments.protocol"
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "stopped_by",
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
                "verbose_name": "series",
                "verbose_name_plural": "series",
                "indexes": [
                    models.Index(condition=models.Q(("state", "active")), fields=["id"], name="series_under_way")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["active", "completed", "stopped"])), name="series_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("completed_on__isnull", False), ("state", "completed")),
                            models.Q(models.Q(("state", "completed"), _negated=True), ("completed_on", None)),
                            _connector="OR",
                        ),
                        name="series_completion_dated",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("state", "stopped"), ("stopped_at__isnull", False), ("stopped_by__isnull", False)
                            ),
                            models.Q(
                                models.Q(("state", "stopped"), _negated=True),
                                ("stopped_at", None),
                                ("stopped_by", None),
                                ("stopped_reason", ""),
                            ),
                            _connector="OR",
                        ),
                        name="series_stop_recorded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProtocolEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "session_kind",
                    models.CharField(
                        choices=[
                            ("fixed", "A fixed number"),
                            ("range", "From … to …"),
                            ("words", "In words only"),
                            ("open_ended", "Open-ended"),
                            ("unknown", "Not said"),
                        ],
                        default="unknown",
                        max_length=20,
                        verbose_name="number of sessions",
                    ),
                ),
                ("session_min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("session_max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                ("session_typical", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="typically")),
                ("session_text", models.CharField(blank=True, max_length=200, verbose_name="in words")),
                ("spacing_min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("spacing_ideal", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="ideally")),
                ("spacing_max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                (
                    "spacing_unit",
                    models.CharField(
                        blank=True,
                        choices=[("day", "days"), ("week", "weeks"), ("month", "calendar months")],
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "tolerance_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Earlier or later by so many days, where minimum and maximum are the same.",
                        null=True,
                        verbose_name="tolerance in days",
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("published", "Published"), ("retired", "Retired")],
                        default="draft",
                        max_length=20,
                        verbose_name="status",
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1, editable=False, verbose_name="version")),
                (
                    "anaesthesia",
                    models.CharField(
                        blank=True,
                        choices=[("none", "None"), ("topical", "Topical"), ("regional", "Regional")],
                        max_length=20,
                        verbose_name="anaesthesia",
                    ),
                ),
                (
                    "no_show",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("repeat", "The session is repeated"),
                            ("forfeit", "The session is forfeited"),
                            ("ask", "The desk decides"),
                        ],
                        max_length=20,
                        verbose_name="after a no-show",
                    ),
                ),
                (
                    "areas",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="areas",
                    ),
                ),
                (
                    "severity",
                    models.CharField(
                        blank=True,
                        choices=[("mild", "Mild"), ("moderate", "Moderate"), ("severe", "Severe")],
                        max_length=20,
                        verbose_name="severity",
                    ),
                ),
                (
                    "depends_on",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        blank=True,
                        default=list,
                        help_text="What the number of sessions or the spacing depends on, in words.",
                        size=None,
                        verbose_name="depends on",
                    ),
                ),
                (
                    "other_treatments_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="least days to other treatments",
                    ),
                ),
                ("evidence", models.CharField(blank=True, max_length=200, verbose_name="evidence")),
                ("source_label", models.CharField(blank=True, max_length=200, verbose_name="source")),
                ("off_label", models.BooleanField(default=False, verbose_name="off-label")),
                (
                    "confirmed_by_clinician",
                    models.BooleanField(
                        default=False,
                        help_text="Until then: to be confirmed by your clinician.",
                        verbose_name="confirmed by a clinician",
                    ),
                ),
                ("library_key", models.CharField(blank=True, editable=False, max_length=80, null=True)),
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
                        to="treatments.protocol",
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
                        verbose_name="treatment",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Phase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "minutes",
                    models.PositiveSmallIntegerField(
                        validators=[django.core.validators.MinValueValidator(1)], verbose_name="minutes"
                    ),
                ),
                ("occupies_practitioner", models.BooleanField(default=False, verbose_name="takes the practitioner")),
                ("occupies_room", models.BooleanField(default=False, verbose_name="takes the room")),
                (
                    "numbing",
                    models.BooleanField(
                        default=False, help_text="Left out where no anaesthesia is given.", verbose_name="numbing"
                    ),
                ),
                (
                    "device_kind",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treatments.devicekind",
                        verbose_name="takes a device",
                    ),
                ),
                (
                    "override",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="treatments.override",
                        verbose_name="only for",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="phases",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
                (
                    "treatment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="phases",
                        to="treatments.treatment",
                        verbose_name="treatment",
                    ),
                ),
            ],
            options={
                "verbose_name": "phase",
                "verbose_name_plural": "phases",
                "ordering": ["position", "pk"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("protocol__isnull", True), ("treatment__isnull", False)),
                            models.Q(("protocol__isnull", False), ("treatment__isnull", True)),
                            _connector="OR",
                        ),
                        name="phase_of_a_treatment_or_of_a_protocol",
                        violation_error_message="A phase belongs to a treatment or to a protocol.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("override__isnull", True), ("protocol__isnull", False), _connector="OR"),
                        name="phase_of_an_override_is_of_its_protocol",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("minutes__gte", 1)),
                        name="phase_takes_time",
                        violation_error_message="A phase takes at least a minute.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("occupies_practitioner", True),
                            ("occupies_room", True),
                            ("device_kind__isnull", False),
                            _connector="OR",
                        ),
                        name="phase_occupies_something",
                        violation_error_message="A phase takes a practitioner, a room or a device.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OverrideEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                (
                    "session_kind",
                    models.CharField(
                        choices=[
                            ("fixed", "A fixed number"),
                            ("range", "From … to …"),
                            ("words", "In words only"),
                            ("open_ended", "Open-ended"),
                            ("unknown", "Not said"),
                        ],
                        default="unknown",
                        max_length=20,
                        verbose_name="number of sessions",
                    ),
                ),
                ("session_min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("session_max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                ("session_typical", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="typically")),
                ("session_text", models.CharField(blank=True, max_length=200, verbose_name="in words")),
                ("spacing_min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("spacing_ideal", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="ideally")),
                ("spacing_max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                (
                    "spacing_unit",
                    models.CharField(
                        blank=True,
                        choices=[("day", "days"), ("week", "weeks"), ("month", "calendar months")],
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "tolerance_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Earlier or later by so many days, where minimum and maximum are the same.",
                        null=True,
                        verbose_name="tolerance in days",
                    ),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "severity",
                    models.CharField(
                        blank=True,
                        choices=[("mild", "Mild"), ("moderate", "Moderate"), ("severe", "Severe")],
                        max_length=20,
                        verbose_name="severity",
                    ),
                ),
                ("area", models.CharField(blank=True, max_length=60, verbose_name="area")),
                (
                    "depth_min_mm",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=4, null=True, verbose_name="needle depth from (mm)"
                    ),
                ),
                (
                    "depth_max_mm",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=4, null=True, verbose_name="needle depth to (mm)"
                    ),
                ),
                (
                    "replaces",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("sessions", "Number of sessions"),
                                ("spacing", "Spacing"),
                                ("anaesthesia", "Anaesthesia"),
                                ("add_ons", "Add-ons"),
                                ("maintenance", "Maintenance"),
                                ("phases", "Phases of the visit"),
                            ],
                            max_length=20,
                        ),
                        blank=True,
                        default=list,
                        help_text="What is not replaced is as the protocol says.",
                        size=None,
                        verbose_name="replaces",
                    ),
                ),
                (
                    "anaesthesia",
                    models.CharField(
                        blank=True,
                        choices=[("none", "None"), ("topical", "Topical"), ("regional", "Regional")],
                        max_length=20,
                        verbose_name="anaesthesia",
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
                        to="treatments.override",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MilestoneEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("healed", "The skin has healed"),
                            ("result", "The final result"),
                            ("photo", "A photo is taken"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("min_days", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="from (days)")),
                ("max_days", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="to (days)")),
                (
                    "max_months",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="to (calendar months)"),
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
                        to="treatments.milestone",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MaintenanceRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("every", "Every …"),
                            ("per_year", "So many times a year"),
                            ("other_treatment", "Another treatment"),
                            ("home_care", "Care at home"),
                            ("individual", "The clinician decides"),
                            ("none", "None needed"),
                            ("unspecified", "Not specified"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                (
                    "unit",
                    models.CharField(
                        blank=True,
                        choices=[("day", "days"), ("week", "weeks"), ("month", "calendar months")],
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "times_per_year",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                        verbose_name="times a year",
                    ),
                ),
                ("at_least", models.BooleanField(default=False, verbose_name="or more often")),
                ("text", models.CharField(blank=True, max_length=300, verbose_name="in words")),
                (
                    "override",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="treatments.override",
                        verbose_name="only for",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="maintenance_rules",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
                (
                    "treatment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treatments.treatment",
                        verbose_name="treatment",
                    ),
                ),
            ],
            options={
                "verbose_name": "maintenance rule",
                "verbose_name_plural": "maintenance rules",
                "ordering": ["position", "pk"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "every",
                                    "per_year",
                                    "other_treatment",
                                    "home_care",
                                    "individual",
                                    "none",
                                    "unspecified",
                                ],
                            )
                        ),
                        name="maintenancerule_kind_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("unit__in", ["day", "week", "month", ""])),
                        name="maintenancerule_unit_is_known",
                        violation_error_message="Choose one of the words offered.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("min__gte", 1)),
                        name="maintenancerule_at_least_one_unit",
                        violation_error_message="Maintenance is at least one day, week or month away.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("max__isnull", True),
                            models.Q(("max__gte", models.F("min")), ("min__isnull", False)),
                            _connector="OR",
                        ),
                        name="maintenancerule_numbers_in_order",
                        violation_error_message="The maximum needs a minimum that is not above it.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("min__isnull", True), models.Q(("unit", ""), _negated=True), _connector="OR"
                        ),
                        name="maintenancerule_number_has_a_unit",
                        violation_error_message="Say whether the number is days, weeks or months.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "per_year"), _negated=True),
                            ("times_per_year__isnull", False),
                            _connector="OR",
                        ),
                        name="maintenancerule_per_year_says_how_often",
                        violation_error_message="Say how many times a year.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("times_per_year__gte", 1), ("times_per_year__lte", 365)),
                        name="maintenancerule_at_most_daily",
                        violation_error_message="Between once and 365 times a year.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind__in", ["home_care", "individual", "none", "unspecified"]), _negated=True),
                            models.Q(
                                ("max__isnull", True),
                                ("min__isnull", True),
                                ("times_per_year__isnull", True),
                                ("unit", ""),
                            ),
                            _connector="OR",
                        ),
                        name="maintenancerule_numbers_only_where_counted",
                        violation_error_message="A rule of this kind has no numbers.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CareInstructionEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                (
                    "when",
                    models.CharField(
                        choices=[("before", "Before a visit"), ("after", "After a visit")],
                        max_length=10,
                        verbose_name="when",
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[("do", "Do"), ("avoid", "Avoid"), ("ask", "Ask")], max_length=10, verbose_name="action"
                    ),
                ),
                ("text", models.CharField(max_length=300, verbose_name="text")),
                ("offset", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="how long")),
                (
                    "unit",
                    models.CharField(
                        blank=True,
                        choices=[("hour", "hours"), ("day", "days"), ("week", "weeks"), ("month", "calendar months")],
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "bound",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("exact", "Exactly"),
                            ("at_least", "At least"),
                            ("at_most", "At most"),
                            ("range", "From … to …, in words"),
                        ],
                        max_length=10,
                        verbose_name="bound",
                    ),
                ),
                ("offset_text", models.CharField(blank=True, max_length=120, verbose_name="how long, in words")),
                (
                    "repeat_hours",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="repeat every (hours)",
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
                        to="treatments.careinstruction",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ProtocolAddOn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                (
                    "role",
                    models.CharField(
                        choices=[("included", "Included"), ("recommended", "Recommended"), ("optional", "Optional")],
                        max_length=20,
                        verbose_name="role",
                    ),
                ),
                ("route", models.CharField(blank=True, max_length=120, verbose_name="route")),
                (
                    "add_on",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="treatments.addon",
                        verbose_name="add-on",
                    ),
                ),
                (
                    "override",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="treatments.override",
                        verbose_name="only for",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="add_ons",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "verbose_name": "add-on of a protocol",
                "verbose_name_plural": "add-ons of a protocol",
                "ordering": ["position", "pk"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["included", "recommended", "optional"])),
                        name="protocoladdon_role_is_known",
                        violation_error_message="Choose one of the words offered.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ScreeningQuestionEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("text", models.CharField(max_length=300, verbose_name="question")),
                (
                    "effect",
                    models.CharField(
                        choices=[
                            ("stop", "Stops the visit"),
                            ("ask", "Ask the clinician"),
                            ("inform", "For information"),
                        ],
                        max_length=10,
                        verbose_name="a yes",
                    ),
                ),
                (
                    "days_valid",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="good for (days)",
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
                        to="treatments.screeningquestion",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Maintenance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.PositiveSmallIntegerField()),
                ("cycle", models.PositiveSmallIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "to be decided by the clinician"),
                            ("scheduled", "scheduled"),
                            ("booked", "booked"),
                            ("attended", "attended"),
                            ("deferred", "deferred"),
                            ("declined", "declined"),
                            ("lapsed", "lapsed"),
                            ("withdrawn", "withdrawn"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "anchor",
                    models.DateField(
                        help_text="The day the dates are counted from: series complete, or last attended."
                    ),
                ),
                ("calculated_from", models.DateField(blank=True, null=True)),
                ("calculated_by", models.DateField(blank=True, null=True)),
                (
                    "overridden_on",
                    models.DateField(blank=True, help_text="Due on this day, as the clinician decided.", null=True),
                ),
                ("overridden_at", models.DateTimeField(blank=True, null=True)),
                ("override_reason", models.CharField(blank=True, max_length=200)),
                (
                    "due_from",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.comparison.Coalesce(
                            models.F("overridden_on"), models.F("calculated_from")
                        ),
                        output_field=models.DateField(),
                    ),
                ),
                (
                    "due_by",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.comparison.Coalesce(
                            models.F("overridden_on"), models.F("calculated_by")
                        ),
                        output_field=models.DateField(),
                    ),
                ),
                ("deferred_until", models.DateField(blank=True, null=True)),
                ("attended_on", models.DateField(blank=True, null=True)),
                (
                    "settled_at",
                    models.DateTimeField(blank=True, help_text="When it was attended, declined or lapsed.", null=True),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                (
                    "overridden_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="maintenance", to="treatments.series"
                    ),
                ),
                (
                    "treatment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="treatments.treatment"
                    ),
                ),
            ],
            options={
                "verbose_name": "maintenance",
                "verbose_name_plural": "maintenance",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "scheduled")),
                        fields=["due_from"],
                        name="maintenance_scheduled_due",
                    ),
                    models.Index(
                        condition=models.Q(("state", "deferred")), fields=["deferred_until"], name="maintenance_put_off"
                    ),
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["anchor", "id"], name="maintenance_to_decide"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("series", "rule", "cycle"), name="maintenance_cycle_once"),
                    models.CheckConstraint(
                        condition=models.Q(("cycle__gte", 1)), name="maintenance_cycles_start_at_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "waiting",
                                    "scheduled",
                                    "booked",
                                    "attended",
                                    "deferred",
                                    "declined",
                                    "lapsed",
                                    "withdrawn",
                                ],
                            )
                        ),
                        name="maintenance_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("calculated_by", None), ("calculated_from", None)),
                            ("calculated_from__lte", models.F("calculated_by")),
                            _connector="OR",
                        ),
                        name="maintenance_calculated_in_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("overridden_at", None),
                                ("overridden_by", None),
                                ("overridden_on", None),
                                ("override_reason", ""),
                            ),
                            models.Q(
                                ("overridden_at__isnull", False),
                                ("overridden_by__isnull", False),
                                ("overridden_on__isnull", False),
                                models.Q(("override_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="maintenance_override_recorded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["scheduled", "booked"]), _negated=True),
                            ("overridden_on__isnull", False),
                            ("calculated_from__isnull", False),
                            _connector="OR",
                        ),
                        name="maintenance_scheduled_has_a_date",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deferred_until__isnull", False), ("state", "deferred")),
                            models.Q(models.Q(("state", "deferred"), _negated=True), ("deferred_until", None)),
                            _connector="OR",
                        ),
                        name="maintenance_deferral_dated",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("attended_on__isnull", False), ("state", "attended")),
                            models.Q(models.Q(("state", "attended"), _negated=True), ("attended_on", None)),
                            _connector="OR",
                        ),
                        name="maintenance_attendance_dated",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("settled_at__isnull", False),
                                ("state__in", ["attended", "declined", "lapsed", "withdrawn"]),
                            ),
                            models.Q(
                                models.Q(("state__in", ["attended", "declined", "lapsed", "withdrawn"]), _negated=True),
                                ("settled_at", None),
                                ("settled_by", None),
                            ),
                            _connector="OR",
                        ),
                        name="maintenance_settling_recorded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SeriesEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("protocol_version", models.PositiveIntegerField()),
                ("terms_json", models.JSONField(db_column="terms")),
                (
                    "severity",
                    models.CharField(
                        blank=True,
                        choices=[("mild", "Mild"), ("moderate", "Moderate"), ("severe", "Severe")],
                        max_length=20,
                    ),
                ),
                ("area", models.CharField(blank=True, max_length=60)),
                ("depth_mm", models.DecimalField(blank=True, decimal_places=2, max_digits=4, null=True)),
                (
                    "decision_note",
                    models.CharField(
                        blank=True,
                        help_text="Who decided on the number of sessions or the spacing, where the protocol leaves it open.",
                        max_length=200,
                        verbose_name="decided by the clinician",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "under way"), ("completed", "complete"), ("stopped", "stopped")],
                        default="active",
                        max_length=10,
                    ),
                ),
                ("started_at", models.DateTimeField()),
                (
                    "completed_on",
                    models.DateField(
                        blank=True,
                        help_text="The day the last session was attended.",
                        null=True,
                        verbose_name="series-complete date",
                    ),
                ),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("stopped_reason", models.CharField(blank=True, max_length=200)),
                (
                    "concern",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.concern",
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
                        to="treatments.series",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.protocol",
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "stopped_by",
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
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[("planned", "planned"), ("attended", "attended"), ("skipped", "skipped")],
                        default="planned",
                        max_length=10,
                    ),
                ),
                ("attended_on", models.DateField(blank=True, help_text="Local date of the site.", null=True)),
                ("recorded_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, help_text="Why it was skipped.", max_length=200)),
                (
                    "recorded_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="treatments.series"
                    ),
                ),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
                "ordering": ["series_id", "number"],
                "constraints": [
                    models.UniqueConstraint(fields=("series", "number"), name="session_number_once_a_series"),
                    models.CheckConstraint(condition=models.Q(("number__gte", 1)), name="session_numbers_start_at_one"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["planned", "attended", "skipped"])),
                        name="session_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("attended_on__isnull", False), ("state", "attended")),
                            models.Q(models.Q(("state", "attended"), _negated=True), ("attended_on", None)),
                            _connector="OR",
                        ),
                        name="session_attendance_dated",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("reason", ""), ("recorded_at", None), ("recorded_by", None), ("state", "planned")
                            ),
                            models.Q(
                                models.Q(("state", "planned"), _negated=True),
                                ("recorded_at__isnull", False),
                                ("recorded_by__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="session_outcome_recorded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProtocolAddOnEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                (
                    "role",
                    models.CharField(
                        choices=[("included", "Included"), ("recommended", "Recommended"), ("optional", "Optional")],
                        max_length=20,
                        verbose_name="role",
                    ),
                ),
                ("route", models.CharField(blank=True, max_length=120, verbose_name="route")),
                (
                    "add_on",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.addon",
                        verbose_name="add-on",
                    ),
                ),
                (
                    "override",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.override",
                        verbose_name="only for",
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
                        to="treatments.protocoladdon",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="SessionEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("number", models.PositiveSmallIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[("planned", "planned"), ("attended", "attended"), ("skipped", "skipped")],
                        default="planned",
                        max_length=10,
                    ),
                ),
                ("attended_on", models.DateField(blank=True, help_text="Local date of the site.", null=True)),
                ("recorded_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, help_text="Why it was skipped.", max_length=200)),
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
                        to="treatments.session",
                    ),
                ),
                (
                    "recorded_by",
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
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.series",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PhaseEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "minutes",
                    models.PositiveSmallIntegerField(
                        validators=[django.core.validators.MinValueValidator(1)], verbose_name="minutes"
                    ),
                ),
                ("occupies_practitioner", models.BooleanField(default=False, verbose_name="takes the practitioner")),
                ("occupies_room", models.BooleanField(default=False, verbose_name="takes the room")),
                (
                    "numbing",
                    models.BooleanField(
                        default=False, help_text="Left out where no anaesthesia is given.", verbose_name="numbing"
                    ),
                ),
                (
                    "device_kind",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.devicekind",
                        verbose_name="takes a device",
                    ),
                ),
                (
                    "override",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.override",
                        verbose_name="only for",
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
                        to="treatments.phase",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
                (
                    "treatment",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.treatment",
                        verbose_name="treatment",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MaintenanceRuleEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("every", "Every …"),
                            ("per_year", "So many times a year"),
                            ("other_treatment", "Another treatment"),
                            ("home_care", "Care at home"),
                            ("individual", "The clinician decides"),
                            ("none", "None needed"),
                            ("unspecified", "Not specified"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("min", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at least")),
                ("max", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="at most")),
                (
                    "unit",
                    models.CharField(
                        blank=True,
                        choices=[("day", "days"), ("week", "weeks"), ("month", "calendar months")],
                        max_length=10,
                        verbose_name="unit",
                    ),
                ),
                (
                    "times_per_year",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(365),
                        ],
                        verbose_name="times a year",
                    ),
                ),
                ("at_least", models.BooleanField(default=False, verbose_name="or more often")),
                ("text", models.CharField(blank=True, max_length=300, verbose_name="in words")),
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
                        to="treatments.maintenancerule",
                    ),
                ),
                (
                    "override",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.override",
                        verbose_name="only for",
                    ),
                ),
                (
                    "protocol",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.protocol",
                        verbose_name="protocol",
                    ),
                ),
                (
                    "treatment",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.treatment",
                        verbose_name="treatment",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="MaintenanceEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("id", models.BigIntegerField()),
                ("rule", models.PositiveSmallIntegerField()),
                ("cycle", models.PositiveSmallIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "to be decided by the clinician"),
                            ("scheduled", "scheduled"),
                            ("booked", "booked"),
                            ("attended", "attended"),
                            ("deferred", "deferred"),
                            ("declined", "declined"),
                            ("lapsed", "lapsed"),
                            ("withdrawn", "withdrawn"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "anchor",
                    models.DateField(
                        help_text="The day the dates are counted from: series complete, or last attended."
                    ),
                ),
                ("calculated_from", models.DateField(blank=True, null=True)),
                ("calculated_by", models.DateField(blank=True, null=True)),
                (
                    "overridden_on",
                    models.DateField(blank=True, help_text="Due on this day, as the clinician decided.", null=True),
                ),
                ("overridden_at", models.DateTimeField(blank=True, null=True)),
                ("override_reason", models.CharField(blank=True, max_length=200)),
                ("deferred_until", models.DateField(blank=True, null=True)),
                ("attended_on", models.DateField(blank=True, null=True)),
                (
                    "settled_at",
                    models.DateTimeField(blank=True, help_text="When it was attended, declined or lapsed.", null=True),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                (
                    "overridden_by",
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
                        to="treatments.maintenance",
                    ),
                ),
                (
                    "settled_by",
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
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="treatments.series",
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
            ],
            options={
                "abstract": False,
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="overrideevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="cfb0828610771c393e7793566b0cf1ba075cc2ef",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_8f7f5",
                    table="treatments_overrideevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="override",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_overrideevent" ("anaesthesia", "area", "depth_max_mm", "depth_min_mm", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "protocol_id", "replaces", "session_kind", "session_max", "session_min", "session_text", "session_typical", "severity", "spacing_ideal", "spacing_max", "spacing_min", "spacing_unit", "tolerance_days") VALUES (NEW."anaesthesia", NEW."area", NEW."depth_max_mm", NEW."depth_min_mm", NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."protocol_id", NEW."replaces", NEW."session_kind", NEW."session_max", NEW."session_min", NEW."session_text", NEW."session_typical", NEW."severity", NEW."spacing_ideal", NEW."spacing_max", NEW."spacing_min", NEW."spacing_unit", NEW."tolerance_days"); RETURN NULL;',
                    hash="1d032807dddb5ad5ad1c39fadd50d7cbf77f990e",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_22e76",
                    table="treatments_override",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="override",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_overrideevent" ("anaesthesia", "area", "depth_max_mm", "depth_min_mm", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "protocol_id", "replaces", "session_kind", "session_max", "session_min", "session_text", "session_typical", "severity", "spacing_ideal", "spacing_max", "spacing_min", "spacing_unit", "tolerance_days") VALUES (NEW."anaesthesia", NEW."area", NEW."depth_max_mm", NEW."depth_min_mm", NEW."id", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."protocol_id", NEW."replaces", NEW."session_kind", NEW."session_max", NEW."session_min", NEW."session_text", NEW."session_typical", NEW."severity", NEW."spacing_ideal", NEW."spacing_max", NEW."spacing_min", NEW."spacing_unit", NEW."tolerance_days"); RETURN NULL;',
                    hash="6115b158e6f7331e7fe1e079fd3c6d44af3039cc",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_03486",
                    table="treatments_override",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="override",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_overrideevent" ("anaesthesia", "area", "depth_max_mm", "depth_min_mm", "id", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "protocol_id", "replaces", "session_kind", "session_max", "session_min", "session_text", "session_typical", "severity", "spacing_ideal", "spacing_max", "spacing_min", "spacing_unit", "tolerance_days") VALUES (OLD."anaesthesia", OLD."area", OLD."depth_max_mm", OLD."depth_min_mm", OLD."id", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."protocol_id", OLD."replaces", OLD."session_kind", OLD."session_max", OLD."session_min", OLD."session_text", OLD."session_typical", OLD."severity", OLD."spacing_ideal", OLD."spacing_max", OLD."spacing_min", OLD."spacing_unit", OLD."tolerance_days"); RETURN NULL;',
                    hash="0ee48a285938cc1f4c4bb28c16094ca188f5e8be",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_b21d2",
                    table="treatments_override",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="milestoneevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="9f6d30597c672cecd7df29dba8a2fe14f0a54d82",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_cc335",
                    table="treatments_milestoneevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="milestone",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_milestoneevent" ("id", "kind", "max_days", "max_months", "min_days", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id") VALUES (NEW."id", NEW."kind", NEW."max_days", NEW."max_months", NEW."min_days", NEW."name", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."position", NEW."protocol_id"); RETURN NULL;',
                    hash="4cf8bafad2d6e124d7a4d4f83c52ef6f566d991a",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_12ff7",
                    table="treatments_milestone",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="milestone",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_milestoneevent" ("id", "kind", "max_days", "max_months", "min_days", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id") VALUES (NEW."id", NEW."kind", NEW."max_days", NEW."max_months", NEW."min_days", NEW."name", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."position", NEW."protocol_id"); RETURN NULL;',
                    hash="af6c4a7fe67716891a670f70b261bdca766e82d0",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_cb8d6",
                    table="treatments_milestone",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="milestone",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_milestoneevent" ("id", "kind", "max_days", "max_months", "min_days", "name", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id") VALUES (OLD."id", OLD."kind", OLD."max_days", OLD."max_months", OLD."min_days", OLD."name", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."position", OLD."protocol_id"); RETURN NULL;',
                    hash="281c5c6a41ff84f35bf28543a0e7f93aeffaebf7",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_5e5ec",
                    table="treatments_milestone",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="librarytext",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="f3f2b9de20fc216b6782de60f73634859abac432",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_fd4f8",
                    table="treatments_librarytext",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="careinstructionevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="db204e2f5ec7e9d1ce2a5d9d9321bb081d86b8e8",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_2324f",
                    table="treatments_careinstructionevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="careinstruction",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_careinstructionevent" ("action", "bound", "id", "offset", "offset_text", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "repeat_hours", "text", "unit", "when") VALUES (NEW."action", NEW."bound", NEW."id", NEW."offset", NEW."offset_text", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."position", NEW."protocol_id", NEW."repeat_hours", NEW."text", NEW."unit", NEW."when"); RETURN NULL;',
                    hash="0d6921993dcb845b1664d5ba7ce45e3fb1a3c944",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_ce450",
                    table="treatments_careinstruction",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="careinstruction",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_careinstructionevent" ("action", "bound", "id", "offset", "offset_text", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "repeat_hours", "text", "unit", "when") VALUES (NEW."action", NEW."bound", NEW."id", NEW."offset", NEW."offset_text", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."position", NEW."protocol_id", NEW."repeat_hours", NEW."text", NEW."unit", NEW."when"); RETURN NULL;',
                    hash="9e0a2c160751153cb5c610da8d4b10288f9d23fa",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_240f2",
                    table="treatments_careinstruction",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="careinstruction",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_careinstructionevent" ("action", "bound", "id", "offset", "offset_text", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "repeat_hours", "text", "unit", "when") VALUES (OLD."action", OLD."bound", OLD."id", OLD."offset", OLD."offset_text", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."position", OLD."protocol_id", OLD."repeat_hours", OLD."text", OLD."unit", OLD."when"); RETURN NULL;',
                    hash="1ad1d62aed8ef681da3053413bed64285df4df5e",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_60899",
                    table="treatments_careinstruction",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocoladdon",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_protocoladdonevent" ("add_on_id", "id", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "role", "route") VALUES (NEW."add_on_id", NEW."id", NEW."override_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."position", NEW."protocol_id", NEW."role", NEW."route"); RETURN NULL;',
                    hash="265065c4d48f6b60736ce98983dee79b6483a576",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_75eed",
                    table="treatments_protocoladdon",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocoladdon",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_protocoladdonevent" ("add_on_id", "id", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "role", "route") VALUES (NEW."add_on_id", NEW."id", NEW."override_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."position", NEW."protocol_id", NEW."role", NEW."route"); RETURN NULL;',
                    hash="92f393d34d45352e75ac468403fc951a20902e99",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_e9136",
                    table="treatments_protocoladdon",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocoladdon",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_protocoladdonevent" ("add_on_id", "id", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "role", "route") VALUES (OLD."add_on_id", OLD."id", OLD."override_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."position", OLD."protocol_id", OLD."role", OLD."route"); RETURN NULL;',
                    hash="9f2aecd9735a2dd7c081a5f6ad033e3e8667831e",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_c95ee",
                    table="treatments_protocoladdon",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocoladdonevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="5945c1feff3fdc073f627a8670a5d6bcae985f1d",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_427c7",
                    table="treatments_protocoladdonevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocolversion",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="43feeecf0d13caa9fb93af2d880f0b1de17ed272",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_ccf45",
                    table="treatments_protocolversion",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="screeningquestion",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_screeningquestionevent" ("days_valid", "effect", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "text") VALUES (NEW."days_valid", NEW."effect", NEW."id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."position", NEW."protocol_id", NEW."text"); RETURN NULL;',
                    hash="ae985dcbee2e617a45f2dbdc98fce5ad881338e5",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_229b2",
                    table="treatments_screeningquestion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="screeningquestion",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_screeningquestionevent" ("days_valid", "effect", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "text") VALUES (NEW."days_valid", NEW."effect", NEW."id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."position", NEW."protocol_id", NEW."text"); RETURN NULL;',
                    hash="99931693e24f7a44ef576ecad38b0920d05c5883",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_3ef17",
                    table="treatments_screeningquestion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="screeningquestion",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_screeningquestionevent" ("days_valid", "effect", "id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "text") VALUES (OLD."days_valid", OLD."effect", OLD."id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."position", OLD."protocol_id", OLD."text"); RETURN NULL;',
                    hash="f3fde88b19b402c431fc7fa58deb0d301cd18d76",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_80db3",
                    table="treatments_screeningquestion",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="screeningquestionevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="ec1b690dd54bc4c082ac3a1970b7ad813c2d9fae",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_0bf81",
                    table="treatments_screeningquestionevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="series",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_seriesevent" ("area", "completed_on", "concern_id", "decision_note", "depth_mm", "id", "patient_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "protocol_id", "protocol_version", "severity", "started_at", "started_by_id", "state", "stopped_at", "stopped_by_id", "stopped_reason", "terms") VALUES (NEW."area", NEW."completed_on", NEW."concern_id", NEW."decision_note", NEW."depth_mm", NEW."id", NEW."patient_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."protocol_id", NEW."protocol_version", NEW."severity", NEW."started_at", NEW."started_by_id", NEW."state", NEW."stopped_at", NEW."stopped_by_id", NEW."stopped_reason", NEW."terms"); RETURN NULL;',
                    hash="e95437f16145322b666d1dd9d79bcf581a30cc8f",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_0db1d",
                    table="treatments_series",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="series",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_seriesevent" ("area", "completed_on", "concern_id", "decision_note", "depth_mm", "id", "patient_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "protocol_id", "protocol_version", "severity", "started_at", "started_by_id", "state", "stopped_at", "stopped_by_id", "stopped_reason", "terms") VALUES (NEW."area", NEW."completed_on", NEW."concern_id", NEW."decision_note", NEW."depth_mm", NEW."id", NEW."patient_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."protocol_id", NEW."protocol_version", NEW."severity", NEW."started_at", NEW."started_by_id", NEW."state", NEW."stopped_at", NEW."stopped_by_id", NEW."stopped_reason", NEW."terms"); RETURN NULL;',
                    hash="153f2d884876635dc5074465afae874d5fb9bf7d",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_05dc3",
                    table="treatments_series",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="series",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_seriesevent" ("area", "completed_on", "concern_id", "decision_note", "depth_mm", "id", "patient_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "protocol_id", "protocol_version", "severity", "started_at", "started_by_id", "state", "stopped_at", "stopped_by_id", "stopped_reason", "terms") VALUES (OLD."area", OLD."completed_on", OLD."concern_id", OLD."decision_note", OLD."depth_mm", OLD."id", OLD."patient_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."protocol_id", OLD."protocol_version", OLD."severity", OLD."started_at", OLD."started_by_id", OLD."state", OLD."stopped_at", OLD."stopped_by_id", OLD."stopped_reason", OLD."terms"); RETURN NULL;',
                    hash="a7a3c0eb086488af6d73bd931340cec00b53d553",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_89f7f",
                    table="treatments_series",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="seriesevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="3d894a54180063e36ae5eaace5d4fa05c89a6147",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_7c818",
                    table="treatments_seriesevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="session",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_sessionevent" ("attended_on", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "recorded_at", "recorded_by_id", "series_id", "state") VALUES (NEW."attended_on", NEW."id", NEW."number", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."reason", NEW."recorded_at", NEW."recorded_by_id", NEW."series_id", NEW."state"); RETURN NULL;',
                    hash="e4ae987d89231cbcf61549c47742e88761430d99",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_587f0",
                    table="treatments_session",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="session",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_sessionevent" ("attended_on", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "recorded_at", "recorded_by_id", "series_id", "state") VALUES (NEW."attended_on", NEW."id", NEW."number", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."reason", NEW."recorded_at", NEW."recorded_by_id", NEW."series_id", NEW."state"); RETURN NULL;',
                    hash="3a5556d9331707e23298c043ab577cf217c36208",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_81eb5",
                    table="treatments_session",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="session",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_sessionevent" ("attended_on", "id", "number", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "recorded_at", "recorded_by_id", "series_id", "state") VALUES (OLD."attended_on", OLD."id", OLD."number", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."reason", OLD."recorded_at", OLD."recorded_by_id", OLD."series_id", OLD."state"); RETURN NULL;',
                    hash="b560f3c2d383dec4038dd2cfd17a3d8dd7552631",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_6a728",
                    table="treatments_session",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="sessionevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="7b6404d89d5596fdd5efb4531c604e9731cc28e5",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_73cce",
                    table="treatments_sessionevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocolevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="1808244f50a8d98fd4354e2a2a878323b93761ef",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_05300",
                    table="treatments_protocolevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocol",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_protocolevent" ("anaesthesia", "areas", "confirmed_by_clinician", "depends_on", "evidence", "id", "library_key", "name", "no_show", "off_label", "other_treatments_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "session_kind", "session_max", "session_min", "session_text", "session_typical", "severity", "source_label", "spacing_ideal", "spacing_max", "spacing_min", "spacing_unit", "status", "tolerance_days", "treatment_id", "version") VALUES (NEW."anaesthesia", NEW."areas", NEW."confirmed_by_clinician", NEW."depends_on", NEW."evidence", NEW."id", NEW."library_key", NEW."name", NEW."no_show", NEW."off_label", NEW."other_treatments_days", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."session_kind", NEW."session_max", NEW."session_min", NEW."session_text", NEW."session_typical", NEW."severity", NEW."source_label", NEW."spacing_ideal", NEW."spacing_max", NEW."spacing_min", NEW."spacing_unit", NEW."status", NEW."tolerance_days", NEW."treatment_id", NEW."version"); RETURN NULL;',
                    hash="0197298f9c35601cf0a4bb54004cd2004d1d7635",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_5f0fd",
                    table="treatments_protocol",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocol",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_protocolevent" ("anaesthesia", "areas", "confirmed_by_clinician", "depends_on", "evidence", "id", "library_key", "name", "no_show", "off_label", "other_treatments_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "session_kind", "session_max", "session_min", "session_text", "session_typical", "severity", "source_label", "spacing_ideal", "spacing_max", "spacing_min", "spacing_unit", "status", "tolerance_days", "treatment_id", "version") VALUES (NEW."anaesthesia", NEW."areas", NEW."confirmed_by_clinician", NEW."depends_on", NEW."evidence", NEW."id", NEW."library_key", NEW."name", NEW."no_show", NEW."off_label", NEW."other_treatments_days", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."session_kind", NEW."session_max", NEW."session_min", NEW."session_text", NEW."session_typical", NEW."severity", NEW."source_label", NEW."spacing_ideal", NEW."spacing_max", NEW."spacing_min", NEW."spacing_unit", NEW."status", NEW."tolerance_days", NEW."treatment_id", NEW."version"); RETURN NULL;',
                    hash="6b7eb674916e63c765c3853987725e8b44432aa8",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_dce3c",
                    table="treatments_protocol",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="protocol",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_protocolevent" ("anaesthesia", "areas", "confirmed_by_clinician", "depends_on", "evidence", "id", "library_key", "name", "no_show", "off_label", "other_treatments_days", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "session_kind", "session_max", "session_min", "session_text", "session_typical", "severity", "source_label", "spacing_ideal", "spacing_max", "spacing_min", "spacing_unit", "status", "tolerance_days", "treatment_id", "version") VALUES (OLD."anaesthesia", OLD."areas", OLD."confirmed_by_clinician", OLD."depends_on", OLD."evidence", OLD."id", OLD."library_key", OLD."name", OLD."no_show", OLD."off_label", OLD."other_treatments_days", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."session_kind", OLD."session_max", OLD."session_min", OLD."session_text", OLD."session_typical", OLD."severity", OLD."source_label", OLD."spacing_ideal", OLD."spacing_max", OLD."spacing_min", OLD."spacing_unit", OLD."status", OLD."tolerance_days", OLD."treatment_id", OLD."version"); RETURN NULL;',
                    hash="eb55eaaa718e2290984122c88392d1ecb71e5b8b",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a2ea8",
                    table="treatments_protocol",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="phaseevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="af55c7cf45e908aaec52a499b20349ed1d887577",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_64153",
                    table="treatments_phaseevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="phase",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_phaseevent" ("device_kind_id", "id", "minutes", "name", "numbing", "occupies_practitioner", "occupies_room", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "treatment_id") VALUES (NEW."device_kind_id", NEW."id", NEW."minutes", NEW."name", NEW."numbing", NEW."occupies_practitioner", NEW."occupies_room", NEW."override_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."position", NEW."protocol_id", NEW."treatment_id"); RETURN NULL;',
                    hash="78288bc37cd87973e8bf05885e8c06fb47efdd34",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_6a916",
                    table="treatments_phase",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="phase",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_phaseevent" ("device_kind_id", "id", "minutes", "name", "numbing", "occupies_practitioner", "occupies_room", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "treatment_id") VALUES (NEW."device_kind_id", NEW."id", NEW."minutes", NEW."name", NEW."numbing", NEW."occupies_practitioner", NEW."occupies_room", NEW."override_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."position", NEW."protocol_id", NEW."treatment_id"); RETURN NULL;',
                    hash="5f30e7e1dfa6f993121d661f1e6fef658513aa83",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_4b68b",
                    table="treatments_phase",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="phase",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_phaseevent" ("device_kind_id", "id", "minutes", "name", "numbing", "occupies_practitioner", "occupies_room", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "treatment_id") VALUES (OLD."device_kind_id", OLD."id", OLD."minutes", OLD."name", OLD."numbing", OLD."occupies_practitioner", OLD."occupies_room", OLD."override_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."position", OLD."protocol_id", OLD."treatment_id"); RETURN NULL;',
                    hash="89c7be6255bbb112a1d07bd1277b2b4ad714b3b7",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_e6166",
                    table="treatments_phase",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="maintenanceruleevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="f9b6cbba7909b0fe6c9a7d880431dcaaa91e24d6",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_58a1e",
                    table="treatments_maintenanceruleevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="maintenancerule",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_maintenanceruleevent" ("at_least", "id", "kind", "max", "min", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "text", "times_per_year", "treatment_id", "unit") VALUES (NEW."at_least", NEW."id", NEW."kind", NEW."max", NEW."min", NEW."override_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."position", NEW."protocol_id", NEW."text", NEW."times_per_year", NEW."treatment_id", NEW."unit"); RETURN NULL;',
                    hash="d71b11f9a4c3c2d160cb3c795a1f6cb9a8f3e3d1",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_91f2c",
                    table="treatments_maintenancerule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="maintenancerule",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "treatments_maintenanceruleevent" ("at_least", "id", "kind", "max", "min", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "text", "times_per_year", "treatment_id", "unit") VALUES (NEW."at_least", NEW."id", NEW."kind", NEW."max", NEW."min", NEW."override_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."position", NEW."protocol_id", NEW."text", NEW."times_per_year", NEW."treatment_id", NEW."unit"); RETURN NULL;',
                    hash="d3a639bfef6f1368ce40436837080941a227f6bd",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_53246",
                    table="treatments_maintenancerule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="maintenancerule",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_maintenanceruleevent" ("at_least", "id", "kind", "max", "min", "override_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "protocol_id", "text", "times_per_year", "treatment_id", "unit") VALUES (OLD."at_least", OLD."id", OLD."kind", OLD."max", OLD."min", OLD."override_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."position", OLD."protocol_id", OLD."text", OLD."times_per_year", OLD."treatment_id", OLD."unit"); RETURN NULL;',
                    hash="67c817cb313663f70709ab5539cab99297e76dcd",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_146d0",
                    table="treatments_maintenancerule",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="maintenanceevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="8008e658c13366f99c69a0b8be52a57cd040e88a",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_e1d75",
                    table="treatments_maintenanceevent",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="maintenance",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_maintenanceevent" ("anchor", "attended_on", "calculated_by", "calculated_from", "cycle", "deferred_until", "id", "overridden_at", "overridden_by_id", "overridden_on", "override_reason", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "rule", "series_id", "settled_at", "settled_by_id", "state", "treatment_id") VALUES (NEW."anchor", NEW."attended_on", NEW."calculated_by", NEW."calculated_from", NEW."cycle", NEW."deferred_until", NEW."id", NEW."overridden_at", NEW."overridden_by_id", NEW."overridden_on", NEW."override_reason", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."reason", NEW."rule", NEW."series_id", NEW."settled_at", NEW."settled_by_id", NEW."state", NEW."treatment_id"); RETURN NULL;',
                    hash="bf4f1106755cffd44266f65eccd62746f9070a97",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_ea1e5",
                    table="treatments_maintenance",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="maintenance",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."anchor" IS DISTINCT FROM (NEW."anchor") OR OLD."attended_on" IS DISTINCT FROM (NEW."attended_on") OR OLD."calculated_by" IS DISTINCT FROM (NEW."calculated_by") OR OLD."calculated_from" IS DISTINCT FROM (NEW."calculated_from") OR OLD."cycle" IS DISTINCT FROM (NEW."cycle") OR OLD."deferred_until" IS DISTINCT FROM (NEW."deferred_until") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."overridden_at" IS DISTINCT FROM (NEW."overridden_at") OR OLD."overridden_by_id" IS DISTINCT FROM (NEW."overridden_by_id") OR OLD."overridden_on" IS DISTINCT FROM (NEW."overridden_on") OR OLD."override_reason" IS DISTINCT FROM (NEW."override_reason") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."rule" IS DISTINCT FROM (NEW."rule") OR OLD."series_id" IS DISTINCT FROM (NEW."series_id") OR OLD."settled_at" IS DISTINCT FROM (NEW."settled_at") OR OLD."settled_by_id" IS DISTINCT FROM (NEW."settled_by_id") OR OLD."state" IS DISTINCT FROM (NEW."state") OR OLD."treatment_id" IS DISTINCT FROM (NEW."treatment_id"))',
                    func='INSERT INTO "treatments_maintenanceevent" ("anchor", "attended_on", "calculated_by", "calculated_from", "cycle", "deferred_until", "id", "overridden_at", "overridden_by_id", "overridden_on", "override_reason", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "rule", "series_id", "settled_at", "settled_by_id", "state", "treatment_id") VALUES (NEW."anchor", NEW."attended_on", NEW."calculated_by", NEW."calculated_from", NEW."cycle", NEW."deferred_until", NEW."id", NEW."overridden_at", NEW."overridden_by_id", NEW."overridden_on", NEW."override_reason", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."reason", NEW."rule", NEW."series_id", NEW."settled_at", NEW."settled_by_id", NEW."state", NEW."treatment_id"); RETURN NULL;',
                    hash="91660ee3092b06b8f640e3ddaa21189c9fb85999",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_8fe89",
                    table="treatments_maintenance",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="maintenance",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "treatments_maintenanceevent" ("anchor", "attended_on", "calculated_by", "calculated_from", "cycle", "deferred_until", "id", "overridden_at", "overridden_by_id", "overridden_on", "override_reason", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "rule", "series_id", "settled_at", "settled_by_id", "state", "treatment_id") VALUES (OLD."anchor", OLD."attended_on", OLD."calculated_by", OLD."calculated_from", OLD."cycle", OLD."deferred_until", OLD."id", OLD."overridden_at", OLD."overridden_by_id", OLD."overridden_on", OLD."override_reason", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."reason", OLD."rule", OLD."series_id", OLD."settled_at", OLD."settled_by_id", OLD."state", OLD."treatment_id"); RETURN NULL;',
                    hash="858928ef49a04d1b246356639f55e9b62964d14c",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_d8c47",
                    table="treatments_maintenance",
                    when="AFTER",
                ),
            ),
        ),
    ]
