import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinic", "0014_what_a_step_has_said"),
        ("patients", "0004_first_channel"),
    ]

    operations = [
        migrations.AlterField(
            model_name="callrequest",
            name="message",
            field=models.ForeignKey(
                blank=True,
                help_text="The message it came from; empty where there was none.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="clinic.message",
            ),
        ),
        migrations.AddField(
            model_name="callrequest",
            name="said",
            field=models.TextField(blank=True, default="", help_text="What the patient wrote, one answer a line."),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="callrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("message__isnull", False), models.Q(("said", ""), _negated=True), _connector="OR"),
                name="call_request_comes_from_something",
            ),
        ),
    ]
