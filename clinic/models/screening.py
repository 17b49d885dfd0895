"""What patients answered before their visits."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from treatments.models import Series
from treatments.models.choices import Effect


@pgtrigger.register(pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete))
class ScreeningAnswer(models.Model):
    """One answer to one question of a series, with the question as it was read. Never changed: the latest counts."""

    series = models.ForeignKey(Series, models.PROTECT, related_name="screening_answers")
    question = models.CharField(max_length=300)
    effect = models.CharField(max_length=10, choices=Effect, help_text=_("What a yes means for the visit."))
    yes = models.BooleanField()
    note = models.CharField(max_length=300, blank=True)
    answered_on = models.DateField(help_text=_("Local date of the site."))
    good_until = models.DateField(null=True, blank=True, help_text=_("The last visit day it is good for; empty: any."))
    answered_at = models.DateTimeField()
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("answer before a visit")
        verbose_name_plural = _("answers before visits")
        indexes = [
            models.Index(fields=["series", "question", "-answered_at", "-id"], name="screening_answer_latest"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(effect__in=Effect.values), name="screening_answer_effect_known"),
            models.CheckConstraint(condition=~Q(question=""), name="screening_answer_to_a_question"),
            models.CheckConstraint(
                condition=Q(good_until=None) | Q(good_until__gte=F("answered_on")),
                name="screening_answer_good_from_its_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
