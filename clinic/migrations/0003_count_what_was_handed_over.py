from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("clinic", "0002_initial")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="handed_over",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="How often the provider was given it and did not refuse: so often it may have arrived.",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=Q(("handed_over__lte", 1), Q(("channel", "email"), ("handed_over", 2)), _connector="OR"),
                name="message_handed_over_at_most_twice",
            ),
        ),
        # A reminder on the day of the visit itself would come when it begins.
        migrations.RemoveConstraint(model_name="reminderstep", name="reminder_step_before_the_visit"),
        migrations.AddConstraint(
            model_name="reminderstep",
            constraint=models.CheckConstraint(
                condition=Q(Q(("subject", "appointment"), _negated=True), ("offset_days__lt", 0), _connector="OR"),
                name="reminder_step_before_the_visit",
            ),
        ),
    ]
