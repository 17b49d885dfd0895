"""A fresh installation tells of the care before a visit a day before it begins, of the care after it at its end and two
and three days later where the protocol has something for then, and of the final result on its day."""

from django.db import migrations

LADDER = [
    # about, days, too late after (days)
    ("pre_care", -1, None),
    ("aftercare", 0, 1),
    ("aftercare", 2, 1),
    ("aftercare", 3, 1),
    ("result", 0, 7),
]


def lay(apps, schema_editor):
    steps = apps.get_model("clinic", "ReminderStep").objects.using(schema_editor.connection.alias)
    for subject, offset_days, stale_after_days in LADDER:
        steps.get_or_create(
            subject=subject,
            offset_days=offset_days,
            channel="email",
            defaults={"stale_after_days": stale_after_days},
        )


class Migration(migrations.Migration):
    dependencies = [("clinic", "0005_care_reminders")]

    operations = [migrations.RunPython(lay, migrations.RunPython.noop)]
