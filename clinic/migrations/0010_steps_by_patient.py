"""The steps by e-mail go as each patient prefers from now on, unless the clinic laid another by text message beside."""

from django.db import migrations
from django.db.models import Exists, OuterRef


def by_patient(apps, schema_editor):
    steps = apps.get_model("clinic", "ReminderStep").objects.using(schema_editor.connection.alias)
    beside = steps.filter(subject=OuterRef("subject"), offset_days=OuterRef("offset_days"), channel="sms")
    steps.filter(~Exists(beside), channel="email").update(channel="preferred")


class Migration(migrations.Migration):
    dependencies = [("clinic", "0009_channel_by_patient")]

    operations = [migrations.RunPython(by_patient, migrations.RunPython.noop)]
