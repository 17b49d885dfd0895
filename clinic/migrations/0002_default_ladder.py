"""A fresh installation reminds: of visits three days and one day before (the pair that did best in a large trial), of
maintenance four weeks before its window opens, when it opens, and four weeks after."""

from django.db import migrations

LADDER = [
    # about, days, too late after (days)
    ("appointment", -3, 1),
    ("appointment", -1, 1),
    ("maintenance", -28, 7),
    ("maintenance", 0, 7),
    ("maintenance", 28, 7),
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
    dependencies = [("clinic", "0001_initial")]

    operations = [migrations.RunPython(lay, migrations.RunPython.noop)]
