from django.db import migrations, models

LANGUAGE = {
    "choices": [("en-gb", "English"), ("de", "German")],
    "default": "en-gb",
    "max_length": 10,
    "verbose_name": "language",
}


class Migration(migrations.Migration):
    dependencies = [("patients", "0002_record_views")]

    operations = [
        migrations.AlterField(model_name="patient", name="language", field=models.CharField(**LANGUAGE)),
        migrations.AlterField(model_name="patientevent", name="language", field=models.CharField(**LANGUAGE)),
    ]
