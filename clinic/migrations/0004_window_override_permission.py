from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("clinic", "0003_count_what_was_handed_over")]

    operations = [
        migrations.AlterModelOptions(
            name="appointment",
            options={
                "permissions": [("override_window", "Can book a session outside its window")],
                "verbose_name": "appointment",
                "verbose_name_plural": "appointments",
            },
        ),
    ]
