"""What is asked of the staff when they sign in."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


@pgtrigger.register(pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete))
class SecondFactorRule(models.Model):
    """Whether all staff need a second factor. Never changed: a new decision is a new row, and the latest counts."""

    required = models.BooleanField()
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("rule of the second factor")
        verbose_name_plural = _("rules of the second factor")
        permissions = [("require_second_factor", _("Can require a second factor of all staff"))]

    def __str__(self) -> str:
        return "required" if self.required else "left to each"
