from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("patients", "0002_record_views")]

    operations = [
        migrations.AlterField(
            model_name="patient",
            name="language",
            field=models.CharField(
                choices=[("en-gb", "English"), ("de", "German")],
                default="en-gb",
                max_length=10,
                verbose_name="language",
            ),
        ),
    ]
